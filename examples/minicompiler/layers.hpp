// SPDX-License-Identifier: Apache-2.0
// Layers: the decomposed patterns that programs are made of (norms, softmax, activations, dense and convolution
// layers), with the random choices that make programs different.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_LAYERS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_LAYERS_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "builder.hpp"
#include "mlgraph/core/random.hpp"

namespace minicompiler {

/// The number of instructions that compute: no parameters, constants or views.
[[nodiscard]] inline std::size_t num_operators(const Program& program) {
  const auto computes = [](const Instruction& inst) { return !is_source(inst.op) && !is_view(inst.op); };
  return static_cast<std::size_t>(
      std::count_if(program.instructions.begin(), program.instructions.end(), computes));
}

/// Composes operators that HLO has not, as HLO has them: by reductions, broadcasts and elementwise operators.
/// Values stay moderate, so that a result means something in f32. Two values are never made in one call's
/// arguments, whose order compilers choose.
class Layers {
 public:
  /// `repeats`: how many times more blocks than usual a program has.
  Layers(std::string name, mg::Rng rng, std::int64_t repeats = 1)
      : b_(std::move(name)), rng_(rng), repeats_(repeats), output_first_(chance(0.5)) {}

  Builder& builder() { return b_; }
  [[nodiscard]] std::size_t num_operators() const { return minicompiler::num_operators(b_.program()); }
  /// The size of a dimension; 1 after an error, which build() tells.
  [[nodiscard]] std::int64_t size(Value v, std::size_t dimension) const {
    const Dims shape = b_.shape(v);
    return dimension < shape.size() ? shape[dimension] : 1;
  }

  // Choices.

