// SPDX-License-Identifier: Apache-2.0
// Reductions and softmax over runs of consecutive rows: the nodes of each graph, the edges of each node.
#ifndef MLGRAPH_KERNELS_SEGMENT_HPP
#define MLGRAPH_KERNELS_SEGMENT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/segment_blocks.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

/// Rows of a segment that are reduced one after the other.
inline constexpr std::int64_t kSegmentBlock = 256;

/// True when a segment has more than one block.
inline bool any_is_cut(const SegmentBlocks& blocks) {
  for (std::int64_t g = 0; g < blocks.num_segments(); ++g) {
    if (blocks.is_cut(g)) return true;
  }
  return false;
}

/// Runs `whole(segment, first, last)` for the blocks that are a whole segment, `part(block, first, last)` for
/// the others and then `join(segment)` for the segments that were cut and `empty(segment)` for those without
/// rows.
template <class Whole, class Part, class Join, class Empty>
void for_segments(const SegmentBlocks& blocks, std::int64_t cols, ThreadPool* pool, const Whole& whole,
                  const Part& part, const Join& join, const Empty& empty) {
  blocks.for_each(pool, [&](const SegmentBlocks::Block& b) {
    if (blocks.is_cut(b.segment)) {
      part(b.index, b.begin, b.end);
    } else {
      whole(b.segment, b.begin, b.end);
    }
  });
  parallel_for(pool, blocks.num_segments(), rows_per_task(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      if (blocks.is_cut(g)) {
        join(g);
      } else if (blocks.begin(g) == blocks.end(g)) {
        empty(g);
      }
    }
  });
}

/// y[g] (+)= the sum (or mean) of x[row(p)] over p in [ptr[g], ptr[g + 1]).
template <class T, class Row>
void sum_segments(Span<const std::int32_t> ptr, const Row& row, bool mean, MatrixView<const T> x,
                  MatrixView<T> y, bool accumulate, Arena& scratch, ThreadPool* pool) {
  const ArenaScope scope(scratch);
  const SegmentBlocks blocks(ptr, kSegmentBlock, y.cols, scratch);
  const std::int64_t cols = y.cols;
  T* const partial = any_is_cut(blocks) ? scratch.allocate<T>(blocks.num_blocks() * cols) : nullptr;
  const auto finish = [&](std::int64_t g) {
    const auto i = static_cast<std::size_t>(g);
    return mean ? Finish<T>::mean(ptr[i + 1] - ptr[i]) : Finish<T>();
  };
  for_segments(
      blocks, cols, pool,
      [&](std::int64_t g, std::int64_t first, std::int64_t last) {
        sum_rows(first, last, row, UnitWeight(), x.data, x.stride, cols, finish(g), accumulate, y.row(g));
      },
      [&](std::int64_t block, std::int64_t first, std::int64_t last) {
        sum_rows(first, last, row, UnitWeight(), x.data, x.stride, cols, Finish<T>(), false,
                 partial + block * cols);
      },
      [&](std::int64_t g) {
        sum_rows(blocks.begin(g), blocks.end(g), SameRow(), UnitWeight(), static_cast<const T*>(partial), cols,
                 cols, finish(g), accumulate, y.row(g));
      },
      [&](std::int64_t g) {
        if (!accumulate) clear_row(y.row(g), cols);
      });
}

/// y[g] (+)= the maximum of the rows of x in [ptr[g], ptr[g + 1]); argmax is null or (G, cols).
template <class T>
void max_segments(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y, std::int32_t* argmax,
                  bool accumulate, Arena& scratch, ThreadPool* pool) {
  const ArenaScope scope(scratch);
  const SegmentBlocks blocks(ptr, kSegmentBlock, y.cols, scratch);
  const std::int64_t cols = y.cols;
  const auto size = static_cast<std::size_t>(any_is_cut(blocks) ? blocks.num_blocks() * cols : 0);
  T* const partial = scratch.allocate<T>(size);
  auto* const partial_argmax = scratch.allocate<std::int32_t>(argmax == nullptr ? 0 : size);
  const auto where = [cols](std::int32_t* base, std::int64_t r) {
    return base == nullptr ? nullptr : base + r * cols;
  };
  for_segments(
      blocks, cols, pool,
      [&](std::int64_t g, std::int64_t first, std::int64_t last) {
        max_rows(first, last, SameRow(), UnitWeight(), x.data, x.stride, cols, accumulate, y.row(g),
                 where(argmax, g));
      },
      [&](std::int64_t block, std::int64_t first, std::int64_t last) {
        max_rows(first, last, SameRow(), UnitWeight(), x.data, x.stride, cols, false, partial + block * cols,
                 argmax == nullptr ? nullptr : partial_argmax + block * cols);
      },
      [&](std::int64_t g) {
        std::int32_t* const best = where(argmax, g);
        max_rows(blocks.begin(g), blocks.end(g), SameRow(), UnitWeight(), static_cast<const T*>(partial), cols,
                 cols, accumulate, y.row(g), best);
        for (std::int64_t c = 0; best != nullptr && c < cols; ++c) {
          best[c] = partial_argmax[best[c] * cols + c];  // from the block to the row
        }
      },
      [&](std::int64_t g) {
        if (!accumulate) clear_row(y.row(g), cols);
        if (argmax != nullptr) std::fill_n(where(argmax, g), cols, -1);
      });
}

}  // namespace detail

