// SPDX-License-Identifier: Apache-2.0
// LayoutResGcn: the dataset's own layout network, told of the layouts before every layer.
#ifndef MLGRAPH_ARCH_LAYOUT_RESGCN_HPP
#define MLGRAPH_ARCH_LAYOUT_RESGCN_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/arch/layout_readout.hpp"
#include "mlgraph/arch/resgcn_layers.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Ranks the layouts of a program's tensors.
///
///   x <- x + A^ leaky_relu(W [x ; config] + b),   A^ = D^-1/2 (A + A^T + I) D^-1/2;   LayoutReadout
///
/// Source: arXiv:2308.13490, section 4.3.
class LayoutResGcn {
 public:
  static constexpr std::string_view kName = "layout-resgcn";
  struct Options : LayoutOptions {
    Options() {
      hidden_channels = 32;
      num_layers = 2;
    }
  };
  [[nodiscard]] static Recipe recipe(const Options&) { return {}; }

  LayoutResGcn(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        encode_(p, "encode", input_.node_channels(), options.hidden_channels),
        layers_(p, options.hidden_channels, options.num_layers, options.direction, input_.config_channels()),
        readout_(p, options.hidden_channels, options.dropout) {}

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    Stage stage;
    stage.direction = options_.direction;
    stage.weights = ResGcnLayers::kWeights;
    stage.has_messages = true;
    plan.stages.assign(as_size(options_.num_layers), stage);
    plan.join = Join::kConfigurable;
    plan.joins_every_stage = true;
    plan.channels = options_.hidden_channels;
    plan.pools = LayoutReadout::pools();
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return encode_(ctx, input_.node(ctx, rows), Activation::kLeakyRelu, ResGcnLayers::kSlope);
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return input_.config_of_all_nodes(ctx, rows);
  }
  template <class C>
  Var join(C&, Var h, const Flow<typename C::Scalar>&) const {
    return h;  // every message() reads it
  }
  template <class C>
  Var message(C& ctx, std::int64_t k, Var h, const Flow<typename C::Scalar>& flow) const {
    return layers_.message(ctx, k, h, flow);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    return layers_(ctx, k, h, m, flow);
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return readout_(ctx, pooled);
  }

 private:
  Options options_;
  InputEmbedding input_;
  Linear encode_;
  ResGcnLayers layers_;
  LayoutReadout readout_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_LAYOUT_RESGCN_HPP
