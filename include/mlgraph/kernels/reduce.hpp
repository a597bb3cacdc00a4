// SPDX-License-Identifier: Apache-2.0
// Reduce, and the loops that reduce rows of a matrix to one row: all sparse kernels are made of them.
#ifndef MLGRAPH_KERNELS_REDUCE_HPP
#define MLGRAPH_KERNELS_REDUCE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {

/// How several rows become one. No rows become 0, whatever the reduction.
enum class Reduce : std::uint8_t {
  kSum,
  kMean,  ///< the sum divided by the number of rows
  kMax,   ///< per column; the first of equal maxima counts, and a NaN wins over everything
};

namespace detail {

// ---- which rows, with which weights -----------------------------------------------------------------------

/// The row at position p is index[p].
struct IndexedRow {
  const std::int32_t* index;
  std::int64_t operator()(std::int64_t p) const { return index[p]; }
};

/// The row at position p is p itself.
struct SameRow {
  std::int64_t operator()(std::int64_t p) const { return p; }
};

/// Every weight is 1, and nothing is multiplied.
struct UnitWeight {};

/// The weight at position p is values[p * stride].
template <class T>
struct PositionWeight {
  const T* values;
  std::int64_t stride = 1;
  T operator()(std::int64_t p) const { return values[p * stride]; }
};

// ---- small pieces -----------------------------------------------------------------------------------------

/// body(0), ..., body(n - 1) with compile-time indices, so that arrays of vectors stay in registers at -O2.
template <std::size_t... kIndex, class Body>
MLGRAPH_ALWAYS_INLINE void unroll(std::index_sequence<kIndex...>, Body&& body) {
  (body(std::integral_constant<std::size_t, kIndex>()), ...);
}

/// Asks for the cache lines of `bytes` bytes at p; kWrite: because they are about to be overwritten.
template <bool kWrite = false>
MLGRAPH_ALWAYS_INLINE void prefetch(const void* p, std::int64_t bytes) {
#if defined(__GNUC__) || defined(__clang__)
  const char* line = static_cast<const char*>(p);
  const auto ask = [](const char* address) { __builtin_prefetch(address, kWrite ? 1 : 0); };
  for (; bytes >= 512; bytes -= 512, line += 512) {  // a loop per line costs as much as the sums
    unroll(std::make_index_sequence<8>(), [&](auto i) { ask(line + i * 64); });
  }
  for (; bytes > 0; bytes -= 64, line += 64) ask(line);
#else
  (void)p, (void)bytes;
#endif
}

/// How many rows ahead of the current one an output is requested.
inline constexpr std::int64_t kRowsAhead = 8;

/// Rows of work that make one task: about 32k elements, wherever the rows are not unusually long.
inline std::int64_t rows_per_task(std::int64_t cols) {
  return std::max<std::int64_t>(1, (std::int64_t{1} << 15) / std::max<std::int64_t>(cols, 1));
}

/// How far ahead of the current edge rows of x are requested: about 4 KiB of them, a part of the first cache.
template <class T>
std::int64_t prefetch_distance(std::int64_t cols) {
  const std::int64_t row_bytes = std::max<std::int64_t>(cols * static_cast<std::int64_t>(sizeof(T)), 64);
  return std::clamp<std::int64_t>(4096 / row_bytes, 1, 16);
}

template <class T>
MLGRAPH_ALWAYS_INLINE void clear_row(T* out, std::int64_t cols) {
  for_each_piece<T>(cols, [out](std::int64_t c, std::int64_t n) { store_n(out + c, Vec<T>(T(0)), n); });
}

/// Integers as wide as T: what is selected together with values of T.
template <class T>
using IndexVec = simd::batch<simd::as_integer_t<T>>;

/// A comparison of one type as the mask of another type of the same size.
template <class To, class Mask>
MLGRAPH_ALWAYS_INLINE auto mask_cast(const Mask& mask) {
#if defined(MLGRAPH_NO_SIMD) || XSIMD_VERSION_MAJOR >= 9
  return simd::batch_bool_cast<To>(mask);
#else
  return simd::bool_cast(mask);
#endif
}

template <class T>
MLGRAPH_ALWAYS_INLINE IndexVec<T> load_index_n(const std::int32_t* p, std::int64_t n) {
  using Int = simd::as_integer_t<T>;
  if constexpr (sizeof(T) == sizeof(std::int32_t)) {
    if (n == kLanes<T>) return IndexVec<T>::load_unaligned(p);
  }
  alignas(64) Int buffer[kLanes<T>] = {};
  for (std::int64_t i = 0; i < n; ++i) buffer[i] = p[i];
  return IndexVec<T>::load_aligned(buffer);
}

template <class T>
MLGRAPH_ALWAYS_INLINE void store_index_n(std::int32_t* p, const IndexVec<T>& v, std::int64_t n) {
  using Int = simd::as_integer_t<T>;
  if constexpr (sizeof(T) == sizeof(std::int32_t)) {
    if (n == kLanes<T>) {
      v.store_unaligned(p);
      return;
    }
  }
  alignas(64) Int buffer[kLanes<T>];
  v.store_aligned(buffer);
  for (std::int64_t i = 0; i < n; ++i) p[i] = static_cast<std::int32_t>(buffer[i]);
}

/// What happens to a sum before it is stored.
template <class T>
struct Finish {
  enum class Kind : std::uint8_t { kNothing, kMultiply, kDivide };
  Kind kind = Kind::kNothing;
  T factor = 1;

