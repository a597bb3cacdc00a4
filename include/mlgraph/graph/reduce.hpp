// SPDX-License-Identifier: Apache-2.0
// Reduction: smaller graphs that keep what matters to the configurable nodes.
#ifndef MLGRAPH_GRAPH_REDUCE_HPP
#define MLGRAPH_GRAPH_REDUCE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/graph/topology.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A smaller graph and where its nodes come from. A new node stands for one old node, or for several merged
/// ones.
struct Reduction {
  Edges edges;                           // has EdgeOptions::both where the old graph has it
  std::vector<std::int32_t> new_to_old;  // (n) the old node, or the one that represents the merged ones
  std::vector<std::int32_t> old_to_new;  // (N) -1: removed

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(new_to_old.size()); }
};

namespace detail {

// The inverse of new_to_old, where every new node stands for one old node.
inline std::vector<std::int32_t> invert(const std::vector<std::int32_t>& new_to_old, std::int32_t num_old) {
  std::vector<std::int32_t> old_to_new(static_cast<std::size_t>(num_old), -1);
  for (std::size_t i = 0; i < new_to_old.size(); ++i) {
    old_to_new[static_cast<std::size_t>(new_to_old[i])] = static_cast<std::int32_t>(i);
  }
  return old_to_new;
}

/// Old nodes by new node, ascending: those of i are member[ptr[i]] ... member[ptr[i + 1] - 1].
struct Members {
  std::vector<std::int32_t> ptr, member;

  [[nodiscard]] std::int32_t size_of(std::int32_t i) const {
    return ptr[static_cast<std::size_t>(i) + 1] - ptr[static_cast<std::size_t>(i)];
  }
};
inline Members members_of(const Reduction& reduction) {
  Members members;
  members.ptr.assign(reduction.new_to_old.size() + 2, 0);
  std::size_t num_members = 0;
  for (const std::int32_t i : reduction.old_to_new) {
    if (i < 0) continue;
    ++members.ptr[static_cast<std::size_t>(i) + 2];
    ++num_members;
  }
  for (std::size_t i = 1; i < members.ptr.size(); ++i) members.ptr[i] += members.ptr[i - 1];
  members.member.resize(num_members);
  for (std::size_t v = 0; v < reduction.old_to_new.size(); ++v) {
    const std::int32_t i = reduction.old_to_new[v];
    if (i < 0) continue;
    std::int32_t& next = members.ptr[static_cast<std::size_t>(i) + 1];
    members.member[static_cast<std::size_t>(next++)] = static_cast<std::int32_t>(v);
  }
  members.ptr.pop_back();
  return members;
}

// (n, F) the mean of the rows of each new node's members; of one row, that row bit by bit.
inline AlignedVector<float> member_means(MatrixView<const float> x, const Members& members) {
  const auto num_nodes = static_cast<std::int64_t>(members.ptr.size()) - 1;
  AlignedVector<float> means(static_cast<std::size_t>(num_nodes * x.cols));
  std::vector<double> sum(static_cast<std::size_t>(x.cols));
  for (std::int64_t i = 0; i < num_nodes; ++i) {
    const auto begin = static_cast<std::size_t>(members.ptr[static_cast<std::size_t>(i)]);
    const auto end = static_cast<std::size_t>(members.ptr[static_cast<std::size_t>(i) + 1]);
    float* const mean = means.data() + i * x.cols;
    if (end - begin == 1) {
      std::copy_n(x.row(members.member[begin]), x.cols, mean);
      continue;
    }
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t m = begin; m < end; ++m) {
      const float* const row = x.row(members.member[m]);
      for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += static_cast<double>(row[c]);
    }
    for (std::size_t c = 0; c < sum.size(); ++c)
      mean[c] = static_cast<float>(sum[c] / static_cast<double>(end - begin));
  }
  return means;
}

