// SPDX-License-Identifier: Apache-2.0
// Contractions: the tile of a result that is kept in registers, and dots made of it. Rows of the left side lie
// anywhere and are read element by element; the right side is packed into panels of two vectors.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "block.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace minicompiler {

/// Element (r, c) is data[r * row + c * column].
struct Matrix {
  const float* data = nullptr;
  std::int64_t row = 0, column = 1;
};

/// Columns of a panel of a packed right side; the last panel has half as many where those are enough.
inline constexpr std::int64_t kPanelColumns = 2 * detail::kLanes;

namespace detail {

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRowsMost = 8;  // of 32 registers 16 are sums
#else
inline constexpr int kTileRowsMost = 6;
#endif

/// Longer sums are cut, so that a panel stays in the first cache.
inline constexpr std::int64_t kDepthMost = 512;

/// Three loops and what one turn of each adds to the places in two arrays.
struct Nest {
  std::array<std::int64_t, 3> size = {1, 1, 1};
  std::array<std::int64_t, 3> a = {}, c = {};

  [[nodiscard]] std::int64_t count() const { return size[0] * size[1] * size[2]; }
};

/// The depth of a contraction: where the elements of a row of a lie. Their order is that of the rows of b.
struct Depth {
  std::array<std::int64_t, 3> size = {1, 1, 1};
  std::array<std::int64_t, 3> stride = {};

  [[nodiscard]] std::int64_t count() const { return size[0] * size[1] * size[2]; }
  [[nodiscard]] std::int64_t offset(const std::array<std::int64_t, 3>& at) const {
    return at[0] * stride[0] + at[1] * stride[1] + at[2] * stride[2];
  }
  /// With as long an innermost loop as can be.
  [[nodiscard]] Depth joined() const {
    Depth d = *this;
    if (d.size[1] == 1 || d.stride[1] == d.size[2] * d.stride[2]) {
      d.size = {1, d.size[0], d.size[1] * d.size[2]};
      d.stride = {0, d.stride[0], d.stride[2]};
    }
    return d;
  }

  /// Calls body(part, where it starts, number of its first element) for parts of at most `most` elements.
  template <class Body>
  void for_each_part(std::int64_t most, Body&& body) const {
    std::array<std::int64_t, 3> step = size;
    if (count() > most) step[0] = std::max<std::int64_t>(1, most / (size[1] * size[2]));
    if (size[1] * size[2] > most) step[1] = std::max<std::int64_t>(1, most / size[2]);
    step[2] = std::min(size[2], most);
    for (std::int64_t i = 0; i < size[0]; i += step[0]) {
      for (std::int64_t j = 0; j < size[1]; j += step[1]) {
        for (std::int64_t k = 0; k < size[2]; k += step[2]) {
          const Depth part = {
              {std::min(step[0], size[0] - i), std::min(step[1], size[1] - j), std::min(step[2], size[2] - k)},
              stride};
          body(part, std::array<std::int64_t, 3>{i, j, k}, (i * size[1] + j) * size[2] + k);
        }
      }
    }
  }
};

/// R rows and W vectors of a result: c[r] (+)= sum over the depth of a[r] * b. Of the last vector the first
/// `last` lanes are written. `adds`: to what c holds.
template <int R, int W>
void contract_tile(const Depth& depth, const float* const* a, const float* b, float* const* c,
                   std::int64_t last, bool adds) {
  Vec sum[R][W];
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) {
    MLGRAPH_UNROLL
    for (int w = 0; w < W; ++w) sum[r][w] = Vec(0.0f);
  }
  const std::int64_t count = depth.size[2], step = depth.stride[2];
  for (std::int64_t i = 0; i < depth.size[0]; ++i) {
    for (std::int64_t j = 0; j < depth.size[1]; ++j) {
      const float* row[R];
      MLGRAPH_UNROLL
      for (int r = 0; r < R; ++r) row[r] = a[r] + i * depth.stride[0] + j * depth.stride[1];
      std::int64_t at = 0;
      for (std::int64_t k = 0; k < count; ++k, at += step, b += W * kLanes) {
        Vec right[W];
        MLGRAPH_UNROLL
        for (int w = 0; w < W; ++w) right[w] = mg::kernels::load(b + w * kLanes);
        MLGRAPH_UNROLL
        for (int r = 0; r < R; ++r) {
          const Vec left(row[r][at]);
          MLGRAPH_UNROLL
          for (int w = 0; w < W; ++w) sum[r][w] = mg::kernels::multiply_add<float>(left, right[w], sum[r][w]);
        }
      }
    }
  }
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) {
    MLGRAPH_UNROLL
    for (int w = 0; w < W; ++w) {
      float* const to = c[r] + w * kLanes;
      const std::int64_t lanes = w + 1 < W ? kLanes : last;
      if (adds) sum[r][w] += mg::kernels::load_n(to, lanes);
      mg::kernels::store_n(to, sum[r][w], lanes);
    }
  }
}

