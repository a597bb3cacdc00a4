// SPDX-License-Identifier: Apache-2.0
// Reductions of a block: along any of its dimensions, and over windows of the last two.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REDUCE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REDUCE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "block.hpp"
#include "ir.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/transpose.hpp"

namespace minicompiler {

namespace detail {

struct Sum {
  static constexpr float kStart = 0;
  template <class T>
  MLGRAPH_ALWAYS_INLINE static T of(const T& a, const T& b) {
    return a + b;
  }
  MLGRAPH_ALWAYS_INLINE static float across(const Vec& v) { return mg::kernels::reduce_add(v); }
};

struct Maximum {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  MLGRAPH_ALWAYS_INLINE static Vec of(const Vec& a, const Vec& b) { return xsimd::max(a, b); }
  MLGRAPH_ALWAYS_INLINE static float of(float a, float b) { return std::max(a, b); }
  MLGRAPH_ALWAYS_INLINE static float across(const Vec& v) { return mg::kernels::reduce_max(v); }
};

/// Added to a partial load of n lanes, what makes the others the start of a reduction.
template <class Join>
[[nodiscard]] Vec padding(std::int64_t n) {
  alignas(64) float lanes[static_cast<std::size_t>(kLanes)];
  for (std::int64_t i = 0; i < kLanes; ++i) lanes[i] = i < n ? 0.0f : Join::kStart;
  return Vec::load_aligned(lanes);
}

/// A contiguous row, joined to one vector.
template <class Join>
MLGRAPH_ALWAYS_INLINE Vec join_row(const float* in, std::int64_t columns, const Vec& pad) {
  Vec sum[4] = {Vec(Join::kStart), Vec(Join::kStart), Vec(Join::kStart), Vec(Join::kStart)};
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= columns; i += 4 * kLanes) {
    MLGRAPH_UNROLL
    for (int u = 0; u < 4; ++u) sum[u] = Join::of(sum[u], mg::kernels::load(in + i + u * kLanes));
  }
  for (; i + kLanes <= columns; i += kLanes) sum[0] = Join::of(sum[0], mg::kernels::load(in + i));
  if (i < columns) sum[1] = Join::of(sum[1], mg::kernels::load_partial(in + i, columns - i) + pad);
  return Join::of(Join::of(sum[0], sum[1]), Join::of(sum[2], sum[3]));
}

/// A plane that is read, and where what becomes of it is added: at out[r * out_row + c * out_column], of which
/// one stride or both may be 0.
struct ReducePlane {
  std::int64_t rows, columns;
  const float* in;
  std::int64_t in_row, in_column;
  float* out;
  std::int64_t out_row, out_column;
};

/// Reduces along contiguous columns. The vectors that as many rows as there are lanes have become are
/// transposed, so that the sums across lanes are again sums of vectors.
template <class Join>
void reduce_columns(const ReducePlane& p) {
  const Vec pad = padding<Join>(p.columns % kLanes);
  if (p.out_row == 0) {
    Vec sum(Join::kStart);
    for (std::int64_t r = 0; r < p.rows; ++r)
      sum = Join::of(sum, join_row<Join>(p.in + r * p.in_row, p.columns, pad));
    *p.out = Join::of(*p.out, Join::across(sum));
    return;
  }
  alignas(64) float from[kLanes * kLanes] = {}, to[kLanes * kLanes];
  mg::kernels::for_each_piece<float>(p.rows, [&](std::int64_t first, std::int64_t n) {
    const float* const in = p.in + first * p.in_row;
    float* const out = p.out + first * p.out_row;
    if (n == 1) {
      *out = Join::of(*out, Join::across(join_row<Join>(in, p.columns, pad)));
      return;
    }
    for (std::int64_t r = 0; r < n; ++r)
      mg::kernels::store(from + r * kLanes, join_row<Join>(in + r * p.in_row, p.columns, pad));
    mg::kernels::transpose_block(from, kLanes, to, kLanes);
    Vec sum[4] = {Vec(Join::kStart), Vec(Join::kStart), Vec(Join::kStart), Vec(Join::kStart)};
    for (std::int64_t i = 0; i < kLanes; ++i)
      sum[i % 4] = Join::of(sum[i % 4], mg::kernels::load(to + i * kLanes));
    const Vec all = Join::of(Join::of(sum[0], sum[1]), Join::of(sum[2], sum[3]));
    if (p.out_row == 1) {
      mg::kernels::store_n(out, Join::of(mg::kernels::load_n(out, n), all), n);
    } else {
      mg::kernels::store(to, all);
      for (std::int64_t r = 0; r < n; ++r) out[r * p.out_row] = Join::of(out[r * p.out_row], to[r]);
    }
  });
}

/// Joins R rows to the contiguous columns of out.
template <class Join, int R>
void join_rows(std::int64_t columns, const float* in, std::int64_t in_row, float* out) {
  mg::kernels::for_each_piece<float>(columns, [&](std::int64_t i, std::int64_t n) {
    Vec sum = mg::kernels::load_n(in + i, n);
    MLGRAPH_UNROLL
    for (int r = 1; r < R; ++r) sum = Join::of(sum, mg::kernels::load_n(in + r * in_row + i, n));
    mg::kernels::store_n(out + i, Join::of(mg::kernels::load_n(out + i, n), sum), n);
  });
}

/// Reduces along rows, columns of both contiguous; or along nothing, where out has rows.
template <class Join>
void reduce_rows(const ReducePlane& p) {
  std::int64_t r = 0;
  if (p.out_row == 0) {
    for (; r + 8 <= p.rows; r += 8) join_rows<Join, 8>(p.columns, p.in + r * p.in_row, p.in_row, p.out);
    for (; r + 2 <= p.rows; r += 2) join_rows<Join, 2>(p.columns, p.in + r * p.in_row, p.in_row, p.out);
  }
  for (; r < p.rows; ++r) join_rows<Join, 1>(p.columns, p.in + r * p.in_row, 0, p.out + r * p.out_row);
}

/// Reduces along rows where columns are contiguous only in `in`.
template <class Join>
void reduce_rows_apart(const ReducePlane& p) {
  constexpr std::int64_t kMost = 256;
  alignas(64) float sum[kMost];
  for (std::int64_t c = 0; c < p.columns; c += kMost) {
    const std::int64_t columns = std::min(kMost, p.columns - c);
    std::fill_n(sum, columns, Join::kStart);
    reduce_rows<Join>({p.rows, columns, p.in + c, p.in_row, 1, sum, 0, 1});
    float* const out = p.out + c * p.out_column;
    for (std::int64_t i = 0; i < columns; ++i) out[i * p.out_column] = Join::of(out[i * p.out_column], sum[i]);
  }
}

/// Any strides.
template <class Join>
void reduce_any(const ReducePlane& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    for (std::int64_t c = 0; c < p.columns; ++c) {
      float& to = p.out[r * p.out_row + c * p.out_column];
      to = Join::of(to, p.in[r * p.in_row + c * p.in_column]);
    }
  }
}