// Fills reduction.edges with the old edges, in new numbers, for which `keep(source, target)` in old numbers.
template <class Keep>
Status connect(const EdgesView& edges, const Keep& keep, EdgeOptions::Duplicates duplicates,
               Reduction& reduction) {
  std::vector<std::int32_t> source, target;
  const auto new_of = [&](std::int32_t v) { return reduction.old_to_new[static_cast<std::size_t>(v)]; };
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    if (new_of(v) < 0) continue;
    for_each_neighbour(edges.forward.csr, v, [&](std::int32_t, std::int32_t w) {
      if (new_of(w) < 0 || !keep(w, v)) return;
      source.push_back(new_of(w));
      target.push_back(new_of(v));
    });
  }
  EdgeOptions options;
  options.duplicates = duplicates;
  options.both = !edges.both.csr.row_ptr.empty();
  return reduction.edges.assign(reduction.num_nodes(), source, target, options);
}

}  // namespace detail

/// Keeps the edges that touch one of `nodes`, and the ends of those edges; `nodes` themselves stay even when
/// isolated. New numbers are in the order of the old ones.
///
/// Errors: a node out of range. Nodes may repeat.
/// Cost:   O(N + E).
/// Source: the winning solution of the TpuGraphs competition prunes layout graphs this way, with the
///         configurable nodes (13,502 -> 2,143 nodes is typical).
[[nodiscard]] inline Result<Reduction> prune_edges(const EdgesView& edges, Span<const std::int32_t> nodes) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_node_list(nodes, edges.num_nodes(), "node"));
  std::vector<bool> chosen(static_cast<std::size_t>(edges.num_nodes()), false);
  std::vector<bool> kept(chosen);
  for (const std::int32_t v : nodes) {
    chosen[static_cast<std::size_t>(v)] = true;
    kept[static_cast<std::size_t>(v)] = true;
    detail::for_each_neighbour(edges, Direction::kBoth, v,
                               [&](std::int32_t w) { kept[static_cast<std::size_t>(w)] = true; });
  }
  Reduction reduction;
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    if (kept[static_cast<std::size_t>(v)]) reduction.new_to_old.push_back(v);
  }
  reduction.old_to_new = detail::invert(reduction.new_to_old, edges.num_nodes());
  const auto touches = [&](std::int32_t source, std::int32_t target) {
    return chosen[static_cast<std::size_t>(source)] || chosen[static_cast<std::size_t>(target)];
  };
  MLGRAPH_RETURN_IF_ERROR(detail::connect(edges, touches, EdgeOptions::Duplicates::kKeep, reduction));
  return reduction;
}

/// Keeps the nodes within `k` hops of `nodes` along `direction` (see KHopSearch) and every edge among them. New
/// numbers are in the order of the old ones.
///
/// Errors: a node out of range, k < 0.
/// Cost:   O(N + E).
[[nodiscard]] inline Result<Reduction> reduce_to_k_hop(const EdgesView& edges, Span<const std::int32_t> nodes,
                                                       int k, Direction direction = Direction::kBoth) {
  Reduction reduction;
  MLGRAPH_ASSIGN_OR_RETURN(reduction.new_to_old, k_hop(edges, nodes, k, direction));
  reduction.old_to_new = detail::invert(reduction.new_to_old, edges.num_nodes());
  const auto all = [](std::int32_t, std::int32_t) { return true; };
  MLGRAPH_RETURN_IF_ERROR(detail::connect(edges, all, EdgeOptions::Duplicates::kKeep, reduction));
  return reduction;
}

