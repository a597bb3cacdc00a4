// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/subgraph.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "graph_test_util.hpp"
#include "long_tests.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

constexpr int kFar = std::numeric_limits<int>::max();

// Distance from the nearest seed by relaxing every edge until nothing changes.
std::vector<int> distances(const EdgeList& list, const Ids& seeds, Direction direction) {
  std::vector<int> distance(static_cast<std::size_t>(list.num_nodes), kFar);
  for (const std::int32_t seed : seeds) distance[static_cast<std::size_t>(seed)] = 0;
  const auto relax = [&](std::int32_t from, std::int32_t to) {
    int& d = distance[static_cast<std::size_t>(to)];
    const int via = distance[static_cast<std::size_t>(from)];
    if (via == kFar || d <= via + 1) return false;
    d = via + 1;
    return true;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t e = 0; e < list.size(); ++e) {
      if (direction != Direction::kReverse) changed |= relax(list.target[e], list.source[e]);
      if (direction != Direction::kForward) changed |= relax(list.source[e], list.target[e]);
    }
  }
  return distance;
}

Ids random_nodes(Rng& rng, std::int32_t num_nodes) {
  Ids nodes;
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    if (rng.below(2) == 0) nodes.push_back(v);
  }
  rng.shuffle(Span<std::int32_t>(nodes));
  return nodes;
}

// Every edge of the subgraph is the edge of the whole graph that `edge` says it is, and none is used twice.
void check_edge_positions(const Subgraph& part, const EdgesView& whole) {
  const std::vector<Pair> all = entries(whole.forward.csr);
  const std::vector<Pair> here = entries(part.edges.view().forward.csr);
  REQUIRE(part.edge.size() == here.size());
  for (std::size_t p = 0; p < here.size(); ++p) {
    const Pair there = all[static_cast<std::size_t>(part.edge[p])];
    REQUIRE(part.node[static_cast<std::size_t>(here[p].first)] == there.first);
    REQUIRE(part.node[static_cast<std::size_t>(here[p].second)] == there.second);
  }
  Ids sorted(part.edge);
  std::sort(sorted.begin(), sorted.end());
  REQUIRE(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
}

}  // namespace

TEST_CASE("a node map forgets everything at once, however often") {
  NodeMap map;
  map.reset(4);
  map.set(2, 7);
  CHECK(map.get(2) == 7);
  CHECK(map.get(1) == -1);
  for (int round = 0; round < 70000; ++round) {  // more than the marks that one epoch counter has
    map.reset(4);
    if (map.contains(2) || map.contains(3)) FAIL("a value outlived reset() in round ", round);
    if (round == 1000) map.set(2, 1);
    if (round % 3 == 0) map.set(3, 1);
  }
  map.reset(9);
  map.set(8, 0);
  CHECK(map.contains(8));
  CHECK_FALSE(map.contains(3));
}

TEST_CASE("k hops reach what relaxing every edge reaches") {
  Rng rng(1);
  KHopSearch search;
  for (int round = 0; round < 200; ++round) {
    const auto num_nodes = static_cast<std::int32_t>(rng.below(30));
    const EdgeList list = random_edges(rng, num_nodes, static_cast<std::int64_t>(rng.below(50)));
    const Edges edges = make_edges(list);
    Ids seeds;
    for (std::uint64_t i = 0; num_nodes > 0 && i < rng.below(4); ++i) {
      seeds.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_nodes))));
    }
    for (const auto direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
      const std::vector<int> distance = distances(list, seeds, direction);
      for (const int k : {0, 1, 2, 3, 100}) {
        REQUIRE(search.run(edges.view(), seeds, k, direction).ok());
        for (int at_most = -1; at_most <= k + 1; at_most += (at_most < 5 ? 1 : 40)) {
          Ids expected;
          for (std::int32_t v = 0; v < num_nodes; ++v) {
            if (distance[static_cast<std::size_t>(v)] <= std::min(k, at_most)) expected.push_back(v);
          }
          Ids within = to_ids(search.within(at_most));
          CHECK(std::is_sorted(within.begin(), within.end(), [&](std::int32_t a, std::int32_t b) {
            return Pair(search.distance(a), a) < Pair(search.distance(b), b);
          }));
          std::sort(within.begin(), within.end());
          CHECK(within == expected);
          if (at_most == k) {
            CHECK(to_ids(search.nodes()) == expected);
            CHECK(*k_hop(edges.view(), seeds, k, direction) == expected);
          }
        }
        for (std::int32_t v = 0; v < num_nodes; ++v) {
          const int d = distance[static_cast<std::size_t>(v)];
          CHECK(search.distance(v) == (d <= k ? d : -1));
        }
      }
    }
  }
}

TEST_CASE("the direction of k hops is that of the layers that read") {
  const Edges edges = make_edges({4, {0, 1, 2}, {1, 2, 3}});  // 0 -> 1 -> 2 -> 3
  const Ids seed = {2};
  CHECK(*k_hop(edges.view(), seed, 1, Direction::kForward) == Ids{1, 2});
  CHECK(*k_hop(edges.view(), seed, 1, Direction::kReverse) == Ids{2, 3});
  CHECK(*k_hop(edges.view(), seed, 1, Direction::kBoth) == Ids{1, 2, 3});
}

