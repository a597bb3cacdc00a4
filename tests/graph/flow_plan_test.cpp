// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/flow_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using testing::Ids;
using namespace testing::flow;  // NOLINT: the fixtures

/// Everything that a plan knows of its rows.
std::vector<Ids> plan_contents(const FlowPlan& plan) {
  std::vector<Ids> all;
  const auto add = [&](const FlowRows& rows) {
    for (const Span<const std::int32_t> ids :
         {rows.root(), rows.kind(), rows.read_ptr(), rows.reads(), rows.edge_kind()})
      all.push_back(testing::to_ids(ids));
  };
  for (std::size_t k = 0; k < plan.num_all_levels(); ++k) add(plan.level(k));
  return all;
}

/// The rows of nodes that plan_configs() gives beside totals, and plan_configs_to() at each level, are those of
/// `by_hash`, (levels N) of each configuration.
void check_rows_given(FlowPlan& plan, const Ids& config, const std::vector<Ids>& by_hash) {
  if (!plan.graph().joins()) return;
  const auto num_configs = static_cast<std::int64_t>(by_hash.size());
  const auto n = static_cast<std::size_t>(plan.graph().num_nodes);
  Arena arena;
  for (auto k = static_cast<std::size_t>(plan.graph().join_level()); k < plan.num_levels(); ++k) {
    Ids wanted;
    for (const Ids& rows : by_hash) {
      for (const std::int32_t v : plan.reached(k)) wanted.push_back(rows[k * n + static_cast<std::size_t>(v)]);
    }
    Ids given(wanted.size());
    plan_configs_to(plan, k, config, num_configs, arena, Span<std::int32_t>(given));
    CHECK(given == wanted);
    if (k + 1 < plan.num_levels()) continue;
    Ids last(wanted.size()), totals(plan.sums().size() * by_hash.size());
    plan_configs(plan, config, num_configs, arena, Span<std::int32_t>(totals), Span<std::int32_t>(last));
    CHECK(last == wanted);
    CHECK(totals == totals_of(plan, config, by_hash.size()));
  }
}

/// The plan's rows after plan_configs() of these configurations are the reference's: as many, and of each node
/// and configuration by hashing every one.
void check_plan_of(const FlowCase& flow, FlowPlan& plan, const Ids& config) {
  const std::size_t num_configs = flow.num_configs(config);
  const Ids totals = totals_of(plan, config);
  const Ids sizes = plan_sizes(plan);
  const FlowClasses classes(flow.graph, config, num_configs);
  std::vector<Ids> by_hash(num_configs);
  for (std::size_t c = 0; c < num_configs; ++c) {
    const HashedRows rows(plan, flow.config_of(config, c));
    by_hash[c] = rows.all;
    for (std::size_t s = 0; s < plan.sums().size(); ++s) CHECK(rows.total[s] == totals[s * num_configs + c]);
  }
  check_rows_given(plan, config, by_hash);
  CHECK(plan_sizes(plan) == sizes);  // hashing every row finds none that is new
  const auto n = static_cast<std::size_t>(flow.graph.num_nodes);
  for (std::size_t k = 0; k < plan.num_levels(); ++k) {
    Ids ids, wanted;
    for (std::size_t c = 0; c < num_configs; ++c) {
      ids.insert(ids.end(), by_hash[c].begin() + static_cast<std::ptrdiff_t>(k * n),
                 by_hash[c].begin() + static_cast<std::ptrdiff_t>((k + 1) * n));
      wanted.insert(wanted.end(), classes.of[c][k].begin(), classes.of[c][k].end());
    }
    CHECK(same_partition(ids, wanted));
    if (num_configs > 0) CHECK(plan.level(k).size() == classes.count[k]);
  }
  for (std::size_t s = 0; s < plan.sums().size(); ++s) {
    const std::vector<std::set<Ids>> blocks = classes.blocks(plan.sums()[s]);
    for (std::size_t t = 0; t < blocks.size() && num_configs > 0; ++t)
      CHECK(plan.level(plan.sum_level(s, t)).size() == static_cast<std::int32_t>(blocks[t].size()));
    const auto from = totals.begin() + static_cast<std::ptrdiff_t>(s * num_configs);
    const Ids mine(from, from + static_cast<std::ptrdiff_t>(num_configs));
    CHECK(same_partition(mine, classes.totals(plan.sums()[s])));
  }
}

