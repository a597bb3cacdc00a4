// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/tile_net.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// The least layers of a TileNet: one linear map, to which the configuration is added where it joins early.
class OneLinear {
 public:
  static constexpr std::string_view kName = "one-linear", kLateName = "one-linear-late";
  using Options = TileOptions;

  OneLinear(ParamSpec& p, const Options& options, std::int64_t node_channels, std::int64_t config_channels,
            bool)
      : linear_(p, "linear", node_channels, options.hidden_channels) {
    if (config_channels > 0) config_ = Linear(p, "config", config_channels, options.hidden_channels, false);
  }
  [[nodiscard]] static NetPlan plan(const Options&, bool late) {
    NetPlan plan;
    plan.pools = {Pool{Pool::Rows::kAll, late ? Reduce::kMean : Reduce::kSum, false}};
    return plan;
  }
  template <class C>
  Var nodes(C& ctx, Var h) const {
    return linear_(ctx, h);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.config_affine(h, config_(ctx, flow.graph_config), Var{}, {}, Activation::kNone, 0.0);
  }
  template <class C>
  Var message(C&, Var h) const {
    return h;
  }
  template <class C>
  Var layer(C&, std::size_t, Var h, Var, const Flow<typename C::Scalar>&) const {
    return h;
  }

 private:
  Linear linear_, config_;
};
using EarlyLinear = TileNet<OneLinear, false>;
using LateLinear = TileNet<OneLinear, true>;

TEST_CASE("a tile network has the name and stages of its layers, and joins before them or in the read-out") {
  CHECK((EarlyLinear::kName == "one-linear" && LateLinear::kName == "one-linear-late"));
  TileOptions options = net_options_of<EarlyLinear>();
  options.dropout = 0.5;
  const NetPlan early = plan_of<EarlyLinear>(options), late = plan_of<LateLinear>(options);
  CHECK((early.join == Join::kGraph && !early.config_in_readout && early.pools[0].reduce == Reduce::kSum));
  CHECK((late.join == Join::kNone && late.config_in_readout && late.pools[0].reduce == Reduce::kMean));
  CHECK((early.channels == 5 && early.node_out_draws));
  options.dropout = 0;
  CHECK_FALSE(plan_of<EarlyLinear>(options).node_out_draws);
}

TEST_CASE("the head is an MLP of the pool, late with the configuration beside it") {
  const TileOptions options = net_options_of<EarlyLinear>();
  CHECK(tensors_of_net<EarlyLinear>(options) ==
        std::vector<std::string>{"opcode.weight (4, 3)", "linear.weight (5, 6)", "linear.bias (5)",
                                 "config.weight (5, 2)", "head.lins.0.weight (5, 5)", "head.lins.0.bias (5)",
                                 "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)",
                                 "head.lins.2.weight (1, 5)", "head.lins.2.bias (1)"});
  const NetGraph graph = hub_net_graph();
  const auto pooled = [&](const Weights& w, const NetData<double>& data, std::int64_t c, bool early) {
    Dense h;
    for (const Row& row : node_inputs(options, data, w)) {
      h.push_back(w.linear("linear", row));
      if (early) h.back() = h.back() + w.linear("config", config_row(options, data, w, c));
    }
    return sum_of(h, 5);
  };
  CHECK(difference_to<EarlyLinear>(options, graph, [&](const Weights& w, const auto& data, std::int64_t c) {
          return w.mlp("head", pooled(w, data, c, true), 3, 0.01)[0];
        }) < 1e-12);
  CHECK(difference_to<LateLinear>(options, graph, [&](const Weights& w, const auto& data, std::int64_t c) {
          const Row mean = (1.0 / 7) * pooled(w, data, c, false);
          return w.mlp("head", join(mean, config_row(options, data, w, c)), 3, 0.01)[0];
        }) < 1e-12);
}

TEST_CASE("tile networks are trained as the dataset's authors did, and kept by their first place") {
  const Recipe recipe = EarlyLinear::recipe({});
  CHECK(
      (recipe.loss.kind == Loss::kListMle && recipe.loss.temperature == 10 && recipe.loss.mse_weight == 0.02));
  CHECK((recipe.selection == Selection::kFirst && recipe.graphs_per_step == 10 &&
         recipe.configs_per_graph == 10));
  CHECK(tile_mlp().activation == Activation::kLeakyRelu);
}

}  // namespace
}  // namespace mlgraph