/// As reduce_to_k_hop, but what lies outside is merged instead of removed: each connected component of the
/// outside nodes becomes one node, represented by the smallest of them. Two such nodes are never neighbours,
/// and what was connected stays so. The kept nodes come first, in the order of the old ones, then the merged
/// ones, by representative. Edges within a component vanish; edges that become equal at a merged node count
/// once.
///
/// Errors and cost: as reduce_to_k_hop.
/// Source: the third place of the TpuGraphs competition merges what is outside the k-hop neighbourhood.
[[nodiscard]] inline Result<Reduction> merge_outside_k_hop(const EdgesView& edges,
                                                           Span<const std::int32_t> nodes, int k,
                                                           Direction direction = Direction::kBoth) {
  Reduction reduction;
  MLGRAPH_ASSIGN_OR_RETURN(reduction.new_to_old, k_hop(edges, nodes, k, direction));
  const std::int32_t num_kept = reduction.num_nodes();
  reduction.old_to_new = detail::invert(reduction.new_to_old, edges.num_nodes());
  const Components outside = detail::components_among(
      edges, [&](std::int32_t v) { return reduction.old_to_new[static_cast<std::size_t>(v)] < 0; });
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    const std::int32_t component = outside.component_of[static_cast<std::size_t>(v)];
    if (component < 0) continue;
    if (num_kept + component == reduction.num_nodes()) reduction.new_to_old.push_back(v);  // its first node
    reduction.old_to_new[static_cast<std::size_t>(v)] = num_kept + component;
  }

  // Visiting targets group by group finds repeated sources with one mark per source; the multiplicity of edges
  // between kept nodes is the owner's choice and stays.
  const detail::Members members = detail::members_of(reduction);
  std::vector<std::int32_t> last_target(reduction.new_to_old.size(), -1);
  std::vector<std::int32_t> source, target;
  for (std::int32_t i = 0; i < reduction.num_nodes(); ++i) {
    for (std::int32_t m = members.ptr[static_cast<std::size_t>(i)];
         m < members.ptr[static_cast<std::size_t>(i) + 1]; ++m) {
      const std::int32_t v = members.member[static_cast<std::size_t>(m)];
      detail::for_each_neighbour(edges.forward.csr, v, [&](std::int32_t, std::int32_t w) {
        const std::int32_t from = reduction.old_to_new[static_cast<std::size_t>(w)];
        if (from >= num_kept || i >= num_kept) {
          std::int32_t& last = last_target[static_cast<std::size_t>(from)];
          if (from == i || last == i) return;
          last = i;
        }
        source.push_back(from);
        target.push_back(i);
      });
    }
  }
  const EdgeOptions options{EdgeOptions::Duplicates::kKeep, EdgeOptions::SelfEdges::kKeep,
                            !edges.both.csr.row_ptr.empty()};
  MLGRAPH_RETURN_IF_ERROR(reduction.edges.assign(reduction.num_nodes(), source, target, options));
  return reduction;
}

