// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/gcn_conv.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("GCNConv is D^-1/2 (A + I) D^-1/2 X W^T + b") {
  const Edges edges =
      Edges::from_list(3, std::vector<std::int32_t>{0, 1}, std::vector<std::int32_t>{1, 2}).value();
  ParamSpec spec;
  const GCNConv conv(spec, "g", 1, 1);
  CHECK(tensors_of(spec) == std::vector<std::string>{"g.lin.weight (1, 1)", "g.bias (1)"});
  Parameters<float> parameters(spec, 1);
  parameters.value[static_cast<std::size_t>(spec.position(spec.find("g.lin.weight")->param))] = 2;
  parameters.value[static_cast<std::size_t>(spec.position(spec.find("g.bias")->param))] = 1;
  const float x[] = {1, 2, 3};
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const MatrixView<const float> y = eager.value(conv(eager, eager.input({x, 3, 1}), edges.view()));
  // Degrees with self loops are 1, 2, 2.
  CHECK(y.data[0] == doctest::Approx(1 + 2 * 1.0));
  CHECK(y.data[1] == doctest::Approx(1 + 2 * (1 / std::sqrt(2.0) + 2 / 2.0)));
  CHECK(y.data[2] == doctest::Approx(1 + 2 * (2 / 2.0 + 3 / 2.0)));
}

TEST_CASE("GCNConv's gradients are right along every direction and for copies") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    ParamSpec spec;
    const GCNConv conv(spec, "g", 3, 5, direction);
    const Status status = check_layer(
        spec, 2 * kNodes, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view(), Activation::kTanh); });
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

/// The flow of some rows with the weights of the graph.
template <class T>
struct WeightedRows {
  std::vector<T> edge, self;
  MessageFlow<T> all, some;

  WeightedRows(Arena& arena, const AdjacencyView& adjacency, const BipartiteRows& rows)
      : all(adjacency), some(rows.flow<T>()) {
    const RowWeights<T> norm = gcn_norm<T>(arena, adjacency);
    all.edge_weight = norm.edge;
    all.self_weight = norm.self;
    for (const std::int32_t e : rows.position) edge.push_back(norm.edge[static_cast<std::size_t>(e)]);
    for (const std::int32_t v : rows.made) self.push_back(norm.self[static_cast<std::size_t>(v)]);
    some.edge_weight = edge;
    some.self_weight = self;
  }
};

TEST_CASE("GCNConv makes some rows alone with the bits that they have among all, and their gradients") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    ParamSpec spec;
    const GCNConv conv(spec, "g", 3, 5);
    const AdjacencyView adjacency = edges.view().along(direction);
    const BipartiteRows rows(adjacency.csr, some_nodes());
    Arena arena;
    const WeightedRows<float> flows(arena, adjacency, rows);
    const auto layer = [&](auto& ctx, Var x, const auto& flow) {
      return conv(ctx, x, flow, Activation::kTanh);
    };
    CHECK(makes_some_rows(spec, rows, flows.all, flows.some, 3, layer));
    const WeightedRows<double> in_double(arena, adjacency, rows);
    const Status status = check_layer(spec, static_cast<std::int64_t>(rows.read.size()), 3,
                                      [&](auto& ctx, Var x) { return layer(ctx, x, in_double.some); });
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

TEST_CASE("a node without neighbours keeps its own row") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GCNConv conv(spec, "g", 2, 2);
  const std::vector<float> x = random_matrix<float>(kNodes, 2);
  const std::vector<float> y =
      run_layer(spec, x, 2, [&](auto& ctx, Var v) { return conv(ctx, v, edges.view()); });
  const std::vector<float> last(x.end() - 2, x.end());
  ParamSpec other;
  const GCNConv same(other, "g", 2, 2);
  const Edges alone = Edges::from_list(1, Span<const std::int32_t>(), Span<const std::int32_t>()).value();
  const std::vector<float> expected =
      run_layer(other, last, 2, [&](auto& ctx, Var v) { return same(ctx, v, alone.view()); });
  CHECK(std::equal(expected.begin(), expected.end(), y.end() - 2));
}

}  // namespace
}  // namespace mlgraph
