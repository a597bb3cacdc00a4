// SPDX-License-Identifier: Apache-2.0
// What the tests of matrix products share: packed operands, and products of all orientations beside the
// reference.
#ifndef MLGRAPH_TESTS_KERNELS_GEMM_FIXTURE_HPP
#define MLGRAPH_TESTS_KERNELS_GEMM_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/reference/gemm.hpp"

namespace mlgraph::testing {

/// Where a multiply-add is rounded once, results are the bits of the reference.
#if MLGRAPH_DETAIL_FMA && !defined(MLGRAPH_GEMM_EIGEN)
inline constexpr bool kExactProducts = true;
#else
inline constexpr bool kExactProducts = false;
#endif

template <class T>
bool equal_products(const TestMatrix<T>& a, const TestMatrix<T>& b) {
  return max_error(a, b) <=
             (kExactProducts ? 0 : 2000 * static_cast<double>(std::numeric_limits<T>::epsilon())) &&
         a.gaps_untouched();
}

/// A packed matrix with its buffer, which has NaN after its last element.
template <class T>
struct Packed {
  std::vector<T> buffer;
  kernels::PackedMatrix<T> matrix;

  Packed(MatrixView<const T> b, bool transposed) {
    const std::int64_t k = transposed ? b.cols : b.rows;
    const std::int64_t m = transposed ? b.rows : b.cols;
    buffer.assign(static_cast<std::size_t>(kernels::packed_size<T>(k, m)) + 1,
                  std::numeric_limits<T>::quiet_NaN());
    matrix = transposed ? kernels::pack_transposed(b, buffer.data()) : kernels::pack(b, buffer.data());
  }
};

template <class T>
void check_products(std::int64_t n, std::int64_t k, std::int64_t m, bool accumulate) {
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(m);
  CAPTURE(accumulate);
  Arena arena;
  const auto a = random_matrix<T>(n, k, 1);
  const auto b = random_matrix<T>(k, m, 2);
  const auto b_transposed = random_matrix<T>(m, k, 3, 1);
  const auto gradient = random_matrix<T>(n, m, 4, 2);

  auto expected = random_matrix<T>(n, m, 5);
  auto nn = expected;
  auto packed = expected;
  reference::gemm_nn<T>(a.view(), b.view(), expected.view(), accumulate);
  kernels::gemm_nn<T>(a.view(), b.view(), nn.view(), accumulate, arena, nullptr);
  CHECK(equal_products(nn, expected));
  const Packed<T> b_packed(b.view(), false);
  CHECK(std::isnan(b_packed.buffer.back()));
  kernels::gemm_packed<T>(a.view(), b_packed.matrix, packed.view(), accumulate);
  CHECK(equal_products(packed, expected));

  auto expected_nt = random_matrix<T>(n, m, 6);
  auto nt = expected_nt;
  auto packed_nt = expected_nt;
  reference::gemm_nt<T>(a.view(), b_transposed.view(), expected_nt.view(), accumulate);
  kernels::gemm_nt<T>(a.view(), b_transposed.view(), nt.view(), accumulate, arena, nullptr);
  CHECK(equal_products(nt, expected_nt));
  const Packed<T> bt_packed(b_transposed.view(), true);
  CHECK(std::isnan(bt_packed.buffer.back()));
  kernels::gemm_packed<T>(a.view(), bt_packed.matrix, packed_nt.view(), accumulate);
  CHECK(equal_products(packed_nt, expected_nt));

  auto expected_tn = random_matrix<T>(k, m, 7);
  auto tn = expected_tn;
  reference::gemm_tn<T>(a.view(), gradient.view(), expected_tn.view(), accumulate);
  kernels::gemm_tn<T>(a.view(), gradient.view(), tn.view(), accumulate, arena, nullptr);
  CHECK(equal_products(tn, expected_tn));
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_KERNELS_GEMM_FIXTURE_HPP
