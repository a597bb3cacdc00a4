// SPDX-License-Identifier: Apache-2.0
// Pruning as an option of a model: which nodes of a program it sees, and the program without the others.
#ifndef MLGRAPH_COST_PRUNE_HPP
#define MLGRAPH_COST_PRUNE_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/pruning.hpp"

namespace mlgraph {

/// The most hops of a pruning around configurable nodes.
inline constexpr std::int64_t kMaxHops = 1000;

/// Which nodes of a program a layout model sees; see graph/pruning.hpp.
enum class Prune : std::uint8_t {
  kNone,       ///< all of them
  kEdges,      ///< edges that touch a configurable node, and their ends
  kKHop,       ///< what is within `hops` of a configurable node
  kKHopMerge,  ///< the same, and one node for each connected part of the rest
};
/// A pruning and how far it reaches.
struct PruneOptions {
  Prune kind = Prune::kNone;
  std::int64_t hops = 0;  ///< of kKHop and kKHopMerge, along edges in either direction
};

MLGRAPH_BEGIN_ISA

/// "none", "edge", "khop:3", "khop-merge:3".
[[nodiscard]] inline std::string prune_name(const PruneOptions& prune) {
  switch (prune.kind) {
    case Prune::kEdges:
      return "edge";
    case Prune::kKHop:
      return str_cat("khop:", prune.hops);
    case Prune::kKHopMerge:
      return str_cat("khop-merge:", prune.hops);
    case Prune::kNone:
      break;
  }
  return "none";
}

/// The inverse of prune_name().
/// Errors: another text, hops outside [1, kMaxHops].
[[nodiscard]] inline Result<PruneOptions> parse_prune(std::string_view name) {
  if (name == "none") return PruneOptions{};
  if (name == "edge") return PruneOptions{Prune::kEdges, 0};
  for (const Prune kind : {Prune::kKHop, Prune::kKHopMerge}) {
    const std::string_view prefix = kind == Prune::kKHop ? "khop:" : "khop-merge:";
    if (name.substr(0, prefix.size()) != prefix) continue;
    PruneOptions prune{kind, 0};
    const char* const end = name.data() + name.size();
    const std::from_chars_result read = std::from_chars(name.data() + prefix.size(), end, prune.hops);
    if (read.ec == std::errc() && read.ptr == end && prune.hops >= 1 && prune.hops <= kMaxHops) return prune;
  }
  return Status::invalid_argument(str_cat(
      "prune is \"", name, "\"; should be none, edge, khop:K or khop-merge:K, K in [1, ", kMaxHops, "]"));
}

/// A graph without what its pruning leaves out. Configurable nodes stay, with their places in the
/// configurations, also those without an edge.
///
/// Errors: those of Graph::from_view().  Cost: O(N F + E).
[[nodiscard]] inline Result<PrunedGraph> prune_graph(const GraphView& view, const PruneOptions& options,
                                                     DuplicateEdges duplicates = DuplicateEdges::kError) {
  EdgeOptions edges;
  edges.duplicates = duplicates;
  MLGRAPH_ASSIGN_OR_RETURN(const Graph graph, Graph::from_view(view, edges));
  const auto hops = static_cast<int>(options.hops);
  Result<Pruning> pruning = options.kind == Prune::kKHop ? prune_to_k_hop(graph.edges(), view.config_node, hops)
                            : options.kind == Prune::kKHopMerge
                                ? merge_outside_k_hop(graph.edges(), view.config_node, hops)
                                : prune_edges(graph.edges(), view.config_node);
  MLGRAPH_RETURN_IF_ERROR(pruning.status());
  return apply_pruning(view, std::move(*pruning));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_PRUNE_HPP
