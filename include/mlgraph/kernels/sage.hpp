// SPDX-License-Identifier: Apache-2.0
// The GraphSAGE and the graph isomorphism layer in one pass: what a block of nodes aggregates is multiplied
// while it is still in the cache.
#ifndef MLGRAPH_KERNELS_SAGE_HPP
#define MLGRAPH_KERNELS_SAGE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/linear.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

// At most so many rows and columns are aggregated at once; more than 128 columns go by half the rows. The
// buffer (48 KB of floats) fits the second cache beside the weights, and any stack.
inline constexpr std::int64_t kSageRows = 96;
inline constexpr std::int64_t kSageCols = 256;
inline constexpr std::int64_t kSageBuffer = kSageRows * kSageCols / 2;

constexpr std::int64_t sage_rows(std::int64_t cols) { return cols > kSageCols / 2 ? kSageRows / 2 : kSageRows; }

// A layer of the two: what is aggregated, and what it is multiplied by. `own` are the rows of the nodes
// themselves, which lin_r multiplies where it has data, and which otherwise count `own_factor` times among the
// neighbours where they have.
template <class T>
struct FusedLayer {
  Reduce reduce;
  CsrView csr;
  MatrixView<const T> x, own;
  T own_factor;
  PackedMatrix<T> lin_l, lin_r;
  Epilogue<T> epilogue;
};

// part = factor * rows.
template <class T>
void scale_block(T factor, MatrixView<const T> rows, MatrixView<T> part) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    if (factor == T(1)) {
      std::copy_n(rows.row(i), rows.cols, part.row(i));
    } else {
      scale(factor, rows.row(i), part.row(i), rows.cols, false, nullptr);
    }
  }
}

// One block of rows of one copy; `x` has all rows that the copy's nodes aggregate, csr, own and y the block's.
template <class T>
void fused_block(const FusedLayer<T>& block, MatrixView<T> y, MatrixView<T> aggregated) {
  alignas(kAlignment) T buffer[kSageBuffer];
  const bool has_root = block.lin_r.data != nullptr;
  const bool adds_own = !has_root && block.own.data != nullptr;
  const std::int64_t width = block.x.cols;
  for (std::int64_t k = 0; k == 0 || k < width; k += kSageCols) {
    const std::int64_t cols = std::min(kSageCols, width - k);
    const MatrixView<T> part =
        aggregated.data == nullptr ? MatrixView<T>(buffer, y.rows, cols) : aggregated.col_block(k, cols);
    if (adds_own) scale_block<T>(block.own_factor, block.own.col_block(k, cols), part);
    spmm<T>(block.reduce, block.csr, {}, block.x.col_block(k, cols), part, {}, adds_own, nullptr);
    const bool is_last = !has_root && k + cols == width;
    gemm_packed_block<T>(part, block.lin_l, k, y, k > 0, is_last ? block.epilogue : Epilogue<T>{});
  }
  if (has_root) gemm_packed_block<T>(block.own, block.lin_r, 0, y, true, block.epilogue);
}

// All rows of all copies, by blocks.
template <class T>
void fused_layer(const FusedLayer<T>& layer, MatrixView<T> y, MatrixView<T> aggregated, ThreadPool* pool) {
  if (y.rows == 0) return;
  const std::int64_t num_rows = layer.csr.num_rows();
  MLGRAPH_ASSERT(num_rows > 0 && y.rows % num_rows == 0,
                 "sage: y has a multiple of the graph's number of rows");
  const std::int64_t num_copies = y.rows / num_rows;
  MLGRAPH_ASSERT(layer.x.rows % num_copies == 0, "sage: x has a multiple of the number of copies of rows");
  const std::int64_t num_sources = layer.x.rows / num_copies;
  MLGRAPH_ASSERT(layer.x.cols == layer.lin_l.rows && y.cols == layer.lin_l.cols, "sage: lin_l does not fit");
  MLGRAPH_ASSERT(
      layer.lin_r.data == nullptr ||
          (layer.own.rows == y.rows && layer.own.cols == layer.lin_r.rows && y.cols == layer.lin_r.cols),
      "sage: lin_r does not fit");
  MLGRAPH_ASSERT(aggregated.data == nullptr || (aggregated.rows == y.rows && aggregated.cols == layer.x.cols),
                 "sage: aggregated is (C N, in)");
  constexpr std::int64_t kWorthThread = std::int64_t{1} << 20;  // multiply-adds
  const std::int64_t block_rows = sage_rows(layer.x.cols);
  const std::int64_t block_work = std::max<std::int64_t>(1, 2 * block_rows * layer.x.cols * y.cols);
  const std::int64_t task_rows = block_rows * ((kWorthThread + block_work - 1) / block_work);
  const auto rows_of_copy = [&](std::int64_t copy, std::int64_t begin, std::int64_t end) {
    FusedLayer<T> block = layer;
    block.x = layer.x.row_block(copy * num_sources, num_sources);
    for (std::int64_t i = begin; i < end; i += block_rows) {
      const std::int64_t count = std::min(block_rows, end - i);
      const std::int64_t row = copy * num_rows + i;
      block.csr = {layer.csr.row_ptr.subspan(i, count + 1), layer.csr.col};
      if (layer.own.data != nullptr) block.own = layer.own.row_block(row, count);
      fused_block<T>(block, y.row_block(row, count),
                     aggregated.data == nullptr ? aggregated : aggregated.row_block(row, count));
    }
  };
  for_rows_of_copies(num_copies, num_rows, task_rows, pool, rows_of_copy);
}

}  // namespace detail

