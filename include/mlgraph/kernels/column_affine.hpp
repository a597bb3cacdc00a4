// SPDX-License-Identifier: Apache-2.0
// y = x * scale + shift per column: biases, the affine part of norms, and per-channel weights.
#ifndef MLGRAPH_KERNELS_COLUMN_AFFINE_HPP
#define MLGRAPH_KERNELS_COLUMN_AFFINE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// y[r, k] = x[r, k] * scale[k] + shift[k].  Shapes: x, y (N, F); scale and shift (F), or empty for 1 and 0.
template <class T>
void column_affine(MatrixView<const T> x, Span<const T> scale, Span<const T> shift, MatrixView<T> y,
                   ThreadPool* pool) {
  const T* const a = scale.data();
  const T* const b = shift.data();
  for_each_matrix_piece<T>(x.rows, x.cols, pool, [=](std::int64_t r, std::int64_t k, std::int64_t n) {
    // Always one multiply_add: a product and a sum could be fused in one loop and not in another.
    const Vec<T> factor = a == nullptr ? Vec<T>(T(1)) : load_n(a + k, n);
    const Vec<T> term = b == nullptr ? Vec<T>(T(0)) : load_n(b + k, n);
    store_n(y.row(r) + k, multiply_add<T>(load_n(x.row(r) + k, n), factor, term), n);
  });
}

/// dx = dy * scale, dscale += column sums of dy * x, dshift += column sums of dy. Any of the three may be
/// empty.
template <class T>
void column_affine_backward(MatrixView<const T> x, Span<const T> scale, MatrixView<const T> dy,
                            MatrixView<T> dx, bool accumulate, Span<T> dscale, Span<T> dshift, Arena& scratch,
                            ThreadPool* pool) {
  const T* const a = scale.data();
  if (dx.data != nullptr) {
    for_each_matrix_piece<T>(dy.rows, dy.cols, pool, [=](std::int64_t r, std::int64_t k, std::int64_t n) {
      const Vec<T> d = load_n(dy.row(r) + k, n);
      store_or_add(dx.row(r) + k, a == nullptr ? d : Vec<T>(d * load_n(a + k, n)), n, accumulate);
    });
  }
  const auto add_columns = [&](Span<T> out, auto term) {
    if (out.empty()) return;
    sum_over_rows<T>(dy.rows, dy.cols, out, scratch, pool,
                     [&](std::int64_t begin, std::int64_t end, T* partial) {
                       for (std::int64_t r = begin; r < end; ++r) {
                         for_each_piece<T>(dy.cols, [&](std::int64_t k, std::int64_t n) {
                           store_n(partial + k, term(r, k, n, load_n(partial + k, n)), n);
                         });
                       }
                     });
  };
  add_columns(dscale, [&](std::int64_t r, std::int64_t k, std::int64_t n, const Vec<T>& sum) {
    return multiply_add<T>(load_n(dy.row(r) + k, n), load_n(x.row(r) + k, n), sum);
  });
  add_columns(dshift, [&](std::int64_t r, std::int64_t k, std::int64_t n, const Vec<T>& sum) {
    return Vec<T>(sum + load_n(dy.row(r) + k, n));
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_COLUMN_AFFINE_HPP
