// SPDX-License-Identifier: Apache-2.0
// The light kernels, each on one block in cache: elementwise operations here, reductions and copies in the
// headers that this one includes. None allocates. Any strides are right; the usual ones are fast.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "block.hpp"
#include "ir.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "reduce.hpp"

namespace minicompiler {

namespace detail {

/// Rows that an elementwise kernel computes. Columns of out are contiguous; an input has its own there, or one
/// element for all of them.
struct Rows {
  std::int64_t rows, columns;
  float* out;
  std::int64_t out_row;
  std::array<const float*, 3> in;
  std::array<std::int64_t, 3> in_row;
  std::array<bool, 3> is_run;
};
using RowsKernel = void (*)(const Rows&);

/// out[i] = F(vectors of the N inputs) over one row; kRuns says which inputs have an element for each of the
/// row's, bit a for input a. Four vectors a turn: the loop itself costs less than the loads.
template <std::size_t N, class F, unsigned kRuns>
MLGRAPH_ALWAYS_INLINE void compute_row(std::int64_t count, float* out, const std::array<const float*, 3>& in) {
  Vec same[N];
  for (std::size_t a = 0; a < N; ++a) same[a] = Vec(*in[a]);
  const auto piece = [&](std::int64_t i, auto&& load, auto&& store) {
    const auto x = [&](auto a) {
      if constexpr (((kRuns >> a.value) & 1u) != 0) return load(in[a.value] + i);
      return same[a.value];
    };
    using std::integral_constant;
    if constexpr (N == 1) store(out + i, F::of(x(integral_constant<std::size_t, 0>())));
    if constexpr (N == 2)
      store(out + i, F::of(x(integral_constant<std::size_t, 0>()), x(integral_constant<std::size_t, 1>())));
    if constexpr (N == 3)
      store(out + i, F::of(x(integral_constant<std::size_t, 0>()), x(integral_constant<std::size_t, 1>()),
                           x(integral_constant<std::size_t, 2>())));
  };
  const auto load = [](const float* p) { return mg::kernels::load(p); };
  const auto store = [](float* p, const Vec& v) { mg::kernels::store(p, v); };
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (std::int64_t k = 0; k < 4; ++k) piece(i + k * kLanes, load, store);
  }
  for (; i + kLanes <= count; i += kLanes) piece(i, load, store);
  if (i == count) return;
  const std::int64_t left = count - i;
  piece(
      i, [&](const float* p) { return mg::kernels::load_partial(p, left); },
      [&](float* p, const Vec& v) { mg::kernels::store_partial(p, v, left); });
}

template <std::size_t N, class F, unsigned kRuns>
void compute_these_rows(const Rows& t) {
  std::array<const float*, 3> in = t.in;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    compute_row<N, F, kRuns>(t.columns, t.out + r * t.out_row, in);
    for (std::size_t a = 0; a < N; ++a) in[a] += t.in_row[a];
  }
}

/// F(vectors of the N inputs) for each element.
template <std::size_t N, class F>
void compute_rows(const Rows& t) {
  unsigned runs = 0;
  for (std::size_t a = 0; a < N; ++a) runs |= (t.is_run[a] ? 1u : 0u) << a;
  if (runs == (1u << N) - 1) return compute_these_rows<N, F, (1u << N) - 1>(t);
  if (runs == 0) return compute_these_rows<N, F, 0>(t);
  if constexpr (N >= 2) {
    if (runs == 1) return compute_these_rows<N, F, 1>(t);
    if (runs == 2) return compute_these_rows<N, F, 2>(t);
  }
  if constexpr (N == 3) {
    if (runs == 3) return compute_these_rows<N, F, 3>(t);
    if (runs == 4) return compute_these_rows<N, F, 4>(t);
    if (runs == 5) return compute_these_rows<N, F, 5>(t);
    compute_these_rows<N, F, 6>(t);
  }
}

template <Op kOp>
struct Unary {
  MLGRAPH_ALWAYS_INLINE static Vec of(const Vec& x) {
    if constexpr (kOp == Op::kNegate) return -x;
    if constexpr (kOp == Op::kAbs) return xsimd::abs(x);
    if constexpr (kOp == Op::kExponential) return xsimd::exp(x);
    if constexpr (kOp == Op::kLog) return xsimd::log(x);
    if constexpr (kOp == Op::kTanh) return xsimd::tanh(x);
    if constexpr (kOp == Op::kLogistic) return Vec(1.0f) / (Vec(1.0f) + xsimd::exp(-x));
    if constexpr (kOp == Op::kSqrt) return xsimd::sqrt(x);
    if constexpr (kOp == Op::kRsqrt) return Vec(1.0f) / xsimd::sqrt(x);
  }
};

