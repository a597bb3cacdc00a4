// SPDX-License-Identifier: Apache-2.0
// GCNConv: graph convolution with symmetric normalisation.
#ifndef MLGRAPH_NN_GCN_CONV_HPP
#define MLGRAPH_NN_GCN_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Symmetric normalisation with self loops, 1 / sqrt(d_i d_j) for an edge and 1 / d_i for a node itself, d_i =
/// 1 + number of neighbours of i, in the memory of `arena`; compute it once and share it between the layers
/// that run over the same edges.
template <class T>
[[nodiscard]] RowWeights<T> gcn_norm(Arena& arena, const AdjacencyView& adjacency) {
  const CsrView& csr = adjacency.csr;
  const auto num_nodes = as_size(csr.num_rows());
  const std::size_t num_edges = csr.col.size();
  T* const self_weight = arena.allocate<T>(num_nodes);
  T* const edge_weight = arena.allocate<T>(num_edges);
  for (std::size_t i = 0; i < num_nodes; ++i)
    self_weight[i] = T(1) / static_cast<T>(1 + csr.degree(static_cast<std::int32_t>(i)));
  for (std::size_t i = 0; i < num_nodes; ++i) {
    for (auto e = as_size(csr.row_ptr[i]); e < as_size(csr.row_ptr[i + 1]); ++e) {
      edge_weight[e] = std::sqrt(self_weight[i] * self_weight[csr.col[e]]);
    }
  }
  return {{edge_weight, num_edges}, {self_weight, num_nodes}};
}
/// The same in the context's memory, for its step.
template <class Ctx>
RowWeights<typename Ctx::Scalar> gcn_norm(Ctx& ctx, const AdjacencyView& adjacency) {
  return gcn_norm<typename Ctx::Scalar>(ctx.arena(), adjacency);
}

/// Graph convolution of Kipf and Welling.
///
///   X' = act(D^-1/2 (A + I) D^-1/2 X W^T + b),   D_ii = 1 + number of neighbours of i along the direction
///
/// With Direction::kBoth the matrix is D^-1/2 (A + A^T + I) D^-1/2.
/// Shapes: x (C N, in_channels) for C configs of one graph -> (C N, out_channels); lin.weight (out, in), bias
///         (out), as in PyG.
/// Cost:   O(C (N in out + (E + N) out)) multiply-adds.
/// Source: arXiv:1609.02907, equation 2.
class GCNConv {
 public:
  GCNConv() = default;
  GCNConv(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
          Direction direction = Direction::kForward)
      : weight_(p.matrix(str_cat(name, ".lin.weight"), out_channels, in_channels, Init::glorot())),
        bias_(p.vector(str_cat(name, ".bias"), out_channels, Init::constant(0))),
        direction_(direction) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Activation activation = Activation::kNone) const {
    return (*this)(ctx, x, edges, gcn_norm(ctx, edges.along(direction_)), activation);
  }
  /// The same with the normalisation computed before.
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, const RowWeights<typename Ctx::Scalar>& norm,
                 Activation activation = Activation::kNone) const {
    MessageFlow<typename Ctx::Scalar> flow(edges.along(direction_));
    flow.edge_weight = norm.edge;
    flow.self_weight = norm.self;
    return (*this)(ctx, x, flow, activation);
  }
  /// The same on a message flow, whose weights are those of gcn_norm().  Shapes: x (M, in_channels) -> (R,
  /// out_channels).
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow,
                 Activation activation = Activation::kNone) const {
    const Var h = ctx.linear(x, ctx.param(weight_), Var{});
    const Var neighbours = ctx.spmm(Reduce::kSum, flow.edges, h, flow.edge_weight);
    const Var mixed = ctx.add(neighbours, ctx.scale_rows(flow.roots(ctx, h), flow.self_weight));
    return ctx.activation(activation, ctx.column_affine(mixed, Var{}, ctx.param(bias_)));
  }

 private:
  Param weight_, bias_;
  Direction direction_ = Direction::kForward;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_GCN_CONV_HPP
