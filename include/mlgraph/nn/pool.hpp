// SPDX-License-Identifier: Apache-2.0
// global_{add,mean,max}_pool: one row per graph from the rows of its nodes.
#ifndef MLGRAPH_NN_POOL_HPP
#define MLGRAPH_NN_POOL_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"

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

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_POOL_HPP
