// SPDX-License-Identifier: Apache-2.0
// WinnerLayers: the layers of the network that won the competition on TpuGraphs.
#ifndef MLGRAPH_ARCH_WINNER_LAYERS_HPP
#define MLGRAPH_ARCH_WINNER_LAYERS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/nn/cross_config_attention.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/nn/squeeze_excite.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Options of both winners, with the settings of the winning solution.
struct WinnerOptions : InputOptions {
  std::int64_t hidden_channels = 256;
  std::int64_t num_layers = 2;
  double dropout = 0.2;
  bool initial_residual = false;

  WinnerOptions() {
    direction = Direction::kReverse;
    node_scaling = Scaling::kStandard;
    config_scaling = Scaling::kStandard;
    node_encoding.embed_layout = true;
    opcode_channels = 16;
  }
  template <class V>
  void fields(V& v) {
    v("hidden_channels", "--hidden", hidden_channels, 2, kMaxChannels, "Width, an even number");
    v("num_layers", "--layers", num_layers, 1, kMaxLayers, "Graph layers");
    v("dropout", "--dropout", dropout, 0.0, 1.0, "After each graph layer");
    v("initial_residual", "--initial-residual", initial_residual,
      "Graph layers also add what the nodes were before the first one");
  }
  [[nodiscard]] Status check() const {
    if (hidden_channels % 2 == 0) return {};
    return Status::invalid_argument(
        str_cat("model: hidden_channels is ", hidden_channels, "; should be even in a winner"));
  }
};

/// The winner's: pairwise hinge on one graph a step. `configs_per_graph` differs.
[[nodiscard]] inline Recipe winner_recipe(Selection selection, std::int64_t configs_per_graph) {
  Recipe recipe;
  recipe.loss.kind = Loss::kPairwiseHinge;
  recipe.selection = selection;
  recipe.graphs_per_step = 1;
  recipe.configs_per_graph = configs_per_graph;
  recipe.weight_decay = 1e-5;
  return recipe;
}

/// Two linear layers without edges, and num_layers graph layers.
///
///   linear:  z = SE(IN(W x + b));       x <- gelu([z ; CCA(z)])
///   graph:   z = SE(SAGE(IN(x)));       x <- dropout(gelu([z ; CCA(z)] + x [+ x_0]))
///
/// IN normalises each channel over the nodes of a configuration (without affine), SE is the squeeze-excite gate
/// with reduction 8, CCA cross-config attention with a learned temperature, 0.5 at the start; SAGE takes the
/// mean over neighbours, which are the consumers along Direction::kReverse. z is half as wide as x, or without
/// CCA as wide. x_0 is what the linear layers made.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023).
class WinnerLayers {
 public:
  /// With `num_config_channels` (not -1) the first linear layer has a part for the configuration.
  WinnerLayers(ParamSpec& p, const WinnerOptions& options, std::int64_t num_node_channels, bool compares,
               std::int64_t num_config_channels = -1)
      : options_(options), width_(compares ? options.hidden_channels / 2 : options.hidden_channels) {
    encode_.emplace_back(p, "encode.0", num_node_channels, width_);
    if (num_config_channels >= 0) config_ = Linear(p, "config", num_config_channels, width_, false);
    gates_.emplace_back(p, "encode.0", width_, compares);
    encode_.emplace_back(p, "encode.1", options.hidden_channels, width_);
    gates_.emplace_back(p, "encode.1", width_, compares);
    SAGEConvOptions sage;
    sage.direction = options.direction;
    for (std::int64_t k = 0; k < options.num_layers; ++k) {
      const std::string name = str_cat("layers.", k);
      convs_.emplace_back(p, name, options.hidden_channels, width_, sage);
      gates_.emplace_back(p, name, width_, compares);
    }
  }

  [[nodiscard]] std::vector<Stage> stages() const {
    Stage linear;
    linear.reads_edges = false;
    linear.mixes_nodes = true;
    Stage graph;
    graph.direction = options_.direction;
    graph.mixes_nodes = true;
    graph.draws = options_.dropout > 0;
    std::vector<Stage> stages(2, linear);
    stages.insert(stages.end(), convs_.size(), graph);
    return stages;
  }
  [[nodiscard]] std::int64_t first_rows_of() const { return options_.initial_residual ? 2 : -1; }

  /// W x + b of the first linear layer, whose rest is stage 0.
  template <class C>
  Var first(C& ctx, Var x) const {
    return encode_[0](ctx, x);
  }
  /// Its part for the configuration.
  template <class C>
  Var first_of_config(C& ctx, Var config) const {
    return config_(ctx, config);
  }
  template <class C>
  Var operator()(C& ctx, std::int64_t k, Var x, const Flow<typename C::Scalar>& flow) const {
    const InstanceNorm norm;
    const Gate& gate = gates_[as_size(k)];
    if (k == 0) return ctx.gelu(gate(ctx, norm(ctx, x, flow.ptr), flow.num_configs));
    if (k == 1) return ctx.gelu(gate(ctx, norm(ctx, encode_[1](ctx, x), flow.ptr), flow.num_configs));
    const Var z = convs_[as_size(k) - 2](ctx, norm(ctx, x, flow.ptr), flow);
    Var sum = ctx.add(gate(ctx, z, flow.num_configs), x);
    if (options_.initial_residual) sum = ctx.add(sum, flow.first);
    return ctx.dropout(ctx.gelu(sum), options_.dropout);
  }

 private:
  /// What every layer does with its normalised z: z -> [SE(z) ; CCA(SE(z))].
  class Gate {
   public:
    Gate(ParamSpec& p, const std::string& name, std::int64_t channels, bool compares)
        : squeeze_(p, str_cat(name, ".squeeze"), channels), compares_(compares) {
      if (compares) attention_ = CrossConfigAttention(p, str_cat(name, ".attention"));
    }
    template <class C>
    Var operator()(C& ctx, Var z, std::int64_t num_configs) const {
      z = squeeze_(ctx, z);
      return compares_ ? ctx.concat(z, attention_(ctx, z, num_configs)) : z;
    }

   private:
    SqueezeExcite squeeze_;
    CrossConfigAttention attention_;
    bool compares_;
  };

  WinnerOptions options_;
  std::int64_t width_;
  std::vector<Linear> encode_;  // two
  Linear config_;
  std::vector<Gate> gates_;  // of the linear layers, then of the graph layers
  std::vector<SAGEConv> convs_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_WINNER_LAYERS_HPP