TEST_CASE("k hops refuse seeds that do not exist and negative k") {
  const Edges edges = make_edges({3, {0}, {1}});
  KHopSearch search;
  REQUIRE(search.run(edges.view(), Ids{0}, 1, Direction::kBoth).ok());
  CHECK(search.run(edges.view(), Ids{0, 3}, 1, Direction::kBoth).message() == "seed 1 is 3; num_nodes is 3");
  CHECK(search.nodes().empty());
  CHECK(k_hop(edges.view(), Ids{-1}, 1, Direction::kBoth).status().message() == "seed 0 is -1; num_nodes is 3");
  CHECK(k_hop(edges.view(), Ids{0}, -1, Direction::kBoth).status().message() == "k is -1; should be 0 or more");
}

TEST_CASE("an induced subgraph has the chosen nodes in their order and all edges among them") {
  Rng rng(2);
  NodeMap scratch;
  for (int round = 0; round < 150; ++round) {
    const bool both = round % 2 == 0;
    const EdgeList list = random_edges(rng, static_cast<std::int32_t>(rng.below(15)), 40);
    const Edges edges = make_edges(list, keep_all(both));
    const Ids nodes = random_nodes(rng, list.num_nodes);
    const Result<Subgraph> part = induced_subgraph(edges.view(), nodes, scratch);
    REQUIRE(part.ok());
    CHECK(part->node == nodes);
    CHECK(part->num_inner == static_cast<std::int32_t>(nodes.size()));
    std::vector<Pair> expected;
    for (std::size_t e = 0; e < list.size(); ++e) {
      const auto from = std::find(nodes.begin(), nodes.end(), list.source[e]);
      const auto to = std::find(nodes.begin(), nodes.end(), list.target[e]);
      if (from == nodes.end() || to == nodes.end()) continue;
      expected.emplace_back(static_cast<std::int32_t>(from - nodes.begin()),
                            static_cast<std::int32_t>(to - nodes.begin()));
    }
    std::sort(expected.begin(), expected.end());
    CHECK(sorted_edges(part->edges.view()) == expected);
    check_edges(part->edges.view(), static_cast<std::int32_t>(nodes.size()), both);
    check_edge_positions(*part, edges.view());
    CHECK(sorted_edges(induced_subgraph(edges.view(), nodes)->edges.view()) == expected);
  }
}

TEST_CASE("a halo is the other ends of the edges of the chosen nodes") {
  Rng rng(3);
  NodeMap scratch;
  for (int round = 0; round < 150; ++round) {
    const EdgeList list = random_edges(rng, 1 + static_cast<std::int32_t>(rng.below(15)), 25);
    const Edges edges = make_edges(list, keep_all(round % 2 == 0));
    Ids nodes = random_nodes(rng, list.num_nodes);
    nodes.resize(nodes.size() / 2);
    const Result<Subgraph> part = halo_subgraph(edges.view(), nodes, scratch);
    REQUIRE(part.ok());
    REQUIRE(part->num_inner == static_cast<std::int32_t>(nodes.size()));
    const auto is_chosen = [&](std::int32_t v) {
      return std::find(nodes.begin(), nodes.end(), v) != nodes.end();
    };
    Ids halo;
    std::vector<Pair> expected;
    for (std::size_t e = 0; e < list.size(); ++e) {
      const std::int32_t s = list.source[e], t = list.target[e];
      if (!is_chosen(s) && !is_chosen(t)) continue;
      expected.emplace_back(s, t);
      if (!is_chosen(s)) halo.push_back(s);
      if (!is_chosen(t)) halo.push_back(t);
    }
    std::sort(halo.begin(), halo.end());
    halo.erase(std::unique(halo.begin(), halo.end()), halo.end());
    Ids all(nodes);
    all.insert(all.end(), halo.begin(), halo.end());
    CHECK(part->node == all);
    std::vector<Pair> found = sorted_edges(part->edges.view());
    for (Pair& pair : found) {
      pair = {all[static_cast<std::size_t>(pair.first)], all[static_cast<std::size_t>(pair.second)]};
    }
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    CHECK(found == expected);
    check_edges(part->edges.view(), static_cast<std::int32_t>(all.size()), round % 2 == 0);
    check_edge_positions(*part, edges.view());
  }
}

TEST_CASE("subgraphs refuse nodes that do not exist or are listed twice") {
  const Edges edges = make_edges({3, {0}, {1}});
  NodeMap scratch;
  CHECK(induced_subgraph(edges.view(), Ids{0, 3}).status().message() == "node 1 is 3; num_nodes is 3");
  CHECK(induced_subgraph(edges.view(), Ids{2, 0, 2}).status().message() == "node 2 is 2 and so is node 0");
  CHECK(halo_subgraph(edges.view(), Ids{-1}, scratch).status().message() == "node 0 is -1; num_nodes is 3");
}

TEST_CASE("a million nodes in a line are searched without recursion, and small parts of them are cheap" * testing::kLong) {
  const std::int32_t n = 1000000;
  EdgeList line;
  line.num_nodes = n;
  for (std::int32_t v = 1; v < n; ++v) line.add(v - 1, v);
  const Edges edges = make_edges(line);
  CHECK(k_hop(edges.view(), Ids{0}, n, Direction::kReverse)->size() == static_cast<std::size_t>(n));
  KHopSearch search;
  NodeMap scratch;
  std::size_t num_reached = 0;
  for (std::int32_t v = 100; v < n - 100; v += 100) {  // ten thousand searches: O(N) each would never end
    REQUIRE(search.run(edges.view(), Ids{v}, 3, Direction::kBoth).ok());
    num_reached += search.nodes().size();
    const Result<Subgraph> part = induced_subgraph(edges.view(), search.nodes(), scratch);
    REQUIRE(part.ok());
    REQUIRE(part->edges.num_edges() == 6);
  }
  CHECK(num_reached == 7 * 9998);
}
