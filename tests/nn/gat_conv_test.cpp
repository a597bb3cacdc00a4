// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/gat_conv.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("GATv2Conv's tensors have PyG's names") {
  ParamSpec spec;
  GATv2ConvOptions options;
  options.heads = 2;
  const GATv2Conv conv(spec, "g", 3, 4, options);
  CHECK(tensors_of(spec) == std::vector<std::string>{"g.lin_l.weight (8, 3)", "g.lin_l.bias (8)",
                                                     "g.lin_r.weight (8, 3)", "g.lin_r.bias (8)", "g.att (8)",
                                                     "g.bias (8)"});
}

TEST_CASE("GATv2Conv's gradients are right along every direction and number of heads") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    for (const std::int64_t heads : {1, 3}) {
      GATv2ConvOptions options;
      options.heads = heads;
      options.direction = direction;
      ParamSpec spec;
      const GATv2Conv conv(spec, "g", 3, 2, options);
      const Status status =
          check_layer(spec, kNodes, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view()); });
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE("GATv2Conv with rows of edges has PyG's name for them, right gradients, and refuses others") {
  const Edges edges = hub_graph();
  GATv2ConvOptions options;
  options.heads = 2;
  options.edge_dim = 3;
  ParamSpec spec;
  const GATv2Conv conv(spec, "g", 3, 2, options);
  CHECK(tensors_of(spec).back() == "g.lin_edge.weight (4, 3)");
  const std::vector<double> rows = random_matrix<double>(9, 3, 8);
  const Status status = check_layer(spec, 2 * kNodes, 3, [&](auto& ctx, Var x) {
    return conv(ctx, x, edges.view(), ctx.input(MatrixView<const double>(rows.data(), 9, 3)));
  });
  CHECK_MESSAGE(status.ok(), status.message());
  const std::vector<float> some(18, 1.0F);
  const auto message = [&](std::int64_t num_rows, std::int64_t cols) {
    return message_of(spec, kNodes, 3, [&](auto& ctx, Var x) {
      return conv(ctx, x, edges.view(), cols == 0 ? Var{} : ctx.input({some.data(), num_rows, cols}));
    });
  };
  CHECK(message(0, 0) == "GATv2Conv: edge_attr has 0 columns; edge_dim is 3");
  CHECK(message(9, 2) == "GATv2Conv: edge_attr has 2 columns; edge_dim is 3");
  CHECK(message(6, 3) == "GATv2Conv: edge_attr has 6 rows; there are 9 edges");
}

TEST_CASE("attention over equal neighbours is their mean, and a node without any gets the bias") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GATv2Conv conv(spec, "g", 1, 1);
  const std::vector<float> ones(kNodes, 1.0f);
  const Parameters<float> parameters(spec, 5);
  const std::vector<float> y =
      run_layer(spec, ones, 1, [&](auto& ctx, Var v) { return conv(ctx, v, edges.view()); });
  const auto value = [&](const char* name) {
    return parameters.value[static_cast<std::size_t>(spec.position(spec.find(name)->param))];
  };
  CHECK(y[3] == doctest::Approx(value("g.lin_l.weight") + value("g.lin_l.bias") + value("g.bias")));
  CHECK(y[6] == value("g.bias"));
}

TEST_CASE("GATv2Conv makes some rows alone with the bits that they have among all, and their gradients") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    for (const std::int64_t heads : {1, 3}) {
      GATv2ConvOptions options;
      options.heads = heads;
      ParamSpec spec;
      const GATv2Conv conv(spec, "g", 3, 2, options);
      const AdjacencyView adjacency = edges.view().along(direction);
      const BipartiteRows rows(adjacency.csr, some_nodes());
      CHECK(makes_some_rows(spec, rows, MessageFlow<float>(adjacency), rows.flow<float>(), 3, conv));
      const Status status = check_layer(spec, static_cast<std::int64_t>(rows.read.size()), 3,
                                        [&](auto& ctx, Var x) { return conv(ctx, x, rows.flow<double>()); });
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE(
    "GATv2Conv: configs side by side have the bits of each alone, and the gradients of copies are right") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  GATv2ConvOptions options;
  options.heads = 2;
  const GATv2Conv conv(spec, "g", 3, 5, options);
  const std::vector<float> x = random_matrix<float>(3 * kNodes, 3);
  const auto forward = [&](auto& ctx, Var v) { return conv(ctx, v, edges.view()); };
  const std::vector<float> together = run_layer(spec, x, 3, forward);
  REQUIRE(together.size() == 3 * kNodes * 10);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto first = x.begin() + static_cast<std::ptrdiff_t>(c * kNodes * 3);
    const std::vector<float> alone = run_layer(spec, {first, first + kNodes * 3}, 3, forward);
    CHECK(std::equal(alone.begin(), alone.end(),
                     together.begin() + static_cast<std::ptrdiff_t>(c * kNodes * 10)));
  }
  const Status status = check_layer(spec, 2 * kNodes, 3, forward);
  CHECK_MESSAGE(status.ok(), status.message());
  const BipartiteRows rows(edges.view().forward.csr, some_nodes());
  const Status some =
      check_layer(spec, 2 * static_cast<std::int64_t>(rows.read.size()), 3, [&](auto& ctx, Var v) {
        auto flow = rows.flow<double>();
        std::vector<std::int32_t> root = rows.root;  // of both copies
        for (const std::int32_t r : rows.root) root.push_back(r + static_cast<std::int32_t>(rows.read.size()));
        auto* const kept = ctx.arena().template allocate<std::int32_t>(root.size());
        std::copy(root.begin(), root.end(), kept);
        flow.root = {kept, root.size()};
        return conv(ctx, v, flow);
      });
  CHECK_MESSAGE(some.ok(), some.message());
}

TEST_CASE("GATv2Conv of another graph's rows is an error") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GATv2Conv conv(spec, "g", 3, 2);
  CHECK(message_of(spec, 5, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view()); }) ==
        "GATv2Conv: x has 5 rows; the graph has 7 nodes");
  const BipartiteRows rows(edges.view().forward.csr, some_nodes());
  auto flow = rows.flow<float>();
  flow.root = flow.root.subspan(0, 3);
  CHECK(message_of(spec, static_cast<std::int64_t>(rows.read.size()), 3, [&](auto& ctx, Var x) {
          return conv(ctx, x, flow);
        }) == "GATv2Conv: there are 3 rows to make; their edges are of 4");
}

}  // namespace
}  // namespace mlgraph
