// SPDX-License-Identifier: Apache-2.0
// NeighbourSum: what a graph isomorphism layer gives to its network, not yet added up.
#ifndef MLGRAPH_NN_NEIGHBOUR_SUM_HPP
#define MLGRAPH_NN_NEIGHBOUR_SUM_HPP
#include "mlgraph/core/push_macros.inc"

#include <type_traits>
#include <utility>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Rows that are sums over neighbours in which a node itself counts own + eps times:
///
///   m_i = (own + eps) root_i + sum_{j in N(i)} x_j
///
/// A layer that begins with a product has a function of_sum(ctx, sum), as Linear and MLP do: it adds up a block
/// of rows and multiplies it while it is in the cache (the op `gin`). Others take rows(ctx).
///
/// Shapes: x (C M, F), root (C N, F) for C copies of an adjacency with N rows and M columns, eps (1, 1) or Var{} for
///         none -> (C N, F).
struct NeighbourSum {
  Var x, root;
  double own = 1;
  Var eps;
  AdjacencyView adjacency;

  /// m, with the bits that of_sum() has of it.
  template <class Ctx>
  [[nodiscard]] Var rows(Ctx& ctx) const {
    const Var sum = ctx.spmm(Reduce::kSum, adjacency, x);
    return ctx.add(itself(ctx), sum);
  }
  /// (own + eps) root.
  template <class Ctx>
  [[nodiscard]] Var itself(Ctx& ctx) const {
    if (eps.id == 0) return own == 1 ? root : ctx.scale(root, own);
    const Var ones = ctx.full(1, ctx.cols(root), 1);
    const Var factor = ctx.add(ctx.full(1, ctx.cols(root), own), ctx.matmul(eps, ones));
    return ctx.column_affine(root, factor, Var{});
  }
};

namespace detail {

template <class Network, class Ctx, class = void>
struct TakesSum : std::false_type {};
template <class Network, class Ctx>
struct TakesSum<Network, Ctx,
                std::void_t<decltype(std::declval<Network&>().of_sum(
                    std::declval<Ctx&>(), std::declval<const NeighbourSum&>()))>> : std::true_type {};

}  // namespace detail

/// What a network makes of the rows of a sum: by of_sum() where it has one, or by nn(ctx, rows).
template <class Ctx, class Network>
[[nodiscard]] Var apply_to_sum(Ctx& ctx, const NeighbourSum& sum, Network&& nn) {
  if constexpr (detail::TakesSum<Network, Ctx>::value) {
    return nn.of_sum(ctx, sum);
  } else {
    return nn(ctx, sum.rows(ctx));
  }
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_NEIGHBOUR_SUM_HPP
