// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_arithmetic.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of each op of arithmetic agrees with central differences") {
  testing::check_ops(testing::arithmetic_table());
}

TEST_CASE("each op of arithmetic says what is wrong with its shapes") {
  testing::ShapeErrors errors;
  const auto unlike = [&](auto op) {
    return errors.message([&] { return op(errors.of(1, 2), errors.of(2, 1)); });
  };
  const std::string should = ": the operands are (1, 2) and (2, 1); they must have the same shape";
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.add(a, b); }) == "add" + should);
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.sub(a, b); }) == "sub" + should);
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.mul(a, b); }) == "mul" + should);
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.div(a, b); }) == "div" + should);
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.minimum(a, b); }) == "minimum" + should);
  CHECK(unlike([&](Var a, Var b) { return errors.ctx.maximum(a, b); }) == "maximum" + should);
  CHECK(errors.message([&] { return errors.ctx.clamp(errors.of(2, 3), 2, 1.5); }) ==
        "clamp: low is 2 and high is 1.5; low must not be above high");
  CHECK(errors.message([&] {
    return errors.ctx.clamp(errors.of(2, 3), std::numeric_limits<double>::quiet_NaN(), 1);
  }) == "clamp: low is nan and high is 1; low must not be above high");
}

TEST_CASE("equal operands share the gradient of their minimum and maximum, and a constant takes none of it") {
  const std::vector<float> a = {1, 2, 3}, b = {2, 2, 2};
  for (const bool larger : {false, true}) {
    Tape tape;
    const Var x = tape.leaf(MatrixView<const float>(a.data(), 1, 3)),
              y = tape.leaf(MatrixView<const float>(b.data(), 1, 3));
    REQUIRE(tape.backward(sum(tape, larger ? tape.maximum(x, y) : tape.minimum(x, y))).ok());
    const float first = larger ? 0.0f : 1.0f, last = larger ? 1.0f : 0.0f;
    CHECK((tape.grad(x)(0, 0) == first && tape.grad(x)(0, 1) == 0.5f && tape.grad(x)(0, 2) == last));
    CHECK((tape.grad(y)(0, 0) == last && tape.grad(y)(0, 1) == 0.5f && tape.grad(y)(0, 2) == first));
    tape.begin();
    const Var z = tape.leaf(MatrixView<const float>(a.data(), 1, 3));
    REQUIRE(
        tape.backward(sum(tape, tape.minimum(z, tape.input(MatrixView<const float>(b.data(), 1, 3))))).ok());
    CHECK((tape.grad(z)(0, 0) == 1 && tape.grad(z)(0, 1) == 0.5f && tape.grad(z)(0, 2) == 0));
  }
}

}  // namespace
}  // namespace mlgraph
