// SPDX-License-Identifier: Apache-2.0
// Parts of a graph: the nodes within k hops, and the edges among chosen nodes. Scratch is used again, so that a
// small part of a large graph costs what the part costs.
#ifndef MLGRAPH_GRAPH_SUBGRAPH_HPP
#define MLGRAPH_GRAPH_SUBGRAPH_HPP

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
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A number >= 0 for some of the nodes; forgets all of them in O(1).
class NodeMap {
 public:
  /// Forgets everything and makes room for ids below `num_nodes`.
  void reset(std::int32_t num_nodes) {
    if (slots_.size() < static_cast<std::size_t>(num_nodes)) slots_.resize(static_cast<std::size_t>(num_nodes));
    if (++epoch_ == 0) {  // wrapped around: old marks would look new
      std::fill(slots_.begin(), slots_.end(), Slot{});
      epoch_ = 1;
    }
  }
  /// The node's value, or -1.
  [[nodiscard]] std::int32_t get(std::int32_t node) const {
    const Slot& slot = slots_[static_cast<std::size_t>(node)];
    return slot.epoch == epoch_ ? slot.value : -1;
  }
  void set(std::int32_t node, std::int32_t value) { slots_[static_cast<std::size_t>(node)] = {epoch_, value}; }
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

/// Calls `visit(position, neighbour)` for the neighbours of a node in one CSR.
template <class Visit>
void for_each_neighbour(const CsrView& csr, std::int32_t node, const Visit& visit) {
  const auto row = static_cast<std::size_t>(node);
  for (std::int32_t p = csr.row_ptr[row]; p < csr.row_ptr[row + 1]; ++p) {
    visit(p, csr.col[static_cast<std::size_t>(p)]);
  }
}

/// Calls `visit(neighbour)` for the neighbours along a direction; kBoth needs no EdgeOptions::both.
template <class Visit>
void for_each_neighbour(const EdgesView& edges, Direction direction, std::int32_t node, const Visit& visit) {
  const auto forget_position = [&](std::int32_t, std::int32_t neighbour) { visit(neighbour); };
  if (direction != Direction::kReverse) for_each_neighbour(edges.forward.csr, node, forget_position);
  if (direction != Direction::kForward) for_each_neighbour(edges.reverse.csr, node, forget_position);
}

}  // namespace detail

/// Breadth-first search from a set of seeds, in memory that the next search uses again.
class KHopSearch {
 public:
  /// Finds what `k` layers along `direction` read to compute the rows of the seeds: the seeds, their neighbours
  /// along it, and so on. (The rows that a change at the seeds can reach are found along the opposite
  /// direction.)
  ///
  /// Errors: a seed out of range, k < 0. Seeds may repeat.
  /// Cost:   O(reached nodes and their edges), and a sort of the reached nodes; O(N) the first time only.
  Status run(const EdgesView& edges, Span<const std::int32_t> seeds, int k, Direction direction) {
    by_distance_.clear();
    distance_ptr_.assign(1, 0);
    nodes_.clear();
    distance_.reset(edges.num_nodes());
    if (k < 0) return Status::invalid_argument(str_cat("k is ", k, "; should be 0 or more"));
    MLGRAPH_RETURN_IF_ERROR(detail::check_node_list(seeds, edges.num_nodes(), "seed"));
    const auto reach = [&](std::int32_t node, int distance) {
      if (distance_.contains(node)) return;
      distance_.set(node, distance);
      by_distance_.push_back(node);
    };
    for (const std::int32_t seed : seeds) reach(seed, 0);
    close_level();
    for (int distance = 1; distance <= k; ++distance) {
      const std::size_t begin = distance_ptr_[distance_ptr_.size() - 2];
      const std::size_t end = distance_ptr_.back();
      if (begin == end) {
        distance_ptr_.pop_back();  // the level before was empty already
        break;
      }
      for (std::size_t i = begin; i < end; ++i) {
        detail::for_each_neighbour(edges, direction, by_distance_[i],
                                   [&](std::int32_t neighbour) { reach(neighbour, distance); });
      }
      close_level();
    }
    nodes_ = by_distance_;
    std::sort(nodes_.begin(), nodes_.end());
    return {};
  }

