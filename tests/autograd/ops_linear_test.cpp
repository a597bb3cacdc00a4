// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_linear.hpp"

#include <doctest/doctest.h>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of each op on matrices agrees with central differences") {
  testing::check_ops(testing::linear_table());
}

TEST_CASE("each op on matrices says what is wrong with its shapes") {
  testing::ShapeErrors errors;
  const testing::TestGraph graph = testing::test_graphs()[4];  // 6 nodes, 7 edges
  const EdgesView edges = graph.edges.view();
  CHECK(errors.message([&] { return errors.ctx.matmul(errors.of(2, 3), errors.of(4, 2)); }) ==
        "matmul: (2, 3) times (4, 2); the inner sizes must agree");
  CHECK(errors.message([&] { return errors.ctx.linear(errors.of(2, 3), errors.of(4, 2), Var{}); }) ==
        "linear: x has 3 columns; the weight is (4, 2)");
  CHECK(errors.message([&] { return errors.ctx.linear(errors.of(2, 3), errors.of(4, 3), errors.of(1, 3)); }) ==
        "linear: the bias has 3 elements; the weight has 4 rows");
  CHECK(errors.message([&] {
    return errors.ctx.sage(Reduce::kMean, edges.forward, errors.of(5, 2), errors.of(3, 2), Var{}, Var{});
  }) == "sage: x has 5 rows; the graph has 6 nodes");
  CHECK(errors.message([&] {
    return errors.ctx.sage(Reduce::kMean, edges.forward, errors.of(6, 2), errors.of(3, 4), Var{}, Var{});
  }) == "sage: x has 2 columns; the weight is (3, 4)");
}

}  // namespace
}  // namespace mlgraph
