// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/edge_conv.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("EdgeConv's gradients are right for every reduction and direction") {
  const Edges edges = hub_graph();
  for (const Reduce reduce : {Reduce::kMax, Reduce::kSum, Reduce::kMean}) {
    for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
      ParamSpec spec;
      const MLP mlp(spec, "mlp", {6, 4, 2});
      const EdgeConv conv(reduce, direction);
      const Status status = check_layer(
          spec, 2 * kNodes, 3, [&](auto& ctx, Var x) { return ctx.tanh(conv(ctx, x, edges.view(), mlp)); });
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE("EdgeConv takes the largest message; a node without neighbours has 0") {
  const Edges edges = hub_graph();
  const ParamSpec none;
  const std::vector<float> x = {1, 2, 4, 8, 16, 32, 64};
  const auto difference = [](auto& ctx, Var both) { return ctx.slice_cols(both, 1, 1); };
  // Node 3 has 0, 1, 2, 4 and 5: the largest difference is 32 - 8. Node 2 has itself.
  CHECK(run_layer(none, x, 1, [&](auto& ctx, Var v) { return EdgeConv()(ctx, v, edges.view(), difference); }) ==
        std::vector<float>{0, -1, 0, 24, -15, -30, 0});
}

TEST_CASE("EdgeConv makes some rows alone with the bits that they have among all") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const MLP mlp(spec, "mlp", {6, 4, 2});
  const AdjacencyView adjacency = edges.view().along(Direction::kBoth);
  const BipartiteRows rows(adjacency.csr, some_nodes());
  CHECK(makes_some_rows(spec, rows, MessageFlow<float>(adjacency), rows.flow<float>(), 3,
                        [&](auto& ctx, Var x, const auto& flow) { return EdgeConv()(ctx, x, flow, mlp); }));
}

}  // namespace
}  // namespace mlgraph
