// SPDX-License-Identifier: Apache-2.0
// Edges with types: an adjacency of each type, for layers that treat relations apart.
#ifndef MLGRAPH_NN_TYPED_EDGES_HPP
#define MLGRAPH_NN_TYPED_EDGES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The edges of each type, in the memory of a context's step: make it once in a forward() and share it between
/// layers.
class TypedEdges {
 public:
  TypedEdges() = default;
  explicit TypedEdges(Span<const AdjacencyView> of) : of_(of) {}

  [[nodiscard]] std::int64_t num_types() const { return signed_size(of_); }
  /// The edges of a type; none where there is no such type.
  [[nodiscard]] AdjacencyView operator[](std::int64_t type) const {
    return type >= 0 && type < num_types() ? of_[as_size(type)] : AdjacencyView();
  }

 private:
  Span<const AdjacencyView> of_;
};

namespace detail {

/// The rows of `csr` with the entries of one type, in their order. `type_of(p)` is that of its entry p; keep(p,
/// q) is told that p became q.
template <class TypeOf, class Keep>
[[nodiscard]] CsrView csr_of_type(Arena& arena, const CsrView& csr, std::int32_t type, std::size_t count,
                                  const TypeOf& type_of, const Keep& keep) {
  const auto num_rows = as_size(csr.num_rows());
  std::int32_t* const ptr = arena.allocate<std::int32_t>(num_rows + 1);
  std::int32_t* const col = arena.allocate<std::int32_t>(count);
  std::int32_t next = 0;
  ptr[0] = 0;
  for (std::size_t row = 0; row < num_rows; ++row) {
    for (auto p = as_size(csr.row_ptr[row]); p < as_size(csr.row_ptr[row + 1]); ++p) {
      if (type_of(p) != type) continue;
      keep(p, next);
      col[next++] = csr.col[p];
    }
    ptr[row + 1] = next;
  }
  return {{ptr, num_rows + 1}, {col, count}};
}

}  // namespace detail

/// Sorts edges by type.
///
/// Shapes: type (E) in [0, num_types), in the order of edges.csr, as the arrays of edges of a batch are for
///         `edges.forward`.
/// Errors: another number of types than of edges; a type that there is not, with its place.
/// Cost:   O(num_types (N + E)).
template <class Ctx>
[[nodiscard]] TypedEdges typed_edges(Ctx& ctx, const AdjacencyView& edges, Span<const std::int32_t> type,
                                     std::int64_t num_types) {
  const std::size_t num_edges = edges.csr.col.size();
  const auto is_type = [num_types](std::int32_t t) { return t >= 0 && t < num_types; };
  if (!ctx.expect(type.size() == num_edges,
                  [&] { return str_cat("typed_edges: ", type.size(), " types for ", num_edges, " edges"); })) {
    return {};
  }
  const std::int32_t* const bad = std::find_if_not(type.begin(), type.end(), is_type);
  if (!ctx.expect(bad == type.end(), [&] {
        return str_cat("typed_edges: the type of edge ", bad - type.begin(), " is ", *bad, "; there are ",
                       num_types);
      })) {
    return {};
  }
  const auto count = as_size(num_types);
  AdjacencyView* const of = ctx.arena().template allocate<AdjacencyView>(count);
  std::int32_t* const place =
      ctx.arena().template allocate<std::int32_t>(num_edges);  // of an edge in its type's CSR
  for (std::size_t t = 0; t < count; ++t) {
    const auto wanted = static_cast<std::int32_t>(t);
    const auto size = as_size(std::count(type.begin(), type.end(), wanted));
    std::int32_t* const map = ctx.arena().template allocate<std::int32_t>(size);
    new (of + t) AdjacencyView();
    of[t].num_cols = edges.num_cols;
    of[t].csr = detail::csr_of_type(
        ctx.arena(), edges.csr, wanted, size, [&](std::size_t p) { return type[p]; },
        [&](std::size_t p, std::int32_t q) { place[p] = q; });
    const auto position = [&](std::size_t p) { return as_size(edges.transposed_to_csr[p]); };
    of[t].transposed = detail::csr_of_type(
        ctx.arena(), edges.transposed, wanted, size, [&](std::size_t p) { return type[position(p)]; },
        [&](std::size_t p, std::int32_t q) { map[q] = place[position(p)]; });
    of[t].transposed_to_csr = {map, size};
  }
  return TypedEdges({of, count});
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_TYPED_EDGES_HPP
