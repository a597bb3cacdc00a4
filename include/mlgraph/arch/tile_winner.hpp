// SPDX-License-Identifier: Apache-2.0
// TileWinner: the network that won the competition on TpuGraphs, for tiles.
#ifndef MLGRAPH_ARCH_TILE_WINNER_HPP
#define MLGRAPH_ARCH_TILE_WINNER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/arch/winner_layers.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// WinnerLayers, once for all configurations and without comparing them;
/// [MLP(config) ; max over nodes ; mean over nodes] -> MLP -> score.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023).
class TileWinner {
 public:
  static constexpr std::string_view kName = "tile-winner";
  using Options = WinnerOptions;
  [[nodiscard]] static Recipe recipe(const Options&) { return winner_recipe(Selection::kFirst, 128); }

  TileWinner(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options), input_(p, options, in), layers_(p, options, input_.node_channels(), false) {
    const std::int64_t hidden = options.hidden_channels;
    MlpOptions gelu;
    gelu.activation = Activation::kGelu;
    p.begin_readout();
    config_ = MLP(p, "config", {in.num_config_features, hidden, hidden}, gelu);
    head_ = MLP(p, "head", {3 * hidden, hidden, hidden, 1}, gelu);
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages = layers_.stages();
    plan.first_rows_of = layers_.first_rows_of();
    plan.config_in_readout = true;
    plan.channels = options_.hidden_channels;
    plan.pools.resize(2);
    plan.pools[0].reduce = kernels::Reduce::kMax;
    plan.pools[1].reduce = kernels::Reduce::kMean;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return layers_.first(ctx, input_.node(ctx, rows));
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    return layers_(ctx, k, h, flow);
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var config) const {
    const Var z = config_(ctx, config);
    return head_(ctx, ctx.concat(z, ctx.repeat_rows(pooled, ctx.rows(z))));
  }

 private:
  Options options_;
  InputEmbedding input_;
  WinnerLayers layers_;
  MLP config_, head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_TILE_WINNER_HPP
