// SPDX-License-Identifier: Apache-2.0
// Normalisation: of rows (layer norm, L2) here, of columns (instance norm, batch norm) in column_norm.hpp.
#ifndef MLGRAPH_KERNELS_NORM_HPP
#define MLGRAPH_KERNELS_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/column_norm.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/softmax.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// Layer normalisation of every row:
///
///   y = (x - mean) * rstd * gamma + beta,   rstd = 1 / sqrt(variance + eps), biased variance
///
/// The differences are taken from the first element of the row before they are averaged, so a constant row has
/// exactly the variance 0 and gives beta, however large it is.
///
/// Shapes: x, y (N, F); gamma, beta (F) or empty; mean, rstd (N), kept for the backward pass, or empty.
/// Source: Ba, Kiros, Hinton, arXiv:1607.06450, equation 4.
template <class T>
void layer_norm(MatrixView<const T> x, Span<const T> gamma, Span<const T> beta, T eps, MatrixView<T> y,
                Span<T> mean, Span<T> rstd, ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols, "layer_norm: shapes differ");
  const std::int64_t cols = x.cols;
  if (cols == 0) return;
  parallel_for(pool, x.rows, row_block_size(cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* const in = x.row(r);
      T* const out = y.row(r);
      const Vec<T> first(in[0]);
      Vec<T> sums(T(0));
      for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
        sums += keep_lanes<T>(load_n(in + c, m) - first, m, T(0));
      });
      const T row_mean = in[0] + reduce_add<T>(sums) / static_cast<T>(cols);
      const Vec<T> center(row_mean);
      sums = Vec<T>(T(0));
      for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> d = keep_lanes<T>(load_n(in + c, m) - center, m, T(0));
        sums = multiply_add<T>(d, d, sums);
      });
      const T row_rstd = reciprocal_deviation(reduce_add<T>(sums) / static_cast<T>(cols), eps);
      for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> factor = gamma.empty() ? Vec<T>(T(1)) : load_n(gamma.data() + c, m);
        const Vec<T> shift = beta.empty() ? Vec<T>(T(0)) : load_n(beta.data() + c, m);
        const Vec<T> normalized = (load_n(in + c, m) - center) * Vec<T>(row_rstd);
        store_n(out + c, multiply_add<T>(normalized, factor, shift), m);
      });
      if (!mean.empty()) mean[r] = row_mean;
      if (!rstd.empty()) rstd[r] = row_rstd;
    }
  });
}

/// Sums over the rows of dy and of dy * (x - mean) * rstd, one after the other.  Shapes: sums (2 F).
template <class T>
void layer_norm_parameter_sums(MatrixView<const T> x, Span<const T> mean, Span<const T> rstd,
                               MatrixView<const T> dy, Span<T> sums, Arena& scratch, ThreadPool* pool) {
  fill(T(0), sums.data(), 2 * x.cols, nullptr);
  sum_over_rows<T>(
      x.rows, 2 * x.cols, sums, scratch, pool, [&](std::int64_t begin, std::int64_t end, T* partial) {
        for_each_column_group<T>(x.cols, [&](auto width, std::int64_t c, std::int64_t m) {
          constexpr int kWidth = decltype(width)::value;
          Vec<T> sum_g[std::size_t{kWidth}], sum_gx[std::size_t{kWidth}];
          for (int j = 0; j < kWidth; ++j) sum_g[j] = sum_gx[j] = Vec<T>(T(0));
          for (std::int64_t r = begin; r < end; ++r) {
            const Vec<T> center(mean[r]);
            const Vec<T> factor(rstd[r]);
            for (int j = 0; j < kWidth; ++j) {
              const Vec<T> g = load_n(dy.row(r) + c + j * kLanes<T>, m);
              sum_g[j] += g;
              sum_gx[j] =
                  multiply_add<T>(g * factor, load_n(x.row(r) + c + j * kLanes<T>, m) - center, sum_gx[j]);
            }
          }
          for (int j = 0; j < kWidth; ++j) {
            store_n(partial + c + j * kLanes<T>, sum_g[j], m);
            store_n(partial + x.cols + c + j * kLanes<T>, sum_gx[j], m);
          }
        });
      });
}

