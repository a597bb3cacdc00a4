// SPDX-License-Identifier: Apache-2.0
// SumTree: the fixed tree by which rows of nodes are added up.
#ifndef MLGRAPH_GRAPH_SUM_TREE_HPP
#define MLGRAPH_GRAPH_SUM_TREE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The sum over some nodes by the wide tree of core/fixed_tree.hpp; level 0 sums nodes, the last is one block.
struct SumTree {
  std::vector<std::int32_t> node;  ///< what is summed, in order
  std::vector<std::vector<std::int32_t>>
      free;  ///< (blocks) of each level: the row, or -1 where configurations differ

  explicit SumTree(std::vector<std::int32_t> nodes) : node(std::move(nodes)) {
    std::size_t count = node.size();
    do {
      count = as_size(tree_level_size(static_cast<std::int64_t>(count)));
      free.emplace_back(count, -1);
    } while (count > 1);
  }
  [[nodiscard]] std::size_t num_levels() const { return free.size(); }
  [[nodiscard]] std::size_t num_blocks(std::size_t level) const { return free[level].size(); }
  /// The parts of a block: [first, last) of the level before, or of `node`.
  [[nodiscard]] std::pair<std::size_t, std::size_t> parts(std::size_t level, std::size_t block) const {
    const std::size_t count = level == 0 ? node.size() : num_blocks(level - 1);
    const auto [first, last] = tree_parts(static_cast<std::int64_t>(block), static_cast<std::int64_t>(count));
    return {as_size(first), as_size(last)};
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_SUM_TREE_HPP
