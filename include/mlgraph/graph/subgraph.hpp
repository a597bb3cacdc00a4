// SPDX-License-Identifier: Apache-2.0
// Parts of a graph: the nodes within k hops, and the edges among chosen nodes. Scratch is used again, so that a
// small part of a large graph costs what the part costs.
#ifndef MLGRAPH_GRAPH_SUBGRAPH_HPP
#define MLGRAPH_GRAPH_SUBGRAPH_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A number >= 0 for some of the nodes; forgets all of them in O(1).
class NodeMap {
 public:
  /// Forgets everything and makes room for ids below `num_nodes`.
  void reset(std::int32_t num_nodes) {
    if (slots_.size() < as_size(num_nodes)) slots_.resize(as_size(num_nodes));
    if (++epoch_ == 0) {  // wrapped around: old marks would look new
      std::fill(slots_.begin(), slots_.end(), Slot{});
      epoch_ = 1;
    }
  }
  /// The node's value, or -1.
  [[nodiscard]] std::int32_t get(std::int32_t node) const {
    const Slot& slot = slots_[as_size(node)];
    return slot.epoch == epoch_ ? slot.value : -1;
  }
  void set(std::int32_t node, std::int32_t value) { slots_[as_size(node)] = {epoch_, value}; }
  [[nodiscard]] bool contains(std::int32_t node) const { return get(node) >= 0; }

 private:
  struct Slot {
    std::uint16_t epoch = 0;
    std::int32_t value = -1;
  };
  std::vector<Slot> slots_;
  std::uint16_t epoch_ = 0;
};

namespace detail {

inline Status check_node_list(Span<const std::int32_t> nodes, std::int32_t num_nodes, const char* what) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] < 0 || nodes[i] >= num_nodes) {
      return Status::out_of_range(str_cat(what, " ", i, " is ", nodes[i], "; num_nodes is ", num_nodes));
    }
  }
  return {};
}

/// Calls `visit(neighbour)` for the neighbours of a node in one CSR.
template <class Visit>
void for_each_neighbour(const CsrView& csr, std::int32_t node, const Visit& visit) {
  const auto row = as_size(node);
  for (std::int32_t p = csr.row_ptr[row]; p < csr.row_ptr[row + 1]; ++p) {
    visit(csr.col[p]);
  }
}

/// Calls `visit(neighbour)` for the neighbours in either direction; needs no EdgeOptions::both.
template <class Visit>
void for_each_neighbour(const EdgesView& edges, std::int32_t node, const Visit& visit) {
  for_each_neighbour(edges.forward.csr, node, visit);
  for_each_neighbour(edges.reverse.csr, node, visit);
}

/// Appends the edges between nodes that have new numbers (new_of(v) >= 0), as far as `keep(source, target)`,
/// all in new numbers. `node` has the old number of each new one.
template <class NewOf, class Keep>
void connect(const EdgesView& edges, const std::vector<std::int32_t>& node, const NewOf& new_of,
             const Keep& keep, std::vector<std::int32_t>& source, std::vector<std::int32_t>& target) {
  for (std::size_t i = 0; i < node.size(); ++i) {
    const auto to = static_cast<std::int32_t>(i);
    for_each_neighbour(edges.forward.csr, node[i], [&](std::int32_t neighbour) {
      const std::int32_t from = new_of(neighbour);
      if (from < 0 || !keep(from, to)) return;
      source.push_back(from);
      target.push_back(to);
    });
  }
}

}  // namespace detail