/// With x^ = (x - mean) * rstd and g = gamma * dy:
///
///   dx = rstd * (g - mean(g) - x^ * mean(g * x^)),   dgamma += sum_rows dy * x^,   dbeta += sum_rows dy
///
/// Shapes: as in layer_norm. dx, dgamma and dbeta may each be empty; `accumulate` is about dx.
template <class T>
void layer_norm_backward(MatrixView<const T> x, Span<const T> gamma, Span<const T> mean, Span<const T> rstd,
                         MatrixView<const T> dy, MatrixView<T> dx, bool accumulate, Span<T> dgamma,
                         Span<T> dbeta, Arena& scratch, ThreadPool* pool) {
  const std::int64_t cols = x.cols;
  if (cols == 0) return;
  if (dx.data != nullptr) {
    parallel_for(pool, x.rows, row_block_size(cols), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const Vec<T> center(mean[r]);
        const Vec<T> factor(rstd[r]);
        const auto normalized = [&](std::int64_t c, std::int64_t m) {
          return Vec<T>((load_n(x.row(r) + c, m) - center) * factor);
        };
        const auto gradient = [&](std::int64_t c, std::int64_t m) {  // 0 in the lanes past m
          const Vec<T> weight = gamma.empty() ? Vec<T>(T(1)) : load_n(gamma.data() + c, m);
          return Vec<T>(load_n(dy.row(r) + c, m) * weight);
        };
        Vec<T> sum_g(T(0)), sum_gx(T(0));
        for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
          const Vec<T> g = gradient(c, m);
          sum_g += g;
          sum_gx = multiply_add<T>(g, keep_lanes<T>(normalized(c, m), m, T(0)), sum_gx);
        });
        const Vec<T> mean_g(reduce_add<T>(sum_g) / static_cast<T>(cols));
        const Vec<T> mean_gx(reduce_add<T>(sum_gx) / static_cast<T>(cols));
        for_each_piece<T>(cols, [&](std::int64_t c, std::int64_t m) {
          const Vec<T> d = multiply_add<T>(-normalized(c, m), mean_gx, gradient(c, m) - mean_g);
          store_or_add(dx.row(r) + c, Vec<T>(factor * d), m, accumulate);
        });
      }
    });
  }
  if (dgamma.empty() && dbeta.empty()) return;
  const ArenaScope scope(scratch);
  const Span<T> sums(scratch.allocate<T>(2 * cols), static_cast<std::size_t>(2 * cols));
  layer_norm_parameter_sums<T>(x, mean, rstd, dy, sums, scratch, pool);
  if (!dbeta.empty()) add<T>(sums.data(), dbeta.data(), dbeta.data(), cols, nullptr);
  if (!dgamma.empty()) add<T>(sums.data() + cols, dgamma.data(), dgamma.data(), cols, nullptr);
}

/// y = x / max(|x|, eps) for every row, |x| the Euclidean norm; torch's F.normalize has eps = 1e-12.
/// Shapes: x, y (N, F); norm (N) receives |x|, for the backward pass.
template <class T>
void l2_normalize(MatrixView<const T> x, T eps, MatrixView<T> y, Span<T> norm, ThreadPool* pool) {
  MLGRAPH_ASSERT(x.rows == y.rows && x.cols == y.cols && signed_size(norm) == x.rows,
                 "l2_normalize: shapes differ");
  parallel_for(pool, x.rows, row_block_size(x.cols), [=](std::int64_t begin, std::int64_t end) {
    row_dots<T>(x.row_block(begin, end - begin), x.row_block(begin, end - begin),
                norm.subspan(begin, end - begin), false, nullptr);
    for_each_piece<T>(end - begin, [&](std::int64_t i, std::int64_t n) {  // of many at once: a root takes long
      T* const lengths = norm.data() + begin + i;
      store_n(lengths, Vec<T>(simd::sqrt(load_n(lengths, n))), n);
    });
    for (std::int64_t r = begin; r < end; ++r) {
      const Vec<T> divisor(std::max(norm.data()[r], eps));
      const T* const in = x.row(r);
      T* const out = y.row(r);
      for_each_piece<T>(x.cols, [&](std::int64_t c, std::int64_t m) MLGRAPH_LAMBDA_INLINE {
        store_n(out + c, load_n(in + c, m) / divisor, m);
      });
    }
  });
}

/// dx = (dy - y * (y . dy)) / |x| where |x| >= eps, else dy / eps. y and norm as l2_normalize left them.
template <class T>
void l2_normalize_backward(MatrixView<const T> y, Span<const T> norm, T eps, MatrixView<const T> dy,
                           MatrixView<T> dx, bool accumulate, ThreadPool* pool) {
  parallel_for(pool, y.rows, row_block_size(y.cols), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T length = norm[r];
      Vec<T> sums(T(0));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) {
        sums = multiply_add<T>(load_n(y.row(r) + c, m), load_n(dy.row(r) + c, m), sums);
      });
      const Vec<T> along(length < eps ? T(0) : reduce_add<T>(sums));
      const Vec<T> divisor(std::max(length, eps));
      for_each_piece<T>(y.cols, [&](std::int64_t c, std::int64_t m) {
        const Vec<T> d = multiply_add<T>(-load_n(y.row(r) + c, m), along, load_n(dy.row(r) + c, m));
        store_or_add(dx.row(r) + c, Vec<T>(d / divisor), m, accumulate);
      });
    }
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_NORM_HPP
