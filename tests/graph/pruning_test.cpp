// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/pruning.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph_test_util.hpp"
#include "long_tests.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

Ids random_choice(Rng& rng, std::int32_t num_nodes, std::uint64_t one_in) {
  Ids nodes;
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    if (rng.below(one_in) == 0) nodes.push_back(v);
  }
  rng.shuffle(Span<std::int32_t>(nodes));
  return nodes;
}

bool contains(const Ids& ids, std::int32_t id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

// Maps agree: a representative leads back to its new node, and old nodes lead to new nodes or nowhere.
void check_maps(const Pruning& pruning, std::int32_t num_old) {
  REQUIRE(pruning.old_to_new.size() == static_cast<std::size_t>(num_old));
  for (std::int32_t i = 0; i < pruning.num_nodes(); ++i) {
    const std::int32_t old = pruning.new_to_old[static_cast<std::size_t>(i)];
    REQUIRE(pruning.old_to_new[static_cast<std::size_t>(old)] == i);
  }
  for (const std::int32_t i : pruning.old_to_new) REQUIRE((i >= -1 && i < pruning.num_nodes()));
}

// (source, target) of every edge of a Pruning or a PrunedGraph, sorted.
template <class Pruned>
std::vector<Pair> edges_of(const Pruned& pruned) {
  std::vector<Pair> pairs;
  for (std::size_t e = 0; e < pruned.source.size(); ++e) pairs.emplace_back(pruned.source[e], pruned.target[e]);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

// The edges of the list for which `keep(source, target)`, in new numbers, sorted.
template <class Keep>
std::vector<Pair> mapped(const EdgeList& list, const Pruning& pruning, const Keep& keep) {
  std::vector<Pair> pairs;
  for (std::size_t e = 0; e < list.size(); ++e) {
    if (!keep(list.source[e], list.target[e])) continue;
    pairs.emplace_back(pruning.old_to_new[static_cast<std::size_t>(list.source[e])],
                       pruning.old_to_new[static_cast<std::size_t>(list.target[e])]);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

// reach[a][b]: whether a path leads from a to b.
std::vector<std::vector<bool>> reachable(std::int32_t num_nodes, const std::vector<Pair>& pairs) {
  const auto n = static_cast<std::size_t>(num_nodes);
  std::vector<std::vector<bool>> reach(n, std::vector<bool>(n, false));
  for (const Pair& pair : pairs)
    reach[static_cast<std::size_t>(pair.first)][static_cast<std::size_t>(pair.second)] = true;
  for (std::size_t m = 0; m < n; ++m) {
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; reach[a][m] && b < n; ++b) reach[a][b] = reach[a][b] || reach[m][b];
    }
  }
  return reach;
}

}  // namespace

TEST_CASE("pruning keeps the edges that touch a chosen node, and their ends") {
  Rng rng(1);
  for (int round = 0; round < 150; ++round) {
    const EdgeList list = random_edges(rng, static_cast<std::int32_t>(rng.below(20)), 30);
    const Edges edges = make_edges(list);
    Ids nodes = random_choice(rng, list.num_nodes, 5);
    if (!nodes.empty()) nodes.push_back(nodes[0]);  // repeating one changes nothing
    const Result<Pruning> pruned = prune_edges(edges.view(), nodes);
    REQUIRE(pruned.ok());
    check_maps(*pruned, list.num_nodes);
    const auto touches = [&](std::int32_t s, std::int32_t t) {
      return contains(nodes, s) || contains(nodes, t);
    };
    std::set<std::int32_t> kept(nodes.begin(), nodes.end());
    for (std::size_t e = 0; e < list.size(); ++e) {
      if (touches(list.source[e], list.target[e])) kept.insert({list.source[e], list.target[e]});
    }
    CHECK(pruned->new_to_old == Ids(kept.begin(), kept.end()));
    CHECK(edges_of(*pruned) == mapped(list, *pruned, touches));
  }
}

TEST_CASE("an isolated configurable node survives pruning") {
  const Edges edges = make_edges({5, {0, 1, 2}, {1, 2, 3}});
  const Result<Pruning> pruned = prune_edges(edges.view(), Ids{4, 1});
  REQUIRE(pruned.ok());
  CHECK(pruned->new_to_old == Ids{0, 1, 2, 4});
  CHECK(pruned->old_to_new == Ids{0, 1, 2, -1, 3});
  CHECK(edges_of(*pruned) == std::vector<Pair>{{0, 1}, {1, 2}});
}

TEST_CASE("a k-hop pruning is the subgraph that k hops reach") {
  Rng rng(2);
  for (int round = 0; round < 100; ++round) {
    const EdgeList list = random_edges(rng, static_cast<std::int32_t>(rng.below(25)), 25);
    const Edges edges = make_edges(list);
    const Ids nodes = random_choice(rng, list.num_nodes, 8);
    const int k = static_cast<int>(rng.below(4));
    const Result<Pruning> pruned = prune_to_k_hop(edges.view(), nodes, k);
    REQUIRE(pruned.ok());
    check_maps(*pruned, list.num_nodes);
    const Ids reached = *k_hop(edges.view(), nodes, k);
    CHECK(pruned->new_to_old == reached);
    CHECK(edges_of(*pruned) == mapped(list, *pruned, [&](std::int32_t s, std::int32_t t) {
            return contains(reached, s) && contains(reached, t);
          }));
  }
}

TEST_CASE("what lies outside k hops is merged by component and stays connected") {
  Rng rng(3);
  for (int round = 0; round < 150; ++round) {
    const EdgeList list =
        random_edges(rng, static_cast<std::int32_t>(rng.below(25)), static_cast<std::int64_t>(rng.below(40)));
    const Edges edges = make_edges(list);
    const Ids nodes = random_choice(rng, list.num_nodes, 8);
    const int k = static_cast<int>(rng.below(3));
    const Result<Pruning> merged = merge_outside_k_hop(edges.view(), nodes, k);
    REQUIRE(merged.ok());
    check_maps(*merged, list.num_nodes);
    const Ids kept = *k_hop(edges.view(), nodes, k);
    const auto num_kept = static_cast<std::int32_t>(kept.size());
    CHECK(Ids(merged->new_to_old.begin(), merged->new_to_old.begin() + num_kept) == kept);
    CHECK(std::is_sorted(merged->new_to_old.begin() + num_kept, merged->new_to_old.end()));

    // Two outside nodes share a new node exactly when a path of outside nodes joins them.
    std::vector<Pair> outside;
    for (std::size_t e = 0; e < list.size(); ++e) {
      if (contains(kept, list.source[e]) || contains(kept, list.target[e])) continue;
      outside.emplace_back(list.source[e], list.target[e]);
      outside.emplace_back(list.target[e], list.source[e]);
    }
    const auto joined = reachable(list.num_nodes, outside);
    for (std::int32_t a = 0; a < list.num_nodes; ++a) {
      const auto i = static_cast<std::size_t>(a);
      REQUIRE(merged->old_to_new[i] >= 0);
      if (contains(kept, a)) continue;
      CHECK(merged->new_to_old[static_cast<std::size_t>(merged->old_to_new[i])] <= a);
      for (std::int32_t b = 0; b < list.num_nodes; ++b) {
        const auto j = static_cast<std::size_t>(b);
        if (a != b && !contains(kept, b))
          CHECK((merged->old_to_new[i] == merged->old_to_new[j]) == joined[i][j]);
      }
    }
    // Edges: those among kept nodes as they were, those at a merged node once, those within one never.
    std::vector<Pair> expected = mapped(
        list, *merged, [&](std::int32_t s, std::int32_t t) { return contains(kept, s) && contains(kept, t); });
    std::vector<Pair> at_merged = mapped(
        list, *merged, [&](std::int32_t s, std::int32_t t) { return contains(kept, s) != contains(kept, t); });
    at_merged.erase(std::unique(at_merged.begin(), at_merged.end()), at_merged.end());
    expected.insert(expected.end(), at_merged.begin(), at_merged.end());
    std::sort(expected.begin(), expected.end());
    CHECK(edges_of(*merged) == expected);
  }
}

TEST_CASE("merging by hand: two components outside become two nodes") {
  // 0 -> 1 -> 2 -> 3 -> 4 and 5 -> 2, 5 -> 6, 6 -> 2; kept: 2, with 1, 3, 5 and 6 within one hop.
  const Edges edges = make_edges({8, {0, 1, 2, 3, 5, 5, 6, 0}, {1, 2, 3, 4, 2, 6, 2, 7}});
  const Result<Pruning> merged = merge_outside_k_hop(edges.view(), Ids{2}, 1);
  REQUIRE(merged.ok());
  CHECK(merged->new_to_old == Ids{1, 2, 3, 5, 6, 0, 4});
  CHECK(merged->old_to_new == Ids{5, 0, 1, 2, 6, 3, 4, 5});
  CHECK(edges_of(*merged) == std::vector<Pair>{{0, 1}, {1, 2}, {2, 6}, {3, 1}, {3, 4}, {4, 1}, {5, 0}});
}

TEST_CASE("prunings refuse nodes that do not exist") {
  const Edges edges = make_edges({3, {0}, {1}});
  CHECK(prune_edges(edges.view(), Ids{0, 3}).status().message() == "node 1 is 3; num_nodes is 3");
  CHECK(prune_to_k_hop(edges.view(), Ids{5}, 1).status().message() == "seed 0 is 5; num_nodes is 3");
  CHECK(merge_outside_k_hop(edges.view(), Ids{0}, -1).status().message() == "k is -1; should be 0 or more");
}

TEST_CASE("empty graphs are pruned to empty graphs") {
  const Edges none = make_edges({0, {}, {}});
  for (const Result<Pruning>& pruned : {prune_edges(none.view(), Ids{}), prune_to_k_hop(none.view(), Ids{}, 2),
                                        merge_outside_k_hop(none.view(), Ids{}, 2)}) {
    REQUIRE(pruned.ok());
    check_maps(*pruned, 0);
  }
  const Edges some = make_edges({4, {0, 1}, {1, 2}});
  CHECK(prune_edges(some.view(), Ids{})->num_nodes() == 0);
  CHECK(merge_outside_k_hop(some.view(), Ids{}, 3)->new_to_old == Ids{0, 3});
}

TEST_CASE("a pruned graph has the features of its nodes, and means where nodes were merged") {
  // 0 -> 1 -> 2 -> 3 -> 4, node 3 configurable.
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const Ids opcode = {10, 11, 12, 13, 14}, source = {0, 1, 2, 3}, target = {1, 2, 3, 4}, config_node = {3};
  const GraphView graph{{x.data(), 5, 2}, opcode, source, target, config_node};
  const Edges edges = make_edges({5, source, target});

  const PrunedGraph merged = apply_pruning(graph, *merge_outside_k_hop(edges.view(), config_node, 1));
  CHECK(merged.opcode == Ids{12, 13, 14, 0});
  CHECK(merged.config_node == Ids{1});
  CHECK(merged.new_to_old == Ids{2, 3, 4, 0});
  CHECK(std::vector<float>(merged.x.begin(), merged.x.end()) == std::vector<float>{5, 6, 7, 8, 9, 10, 2, 3});
  CHECK(edges_of(merged) == std::vector<Pair>{{0, 1}, {1, 2}, {3, 0}});
  CHECK(merged.view().num_nodes() == 4);
  CHECK(merged.view().x(3, 1) == 3.0f);

  const PrunedGraph pruned = apply_pruning(graph, *prune_edges(edges.view(), config_node));
  CHECK(pruned.opcode == Ids{12, 13, 14});
  CHECK(pruned.view().x(0, 0) == 5.0f);
}

TEST_CASE("a node that was not merged keeps its features bit by bit, also of rows with gaps") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> x = {-0.0f, 1, tiny, 1};
  const Ids opcode = {1, 2};
  const GraphView graph{{x.data(), 2, 1, 2}, opcode, {}, {}, {}};
  const Edges edges = make_edges({2, {}, {}});
  const PrunedGraph same = apply_pruning(graph, *prune_to_k_hop(edges.view(), Ids{0, 1}, 0));
  const float expected[] = {-0.0f, tiny};
  REQUIRE(same.x.size() == 2);
  CHECK(std::memcmp(same.x.data(), expected, sizeof expected) == 0);
}

TEST_CASE("the largest TpuGraphs size and a million nodes in a line are pruned without recursion" *
          testing::kLong) {
  Rng rng(5);
  const EdgeList program = random_dag(rng, 43615, 73881);
  const Edges edges = make_edges(program, merge_all(true));
  const Ids config_node = random_choice(rng, program.num_nodes, 14);
  for (const Result<Pruning>& pruned :
       {prune_edges(edges.view(), config_node), prune_to_k_hop(edges.view(), config_node, 3),
        merge_outside_k_hop(edges.view(), config_node, 1)}) {
    REQUIRE(pruned.ok());
    CHECK(pruned->num_nodes() >= static_cast<std::int32_t>(config_node.size()));
    CHECK(pruned->num_nodes() <= program.num_nodes);
  }
  const std::int32_t n = 1000000;
  EdgeList line;
  line.num_nodes = n;
  for (std::int32_t v = 1; v < n; ++v) line.add(v, v - 1);
  const Edges path = make_edges(line);
  CHECK(merge_outside_k_hop(path.view(), Ids{n / 2}, 2)->num_nodes() == 7);
}
