// SPDX-License-Identifier: Apache-2.0
// SAGEConv: GraphSAGE convolution.
#ifndef MLGRAPH_NN_SAGE_CONV_HPP
#define MLGRAPH_NN_SAGE_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Of SAGEConv; names as in PyG where it has them.
struct SAGEConvOptions {
  Reduce reduce = Reduce::kMean;
  Direction direction = Direction::kForward;
  bool root_weight = true;  ///< without it the W_r x_i term is gone
  bool bias = true;         ///< without it b is gone
  bool one_matrix = false;  ///< one weight `lin.weight` (out, 2 in) = [W_l | W_r], as on a concatenation
  bool normalize = false;   ///< l2-normalise the output rows
};

/// GraphSAGE convolution: mixes each node with the reduction (mean, sum, max) of its neighbours.
///
///   x'_i = act(W_l * reduce_{j in N(i)} x_j + W_r * x_i + b)        (an empty reduction is 0)
///
/// Shapes: x (C N, in_channels) for C configs of one graph of N nodes -> (C N, out_channels).
///         lin_l.weight (out, in), lin_l.bias (out), lin_r.weight (out, in); names as in PyG.
/// Cost:   O(C (E in + 2 N in out)) multiply-adds; sum and mean run as one fused pass over blocks of rows.
/// Source: Hamilton, Ying, Leskovec, arXiv:1706.02216, Algorithm 1. Two matrices instead of one on the
///         concatenation are equivalent; `one_matrix` keeps the paper's form.
class SAGEConv {
 public:
  using Options = SAGEConvOptions;

  SAGEConv() = default;
  SAGEConv(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
           const Options& options = {})
      : options_(options) {
    const double bound = in_channels > 0 ? 1 / std::sqrt(static_cast<double>(in_channels)) : 0;
    const char* const prefix = options.one_matrix ? ".lin" : ".lin_l";
    weight_l_ = p.matrix(str_cat(name, prefix, ".weight"), out_channels,
                         options.one_matrix ? 2 * in_channels : in_channels, Init::fan_in());
    if (options.bias) bias_ = p.vector(str_cat(name, prefix, ".bias"), out_channels, Init::uniform(bound));
    if (options.root_weight && !options.one_matrix) {
      weight_r_ = p.matrix(str_cat(name, ".lin_r.weight"), out_channels, in_channels, Init::fan_in());
    }
  }

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Activation activation = Activation::kNone,
                 double slope = 0.01) const {
    return (*this)(ctx, x, x, edges.along(options_.direction), activation, slope);
  }
  /// The same on a message flow.  Shapes: x (M, in_channels) -> (R, out_channels).
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow,
                 Activation activation = Activation::kNone, double slope = 0.01) const {
    return (*this)(ctx, x, flow.roots(ctx, x), flow.edges, activation, slope);
  }
  /// The same where the rows that are computed, `root`, are a matrix of their own, as PyG's layer on a pair of
  /// matrices.  Shapes: x (C M, in_channels), root (C N, in_channels), N rows and M columns of the adjacency ->
  /// (C N, out_channels).
  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Var root, const AdjacencyView& adjacency,
                 Activation activation = Activation::kNone, double slope = 0.01) const {
    const Var weight_l = ctx.param(weight_l_);
    const Var weight_r = options_.one_matrix ? weight_l : weight_r_.exists() ? ctx.param(weight_r_) : Var{};
    const Var bias = bias_.exists() ? ctx.param(bias_) : Var{};
    const Var y =
        options_.reduce == Reduce::kMax
            ? max_sage(ctx, adjacency, x, root, weight_l, weight_r, bias, activation, slope)
            : ctx.sage(options_.reduce, adjacency, x, root, weight_l, weight_r, bias, activation, slope);
    return options_.normalize ? ctx.l2_normalize(y) : y;
  }

  // ---- a layer on [x_i ; z_c], where z_c is the same at all nodes of config c (kSum, one_matrix) -------
  //   act(P_i + degree_i U z_c + V z_c),   P_i what the layer makes of x alone, U and V its columns of z.

  /// P: once for all configs.  Shapes: x (N, F) -> (N, out_channels).
  template <class Ctx>
  Var node_part(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow) const {
    MLGRAPH_ASSERT(options_.reduce == Reduce::kSum && options_.one_matrix,
                   "the parts of this layer do not add up");
    const Var weight = ctx.param(weight_l_);
    const Var left = ctx.slice_cols(weight, 0, ctx.cols(x));
    const Var right = ctx.slice_cols(weight, weight_l_.cols / 2, ctx.cols(x));
    return ctx.sage(options_.reduce, flow.edges, x, flow.roots(ctx, x), left, right,
                    bias_.exists() ? ctx.param(bias_) : Var{}, Activation::kNone, 0.0);
  }
  /// The layer, from P.  Shapes: node_part (N, out_channels), z (C, G), degree (N) -> (C N, out_channels).
  template <class Ctx>
  Var add_config(Ctx& ctx, Var node_part, Var z, Span<const typename Ctx::Scalar> degree, Activation activation,
                 double slope) const {
    const Var weight = ctx.param(weight_l_);
    const std::int64_t half = weight_l_.cols / 2;
    const Var u = ctx.linear_columns(z, weight, half - ctx.cols(z), Var{});
    const Var v = ctx.linear_columns(z, weight, 2 * half - ctx.cols(z), Var{});
    const Var y = ctx.config_affine(node_part, v, u, degree, activation, slope);
    return options_.normalize ? ctx.l2_normalize(y) : y;
  }

 private:
  // The maximum needs its argmax for the gradient, so it stays a pass of its own.
  template <class Ctx>
  Var max_sage(Ctx& ctx, const AdjacencyView& adjacency, Var x, Var root, Var weight_l, Var weight_r, Var bias,
               Activation activation, double slope) const {
    const Var m = ctx.spmm(Reduce::kMax, adjacency, x);
    if (options_.one_matrix) return ctx.linear(ctx.concat(m, root), weight_l, bias, activation, slope);
    if (weight_r.id == 0) return ctx.linear(m, weight_l, bias, activation, slope);
    return ctx.activation(activation, ctx.add(ctx.linear(m, weight_l, bias), ctx.linear(root, weight_r, Var{})),
                          slope);
  }

  Param weight_l_, weight_r_, bias_;
  Options options_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_SAGE_CONV_HPP
