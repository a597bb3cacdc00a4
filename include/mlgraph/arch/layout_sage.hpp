// SPDX-License-Identifier: Apache-2.0
// LayoutSage: GraphSAGE on a whole program, whose nodes know their layouts from the start.
#ifndef MLGRAPH_ARCH_LAYOUT_SAGE_HPP
#define MLGRAPH_ARCH_LAYOUT_SAGE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/arch/layout_readout.hpp"
#include "mlgraph/arch/sage_layers.hpp"
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
///   x <- relu(leaky_relu(encode node) + V config);   x <- x + relu(W_l mean over neighbours + W_r x + b);
///   LayoutReadout
///
/// Not among the dataset's layout models: its tile-sage, with the configuration at its node.
class LayoutSage {
 public:
  static constexpr std::string_view kName = "layout-sage";
  using Options = LayoutOptions;
  [[nodiscard]] static Recipe recipe(const Options&) { return {}; }

  LayoutSage(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        encode_(p, "encode", input_.node_channels(), options.hidden_channels),
        config_(p, "config", input_.config_channels(), options.hidden_channels, false),
        layers_(p, options.hidden_channels, options.num_layers, options.direction),
        readout_(p, options.hidden_channels, options.dropout) {}

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    Stage stage;
    stage.direction = options_.direction;
    plan.stages.assign(as_size(options_.num_layers), stage);
    plan.join = Join::kConfigurable;
    plan.channels = options_.hidden_channels;
    plan.pools = LayoutReadout::pools();
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return encode_(ctx, input_.node(ctx, rows), Activation::kLeakyRelu, 0.2);
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return input_.config_of_all_nodes(ctx, rows);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.relu(add_config(ctx, h, config_(ctx, flow.config), flow));
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
  Linear encode_, config_;
  SageLayers layers_;
  LayoutReadout readout_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_LAYOUT_SAGE_HPP
