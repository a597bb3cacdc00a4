// SPDX-License-Identifier: Apache-2.0
// MessageFlow: what one layer needs of a graph: for each row that it makes, the row it was and the rows it
// reads.
#ifndef MLGRAPH_GRAPH_MESSAGE_FLOW_HPP
#define MLGRAPH_GRAPH_MESSAGE_FLOW_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Whether there are edges to aggregate `num_rows` rows along; otherwise the context fails, in the name of `op`.
template <class Ctx>
[[nodiscard]] bool has_edges(Ctx& ctx, const char* op, const AdjacencyView& adjacency, std::int64_t num_rows) {
  const bool were_made = !adjacency.csr.row_ptr.empty() || adjacency.num_cols >= 0 || num_rows == 0;
  return ctx.expect(were_made, [op] {
    return str_cat(op, ": there are no edges along Direction::kBoth; make them with EdgeOptions::both");
  });
}

/// The constant weights of a layer: of edges in the order of a CSR, and of the rows themselves.
template <class T>
struct RowWeights {
  Span<const T> edge, self;
};

/// One layer of a message-flow graph (DGL's block, PyG's bipartite graph), borrowed: R rows are made of M rows.
/// In a graph as it is, both are its nodes, and a row is made of itself and its neighbours; for C
/// configurations of one graph the same adjacency serves the C copies of its nodes.
template <class T>
struct MessageFlow {
  AdjacencyView edges;            ///< (R, M): what each row reads, in order; no rows where it reads none
  Span<const std::int32_t> root;  ///< (R) the row that each was; unused with same_rows
  bool same_rows = true;          ///< row i was row i
  Span<const T> edge_weight;      ///< (edges) in the order of edges.csr, where the layer asks for weights
  Span<const T> self_weight;      ///< (R) of the row itself, likewise

  MessageFlow() = default;
  /// All nodes of a graph.
  explicit MessageFlow(const AdjacencyView& adjacency) : edges(adjacency) {}

  /// The rows that the rows after the layer were.
  template <class Ctx, class Var>
  [[nodiscard]] Var roots(Ctx& ctx, Var h) const {
    return same_rows ? h : ctx.gather_rows(h, root);
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_MESSAGE_FLOW_HPP
