// SPDX-License-Identifier: Apache-2.0
// Pruning: smaller graphs that keep what matters to the configurable nodes.
#ifndef MLGRAPH_GRAPH_PRUNING_HPP
#define MLGRAPH_GRAPH_PRUNING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/graph/topology.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Which nodes and edges a smaller graph has. A new node stands for one old node, or for several merged ones.
struct Pruning {
  std::vector<std::int32_t> new_to_old;      // (n) the old node, or the one that represents the merged ones
  std::vector<std::int32_t> old_to_new;      // (N) -1: removed
  std::vector<std::int32_t> source, target;  // (e) ends of the edges, in new numbers

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(new_to_old.size()); }
};

/// The nodes and edges of a pruning with their features, opcodes and configurable nodes; owns its arrays.
struct PrunedGraph {
  std::int64_t num_features = 0;
  AlignedVector<float> x;                                                     // (n, F)
  std::vector<std::int32_t> opcode, source, target, config_node, new_to_old;  // new_to_old: see Pruning

  [[nodiscard]] GraphView view() const {
    const auto num_nodes = signed_size(opcode);
    return {{x.data(), num_nodes, num_features}, opcode, source, target, config_node};
  }
};

namespace detail {

// The inverse of new_to_old, where every new node stands for one old node.
inline std::vector<std::int32_t> invert(const std::vector<std::int32_t>& new_to_old, std::int32_t num_old) {
  std::vector<std::int32_t> old_to_new(as_size(num_old), -1);
  for (std::size_t i = 0; i < new_to_old.size(); ++i) {
    old_to_new[as_size(new_to_old[i])] = static_cast<std::int32_t>(i);
  }
  return old_to_new;
}

/// Old nodes by new node, ascending: those of i are member[ptr[i]] ... member[ptr[i + 1] - 1].
struct Members {
  std::vector<std::int32_t> ptr, member;

  [[nodiscard]] std::int32_t size_of(std::int32_t i) const { return ptr[as_size(i) + 1] - ptr[as_size(i)]; }
};
inline Members members_of(const Pruning& pruning) {
  Members members;
  members.ptr.assign(pruning.new_to_old.size() + 2, 0);
  std::size_t num_members = 0;
  for (const std::int32_t i : pruning.old_to_new) {
    if (i < 0) continue;
    ++members.ptr[as_size(i) + 2];
    ++num_members;
  }
  for (std::size_t i = 1; i < members.ptr.size(); ++i) members.ptr[i] += members.ptr[i - 1];
  members.member.resize(num_members);
  for (std::size_t v = 0; v < pruning.old_to_new.size(); ++v) {
    const std::int32_t i = pruning.old_to_new[v];
    if (i < 0) continue;
    std::int32_t& next = members.ptr[as_size(i) + 1];
    members.member[as_size(next++)] = static_cast<std::int32_t>(v);
  }
  members.ptr.pop_back();
  return members;
}

// (n, F) the mean of the rows of each new node's members; of one row, that row bit by bit.
inline AlignedVector<float> member_means(MatrixView<const float> x, const Members& members) {
  const auto num_nodes = signed_size(members.ptr) - 1;
  AlignedVector<float> means(as_size(num_nodes * x.cols));
  std::vector<double> sum(as_size(x.cols));
  for (std::int64_t i = 0; i < num_nodes; ++i) {
    const auto begin = as_size(members.ptr[as_size(i)]);
    const auto end = as_size(members.ptr[static_cast<std::size_t>(i) + 1]);
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

// Fills the edges of a pruning with the old ones for which `keep(source, target)`, in new numbers.
template <class Keep>
void connect(const EdgesView& edges, const Keep& keep, Pruning& pruning) {
  const auto new_of = [&](std::int32_t v) { return pruning.old_to_new[as_size(v)]; };
  connect(edges, pruning.new_to_old, new_of, keep, pruning.source, pruning.target);
}

}  // namespace detail

/// Keeps the edges that touch one of `nodes`, and the ends of those edges; `nodes` themselves stay even when
/// isolated. New numbers are in the order of the old ones.
///
/// Errors: a node out of range. Nodes may repeat.
/// Cost:   O(N + E).
/// Source: the winning solution of the TpuGraphs competition prunes layout graphs this way, with the
///         configurable nodes (13,502 -> 2,143 nodes is typical).
[[nodiscard]] inline Result<Pruning> prune_edges(const EdgesView& edges, Span<const std::int32_t> nodes) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_node_list(nodes, edges.num_nodes(), "node"));
  std::vector<bool> chosen(as_size(edges.num_nodes()), false);
  std::vector<bool> kept(chosen);
  for (const std::int32_t v : nodes) {
    chosen[as_size(v)] = true;
    kept[as_size(v)] = true;
    detail::for_each_neighbour(edges, v, [&](std::int32_t w) { kept[as_size(w)] = true; });
  }
  Pruning pruning;
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    if (kept[as_size(v)]) pruning.new_to_old.push_back(v);
  }
  pruning.old_to_new = detail::invert(pruning.new_to_old, edges.num_nodes());
  const auto touches = [&](std::int32_t source, std::int32_t target) {
    const auto is_chosen = [&](std::int32_t i) { return chosen[as_size(pruning.new_to_old[as_size(i)])]; };
    return is_chosen(source) || is_chosen(target);
  };
  detail::connect(edges, touches, pruning);
  return pruning;
}