/// Reduces every segment of rows to one row.
///
///   y[g] = reduce over r in [ptr[g], ptr[g + 1]) of x[r]      (an empty segment: 0)
///
/// Shapes: ptr (G + 1), ascending; x (N, F); y (G, F). argmax (G * F), kMax only, empty = not wanted: the row
///         of the first largest element, -1 for an empty segment. `accumulate` adds to y.
/// Cost:   one read of x; scratch about N / 256 rows when a segment has more than 256 rows.
template <class T>
void segment_reduce(Reduce reduce, Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y,
                    Span<std::int32_t> argmax, bool accumulate, Arena& scratch, ThreadPool* pool) {
  if (y.rows == 0 || y.cols == 0) return;
  MLGRAPH_ASSERT(signed_size(ptr) == y.rows + 1, "y has a row per segment");
  MLGRAPH_ASSERT(ptr.front() >= 0 && ptr.back() <= x.rows, "segments are inside x");
  MLGRAPH_ASSERT(x.cols == y.cols, "x and y have the same number of columns");
  MLGRAPH_ASSERT(argmax.empty() || signed_size(argmax) == y.size(), "argmax is like y");
  if (reduce == Reduce::kMax) {
    std::int32_t* const where = argmax.empty() ? nullptr : argmax.data();
    detail::max_segments(ptr, x, y, where, accumulate, scratch, pool);
  } else {
    const bool mean = reduce == Reduce::kMean;
    detail::sum_segments(ptr, detail::SameRow(), mean, x, y, accumulate, scratch, pool);
  }
}

/// The gradient of segment_reduce() with respect to x.
///
///   dx[r] (+)= dy[g] for r in segment g     (kMean: times 1 / length; kMax: in the columns where argmax is r)
///
/// Shapes: ptr (G + 1) from 0 to N, dy (G, F), dx (N, F); argmax as segment_reduce() left it, kMax only.
template <class T>
void segment_reduce_backward(Reduce reduce, Span<const std::int32_t> ptr, MatrixView<const T> dy,
                             Span<const std::int32_t> argmax, MatrixView<T> dx, bool accumulate,
                             ThreadPool* pool) {
  using Int = simd::as_integer_t<T>;
  if (dx.rows == 0 || dx.cols == 0) return;
  MLGRAPH_ASSERT(signed_size(ptr) == dy.rows + 1, "dy has a row per segment");
  MLGRAPH_ASSERT(ptr.front() == 0 && ptr.back() == dx.rows, "segments cover dx");
  MLGRAPH_ASSERT(dx.cols == dy.cols, "dx and dy have the same number of columns");
  MLGRAPH_ASSERT(reduce != Reduce::kMax || signed_size(argmax) == dy.size(), "argmax is like dy");
  parallel_for(pool, dx.rows, detail::rows_per_task(dx.cols), [&](std::int64_t begin, std::int64_t end) {
    std::int64_t g =
        std::upper_bound(ptr.begin(), ptr.end(), static_cast<std::int32_t>(begin)) - ptr.begin() - 1;
    for (std::int64_t r = begin; r < end; ++r) {
      while (r >= ptr.data()[g + 1]) ++g;
      const auto length = static_cast<T>(ptr.data()[g + 1] - ptr.data()[g]);
      const Vec<T> factor(reduce == Reduce::kMean ? T(1) / length : T(1));
      for_each_piece<T>(dx.cols, [&](std::int64_t c, std::int64_t n) {
        Vec<T> gradient = load_n(dy.row(g) + c, n);
        if (reduce == Reduce::kMax) {
          const auto where = detail::load_index_n<T>(argmax.data() + g * dx.cols + c, n);
          const auto chosen = detail::mask_cast<T>(where == detail::IndexVec<T>(static_cast<Int>(r)));
          gradient = simd::select(chosen, gradient, Vec<T>(T(0)));
        }
        T* const out = dx.row(r) + c;
        store_n(out, accumulate ? multiply_add<T>(factor, gradient, load_n(out, n)) : factor * gradient, n);
      });
    }
  });
}

