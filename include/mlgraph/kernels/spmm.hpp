// SPDX-License-Identifier: Apache-2.0
// Sparse times dense: every node gets the sum, mean or maximum of its neighbours' rows.
#ifndef MLGRAPH_KERNELS_SPMM_HPP
#define MLGRAPH_KERNELS_SPMM_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace kernels {
namespace detail {

/// Going back from a mean, the row of node i is divided by its number of neighbours; `weight` (null = 1) is in
/// the order of the CSR matrix and `to_csr` leads there.
template <class T>
struct BackwardWeight {
  const T* weight;
  const std::int32_t* to_csr;
  const std::int32_t* mean_row_ptr;  // null for a sum
  const std::int32_t* node;

  T operator()(std::int64_t p) const {
    const T w = weight == nullptr ? T(1) : weight[to_csr[p]];
    if (mean_row_ptr == nullptr) return w;
    const std::int32_t i = node[p];
    return w / static_cast<T>(mean_row_ptr[i + 1] - mean_row_ptr[i]);
  }
};

/// Calls `body(copy, begin, end)` for pieces of the rows [0, num_rows) of each copy, in parallel.
template <class Body>
void for_rows_of_copies(std::int64_t num_copies, std::int64_t num_rows, std::int64_t block, ThreadPool* pool,
                        const Body& body) {
  parallel_for(pool, num_copies * num_rows, block, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t copy = begin / num_rows;
      const std::int64_t stop = std::min(end, (copy + 1) * num_rows);
      body(copy, begin - copy * num_rows, stop - copy * num_rows);
      begin = stop;
    }
  });
}

/// Calls `body(row, first, last)` for the rows [begin, end) with the positions of their edges, while the rows
/// of `x` that the next edges read and the rows of `y` that come next are on their way from memory.
template <class T, class Body>
MLGRAPH_ALWAYS_INLINE void for_rows_ahead(const CsrView& csr, MatrixView<const T> x, MatrixView<T> y,
                                          std::int64_t begin, std::int64_t end, const Body& body) {
  const std::int32_t* const row_ptr = csr.row_ptr.data();
  const std::int32_t* const col = csr.col.data();
  const std::int64_t row_bytes = x.cols * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t stop = csr.num_edges();
  const std::int64_t distance = prefetch_distance<T>(x.cols);
  std::int64_t ahead = row_ptr[begin];
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t first = row_ptr[r];
    const std::int64_t last = row_ptr[r + 1];
    for (const std::int64_t until = std::min(last + distance, stop); ahead < until; ++ahead) {
      prefetch(x.row(col[ahead]), row_bytes);
    }
    if (r + kRowsAhead < y.rows) prefetch<true>(y.row(r + kRowsAhead), row_bytes);
    body(r, first, last);
  }
}

/// y[i] (+)= sum of weight(p) * x[csr.col[p]] for the rows [begin, end) of one copy. A block of columns is done
/// for all rows before the next one: what is the same for all rows then stays out of the loop over them.
template <class T, class Weight>
void spmm_sum_rows(bool mean, const CsrView& csr, const Weight& weight, MatrixView<const T> x, MatrixView<T> y,
                   bool accumulate, std::int64_t begin, std::int64_t end) {
  const IndexedRow row{csr.col.data()};
  for_column_blocks<T>(x.cols, [&](auto vectors, std::int64_t c, std::int64_t num_cols) {
    constexpr auto kVectors = static_cast<std::int64_t>(decltype(vectors)::value);
    // A constant, but for a last block shorter than a vector.
    const std::int64_t n = kVectors == 0 ? num_cols : kVectors * kLanes<T>;
    const MatrixView<const T> from = x.col_block(c, n);
    const MatrixView<T> to = y.col_block(c, n);
    for_rows_ahead(csr, from, to, begin, end,
                   [&](std::int64_t r, std::int64_t first, std::int64_t last) MLGRAPH_LAMBDA_INLINE {
                     if (first < last) {
                       const Finish<T> finish = mean ? Finish<T>::mean(last - first) : Finish<T>();
                       sum_block<decltype(vectors)::value>(first, last, row, weight, from.data, from.stride, n,
                                                           finish, accumulate, to.row(r));
                     } else if (!accumulate) {
                       clear_row(to.row(r), n);
                     }
                   });
  });
}