TEST_CASE("rows of a plan are equal exactly where colour refinement with ordered neighbours says so") {
  Rng rng(7);
  for (int trial = 0; trial < 400; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 8 == 0 ? 330 : 28)));
    FlowPlan plan(flow.graph);
    if (trial % 3 == 0) plan.set_hash_bits(2);
    check_plan_of(flow, plan, flow.random_configs(rng, rng.below(9), 1 + rng.below(4)));
  }
}

TEST_CASE("the rows of a node are free or reached, and the plan knows where each is") {
  Rng rng(19);
  for (int trial = 0; trial < 60; ++trial) {
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(30)));
    const FlowPlan plan(flow.graph);
    std::int64_t num_reached = 0;
    for (std::size_t k = 0; k < plan.num_levels(); ++k) {
      const Span<const std::int32_t> nodes = plan.reached(k);
      num_reached += static_cast<std::int64_t>(nodes.size());
      for (std::int32_t v = 0; v < flow.graph.num_nodes; ++v) {
        const std::int32_t place = plan.place(k, v);
        CHECK((place >= 0) == (plan.free_row(k, v) < 0));
        if (place >= 0) CHECK(nodes[static_cast<std::size_t>(place)] == v);
      }
      CHECK(std::is_sorted(nodes.begin(), nodes.end()));
      if (!flow.graph.joins() || k < static_cast<std::size_t>(flow.graph.join_level())) CHECK(nodes.empty());
    }
    CHECK(plan.num_reached() == num_reached);
    CHECK(num_added(plan) == 0);
    CHECK(plan.num_free() == plan_sizes(plan));
    for (std::size_t r = 0; r < plan.node_of_input().size(); ++r)
      CHECK(plan.free_row(0, plan.node_of_input()[r]) == static_cast<std::int32_t>(r));
    CHECK(static_cast<std::int32_t>(plan.node_of_input().size()) == plan.level(0).size());
  }
}

TEST_CASE("a plan is a function of the graph and of what was planned since the last truncate()") {
  Rng rng(29);
  for (int trial = 0; trial < 30; ++trial) {
    const FlowCase flow(rng, 30);
    const Ids config = flow.random_configs(rng, 9, 3);
    FlowPlan fresh(flow.graph), used(flow.graph);
    const Ids totals = totals_of(fresh, config);
    totals_of(used, flow.random_configs(rng, 20, 6));
    const FlowPlan copy = used;
    used.truncate();
    CHECK(totals_of(used, config) == totals);
    CHECK(plan_contents(used) == plan_contents(fresh));
    CHECK(num_added(used) == num_added(fresh));
    CHECK(totals_of(used, config) == totals);  // nothing is new
    CHECK(plan_contents(used) == plan_contents(fresh));
    FlowPlan again = copy;  // copies are apart
    again.truncate();
    CHECK(totals_of(again, config) == totals);
    CHECK(fresh.bytes() > 0);
  }
}

TEST_CASE("a plan that merges nothing has a row for each configuration and node that it reaches") {
  Rng rng(31);
  for (int trial = 0; trial < 40; ++trial) {
    const FlowCase flow(rng, 5 + static_cast<std::int32_t>(rng.below(40)));
    const FlowPlan merged(flow.graph);
    FlowPlan plan = merged.unmerged();
    CHECK((merged.merges() && !plan.merges()));
    const auto n = flow.graph.num_nodes;
    const std::size_t count = 1 + rng.below(6);
    const Ids config(count * flow.graph.config_node.size(), 0);  // all equal
    const Ids totals = totals_of(plan, config, count);
    for (std::size_t k = 0; k < plan.num_levels(); ++k) {
      const auto reached = static_cast<std::int32_t>(plan.reached(k).size());
      CHECK(plan.num_free()[k] == n - reached);
      CHECK(plan.level(k).size() == n + (static_cast<std::int32_t>(count) - 1) * reached);
    }
    CHECK(num_added(plan) == static_cast<std::int64_t>(count) * plan.num_reached());
    for (std::size_t s = 0; s < plan.sums().size(); ++s) {
      const auto from = totals.begin() + static_cast<std::ptrdiff_t>(s * count);
      const std::set<std::int32_t> distinct(from, from + static_cast<std::ptrdiff_t>(count));
      CHECK(distinct.size() == (plan.sums()[s].free.back()[0] >= 0 ? 1 : count));
    }
    const std::int64_t once = num_added(plan);
    totals_of(plan, config, count);  // nothing is found
    CHECK(num_added(plan) == 2 * once);
    plan.truncate();
    CHECK(plan_sizes(plan) == plan.num_free());
  }
}

