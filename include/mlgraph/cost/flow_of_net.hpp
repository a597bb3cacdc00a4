// SPDX-License-Identifier: Apache-2.0
// The FlowGraph of a segment under a network's plan.
#ifndef MLGRAPH_COST_FLOW_OF_NET_HPP
#define MLGRAPH_COST_FLOW_OF_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/config_table.hpp"
#include "mlgraph/cost/edge_weights.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/flow_graph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// Classes of weights, numbered as they appear: equal numbers have the same bits as float and as double.
/// `value` and `value64` are the weight of each class.
inline void classify_weights(Span<const float> weight, Span<const double> weight64,
                             std::vector<std::int32_t>& kind, std::vector<float>& value,
                             std::vector<double>& value64) {
  unsigned char bytes[sizeof(double) + sizeof(float)];
  ByteRows rows(sizeof(bytes));
  kind.resize(weight.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    std::memcpy(bytes, &weight64[i], sizeof(double));
    std::memcpy(bytes + sizeof(double), &weight[i], sizeof(float));
    kind[i] = rows.find(bytes);
    if (as_size(kind[i]) < value.size()) continue;
    value.push_back(weight[i]);
    value64.push_back(weight64[i]);
  }
}

}  // namespace detail

/// What FlowPlan needs of a segment: its stages with the classes of their weights, and the classes of its
/// nodes' inputs. Where configurations join at the graph, each has a copy of all rows, and none joins as far as
/// ids go. For plans that merge rows. Borrows the edges.
/// Cost: O(N F + stages E).
[[nodiscard]] inline FlowGraph make_flow_graph(const NetPlan& plan, const Segment& segment) {
  FlowGraph flow;
  flow.num_nodes = segment.graph.num_nodes();
  const MatrixView<const float> x = segment.graph.x();
  const std::size_t layout = segment.node_layout.size() / std::max<std::size_t>(1, as_size(flow.num_nodes));
  std::vector<std::int32_t> key(as_size(x.cols) + layout + 1);
  detail::ByteRows inputs(key.size() * sizeof(std::int32_t));
  for (std::int32_t v = 0; v < flow.num_nodes; ++v) {
    const auto i = as_size(v);
    key[0] = segment.graph.opcode()[i];
    std::copy_n(segment.node_layout.begin() + static_cast<std::ptrdiff_t>(i * layout), layout, key.begin() + 1);
    if (x.cols > 0) std::memcpy(key.data() + 1 + layout, x.row(v), as_size(x.cols) * sizeof(float));
    flow.input_kind.push_back(inputs.find(key.data()));
  }
  Arena arena;
  const EdgesView edges = segment.graph.edges();
  StageWeights<float> weights(edges);
  StageWeights<double> weights64(edges);
  for (const Stage& stage : plan.stages) {
    FlowStage& to = flow.stages.emplace_back();
    if (stage.reads_edges) to.edges = edges.along(stage.direction);
    if (stage.weights == EdgeWeights::kNone) continue;
    const RowWeights<float> of = weights.of(arena, stage);
    const RowWeights<double> of64 = weights64.of(arena, stage);
    detail::classify_weights(of.edge, of64.edge, to.edge_kind, to.edge_weight, to.edge_weight64);
    detail::classify_weights(of.self, of64.self, to.node_kind, to.node_weight, to.node_weight64);
  }
  flow.num_inner = flow.num_nodes - static_cast<std::int32_t>(segment.num_halo);
  if (plan.takes_nodes()) {
    flow.join_stage = static_cast<std::int32_t>(plan.join_stage);
    flow.config_only = plan.join == Join::kConfigurableOnly;
    const Span<const std::int32_t> nodes = segment.graph.config_node();
    flow.num_inner_config =
        static_cast<std::int32_t>(nodes.size()) - static_cast<std::int32_t>(segment.num_halo_config);
    const auto count = flow.config_only ? as_size(flow.num_inner_config) : nodes.size();
    flow.config_node.assign(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(count));
  }
  flow.pools_all = false;
  for (const Pool& pool : plan.pools) {
    const bool of_config = flow.config_only || pool.rows == Pool::Rows::kConfigurable;
    (of_config ? flow.pools_config : flow.pools_all) = true;
  }
  return flow;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_FLOW_OF_NET_HPP
