// SPDX-License-Identifier: Apache-2.0
// NetInput: one segment of a program under some of its configurations, as the engine runs a network on it.
#ifndef MLGRAPH_COST_NET_INPUT_HPP
#define MLGRAPH_COST_NET_INPUT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One segment of a graph, or all of it: N nodes, C configurations, K configurable nodes. Borrowed. T is the
/// context's scalar: float, or double in a gradient check.
///
/// The last `num_halo` nodes, and the last `num_halo_config` of the configurable ones, belong to other
/// segments: stages read them, pools leave them out.
template <class T>
struct NetInput {
  NodeRows<T> nodes;  // N
  EdgesView edges;
  Span<const std::int32_t> config_node;  // (K)
  ConfigRows<T> config;                  // (C K) of the configurable nodes, config-major
  ConfigRows<T> graph_config;            // (C) of the graph
  std::int64_t num_configs = 0;          // C
  std::int64_t num_halo = 0;
  std::int64_t num_halo_config = 0;

  [[nodiscard]] std::int64_t num_nodes() const { return nodes.num_nodes(); }
  [[nodiscard]] std::int64_t num_inner() const { return num_nodes() - num_halo; }
  [[nodiscard]] std::int64_t num_config_nodes() const { return signed_size(config_node); }
  [[nodiscard]] std::int64_t num_inner_config() const { return num_config_nodes() - num_halo_config; }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NET_INPUT_HPP
