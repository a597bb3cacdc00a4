// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/current_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "allocation_counter.hpp"
#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using testing::Ids;
using namespace testing::flow;  // NOLINT: the fixtures

/// Current totals are those that plan_configs() gives, which finds no new row.
void check_current(FlowPlan& plan, const CurrentRows& current, const Ids& config) {
  const std::int64_t added = num_added(plan);
  const Ids wanted = totals_of(plan, config, 1);
  CHECK(num_added(plan) == added);
  for (std::size_t s = 0; s < wanted.size(); ++s) CHECK(current.total(s) == wanted[s]);
}

/// A change of some positions, which may repeat.
struct ConfigChange {
  Ids position, config;

  ConfigChange(Rng& rng, const Ids& now, std::uint64_t kinds) {
    for (std::uint64_t i = now.empty() ? 0 : rng.below(4); i > 0; --i) {
      position.push_back(static_cast<std::int32_t>(rng.below(now.size())));
      config.push_back(static_cast<std::int32_t>(rng.below(kinds)));
    }
  }
  void apply(Ids& now) const {
    for (std::size_t i = 0; i < position.size(); ++i) now[static_cast<std::size_t>(position[i])] = config[i];
  }
};

TEST_CASE("start, update, commit and rollback have the rows that a plan gives, on random walks") {
  Rng rng(51);
  for (int trial = 0; trial < 60; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 6 == 0 ? 300 : 40)));
    FlowPlan plan(flow.graph);
    if (trial % 4 == 0) plan.set_hash_bits(2);
    Ids now = flow.random_configs(rng, 1, 3), committed = now;
    CurrentRows current(plan);
    current.start(plan, now);
    check_current(plan, current, now);
    for (int step = 0; step < 40; ++step) {
      const std::uint64_t what = rng.below(10);
      if (what < 6) {
        const ConfigChange change(rng, now, 4);
        current.update(plan, change.position, change.config);
        change.apply(now);
      } else if (what == 6) {
        current.commit();
        committed = now;
      } else if (what < 9) {
        current.rollback();
        now = committed;
      } else {  // rows are forgotten, or it begins elsewhere
        if (rng.below(2) == 0) plan.truncate();
        now = committed = flow.random_configs(rng, 1, 3);
        current.start(plan, now);
      }
      check_current(plan, current, now);
    }
  }
}

TEST_CASE("rows that single changes found are those of plan_configs(), and the other way round") {
  Rng rng(52);
  for (int trial = 0; trial < 40; ++trial) {
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 6 == 0 ? 300 : 40)));
    const Ids config = flow.random_configs(rng, 8, 3);
    const std::size_t count = flow.num_configs(config);
    FlowPlan one_by_one(flow.graph), at_once(flow.graph);
    const Ids totals = totals_of(at_once, config, count);
    CurrentRows single(one_by_one), later(at_once);
    Ids alone(totals.size());
    const std::int64_t added = num_added(at_once);
    for (std::size_t c = 0; c < count; ++c) {
      single.start(one_by_one, flow.config_of(config, c));
      later.start(at_once, flow.config_of(config, c));
      for (std::size_t s = 0; s < at_once.sums().size(); ++s) {
        alone[s * count + c] = single.total(s);
        CHECK(later.total(s) == totals[s * count + c]);
      }
    }
    CHECK(num_added(at_once) == added);
    FlowPlan::Counts sizes, sizes_after;
    one_by_one.count(sizes);
    CHECK(totals_of(one_by_one, config, count) == alone);
    one_by_one.count(sizes_after);
    CHECK(sizes_after == sizes);
    CHECK(num_added(one_by_one) == added);
  }
}

TEST_CASE("many changes without a commit take no more memory, and are taken back") {
  Rng rng(54);
  for (int trial = 0; trial < 8; ++trial) {
    const FlowCase flow(rng, 30);
    FlowPlan plan(flow.graph);
    const Ids start = flow.random_configs(rng, 1, 3);
    if (start.empty()) continue;
    CurrentRows current(plan);
    current.start(plan, start);
    const std::size_t bytes = current.bytes();
    for (int round = 0; round < 3; ++round) {
      Ids now = start;
      for (int step = 0; step < 1500; ++step) {
        const ConfigChange change(rng, now, 3);
        current.update(plan, change.position, change.config);
        change.apply(now);
        if (step % 100 == 0) check_current(plan, current, now);
      }
      current.rollback();
      check_current(plan, current, start);
    }
    CHECK(current.bytes() == bytes);
  }
}

