// SPDX-License-Identifier: Apache-2.0
// LayoutWinner: the network that won the competition on TpuGraphs, for layouts.
#ifndef MLGRAPH_ARCH_LAYOUT_WINNER_HPP
#define MLGRAPH_ARCH_LAYOUT_WINNER_HPP
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

/// The configuration is part of every node (entries of its own, or row 0 of the layout table at nodes without
/// any); WinnerLayers; the mean over nodes -> linear -> score, or with node_scores an MLP at every node and the
/// sum of the nodes' scores.
///
/// config_chunk > 0 lets the configurations see each other: then a score depends on which are scored together,
/// and permuting these permutes the scores.
/// Cost:   every node of every configuration; no rows are shared, as IN mixes all nodes.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023). The first linear layer on
///         [node ; config] is computed as the sum of its two parts, of which the node's is made once.
class LayoutWinner {
 public:
  static constexpr std::string_view kName = "layout-winner";
  struct Options : WinnerOptions {
    std::int64_t config_chunk = 64;
    bool node_scores = false;
    Options() {
      config_encoding = ConfigEncoding::kEmbedding;
      prune.kind = Prune::kEdges;
    }
    template <class V>
    void fields(V& v) {
      WinnerOptions::fields(v);
      v("config_chunk", "--config-chunk", config_chunk, 0, kMaxConfigChunk,
        "So many configs are compared with each other, and are a step's unless told otherwise; 0: none");
      v("node_scores", "--node-scores", node_scores,
        "Sum a score of each node, instead of scoring the mean node");
    }
  };
  [[nodiscard]] static Recipe recipe(const Options& options) {
    return winner_recipe(Selection::kTau, options.config_chunk > 0 ? options.config_chunk : 128);
  }

  LayoutWinner(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        layers_(p, options, input_.node_channels(), options.config_chunk > 0, input_.config_channels()) {
    const std::int64_t hidden = options.hidden_channels;
    MlpOptions gelu;
    gelu.activation = Activation::kGelu;
    if (options.node_scores) {
      head_ = MLP(p, "head", {hidden, hidden, 1}, gelu);
    } else {
      p.begin_readout();
      head_ = MLP(p, "head", {hidden, 1});
    }
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages = layers_.stages();
    plan.join = Join::kConfigurable;
    plan.first_rows_of = layers_.first_rows_of();
    plan.config_chunk = options_.config_chunk;
    plan.channels = options_.node_scores ? 1 : options_.hidden_channels;
    plan.pools[0].reduce = options_.node_scores ? kernels::Reduce::kSum : kernels::Reduce::kMean;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return layers_.first(ctx, input_.node(ctx, rows));
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return input_.config_of_all_nodes(ctx, rows);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return add_config(ctx, h, layers_.first_of_config(ctx, flow.config), flow);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    return layers_(ctx, k, h, flow);
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return options_.node_scores ? head_(ctx, h) : h;
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return options_.node_scores ? pooled : head_(ctx, pooled);
  }

 private:
  Options options_;
  InputEmbedding input_;
  WinnerLayers layers_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_LAYOUT_WINNER_HPP
