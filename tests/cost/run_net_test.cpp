// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/run_net.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cost/mix_net.hpp"
#include "cost/net_fixture.hpp"
#include "cost/own_net.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// Counts what the loop asks of its rows.
struct CountedRows {
  std::vector<std::string> calls;
  Flow<float> here(Eager&, std::int64_t k) {
    calls.push_back(str_cat("here ", k));
    return {};
  }
  Flow<float> flow(Eager&, std::int64_t k) {
    calls.push_back(str_cat("flow ", k));
    return {};
  }
  Var keep(Eager&, std::int64_t k, Var h) {
    calls.push_back(str_cat("keep ", k));
    return h;
  }
  Var keep_messages(Eager&, std::int64_t k, Var m) {
    calls.push_back(str_cat("messages ", k));
    return m;
  }
};

TEST_CASE("the loop makes messages of new rows, keeps both, and asks how the next follow") {
  MixNet::Options options;
  options.kinds = 0b001100;  // the second stage has messages, the others read no edges
  ParamSpec spec;
  const NetOnContext<MixNet, Eager> net(spec, options, kNetWidths);
  NetPlan plan = net.plan();
  plan.stages[1].has_messages = true;
  const Parameters<float> parameters(spec, 5);
  Eager ctx;
  ctx.bind(spec, Span<const float>(parameters.value));
  const std::vector<float> x(3, 1.0f);
  const Var h = ctx.input(MatrixView<const float>(x.data(), 1, 3));
  CountedRows rows;
  const Var same = run_stages<Eager>(net, ctx, plan, 1, 1, h, rows);
  CHECK(same.id == h.id);
  CHECK(rows.calls.empty());
  run_stages<Eager>(net, ctx, plan, 0, 2, h, rows);
  CHECK(rows.calls == std::vector<std::string>{"keep 0", "flow 0", "here 1", "messages 1", "keep 1", "flow 1"});
}

TEST_CASE(
    "before the join one copy of the graph is computed; where only configurable nodes go on, their rows") {
  const NetGraph graph = hub_net_graph();
  auto options = net_options_of<OwnNet>();
  options.hidden_channels = 6;
  ParamSpec spec;
  const NetOnContext<OwnNet, Eager> net(spec, options, kNetWidths);
  const Parameters<float> parameters(spec, 5);
  const NetData<float> data(graph, net.plan(), 3);
  NetInput<float> in = data.input();
  Eager ctx;
  ctx.bind(spec, Span<const float>(parameters.value));
  CHECK(ctx.rows(run_prefix<Eager>(net, ctx, net.plan(), in)) == 7);
  in.num_halo = 1;
  in.num_halo_config = 1;
  NetPlan only = net.plan();
  only.join = Join::kConfigurableOnly;
  CHECK(ctx.rows(run_prefix<Eager>(net, ctx, only, in)) == 2);
  CHECK(ctx.status().ok());
}

}  // namespace
}  // namespace mlgraph
