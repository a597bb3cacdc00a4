// SPDX-License-Identifier: Apache-2.0
// One number of all elements of a matrix. Functions of a context, as pools and losses are.
#ifndef MLGRAPH_AUTOGRAD_OPS_REDUCE_HPP
#define MLGRAPH_AUTOGRAD_OPS_REDUCE_HPP
#include "mlgraph/core/push_macros.inc"

#include <string>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The sum of all elements; 0 where there are none.  Shapes: (N, F) -> (1, 1).
template <class Ctx>
Var sum(Ctx& ctx, Var x) {
  /// y = sum of x.  dx += dy everywhere.
  struct Sum {
    Var x, y;
    void backward(Ctx& c) const {
      const auto dx = c.grad_target(x);
      const auto dy = *c.out_grad(y).data;
      if (dx.accumulate) {
        kernels::add_constant(dy, dx.view.data, dx.view.size(), c.pool());
      } else {
        kernels::fill(dy, dx.view.data, dx.view.size(), c.pool());
      }
    }
  };
  if (!ctx.status().ok()) return {};
  const Var y = ctx.allocate(1, 1, ctx.needs_grad(x));
  const MatrixView values = ctx.value(x);
  *ctx.mutable_value(y).data = kernels::sum(values.data, values.size(), ctx.pool());
  ctx.record(y, Sum{x, y});
  return y;
}

/// The mean of all elements.  Shapes: (N, F) -> (1, 1).
/// Errors: a matrix without elements.
template <class Ctx>
Var mean(Ctx& ctx, Var x) {
  const auto size = ctx.value(x).size();
  if (!ctx.expect(size > 0, [] { return std::string("mean: there are no elements"); })) return {};
  return ctx.scale(sum(ctx, x), 1 / static_cast<double>(size));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_AUTOGRAD_OPS_REDUCE_HPP
