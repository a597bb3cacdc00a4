// SPDX-License-Identifier: Apache-2.0
// RGCNConv: a graph convolution with a weight of its own for each type of edges.
#ifndef MLGRAPH_NN_RGCN_CONV_HPP
#define MLGRAPH_NN_RGCN_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/typed_edges.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Relational graph convolution of Schlichtkrull et al.
///
///   x'_i = act(W_root x_i + sum over types r of W_r mean_{j in N_r(i)} x_j + b)      (an empty mean is 0)
///
/// Shapes: x (N, in_channels), edges: typed_edges() of num_types types -> (N, out_channels); weight (num_types * in,
///         out), which is PyG's (num_types, in, out) row by row; root (in, out), bias (out), names as in PyG.
/// Errors: edges of another number of types.
/// Cost:   O((num_types + 1) N in out + E in) multiply-adds.
/// Source: arXiv:1703.06103, equation 2, with means; without the bases of equation 3.
class RGCNConv {
 public:
  RGCNConv() = default;
  RGCNConv(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
           std::int64_t num_types)
      : num_types_(num_types) {
    // Glorot for the (in, out) of one type, of which `weight` stacks num_types.
    const auto in = static_cast<double>(in_channels), out = static_cast<double>(out_channels);
    const double gain = std::sqrt((static_cast<double>(num_types) * in + out) / (in + out));
    weight_ = p.matrix(str_cat(name, ".weight"), num_types * in_channels, out_channels, Init::glorot(gain));
    root_ = p.matrix(str_cat(name, ".root"), in_channels, out_channels, Init::glorot());
    bias_ = p.vector(str_cat(name, ".bias"), out_channels, Init::constant(0));
  }

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const TypedEdges& edges, Activation activation = Activation::kNone) const {
    if (!ctx.expect(edges.num_types() == num_types_, [&] {
          return str_cat("RGCNConv: there are edges of ", edges.num_types(), " types; it has weights for ",
                         num_types_);
        })) {
      return {};
    }
    const std::int64_t in = ctx.cols(x);
    const Var weight = ctx.param(weight_);
    Var sum = ctx.matmul(x, ctx.param(root_));
    for (std::int64_t r = 0; r < num_types_; ++r) {
      const Var mean = ctx.spmm(Reduce::kMean, edges[r], x);
      const Var of_type = ctx.slice_rows(weight, r * in, in);
      sum = ctx.add(sum, ctx.matmul(mean, of_type));
    }
    return ctx.activation(activation, ctx.column_affine(sum, Var{}, ctx.param(bias_)));
  }

 private:
  Param weight_, root_, bias_;
  std::int64_t num_types_ = 0;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_RGCN_CONV_HPP
