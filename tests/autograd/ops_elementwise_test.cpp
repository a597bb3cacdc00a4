// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_elementwise.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of each op on elements agrees with central differences") {
  testing::check_ops(testing::elementwise_table());
}

TEST_CASE("each op on elements says what is wrong with its shapes") {
  testing::ShapeErrors errors;
  const std::vector<float> weights = {1, 2};
  CHECK(errors.message([&] { return errors.ctx.concat(errors.of(2, 3), errors.of(3, 3)); }) ==
        "concat: an operand has 3 rows; the first has 2");
  CHECK(errors.message([&] { return errors.ctx.slice_cols(errors.of(2, 3), 2, 2); }) ==
        "slice_cols: rows [0, 2) and columns [2, 4) are not inside (2, 3)");
  CHECK(errors.message([&] { return errors.ctx.slice_rows(errors.of(2, 3), -1, 2); }) ==
        "slice_rows: rows [-1, 1) and columns [0, 3) are not inside (2, 3)");
  CHECK(errors.message([&] { return errors.ctx.prelu(errors.of(2, 3), errors.of(1, 2)); }) ==
        "prelu: the slope has 2 elements; x has 3 columns");
  CHECK(errors.message([&] { return errors.ctx.dropout(errors.of(2, 3), 1.0); }) ==
        "dropout: p is 1; it must be in [0, 1)");
  CHECK(errors.message([&] { return errors.ctx.scale_rows(errors.of(3, 2), weights); }) ==
        "scale_rows: x has 3 rows, which is no multiple of 2 factors");
}

}  // namespace
}  // namespace mlgraph
