// SPDX-License-Identifier: Apache-2.0
// Normalisation of columns over rows: of each graph's rows (instance norm) or of all rows (batch norm).
#ifndef MLGRAPH_KERNELS_COLUMN_NORM_HPP
#define MLGRAPH_KERNELS_COLUMN_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/segment_blocks.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// 1 / sqrt(variance + eps), and 0 where that would be infinite: what does not vary normalises to 0.
template <class T>
[[nodiscard]] T reciprocal_deviation(T variance, T eps) {
  const T v = variance + eps;
  return v > T(0) ? T(1) / std::sqrt(v) : v == T(0) ? T(0) : v;  // the last case keeps NaN
}

/// Rows of a block that fits a core's cache.
inline std::int64_t column_norm_block_rows(std::int64_t cols) {
  return std::clamp<std::int64_t>(16384 / std::max<std::int64_t>(1, cols), 16, 1024);
}

/// Calls `body(width, c, lanes)` for groups of columns: `width` (an integral_constant) vectors at c, all full
/// unless width is 1. Four vectors at once give independent chains of additions.
template <class T, class Body>
MLGRAPH_ALWAYS_INLINE void for_each_column_group(std::int64_t cols, const Body& body) {
  std::int64_t c = 0;
  for (; c + 4 * kLanes<T> <= cols; c += 4 * kLanes<T>) body(std::integral_constant<int, 4>{}, c, kLanes<T>);
  for_each_piece<T>(cols - c,
                    [&](std::int64_t i, std::int64_t m) { body(std::integral_constant<int, 1>{}, c + i, m); });
}

/// Mean and sum of squared differences from it of every column of one block of rows (at least one row).
template <class T>
void block_moments(MatrixView<const T> x, T* mean, T* squares) {
  const Vec<T> inverse(T(1) / static_cast<T>(x.rows));
  for_each_column_group<T>(x.cols, [&](auto width, std::int64_t c, std::int64_t m) {
    constexpr int kWidth = decltype(width)::value;
    Vec<T> first[std::size_t{kWidth}], sums[std::size_t{kWidth}];
    for (int j = 0; j < kWidth; ++j) {
      first[j] = load_n(x.row(0) + c + j * kLanes<T>, m);
      sums[j] = Vec<T>(T(0));
    }
    for (std::int64_t r = 1; r < x.rows; ++r) {
      for (int j = 0; j < kWidth; ++j) sums[j] += load_n(x.row(r) + c + j * kLanes<T>, m) - first[j];
    }
    for (int j = 0; j < kWidth; ++j) {
      first[j] = multiply_add<T>(sums[j], inverse, first[j]);
      sums[j] = Vec<T>(T(0));
    }
    for (std::int64_t r = 0; r < x.rows; ++r) {
      for (int j = 0; j < kWidth; ++j) {
        const Vec<T> d = load_n(x.row(r) + c + j * kLanes<T>, m) - first[j];
        sums[j] = multiply_add<T>(d, d, sums[j]);
      }
    }
    for (int j = 0; j < kWidth; ++j) {
      store_n(mean + c + j * kLanes<T>, first[j], m);
      store_n(squares + c + j * kLanes<T>, sums[j], m);
    }
  });
}

/// Mean and rstd of every column of every segment (0 for an empty one). Blocks are merged in order.
/// Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
/// 1979, equation 2.1.
template <class T>
void column_statistics(const SegmentBlocks& blocks, MatrixView<const T> x, T eps, MatrixView<T> mean,
                       MatrixView<T> rstd, Arena& scratch, ThreadPool* pool) {
  const std::int64_t cols = x.cols;
  const ArenaScope scope(scratch);
  T* const partial = scratch.allocate<T>(blocks.num_blocks() * 2 * cols);
  blocks.for_each(pool, [&](const SegmentBlocks::Block& b) {
    block_moments<T>(x.row_block(b.begin, b.end - b.begin), partial + 2 * b.index * cols,
                     partial + (2 * b.index + 1) * cols);
  });
  parallel_for(pool, blocks.num_segments(), row_block_size(cols),
               [&](std::int64_t s_begin, std::int64_t s_end) {
                 for (std::int64_t s = s_begin; s < s_end; ++s) {
                   const std::int64_t num_rows = blocks.num_rows(s);
                   for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
                     Vec<T> center(T(0)), squares(T(0));
                     std::int64_t seen = 0;
                     for (std::int64_t b = blocks.begin(s); b < blocks.end(s); ++b) {
                       const std::int64_t count = std::min(blocks.block_rows(), num_rows - seen);
                       const Vec<T> block_mean = load_n(partial + 2 * b * cols + c, m);
                       const Vec<T> block_squares = load_n(partial + (2 * b + 1) * cols + c, m);
                       if (seen == 0) {
                         center = block_mean;
                         squares = block_squares;
                       } else {
                         const T share = static_cast<T>(count) / static_cast<T>(seen + count);
                         const Vec<T> d = block_mean - center;
                         center = multiply_add<T>(d, Vec<T>(share), center);
                         squares += multiply_add<T>(d * d, Vec<T>(share * static_cast<T>(seen)), block_squares);
                       }
                       seen += count;
                     }
                     store_n(mean.row(s) + c, center, m);
                     store_n(rstd.row(s) + c, squares, m);
                   });
                   for (std::int64_t c = 0; c < cols; ++c) {
                     T& v = rstd(s, c);
                     v = num_rows == 0 ? T(0) : reciprocal_deviation(v / static_cast<T>(num_rows), eps);
                   }
                 }
               });
}

