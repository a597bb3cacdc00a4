// SPDX-License-Identifier: Apache-2.0
// MLP: linear layers with an activation and dropout between them.
#ifndef MLGRAPH_NN_MLP_HPP
#define MLGRAPH_NN_MLP_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What stands between the layers of an MLP.
struct MlpOptions {
  Activation activation = Activation::kRelu;
  double dropout = 0;      ///< after each activation, in training
  bool plain_last = true;  ///< no activation and no dropout after the last layer
  bool bias = true;
};

/// Linear layers `name.lins.0`, `name.lins.1`, ... (PyG's names) with an activation after each but the last.
///
/// Shapes: x (N, channels.front()) -> (N, channels.back()).
class MLP {
 public:
  MLP() = default;
  MLP(ParamSpec& p, std::string_view name, Span<const std::int64_t> channels, const MlpOptions& options = {})
      : options_(options) {
    for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
      layers_.emplace_back(p, str_cat(name, ".lins.", i), channels[i], channels[i + 1], options.bias);
    }
  }
  MLP(ParamSpec& p, std::string_view name, std::initializer_list<std::int64_t> channels,
      const MlpOptions& options = {})
      : MLP(p, name, Span<const std::int64_t>(channels.begin(), channels.size()), options) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x) const {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const bool plain = options_.plain_last && i + 1 == layers_.size();
      x = layers_[i](ctx, x, plain ? Activation::kNone : options_.activation);
      if (!plain) x = ctx.dropout(x, options_.dropout);
    }
    return x;
  }

 private:
  std::vector<Linear> layers_;
  MlpOptions options_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_MLP_HPP
