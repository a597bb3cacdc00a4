// SPDX-License-Identifier: Apache-2.0
// Blocks: boxes of values in memory, and the loops over them. Loops are ordered by one array's strides and
// joined where all arrays allow, so that a kernel sees planes with rows as long as can be.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/transpose.hpp"

namespace minicompiler {

namespace mg = mlgraph;

/// A number for each dimension, right-aligned: a value of rank 2 has the sizes {1, 1, rows, columns}.
using Extent = std::array<std::int64_t, 4>;

/// Element (i0, i1, i2, i3) is data[i0 * stride[0] + ... + i3 * stride[3]].
struct Block {
  float* data = nullptr;
  Extent stride = {};
};
/// The same, to read. Strides may be 0 (a broadcast).
struct ConstBlock {
  const float* data = nullptr;
  Extent stride = {};
};

namespace detail {

using Vec = mg::kernels::Vec<float>;
inline constexpr std::int64_t kLanes = mg::kernels::kLanes<float>;

/// The loops over a box of N arrays, level 0 the innermost: ordered by the strides of array 0 (a stride of 0
/// goes outermost), without loops of size 1, and joined where one loop does the work of two.
template <std::size_t N>
struct Loops {
  using Offsets = std::array<std::int64_t, N>;
  std::array<std::int64_t, 4> size = {1, 1, 1, 1};
  std::array<Offsets, 4> stride = {};
  std::size_t depth = 0;

  Loops(const Extent& extent, const std::array<const Extent*, N>& strides) {
    for (std::size_t d = 4; d-- > 0;) {
      if (extent[d] == 1) continue;
      std::size_t level = depth++;
      for (; level > 0 && key(stride[level - 1][0]) > key((*strides[0])[d]); --level) {
        size[level] = size[level - 1];
        stride[level] = stride[level - 1];
      }
      size[level] = extent[d];
      for (std::size_t a = 0; a < N; ++a) stride[level][a] = (*strides[a])[d];
    }
    join();
  }

  /// Moves a loop to level 1.
  void make_second(std::size_t level) {
    for (; level > 1; --level) {
      std::swap(size[level], size[level - 1]);
      std::swap(stride[level], stride[level - 1]);
    }
  }
  /// Whether array a has stride 1 in the innermost loop.
  [[nodiscard]] bool is_run(std::size_t a) const { return stride[0][a] == 1 || size[0] == 1; }
  /// The level from `first` on at which array a has this stride; 0 if there is none.
  [[nodiscard]] std::size_t find(std::size_t first, std::size_t a, std::int64_t wanted) const {
    for (std::size_t level = first; level < depth; ++level) {
      if (stride[level][a] == wanted) return level;
    }
    return 0;
  }

  /// Calls body(offsets) for each plane of the loops 1 and 0.
  template <class Body>
  void for_each_plane(Body&& body) const {
    for (std::int64_t i = 0; i < size[3]; ++i) {
      for (std::int64_t j = 0; j < size[2]; ++j) {
        Offsets at;
        for (std::size_t a = 0; a < N; ++a) at[a] = i * stride[3][a] + j * stride[2][a];
        body(at);
      }
    }
  }

 private:
  static std::int64_t key(std::int64_t s) { return s == 0 ? std::numeric_limits<std::int64_t>::max() : s; }

