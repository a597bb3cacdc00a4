// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/arithmetic.hpp computes for each element, and its derivatives.
#ifndef MLGRAPH_KERNELS_REFERENCE_ARITHMETIC_HPP
#define MLGRAPH_KERNELS_REFERENCE_ARITHMETIC_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>

#include "mlgraph/core/config.hpp"
#include "mlgraph/kernels/reference/elementwise.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// d|x| / dx
template <class T>
T abs_derivative(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : T(0);
}

template <class T>
T minimum(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return a < b ? a : b;
}
template <class T>
T maximum(T a, T b) {
  return -minimum(-a, -b);
}
/// d min(a, b) / da
template <class T>
T minimum_derivative(T a, T b) {
  return a < b ? T(1) : a == b ? T(1) / 2 : T(0);
}
/// d max(a, b) / da
template <class T>
T maximum_derivative(T a, T b) {
  return minimum_derivative(-a, -b);
}

template <class T>
T clamp(T x, T low, T high) {
  return x < low ? low : x > high ? high : x;
}
template <class T>
T clamp_derivative(T x, T low, T high) {
  return x < low || x > high ? T(0) : T(1);
}

template <class T>
T softplus(T x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}
template <class T>
T softplus_derivative(T x) {
  return sigmoid(x);
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_ARITHMETIC_HPP
