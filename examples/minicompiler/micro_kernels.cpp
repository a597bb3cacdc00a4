// SPDX-License-Identifier: Apache-2.0
// The innermost loops of a contraction, unrolled for every tile: they take a third of the compiler's time, so
// they are a file of their own.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "contraction.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace minicompiler::detail {

namespace {

/// `count` elements with a stride, the other lanes 0.
MLGRAPH_ALWAYS_INLINE Vec load_strided(const float* p, std::int64_t stride, std::int64_t count) {
  alignas(64) float buffer[static_cast<std::size_t>(kLanes)] = {};
  for (std::int64_t i = 0; i < std::min(count, kLanes); ++i) buffer[i] = p[i * stride];
  return Vec::load_aligned(buffer);
}

/// Vectors along the columns: kRows x kVectors sums in registers.
template <int kRows, int kVectors, bool kLanesOfA, bool kUnitB>
void column_kernel(const MicroTask& t) {
  const Contraction& w = t.what;
  Vec sum[kRows][kVectors];
  const float* a[kRows];
  MLGRAPH_UNROLL
  for (int r = 0; r < kRows; ++r) {
    a[r] = t.a + w.a_row[t.row + static_cast<std::size_t>(r)] + t.tile.a;
    MLGRAPH_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Vec(0.0f);
  }
  const float* const b = t.b + t.tile.b;
  const std::int64_t* const a_depth = w.a_depth.data();
  const std::int64_t* const b_depth = w.b_depth.data();
  for (std::int64_t k = t.begin; k < t.end; ++k) {
    Vec y[kVectors];
    MLGRAPH_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const float* const from = b + b_depth[k] + v * kLanes * (kUnitB ? 1 : w.b_column);
      y[v] = kUnitB ? mg::kernels::load(from) : load_strided(from, w.b_column, t.tile.count - v * kLanes);
    }
    MLGRAPH_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const float* const from = a[r] + a_depth[k];
      MLGRAPH_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vec x = kLanesOfA ? mg::kernels::load(from + v * kLanes) : Vec(*from);
        sum[r][v] = mg::kernels::multiply_add(x, y[v], sum[r][v]);
      }
    }
  }
  MLGRAPH_UNROLL
  for (int r = 0; r < kRows; ++r) {
    float* const c = t.c + w.c_row[t.row + static_cast<std::size_t>(r)] + t.tile.c;
    MLGRAPH_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t count = std::min(t.tile.count - v * kLanes, kLanes);
      float* const to = c + v * kLanes * w.c_column;
      if (w.c_column == 1 && count == kLanes) {
        mg::kernels::store(to, t.adds ? mg::kernels::load(to) + sum[r][v] : sum[r][v]);
        continue;
      }
      alignas(64) float buffer[static_cast<std::size_t>(kLanes)];
      sum[r][v].store_aligned(buffer);
      for (std::int64_t i = 0; i < count; ++i)
        to[i * w.c_column] = t.adds ? to[i * w.c_column] + buffer[i] : buffer[i];
    }
  }
}

/// Vectors along the depth: kRows x kColumns sums of lanes in registers.
template <int kRows, int kColumns>
void depth_kernel(const MicroTask& t) {
  const Contraction& w = t.what;
  Vec sum[kRows][kColumns];
  const float* a[kRows];
  const float* b[kColumns];
  MLGRAPH_UNROLL
  for (int c = 0; c < kColumns; ++c)
    b[c] = t.b + t.tile.b + std::min<std::int64_t>(c, t.tile.count - 1) * w.b_column;
  MLGRAPH_UNROLL
  for (int r = 0; r < kRows; ++r) {
    a[r] = t.a + w.a_row[t.row + static_cast<std::size_t>(r)];
    MLGRAPH_UNROLL
    for (int c = 0; c < kColumns; ++c) sum[r][c] = Vec(0.0f);
  }
  std::int64_t k = t.begin;
  for (; k + kLanes <= t.end; k += kLanes) {
    Vec y[kColumns];
    MLGRAPH_UNROLL
    for (int c = 0; c < kColumns; ++c) y[c] = mg::kernels::load(b[c] + k);
    MLGRAPH_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Vec x = mg::kernels::load(a[r] + k);
      MLGRAPH_UNROLL
      for (int c = 0; c < kColumns; ++c) sum[r][c] = mg::kernels::multiply_add(x, y[c], sum[r][c]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float* const to = t.c + w.c_row[t.row + static_cast<std::size_t>(r)] + t.tile.c;
    for (int c = 0; c < std::min<int>(kColumns, static_cast<int>(t.tile.count)); ++c) {
      float total = mg::kernels::reduce_add(sum[r][c]);
      for (std::int64_t i = k; i < t.end; ++i) total += a[r][i] * b[c][i];
      to[c * w.c_column] = t.adds ? to[c * w.c_column] + total : total;
    }
  }
}

template <int kRows, int kVectors>
MicroKernel micro_kernel(Vectorised vectorised, bool unit_b) {
  switch (vectorised) {
    case Vectorised::kColumns:
      return unit_b ? column_kernel<kRows, kVectors, false, true>
                    : column_kernel<kRows, kVectors, false, false>;
    case Vectorised::kLanes:
      return unit_b ? column_kernel<kRows, kVectors, true, true> : column_kernel<kRows, kVectors, true, false>;
    default:
      return depth_kernel<kRows, kVectors>;
  }
}

template <int kRows>
MicroKernel micro_kernel(Vectorised vectorised, bool unit_b, std::int64_t vectors) {
  if (vectors == 1) return micro_kernel<kRows, 1>(vectorised, unit_b);
  if (vectors == 2) return micro_kernel<kRows, 2>(vectorised, unit_b);
  return micro_kernel<kRows, 3>(vectorised, unit_b);
}

}  // namespace

MicroKernel micro_kernel(Vectorised vectorised, bool unit_b, std::int64_t vectors, std::int64_t& rows) {
  rows = rows >= 8 ? 8 : rows >= 6 ? 6 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
  if (rows == 8) return micro_kernel<8>(vectorised, unit_b, vectors);
  if (rows == 6) return micro_kernel<6>(vectorised, unit_b, vectors);
  if (rows == 4) return micro_kernel<4>(vectorised, unit_b, vectors);
  if (rows == 2) return micro_kernel<2>(vectorised, unit_b, vectors);
  return micro_kernel<1>(vectorised, unit_b, vectors);
}

}  // namespace minicompiler::detail
