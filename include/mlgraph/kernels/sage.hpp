// SPDX-License-Identifier: Apache-2.0
// The GraphSAGE layer in one pass: what a block of nodes aggregates is multiplied while it is still in the
// cache.
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

// One block of rows of one copy; `x` has all rows that the copy's nodes aggregate, `root_block` the block's
// own.
template <class T>
void sage_block(Reduce reduce, const CsrView& block_csr, MatrixView<const T> x, MatrixView<const T> root_block,
                const PackedMatrix<T>& lin_l, const PackedMatrix<T>& lin_r, const Epilogue<T>& epilogue,
                MatrixView<T> y_block, MatrixView<T> aggregated_block) {
  alignas(kAlignment) T buffer[kSageBuffer];
  for (std::int64_t k = 0; k == 0 || k < x.cols; k += kSageCols) {
    const std::int64_t cols = std::min(kSageCols, x.cols - k);
    const MatrixView<T> part = aggregated_block.data == nullptr ? MatrixView<T>(buffer, y_block.rows, cols)
                                                                : aggregated_block.col_block(k, cols);
    spmm<T>(reduce, block_csr, {}, x.col_block(k, cols), part, {}, false, nullptr);
    if (lin_r.data == nullptr && k + cols == x.cols) {
      gemm_packed_block<T>(part, lin_l, k, y_block, k > 0, epilogue);
    } else {
      gemm_packed_block<T>(part, lin_l, k, y_block, k > 0, Epilogue<T>{});
    }
  }
  if (lin_r.data != nullptr) gemm_packed_block<T>(root_block, lin_r, 0, y_block, true, epilogue);
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
  if (y.rows == 0) return;
  const std::int64_t num_rows = csr.num_rows();
  MLGRAPH_ASSERT(num_rows > 0 && y.rows % num_rows == 0,
                 "sage: y has a multiple of the graph's number of rows");
  const std::int64_t num_copies = y.rows / num_rows;
  MLGRAPH_ASSERT(x.rows % num_copies == 0, "sage: x has a multiple of the number of copies of rows");
  const std::int64_t num_sources = x.rows / num_copies;
  MLGRAPH_ASSERT(x.cols == lin_l.rows && y.cols == lin_l.cols, "sage: lin_l does not fit");
  MLGRAPH_ASSERT(
      lin_r.data == nullptr || (root.rows == y.rows && root.cols == lin_r.rows && y.cols == lin_r.cols),
      "sage: lin_r does not fit");
  MLGRAPH_ASSERT(aggregated.data == nullptr || (aggregated.rows == y.rows && aggregated.cols == x.cols),
                 "sage: aggregated is (C N, in)");
  constexpr std::int64_t kMinTaskWork = std::int64_t{1} << 20;  // multiply-adds worth a thread
  const std::int64_t block_rows = detail::sage_rows(x.cols);
  const std::int64_t block_work = std::max<std::int64_t>(1, 2 * block_rows * x.cols * y.cols);
  const std::int64_t task_rows = block_rows * ((kMinTaskWork + block_work - 1) / block_work);
  const Epilogue<T> epilogue{bias.data(), act, slope};
  const auto rows_of_copy = [&](std::int64_t copy, std::int64_t begin, std::int64_t end) {
    const MatrixView<const T> x_copy = x.row_block(copy * num_sources, num_sources);
    for (std::int64_t i = begin; i < end; i += block_rows) {
      const std::int64_t count = std::min(block_rows, end - i);
      const CsrView block_csr{csr.row_ptr.subspan(i, count + 1), csr.col};
      const std::int64_t row = copy * num_rows + i;
      const MatrixView<const T> root_block = lin_r.data == nullptr ? root : root.row_block(row, count);
      detail::sage_block<T>(reduce, block_csr, x_copy, root_block, lin_l, lin_r, epilogue,
                            y.row_block(row, count),
                            aggregated.data == nullptr ? aggregated : aggregated.row_block(row, count));
    }
  };
  detail::for_rows_of_copies(num_copies, num_rows, task_rows, pool, rows_of_copy);
}

/// The same with x as root.
template <class T>
void sage(Reduce reduce, CsrView csr, MatrixView<const T> x, const PackedMatrix<T>& lin_l,
          const PackedMatrix<T>& lin_r, Span<const T> bias, Activation act, T slope, MatrixView<T> y,
          MatrixView<T> aggregated, ThreadPool* pool) {
  sage(reduce, csr, x, x, lin_l, lin_r, bias, act, slope, y, aggregated, pool);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SAGE_HPP
