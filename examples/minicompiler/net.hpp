// SPDX-License-Identifier: Apache-2.0
// RuntimeNet: the runtime of a program as a sum over its values, each a correction of what the formula says.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_NET_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_NET_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace minicompiler {

namespace mg = mlgraph;

MLGRAPH_BEGIN_ISA

/// Predicts the logarithm of a program's runtime under a schedule.
///
///   h_v <- relu(B relu(A [opcode ; value ; choice] + a) + b)
///   h_v <- h_v + relu(W_l mean over operands j of z_j + W_r z_v + c)    z = [h ; l], then the same of readers
///   score = log(sum over v of exp(l_v + MLP(h_v)))
///
/// l_v is the first column of a choice, the logarithm of what the formula says of v: see features.hpp. A score
/// is a logarithm of nanoseconds, up to a number that all schedules of a program share.
class RuntimeNet {
 public:
  static constexpr std::string_view kName = "runtime";
  struct Options : mg::InputOptions {
    std::int64_t hidden_channels = 64, num_layers = 2;
    bool from_formula = true;
    Options() {
      num_opcodes = 28;
      opcode_channels = 16;
      node_scaling = mg::Scaling::kStandard;
      config_scaling = mg::Scaling::kRaw;  // logarithms already, and l_v is one to be read as it is
    }
    template <class V>
    void fields(V& v) {
      v("hidden_channels", "--hidden", hidden_channels, 1, mg::kMaxChannels, "Width");
      v("num_layers", "--layers", num_layers, 0, mg::kMaxLayers / 2,
        "Times that values see operands and readers");
      v("from_formula", "--from-formula", from_formula, "Values begin with what the formula says of them");
    }
    [[nodiscard]] mg::Status check() const {
      if (config_encoding == mg::ConfigEncoding::kScaled) return {};
      return mg::Status::invalid_argument("config_encoding should be scaled in a runtime network");
    }
  };
  [[nodiscard]] static mg::Recipe recipe(const Options&) {
    mg::Recipe recipe;
    recipe.loss.kind = mg::Loss::kCentredLog;
    recipe.selection = mg::Selection::kFirst;
    recipe.configs_per_graph = 16;
    recipe.max_slates_per_graph = 4;
    recipe.lr = 2e-3;
    recipe.epochs = 60;
    return recipe;
  }

  RuntimeNet(mg::ParamSpec& p, const Options& options, const mg::InputWidths& in)
      : options_(options),
        input_(p, options, in),
        encode_(p, "encode", input_.node_channels() + input_.config_channels(), options.hidden_channels),
        mix_(p, "mix", options.hidden_channels, options.hidden_channels) {
    const std::int64_t hidden = options.hidden_channels;
    for (std::int64_t k = 0; k < 2 * options.num_layers; ++k) {
      mg::SAGEConvOptions sage;
      sage.direction = direction_of(k);
      layers_.emplace_back(p, mg::str_cat("layers.", k), hidden + 1, hidden, sage);
    }
    head_ = mg::MLP(p, "head", {hidden, hidden, 1});
  }

  [[nodiscard]] mg::NetPlan plan() const {
    mg::NetPlan plan;
    for (std::int64_t k = 0; k < 2 * options_.num_layers; ++k) plan.stages.push_back({true, direction_of(k)});
    plan.join = mg::Join::kConfigurable;
    plan.channels = 1;
    return plan;
  }

  template <class C>
  mg::Var nodes(C& ctx, const mg::NodeRows<typename C::Scalar>& rows) const {
    return encode_.columns(ctx, input_.node(ctx, rows), 0, true);
  }
  /// [its part of the first layer ; l]
  template <class C>
  mg::Var config(C& ctx, const mg::ConfigRows<typename C::Scalar>& rows) const {
    const mg::Var x = input_.config(ctx, rows);
    return ctx.concat(encode_.columns(ctx, x, input_.node_channels(), false), ctx.slice_cols(x, 0, 1));
  }
  template <class C>
  mg::Var join(C& ctx, mg::Var h, const mg::Flow<typename C::Scalar>& flow) const {
    const std::int64_t hidden = options_.hidden_channels;
    const mg::Var zero = ctx.scale(ctx.slice_cols(h, 0, 1), 0);
    const mg::Var start = mg::add_config(ctx, zero, ctx.slice_cols(flow.config, hidden, 1), flow);
    h = ctx.relu(mg::add_config(ctx, h, ctx.slice_cols(flow.config, 0, hidden), flow));
    return ctx.concat(mix_(ctx, h, mg::Activation::kRelu), start);
  }
  template <class C>
  mg::Var layer(C& ctx, std::int64_t k, mg::Var h, mg::Var m, const mg::Flow<typename C::Scalar>& flow) const {
    const std::int64_t hidden = options_.hidden_channels;
    const mg::Var root = flow.roots(ctx, h);
    const mg::Var change =
        layers_[static_cast<std::size_t>(k)](ctx, m, root, flow.edges, mg::Activation::kRelu);
    return ctx.concat(ctx.add(ctx.slice_cols(root, 0, hidden), change), ctx.slice_cols(root, hidden, 1));
  }
  template <class C>
  mg::Var node_out(C& ctx, mg::Var h, const mg::Flow<typename C::Scalar>&) const {
    const std::int64_t hidden = options_.hidden_channels;
    mg::Var log_ns = head_(ctx, ctx.slice_cols(h, 0, hidden));
    if (options_.from_formula) log_ns = ctx.add(log_ns, ctx.slice_cols(h, hidden, 1));
    return ctx.exp(log_ns);
  }
  template <class C>
  mg::Var readout(C& ctx, mg::Var pooled, mg::Var) const {
    return ctx.log(pooled);
  }

 private:
  [[nodiscard]] static mg::Direction direction_of(std::int64_t k) {
    return k % 2 == 0 ? mg::Direction::kForward : mg::Direction::kReverse;
  }

  Options options_;
  mg::InputEmbedding input_;
  mg::Linear encode_, mix_;
  std::vector<mg::SAGEConv> layers_;
  mg::MLP head_;
};

MLGRAPH_END_ISA
}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_NET_HPP