/// The same for maxima; with kArgmax, `argmax` is the (rows, cols) array of this copy.
template <bool kArgmax, class T, class Weight>
void spmm_max_rows(const CsrView& csr, const Weight& weight, MatrixView<const T> x, MatrixView<T> y,
                   std::int32_t* argmax, bool accumulate, std::int64_t begin, std::int64_t end) {
  const IndexedRow row{csr.col.data()};
  for_column_blocks<T>(x.cols, [&](auto vectors, std::int64_t c, std::int64_t num_cols) {
    constexpr auto kVectors = static_cast<std::int64_t>(decltype(vectors)::value);
    const std::int64_t n = kVectors == 0 ? num_cols : kVectors * kLanes<T>;
    const MatrixView<const T> from = x.col_block(c, n);
    const MatrixView<T> to = y.col_block(c, n);
    for_rows_ahead(csr, from, to, begin, end,
                   [&](std::int64_t r, std::int64_t first, std::int64_t last) MLGRAPH_LAMBDA_INLINE {
                     std::int32_t* const where = kArgmax ? argmax + r * y.cols + c : nullptr;
                     if (first < last) {
                       max_block<decltype(vectors)::value, kArgmax>(
                           first, last, row, weight, from.data, from.stride, n, accumulate, to.row(r), where);
                       return;
                     }
                     if (!accumulate) clear_row(to.row(r), n);
                     if (kArgmax) std::fill_n(where, n, -1);
                   });
  });
}

}  // namespace detail

/// Aggregates the neighbours of every node.
///
///   y[i] = reduce over e in [row_ptr[i], row_ptr[i + 1]) of w[e] * x[col[e]]      (no edges: 0)
///
/// A mean is the weighted sum divided by the number of edges. Sums run in the order of the edges.
///
/// Shapes: x (C * num_sources, F), y (C * csr.num_rows(), F): C copies of the node rows over one graph, one
///         below the other. edge_weight (E), empty = all 1. argmax (y.rows * F), kMax only, empty = not wanted:
///         the position in `csr` of the first largest element, -1 for a node without edges.
///         `accumulate` adds to y. x and y must not overlap.
/// Cost:   one read of E rows and one write of the nodes' rows per copy; no scratch.
template <class T>
void spmm(Reduce reduce, CsrView csr, Span<const T> edge_weight, MatrixView<const T> x, MatrixView<T> y,
          Span<std::int32_t> argmax, bool accumulate, ThreadPool* pool) {
  if (y.rows == 0 || y.cols == 0) return;
  const std::int64_t num_rows = csr.num_rows();
  MLGRAPH_ASSERT(num_rows > 0 && y.rows % num_rows == 0, "y has a multiple of the graph's number of rows");
  MLGRAPH_ASSERT(x.cols == y.cols, "x and y have the same number of columns");
  MLGRAPH_ASSERT(edge_weight.empty() || edge_weight.size() == csr.col.size(), "one weight per edge");
  MLGRAPH_ASSERT(argmax.empty() || signed_size(argmax) == y.size(), "argmax is like y");
  const std::int64_t num_copies = y.rows / num_rows;
  MLGRAPH_ASSERT(x.rows % num_copies == 0, "x has a multiple of the number of copies of rows");
  const std::int64_t num_sources = x.rows / num_copies;

  const auto piece = [&](std::int64_t copy, std::int64_t begin, std::int64_t end) {
    const MatrixView<const T> from = x.row_block(copy * num_sources, num_sources);
    const MatrixView<T> to = y.row_block(copy * num_rows, num_rows);
    std::int32_t* const where = argmax.empty() ? nullptr : argmax.data() + copy * num_rows * y.cols;
    const auto run = [&](const auto& weight) {
      if (reduce == Reduce::kMax && where == nullptr) {
        detail::spmm_max_rows<false>(csr, weight, from, to, where, accumulate, begin, end);
      } else if (reduce == Reduce::kMax) {
        detail::spmm_max_rows<true>(csr, weight, from, to, where, accumulate, begin, end);
      } else {
        detail::spmm_sum_rows(reduce == Reduce::kMean, csr, weight, from, to, accumulate, begin, end);
      }
    };
    if (edge_weight.empty()) {
      run(detail::UnitWeight());
    } else {
      run(detail::PositionWeight<T>{edge_weight.data()});
    }
  };
  detail::for_rows_of_copies(num_copies, num_rows, detail::rows_per_task(y.cols), pool, piece);
}

