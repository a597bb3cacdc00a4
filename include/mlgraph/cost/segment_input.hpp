// SPDX-License-Identifier: Apache-2.0
// Segments as networks take them.
#ifndef MLGRAPH_COST_SEGMENT_INPUT_HPP
#define MLGRAPH_COST_SEGMENT_INPUT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/config_rows.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A segment without configurations.
[[nodiscard]] inline NodeRows<float> node_rows(const Segment& segment) {
  return {segment.graph.x(), segment.node_layout, segment.graph.opcode()};
}
[[nodiscard]] inline NetInput<float> net_input(const Segment& segment) {
  NetInput<float> in;
  in.nodes = node_rows(segment);
  in.edges = segment.graph.edges();
  in.config_node = segment.graph.config_node();
  in.num_halo = segment.num_halo;
  in.num_halo_config = segment.num_halo_config;
  return in;
}
/// The same with the configurations `ids`. Where only configurable nodes go on, those of a halo do not.
[[nodiscard]] inline NetInput<float> net_input(Arena& arena, const NetPlan& plan, const FeatureEncoder& encoder,
                                               const Segment& segment, const ConfigView& configs,
                                               Span<const std::int32_t> ids) {
  NetInput<float> in = net_input(segment);
  in.num_configs = signed_size(ids);
  Span<const std::int32_t> rows = segment.config_row;
  if (plan.join == Join::kConfigurableOnly) rows = rows.subspan(0, in.num_inner_config());
  if (plan.takes_nodes()) in.config = encode_config_rows(arena, encoder, configs, ids, rows);
  if (plan.join == Join::kGraph) in.graph_config = encode_graph_config(arena, plan, encoder, configs, ids);
  return in;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_SEGMENT_INPUT_HPP
