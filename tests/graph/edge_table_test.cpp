// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/edge_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

namespace {

using Key = std::tuple<std::int32_t, std::int32_t, std::int32_t>;

EdgeTable small_table() {
  EdgeTable edges;
  edges.source = {2, 0, 2, 0, 1};
  edges.target = {1, 1, 1, 1, 1};
  edges.attr_cols = 2;
  edges.attr = {1, 10, 2, 20, 3, -30, 4, 40, 5, 50};
  edges.type = {0, 1, 0, 0, 0};
  return edges;
}

EdgeTable random_table(std::int64_t num_nodes, std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  EdgeTable edges;
  edges.attr_cols = 1;
  for (std::size_t e = 0; e < count; ++e) {
    edges.source.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_nodes))));
    edges.target.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_nodes))));
    edges.type.push_back(static_cast<std::int32_t>(rng.below(3)));
    edges.attr.push_back(static_cast<float>(rng.below(100)));
  }
  return edges;
}

}  // namespace

TEST_CASE("coalesce sorts edges and merges the rows of equal ones, in the order of the list") {
  const EdgeTable edges = small_table();
  REQUIRE(check_edge_table(3, edges).ok());
  const EdgeTable first = coalesce(edges);
  CHECK(first.source == std::vector<std::int32_t>{0, 0, 1, 2});
  CHECK(first.target == std::vector<std::int32_t>{1, 1, 1, 1});
  CHECK(first.type == std::vector<std::int32_t>{0, 1, 0, 0});
  CHECK(first.attr == std::vector<float>{4, 40, 2, 20, 5, 50, 1, 10});
  CHECK(coalesce(edges, EdgeMerge::kSum).attr == std::vector<float>{4, 40, 2, 20, 5, 50, 4, -20});
  CHECK(coalesce(edges, EdgeMerge::kMean).attr == std::vector<float>{4, 40, 2, 20, 5, 50, 2, -10});
  CHECK(coalesce(edges, EdgeMerge::kMax).attr == std::vector<float>{4, 40, 2, 20, 5, 50, 3, 10});
}

TEST_CASE("coalesce of many edges is a map from edge to sum") {
  const EdgeTable edges = random_table(9, 500, 1);
  std::map<Key, float> sums;
  for (std::size_t e = 0; e < edges.size(); ++e)
    sums[Key{edges.source[e], edges.target[e], edges.type[e]}] += edges.attr[e];
  const EdgeTable merged = coalesce(edges, EdgeMerge::kSum);
  REQUIRE(merged.size() == sums.size());
  std::size_t e = 0;
  for (const auto& [key, sum] : sums) {
    CHECK(Key{merged.source[e], merged.target[e], merged.type[e]} == key);
    CHECK(merged.attr[e] == sum);
    ++e;
  }
  const EdgeTable again = coalesce(merged, EdgeMerge::kSum);
  CHECK(again.source == merged.source);
  CHECK(again.attr == merged.attr);
}

TEST_CASE("undirected edges are there both ways, with equal rows") {
  const EdgeTable both = to_undirected(random_table(12, 60, 2), EdgeMerge::kSum);
  std::map<Key, float> rows;
  for (std::size_t e = 0; e < both.size(); ++e)
    rows[Key{both.source[e], both.target[e], both.type[e]}] = both.attr[e];
  CHECK(rows.size() == both.size());
  for (const auto& [key, row] : rows) {
    const Key reverse{std::get<1>(key), std::get<0>(key), std::get<2>(key)};
    REQUIRE(rows.count(reverse) == 1);
    CHECK(rows[reverse] == row);
  }
}

TEST_CASE("reverse edges are relations of their own") {
  EdgeTable edges = small_table();
  const EdgeTable typed = add_reverse_edges(edges, 2);
  CHECK(typed.source == std::vector<std::int32_t>{2, 0, 2, 0, 1, 1, 1, 1, 1, 1});
  CHECK(typed.target == std::vector<std::int32_t>{1, 1, 1, 1, 1, 2, 0, 2, 0, 1});
  CHECK(typed.type == std::vector<std::int32_t>{0, 1, 0, 0, 0, 2, 3, 2, 2, 2});
  CHECK(std::equal(edges.attr.begin(), edges.attr.end(), typed.attr.begin() + 10));
  edges.type.clear();
  CHECK(add_reverse_edges(edges).type == std::vector<std::int32_t>{0, 0, 0, 0, 0, 1, 1, 1, 1, 1});
}

TEST_CASE("self loops are added to every node and removed again") {
  const EdgeTable edges = small_table();
  const EdgeTable looped = add_self_loops(3, edges, 7, 4);
  REQUIRE(check_edge_table(3, looped).ok());
  CHECK(looped.size() == 8);
  CHECK(looped.source[7] == 2);
  CHECK(looped.target[7] == 2);
  CHECK(looped.type[7] == 4);
  CHECK(looped.attr[15] == 7);
  const EdgeTable others = remove_self_loops(looped);  // (1, 1) goes, too
  CHECK(others.source == std::vector<std::int32_t>{2, 0, 2, 0});
  CHECK(others.type == std::vector<std::int32_t>{0, 1, 0, 0});
  CHECK(others.attr == std::vector<float>{1, 10, 2, 20, 3, -30, 4, 40});
  CHECK(add_self_loops(2, EdgeTable{}).type.empty());
}

TEST_CASE("a table that is no list of edges is refused") {
  const auto message = [](const EdgeTable& edges) { return check_edge_table(3, edges).message(); };
  EdgeTable edges = small_table();
  edges.target[3] = 3;
  CHECK(message(edges) == "edge 3 is (0, 3); num_nodes is 3");
  edges = small_table();
  edges.type[2] = -1;
  CHECK(message(edges) == "edge 2 has type -1; should be 0 or more");
  edges = small_table();
  edges.attr.pop_back();
  CHECK(message(edges) == "there are 5 sources, 5 targets, 5 types and 9 numbers in 2 columns");
  edges = small_table();
  edges.type.pop_back();
  CHECK_FALSE(message(edges).empty());
  edges = small_table();
  edges.target.clear();
  CHECK_FALSE(message(edges).empty());
  edges = EdgeTable{};
  CHECK(check_edge_table(0, edges).ok());
  edges.attr_cols = -1;
  CHECK_FALSE(check_edge_table(0, edges).ok());
  CHECK_FALSE(check_edge_table(-1, EdgeTable{}).ok());
}
