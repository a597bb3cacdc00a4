// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/partition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "graph_test_util.hpp"
#include "long_tests.hpp"
#include "partition_stats.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

void check_partition(const Partition& partition, std::int32_t num_nodes, std::int32_t max_size) {
  REQUIRE(partition.node.size() == static_cast<std::size_t>(num_nodes));
  REQUIRE(partition.segment_of.size() == static_cast<std::size_t>(num_nodes));
  REQUIRE(partition.ptr.front() == 0);
  REQUIRE(partition.ptr.back() == num_nodes);
  std::vector<bool> seen(static_cast<std::size_t>(num_nodes), false);
  for (std::int32_t j = 0; j < partition.num_segments(); ++j) {
    REQUIRE(partition.segment(j).size() >= 1);
    REQUIRE(partition.segment(j).size() <= static_cast<std::size_t>(max_size));
    for (const std::int32_t v : partition.segment(j)) {
      REQUIRE_FALSE(seen[static_cast<std::size_t>(v)]);
      seen[static_cast<std::size_t>(v)] = true;
      REQUIRE(partition.segment_of[static_cast<std::size_t>(v)] == j);
    }
  }
}

Ids splits_of(const Ids& splits, std::int32_t max_size) {
  const Result<Partition> partition = split_partition(splits.back(), splits, max_size);
  REQUIRE_MESSAGE(partition.ok(), partition.status().message());
  check_partition(*partition, splits.back(), max_size);
  return partition->ptr;
}

std::string split_error(std::int32_t num_nodes, const Ids& splits, std::int32_t max_size) {
  const Result<Partition> partition = split_partition(num_nodes, splits, max_size);
  return partition.ok() ? "no error" : partition.status().message();
}

}  // namespace

TEST_CASE("intervals are consecutive in topological order, few and even") {
  Rng rng(1);
  for (int round = 0; round < 100; ++round) {
    const EdgeList list = random_dag(rng, static_cast<std::int32_t>(rng.below(60)), 90, round % 2 == 0);
    const Edges edges = make_edges(list);
    const auto max_size = static_cast<std::int32_t>(1 + rng.below(20));
    const Result<Partition> partition = interval_partition(edges.view(), max_size);
    REQUIRE(partition.ok());
    check_partition(*partition, list.num_nodes, max_size);
    CHECK(partition->node == *topological_order(edges.view()));
    CHECK(partition->num_segments() == (list.num_nodes + max_size - 1) / max_size);
    const PartitionStats stats = partition_stats(edges.view(), *partition);
    CHECK(stats.largest - stats.smallest <= 1);
    for (std::size_t e = 0; e < list.size(); ++e) {  // so no edge leads back to an earlier segment
      CHECK(partition->segment_of[static_cast<std::size_t>(list.source[e])] <=
            partition->segment_of[static_cast<std::size_t>(list.target[e])]);
    }
  }
}

TEST_CASE("splits join small computations and cut large ones") {
  CHECK(splits_of({0, 3, 5, 9}, 100) == Ids{0, 9});
  CHECK(splits_of({0, 3, 5, 9}, 9) == Ids{0, 9});
  CHECK(splits_of({0, 3, 5, 9}, 8) == Ids{0, 5, 9});
  CHECK(splits_of({0, 3, 5, 9}, 4) == Ids{0, 3, 5, 9});
  CHECK(splits_of({0, 3, 5, 9}, 3) == Ids{0, 3, 5, 7, 9});
  CHECK(splits_of({0, 3, 5, 9}, 1) == Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(splits_of({0, 2, 12, 14, 15}, 4) == Ids{0, 2, 5, 8, 12, 15});  // the large one shares with nobody
  CHECK(splits_of({0, 10}, 4) == Ids{0, 3, 6, 10});
  CHECK(splits_of({0}, 4) == Ids{0});
}

TEST_CASE("segments of random splits begin at a split unless a computation is too large") {
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    Ids splits = {0};
    for (std::uint64_t i = 0; i < rng.below(12); ++i) {
      splits.push_back(splits.back() + 1 + static_cast<std::int32_t>(rng.below(9)));
    }
    const auto max_size = static_cast<std::int32_t>(1 + rng.below(12));
    const Ids ptr = splits_of(splits, max_size);
    for (std::size_t j = 1; j + 1 < ptr.size(); ++j) {
      const auto next = std::lower_bound(splits.begin(), splits.end(), ptr[j]);
      const bool at_split = *next == ptr[j];
      CHECK((at_split || *next - *(next - 1) > max_size));
      if (!at_split) continue;
      // A boundary at a split is needed: what it parts does not fit together with the whole next computation,
      // or one of its sides is a piece of a large computation.
      const std::int32_t before = *(next - 1), after = *(next + 1);
      CHECK((after - ptr[j - 1] > max_size || ptr[j] - before > max_size));
    }
  }
}

TEST_CASE("partitions refuse sizes and splits that cannot be used") {
  const Edges edges = make_edges({3, {0}, {1}});
  CHECK(interval_partition(edges.view(), 0).status().message() == "max_size is 0; should be 1 or more");
  CHECK(interval_partition(edges.view(), -5).status().message() == "max_size is -5; should be 1 or more");
  CHECK(interval_partition(make_edges({2, {0, 1}, {1, 0}}).view(), 5).status().message() ==
        "the edges have a cycle of length 2: 0 -> 1 -> 0");
  CHECK(split_error(9, {0, 9}, 0) == "max_size is 0; should be 1 or more");
  CHECK(split_error(9, {}, 5) == "node_splits is empty; should begin with 0");
  CHECK(split_error(9, {2, 9}, 5) == "node_splits 0 is 2; should be 0");
  CHECK(split_error(9, {0, 4, 4, 9}, 5) == "node_splits 2 is 4 after 4; should ascend");
  CHECK(split_error(9, {0, 4, -1, 9}, 5) == "node_splits 2 is -1 after 4; should ascend");
  CHECK(split_error(9, {0, 4, 10}, 5) == "node_splits ends with 10; num_nodes is 9");
  CHECK(split_error(9, {0}, 5) == "node_splits ends with 0; num_nodes is 9");
}

TEST_CASE("a cut is the edges between segments, and no nodes are no segments") {
  // Segments {0, 1, 2} and {3, 4} of a graph with a self edge and a repeated edge.
  const Edges edges = make_edges({5, {0, 1, 2, 2, 3, 4, 1}, {1, 2, 3, 3, 4, 4, 4}});
  const Result<Partition> partition = split_partition(5, Ids{0, 3, 5}, 3);
  REQUIRE(partition.ok());
  CHECK(detail::count_cut(edges.view(), partition->segment_of) == 3);
  const Edges none = make_edges({0, {}, {}});
  const Result<Partition> nothing = interval_partition(none.view(), 3);
  REQUIRE(nothing.ok());
  CHECK(nothing->num_segments() == 0);
  CHECK(detail::count_cut(none.view(), nothing->segment_of) == 0);
}

TEST_CASE("a million nodes are cut into intervals" * testing::kLong) {
  Rng rng(3);
  const Edges edges = make_edges(random_dag(rng, 1000000, 2000000, true));
  const Result<Partition> partition = interval_partition(edges.view(), 1000);
  REQUIRE(partition.ok());
  CHECK(partition->num_segments() == 1000);
  CHECK(partition_stats(edges.view(), *partition).largest == 1000);
}