TEST_CASE("rows that are current, or that a rollback brings back, stay when others are forgotten") {
  Rng rng(55);
  for (int trial = 0; trial < 60; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 6 == 0 ? 300 : 40)));
    FlowPlan plan(flow.graph);
    Ids committed = flow.random_configs(rng, 1, 4), now = committed;
    CurrentRows current(plan);
    current.start(plan, now);
    for (std::uint32_t generation = 1; generation < 5; ++generation) {
      plan.set_generation(generation);
      for (std::uint64_t step = rng.below(4); step > 0; --step) {
        const ConfigChange change(rng, now, 4);
        current.update(plan, change.position, change.config);
        change.apply(now);
        if (rng.below(3) == 0) {
          current.commit();
          committed = now;
        }
      }
      totals_of(plan, flow.random_configs(rng, 3, 4));
      FlowPlan::Counts before, after;
      plan.count(before);
      plan.set_generation(generation + 1);
      current.use(plan);
      plan.use_parts(generation + 1);
      current.move(plan, plan.forget(generation + 1, {}));
      plan.count(after);
      CHECK(after.size() == before.size());
      check_current(plan, current, now);  // finds no new row
      CurrentRows back = std::move(current);
      back.rollback();
      check_current(plan, back, committed);
      now = committed;
      current = std::move(back);
    }
    // Those of the current configuration, and the two that the log has at most of each place.
    CHECK(num_added(plan) <= 3 * plan.num_reached());
  }
}

TEST_CASE("what rows of later changes are made of stays with them") {
  Rng rng(56);
  for (int trial = 0; trial < 60; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 6 == 0 ? 300 : 40)));
    FlowPlan plan(flow.graph);
    Ids now = flow.random_configs(rng, 1, 3);
    CurrentRows current(plan);
    current.start(plan, now);
    for (std::uint32_t generation = 1; generation < 8; ++generation) {
      plan.set_generation(generation);
      for (int step = 0; step < 4; ++step) {
        const ConfigChange change(rng, now, 3);
        current.update(plan, change.position, change.config);
        change.apply(now);
        current.commit();
      }
      current.use(plan);
      plan.use_parts(generation);
      std::vector<char> is_used(3, 0);
      plan.mark_configs(generation, is_used);
      current.move(plan, plan.forget(generation, {}));
      for (std::size_t k = 0; k < plan.num_all_levels(); ++k) {
        const FlowRows& rows = plan.level(k);
        CHECK(std::all_of(rows.root().begin(), rows.root().end(), [](std::int32_t r) { return r >= 0; }));
        CHECK(std::all_of(rows.reads().begin(), rows.reads().end(), [](std::int32_t r) { return r >= 0; }));
        for (std::int32_t r = plan.num_free()[k]; r < rows.size(); ++r) CHECK(rows.is_used(r, generation));
        if (!flow.graph.joins() || k != static_cast<std::size_t>(flow.graph.join_level())) continue;
        for (const std::int32_t kind : rows.kind()) {
          if (kind > 0) CHECK(is_used[static_cast<std::size_t>(kind) - 1] != 0);
        }
      }
      check_current(plan, current, now);
    }
  }
}

TEST_CASE("where nothing can be configured there is one configuration") {
  for (const std::int32_t join : {-1, 0, 2}) {
    FlowGraph graph;
    graph.num_nodes = graph.num_inner = 20;
    graph.input_kind.assign(20, 0);
    graph.stages.resize(2);
    graph.join_stage = join;
    FlowPlan plan(graph);
    CurrentRows current(plan);
    current.start(plan, {});
    current.update(plan, {}, {});
    check_current(plan, current, {});
  }
}

TEST_CASE("changes that were seen before allocate nothing") {
  Rng rng(53);
  const FlowCase flow(rng, 60);
  FlowPlan plan(flow.graph);
  REQUIRE(flow.graph.config_node.size() > 2);
  const Ids start = flow.random_configs(rng, 1, 2);
  CurrentRows current(plan);
  current.start(plan, start);
  std::vector<ConfigChange> changes;
  for (int i = 0; i < 20; ++i) changes.emplace_back(rng, start, 2);
  std::size_t allocations = 0;
  for (const bool again : {false, true}) {
    if (again) allocations = testing::num_allocations();
    for (std::size_t i = 0; i < changes.size(); ++i) {
      current.update(plan, changes[i].position, changes[i].config);
      if (i % 3 == 0) current.rollback();
      if (i % 3 == 1) current.commit();
    }
    current.start(plan, start);
  }
  CHECK(testing::num_allocations() == allocations);
}

TEST_CASE("current rows that were moved go on where they were") {
  Rng rng(57);
  const FlowCase flow(rng, 50);
  FlowPlan plan(flow.graph);
  const Ids start = flow.random_configs(rng, 1, 2);
  REQUIRE(!start.empty());
  CurrentRows first(plan);
  first.start(plan, start);
  Ids changed = start;
  changed[0] += 1;
  const Ids position = {0}, config = {changed[0]};
  first.update(plan, position, config);
  CurrentRows second = std::move(first);
  check_current(plan, second, changed);
  second.rollback();
  check_current(plan, second, start);
}

}  // namespace
}  // namespace mlgraph
