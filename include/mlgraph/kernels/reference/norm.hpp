// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/norm.hpp, kernels/column_norm.hpp and kernels/batch_norm.hpp compute.
#ifndef MLGRAPH_KERNELS_REFERENCE_NORM_HPP
#define MLGRAPH_KERNELS_REFERENCE_NORM_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// Mean, and 1 / sqrt(biased variance + eps), of n elements `stride` apart.
template <class T>
void moments(const T* x, std::int64_t n, std::int64_t stride, T eps, T* mean, T* rstd) {
  T sum = 0, squares = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i * stride];
  *mean = n == 0 ? T(0) : sum / static_cast<T>(n);
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i * stride] - *mean) * (x[i * stride] - *mean);
  *rstd = n == 0 ? T(0) : 1 / std::sqrt(squares / static_cast<T>(n) + eps);
}

template <class T>
void layer_norm(MatrixView<const T> x, Span<const T> gamma, Span<const T> beta, T eps, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    T mean, rstd;
    moments(x.row(r), x.cols, 1, eps, &mean, &rstd);
    for (std::int64_t c = 0; c < x.cols; ++c) {
      const auto k = static_cast<std::size_t>(c);
      y(r, c) = (x(r, c) - mean) * rstd * (gamma.empty() ? T(1) : gamma[k]) + (beta.empty() ? T(0) : beta[k]);
    }
  }
}

template <class T>
void instance_norm(Span<const std::int32_t> ptr, MatrixView<const T> x, T eps, MatrixView<T> y) {
  if (x.rows == 0) return;  // x may be null
  for (std::size_t s = 0; s + 1 < ptr.size(); ++s) {
    for (std::int64_t c = 0; c < x.cols; ++c) {
      T mean, rstd;
      moments(x.row(ptr[s]) + c, ptr[s + 1] - ptr[s], x.stride, eps, &mean, &rstd);
      for (std::int64_t r = ptr[s]; r < ptr[s + 1]; ++r) y(r, c) = (x(r, c) - mean) * rstd;
    }
  }
}

/// By the batch's moments, without an activation.
template <class T>
void batch_norm(MatrixView<const T> x, Span<const T> gamma, Span<const T> beta, T eps, MatrixView<T> y) {
  for (std::int64_t c = 0; c < x.cols; ++c) {
    const auto k = static_cast<std::size_t>(c);
    T mean, rstd;
    moments(x.data + c, x.rows, x.stride, eps, &mean, &rstd);
    for (std::int64_t r = 0; r < x.rows; ++r)
      y(r, c) = (x(r, c) - mean) * rstd * (gamma.empty() ? T(1) : gamma[k]) + (beta.empty() ? T(0) : beta[k]);
  }
}

template <class T>
void l2_normalize(MatrixView<const T> x, T eps, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    T squares = 0;
    for (std::int64_t c = 0; c < x.cols; ++c) squares += x(r, c) * x(r, c);
    for (std::int64_t c = 0; c < x.cols; ++c) y(r, c) = x(r, c) / std::max(std::sqrt(squares), eps);
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_NORM_HPP