/// GraphSAGE layer, forward:
///
///   y_i = act(lin_l * reduce_{j in N(i)} x_j + lin_r * root_i + bias)
///
/// `root` is x where the nodes that are computed are those that are aggregated, as in most graphs. The bits are
/// those of spmm(), then gemm_packed() by lin_l, then gemm_packed() by lin_r that accumulates; a row's do not
/// depend on the rows beside it.
///
/// Shapes: x (C * M, in) and root (C * N, in), N = csr.num_rows(), M its columns: C copies of the nodes over
///         one graph, one below the other. lin_l and lin_r packed (in, out); lin_r with null data = no such
///         term, root is not read. bias (out) or empty. y (C * N, out), neither x nor root. aggregated (C * N,
///         in), empty = not wanted: the reduced neighbours, which the gradients need.
/// Cost:   C*(E*in + 2*N*in*out) multiply-adds; no scratch but 48 KB (double: 96 KB) of stack.
/// Source: Hamilton, Ying, Leskovec, arXiv:1706.02216, Algorithm 1. Two matrices instead of one on the
///         concatenation: equivalent.
template <class T>
void sage(Reduce reduce, CsrView csr, MatrixView<const T> x, MatrixView<const T> root,
          const PackedMatrix<T>& lin_l, const PackedMatrix<T>& lin_r, Span<const T> bias, Activation act,
          T slope, MatrixView<T> y, MatrixView<T> aggregated, ThreadPool* pool) {
  detail::fused_layer<T>({reduce, csr, x, lin_r.data == nullptr ? MatrixView<const T>() : root, T(0), lin_l,
                          lin_r, Epilogue<T>{bias.data(), act, slope}},
                         y, aggregated, pool);
}

/// The same with x as root.
template <class T>
void sage(Reduce reduce, CsrView csr, MatrixView<const T> x, const PackedMatrix<T>& lin_l,
          const PackedMatrix<T>& lin_r, Span<const T> bias, Activation act, T slope, MatrixView<T> y,
          MatrixView<T> aggregated, ThreadPool* pool) {
  sage(reduce, csr, x, x, lin_l, lin_r, bias, act, slope, y, aggregated, pool);
}

/// The sum over neighbours in which a node itself counts `own` times, and the first layer of the network that
/// it goes through in a graph isomorphism network, forward:
///
///   y_i = act(lin * (own * root_i + sum_{j in N(i)} x_j) + bias)
///
/// The bits are those of root times `own`, to which spmm() adds, and gemm_packed(); a row's do not depend on
/// the rows beside it.
///
/// Shapes: as of sage(); lin packed (in, out). aggregated (C * N, in), empty = not wanted: the sums.
/// Cost:   C*(E*in + N*in*out) multiply-adds; no scratch but 48 KB (double: 96 KB) of stack.
/// Source: Xu, Hu, Leskovec, Jegelka, arXiv:1810.00826, equation 4.1.
template <class T>
void gin(CsrView csr, MatrixView<const T> x, MatrixView<const T> root, T own, const PackedMatrix<T>& lin,
         Span<const T> bias, Activation act, T slope, MatrixView<T> y, MatrixView<T> aggregated,
         ThreadPool* pool) {
  MLGRAPH_ASSERT(root.rows == y.rows && root.cols == x.cols, "gin: root is (C N, in)");
  detail::fused_layer<T>({Reduce::kSum, csr, x, root, own, lin, {}, Epilogue<T>{bias.data(), act, slope}}, y,
                         aggregated, pool);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SAGE_HPP
