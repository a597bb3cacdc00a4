// SPDX-License-Identifier: Apache-2.0
// Dots and convolutions as contractions: which loop becomes rows, columns and depth for the layouts at hand.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HEAVY_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HEAVY_HPP

#include <cstdint>
#include <utility>
#include <vector>

#include "contraction.hpp"
#include "ir.hpp"
#include "layout.hpp"

namespace minicompiler {

namespace detail {

/// 0, stride, 2 stride, ...
[[nodiscard]] inline std::vector<std::int64_t> steps(std::int64_t count, std::int64_t stride) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < count; ++i) offsets.push_back(i * stride);
  return offsets;
}

/// The image of a convolution after padding, and how its values lie.
[[nodiscard]] inline Dims padded_shape(const Dims& x, const Window& window) {
  return {x[0], x[1], x[2] + window.padding_low[0] + window.padding_high[0],
          x[3] + window.padding_low[1] + window.padding_high[1]};
}

}  // namespace detail

/// A contraction and which operands it reads as a and b.
struct HeavyKernel {
  Contraction contraction;
  bool swapped = false;  // a is the instruction's second operand
};

/// (M, K) x (K, N). Vectors run along the columns where the right side is contiguous in them, along the rows
/// where the left side is, or along the depth where both are contiguous in that.
[[nodiscard]] inline HeavyKernel dot_kernel(const Program& program, const Instruction& inst,
                                            const LayoutChoice& layouts) {
  const Dims &lhs = program.operand(inst, 0).shape, &rhs = program.operand(inst, 1).shape;
  const std::size_t row = lhs.size() - 2, column = lhs.size() - 1;
  const Dims l = strides_of(lhs, layouts.inputs[0]), r = strides_of(rhs, layouts.inputs[1]);
  const Dims out = strides_of(inst.shape, layouts.output);
  const std::int64_t m = lhs[row], depth = lhs[column], n = rhs[column];

  const bool columns = r[column] == 1 && (out[column] == 1 || l[row] != 1);
  const bool rows = !columns && l[row] == 1;
  HeavyKernel kernel;
  kernel.swapped = rows;
  Contraction& c = kernel.contraction;
  if (!columns && !rows && l[column] == 1 && r[row] == 1) c.vectorised = Vectorised::kDepth;
  if (kernel.swapped) {
    c.a_row = detail::steps(n, r[column]);
    c.c_row = detail::steps(n, out[column]);
    c.a_depth = detail::steps(depth, r[row]);
    c.b_depth = detail::steps(depth, l[column]);
    c.runs = {{0, 0, m}};
    c.b_column = l[row];
    c.c_column = out[row];
  } else {
    c.a_row = detail::steps(m, l[row]);
    c.c_row = detail::steps(m, out[row]);
    c.a_depth = detail::steps(depth, l[column]);
    c.b_depth = detail::steps(depth, r[row]);
    c.runs = {{0, 0, n}};
    c.b_column = r[column];
    c.c_column = out[column];
  }
  if (lhs.size() == 3) {
    c.batches.clear();
    for (std::int64_t i = 0; i < lhs[0]; ++i) {
      Contraction::Batch batch{i * l[0], i * r[0], i * out[0]};
      if (kernel.swapped) std::swap(batch.a, batch.b);
      c.batches.push_back(batch);
    }
  }
  return kernel;
}

namespace detail {

/// The strides of a convolution's values, and its loops.
class ConvolutionLoops {
 public:
  ConvolutionLoops(const Program& program, const Instruction& inst, const LayoutChoice& layouts)
      : inst_(inst),
        kernel_shape_(program.operand(inst, 1).shape),
        padded_(padded_shape(program.operand(inst, 0).shape, inst.window)),
        x_(strides_of(padded_, layouts.inputs[0])),
        w_(strides_of(kernel_shape_, layouts.inputs[1])),
        out_(strides_of(inst.shape, layouts.output)) {}

  [[nodiscard]] HeavyKernel kernel() const {
    const bool channels_last = x_[1] == 1 && padded_[1] > 1;
    if (inst_.groups > 1) return channels_last ? depthwise_channels() : depthwise_pixels();
    const bool kernel_output_last = w_[0] == 1 && kernel_shape_[0] > 1;
    return kernel_output_last || channels_last ? along_channels() : along_pixels();
  }

