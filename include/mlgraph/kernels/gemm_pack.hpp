// SPDX-License-Identifier: Apache-2.0
// PackedMatrix: the right operand of a product, copied once into the order in which the product reads it.
#ifndef MLGRAPH_KERNELS_GEMM_PACK_HPP
#define MLGRAPH_KERNELS_GEMM_PACK_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/gemm_kernel.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/transpose.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// A right operand (rows, cols) = (K, M) in column panels: panel after panel, in each the K rows one after the
/// other, padded with zeros to whole vectors. The layout belongs to one instruction set: never store it in a
/// file.
template <class T>
struct PackedMatrix {
  const T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

/// Elements that the packed form of a (k, m) matrix takes.
template <class T>
[[nodiscard]] std::int64_t packed_size(std::int64_t k, std::int64_t m) {
  return k * detail::Panels<T>(m).num_vectors * kLanes<T>;
}

namespace detail {

// Columns [begin, begin + vectors * kLanes) of b, those past its end as zeros, to rows of `out` without a gap.
template <class T>
void pack_panel(MatrixView<const T> b, std::int64_t begin, std::int64_t vectors, T* out) {
  const std::int64_t last_lanes = std::min(kLanes<T>, b.cols - begin - (vectors - 1) * kLanes<T>);
  for (std::int64_t k = 0; k < b.rows; ++k) {
    const T* row = b.row(k) + begin;
    for (std::int64_t v = 0; v + 1 < vectors; ++v, out += kLanes<T>) store(out, load(row + v * kLanes<T>));
    store(out, load_n(row + (vectors - 1) * kLanes<T>, last_lanes));
    out += kLanes<T>;
  }
}

// dst[k][m] = src[m][k] for m < num_m and k < num_k, 0 for the other m < kLanes.
template <class T>
void transpose_partial_block(const T* src, std::int64_t src_stride, std::int64_t num_m, std::int64_t num_k,
                             T* dst, std::int64_t dst_stride) {
  alignas(64) T in[kLanes<T> * kLanes<T>] = {};
  alignas(64) T out[kLanes<T> * kLanes<T>];
  for (std::int64_t m = 0; m < num_m; ++m) store(in + m * kLanes<T>, load_n(src + m * src_stride, num_k));
  transpose_block(in, kLanes<T>, out, kLanes<T>);
  for (std::int64_t k = 0; k < num_k; ++k) store(dst + k * dst_stride, load(out + k * kLanes<T>));
}

// The transpose of rows [begin, begin + vectors * kLanes) of b, those past its end as zeros, to `out` without a
// gap.
template <class T>
void transpose_panel(MatrixView<const T> b, std::int64_t begin, std::int64_t vectors, T* out) {
  const std::int64_t stride = vectors * kLanes<T>;
  for (std::int64_t v = 0; v < vectors; ++v) {
    const std::int64_t m = begin + v * kLanes<T>;
    const std::int64_t num_m = std::min(kLanes<T>, b.rows - m);
    for (std::int64_t k = 0; k < b.cols; k += kLanes<T>) {
      const std::int64_t num_k = std::min(kLanes<T>, b.cols - k);
      T* block = out + k * stride + v * kLanes<T>;
      if (num_m == kLanes<T> && num_k == kLanes<T>) {
        transpose_block(b.row(m) + k, b.stride, block, stride);
      } else {
        transpose_partial_block(b.row(m) + k, b.stride, num_m, num_k, block, stride);
      }
    }
  }
}

}  // namespace detail

/// Packs b (K, M) into `buffer` of packed_size(K, M) elements, which the result borrows.
template <class T>
PackedMatrix<T> pack(MatrixView<const T> b, T* buffer) {
  const detail::Panels<T> panels(b.cols);
  for (std::int64_t p = 0; p < panels.num; ++p) {
    const std::int64_t begin = panels.begin(p) * kLanes<T>;
    detail::pack_panel(b, begin, panels.vectors(p), buffer + b.rows * begin);
  }
  return {buffer, b.rows, b.cols};
}

/// Packs the transpose (K, M) of b (M, K), the order in which linear layers keep their weights, into `buffer`
/// of packed_size(K, M) elements, which the result borrows.
template <class T>
PackedMatrix<T> pack_transposed(MatrixView<const T> b, T* buffer) {
  const detail::Panels<T> panels(b.rows);
  for (std::int64_t p = 0; p < panels.num; ++p) {
    const std::int64_t begin = panels.begin(p) * kLanes<T>;
    detail::transpose_panel(b, begin, panels.vectors(p), buffer + b.cols * begin);
  }
  return {buffer, b.cols, b.rows};
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_GEMM_PACK_HPP