template <class Join>
void reduce(const Extent& size, const Block& out, const ConstBlock& in, bool first) {
  if (first) {
    Extent kept = size;
    for (std::size_t d = 0; d < 4; ++d) kept[d] = out.stride[d] == 0 ? 1 : size[d];
    fill(kept, out, Join::kStart);
  }
  Loops<2> loops(size, {&in.stride, &out.stride});
  auto kernel = reduce_any<Join>;
  if (loops.stride[0][0] == 1 && loops.stride[0][1] == 0) {
    kernel = reduce_columns<Join>;
  } else if (loops.stride[0][0] == 1) {
    const std::size_t level = loops.find(1, 1, 0);
    if (level > 0) loops.make_second(level);
    if (loops.stride[0][1] == 1) {
      kernel = reduce_rows<Join>;
    } else if (level > 0) {
      kernel = reduce_rows_apart<Join>;
    }
  }
  loops.for_each_plane([&](const std::array<std::int64_t, 2>& at) {
    kernel({loops.size[1], loops.size[0], in.data + at[0], loops.stride[1][0], loops.stride[0][0],
            out.data + at[1], loops.stride[1][1], loops.stride[0][1]});
  });
}

}  // namespace detail

/// Sum or maximum. Shapes: `size` is that of `in`; out has stride 0 in the dimensions that are reduced. Writes
/// out if `first`, else adds to it (or takes the maximum with it). Fast where `in` is contiguous in a dimension
/// that is reduced, or out is in the same one.
inline void reduce(ReduceKind kind, const Extent& size, const Block& out, const ConstBlock& in, bool first) {
  if (kind == ReduceKind::kSum) return detail::reduce<detail::Sum>(size, out, in, first);
  detail::reduce<detail::Maximum>(size, out, in, first);
}

namespace detail {

/// The lanes of vectors of every element, of every second one, or of elements any number apart. Nothing behind
/// the last of the n lanes is read.
struct LoadRun {
  MLGRAPH_ALWAYS_INLINE static Vec load(const float* p, std::int64_t, std::int64_t n) {
    return mg::kernels::load_n(p, n);
  }
};
struct LoadEvery {
  MLGRAPH_ALWAYS_INLINE static Vec load(const float* p, std::int64_t stride, std::int64_t n) {
#if defined(__AVX512F__)
    if (stride == 2) return load_even(p, n);
#elif defined(__AVX2__)
    if (stride == 2 && n == kLanes) return load_even(p);
#endif
    alignas(64) float lanes[static_cast<std::size_t>(kLanes)] = {};
    for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i * stride];
    return Vec::load_aligned(lanes);
  }

#if defined(__AVX512F__)
  MLGRAPH_ALWAYS_INLINE static Vec load_even(const float* p, std::int64_t n) {
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const std::int64_t low = std::min<std::int64_t>(kLanes, 2 * n - 1);
    const std::int64_t high = std::max<std::int64_t>(0, 2 * n - 1 - kLanes);
    return Vec(_mm512_permutex2var_ps(mg::kernels::load_partial(p, low), even,
                                      mg::kernels::load_partial(p + kLanes, high)));
  }
#elif defined(__AVX2__)
  MLGRAPH_ALWAYS_INLINE static Vec load_even(const float* p) {
    const __m256 pairs = _mm256_shuffle_ps(mg::kernels::load(p), mg::kernels::load(p + kLanes - 1), 0xd8);
    return Vec(_mm256_permutevar8x32_ps(pairs, _mm256_set_epi32(7, 6, 3, 2, 5, 4, 1, 0)));
  }
#endif
};

