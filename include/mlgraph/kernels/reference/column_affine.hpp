// SPDX-License-Identifier: Apache-2.0
// Specification of kernels/column_affine.hpp: slow and clear.
#ifndef MLGRAPH_KERNELS_REFERENCE_COLUMN_AFFINE_HPP
#define MLGRAPH_KERNELS_REFERENCE_COLUMN_AFFINE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// y[r, k] = x[r, k] * scale[k] + shift[k]; an empty scale is 1, an empty shift 0.
template <class T>
void column_affine(MatrixView<const T> x, Span<const T> scale, Span<const T> shift, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      const auto i = static_cast<std::size_t>(k);
      y(r, k) = x(r, k) * (scale.empty() ? T(1) : scale[i]) + (shift.empty() ? T(0) : shift[i]);
    }
  }
}

/// dx = dy * scale; dscale += sum over rows of dy * x; dshift += sum over rows of dy.
template <class T>
void column_affine_backward(MatrixView<const T> x, Span<const T> scale, MatrixView<const T> dy,
                            MatrixView<T> dx, Span<T> dscale, Span<T> dshift) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      const auto i = static_cast<std::size_t>(k);
      dx(r, k) = dy(r, k) * (scale.empty() ? T(1) : scale[i]);
      dscale[i] += dy(r, k) * x(r, k);
      dshift[i] += dy(r, k);
    }
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_COLUMN_AFFINE_HPP
