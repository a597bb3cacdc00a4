// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/gemm_kernel.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "kernels/gemm_fixture.hpp"

namespace {

using namespace mlgraph;
using kernels::detail::LeftLayout;
using mlgraph::testing::equal_products;
using mlgraph::testing::random_matrix;
using mlgraph::testing::TestMatrix;

TEST_CASE_TEMPLATE("panels cover the columns, as equal as can be", T, float, double) {
  using kernels::detail::Panels;
  CHECK(Panels<T>(0).num == 0);
  for (std::int64_t cols = 1; cols < 300; ++cols) {
    CAPTURE(cols);
    const Panels<T> panels(cols);
    std::int64_t next = 0;
    for (std::int64_t p = 0; p < panels.num; ++p) {
      CHECK(panels.begin(p) == next);
      CHECK((panels.vectors(p) >= 1 && panels.vectors(p) <= kernels::detail::kMaxTileVectors));
      CHECK(panels.vectors(0) - panels.vectors(p) <= 1);
      next += panels.vectors(p);
    }
    CHECK(next == panels.num_vectors);
    CHECK((next * kernels::kLanes<T> >= cols && (next - 1) * kernels::kLanes<T> < cols));
  }
}

/// One panel of `rows` rows, `cols` columns and sums of `depth`, beside the reference's product.
template <LeftLayout kLayout, class T>
void check_panel(std::int64_t rows, std::int64_t cols, std::int64_t depth, bool accumulate) {
  constexpr bool kRows = kLayout == LeftLayout::kRows;
  const TestMatrix<T> a = kRows ? random_matrix<T>(rows, depth, 1) : random_matrix<T>(depth, rows, 1);
  const std::int64_t vectors = (cols + kernels::kLanes<T> - 1) / kernels::kLanes<T>;
  const TestMatrix<T> b = random_matrix<T>(depth, vectors * kernels::kLanes<T>, 2, 0);
  TestMatrix<T> c = random_matrix<T>(rows, cols, 3);
  TestMatrix<T> expected = c;
  kernels::detail::TileArgs<T> args{};
  args.a = a.values.data();
  args.a_stride = a.stride;
  args.b = b.values.data();
  args.b_stride = b.stride;
  args.c = c.values.data();
  args.c_stride = c.stride;
  args.depth = depth;
  args.last_lanes = cols - (vectors - 1) * kernels::kLanes<T>;
  args.accumulate = accumulate;
  const MatrixView<const T> right = b.view().col_block(0, cols);
  if constexpr (kRows) {
    kernels::detail::gemm_panel<kLayout>(args, vectors, rows);
    reference::gemm_nn<T>(a.view(), right, expected.view(), accumulate);
  } else {
    kernels::detail::gemm_column_panel(args, vectors, rows);
    reference::gemm_tn<T>(a.view(), right, expected.view(), accumulate);
  }
  CHECK(equal_products(c, expected));
}

TEST_CASE_TEMPLATE("a panel of any rows and columns is the reference's chain of fma, and no more is written", T,
                   float, double) {
  constexpr std::int64_t kWidest = kernels::detail::kMaxTileVectors * kernels::kLanes<T>;
  for (std::int64_t rows = 1; rows <= kernels::detail::kRowGroup; ++rows) {
    for (std::int64_t cols = 1; cols <= kWidest; cols += cols % kernels::kLanes<T> == 0 ? 1 : 3) {
      for (const std::int64_t depth : {1, 21, 40}) {
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(depth);
        check_panel<LeftLayout::kRows, T>(rows, cols, depth, rows % 2 == 0);
        check_panel<LeftLayout::kColumns, T>(rows, cols, depth, rows % 2 == 1);
      }
    }
  }
}

}  // namespace