/// Keeps the nodes within `k` edges of `nodes` in either direction and every edge among them. New numbers are
/// in the order of the old ones.
///
/// Errors: a node out of range, k < 0.
/// Cost:   O(N + E).
[[nodiscard]] inline Result<Pruning> prune_to_k_hop(const EdgesView& edges, Span<const std::int32_t> nodes,
                                                    int k) {
  Pruning pruning;
  MLGRAPH_ASSIGN_OR_RETURN(pruning.new_to_old, k_hop(edges, nodes, k));
  pruning.old_to_new = detail::invert(pruning.new_to_old, edges.num_nodes());
  detail::connect(
      edges, [](std::int32_t, std::int32_t) { return true; }, pruning);
  return pruning;
}

/// As prune_to_k_hop, but what lies outside is merged instead of removed: each connected component of the
/// outside nodes becomes one node, represented by the smallest of them. Two such nodes are never neighbours,
/// and what was connected stays so. The kept nodes come first, in the order of the old ones, then the merged
/// ones, by representative. Edges within a component vanish; edges that become equal at a merged node count
/// once.
///
/// Errors and cost: as prune_to_k_hop.
/// Source: the third place of the TpuGraphs competition merges what is outside the k-hop neighbourhood.
[[nodiscard]] inline Result<Pruning> merge_outside_k_hop(const EdgesView& edges, Span<const std::int32_t> nodes,
                                                         int k) {
  Pruning pruning;
  MLGRAPH_ASSIGN_OR_RETURN(pruning.new_to_old, k_hop(edges, nodes, k));
  const std::int32_t num_kept = pruning.num_nodes();
  pruning.old_to_new = detail::invert(pruning.new_to_old, edges.num_nodes());
  const std::vector<std::int32_t> outside =
      components_among(edges, [&](std::int32_t v) { return pruning.old_to_new[as_size(v)] < 0; });
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    const std::int32_t component = outside[as_size(v)];
    if (component < 0) continue;
    if (num_kept + component == pruning.num_nodes()) pruning.new_to_old.push_back(v);  // its first node
    pruning.old_to_new[as_size(v)] = num_kept + component;
  }

  // Visiting targets group by group finds repeated sources with one mark per source; the multiplicity of edges
  // between kept nodes is the owner's choice and stays.
  const detail::Members members = detail::members_of(pruning);
  std::vector<std::int32_t> last_target(pruning.new_to_old.size(), -1);
  for (std::int32_t i = 0; i < pruning.num_nodes(); ++i) {
    for (std::int32_t m = members.ptr[as_size(i)]; m < members.ptr[as_size(i) + 1]; ++m) {
      const std::int32_t v = members.member[as_size(m)];
      detail::for_each_neighbour(edges.forward.csr, v, [&](std::int32_t w) {
        const std::int32_t from = pruning.old_to_new[as_size(w)];
        if (from >= num_kept || i >= num_kept) {
          std::int32_t& last = last_target[as_size(from)];
          if (from == i || last == i) return;
          last = i;
        }
        pruning.source.push_back(from);
        pruning.target.push_back(i);
      });
    }
  }
  return pruning;
}

/// A pruned graph: the nodes of `pruning`, which is one of the valid `graph` and keeps its configurable
/// nodes. A node that stands for several has the mean of their features (summed in double, ascending) and
/// opcode 0, "unknown" in TpuGraphs. The others keep what they have.
///
/// Cost: O(N F + e).
[[nodiscard]] inline PrunedGraph apply_pruning(const GraphView& graph, Pruning pruning) {
  const detail::Members members = detail::members_of(pruning);
  PrunedGraph pruned;
  pruned.num_features = graph.x.cols;
  pruned.x = detail::member_means(graph.x, members);
  for (std::int32_t i = 0; i < pruning.num_nodes(); ++i) {
    const auto old = as_size(pruning.new_to_old[as_size(i)]);
    pruned.opcode.push_back(members.size_of(i) > 1 ? 0 : graph.opcode[old]);
  }
  for (const std::int32_t v : graph.config_node) {
    const std::int32_t node = pruning.old_to_new[as_size(v)];
    MLGRAPH_ASSERT(node >= 0 && members.size_of(node) == 1, "a pruning keeps the configurable nodes");
    pruned.config_node.push_back(node);
  }
  pruned.source = std::move(pruning.source);
  pruned.target = std::move(pruning.target);
  pruned.new_to_old = std::move(pruning.new_to_old);
  return pruned;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_PRUNING_HPP
