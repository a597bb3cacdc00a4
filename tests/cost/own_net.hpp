// SPDX-License-Identifier: Apache-2.0
// OwnNet: a network that the library does not know, for the tests of all that takes any network.
#ifndef MLGRAPH_TESTS_COST_OWN_NET_HPP
#define MLGRAPH_TESTS_COST_OWN_NET_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/nn/gat_conv.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph::testing {
MLGRAPH_BEGIN_ISA

/// Stages of every kind, along all directions, with a configuration at some nodes and, where asked for, one of
/// the graph as well:
///
///   stage 0              x <- x + tanh(GCN(x)), forward
///   join                 x <- tanh(x + V config)
///   stages 1 ... layers  x <- x + tanh(GATv2(x)), in turn along each direction
///   then                 x <- x + sum over consumers of w_ij tanh(W x_j + V' config_j), with row norm
///   then                 x <- dropout(tanh(W x + V'' config) + x_0), without edges; x_0: rows after the join
///   node_out             x <- tanh(W x)
///   read-out             MLP of [mean of all ; sum of the configurable ; l2 of the same [; config of the
///   graph]]
class OwnNet {
 public:
  static constexpr std::string_view kName = "own-net";
  struct Options : InputOptions {
    std::int64_t hidden_channels = 8;
    std::int64_t num_layers = 2;
    std::int64_t heads = 2;
    double dropout = 0;
    bool reads_graph = false;
    template <class V>
    void fields(V& v) {
      v("hidden_channels", "--hidden", hidden_channels, 1, kMaxChannels, "Width");
      v("num_layers", "--layers", num_layers, 1, kMaxLayers, "Attention layers");
      v("heads", "--heads", heads, 1, 64, "Of the attention");
      v("dropout", "--dropout", dropout, 0.0, 1.0, "Of the last stage");
      v("reads_graph", "--reads-graph", reads_graph, "Configurations have a row for the graph, too");
    }
    [[nodiscard]] Status check() const {
      if (hidden_channels % heads == 0) return {};
      return Status::invalid_argument(str_cat("model: hidden_channels is ", hidden_channels,
                                              "; should be a multiple of the ", heads, " heads"));
    }
  };
  [[nodiscard]] static Recipe recipe(const Options&) {
    Recipe recipe;
    recipe.loss.kind = Loss::kPairwiseLogistic;
    recipe.graphs_per_step = 4;
    recipe.weight_decay = 1e-4;
    return recipe;
  }

  OwnNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options), input_(p, options, in) {
    const std::int64_t hidden = options.hidden_channels;
    encode_ = Linear(p, "encode", input_.node_channels(), hidden);
    gcn_ = GCNConv(p, "gcn", hidden, hidden);
    config_ = Linear(p, "config", input_.config_channels(), hidden, false);
    for (std::int64_t k = 0; k < options.num_layers; ++k) {
      GATv2ConvOptions gat;
      gat.heads = options.heads;
      gats_.emplace_back(p, str_cat("layers.", k), hidden, hidden / options.heads, gat);
    }
    message_ = Linear(p, "message.lin", hidden, hidden);
    message_config_ = Linear(p, "message.config", input_.config_channels(), hidden, false);
    last_ = Linear(p, "last.lin", hidden, hidden);
    last_config_ = Linear(p, "last.config", input_.config_channels(), hidden, false);
    out_ = Linear(p, "out", hidden, hidden);
    p.begin_readout();
    head_ = MLP(p, "head", {3 * hidden + (options.reads_graph ? in.num_config_features : 0), hidden, 1});
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages.resize(static_cast<std::size_t>(options_.num_layers) + 3);
    plan.stages[0].weights = EdgeWeights::kGcn;
    constexpr Direction kInTurn[] = {Direction::kReverse, Direction::kBoth, Direction::kForward};
    for (std::size_t k = 0; k < gats_.size(); ++k) plan.stages[k + 1].direction = kInTurn[k % 3];
    Stage& messages = plan.stages[gats_.size() + 1];
    messages.direction = Direction::kReverse;
    messages.weights = EdgeWeights::kRowNorm;
    messages.has_messages = true;
    plan.stages.back().reads_edges = false;
    plan.stages.back().draws = options_.dropout > 0;
    plan.join = Join::kConfigurable;
    plan.join_stage = 1;
    plan.joins_every_stage = true;
    plan.config_in_readout = options_.reads_graph;
    plan.first_rows_of = 1;
    plan.channels = options_.hidden_channels;
    using kernels::Reduce;
    plan.pools = {{Pool::Rows::kAll, Reduce::kMean, false},
                  {Pool::Rows::kConfigurable, Reduce::kSum, false},
                  {Pool::Rows::kConfigurable, Reduce::kSum, true}};
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return ctx.tanh(encode_(ctx, input_.node(ctx, rows)));
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return input_.config(ctx, rows);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.tanh(add_config(ctx, h, config_(ctx, flow.config), flow));
  }
  template <class C>
  Var message(C& ctx, std::int64_t, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.tanh(add_config(ctx, message_(ctx, h), message_config_(ctx, flow.config), flow));
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var root = flow.roots(ctx, h);
    if (k == 0) return ctx.add(root, ctx.tanh(gcn_(ctx, h, flow)));
    if (k <= options_.num_layers)
      return ctx.add(root, ctx.tanh(gats_[static_cast<std::size_t>(k) - 1](ctx, h, flow)));
    if (k == options_.num_layers + 1) {
      const Var self = ctx.scale_rows(flow.roots(ctx, m), flow.self_weight);
      const Var others = ctx.spmm(Reduce::kSum, flow.edges, m, flow.edge_weight);
      return ctx.add(root, ctx.add(others, self));
    }
    const Var last = ctx.tanh(add_config(ctx, last_(ctx, root), last_config_(ctx, flow.config), flow));
    return ctx.dropout(ctx.add(last, flow.first), options_.dropout);
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.tanh(out_(ctx, h));
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var config) const {
    return head_(ctx, options_.reads_graph ? ctx.concat(pooled, config) : pooled);
  }

 private:
  Options options_;
  InputEmbedding input_;
  Linear encode_, config_, message_, message_config_, last_, last_config_, out_;
  GCNConv gcn_;
  std::vector<GATv2Conv> gats_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_OWN_NET_HPP
