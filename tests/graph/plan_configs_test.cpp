// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/plan_configs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using testing::Ids;
using namespace testing::flow;  // NOLINT: the fixtures

TEST_CASE("more configurations than have local numbers are planned piece by piece") {
  FlowGraph graph = flow_without_edges({0, 1, 0});
  graph.join_stage = 0;
  graph.config_node = {1, 2};
  graph.num_inner_config = 2;
  FlowPlan plan(graph);
  const auto count = static_cast<std::size_t>(LocalRows::kMostConfigs) + 3;
  Ids config;
  for (std::size_t c = 0; c < count; ++c) {
    config.push_back(static_cast<std::int32_t>(c % 7));
    config.push_back(static_cast<std::int32_t>(c % 3));
  }
  const Ids totals = totals_of(plan, config, count);
  REQUIRE(totals.size() == count);
  CHECK(std::equal(totals.begin() + 21, totals.end(), totals.begin()));  // of the remainders by 7 and 3
  CHECK(*std::max_element(totals.begin(), totals.end()) == 20);
  CHECK(num_added(plan) == 2 * (7 + 3));  // at the join, and after the stage
}

TEST_CASE("configurations planned at once, in chunks or one by one are the same where they are the same") {
  Rng rng(23);
  for (int trial = 0; trial < 60; ++trial) {
    const FlowCase flow(rng, 5 + static_cast<std::int32_t>(rng.below(40)));
    const std::size_t count = 12;
    const Ids config = flow.random_configs(rng, count, 1 + rng.below(3));
    FlowPlan at_once(flow.graph);
    const Ids totals = totals_of(at_once, config, count);
    const std::size_t sums = at_once.sums().size();
    REQUIRE(totals.size() == sums * count);
    for (const std::size_t chunk : {1u, 5u}) {
      FlowPlan kept(flow.graph), forgetful(flow.graph);
      Ids in_parts(totals.size());
      for (std::size_t begin = 0; begin < count; begin += chunk) {
        const std::size_t size = std::min(chunk, count - begin);
        const Ids part = flow.config_of(config, begin, size);
        const Ids mine = totals_of(kept, part, size);
        forgetful.truncate();
        CHECK(plan_sizes(forgetful) == forgetful.num_free());
        const Ids alone = totals_of(forgetful, part, size);
        for (std::size_t s = 0; s < sums; ++s) {
          Ids whole;
          for (std::size_t c = 0; c < size; ++c) {
            in_parts[s * count + begin + c] = mine[s * size + c];
            whole.push_back(totals[s * count + begin + c]);
          }
          const auto from = alone.begin() + static_cast<std::ptrdiff_t>(s * size);
          CHECK(same_partition(Ids(from, from + static_cast<std::ptrdiff_t>(size)), whole));
        }
      }
      for (std::size_t s = 0; s < sums; ++s) {
        const auto first = static_cast<std::ptrdiff_t>(s * count), last = first + std::ptrdiff_t{count};
        CHECK(same_partition(Ids(totals.begin() + first, totals.begin() + last),
                             Ids(in_parts.begin() + first, in_parts.begin() + last)));
      }
      CHECK(plan_sizes(kept) == plan_sizes(at_once));
    }
  }
}

TEST_CASE("where nothing is configured, or there is no node, all configurations have the same total") {
  FlowGraph graph = flow_without_edges({0, 1, 0});
  graph.join_stage = 1;
  graph.pools_config = true;
  FlowPlan plan(graph);
  const Ids sizes = plan_sizes(plan);
  CHECK(totals_of(plan, {}, 4) == Ids{0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(totals_of(plan, {}, 0).empty());
  CHECK(plan_sizes(plan) == sizes);
  for (const std::int32_t join : {-1, 0, 1}) {
    FlowGraph empty = flow_without_edges({});
    empty.join_stage = join;
    FlowPlan none(empty);
    CHECK(none.level(0).size() == 0);
    CHECK(totals_of(none, {}, 3) == Ids{0, 0, 0});
    CHECK(none.level(none.sum_level(0, 0)).reads().empty());
  }
}

TEST_CASE("a configuration that differs at no node that is pooled has no sums of its own") {
  const Edges edges = testing::make_edges({3, {0, 1}, {1, 2}}, testing::keep_all(true));
  FlowGraph graph = flow_without_edges({0, 1, 2});
  graph.stages[0].edges = edges.view().forward;
  graph.join_stage = 0;
  graph.config_node = {2};
  graph.num_inner = 2;  // node 2 is of a halo
  FlowPlan plan(graph);
  const Ids sizes = plan_sizes(plan);
  CHECK(totals_of(plan, {0, 1, 0}, 3) == Ids{0, 0, 0});
  CHECK(num_added(plan) == 4);
  CHECK(plan.level(plan.sum_level(0, 0)).size() == sizes.back());
}

}  // namespace
}  // namespace mlgraph
