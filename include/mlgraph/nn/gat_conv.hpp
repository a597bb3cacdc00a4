// SPDX-License-Identifier: Apache-2.0
// GATv2Conv: graph attention with dynamic scores.
#ifndef MLGRAPH_NN_GAT_CONV_HPP
#define MLGRAPH_NN_GAT_CONV_HPP

#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

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
/// Shapes: x (N, in_channels) -> (N, heads * out_channels); lin_l, lin_r (heads * out, in) with bias, att
///         (heads * out), bias (heads * out); names as in PyG. Self loops are not added: add them to the edges.
/// Cost:   O(N in H out + E H out) multiply-adds; scratch E * H * (out + 2) scalars.
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
    const AdjacencyView& adjacency = edges.along(options_.direction);
    if (!ctx.expect(ctx.rows(x) == adjacency.csr.num_rows(), [&] {
          return str_cat("GATv2Conv: x has ", ctx.rows(x), " rows; the graph has ", adjacency.csr.num_rows(),
                         " nodes");
        })) {
      return {};
    }
    const Var source = lin_l_(ctx, x);
    const Var target = lin_r_(ctx, x);
    const Var pair = ctx.add(ctx.gather_rows(source, adjacency.csr.col),
                             ctx.gather_rows(target, row_of_edge(ctx, adjacency.csr)));
    const Var scored = ctx.column_affine(ctx.leaky_relu(pair, options_.negative_slope), ctx.param(att_), Var{});
    const Var logits = ctx.matmul(scored, head_sums(ctx));                     // (E, H)
    const Var attention = ctx.segment_softmax(adjacency.csr.row_ptr, logits);  // (E, H)
    return ctx.column_affine(ctx.spmm_heads(adjacency, attention, source), Var{}, ctx.param(bias_));
  }

 private:
  template <class Ctx>
  static Span<const std::int32_t> row_of_edge(Ctx& ctx, const CsrView& csr) {
    auto* const row = ctx.arena().template allocate<std::int32_t>(csr.col.size());
    for (std::int32_t i = 0; i < csr.num_rows(); ++i) {
      const auto r = static_cast<std::size_t>(i);
      for (auto e = csr.row_ptr[r]; e < csr.row_ptr[r + 1]; ++e) row[e] = i;
    }
    return {row, csr.col.size()};
  }
  // (H * out, H): column h is 1 on the channels of head h, so that a product with it sums each head.
  template <class Ctx>
  Var head_sums(Ctx& ctx) const {
    using T = typename Ctx::Scalar;
    const std::int64_t heads = options_.heads;
    const std::int64_t channels = att_.cols;
    T* const data = ctx.arena().template allocate<T>(static_cast<std::size_t>(channels * heads));
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

#endif  // MLGRAPH_NN_GAT_CONV_HPP
