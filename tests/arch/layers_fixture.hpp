// SPDX-License-Identifier: Apache-2.0
// Layers of a network on their own: random rows of the hub graph, and what layers make of them in double.
#ifndef MLGRAPH_TESTS_ARCH_LAYERS_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_LAYERS_FIXTURE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cost/net_fixture.hpp"
#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/cost/edge_weights.hpp"
#include "mlgraph/cost/flow.hpp"

namespace mlgraph::testing {

/// The hub graph with `channels` random numbers at each node, and a tape bound to random parameters.
struct LayerRun {
  NetGraph graph = hub_net_graph();
  Edges edges = graph.edges();
  std::int64_t channels;
  std::vector<double> x;
  Parameters<double> parameters;
  Weights weights;
  DoubleTape tape;

  LayerRun(const ParamSpec& spec, std::int64_t width, std::int64_t copies = 1)
      : channels(width), parameters(random_parameters(spec)), weights(spec, parameters) {
    Rng rng(21);
    for (std::int64_t i = 0; i < copies * graph.num_nodes * width; ++i) x.push_back(rng.uniform(-1, 1));
    tape.bind(spec, parameters);
    tape.set_training(false);
  }
  LayerRun(const LayerRun&) = delete;
  LayerRun& operator=(const LayerRun&) = delete;

  [[nodiscard]] Var input() {
    return tape.input({x.data(), static_cast<std::int64_t>(x.size()) / channels, channels});
  }
  /// The rows of a copy of the nodes.
  [[nodiscard]] Dense rows(std::int64_t copy = 0) const {
    Dense h;
    for (std::int64_t v = 0; v < graph.num_nodes; ++v) {
      const auto first = x.begin() + (copy * graph.num_nodes + v) * channels;
      h.emplace_back(first, first + channels);
    }
    return h;
  }
  /// All nodes along a direction, with the weights of a stage.
  [[nodiscard]] Flow<double> flow(Direction direction, EdgeWeights kind = EdgeWeights::kNone) {
    Stage stage;
    stage.direction = direction;
    stage.weights = kind;
    const RowWeights<double> of_stage = StageWeights<double>(edges.view()).of(tape.arena(), stage);
    Flow<double> flow;
    flow.edges = edges.view().along(direction);
    flow.edge_weight = of_stage.edge;
    flow.self_weight = of_stage.self;
    return flow;
  }
  /// The largest difference of the rows of a copy to `wanted`.
  [[nodiscard]] double difference(Var y, const Dense& wanted, std::int64_t copy = 0) const {
    double worst = tape.status().ok() ? 0 : 1e9;
    for (std::size_t v = 0; v < wanted.size(); ++v) {
      const std::int64_t row = copy * graph.num_nodes + static_cast<std::int64_t>(v);
      for (std::size_t c = 0; c < wanted[v].size(); ++c)
        worst = std::max(worst, std::abs(tape.value(y)(row, static_cast<std::int64_t>(c)) - wanted[v][c]));
    }
    return worst;
  }
};

/// Some rows of a flow alone, each made of the rows that it reads among all: those of `nodes`.
struct SomeOfFlow {
  std::vector<std::int32_t> row_ptr = {0}, col, root;
  std::vector<double> edge_weight, self_weight;
  Flow<double> flow;

  SomeOfFlow(const Flow<double>& all, const std::vector<std::int32_t>& nodes) : root(nodes) {
    const CsrView& csr = all.edges.csr;
    for (const std::int32_t v : nodes) {
      const auto row = static_cast<std::size_t>(v);
      for (auto e = static_cast<std::size_t>(csr.row_ptr[row]);
           e < static_cast<std::size_t>(csr.row_ptr[row + 1]); ++e) {
        col.push_back(csr.col[e]);
        if (!all.edge_weight.empty()) edge_weight.push_back(all.edge_weight[e]);
      }
      row_ptr.push_back(static_cast<std::int32_t>(col.size()));
      if (!all.self_weight.empty()) self_weight.push_back(all.self_weight[row]);
    }
    flow.edges.csr = {row_ptr, col};
    flow.edges.num_cols = csr.num_rows();
    flow.root = root;
    flow.same_rows = false;
    flow.edge_weight = edge_weight;
    flow.self_weight = self_weight;
  }
  SomeOfFlow(const SomeOfFlow&) = delete;
  SomeOfFlow& operator=(const SomeOfFlow&) = delete;
};

/// Whether row i of `some` has the bits of row nodes[i] of `all`.
inline bool are_rows_of(const DoubleTape& tape, Var some, Var all, const std::vector<std::int32_t>& nodes) {
  const MatrixView<const double> a = tape.value(some), b = tape.value(all);
  if (!tape.status().ok() || a.rows != static_cast<std::int64_t>(nodes.size()) || a.cols != b.cols)
    return false;
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t c = 0; c < a.cols; ++c) {
      if (a(i, c) != b(nodes[static_cast<std::size_t>(i)], c)) return false;
    }
  }
  return true;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_LAYERS_FIXTURE_HPP