 private:
  /// Rows are pixels, columns the output channels.
  [[nodiscard]] HeavyKernel along_channels() const {
    HeavyKernel kernel;
    Contraction& c = kernel.contraction;
    for_each_pixel([&](std::int64_t x, std::int64_t out) {
      c.a_row.push_back(x);
      c.c_row.push_back(out);
    });
    add_depth(c.a_depth, c.b_depth);
    c.runs = {{0, 0, inst_.shape[1]}};
    c.b_column = w_[0];
    c.c_column = out_[1];
    const bool contiguous = kernel_shape_[2] == 1 && kernel_shape_[3] == 1 && x_[1] == 1 && w_[1] == 1;
    if (c.b_column != 1 && contiguous) c.vectorised = Vectorised::kDepth;
    return kernel;
  }

  /// Rows are output channels, columns the pixels of a row of the image; of a 1x1 convolution, all pixels.
  [[nodiscard]] HeavyKernel along_pixels() const {
    HeavyKernel kernel;
    kernel.swapped = true;
    Contraction& c = kernel.contraction;
    c.a_row = steps(inst_.shape[1], w_[0]);
    c.c_row = steps(inst_.shape[1], out_[1]);
    add_depth(c.b_depth, c.a_depth);
    add_pixel_runs(c);
    return kernel;
  }

  /// One channel after the other.
  [[nodiscard]] HeavyKernel depthwise_pixels() const {
    HeavyKernel kernel;
    kernel.swapped = true;
    Contraction& c = kernel.contraction;
    c.batches.clear();
    for (std::int64_t i = 0; i < inst_.shape[1]; ++i) c.batches.push_back({i * w_[0], i * x_[1], i * out_[1]});
    c.a_row = c.c_row = {0};
    add_depth(c.b_depth, c.a_depth);
    add_pixel_runs(c);
    return kernel;
  }

  /// Rows are pixels, columns the channels of image and kernel alike.
  [[nodiscard]] HeavyKernel depthwise_channels() const {
    HeavyKernel kernel = along_channels();
    kernel.contraction.vectorised = Vectorised::kLanes;
    return kernel;
  }

  template <class Body>
  void for_each_pixel(Body&& body) const {
    const Window& window = inst_.window;
    for (std::int64_t n = 0; n < inst_.shape[0]; ++n) {
      for (std::int64_t h = 0; h < inst_.shape[2]; ++h) {
        for (std::int64_t v = 0; v < inst_.shape[3]; ++v) {
          body(n * x_[0] + h * window.stride[0] * x_[2] + v * window.stride[1] * x_[3],
               n * out_[0] + h * out_[2] + v * out_[3]);
        }
      }
    }
  }
  /// Offsets of window and input channels in image and kernel.
  void add_depth(std::vector<std::int64_t>& image, std::vector<std::int64_t>& kernel) const {
    for (std::int64_t r = 0; r < kernel_shape_[2]; ++r) {
      for (std::int64_t s = 0; s < kernel_shape_[3]; ++s) {
        for (std::int64_t i = 0; i < kernel_shape_[1]; ++i) {
          image.push_back(i * x_[1] + r * x_[2] + s * x_[3]);
          kernel.push_back(i * w_[1] + r * w_[2] + s * w_[3]);
        }
      }
    }
  }
  void add_pixel_runs(Contraction& c) const {
    const Window& window = inst_.window;
    const std::int64_t width = inst_.shape[3], height = inst_.shape[2];
    c.b_column = window.stride[1] * x_[3];
    c.c_column = out_[3];
    const bool one_run = window.stride[0] * x_[2] == width * c.b_column && out_[2] == width * c.c_column;
    for (std::int64_t n = 0; n < inst_.shape[0]; ++n) {
      if (one_run) {
        c.runs.push_back({n * x_[0], n * out_[0], height * width});
        continue;
      }
      for (std::int64_t h = 0; h < height; ++h)
        c.runs.push_back({n * x_[0] + h * window.stride[0] * x_[2], n * out_[0] + h * out_[2], width});
    }
  }

  const Instruction& inst_;
  const Dims& kernel_shape_;
  Dims padded_;
  Dims x_, w_, out_;
};

}  // namespace detail

/// The image is read where detail::padded_shape() lies in its layout.
[[nodiscard]] inline HeavyKernel convolution_kernel(const Program& program, const Instruction& inst,
                                                    const LayoutChoice& layouts) {
  return detail::ConvolutionLoops(program, inst, layouts).kernel();
}

[[nodiscard]] inline HeavyKernel heavy_kernel(const Program& program, const Instruction& inst,
                                              const LayoutChoice& layouts) {
  return inst.op == Op::kDot ? dot_kernel(program, inst, layouts) : convolution_kernel(program, inst, layouts);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HEAVY_HPP
