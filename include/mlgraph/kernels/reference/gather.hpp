// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/gather.hpp computes.
#ifndef MLGRAPH_KERNELS_REFERENCE_GATHER_HPP
#define MLGRAPH_KERNELS_REFERENCE_GATHER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

template <class T>
void gather_rows(MatrixView<const T> table, Span<const std::int32_t> index, MatrixView<T> y) {
  for (std::int64_t i = 0; i < y.rows; ++i) {
    for (std::int64_t k = 0; k < y.cols; ++k) y(i, k) = table(index[i], k);
  }
}

template <class T>
void scatter_add_rows(MatrixView<const T> dy, Span<const std::int32_t> index, MatrixView<T> d_table) {
  for (std::int64_t i = 0; i < dy.rows; ++i) {
    for (std::int64_t k = 0; k < dy.cols; ++k) d_table(index[i], k) += dy(i, k);
  }
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_GATHER_HPP
