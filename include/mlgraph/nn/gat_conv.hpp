// SPDX-License-Identifier: Apache-2.0
// GATv2Conv: graph attention with dynamic scores.
#ifndef MLGRAPH_NN_GAT_CONV_HPP
#define MLGRAPH_NN_GAT_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/message_edges.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Of GATv2Conv; names as in PyG.
struct GATv2ConvOptions {
  std::int64_t heads = 1;
  double negative_slope = 0.2;
  std::int64_t edge_dim = 0;  ///< columns of the rows of edges; 0: edges have none
  Direction direction = Direction::kForward;
};

/// Graph attention whose scores depend on both ends of an edge (GATv2), and on the edge where edge_dim > 0.
/// Heads are concatenated.
///
///   a_ij = softmax over j in N(i) of  att_h . leaky_relu(W_l x_j + W_r x_i + W_e e_ij)
///   x'_i = concat over heads h of  sum_j a_ij W_l x_j  + b
///
/// Shapes: x (C N, in_channels) for C configs of one graph, edge_attr (E, edge_dim) in the order of the CSR that values
///         flow along -> (C N, heads * out_channels); lin_l, lin_r (heads * out, in) with bias, lin_edge (heads
///         * out, edge_dim), att (heads * out), bias (heads * out); names as in PyG. Self loops are not added:
///         add them to the edges.
/// Cost:   O(C (N in H out + E H out) + E edge_dim H out) multiply-adds; scratch C * E * H * (out + 2) scalars.
/// Source: Brody, Alon, Yahav, arXiv:2105.14491, equation 7.
class GATv2Conv {
 public:
  using Options = GATv2ConvOptions;

  GATv2Conv() = default;
  GATv2Conv(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
            const Options& options = {})
      : lin_l_(p, str_cat(name, ".lin_l"), in_channels, options.heads * out_channels),
        lin_r_(p, str_cat(name, ".lin_r"), in_channels, options.heads * out_channels),
        att_(p.vector(str_cat(name, ".att"), options.heads * out_channels, Init::glorot())),
        bias_(p.vector(str_cat(name, ".bias"), options.heads * out_channels, Init::constant(0))),
        options_(options) {
    if (options.edge_dim > 0)
      lin_edge_ = Linear(p, str_cat(name, ".lin_edge"), options.edge_dim, options.heads * out_channels, false);
  }

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Var edge_attr = {}) const {
    return (*this)(ctx, x, MessageFlow<typename Ctx::Scalar>(edges.along(options_.direction)), edge_attr);
  }
  /// The same on a message flow.  Shapes: x (C M, in_channels) -> (C R, heads * out_channels), C > 1 where the
  /// configs of a graph share its adjacency.
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow, Var edge_attr = {}) const {
    const Var root = flow.roots(ctx, x);
    const MessageEdges edges = message_edges(ctx, "GATv2Conv", x, root, flow.edges);
    if (!ctx.status().ok()) return {};
    const Var source = lin_l_(ctx, x);
    const Var target = lin_r_(ctx, root);
    const Var neighbour = ctx.gather_rows(source, edges.source);
    const Var self = ctx.gather_rows(target, edges.target);
    Var pair = ctx.add(neighbour, self);
    if (options_.edge_dim > 0) {
      if (!ctx.expect(edge_attr.id != 0 && ctx.cols(edge_attr) == options_.edge_dim, [&] {
            return str_cat("GATv2Conv: edge_attr has ", edge_attr.id == 0 ? 0 : ctx.cols(edge_attr),
                           " columns; edge_dim is ", options_.edge_dim);
          })) {
        return {};
      }
      pair = ctx.add(pair, rows_of_messages(ctx, "GATv2Conv", lin_edge_(ctx, edge_attr), edges));
    }
    const Var scored = ctx.column_affine(ctx.leaky_relu(pair, options_.negative_slope), ctx.param(att_), Var{});
    const Var logits = ctx.matmul(scored, head_sums(ctx));         // (C E, H)
    const Var attention = ctx.segment_softmax(edges.ptr, logits);  // (C E, H)
    return ctx.column_affine(ctx.spmm_heads(flow.edges, attention, source), Var{}, ctx.param(bias_));
  }

 private:
  // (H * out, H): column h is 1 on the channels of head h, so that a product with it sums each head.
  template <class Ctx>
  Var head_sums(Ctx& ctx) const {
    using T = typename Ctx::Scalar;
    const std::int64_t heads = options_.heads;
    const std::int64_t channels = att_.cols;
    T* const data = ctx.arena().template allocate<T>(channels * heads);
    for (std::int64_t k = 0; k < channels; ++k) {
      for (std::int64_t h = 0; h < heads; ++h) data[k * heads + h] = k / (channels / heads) == h ? T(1) : T(0);
    }
    return ctx.input(MatrixView<const T>(data, channels, heads));
  }

  Linear lin_l_, lin_r_, lin_edge_;
  Param att_, bias_;
  Options options_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_GAT_CONV_HPP
