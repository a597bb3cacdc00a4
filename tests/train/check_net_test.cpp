// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/check_net.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "cost/own_net.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
namespace {

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
    const Var mean = global_mean_pool(ctx, h, detail::equal_segments(ctx.arena(), copies, n));
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

template <Flaw kFlaw>
std::string message() {
  return check_net<FlawedNet<kFlaw>>().message();
}

TEST_CASE("a network that keeps its plan passes, and each that breaks it is told how") {
  CHECK(message<Flaw::kNone>().empty());
  CHECK(message<Flaw::kTwoHops>() == "my-net: stage 1: row 0 changes with node 5, which it does not read");
  CHECK(message<Flaw::kMixesNodes>() == "my-net: stage 2: row 1 changes with node 0, which it does not read");
  CHECK(message<Flaw::kMixesConfigs>() ==
        "my-net: stage 2: the rows of config 2 change with those of config 0; NetPlan::config_chunk should say "
        "that "
        "configs are compared");
  CHECK(message<Flaw::kReadsRows>() ==
        "my-net: stage 1: row 0 reads node 1 itself; Stage::has_messages says its message");
  CHECK(message<Flaw::kReadsConfig>() ==
        "my-net: stage 2: row 3 of config 0 changes with the config of node 3 in config 0; "
        "NetPlan::joins_every_stage should say so");
  CHECK(message<Flaw::kConfigOfOthers>() ==
        "my-net: join(): row 0 of config 0 changes with the config of node 3 in config 0");
  CHECK(message<Flaw::kNodesMix>() == "my-net: nodes(): row 1 changes with node 0");
  CHECK(message<Flaw::kNodeOutMixes>() == "my-net: node_out(): row 1 changes with row 0");
  CHECK(message<Flaw::kDraws>() ==
        "my-net: stage 2 draws random numbers in training; Stage::draws should say so");
  CHECK(message<Flaw::kDrawsEarly>() ==
        "my-net: nodes() draws random numbers in training; only stages may, and what comes after them");
  CHECK(message<Flaw::kDrawsLate>() ==
        "my-net: node_out() draws random numbers in training; NetPlan::node_out_draws should say so");
  CHECK(message<Flaw::kStatistics>() ==
        "my-net: in training the pools are others when equal rows are made once; a stage that takes statistics "
        "of "
        "its rows says so by Stage::draws");
  CHECK(message<Flaw::kStatisticsThenDraws>() == message<Flaw::kStatistics>());
  CHECK(message<Flaw::kOnTape>() == "my-net: stage 2: Eager and Tape differ in row 0");
  CHECK(message<Flaw::kReadoutWeight>() ==
        "my-net: head.weight is made after begin_readout(), and rows of nodes depend on it");
}

TEST_CASE("a network that needs all rows to make some is found out") {
  CHECK(message<Flaw::kIgnoresRoots>().rfind("my-net: stage 0 on some of the rows alone: ", 0) == 0);
  CHECK(message<Flaw::kCountsRows>().rfind("my-net: stage 2: row ", 0) == 0);
  CHECK(message<Flaw::kCountsRows>().find(
            " is another when some of the rows are made alone; it should be made of flow.roots() and what "
            "flow.edges names") != std::string::npos);
}

TEST_CASE("a wrong gradient is found") {
  CHECK(message<Flaw::kGradient>().rfind("my-net: gradient of ", 0) == 0);
  CHECK(message<Flaw::kGradient>().find("; the central difference is ") != std::string::npos);
}

TEST_CASE("shapes that the plan does not say are found") {
  CHECK(message<Flaw::kChannels>() ==
        "my-net: the read-out: the rows that are pooled have 3 columns; the plan says 4");
  CHECK(message<Flaw::kOutputs>() == "my-net: the read-out: the read-out gives (3, 2); should be (3, 1)");
  CHECK(message<Flaw::kNodeRows>() == "my-net: nodes() makes 16 rows; should be 8");
  CHECK(message<Flaw::kStageRows>() == "my-net: stage 2 makes 48 rows; should be 24");
  CHECK(message<Flaw::kPlan>() == "model: my-net: configurations join before stage 4; there are 3 stages");
  FlawedNet<Flaw::kNone>::Options options;
  options.hidden_channels = 0;
  CHECK(check_net<FlawedNet<Flaw::kNone>>(options).message() ==
        "model: hidden_channels is 0; should be in [1, 4096]");
}

/// Its plan joins configurations, and it does not.
struct NoJoin {
  static constexpr std::string_view kName = "no-join";
  struct Options : InputOptions {};
  NoJoin(ParamSpec&, const Options&, const InputWidths&) {}
  [[nodiscard]] static NetPlan plan() {
    NetPlan plan;
    plan.join = Join::kConfigurable;
    plan.channels = 3;
    return plan;
  }
  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return ctx.input(rows.x);
  }
  template <class C>
  Var layer(C&, std::int64_t, Var h, Var, const Flow<typename C::Scalar>&) const {
    return h;
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return ctx.slice_cols(pooled, 0, 1);
  }
};