namespace detail {

/// One vector of n columns of dx[j]: the rows of dy at which the edge to j was the largest.
template <class T>
MLGRAPH_ALWAYS_INLINE void max_backward_block(const AdjacencyView& adjacency, const T* edge_weight,
                                              MatrixView<const T> dy, const std::int32_t* argmax,
                                              std::int64_t first, std::int64_t last, std::int64_t c,
                                              std::int64_t n, bool accumulate, T* out) {
  using Int = simd::as_integer_t<T>;
  const std::int32_t* const node = adjacency.transposed.col.data();
  const std::int32_t* const to_csr = adjacency.transposed_to_csr.data();
  Vec<T> sum(T(0));
  for (std::int64_t p = first; p < last; ++p) {
    const std::int64_t i = node[p];
    const std::int32_t e = to_csr[p];
    const IndexVec<T> where = load_index_n<T>(argmax + i * dy.cols + c, n);
    const auto chosen = mask_cast<T>(where == IndexVec<T>(static_cast<Int>(e)));
    const Vec<T> g = simd::select(chosen, load_n(dy.row(i) + c, n), Vec<T>(T(0)));
    sum = edge_weight == nullptr ? sum + g : multiply_add<T>(Vec<T>(edge_weight[e]), g, sum);
  }
  store_n(out + c, accumulate ? load_n(out + c, n) + sum : sum, n);
}

}  // namespace detail

/// The gradient of spmm() with respect to x, gathered over the transposed graph: no scatter, no atomics.
///
///   dx[j] (+)= sum over edges e of node j, j -> i, of w[e] * dy[i]     (kMean: w[e] / degree(i); kMax: where
///                                                                       argmax[i] is e)
///
/// Shapes: dy (C * csr.num_rows(), F), dx (C * transposed.num_rows(), F); argmax as spmm() left it, kMax only.
///         `accumulate` adds to dx. dx and dy must not overlap.
/// Cost:   as spmm().
template <class T>
void spmm_backward(Reduce reduce, const AdjacencyView& adjacency, Span<const T> edge_weight,
                   MatrixView<const T> dy, Span<const std::int32_t> argmax, MatrixView<T> dx, bool accumulate,
                   ThreadPool* pool) {
  if (dx.rows == 0 || dx.cols == 0) return;
  const CsrView transposed = adjacency.transposed;
  const std::int64_t num_rows = transposed.num_rows();
  const std::int64_t num_outputs = adjacency.csr.num_rows();
  MLGRAPH_ASSERT(num_rows > 0 && dx.rows % num_rows == 0, "dx has a multiple of the graph's number of rows");
  MLGRAPH_ASSERT(dx.cols == dy.cols, "dx and dy have the same number of columns");
  MLGRAPH_ASSERT(dy.rows == dx.rows / num_rows * num_outputs, "dy has as many copies as dx");
  MLGRAPH_ASSERT(edge_weight.empty() || edge_weight.size() == transposed.col.size(), "one weight per edge");
  MLGRAPH_ASSERT(reduce != Reduce::kMax || signed_size(argmax) == dy.size(), "argmax is like dy");

  const T* const w = edge_weight.empty() ? nullptr : edge_weight.data();
  const auto piece = [&](std::int64_t copy, std::int64_t begin, std::int64_t end) {
    const MatrixView<const T> from = dy.row_block(copy * num_outputs, num_outputs);
    const MatrixView<T> to = dx.row_block(copy * num_rows, num_rows);
    if (reduce == Reduce::kMax) {
      const std::int32_t* const where = argmax.data() + copy * num_outputs * dy.cols;
      detail::for_rows_ahead(
          transposed, from, to, begin, end, [&](std::int64_t r, std::int64_t first, std::int64_t last) {
            for_each_piece<T>(to.cols, [&](std::int64_t c, std::int64_t n) {
              detail::max_backward_block(adjacency, w, from, where, first, last, c, n, accumulate, to.row(r));
            });
          });
    } else if (reduce == Reduce::kSum && w == nullptr) {
      detail::spmm_sum_rows(false, transposed, detail::UnitWeight(), from, to, accumulate, begin, end);
    } else {
      const bool mean = reduce == Reduce::kMean;
      const detail::BackwardWeight<T> weight{w, adjacency.transposed_to_csr.data(),
                                             mean ? adjacency.csr.row_ptr.data() : nullptr,
                                             transposed.col.data()};
      detail::spmm_sum_rows(false, transposed, weight, from, to, accumulate, begin, end);
    }
  };
  detail::for_rows_of_copies(dx.rows / num_rows, num_rows, detail::rows_per_task(dx.cols), pool, piece);
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_KERNELS_SPMM_HPP
