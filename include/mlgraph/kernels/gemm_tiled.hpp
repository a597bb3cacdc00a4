// SPDX-License-Identifier: Apache-2.0
// Matrix products out of register tiles: what stays in which cache, and how the work is cut.
#ifndef MLGRAPH_KERNELS_GEMM_TILED_HPP
#define MLGRAPH_KERNELS_GEMM_TILED_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/gemm_kernel.hpp"
#include "mlgraph/kernels/gemm_pack.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

// A panel is used in pieces of at most this depth, so that a piece (32 KB) stays in the first cache.
template <class T>
inline constexpr std::int64_t kMaxDepth = 32768 /
                                          (kMaxTileVectors * kLanes<T> * static_cast<std::int64_t>(sizeof(T)));
template <class T>
inline constexpr std::int64_t kMaxPieceSize = kMaxDepth<T>* kMaxTileVectors* kLanes<T>;

// Multiply-adds below which a task is not worth handing to another thread (about 10 us).
inline constexpr std::int64_t kMinTaskWork = std::int64_t{1} << 20;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// ---- right operands: where a piece of a panel comes from ----------------------------------------------------
// piece(col, vectors, k, depth): steps k ... k + depth - 1 of the panel of `vectors` vectors that starts at
// column col. kDepth is the most that `depth` may be.

template <class T>
struct Piece {
  const T* data;
  std::int64_t stride;
};

template <class T>
struct PackedRight {
  static constexpr std::int64_t kDepth = kMaxDepth<T>;
  PackedMatrix<T> b;
  std::int64_t first = 0;  // the row of b that counts as k = 0
  Piece<T> piece(std::int64_t col, std::int64_t vectors, std::int64_t k, std::int64_t) const {
    return {b.data + b.rows * col + (first + k) * vectors * kLanes<T>, vectors * kLanes<T>};
  }
};

// b (K, M) as it is; M is a multiple of kLanes.
template <class T>
struct PlainRight {
  static constexpr std::int64_t kDepth = kMaxDepth<T>;
  MatrixView<const T> b;
  Piece<T> piece(std::int64_t col, std::int64_t, std::int64_t k, std::int64_t) const {
    return {b.row(k) + col, b.stride};
  }
};

// b (K, M), or the transpose of b (M, K), copied piece by piece into one buffer. For so few rows that every
// piece is needed once only. With vectors of 64 bytes a full piece would be out of the first cache again,
// pushed by what is copied and by the left operand, before the first tile reads it: there pieces are half as
// deep.
template <class T, bool kTransposed>
struct CopiedRight {
  static constexpr std::int64_t kDepth = sizeof(Vec<T>) == 64 ? kMaxDepth<T> / 2 : kMaxDepth<T>;
  MatrixView<const T> b;
  alignas(kAlignment) T buffer[kDepth * kMaxTileVectors * kLanes<T>];

  explicit CopiedRight(MatrixView<const T> view) : b(view) {}
  Piece<T> piece(std::int64_t col, std::int64_t vectors, std::int64_t k, std::int64_t depth) {
    if constexpr (kTransposed) {
      transpose_panel(b.col_block(k, depth), col, vectors, buffer);
    } else {
      pack_panel(b.row_block(k, depth), col, vectors, buffer);
    }
    return {buffer, vectors * kLanes<T>};
  }
};

// ---- a b ----------------------------------------------------------------------------------------------------

// The product of matrices with no element, whose pointers may be null: sums of nothing.
template <class T>
void multiply_nothing(MatrixView<T> c, bool accumulate) {
  for (std::int64_t r = 0; r < c.rows && !accumulate; ++r) std::fill_n(c.row(r), c.cols, T(0));
}

