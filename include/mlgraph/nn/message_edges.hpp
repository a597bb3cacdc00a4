// SPDX-License-Identifier: Apache-2.0
// MessageEdges: the edges that a layer makes a message for each of.
#ifndef MLGRAPH_NN_MESSAGE_EDGES_HPP
#define MLGRAPH_NN_MESSAGE_EDGES_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The edges of all copies of a graph, copy by copy, for layers whose messages are more than a sum of rows.
/// They are in the order of the adjacency's CSR, as the rows of a batch's edge arrays are.
struct MessageEdges {
  std::int64_t copies = 0;
  Span<const std::int32_t> ptr;     ///< (C R + 1) those of each row that is made
  Span<const std::int32_t> source;  ///< (C E) the row that each reads
  Span<const std::int32_t> target;  ///< (C E) the row that it belongs to
};

namespace detail {

/// Writes the edges of `copies` graphs into the arena.
inline MessageEdges copy_edges(Arena& arena, const AdjacencyView& adjacency, std::int64_t copies) {
  const CsrView& csr = adjacency.csr;
  const std::int32_t num_rows = csr.num_rows();
  const auto num_edges = static_cast<std::int32_t>(csr.num_edges());
  const std::int64_t all_rows = copies * num_rows, all_edges = copies * num_edges;
  auto* const ptr = arena.allocate<std::int32_t>(all_rows + 1);
  auto* const source = arena.allocate<std::int32_t>(all_edges);
  auto* const target = arena.allocate<std::int32_t>(all_edges);
  ptr[0] = 0;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(copies); ++c) {
    for (std::int32_t i = 0; i < num_rows; ++i) {
      for (std::int32_t e = csr.row_ptr[i]; e < csr.row_ptr[i + 1]; ++e) {
        source[c * num_edges + e] = c * adjacency.num_sources() + csr.col[e];
        target[c * num_edges + e] = c * num_rows + i;
      }
      ptr[c * num_rows + i + 1] = c * num_edges + csr.row_ptr[i + 1];
    }
  }
  return {copies, {ptr, as_size(all_rows + 1)}, {source, as_size(all_edges)}, {target, as_size(all_edges)}};
}

}  // namespace detail

/// The edges along which `layer` makes messages from rows of x to rows of `root`; none after an error, which
/// the context then has.
/// Shapes: x (C M, .), root (C R, .), of an adjacency of R rows and M columns.
/// Errors: an adjacency that was not made; numbers of rows that are not its.
/// Cost:   O(C (R + E)).
template <class Ctx>
[[nodiscard]] MessageEdges message_edges(Ctx& ctx, const char* layer, Var x, Var root,
                                         const AdjacencyView& adjacency) {
  if (!has_edges(ctx, layer, adjacency, ctx.rows(x))) return {};
  const std::int64_t num_sources = adjacency.num_sources();
  const std::int64_t copies = num_sources == 0 ? 0 : ctx.rows(x) / num_sources;
  const std::int64_t num_targets = copies * adjacency.num_targets();
  if (!ctx.expect(ctx.rows(x) == copies * num_sources,
                  [&] {
                    return str_cat(layer, ": x has ", ctx.rows(x), " rows; the graph has ", num_sources,
                                   " nodes");
                  }) ||
      !ctx.expect(ctx.rows(root) == num_targets, [&] {
        return str_cat(layer, ": there are ", ctx.rows(root), " rows to make; their edges are of ",
                       num_targets);
      })) {
    return {};
  }
  return detail::copy_edges(ctx.arena(), adjacency, copies);
}

/// What a layer knows of edges, at each message: `edge_attr` once for each copy of the graph. Var{} after an
/// error.
/// Shapes: edge_attr (E, D) -> (C E, D).
/// Errors: another number of rows, in the name of `layer`.
template <class Ctx>
[[nodiscard]] Var rows_of_messages(Ctx& ctx, const char* layer, Var edge_attr, const MessageEdges& edges) {
  const std::int64_t num_edges = edges.copies == 0 ? 0 : signed_size(edges.source) / edges.copies;
  if (!ctx.expect(ctx.rows(edge_attr) == num_edges, [&] {
        return str_cat(layer, ": edge_attr has ", ctx.rows(edge_attr), " rows; there are ", num_edges,
                       " edges");
      })) {
    return {};
  }
  return edges.copies == 1 ? edge_attr : ctx.repeat_rows(edge_attr, edges.copies);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_MESSAGE_EDGES_HPP
