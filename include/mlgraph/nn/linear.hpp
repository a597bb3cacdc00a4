// SPDX-License-Identifier: Apache-2.0
// Linear: y = act(x W^T + b).
#ifndef MLGRAPH_NN_LINEAR_HPP
#define MLGRAPH_NN_LINEAR_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/neighbour_sum.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Affine map of each row, with the activation fused into the same pass.
///
///   y = act(x W^T + b)
///
/// Shapes: x (N, in_channels) -> (N, out_channels); weight (out, in), bias (out). Names and start values as
///         torch.nn.Linear.
/// Cost:   N * in * out multiply-adds.
class Linear {
 public:
  Linear() = default;
  Linear(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
         bool bias = true)
      : weight_(p.matrix(str_cat(name, ".weight"), out_channels, in_channels, Init::fan_in())) {
    // torch: U(-1/sqrt(in), 1/sqrt(in)); an input of width 0 leaves the bias at 0.
    const double bound = in_channels > 0 ? 1 / std::sqrt(static_cast<double>(in_channels)) : 0;
    if (bias) bias_ = p.vector(str_cat(name, ".bias"), out_channels, Init::uniform(bound));
  }

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Activation activation = Activation::kNone, double slope = 0.01) const {
    return ctx.linear(x, ctx.param(weight_), bias_.exists() ? ctx.param(bias_) : Var{}, activation, slope);
  }

  /// The same of rows that are sums over neighbours, which are added up and multiplied in one pass.
  template <class Ctx>
  Var of_sum(Ctx& ctx, const NeighbourSum& sum, Activation activation = Activation::kNone,
             double slope = 0.01) const {
    return ctx.gin(sum.adjacency, sum.x, sum.root, sum.own, sum.eps, ctx.param(weight_),
                   bias_.exists() ? ctx.param(bias_) : Var{}, activation, slope);
  }

  /// The product with the columns [first, first + columns of x) of the weight alone, with the bias or without:
  /// a part of the layer on a concatenation, whose parts add up to it.
  template <class Ctx>
  Var columns(Ctx& ctx, Var x, std::int64_t first, bool with_bias) const {
    const Var bias = with_bias && bias_.exists() ? ctx.param(bias_) : Var{};
    return ctx.linear_columns(x, ctx.param(weight_), first, bias);
  }

 private:
  Param weight_;
  Param bias_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_LINEAR_HPP
