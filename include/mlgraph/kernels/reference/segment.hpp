// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/segment.hpp computes.
#ifndef MLGRAPH_KERNELS_REFERENCE_SEGMENT_HPP
#define MLGRAPH_KERNELS_REFERENCE_SEGMENT_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// One row after the other; the fast kernel does the same for segments of up to 256 rows.
template <class T>
void segment_reduce(kernels::Reduce reduce, Span<const std::int32_t> ptr, MatrixView<const T> x,
                    MatrixView<T> y, Span<std::int32_t> argmax, bool accumulate) {
  for (std::int64_t g = 0; g < y.rows; ++g) {
    const std::int32_t first = ptr[g];
    const std::int32_t last = ptr[static_cast<std::size_t>(g) + 1];
    for (std::int64_t k = 0; k < y.cols; ++k) {
      T result = first < last ? x(first, k) : T(0);
      std::int32_t best = first < last ? first : -1;
      for (std::int32_t r = first + 1; r < last; ++r) {
        if (reduce != kernels::Reduce::kMax) {
          result += x(r, k);
        } else if (!(result >= x(r, k)) && !std::isnan(result)) {
          result = x(r, k);
          best = r;
        }
      }
      if (reduce == kernels::Reduce::kMean && first < last) result /= static_cast<T>(last - first);
      y(g, k) = accumulate ? y(g, k) + result : result;
      if (!argmax.empty()) argmax[g * y.cols + k] = best;
    }
  }
}

template <class T>
void segment_broadcast(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y) {
  for (std::int64_t g = 0; g < x.rows; ++g) {
    for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) std::copy_n(x.row(g), x.cols, y.row(r));
  }
}

template <class T>
void segment_reduce_backward(kernels::Reduce reduce, Span<const std::int32_t> ptr, MatrixView<const T> dy,
                             Span<const std::int32_t> argmax, MatrixView<T> dx, bool accumulate) {
  for (std::int64_t g = 0; g < dy.rows; ++g) {
    const std::int32_t first = ptr[g];
    const std::int32_t last = ptr[static_cast<std::size_t>(g) + 1];
    for (std::int32_t r = first; r < last; ++r) {
      for (std::int64_t k = 0; k < dy.cols; ++k) {
        T gradient = dy(g, k);
        if (reduce == kernels::Reduce::kMean) gradient /= static_cast<T>(last - first);
        if (reduce == kernels::Reduce::kMax && argmax[g * dy.cols + k] != r) {
          gradient = 0;
        }
        dx(r, k) = accumulate ? dx(r, k) + gradient : gradient;
      }
    }
  }
}

template <class T>
void segment_softmax(Span<const std::int32_t> ptr, MatrixView<const T> x, MatrixView<T> y) {
  for (std::size_t g = 0; g + 1 < ptr.size(); ++g) {
    for (std::int64_t k = 0; k < x.cols && ptr[g] < ptr[g + 1]; ++k) {
      T largest = x(ptr[g], k);
      for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) largest = std::max(largest, x(r, k));
      T sum = 0;
      for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) sum += std::exp(x(r, k) - largest);
      for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) y(r, k) = std::exp(x(r, k) - largest) / sum;
    }
  }
}

template <class T>
void segment_softmax_backward(Span<const std::int32_t> ptr, MatrixView<const T> y, MatrixView<const T> dy,
                              MatrixView<T> dx, bool accumulate) {
  for (std::size_t g = 0; g + 1 < ptr.size(); ++g) {
    for (std::int64_t k = 0; k < y.cols; ++k) {
      T dot = 0;
      for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) dot += y(r, k) * dy(r, k);
      for (std::int32_t r = ptr[g]; r < ptr[g + 1]; ++r) {
        const T gradient = y(r, k) * (dy(r, k) - dot);
        dx(r, k) = accumulate ? dx(r, k) + gradient : gradient;
      }
    }
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_SEGMENT_HPP
