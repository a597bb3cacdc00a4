// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/edge_weights.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "arch/layout_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: graphs and dense matrices

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
  for (const NetGraph& graph : {hub_net_graph(), shared_net_graph(), NetGraph{1, {}, {}, {}}}) {
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

TEST_CASE("rows that configurations share have the weights of their nodes") {
  const NetGraph graph = shared_net_graph();
  const Edges edges = graph.edges();
  for (const Direction direction : kAllDirections) {
    for (const EdgeWeights kind : {EdgeWeights::kGcn, EdgeWeights::kRowNorm}) {
      Stage stage;
      stage.direction = direction;
      stage.weights = kind;
      Arena arena;
      StageWeights<double> weights(edges.view());
      const RowWeights<double> whole = weights.of(arena, stage);
      const EdgesView view = edges.view();
      const AdjacencyView* const layers[] = {&view.along(direction)};
      const SharedRows shared = SharedRows::make(layers, 40, graph.config_node);
      const SharedLayer of = shared.layer(0, 3, false, arena);
      const SharedLevel to = shared.level(1);
      const RowWeights<double> some = weights.of_shared(arena, stage, of, to, 3);
      REQUIRE(some.self.size() == static_cast<std::size_t>(to.num_rows(3)));
      for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int32_t v = 0; v < 40; ++v) {
          const auto row = static_cast<std::size_t>(to.of_config(to.row[static_cast<std::size_t>(v)], c));
          const auto node = static_cast<std::size_t>(v);
          CHECK(some.self[row] == whole.self[node]);
          const CsrView& csr = view.along(direction).csr;
          const auto first = static_cast<std::size_t>(csr.row_ptr[node]);
          const auto made = static_cast<std::size_t>(of.adjacency.csr.row_ptr[row]);
          for (std::size_t e = 0; e < static_cast<std::size_t>(csr.degree(v)); ++e)
            CHECK(some.edge[made + e] == whole.edge[first + e]);
        }
      }
      stage.weights = EdgeWeights::kNone;
      CHECK(weights.of_shared(arena, stage, of, to, 3).edge.empty());
    }
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