// c = epilogue(a * b + (accumulate ? c : 0)) on this thread. Panel by panel, a panel by pieces of its depth;
// the epilogue follows while the rows it works on are still in the first cache.
template <class T, class Right>
void multiply_rows(MatrixView<const T> a, Right& right, MatrixView<T> c, bool accumulate,
                   const Epilogue<T>& epilogue) {
  if (a.cols == 0) {
    multiply_nothing(c, accumulate);
    epilogue.apply(c, 0, c.rows, 0, c.cols);
    return;
  }
  const Panels<T> panels(c.cols);
  const std::int64_t num_pieces = std::max<std::int64_t>(1, divide_up(a.cols, Right::kDepth));
  const std::int64_t depth = divide_up(a.cols, num_pieces);
  for (std::int64_t p = 0; p < panels.num; ++p) {
    const std::int64_t col = panels.begin(p) * kLanes<T>;
    const std::int64_t vectors = panels.vectors(p);
    const std::int64_t end = std::min(c.cols, col + vectors * kLanes<T>);
    TileArgs<T> args{};
    args.a_stride = a.stride;
    args.c_stride = c.stride;
    args.last_lanes = end - col - (vectors - 1) * kLanes<T>;
    for (std::int64_t k = 0, i = 0; i < num_pieces; k += depth, ++i) {
      args.depth = std::min(depth, a.cols - k);
      const Piece<T> piece = right.piece(col, vectors, k, args.depth);
      args.b = piece.data;
      args.b_stride = piece.stride;
      args.accumulate = accumulate || i > 0;
      for (std::int64_t row = 0; row < a.rows; row += kRowGroup) {
        const std::int64_t rows = std::min(kRowGroup, a.rows - row);
        args.a = a.row(row) + k;
        args.c = c.row(row) + col;
        gemm_panel<LeftLayout::kRows>(args, vectors, rows);
        if (i + 1 == num_pieces) epilogue.apply(c, row, row + rows, col, end);
      }
    }
  }
}

// Rows that one task works on: enough to be worth a thread, a multiple of the row group, at least 72 so that a
// panel is used often once it is in the first cache.
template <class T>
std::int64_t gemm_rows_per_task(std::int64_t depth, std::int64_t cols) {
  const std::int64_t work_per_row = std::max<std::int64_t>(1, depth * Panels<T>(cols).num_vectors * kLanes<T>);
  return std::max<std::int64_t>(3, divide_up(kMinTaskWork, work_per_row * kRowGroup)) * kRowGroup;
}

// The same by blocks of rows, on the threads of the pool.
template <class T, class Right>
void multiply(MatrixView<const T> a, const Right& right, MatrixView<T> c, bool accumulate,
              const Epilogue<T>& epilogue, ThreadPool* pool) {
  parallel_for(pool, c.rows, gemm_rows_per_task<T>(a.cols, c.cols), [&](std::int64_t begin, std::int64_t end) {
    multiply_rows(a.row_block(begin, end - begin), right, c.row_block(begin, end - begin), accumulate,
                  epilogue);
  });
}

// ---- a^T b: the sum runs over the rows ---------------------------------------------------------------------

// The rows are cut into at most 16 groups, which are FixedBlocks. A group is one chain of fma per element. So
// the bits do not depend on the number of threads.
inline constexpr std::int64_t kMaxRowGroups = 16;
inline constexpr std::int64_t kRowsPerRowGroup = 512;

constexpr FixedBlocks row_groups(std::int64_t rows) {
  return FixedBlocks::even(rows, kMaxRowGroups, kRowsPerRowGroup);
}

