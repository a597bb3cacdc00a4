// SPDX-License-Identifier: Apache-2.0
// A network that keeps its plan but for one flaw.
#ifndef MLGRAPH_TESTS_TRAIN_FLAWED_NET_HPP
#define MLGRAPH_TESTS_TRAIN_FLAWED_NET_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/train/check_net.hpp"

namespace mlgraph::testing {

/// What is wrong with a network.
enum class Flaw {
  kNone,
  kTwoHops,
  kMixesNodes,
  kMixesConfigs,
  kIgnoresRoots,
  kCountsRows,
  kReadsRows,       // of neighbours, though they have messages
  kReadsConfig,     // again
  kConfigOfOthers,  // in join()
  kDraws,
  kDrawsEarly,
  kDrawsLate,
  kStatistics,
  kStatisticsThenDraws,
  kGradient,
  kNodesMix,
  kNodeOutMixes,
  kOnTape,
  kReadoutWeight,
  kChannels,
  kOutputs,
  kNodeRows,
  kStageRows,
  kPlan,
};

/// y = x, whose gradient is twice what it should be.
struct WrongGradient {
  Var x, y;
  template <class Ctx>
  void backward(Ctx& ctx) const {
    const auto dx = ctx.grad_target(x);
    kernels::scale(typename Ctx::Scalar(2), ctx.out_grad(y).data, dx.view.data, dx.view.size(), dx.accumulate,
                   ctx.pool());
  }
};

/// GraphSAGE on nodes with configurations; the second of three stages has messages.
template <Flaw kFlaw>
class FlawedNet {
  static constexpr bool kTakesStatistics = kFlaw == Flaw::kStatistics || kFlaw == Flaw::kStatisticsThenDraws;

 public:
  static constexpr std::string_view kName = "my-net";
  struct Options : InputOptions {
    std::int64_t hidden_channels = 3;
    Options() { num_opcodes = 4; }
    template <class V>
    void fields(V& v) {
      v("hidden_channels", "--hidden", hidden_channels, 1, kMaxChannels, "Width");
    }
  };

  FlawedNet(ParamSpec& p, const Options& options, const InputWidths& in) {
    const std::int64_t hidden = options.hidden_channels;
    encode_ = Linear(p, "encode", in.num_node_features, hidden);
    config_ = Linear(p, "config", in.num_config_features, hidden, false);
    message_ = Linear(p, "message", hidden, hidden);
    sage_ = SAGEConv(p, "sage", hidden, hidden);
    if (kTakesStatistics) norm_ = BatchNorm(p, "norm", hidden);
    p.begin_readout();
    head_ = Linear(p, "head", hidden, kFlaw == Flaw::kOutputs ? 2 : 1);
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages.resize(3);
    plan.stages[1].has_messages = true;
    plan.stages[1].direction = Direction::kReverse;
    plan.stages[2].reads_edges = false;
    plan.join = Join::kConfigurable;
    plan.join_stage = kFlaw == Flaw::kPlan ? 4 : 0;
    plan.channels = kFlaw == Flaw::kChannels ? 4 : 3;
    plan.node_out_draws = kFlaw == Flaw::kStatisticsThenDraws;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    const Var h = ctx.tanh(encode_(ctx, ctx.input(rows.x)));
    if (kFlaw == Flaw::kNodesMix) return ctx.add(h, mean_of(ctx, h, 1));
    if (kFlaw == Flaw::kNodeRows) return ctx.repeat_rows(h, 2);
    if (kFlaw == Flaw::kDrawsEarly) return ctx.dropout(h, 0.5);
    if (kFlaw == Flaw::kReadoutWeight) {
      const Var score = head_(ctx, h);
      const Var twice = ctx.concat(score, score);
      return ctx.add(h, ctx.concat(twice, score));
    }
    return h;
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    Var config = flow.config;
    if (kFlaw == Flaw::kConfigOfOthers && ctx.rows(config) > 0)
      config = ctx.add(config, mean_of(ctx, config, 1));
    return ctx.tanh(add_config(ctx, h, config_(ctx, config), flow));
  }
  template <class C>
  Var message(C& ctx, std::int64_t, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.tanh(message_(ctx, h));
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    if (k == 0) return first(ctx, h, flow);
    const Var root = flow.roots(ctx, h);
    if (k == 1) {
      const Var sum = ctx.spmm(Reduce::kSum, flow.edges, kFlaw == Flaw::kReadsRows ? h : m);
      const Var y = ctx.add(root, ctx.tanh(sum));
      return kFlaw == Flaw::kTwoHops ? ctx.add(y, ctx.spmm(Reduce::kSum, flow.edges, sum)) : y;
    }
    if (kFlaw == Flaw::kMixesNodes) return ctx.add(root, mean_of(ctx, root, flow.num_configs));
    if (kFlaw == Flaw::kMixesConfigs) return ctx.add(root, of_next_config(ctx, root, flow.num_configs));
    if (kFlaw == Flaw::kCountsRows)
      return ctx.scale(root, static_cast<typename C::Scalar>(ctx.rows(root) / flow.num_configs));
    if (kFlaw == Flaw::kStageRows) return ctx.repeat_rows(root, 2);
    if (kFlaw == Flaw::kDraws) return ctx.dropout(root, 0.5);
    if (kTakesStatistics) return norm_(ctx, root);
    if (kFlaw == Flaw::kOnTape && C::kRecords) return ctx.scale(root, typename C::Scalar(1.25));
    if (kFlaw == Flaw::kReadsConfig) return add_config(ctx, root, config_(ctx, flow.config), flow);
    return root;
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    if (kFlaw == Flaw::kDrawsLate || kFlaw == Flaw::kStatisticsThenDraws) return ctx.dropout(h, 0.5);
    return kFlaw == Flaw::kNodeOutMixes ? ctx.add(h, mean_of(ctx, h, 1)) : h;
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return head_(ctx, pooled);
  }