/// y = (x - mean) * rstd with the mean and rstd of the row's segment.
template <class T>
void apply_column_statistics(const SegmentBlocks& blocks, MatrixView<const T> x, MatrixView<const T> mean,
                             MatrixView<const T> rstd, MatrixView<T> y, ThreadPool* pool) {
  blocks.for_each(pool, [&](const SegmentBlocks::Block& b) {
    for_each_column_group<T>(x.cols, [&](auto width, std::int64_t c, std::int64_t m) {
      constexpr int kWidth = decltype(width)::value;
      Vec<T> center[std::size_t{kWidth}], factor[std::size_t{kWidth}];
      for (int j = 0; j < kWidth; ++j) {
        const std::int64_t col = c + j * kLanes<T>;
        center[j] = load_n(mean.row(b.segment) + col, m);
        factor[j] = load_n(rstd.row(b.segment) + col, m);
      }
      for (std::int64_t r = b.begin; r < b.end; ++r) {
        for (int j = 0; j < kWidth; ++j) {
          const std::int64_t col = c + j * kLanes<T>;
          const Vec<T> centred = load_n(x.row(r) + col, m) - center[j];
          store_n(y.row(r) + col, multiply_add<T>(centred, factor[j], Vec<T>(T(0))), m);
        }
      }
    });
  });
}

/// Instance normalisation of graphs: every column of every segment of rows gets mean 0 and variance 1.
///
///   y = (x - mean) * rstd,   rstd = 1 / sqrt(variance + eps), biased variance, as PyG's InstanceNorm
///
/// Shapes: ptr (G + 1) ascending row boundaries; x, y (N, F), y may be x; mean, rstd (G, F), kept for the
///         backward pass (0 for an empty segment). A segment of one row, and a constant column, give exactly 0.
/// Cost:   x is read twice from memory; scratch 2 F elements for every 16384 elements of x, and G indices.
/// Source: Ulyanov, Vedaldi, Lempitsky, arXiv:1607.08022.
template <class T>
void instance_norm(Span<const std::int32_t> ptr, MatrixView<const T> x, T eps, MatrixView<T> y,
                   MatrixView<T> mean, MatrixView<T> rstd, Arena& scratch, ThreadPool* pool) {
  const ArenaScope scope(scratch);
  const SegmentBlocks blocks(ptr, column_norm_block_rows(x.cols), x.cols, scratch);
  column_statistics<T>(blocks, x, eps, mean, rstd, scratch, pool);
  apply_column_statistics<T>(blocks, x, mean, rstd, y, pool);
}

