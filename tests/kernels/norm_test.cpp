// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/norm.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using testing::kOddSizes;
using testing::kTolerance;
using testing::random_matrix;
using testing::random_values;
using testing::TestMatrix;

TEST_CASE_TEMPLATE("layer_norm agrees with the reference", T, float, double) {
  for (const std::int64_t cols : kOddSizes) {
    for (const std::int64_t rows : {0, 1, 5}) {
      for (const bool affine : {false, true}) {
        CAPTURE(rows);
        CAPTURE(cols);
        const TestMatrix<T> x = random_matrix<T>(rows, cols, 1);
        const std::vector<T> gamma = random_values<T>(affine ? cols : 0, 2);
        const std::vector<T> beta = random_values<T>(affine ? cols : 0, 3);
        TestMatrix<T> y(rows, cols, 2), expected(rows, cols);
        std::vector<T> mean(static_cast<std::size_t>(rows)), rstd(mean.size());
        reference::layer_norm<T>(x.view(), gamma, beta, T(1e-5), expected.view());
        kernels::layer_norm<T>(x.view(), gamma, beta, T(1e-5), y.view(), mean, rstd, nullptr);
        // One column: both divide a rounding error by sqrt(eps).
        CHECK(testing::max_error(y, expected) <= (cols == 1 ? 400 : 4) * kTolerance<T>);
        CHECK(y.gaps_untouched());
        TestMatrix<T> again(rows, cols, 2);
        kernels::layer_norm<T>(x.view(), gamma, beta, T(1e-5), again.view(), {}, {}, nullptr);
        CHECK(testing::max_error(again, y) == 0);
      }
    }
  }
}

TEST_CASE_TEMPLATE("a constant row normalises to exactly beta, however large it is", T, float, double) {
  for (const T value : {T(0), T(0.1), T(-1e6), T(3e30)}) {
    CAPTURE(value);
    TestMatrix<T> x(1, 37), y(1, 37);
    const std::vector<T> beta(37, T(0.25));
    for (const T eps : {T(1e-5), T(0)}) {
      kernels::layer_norm<T>(x.fill(value).view(), {}, beta, eps, y.view(), {}, {}, nullptr);
      for (std::int64_t c = 0; c < 37; ++c) CHECK(y(0, c) == T(0.25));
    }
  }
}

TEST_CASE("the mean and the deviation of a row are kept") {
  TestMatrix<float> x(1, 4), y(1, 4);
  for (std::int64_t c = 0; c < 4; ++c) x(0, c) = static_cast<float>(2 * c);  // 0 2 4 6
  float mean[1], rstd[1];
  kernels::layer_norm<float>(x.view(), {}, {}, 0.0F, y.view(), mean, rstd, nullptr);
  CHECK(mean[0] == 3);
  CHECK(rstd[0] == doctest::Approx(1 / std::sqrt(5.0)));
  CHECK(y(0, 3) == doctest::Approx(3 / std::sqrt(5.0)));
}

TEST_CASE("layer_norm's gradients agree with central differences") {
  for (const std::int64_t cols : {1, 3, 17}) {
    for (const bool affine : {false, true}) {
      CAPTURE(cols);
      CAPTURE(affine);
      const double eps = 0.1;  // large, so that one column and rows of few columns have usable derivatives
      TestMatrix<double> x = random_matrix<double>(5, cols, 4);
      const TestMatrix<double> w = random_matrix<double>(5, cols, 5);
      std::vector<double> gamma = random_values<double>(affine ? cols : 0, 6);
      std::vector<double> beta = random_values<double>(affine ? cols : 0, 7);
      std::vector<double> mean(5), rstd(5);
      const auto loss = [&] {
        TestMatrix<double> y(5, cols);
        std::vector<double> m(5), s(5);
        kernels::layer_norm<double>(x.view(), gamma, beta, eps, y.view(), m, s, nullptr);
        return testing::weighted_sum(w, y);
      };
      TestMatrix<double> y(5, cols);
      kernels::layer_norm<double>(x.view(), gamma, beta, eps, y.view(), mean, rstd, nullptr);
      for (const bool accumulate : {false, true}) {
        TestMatrix<double> dx(5, cols, 3);
        if (accumulate) dx.fill(0);
        std::vector<double> dgamma(gamma.size(), 0.0), dbeta(beta.size(), 0.0);
        Arena scratch;
        kernels::layer_norm_backward<double>(x.view(), gamma, mean, rstd, w.view(), dx.view(), accumulate,
                                             dgamma, dbeta, scratch, nullptr);
        CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
        CHECK(testing::gradient_error(gamma, dgamma, loss) < testing::kGradientTolerance);
        CHECK(testing::gradient_error(beta, dbeta, loss) < testing::kGradientTolerance);
        CHECK(dx.gaps_untouched());
        // A second call adds to what is there, once more.
        const TestMatrix<double> once = dx;
        const std::vector<double> dgamma_once = dgamma;
        kernels::layer_norm_backward<double>(x.view(), gamma, mean, rstd, w.view(), dx.view(), true, dgamma, {},
                                             scratch, nullptr);
        CHECK(dx(4, cols - 1) == 2 * once(4, cols - 1));
        if (affine) CHECK(dgamma[0] == 2 * dgamma_once[0]);
      }
    }
  }
}