/// Rows of out with contiguous columns, and the elements that their first windows start at.
struct WindowPlane {
  std::int64_t rows, columns;
  float* out;
  std::int64_t out_row, out_column;
  const float* in;
  std::int64_t in_row, in_column;
  std::array<std::int64_t, 2> size, stride;  // of the windows
};

/// V vectors of out: neighbours in a row, or one in each of V rows.
template <class Join, class Load, int V>
MLGRAPH_ALWAYS_INLINE void join_windows(const WindowPlane& p, const float* in, std::int64_t in_next, float* out,
                                        std::int64_t out_next, std::int64_t n) {
  Vec sum[V];
  MLGRAPH_UNROLL
  for (int v = 0; v < V; ++v) sum[v] = Vec(Join::kStart);
  for (std::int64_t i = 0; i < p.size[0]; ++i) {
    for (std::int64_t j = 0; j < p.size[1]; ++j) {
      const float* const at = in + i * p.stride[0] + j * p.stride[1];
      MLGRAPH_UNROLL
      for (int v = 0; v < V; ++v) sum[v] = Join::of(sum[v], Load::load(at + v * in_next, p.in_column, n));
    }
  }
  MLGRAPH_UNROLL
  for (int v = 0; v < V; ++v) mg::kernels::store_n(out + v * out_next, sum[v], n);
}

template <class Join, class Load>
void reduce_window_runs(const WindowPlane& p) {
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= p.columns; c += 4 * kLanes) {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      join_windows<Join, Load, 4>(p, p.in + r * p.in_row + c * p.in_column, kLanes * p.in_column,
                                  p.out + r * p.out_row + c, kLanes, kLanes);
    }
  }
  if (c == p.columns) return;
  for_each_overlapping(p.columns - c, [&](std::int64_t column, std::int64_t n) {
    const float* const in = p.in + (c + column) * p.in_column;
    float* const out = p.out + c + column;
    std::int64_t r = 0;
    for (; r + 4 <= p.rows; r += 4)
      join_windows<Join, Load, 4>(p, in + r * p.in_row, p.in_row, out + r * p.out_row, p.out_row, n);
    for (; r < p.rows; ++r) join_windows<Join, Load, 1>(p, in + r * p.in_row, 0, out + r * p.out_row, 0, n);
  });
}

/// Any strides.
template <class Join>
void reduce_window_any(const WindowPlane& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    for (std::int64_t c = 0; c < p.columns; ++c) {
      float sum = Join::kStart;
      for (std::int64_t i = 0; i < p.size[0]; ++i) {
        for (std::int64_t j = 0; j < p.size[1]; ++j)
          sum = Join::of(sum, p.in[r * p.in_row + c * p.in_column + i * p.stride[0] + j * p.stride[1]]);
      }
      p.out[r * p.out_row + c * p.out_column] = sum;
    }
  }
}

template <class Join>
void reduce_window(const Extent& out_size, const Block& out, const ConstBlock& in, const Window& w) {
  Extent step = in.stride;
  for (std::size_t d = 0; d < 2; ++d) step[d + 2] *= w.stride[d];
  const Loops<2> loops(out_size, {&out.stride, &step});
  auto kernel = reduce_window_any<Join>;
  if (loops.is_run(0)) {
    kernel = loops.is_run(1) ? reduce_window_runs<Join, LoadRun> : reduce_window_runs<Join, LoadEvery>;
  }
  loops.for_each_plane([&](const std::array<std::int64_t, 2>& at) {
    kernel({loops.size[1],
            loops.size[0],
            out.data + at[0],
            loops.stride[1][0],
            loops.stride[0][0],
            in.data + at[1],
            loops.stride[1][1],
            loops.stride[0][1],
            w.size,
            {in.stride[2], in.stride[3]}});
  });
}

}  // namespace detail

/// Sum or maximum over windows of the last two dimensions. `in` points at the element that the first window
/// starts at, and all windows lie in its memory: what pads them was written there. Fast where out is contiguous
/// in its channels or its width and `in` is in the same.
inline void reduce_window(ReduceKind kind, const Extent& out_size, const Block& out, const ConstBlock& in,
                          const Window& w) {
  if (kind == ReduceKind::kSum) return detail::reduce_window<detail::Sum>(out_size, out, in, w);
  detail::reduce_window<detail::Maximum>(out_size, out, in, w);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_REDUCE_HPP
