// SPDX-License-Identifier: Apache-2.0
// LayerNorm, InstanceNorm, GraphNorm and BatchNorm.
#ifndef MLGRAPH_NN_NORM_HPP
#define MLGRAPH_NN_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Normalises each row over its channels, then scales and shifts each channel.
///
///   y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias          (biased variance)
///
/// Shapes: (N, channels) -> the same; weight and bias (channels), 1 and 0 at the start.
/// Source: Ba, Kiros, Hinton, arXiv:1607.06450; as torch.nn.LayerNorm.
class LayerNorm {
 public:
  LayerNorm() = default;
  LayerNorm(ParamSpec& p, std::string_view name, std::int64_t channels, double eps = 1e-5)
      : weight_(p.vector(str_cat(name, ".weight"), channels, Init::constant(1))),
        bias_(p.vector(str_cat(name, ".bias"), channels, Init::constant(0))),
        eps_(eps) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x) const {
    return ctx.layer_norm(x, ctx.param(weight_), ctx.param(bias_), eps_);
  }

 private:
  Param weight_, bias_;
  double eps_ = 1e-5;
};

/// Normalises each channel over the nodes of each graph; it has no parameters.
///
/// Shapes: x (N, channels), ptr (G + 1): the nodes of graph g are [ptr[g], ptr[g + 1]) -> (N, channels).
/// Source: Ulyanov, Vedaldi, Lempitsky, arXiv:1607.08022; as PyG's InstanceNorm without affine and running
/// statistics.
class InstanceNorm {
 public:
  explicit InstanceNorm(double eps = 1e-5) : eps_(eps) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Span<const std::int32_t> ptr) const {
    return ctx.instance_norm(ptr, x, eps_);
  }

 private:
  double eps_;
};

/// Normalises each channel over the nodes of each graph, with a share of the mean that is learned.
///
///   o = x - mean_scale * mean(x),   y = o / sqrt(mean(o^2) + eps) * weight + bias        (means over a graph)
///
/// Shapes: x (N, channels), ptr (G + 1): the nodes of graph g are [ptr[g], ptr[g + 1]) -> (N, channels); weight, bias
///         and mean_scale (channels), names and start values as in PyG.
/// Cost:   O(N channels); scratch 5 N channels scalars.
/// Source: Cai et al., arXiv:2009.03294, equation 3.
class GraphNorm {
 public:
  GraphNorm() = default;
  GraphNorm(ParamSpec& p, std::string_view name, std::int64_t channels, double eps = 1e-5)
      : weight_(p.vector(str_cat(name, ".weight"), channels, Init::constant(1))),
        bias_(p.vector(str_cat(name, ".bias"), channels, Init::constant(0))),
        mean_scale_(p.vector(str_cat(name, ".mean_scale"), channels, Init::constant(1))),
        eps_(eps) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Span<const std::int32_t> ptr) const {
    const Var mean = ctx.segment_reduce(Reduce::kMean, ptr, x);
    const Var centre = ctx.column_affine(mean, ctx.param(mean_scale_), Var{});
    const Var centred = ctx.sub(x, ctx.broadcast(centre, ptr));
    const Var variance = ctx.segment_reduce(Reduce::kMean, ptr, ctx.mul(centred, centred));
    const Var safe = ctx.add(variance, ctx.full(ctx.rows(variance), ctx.cols(variance), eps_));
    const Var rstd = ctx.exp(ctx.scale(ctx.log(safe), -0.5));
    const Var y = ctx.mul(centred, ctx.broadcast(rstd, ptr));
    return ctx.column_affine(y, ctx.param(weight_), ctx.param(bias_));
  }

 private:
  Param weight_, bias_, mean_scale_;
  double eps_ = 1e-5;
};

/// Normalises each channel over all rows of the batch, then scales and shifts it, and applies an activation. In
/// evaluation the running statistics take the place of the batch's.
///
/// Shapes: (N, channels) -> the same; weight, bias, running_mean, running_var (channels).
/// Errors: training on fewer than 2 rows.
/// Source: Ioffe, Szegedy, arXiv:1502.03167; as torch.nn.BatchNorm1d.
class BatchNorm {
 public:
  BatchNorm() = default;
  BatchNorm(ParamSpec& p, std::string_view name, std::int64_t channels, double momentum = 0.1,
            double eps = 1e-5)
      : weight_(p.vector(str_cat(name, ".weight"), channels, Init::constant(1))),
        bias_(p.vector(str_cat(name, ".bias"), channels, Init::constant(0))),
        running_mean_(p.state_vector(str_cat(name, ".running_mean"), channels, Init::constant(0))),
        running_var_(p.state_vector(str_cat(name, ".running_var"), channels, Init::constant(1))),
        momentum_(momentum),
        eps_(eps) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Activation activation = Activation::kNone, double slope = 0.01) const {
    return ctx.batch_norm(x, ctx.param(weight_), ctx.param(bias_), running_mean_, running_var_, momentum_, eps_,
                          activation, slope);
  }

 private:
  Param weight_, bias_, running_mean_, running_var_;
  double momentum_ = 0.1;
  double eps_ = 1e-5;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_NORM_HPP
