// SPDX-License-Identifier: Apache-2.0
// NamedArray: what a graph has beside features and edges, by name: targets, masks, types and rows of edges,
// ids.
#ifndef MLGRAPH_GRAPH_NAMED_ARRAY_HPP
#define MLGRAPH_GRAPH_NAMED_ARRAY_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {

/// What the rows of a NamedArray belong to.
enum class ArrayOf : std::uint8_t { kNodes, kEdges, kGraphs };

/// A borrowed matrix of numbers with a name: a row for each node, edge or graph. Numbers are float, or int32
/// where they count or name something.
///
/// Edges: in the order of the list that a graph is made from; in a GraphDataset and in a batch, in the order of
/// `edges.forward.csr`, in which layers read them.
struct NamedArray {
  std::string_view name;
  ArrayOf of = ArrayOf::kNodes;
  bool is_int = false;
  MatrixView<const float> f32;         // (N, E or G; cols); of no rows and columns with is_int
  MatrixView<const std::int32_t> i32;  // the other way round

  [[nodiscard]] std::int64_t rows() const { return is_int ? i32.rows : f32.rows; }
  [[nodiscard]] std::int64_t cols() const { return is_int ? i32.cols : f32.cols; }
};

MLGRAPH_BEGIN_ISA

/// `nodes`, `edges` or `graphs`, as messages say it.
[[nodiscard]] constexpr std::string_view array_of_name(ArrayOf of) {
  return of == ArrayOf::kNodes ? "nodes" : of == ArrayOf::kEdges ? "edges" : "graphs";
}

/// Shapes: values (N, cols) of each node.
[[nodiscard]] inline NamedArray node_array(std::string_view name, MatrixView<const float> values) {
  return {name, ArrayOf::kNodes, false, values, {}};
}
[[nodiscard]] inline NamedArray node_array(std::string_view name, MatrixView<const std::int32_t> values) {
  return {name, ArrayOf::kNodes, true, {}, values};
}
/// Shapes: values (E, cols) of each edge, in the order of the list of edges.
[[nodiscard]] inline NamedArray edge_array(std::string_view name, MatrixView<const float> values) {
  return {name, ArrayOf::kEdges, false, values, {}};
}
[[nodiscard]] inline NamedArray edge_array(std::string_view name, MatrixView<const std::int32_t> values) {
  return {name, ArrayOf::kEdges, true, {}, values};
}
/// Shapes: values (cols) of the graph.
[[nodiscard]] inline NamedArray graph_array(std::string_view name, Span<const float> values) {
  return {name, ArrayOf::kGraphs, false, {values.data(), 1, signed_size(values)}, {}};
}
[[nodiscard]] inline NamedArray graph_array(std::string_view name, Span<const std::int32_t> values) {
  return {name, ArrayOf::kGraphs, true, {}, {values.data(), 1, signed_size(values)}};
}
/// One number of each node or edge, as a list.
template <class T>
[[nodiscard]] MatrixView<const T> as_column(Span<const T> values) {
  return {values.data(), signed_size(values), 1};
}
[[nodiscard]] inline NamedArray node_array(std::string_view name, Span<const float> values) {
  return node_array(name, as_column(values));
}
[[nodiscard]] inline NamedArray node_array(std::string_view name, Span<const std::int32_t> values) {
  return node_array(name, as_column(values));
}
[[nodiscard]] inline NamedArray edge_array(std::string_view name, Span<const float> values) {
  return edge_array(name, as_column(values));
}
[[nodiscard]] inline NamedArray edge_array(std::string_view name, Span<const std::int32_t> values) {
  return edge_array(name, as_column(values));
}

/// The array of a name, or null.
[[nodiscard]] inline const NamedArray* find_array(Span<const NamedArray> arrays, std::string_view name) {
  for (const NamedArray& array : arrays) {
    if (array.name == name) return &array;
  }
  return nullptr;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_NAMED_ARRAY_HPP
