// SPDX-License-Identifier: Apache-2.0
// Convolutions of blocks, as contractions: with channels contiguous, pixels are rows and the weights are
// packed; with the width contiguous, output channels are rows and pieces of the input are packed on the way.
// Depthwise ones are sums of products of vectors. Inputs are padded already.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_CONVOLUTION_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_CONVOLUTION_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "block.hpp"
#include "contraction.hpp"
#include "ir.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "reduce.hpp"

namespace minicompiler {

namespace detail {

/// A panel of pack_convolution of weights whose (C, KH, KW) lie in this order, one behind another: transposed,
/// and then each of its rows put in its place.
inline void pack_rows_of_weights(std::int64_t columns, std::int64_t channels, std::int64_t window,
                                 const float* weights, std::int64_t stride, float* packed) {
  alignas(64) float rows[kLanes * kPanelColumns] = {};
  const std::int64_t width = panel_width(columns), depth = channels * window;
  for (std::int64_t first = 0; first < depth; first += kLanes) {
    const std::int64_t count = std::min(kLanes, depth - first);
    copy_plane(count, columns, rows, weights + first, {width, 1, 1, stride});
    std::int64_t c = first / window, at = first % window;
    for (std::int64_t r = 0; r < count; ++r) {
      std::copy_n(rows + r * width, width, packed + (at * channels + c) * width);
      if (++at < window) continue;
      at = 0;
      ++c;
    }
  }
}

}  // namespace detail

/// Packs the weights (O, C, KH, KW) of a convolution of channels-last blocks into packed_size(C * KH * KW, O)
/// elements: a right side of rows (KH, KW, C) and columns O.
inline void pack_convolution(std::int64_t out_channels, std::int64_t channels, const ConstBlock& weights,
                             const Window& w, float* packed) {
  const std::int64_t window = w.size[0] * w.size[1], depth = window * channels;
  const Extent& stride = weights.stride;
  const bool is_whole = window > 1 && stride[3] == 1 && stride[2] == w.size[1] && stride[1] == window;
  for (std::int64_t o = 0; o < out_channels; o += kPanelColumns) {
    const std::int64_t columns = std::min(kPanelColumns, out_channels - o);
    const float* const from = weights.data + o * stride[0];
    float* const to = packed + o * depth;
    if (is_whole) {
      detail::pack_rows_of_weights(columns, channels, window, from, stride[0], to);
      continue;
    }
    for (std::int64_t i = 0; i < window; ++i) {
      const std::int64_t at = i / w.size[1] * stride[2] + i % w.size[1] * stride[3];
      detail::pack_panel(channels, columns, {from + at, stride[1], stride[0]},
                         to + i * channels * detail::panel_width(columns));
    }
  }
}

/// A convolution whose result is contiguous in its channels. Shapes: out_size is (N, O, H, W); x has `channels`
/// channels and points at the first element of the first window; the size of `w` is that of the weights, packed
/// by pack_convolution. Fast where x is contiguous in its channels, too.
inline void convolution_channels_last(const Extent& out_size, const Block& out, const ConstBlock& x,
                                      std::int64_t channels, const float* packed, const Window& w) {
  const Extent& from = x.stride;
  const detail::Nest pixels = {{out_size[0], out_size[2], out_size[3]},
                               {from[0], w.stride[0] * from[2], w.stride[1] * from[3]},
                               {out.stride[0], out.stride[2], out.stride[3]}};
  const detail::Depth depth = {{w.size[0], w.size[1], channels}, {from[2], from[3], from[1]}};
  detail::contract(pixels, depth.joined(), x.data, packed, out_size[1], out.data);
}

namespace detail {

/// Rows of a packed piece of the input of a channels-first convolution: half of the first cache with vectors
/// of 16.
inline constexpr std::int64_t kPackedRows = 128;

/// Neighbouring pixels of a panel, in the same row of the image (or in rows that follow one another in memory).
struct Piece {
  std::int64_t column, count, x;
};

/// The panel of `columns` output pixels from number `first` on, cut into pieces.
class PixelPanel {
 public:
  PixelPanel(std::int64_t first, std::int64_t columns, std::int64_t width, std::int64_t x_row,
             std::int64_t step)
      : columns_(columns), step_(step) {
    for (std::int64_t c = 0; c < columns;) {
      const std::int64_t row = (first + c) / width, column = (first + c) % width;
      const std::int64_t count = std::min(columns - c, width - column);
      const std::int64_t x = row * x_row + column * step;
      Piece& last = pieces_[num_ == 0 ? 0 : num_ - 1];
      if (num_ > 0 && last.x + last.count * step == x) {
        last.count += count;
      } else {
        pieces_[num_++] = {c, count, x};
      }
      c += count;
    }
  }

  /// Packs what this part of the depth reads, x pointing at its first element for output pixel 0.
  void pack(const Depth& depth, const float* x, float* packed) const {
    for (std::size_t p = 0; p < num_; ++p) {
      if (step_ == 1) {
        pack_piece<LoadRun>(pieces_[p], depth, x, packed);
      } else {
        pack_piece<LoadEvery>(pieces_[p], depth, x, packed);
      }
    }
  }