TEST_CASE("a function that the plan needs and the network lacks is named") {
  CHECK(check_net<NoJoin>().message() == "no-join: its plan joins configurations and it has no join()");
}

/// The score of a config depends on those beside it: in the read-out, which no other check sees.
struct ComparesConfigs {
  static constexpr std::string_view kName = "compares";
  struct Options : InputOptions {};
  ComparesConfigs(ParamSpec&, const Options&, const InputWidths&) {}
  [[nodiscard]] static NetPlan plan() {
    NetPlan plan;
    plan.config_in_readout = true;
    plan.channels = 3;
    return plan;
  }
  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return ctx.input(rows.x);
  }
  template <class C>
  Var layer(C&, std::int64_t, Var h, Var, const Flow<typename C::Scalar>&) const {
    return h;
  }
  template <class C>
  Var readout(C& ctx, Var, Var config) const {
    const Var column = ctx.slice_cols(config, 0, 1);
    return ctx.scale(column, static_cast<typename C::Scalar>(ctx.rows(config)));
  }
};

TEST_CASE("configs that are compared where the plan says nothing are found") {
  CHECK(check_net<ComparesConfigs>().message() ==
        "compares: config 0 has another score alone than beside others; NetPlan::config_chunk should say that "
        "configs are compared");
}

/// The options of a network, so small that its gradients take a moment.
template <class N>
typename N::Options tiny() {
  typename N::Options options;
  options.num_opcodes = 4;
  options.opcode_channels = 2;
  options.layout_channels = 2;
  options.hidden_channels = 4;
  options.num_layers = 2;
  return options;
}

template <class N>
void check_all_options() {
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{2}}) {
      INFO(N::kName, ", direction ", static_cast<int>(direction), ", seed ", seed);
      typename N::Options options = tiny<N>();
      options.direction = direction;
      const Status status = check_net<N>(options, seed);
      CHECK_MESSAGE(status.ok(), status.message());
      options.opcode_encoding = OpcodeEncoding::kOneHot;
      options.node_encoding.embed_layout = true;
      ParamSpec spec;
      const NetPlan plan = N(spec, options, {3, 2}).plan();
      if (!plan.takes_graph()) options.config_encoding = ConfigEncoding::kEmbedding;
      const Status encoded = check_net<N>(options, seed);
      CHECK_MESSAGE(encoded.ok(), encoded.message());
    }
  }
}
template <class... Nets>
void check_list(NetList<Nets...>) {
  (check_all_options<Nets>(), ...);
}

TEST_CASE("every network of the library keeps its plan" * testing::kLong) { check_list(BuiltinNets()); }

TEST_CASE("and with the options that only some have") {
  const auto check = [](const Status& status) { CHECK_MESSAGE(status.ok(), status.message()); };
  auto late = tiny<LayoutSageLate>();
  late.config_layers = 2;
  check(check_net<LayoutSageLate>(late));
  auto late_gcn = tiny<LayoutResGcnLate>();
  late_gcn.config_layers = 1;
  check(check_net<LayoutResGcnLate>(late_gcn));
  auto winner = tiny<LayoutWinner>();
  winner.initial_residual = true;
  check(check_net<LayoutWinner>(winner));
  winner.config_chunk = 0;
  winner.node_scores = true;
  check(check_net<LayoutWinner>(winner));
  auto tile_winner = tiny<TileWinner>();
  tile_winner.initial_residual = true;
  check(check_net<TileWinner>(tile_winner));
  auto dropped = tiny<LayoutSage>();
  dropped.dropout = 0.3;
  check(check_net<LayoutSage>(dropped));
}

TEST_CASE("the network of these tests keeps its plan") {
  check_all_options<testing::OwnNet>();
  auto options = tiny<testing::OwnNet>();
  options.reads_graph = true;
  options.dropout = 0.25;
  options.num_layers = 3;
  const Status status = check_net<testing::OwnNet>(options);
  CHECK_MESSAGE(status.ok(), status.message());
}

}  // namespace
}  // namespace mlgraph
