// SPDX-License-Identifier: Apache-2.0
// Pruning as an option of a model: which nodes of a program it sees, and the program without the others.
#ifndef MLGRAPH_COST_PRUNE_HPP
#define MLGRAPH_COST_PRUNE_HPP

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/reduce.hpp"
#include "mlgraph/graph/topology.hpp"

namespace mlgraph {

/// The most hops of a pruning around configurable nodes.
inline constexpr std::int64_t kMaxHops = 1000;

/// Which nodes of a program a layout model sees; see graph/reduce.hpp.
enum class Prune : std::uint8_t {
  kNone,       ///< all of them
  kEdges,      ///< edges that touch a configurable node, and their ends
  kKHop,       ///< what is within `hops` of a configurable node
  kKHopMerge,  ///< the same, and one node for each connected part of the rest
};
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

/// The inverse of prune_name(). Errors: another text, hops outside [1, kMaxHops].
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

/// A graph without what its pruning leaves out; owns its arrays.
class PrunedGraph {
 public:
  /// Configurable nodes stay, with their places in the configurations, also those without an edge. A node of
  /// several has the mean of their features and opcode 0.
  /// Errors: those of Graph::from_view().  Cost: O(N F + E).
  [[nodiscard]] static Result<PrunedGraph> make(const GraphView& view, const PruneOptions& options) {
    EdgeOptions both;
    both.both = true;
    MLGRAPH_ASSIGN_OR_RETURN(const Graph graph, Graph::from_view(view, both));
    MLGRAPH_ASSIGN_OR_RETURN(const Reduction reduction, reduce(graph, options));
    PrunedGraph pruned;
    MLGRAPH_ASSIGN_OR_RETURN(pruned.graph_, reduce_graph(graph, reduction));
    const CsrView& csr = pruned.graph_.edges().forward.csr;
    for (std::int32_t v = 0; v < csr.num_rows(); ++v) {
      detail::for_each_neighbour(csr, v, [&](std::int32_t, std::int32_t from) {
        pruned.source_.push_back(from);
        pruned.target_.push_back(v);
      });
    }
    pruned.new_to_old_ = reduction.new_to_old;
    return pruned;
  }

  /// The node of the whole graph that each is, or that stands for several.
  [[nodiscard]] Span<const std::int32_t> new_to_old() const { return new_to_old_; }

  [[nodiscard]] GraphView view() const {
    return {graph_.x(), graph_.opcode(), source_, target_, graph_.config_node()};
  }

 private:
  static Result<Reduction> reduce(const Graph& graph, const PruneOptions& options) {
    const EdgesView edges = graph.edges();
    const auto hops = static_cast<int>(options.hops);
    switch (options.kind) {
      case Prune::kKHop:
        return reduce_to_k_hop(edges, graph.config_node(), hops);
      case Prune::kKHopMerge:
        return merge_outside_k_hop(edges, graph.config_node(), hops);
      case Prune::kEdges:
      case Prune::kNone:
        break;
    }
    return prune_edges(edges, graph.config_node());
  }

  Graph graph_;
  std::vector<std::int32_t> source_, target_, new_to_old_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_COST_PRUNE_HPP
