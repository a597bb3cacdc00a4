// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/check_net.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "cost/own_net.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "train/flawed_net.hpp"

namespace mlgraph {
namespace {

using testing::Flaw;
using testing::flaw_message;
using testing::FlawedNet;

TEST_CASE("a network that keeps its plan passes, and each that breaks it is told how") {
  CHECK(flaw_message<Flaw::kNone>().empty());
  CHECK(flaw_message<Flaw::kDraws>() ==
        "my-net: stage 2 draws random numbers in training; Stage::draws should say so");
  CHECK(flaw_message<Flaw::kDrawsEarly>() ==
        "my-net: nodes() draws random numbers in training; only stages may, and what comes after them");
  CHECK(flaw_message<Flaw::kDrawsLate>() ==
        "my-net: node_out() draws random numbers in training; NetPlan::node_out_draws should say so");
  CHECK(flaw_message<Flaw::kStatistics>() ==
        "my-net: in training the pools are others when equal rows are made once; a stage that takes statistics "
        "of "
        "its rows says so by Stage::draws");
  CHECK(flaw_message<Flaw::kStatisticsThenDraws>() == flaw_message<Flaw::kStatistics>());
  CHECK(flaw_message<Flaw::kOnTape>() == "my-net: stage 2: Eager and Tape differ in row 0");
  CHECK(flaw_message<Flaw::kReadoutWeight>() ==
        "my-net: head.weight is made after begin_readout(), and rows of nodes depend on it");
}

TEST_CASE("a wrong gradient is found") {
  CHECK(flaw_message<Flaw::kGradient>().rfind("my-net: gradient of ", 0) == 0);
  CHECK(flaw_message<Flaw::kGradient>().find("; the central difference is ") != std::string::npos);
}

TEST_CASE("shapes that the plan does not say are found") {
  CHECK(flaw_message<Flaw::kChannels>() ==
        "my-net: the read-out: the rows that are pooled have 3 columns; the plan says 4");
  CHECK(flaw_message<Flaw::kOutputs>() == "my-net: the read-out: the read-out gives (3, 2); should be (3, 1)");
  CHECK(flaw_message<Flaw::kPlan>() == "model: my-net: configurations join before stage 4; there are 3 stages");
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

TEST_CASE("the network of these tests keeps its plan, whatever its options" * testing::kLong) {
  check_all_options<testing::OwnNet>();
}

TEST_CASE("the network of these tests keeps its plan") {
  auto options = tiny<testing::OwnNet>();
  options.reads_graph = true;
  options.dropout = 0.25;
  options.num_layers = 3;
  const Status status = check_net<testing::OwnNet>(options);
  CHECK_MESSAGE(status.ok(), status.message());
}

}  // namespace
}  // namespace mlgraph
