// SPDX-License-Identifier: Apache-2.0
// Borrowed graphs: the plain structs that cross translation units. Standard headers only; nothing here
// computes.
#ifndef MLGRAPH_GRAPH_GRAPH_VIEW_HPP
#define MLGRAPH_GRAPH_GRAPH_VIEW_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/core/span.hpp"

namespace mlgraph {

/// Which neighbours a layer aggregates. An edge runs source -> target; data flows from producer to consumer.
enum class Direction : std::uint8_t {
  kForward,  ///< a node receives from the sources of its incoming edges (PyG's `source_to_target`)
  kReverse,  ///< a node receives from the targets of its outgoing edges (PyG's `target_to_source`)
  kBoth,     ///< both of the above: the adjacency A + A^T, an edge in each direction counts twice
};

/// What a (source, target) that a list of edges repeats stands for. `add(x, x)` is one dependence, and often
/// listed twice; layers that take means, or count neighbours, differ by it.
enum class DuplicateEdges : std::uint8_t {
  kError,  ///< a mistake: a Status
  kMerge,  ///< one edge: the first of them counts, the others are dropped
  kKeep,   ///< as many edges, as in PyG
};

/// Compressed sparse rows: the neighbours of row i are col[row_ptr[i]] ... col[row_ptr[i + 1] - 1].
struct CsrView {
  Span<const std::int32_t> row_ptr;  // (num_rows + 1)
  Span<const std::int32_t> col;      // (num_edges)

  [[nodiscard]] std::int32_t num_rows() const {
    return row_ptr.empty() ? 0 : static_cast<std::int32_t>(row_ptr.size() - 1);
  }
  [[nodiscard]] std::int64_t num_edges() const { return signed_size(col); }
  [[nodiscard]] std::int32_t degree(std::int32_t row) const {
    const auto i = as_size(row);
    return row_ptr[i + 1] - row_ptr[i];
  }
};

/// What one layer needs of the edges: rows to gather from going forward, and the transpose to gather from going
/// backward. Per-edge data (weights, attention) are stored in the order of `csr`.
struct AdjacencyView {
  CsrView csr;
  CsrView transposed;
  Span<const std::int32_t> transposed_to_csr;  // (num_edges) position in `transposed` -> position in `csr`
  std::int32_t num_cols = -1;                  // of `csr`, which is square when this is -1

  /// Nodes that are aggregated, and nodes that receive: the same ones in a square adjacency.
  [[nodiscard]] std::int32_t num_sources() const { return num_cols < 0 ? csr.num_rows() : num_cols; }
  [[nodiscard]] std::int32_t num_targets() const { return csr.num_rows(); }
};

/// The edges of a graph, seen along each Direction.
struct EdgesView {
  AdjacencyView forward;
  AdjacencyView reverse;
  AdjacencyView both;  // empty row_ptr unless it was asked for when the graph was built

  [[nodiscard]] AdjacencyView along(Direction direction) const {
    return direction == Direction::kForward ? forward : direction == Direction::kReverse ? reverse : both;
  }
  [[nodiscard]] std::int32_t num_nodes() const { return forward.csr.num_rows(); }
  [[nodiscard]] std::int64_t num_edges() const { return forward.csr.num_edges(); }
};

/// A graph as a compiler has it: arrays of its own IR, borrowed and not yet validated.
struct GraphView {
  MatrixView<const float> x;             // (N, F) node features, unnormalised
  Span<const std::int32_t> opcode;       // (N) opcode id of each node
  Span<const std::int32_t> edge_source;  // (E) producer of the value that the edge carries
  Span<const std::int32_t> edge_target;  // (E) its consumer
  Span<const std::int32_t> config_node;  // (K) ids of the configurable nodes; empty when configs are per graph
  Span<const std::string_view> feature_names = {};  // (F) of the columns of x; empty: known by their places

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(opcode.size()); }
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_GRAPH_VIEW_HPP
