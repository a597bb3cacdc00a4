// SPDX-License-Identifier: Apache-2.0
// Random programs that are one step of training, as automatic differentiation writes it.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TRAINING_FAMILY_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TRAINING_FAMILY_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "builder.hpp"
#include "layers.hpp"

namespace minicompiler::detail {

/// The forward half of a network, which notes for each layer how its gradient is made.
class Tape {
 public:
  explicit Tape(Layers& l) : l_(l), b_(l.builder()) {}

  Value dense(Value x, std::int64_t units) {
    const std::int64_t depth = l_.size(x, 1);
    const Value w = b_.parameter({depth, units}), bias = b_.parameter({units});
    const bool is_first = layers_.empty();  // nobody asks for the gradient of the input
    const Value y = b_.dot(x, w);
    layers_.push_back([=](Value dy) {
      updates_.push_back(update(w, b_.dot(b_.transpose(x, {1, 0}), dy)));
      updates_.push_back(update(bias, b_.reduce(dy, {0})));
      return is_first ? dy : b_.dot(dy, b_.transpose(w, {1, 0}));
    });
    return b_.add(y, b_.broadcast(bias, b_.shape(y), {1}));
  }

  /// Over the columns of each row (a layer norm), or the rows of each column (a batch norm).
  Value norm(Value x, std::int64_t dimension) {
    const Dims over = {dimension};
    const Value centered = b_.subtract(x, l_.spread(l_.mean(x, over), x, over));
    const Value variance = l_.mean(l_.square(centered), over);
    const Value factor = l_.spread(b_.unary(Op::kRsqrt, l_.shift(variance, 1e-5f)), x, over);
    const Value normal = b_.multiply(centered, factor);
    const Value gamma = b_.parameter({l_.size(x, 1)});
    layers_.push_back([=](Value dy) {
      updates_.push_back(update(gamma, b_.reduce(b_.multiply(dy, normal), {0})));
      const Value scaled = b_.multiply(dy, b_.broadcast(gamma, b_.shape(dy), {1}));
      const Value centered_gradient = b_.subtract(scaled, l_.spread(l_.mean(scaled, over), dy, over));
      const Value along_normal = l_.spread(l_.mean(b_.multiply(scaled, normal), over), dy, over);
      const Value rest = b_.subtract(centered_gradient, b_.multiply(normal, along_normal));
      return b_.multiply(rest, factor);
    });
    return b_.multiply(normal, b_.broadcast(gamma, b_.shape(x), {1}));
  }

  Value activation(Value x) {
    switch (l_.between(0, 4)) {
      case 0: {
        const Value y = b_.unary(Op::kTanh, x);
        layers_.push_back([=](Value dy) { return b_.multiply(dy, l_.from(1, l_.square(y))); });
        return y;
      }
      case 1: {
        const Value y = b_.unary(Op::kLogistic, x);
        layers_.push_back([=](Value dy) { return b_.multiply(dy, b_.multiply(y, l_.from(1, y))); });
        return y;
      }
      case 2: {  // softplus
        const Value y = l_.softplus(x);
        layers_.push_back([=](Value dy) { return b_.multiply(dy, b_.unary(Op::kLogistic, x)); });
        return y;
      }
      case 3: {  // silu
        const Value s = b_.unary(Op::kLogistic, x);
        layers_.push_back([=](Value dy) {
          const Value slope = b_.multiply(s, l_.shift(b_.multiply(x, l_.from(1, s)), 1));
          return b_.multiply(dy, slope);
        });
        return b_.multiply(x, s);
      }
      default:
        return gelu(x);
    }
  }

  /// Zero where a parameter is small: dropout, whose mask is read again in the backward half.
  Value dropout(Value x) {
    const Value noise = b_.parameter(b_.shape(x));
    const Value keep = b_.compare(Comparison::kGT, noise, l_.like(x, -0.6f));
    layers_.push_back([=](Value dy) { return l_.scale(b_.multiply(dy, keep), 1.25f); });
    return l_.scale(b_.multiply(x, keep), 1.25f);
  }

