// SPDX-License-Identifier: Apache-2.0
// SqueezeExcite: a gate per channel, computed from the channels themselves.
#ifndef MLGRAPH_NN_SQUEEZE_EXCITE_HPP
#define MLGRAPH_NN_SQUEEZE_EXCITE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Channel gate: y = x * sigmoid(W2 relu(W1 x)), at every row.
///
/// Shapes: (N, channels) -> the same; lin1 (channels / reduction, channels), lin2 back, both with bias.
/// Source: Hu, Shen, Sun, arXiv:1709.01507, section 3; without the squeeze over positions, as the winner of the
///         competition used it: every node is gated by its own channels.
class SqueezeExcite {
 public:
  SqueezeExcite() = default;
  SqueezeExcite(ParamSpec& p, std::string_view name, std::int64_t channels, std::int64_t reduction = 8)
      : lin1_(p, str_cat(name, ".lin1"), channels, std::max<std::int64_t>(1, channels / reduction)),
        lin2_(p, str_cat(name, ".lin2"), std::max<std::int64_t>(1, channels / reduction), channels) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x) const {
    return ctx.mul(x, lin2_(ctx, lin1_(ctx, x, Activation::kRelu), Activation::kSigmoid));
  }

 private:
  Linear lin1_, lin2_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_SQUEEZE_EXCITE_HPP