 private:
  template <class Load>
  void pack_piece(const Piece& piece, const Depth& depth, const float* x, float* packed) const {
    const std::int64_t width = panel_width(columns_);
    for_each_overlapping(piece.count, [&](std::int64_t c, std::int64_t n) {
      const float* const from = x + piece.x + c * step_;
      float* to = packed + piece.column + c;
      // Whole vectors where the next pieces write over what is too much.
      const std::int64_t stored = piece.column + c + kLanes <= width ? kLanes : n;
      for (std::int64_t i = 0; i < depth.size[0]; ++i) {
        for (std::int64_t j = 0; j < depth.size[1]; ++j) {
          const float* at = from + depth.offset({i, j, 0});
          for (std::int64_t k = 0; k < depth.size[2]; ++k, at += depth.stride[2], to += width)
            mg::kernels::store_n(to, Load::load(at, step_, n), stored);
        }
      }
    });
  }

  std::int64_t columns_, step_;
  std::size_t num_ = 0;
  std::array<Piece, static_cast<std::size_t>(kPanelColumns)> pieces_;
};

}  // namespace detail

/// A convolution whose result is contiguous in its width. Shapes: as of convolution_channels_last; weights
/// (O, C, KH, KW) of any strides. Fast where x is contiguous in its width, too; best where rows of out follow
/// one another.
inline void convolution_channels_first(const Extent& out_size, const Block& out, const ConstBlock& x,
                                       std::int64_t channels, const ConstBlock& weights, const Window& w) {
  alignas(64) float packed[detail::kPackedRows * kPanelColumns] = {};
  const std::int64_t width = out_size[3], step = w.stride[1] * x.stride[3], x_row = w.stride[0] * x.stride[2];
  const bool is_whole = out.stride[2] == width || out_size[2] == 1;
  const std::int64_t num_runs = is_whole ? 1 : out_size[2], run = is_whole ? width * out_size[2] : width;
  const detail::Nest rows = {{1, 1, out_size[1]}, {0, 0, weights.stride[0]}, {0, 0, out.stride[1]}};
  const std::array<std::int64_t, 3> sizes = {channels, w.size[0], w.size[1]};
  const detail::Depth of_x = {sizes, {x.stride[1], x.stride[2], x.stride[3]}};
  const detail::Depth of_weights = {sizes, {weights.stride[1], weights.stride[2], weights.stride[3]}};
  for (std::int64_t n = 0; n < out_size[0] * num_runs; ++n) {
    const std::int64_t image = n / num_runs, row = n % num_runs;
    const float* const from = x.data + image * x.stride[0] + row * x_row;
    float* const to = out.data + image * out.stride[0] + row * out.stride[2];
    for (std::int64_t first = 0; first < run; first += kPanelColumns) {
      const std::int64_t columns = std::min(kPanelColumns, run - first);
      const detail::PixelPanel panel(first, columns, width, x_row, step);
      of_x.for_each_part(
          detail::kPackedRows, [&](const detail::Depth& part, const auto& at, std::int64_t done) {
            panel.pack(part, from + of_x.offset(at), packed);
            const detail::Depth weights_part = {part.size, of_weights.stride};
            detail::contract_panel(rows, weights_part.joined(), weights.data + of_weights.offset(at), packed,
                                   columns, to + first, done > 0);
          });
    }
  }
}

/// Packs the weights (C, 1, KH, KW) of a depthwise convolution of channels-last blocks: KH * KW rows of C.
inline void pack_depthwise(std::int64_t channels, const ConstBlock& weights, const Window& w, float* packed) {
  const Extent& stride = weights.stride;
  copy({1, w.size[0], w.size[1], channels}, {packed, {0, w.size[1] * channels, channels, 1}},
       {weights.data, {0, stride[2], stride[3], stride[0]}});
}

namespace detail {

/// What a depthwise kernel works on. A window of width 3, the usual one, is known to the compiler.
template <class Load_, int kWidth_>
struct DepthwiseKind {
  using Load = Load_;
  static constexpr int kWidth = kWidth_;
};
struct DepthwiseTask {
  Extent size;
  float* out;
  Extent out_stride;
  const float* x;
  Extent x_stride;
  const float* weights;
  Extent weight_stride;
  Window window;
};

/// One sum of products for each of R results, x_next apart in x, x_step between the lanes of each.
template <int R, class Kind, class Weight>
MLGRAPH_ALWAYS_INLINE void depthwise_tile(const DepthwiseTask& t, const float* x, std::int64_t x_next,
                                          std::int64_t x_step, Weight&& weight, float* out,
                                          std::int64_t out_next, std::int64_t n) {
  Vec sum[R];
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) sum[r] = Vec(0.0f);
  const std::int64_t column = t.x_stride[3];
  const auto add = [&](std::int64_t i, std::int64_t j) MLGRAPH_LAMBDA_INLINE {
    const float* const at = x + i * t.x_stride[2] + j * column;
    const Vec factor = weight(i, j);
    MLGRAPH_UNROLL
    for (int r = 0; r < R; ++r)
      sum[r] = mg::kernels::multiply_add<float>(Kind::Load::load(at + r * x_next, x_step, n), factor, sum[r]);
  };
  for (std::int64_t i = 0; i < t.window.size[0]; ++i) {
    if constexpr (Kind::kWidth > 0) {
      MLGRAPH_UNROLL
      for (int j = 0; j < Kind::kWidth; ++j) add(i, j);
    } else {
      for (std::int64_t j = 0; j < t.window.size[1]; ++j) add(i, j);
    }
  }
  MLGRAPH_UNROLL
  for (int r = 0; r < R; ++r) mg::kernels::store_n(out + r * out_next, sum[r], n);
}

/// Four neighbours of `count` at a time, then one.
template <class Kind, class Weight>
MLGRAPH_ALWAYS_INLINE void depthwise_line(const DepthwiseTask& t, std::int64_t count, const float* x,
                                          std::int64_t x_next, std::int64_t x_step, Weight&& weight, float* out,
                                          std::int64_t out_next, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    depthwise_tile<4, Kind>(t, x + i * x_next, x_next, x_step, weight, out + i * out_next, out_next, n);
  for (; i < count; ++i)
    depthwise_tile<1, Kind>(t, x + i * x_next, 0, x_step, weight, out + i * out_next, 0, n);
}

/// One channel of one image, vectors along the width.
template <class Kind>
void depthwise_image(const DepthwiseTask& t) {
  const std::int64_t step = t.window.stride[1] * t.x_stride[3], row = t.window.stride[0] * t.x_stride[2];
  const auto weight = [&](std::int64_t i, std::int64_t j) MLGRAPH_LAMBDA_INLINE {
    return Vec(t.weights[i * t.weight_stride[2] + j * t.weight_stride[3]]);
  };
  for_each_overlapping(t.size[3], [&](std::int64_t column, std::int64_t n) {
    depthwise_line<Kind>(t, t.size[2], t.x + column * step, row, step, weight, t.out + column, t.out_stride[2],
                         n);
  });
}

/// One row of all channels, vectors along these.
template <class Kind>
void depthwise_row(const DepthwiseTask& t) {
  const std::int64_t x_column = t.window.stride[1] * t.x_stride[3], step = t.x_stride[1];
  for_each_overlapping(t.size[1], [&](std::int64_t c, std::int64_t n) {
    const auto weight = [&](std::int64_t i, std::int64_t j) MLGRAPH_LAMBDA_INLINE {
      return mg::kernels::load_n(t.weights + i * t.weight_stride[2] + j * t.weight_stride[3] + c, n);
    };
    depthwise_line<Kind>(t, t.size[3], t.x + c * step, x_column, step, weight, t.out + c, t.out_stride[3], n);
  });
}

}  // namespace detail

