// SPDX-License-Identifier: Apache-2.0
// Matrix products as they are written on paper: the specification that the fast kernels are tested against.
#ifndef MLGRAPH_KERNELS_REFERENCE_GEMM_HPP
#define MLGRAPH_KERNELS_REFERENCE_GEMM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// c = a * b + (accumulate ? c : 0).   Shapes: a (N, K), b (K, M), c (N, M).
template <class T>
void gemm_nn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate) {
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.cols; ++j) {
      T sum = accumulate ? c(i, j) : T(0);
      for (std::int64_t k = 0; k < a.cols; ++k) sum = std::fma(a(i, k), b(k, j), sum);
      c(i, j) = sum;
    }
  }
}

/// c = a * b^T + (accumulate ? c : 0).   Shapes: a (N, K), b (M, K), c (N, M).
template <class T>
void gemm_nt(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate) {
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.cols; ++j) {
      T sum = accumulate ? c(i, j) : T(0);
      for (std::int64_t k = 0; k < a.cols; ++k) sum = std::fma(a(i, k), b(j, k), sum);
      c(i, j) = sum;
    }
  }
}

/// c = a^T * b + (accumulate ? c : 0).   Shapes: a (N, K), b (N, M), c (K, M).
template <class T>
void gemm_tn(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate) {
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.cols; ++j) {
      T sum = accumulate ? c(i, j) : T(0);
      for (std::int64_t n = 0; n < a.rows; ++n) sum = std::fma(a(n, i), b(n, j), sum);
      c(i, j) = sum;
    }
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_GEMM_HPP
