// SPDX-License-Identifier: Apache-2.0
// How good a partition is, counted edge by edge.
#ifndef MLGRAPH_TESTS_GRAPH_PARTITION_STATS_HPP
#define MLGRAPH_TESTS_GRAPH_PARTITION_STATS_HPP

#include <algorithm>
#include <cstdint>

#include "graph_test_util.hpp"
#include "mlgraph/graph/partition.hpp"

namespace mlgraph::testing {

struct PartitionStats {
  std::int32_t num_segments = 0;
  std::int32_t smallest = 0, largest = 0;  // nodes of a segment
  std::int64_t edge_cut = 0;               // edges between two segments
};

inline PartitionStats partition_stats(const EdgesView& edges, const Partition& partition) {
  PartitionStats stats;
  stats.num_segments = partition.num_segments();
  for (std::int32_t j = 0; j < stats.num_segments; ++j) {
    const auto size = static_cast<std::int32_t>(partition.segment(j).size());
    stats.smallest = j == 0 ? size : std::min(stats.smallest, size);
    stats.largest = std::max(stats.largest, size);
  }
  for (const Pair& edge : entries(edges.forward.csr)) {
    stats.edge_cut += partition.segment_of[static_cast<std::size_t>(edge.first)] !=
                      partition.segment_of[static_cast<std::size_t>(edge.second)];
  }
  return stats;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_GRAPH_PARTITION_STATS_HPP
