// SPDX-License-Identifier: Apache-2.0
// Dropout: a layer around the op, so that a model can hold its probability.
#ifndef MLGRAPH_NN_DROPOUT_HPP
#define MLGRAPH_NN_DROPOUT_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// In training each element is 0 with probability p and scaled by 1 / (1 - p) otherwise; in evaluation x
/// itself. The mask is a function of the step's seed, the place of the call in the step, and the element's
/// position.
class Dropout {
 public:
  explicit Dropout(double p = 0.5) : p_(p) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x) const {
    return ctx.dropout(x, p_);
  }

 private:
  double p_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_DROPOUT_HPP
