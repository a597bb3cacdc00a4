// SPDX-License-Identifier: Apache-2.0
// MixNet: a network of any three stages, for the tests of what runs them.
#ifndef MLGRAPH_TESTS_COST_MIX_NET_HPP
#define MLGRAPH_TESTS_COST_MIX_NET_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/norm.hpp"

namespace mlgraph::testing {
MLGRAPH_BEGIN_ISA

/// Three stages of any kinds, the configuration before any of them, x_0 of any; one of them may draw.
class MixNet {
 public:
  static constexpr std::string_view kName = "mix-net";
  struct Options : InputOptions {
    std::int64_t hidden_channels = 3;
    std::int64_t num_layers = 3;
    int kinds = 0;  ///< of the stages, in base 4: no edges; forward; reverse with weights; both with messages
    std::int64_t join_stage = 0;
    std::int64_t first_rows_of = -1;
    bool joins_again = false;
    Join join = Join::kConfigurable;
    std::int64_t draws_at = -1;     ///< the stage that draws, 3 for node_out(); -1: none does
    bool takes_statistics = false;  ///< batch norm there, not dropout
  };

  MixNet(ParamSpec& p, const Options& options, const InputWidths& in) : options_(options) {
    const std::int64_t hidden = options.hidden_channels;
    encode_ = Linear(p, "encode", in.num_node_features, hidden);
    config_ = Linear(p, "config", in.num_config_features, hidden);
    again_ = Linear(p, "again", in.num_config_features, hidden);
    for (int k = 0; k < 3; ++k) linears_.emplace_back(p, str_cat("layers.", k), hidden, hidden);
    norm_ = BatchNorm(p, "norm", hidden);
    head_ = Linear(p, "head", hidden, 1);
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages.resize(3);
    for (std::int64_t k = 0; k < 3; ++k) {
      Stage& stage = plan.stages[static_cast<std::size_t>(k)];
      stage.reads_edges = kind(k) != 0;
      stage.direction = kind(k) == 2   ? Direction::kReverse
                        : kind(k) == 3 ? Direction::kBoth
                                       : Direction::kForward;
      stage.weights = kind(k) == 2   ? EdgeWeights::kGcn
                      : kind(k) == 3 ? EdgeWeights::kRowNorm
                                     : EdgeWeights::kNone;
      stage.has_messages = kind(k) == 3;
      stage.draws = k == options_.draws_at;
    }
    plan.node_out_draws = options_.draws_at == 3;
    plan.join = options_.join;
    plan.join_stage = options_.join_stage;
    plan.joins_every_stage = options_.joins_again;
    plan.first_rows_of = options_.first_rows_of;
    plan.channels = options_.hidden_channels;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return ctx.tanh(encode_(ctx, ctx.input(rows.x)));
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    if (options_.join == Join::kConfigurableOnly)
      return ctx.tanh(ctx.add(flow.roots(ctx, h), flow.configs(ctx, config_(ctx, flow.config))));
    if (options_.join == Join::kGraph)
      return ctx.tanh(of_graph(ctx, ctx.repeat_rows(h, flow.num_configs), config_, flow));
    return ctx.tanh(add_config(ctx, h, config_(ctx, flow.config), flow));
  }
  template <class C>
  Var message(C& ctx, std::int64_t k, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.tanh(with_config(ctx, k, linears_[static_cast<std::size_t>(k)](ctx, h), flow));
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    Var y = flow.roots(ctx, h);
    if (kind(k) == 0) y = ctx.tanh(with_config(ctx, k, linears_[static_cast<std::size_t>(k)](ctx, y), flow));
    if (kind(k) == 1) y = ctx.add(y, with_config(ctx, k, ctx.spmm(Reduce::kMax, flow.edges, m), flow));
    if (kind(k) >= 2) {
      const Var self = ctx.scale_rows(flow.roots(ctx, m), flow.self_weight);
      const Var sum = ctx.add(self, ctx.spmm(Reduce::kSum, flow.edges, m, flow.edge_weight));
      y = ctx.add(y, kind(k) == 2 ? with_config(ctx, k, sum, flow) : sum);
    }
    if (options_.first_rows_of >= 0 && k >= options_.first_rows_of) y = ctx.add(y, flow.first);
    return k == options_.draws_at ? drawn(ctx, y) : y;
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return options_.draws_at == 3 ? drawn(ctx, h) : h;
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return head_(ctx, pooled);
  }

 private:
  [[nodiscard]] int kind(std::int64_t k) const { return options_.kinds >> (2 * k) & 3; }
  template <class C>
  Var with_config(C& ctx, std::int64_t k, Var h, const Flow<typename C::Scalar>& flow) const {
    if (!options_.joins_again || k < options_.join_stage || options_.join == Join::kNone) return h;
    if (options_.join == Join::kGraph) return of_graph(ctx, h, again_, flow);
    return add_config(ctx, h, again_(ctx, flow.config), flow);
  }
  /// h, which has equally many rows of each configuration, with those of the graph added.
  template <class C>
  static Var of_graph(C& ctx, Var h, const Linear& linear, const Flow<typename C::Scalar>& flow) {
    const auto size = static_cast<std::size_t>(ctx.rows(h));
    auto* const config = ctx.arena().template allocate<std::int32_t>(size);
    for (std::size_t i = 0; i < size; ++i)
      config[i] = static_cast<std::int32_t>(i / (size / static_cast<std::size_t>(flow.num_configs)));
    const Var of_config = linear(ctx, flow.graph_config);
    return ctx.add(h, ctx.gather_rows(of_config, Span<const std::int32_t>(config, size)));
  }
  template <class C>
  Var drawn(C& ctx, Var h) const {
    return options_.takes_statistics ? norm_(ctx, h) : ctx.dropout(h, 0.4);
  }

  Options options_;
  Linear encode_, config_, again_, head_;
  std::vector<Linear> linears_;
  BatchNorm norm_;
};

/// Calls f(options) for every kind of stages, place of the join, and x_0.
template <class F>
void for_each_mix(F&& f) {
  for (int kinds = 0; kinds < 64; ++kinds) {
    MixNet::Options options;
    options.kinds = kinds;
    options.join_stage = kinds % 4;
    options.joins_again = kinds % 3 == 1;
    options.first_rows_of = kinds % 5 < 2 || options.join_stage == 3
                                ? -1
                                : options.join_stage + kinds / 4 % (3 - options.join_stage);
    INFO("kinds ", kinds);
    f(options);
  }
}

MLGRAPH_END_ISA
}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_MIX_NET_HPP
