// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/activation.hpp, elementwise.hpp and softmax.hpp compute.
#ifndef MLGRAPH_KERNELS_REFERENCE_ELEMENTWISE_HPP
#define MLGRAPH_KERNELS_REFERENCE_ELEMENTWISE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/activation.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

template <class T>
T sigmoid(T x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

/// The standard normal distribution function.
template <class T>
T normal_cdf(T x) {
  return std::erfc(-x / std::sqrt(T(2))) / 2;
}

template <class T>
T activate(kernels::Activation f, T slope, T x) {
  switch (f) {
    case kernels::Activation::kNone:
      return x;
    case kernels::Activation::kRelu:
      return x <= 0 ? T(0) : x;
    case kernels::Activation::kLeakyRelu:
      return x <= 0 ? slope * x : x;
    case kernels::Activation::kGelu:
      return x * normal_cdf(x);
    case kernels::Activation::kSilu:
      return x * sigmoid(x);
    case kernels::Activation::kSigmoid:
      return sigmoid(x);
    case kernels::Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

/// f'(x)
template <class T>
T activate_derivative(kernels::Activation f, T slope, T x) {
  const T s = sigmoid(x);
  switch (f) {
    case kernels::Activation::kNone:
      return 1;
    case kernels::Activation::kRelu:
      return x <= 0 ? T(0) : T(1);
    case kernels::Activation::kLeakyRelu:
      return x <= 0 ? slope : T(1);
    case kernels::Activation::kGelu:
      return normal_cdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(T(-1)));
    case kernels::Activation::kSilu:
      return s + x * s * (1 - s);
    case kernels::Activation::kSigmoid:
      return s * (1 - s);
    case kernels::Activation::kTanh:
      return 1 - std::tanh(x) * std::tanh(x);
  }
  return 1;
}

template <class T>
void dropout(const T* x, T* y, std::int64_t n, double p, std::uint64_t seed, bool accumulate) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t word = mix64(mix64(seed) ^ static_cast<std::uint64_t>(i / 256 * 128 + i % 128));
    const auto half = static_cast<std::uint32_t>(i % 256 < 128 ? word : word >> 32);
    const T v = half * 0x1.0p-32 < p ? T(0) : x[i] * static_cast<T>(1 / (1 - p));
    y[i] = accumulate ? y[i] + v : v;
  }
}

template <class T>
void prelu(MatrixView<const T> x, Span<const T> slope, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.cols; ++c) {
      const T a = slope[slope.size() == 1 ? 0 : static_cast<std::size_t>(c)];
      y(r, c) = x(r, c) <= 0 ? a * x(r, c) : x(r, c);
    }
  }
}

template <class T>
void softmax_rows(MatrixView<const T> x, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    T sum = 0;
    const T largest = x.cols == 0 ? T(0) : *std::max_element(x.row(r), x.row(r) + x.cols);
    for (std::int64_t c = 0; c < x.cols; ++c) sum += std::exp(x(r, c) - largest);
    for (std::int64_t c = 0; c < x.cols; ++c) y(r, c) = std::exp(x(r, c) - largest) / sum;
  }
}

template <class T>
void log_softmax_rows(MatrixView<const T> x, MatrixView<T> y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    T sum = 0;
    const T largest = x.cols == 0 ? T(0) : *std::max_element(x.row(r), x.row(r) + x.cols);
    for (std::int64_t c = 0; c < x.cols; ++c) sum += std::exp(x(r, c) - largest);
    for (std::int64_t c = 0; c < x.cols; ++c) y(r, c) = x(r, c) - largest - std::log(sum);
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_ELEMENTWISE_HPP
