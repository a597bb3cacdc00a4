// SPDX-License-Identifier: Apache-2.0
// PreparedProgram: a program as one model sees it, and what is checked before it is one.
#ifndef MLGRAPH_COST_PREPARE_HPP
#define MLGRAPH_COST_PREPARE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/equal_segments.hpp"
#include "mlgraph/cost/flow_of_net.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/cost/prune.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A program as one model sees it: validated, pruned, its features normalised, its edges sorted, its graph in
/// the segments that the model's options ask for. Borrows the configs.
struct PreparedProgram {
  ProgramView view;                     // of the whole program
  std::vector<Segment> segments;        // one or more
  std::vector<std::int32_t> equal;      // the first segment that each is equal to, but for its configurations
  std::vector<std::int32_t> selection;  // the configs to use; all of them after Model::prepare()

  /// Memory that it takes, about, without what it borrows.
  [[nodiscard]] std::size_t bytes() const {
    std::size_t sum = sizeof(*this) + 4 * (equal.size() + selection.size());
    for (const Segment& segment : segments) sum += sizeof(Segment) + segment.bytes();
    return sum;
  }
  /// Nodes that the model sees, without halos.
  [[nodiscard]] std::int64_t num_nodes() const {
    std::int64_t count = 0;
    for (const Segment& segment : segments) count += segment.graph.num_nodes() - segment.num_halo;
    return count;
  }
  [[nodiscard]] std::int64_t num_config_nodes() const {
    std::int64_t count = 0;
    for (const Segment& segment : segments) count += signed_size(segment.config_row) - segment.num_halo_config;
    return count;
  }
};

/// Cuts a checked program as the options say.
/// Errors: those of make_segments() and prune_graph(); name the program.
[[nodiscard]] inline Result<PreparedProgram> prepare_program(
    const ProgramView& view, const NodeEncoder& node, const InputOptions& options, const NetPlan& plan,
    PartitionFunction metis, DuplicateEdges duplicates = DuplicateEdges::kError) {
  ProgramView seen = view;
  PrunedGraph pruned;
  if (options.prune.kind != Prune::kNone) {
    Result<PrunedGraph> rest = prune_graph(view.graph, options.prune, duplicates);
    if (!rest.ok()) return rest.status().annotate(view.name);
    pruned = *std::move(rest);
    seen.graph = pruned.view();
    seen.node_splits = {};
  }
  Result<std::vector<Segment>> segments = make_segments(seen, node, options.segments, metis, duplicates);
  if (!segments.ok()) return segments.status().annotate(view.name);
  PreparedProgram prepared{view, *std::move(segments), {}, {}};
  prepared.equal = first_equal(prepared.segments);
  for (Segment& segment : prepared.segments) {
    if (options.prune.kind != Prune::kNone) {
      for (std::int32_t& v : segment.node) v = pruned.new_to_old[as_size(v)];
    }
    if (plan.merges_rows()) segment.rows = FlowPlan(make_flow_graph(plan, segment));
  }
  prepared.selection.resize(as_size(view.configs.num_configs));
  std::iota(prepared.selection.begin(), prepared.selection.end(), 0);
  return prepared;
}

/// An error when configurations do not join where the network `name` takes them. A configuration has a row for
/// each configurable node, and one for the graph behind them where there is such a decision.
[[nodiscard]] inline Status check_joins(const ProgramView& view, std::string_view name, const NetPlan& plan) {
  const auto num_config_nodes = signed_size(view.graph.config_node);
  const std::int64_t wanted = (plan.takes_nodes() ? num_config_nodes : 0) + (plan.takes_graph() ? 1 : 0);
  if (view.configs.rows_per_config == wanted && (plan.takes_nodes() || num_config_nodes == 0)) return {};
  const char* const takes = plan.takes_nodes() && plan.takes_graph()
                                ? "a row for each configurable node and one for the whole graph"
                            : plan.takes_nodes() ? "one row for each configurable node"
                            : plan.takes_graph() ? "one row for the whole graph"
                                                 : "no configurations";
  return Status::invalid_argument(str_cat(view.name, ": has ", num_config_nodes,
                                          " configurable nodes and configs of ", view.configs.rows_per_config,
                                          " rows; a ", name, " model takes ", takes));
}

/// What only a model or the unnormalised numbers can tell of nodes; the rest is Graph::from_view's.
[[nodiscard]] inline Status check_nodes(const ProgramView& view, std::int64_t num_opcodes) {
  for (std::size_t i = 0; i < view.graph.opcode.size(); ++i) {
    if (view.graph.opcode[i] >= 0 && view.graph.opcode[i] < num_opcodes) continue;
    return Status::out_of_range(str_cat(view.name, ": node ", i, " has opcode ", view.graph.opcode[i],
                                        "; the model knows [0, ", num_opcodes, ")"));
  }
  return detail::check_finite(view.graph.x).annotate(view.name);
}

/// An error for the first entry of a configuration that is not finite.
[[nodiscard]] inline Status check_finite_configs(const ProgramView& view) {
  for (std::size_t i = 0; i < view.configs.wide.size(); ++i) {
    if (detail::is_finite(view.configs.wide[i])) continue;
    const auto size = as_size(view.configs.config_size());
    return Status::invalid_argument(str_cat(view.name, ": config ", i / size, " entry ", i % size, " is ",
                                            detail::non_finite_name(view.configs.wide[i])));
  }
  return {};
}

/// An error for the first of `ids` that is no configuration of the program.
[[nodiscard]] inline Status check_ids(const ProgramView& program, Span<const std::int32_t> ids) {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < program.configs.num_configs) continue;
    return Status::out_of_range(
        str_cat(program.name, ": there is no config ", id, "; there are ", program.configs.num_configs));
  }
  return {};
}

/// An error for the first score that is not finite.  Shapes: ids (C), scores (C, outputs).
[[nodiscard]] inline Status check_finite_scores(const ProgramView& program, Span<const std::int32_t> ids,
                                                MatrixView<const float> scores) {
  for (std::int64_t i = 0; i < scores.size(); ++i) {
    if (detail::is_finite(scores.data[i])) continue;
    return Status::invalid_argument(str_cat(program.name, ": the score of config ", ids[i / scores.cols],
                                            " is ", detail::non_finite_name(scores.data[i])));
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_PREPARE_HPP
