// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/pools.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cost/net_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures
using kernels::Reduce;

/// Every pool that there is, some twice.
NetPlan pool_plan() {
  NetPlan plan;
  plan.join = Join::kConfigurable;
  plan.channels = 2;
  plan.pools = {
      {Pool::Rows::kAll, Reduce::kMean, false},         {Pool::Rows::kAll, Reduce::kSum, true},
      {Pool::Rows::kConfigurable, Reduce::kSum, false}, {Pool::Rows::kAll, Reduce::kMax, false},
      {Pool::Rows::kConfigurable, Reduce::kMean, true}, {Pool::Rows::kConfigurable, Reduce::kMax, true}};
  return plan;
}

/// Rows of 5 nodes under 3 configurations; nodes 4 and 1 are configurable; the last `num_halo` of both are a
/// halo.
struct PoolData {
  std::vector<double> h = random_rows(15);
  std::vector<std::int32_t> config_node = {1, 4};
  Edges edges = NetGraph{5, {}, {}, {}}.edges();
  NetInput<double> in;

  explicit PoolData(std::int64_t num_halo) {
    in.nodes.x.rows = 5;
    in.edges = edges.view();
    in.config_node = config_node;
    in.num_configs = 3;
    in.num_halo = in.num_halo_config = num_halo;
  }
  static std::vector<double> random_rows(std::int64_t rows) {
    Rng rng(4);
    std::vector<double> values(static_cast<std::size_t>(2 * rows));
    for (double& v : values) v = rng.uniform(-1, 1);
    return values;
  }
  /// What pool p makes of configuration c, written down once more.
  [[nodiscard]] Row pooled(const Pool& pool, std::int64_t c) const {
    Dense rows;
    for (std::int32_t v = 0; v < 5 - in.num_halo; ++v) {
      const bool is_configurable = v == 1 || v == 4;
      if (pool.rows == Pool::Rows::kConfigurable && !is_configurable) continue;
      const double* const row = h.data() + 2 * (5 * c + v);
      rows.push_back({row[0], row[1]});
    }
    Row y = sum_of(rows, 2);
    if (pool.reduce == Reduce::kMean) y = (1 / static_cast<double>(rows.size())) * y;
    if (pool.reduce == Reduce::kMax) {
      y = rows[0];
      for (const Row& row : rows) y = {std::max(y[0], row[0]), std::max(y[1], row[1])};
    }
    return pool.l2 ? l2(y) : y;
  }
};

TEST_CASE("each reduction is made once, in the order of the pools") {
  const NetPlan plan = pool_plan();
  const PoolSums sums(plan);
  REQUIRE(sums.sources().size() == 4);
  CHECK(sums.channels() == 8);
  const std::vector<std::size_t> expected = {0, 0, 1, 2, 1, 3};
  for (std::size_t p = 0; p < 6; ++p) CHECK(sums.source_of(p) == expected[p]);
  CHECK((sums.sources()[0].rows == Pool::Rows::kAll && !sums.sources()[0].is_max));
  CHECK((sums.sources()[1].rows == Pool::Rows::kConfigurable && !sums.sources()[1].is_max));
  CHECK((sums.sources()[2].rows == Pool::Rows::kAll && sums.sources()[2].is_max));
  NetPlan one;
  one.channels = 7;
  CHECK(PoolSums(one).channels() == 7);
}

TEST_CASE("pools are sums, means, maxima and their directions, without the halo") {
  const NetPlan plan = pool_plan();
  for (const std::int64_t halo : {0, 1}) {
    const PoolData data(halo);
    DoubleTape tape;
    const Var h = tape.input(MatrixView<const double>(data.h.data(), 15, 2));
    const Var sums = run_pools(tape, plan, h, data.in);
    const Var y = PoolSums(plan).normalized(tape, sums, data.in.num_inner(), data.in.num_inner_config());
    REQUIRE_MESSAGE(tape.status().ok(), tape.status().message());
    REQUIRE((tape.rows(y) == 3 && tape.cols(y) == 12));
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::size_t p = 0; p < 6; ++p) {
        const Row expected = data.pooled(plan.pools[p], c);
        for (std::int64_t k = 0; k < 2; ++k)
          CHECK(tape.value(y)(c, 2 * static_cast<std::int64_t>(p) + k) ==
                doctest::Approx(expected[static_cast<std::size_t>(k)]).epsilon(1e-14));
      }
    }
  }
}