TEST_CASE("a plan knows whether it is a copy of another, or its unmerged one") {
  Rng rng(37);
  const FlowCase flow(rng, 20);
  const FlowPlan plan(flow.graph), same(flow.graph), none;
  FlowPlan copy = plan;
  totals_of(copy, flow.random_configs(rng, 3, 3));
  CHECK((copy.is_of(plan) && plan.is_of(copy) && plan.unmerged().is_of(plan)));
  CHECK((!same.is_of(plan) && !same.unmerged().is_of(plan)));
  CHECK((plan.is_made() && !none.is_made() && !none.is_of(plan) && !none.is_of(none)));
}

TEST_CASE("rows that are old are forgotten; those that stay are found, and the rest can be planned again") {
  Rng rng(41);
  for (int trial = 0; trial < 120; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 8 == 0 ? 300 : 30)));
    if (flow.graph.config_node.empty()) continue;
    FlowPlan plan(flow.graph);
    if (trial % 3 == 0) plan.set_hash_bits(2);
    const std::uint64_t kinds = 2 + rng.below(5);
    Ids old = flow.random_configs(rng, 4, kinds), kept = flow.random_configs(rng, 3, kinds);
    plan.set_generation(1);
    totals_of(plan, old);
    plan.set_generation(2);
    const Ids totals = totals_of(plan, kept);
    std::vector<char> is_used(static_cast<std::size_t>(kinds), 0), wanted_used = is_used;
    const FlowPlan used = plan;
    plan.use_parts(2);  // rows that were planned together all are used
    for (std::size_t k = 0; k < plan.num_all_levels(); ++k) {
      for (std::int32_t r = plan.num_free()[k]; r < plan.level(k).size(); ++r)
        CHECK(plan.level(k).is_used(r, 2) == used.level(k).is_used(r, 2));
    }
    plan.mark_configs(2, is_used);
    for (const std::int32_t id : kept) wanted_used[static_cast<std::size_t>(id)] = 1;
    CHECK(is_used == wanted_used);
    Ids config_to(is_used.size(), -1);
    std::int32_t next = 0;
    for (std::size_t i = 0; i < is_used.size(); ++i) {
      if (is_used[i] != 0) config_to[i] = next++;
    }
    const std::vector<Ids> to = plan.forget(2, config_to);
    REQUIRE(to.size() == plan.num_all_levels());
    for (std::int32_t& id : kept) id = config_to[static_cast<std::size_t>(id)];
    for (std::int32_t& id : old) {  // what went gets a number behind the others
      std::int32_t& there = config_to[static_cast<std::size_t>(id)];
      if (there < 0) there = next++;
      id = there;
    }
    const Ids sizes = plan_sizes(plan);
    const Ids again = totals_of(plan, kept);
    CHECK(plan_sizes(plan) == sizes);  // all that stayed is found
    const std::size_t count = flow.num_configs(kept);
    for (std::size_t s = 0; s < plan.sums().size(); ++s) {
      const Ids& moved = to[plan.sum_level(s, plan.sums()[s].num_levels() - 1)];
      for (std::size_t i = s * count; i < (s + 1) * count; ++i)
        CHECK(again[i] == moved[static_cast<std::size_t>(totals[i])]);
    }
    check_plan_of(flow, plan, kept);  // and there is nothing else
    old.insert(old.end(), kept.begin(), kept.end());
    check_plan_of(flow, plan, old);
  }
}

