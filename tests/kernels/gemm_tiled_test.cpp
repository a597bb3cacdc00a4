// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/config.hpp"

// With MLGRAPH_GEMM_EIGEN products are Eigen's, and what is tested here is not there.
#if !defined(MLGRAPH_GEMM_EIGEN)
#include "mlgraph/kernels/gemm_tiled.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "kernels/gemm_fixture.hpp"

namespace {

using namespace mlgraph;
using mlgraph::testing::check_products;
using mlgraph::testing::equal_products;
using mlgraph::testing::random_matrix;
using mlgraph::testing::TestMatrix;

TEST_CASE("work is cut by sizes alone") {
  namespace detail = kernels::detail;
  CHECK((detail::row_groups(1).num() == 1 && detail::row_groups(1023).num() == 1));
  CHECK((detail::row_groups(1024).num() == 2 && detail::row_groups(8191).num() == 15));
  CHECK((detail::row_groups(8192).num() == 16 && detail::row_groups(1 << 20).num() == 16));
  for (const std::int64_t depth : {0, 1, 64, 5000}) {
    for (const std::int64_t cols : {1, 17, 512}) {
      const std::int64_t rows = detail::gemm_rows_per_task<float>(depth, cols);
      CHECK(rows % detail::kRowGroup == 0);
      CHECK(rows >= 72);
      CHECK((rows == 72 || (rows - detail::kRowGroup) * depth * cols < detail::kMinTaskWork));
    }
  }
}

TEST_CASE("a right operand that is packed, read as it is or copied gives the same steps") {
  namespace detail = kernels::detail;
  constexpr std::int64_t kL = kernels::kLanes<float>;
  const auto b = random_matrix<float>(9, 2 * kL, 1, 0);
  TestMatrix<float> transposed(2 * kL, 9);
  for (std::int64_t k = 0; k < 9; ++k) {
    for (std::int64_t m = 0; m < 2 * kL; ++m) transposed(m, k) = b(k, m);
  }
  const mlgraph::testing::Packed<float> packed(b.view(), false);
  const detail::PackedRight<float> from_packed{packed.matrix, 2};
  const detail::PlainRight<float> from_plain{b.view().row_block(2, 7)};
  detail::CopiedRight<float, false> copied(b.view().row_block(2, 7));
  detail::CopiedRight<float, true> turned(MatrixView<const float>(transposed.view()).col_block(2, 7));
  const std::int64_t vectors = detail::Panels<float>(2 * kL).vectors(0);
  const auto same = [&](const detail::Piece<float>& piece) {
    for (std::int64_t k = 0; k < 4; ++k) {
      for (std::int64_t m = 0; m < vectors * kL; ++m) {
        if (piece.data[k * piece.stride + m] != b(2 + 3 + k, m)) return false;
      }
    }
    return true;
  };
  CHECK(same(from_packed.piece(0, vectors, 3, 4)));
  CHECK(same(from_plain.piece(0, vectors, 3, 4)));
  CHECK(same(copied.piece(0, vectors, 3, 4)));
  CHECK(same(turned.piece(0, vectors, 3, 4)));
}

TEST_CASE_TEMPLATE("products that are cut into panels, pieces and tasks keep the order of the chain", T, float,
                   double) {
  check_products<T>(3, 700, 5, true);      // a sum of several pieces
  check_products<T>(7, 300, 200, false);   // several panels of several pieces
  check_products<T>(130, 172, 80, true);   // panels of unequal width
  check_products<T>(500, 20, 16, false);   // few columns, many rows
  check_products<T>(300, 64, 128, false);  // the right operand is read as it is by one, packed by the other
}

TEST_CASE_TEMPLATE("a long sum over rows is the ordered sum of groups of rows", T, float, double) {
  const std::int64_t n = 2500;
  const std::int64_t num_groups = 4;  // 2500 / 512
  const auto a = random_matrix<T>(n, 7, 1);
  const auto b = random_matrix<T>(n, 21, 2);
  auto c = random_matrix<T>(7, 21, 3);
  auto expected = c;
  TestMatrix<T> total(7, 21);
  for (std::int64_t g = 0; g < num_groups; ++g) {
    TestMatrix<T> part(7, 21);
    reference::gemm_tn<T>(a.view().row_block(g * 625, 625), b.view().row_block(g * 625, 625), part.view(),
                          false);
    for (std::size_t i = 0; i < part.values.size(); ++i) {
      total.values[i] = g == 0 ? part.values[i] : total.values[i] + part.values[i];
    }
  }
  for (std::int64_t i = 0; i < 7; ++i) {
    for (std::int64_t j = 0; j < 21; ++j) expected(i, j) += total(i, j);
  }
  Arena arena;
  kernels::gemm_tn<T>(a.view(), b.view(), c.view(), true, arena, nullptr);
  CHECK(equal_products(c, expected));
}

}  // namespace
#endif  // !MLGRAPH_GEMM_EIGEN