using ContractTile = void (*)(const Depth&, const float* const*, const float*, float* const*, std::int64_t,
                              bool);

template <int W>
[[nodiscard]] ContractTile contract_tile_of(std::int64_t rows) {
  constexpr ContractTile kTiles[8] = {contract_tile<1, W>,
                                      contract_tile<2, W>,
                                      contract_tile<3, W>,
                                      contract_tile<4, W>,
                                      contract_tile<5, W>,
                                      contract_tile<6, W>,
                                      contract_tile<std::min(7, kTileRowsMost), W>,
                                      contract_tile<kTileRowsMost, W>};
  return kTiles[rows - 1];
}

/// All rows of a panel of `columns` columns. Rows are cut into tiles as equal as can be.
inline void contract_panel(const Nest& rows, const Depth& depth, const float* a, const float* b,
                           std::int64_t columns, float* c, bool adds) {
  const std::int64_t count = rows.count(), num_tiles = (count + kTileRowsMost - 1) / kTileRowsMost;
  const std::int64_t fewest = count / num_tiles, num_more = count % num_tiles;
  const bool is_wide = columns > kLanes;
  const std::int64_t last = is_wide ? columns - kLanes : columns;
  std::array<std::int64_t, 3> at = {};
  std::int64_t a_at = 0, c_at = 0;
  for (std::int64_t t = 0; t < num_tiles; ++t) {
    const std::int64_t height = fewest + (t < num_more ? 1 : 0);
    const float* a_rows[kTileRowsMost];
    float* c_rows[kTileRowsMost];
    for (std::int64_t r = 0; r < height; ++r) {
      a_rows[r] = a + a_at;
      c_rows[r] = c + c_at;
      for (std::size_t d = 3; d-- > 0;) {
        a_at += rows.a[d];
        c_at += rows.c[d];
        if (++at[d] < rows.size[d]) break;
        a_at -= rows.a[d] * rows.size[d];
        c_at -= rows.c[d] * rows.size[d];
        at[d] = 0;
      }
    }
    const ContractTile tile = is_wide ? contract_tile_of<2>(height) : contract_tile_of<1>(height);
    tile(depth, a_rows, b, c_rows, last, adds);
  }
}

/// Elements between the rows of the panel of these columns.
[[nodiscard]] inline std::int64_t panel_width(std::int64_t columns) {
  return columns > kLanes ? kPanelColumns : kLanes;
}

/// Packs rows of at most kPanelColumns columns; those that fill the panel up become 0.
inline void pack_panel(std::int64_t rows, std::int64_t columns, const Matrix& b, float* packed) {
  const std::int64_t width = panel_width(columns);
  copy_plane(rows, columns, packed, b.data, {width, 1, b.row, b.column});
  if (columns == width) return;
  for (std::int64_t r = 0; r < rows; ++r)
    std::fill(packed + r * width + columns, packed + (r + 1) * width, 0.0f);
}

/// A contraction with all panels of a packed right side of n columns, whose results are contiguous in c.
inline void contract(const Nest& rows, const Depth& depth, const float* a, const float* packed, std::int64_t n,
                     float* c) {
  const std::int64_t count = depth.count();
  depth.for_each_part(
      kDepthMost, [&](const Depth& part, const std::array<std::int64_t, 3>& at, std::int64_t first) {
        for (std::int64_t column = 0; column < n; column += kPanelColumns) {
          const std::int64_t columns = std::min(kPanelColumns, n - column);
          const float* const panel = packed + column * count + first * panel_width(columns);
          contract_panel(rows, part, a + depth.offset(at), panel, columns, c + column, first > 0);
        }
      });
}

}  // namespace detail

/// Elements of a packed right side of k rows and n columns.
[[nodiscard]] inline std::int64_t packed_size(std::int64_t k, std::int64_t n) {
  return k * ((n + detail::kLanes - 1) / detail::kLanes * detail::kLanes);
}

/// Packs the right side of a dot, (k, n), into panels one after another, each with its k rows.
inline void pack(std::int64_t k, std::int64_t n, const Matrix& b, float* packed) {
  for (std::int64_t column = 0; column < n; column += kPanelColumns) {
    detail::pack_panel(k, std::min(kPanelColumns, n - column), {b.data + column * b.column, b.row, b.column},
                       packed + column * k);
  }
}

/// c = a * b. Shapes: a (m, k) of any strides, b (k, n) packed, c (m, n) with contiguous columns and rows c_row
/// apart.
inline void dot(std::int64_t m, std::int64_t n, std::int64_t k, const Matrix& a, const float* packed, float* c,
                std::int64_t c_row) {
  detail::contract({{1, 1, m}, {0, 0, a.row}, {0, 0, c_row}}, {{1, 1, k}, {0, 0, a.column}}, a.data, packed, n,
                   c);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP
