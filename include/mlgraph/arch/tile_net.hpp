// SPDX-License-Identifier: Apache-2.0
// TileNet: what the tile networks of the dataset have in common, around layers of each.
#ifndef MLGRAPH_ARCH_TILE_NET_HPP
#define MLGRAPH_ARCH_TILE_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
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

/// MLPs of the tile networks have leaky_relu with slope 0.01; their graph layers have 0.2, TensorFlow's
/// default.
inline constexpr double kTileSlope = 0.2;
[[nodiscard]] inline MlpOptions tile_mlp() {
  MlpOptions options;
  options.activation = Activation::kLeakyRelu;
  return options;
}

/// Layers at all nodes; the sum over nodes -> MLP -> score. The configuration joins every node before the
/// layers, or with kLate the pooled graph after them, beside which it stands then.
///
/// Layers is made of (ParamSpec, Options, channels of a node, those of a configuration that joins it, kLate);
/// it has kName, kLateName, Options, the functions of a network and
///   static NetPlan plan(options, late)      whose stages it gives
template <class Layers, bool kLate>
class TileNet {
 public:
  static constexpr std::string_view kName = kLate ? Layers::kLateName : Layers::kName;
  using Options = typename Layers::Options;

  /// The dataset's: 10 graphs of 10 configurations, ListMLE at temperature 10 with a little squared error.
  /// Source: arXiv:2308.13490, section 4.2. The epoch is that of the best first place, not of the best of five.
  [[nodiscard]] static Recipe recipe(const Options&) {
    Recipe recipe;
    recipe.loss.kind = Loss::kListMle;
    recipe.loss.temperature = 10;
    recipe.loss.mse_weight = 0.02;
    recipe.selection = Selection::kFirst;
    recipe.graphs_per_step = 10;
    recipe.configs_per_graph = 10;
    return recipe;
  }

  TileNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        layers_(p, options, input_.node_channels(), kLate ? 0 : in.num_config_features, kLate) {
    const std::int64_t hidden = options.hidden_channels;
    p.begin_readout();
    head_ = MLP(p, "head", {hidden + (kLate ? in.num_config_features : 0), hidden, hidden, 1}, tile_mlp());
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan = Layers::plan(options_, kLate);
    plan.channels = options_.hidden_channels;
    plan.config_in_readout = kLate;
    plan.node_out_draws = options_.dropout > 0;
    if (!kLate) plan.join = Join::kGraph;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return layers_.nodes(ctx, input_.node(ctx, rows));
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return layers_.join(ctx, h, flow);
  }
  template <class C>
  Var message(C& ctx, std::int64_t, Var h, const Flow<typename C::Scalar>&) const {
    return layers_.message(ctx, h);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    return layers_.layer(ctx, as_size(k), h, m, flow);
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.dropout(h, options_.dropout);
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var config) const {
    if (config.id != 0) pooled = ctx.concat(ctx.repeat_rows(pooled, ctx.rows(config)), config);
    return head_(ctx, pooled);
  }

 private:
  Options options_;
  InputEmbedding input_;
  Layers layers_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_TILE_NET_HPP
