// SPDX-License-Identifier: Apache-2.0
// The sum over the nodes of each configuration, where the configurations share most of their rows.
#ifndef MLGRAPH_KERNELS_SHARED_POOL_HPP
#define MLGRAPH_KERNELS_SHARED_POOL_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// The nodes of one configuration, cut as segment_reduce() cuts a segment of as many rows. It sums the nodes of
/// a block in order, then the blocks in order; so do the functions here, and a change of some nodes costs the
/// sums of their blocks only.
class PoolBlocks {
 public:
  explicit PoolBlocks(std::int64_t num_nodes) : num_nodes_(num_nodes) {}

  [[nodiscard]] std::int64_t count() const {
    return (num_nodes_ + detail::kSegmentBlock - 1) / detail::kSegmentBlock;
  }
  [[nodiscard]] static std::int64_t of(std::int64_t node) { return node / detail::kSegmentBlock; }
  [[nodiscard]] static std::int64_t begin(std::int64_t block) { return block * detail::kSegmentBlock; }
  [[nodiscard]] std::int64_t end(std::int64_t block) const { return std::min(num_nodes_, begin(block + 1)); }

  /// Whether configurations differ in this block.
  [[nodiscard]] bool has_own(const SharedLevel& level, std::int64_t block) const {
    for (std::int64_t v = begin(block); v < end(block); ++v) {
      if (level.row[static_cast<std::size_t>(v)] >= level.num_shared) return true;
    }
    return false;
  }

  /// out = the sum of the block's nodes of configuration c.  Shapes: x (level.num_rows(C), F), out (F).
  template <class T>
  void sum_block(const SharedLevel& level, MatrixView<const T> x, std::int64_t block, std::int64_t c,
                 T* out) const {
    std::int32_t index[detail::kSegmentBlock];
    const std::int64_t first = begin(block);
    const std::int64_t length = end(block) - first;
    for (std::int64_t i = 0; i < length; ++i) {
      index[i] = level.of_config(level.row[static_cast<std::size_t>(first + i)], c);
    }
    detail::sum_rows(0, length, detail::IndexedRow{index}, detail::UnitWeight(), x.data, x.stride, x.cols,
                     detail::Finish<T>(), false, out);
  }

  /// out = the sum (or mean) over all nodes from the sums of the blocks, `partial` (count(), F).
  template <class T>
  void join(bool mean, const T* partial, std::int64_t cols, T* out) const {
    if (num_nodes_ == 0) return detail::clear_row(out, cols);
    const auto finish = mean ? detail::Finish<T>::mean(num_nodes_) : detail::Finish<T>();
    detail::sum_rows(0, count(), detail::SameRow(), detail::UnitWeight(), partial, cols, cols, finish, false,
                     out);
  }

 private:
  std::int64_t num_nodes_;
};

/// The sum (or mean) over the first `num_pooled` nodes, for each of C configurations that share rows.
///
///   y[c] = sum over v < num_pooled of x[row of v for c]
///
/// The bits are those of segment_reduce() over C copies of these nodes.
///
/// Shapes: x (level.num_rows(C), F), y (C, F). Reduce: sum or mean.
/// Cost:   C * num_pooled * F additions less the blocks that no configuration changes; scratch C * N / 256
/// rows.
template <class T>
void shared_pool(Reduce reduce, const SharedLevel& level, std::int64_t num_pooled, MatrixView<const T> x,
                 MatrixView<T> y, Arena& scratch, ThreadPool* pool) {
  if (y.rows == 0 || y.cols == 0) return;
  MLGRAPH_ASSERT(reduce != Reduce::kMax, "shared_pool: sum or mean");
  MLGRAPH_ASSERT(x.rows == level.num_rows(y.rows) && x.cols == y.cols, "shared_pool: x does not fit");
  const ArenaScope scope(scratch);
  const PoolBlocks blocks(num_pooled);
  const std::int64_t num_blocks = blocks.count();
  const std::int64_t cols = y.cols;
  T* const partial = scratch.allocate<T>(static_cast<std::size_t>(y.rows * num_blocks * cols));
  const auto part = [&](std::int64_t c, std::int64_t block) {
    return partial + (c * num_blocks + block) * cols;
  };
  // Block by block, so that its shared rows are read from the cache for all configurations but the first.
  parallel_for(pool, num_blocks, 1, [&](std::int64_t block, std::int64_t) {
    const bool has_own = blocks.has_own(level, block);
    for (std::int64_t c = 0; c < y.rows; ++c) {
      if (has_own || c == 0) {
        blocks.sum_block(level, x, block, c, part(c, block));
      } else {
        std::copy_n(part(0, block), cols, part(c, block));
      }
    }
  });
  for (std::int64_t c = 0; c < y.rows; ++c) blocks.join(reduce == Reduce::kMean, part(c, 0), cols, y.row(c));
}

/// The gradient of shared_pool() with respect to x.
///
///   dx[row] (+)= sum over the configurations c that have this row of dy[c]       (kMean: / num_pooled)
///
/// Shapes: dy (C, F), dx (level.num_rows(C), F).
/// Cost:   one write of dx: shared rows have one gradient in common.
template <class T>
void shared_pool_backward(Reduce reduce, const SharedLevel& level, std::int64_t num_pooled,
                          MatrixView<const T> dy, MatrixView<T> dx, bool accumulate, Arena& scratch,
                          ThreadPool* pool) {
  if (dx.rows == 0 || dx.cols == 0) return;
  MLGRAPH_ASSERT(reduce != Reduce::kMax, "shared_pool_backward: sum or mean");
  MLGRAPH_ASSERT(dx.rows == level.num_rows(dy.rows) && dx.cols == dy.cols,
                 "shared_pool_backward: dx does not fit");
  const ArenaScope scope(scratch);
  T* const total = scratch.allocate<T>(static_cast<std::size_t>(dx.cols));
  detail::clear_row(total, dx.cols);
  if (dy.rows > 0) {
    detail::sum_rows(0, dy.rows, detail::SameRow(), detail::UnitWeight(), dy.data, dy.stride, dy.cols,
                     detail::Finish<T>(), false, total);
  }
  const T factor = reduce == Reduce::kMean ? T(1) / static_cast<T>(num_pooled) : T(1);
  parallel_for(pool, dx.rows, detail::rows_per_task(dx.cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const bool is_shared = r < level.num_shared;
      const std::int64_t c = is_shared ? 0 : (r - level.num_shared) / level.num_own();
      const T* const from = is_shared ? total : dy.row(c);
      if (level.node[static_cast<std::size_t>(r - c * level.num_own())] >= num_pooled) {
        if (!accumulate) detail::clear_row(dx.row(r), dx.cols);
        continue;
      }
      for_each_piece<T>(dx.cols, [&](std::int64_t j, std::int64_t n) {
        const Vec<T> gradient = Vec<T>(factor) * load_n(from + j, n);
        T* const out = dx.row(r) + j;
        store_n(out, accumulate ? load_n(out, n) + gradient : gradient, n);
      });
    }
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_KERNELS_SHARED_POOL_HPP
