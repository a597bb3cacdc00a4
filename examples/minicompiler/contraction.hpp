// SPDX-License-Identifier: Apache-2.0
// Contraction: the one blocked loop nest behind dots and convolutions of every layout, and its tile, the second
// decision. Rows, columns and depth are tables of offsets, as in an indirect convolution.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/kernels/simd.hpp"

namespace minicompiler {

namespace mg = mlgraph;

/// Rows and vectors of columns that are kept in registers.
struct Unroll {
  std::int64_t rows = 1;
  std::int64_t vectors = 1;
};
inline constexpr std::array<Unroll, 8> kUnrolls = {
    {{1, 1}, {1, 3}, {2, 2}, {4, 1}, {4, 2}, {4, 3}, {6, 2}, {8, 1}}};

enum class LoopOrder : std::uint8_t { kRowsOuter, kColumnsOuter };

/// How the loop nest of a heavy kernel is cut. Any tile gives the same sums but for rounding.
struct Tile {
  std::int64_t block_rows = 64;
  std::int64_t block_columns = 64;
  std::int64_t block_depth = 256;
  Unroll unroll = {4, 2};
  LoopOrder order = LoopOrder::kRowsOuter;

  friend bool operator==(const Tile& a, const Tile& b) {
    return a.block_rows == b.block_rows && a.block_columns == b.block_columns &&
           a.block_depth == b.block_depth && a.unroll.rows == b.unroll.rows &&
           a.unroll.vectors == b.unroll.vectors && a.order == b.order;
  }
};

/// Elements that may be read behind a column's last one: vectors are loaded whole.
inline constexpr std::int64_t kReadSlack = 64;

/// What vectors run along.
enum class Vectorised : std::uint8_t {
  kColumns,  ///< columns of b; elements of a are broadcast
  kLanes,    ///< columns of both a and b, as the channels of a depthwise convolution
  kDepth,    ///< depth, with a sum over lanes at the end: both operands contiguous in it
};

/// c[row, column] = sum over depth of a[row, depth] * b[depth, column], once for each batch.
///
/// a at a_row[r] + a_depth[k], b at run.b + b_depth[k] + j b_column, c at c_row[r] + run.c + j c_column, where
/// column j is in [0, run.length), all beside the batch's own offsets. With kLanes a moves along j, too.
struct Contraction {
  struct Batch {
    std::int64_t a = 0, b = 0, c = 0;
  };
  struct Run {
    std::int64_t b = 0, c = 0, length = 0;
  };
  Vectorised vectorised = Vectorised::kColumns;
  std::vector<Batch> batches = {Batch()};
  std::vector<std::int64_t> a_row, c_row;
  std::vector<Run> runs;
  std::vector<std::int64_t> a_depth, b_depth;
  std::int64_t b_column = 1, c_column = 1;

  [[nodiscard]] std::int64_t num_rows() const { return static_cast<std::int64_t>(a_row.size()); }
  [[nodiscard]] std::int64_t depth() const { return static_cast<std::int64_t>(a_depth.size()); }
  [[nodiscard]] std::int64_t num_columns() const {
    std::int64_t count = 0;
    for (const Run& run : runs) count += run.length;
    return count;
  }
};

namespace detail {

/// Neighbouring columns of one run, at most what the unrolled kernel holds.
struct ColumnTile {
  std::int64_t a, b, c;
  std::int64_t count;
};

using Vec = mg::kernels::Vec<float>;
inline constexpr std::int64_t kLanes = mg::kernels::kLanes<float>;

/// What a micro-kernel works on: rows from `row` on, one column tile, depths [begin, end). `adds`: to what c
/// holds.
struct MicroTask {
  const Contraction& what;
  const float* a;
  const float* b;
  float* c;
  std::size_t row;
  ColumnTile tile;
  std::int64_t begin, end;
  bool adds;
};

using MicroKernel = void (*)(const MicroTask&);

/// The kernel for the most rows that are at most `rows`, which become that number. micro_kernels.cpp has them.
[[nodiscard]] MicroKernel micro_kernel(Vectorised vectorised, bool unit_b, std::int64_t vectors,
                                       std::int64_t& rows);

}  // namespace detail

/// A contraction with its tile, ready to run: what does not depend on the data is computed once.
class TiledContraction {
 public:
  TiledContraction(Contraction what, const Tile& tile) : what_(std::move(what)), tile_(tile) {
    tile_.block_rows = std::max(tile.block_rows, tile.unroll.rows);
    tile_.block_depth = std::max<std::int64_t>(tile.block_depth, 1);
    const std::int64_t per_vector = what_.vectorised == Vectorised::kDepth ? 1 : detail::kLanes;
    const std::int64_t width = tile.unroll.vectors * per_vector;
    for (const Contraction::Run& run : what_.runs) {
      for (std::int64_t j = 0; j < run.length; j += width) {
        columns_.push_back({what_.vectorised == Vectorised::kLanes ? j : 0, run.b + j * what_.b_column,
                            run.c + j * what_.c_column, std::min(width, run.length - j)});
        kernels_.push_back(kernels_of((columns_.back().count + per_vector - 1) / per_vector));
      }
    }
    // As many whole column tiles as block_columns holds, counting what they really have.
    const std::int64_t per_tile = std::max<std::int64_t>(
        1, what_.num_columns() / std::max<std::int64_t>(1, static_cast<std::int64_t>(columns_.size())));
    columns_per_block_ = static_cast<std::size_t>(std::max<std::int64_t>(1, tile.block_columns / per_tile));
  }