  void join() {
    std::size_t last = 0;
    for (std::size_t level = 1; level < depth; ++level) {
      bool joins = true;
      for (std::size_t a = 0; a < N; ++a) joins = joins && stride[level][a] == stride[last][a] * size[last];
      if (joins) {
        size[last] *= size[level];
      } else if (++last != level) {
        size[last] = size[level];
        stride[last] = stride[level];
      }
    }
    const std::size_t left = std::min(depth, last + 1);
    for (std::size_t level = left; level < depth; ++level) {
      size[level] = 1;
      stride[level] = {};
    }
    depth = left;
  }
};

/// Calls body(i, n) for pieces of [0, size) of n = kLanes, of which the last overlaps the one before it; or for
/// the one piece of all where there are fewer. The body may do an element twice.
template <class Body>
MLGRAPH_ALWAYS_INLINE void for_each_overlapping(std::int64_t size, Body&& body) {
  if (size < kLanes) return body(std::int64_t{0}, size);
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
  if (i < size) body(size - kLanes, kLanes);
}

/// out[c][r] = in[r][c] of at most kLanes rows and columns, rows of both contiguous.
MLGRAPH_ALWAYS_INLINE void transpose_piece(std::int64_t rows, std::int64_t columns, const float* in,
                                           std::int64_t in_row, float* out, std::int64_t out_row) {
  alignas(64) float from[kLanes * kLanes], to[kLanes * kLanes];
  for (std::int64_t r = 0; r < rows; ++r)
    mg::kernels::store(from + r * kLanes, mg::kernels::load_n(in + r * in_row, columns));
  mg::kernels::transpose_block(from, kLanes, to, kLanes);
  for (std::int64_t c = 0; c < columns; ++c)
    mg::kernels::store_n(out + c * out_row, mg::kernels::load(to + c * kLanes), rows);
}

/// out[r][c] = in[c][r]: rows of out and columns of in are contiguous.
inline void transpose_plane(std::int64_t rows, std::int64_t columns, float* out, std::int64_t out_row,
                            const float* in, std::int64_t in_column) {
  for (std::int64_t r = 0; r < rows; r += kLanes) {
    for (std::int64_t c = 0; c < columns; c += kLanes) {
      const float* const from = in + c * in_column + r;
      float* const to = out + r * out_row + c;
      if (r + kLanes <= rows && c + kLanes <= columns) {
        mg::kernels::transpose_block(from, in_column, to, out_row);
      } else {
        transpose_piece(std::min(kLanes, columns - c), std::min(kLanes, rows - r), from, in_column, to,
                        out_row);
      }
    }
  }
}

/// A plane that is written and one that is read.
struct CopyStrides {
  std::int64_t out_row, out_column, in_row, in_column;
};

/// Copies a plane. Fast where columns of out are contiguous, and rows or columns of in are, or its columns are
/// one element.
inline void copy_plane(std::int64_t rows, std::int64_t columns, float* out, const float* in,
                       const CopyStrides& s) {
  if (s.out_column == 1 && s.in_row == 1 && s.in_column > 1)
    return transpose_plane(rows, columns, out, s.out_row, in, s.in_column);
  for (std::int64_t r = 0; r < rows; ++r) {
    float* const to = out + r * s.out_row;
    const float* const from = in + r * s.in_row;
    if (s.out_column == 1 && s.in_column == 1) {
      for_each_overlapping(columns, [&](std::int64_t i, std::int64_t n) {
        mg::kernels::store_n(to + i, mg::kernels::load_n(from + i, n), n);
      });
    } else if (s.out_column == 1 && s.in_column == 0) {
      const Vec v(*from);
      for_each_overlapping(columns,
                           [&](std::int64_t i, std::int64_t n) { mg::kernels::store_n(to + i, v, n); });
    } else {
      for (std::int64_t c = 0; c < columns; ++c) to[c * s.out_column] = from[c * s.in_column];
    }
  }
}

}  // namespace detail

/// Copies a block. Cost: that of the memory where both blocks are contiguous, if in different dimensions.
inline void copy(const Extent& size, const Block& out, const ConstBlock& in) {
  detail::Loops<2> loops(size, {&out.stride, &in.stride});
  if (loops.stride[0][1] > 1) {
    const std::size_t level = loops.find(1, 1, 1);
    if (level > 0) loops.make_second(level);
  }
  const bool is_one = loops.depth == 0;
  const detail::CopyStrides strides = {loops.stride[1][0], is_one ? 1 : loops.stride[0][0], loops.stride[1][1],
                                       loops.stride[0][1]};
  loops.for_each_plane([&](const std::array<std::int64_t, 2>& at) {
    detail::copy_plane(loops.size[1], loops.size[0], out.data + at[0], in.data + at[1], strides);
  });
}

/// Writes one number to all elements of a block.
inline void fill(const Extent& size, const Block& out, float value) { copy(size, out, {&value, {0, 0, 0, 0}}); }

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_BLOCK_HPP