TEST_CASE("embeddings of sums add up over segments") {
  NetPlan plan = pool_plan();
  plan.pools.resize(3);
  const PoolData data(0);
  DoubleTape tape;
  const Var whole = run_pools(tape, plan, tape.input(MatrixView<const double>(data.h.data(), 15, 2)), data.in);
  std::vector<double> first, second;  // nodes 0 1 2 and 3 4
  for (std::ptrdiff_t c = 0; c < 3; ++c) {
    first.insert(first.end(), data.h.begin() + 10 * c, data.h.begin() + 10 * c + 6);
    second.insert(second.end(), data.h.begin() + 10 * c + 6, data.h.begin() + 10 * c + 10);
  }
  NetInput<double> in = data.in;
  const std::int32_t one[] = {1};
  in.config_node = one;
  in.nodes.x.rows = 3;
  const Var a = run_pools(tape, plan, tape.input(MatrixView<const double>(first.data(), 9, 2)), in);
  in.nodes.x.rows = 2;
  const Var b = run_pools(tape, plan, tape.input(MatrixView<const double>(second.data(), 6, 2)), in);
  const Var total = tape.add(a, b);
  REQUIRE((tape.cols(total) == 4 && tape.rows(total) == 3));
  for (std::int64_t i = 0; i < 12; ++i)
    CHECK(tape.value(total).data[i] == doctest::Approx(tape.value(whole).data[i]).epsilon(1e-14));
}

TEST_CASE("without a join before the pools one row stands for all configs") {
  NetPlan none = pool_plan();
  none.join = Join::kNone;
  none.pools.resize(2);
  const PoolData data(0);
  Eager ctx;
  const std::vector<float> h(data.h.begin(), data.h.end());
  NetInput<float> in;
  in.nodes.x.rows = 15;
  in.num_configs = 3;
  CHECK(ctx.rows(run_pools(ctx, none, ctx.input(MatrixView<const float>(h.data(), 15, 2)), in)) == 1);
}

TEST_CASE("a mean over nothing divides by one, and rows of other widths are an error") {
  CHECK(PoolSums::mean_over({Pool::Rows::kAll, Reduce::kMean, false}, 5, 2) == 5);
  CHECK(PoolSums::mean_over({Pool::Rows::kConfigurable, Reduce::kMean, false}, 5, 2) == 2);
  CHECK(PoolSums::mean_over({Pool::Rows::kConfigurable, Reduce::kMean, false}, 5, 0) == 1);
  const PoolData data(0);
  DoubleTape tape;
  (void)run_pools(tape, pool_plan(), tape.input(MatrixView<const double>(data.h.data(), 10, 3)), data.in);
  CHECK(tape.status().message() == "the rows that are pooled have 3 columns; the plan says 2");
}

/// A read-out with a score for each row that it is given.
struct FirstColumn : NetOn<Eager> {
  Var nodes(Eager&, const NodeRows<float>&) const override { return {}; }
  Var config(Eager& ctx, const ConfigRows<float>& rows) const override { return ctx.input(rows.x); }
  Var join(Eager&, Var h, const Flow<float>&) const override { return h; }
  Var message(Eager&, std::int64_t, Var h, const Flow<float>&) const override { return h; }
  Var layer(Eager&, std::int64_t, Var h, Var, const Flow<float>&) const override { return h; }
  Var node_out(Eager&, Var h, const Flow<float>&) const override { return h; }
  Var readout(Eager& ctx, Var pooled, Var config) const override {
    return ctx.slice_cols(config.id == 0 ? pooled : config, 0, 1);
  }
};

TEST_CASE(
    "the read-out sees pools and the configs of the graph; a graph's only score is that of every config") {
  NetPlan plan;
  plan.channels = 2;
  const FirstColumn net;
  Eager ctx;
  const std::vector<float> sums = {3, 4}, config = {5, 6, 7};
  const auto scores = [&](std::int64_t configs) {
    const Var y = run_readout<Eager>(net, ctx, plan, ctx.input(MatrixView<const float>(sums.data(), 1, 2)),
                                     configs, 5, 0, {{config.data(), configs, 1}, {}, configs});
    return std::vector<float>(ctx.value(y).data, ctx.value(y).data + ctx.value(y).size());
  };
  CHECK(scores(1) == std::vector<float>{3});
  CHECK(scores(3) == std::vector<float>{3, 3, 3});
  plan.config_in_readout = true;
  CHECK(scores(3) == std::vector<float>{5, 6, 7});
  plan.num_outputs = 2;
  CHECK(scores(3).empty());
  CHECK(ctx.status().message() == "the read-out gives (3, 1); should be (3, 2)");
}

}  // namespace
}  // namespace mlgraph
