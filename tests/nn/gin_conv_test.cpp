// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/gin_conv.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// A row of two numbers for each edge of hub_graph(), in the order of its CSR.
template <class Ctx>
Var rows_of_hub(Ctx& ctx, std::int64_t num_edges = 9) {
  using T = typename Ctx::Scalar;
  static const std::vector<T> rows = random_matrix<T>(9, 2, 8);
  return ctx.input({rows.data(), num_edges, 2});
}

TEST_CASE("GINConv and GINEConv have PyG's names") {
  ParamSpec spec;
  GINConvOptions trained;
  trained.train_eps = true;
  trained.eps = 0.5;
  const GINConv plain(spec, "a"), with_eps(spec, "b", trained);
  const GINEConv rows(spec, "c", 3, 2, trained);
  CHECK(tensors_of(spec) ==
        std::vector<std::string>{"b.eps (1)", "c.eps (1)", "c.lin.weight (3, 2)", "c.lin.bias (3)"});
  CHECK(Parameters<float>(spec, 1).value[0] == 0.5F);
}

TEST_CASE("GINConv's and GINEConv's gradients are right for every option") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    for (const bool train_eps : {false, true}) {
      GINConvOptions options;
      options.eps = 0.3;
      options.train_eps = train_eps;
      options.direction = direction;
      ParamSpec spec;
      const GINConv conv(spec, "g", options);
      const MLP mlp(spec, "g.mlp", {3, 4, 2});
      Status status = check_layer(spec, 2 * kNodes, 3,
                                  [&](auto& ctx, Var x) { return ctx.tanh(conv(ctx, x, edges.view(), mlp)); });
      CHECK_MESSAGE(status.ok(), status.message());
      ParamSpec spec_rows;
      const GINEConv rows(spec_rows, "g", 3, 2, options);
      const MLP mlp_rows(spec_rows, "g.mlp", {3, 4, 2});
      status = check_layer(spec_rows, 2 * kNodes, 3, [&](auto& ctx, Var x) {
        return ctx.tanh(rows(ctx, x, edges.view(), rows_of_hub(ctx), mlp_rows));
      });
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE("GINConv of eps 0 is a node and the sum of its neighbours; one alone stays what it is") {
  const Edges edges = hub_graph();
  ParamSpec none;
  const GINConv conv(none, "g");
  const std::vector<float> x = {1, 2, 4, 8, 16, 32, 64};
  const auto same = [](auto&, Var v) { return v; };
  CHECK(run_layer(none, x, 1, [&](auto& ctx, Var v) { return conv(ctx, v, edges.view(), same); }) ==
        std::vector<float>{1, 3, 8, 8 + 1 + 2 + 4 + 16 + 32, 17, 34, 64});
}

TEST_CASE("GINConv and GINEConv make some rows alone with the bits that they have among all") {
  const Edges edges = hub_graph();
  GINConvOptions options;
  options.eps = 0.3;
  ParamSpec spec;
  const GINConv conv(spec, "g", options);
  const MLP mlp(spec, "g.mlp", {3, 4, 2});
  const AdjacencyView adjacency = edges.view().along(Direction::kForward);
  const BipartiteRows rows(adjacency.csr, some_nodes());
  CHECK(makes_some_rows(spec, rows, MessageFlow<float>(adjacency), rows.flow<float>(), 3,
                        [&](auto& ctx, Var x, const auto& flow) { return conv(ctx, x, flow, mlp); }));
  ParamSpec spec_rows;
  const GINEConv with_rows(spec_rows, "g", 3, 2, options);
  const MLP mlp_rows(spec_rows, "g.mlp", {3, 4, 2});
  const auto layer = [&](auto& ctx, Var x, const auto& flow) {
    Var attr = rows_of_hub(ctx);
    if (!flow.same_rows) attr = ctx.gather_rows(attr, Span<const std::int32_t>(rows.position));
    return with_rows(ctx, x, flow, attr, mlp_rows);
  };
  CHECK(makes_some_rows(spec_rows, rows, MessageFlow<float>(adjacency), rows.flow<float>(), 3, layer));
}

TEST_CASE("GINEConv refuses rows of other edges") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GINEConv conv(spec, "g", 3, 2);
  const MLP mlp(spec, "g.mlp", {3, 2});
  CHECK(message_of(spec, kNodes, 3, [&](auto& ctx, Var x) {
          return conv(ctx, x, edges.view(), rows_of_hub(ctx, 8), mlp);
        }) == "GINEConv: edge_attr has 8 rows; there are 9 edges");
  CHECK(message_of(spec, kNodes + 1, 3, [&](auto& ctx, Var x) {
          return conv(ctx, x, edges.view(), rows_of_hub(ctx), mlp);
        }) == "GINEConv: x has 8 rows; the graph has 7 nodes");
}

}  // namespace
}  // namespace mlgraph
