// SPDX-License-Identifier: Apache-2.0
// Matrix products out of register tiles: what stays in which cache, and how the work is cut.
#ifndef MLGRAPH_KERNELS_GEMM_TILED_HPP
#define MLGRAPH_KERNELS_GEMM_TILED_HPP

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/gemm_kernel.hpp"
#include "mlgraph/kernels/gemm_pack.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

// A panel is used in pieces of at most this depth, so that a piece (32 KB) stays in the first cache.
template <class T>
inline constexpr std::int64_t kMaxDepth = 32768 / (kMaxTileVectors * kLanes<T> * static_cast<std::int64_t>(sizeof(T)));

// Multiply-adds below which a task is not worth handing to another thread (about 10 us).
inline constexpr std::int64_t kMinTaskWork = std::int64_t{1} << 20;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// A right operand, packed or as it is. One that is not packed has whole vectors only.
template <class T>
struct RightOperand {
  const T* data;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t stride;  // 0: packed

  RightOperand(const PackedMatrix<T>& b) : data(b.data), rows(b.rows), cols(b.cols), stride(0) {}  // NOLINT
  explicit RightOperand(MatrixView<const T> b) : data(b.data), rows(b.rows), cols(b.cols), stride(b.stride) {}
};

// c = epilogue(a * b + (accumulate ? c : 0)) on this thread. Panel by panel, a panel by pieces of its depth; the
// epilogue follows while the rows it works on are still in the first cache.
template <class T, class Epilogue>
void multiply_rows(MatrixView<const T> a, const RightOperand<T>& b, MatrixView<T> c, bool accumulate,
                   const Epilogue& epilogue) {
  const Panels<T> panels(c.cols);
  const std::int64_t num_pieces = std::max<std::int64_t>(1, divide_up(a.cols, kMaxDepth<T>));
  const std::int64_t depth = divide_up(a.cols, num_pieces);
  for (std::int64_t p = 0; p < panels.num; ++p) {
    const std::int64_t col = panels.begin(p) * kLanes<T>;
    const std::int64_t vectors = panels.vectors(p);
    const std::int64_t end = std::min(c.cols, col + vectors * kLanes<T>);
    TileArgs<T> args{};
    args.a_stride = a.stride;
    args.b_stride = b.stride == 0 ? vectors * kLanes<T> : b.stride;
    args.c_stride = c.stride;
    args.last_lanes = end - col - (vectors - 1) * kLanes<T>;
    for (std::int64_t piece = 0; piece < num_pieces; ++piece) {
      const std::int64_t k = piece * depth;
      args.b = b.data + (b.stride == 0 ? b.rows * col : col) + k * args.b_stride;
      args.depth = std::min(depth, a.cols - k);
      args.accumulate = accumulate || piece > 0;
      for (std::int64_t i = 0; i < a.rows; i += kRowGroup) {
        const std::int64_t rows = std::min(kRowGroup, a.rows - i);
        args.a = a.row(i) + k;
        args.c = c.row(i) + col;
        gemm_panel<LeftLayout::kRows>(args, vectors, rows);
        if (Epilogue::kIsIdentity || piece + 1 < num_pieces) continue;
        for (std::int64_t r = i; r < i + rows; ++r) {
          for_each_piece<T>(end - col, [&](std::int64_t j, std::int64_t n) {
            T* out = c.row(r) + col + j;
            store_n(out, epilogue(load_n(out, n), col + j, n), n);
          });
        }
      }
    }
  }
}

// Rows that one task works on: enough to be worth a thread, a multiple of the row group, at least 72 so that a panel
// is used often once it is in the first cache.
template <class T>
std::int64_t gemm_rows_per_task(std::int64_t depth, std::int64_t cols) {
  const std::int64_t work_per_row = std::max<std::int64_t>(1, depth * Panels<T>(cols).num_vectors * kLanes<T>);
  return std::max<std::int64_t>(3, divide_up(kMinTaskWork, work_per_row * kRowGroup)) * kRowGroup;
}

template <class T, class Epilogue>
void multiply(MatrixView<const T> a, const RightOperand<T>& b, MatrixView<T> c, bool accumulate,
              const Epilogue& epilogue, ThreadPool* pool) {
  MLGRAPH_ASSERT(a.cols == b.rows && b.cols == c.cols && a.rows == c.rows, "gemm: shapes do not fit");
  parallel_for(pool, c.rows, gemm_rows_per_task<T>(a.cols, c.cols), [&](std::int64_t begin, std::int64_t end) {
    multiply_rows(a.row_block(begin, end - begin), b, c.row_block(begin, end - begin), accumulate, epilogue);
  });
}

