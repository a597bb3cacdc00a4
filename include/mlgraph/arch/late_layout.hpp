// SPDX-License-Identifier: Apache-2.0
// LateLayout: layout networks that compute the graph once, and then each configurable node with its layouts.
#ifndef MLGRAPH_ARCH_LATE_LAYOUT_HPP
#define MLGRAPH_ARCH_LATE_LAYOUT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/arch/layout_readout.hpp"
#include "mlgraph/arch/resgcn_layers.hpp"
#include "mlgraph/arch/sage_layers.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/pool.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Ranks the layouts of a program's tensors: a score is the sum over the configurable nodes of an MLP. With
/// config_layers, nodes whose layouts cost more together than each alone can tell: every layer tells each of
/// the mean of all.
///
///   z_k <- relu(A h_k + B config_k [+ (A' h_k) * (B' config_k)])       the product with config_layers only
///   z_k <- z_k + relu(W_l z_k + b + W_r mean over configurable nodes j of z_j)            config_layers times
///
/// h are the nodes after the graph layers, which see no configuration. Not among the dataset's layout models.
template <class Layers>
class LateLayout {
 public:
  struct Options : LayoutOptions {
    std::int64_t config_layers = 0;
    Options() {
      if (!Layers::kHasMessages) return;
      hidden_channels = 32;
      num_layers = 2;
    }
    template <class V>
    void fields(V& v) {
      LayoutOptions::fields(v);
      v("config_layers", "--config-layers", config_layers, 0, kMaxLayers,
        "Layers in which configurable nodes tell each other of their configs");
    }
  };
  [[nodiscard]] static Recipe recipe(const Options&) { return {}; }

  LateLayout(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        encode_(p, "encode", input_.node_channels(), options.hidden_channels),
        layers_(p, options.hidden_channels, options.num_layers, options.direction) {
    const std::int64_t hidden = options.hidden_channels;
    node_ = Linear(p, "node", hidden, hidden);
    config_ = Linear(p, "config", input_.config_channels(), hidden, false);
    if (options.config_layers > 0) {
      gate_ = Linear(p, "gate", hidden, hidden);
      config_gate_ = Linear(p, "config_gate", input_.config_channels(), hidden, false);
    }
    for (std::int64_t k = 0; k < options.config_layers; ++k) {
      own_.emplace_back(p, str_cat("config_layers.", k, ".lin_l"), hidden, hidden);
      mean_.emplace_back(p, str_cat("config_layers.", k, ".lin_r"), hidden, hidden, false);
    }
    head_ = MLP(p, "head", {hidden, hidden, 1});
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    Stage graph;
    graph.direction = options_.direction;
    graph.weights = Layers::kWeights;
    graph.has_messages = Layers::kHasMessages;
    Stage among_configs;
    among_configs.reads_edges = false;
    among_configs.mixes_nodes = true;
    plan.stages.assign(as_size(options_.num_layers), graph);
    plan.stages.insert(plan.stages.end(), as_size(options_.config_layers), among_configs);
    plan.join = Join::kConfigurableOnly;
    plan.join_stage = options_.num_layers;
    plan.channels = 1;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return encode_(ctx, input_.node(ctx, rows), Activation::kLeakyRelu, 0.2);
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return input_.config(ctx, rows);
  }
  template <class C>
  Var message(C& ctx, std::int64_t k, Var h, const Flow<typename C::Scalar>&) const {
    return layers_.message(ctx, k, h);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    const Var node = flow.roots(ctx, node_(ctx, h));
    Var z = ctx.add(node, flow.configs(ctx, config_(ctx, flow.config)));
    if (options_.config_layers > 0) {
      const Var gate = flow.roots(ctx, gate_(ctx, h));
      z = ctx.add(z, ctx.mul(gate, flow.configs(ctx, config_gate_(ctx, flow.config))));
    }
    return ctx.relu(z);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    if (k < options_.num_layers) return layers_(ctx, k, h, m, flow);
    const auto i = as_size(k - options_.num_layers);
    const Var mean = mean_[i](ctx, global_mean_pool(ctx, h, flow.ptr));
    return ctx.add(h,
                   ctx.relu(ctx.add(own_[i](ctx, h), ctx.gather_rows(mean, flow.config_of_rows(ctx.arena())))));
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return head_(ctx, ctx.dropout(h, options_.dropout));
  }
  template <class C>
  Var readout(C&, Var pooled, Var) const {
    return pooled;
  }

 private:
  Options options_;
  InputEmbedding input_;
  Linear encode_;
  Layers layers_;
  Linear node_, gate_, config_, config_gate_;
  std::vector<Linear> own_, mean_;  // of the config layers
  MLP head_;
};

/// LayoutSage whose configurations join after the layers.
class LayoutSageLate : public LateLayout<SageLayers> {
 public:
  static constexpr std::string_view kName = "layout-sage-late";
  using LateLayout::LateLayout;
};
/// LayoutResGcn whose configurations join after the layers.
class LayoutResGcnLate : public LateLayout<ResGcnLayers> {
 public:
  static constexpr std::string_view kName = "layout-resgcn-late";
  using LateLayout::LateLayout;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_LATE_LAYOUT_HPP