/// Sums over the rows of each segment of dy and of dy * x^, x^ = (x - mean) * rstd: what every backward needs.
/// Shapes: sums (2 G, F), row 2 s for dy and row 2 s + 1 for dy * x^ of segment s.
template <class T>
void column_gradient_sums(const SegmentBlocks& blocks, MatrixView<const T> x, MatrixView<const T> mean,
                          MatrixView<const T> rstd, MatrixView<const T> dy, MatrixView<T> sums, Arena& scratch,
                          ThreadPool* pool) {
  const std::int64_t cols = x.cols;
  const ArenaScope scope(scratch);
  T* const partial = scratch.allocate<T>(blocks.num_blocks() * 2 * cols);
  blocks.for_each(pool, [&](const SegmentBlocks::Block& b) {
    T* const out = partial + 2 * b.index * cols;
    for_each_column_group<T>(cols, [&](auto width, std::int64_t c, std::int64_t m) {
      constexpr int kWidth = decltype(width)::value;
      Vec<T> center[std::size_t{kWidth}], factor[std::size_t{kWidth}], sum_g[std::size_t{kWidth}],
          sum_gx[std::size_t{kWidth}];
      for (int j = 0; j < kWidth; ++j) {
        center[j] = load_n(mean.row(b.segment) + c + j * kLanes<T>, m);
        factor[j] = load_n(rstd.row(b.segment) + c + j * kLanes<T>, m);
        sum_g[j] = sum_gx[j] = Vec<T>(T(0));
      }
      for (std::int64_t r = b.begin; r < b.end; ++r) {
        for (int j = 0; j < kWidth; ++j) {
          const Vec<T> g = load_n(dy.row(r) + c + j * kLanes<T>, m);
          sum_g[j] += g;
          sum_gx[j] = multiply_add<T>(g, load_n(x.row(r) + c + j * kLanes<T>, m) - center[j], sum_gx[j]);
        }
      }
      for (int j = 0; j < kWidth; ++j) {
        store_n(out + c + j * kLanes<T>, sum_g[j], m);
        store_n(out + cols + c + j * kLanes<T>, Vec<T>(sum_gx[j] * factor[j]), m);
      }
    });
  });
  parallel_for(pool, blocks.num_segments(), row_block_size(2 * cols),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t s = begin; s < end; ++s) {
                   fill(T(0), sums.row(2 * s), 2 * cols, nullptr);
                   for (std::int64_t b = blocks.begin(s); b < blocks.end(s); ++b) {
                     add<T>(partial + 2 * b * cols, sums.row(2 * s), sums.row(2 * s), 2 * cols, nullptr);
                   }
                 }
               });
}

/// dx [+]= rstd * gamma * (dy - mean(dy) - x^ * mean(dy * x^)), the means over the rows of the segment.
/// Shapes: gamma (F), or empty for 1; sums as column_gradient_sums() leaves them.
template <class T>
void apply_column_gradient(const SegmentBlocks& blocks, MatrixView<const T> x, MatrixView<const T> mean,
                           MatrixView<const T> rstd, Span<const T> gamma, MatrixView<const T> sums,
                           MatrixView<const T> dy, MatrixView<T> dx, bool accumulate, ThreadPool* pool) {
  blocks.for_each(pool, [&](const SegmentBlocks::Block& b) {
    const Vec<T> inverse(T(1) / static_cast<T>(blocks.num_rows(b.segment)));
    for_each_column_group<T>(x.cols, [&](auto width, std::int64_t c, std::int64_t m) {
      constexpr int kWidth = decltype(width)::value;
      Vec<T> center[std::size_t{kWidth}], factor[std::size_t{kWidth}], mean_g[std::size_t{kWidth}],
          slope[std::size_t{kWidth}];
      for (int j = 0; j < kWidth; ++j) {
        const std::int64_t col = c + j * kLanes<T>;
        const Vec<T> deviation = load_n(rstd.row(b.segment) + col, m);
        center[j] = load_n(mean.row(b.segment) + col, m);
        mean_g[j] = load_n(sums.row(2 * b.segment) + col, m) * inverse;
        slope[j] = load_n(sums.row(2 * b.segment + 1) + col, m) * inverse * deviation;
        factor[j] = gamma.empty() ? deviation : Vec<T>(deviation * load_n(gamma.data() + col, m));
      }
      for (std::int64_t r = b.begin; r < b.end; ++r) {
        for (int j = 0; j < kWidth; ++j) {
          const std::int64_t col = c + j * kLanes<T>;
          const Vec<T> d = multiply_add<T>(-(load_n(x.row(r) + col, m) - center[j]), slope[j],
                                           load_n(dy.row(r) + col, m) - mean_g[j]);
          store_or_add(dx.row(r) + col, Vec<T>(d * factor[j]), m, accumulate);
        }
      }
    });
  });
}

/// dx of instance_norm from dy; x, mean and rstd as it saw and left them.
template <class T>
void instance_norm_backward(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<const T> mean,
                            MatrixView<const T> rstd, MatrixView<const T> dy, MatrixView<T> dx, bool accumulate,
                            Arena& scratch, ThreadPool* pool) {
  const ArenaScope scope(scratch);
  const SegmentBlocks blocks(ptr, column_norm_block_rows(x.cols), x.cols, scratch);
  const std::int64_t num_sums = 2 * blocks.num_segments();
  const MatrixView<T> sums(scratch.allocate<T>(num_sums * x.cols), num_sums, x.cols);
  column_gradient_sums<T>(blocks, x, mean, rstd, dy, sums, scratch, pool);
  apply_column_gradient<T>(blocks, x, mean, rstd, Span<const T>(), sums, dy, dx, accumulate, pool);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_COLUMN_NORM_HPP
