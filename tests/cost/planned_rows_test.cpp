// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/planned_rows.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "cost/mix_net.hpp"
#include "cost/planned_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

using RowIds = std::vector<std::int32_t>;

/// Row `row` of a level as it was at a level before.
std::int32_t origin_of(const FlowPlan& rows, std::size_t level, std::int32_t row, std::size_t from) {
  for (; level > from; --level) row = rows.level(level).root()[static_cast<std::size_t>(row)];
  return row;
}

/// A planned program of the network, with all of its configurations planned; row i of the configurations
/// stands at place 2 i of what config() made.
struct PlannedFlows {
  RepeatedProgram program;
  PlannedProgram planned;
  RowIds place;

  PlannedFlows(Rng& rng, const NetPlan& plan, const RepeatedSize& size)
      : program(rng, size), planned(plan, program, true) {
    RowIds ids;
    const ConfigView view = {
        {}, program.node_config, program.num_configs, program.num_config_nodes, kConfigFeatures};
    for (std::int64_t c = 0; c < program.num_configs; ++c) {
      for (std::int64_t k = 0; k < program.num_config_nodes; ++k)
        ids.push_back(planned.configs.find(view, c, k));
    }
    Arena arena;
    RowIds total(rows().sums().size() * static_cast<std::size_t>(program.num_configs));
    plan_configs(rows(), ids, program.num_configs, arena, Span<std::int32_t>(total));
    for (std::int32_t id = 0; id < planned.configs.size(); ++id) place.push_back(2 * id);
  }
  [[nodiscard]] FlowPlan& rows() { return planned.rows; }
};

/// flow_.config_rows and config_of are those of the rows of a level from `begin` on.
void check_config_rows(PlannedFlows& flows, const Flow<float>& flow, std::size_t level, std::int32_t begin) {
  const FlowPlan& rows = flows.rows();
  const auto join = static_cast<std::size_t>(rows.graph().join_level());
  RowIds wanted_rows, wanted_of;
  for (std::int32_t r = begin; level >= join && r < rows.level(level).size(); ++r) {
    const auto at = static_cast<std::size_t>(origin_of(rows, level, r, join));
    const std::int32_t id = rows.level(join).kind()[at] - 1;
    if (id < 0) continue;
    wanted_rows.push_back(r - begin);
    wanted_of.push_back(2 * id);
  }
  CHECK(RowIds(flow.config_rows.begin(), flow.config_rows.end()) == wanted_rows);
  CHECK(RowIds(flow.config_of.begin(), flow.config_of.end()) == wanted_of);
}

/// The rows that flow(k) says are made are those of the next level from `begin` on.
void check_flow(PlannedFlows& flows, const Flow<float>& flow, std::size_t k, std::size_t level,
                std::int32_t begin) {
  const FlowRows& rows = flows.rows().level(level);
  const std::int32_t before = flows.rows().level(level - 1).size();
  const FlowStage& stage = flows.rows().graph().stages[k];
  const std::int32_t count = rows.size() - begin;
  if (flow.same_rows) CHECK((begin == 0 && count == before));
  if (stage.reads_edges()) CHECK((flow.edges.num_targets() == count && flow.edges.num_sources() == before));
  CHECK(flow.self_weight.size() == (stage.node_kind.empty() ? 0 : static_cast<std::size_t>(count)));
  for (std::int32_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i), r = static_cast<std::size_t>(begin + i);
    CHECK((flow.same_rows ? i : flow.root[at]) == rows.root()[r]);
    if (!stage.node_kind.empty())
      CHECK(flow.self_weight[at] == stage.node_weight[static_cast<std::size_t>(rows.kind()[r])]);
    if (!stage.reads_edges()) continue;
    const auto from = static_cast<std::size_t>(flow.edges.csr.row_ptr[at]);
    const auto there = static_cast<std::size_t>(rows.read_ptr()[r]);
    const auto degree = static_cast<std::size_t>(rows.read_ptr()[r + 1]) - there;
    REQUIRE(flow.edges.csr.degree(i) == static_cast<std::int32_t>(degree));
    for (std::size_t e = 0; e < degree; ++e) {
      CHECK(flow.edges.csr.col[from + e] == rows.reads()[there + e]);
      if (stage.edge_kind.empty()) continue;
      const auto kind = static_cast<std::size_t>(rows.edge_kind()[there + e]);
      CHECK(flow.edge_weight[from + e] == stage.edge_weight[kind]);
    }
  }
}

