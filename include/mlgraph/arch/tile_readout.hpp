// SPDX-License-Identifier: Apache-2.0
// TileReadout: the head of the tile networks, their recipe, and what all of them have.
#ifndef MLGRAPH_ARCH_TILE_READOUT_HPP
#define MLGRAPH_ARCH_TILE_READOUT_HPP

#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Options of the tile networks.
struct TileOptions : InputOptions {
  std::int64_t hidden_channels = 64;
  std::int64_t num_layers = 3;
  double dropout = 0;
  template <class V>
  void fields(V& v) {
    v("hidden_channels", "--hidden", hidden_channels, 1, kMaxChannels, "Width");
    v("num_layers", "--layers", num_layers, 1, kMaxLayers, "Layers");
    v("dropout", "--dropout", dropout, 0.0, 1.0, "Of the nodes before they are pooled");
  }
};

/// The dataset's: 10 graphs of 10 configurations, ListMLE at temperature 10 with a little squared error.
/// Source: arXiv:2308.13490, section 4.2. The epoch is that of the best first place, not of the best of five.
[[nodiscard]] inline Recipe tile_recipe() {
  Recipe recipe;
  recipe.loss.kind = Loss::kListMle;
  recipe.loss.temperature = 10;
  recipe.loss.mse_weight = 0.02;
  recipe.selection = Selection::kFirst;
  recipe.graphs_per_step = 10;
  recipe.configs_per_graph = 10;
  return recipe;
}

/// The plan of a tile network: `num_stages` like `stage`; with `late` the configuration joins the pooled graph.
[[nodiscard]] inline NetPlan tile_plan(const TileOptions& options, std::int64_t num_stages, const Stage& stage,
                                       bool late) {
  NetPlan plan;
  plan.stages.assign(static_cast<std::size_t>(num_stages), stage);
  plan.channels = options.hidden_channels;
  plan.config_in_readout = late;
  plan.node_out_draws = options.dropout > 0;
  if (!late) plan.join = Join::kGraph;
  return plan;
}

/// MLPs of the tile networks have leaky_relu with slope 0.01; their graph layers have 0.2, TensorFlow's
/// default.
inline constexpr double kTileSlope = 0.2;
[[nodiscard]] inline MlpOptions tile_mlp() {
  MlpOptions options;
  options.activation = Activation::kLeakyRelu;
  return options;
}

/// The pooled graph, and where configurations join late each of them beside it -> MLP -> score.
class TileReadout {
 public:
  /// `num_config_features` of those that join here; 0 where they joined before.
  TileReadout(ParamSpec& p, std::int64_t hidden, std::int64_t num_config_features) {
    p.begin_readout();
    head_ = MLP(p, "head", {hidden + num_config_features, hidden, hidden, 1}, tile_mlp());
  }
  /// Shapes: pooled (C, hidden), or (1, hidden) with config (C, G) -> (C, 1).
  template <class C>
  Var operator()(C& ctx, Var pooled, Var config) const {
    if (config.id != 0) pooled = ctx.concat(ctx.repeat_rows(pooled, ctx.rows(config)), config);
    return head_(ctx, pooled);
  }

 private:
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_ARCH_TILE_READOUT_HPP
