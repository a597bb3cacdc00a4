// SPDX-License-Identifier: Apache-2.0
// add_transpose(): what the gradients of a bipartite layer gather from.
#ifndef MLGRAPH_GRAPH_TRANSPOSE_HPP
#define MLGRAPH_GRAPH_TRANSPOSE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Fills in the transpose of an adjacency whose num_cols is set, in the memory of `arena`; the rows of a column
/// ascend.
/// Cost:   O(rows, columns and edges), by counting sort.
inline void add_transpose(AdjacencyView& adjacency, Arena& arena) {
  const CsrView& csr = adjacency.csr;
  const std::size_t num_cols = as_size(adjacency.num_cols);
  const std::size_t num_edges = csr.col.size();
  auto* const ptr = arena.allocate<std::int32_t>(num_cols + 2);  // ptr[j + 1]: the next free place of column j
  auto* const row = arena.allocate<std::int32_t>(num_edges);
  auto* const to_csr = arena.allocate<std::int32_t>(num_edges);
  std::fill_n(ptr, num_cols + 2, 0);
  for (const std::int32_t j : csr.col) ++ptr[as_size(j) + 2];
  for (std::size_t j = 0; j < num_cols; ++j) ptr[j + 2] += ptr[j + 1];
  for (std::int32_t i = 0; i < csr.num_rows(); ++i) {
    for (std::int32_t e = csr.row_ptr[i]; e < csr.row_ptr[as_size(i) + 1]; ++e) {
      const std::int32_t place = ptr[as_size(csr.col[e]) + 1]++;
      row[place] = i;
      to_csr[place] = e;
    }
  }
  adjacency.transposed = {{ptr, num_cols + 1}, {row, num_edges}};
  adjacency.transposed_to_csr = {to_csr, num_edges};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_TRANSPOSE_HPP