/// Puts rows of zeros into the store, so that `have(level)` of each level are there.
template <class Have>
void fill_store(PlannedFlows& flows, Eager& ctx, const Have& have) {
  for (std::size_t level = 0; level < flows.rows().num_levels(); ++level)
    flows.planned.store->keep(ctx, level, ctx.allocate(have(level), 1, false));
}

TEST_CASE("the flow of a stage is that of the rows that are not there yet, over all rows of the level before") {
  Rng rng(8);
  RepeatedSize size;
  size.num_nodes = 30;
  for_each_mix([&](const MixNet::Options& options) {
    const NetPlan plan = plan_of<MixNet>(options);
    PlannedFlows flows(rng, plan, size);
    for (const bool has_rows : {false, true}) {
      Eager ctx;
      const auto have = [&](std::size_t level) { return has_rows ? flows.rows().level(level).size() / 3 : 0; };
      flows.planned.store->truncate(RowIds(flows.rows().num_free().size(), 0));
      fill_store(flows, ctx, have);
      PlannedRows<Eager> rows(plan, flows.rows(), flows.planned.store.get());
      rows.set_configs(Var{}, 2 * flows.planned.configs.size(), flows.place);
      const auto join_level = static_cast<std::size_t>(flows.rows().graph().join_level());
      const Span<const std::int32_t> roots = flows.rows().level(join_level).root();
      const Span<const std::int32_t> new_roots = rows.join_roots();
      CHECK(RowIds(new_roots.begin(), new_roots.end()) ==
            RowIds(roots.begin() + have(join_level), roots.end()));
      for (std::int64_t k = plan.join_stage; k < plan.num_stages(); ++k) {
        const auto level =
            static_cast<std::size_t>(flows.rows().graph().level_of(static_cast<std::int32_t>(k)));
        const Stage& stage = plan.stages[static_cast<std::size_t>(k)];
        const bool joins = k == plan.join_stage || plan.joins_every_stage;
        if (joins) check_config_rows(flows, rows.here(ctx, k), level, have(level));
        if (!joins) CHECK(rows.here(ctx, k).config_rows.empty());
        const Flow<float> flow = rows.flow(ctx, k);
        check_flow(flows, flow, static_cast<std::size_t>(k), level + 1, have(level + 1));
        if (plan.joins_every_stage && !stage.has_messages)
          check_config_rows(flows, flow, level + 1, have(level + 1));
      }
      CHECK(rows.last().config_rows.empty());
    }
  });
}

TEST_CASE("what a row was before an earlier stage is found, in every copy of the graph") {
  Rng rng(18);
  RepeatedSize size;
  size.num_nodes = 20;
  MixNet::Options options;
  options.kinds = 0b010101;
  NetPlan plan = plan_of<MixNet>(options);
  plan.join = Join::kGraph;
  plan.first_rows_of = 1;
  const RepeatedProgram program(rng, size);
  PlannedProgram planned(plan, program, false);
  const FlowPlan& plans = planned.rows;
  Eager ctx;
  PlannedRows<Eager> rows(plan, plans, nullptr);
  rows.set_copies(3, Var{});
  const std::int32_t stride = plans.level(1).size();
  const Var h = ctx.allocate(3 * stride, 1, false);
  for (std::int32_t i = 0; i < 3 * stride; ++i) ctx.mutable_value(h).data[i] = static_cast<float>(i);
  CHECK(rows.flow(ctx, 0).first.id == 0);
  CHECK(rows.keep(ctx, 1, h).id == h.id);
  for (const std::size_t level : {2u, 3u}) {
    const Flow<float> flow = rows.flow(ctx, static_cast<std::int64_t>(level) - 1);
    const std::int32_t count = plans.level(level).size();
    const MatrixView<const float> first = ctx.value(flow.first);
    REQUIRE(first.rows == 3 * count);
    for (std::int32_t c = 0; c < 3; ++c) {
      for (std::int32_t r = 0; r < count; ++r) {
        CHECK(first(c * count + r, 0) == static_cast<float>(c * stride + origin_of(plans, level, r, 1)));
        if (flow.same_rows) continue;
        CHECK(flow.root[static_cast<std::size_t>(c * count + r)] ==
              c * plans.level(level - 1).size() + plans.level(level).root()[static_cast<std::size_t>(r)]);
      }
    }
  }
  const Span<const float> degree = rows.degrees(ctx, 1);
  REQUIRE(degree.size() == static_cast<std::size_t>(stride));
  const Span<const std::int32_t> ptr = plans.level(1).read_ptr();
  for (std::size_t r = 0; r < degree.size(); ++r) CHECK(degree[r] == static_cast<float>(ptr[r + 1] - ptr[r]));
}

}  // namespace
}  // namespace mlgraph
