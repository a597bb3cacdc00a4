// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/locality.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "graph_test_util.hpp"
#include "long_tests.hpp"
#include "partition_stats.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

// Every node in one segment, ascending, within the size; segments numbered by their first node.
PartitionStats check_locality(const Edges& edges, const Partition& partition, std::int32_t max_size) {
  const auto num_nodes = static_cast<std::size_t>(edges.num_nodes());
  REQUIRE(partition.node.size() == num_nodes);
  REQUIRE(partition.segment_of.size() == num_nodes);
  std::int32_t first = -1;
  std::size_t num_seen = 0;
  for (std::int32_t j = 0; j < partition.num_segments(); ++j) {
    const Ids nodes = to_ids(partition.segment(j));
    REQUIRE(!nodes.empty());
    REQUIRE(std::is_sorted(nodes.begin(), nodes.end()));
    REQUIRE(nodes.front() > first);
    first = nodes.front();
    num_seen += nodes.size();
    for (const std::int32_t v : nodes) REQUIRE(partition.segment_of[static_cast<std::size_t>(v)] == j);
  }
  REQUIRE(num_seen == num_nodes);
  const PartitionStats stats = partition_stats(edges.view(), partition);
  REQUIRE(stats.largest <= max_size);
  if (stats.num_segments > 1) REQUIRE(stats.smallest >= edges.num_nodes() / stats.num_segments * 3 / 4);
  return stats;
}

EdgeList grid(std::int32_t side) {
  EdgeList list;
  list.num_nodes = side * side;
  for (std::int32_t v = 0; v < side * side; ++v) {
    if (v % side + 1 < side) list.add(v, v + 1);
    if (v + side < side * side) list.add(v, v + side);
  }
  return list;
}

void rename_nodes(Rng& rng, EdgeList& list) {
  Ids name(static_cast<std::size_t>(list.num_nodes));
  std::iota(name.begin(), name.end(), 0);
  rng.shuffle(Span<std::int32_t>(name));
  for (Ids* ids : {&list.source, &list.target}) {
    for (std::int32_t& v : *ids) v = name[static_cast<std::size_t>(v)];
  }
}

}  // namespace

TEST_CASE("random graphs of any form are partitioned within the sizes") {
  Rng rng(1);
  for (int round = 0; round < 200; ++round) {
    const auto num_nodes = static_cast<std::int32_t>(rng.below(80));
    const Edges edges = make_edges(random_edges(rng, num_nodes, static_cast<std::int64_t>(rng.below(160))));
    const auto max_size = static_cast<std::int32_t>(1 + rng.below(40));
    for (const int num_passes : {0, 8}) {
      const Result<Partition> partition = locality_partition(edges.view(), max_size, num_passes);
      REQUIRE(partition.ok());
      check_locality(edges, *partition, max_size);
    }
  }
}

TEST_CASE("what fits into one segment is one segment, and no nodes are no segments") {
  const Result<Partition> one = locality_partition(make_edges({5, {0}, {1}}).view(), 5);
  REQUIRE(one.ok());
  CHECK(one->num_segments() == 1);
  CHECK(one->node == Ids{0, 1, 2, 3, 4});
  const Result<Partition> none = locality_partition(make_edges({0, {}, {}}).view(), 5);
  REQUIRE(none.ok());
  CHECK(none->num_segments() == 0);
  const Result<Partition> singles = locality_partition(make_edges({4, {0, 1}, {1, 2}}).view(), 1);
  REQUIRE(singles.ok());
  CHECK(singles->num_segments() == 4);
}

TEST_CASE("dense groups with single edges between them are found, whatever the nodes are called") {
  Rng rng(2);
  for (int round = 0; round < 10; ++round) {
    EdgeList list;
    list.num_nodes = 12 * 20;
    for (std::int32_t group = 0; group < 12; ++group) {
      for (std::int32_t i = 0; i < 20; ++i) {
        for (std::int32_t j = 0; j < i; ++j) list.add(20 * group + j, 20 * group + i);
      }
      if (group > 0) list.add(20 * group - 20, 20 * group);
    }
    rename_nodes(rng, list);
    const Edges edges = make_edges(list);
    const Result<Partition> partition = locality_partition(edges.view(), 21);
    REQUIRE(partition.ok());
    const PartitionStats stats = check_locality(edges, *partition, 21);
    CHECK(stats.num_segments == 12);
    CHECK(stats.edge_cut == 11);
  }
}

TEST_CASE("a mesh is cut into patches, not into stripes") {
  Rng rng(3);
  EdgeList list = grid(60);
  for (int round = 0; round < 2; ++round) {
    const Edges edges = make_edges(list);
    const Result<Partition> partition = locality_partition(edges.view(), 240);
    REQUIRE(partition.ok());
    const PartitionStats stats = check_locality(edges, *partition, 240);
    CHECK(stats.num_segments == 16);
    CHECK(stats.edge_cut < 700);  // squares of 15 would cut 360, stripes 900, chance 6,600
    rename_nodes(rng, list);
  }
}

TEST_CASE("the cut is never above that of intervals with as many segments") {
  Rng rng(4);
  for (int round = 0; round < 30; ++round) {
    const EdgeList list = random_dag(rng, 400, 700);
    const Edges edges = make_edges(list);
    const Result<Partition> partition = locality_partition(edges.view(), 64);
    REQUIRE(partition.ok());
    const std::int32_t num_segments = partition->num_segments();
    Ids splits;
    for (std::int32_t j = 0; j <= num_segments; ++j) splits.push_back(400 * j / num_segments);
    std::int64_t interval_cut = 0;
    for (std::size_t e = 0; e < list.size(); ++e) {
      const auto segment = [&](std::int32_t v) { return std::upper_bound(splits.begin(), splits.end(), v); };
      if (segment(list.source[e]) != segment(list.target[e])) ++interval_cut;
    }
    CHECK(check_locality(edges, *partition, 64).edge_cut < interval_cut);
  }
}

TEST_CASE("the same graph is partitioned the same way") {
  Rng rng(5);
  const Edges edges = make_edges(random_edges(rng, 300, 600));
  const Edges copy = edges;
  CHECK(locality_partition(edges.view(), 50)->segment_of == locality_partition(copy.view(), 50)->segment_of);
}

TEST_CASE("sizes and passes that cannot be used are refused") {
  const Edges edges = make_edges({3, {0}, {1}});
  CHECK(locality_partition(edges.view(), 0).status().message() == "max_size is 0; should be 1 or more");
  CHECK(locality_partition(edges.view(), 5, -1).status().message() == "num_passes is -1; should be 0 or more");
}

TEST_CASE("large graphs and hubs are partitioned without recursion and in time" * testing::kLong) {
  Rng rng(6);
  const Edges program = make_edges(random_dag(rng, 43615, 73881, true));
  check_locality(program, *locality_partition(program.view(), 1000), 1000);

  const std::int32_t n = 1000000;
  EdgeList line;
  line.num_nodes = n;
  for (std::int32_t v = 1; v < n; ++v) line.add(v - 1, v);
  const Edges path = make_edges(line);
  const PartitionStats stats = check_locality(path, *locality_partition(path.view(), 1000), 1000);
  CHECK(stats.edge_cut == stats.num_segments - 1);

  EdgeList star;
  star.num_nodes = 50000;
  for (std::int32_t v = 1; v < star.num_nodes; ++v) star.add(0, v);
  const Edges hub = make_edges(star);
  check_locality(hub, *locality_partition(hub.view(), 100), 100);
}
