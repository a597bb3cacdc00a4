// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/csr.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph_test_util.hpp"
#include "long_tests.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

// Every (source, target) once, or all of them.
std::vector<Pair> expected_edges(const EdgeList& list, const EdgeOptions& options) {
  std::vector<Pair> kept;  // (row, col) of the forward CSR
  std::set<Pair> seen;
  for (std::size_t e = 0; e < list.size(); ++e) {
    const Pair pair(list.target[e], list.source[e]);
    if (pair.first == pair.second && options.self_edges == EdgeOptions::SelfEdges::kDrop) continue;
    if (!seen.insert(pair).second && options.duplicates == EdgeOptions::Duplicates::kMerge) continue;
    kept.push_back(pair);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::string error_of(std::int64_t num_nodes, const Ids& source, const Ids& target,
                     const EdgeOptions& options = {}) {
  const Result<Edges> edges = Edges::from_list(num_nodes, source, target, options);
  return edges.ok() ? "no error" : edges.status().message();
}

}  // namespace

TEST_CASE("edges of random lists agree with a sort of the pairs, for every option") {
  Rng rng(1);
  for (int round = 0; round < 150; ++round) {
    const auto num_nodes = static_cast<std::int32_t>(rng.below(12));
    const EdgeList list = random_edges(rng, num_nodes, static_cast<std::int64_t>(rng.below(40)));
    for (const auto duplicates : {EdgeOptions::Duplicates::kMerge, EdgeOptions::Duplicates::kKeep}) {
      for (const auto self_edges : {EdgeOptions::SelfEdges::kKeep, EdgeOptions::SelfEdges::kDrop}) {
        for (const bool both : {false, true}) {
          const EdgeOptions options{duplicates, self_edges, both};
          const Edges edges = make_edges(list, options);
          CHECK(edges.num_nodes() == num_nodes);
          CHECK(edges.has_both() == both);
          check_edges(edges.view(), num_nodes, both);
          CHECK(entries(edges.view().forward.csr) == expected_edges(list, options));
        }
      }
    }
  }
}

TEST_CASE("a small graph has the rows one writes by hand") {
  // 0 -> 1, 0 -> 2, 1 -> 2, 3 isolated
  const Ids source = {1, 0, 0};
  const Ids target = {2, 2, 1};
  const Result<Edges> edges = Edges::from_list(4, source, target, EdgeOptions{{}, {}, true});
  REQUIRE(edges.ok());
  const EdgesView view = edges->view();
  CHECK(to_ids(view.forward.csr.row_ptr) == Ids{0, 0, 1, 3, 3});
  CHECK(to_ids(view.forward.csr.col) == Ids{0, 0, 1});
  CHECK(to_ids(view.reverse.csr.row_ptr) == Ids{0, 2, 3, 3, 3});
  CHECK(to_ids(view.reverse.csr.col) == Ids{1, 2, 2});
  CHECK(to_ids(view.both.csr.row_ptr) == Ids{0, 2, 4, 6, 6});
  CHECK(to_ids(view.both.csr.col) == Ids{1, 2, 0, 2, 0, 1});
  CHECK(view.num_nodes() == 4);
  CHECK(view.num_edges() == 3);
  CHECK(view.along(Direction::kForward).csr.col.data() == view.forward.csr.col.data());
  CHECK(view.along(Direction::kReverse).csr.col.data() == view.reverse.csr.col.data());
  CHECK(view.along(Direction::kBoth).csr.col.data() == view.both.csr.col.data());
}

TEST_CASE("a self edge counts twice in both directions, as it does in A + A^T") {
  const Edges edges = make_edges({1, {0}, {0}}, keep_all(true));
  check_edges(edges.view(), 1, true);
  CHECK(to_ids(edges.view().both.csr.col) == Ids{0, 0});
}

TEST_CASE("graphs without nodes, without edges and with one node are graphs") {
  check_edges(make_edges({0, {}, {}}, keep_all(true)).view(), 0, true);
  check_edges(make_edges({1, {}, {}}, keep_all(true)).view(), 1, true);
  check_edges(make_edges({5, {}, {}}, keep_all(true)).view(), 5, true);
  check_edges(make_edges({1, {0}, {0}}).view(), 1, false);
  const Edges none;
  CHECK(none.num_nodes() == 0);
  CHECK(none.num_edges() == 0);
  CHECK_FALSE(none.has_both());
  check_edges(none.view(), 0, false);
}

TEST_CASE("errors name the first offending edge") {
  CHECK(error_of(2, {0}, {5}) == "edge 0 is (0, 5); num_nodes is 2");
  CHECK(error_of(2, {0, 2}, {1, 1}) == "edge 1 is (2, 1); num_nodes is 2");
  CHECK(error_of(2, {0, -1}, {1, 1}) == "edge 1 is (-1, 1); num_nodes is 2");
  CHECK(error_of(2, {0, 1}, {1, -2147483647 - 1}) == "edge 1 is (1, -2147483648); num_nodes is 2");
  CHECK(error_of(0, {0}, {0}) == "edge 0 is (0, 0); num_nodes is 0");
  CHECK(error_of(2, {0, 1}, {1}) == "edges have 2 sources and 1 targets");
  CHECK(error_of(5, {0, 1, 3, 2, 0, 2, 1, 3}, {1, 2, 4, 3, 2, 0, 3, 4}) ==
        "edge 7 is (3, 4) and so is edge 2; duplicates are not allowed");
  // Two pairs are repeated: the repetition that comes first in the list is named, not that of the first row.
  CHECK(error_of(3, {0, 1, 1, 0}, {1, 2, 2, 1}) ==
        "edge 2 is (1, 2) and so is edge 1; duplicates are not allowed");
  CHECK(error_of(3, {0, 0, 0}, {1, 1, 1}) == "edge 1 is (0, 1) and so is edge 0; duplicates are not allowed");
  const EdgeOptions no_self{EdgeOptions::Duplicates::kKeep, EdgeOptions::SelfEdges::kError, false};
  CHECK(error_of(5, {0, 1, 2, 4}, {1, 2, 3, 4}, no_self) == "edge 3 is a self edge (4, 4)");
  CHECK(Edges::from_list(2, Ids{0}, Ids{5}).status().code() == StatusCode::kOutOfRange);
}

TEST_CASE("more nodes or edges than int32 counts are refused before anything is allocated") {
  CHECK(check_counts(kMaxNodes, kMaxEdges).ok());
  CHECK(check_counts(0, 0).ok());
  CHECK(check_counts(kMaxNodes + 1, 0).message() == "num_nodes is 2147483648; the limit is 2147483647");
  CHECK(check_counts(0, kMaxEdges + 1).message() == "num_edges is 2147483648; the limit is 2147483647");
  CHECK(check_counts(-1, 0).message() == "num_nodes is -1; should be 0 or more");
  CHECK(check_counts(0, -1).message() == "num_edges is -1; should be 0 or more");
  CHECK(check_counts(kMaxNodes + 1, 0).code() == StatusCode::kResourceExhausted);
  CHECK(error_of(std::int64_t{1} << 31, {}, {}) == "num_nodes is 2147483648; the limit is 2147483647");
  CHECK(error_of(-3, {}, {}) == "num_nodes is -3; should be 0 or more");

  // The sizes alone are looked at: these spans have no elements behind them.
  const std::int32_t nothing = 0;
  const Span<const std::int32_t> many(&nothing, std::size_t{1} << 31);
  CHECK(Edges::from_list(1, many, many).status().message() ==
        "num_edges is 2147483648; the limit is 2147483647");
  const Span<const std::int32_t> half(&nothing, std::size_t{1} << 30);
  CHECK(Edges::from_list(1, half, half, keep_all(true)).status().message() ==
        "num_edges is 2147483648; the limit is 2147483647");
}

TEST_CASE("copies, moves and assignments own their edges") {
  Rng rng(2);
  const EdgeList list = random_edges(rng, 20, 60);
  Edges original = make_edges(list, keep_all(true));
  const std::vector<Pair> expected = sorted_edges(original.view());
  Edges copy = original;
  CHECK(copy.view().forward.csr.col.data() != original.view().forward.csr.col.data());
  original.clear();
  CHECK(original.num_nodes() == 0);
  check_edges(copy.view(), 20, true);
  Edges moved = std::move(copy);
  check_edges(moved.view(), 20, true);
  CHECK(sorted_edges(moved.view()) == expected);
  Edges assigned;
  assigned = moved;
  assigned = std::move(moved);
  CHECK(sorted_edges(assigned.view()) == expected);
}

TEST_CASE("assign uses its memory again and is empty after an error") {
  Rng rng(3);
  const EdgeList large = random_edges(rng, 50, 200);
  const EdgeList small = random_edges(rng, 10, 30);
  Edges edges = make_edges(large, keep_all(true));
  const std::int32_t* const memory = edges.view().both.csr.col.data();
  REQUIRE(edges.assign(small.num_nodes, small.source, small.target, keep_all(true)).ok());
  CHECK(edges.view().both.csr.col.data() == memory);
  check_edges(edges.view(), 10, true);
  REQUIRE(edges.assign(small.num_nodes, small.source, small.target, keep_all()).ok());
  check_edges(edges.view(), 10, false);  // nothing of the previous graph is left
  CHECK_FALSE(edges.assign(1, small.source, small.target).ok());
  CHECK(edges.num_nodes() == 0);
  CHECK_FALSE(edges.assign(2, Ids{0, 0}, Ids{1, 1}).ok());
  CHECK(edges.num_nodes() == 0);
  CHECK(edges.num_edges() == 0);
}

TEST_CASE("blocks are the graphs side by side") {
  Rng rng(4);
  for (int round = 0; round < 60; ++round) {
    const bool both = round % 2 == 0;
    std::vector<Edges> graphs;
    EdgeList joined;
    for (std::uint64_t g = 0; g < rng.below(6); ++g) {
      const EdgeList list = random_edges(rng, static_cast<std::int32_t>(rng.below(9)), 20);
      graphs.push_back(make_edges(list, keep_all(both)));
      for (std::size_t e = 0; e < list.size(); ++e) {
        joined.add(list.source[e] + joined.num_nodes, list.target[e] + joined.num_nodes);
      }
      joined.num_nodes += list.num_nodes;
    }
    std::vector<EdgesView> views;
    for (const Edges& graph : graphs) views.push_back(graph.view());
    Edges blocks;
    REQUIRE(blocks.assign_blocks(views).ok());
    const Edges expected = make_edges(joined, keep_all(both));
    const bool has_both = both && joined.num_nodes > 0;
    check_edges(blocks.view(), joined.num_nodes, has_both);
    CHECK(entries(blocks.view().forward.csr) == entries(expected.view().forward.csr));
    CHECK(entries(blocks.view().reverse.csr) == entries(expected.view().reverse.csr));
    CHECK(to_ids(blocks.view().forward.transposed_to_csr) == to_ids(expected.view().forward.transposed_to_csr));
    CHECK(to_ids(blocks.view().reverse.transposed_to_csr) == to_ids(expected.view().reverse.transposed_to_csr));
    if (has_both) CHECK(entries(blocks.view().both.csr) == entries(expected.view().both.csr));
  }
}

TEST_CASE("blocks refuse totals beyond int32 and graphs that differ in EdgeOptions::both") {
  const Edges plain = make_edges({3, {0}, {1}}, keep_all(false));
  const Edges doubled = make_edges({3, {0}, {1}}, keep_all(true));
  const Edges empty;
  Edges blocks;
  const EdgesView mixed[] = {empty.view(), plain.view(), doubled.view()};
  CHECK(blocks.assign_blocks(mixed).message() ==
        "graph 2 has the edges of EdgeOptions::both; graph 1 does not");
  const EdgesView mixed_again[] = {doubled.view(), plain.view()};
  CHECK(blocks.assign_blocks(mixed_again).message() ==
        "graph 1 does not have the edges of EdgeOptions::both; graph 0 does");
  CHECK(blocks.num_nodes() == 0);

  const std::int32_t nothing = 0;
  EdgesView huge;
  huge.forward.csr.row_ptr = Span<const std::int32_t>(&nothing, std::size_t{1} << 30);
  const EdgesView three[] = {huge, huge, huge};
  CHECK(blocks.assign_blocks(three).message() == "num_nodes is 3221225469; the limit is 2147483647");
  huge.forward.csr.row_ptr = Span<const std::int32_t>(&nothing, 2);
  huge.forward.csr.col = Span<const std::int32_t>(&nothing, std::size_t{1} << 30);
  const EdgesView two[] = {huge, huge};
  CHECK(blocks.assign_blocks(two).message() == "num_edges is 2147483648; the limit is 2147483647");
}

TEST_CASE("the largest TpuGraphs size and a million nodes are built in linear time" * testing::kLong) {
  Rng rng(5);
  for (const auto& [num_nodes, num_edges] : {std::pair<std::int32_t, std::int64_t>(43615, 73881),
                                             std::pair<std::int32_t, std::int64_t>(1000000, 2000000)}) {
    const EdgeList list = random_dag(rng, num_nodes, num_edges);
    const Edges edges = make_edges(list, merge_all(true));
    CHECK(edges.num_nodes() == num_nodes);
    // Sums over the edges do not depend on their order.
    std::uint64_t from_list = 0, from_forward = 0, from_reverse = 0;
    std::vector<Pair> pairs;
    for (std::size_t e = 0; e < list.size(); ++e) pairs.emplace_back(list.source[e], list.target[e]);
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    const auto key = [](std::int32_t s, std::int32_t t) {
      return mix64(static_cast<std::uint64_t>(s) << 32 | static_cast<std::uint64_t>(t));
    };
    for (const Pair& pair : pairs) from_list += key(pair.first, pair.second);
    for (const Pair& pair : entries(edges.view().forward.csr)) from_forward += key(pair.second, pair.first);
    for (const Pair& pair : entries(edges.view().reverse.csr)) from_reverse += key(pair.first, pair.second);
    CHECK(static_cast<std::size_t>(edges.num_edges()) == pairs.size());
    CHECK(edges.view().both.csr.num_edges() == 2 * edges.num_edges());
    CHECK(from_forward == from_list);
    CHECK(from_reverse == from_list);
  }
}