// Panels [first, last) of a^T b into `out`, for the rows in the views. The rows go by blocks that stay in the
// second cache; the panel of a block of b is first copied together. Meanwhile the next block is requested from
// memory, spread evenly over the work on this one.
template <class T>
void multiply_transposed_panels(MatrixView<const T> a, MatrixView<const T> b, std::int64_t first,
                                std::int64_t last, MatrixView<T> out, bool accumulate) {
  alignas(kAlignment) T panel[kMaxPieceSize<T>];
  constexpr std::int64_t kTile = kTileRows[kMaxTileVectors] * kMaxTileVectors * kLanes<T>;  // elements of out
  constexpr std::int64_t kMaxLines = 8;
  constexpr std::int64_t kFewRows = 64;
  // Half of what fits: then a block of b is used where it lies, which is faster than copying its panels
  // together.
  constexpr std::int64_t kBlockRows = kMaxDepth<T> / 2;
  const Panels<T> panels(b.cols);
  const std::int64_t num_blocks = std::max<std::int64_t>(1, divide_up(a.rows, kBlockRows));
  const std::int64_t block = divide_up(a.rows, num_blocks);
  TileArgs<T> args{};
  args.a_stride = a.stride;
  args.c_stride = out.stride;
  for (std::int64_t i = 0; i < num_blocks; ++i) {
    const std::int64_t begin = i * block;
    args.a = a.row(begin);
    args.depth = std::min(block, a.rows - begin);
    args.accumulate = accumulate || i > 0;
    const bool is_last = i + 1 == num_blocks;
    args.ahead_a = {a.row(begin + args.depth),
                    is_last ? 0 : std::min(kMaxLines, divide_up(kTile, std::max<std::int64_t>(1, b.cols)))};
    args.ahead_b = {b.row(begin + args.depth),
                    is_last ? 0 : std::min(kMaxLines, divide_up(kTile, std::max<std::int64_t>(1, a.cols)))};
    for (std::int64_t p = first; p < last; ++p) {
      const std::int64_t vectors = panels.vectors(p);
      const std::int64_t col = panels.begin(p) * kLanes<T>;
      args.c = out.data + col;
      args.last_lanes = std::min(kLanes<T>, out.cols - col - (vectors - 1) * kLanes<T>);
      // Few rows, or rows without a gap, stay in the first cache as they are.
      const bool is_whole = col + vectors * kLanes<T> <= b.cols;
      if (is_whole && (args.depth <= kFewRows || b.stride == vectors * kLanes<T>)) {
        args.b = b.row(begin) + col;
        args.b_stride = b.stride;
      } else {
        pack_panel(b.row_block(begin, args.depth), col, vectors, panel);
        args.b = panel;
        args.b_stride = vectors * kLanes<T>;
      }
      gemm_column_panel(args, vectors, a.cols);
      args.ahead_a.next += args.depth * a.stride / (last - first);
      args.ahead_b.next += args.depth * b.stride / (last - first);
    }
  }
}

template <class T>
void multiply_transposed(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, bool accumulate,
                         Arena& scratch, ThreadPool* pool) {
  if (c.rows == 0 || c.cols == 0) return;
  if (a.rows == 0) return multiply_nothing(c, accumulate);
  const Panels<T> panels(c.cols);
  const std::int64_t padded_cols = panels.num_vectors * kLanes<T>;
  const FixedBlocks groups = row_groups(a.rows);
  const std::int64_t num_groups = groups.num();
  if (a.rows * c.rows * padded_cols < 2 * kMinTaskWork) pool = nullptr;
  if (num_groups == 1) {
    const std::int64_t panels_per_task = pool == nullptr ? std::max<std::int64_t>(1, panels.num) : 1;
    parallel_for(pool, panels.num, panels_per_task, [&](std::int64_t first, std::int64_t last) {
      multiply_transposed_panels(a, b, first, last, c, accumulate);
    });
    return;
  }
  ArenaScope scope(scratch);
  const std::int64_t part_size = c.rows * padded_cols;
  T* parts = scratch.allocate<T>(num_groups * part_size);
  groups.for_each(pool, [&](std::int64_t g, std::int64_t begin, std::int64_t end) {
    multiply_transposed_panels(a.row_block(begin, end - begin), b.row_block(begin, end - begin), 0, panels.num,
                               MatrixView<T>(parts + g * part_size, c.rows, padded_cols), false);
  });
  const std::int64_t rows_per_task = std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(1, padded_cols));
  parallel_for(pool, c.rows, rows_per_task, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      for_each_piece<T>(c.cols, [&](std::int64_t j, std::int64_t n) {
        const T* part = parts + k * padded_cols + j;
        Vec<T> sum = load(part);
        for (std::int64_t g = 1; g < num_groups; ++g) sum = sum + load(part + g * part_size);
        if (accumulate) sum = load_n(c.row(k) + j, n) + sum;
        store_n(c.row(k) + j, sum, n);
      });
    }
  });
}

}  // namespace detail
}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_GEMM_TILED_HPP
