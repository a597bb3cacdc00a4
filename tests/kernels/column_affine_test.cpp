// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/column_affine.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/column_affine.hpp"

namespace mlgraph {
namespace {

using testing::kOddSizes;
using testing::random_matrix;
using testing::random_values;
using testing::TestMatrix;

template <class T>
double largest_difference(const TestMatrix<T>& a, const TestMatrix<T>& b) {
  double worst = 0;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c)
      worst = std::max(worst, std::abs(static_cast<double>(a(r, c) - b(r, c))));
  }
  return worst;
}

TEST_CASE_TEMPLATE("column_affine and its backward agree with the reference, with and without scale and shift",
                   T, float, double) {
  const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;
  for (const std::int64_t rows : kOddSizes) {
    for (const std::int64_t cols : kOddSizes) {
      CAPTURE(rows);
      CAPTURE(cols);
      const TestMatrix<T> x = random_matrix<T>(rows, cols, 1), dy = random_matrix<T>(rows, cols, 2);
      const std::vector<T> scale = random_values<T>(cols, 3), shift = random_values<T>(cols, 4);
      for (const int given : {0, 1, 2, 3}) {
        const Span<const T> a = (given & 1) != 0 ? Span<const T>(scale) : Span<const T>();
        const Span<const T> b = (given & 2) != 0 ? Span<const T>(shift) : Span<const T>();
        TestMatrix<T> y(rows, cols, 2), expected(rows, cols, 2);
        kernels::column_affine<T>(x.view(), a, b, y.view(), nullptr);
        reference::column_affine<T>(x.view(), a, b, expected.view());
        CHECK(largest_difference(y, expected) <= tolerance);
        CHECK(y.gaps_untouched());

        for (const bool accumulate : {false, true}) {
          TestMatrix<T> dx(rows, cols, 1), dx_expected(rows, cols, 1);
          dx.fill(T(5));
          std::vector<T> dscale(scale.size(), T(1)), dshift(scale.size(), T(2));
          std::vector<T> dscale_expected = dscale, dshift_expected = dshift;
          Arena scratch;
          kernels::column_affine_backward<T>(x.view(), a, dy.view(), dx.view(), accumulate, Span<T>(dscale),
                                             Span<T>(dshift), scratch, nullptr);
          reference::column_affine_backward<T>(x.view(), a, dy.view(), dx_expected.view(),
                                               Span<T>(dscale_expected), Span<T>(dshift_expected));
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < cols; ++c) dx_expected(r, c) += accumulate ? T(5) : T(0);
          }
          CHECK(largest_difference(dx, dx_expected) <= tolerance);
          for (std::size_t k = 0; k < dscale.size(); ++k) {
            CHECK(static_cast<double>(dscale[k]) ==
                  doctest::Approx(static_cast<double>(dscale_expected[k])).epsilon(1e-4));
            CHECK(static_cast<double>(dshift[k]) ==
                  doctest::Approx(static_cast<double>(dshift_expected[k])).epsilon(1e-4));
          }
        }
      }
    }
  }
}

TEST_CASE("column_affine_backward has the same bits for any pool, and skips what is not wanted") {
  const std::int64_t rows = 3000, cols = 37;
  const TestMatrix<float> x = random_matrix<float>(rows, cols, 1), dy = random_matrix<float>(rows, cols, 2);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    Arena scratch;
    std::vector<float> dscale(static_cast<std::size_t>(cols), 0.0f);
    kernels::column_affine_backward<float>(x.view(), {}, dy.view(), {}, false, Span<float>(dscale), {}, scratch,
                                           &pool);
    results.push_back(dscale);
  }
  CHECK(results[0] != std::vector<float>(results[0].size(), 0.0f));
  for (const std::vector<float>& r : results) CHECK(r == results[0]);
}

}  // namespace
}  // namespace mlgraph