  std::int64_t pick(std::initializer_list<std::int64_t> values) {
    return values.begin()[rng_.below(values.size())];
  }
  Value pick(const std::vector<Value>& values) { return values[rng_.below(values.size())]; }
  /// Uniform in [low, high], in steps.
  std::int64_t between(std::int64_t low, std::int64_t high, std::int64_t step = 1) {
    return low +
           step * static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>((high - low) / step + 1)));
  }
  /// A multiple of `step` near a number in [low, high] whose logarithm is uniform.
  std::int64_t log_between(std::int64_t low, std::int64_t high, std::int64_t step = 1) {
    // low (high / low)^u by the bits of u, of roots alone: pow differs from one system to another.
    double x = static_cast<double>(low), factor = static_cast<double>(high) / x;
    for (std::uint64_t bits = rng_.below(1 << 16), i = 0; i < 16; ++i, bits >>= 1) {
      factor = std::sqrt(factor);
      if ((bits & 1) != 0) x *= factor;
    }
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(x) / step) * step;
  }
  bool chance(double p) { return rng_.uniform() < p; }
  float between_floats(double low, double high) { return static_cast<float>(rng_.uniform(low, high)); }
  /// How many blocks: in [low, high], more in a long program.
  std::int64_t repeat(std::int64_t low, std::int64_t high) { return between(low * repeats_, high * repeats_); }

  // Constants and statistics, spread over the shape of a value.

  Value like(Value x, float c) { return b_.broadcast(b_.constant(c), b_.shape(x), {}); }
  Value scale(Value x, float c) { return b_.multiply(x, like(x, c)); }
  Value shift(Value x, float c) { return b_.add(x, like(x, c)); }
  Value square(Value x) { return b_.multiply(x, x); }
  /// c - x.
  Value from(float c, Value x) { return b_.subtract(like(x, c), x); }
  /// A parameter with one number for each index of a dimension of x.
  Value along(Value x, std::int64_t dimension) {
    return b_.broadcast(b_.parameter({size(x, static_cast<std::size_t>(dimension))}), b_.shape(x), {dimension});
  }
  /// What a reduction of x over `gone` made, over the shape of x again.
  Value spread(Value statistic, Value x, const Dims& gone) {
    Dims kept;
    for (std::int64_t d = 0; d < static_cast<std::int64_t>(b_.shape(x).size()); ++d) {
      if (std::find(gone.begin(), gone.end(), d) == gone.end()) kept.push_back(d);
    }
    return b_.broadcast(statistic, b_.shape(x), std::move(kept));
  }
  Value mean(Value x, const Dims& over) {
    std::int64_t count = 1;
    for (const std::int64_t d : over) count *= size(x, static_cast<std::size_t>(d));
    return scale(b_.reduce(x, over), 1 / static_cast<float>(count));
  }
  [[nodiscard]] Dims last(Value x) const { return {static_cast<std::int64_t>(b_.shape(x).size()) - 1}; }

  // Norms; over the dimensions `over`.

  /// (x - mean) / sqrt(variance + 1e-3), which does not make noise of what is nearly constant.
  Value standardize(Value x, const Dims& over) {
    const Value centered = b_.subtract(x, spread(mean(x, over), x, over));
    const Value variance = mean(square(centered), over);
    return b_.multiply(centered, spread(b_.unary(Op::kRsqrt, shift(variance, 1e-3f)), x, over));
  }
  /// The same in one pass: the mean of squares less the square of the mean.
  Value standardize_one_pass(Value x, const Dims& over) {
    const Value center = mean(x, over);
    const Value squares = mean(square(x), over);
    const Value variance = b_.subtract(squares, square(center));
    const Value bounded = b_.binary(Op::kMaximum, variance, like(variance, 0));
    const Value factor = b_.unary(Op::kRsqrt, shift(bounded, 1e-2f));
    const Value centered = b_.subtract(x, spread(center, x, over));
    return b_.multiply(centered, spread(factor, x, over));
  }
  Value affine(Value x, std::int64_t dimension) {
    const Value scaled = b_.multiply(x, along(x, dimension));
    return b_.add(scaled, along(x, dimension));
  }
  Value layer_norm(Value x) { return affine(standardize(x, last(x)), last(x)[0]); }
  Value rms_norm(Value x) {
    const Value factor = b_.unary(Op::kRsqrt, shift(mean(square(x), last(x)), 1e-5f));
    const Value scaled = b_.multiply(x, spread(factor, x, last(x)));
    return b_.multiply(scaled, along(x, last(x)[0]));
  }
  Value softmax(Value x, const Dims& over) {
    const Value most = b_.reduce(x, over, ReduceKind::kMaximum);
    const Value e = b_.unary(Op::kExponential, b_.subtract(x, spread(most, x, over)));
    return b_.binary(Op::kDivide, e, spread(b_.reduce(e, over), x, over));
  }
  Value softmax(Value x) { return softmax(x, last(x)); }
  Value log_softmax(Value x) {
    const Value most = b_.reduce(x, last(x), ReduceKind::kMaximum);
    const Value less = b_.subtract(x, spread(most, x, last(x)));
    const Value sum = b_.reduce(b_.unary(Op::kExponential, less), last(x));
    return b_.subtract(less, spread(b_.unary(Op::kLog, sum), x, last(x)));
  }
  /// Batch norm with known statistics, of (N, C, H, W): folded into a scale and an offset, or as frameworks
  /// export it.
  Value batch_norm(Value x) {
    if (chance(0.6)) return affine(x, 1);
    const Value variance = b_.parameter({size(x, 1)});
    const Value factor = b_.unary(Op::kRsqrt, shift(variance, 1e-3f));
    const Value centered = b_.subtract(x, along(x, 1));
    const Value scaled = b_.multiply(centered, b_.broadcast(factor, b_.shape(x), {1}));
    return affine(scaled, 1);
  }

  // Activations.

  Value relu(Value x) { return b_.binary(Op::kMaximum, x, like(x, 0)); }
  Value clamp(Value x, float low, float high) {
    const Value above = b_.binary(Op::kMaximum, x, like(x, low));
    return b_.binary(Op::kMinimum, above, like(x, high));
  }
  Value hard_sigmoid(Value x) { return scale(clamp(shift(x, 3), 0, 6), 1.0f / 6); }
  Value hard_swish(Value x) { return b_.multiply(x, hard_sigmoid(x)); }
  Value silu(Value x) { return b_.multiply(x, b_.unary(Op::kLogistic, x)); }
  Value gelu(Value x) {
    const Value cubic = b_.add(x, scale(b_.multiply(square(x), x), 0.044715f));
    const Value t = b_.unary(Op::kTanh, scale(cubic, 0.79788456f));
    const Value half = scale(x, 0.5f);
    return b_.multiply(half, shift(t, 1));
  }
  /// log(1 + exp(x)), which does not overflow.
  Value softplus(Value x) {
    const Value e = b_.unary(Op::kExponential, b_.unary(Op::kNegate, b_.unary(Op::kAbs, x)));
    const Value rest = b_.unary(Op::kLog, shift(e, 1));
    return b_.add(rest, relu(x));
  }
  Value activation(Value x) {
    switch (between(0, 6)) {
      case 0:
        return b_.unary(Op::kTanh, x);
      case 1:
        return silu(x);
      case 2:
        return gelu(x);
      case 3:
        return hard_swish(x);
      case 4:
        return softplus(x);
      default:
        return relu(x);
    }
  }

  // Elementwise operators at random; |result| is at most about |x|.

  /// One or two operators that cost about what their memory costs.
  Value cheap(Value x) {
    switch (between(0, 5)) {
      case 0:
        return scale(x, between_floats(-1.2, 1.2));
      case 1:
        return b_.add(x, along(x, last(x)[0]));
      case 2:
        return b_.multiply(x, along(x, between(0, last(x)[0])));
      case 3:
        return b_.unary(Op::kAbs, x);
      case 4:
        return clamp(x, -2, 2);
      default:
        return b_.subtract(x, like(x, between_floats(-1, 1)));
    }
  }
  /// One to three operators with an exponential, a logarithm, a root or a division.
  Value dear(Value x) {
    switch (between(0, 7)) {
      case 0:
        return b_.unary(Op::kTanh, x);
      case 1:
        return b_.unary(Op::kLogistic, x);
      case 2:
        return b_.unary(Op::kExponential, b_.unary(Op::kNegate, square(x)));
      case 3:
        return b_.binary(Op::kDivide, x, shift(b_.unary(Op::kAbs, x), 1));
      case 4:
        return b_.unary(Op::kLog, shift(square(x), 1));
      case 5:
        return b_.unary(Op::kSqrt, shift(square(x), 0.25f));
      case 6:
        return b_.unary(Op::kExponential, b_.unary(Op::kTanh, x));
      default:
        return silu(x);
    }
  }
  /// At least `operators` elementwise operators, most of them dear.
  Value chain(Value x, std::int64_t operators) {
    const std::size_t enough = num_operators() + static_cast<std::size_t>(operators);
    while (num_operators() < enough && b_.status().ok()) x = chance(0.6) ? dear(x) : cheap(x);
    return x;
  }

  // Dots and convolutions.

  /// W (K, N), stored so or as (N, K), as frameworks differ.
  Value weight(std::int64_t depth, std::int64_t units) {
    return output_first_ ? b_.transpose(b_.parameter({units, depth}), {1, 0}) : b_.parameter({depth, units});
  }
  /// x (M, K) -> x W + bias, (M, units).
  Value dense(Value x, std::int64_t units) {
    const Value y = b_.dot(x, weight(size(x, 1), units));
    return b_.add(y, along(y, 1));
  }
  /// A window of this size that keeps the size of an image, or halves it.
  static Window same(std::int64_t height, std::int64_t width, std::int64_t stride = 1) {
    Window window;
    window.size = {height, width};
    window.stride = {stride, stride};
    window.padding_low = {(height - 1) / 2, (width - 1) / 2};
    window.padding_high = {height / 2, width / 2};
    return window;
  }
  /// x (N, C, H, W) -> (N, channels, H, W) without a bias.
  Value convolution(Value x, std::int64_t channels, std::int64_t size_of_kernel, std::int64_t stride = 1) {
    const Value kernel = b_.parameter({channels, size(x, 1), size_of_kernel, size_of_kernel});
    return b_.convolution(x, kernel, same(size_of_kernel, size_of_kernel, stride));
  }
  /// A kernel for each channel.
  Value depthwise(Value x, std::int64_t height, std::int64_t width, std::int64_t stride = 1) {
    const Value kernel = b_.parameter({size(x, 1), 1, height, width});
    // One channel in one group is an ordinary convolution.
    return b_.convolution(x, kernel, same(height, width, stride), size(x, 1));
  }
  Value mean_window(Value x, std::int64_t height, std::int64_t width) {
    return scale(b_.reduce_window(x, same(height, width)), 1 / static_cast<float>(height * width));
  }

  /// One value with all elements of some: their elements in a row.
  Value flat(const std::vector<Value>& values) {
    std::vector<Value> pieces;
    for (const Value v : values) pieces.push_back(b_.reshape(v, {num_elements(b_.shape(v))}));
    return pieces.size() == 1 ? pieces[0] : b_.concatenate(pieces, 0);
  }

 private:
  Builder b_;
  mg::Rng rng_;
  std::int64_t repeats_;
  bool output_first_;  // of this program's weights
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_LAYERS_HPP
