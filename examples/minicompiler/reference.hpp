// SPDX-License-Identifier: Apache-2.0
// The naive interpreter: row-major, one scalar loop per operation, sums in f64. Slow and clear: what every
// compiled choice is checked against.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_REFERENCE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_REFERENCE_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "ir.hpp"
#include "mlgraph/core/random.hpp"

namespace minicompiler {

/// One value, row-major.
using Tensor = std::vector<float>;

namespace detail {

/// What a random parameter has to be like for the program's values to stay moderate.
struct ParameterUse {
  std::int64_t depth = 1;           // products of it that are summed up
  bool should_be_positive = false;  // under a root or a logarithm, or a divisor
};

/// Of each instruction, by going back from its users.
[[nodiscard]] inline std::vector<ParameterUse> parameter_uses(const Program& program) {
  std::vector<ParameterUse> uses(program.instructions.size());
  for (std::size_t i = program.instructions.size(); i-- > 0;) {
    const Instruction& inst = program.instructions[i];
    if (inst.op == Op::kLog || inst.op == Op::kSqrt || inst.op == Op::kRsqrt)
      uses[inst.operands[0]].should_be_positive = true;
    if (inst.op == Op::kDivide) uses[inst.operands[1]].should_be_positive = true;
    if (is_heavy(inst.op))
      uses[inst.operands[1]].depth = num_flops(program, inst) / (2 * num_elements(inst.shape));
    if (is_view(inst.op) || inst.op == Op::kCopy || inst.op == Op::kAdd) {
      for (const std::size_t o : inst.operands) {
        uses[o].should_be_positive |= uses[i].should_be_positive;
        uses[o].depth = std::max(uses[o].depth, uses[i].depth);
      }
    }
  }
  return uses;
}

}  // namespace detail

/// Values for all parameters, in the order of the program: uniform in [-1, 1), those that a dot or a
/// convolution reads second scaled so that its sums stay near 1; in [0.5, 1.5) where they are divisors or under
/// a root.
[[nodiscard]] inline std::vector<Tensor> random_inputs(const Program& program, std::uint64_t seed) {
  mg::Rng rng(seed);
  std::vector<Tensor> inputs;
  const std::vector<detail::ParameterUse> uses = detail::parameter_uses(program);
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction& inst = program.instructions[i];
    if (inst.op != Op::kParameter) continue;
    // A uniform number in [-1, 1) has variance 1/3.
    const double scale = uses[i].depth == 1 ? 1 : std::sqrt(3 / static_cast<double>(uses[i].depth));
    Tensor& values = inputs.emplace_back(static_cast<std::size_t>(num_elements(inst.shape)));
    for (float& v : values) {
      const double u = rng.uniform(-1, 1);
      v = static_cast<float>(uses[i].should_be_positive ? 1 + u / 2 : scale * u);
    }
  }
  return inputs;
}

namespace detail {

/// Sizes, strides or an index of four dimensions; a value of a lower rank has ones in front.
using Four = std::array<std::int64_t, 4>;

[[nodiscard]] inline Four four_sizes(const Dims& shape) {
  Four sizes = {1, 1, 1, 1};
  std::copy_backward(shape.begin(), shape.end(), sizes.end());
  return sizes;
}

/// The row-major strides of the dimensions of a shape.
[[nodiscard]] inline Dims strides_of_rows(const Dims& shape) {
  Dims strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0; stride *= shape[d]) strides[d] = stride;
  return strides;
}

/// Calls body(count, offset) for every index of a shape in row-major order: the number of indices before it,
/// and sum of index[d] * strides[d].
template <class Body>
void for_each_index(const Dims& shape, const Dims& strides, Body&& body) {
  const Four size = four_sizes(shape);
  Four stride = {0, 0, 0, 0};
  std::copy_backward(strides.begin(), strides.end(), stride.end());
  std::size_t count = 0;
  for (std::int64_t i = 0; i < size[0]; ++i) {
    for (std::int64_t j = 0; j < size[1]; ++j) {
      for (std::int64_t k = 0; k < size[2]; ++k) {
        const std::int64_t row = i * stride[0] + j * stride[1] + k * stride[2];
        for (std::int64_t l = 0; l < size[3]; ++l) body(count++, static_cast<std::size_t>(row + l * stride[3]));
      }
    }
  }
}

/// Computes one instruction from the values before it.
class Reference {
 public:
  Reference(const Program& program, const Instruction& inst, const std::vector<Tensor>& values)
      : program_(program), inst_(inst), values_(values), out_(size(inst.shape)) {}

