// SPDX-License-Identifier: Apache-2.0
// Small random graphs and matrices for kernel tests.
#ifndef MLGRAPH_TESTS_KERNELS_CSR_FIXTURE_HPP
#define MLGRAPH_TESTS_KERNELS_CSR_FIXTURE_HPP

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph::testing {

inline constexpr std::int64_t kWidths[] = {1, 3, 16, 17, 64, 100, 128, 130};
inline constexpr kernels::Reduce kReduces[] = {kernels::Reduce::kSum, kernels::Reduce::kMean,
                                               kernels::Reduce::kMax};

/// A CSR matrix with its transpose, owned.
struct TestCsr {
  std::vector<std::int32_t> row_ptr, col;
  std::vector<std::int32_t> transposed_row_ptr, transposed_col, transposed_to_csr;

  [[nodiscard]] CsrView csr() const { return {row_ptr, col}; }
  [[nodiscard]] CsrView transposed() const { return {transposed_row_ptr, transposed_col}; }
  [[nodiscard]] AdjacencyView adjacency() const { return {csr(), transposed(), transposed_to_csr}; }
  [[nodiscard]] std::int64_t num_edges() const { return static_cast<std::int64_t>(col.size()); }
};

/// From (row, column) pairs in any order: pairs of one row keep their order.
inline TestCsr make_csr(std::int32_t num_rows, std::int32_t num_cols,
                        const std::vector<std::pair<std::int32_t, std::int32_t>>& edges) {
  std::vector<std::vector<std::int32_t>> by_row(static_cast<std::size_t>(num_rows));
  for (const auto& [row, column] : edges) by_row[static_cast<std::size_t>(row)].push_back(column);

  TestCsr g;
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> by_col(static_cast<std::size_t>(num_cols));
  g.row_ptr.push_back(0);
  for (std::int32_t row = 0; row < num_rows; ++row) {
    for (const std::int32_t column : by_row[static_cast<std::size_t>(row)]) {
      by_col[static_cast<std::size_t>(column)].emplace_back(row, static_cast<std::int32_t>(g.col.size()));
      g.col.push_back(column);
    }
    g.row_ptr.push_back(static_cast<std::int32_t>(g.col.size()));
  }
  g.transposed_row_ptr.push_back(0);
  for (const auto& entries : by_col) {
    for (const auto& [row, position] : entries) {
      g.transposed_col.push_back(row);
      g.transposed_to_csr.push_back(position);
    }
    g.transposed_row_ptr.push_back(static_cast<std::int32_t>(g.transposed_col.size()));
  }
  return g;
}

/// Random edges, repeated ones included. Every fourth row and column has no edges, so that isolated nodes are
/// everywhere, and row 1 is a hub with a quarter of all edges.
inline TestCsr random_csr(std::int32_t num_rows, std::int32_t num_cols, std::int32_t num_edges,
                          std::uint64_t seed) {
  std::vector<std::pair<std::int32_t, std::int32_t>> edges;
  Rng rng(seed);
  while (num_rows > 1 && num_cols > 1 && static_cast<std::int32_t>(edges.size()) < num_edges) {
    auto row = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_rows)));
    const auto column = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(num_cols)));
    if (edges.size() % 4 == 3) row = 1;
    if (row % 4 != 0 && column % 4 != 0) edges.emplace_back(row, column);
  }
  return make_csr(num_rows, num_cols, edges);
}

/// A matrix with rows `stride` apart, filled with random values, the gaps included.
template <class T>
struct SparseTestMatrix {
  std::vector<T> values;
  std::int64_t rows, cols, stride;

  SparseTestMatrix(std::int64_t r, std::int64_t c, std::uint64_t seed, std::int64_t extra_stride = 0)
      : values(random_values<T>(r * (c + extra_stride), seed, -1, 1)),
        rows(r),
        cols(c),
        stride(c + extra_stride) {}

  [[nodiscard]] MatrixView<T> view() { return {values.data(), rows, cols, stride}; }
  [[nodiscard]] MatrixView<const T> view() const { return {values.data(), rows, cols, stride}; }
};

/// The sum of the products of two matrices' elements.
inline double inner(const MatrixView<const double>& a, const MatrixView<const double>& b) {
  double sum = 0;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c) sum += a(r, c) * b(r, c);
  }
  return sum;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_KERNELS_CSR_FIXTURE_HPP
