// SPDX-License-Identifier: Apache-2.0
// EdgeTable: edges with what belongs to each, and what is done with them before they become a graph.
#ifndef MLGRAPH_GRAPH_EDGE_TABLE_HPP
#define MLGRAPH_GRAPH_EDGE_TABLE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Edges, each with a row of numbers and a type where there are such. A GraphDataset takes rows and types as
/// named arrays, and has them in the order in which layers read them.
struct EdgeTable {
  std::vector<std::int32_t> source, target;  ///< (E)
  std::int64_t attr_cols = 0;                ///< D
  std::vector<float> attr;                   ///< (E, D)
  std::vector<std::int32_t> type;            ///< (E), or empty: edges of one type

  [[nodiscard]] std::size_t size() const { return source.size(); }
  [[nodiscard]] MatrixView<const float> attr_view() const {
    return {attr.data(), static_cast<std::int64_t>(size()), attr_cols};
  }
};

/// How the rows of edges that become one are put together, in the order of the list.
enum class EdgeMerge : std::uint8_t { kFirst, kSum, kMean, kMax };

/// Errors: vectors of other lengths than `source`; nodes outside [0, num_nodes); a negative type.
[[nodiscard]] inline Status check_edge_table(std::int64_t num_nodes, const EdgeTable& edges) {
  const auto count = signed_size(edges);
  MLGRAPH_RETURN_IF_ERROR(check_counts(num_nodes, count));
  const auto size = [](const auto& values) { return signed_size(values); };
  const bool types_fit = edges.type.empty() || size(edges.type) == count;
  const std::int64_t cols = edges.attr_cols, numbers = size(edges.attr);
  const bool attr_fits =
      cols == 0 || count == 0 ? cols >= 0 && numbers == 0 : numbers % count == 0 && numbers / count == cols;
  if (size(edges.target) != count || !types_fit || !attr_fits) {
    return Status::invalid_argument(str_cat("there are ", count, " sources, ", size(edges.target), " targets, ",
                                            size(edges.type), " types and ", size(edges.attr), " numbers in ",
                                            edges.attr_cols, " columns"));
  }
  for (std::size_t e = 0; e < edges.size(); ++e) {
    const std::int32_t u = edges.source[e], v = edges.target[e];
    if (u < 0 || v < 0 || u >= num_nodes || v >= num_nodes)
      return Status::out_of_range(str_cat("edge ", e, " is (", u, ", ", v, "); num_nodes is ", num_nodes));
    if (!edges.type.empty() && edges.type[e] < 0)
      return Status::out_of_range(str_cat("edge ", e, " has type ", edges.type[e], "; should be 0 or more"));
  }
  return {};
}

namespace detail {

/// Appends edge `e` of `from`, between `u` and `v`.
inline void append_edge(const EdgeTable& from, std::size_t e, std::int32_t u, std::int32_t v, EdgeTable& to) {
  to.source.push_back(u);
  to.target.push_back(v);
  const float* const row = from.attr.data() + e * as_size(from.attr_cols);
  to.attr.insert(to.attr.end(), row, row + from.attr_cols);
  if (!from.type.empty()) to.type.push_back(from.type[e]);
}

/// Puts the rows of edges[begin ... end), by their places in `from`, into the last row of `to`.
inline void merge_rows(const EdgeTable& from, Span<const std::size_t> group, EdgeMerge how, EdgeTable& to) {
  const auto cols = as_size(from.attr_cols);
  float* const into = to.attr.data() + to.attr.size() - cols;
  if (how == EdgeMerge::kFirst) return;
  for (std::size_t i = 1; i < group.size(); ++i) {
    const float* const row = from.attr.data() + group[i] * cols;
    for (std::size_t c = 0; c < cols; ++c)
      into[c] = how == EdgeMerge::kMax ? std::max(into[c], row[c]) : into[c] + row[c];
  }
  if (how != EdgeMerge::kMean) return;
  for (std::size_t c = 0; c < cols; ++c) into[c] /= static_cast<float>(group.size());
}

}  // namespace detail

/// The edges sorted by source, then target, then type; equal ones are one, whose row is merged of theirs.
/// As PyG's coalesce, where types are part of what is equal.  `edges` have passed check_edge_table().
/// Cost: O(E log E + E D).
[[nodiscard]] inline EdgeTable coalesce(const EdgeTable& edges, EdgeMerge how = EdgeMerge::kFirst) {
  std::vector<std::size_t> order(edges.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto type = [&](std::size_t e) { return edges.type.empty() ? 0 : edges.type[e]; };
  const auto before = [&](std::size_t a, std::size_t b) {
    if (edges.source[a] != edges.source[b]) return edges.source[a] < edges.source[b];
    if (edges.target[a] != edges.target[b]) return edges.target[a] < edges.target[b];
    return type(a) < type(b);
  };
  std::stable_sort(order.begin(), order.end(), before);
  EdgeTable merged;
  merged.attr_cols = edges.attr_cols;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && !before(order[begin], order[end]);) ++end;
    const std::size_t e = order[begin];
    detail::append_edge(edges, e, edges.source[e], edges.target[e], merged);
    detail::merge_rows(edges, Span<const std::size_t>(order.data() + begin, end - begin), how, merged);
  }
  return merged;
}

/// The edges in both directions: each and its reverse, then coalesce(). As PyG's to_undirected.
/// Cost: O(E log E + E D).
[[nodiscard]] inline EdgeTable to_undirected(const EdgeTable& edges, EdgeMerge how = EdgeMerge::kFirst) {
  EdgeTable both = edges;
  for (std::size_t e = 0; e < edges.size(); ++e)
    detail::append_edge(edges, e, edges.target[e], edges.source[e], both);
  return coalesce(both, how);
}

/// The edges, then the reverse of each as a relation of its own: of type t, as type t + num_types (edges
/// without types have type 0 of 1). `num_types` is more than every type.  Cost: O(E D).
[[nodiscard]] inline EdgeTable add_reverse_edges(const EdgeTable& edges, std::int32_t num_types = 1) {
  EdgeTable both = edges;
  both.type.resize(edges.size(), 0);
  EdgeTable typed = both;
  for (std::size_t e = 0; e < edges.size(); ++e) {
    detail::append_edge(typed, e, edges.target[e], edges.source[e], both);
    both.type.back() += num_types;
  }
  return both;
}

[[nodiscard]] inline EdgeTable remove_self_loops(const EdgeTable& edges) {
  EdgeTable others;
  others.attr_cols = edges.attr_cols;
  for (std::size_t e = 0; e < edges.size(); ++e) {
    if (edges.source[e] != edges.target[e])
      detail::append_edge(edges, e, edges.source[e], edges.target[e], others);
  }
  return others;
}

/// The edges, then an edge from each node to itself, whose row has `fill` in each column; of type `type` where
/// edges have types. As PyG's add_self_loops: those that are there stay.  Cost: O((E + N) D).
[[nodiscard]] inline EdgeTable add_self_loops(std::int64_t num_nodes, const EdgeTable& edges, float fill = 1,
                                              std::int32_t type = 0) {
  EdgeTable more = edges;
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    more.source.push_back(v);
    more.target.push_back(v);
    more.attr.insert(more.attr.end(), as_size(edges.attr_cols), fill);
    // A list without edges has no types to follow.
    if (!edges.type.empty()) more.type.push_back(type);
  }
  return more;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_EDGE_TABLE_HPP
