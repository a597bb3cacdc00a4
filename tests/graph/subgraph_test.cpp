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
std::vector<int> distances(const EdgeList& list, const Ids& seeds) {
  std::vector<int> distance(static_cast<std::size_t>(list.num_nodes), kFar);
  for (const std::int32_t seed : seeds) distance[static_cast<std::size_t>(seed)] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t e = 0; e < list.size(); ++e) {
      int& a = distance[static_cast<std::size_t>(list.source[e])];
      int& b = distance[static_cast<std::size_t>(list.target[e])];
      const int via = std::min(a, b);
      if (via == kFar || std::max(a, b) <= via + 1) continue;
      (a == via ? b : a) = via + 1;
      changed = true;
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

// (source, target) of every edge, sorted.
std::vector<Pair> edges_of(const Subgraph& part) {
  std::vector<Pair> pairs;
  for (std::size_t e = 0; e < part.source.size(); ++e) pairs.emplace_back(part.source[e], part.target[e]);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
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
  for (int round = 0; round < 200; ++round) {
    const auto num_nodes = static_cast<std::int32_t>(rng.below(30));
    const EdgeList list = random_edges(rng, num_nodes, static_cast<std::int64_t>(rng.below(50)));
    const Edges edges = make_edges(list);
    Ids seeds;
    for (std::uint64_t i = 0; num_nodes > 0 && i < rng.below(4); ++i) {
      seeds.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_nodes))));
    }
    const std::vector<int> distance = distances(list, seeds);
    for (const int k : {0, 1, 2, 3, 100}) {
      Ids expected;
      for (std::int32_t v = 0; v < num_nodes; ++v) {
        if (distance[static_cast<std::size_t>(v)] <= k) expected.push_back(v);
      }
      CHECK(*k_hop(edges.view(), seeds, k) == expected);
    }
  }
}

TEST_CASE("k hops refuse seeds that do not exist and negative k") {
  const Edges edges = make_edges({3, {0}, {1}});
  CHECK(k_hop(edges.view(), Ids{0, 3}, 1).status().message() == "seed 1 is 3; num_nodes is 3");
  CHECK(k_hop(edges.view(), Ids{-1}, 1).status().message() == "seed 0 is -1; num_nodes is 3");
  CHECK(k_hop(edges.view(), Ids{0}, -1).status().message() == "k is -1; should be 0 or more");
}

TEST_CASE("an induced subgraph has the chosen nodes in their order and all edges among them") {
  Rng rng(2);
  NodeMap scratch;
  for (int round = 0; round < 150; ++round) {
    const EdgeList list = random_edges(rng, static_cast<std::int32_t>(rng.below(15)), 40);
    const Edges edges = make_edges(list);
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
    CHECK(edges_of(*part) == expected);
  }
}

TEST_CASE("a halo is the other ends of the edges of the chosen nodes") {
  Rng rng(3);
  NodeMap scratch;
  for (int round = 0; round < 150; ++round) {
    const EdgeList list = random_edges(rng, 1 + static_cast<std::int32_t>(rng.below(15)), 25);
    const Edges edges = make_edges(list);
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
    std::vector<Pair> found = edges_of(*part);
    for (Pair& pair : found) {
      pair = {all[static_cast<std::size_t>(pair.first)], all[static_cast<std::size_t>(pair.second)]};
    }
    std::sort(found.begin(), found.end());
    std::sort(expected.begin(), expected.end());
    CHECK(found == expected);
  }
}

TEST_CASE("subgraphs refuse nodes that do not exist or are listed twice") {
  const Edges edges = make_edges({3, {0}, {1}});
  NodeMap scratch;
  CHECK(induced_subgraph(edges.view(), Ids{0, 3}, scratch).status().message() == "node 1 is 3; num_nodes is 3");
  CHECK(induced_subgraph(edges.view(), Ids{2, 0, 2}, scratch).status().message() ==
        "node 2 is 2 and so is node 0");
  CHECK(halo_subgraph(edges.view(), Ids{-1}, scratch).status().message() == "node 0 is -1; num_nodes is 3");
}

TEST_CASE("a million nodes in a line are searched without recursion, and small parts of them are cheap" *
          testing::kLong) {
  const std::int32_t n = 1000000;
  EdgeList line;
  line.num_nodes = n;
  for (std::int32_t v = 1; v < n; ++v) line.add(v - 1, v);
  const Edges edges = make_edges(line);
  CHECK(k_hop(edges.view(), Ids{0}, n)->size() == static_cast<std::size_t>(n));
  NodeMap scratch;
  for (std::int32_t v = 100; v < n - 100; v += 100) {  // ten thousand parts: O(N) each would never end
    const Result<Subgraph> part = induced_subgraph(edges.view(), Ids{v, v + 1, v - 1}, scratch);
    REQUIRE(part.ok());
    REQUIRE(part->source.size() == 2);
  }
}
