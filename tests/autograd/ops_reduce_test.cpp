// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_reduce.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of sum and mean agrees with central differences") {
  testing::check_ops(testing::reduce_table());
}

TEST_CASE("sums and means are of all elements; a mean of none is an error") {
  testing::ShapeErrors errors;
  const std::vector<float> values = {1, 2, 3, 6};
  Eager& ctx = errors.ctx;
  const Var x = ctx.input(MatrixView<const float>(values.data(), 2, 2));
  CHECK(ctx.value(sum(ctx, x))(0, 0) == 12);
  CHECK(ctx.value(mean(ctx, x))(0, 0) == 3);
  CHECK(ctx.value(sum(ctx, errors.of(0, 3)))(0, 0) == 0);
  CHECK(errors.message([&] { return mean(ctx, errors.of(0, 3)); }) == "mean: there are no elements");
  CHECK(errors.message([&] { return sum(ctx, ctx.relu(mean(ctx, errors.of(3, 0)))); }) ==
        "mean: there are no elements");
}

}  // namespace
}  // namespace mlgraph
