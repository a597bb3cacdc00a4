// SPDX-License-Identifier: Apache-2.0
// The naive interpreter: row-major, one scalar loop per operation. Slow and clear: what every compiled choice
// is checked against.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REFERENCE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REFERENCE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "ir.hpp"
#include "layout.hpp"
#include "mlgraph/core/random.hpp"

namespace minicompiler {

/// One value, row-major.
using Tensor = std::vector<float>;

/// Values for all parameters, in the order of the program: uniform in [-1, 1), scaled so that sums of products
/// stay near 1.
[[nodiscard]] inline std::vector<Tensor> random_inputs(const Program& program, std::uint64_t seed) {
  mg::Rng rng(seed);
  std::vector<Tensor> inputs;
  for (const Instruction& inst : program.instructions) {
    if (inst.op != Op::kParameter) continue;
    std::int64_t fan_in = 1;
    if (inst.shape.size() >= 2) fan_in = num_elements(inst.shape) / std::max(inst.shape[0], inst.shape.back());
    const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
    Tensor& values = inputs.emplace_back(static_cast<std::size_t>(num_elements(inst.shape)));
    for (float& v : values) v = static_cast<float>(scale * rng.uniform(-1, 1));
  }
  return inputs;
}

namespace detail {

/// Calls body(index) for every index of a shape, the last dimension fastest.
template <class Body>
void for_each_index(const Dims& shape, Body&& body) {
  Dims index(shape.size(), 0);
  for (;;) {
    body(static_cast<const Dims&>(index));
    std::size_t d = shape.size();
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

[[nodiscard]] inline std::size_t offset_of(const Dims& strides, const Dims& index) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < strides.size(); ++d) offset += strides[d] * index[d];
  return static_cast<std::size_t>(offset);
}

class Reference {
 public:
  Reference(const Program& program, const Instruction& inst, const std::vector<Tensor>& values)
      : program_(program), inst_(inst), values_(values), out_(size(inst.shape)) {}

  Tensor run() {
    if (is_unary(inst_.op) || is_binary(inst_.op)) return elementwise();
    switch (inst_.op) {
      case Op::kDot:
        return dot();
      case Op::kConvolution:
        return convolution();
      case Op::kBroadcast:
        return broadcast();
      case Op::kReduce:
        return reduce();
      case Op::kTranspose:
        return transpose();
      case Op::kSoftmax:
        return softmax();
      case Op::kLayerNorm:
        return layer_norm();
      default:
        return input(0);  // reshape: row-major order stays
    }
  }

 private:
  static std::size_t size(const Dims& shape) { return static_cast<std::size_t>(num_elements(shape)); }
  [[nodiscard]] const Dims& shape(std::size_t i) const { return program_.operand(inst_, i).shape; }
  [[nodiscard]] const Tensor& input(std::size_t i) const { return values_[inst_.operands[i]]; }
  static Dims row_major(const Dims& shape) { return strides_of(shape, Layout::row_major(shape.size())); }

  Tensor elementwise() {
    const Tensor& x = input(0);
    const Tensor& y = is_binary(inst_.op) ? input(1) : x;
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = apply(x[i], y[i]);
    return std::move(out_);
  }
  [[nodiscard]] float apply(float x, float y) const {
    switch (inst_.op) {
      case Op::kAdd:
        return x + y;
      case Op::kSubtract:
        return x - y;
      case Op::kMultiply:
        return x * y;
      case Op::kDivide:
        return x / y;
      case Op::kMaximum:
        return x > y ? x : y;
      case Op::kRelu:
        return x > 0 ? x : 0;
      case Op::kExponential:
        return std::exp(x);
      case Op::kTanh:
        return std::tanh(x);
      default:
        return 1 / (1 + std::exp(-x));
    }
  }

  Tensor dot() {
    const Dims& a = shape(0);
    const std::int64_t columns = inst_.shape.back(), depth = a.back();
    const std::int64_t rows = a[a.size() - 2];
    const std::int64_t num_rows = num_elements(inst_.shape) / columns;  // of all batches
    for (std::int64_t r = 0; r < num_rows; ++r) {
      const std::int64_t batch = r / rows;
      for (std::int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += static_cast<double>(input(0)[static_cast<std::size_t>(r * depth + k)]) *
                 static_cast<double>(input(1)[static_cast<std::size_t>((batch * depth + k) * columns + c)]);
        }
        out_[static_cast<std::size_t>(r * columns + c)] = static_cast<float>(sum);
      }
    }
    return std::move(out_);
  }

