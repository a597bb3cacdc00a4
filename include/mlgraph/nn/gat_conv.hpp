// SPDX-License-Identifier: Apache-2.0
// GATv2Conv: graph attention with dynamic scores.
#ifndef MLGRAPH_NN_GAT_CONV_HPP
#define MLGRAPH_NN_GAT_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Of GATv2Conv; names as in PyG.
struct GATv2ConvOptions {
  std::int64_t heads = 1;
  double negative_slope = 0.2;
  Direction direction = Direction::kForward;
};

/// Graph attention whose scores depend on both ends of an edge (GATv2). Heads are concatenated.
///
///   a_ij = softmax over j in N(i) of  att_h . leaky_relu(W_l x_j + W_r x_i)
///   x'_i = concat over heads h of  sum_j a_ij W_l x_j  + b
///
/// Shapes: x (C N, in_channels) for C configs of one graph -> (C N, heads * out_channels); lin_l, lin_r (heads
/// *
///         out, in) with bias, att (heads * out), bias (heads * out); names as in PyG. Self loops are not
///         added: add them to the edges.
/// Cost:   O(C (N in H out + E H out)) multiply-adds; scratch C * E * H * (out + 2) scalars.
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
        options_(options) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges) const {
    return (*this)(ctx, x, MessageFlow<typename Ctx::Scalar>(edges.along(options_.direction)));
  }
  /// The same on a message flow.  Shapes: x (C M, in_channels) -> (C R, heads * out_channels), C > 1 where the
  /// configs of a graph share its adjacency.
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow) const {
    const AdjacencyView& adjacency = flow.edges;
    const std::int64_t num_sources = adjacency.num_sources();
    const std::int64_t copies = num_sources == 0 ? 0 : ctx.rows(x) / num_sources;
    if (!has_edges(ctx, "GATv2Conv", adjacency, ctx.rows(x))) return {};
    if (!ctx.expect(ctx.rows(x) == copies * num_sources, [&] {
          return str_cat("GATv2Conv: x has ", ctx.rows(x), " rows; the graph has ", num_sources, " nodes");
        })) {
      return {};
    }
    const Var root = flow.roots(ctx, x);
    const std::int64_t num_targets = copies * adjacency.num_targets();
    if (!ctx.expect(ctx.rows(root) == num_targets, [&] {
          return str_cat("GATv2Conv: there are ", ctx.rows(root), " rows to make; their edges are of ",
                         num_targets);
        })) {
      return {};
    }
    const EdgesOfCopies edges = edges_of(ctx.arena(), adjacency, copies);
    const Var source = lin_l_(ctx, x);
    const Var target = lin_r_(ctx, root);
    const Var neighbour = ctx.gather_rows(source, edges.source);
    const Var self = ctx.gather_rows(target, edges.target);
    const Var pair = ctx.add(neighbour, self);
    const Var scored = ctx.column_affine(ctx.leaky_relu(pair, options_.negative_slope), ctx.param(att_), Var{});
    const Var logits = ctx.matmul(scored, head_sums(ctx));         // (C E, H)
    const Var attention = ctx.segment_softmax(edges.ptr, logits);  // (C E, H)
    return ctx.column_affine(ctx.spmm_heads(adjacency, attention, source), Var{}, ctx.param(bias_));
  }

 private:
  /// The edges of all copies of a graph, copy by copy.
  struct EdgesOfCopies {
    Span<const std::int32_t> ptr;     // (C R + 1) those of each row that is made
    Span<const std::int32_t> source;  // (C E) the row that each reads
    Span<const std::int32_t> target;  // (C E) the row that it belongs to
  };
  static EdgesOfCopies edges_of(Arena& arena, const AdjacencyView& adjacency, std::int64_t copies) {
    const CsrView& csr = adjacency.csr;
    const std::int32_t num_rows = csr.num_rows();
    const auto num_edges = static_cast<std::int32_t>(csr.num_edges());
    const auto all_rows = static_cast<std::size_t>(copies * num_rows);
    const auto all_edges = static_cast<std::size_t>(copies * num_edges);
    auto* const ptr = arena.allocate<std::int32_t>(all_rows + 1);
    auto* const source = arena.allocate<std::int32_t>(all_edges);
    auto* const target = arena.allocate<std::int32_t>(all_edges);
    ptr[0] = 0;
    for (std::int32_t c = 0; c < static_cast<std::int32_t>(copies); ++c) {
      for (std::int32_t i = 0; i < num_rows; ++i) {
        const auto r = static_cast<std::size_t>(i);
        for (auto e = csr.row_ptr[r]; e < csr.row_ptr[r + 1]; ++e) {
          source[c * num_edges + e] = c * adjacency.num_sources() + csr.col[e];
          target[c * num_edges + e] = c * num_rows + i;
        }
        ptr[c * num_rows + i + 1] = c * num_edges + csr.row_ptr[r + 1];
      }
    }
    return {{ptr, all_rows + 1}, {source, all_edges}, {target, all_edges}};
  }
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

  Linear lin_l_, lin_r_;
  Param att_, bias_;
  Options options_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_GAT_CONV_HPP
