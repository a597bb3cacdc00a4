// SPDX-License-Identifier: Apache-2.0
// global_{add,mean,max}_pool and attention: one row per graph from the rows of its nodes.
#ifndef MLGRAPH_NN_POOL_HPP
#define MLGRAPH_NN_POOL_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Shapes: x (N, F), ptr (G + 1): the nodes of graph g are [ptr[g], ptr[g + 1]) -> (G, F). An empty graph gives
/// 0.
template <class Ctx>
Var global_add_pool(Ctx& ctx, Var x, Span<const std::int32_t> ptr) {
  return ctx.segment_reduce(kernels::Reduce::kSum, ptr, x);
}
template <class Ctx>
Var global_mean_pool(Ctx& ctx, Var x, Span<const std::int32_t> ptr) {
  return ctx.segment_reduce(kernels::Reduce::kMean, ptr, x);
}
template <class Ctx>
Var global_max_pool(Ctx& ctx, Var x, Span<const std::int32_t> ptr) {
  return ctx.segment_reduce(kernels::Reduce::kMax, ptr, x);
}

/// A mean of rows in which a gate says how much each counts.
///
///   y_g = sum_{i in g} a_i x_i,   a = softmax over the nodes of g of  gate . x_i + b        (an empty graph:
///   0)
///
/// Shapes: x (N, channels), ptr (G + 1) -> (G, channels); gate_nn.weight (1, channels), as PyG's
///         AttentionalAggregation with one linear layer as its gate, whose bias the softmax would not see. A
///         network of the caller's may have made x, as its `nn`.
/// Cost:   O(N channels); scratch 2 N channels scalars.
/// Source: Li et al., arXiv:1511.05493, equation 7.
class AttentionalAggregation {
 public:
  AttentionalAggregation() = default;
  AttentionalAggregation(ParamSpec& p, std::string_view name, std::int64_t channels)
      : gate_(p, str_cat(name, ".gate_nn"), channels, 1, false) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, Span<const std::int32_t> ptr) const {
    const Var share = ctx.segment_softmax(ptr, gate_(ctx, x));  // (N, 1)
    const Var shares = ctx.matmul(share, ctx.full(1, ctx.cols(x), 1));
    return global_add_pool(ctx, ctx.mul(shares, x), ptr);
  }

 private:
  Linear gate_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_POOL_HPP
