// SPDX-License-Identifier: Apache-2.0
// Slow and clear: what kernels/spmm.hpp and kernels/spmm_heads.hpp compute.
#ifndef MLGRAPH_KERNELS_REFERENCE_SPMM_HPP
#define MLGRAPH_KERNELS_REFERENCE_SPMM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace reference {

/// a * b + c, rounded once where the machine has such an instruction, as the SIMD kernels do.
template <class T>
T multiply_add(T a, T b, T c) {
#if MLGRAPH_DETAIL_FMA
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

/// The sums start from the first term, not from 0 (they differ for -0), where nothing is multiplied.
template <class T>
void spmm(kernels::Reduce reduce, CsrView csr, Span<const T> edge_weight, MatrixView<const T> x,
          MatrixView<T> y, Span<std::int32_t> argmax, bool accumulate) {
  const std::int64_t num_rows = csr.num_rows();
  const std::int64_t num_copies = num_rows == 0 ? 0 : y.rows / num_rows;
  const std::int64_t num_sources = num_copies == 0 ? 0 : x.rows / num_copies;
  for (std::int64_t row = 0; row < num_copies * num_rows; ++row) {
    const std::int64_t copy = row / num_rows;
    const auto i = static_cast<std::size_t>(row % num_rows);
    for (std::int64_t k = 0; k < y.cols; ++k) {
      T result = 0;
      std::int32_t best = -1;
      for (std::int32_t e = csr.row_ptr[i]; e < csr.row_ptr[i + 1]; ++e) {
        const auto edge = static_cast<std::size_t>(e);
        const T value = x(copy * num_sources + csr.col[edge], k);
        const bool is_first = e == csr.row_ptr[i];
        if (reduce == kernels::Reduce::kMax) {
          const T weighted = edge_weight.empty() ? value : multiply_add(edge_weight[edge], value, T(0));
          if (is_first || (!(result >= weighted) && !std::isnan(result))) {
            result = weighted;
            best = e;
          }
        } else if (edge_weight.empty()) {
          result = is_first ? value : result + value;
        } else {
          result = multiply_add(edge_weight[edge], value, result);
        }
      }
      const std::int32_t degree = csr.row_ptr[i + 1] - csr.row_ptr[i];
      if (reduce == kernels::Reduce::kMean && degree > 0) result /= static_cast<T>(degree);
      y(row, k) = accumulate ? y(row, k) + result : result;
      if (!argmax.empty()) argmax[row * y.cols + k] = best;
    }
  }
}

template <class T>
void spmm_backward(kernels::Reduce reduce, const AdjacencyView& adjacency, Span<const T> edge_weight,
                   MatrixView<const T> dy, Span<const std::int32_t> argmax, MatrixView<T> dx, bool accumulate) {
  const CsrView transposed = adjacency.transposed;
  const std::int64_t num_rows = transposed.num_rows();
  const std::int64_t num_outputs = adjacency.csr.num_rows();
  for (std::int64_t row = 0; row < dx.rows; ++row) {
    const std::int64_t copy = row / num_rows;
    const auto j = static_cast<std::size_t>(row % num_rows);
    for (std::int64_t k = 0; k < dx.cols; ++k) {
      T sum = 0;
      for (std::int32_t p = transposed.row_ptr[j]; p < transposed.row_ptr[j + 1]; ++p) {
        const std::int32_t i = transposed.col[p];
        const std::int32_t e = adjacency.transposed_to_csr[p];
        const std::int64_t from = copy * num_outputs + i;
        T gradient = dy(from, k);
        T weight = edge_weight.empty() ? T(1) : edge_weight[e];
        if (reduce == kernels::Reduce::kMax) {
          if (argmax[from * dy.cols + k] != e) gradient = 0;
        } else if (reduce == kernels::Reduce::kMean) {
          weight /= static_cast<T>(adjacency.csr.degree(i));
        }
        sum = multiply_add(weight, gradient, sum);
      }
      dx(row, k) = accumulate ? dx(row, k) + sum : sum;
    }
  }
}

/// Calls `body(copy, i, e, j, w)` for every copy and edge e from j to i, with the row w of its weights: the
/// three kernels with heads do a line each.
template <class Body>
void for_edges_of_copies(CsrView csr, std::int64_t num_copies, std::int64_t num_weight_rows, const Body& body) {
  const bool is_shared = num_weight_rows == csr.num_edges();
  for (std::int64_t copy = 0; copy < num_copies; ++copy) {
    for (std::int32_t i = 0; i < csr.num_rows(); ++i) {
      for (std::int32_t p = 0; p < csr.degree(i); ++p) {
        const std::int32_t e = csr.row_ptr[i] + p;
        body(copy, i, csr.col[e], is_shared ? e : copy * csr.num_edges() + e);
      }
    }
  }
}

template <class T>
void clear(MatrixView<T> m) {
  for (std::int64_t r = 0; r < m.rows; ++r) {
    for (std::int64_t c = 0; c < m.cols; ++c) m(r, c) = 0;
  }
}

template <class T>
void spmm_heads(CsrView csr, MatrixView<const T> edge_weight, MatrixView<const T> x, MatrixView<T> y,
                bool accumulate) {
  if (!accumulate) clear(y);
  const std::int64_t num_copies = csr.num_rows() == 0 ? 0 : y.rows / csr.num_rows();
  const std::int64_t num_sources = num_copies == 0 ? 0 : x.rows / num_copies;
  const std::int64_t width = x.cols / edge_weight.cols;
  for_edges_of_copies(csr, num_copies, edge_weight.rows, [&](auto copy, auto i, auto j, auto w) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      y(copy * csr.num_rows() + i, k) += edge_weight(w, k / width) * x(copy * num_sources + j, k);
    }
  });
}

template <class T>
void spmm_heads_backward(const AdjacencyView& adjacency, MatrixView<const T> edge_weight,
                         MatrixView<const T> dy, MatrixView<T> dx, bool accumulate) {
  if (!accumulate) clear(dx);
  const CsrView csr = adjacency.csr;
  const std::int64_t num_copies = csr.num_rows() == 0 ? 0 : dy.rows / csr.num_rows();
  const std::int64_t num_sources = num_copies == 0 ? 0 : dx.rows / num_copies;
  const std::int64_t width = dx.cols / edge_weight.cols;
  for_edges_of_copies(csr, num_copies, edge_weight.rows, [&](auto copy, auto i, auto j, auto w) {
    for (std::int64_t k = 0; k < dx.cols; ++k) {
      dx(copy * num_sources + j, k) += edge_weight(w, k / width) * dy(copy * csr.num_rows() + i, k);
    }
  });
}

template <class T>
void spmm_heads_backward_weight(CsrView csr, MatrixView<const T> x, MatrixView<const T> dy, MatrixView<T> dw,
                                bool accumulate) {
  if (!accumulate) clear(dw);
  const std::int64_t num_copies = csr.num_rows() == 0 ? 0 : dy.rows / csr.num_rows();
  const std::int64_t num_sources = num_copies == 0 ? 0 : x.rows / num_copies;
  const std::int64_t width = x.cols / dw.cols;
  for_edges_of_copies(csr, num_copies, dw.rows, [&](auto copy, auto i, auto j, auto w) {
    for (std::int64_t k = 0; k < x.cols; ++k) {
      dw(w, k / width) += dy(copy * csr.num_rows() + i, k) * x(copy * num_sources + j, k);
    }
  });
}

}  // namespace reference
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_REFERENCE_SPMM_HPP