  [[nodiscard]] const Contraction& contraction() const { return what_; }

  /// Runs it. c must not overlap a or b; kReadSlack elements behind each must be readable.
  void run(const float* a, const float* b, float* c) const {
    for (const Contraction::Batch& batch : what_.batches) {
      if (tile_.order == LoopOrder::kRowsOuter) {
        for_rows([&](std::int64_t r0, std::int64_t r1) {
          for_depth([&](std::int64_t k0, std::int64_t k1) {
            for_columns([&](std::size_t t0, std::size_t t1) {
              block(a + batch.a, b + batch.b, c + batch.c, r0, r1, k0, k1, t0, t1);
            });
          });
        });
      } else {
        for_columns([&](std::size_t t0, std::size_t t1) {
          for_depth([&](std::int64_t k0, std::int64_t k1) {
            for_rows([&](std::int64_t r0, std::int64_t r1) {
              block(a + batch.a, b + batch.b, c + batch.c, r0, r1, k0, k1, t0, t1);
            });
          });
        });
      }
    }
  }

 private:
  /// The kernels of a column tile: for whole row tiles, and for what is left of the rows.
  struct Kernels {
    std::array<detail::MicroKernel, 9> of_rows;  // [rows]: the kernel for at most so many
    std::array<std::int64_t, 9> rows;            // and how many it does
  };

  [[nodiscard]] Kernels kernels_of(std::int64_t vectors) const {
    Kernels kernels = {};
    for (std::size_t n = 1; n < kernels.rows.size(); ++n) {
      kernels.rows[n] = std::min(static_cast<std::int64_t>(n), tile_.unroll.rows);
      kernels.of_rows[n] =
          detail::micro_kernel(what_.vectorised, what_.b_column == 1, vectors, kernels.rows[n]);
    }
    return kernels;
  }

  template <class Body>
  void for_rows(Body&& body) const {
    for (std::int64_t r = 0; r < what_.num_rows(); r += tile_.block_rows)
      body(r, std::min(r + tile_.block_rows, what_.num_rows()));
  }
  template <class Body>
  void for_depth(Body&& body) const {
    for (std::int64_t k = 0; k < what_.depth(); k += tile_.block_depth)
      body(k, std::min(k + tile_.block_depth, what_.depth()));
  }
  template <class Body>
  void for_columns(Body&& body) const {
    for (std::size_t t = 0; t < columns_.size(); t += columns_per_block_)
      body(t, std::min(t + columns_per_block_, columns_.size()));
  }

  void block(const float* a, const float* b, float* c, std::int64_t r0, std::int64_t r1, std::int64_t k0,
             std::int64_t k1, std::size_t t0, std::size_t t1) const {
    for (std::size_t t = t0; t < t1; ++t) {
      const Kernels& kernels = kernels_[t];
      for (std::int64_t r = r0; r < r1;) {
        const auto left = static_cast<std::size_t>(std::min<std::int64_t>(r1 - r, 8));
        kernels.of_rows[left]({what_, a, b, c, static_cast<std::size_t>(r), columns_[t], k0, k1, k0 > 0});
        r += kernels.rows[left];
      }
    }
  }

  Contraction what_;
  Tile tile_;
  std::vector<detail::ColumnTile> columns_;
  std::vector<Kernels> kernels_;  // of each column tile
  std::size_t columns_per_block_ = 1;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_CONTRACTION_HPP