  Tensor run() {
    switch (inst_.op) {
      case Op::kConstant:
        out_[0] = inst_.value;
        break;
      case Op::kSelect:
        for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = input(0)[i] != 0 ? input(1)[i] : input(2)[i];
        break;
      case Op::kReshape:
        return input(0);  // row-major order stays
      case Op::kBroadcast:
      case Op::kTranspose:
      case Op::kSlice:
        view();
        break;
      case Op::kConcatenate:
        concatenate();
        break;
      case Op::kReduce:
        reduce();
        break;
      case Op::kReduceWindow:
        reduce_window();
        break;
      case Op::kDot:
        dot();
        break;
      case Op::kConvolution:
        convolution();
        break;
      default:
        is_unary(inst_.op) ? unary() : binary();
    }
    return std::move(out_);
  }

 private:
  static std::size_t size(const Dims& shape) { return static_cast<std::size_t>(num_elements(shape)); }
  [[nodiscard]] const Dims& shape(std::size_t i) const { return program_.operand(inst_, i).shape; }
  [[nodiscard]] const Tensor& input(std::size_t i) const { return values_[inst_.operands[i]]; }

  template <class F>
  void map(F f) {
    const float* const x = input(0).data();
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = f(x[i]);
  }
  template <class F>
  void map2(F f) {
    const float *const x = input(0).data(), *const y = input(1).data();
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = f(x[i], y[i]);
  }

  void unary() {
    switch (inst_.op) {
      case Op::kNegate:
        return map([](float x) { return -x; });
      case Op::kAbs:
        return map([](float x) { return std::abs(x); });
      case Op::kExponential:
        return map([](float x) { return std::exp(x); });
      case Op::kLog:
        return map([](float x) { return std::log(x); });
      case Op::kTanh:
        return map([](float x) { return std::tanh(x); });
      case Op::kLogistic:
        return map([](float x) { return 1 / (1 + std::exp(-x)); });
      case Op::kSqrt:
        return map([](float x) { return std::sqrt(x); });
      case Op::kRsqrt:
        return map([](float x) { return 1 / std::sqrt(x); });
      default:  // copy
        return map([](float x) { return x; });
    }
  }

  void binary() {
    switch (inst_.op) {
      case Op::kAdd:
        return map2([](float x, float y) { return x + y; });
      case Op::kSubtract:
        return map2([](float x, float y) { return x - y; });
      case Op::kMultiply:
        return map2([](float x, float y) { return x * y; });
      case Op::kDivide:
        return map2([](float x, float y) { return x / y; });
      case Op::kMaximum:
        return map2([](float x, float y) { return x > y ? x : y; });
      case Op::kMinimum:
        return map2([](float x, float y) { return x < y ? x : y; });
      default:
        return compare();
    }
  }
  void compare() {
    switch (inst_.comparison) {
      case Comparison::kEQ:
        return map2([](float x, float y) { return x == y ? 1.0f : 0.0f; });
      case Comparison::kNE:
        return map2([](float x, float y) { return x != y ? 1.0f : 0.0f; });
      case Comparison::kGE:
        return map2([](float x, float y) { return x >= y ? 1.0f : 0.0f; });
      case Comparison::kGT:
        return map2([](float x, float y) { return x > y ? 1.0f : 0.0f; });
      case Comparison::kLE:
        return map2([](float x, float y) { return x <= y ? 1.0f : 0.0f; });
      case Comparison::kLT:
        return map2([](float x, float y) { return x < y ? 1.0f : 0.0f; });
    }
  }

  void view() {
    const Dims x = strides_of_rows(shape(0));
    Dims strides(inst_.shape.size(), 0);
    std::int64_t begin = 0;
    for (std::size_t d = 0; d < x.size(); ++d) {
      if (inst_.op == Op::kBroadcast) {
        strides[static_cast<std::size_t>(inst_.dimensions[d])] = x[d];
      } else if (inst_.op == Op::kTranspose) {
        strides[d] = x[static_cast<std::size_t>(inst_.dimensions[d])];
      } else {  // slice
        strides[d] = x[d];
        begin += inst_.starts[d] * x[d];
      }
    }
    const float* const from = input(0).data() + begin;
    for_each_index(inst_.shape, strides, [&](std::size_t i, std::size_t offset) { out_[i] = from[offset]; });
  }

