// SPDX-License-Identifier: Apache-2.0
// The dense layer: product, bias and activation in one pass; and the gradient of a bias.
#ifndef MLGRAPH_KERNELS_LINEAR_HPP
#define MLGRAPH_KERNELS_LINEAR_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// The dense layer on packed weights, for weights that are used more than once.
///
///   y = act(x * weight + bias)
///
/// Shapes: x (N, in), weight packed (in, out), bias (out) or empty, y (N, out).
template <class T>
void linear_packed(MatrixView<const T> x, const PackedMatrix<T>& weight, Span<const T> bias, Activation act,
                   T slope, MatrixView<T> y, ThreadPool* pool) {
  MLGRAPH_ASSERT(bias.empty() || signed_size(bias) == y.cols, "linear: bias does not fit");
  gemm_packed(x, weight, y, false, {bias.data(), act, slope}, pool);
}

/// y = act(x * weight^T + bias).
///
/// Shapes: x (N, in), weight (out, in) as in PyG's checkpoints, bias (out) or empty, y (N, out).
/// Cost:   N*in*out multiply-adds; scratch in * out scalars.
template <class T>
void linear(MatrixView<const T> x, MatrixView<const T> weight, Span<const T> bias, Activation act, T slope,
            MatrixView<T> y, Arena& scratch, ThreadPool* pool) {
  MLGRAPH_ASSERT(bias.empty() || signed_size(bias) == y.cols, "linear: bias does not fit");
  gemm_nt_epilogue(x, weight, y, false, {bias.data(), act, slope}, scratch, pool);
}

/// db[j] += sum_i dy[i][j], the gradient of a bias.
///
/// The rows are cut into at most 16 FixedBlocks: the bits do not depend on the number of threads.
/// Shapes: dy (N, out), db (out).
/// Cost:   N*out additions; scratch 16 * out scalars.
template <class T>
void bias_backward(MatrixView<const T> dy, Span<T> db, Arena& scratch, ThreadPool* pool) {
  MLGRAPH_ASSERT(signed_size(db) == dy.cols, "bias_backward: db does not fit");
  constexpr std::int64_t kMaxGroups = 16;
  constexpr std::int64_t kMinRows = 256;
  constexpr std::int64_t kVectors = 8;  // columns go by as many vectors, whose additions overlap
  const FixedBlocks groups = FixedBlocks::even(dy.rows, kMaxGroups, kMinRows);
  const std::int64_t num_groups = groups.num();
  if (num_groups == 0) return;
  ArenaScope scope(scratch);
  T* parts = scratch.allocate<T>(num_groups * dy.cols);
  groups.for_each(pool, [&](std::int64_t g, std::int64_t begin, std::int64_t end) {
    T* part = parts + g * dy.cols;
    for (std::int64_t col = 0; col < dy.cols; col += kVectors * kLanes<T>) {
      const std::int64_t width = std::min(kVectors * kLanes<T>, dy.cols - col);
      Vec<T> sum[kVectors];
      std::fill(sum, sum + kVectors, Vec<T>(T(0)));
      for (std::int64_t i = begin; i < end; ++i) {
        const T* row = dy.row(i) + col;
        for_each_piece<T>(width, [&](std::int64_t j, std::int64_t n) {
          sum[j / kLanes<T>] = sum[j / kLanes<T>] + load_n(row + j, n);
        });
      }
      for_each_piece<T>(
          width, [&](std::int64_t j, std::int64_t n) { store_n(part + col + j, sum[j / kLanes<T>], n); });
    }
  });
  for_each_piece<T>(dy.cols, [&](std::int64_t j, std::int64_t n) {
    Vec<T> sum = load_n(parts + j, n);
    for (std::int64_t g = 1; g < num_groups; ++g) sum = sum + load_n(parts + g * dy.cols + j, n);
    store_n(db.data() + j, load_n(db.data() + j, n) + sum, n);
  });
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_LINEAR_HPP
