// SPDX-License-Identifier: Apache-2.0
// The inner loop of every matrix product: a tile of the result that lives in registers.
#ifndef MLGRAPH_KERNELS_GEMM_KERNEL_HPP
#define MLGRAPH_KERNELS_GEMM_KERNEL_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

// A tile of R rows and W vectors needs R * W accumulators, W registers for the right operand and one for the
// broadcast left operand. Eight accumulators or more hide the latency of the multiply-adds; wider tiles load
// less.
#if (defined(__AVX512F__) || defined(__aarch64__)) && !defined(MLGRAPH_NO_SIMD)
inline constexpr int kMaxTileVectors = 4;  // 32 registers
inline constexpr int kTileRows[] = {0, 12, 12, 8, 6};
#else
inline constexpr int kMaxTileVectors = 2;  // 16 registers
inline constexpr int kTileRows[] = {0, 8, 6};
#endif

// A multiple of every kTileRows: rows are handed to the tiles in such groups.
inline constexpr std::int64_t kRowGroup = 24;

// The columns of a right operand are cut into panels of 1 to kMaxTileVectors vectors, as equal as can be (5
// vectors are 3 + 2). The first `num_wider` panels have one vector more than the others.
template <class T>
struct Panels {
  std::int64_t num = 0;
  std::int64_t width = 0;  // vectors in the narrower panels
  std::int64_t num_wider = 0;
  std::int64_t num_vectors = 0;

  explicit Panels(std::int64_t cols) {
    num_vectors = (cols + kLanes<T> - 1) / kLanes<T>;
    num = (num_vectors + kMaxTileVectors - 1) / kMaxTileVectors;
    if (num == 0) return;
    width = num_vectors / num;
    num_wider = num_vectors % num;
  }
  [[nodiscard]] std::int64_t begin(std::int64_t p) const { return p * width + std::min(p, num_wider); }
  [[nodiscard]] std::int64_t vectors(std::int64_t p) const { return width + (p < num_wider ? 1 : 0); }
};

// How the left operand of a tile is stored. kRows: element (row, k) at a[row * stride + k]. kColumns: at
// a[k * stride + row], the transposed left operand of A^T B.
enum class LeftLayout : bool { kRows, kColumns };

MLGRAPH_ALWAYS_INLINE void prefetch_line([[maybe_unused]] const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p, 0, 3);
#endif
}
MLGRAPH_ALWAYS_INLINE void prefetch_line_to_write([[maybe_unused]] void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p, 1, 3);
#endif
}

// Elements of a cache line: as many steps of k use up one line of a row.
template <class T>
inline constexpr std::int64_t kLineSteps = 64 / static_cast<std::int64_t>(sizeof(T));

// Memory that will be needed soon. A tile asks for `lines` cache lines of it every kLineSteps steps: asking for
// more at once would fill the queue of outstanding lines and stop the arithmetic.
template <class T>
struct ReadAhead {
  const T* next = nullptr;
  std::int64_t lines = 0;

  MLGRAPH_ALWAYS_INLINE void request() {
    for (std::int64_t i = 0; i < lines; ++i, next += kLineSteps<T>) prefetch_line(next);
  }
  void skip(std::int64_t requests) { next += requests * lines * kLineSteps<T>; }
};

// The last vector of a panel has `n` valid lanes. Where partial loads and stores are single instructions, they
// are always taken: it is less code than a branch around each.
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> load_last(const T* p, std::int64_t n) {
#if defined(__AVX512F__) && !defined(MLGRAPH_NO_SIMD)
  return load_partial(p, n);
#else
  return load_n(p, n);
#endif
}
template <class T>
MLGRAPH_ALWAYS_INLINE void store_last(T* p, const Vec<T>& v, std::int64_t n) {
#if defined(__AVX512F__) && !defined(MLGRAPH_NO_SIMD)
  store_partial(p, v, n);
#else
  store_n(p, v, n);
#endif
}

// What one call of a tile works on. `depth` is the length of the sums.
template <class T>
struct TileArgs {
  const T* a;
  std::int64_t a_stride;
  const T* b;
  std::int64_t b_stride;  // from one k to the next
  T* c;
  std::int64_t c_stride;
  std::int64_t depth;
  std::int64_t last_lanes;  // valid lanes of the last of the W vectors, 1 ... kLanes
  bool accumulate;
  ReadAhead<T> ahead_a, ahead_b;  // kColumns only; with kRows the next tile's rows are known
};

