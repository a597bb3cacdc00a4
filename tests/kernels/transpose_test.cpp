// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/transpose.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "kernels/dense_fixture.hpp"

namespace {

using mlgraph::kernels::kLanes;
using mlgraph::testing::random_matrix;
using mlgraph::testing::TestMatrix;

TEST_CASE_TEMPLATE("a block is transposed, for any strides, and nothing beside it is touched", T, float,
                   double) {
  for (const std::int64_t src_gap : {0, 1, 7}) {
    for (const std::int64_t dst_gap : {0, 3, 16}) {
      const TestMatrix<T> src = random_matrix<T>(kLanes<T>, kLanes<T>, 5, src_gap);
      TestMatrix<T> dst(kLanes<T>, kLanes<T>, dst_gap);
      mlgraph::kernels::transpose_block(src.values.data(), src.stride, dst.values.data(), dst.stride);
      bool same = true;
      for (std::int64_t k = 0; k < kLanes<T>; ++k) {
        for (std::int64_t m = 0; m < kLanes<T>; ++m) same = same && dst(k, m) == src(m, k);
      }
      CHECK(same);
      CHECK(dst.gaps_untouched());
    }
  }
}

}  // namespace