/// A depthwise convolution whose result is contiguous in its channels; weights packed by pack_depthwise. Fast
/// where x is contiguous in its channels, too.
inline void depthwise_channels_last(const Extent& out_size, const Block& out, const ConstBlock& x,
                                    const float* packed, const Window& w) {
  using namespace detail;
  const Extent weight_stride = {0, 1, w.size[1] * out_size[1], out_size[1]};
  auto row = depthwise_row<DepthwiseKind<LoadEvery, 0>>;
  if (x.stride[1] == 1) {
    row = w.size[1] == 3 ? depthwise_row<DepthwiseKind<LoadRun, 3>> : depthwise_row<DepthwiseKind<LoadRun, 0>>;
  }
  for (std::int64_t n = 0; n < out_size[0]; ++n) {
    for (std::int64_t h = 0; h < out_size[2]; ++h) {
      row({out_size, out.data + n * out.stride[0] + h * out.stride[2], out.stride,
           x.data + n * x.stride[0] + h * w.stride[0] * x.stride[2], x.stride, packed, weight_stride, w});
    }
  }
}

/// A depthwise convolution whose result is contiguous in its width; weights (C, 1, KH, KW) of any strides. Fast
/// where x is contiguous in its width, too.
inline void depthwise_channels_first(const Extent& out_size, const Block& out, const ConstBlock& x,
                                     const ConstBlock& weights, const Window& w) {
  using namespace detail;
  auto image = depthwise_image<DepthwiseKind<LoadEvery, 0>>;
  if (w.stride[1] * x.stride[3] == 1) {
    image = w.size[1] == 3 ? depthwise_image<DepthwiseKind<LoadRun, 3>>
                           : depthwise_image<DepthwiseKind<LoadRun, 0>>;
  }
  for (std::int64_t n = 0; n < out_size[0]; ++n) {
    for (std::int64_t c = 0; c < out_size[1]; ++c) {
      image({out_size, out.data + n * out.stride[0] + c * out.stride[1], out.stride,
             x.data + n * x.stride[0] + c * x.stride[1], x.stride, weights.data + c * weights.stride[0],
             weights.stride, w});
    }
  }
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_CONVOLUTION_HPP
