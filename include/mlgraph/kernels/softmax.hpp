// SPDX-License-Identifier: Apache-2.0
// Softmax and log-softmax of every row of a matrix, and their backward passes.
#ifndef MLGRAPH_KERNELS_SOFTMAX_HPP
#define MLGRAPH_KERNELS_SOFTMAX_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>
#include <limits>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// 0, 1, 2, ... by lane.
template <class T>
inline constexpr T kLaneIndex[] = {T(0), T(1), T(2),  T(3),  T(4),  T(5),  T(6),  T(7),
                                   T(8), T(9), T(10), T(11), T(12), T(13), T(14), T(15)};

/// v in the first n lanes, `other` in the rest.
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> keep_lanes(const Vec<T>& v, std::int64_t n, T other) {
  static_assert(kLanes<T> <= 16, "kLaneIndex is too short for this vector");
  if (n == kLanes<T>) return v;
  return simd::select(load(kLaneIndex<T>) < Vec<T>(static_cast<T>(n)), v, Vec<T>(other));
}

/// Largest of `size` elements, -inf for none.
template <class T>
[[nodiscard]] T max_of(const T* x, std::int64_t size) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  Vec<T> largest(kLowest);
  for_each_piece<T>(size, [&](std::int64_t i, std::int64_t m) {
    largest = simd::max(largest, keep_lanes(load_n(x + i, m), m, kLowest));
  });
  return reduce_max<T>(largest);
}

/// y[r, c] = exp(x[r, c]) / sum over c of exp(x[r, c]), with the largest of the row subtracted first.
/// Shapes: x, y (N, F); y may be x.
template <class T>
void softmax_rows(MatrixView<const T> x, MatrixView<T> y, ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols, "softmax_rows: shapes differ");
  parallel_for(pool, x.rows, row_block_size(x.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      T* const out = y.row(r);
      const Vec<T> largest(max_of(x.row(r), x.cols));
      Vec<T> sums(T(0));
      for_each_piece<T>(x.cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> e = keep_lanes<T>(simd::exp(load_n(x.row(r) + c, m) - largest), m, T(0));
        store_n(out + c, e, m);
        sums += e;
      });
      const Vec<T> inverse(T(1) / reduce_add<T>(sums));
      for_each_piece<T>(
          x.cols, [&](std::int64_t c, std::int64_t m) { store_n(out + c, load_n(out + c, m) * inverse, m); });
    }
  });
}

/// dx = y * (dy - y . dy), row by row; y as softmax_rows left it.
template <class T>
void softmax_rows_backward(MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx, bool accumulate,
                           ThreadPool* pool) {
  MLGRAPH_ASSERT(y.rows == dx.rows && y.cols == dx.cols, "softmax_rows_backward: shapes differ");
  parallel_for(pool, y.rows, row_block_size(y.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      Vec<T> sums(T(0));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) {
        sums = multiply_add<T>(load_n(y.row(r) + c, m), load_n(dy.row(r) + c, m), sums);
      });
      const Vec<T> mean(reduce_add<T>(sums));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> d = load_n(y.row(r) + c, m) * (load_n(dy.row(r) + c, m) - mean);
        store_or_add(dx.row(r) + c, d, m, accumulate);
      });
    }
  });
}

/// y[r, c] = x[r, c] - log(sum over c of exp(x[r, c])).
/// Shapes: x, y (N, F); y may be x.
template <class T>
void log_softmax_rows(MatrixView<const T> x, MatrixView<T> y, ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols, "log_softmax_rows: shapes differ");
  parallel_for(pool, x.rows, row_block_size(x.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Vec<T> largest(max_of(x.row(r), x.cols));
      Vec<T> sums(T(0));
      for_each_piece<T>(x.cols, [&](std::int64_t c, std::int64_t m) {
        sums += keep_lanes<T>(simd::exp(load_n(x.row(r) + c, m) - largest), m, T(0));
      });
      const Vec<T> log_sum(std::log(reduce_add<T>(sums)));
      for_each_piece<T>(x.cols, [&](std::int64_t c, std::int64_t m) {
        store_n(y.row(r) + c, (load_n(x.row(r) + c, m) - largest) - log_sum, m);
      });
    }
  });
}

/// dx = dy - exp(y) * sum of dy over the row; y as log_softmax_rows left it.
template <class T>
void log_softmax_rows_backward(MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx, bool accumulate,
                               ThreadPool* pool) {
  MLGRAPH_ASSERT(y.rows == dx.rows && y.cols == dx.cols, "log_softmax_rows_backward: shapes differ");
  parallel_for(pool, y.rows, row_block_size(y.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      Vec<T> sums(T(0));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) { sums += load_n(dy.row(r) + c, m); });
      const Vec<T> total(reduce_add<T>(sums));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> p = simd::exp(load_n(y.row(r) + c, m));
        store_or_add(dx.row(r) + c, multiply_add<T>(-p, total, load_n(dy.row(r) + c, m)), m, accumulate);
      });
    }
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SOFTMAX_HPP
