// SPDX-License-Identifier: Apache-2.0
// MLP: linear layers with an activation and dropout between them.
#ifndef MLGRAPH_NN_MLP_HPP
#define MLGRAPH_NN_MLP_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
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
#include "mlgraph/nn/neighbour_sum.hpp"

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
    return from(ctx, 0, x);
  }
  /// The same of rows that are sums over neighbours, the first layer in one pass with them.
  template <class Ctx>
  Var of_sum(Ctx& ctx, const NeighbourSum& sum) const {
    if (layers_.empty()) return sum.rows(ctx);
    return from(ctx, 1, dropped(ctx, 0, layers_[0].of_sum(ctx, sum, activation(0))));
  }

 private:
  [[nodiscard]] bool is_plain(std::size_t i) const { return options_.plain_last && i + 1 == layers_.size(); }
  [[nodiscard]] Activation activation(std::size_t i) const {
    return is_plain(i) ? Activation::kNone : options_.activation;
  }
  template <class Ctx>
  Var dropped(Ctx& ctx, std::size_t i, Var y) const {
    return is_plain(i) ? y : ctx.dropout(y, options_.dropout);
  }
  template <class Ctx>
  Var from(Ctx& ctx, std::size_t first, Var x) const {
    for (std::size_t i = first; i < layers_.size(); ++i) x = dropped(ctx, i, layers_[i](ctx, x, activation(i)));
    return x;
  }

  std::vector<Linear> layers_;
  MlpOptions options_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_MLP_HPP