TEST_CASE_TEMPLATE("l2_normalize agrees with the reference, and rows of zeros stay zeros", T, float, double) {
  for (const std::int64_t cols : kOddSizes) {
    for (const std::int64_t rows : {0, 1, 5}) {
      CAPTURE(rows);
      CAPTURE(cols);
      TestMatrix<T> x = random_matrix<T>(rows, cols, 8);
      if (rows == 5) {
        for (std::int64_t c = 0; c < cols; ++c) x(2, c) = 0;
      }
      TestMatrix<T> y(rows, cols, 2), expected(rows, cols);
      std::vector<T> norm(static_cast<std::size_t>(rows));
      kernels::l2_normalize<T>(x.view(), T(1e-12), y.view(), norm, nullptr);
      reference::l2_normalize<T>(x.view(), T(1e-12), expected.view());
      CHECK(testing::max_error(y, expected) <= kTolerance<T>);
      CHECK(y.gaps_untouched());
      if (rows == 5) CHECK(norm[2] == 0);
    }
  }
  TestMatrix<T> x(1, 2), y(1, 2);
  x(0, 0) = 3, x(0, 1) = 4;
  T norm[1];
  kernels::l2_normalize<T>(x.view(), T(1e-12), y.view(), norm, nullptr);
  CHECK(norm[0] == 5);
  CHECK(y(0, 0) == T(0.6));
}

TEST_CASE("l2_normalize's gradient agrees with central differences, on both sides of eps") {
  const double eps = 0.5;
  TestMatrix<double> x = random_matrix<double>(4, 17, 9);
  for (std::int64_t c = 0; c < 17; ++c) x(1, c) *= 0.01;
  const TestMatrix<double> w = random_matrix<double>(4, 17, 10);
  std::vector<double> norm(4);
  TestMatrix<double> y(4, 17);
  const auto loss = [&] {
    kernels::l2_normalize<double>(x.view(), eps, y.view(), norm, nullptr);
    return testing::weighted_sum(w, y);
  };
  loss();
  CHECK(norm[1] < eps);
  CHECK(norm[0] > eps);
  for (const bool accumulate : {false, true}) {
    loss();
    TestMatrix<double> dx(4, 17, 3);
    if (accumulate) dx.fill(0);
    kernels::l2_normalize_backward<double>(y.view(), norm, eps, w.view(), dx.view(), accumulate, nullptr);
    CHECK(testing::gradient_error(x.values, dx.values, loss) < testing::kGradientTolerance);
  }
}

TEST_CASE_TEMPLATE("row norms do not depend on the other rows or on threads", T, float, double) {
  const TestMatrix<T> x = random_matrix<T>(3001, 37, 11), dy = random_matrix<T>(3001, 37, 12);
  const std::vector<T> gamma = random_values<T>(37, 13);
  CHECK(testing::same_for_all_pools([&](ThreadPool* pool) {
    Arena scratch;
    TestMatrix<T> y(3001, 37), dx(3001, 37);
    std::vector<T> mean(3001), rstd(3001), norm(3001), dgamma(37), dbeta(37);
    kernels::layer_norm<T>(x.view(), gamma, gamma, T(1e-5), y.view(), mean, rstd, pool);
    kernels::layer_norm_backward<T>(x.view(), gamma, mean, rstd, dy.view(), dx.view(), false, dgamma, dbeta,
                                    scratch, pool);
    kernels::l2_normalize<T>(x.view(), T(1e-12), y.view(), norm, pool);
    kernels::l2_normalize_backward<T>(y.view(), norm, T(1e-12), dy.view(), dx.view(), true, pool);
    dx.values.insert(dx.values.end(), dgamma.begin(), dgamma.end());
    dx.values.insert(dx.values.end(), dbeta.begin(), dbeta.end());
    return dx.values;
  }));
  TestMatrix<T> all(3001, 37), alone(1, 37);
  kernels::layer_norm<T>(x.view(), gamma, gamma, T(1e-5), all.view(), {}, {}, nullptr);
  kernels::layer_norm<T>(x.view().row_block(2000, 1), gamma, gamma, T(1e-5), alone.view(), {}, {}, nullptr);
  for (std::int64_t c = 0; c < 37; ++c) CHECK(alone(0, c) == all(2000, c));
}

}  // namespace
