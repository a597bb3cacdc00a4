// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/softmax.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/elementwise.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using testing::kOddSizes;
using testing::kTolerance;
using testing::random_matrix;
using testing::TestMatrix;

TEST_CASE_TEMPLATE("softmax and log-softmax of rows agree with the reference", T, float, double) {
  for (const std::int64_t cols : kOddSizes) {
    for (const std::int64_t rows : {0, 1, 5}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const TestMatrix<T> x = random_matrix<T>(rows, cols, 1);
      TestMatrix<T> y(rows, cols, 2), expected(rows, cols);
      kernels::softmax_rows<T>(x.view(), y.view(), nullptr);
      reference::softmax_rows<T>(x.view(), expected.view());
      CHECK(testing::max_error(y, expected) <= kTolerance<T>);
      CHECK(y.gaps_untouched());
      kernels::log_softmax_rows<T>(x.view(), y.view(), nullptr);
      reference::log_softmax_rows<T>(x.view(), expected.view());
      CHECK(testing::max_error(y, expected) <= kTolerance<T>);
      CHECK(y.gaps_untouched());
    }
  }
}

TEST_CASE_TEMPLATE("closed forms of softmax hold, far from 0 too", T, float, double) {
  for (const T offset : {T(0), T(-1000), T(1000)}) {
    CAPTURE(offset);
    TestMatrix<T> x(2, 3), y(2, 3);
    for (std::int64_t c = 0; c < 3; ++c) x(0, c) = offset, x(1, c) = offset + static_cast<T>(c);
    kernels::softmax_rows<T>(x.view(), y.view(), nullptr);
    for (std::int64_t c = 0; c < 3; ++c) CHECK(y(0, c) == doctest::Approx(1.0 / 3));
    CHECK(y(1, 2) == doctest::Approx(1 / (1 + std::exp(-1.0) + std::exp(-2.0))));
    kernels::log_softmax_rows<T>(x.view(), x.view(), nullptr);  // in place
    for (std::int64_t c = 0; c < 3; ++c) CHECK(x(0, c) == doctest::Approx(-std::log(3.0)));
  }
  TestMatrix<T> one(4, 1), y(4, 1);
  kernels::softmax_rows<T>(one.fill(T(5)).view(), y.view(), nullptr);
  CHECK(y(3, 0) == 1);
}

TEST_CASE("gradients of softmax and log-softmax agree with central differences") {
  for (const std::int64_t cols : {1, 3, 17}) {
    for (const bool log : {false, true}) {
      CAPTURE(cols);
      CAPTURE(log);
      TestMatrix<double> x = random_matrix<double>(4, cols, 2);
      const TestMatrix<double> w = random_matrix<double>(4, cols, 3);
      const auto forward = [&] {
        TestMatrix<double> y(4, cols);
        if (log) {
          kernels::log_softmax_rows<double>(x.view(), y.view(), nullptr);
        } else {
          kernels::softmax_rows<double>(x.view(), y.view(), nullptr);
        }
        return y;
      };
      const TestMatrix<double> y = forward();
      for (const bool accumulate : {false, true}) {
        TestMatrix<double> dx(4, cols, 3);
        if (accumulate) dx.fill(10);
        if (log) {
          kernels::log_softmax_rows_backward<double>(y.view(), w.view(), dx.view(), accumulate, nullptr);
        } else {
          kernels::softmax_rows_backward<double>(y.view(), w.view(), dx.view(), accumulate, nullptr);
        }
        if (accumulate) kernels::add_constant(-10.0, dx.values.data(), 4 * dx.stride, nullptr);
        CHECK(testing::gradient_error(x.values, dx.values, [&] {
                return testing::weighted_sum(w, forward());
              }) < testing::kGradientTolerance);
        CHECK(dx.gaps_untouched());
      }
    }
  }
}

TEST_CASE_TEMPLATE("a row's softmax does not depend on the other rows or on threads", T, float, double) {
  const TestMatrix<T> x = random_matrix<T>(3001, 37, 4);
  CHECK(testing::same_for_all_pools([&](ThreadPool* pool) {
    TestMatrix<T> y(3001, 37), dx(3001, 37);
    kernels::softmax_rows<T>(x.view(), y.view(), pool);
    kernels::softmax_rows_backward<T>(y.view(), x.view(), dx.view(), false, pool);
    kernels::log_softmax_rows<T>(x.view(), y.view(), pool);
    kernels::log_softmax_rows_backward<T>(y.view(), x.view(), dx.view(), true, pool);
    return dx.values;
  }));
  TestMatrix<T> all(3001, 37), alone(1, 37);
  kernels::softmax_rows<T>(x.view(), all.view(), nullptr);
  kernels::softmax_rows<T>(x.view().row_block(2000, 1), alone.view(), nullptr);
  for (std::int64_t c = 0; c < 37; ++c) CHECK(alone(0, c) == all(2000, c));
}

}  // namespace
