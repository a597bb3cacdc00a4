// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/run_net.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "arch/layout_fixture.hpp"
#include "cost/mix_net.hpp"
#include "cost/own_net.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// The rows of run_configs(): of each node of each configuration.
template <class N>
std::vector<float> rows_of(const typename N::Options& options, const NetGraph& graph, std::int64_t configs,
                           bool share) {
  ParamSpec spec;
  const NetOnContext<N, Eager> net(spec, options, kNetWidths);
  const Parameters<float> parameters(spec, 5);
  const NetData<float> data(graph, net.plan(), configs);
  NetInput<float> in = data.input();
  const SharedRows shared = shared_rows_of(net.plan(), in.edges, in.config_node);
  if (share) in.shared = &shared;
  Eager ctx;
  ctx.bind(spec, Span<const float>(parameters.value));
  const Var h = run_configs<Eager>(net, ctx, net.plan(), run_prefix<Eager>(net, ctx, net.plan(), in), in);
  REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
  const SharedLevel level = shared.level(shared.num_layers());
  REQUIRE(ctx.rows(h) == (share ? level.num_rows(configs) : configs * in.num_nodes()));
  std::vector<float> rows;
  for (std::int64_t c = 0; c < configs; ++c) {
    for (std::int64_t v = 0; v < in.num_nodes(); ++v) {
      const std::int64_t r =
          share ? level.of_config(level.row[static_cast<std::size_t>(v)], c) : c * in.num_nodes() + v;
      rows.insert(rows.end(), ctx.value(h).row(r), ctx.value(h).row(r) + ctx.cols(h));
    }
  }
  return rows;
}

TEST_CASE(
    "rows that configurations share have the bits of each configuration's own, whatever the stages read") {
  for_each_mix([](const MixNet::Options& options) {
    for (const NetGraph& graph : {shared_net_graph(), hub_net_graph()}) {
      const std::vector<float> own = rows_of<MixNet>(options, graph, 4, false);
      CHECK(rows_of<MixNet>(options, graph, 4, true) == own);
      CHECK_FALSE(std::equal(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(own.size() / 4),
                             own.begin() + static_cast<std::ptrdiff_t>(own.size() / 4)));
    }
  });
}

TEST_CASE("and so have scores and gradients" * testing::kLong) {
  for_each_mix([](const MixNet::Options& options) { check_sharing<MixNet>(options); });
}

TEST_CASE("a network of every kind of stage shares rows") {
  for (const bool with_dropout : {false, true}) {
    auto options = net_options_of<OwnNet>(Direction::kBoth, 6);
    options.num_layers = 3;
    options.dropout = with_dropout ? 1e-9 : 0;  // draws, and drops nothing
    CHECK(rows_of<OwnNet>(options, shared_net_graph(), 5, true) ==
          rows_of<OwnNet>(options, shared_net_graph(), 5, false));
    check_sharing<OwnNet>(options);
  }
}

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