  Tensor convolution() {
    const Dims &x = shape(0), &w = shape(1);
    const Dims x_stride = row_major(x), w_stride = row_major(w), out_stride = row_major(inst_.shape);
    const Window& window = inst_.window;
    for_each_index(inst_.shape, [&](const Dims& at) {
      const std::int64_t first_channel = inst_.groups == 1 ? 0 : at[1];
      double sum = 0;
      for (std::int64_t i = 0; i < w[1]; ++i) {
        for (std::int64_t r = 0; r < w[2]; ++r) {
          for (std::int64_t s = 0; s < w[3]; ++s) {
            const std::int64_t h = at[2] * window.stride[0] + r - window.padding_low[0];
            const std::int64_t v = at[3] * window.stride[1] + s - window.padding_low[1];
            if (h < 0 || h >= x[2] || v < 0 || v >= x[3]) continue;
            sum += static_cast<double>(input(0)[offset_of(x_stride, {at[0], first_channel + i, h, v})]) *
                   static_cast<double>(input(1)[offset_of(w_stride, {at[1], i, r, s})]);
          }
        }
      }
      out_[offset_of(out_stride, at)] = static_cast<float>(sum);
    });
    return std::move(out_);
  }

  Tensor broadcast() {
    const Dims x_stride = row_major(shape(0)), out_stride = row_major(inst_.shape);
    for_each_index(inst_.shape, [&](const Dims& at) {
      Dims from;
      for (const std::int64_t d : inst_.dimensions) from.push_back(at[static_cast<std::size_t>(d)]);
      out_[offset_of(out_stride, at)] = input(0)[offset_of(x_stride, from)];
    });
    return std::move(out_);
  }

  Tensor reduce() {
    const bool is_sum = inst_.reduce == ReduceKind::kSum;
    std::vector<double> total(out_.size(), is_sum ? 0 : -std::numeric_limits<double>::infinity());
    const Dims x_stride = row_major(shape(0)), out_stride = row_major(inst_.shape);
    for_each_index(shape(0), [&](const Dims& at) {
      Dims to;
      for (std::size_t d = 0; d < at.size(); ++d) {
        const auto& gone = inst_.dimensions;
        if (std::find(gone.begin(), gone.end(), static_cast<std::int64_t>(d)) == gone.end())
          to.push_back(at[d]);
      }
      double& t = total[offset_of(out_stride, to)];
      const auto v = static_cast<double>(input(0)[offset_of(x_stride, at)]);
      t = is_sum ? t + v : std::max(t, v);
    });
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = static_cast<float>(total[i]);
    return std::move(out_);
  }

  Tensor transpose() {
    const Dims x_stride = row_major(shape(0)), out_stride = row_major(inst_.shape);
    for_each_index(inst_.shape, [&](const Dims& at) {
      Dims from(at.size());
      for (std::size_t d = 0; d < at.size(); ++d) from[static_cast<std::size_t>(inst_.dimensions[d])] = at[d];
      out_[offset_of(out_stride, at)] = input(0)[offset_of(x_stride, from)];
    });
    return std::move(out_);
  }

  Tensor softmax() {
    const auto width = static_cast<std::size_t>(inst_.shape.back());
    for (std::size_t begin = 0; begin < out_.size(); begin += width) {
      const float* const x = input(0).data() + begin;
      const float most = *std::max_element(x, x + width);
      double sum = 0;
      for (std::size_t i = 0; i < width; ++i) sum += std::exp(static_cast<double>(x[i] - most));
      for (std::size_t i = 0; i < width; ++i)
        out_[begin + i] = static_cast<float>(std::exp(static_cast<double>(x[i] - most)) / sum);
    }
    return std::move(out_);
  }

  Tensor layer_norm() {
    const auto width = static_cast<std::size_t>(inst_.shape.back());
    for (std::size_t begin = 0; begin < out_.size(); begin += width) {
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < width; ++i) mean += static_cast<double>(input(0)[begin + i]);
      mean /= static_cast<double>(width);
      for (std::size_t i = 0; i < width; ++i) {
        const double d = static_cast<double>(input(0)[begin + i]) - mean;
        variance += d * d / static_cast<double>(width);
      }
      for (std::size_t i = 0; i < width; ++i) {
        const double z = (static_cast<double>(input(0)[begin + i]) - mean) / std::sqrt(variance + 1e-5);
        out_[begin + i] =
            static_cast<float>(z * static_cast<double>(input(1)[i]) + static_cast<double>(input(2)[i]));
      }
    }
    return std::move(out_);
  }

  const Program& program_;
  const Instruction& inst_;
  const std::vector<Tensor>& values_;
  Tensor out_;
};

}  // namespace detail

/// The values of all instructions, row-major. `inputs`: one for each parameter, in the order of the program.
[[nodiscard]] inline std::vector<Tensor> interpret(const Program& program, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> values;
  std::size_t next = 0;
  for (const Instruction& inst : program.instructions) {
    if (inst.op == Op::kParameter) {
      values.push_back(inputs[next++]);
    } else {
      values.push_back(detail::Reference(program, inst, values).run());
    }
  }
  return values;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_REFERENCE_HPP
