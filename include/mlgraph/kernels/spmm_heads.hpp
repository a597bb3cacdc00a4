// SPDX-License-Identifier: Apache-2.0
// Sparse times dense with one weight per edge and attention head: what GAT aggregates with.
#ifndef MLGRAPH_KERNELS_SPMM_HEADS_HPP
#define MLGRAPH_KERNELS_SPMM_HEADS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/fixed_tree.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

/// The weights of one head, in the order of the CSR matrix, seen from the transposed one.
template <class T>
struct TransposedWeight {
  const T* values;
  std::int64_t stride;
  const std::int32_t* to_csr;
  T operator()(std::int64_t p) const { return values[to_csr[p] * stride]; }
};

/// The weights of one copy: all of them where the copies share them.
template <class T>
MatrixView<T> weights_of_copy(MatrixView<T> weight, std::int64_t num_edges, std::int64_t copy) {
  return weight.rows == num_edges ? weight : weight.row_block(copy * num_edges, num_edges);
}

/// y[i, head h] (+)= sum over edges of make_weight(copy, h)(p) * x[col[p], head h].
template <class T, class MakeWeight>
void gather_heads(const CsrView& csr, std::int64_t num_heads, std::int64_t num_copies, MatrixView<const T> x,
                  MatrixView<T> y, bool accumulate, ThreadPool* pool, const MakeWeight& make_weight) {
  const std::int64_t num_rows = csr.num_rows();
  const std::int64_t num_sources = x.rows / num_copies;
  const std::int64_t width = x.cols / num_heads;
  const IndexedRow row{csr.col.data()};
  const auto piece = [&](std::int64_t copy, std::int64_t begin, std::int64_t end) {
    const MatrixView<const T> from = x.row_block(copy * num_sources, num_sources);
    const MatrixView<T> to = y.row_block(copy * num_rows, num_rows);
    for_rows_ahead(csr, from, to, begin, end, [&](std::int64_t r, std::int64_t first, std::int64_t last) {
      if (first == last) {
        if (!accumulate) clear_row(to.row(r), to.cols);
        return;
      }
      for (std::int64_t h = 0; h < num_heads; ++h) {
        sum_rows(first, last, row, make_weight(copy, h), from.data + h * width, from.stride, width, Finish<T>(),
                 accumulate, to.row(r) + h * width);
      }
    });
  };
  for_rows_of_copies(num_copies, num_rows, rows_per_task(y.cols), pool, piece);
}

/// a . b by four interleaved chains: a fixed tree, which depends on n alone.
template <class T>
T row_dot(const T* a, const T* b, std::int64_t n) {
  constexpr std::int64_t kL = kLanes<T>;
  Vec<T> sum[4] = {Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0))};
  std::int64_t i = 0;
  for (; i + 4 * kL <= n; i += 4 * kL) {
    unroll(std::make_index_sequence<4>(),
           [&](auto v) { sum[v] = multiply_add<T>(load(a + i + v * kL), load(b + i + v * kL), sum[v]); });
  }
  for_each_piece<T>(n - i, [&](std::int64_t j, std::int64_t m) {
    sum[0] = multiply_add<T>(load_n(a + i + j, m), load_n(b + i + j, m), sum[0]);
  });
  return reduce_add(merge_chains(sum));
}

}  // namespace detail

/// Aggregates neighbours with one weight per edge and head.
///
///   y[i, h, :] (+)= sum over e in [row_ptr[i], row_ptr[i + 1]) of w[e, h] * x[col[e], h, :]
///
/// Shapes: edge_weight (E, H), the same for all copies, or (C * E, H); x (C * num_sources, H * D),
///         y (C * csr.num_rows(), H * D), heads side by side. `accumulate` adds to y.
/// Cost:   as spmm().
/// Source: Velickovic et al., arXiv:1710.10903, equation 5.
template <class T>
void spmm_heads(CsrView csr, MatrixView<const T> edge_weight, MatrixView<const T> x, MatrixView<T> y,
                bool accumulate, ThreadPool* pool) {
  if (y.rows == 0 || y.cols == 0) return;
  MLGRAPH_ASSERT(csr.num_rows() > 0 && y.rows % csr.num_rows() == 0,
                 "y has a multiple of the graph's number of rows");
  MLGRAPH_ASSERT(x.cols == y.cols && edge_weight.cols > 0 && x.cols % edge_weight.cols == 0,
                 "x and y have the same number of columns, a multiple of the number of heads");
  const std::int64_t num_copies = y.rows / csr.num_rows();
  const std::int64_t num_edges = csr.num_edges();
  MLGRAPH_ASSERT(edge_weight.rows == num_edges || edge_weight.rows == num_copies * num_edges,
                 "edge_weight has a row per edge, or per copy and edge");
  detail::gather_heads(csr, edge_weight.cols, num_copies, x, y, accumulate, pool,
                       [&](std::int64_t copy, std::int64_t h) {
                         const MatrixView<const T> w = detail::weights_of_copy(edge_weight, num_edges, copy);
                         return detail::PositionWeight<T>{w.data + h, w.stride};
                       });
}

