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
  const auto gin = [&](std::int64_t rows, std::int64_t root_rows, std::int64_t eps_cols, std::int64_t in) {
    return errors.message([&] {
      return errors.ctx.gin(edges.forward, errors.of(rows, 2), errors.of(root_rows, 2), 1,
                            errors.of(1, eps_cols), errors.of(3, in), Var{});
    });
  };
  CHECK(gin(5, 5, 1, 2) == "gin: x has 5 rows; the graph has 6 nodes");
  CHECK(gin(6, 3, 1, 2) == "gin: root is (3, 2); it should be (6, 2)");
  CHECK(gin(6, 6, 1, 4) == "gin: x has 2 columns; the weight is (3, 4)");
  CHECK(gin(6, 6, 2, 2) == "gin: eps is (1, 2); it should be one number");
}

}  // namespace
}  // namespace mlgraph