template <Op kOp>
struct Binary {
  MLGRAPH_ALWAYS_INLINE static Vec of(const Vec& x, const Vec& y) {
    if constexpr (kOp == Op::kAdd) return x + y;
    if constexpr (kOp == Op::kSubtract) return x - y;
    if constexpr (kOp == Op::kMultiply) return x * y;
    if constexpr (kOp == Op::kDivide) return x / y;
    if constexpr (kOp == Op::kMaximum) return xsimd::max(x, y);
    if constexpr (kOp == Op::kMinimum) return xsimd::min(x, y);
  }
};

template <Comparison kComparison>
struct Compare {
  MLGRAPH_ALWAYS_INLINE static Vec of(const Vec& x, const Vec& y) {
    const auto holds = [&] {
      if constexpr (kComparison == Comparison::kEQ) return x == y;
      if constexpr (kComparison == Comparison::kNE) return x != y;
      if constexpr (kComparison == Comparison::kGE) return x >= y;
      if constexpr (kComparison == Comparison::kGT) return x > y;
      if constexpr (kComparison == Comparison::kLE) return x <= y;
      if constexpr (kComparison == Comparison::kLT) return x < y;
    };
    return xsimd::select(holds(), Vec(1.0f), Vec(0.0f));
  }
};

struct Select {
  MLGRAPH_ALWAYS_INLINE static Vec of(const Vec& which, const Vec& x, const Vec& y) {
    return xsimd::select(which != Vec(0.0f), x, y);
  }
};

[[nodiscard]] inline RowsKernel compare_kernel(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEQ:
      return compute_rows<2, Compare<Comparison::kEQ>>;
    case Comparison::kNE:
      return compute_rows<2, Compare<Comparison::kNE>>;
    case Comparison::kGE:
      return compute_rows<2, Compare<Comparison::kGE>>;
    case Comparison::kGT:
      return compute_rows<2, Compare<Comparison::kGT>>;
    case Comparison::kLE:
      return compute_rows<2, Compare<Comparison::kLE>>;
    default:
      return compute_rows<2, Compare<Comparison::kLT>>;
  }
}

/// The kernel of an elementwise operation other than a copy.
[[nodiscard]] inline RowsKernel rows_kernel(Op op, Comparison comparison) {
  switch (op) {
    case Op::kNegate:
      return compute_rows<1, Unary<Op::kNegate>>;
    case Op::kAbs:
      return compute_rows<1, Unary<Op::kAbs>>;
    case Op::kExponential:
      return compute_rows<1, Unary<Op::kExponential>>;
    case Op::kLog:
      return compute_rows<1, Unary<Op::kLog>>;
    case Op::kTanh:
      return compute_rows<1, Unary<Op::kTanh>>;
    case Op::kLogistic:
      return compute_rows<1, Unary<Op::kLogistic>>;
    case Op::kSqrt:
      return compute_rows<1, Unary<Op::kSqrt>>;
    case Op::kRsqrt:
      return compute_rows<1, Unary<Op::kRsqrt>>;
    case Op::kAdd:
      return compute_rows<2, Binary<Op::kAdd>>;
    case Op::kSubtract:
      return compute_rows<2, Binary<Op::kSubtract>>;
    case Op::kMultiply:
      return compute_rows<2, Binary<Op::kMultiply>>;
    case Op::kDivide:
      return compute_rows<2, Binary<Op::kDivide>>;
    case Op::kMaximum:
      return compute_rows<2, Binary<Op::kMaximum>>;
    case Op::kMinimum:
      return compute_rows<2, Binary<Op::kMinimum>>;
    case Op::kCompare:
      return compare_kernel(comparison);
    default:
      return compute_rows<3, Select>;
  }
}

/// The tiles in which an elementwise kernel runs where some array has no run: those arrays are copied to or
/// from a buffer, transposed on the way.
inline constexpr std::int64_t kTileRows = 16, kTileColumns = 64;

