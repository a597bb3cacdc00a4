// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of each op on norms agrees with central differences") {
  testing::check_ops(testing::norm_table());
}

TEST_CASE("each op on norms says what is wrong with its shapes") {
  testing::ShapeErrors errors;
  const std::vector<std::int32_t> ptr = {0, 3};
  CHECK(errors.message([&] { return errors.ctx.instance_norm(ptr, errors.of(4, 2)); }) ==
        "instance_norm: the segments end at 3; x has 4 rows");
  CHECK(errors.message([&] { return errors.ctx.layer_norm(errors.of(4, 2), errors.of(1, 3), Var{}); }) ==
        "layer_norm: a parameter has 3 elements; x has 2 columns");
  CHECK(errors.message([&] { return errors.ctx.column_affine(errors.of(4, 2), Var{}, errors.of(1, 3)); }) ==
        "column_affine: a parameter has 3 elements; x has 2 columns");
}

TEST_CASE("batch norm moves its running statistics in training and uses them in evaluation") {
  ParamSpec spec;
  const Param gamma = spec.vector("gamma", 2, Init::constant(1));
  const Param beta = spec.vector("beta", 2, Init::constant(0));
  const Param mean = spec.state_vector("mean", 2, Init::constant(0));
  const Param var = spec.state_vector("var", 2, Init::constant(1));
  CHECK(spec.num_trainable() < spec.size());
  Parameters<float> parameters(spec, 1);
  const std::vector<float> x = {1, 10, 3, 10};
  const MatrixView<const float> two(x.data(), 2, 2);
  Tape tape;
  tape.bind(spec, parameters);
  const Var y = tape.batch_norm(tape.input(two), tape.param(gamma), tape.param(beta), mean, var);
  CHECK(tape.value(y)(0, 0) == doctest::Approx(-1).epsilon(1e-4));
  CHECK(tape.value(y)(1, 1) == 0);
  const float* const state = parameters.value.data() + spec.num_trainable();
  CHECK(state[mean.offset] == doctest::Approx(0.2));
  CHECK(state[var.offset] == doctest::Approx(0.9 + 0.1 * 2));  // unbiased variance of {1, 3} is 2
  tape.begin();
  tape.set_training(false);
  const Var z = tape.batch_norm(tape.input(two), tape.param(gamma), tape.param(beta), mean, var);
  CHECK(tape.value(z)(0, 0) == doctest::Approx((1 - 0.2) / std::sqrt(1.1 + 1e-5)));
  tape.begin();
  tape.set_training(true);
  (void)tape.batch_norm(tape.input({x.data(), 1, 4}), Var{}, Var{}, mean, var);
  CHECK(tape.status().message() == "batch_norm: training needs 2 rows or more; x has 1");
}

}  // namespace
}  // namespace mlgraph
