// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_linear.hpp"

#include <doctest/doctest.h>

#include <vector>

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

#if !defined(MLGRAPH_GEMM_EIGEN)
TEST_CASE("columns of a weight that is packed once give the bits of a copy of them") {
  ParamSpec spec;
  const Param weight = spec.matrix("weight", 33, 20, Init::fan_in()),
              bias = spec.vector("bias", 33, Init::uniform(0.5));
  const Parameters<float> parameters(spec, 1);
  AlignedVector<float> x(7 * 6);
  Rng rng(2);
  for (float& v : x) v = static_cast<float>(rng.uniform(-1, 1));
  const auto run = [&](Eager& ctx, std::int64_t first) {
    ctx.begin();
    const Var in = ctx.input({x.data(), 7, 6});
    const Var y = ctx.linear_columns(in, ctx.param(weight), first, ctx.param(bias), Activation::kRelu);
    const Span<const float> row = ctx.row(y);
    return std::vector<float>(row.begin(), row.end());
  };
  Eager copies, keeps;
  copies.bind(spec, Span<const float>(parameters.value));
  keeps.bind(spec, Span<const float>(parameters.value));
  keeps.keep_packed_weights();
  for (const std::int64_t first : {0, 9, 14, 0}) {
    const std::vector<float> expected = run(copies, first);
    CHECK(expected.size() == 7 * 33);
    CHECK(run(keeps, first) == expected);
  }
  CHECK(run(keeps, 15).empty());
  CHECK(keeps.status().message() == "slice_cols: rows [0, 33) and columns [15, 21) are not inside (33, 20)");
}
#endif

}  // namespace
}  // namespace mlgraph