/// The gradient of spmm_heads() with respect to x, gathered over the transposed graph.
///
///   dx[j, h, :] (+)= sum over edges e of node j, j -> i, of w[e, h] * dy[i, h, :]
///
/// Shapes: as spmm_heads(); dx (C * transposed.num_rows(), H * D). `accumulate` adds to dx.
template <class T>
void spmm_heads_backward(const AdjacencyView& adjacency, MatrixView<const T> edge_weight,
                         MatrixView<const T> dy, MatrixView<T> dx, bool accumulate, ThreadPool* pool) {
  if (dx.rows == 0 || dx.cols == 0) return;
  const CsrView transposed = adjacency.transposed;
  MLGRAPH_ASSERT(transposed.num_rows() > 0 && dx.rows % transposed.num_rows() == 0,
                 "dx has a multiple of the graph's number of rows");
  MLGRAPH_ASSERT(dx.cols == dy.cols && edge_weight.cols > 0 && dx.cols % edge_weight.cols == 0,
                 "dx and dy have the same number of columns, a multiple of the number of heads");
  const std::int64_t num_copies = dx.rows / transposed.num_rows();
  const std::int64_t num_edges = transposed.num_edges();
  MLGRAPH_ASSERT(dy.rows == num_copies * adjacency.csr.num_rows(), "dy has as many copies as dx");
  MLGRAPH_ASSERT(edge_weight.rows == num_edges || edge_weight.rows == num_copies * num_edges,
                 "edge_weight has a row per edge, or per copy and edge");
  const std::int32_t* const to_csr = adjacency.transposed_to_csr.data();
  detail::gather_heads(transposed, edge_weight.cols, num_copies, dy, dx, accumulate, pool,
                       [&](std::int64_t copy, std::int64_t h) {
                         const MatrixView<const T> w = detail::weights_of_copy(edge_weight, num_edges, copy);
                         return detail::TransposedWeight<T>{w.data + h, w.stride, to_csr};
                       });
}

/// The gradient of spmm_heads() with respect to the weights.
///
///   dw[e, h] (+)= dy[i, h, :] . x[col[e], h, :], e an edge of row i     (summed over the copies if they share
///   w)
///
/// Shapes: as spmm_heads(); dw (E, H) or (C * E, H). `accumulate` adds to dw.
template <class T>
void spmm_heads_backward_weight(CsrView csr, MatrixView<const T> x, MatrixView<const T> dy, MatrixView<T> dw,
                                bool accumulate, ThreadPool* pool) {
  const std::int64_t num_heads = dw.cols;
  const std::int64_t num_edges = csr.num_edges();
  if (num_edges == 0 || num_heads == 0) return;
  MLGRAPH_ASSERT(x.cols == dy.cols && x.cols % num_heads == 0,
                 "x and dy have the same number of columns, a multiple of the number of heads");
  const std::int64_t num_rows = csr.num_rows();
  const std::int64_t num_copies = dy.rows / num_rows;
  const std::int64_t num_sources = num_copies == 0 ? 0 : x.rows / num_copies;
  const std::int64_t width = x.cols / num_heads;
  const std::int64_t num_groups = dw.rows / num_edges;  // 1 when the copies share the weights
  MLGRAPH_ASSERT(dw.rows == num_groups * num_edges && (num_groups == 1 || num_groups == num_copies),
                 "dw has a row per edge, or per copy and edge");
  const std::int64_t per_group = num_groups == 1 ? num_copies : 1;
  const std::int64_t block = detail::rows_per_task(x.cols * per_group);
  const auto piece = [&](std::int64_t group, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t e = csr.row_ptr.data()[i]; e < csr.row_ptr.data()[i + 1]; ++e) {
        T* const out = dw.row(group * num_edges + e);
        for (std::int64_t h = 0; h < num_heads; ++h) {
          T sum = 0;
          for (std::int64_t copy = group; copy < group + per_group; ++copy) {
            const T* const from = x.row(copy * num_sources + csr.col.data()[e]);
            sum += detail::row_dot(dy.row(copy * num_rows + i) + h * width, from + h * width, width);
          }
          out[h] = accumulate ? out[h] + sum : sum;
        }
      }
    }
  };
  detail::for_rows_of_copies(num_groups, num_rows, block, pool, piece);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SPMM_HEADS_HPP