/// Gives every row of a segment the segment's row.
///
///   y[r] = x[g] for r in [ptr[g], ptr[g + 1])
///
/// Shapes: ptr (G + 1) from 0 to N, x (G, F), y (N, F). Its gradient is the sum of segment_reduce().
template <class T>
void segment_broadcast(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y, ThreadPool* pool) {
  segment_reduce_backward<T>(Reduce::kSum, ptr, x, {}, y, false, pool);
}

/// Softmax over the rows of each segment, for every column on its own.
///
///   y[r, c] = exp(x[r, c] - m) / sum over s in the segment of exp(x[s, c] - m),   m the segment's maximum
///
/// Shapes: ptr (G + 1), x and y (N, F); y may be x.
/// Cost:   three passes; a segment is the work of one thread.
template <class T>
void segment_softmax(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y, ThreadPool* pool) {
  if (ptr.size() < 2 || y.cols == 0) return;
  MLGRAPH_ASSERT(ptr.front() >= 0 && ptr.back() <= x.rows, "segments are inside x");
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols, "x and y have the same shape");
  const auto num_segments = signed_size(ptr) - 1;
  const std::int64_t mean_length = (ptr.back() - ptr.front()) / num_segments + 1;
  const std::int64_t block = detail::rows_per_task(4 * y.cols * mean_length);
  parallel_for(pool, num_segments, block, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      const std::int64_t first = ptr.data()[g];
      const std::int64_t last = ptr.data()[g + 1];
      if (first == last) continue;
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t n) {
        Vec<T> largest = load_n(x.row(first) + c, n);
        for (std::int64_t r = first + 1; r < last; ++r) largest = simd::max(largest, load_n(x.row(r) + c, n));
        Vec<T> sum(T(0));
        for (std::int64_t r = first; r < last; ++r) {
          const Vec<T> e = simd::exp(load_n(x.row(r) + c, n) - largest);
          sum += e;
          store_n(y.row(r) + c, e, n);
        }
        for (std::int64_t r = first; r < last; ++r) {
          store_n(y.row(r) + c, load_n(static_cast<const T*>(y.row(r)) + c, n) / sum, n);
        }
      });
    }
  });
}

/// The gradient of segment_softmax() with respect to x, from its result y.
///
///   dx[r, c] (+)= y[r, c] * (dy[r, c] - sum over s in the segment of y[s, c] * dy[s, c])
///
/// Shapes: ptr (G + 1), y, dy and dx (N, F); dx may be dy.
template <class T>
void segment_softmax_backward(Span<const std::int32_t> ptr, MatrixView<const T> y, MatrixView<const T> dy,
                              MatrixView<T> dx, bool accumulate, ThreadPool* pool) {
  if (ptr.size() < 2 || y.cols == 0) return;
  MLGRAPH_ASSERT(ptr.front() >= 0 && ptr.back() <= y.rows, "segments are inside y");
  MLGRAPH_ASSERT(y.rows == dy.rows && y.cols == dy.cols, "y and dy have the same shape");
  MLGRAPH_ASSERT(y.rows == dx.rows && y.cols == dx.cols, "y and dx have the same shape");
  const auto num_segments = signed_size(ptr) - 1;
  const std::int64_t mean_length = (ptr.back() - ptr.front()) / num_segments + 1;
  const std::int64_t block = detail::rows_per_task(2 * y.cols * mean_length);
  parallel_for(pool, num_segments, block, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      const std::int64_t first = ptr.data()[g];
      const std::int64_t last = ptr.data()[g + 1];
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t n) {
        Vec<T> dot(T(0));
        for (std::int64_t r = first; r < last; ++r) {
          dot = multiply_add<T>(load_n(y.row(r) + c, n), load_n(dy.row(r) + c, n), dot);
        }
        for (std::int64_t r = first; r < last; ++r) {
          const Vec<T> weight = load_n(y.row(r) + c, n);
          const Vec<T> centred = load_n(dy.row(r) + c, n) - dot;
          T* const out = dx.row(r) + c;
          store_n(out, accumulate ? multiply_add<T>(weight, centred, load_n(out, n)) : weight * centred, n);
        }
      });
    }
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SEGMENT_HPP