// ---- a^T b: the sum runs over the rows ---------------------------------------------------------------------

// The rows are cut into at most 16 groups, by their number alone. A group is one chain of fma per element; the groups
// are then added in order. So the bits do not depend on the number of threads.
inline constexpr std::int64_t kMaxRowGroups = 16;
inline constexpr std::int64_t kRowsPerRowGroup = 512;

constexpr std::int64_t num_row_groups(std::int64_t rows) {
  return std::min(kMaxRowGroups, std::max<std::int64_t>(1, rows / kRowsPerRowGroup));
}

// Panel p of a^T b, for the rows in the views. The rows go by blocks whose panel of b is first copied together.
template <class T>
void multiply_transposed_panel(MatrixView<const T> a, MatrixView<const T> b, const Panels<T>& panels, std::int64_t p,
                               T* out, std::int64_t out_stride, std::int64_t last_lanes, bool accumulate) {
  alignas(kAlignment) T panel[kMaxDepth<T> * kMaxTileVectors * kLanes<T>];
  const std::int64_t num_blocks = std::max<std::int64_t>(1, divide_up(a.rows, kMaxDepth<T>));
  const std::int64_t block = divide_up(a.rows, num_blocks);
  const std::int64_t vectors = panels.vectors(p);
  const std::int64_t col = panels.begin(p) * kLanes<T>;
  TileArgs<T> args{};
  args.a_stride = a.stride;
  args.b = panel;
  args.b_stride = vectors * kLanes<T>;
  args.c = out;
  args.c_stride = out_stride;
  args.last_lanes = last_lanes;
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    const std::int64_t begin = i * block;
    args.a = a.row(begin);
    args.depth = std::min(block, a.rows - begin);
    args.accumulate = accumulate || i > 0;
    pack_panel(b.row_block(begin, args.depth), col, vectors, panel);
    gemm_panel<LeftLayout::kColumns>(args, vectors, a.cols);
  }
}

template <class T>
void multiply_transposed(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate,
                         Arena& scratch, ThreadPool* pool) {
  MLGRAPH_ASSERT(a.rows == b.rows && a.cols == c.rows && b.cols == c.cols, "gemm_tn: shapes do not fit");
  const Panels<T> panels(c.cols);
  const std::int64_t padded_cols = panels.num_vectors * kLanes<T>;
  const std::int64_t num_groups = num_row_groups(a.rows);
  const std::int64_t group = divide_up(a.rows, num_groups);
  if (a.rows * c.rows * padded_cols < 2 * kMinTaskWork) pool = nullptr;
  if (num_groups == 1) {
    parallel_for(pool, panels.num, 1, [&](std::int64_t p, std::int64_t) {
      const std::int64_t col = panels.begin(p) * kLanes<T>;
      const std::int64_t last = std::min(c.cols - col - (panels.vectors(p) - 1) * kLanes<T>, kLanes<T>);
      multiply_transposed_panel(a, b, panels, p, c.data + col, c.stride, last, accumulate);
    });
    return;
  }
  ArenaScope scope(scratch);
  const std::int64_t part_size = c.rows * padded_cols;
  T* parts = scratch.allocate<T>(static_cast<std::size_t>(num_groups * part_size));
  parallel_for(pool, num_groups * panels.num, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t g = task / panels.num;
    const std::int64_t p = task % panels.num;
    const std::int64_t count = std::min(group, a.rows - g * group);
    multiply_transposed_panel(a.row_block(g * group, count), b.row_block(g * group, count), panels, p,
                              parts + g * part_size + panels.begin(p) * kLanes<T>, padded_cols, kLanes<T>, false);
  });
  for (std::int64_t k = 0; k < c.rows; ++k) {
    for_each_piece<T>(c.cols, [&](std::int64_t j, std::int64_t n) {
      const T* part = parts + k * padded_cols + j;
      Vec<T> sum = load(part);
      for (std::int64_t g = 1; g < num_groups; ++g) sum = sum + load(part + g * part_size);
      if (accumulate) sum = load_n(c.row(k) + j, n) + sum;
      store_n(c.row(k) + j, sum, n);
    });
  }
}

}  // namespace detail
}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_KERNELS_GEMM_TILED_HPP