  /// The reached nodes, ascending.
  [[nodiscard]] Span<const std::int32_t> nodes() const { return nodes_; }
  /// Hops from the nearest seed, or -1.
  [[nodiscard]] std::int32_t distance(std::int32_t node) const { return distance_.get(node); }
  /// The reached nodes at most `distance` hops away: nearest first, ascending within one distance.
  [[nodiscard]] Span<const std::int32_t> within(int distance) const {
    const std::size_t last =
        std::min(static_cast<std::size_t>(std::max(distance, -1) + 1), distance_ptr_.size() - 1);
    return Span<const std::int32_t>(by_distance_).subspan(0, distance_ptr_[last]);
  }

 private:
  void close_level() {
    std::sort(by_distance_.begin() + static_cast<std::ptrdiff_t>(distance_ptr_.back()), by_distance_.end());
    distance_ptr_.push_back(by_distance_.size());
  }

  NodeMap distance_;
  std::vector<std::int32_t> by_distance_;
  std::vector<std::size_t> distance_ptr_ = {0};  // where each distance begins in by_distance_
  std::vector<std::int32_t> nodes_;
};

/// The nodes that KHopSearch finds, ascending.
[[nodiscard]] inline Result<std::vector<std::int32_t>> k_hop(const EdgesView& edges,
                                                             Span<const std::int32_t> seeds, int k,
                                                             Direction direction) {
  KHopSearch search;
  MLGRAPH_RETURN_IF_ERROR(search.run(edges, seeds, k, direction));
  return std::vector<std::int32_t>(search.nodes().begin(), search.nodes().end());
}

/// A part of a graph, with the way back to it.
struct Subgraph {
  std::vector<std::int32_t> node;  // (n) node here -> node of the whole graph
  std::int32_t num_inner = 0;      // the chosen nodes come first; the others are their halo
  Edges edges;                     // has EdgeOptions::both where the whole graph has it
  std::vector<std::int32_t>
      edge;  // (e) position in the forward CSR here -> position in that of the whole graph
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

// The edges between numbered nodes, as far as `keep(source, target)`, both in new numbers.
template <class Keep>
Status connect(const EdgesView& edges, const NodeMap& map, const Keep& keep, Subgraph& subgraph) {
  std::vector<std::int32_t> source, target, position;
  for (std::size_t i = 0; i < subgraph.node.size(); ++i) {
    const auto to = static_cast<std::int32_t>(i);
    for_each_neighbour(edges.forward.csr, subgraph.node[i], [&](std::int32_t p, std::int32_t neighbour) {
      const std::int32_t from = map.get(neighbour);
      if (from < 0 || !keep(from, to)) return;
      source.push_back(from);
      target.push_back(to);
      position.push_back(p);
    });
  }
  EdgeOptions options;
  options.duplicates = EdgeOptions::Duplicates::kKeep;  // the whole graph was validated as its owner wished
  options.both = !edges.both.csr.row_ptr.empty();
  MLGRAPH_RETURN_IF_ERROR(
      subgraph.edges.assign(static_cast<std::int64_t>(subgraph.node.size()), source, target, options));
  for (const std::int32_t e : subgraph.edges.list_position()) {
    subgraph.edge.push_back(position[static_cast<std::size_t>(e)]);
  }
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
  MLGRAPH_RETURN_IF_ERROR(detail::connect(
      edges, scratch, [](std::int32_t, std::int32_t) { return true; }, subgraph));
  return subgraph;
}
[[nodiscard]] inline Result<Subgraph> induced_subgraph(const EdgesView& edges, Span<const std::int32_t> nodes) {
  NodeMap scratch;
  return induced_subgraph(edges, nodes, scratch);
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
    detail::for_each_neighbour(edges, Direction::kBoth, v, [&](std::int32_t neighbour) {
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
  MLGRAPH_RETURN_IF_ERROR(detail::connect(edges, scratch, touches, subgraph));
  return subgraph;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_GRAPH_SUBGRAPH_HPP
