// SPDX-License-Identifier: Apache-2.0
// ResGcnLayers: the graph layers of the layout-resgcn networks.
#ifndef MLGRAPH_ARCH_RESGCN_LAYERS_HPP
#define MLGRAPH_ARCH_RESGCN_LAYERS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- x + A^ m,   m = leaky_relu(W x + b [+ V config]),   A^ = D^-1/2 (A + I) D^-1/2 along the direction
class ResGcnLayers {
 public:
  static constexpr bool kHasMessages = true;
  static constexpr EdgeWeights kWeights = EdgeWeights::kGcn;
  static constexpr double kSlope = 0.2;  // TensorFlow's default

  /// With `config_channels` (not -1) each layer has a V.
  ResGcnLayers(ParamSpec& p, std::int64_t hidden, std::int64_t num_layers, Direction,
               std::int64_t config_channels = -1) {
    for (std::int64_t k = 0; k < num_layers; ++k) {
      linears_.emplace_back(p, str_cat("layers.", k, ".lin"), hidden, hidden);
      if (config_channels >= 0)
        configs_.emplace_back(p, str_cat("layers.", k, ".config"), config_channels, hidden, false);
    }
  }

  template <class C>
  Var message(C& ctx, std::int64_t k, Var h) const {
    return ctx.leaky_relu(linears_[as_size(k)](ctx, h), kSlope);
  }
  template <class C>
  Var message(C& ctx, std::int64_t k, Var h, const Flow<typename C::Scalar>& flow) const {
    const auto i = as_size(k);
    const Var delta = configs_[i](ctx, flow.config);
    return ctx.leaky_relu(add_config(ctx, linears_[i](ctx, h), delta, flow), kSlope);
  }
  template <class C>
  Var operator()(C& ctx, std::int64_t, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var root = flow.roots(ctx, h);
    const Var neighbours = ctx.spmm(Reduce::kSum, flow.edges, m, flow.edge_weight);
    const Var self = ctx.scale_rows(flow.roots(ctx, m), flow.self_weight);
    return ctx.add(root, ctx.add(neighbours, self));
  }

 private:
  std::vector<Linear> linears_, configs_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_RESGCN_LAYERS_HPP
