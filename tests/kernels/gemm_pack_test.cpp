// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/config.hpp"

// With MLGRAPH_GEMM_EIGEN products are Eigen's, and what is tested here is not there.
#if !defined(MLGRAPH_GEMM_EIGEN)
#include "mlgraph/kernels/gemm_pack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/gemm_fixture.hpp"

namespace {

using namespace mlgraph;
using mlgraph::testing::Packed;
using mlgraph::testing::random_matrix;
using mlgraph::testing::TestMatrix;

/// Element (k, m) of a packed matrix, by the layout that PackedMatrix documents.
template <class T>
T packed_element(const kernels::PackedMatrix<T>& b, std::int64_t k, std::int64_t m) {
  const kernels::detail::Panels<T> panels(b.cols);
  std::int64_t p = 0;
  while (p + 1 < panels.num && m >= panels.begin(p + 1) * kernels::kLanes<T>) ++p;
  const std::int64_t begin = panels.begin(p) * kernels::kLanes<T>;
  return b.data[b.rows * begin + k * panels.vectors(p) * kernels::kLanes<T> + m - begin];
}

TEST_CASE_TEMPLATE("a matrix and its transpose pack to the same panels, padded with zeros", T, float, double) {
  for (const std::int64_t k : {1, 2, 7, 16, 19}) {
    for (const std::int64_t m : {1, 4, 15, 16, 33, 67, 80}) {
      CAPTURE(k);
      CAPTURE(m);
      const TestMatrix<T> b = random_matrix<T>(k, m, 3);
      TestMatrix<T> transposed(m, k, 2);
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t j = 0; j < m; ++j) transposed(j, i) = b(i, j);
      }
      const Packed<T> plain(b.view(), false), turned(transposed.view(), true);
      bool same = plain.matrix.rows == k && plain.matrix.cols == m;
      const std::int64_t padded = kernels::packed_size<T>(k, m) / k;
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t j = 0; j < padded; ++j)
          same = same && packed_element(plain.matrix, i, j) == (j < m ? b(i, j) : T(0));
      }
      CHECK(same);
      CHECK(turned.matrix.rows == k);
      CHECK(turned.matrix.cols == m);
      CHECK(std::equal(plain.buffer.begin(), plain.buffer.end() - 1, turned.buffer.begin()));
      CHECK((std::isnan(plain.buffer.back()) && std::isnan(turned.buffer.back())));
    }
  }
}

TEST_CASE("a matrix without rows or columns takes no memory") {
  CHECK(kernels::packed_size<float>(0, 17) == 0);
  CHECK(kernels::packed_size<float>(5, 0) == 0);
  const TestMatrix<float> none(5, 0);
  const kernels::PackedMatrix<float> packed = kernels::pack<float>(none.view(), nullptr);
  CHECK((packed.rows == 5 && packed.cols == 0));
}

}  // namespace
#endif  // !MLGRAPH_GEMM_EIGEN
