// SPDX-License-Identifier: Apache-2.0
// CrossConfigAttention: lets a configuration be compared with the others of its graph.
#ifndef MLGRAPH_NN_CROSS_CONFIG_ATTENTION_HPP
#define MLGRAPH_NN_CROSS_CONFIG_ATTENTION_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Attention over the configurations of one graph, at every node and channel.
///
///   y[c, n, k] = x[c, n, k] * softmax over c of (x[:, n, k] / T),   T learned, 0.5 at the start
///
/// A score then depends on which configs are scored together; permuting the configs permutes the scores.
/// Shapes: x (C N, F), config-major -> the same; temperature (1).
/// Errors: a row count that is no multiple of num_configs; a temperature that training drove to 0 or below.
/// Cost:   O(C N F); memory for training C N F scalars.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023).
class CrossConfigAttention {
 public:
  CrossConfigAttention() = default;
  CrossConfigAttention(ParamSpec& p, std::string_view name, double temperature = 0.5)
      : temperature_(p.vector(str_cat(name, ".temperature"), 1, Init::constant(temperature))) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, std::int64_t num_configs) const {
    return ctx.cross_config_attention(x, num_configs, ctx.param(temperature_));
  }

 private:
  Param temperature_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_CROSS_CONFIG_ATTENTION_HPP
