// SPDX-License-Identifier: Apache-2.0
// RowStats: what a session tells of the rows that it keeps.
#ifndef MLGRAPH_GRAPH_ROW_STATS_HPP
#define MLGRAPH_GRAPH_ROW_STATS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

namespace mlgraph {

/// What became of the rows that calls needed.
struct RowStats {
  std::int64_t num_rows = 0;   ///< that are kept, without sums
  std::int64_t num_made = 0;   ///< that were computed
  std::int64_t num_found = 0;  ///< that were needed and there, for this or another configuration or node
  std::size_t bytes = 0;       ///< of memory, with ids and tables
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_ROW_STATS_HPP
