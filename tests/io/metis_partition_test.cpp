// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/metis_partition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "graph/graph_test_util.hpp"
#include "graph/partition_stats.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

TEST_CASE("METIS cuts random graphs of any form into segments within the size, each node in one") {
  Rng rng(1);
  for (int round = 0; round < 100; ++round) {
    const auto num_nodes = static_cast<std::int32_t>(rng.below(80));
    const Edges edges = make_edges(random_edges(rng, num_nodes, static_cast<std::int64_t>(rng.below(160))));
    const auto max_size = static_cast<std::int32_t>(1 + rng.below(40));
    const Result<Partition> partition = io::metis_partition(edges.view(), max_size);
    REQUIRE(partition.ok());
    std::vector<std::int32_t> nodes = partition->node;
    std::sort(nodes.begin(), nodes.end());
    REQUIRE(nodes.size() == static_cast<std::size_t>(num_nodes));
    for (std::size_t i = 0; i < nodes.size(); ++i) REQUIRE(nodes[i] == static_cast<std::int32_t>(i));
    for (std::int32_t j = 0; j < partition->num_segments(); ++j) {
      REQUIRE(!partition->segment(j).empty());
      for (const std::int32_t v : partition->segment(j))
        REQUIRE(partition->segment_of[static_cast<std::size_t>(v)] == j);
    }
    REQUIRE(partition_stats(edges.view(), *partition).largest <= max_size);
    REQUIRE(io::metis_partition(edges.view(), max_size)->node == partition->node);
  }
}

TEST_CASE("METIS finds the two halves that one edge joins") {
  Rng rng(2);
  EdgeList list = random_dag(rng, 100, 400);
  const EdgeList other = random_dag(rng, 100, 400);
  list.num_nodes = 200;
  for (std::size_t e = 0; e < other.size(); ++e) list.add(other.source[e] + 100, other.target[e] + 100);
  list.add(99, 100);
  const Edges edges = make_edges(list, merge_all());
  const Result<Partition> partition = io::metis_partition(edges.view(), 120);
  REQUIRE(partition.ok());
  const PartitionStats stats = partition_stats(edges.view(), *partition);
  CHECK(stats.num_segments == 2);
  CHECK(stats.edge_cut <= 12);  // of 800: chance would cut half of them
}

TEST_CASE("more edges than METIS can count twice are refused before anything is allocated") {
  CHECK(2 * io::kMaxMetisEdges <= std::numeric_limits<idx_t>::max());
  CHECK(2 * io::kMaxMetisEdges >= std::numeric_limits<idx_t>::max() - 1);
  const std::int32_t nothing = 0;
  EdgesView many;  // the sizes alone are looked at
  many.forward.csr.row_ptr = {&nothing, 11};
  many.forward.csr.col = {&nothing, static_cast<std::size_t>(io::kMaxMetisEdges) + 1};
  const Status status = io::metis_partition(many, 5).status();
  CHECK(status.code() == StatusCode::kOutOfRange);
  CHECK(status.message() ==
        str_cat("metis: num_edges is ", io::kMaxMetisEdges + 1, "; the limit is ", io::kMaxMetisEdges));
}

TEST_CASE("a size below one is refused") {
  const Edges edges = make_edges({3, {0}, {1}});
  CHECK(io::metis_partition(edges.view(), 0).status().message() == "max_size is 0; should be 1 or more");
}
