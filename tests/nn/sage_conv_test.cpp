// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/sage_conv.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

constexpr Direction kDirections[] = {Direction::kForward, Direction::kReverse, Direction::kBoth};

TEST_CASE("SAGEConv's tensors have PyG's names") {
  ParamSpec spec;
  SAGEConvOptions one, no_root, no_bias;
  one.one_matrix = true;
  no_root.root_weight = false;
  no_bias.bias = false;
  const SAGEConv a(spec, "a", 3, 5), b(spec, "b", 3, 5, one), c(spec, "c", 3, 5, no_root),
      d(spec, "d", 3, 5, no_bias);
  CHECK(tensors_of(spec) ==
        std::vector<std::string>{"a.lin_l.weight (5, 3)", "a.lin_l.bias (5)", "a.lin_r.weight (5, 3)",
                                 "b.lin.weight (5, 6)", "b.lin.bias (5)", "c.lin_l.weight (5, 3)",
                                 "c.lin_l.bias (5)", "d.lin_l.weight (5, 3)", "d.lin_r.weight (5, 3)"});
}

TEST_CASE("SAGEConv's gradients are right for every option") {
  const Edges edges = hub_graph();
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
    for (const Direction direction : kDirections) {
      for (const int variant : {0, 1, 2, 3, 4}) {
        SAGEConvOptions options;
        options.reduce = reduce;
        options.direction = direction;
        options.root_weight = variant != 1;
        options.one_matrix = variant == 2;
        options.normalize = variant == 3;
        options.bias = variant != 4;
        ParamSpec spec;
        const SAGEConv conv(spec, "c", 3, 5, options);
        const Status status = check_layer(spec, 2 * kNodes, 3, [&](auto& ctx, Var x) {
          return conv(ctx, x, edges.view(), Activation::kTanh);
        });
        CHECK_MESSAGE(status.ok(), status.message());
      }
    }
  }
}

TEST_CASE("SAGEConv without a bias is SAGEConv with a bias of 0") {
  const Edges edges = hub_graph();
  SAGEConvOptions options;
  ParamSpec with, without;
  const SAGEConv conv(with, "c", 3, 5, options);
  options.bias = false;
  const SAGEConv bare(without, "c", 3, 5, options);
  const std::vector<float> none(kNodes * 3, 0.0F);
  const auto at_zero = [&](const ParamSpec& spec, const SAGEConv& layer) {
    return run_layer(spec, none, 3, [&](auto& ctx, Var v) { return layer(ctx, v, edges.view()); });
  };
  CHECK(at_zero(without, bare) == std::vector<float>(kNodes * 5, 0.0F));
  CHECK(at_zero(with, conv) != at_zero(without, bare));
}

TEST_CASE("along the reverse direction SAGEConv sees the transposed graph") {
  const std::vector<float> x = random_matrix<float>(kNodes, 3);
  const Edges edges = hub_graph(), transposed = hub_graph(true);
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
    const auto run = [&](Direction direction, const Edges& graph) {
      SAGEConvOptions options;
      options.reduce = reduce;
      options.direction = direction;
      ParamSpec spec;
      const SAGEConv conv(spec, "c", 3, 5, options);
      return run_layer(spec, x, 3, [&](auto& ctx, Var v) { return conv(ctx, v, graph.view()); });
    };
    CHECK(run(Direction::kReverse, edges) == run(Direction::kForward, transposed));
    CHECK(run(Direction::kReverse, edges) != run(Direction::kForward, edges));
    CHECK(run(Direction::kBoth, edges) == run(Direction::kBoth, transposed));
  }
}

TEST_CASE("configs side by side have the bits of each alone") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const SAGEConv conv(spec, "c", 19, 33);
  const std::vector<float> x = random_matrix<float>(3 * kNodes, 19);
  const auto forward = [&](auto& ctx, Var v) { return conv(ctx, v, edges.view(), Activation::kRelu); };
  const std::vector<float> together = run_layer(spec, x, 19, forward);
  for (std::size_t c = 0; c < 3; ++c) {
    const std::size_t size = kNodes * 19;
    const std::vector<float> part(x.begin() + static_cast<std::ptrdiff_t>(c * size),
                                  x.begin() + static_cast<std::ptrdiff_t>((c + 1) * size));
    const std::vector<float> alone = run_layer(spec, part, 19, forward);
    CHECK(std::equal(alone.begin(), alone.end(),
                     together.begin() + static_cast<std::ptrdiff_t>(c * kNodes * 33)));
  }
}

TEST_CASE("SAGEConv makes some rows alone with the bits that they have among all, and their gradients") {
  const Edges edges = hub_graph();
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
    for (const Direction direction : kDirections) {
      for (const bool one_matrix : {false, true}) {
        SAGEConvOptions options;
        options.reduce = reduce;
        options.one_matrix = one_matrix;
        ParamSpec spec;
        const SAGEConv conv(spec, "c", 3, 5, options);
        const AdjacencyView adjacency = edges.view().along(direction);
        const BipartiteRows rows(adjacency.csr, some_nodes());
        const auto layer = [&](auto& ctx, Var x, const auto& flow) {
          return conv(ctx, x, flow, Activation::kTanh);
        };
        CHECK(makes_some_rows(spec, rows, MessageFlow<float>(adjacency), rows.flow<float>(), 3, layer));
        const Status status = check_layer(spec, static_cast<std::int64_t>(rows.read.size()), 3,
                                          [&](auto& ctx, Var x) { return layer(ctx, x, rows.flow<double>()); });
        CHECK_MESSAGE(status.ok(), status.message());
      }
    }
  }
}

TEST_CASE("SAGEConv on a graph built without both directions is an error") {
  const Edges edges = Edges::from_list(2, std::vector<std::int32_t>{0}, std::vector<std::int32_t>{1}).value();
  SAGEConvOptions options;
  options.direction = Direction::kBoth;
  ParamSpec spec;
  const SAGEConv conv(spec, "c", 3, 5, options);
  CHECK(message_of(spec, 2, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view()); }) ==
        "sage: there are no edges along Direction::kBoth; make them with EdgeOptions::both");
}

}  // namespace
}  // namespace mlgraph