  void concatenate() {
    const auto along = static_cast<std::size_t>(inst_.dimensions[0]);
    const Dims strides = strides_of_rows(inst_.shape);
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < inst_.operands.size(); ++i) {
      float* const to = out_.data() + begin;
      const float* const x = input(i).data();
      for_each_index(shape(i), strides, [&](std::size_t k, std::size_t offset) { to[offset] = x[k]; });
      begin += shape(i)[along] * strides[along];
    }
  }

  void reduce() {
    const bool is_sum = inst_.reduce == ReduceKind::kSum;
    std::vector<double> total(out_.size(), is_sum ? 0 : -std::numeric_limits<double>::infinity());
    Dims strides(shape(0).size(), 0);  // of the result; 0 for a dimension that is reduced
    const Dims kept = strides_of_rows(inst_.shape);
    for (std::size_t d = 0, k = 0; d < strides.size(); ++d) {
      const auto& gone = inst_.dimensions;
      if (std::find(gone.begin(), gone.end(), static_cast<std::int64_t>(d)) == gone.end())
        strides[d] = kept[k++];
    }
    const float* const x = input(0).data();
    for_each_index(shape(0), strides, [&](std::size_t i, std::size_t offset) {
      const auto v = static_cast<double>(x[i]);
      total[offset] = is_sum ? total[offset] + v : std::max(total[offset], v);
    });
    for (std::size_t i = 0; i < out_.size(); ++i) out_[i] = static_cast<float>(total[i]);
  }

  /// Calls body(to, from) for each place (to) of a plane of the result whose window has at (r, s) a place
  /// (from) of a plane of the operand, not padding.
  template <class Body>
  void for_each_in_window(std::int64_t r, std::int64_t s, Body&& body) const {
    const Dims& x = shape(0);
    const Window& window = inst_.window;
    for (std::int64_t h = 0; h < inst_.shape[2]; ++h) {
      const std::int64_t row = h * window.stride[0] + r - window.padding_low[0];
      if (row < 0 || row >= x[2]) continue;
      for (std::int64_t w = 0; w < inst_.shape[3]; ++w) {
        const std::int64_t column = w * window.stride[1] + s - window.padding_low[1];
        if (column < 0 || column >= x[3]) continue;
        body(static_cast<std::size_t>(h * inst_.shape[3] + w), static_cast<std::size_t>(row * x[3] + column));
      }
    }
  }

  void reduce_window() {
    const bool is_sum = inst_.reduce == ReduceKind::kSum;
    const auto in_plane = static_cast<std::size_t>(shape(0)[2] * shape(0)[3]);
    const auto out_plane = static_cast<std::size_t>(inst_.shape[2] * inst_.shape[3]);
    std::vector<double> total(out_plane);
    for (std::size_t plane = 0; plane * out_plane < out_.size(); ++plane) {
      std::fill(total.begin(), total.end(), is_sum ? 0 : -std::numeric_limits<double>::infinity());
      const float* const x = input(0).data() + plane * in_plane;
      for (std::int64_t r = 0; r < inst_.window.size[0]; ++r) {
        for (std::int64_t s = 0; s < inst_.window.size[1]; ++s) {
          for_each_in_window(r, s, [&](std::size_t to, std::size_t from) {
            const auto v = static_cast<double>(x[from]);
            total[to] = is_sum ? total[to] + v : std::max(total[to], v);
          });
        }
      }
      for (std::size_t i = 0; i < out_plane; ++i) out_[plane * out_plane + i] = static_cast<float>(total[i]);
    }
  }

  void dot() {
    const Dims& a = shape(0);
    const auto columns = static_cast<std::size_t>(inst_.shape.back()),
               depth = static_cast<std::size_t>(a.back());
    const auto rows = static_cast<std::size_t>(a[a.size() - 2]);
    std::vector<double> sum(columns);
    for (std::size_t r = 0; r * columns < out_.size(); ++r) {  // of all batches
      std::fill(sum.begin(), sum.end(), 0);
      const float* y = input(1).data() + r / rows * depth * columns;
      for (std::size_t k = 0; k < depth; ++k, y += columns) {
        const auto x = static_cast<double>(input(0)[r * depth + k]);
        for (std::size_t c = 0; c < columns; ++c) sum[c] += x * static_cast<double>(y[c]);
      }
      for (std::size_t c = 0; c < columns; ++c) out_[r * columns + c] = static_cast<float>(sum[c]);
    }
  }

  void convolution() {
    const Dims &x = shape(0), &kernel = shape(1);
    const std::int64_t in_plane = x[2] * x[3], out_plane = inst_.shape[2] * inst_.shape[3];
    std::vector<double> sum(static_cast<std::size_t>(out_plane));
    for (std::int64_t plane = 0; plane < inst_.shape[0] * inst_.shape[1]; ++plane) {
      const std::int64_t image = plane / inst_.shape[1], o = plane % inst_.shape[1];
      const std::int64_t first_channel = inst_.groups == 1 ? 0 : o;
      const float* w = input(1).data() + o * kernel[1] * kernel[2] * kernel[3];
      std::fill(sum.begin(), sum.end(), 0);
      for (std::int64_t i = 0; i < kernel[1]; ++i) {
        const float* const from = input(0).data() + (image * x[1] + first_channel + i) * in_plane;
        for (std::int64_t r = 0; r < kernel[2]; ++r) {
          for (std::int64_t s = 0; s < kernel[3]; ++s) {
            const auto weight = static_cast<double>(*w++);
            for_each_in_window(r, s, [&](std::size_t to, std::size_t at) {
              sum[to] += weight * static_cast<double>(from[at]);
            });
          }
        }
      }
      std::transform(sum.begin(), sum.end(), out_.begin() + plane * out_plane,
                     [](double v) { return static_cast<float>(v); });
    }
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
