// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/flow_graph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using testing::Ids;

TEST_CASE("every stage leads to the next level, and so does the join before its stage") {
  FlowGraph graph;
  graph.stages.resize(3);
  CHECK((!graph.joins() && graph.level_of(0) == 0 && graph.level_of(2) == 2 && graph.last_level() == 3));
  graph.join_stage = 1;
  CHECK((graph.joins() && graph.level_of(0) == 0 && graph.level_of(1) == 2 && graph.level_of(2) == 3));
  CHECK((graph.join_level() == 2 && graph.last_level() == 4));
  graph.join_stage = 3;
  CHECK((graph.level_of(2) == 2 && graph.join_level() == 4 && graph.last_level() == 4));
}

TEST_CASE("a configuration reaches its nodes at the join, and one step along the edges with each stage") {
  // 0 -> 1 -> 2 -> 3 and 4 alone; the second stage has no edges, the third reads against them.
  const Edges edges = testing::make_edges({5, {0, 1, 2}, {1, 2, 3}}, testing::keep_all(true));
  FlowGraph graph;
  graph.num_nodes = 5;
  graph.stages.resize(4);
  graph.stages[0].edges = edges.view().forward;
  graph.stages[1].edges = edges.view().forward;
  graph.stages[3].edges = edges.view().reverse;
  CHECK((graph.stages[0].reads_edges() && !graph.stages[2].reads_edges()));
  CHECK(graph.reached() == std::vector<Ids>(5));
  graph.join_stage = 1;
  graph.config_node = {4, 1};
  CHECK(graph.reached() == std::vector<Ids>{{}, {}, {1, 4}, {1, 2, 4}, {1, 2, 4}, {0, 1, 2, 4}});
}

TEST_CASE("a random configuration changes no class of a node that is not reached") {
  Rng rng(3);
  for (int trial = 0; trial < 60; ++trial) {
    const testing::flow::FlowCase flow(rng, static_cast<std::int32_t>(rng.below(30)));
    if (!flow.graph.joins()) continue;
    const std::size_t k = flow.graph.config_node.size();
    Ids config(2 * k, 0);
    std::fill(config.begin() + static_cast<std::ptrdiff_t>(k), config.end(), 1);
    const testing::flow::FlowClasses classes(flow.graph, config, 2);
    const std::vector<Ids> reached = flow.graph.reached();
    for (std::size_t level = 0; level < reached.size(); ++level) {
      Ids changed;
      for (std::int32_t v = 0; v < flow.graph.num_nodes; ++v) {
        const auto at = static_cast<std::size_t>(v);
        if (classes.of[0][level][at] != classes.of[1][level][at]) changed.push_back(v);
      }
      CHECK(changed == reached[level]);
    }
  }
}

}  // namespace
}  // namespace mlgraph
