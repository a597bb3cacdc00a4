// SPDX-License-Identifier: Apache-2.0
// A reshape as loops over common factors of both shapes, so that it is a copy between two strided arrays.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_RESHAPE_FACTORS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_RESHAPE_FACTORS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ir.hpp"

namespace minicompiler {

/// Both shapes cut into common factors above 1, so that each is a list of neighbouring ones: (6, 20) and (6, 4,
/// 5) give (6, 4, 5). Empty where there are none, as of (4, 6) and (3, 8), and for single elements.
[[nodiscard]] inline Dims common_factors(const Dims& a, const Dims& b) {
  Dims factors;
  std::size_t i = 0, j = 0;
  std::int64_t left_a = 1, left_b = 1;
  while (i < a.size() || j < b.size() || left_a > 1 || left_b > 1) {
    if (left_a == 1 && i < a.size()) left_a = a[i++];
    if (left_b == 1 && j < b.size()) left_b = b[j++];
    const std::int64_t factor = std::min(left_a, left_b);
    const std::int64_t rest = std::max(left_a, left_b);
    if (factor == 1 && rest > 1) continue;  // a dimension of size 1
    if (rest % factor != 0) return {};
    factors.push_back(factor);
    left_a /= factor;
    left_b /= factor;
  }
  factors.erase(std::remove(factors.begin(), factors.end(), 1), factors.end());
  return factors;
}

/// Strides of the factors of a shape, whose own strides are given.
[[nodiscard]] inline Dims factor_strides(const Dims& factors, const Dims& shape, const Dims& strides) {
  Dims result(factors.size(), 0);
  std::size_t f = factors.size();
  for (std::size_t d = shape.size(); d-- > 0;) {
    std::int64_t stride = strides[d];
    for (std::int64_t left = shape[d]; left > 1;) {
      --f;
      result[f] = stride;
      stride *= factors[f];
      left /= factors[f];
    }
  }
  return result;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_RESHAPE_FACTORS_HPP
