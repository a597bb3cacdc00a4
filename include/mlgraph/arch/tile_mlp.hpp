// SPDX-License-Identifier: Apache-2.0
// TileMlp: the control among the tile networks: it sees no edges.
#ifndef MLGRAPH_ARCH_TILE_MLP_HPP
#define MLGRAPH_ARCH_TILE_MLP_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/arch/tile_net.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- leaky_relu(W x + b) at every node, in a TileNet.
class TileMlpLayers {
 public:
  static constexpr std::string_view kName = "tile-mlp", kLateName = "tile-mlp-late";
  using Options = TileOptions;

  TileMlpLayers(ParamSpec& p, const Options& options, std::int64_t node_channels, std::int64_t config_channels,
                bool late)
      : node_channels_(node_channels), late_(late) {
    const std::int64_t hidden = options.hidden_channels;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      linears_.emplace_back(p, str_cat("layers.", k), k == 0 ? node_channels + config_channels : hidden,
                            hidden);
  }

  [[nodiscard]] static NetPlan plan(const Options& options, bool) {
    Stage stage;
    stage.reads_edges = false;
    NetPlan plan;
    plan.stages.assign(as_size(options.num_layers - 1), stage);
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, Var h) const {
    return late_ ? linears_[0](ctx, h, Activation::kLeakyRelu, kTileSlope)
                 : linears_[0].columns(ctx, h, 0, true);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    const Var shift = linears_[0].columns(ctx, flow.graph_config, node_channels_, false);
    return ctx.config_affine(h, shift, Var{}, {}, Activation::kLeakyRelu, kTileSlope);
  }
  template <class C>
  Var message(C&, Var h) const {
    return h;
  }
  template <class C>
  Var layer(C& ctx, std::size_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    return linears_[k + 1](ctx, flow.roots(ctx, h), Activation::kLeakyRelu, kTileSlope);
  }

 private:
  std::vector<Linear> linears_;
  std::int64_t node_channels_;
  bool late_;
};

using TileMlp = TileNet<TileMlpLayers, false>;
using TileMlpLate = TileNet<TileMlpLayers, true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_TILE_MLP_HPP
