// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/net_of.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cost/net_fixture.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
namespace {

/// The least that a network is: the sum of its features over nodes, which no configuration changes.
struct Smallest {
  static constexpr std::string_view kName = "smallest";
  struct Options : InputOptions {};
  Smallest(ParamSpec&, const Options&, const InputWidths& in) : channels_(in.num_node_features) {}
  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages.resize(1);
    plan.channels = channels_;
    return plan;
  }
  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return ctx.input(rows.x);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var root = flow.roots(ctx, h);
    return ctx.add(root, ctx.spmm(Reduce::kSum, flow.edges, m));
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var) const {
    return ctx.slice_cols(pooled, 0, 1);
  }

 private:
  std::int64_t channels_;
};

/// The same with all that is optional, whose numbers say that it was called.
struct Complete : Smallest {
  static constexpr std::string_view kName = "complete";
  struct Options : InputOptions {
    std::int64_t size = 2;
    template <class V>
    void fields(V& v) {
      v("size", "--size", size, 1, 9, "Of it");
    }
    [[nodiscard]] Status check() const {
      return size == 5 ? Status::invalid_argument("model: size is 5; should be another") : Status();
    }
  };
  Complete(ParamSpec& p, const Options&, const InputWidths& in) : Smallest(p, Smallest::Options(), in) {}
  [[nodiscard]] static Recipe recipe(const Options& options) {
    Recipe recipe;
    recipe.epochs = options.size;
    return recipe;
  }
  [[nodiscard]] NetPlan plan() const {
    NetPlan plan = Smallest::plan();
    plan.stages[0].has_messages = true;
    plan.join = Join::kConfigurable;
    return plan;
  }
  template <class C>
  Var config(C& ctx, const ConfigRows<typename C::Scalar>& rows) const {
    return ctx.scale(ctx.input(rows.x), typename C::Scalar(0));
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.scale(h, typename C::Scalar(2));
  }
  template <class C>
  Var message(C& ctx, std::int64_t, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.scale(h, typename C::Scalar(0));
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.scale(h, typename C::Scalar(10));
  }
};

struct Nothing {};

TEST_CASE("what a type has, and what it lacks") {
  using namespace detail;  // NOLINT: the traits
  CHECK((HasName<Smallest>::value && !HasName<Nothing>::value));
  CHECK((HasOptions<Smallest>::value && !HasOptions<Nothing>::value));
  CHECK((HasPlan<Smallest>::value && !HasPlan<Nothing>::value));
  CHECK((HasNodes<Smallest, Eager>::value && !HasNodes<Nothing, Eager>::value));
  CHECK((HasLayer<Smallest, Eager>::value && !HasLayer<Nothing, Eager>::value));
  CHECK((HasReadout<Smallest, Eager>::value && !HasReadout<Nothing, Eager>::value));
  CHECK((HasConfig<Complete, Tape>::value && !HasConfig<Smallest, Tape>::value));
  CHECK((HasJoin<Complete, Tape>::value && !HasJoin<Smallest, Tape>::value));
  CHECK((HasMessage<Complete, Tape>::value && !HasMessage<Smallest, Tape>::value));
  CHECK((HasNodeOut<Complete, Tape>::value && !HasNodeOut<Smallest, Tape>::value));
  CHECK((HasFields<Complete::Options>::value && !HasFields<Smallest::Options>::value));
  CHECK((HasCheck<Complete::Options>::value && !HasCheck<Smallest::Options>::value));
  CHECK((HasRecipe<Complete>::value && !HasRecipe<Smallest>::value));
}

/// The only row of a graph of one node, and the score of each of two configurations.
template <class N>
std::vector<float> scores_of_one_node(float x) {
  ParamSpec spec;
  const testing::NetOnContext<N, Eager> net(spec, typename N::Options(), {1, 1});
  const Edges edges = testing::NetGraph{1, {}, {}, {}}.edges();
  const float config[] = {3, 4};
  const std::int32_t opcode[] = {0}, node[] = {0};
  NetInput<float> in;
  in.nodes = {{&x, 1, 1}, {}, opcode};
  in.edges = edges.view();
  if (net.plan().takes_nodes()) in.config_node = node;
  in.config = {{config, 2, 1}, {}, 2};
  in.num_configs = 2;
  Eager ctx;
  const Var y = testing::score_net<Eager>(net, ctx, net.plan(), in);
  REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
  return {ctx.value(y).data, ctx.value(y).data + ctx.value(y).size()};
}

TEST_CASE("what a network does not say has a default, and what it says is called") {
  CHECK(scores_of_one_node<Smallest>(7) ==
        std::vector<float>{7, 7});  // the score of a graph, once for each config
  CHECK(scores_of_one_node<Complete>(7) == std::vector<float>{140, 140});
  ParamSpec spec;
  const testing::NetOnContext<Smallest, Eager> net(spec, {}, {1, 1});
  Eager ctx;
  const float config[] = {3, 4};
  const ConfigRows<float> rows{{config, 2, 1}, {}, 2};
  CHECK(ctx.value(net.config(ctx, rows)).data == config);  // the numbers as they are
}

TEST_CASE("a function that a plan asks for and a network lacks is named where it is called") {
  ParamSpec spec;
  const testing::NetOnContext<Smallest, Eager> net(spec, {}, {1, 1});
  Eager ctx;
  (void)net.join(ctx, Var{}, {});
  CHECK(ctx.status().message() == "smallest: its plan joins configurations and it has no join()");
  ctx.begin();
  (void)net.message(ctx, 0, Var{}, {});
  CHECK(ctx.status().message() == "smallest: its plan has messages and it has no message()");
}

std::vector<std::string> names_of(NetTypes types) {
  std::vector<std::string> names;
  for (const NetType* const type : types) names.emplace_back(type->name);
  return names;
}

TEST_CASE("networks and lists of them become one list, in their order") {
  using Names = std::vector<std::string>;
  using Both = NetList<Smallest, Complete>;
  CHECK(names_of(predicting_nets<Complete>()) == Names{"complete"});
  CHECK(names_of(predicting_nets<Both>()) == Names{"smallest", "complete"});
  CHECK(names_of(trainable_nets<Complete, NetList<Smallest>>()) == Names{"complete", "smallest"});
  CHECK(names_of(predicting_nets<NetList<>, Both, NetList<>>()) == Names{"smallest", "complete"});
  static_assert(detail::are_distinct({"a", "b", "ab"}) && !detail::are_distinct({"a", "b", "a"}));
  static_assert(detail::are_distinct({}) && detail::are_distinct({"a"}));
}

TEST_CASE("options behind a pointer are those of the type, with their rules and their recipe") {
  const auto options = net_options<Complete>();
  CHECK(to_metadata(*options).at("size") == "2");
  CHECK(options->type().recipe(*options).epochs == 2);
  Complete::Options changed;
  changed.size = 5;
  CHECK(net_options<Complete>(changed)->check().message() == "model: size is 5; should be another");
  changed.size = 10;
  CHECK(net_options<Complete>(changed)->check().message() == "model: size is 10; should be in [1, 9]");
  changed.size = 2;
  changed.opcode_channels = 0;
  CHECK(net_options<Complete>(changed)->check().message() ==
        "model: opcode_channels is 0; should be in [1, 4096]");
  CHECK(net_options<Smallest>()->check().ok());
  CHECK(net_options<Smallest>()->type().recipe(*net_options<Smallest>()).epochs == Recipe().epochs);
  CHECK((predicting_nets<Complete>()[0]->recipe == nullptr));
}

}  // namespace
}  // namespace mlgraph