/// Merges chains: an edge u -> v disappears, and its ends become one node, where u has no other consumer and v
/// no other producer, and neither is one of `keep`. A chain is represented by its first node and numbered by
/// it; a graph without cycles stays without. A closed chain (a ring of such edges) becomes one node with a self
/// edge, represented by its smallest node.
///
/// Errors: a node of `keep` out of range. Nodes may repeat.
/// Cost:   O(N + E).
[[nodiscard]] inline Result<Reduction> compress_chains(const EdgesView& edges, Span<const std::int32_t> keep) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_node_list(keep, edges.num_nodes(), "node"));
  const std::int32_t num_nodes = edges.num_nodes();
  const auto at = [](std::int32_t id) { return static_cast<std::size_t>(id); };
  std::vector<bool> fixed(at(num_nodes), false);
  for (const std::int32_t v : keep) fixed[at(v)] = true;

  // next[u]: the node that follows u in its chain, or -1.
  std::vector<std::int32_t> next(at(num_nodes), -1);
  std::vector<bool> follows(at(num_nodes), false);
  for (std::int32_t u = 0; u < num_nodes; ++u) {
    if (fixed[at(u)] || edges.reverse.csr.degree(u) != 1) continue;
    const std::int32_t v = edges.reverse.csr.col[at(edges.reverse.csr.row_ptr[at(u)])];
    if (fixed[at(v)] || edges.forward.csr.degree(v) != 1) continue;
    next[at(u)] = v;
    follows[at(v)] = true;
  }

  // Chains begin where nothing leads; what those do not reach is rings, cut open before their smallest node.
  std::vector<std::int32_t> first(at(num_nodes), -1);  // of the chain that the node is in
  const auto follow = [&](std::int32_t head) {
    for (std::int32_t v = head; v >= 0 && first[at(v)] < 0; v = next[at(v)]) first[at(v)] = head;
  };
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    if (!follows[at(v)]) follow(v);
  }
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    if (first[at(v)] < 0) follow(v);
  }

  Reduction reduction;
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    if (first[at(v)] == v) reduction.new_to_old.push_back(v);
  }
  reduction.old_to_new = detail::invert(reduction.new_to_old, num_nodes);
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    reduction.old_to_new[at(v)] = reduction.old_to_new[at(first[at(v)])];
  }
  // The edge that closes a ring leads back to its first node and stays.
  const auto outside = [&](std::int32_t u, std::int32_t v) { return next[at(u)] != v || first[at(v)] == v; };
  MLGRAPH_RETURN_IF_ERROR(detail::connect(edges, outside, EdgeOptions::Duplicates::kKeep, reduction));
  return reduction;
}

/// The nodes of a reduced graph: features, opcodes and configurable nodes that go with reduction.edges.
///
/// A node that stands for several has the mean of their features (summed in double, ascending) and
/// `merged_opcode` (0 is "unknown" in TpuGraphs). The others keep what they have.
///
/// Errors: a reduction of another graph; a configurable node that was removed or merged (names it).
/// Cost:   O(N F + e).
[[nodiscard]] inline Result<Graph> reduce_graph(const Graph& graph, const Reduction& reduction,
                                                std::int32_t merged_opcode = 0) {
  if (reduction.old_to_new.size() != static_cast<std::size_t>(graph.num_nodes())) {
    return Status::invalid_argument(str_cat("the reduction is of a graph of ", reduction.old_to_new.size(),
                                            " nodes; this graph has ", graph.num_nodes()));
  }
  const detail::Members members = detail::members_of(reduction);
  std::vector<std::int32_t> config_node;
  for (std::size_t k = 0; k < graph.config_node().size(); ++k) {
    const std::int32_t old = graph.config_node()[k];
    const std::int32_t node = reduction.old_to_new[static_cast<std::size_t>(old)];
    if (node < 0 || members.size_of(node) > 1) {
      return Status::invalid_argument(
          str_cat("config_node ", k, " is ", old, ", which the reduction ", node < 0 ? "removed" : "merged"));
    }
    config_node.push_back(node);
  }

  const std::int64_t width = graph.num_features();
  const AlignedVector<float> x = detail::member_means(graph.x(), members);
  AlignedVector<std::int32_t> opcode;
  for (std::int32_t i = 0; i < reduction.num_nodes(); ++i) {
    const auto old = static_cast<std::size_t>(reduction.new_to_old[static_cast<std::size_t>(i)]);
    opcode.push_back(members.size_of(i) > 1 ? merged_opcode : graph.opcode()[old]);
  }

  std::vector<std::int32_t> source, target;
  const EdgesView edges = reduction.edges.view();
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    detail::for_each_neighbour(edges.forward.csr, v, [&](std::int32_t, std::int32_t w) {
      source.push_back(w);
      target.push_back(v);
    });
  }
  const GraphView view{{x.data(), reduction.num_nodes(), width}, opcode, source, target, config_node};
  const EdgeOptions options{EdgeOptions::Duplicates::kKeep, EdgeOptions::SelfEdges::kKeep,
                            reduction.edges.has_both()};
  return Graph::from_view(view, options);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_GRAPH_REDUCE_HPP
