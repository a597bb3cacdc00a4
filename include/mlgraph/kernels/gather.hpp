// SPDX-License-Identifier: Apache-2.0
// Rows by index: looking them up in a table, and adding to them.
#ifndef MLGRAPH_KERNELS_GATHER_HPP
#define MLGRAPH_KERNELS_GATHER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// y[i] = table[index[i]].
///
/// Shapes: table (V, F), index (N), each in [0, V), y (N, F).
template <class T>
void gather_rows(MatrixView<const T> table, Span<const std::int32_t> index, MatrixView<T> y, ThreadPool* pool) {
  MLGRAPH_ASSERT(signed_size(index) == y.rows, "y has a row per index");
  MLGRAPH_ASSERT(table.cols == y.cols, "table and y have the same number of columns");
  parallel_for(pool, y.rows, detail::rows_per_task(y.cols), [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t row_bytes = y.cols * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t distance = detail::prefetch_distance<T>(y.cols);
    for (std::int64_t i = begin; i < end; ++i) {
      MLGRAPH_ASSERT(index.data()[i] >= 0 && index.data()[i] < table.rows, "every index is a row of the table");
      if (i + distance < end) detail::prefetch(table.row(index.data()[i + distance]), row_bytes);
      const T* const from = table.row(index.data()[i]);
      T* const to = y.row(i);
      for_each_piece<T>(y.cols,
                        [&](std::int64_t c, std::int64_t n) { store_n(to + c, load_n(from + c, n), n); });
    }
  });
}

/// d_table[index[i]] += dy[i]: the gradient of gather_rows().
///
/// The rows of dy that belong to one row of the table are found by a counting sort and summed in their order,
/// in blocks of detail::kSegmentBlock whose sums are added in order: the same bits for any number of threads.
///
/// Shapes: dy (N, F), index (N), each in [0, V), d_table (V, F).
/// Cost:   one read of dy and of the rows of d_table that occur; scratch N + 2V integers.
template <class T>
void scatter_add_rows(MatrixView<const T> dy, Span<const std::int32_t> index, MatrixView<T> d_table,
                      Arena& scratch, ThreadPool* pool) {
  MLGRAPH_ASSERT(signed_size(index) == dy.rows, "dy has a row per index");
  MLGRAPH_ASSERT(d_table.cols == dy.cols, "d_table and dy have the same number of columns");
  if (dy.rows == 0 || dy.cols == 0) return;
  const ArenaScope scope(scratch);
  const auto num_rows = static_cast<std::size_t>(d_table.rows);
  // Counting sort: count, sum up, and let next[v] walk through the places of row v.
  auto* const ptr = scratch.allocate<std::int32_t>(num_rows + 1);
  auto* const next = scratch.allocate<std::int32_t>(num_rows);
  auto* const order = scratch.allocate<std::int32_t>(index.size());
  std::fill_n(ptr, num_rows + 1, 0);
  for (const std::int32_t v : index) {
    MLGRAPH_ASSERT(v >= 0 && v < d_table.rows, "every index is a row of the table");
    ++ptr[v + 1];
  }
  for (std::size_t v = 0; v < num_rows; ++v) {
    ptr[v + 1] += ptr[v];
    next[v] = ptr[v];
  }
  for (std::size_t i = 0; i < index.size(); ++i) order[next[index[i]]++] = static_cast<std::int32_t>(i);
  detail::sum_segments({ptr, num_rows + 1}, detail::IndexedRow{order}, false, dy, d_table, true, scratch, pool);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_GATHER_HPP