// c = (accumulate ? c : 0) + a * b for R rows and W vectors. Each element is one chain of fma in the order of
// k, whatever R and W are: the bits of a product do not depend on how it is cut.
template <class T, int R, int W, LeftLayout kLayout>
void gemm_tile(const TileArgs<T>& tile) {
  constexpr bool kRows = kLayout == LeftLayout::kRows;
  constexpr std::int64_t kLast = (W - 1) * kLanes<T>;
  TileArgs<T> args = tile;  // a copy that no store to c can change: it stays in registers
  Vec<T> sum[std::size_t{R}][std::size_t{W}];
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) {
    const T* row = args.c + r * args.c_stride;
    MLGRAPH_UNROLL
    for (int w = 0; w < W; ++w) sum[r][w] = Vec<T>(T(0));
    if (!args.accumulate) continue;
    MLGRAPH_UNROLL
    for (int w = 0; w < W - 1; ++w) sum[r][w] = load(row + w * kLanes<T>);
    sum[r][W - 1] = load_last(row + kLast, args.last_lanes);
  }
  const auto step = [&]() MLGRAPH_LAMBDA_INLINE {
    Vec<T> right[std::size_t{W}];
    MLGRAPH_UNROLL
    for (int w = 0; w < W; ++w) right[w] = load(args.b + w * kLanes<T>);
    MLGRAPH_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec<T> left(args.a[kRows ? r * args.a_stride : r]);
      MLGRAPH_UNROLL
      for (int w = 0; w < W; ++w) sum[r][w] = multiply_add<T>(left, right[w], sum[r][w]);
    }
    args.a += kRows ? 1 : args.a_stride;
    args.b += args.b_stride;
  };
  // Requested before it is needed: the next tile's left operand, and the lines that this tile (kRows) or the
  // next one (kColumns, which reads them as well) writes.
  T* soon = args.c + (kRows ? 0 : R * args.c_stride);
  std::int64_t k = 0;
  for (int row = 0; k + kLineSteps<T> <= args.depth; k += kLineSteps<T>, ++row) {
    if constexpr (kRows) {
      MLGRAPH_UNROLL
      for (int r = 0; r < R; ++r) prefetch_line(args.a + (R + r) * args.a_stride);
    } else {
      args.ahead_a.request();
      args.ahead_b.request();
    }
    if (row < R) {
      MLGRAPH_UNROLL
      for (int w = 0; w < W; ++w) prefetch_line_to_write(soon + w * kLanes<T>);
      soon += args.c_stride;
    }
    for (std::int64_t i = 0; i < kLineSteps<T>; i += 2) {
      step();
      step();
    }
  }
  for (; k < args.depth; ++k) step();
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) {
    T* row = args.c + r * args.c_stride;
    MLGRAPH_UNROLL
    for (int w = 0; w < W - 1; ++w) store(row + w * kLanes<T>, sum[r][w]);
    store_last(row + kLast, sum[r][W - 1], args.last_lanes);
  }
}

// All `rows` rows of one panel: tiles of R rows, then of 4, then of 2 (kRows) or 1. Few sizes, as each is code
// of its own. Where tiles of six would leave two rows, the last eight are two tiles of four, which have sums
// enough to hide the latency of the multiply-adds. With kRows a last single row is a tile of two rows that are
// the same one: both are read before either is written, and half as many accumulators would take as long.
template <class T, int R, int W, LeftLayout kLayout>
MLGRAPH_ALWAYS_INLINE void gemm_tiles(TileArgs<T>& args, std::int64_t rows) {
  constexpr bool kRows = kLayout == LeftLayout::kRows;
  for (; rows >= R && !(R == 6 && rows == 8); rows -= R) {
    gemm_tile<T, R, W, kLayout>(args);
    args.a += R * (kRows ? args.a_stride : 1);
    args.c += R * args.c_stride;
    if constexpr (!kRows) {
      args.ahead_a.skip(args.depth / kLineSteps<T>);
      args.ahead_b.skip(args.depth / kLineSteps<T>);
    }
  }
  if constexpr (R > 2) {
    if (rows > 0) gemm_tiles<T, (R > 4 ? 4 : kRows ? 2 : 1), W, kLayout>(args, rows);
  } else if (kRows && rows == 1) {
    args.a_stride = 0;
    args.c_stride = 0;
    gemm_tile<T, R, W, kLayout>(args);
  }
}

// The same for a panel of `vectors` vectors.
template <LeftLayout kLayout, class T>
void gemm_panel(TileArgs<T> args, std::int64_t vectors, std::int64_t rows) {
  switch (vectors) {
    case 1:
      return gemm_tiles<T, kTileRows[1], 1, kLayout>(args, rows);
    case 2:
      return gemm_tiles<T, kTileRows[2], 2, kLayout>(args, rows);
#if (defined(__AVX512F__) || defined(__aarch64__)) && !defined(MLGRAPH_NO_SIMD)
    case 3:
      return gemm_tiles<T, kTileRows[3], 3, kLayout>(args, rows);
    case 4:
      return gemm_tiles<T, kTileRows[4], 4, kLayout>(args, rows);
#endif
    default:
      MLGRAPH_ASSERT(false, "a panel has 1 to kMaxTileVectors vectors");
  }
}

// gemm_panel<kColumns> without a call for each tile. Its sums are as long as a layer has rows, which may be
// few: for 40 rows the calls take 6 % of the time. The many rows of kRows get better addresses in functions of
// their own.
template <class T>
MLGRAPH_FLATTEN void gemm_column_panel(const TileArgs<T>& args, std::int64_t vectors, std::int64_t rows) {
  gemm_panel<LeftLayout::kColumns>(args, vectors, rows);
}

}  // namespace detail
}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_GEMM_KERNEL_HPP
