// SPDX-License-Identifier: Apache-2.0
// Batch norm: columns normalised over all rows, scaled, shifted and activated, in one pass over the result.
#ifndef MLGRAPH_KERNELS_BATCH_NORM_HPP
#define MLGRAPH_KERNELS_BATCH_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/column_norm.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/segment_blocks.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// Mean and 1 / sqrt(variance + eps) of every column, biased variance: what batch norm normalises by in
/// training.
/// Shapes: x (N, F), N > 0; mean, rstd (F).
/// Cost:   x is read twice, the second time from cache; scratch 2 F elements for every 16384 elements of x.
template <class T>
void batch_moments(MatrixView<const T> x, T eps, Span<T> mean, Span<T> rstd, Arena& scratch, ThreadPool* pool) {
  const ArenaScope scope(scratch);
  const std::int32_t ptr[] = {0, static_cast<std::int32_t>(x.rows)};
  const SegmentBlocks blocks(ptr, column_norm_block_rows(x.cols), x.cols, scratch);
  column_statistics<T>(blocks, x, eps, MatrixView<T>(mean.data(), 1, x.cols),
                       MatrixView<T>(rstd.data(), 1, x.cols), scratch, pool);
}

/// Batch normalisation by the mean and deviation of the batch or of earlier ones:
///
///   y = act((x - mean) * rstd * gamma + beta)
///
/// Shapes: x, y (N, F), y may be x; mean, rstd (F); gamma, beta (F), or empty for 1 and 0. A column that equals its
///         mean gives exactly act(beta).
/// Source: Ioffe, Szegedy, arXiv:1502.03167, Algorithm 1.
template <class T>
void batch_norm(MatrixView<const T> x, Span<const T> mean, Span<const T> rstd, Span<const T> gamma,
                Span<const T> beta, Activation act, T slope, MatrixView<T> y, ThreadPool* pool) {
  const auto apply = [&](auto a, std::int64_t begin, std::int64_t end) {
    for_each_column_group<T>(x.cols, [&](auto width, std::int64_t c, std::int64_t m) {
      constexpr int kWidth = decltype(width)::value;
      Vec<T> center[std::size_t{kWidth}], factor[std::size_t{kWidth}], shift[std::size_t{kWidth}];
      for (int j = 0; j < kWidth; ++j) {
        const std::int64_t col = c + j * kLanes<T>;
        center[j] = load_n(mean.data() + col, m);
        factor[j] = load_n(rstd.data() + col, m);
        if (!gamma.empty()) factor[j] = factor[j] * load_n(gamma.data() + col, m);
        shift[j] = beta.empty() ? Vec<T>(T(0)) : load_n(beta.data() + col, m);
      }
      for (std::int64_t r = begin; r < end; ++r) {
        for (int j = 0; j < kWidth; ++j) {
          const std::int64_t col = c + j * kLanes<T>;
          const Vec<T> centred = load_n(x.row(r) + col, m) - center[j];
          store_n(y.row(r) + col, activate<a(), T>(multiply_add<T>(centred, factor[j], shift[j]), slope), m);
        }
      }
    });
  };
  parallel_for(pool, x.rows, row_block_size(x.cols), [&](std::int64_t begin, std::int64_t end) {
    with_activation(act, [&](auto a) { apply(a, begin, end); });
  });
}

/// From dz = d loss / d(x^ * gamma + beta), with x^ = (x - mean) * rstd and sums and means over all rows:
///
///   dbeta += sum(dz),   dgamma += sum(dz * x^)
///   dx = rstd * gamma * (dz - mean(dz) - x^ * mean(dz * x^))       mean and rstd are those of the batch
///   dx = rstd * gamma * dz                                         they are constants
///
/// Shapes: as in batch_norm; `accumulate` is about dx. dx, dgamma and dbeta may each be empty.
template <class T>
void batch_norm_backward(MatrixView<const T> x, Span<const T> mean, Span<const T> rstd, Span<const T> gamma,
                         MatrixView<const T> dz, bool of_batch, MatrixView<T> dx, bool accumulate,
                         Span<T> dgamma, Span<T> dbeta, Arena& scratch, ThreadPool* pool) {
  const std::int64_t cols = x.cols;
  if (x.rows == 0 || cols == 0) return;
  const ArenaScope scope(scratch);
  const std::int32_t ptr[] = {0, static_cast<std::int32_t>(x.rows)};
  const SegmentBlocks blocks(ptr, column_norm_block_rows(cols), cols, scratch);
  const MatrixView<const T> center(mean.data(), 1, cols), factor(rstd.data(), 1, cols);
  const MatrixView<T> sums(scratch.allocate<T>(2 * cols), 2, cols);
  fill(T(0), sums.data, 2 * cols, nullptr);
  if (of_batch || !dgamma.empty() || !dbeta.empty())
    column_gradient_sums<T>(blocks, x, center, factor, dz, sums, scratch, pool);
  if (!dbeta.empty()) add<T>(sums.row(0), dbeta.data(), dbeta.data(), cols, nullptr);
  if (!dgamma.empty()) add<T>(sums.row(1), dgamma.data(), dgamma.data(), cols, nullptr);
  if (dx.data == nullptr) return;
  if (!of_batch) fill(T(0), sums.data, 2 * cols, nullptr);
  apply_column_gradient<T>(blocks, x, center, factor, gamma, sums, dz, dx, accumulate, pool);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_BATCH_NORM_HPP
