// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/attention.hpp computes.
#ifndef MLGRAPH_KERNELS_REFERENCE_ATTENTION_HPP
#define MLGRAPH_KERNELS_REFERENCE_ATTENTION_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// y[c, n, k] = x[c, n, k] * softmax over c of x[c, n, k] / temperature; row c * N + n is node n of
/// configuration c.
template <class T>
void cross_config_attention(MatrixView<const T> x, std::int64_t num_configs, T temperature, MatrixView<T> y) {
  const std::int64_t num_nodes = x.rows / num_configs;
  for (std::int64_t n = 0; n < num_nodes; ++n) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      T largest = x(n, k);
      for (std::int64_t c = 1; c < num_configs; ++c) largest = std::max(largest, x(c * num_nodes + n, k));
      T sum = 0;
      for (std::int64_t c = 0; c < num_configs; ++c) {
        sum += std::exp((x(c * num_nodes + n, k) - largest) / temperature);
      }
      for (std::int64_t c = 0; c < num_configs; ++c) {
        const T v = x(c * num_nodes + n, k);
        y(c * num_nodes + n, k) = v * std::exp((v - largest) / temperature) / sum;
      }
    }
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_ATTENTION_HPP