/// The nodes within `k` edges of a seed, in either direction; ascending.
///
/// Errors: a seed out of range, k < 0. Seeds may repeat.
/// Cost:   O(N + edges of the reached nodes), and a sort of the reached nodes.
[[nodiscard]] inline Result<std::vector<std::int32_t>> k_hop(const EdgesView& edges,
                                                             Span<const std::int32_t> seeds, int k) {
  if (k < 0) return Status::invalid_argument(str_cat("k is ", k, "; should be 0 or more"));
  MLGRAPH_RETURN_IF_ERROR(detail::check_node_list(seeds, edges.num_nodes(), "seed"));
  std::vector<std::int32_t> reached;
  std::vector<bool> seen(as_size(edges.num_nodes()), false);
  const auto reach = [&](std::int32_t v) {
    if (seen[as_size(v)]) return;
    seen[as_size(v)] = true;
    reached.push_back(v);
  };
  for (const std::int32_t seed : seeds) reach(seed);
  std::size_t next = 0;
  for (int hop = 0; hop < k && next < reached.size(); ++hop) {
    for (const std::size_t end = reached.size(); next < end; ++next)
      detail::for_each_neighbour(edges, reached[next], reach);
  }
  std::sort(reached.begin(), reached.end());
  return reached;
}

/// A part of a graph, with the way back to it.
struct Subgraph {
  std::vector<std::int32_t> node;            // (n) node here -> node of the whole graph
  std::int32_t num_inner = 0;                // the chosen nodes come first; the others are their halo
  std::vector<std::int32_t> source, target;  // (e) ends of the edges, in the numbers here
};

namespace detail {

// Puts the nodes into subgraph.node and their new numbers into `map`.
inline Status number_nodes(const EdgesView& edges, Span<const std::int32_t> nodes, NodeMap& map,
                           Subgraph& subgraph) {
  MLGRAPH_RETURN_IF_ERROR(check_node_list(nodes, edges.num_nodes(), "node"));
  map.reset(edges.num_nodes());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (map.contains(nodes[i])) {
      return Status::invalid_argument(
          str_cat("node ", i, " is ", nodes[i], " and so is node ", map.get(nodes[i])));
    }
    map.set(nodes[i], static_cast<std::int32_t>(i));
  }
  subgraph.node.assign(nodes.begin(), nodes.end());
  subgraph.num_inner = static_cast<std::int32_t>(nodes.size());
  return {};
}

}  // namespace detail

/// The chosen nodes, numbered in the order given, and every edge between two of them.
///
/// Errors: a node out of range or listed twice.
/// Cost:   O(n + edges of the chosen nodes); O(N) the first time that `scratch` meets a graph of N nodes.
[[nodiscard]] inline Result<Subgraph> induced_subgraph(const EdgesView& edges, Span<const std::int32_t> nodes,
                                                       NodeMap& scratch) {
  Subgraph subgraph;
  MLGRAPH_RETURN_IF_ERROR(detail::number_nodes(edges, nodes, scratch, subgraph));
  detail::connect(
      edges, subgraph.node, [&](std::int32_t v) { return scratch.get(v); },
      [](std::int32_t, std::int32_t) { return true; }, subgraph.source, subgraph.target);
  return subgraph;
}

/// The chosen nodes and a halo: the other ends of their edges, numbered after them in ascending order. Has the
/// edges that touch a chosen node, so that one layer computes the chosen rows as in the whole graph.
///
/// Errors and cost: as induced_subgraph.
[[nodiscard]] inline Result<Subgraph> halo_subgraph(const EdgesView& edges, Span<const std::int32_t> nodes,
                                                    NodeMap& scratch) {
  Subgraph subgraph;
  MLGRAPH_RETURN_IF_ERROR(detail::number_nodes(edges, nodes, scratch, subgraph));
  for (const std::int32_t v : nodes) {
    detail::for_each_neighbour(edges, v, [&](std::int32_t neighbour) {
      if (scratch.contains(neighbour)) return;
      scratch.set(neighbour, 0);
      subgraph.node.push_back(neighbour);
    });
  }
  std::sort(subgraph.node.begin() + subgraph.num_inner, subgraph.node.end());
  for (std::size_t i = nodes.size(); i < subgraph.node.size(); ++i) {
    scratch.set(subgraph.node[i], static_cast<std::int32_t>(i));
  }
  const std::int32_t num_inner = subgraph.num_inner;
  const auto touches = [=](std::int32_t from, std::int32_t to) { return from < num_inner || to < num_inner; };
  detail::connect(
      edges, subgraph.node, [&](std::int32_t v) { return scratch.get(v); }, touches, subgraph.source,
      subgraph.target);
  return subgraph;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_SUBGRAPH_HPP