  /// Adds x to what the layers after position `begin` made of it, y.
  Value residual(Value x, Value y, std::size_t begin) {
    std::vector<std::function<Value(Value)>> inner(layers_.begin() + static_cast<std::ptrdiff_t>(begin),
                                                   layers_.end());
    layers_.resize(begin);
    layers_.push_back([=](Value dy) {
      Value dx = dy;
      for (std::size_t i = inner.size(); i-- > 0;) dx = inner[i](dx);
      return b_.add(dy, dx);
    });
    return b_.add(x, y);
  }

  [[nodiscard]] std::size_t position() const { return layers_.size(); }

  /// Goes back from the gradient of the result, and returns all parameters after a step.
  Value backward(Value dy) {
    for (std::size_t i = layers_.size(); i-- > 0;) dy = layers_[i](dy);
    return l_.flat(updates_);
  }

 private:
  Value gelu(Value x) {
    const Value squared = l_.square(x);
    const Value cubic = b_.add(x, l_.scale(b_.multiply(squared, x), 0.044715f));
    const Value t = b_.unary(Op::kTanh, l_.scale(cubic, 0.79788456f));
    const Value half = l_.scale(l_.shift(t, 1), 0.5f);
    layers_.push_back([=](Value dy) {
      const Value inner = l_.scale(l_.shift(l_.scale(squared, 0.134145f), 1), 0.39894228f);
      const Value slope = b_.multiply(b_.multiply(x, l_.from(1, l_.square(t))), inner);
      return b_.multiply(dy, b_.add(half, slope));
    });
    return b_.multiply(x, half);
  }

  /// A parameter after a step against its gradient: plain, or with the two moments of Adam.
  Value update(Value w, Value gradient) {
    if (!adam_) return b_.subtract(w, l_.scale(gradient, 0.01f));
    const Value first = l_.scale(b_.parameter(b_.shape(w)), 0.9f);
    const Value moment = b_.add(first, l_.scale(gradient, 0.1f));
    const Value second = l_.scale(l_.square(b_.parameter(b_.shape(w))), 0.99f);
    const Value squares = b_.add(second, l_.scale(l_.square(gradient), 0.01f));
    const Value root = l_.shift(b_.unary(Op::kSqrt, squares), 0.1f);
    return b_.subtract(w, l_.scale(b_.binary(Op::kDivide, moment, root), 0.01f));
  }

  Layers& l_;
  Builder& b_;
  bool adam_ = l_.chance(0.3);
  std::vector<std::function<Value(Value)>> layers_;
  std::vector<Value> updates_;
};

/// One step of training of a network of dense layers, as automatic differentiation writes it: the backward half
/// reads again what the forward half made, or makes it again.
inline void build_backward(Layers& l) {
  Builder& b = l.builder();
  const std::int64_t rows = l.log_between(512, 4096, 16);
  std::int64_t width = l.log_between(32, 256, 16);
  Tape tape(l);
  Value x = tape.dense(b.parameter({rows, l.log_between(32, 128, 16)}), width);
  const std::int64_t depth = l.repeat(1, 3);
  for (std::int64_t i = 0; i < depth; ++i) {
    const Value before = x;
    const std::size_t begin = tape.position();
    const bool residual = l.chance(0.4);
    if (l.chance(0.8)) x = tape.norm(x, l.between(0, 1));
    x = tape.activation(x);
    if (l.chance(0.25)) x = tape.dropout(x);
    if (!residual) width = l.log_between(32, 256, 16);
    x = tape.dense(x, width);
    if (residual) x = tape.residual(before, x, begin);
  }
  const float per_row = 1 / std::sqrt(static_cast<float>(rows));
  const Value target = b.parameter(b.shape(x));
  const Value guess = l.chance(0.5) ? l.softmax(x) : x;
  tape.backward(l.scale(b.subtract(guess, target), per_row));
}

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TRAINING_FAMILY_HPP
