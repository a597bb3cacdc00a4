// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/edge_weights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "arch/layout_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: graphs and dense matrices

/// 40 nodes: most operands are recent, some are far.
NetGraph random_net_graph() {
  NetGraph graph{40, {}, {}, {}};
  Rng rng(21);
  for (std::int32_t v = 1; v < 40; ++v) {
    if (rng.below(3) == 0) continue;
    graph.source.push_back(v - 1);
    graph.target.push_back(v);
    if (v < 2 || rng.below(2) == 0) continue;
    graph.source.push_back(
        v - 2 - static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(std::min(v - 1, 9)))));
    graph.target.push_back(v);
  }
  return graph;
}

/// The matrix of weights: of each edge at its row and column, and of each row itself on the diagonal.
Dense dense_of(const CsrView& csr, const RowWeights<double>& weights) {
  const auto n = static_cast<std::size_t>(csr.num_rows());
  REQUIRE((weights.edge.size() == csr.col.size() && weights.self.size() == n));
  Dense m(n, Row(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) {
    m[i][i] += weights.self[i];
    for (auto e = static_cast<std::size_t>(csr.row_ptr[i]); e < static_cast<std::size_t>(csr.row_ptr[i + 1]);
         ++e)
      m[i][static_cast<std::size_t>(csr.col[e])] += weights.edge[e];
  }
  return m;
}

double difference(const Dense& a, const Dense& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) worst = std::max(worst, std::abs(a[i][j] - b[i][j]));
  }
  return worst;
}

TEST_CASE("row norm is D^-1 (A + I), its transpose, or the sum of both") {
  for (const NetGraph& graph : {hub_net_graph(), random_net_graph(), NetGraph{1, {}, {}, {}}}) {
    Dense normalized = add(adjacency(graph), identity(static_cast<std::size_t>(graph.num_nodes)));
    for (Row& row : normalized) row = (1 / std::accumulate(row.begin(), row.end(), 0.0)) * row;
    const Edges edges = graph.edges();
    for (const Direction direction : kAllDirections) {
      Arena arena;
      const RowWeights<double> weights = row_norm<double>(arena, edges.view(), direction);
      CHECK(difference(dense_of(edges.view().along(direction).csr, weights), along(normalized, direction)) <
            1e-15);
    }
  }
}

TEST_CASE("a stage has the weights that it asks for, once for all stages of a kind") {
  const NetGraph graph = hub_net_graph();
  const Edges edges = graph.edges();
  const EdgesView view = edges.view();
  Arena arena;
  StageWeights<double> weights(view);
  Stage stage;
  CHECK(weights.of(arena, stage).edge.empty());
  CHECK(weights.of(arena, stage).self.empty());
  for (const Direction direction : kAllDirections) {
    stage.direction = direction;
    const CsrView& csr = view.along(direction).csr;
    stage.weights = EdgeWeights::kGcn;
    const RowWeights<double> gcn = weights.of(arena, stage);
    CHECK(difference(dense_of(csr, gcn), gcn_matrix(along(adjacency(graph), direction))) < 1e-15);
    CHECK(weights.of(arena, stage).edge.data() == gcn.edge.data());
    stage.weights = EdgeWeights::kRowNorm;
    const RowWeights<double> row = weights.of(arena, stage);
    CHECK(row.edge.data() != gcn.edge.data());
    CHECK(weights.of(arena, stage).self.data() == row.self.data());
  }
}

TEST_CASE("degrees are those along the stage before the join, where it reads edges") {
  const Edges edges = hub_net_graph().edges();
  NetPlan plan;
  plan.stages.resize(2);
  plan.join = Join::kGraph;
  Eager ctx;
  CHECK(degrees(ctx, plan, edges.view()).empty());
  plan.join_stage = 1;
  const auto list = [&] {
    const Span<const float> d = degrees(ctx, plan, edges.view());
    return std::vector<float>(d.begin(), d.end());
  };
  CHECK(list() == std::vector<float>{0, 1, 1, 5, 1, 1, 0});
  plan.stages[0].direction = Direction::kReverse;
  CHECK(list() == std::vector<float>{3, 2, 2, 0, 1, 1, 0});
  plan.stages[0].reads_edges = false;
  CHECK(list().empty());
}

}  // namespace
}  // namespace mlgraph
