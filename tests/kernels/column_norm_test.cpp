// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/column_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/norm.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using testing::kTolerance;
using testing::random_matrix;
using testing::TestMatrix;

/// Boundaries of segments of these lengths.
std::vector<std::int32_t> boundaries(const std::vector<std::int32_t>& lengths) {
  std::vector<std::int32_t> ptr = {0};
  for (const std::int32_t length : lengths) ptr.push_back(ptr.back() + length);
  return ptr;
}

TEST_CASE_TEMPLATE("instance_norm agrees with the reference", T, float, double) {
  for (const std::vector<std::int32_t>& lengths : std::vector<std::vector<std::int32_t>>{
           {}, {0}, {1}, {3, 0, 15, 1, 16, 17}, {0, 100, 0}, {1025, 2, 2500}}) {
    const std::vector<std::int32_t> ptr = boundaries(lengths);
    const auto num_segments = static_cast<std::int64_t>(lengths.size());
    for (const std::int64_t cols : {0, 1, 3, 15, 16, 17, 100, 128}) {
      CAPTURE(lengths.size());
      CAPTURE(cols);
      const TestMatrix<T> x = random_matrix<T>(ptr.back(), cols, 1);
      TestMatrix<T> y(ptr.back(), cols, 2), expected(ptr.back(), cols);
      TestMatrix<T> mean(num_segments, cols, 1), rstd(num_segments, cols, 2);
      Arena scratch;
      kernels::instance_norm<T>(ptr, x.view(), T(1e-5), y.view(), mean.view(), rstd.view(), scratch, nullptr);
      reference::instance_norm<T>(ptr, x.view(), T(1e-5), expected.view());
      CHECK(testing::max_error(y, expected) <= 40 * kTolerance<T>);
      CHECK(y.gaps_untouched());
      CHECK(mean.gaps_untouched());
      CHECK(rstd.gaps_untouched());
      CHECK(scratch.used_bytes() == 0);
      for (std::int64_t s = 0; s < num_segments; ++s) {
        const auto i = static_cast<std::size_t>(s);
        for (std::int64_t c = 0; c < cols; ++c) {
          if (lengths[i] == 0) CHECK((mean(s, c) == 0 && rstd(s, c) == 0));
          if (lengths[i] == 1) CHECK((mean(s, c) == x(ptr[i], c) && y(ptr[i], c) == 0));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("constant columns give exactly 0, however large and however many rows", T, float, double) {
  for (const T value : {T(0), T(0.1), T(-1e6), T(3e30)}) {
    for (const T eps : {T(1e-5), T(0)}) {
      CAPTURE(value);
      TestMatrix<T> x(3163, 5), y(3163, 5), mean(1, 5), rstd(1, 5);
      const std::int32_t ptr[] = {0, 3163};
      Arena scratch;
      kernels::instance_norm<T>(ptr, x.fill(value).view(), eps, y.view(), mean.view(), rstd.view(), scratch,
                                nullptr);
      double largest = 0;  // NaN counts as 1
      for (const T v : y.values)
        largest = std::isnan(v) ? 1 : std::max(largest, std::fabs(static_cast<double>(v)));
      CHECK(largest == 0);
      CHECK(mean(0, 4) == value);
    }
  }
}

TEST_CASE("a small deviation around a large mean keeps its digits") {
  // 1000 + {-1, 1}: sums of squares in float would have lost the variance.
  TestMatrix<float> x(5000, 3), y(5000, 3), mean(1, 3), rstd(1, 3);
  for (std::int64_t r = 0; r < 5000; ++r) {
    for (std::int64_t c = 0; c < 3; ++c) x(r, c) = r % 2 == 0 ? 999.0F : 1001.0F;
  }
  const std::int32_t ptr[] = {0, 5000};
  Arena scratch;
  kernels::instance_norm<float>(ptr, x.view(), 0.0F, y.view(), mean.view(), rstd.view(), scratch, nullptr);
  CHECK(mean(0, 0) == doctest::Approx(1000).epsilon(1e-7));
  CHECK(rstd(0, 0) == doctest::Approx(1).epsilon(1e-6));
  CHECK(y(1, 2) == doctest::Approx(1).epsilon(1e-4));
}

TEST_CASE("instance_norm's gradient agrees with central differences") {
  const std::vector<std::int32_t> ptr = boundaries({1, 0, 7, 30});
  for (const std::int64_t cols : {1, 17, 40}) {
    CAPTURE(cols);
    TestMatrix<double> x = random_matrix<double>(38, cols, 2);
    const TestMatrix<double> w = random_matrix<double>(38, cols, 3);
    TestMatrix<double> y(38, cols), mean(4, cols), rstd(4, cols);
    Arena scratch;
    const auto loss = [&] {
      kernels::instance_norm<double>(ptr, x.view(), 1e-2, y.view(), mean.view(), rstd.view(), scratch, nullptr);
      return testing::weighted_sum(w, y);
    };
    for (const bool accumulate : {false, true}) {
      loss();
      TestMatrix<double> dx(38, cols, 3);
      if (accumulate) dx.fill(10);
      kernels::instance_norm_backward<double>(ptr, x.view(), mean.view(), rstd.view(), w.view(), dx.view(),
                                              accumulate, scratch, nullptr);
      if (accumulate) kernels::add_constant(-10.0, dx.values.data(), 38 * dx.stride, nullptr);
      CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
      CHECK(dx.gaps_untouched());
    }
  }
}

TEST_CASE("the gradient through a segment of several blocks is orthogonal to 1 and to the normalised values") {
  // dx of y = (x - mean) / sd: moving all x, or scaling them about their mean, does not change y (eps = 0).
  TestMatrix<double> x = random_matrix<double>(4000, 9, 4, 0), y(4000, 9), mean(1, 9), rstd(1, 9), dx(4000, 9);
  const TestMatrix<double> dy = random_matrix<double>(4000, 9, 5, 0);
  const std::int32_t ptr[] = {0, 4000};
  Arena scratch;
  kernels::instance_norm<double>(ptr, x.view(), 0.0, y.view(), mean.view(), rstd.view(), scratch, nullptr);
  kernels::instance_norm_backward<double>(ptr, x.view(), mean.view(), rstd.view(), dy.view(), dx.view(), false,
                                          scratch, nullptr);
  for (std::int64_t c = 0; c < 9; ++c) {
    double sum = 0, along = 0, energy = 0;
    for (std::int64_t r = 0; r < 4000; ++r)
      sum += dx(r, c), along += dx(r, c) * y(r, c), energy += std::fabs(dx(r, c));
    CHECK(energy > 1000);
    CHECK(std::fabs(sum) < 1e-9);
    CHECK(std::fabs(along) < 1e-9);
  }
}

TEST_CASE_TEMPLATE("a segment's result does not depend on the other segments or on threads", T, float, double) {
  std::vector<std::int32_t> lengths = {2900, 0, 1, 700};
  for (int i = 0; i < 400; ++i) lengths.push_back(i % 37);
  const std::vector<std::int32_t> ptr = boundaries(lengths);
  const std::int64_t rows = ptr.back(), num_segments = static_cast<std::int64_t>(lengths.size());
  const TestMatrix<T> x = random_matrix<T>(rows, 37, 13), dy = random_matrix<T>(rows, 37, 14);
  const auto compute = [&](ThreadPool* pool) {
    Arena scratch;
    TestMatrix<T> y(rows, 37), mean(num_segments, 37), rstd(num_segments, 37);
    kernels::instance_norm<T>(ptr, x.view(), T(1e-5), y.view(), mean.view(), rstd.view(), scratch, pool);
    kernels::instance_norm_backward<T>(ptr, x.view(), mean.view(), rstd.view(), dy.view(), y.view(), true,
                                       scratch, pool);
    return y.values;
  };
  CHECK(testing::same_for_all_pools(compute));
  const std::vector<T> all = compute(nullptr);
  const std::int32_t alone_ptr[] = {0, 700};
  TestMatrix<T> y(700, 37), mean(1, 37), rstd(1, 37);
  const MatrixView<const T> alone = x.view().row_block(2901, 700);
  Arena scratch;
  kernels::instance_norm<T>(alone_ptr, alone, T(1e-5), y.view(), mean.view(), rstd.view(), scratch, nullptr);
  kernels::instance_norm_backward<T>(alone_ptr, alone, mean.view(), rstd.view(), dy.view().row_block(2901, 700),
                                     y.view(), true, scratch, nullptr);
  CHECK(testing::same_bits(y.values, std::vector<T>(all.begin() + 2901 * 37, all.begin() + 3601 * 37)));
}

}  // namespace
