// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/current_rows.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "allocation_counter.hpp"
#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using testing::Ids;
using namespace testing::flow;  // NOLINT: the fixtures

/// Current totals are those that plan() gives, which finds no new row.
void check_current(FlowPlan& plan, const CurrentRows& current, const Ids& config) {
  const std::int64_t added = plan.num_added();
  const Ids wanted = totals_of(plan, config, 1);
  CHECK(plan.num_added() == added);
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