  /// Division by `count`; as a multiplication where that gives the same bits, because a division takes as long
  /// as the rest of a short row.
  static Finish mean(std::int64_t count) {
    if ((count & (count - 1)) == 0) return {Kind::kMultiply, T(1) / static_cast<T>(count)};
    return {Kind::kDivide, static_cast<T>(count)};
  }
};

// ---- sums -------------------------------------------------------------------------------------------------

/// Cuts `cols` columns into blocks that fit the registers: calls `body(vectors, first column, columns)` with 8,
/// 4, 2 or 1 vectors as a compile-time constant, which is 0 for a last block shorter than a vector.
template <class T, class Body>
MLGRAPH_ALWAYS_INLINE void for_column_blocks(std::int64_t cols, const Body& body) {
  constexpr std::int64_t kL = kLanes<T>;
  std::int64_t c = 0;
  for (; c + 8 * kL <= cols; c += 8 * kL) body(std::integral_constant<std::size_t, 8>(), c, 8 * kL);
  if (c + 4 * kL <= cols) {
    body(std::integral_constant<std::size_t, 4>(), c, 4 * kL);
    c += 4 * kL;
  }
  if (c + 2 * kL <= cols) {
    body(std::integral_constant<std::size_t, 2>(), c, 2 * kL);
    c += 2 * kL;
  }
  if (c + kL <= cols) {
    body(std::integral_constant<std::size_t, 1>(), c, kL);
    c += kL;
  }
  if (c < cols) body(std::integral_constant<std::size_t, 0>(), c, cols - c);
}

/// out[c] (+)= finish(sum of weight(p) * x[row(p)][c] over p = first, ..., last - 1, in this order), for the n
/// columns of one block, which stay in registers; needs first < last.
template <std::size_t kBlock, class T, class Row, class Weight>
MLGRAPH_ALWAYS_INLINE void sum_block(std::int64_t first, std::int64_t last, const Row& row,
                                     const Weight& weight, const T* x, std::int64_t stride, std::int64_t n,
                                     const Finish<T>& finish, bool accumulate, T* out) {
  constexpr bool kPartial = kBlock == 0;
  constexpr std::size_t kVectors = kPartial ? 1 : kBlock;
  constexpr bool kUnit = std::is_same_v<Weight, UnitWeight>;
  constexpr auto kEach = std::make_index_sequence<kVectors>();
  const auto get = [n](const T* p) {
    if constexpr (kPartial) {
      return load_partial(p, n);
    } else {
      (void)n;
      return load(p);
    }
  };
  Vec<T> sum[kVectors];
  const T* source = x + row(first) * stride;
  if constexpr (kUnit) {
    unroll(kEach, [&](auto v) { sum[v] = get(source + v * kLanes<T>); });
  } else {
    // Not a plain product: a compiler may fuse that with a later addition, and round differently here and
    // there.
    const Vec<T> w(weight(first));
    unroll(kEach, [&](auto v) { sum[v] = multiply_add<T>(w, get(source + v * kLanes<T>), Vec<T>(T(0))); });
  }
  for (std::int64_t p = first + 1; p < last; ++p) {
    source = x + row(p) * stride;
    if constexpr (kUnit) {
      unroll(kEach, [&](auto v) { sum[v] += get(source + v * kLanes<T>); });
    } else {
      const Vec<T> w(weight(p));
      unroll(kEach, [&](auto v) { sum[v] = multiply_add<T>(w, get(source + v * kLanes<T>), sum[v]); });
    }
  }
  if (finish.kind == Finish<T>::Kind::kMultiply) {
    const Vec<T> factor(finish.factor);
    unroll(kEach, [&](auto v) { sum[v] *= factor; });
  } else if (finish.kind == Finish<T>::Kind::kDivide) {
    const Vec<T> factor(finish.factor);
    unroll(kEach, [&](auto v) { sum[v] /= factor; });
  }
  if (accumulate) unroll(kEach, [&](auto v) { sum[v] = get(out + v * kLanes<T>) + sum[v]; });
  if constexpr (kPartial) {
    store_partial(out, sum[0], n);
  } else {
    unroll(kEach, [&](auto v) { store(out + v * kLanes<T>, sum[v]); });
  }
}

/// sum_block() for all columns of one row.
template <class T, class Row, class Weight>
void sum_rows(std::int64_t first, std::int64_t last, const Row& row, const Weight& weight, const T* x,
              std::int64_t stride, std::int64_t cols, const Finish<T>& finish, bool accumulate, T* out) {
  for_column_blocks<T>(cols, [&](auto vectors, std::int64_t c, std::int64_t n) {
    sum_block<decltype(vectors)::value>(first, last, row, weight, x + c, stride, n, finish, accumulate,
                                        out + c);
  });
}

// ---- maxima -----------------------------------------------------------------------------------------------

/// The larger of two, `a` where they are equal; a NaN is larger than everything. The instruction for a maximum
/// gives its second operand where one is NaN or both are zeros (NEON: NaN, and +0), so that what is left to
/// look for is a NaN in b; a comparison and two tests for NaN take longer than the rest of a short row.
template <class T>
MLGRAPH_ALWAYS_INLINE Vec<T> larger(const Vec<T>& a, const Vec<T>& b) {
  return simd::select(simd::isnan(b), b, simd::max(b, a));
}

/// out[c] (+)= the maximum of weight(p) * x[row(p)][c] over p = first, ..., last - 1, for the n columns of one
/// block; with kArgmax, argmax[c] is the position of the first one. Needs first < last.
template <std::size_t kBlock, bool kArgmax, class T, class Row, class Weight>
MLGRAPH_ALWAYS_INLINE void max_block(std::int64_t first, std::int64_t last, const Row& row,
                                     const Weight& weight, const T* x, std::int64_t stride, std::int64_t n,
                                     bool accumulate, T* out, std::int32_t* argmax) {
  using Int = simd::as_integer_t<T>;
  constexpr std::size_t kVectors = kBlock == 0 ? 1 : kBlock;
  constexpr auto kEach = std::make_index_sequence<kVectors>();
  const std::int64_t lanes = kBlock == 0 ? n : kLanes<T>;
  const auto value = [&](const T* source, std::int64_t p) {
    const Vec<T> v = load_n(source, lanes);
    if constexpr (std::is_same_v<Weight, UnitWeight>) {
      (void)p;
      return v;
    } else {
      return multiply_add<T>(Vec<T>(weight(p)), v, Vec<T>(T(0)));
    }
  };
  Vec<T> best[kVectors];
  IndexVec<T> where[kArgmax ? kVectors : 1];
  const T* source = x + row(first) * stride;
  unroll(kEach, [&](auto v) {
    best[v] = value(source + v * kLanes<T>, first);
    if constexpr (kArgmax) where[v] = IndexVec<T>(static_cast<Int>(first));
  });
  for (std::int64_t p = first + 1; p < last; ++p) {
    source = x + row(p) * stride;
    unroll(kEach, [&](auto v) {
      const Vec<T> other = value(source + v * kLanes<T>, p);
      if constexpr (kArgmax) {
        // False where the other is larger or NaN; what is NaN already stays, so that a NaN never disappears.
        const auto keep = (best[v] >= other) || simd::isnan(best[v]);
        best[v] = simd::select(keep, best[v], other);
        where[v] = simd::select(mask_cast<Int>(keep), where[v], IndexVec<T>(static_cast<Int>(p)));
      } else {
        best[v] = larger(best[v], other);
      }
    });
  }
  unroll(kEach, [&](auto v) {
    T* const to = out + v * kLanes<T>;
    store_n(to, accumulate ? load_n(to, lanes) + best[v] : best[v], lanes);
    if constexpr (kArgmax) store_index_n<T>(argmax + v * kLanes<T>, where[v], lanes);
  });
  (void)argmax, (void)where;
}

/// max_block() for all columns of one row; argmax is null where it is not wanted.
template <class T, class Row, class Weight>
void max_rows(std::int64_t first, std::int64_t last, const Row& row, const Weight& weight, const T* x,
              std::int64_t stride, std::int64_t cols, bool accumulate, T* out, std::int32_t* argmax) {
  for_column_blocks<T>(cols, [&](auto vectors, std::int64_t c, std::int64_t n) {
    constexpr std::size_t kBlock = decltype(vectors)::value;
    if (argmax == nullptr) {
      max_block<kBlock, false>(first, last, row, weight, x + c, stride, n, accumulate, out + c, argmax);
    } else {
      max_block<kBlock, true>(first, last, row, weight, x + c, stride, n, accumulate, out + c, argmax + c);
    }
  });
}

}  // namespace detail
}  // namespace kernels

using kernels::Reduce;  // an option of layers, too

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REDUCE_HPP