template <std::size_t N>
void compute_tiles(RowsKernel kernel, const Loops<N + 1>& loops, Rows plane) {
  alignas(64) float buffer[N + 1][kTileRows * kTileColumns];
  const auto& row = loops.stride[1];
  const auto& column = loops.stride[0];
  for (std::int64_t r = 0; r < loops.size[1]; r += kTileRows) {
    for (std::int64_t c = 0; c < loops.size[0]; c += kTileColumns) {
      Rows tile = plane;
      tile.rows = std::min(kTileRows, loops.size[1] - r);
      tile.columns = std::min(kTileColumns, loops.size[0] - c);
      for (std::size_t a = 0; a < N; ++a) {
        tile.in[a] += r * row[a + 1] + c * column[a + 1];
        if (tile.is_run[a] || column[a + 1] == 0) continue;
        copy_plane(tile.rows, tile.columns, buffer[a], tile.in[a],
                   {kTileColumns, 1, row[a + 1], column[a + 1]});
        tile.in[a] = buffer[a];
        tile.in_row[a] = kTileColumns;
        tile.is_run[a] = true;
      }
      tile.out += r * row[0] + c * column[0];
      if (loops.is_run(0)) {
        kernel(tile);
        continue;
      }
      float* const out = tile.out;
      tile.out = buffer[N];
      tile.out_row = kTileColumns;
      kernel(tile);
      copy_plane(tile.rows, tile.columns, out, buffer[N], {row[0], column[0], kTileColumns, 1});
    }
  }
}

template <std::size_t N>
void compute(RowsKernel kernel, const Extent& size, const Block& out, const ConstBlock* in) {
  std::array<const Extent*, N + 1> strides = {&out.stride};
  for (std::size_t a = 0; a < N; ++a) strides[a + 1] = &in[a].stride;
  Loops<N + 1> loops(size, strides);
  bool is_direct = loops.is_run(0);
  for (std::size_t a = 1; a <= N; ++a) {
    if (loops.is_run(a) || loops.stride[0][a] == 0) continue;
    const std::size_t level = loops.find(1, a, 1);
    if (level > 0) loops.make_second(level);
    is_direct = false;
  }
  Rows plane = {loops.size[1], loops.size[0], nullptr, loops.stride[1][0], {}, {}, {}};
  for (std::size_t a = 0; a < N; ++a) {
    plane.in_row[a] = loops.stride[1][a + 1];
    plane.is_run[a] = loops.is_run(a + 1);
  }
  loops.for_each_plane([&](const std::array<std::int64_t, N + 1>& at) {
    plane.out = out.data + at[0];
    for (std::size_t a = 0; a < N; ++a) plane.in[a] = in[a].data + at[a + 1];
    if (is_direct) {
      kernel(plane);
    } else {
      compute_tiles<N>(kernel, loops, plane);
    }
  });
}

/// Whether an elementwise call is one call of its kernel on one plane: the plane's shape and strides, without
/// places.
template <std::size_t N>
[[nodiscard]] bool plane_of(const Extent& size, const Extent& out, const std::array<Extent, 3>& in,
                            Rows& plane) {
  std::array<const Extent*, N + 1> strides = {&out};
  for (std::size_t a = 0; a < N; ++a) strides[a + 1] = &in[a];
  const Loops<N + 1> loops(size, strides);
  if (loops.size[2] != 1 || loops.size[3] != 1 || !loops.is_run(0)) return false;
  plane = {loops.size[1], loops.size[0], nullptr, loops.stride[1][0], {}, {}, {}};
  for (std::size_t a = 0; a < N; ++a) {
    if (!loops.is_run(a + 1) && loops.stride[0][a + 1] != 0) return false;
    plane.in_row[a] = loops.stride[1][a + 1];
    plane.is_run[a] = loops.is_run(a + 1);
  }
  return true;
}

}  // namespace detail

/// out = op(in[0], ...) for any elementwise operation; `comparison` is that of a compare. An element has the
/// same bits whatever block it is in. out may be an input of the same strides. Fast where out is contiguous in
/// some dimension and each input is in some, too.
inline void elementwise(Op op, Comparison comparison, const Extent& size, const Block& out,
                        const ConstBlock* in) {
  if (op == Op::kCopy) return copy(size, out, in[0]);
  const detail::RowsKernel kernel = detail::rows_kernel(op, comparison);
  if (is_unary(op)) return detail::compute<1>(kernel, size, out, in);
  if (is_binary(op)) return detail::compute<2>(kernel, size, out, in);
  detail::compute<3>(kernel, size, out, in);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_KERNELS_HPP
