// SPDX-License-Identifier: Apache-2.0
// FlowGraph: a graph, the stages that run over it and the nodes that configurations change: what plans are made
// of.
#ifndef MLGRAPH_GRAPH_FLOW_GRAPH_HPP
#define MLGRAPH_GRAPH_FLOW_GRAPH_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A stage over a graph: what each node reads, and classes of the weights: equal numbers are equal bits.
struct FlowStage {
  AdjacencyView edges;                  ///< square, with its transpose; no rows where a row is made of itself
  std::vector<std::int32_t> edge_kind;  ///< (E) in the order of edges.csr; empty without weights
  std::vector<std::int32_t> node_kind;  ///< (N) likewise
  /// The weight of each class, as both scalars that rows have compute it.
  std::vector<float> edge_weight, node_weight;
  std::vector<double> edge_weight64, node_weight64;

  [[nodiscard]] bool reads_edges() const { return edges.csr.num_rows() > 0; }
};

/// Levels of rows: 0 are the inputs of the nodes; every stage leads to the next level, and so do configurations
/// where they join, before `join_stage`; then come the levels of the sums.
struct FlowGraph {
  std::int32_t num_nodes = 0;
  std::vector<std::int32_t> input_kind;  ///< (N) equal numbers are equal inputs, numbered as they appear
  std::vector<FlowStage> stages;
  std::int32_t join_stage = -1;           ///< -1: no configuration joins
  std::vector<std::int32_t> config_node;  ///< (K) those that configurations change
  bool config_only = false;               ///< after the join there are no others; pools_all is false
  std::int32_t num_inner = 0;             ///< nodes that are pooled come first
  std::int32_t num_inner_config = 0;      ///< and so do configurable ones
  bool pools_all = true;
  bool pools_config = false;

  [[nodiscard]] std::int32_t num_stages() const { return static_cast<std::int32_t>(stages.size()); }
  [[nodiscard]] bool joins() const { return join_stage >= 0; }
  /// The level that a stage reads, the one after the join, and the last one, which is pooled.
  [[nodiscard]] std::int32_t level_of(std::int32_t stage) const {
    return stage + (joins() && stage >= join_stage ? 1 : 0);
  }
  [[nodiscard]] std::int32_t join_level() const { return join_stage + 1; }
  [[nodiscard]] std::int32_t last_level() const { return num_stages() + (joins() ? 1 : 0); }

  /// The nodes that a configuration can change at each level from join_level() on: those before it have none.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> reached() const {
    std::vector<std::vector<std::int32_t>> levels(as_size(last_level()) + 1);
    if (!joins()) return levels;
    std::vector<char> is_reached(as_size(num_nodes), 0);
    std::vector<std::int32_t> nodes;
    const auto reach = [&](std::int32_t v) {
      if (is_reached[as_size(v)] != 0) return;
      is_reached[as_size(v)] = 1;
      nodes.push_back(v);
    };
    for (const std::int32_t v : config_node) reach(v);
    for (std::int32_t level = join_level(); level <= last_level(); ++level) {
      levels[as_size(level)] = nodes;
      std::sort(levels[as_size(level)].begin(), levels[as_size(level)].end());
      if (level == last_level()) break;
      const CsrView& users = stages[as_size(level) - 1].edges.transposed;
      if (users.num_rows() == 0) continue;
      for (std::size_t i = 0, end = nodes.size(); i < end; ++i) {
        const auto v = as_size(nodes[i]);
        for (std::int32_t p = users.row_ptr[v]; p < users.row_ptr[v + 1]; ++p) reach(users.col[p]);
      }
    }
    return levels;
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_FLOW_GRAPH_HPP