 private:
  template <class C>
  Var first(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    const Var y = sage_(ctx, h, flow, Activation::kTanh);
    if (kFlaw == Flaw::kIgnoresRoots) return ctx.add(h, y);
    const Var root = flow.roots(ctx, h);
    if (kFlaw != Flaw::kGradient) return ctx.add(root, y);
    const Var same = ctx.allocate(ctx.rows(y), ctx.cols(y), ctx.needs_grad(y));
    kernels::copy_block(ctx.value(y), ctx.mutable_value(same), false, ctx.pool());
    ctx.record(same, WrongGradient{y, same});
    return ctx.add(root, same);
  }
  /// The mean of the rows of each copy, at every row.
  template <class C>
  static Var mean_of(C& ctx, Var h, std::int64_t copies) {
    const std::int64_t n = ctx.rows(h) / copies;
    auto* const of = ctx.arena().template allocate<std::int32_t>(static_cast<std::size_t>(ctx.rows(h)));
    for (std::int64_t i = 0; i < ctx.rows(h); ++i) of[i] = static_cast<std::int32_t>(i / n);
    const Var mean = global_mean_pool(ctx, h, detail::ptr_of_equal_parts(ctx.arena(), copies, n));
    return ctx.gather_rows(mean, {of, static_cast<std::size_t>(ctx.rows(h))});
  }

  /// The row of the same node in the next configuration.
  template <class C>
  static Var of_next_config(C& ctx, Var h, std::int64_t copies) {
    const std::int64_t size = ctx.rows(h);
    auto* const of = ctx.arena().template allocate<std::int32_t>(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) of[i] = static_cast<std::int32_t>((i + size / copies) % size);
    return ctx.gather_rows(h, {of, static_cast<std::size_t>(size)});
  }

  Linear encode_, config_, message_, head_;
  SAGEConv sage_;
  BatchNorm norm_;
};

/// What check_net() says of it.
template <Flaw kFlaw>
std::string flaw_message() {
  return check_net<FlawedNet<kFlaw>>().message();
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_FLAWED_NET_HPP
