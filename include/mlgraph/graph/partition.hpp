// SPDX-License-Identifier: Apache-2.0
// Partition: cuts a large graph into segments of bounded size, the units of graph segment training.
#ifndef MLGRAPH_GRAPH_PARTITION_HPP
#define MLGRAPH_GRAPH_PARTITION_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/graph/topology.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Every node in exactly one of J segments.
struct Partition {
  std::vector<std::int32_t> ptr = {0};   // (J + 1) nodes of segment j: node[ptr[j]] ... node[ptr[j + 1] - 1]
  std::vector<std::int32_t> node;        // (N)
  std::vector<std::int32_t> segment_of;  // (N)

  [[nodiscard]] std::int32_t num_segments() const { return static_cast<std::int32_t>(ptr.size()) - 1; }
  [[nodiscard]] Span<const std::int32_t> segment(std::int32_t j) const {
    const auto begin = as_size(ptr[as_size(j)]);
    const auto end = as_size(ptr[static_cast<std::size_t>(j) + 1]);
    return Span<const std::int32_t>(node).subspan(begin, end - begin);
  }
};

namespace detail {

inline Status check_max_size(std::int32_t max_size) {
  if (max_size >= 1) return {};
  return Status::invalid_argument(str_cat("max_size is ", max_size, "; should be 1 or more"));
}

/// An error unless the splits are 0, then ascending, then num_nodes; none are fine.
inline Status check_node_splits(Span<const std::int32_t> splits, std::int32_t num_nodes) {
  if (splits.empty()) return {};
  if (splits[0] != 0) return Status::invalid_argument(str_cat("node_splits 0 is ", splits[0], "; should be 0"));
  for (std::size_t i = 1; i < splits.size(); ++i) {
    if (splits[i] <= splits[i - 1]) {
      return Status::invalid_argument(
          str_cat("node_splits ", i, " is ", splits[i], " after ", splits[i - 1], "; should ascend"));
    }
  }
  if (splits.back() == num_nodes) return {};
  return Status::invalid_argument(
      str_cat("node_splits ends with ", splits.back(), "; num_nodes is ", num_nodes));
}

/// Where part j of `count` things in `num_parts` nearly equal parts begins.
inline std::int32_t even_cut(std::int32_t count, std::int32_t num_parts, std::int32_t j) {
  return static_cast<std::int32_t>(std::int64_t{count} * j / num_parts);
}

inline std::int32_t parts_needed(std::int32_t count, std::int32_t max_size) {
  return count / max_size + (count % max_size != 0 ? 1 : 0);
}

inline void fill_segment_of(Partition& partition) {
  partition.segment_of.resize(partition.node.size());
  for (std::int32_t j = 0; j < partition.num_segments(); ++j) {
    for (const std::int32_t v : partition.segment(j)) partition.segment_of[as_size(v)] = j;
  }
}

/// Nodes by segment, ascending in each; segments are numbered by their smallest node.
inline Partition partition_from_labels(const std::vector<std::int32_t>& label, std::int32_t num_labels) {
  Partition partition;
  std::vector<std::int32_t> segment_of_label(as_size(num_labels), -1);
  partition.segment_of.reserve(label.size());
  std::vector<std::int32_t> size;
  for (const std::int32_t l : label) {
    std::int32_t& segment = segment_of_label[as_size(l)];
    if (segment < 0) {
      segment = static_cast<std::int32_t>(size.size());
      size.push_back(0);
    }
    ++size[as_size(segment)];
    partition.segment_of.push_back(segment);
  }
  for (const std::int32_t s : size) partition.ptr.push_back(partition.ptr.back() + s);
  std::vector<std::int32_t> next(partition.ptr.begin(), partition.ptr.end() - 1);
  partition.node.resize(label.size());
  for (std::size_t v = 0; v < label.size(); ++v) {
    const auto j = as_size(partition.segment_of[v]);
    partition.node[as_size(next[j]++)] = static_cast<std::int32_t>(v);
  }
  return partition;
}

inline std::int64_t count_cut(const EdgesView& edges, const std::vector<std::int32_t>& segment_of) {
  std::int64_t cut = 0;
  for (std::int32_t v = 0; v < edges.num_nodes(); ++v) {
    const std::int32_t own = segment_of[as_size(v)];
    for_each_neighbour(edges.forward.csr, v, [&](std::int32_t w) {
      if (segment_of[as_size(w)] != own) ++cut;
    });
  }
  return cut;
}

}  // namespace detail

/// As few intervals of the topological order as have at most `max_size` nodes; their sizes differ by one at
/// most. What the authors of graph segment training do on TpuGraphs (arXiv:2305.12322).
///
/// Errors: max_size < 1; a cycle.
/// Cost:   that of topological_order().
[[nodiscard]] inline Result<Partition> interval_partition(const EdgesView& edges, std::int32_t max_size) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_max_size(max_size));
  Partition partition;
  MLGRAPH_ASSIGN_OR_RETURN(partition.node, topological_order(edges));
  const std::int32_t num_segments = detail::parts_needed(edges.num_nodes(), max_size);
  for (std::int32_t j = 1; j <= num_segments; ++j) {
    partition.ptr.push_back(detail::even_cut(edges.num_nodes(), num_segments, j));
  }
  detail::fill_segment_of(partition);
  return partition;
}

/// Intervals of ids that begin and end at `node_splits`: as many consecutive computations as fit into
/// `max_size` nodes are one segment. A computation that is larger is cut into as few nearly equal segments of
/// its own as fit.
///
/// Shapes: node_splits (S): 0, then where each next computation begins, ascending, then num_nodes.
/// Errors: max_size < 1; node_splits of another form.
/// Cost:   O(N + S).
[[nodiscard]] inline Result<Partition> split_partition(std::int32_t num_nodes,
                                                       Span<const std::int32_t> node_splits,
                                                       std::int32_t max_size) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_max_size(max_size));
  if (node_splits.empty()) return Status::invalid_argument("node_splits is empty; should begin with 0");
  MLGRAPH_RETURN_IF_ERROR(detail::check_node_splits(node_splits, num_nodes));
  Partition partition;
  partition.node.resize(as_size(num_nodes));
  std::iota(partition.node.begin(), partition.node.end(), 0);
  for (std::size_t i = 1; i < node_splits.size(); ++i) {
    const std::int32_t begin = node_splits[i - 1];
    const std::int32_t end = node_splits[i];
    if (end - partition.ptr.back() <= max_size) continue;  // still fits: decided at the next split
    if (begin > partition.ptr.back()) partition.ptr.push_back(begin);
    const std::int32_t num_parts = detail::parts_needed(end - begin, max_size);
    if (num_parts == 1) continue;
    for (std::int32_t part = 1; part <= num_parts; ++part) {
      partition.ptr.push_back(begin + detail::even_cut(end - begin, num_parts, part));
    }
  }
  if (num_nodes > partition.ptr.back()) partition.ptr.push_back(num_nodes);
  detail::fill_segment_of(partition);
  return partition;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_PARTITION_HPP