TEST_CASE("int32 counts the rows of as many configurations as a plan says, and what they read") {
  Rng rng(43);
  for (int trial = 0; trial < 60; ++trial) {
    const FlowCase flow(rng, 1 + static_cast<std::int32_t>(rng.below(40)));
    const FlowPlan merged(flow.graph);
    FlowPlan plan = merged.unmerged();
    const auto count = [&](std::size_t configs) {
      plan.truncate();
      totals_of(plan, Ids(configs * flow.graph.config_node.size(), 0), configs);
      std::vector<std::int64_t> counts;
      for (std::size_t k = 0; k < plan.num_all_levels(); ++k) {
        counts.push_back(plan.level(k).size());
        counts.push_back(static_cast<std::int64_t>(plan.level(k).reads().size()));
      }
      return counts;
    };
    const std::vector<std::int64_t> one = count(1), two = count(2);
    const std::int64_t most = merged.max_configs();
    std::int64_t largest = 0;
    for (std::size_t i = 0; i < one.size(); ++i)
      largest = std::max(largest, one[i] + (most - 1) * (two[i] - one[i]));
    CHECK(largest <= std::numeric_limits<std::int32_t>::max());
    if (flow.graph.joins() && !flow.graph.config_node.empty())
      CHECK(largest > 1 << 26);  // a block reads up to 16 rows
  }
}

TEST_CASE("where only configurable nodes go on, there are rows of no others after the join") {
  Rng rng(47);
  for (int trial = 0; trial < 60; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, 1 + static_cast<std::int32_t>(rng.below(40)));
    if (!flow.graph.joins()) continue;
    FlowGraph all = flow.graph;
    for (std::size_t k = static_cast<std::size_t>(all.join_stage); k < all.stages.size(); ++k)
      all.stages[k] = FlowStage();
    all.config_node.resize(static_cast<std::size_t>(all.num_inner_config));
    all.pools_all = false;
    all.pools_config = true;
    FlowGraph only = all;
    only.config_only = true;
    FlowPlan of_all(all), of_only(only);
    const Ids config = random_kinds(rng, 5 * all.config_node.size(), 3);
    const Ids totals = totals_of(of_all, config, 5);
    CHECK(same_partition(totals_of(of_only, config, 5), totals));
    for (std::size_t k = 0; k < of_only.num_levels(); ++k) {
      const bool joined = static_cast<std::int32_t>(k) >= only.join_level();
      CHECK(of_only.num_free()[k] == (joined ? 0 : of_all.num_free()[k]));
      CHECK(of_only.level(k).size() == of_all.level(k).size() - (joined ? of_all.num_free()[k] : 0));
    }
  }
}

TEST_CASE("nodes that are all equal have one row, and those that all differ one each") {
  const FlowGraph equal = flow_without_edges(Ids(40, 0));
  CHECK(plan_sizes(FlowPlan(equal)) == Ids{1, 1, 2, 1});  // blocks of 16 and of 8
  Ids kinds(40);
  for (std::size_t i = 0; i < kinds.size(); ++i) kinds[i] = static_cast<std::int32_t>(i);
  const FlowGraph distinct = flow_without_edges(kinds);
  CHECK(plan_sizes(FlowPlan(distinct)) == Ids{40, 40, 3, 1});
}

TEST_CASE("equal inputs in another order, or along edges of other weights, are other rows") {
  // 4 and 5 read inputs 0 and 1, in this order and the other; 6 as 4.
  const Edges edges = testing::make_edges({9, {0, 1, 2, 3, 7, 8}, {4, 4, 5, 5, 6, 6}}, testing::keep_all(true));
  FlowGraph graph = flow_without_edges({0, 1, 1, 0, 2, 2, 2, 0, 1});
  graph.stages[0].edges = edges.view().forward;
  FlowPlan plain(graph);
  CHECK(plain.free_row(1, 4) != plain.free_row(1, 5));
  CHECK(plain.free_row(1, 4) == plain.free_row(1, 6));
  graph.stages[0].edge_kind = {0, 1, 0, 1, 0, 1};
  CHECK(FlowPlan(graph).free_row(1, 4) == FlowPlan(graph).free_row(1, 6));
  graph.stages[0].edge_kind = {0, 1, 0, 1, 0, 0};
  CHECK(FlowPlan(graph).free_row(1, 4) != FlowPlan(graph).free_row(1, 6));
  graph.stages[0].edge_kind = {0, 1, 0, 1, 0, 1};
  graph.stages[0].node_kind = {0, 0, 0, 0, 0, 0, 1, 0, 0};
  CHECK(FlowPlan(graph).free_row(1, 4) != FlowPlan(graph).free_row(1, 6));
}

}  // namespace
}  // namespace mlgraph
