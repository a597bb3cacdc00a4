// SPDX-License-Identifier: Apache-2.0
// drop_edges(): a segment without some of its edges, for one step of training.
#ifndef MLGRAPH_TRAIN_DROP_EDGE_HPP
#define MLGRAPH_TRAIN_DROP_EDGE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow_of_net.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/graph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The segment with each of its edges left out with probability p, as a function of the seed; nodes and
/// configurations stay. Means over neighbours are over those that are left.
///
/// Errors: p outside [0, 1).
/// Cost:   O(N F + E): the segment is copied.
/// Source: Rong, Huang, Xu, Huang, "DropEdge", arXiv:1907.10903, section 4; once for all layers.
[[nodiscard]] inline Result<Segment> drop_edges(const NetPlan& plan, const Segment& segment, double p,
                                                std::uint64_t seed) {
  if (!(p >= 0 && p < 1)) return Status::invalid_argument(str_cat("drop_edge is ", p, "; should be in [0, 1)"));
  std::vector<std::int32_t> source, target;
  Rng rng(seed);
  const CsrView& csr = segment.graph.edges().forward.csr;
  for (std::int32_t v = 0; v < csr.num_rows(); ++v) {
    detail::for_each_neighbour(csr, v, [&](std::int32_t from) {
      if (rng.uniform() < p) return;
      source.push_back(from);
      target.push_back(v);
    });
  }
  const GraphView view{segment.graph.x(), segment.graph.opcode(), source, target, segment.graph.config_node()};
  EdgeOptions options;
  options.duplicates = DuplicateEdges::kKeep;  // those of the segment were asked for
  options.both = true;
  Segment kept;
  MLGRAPH_ASSIGN_OR_RETURN(kept.graph, Graph::from_view(view, options));
  kept.node_layout = segment.node_layout;
  kept.num_halo = segment.num_halo;
  kept.num_halo_config = segment.num_halo_config;
  kept.config_row = segment.config_row;
  if (plan.merges_rows()) kept.rows = FlowPlan(make_flow_graph(plan, kept));
  return kept;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_DROP_EDGE_HPP
