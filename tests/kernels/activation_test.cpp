// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/activation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/dense_fixture.hpp"
#include "mlgraph/kernels/reference/elementwise.hpp"

namespace {

using namespace mlgraph;  // NOLINT
using kernels::Activation;
using kernels::kLanes;
using kernels::Vec;
using testing::kActivations;
using testing::kTolerance;

template <class T>
T activate_one(Activation f, T x, T slope = T(0.01)) {
  return kernels::with_activation(f, [&](auto constant) {
    T y[64];
    kernels::store(y, kernels::activate<decltype(constant)::value, T>(Vec<T>(x), slope));
    bool same = true;
    for (std::int64_t i = 1; i < kLanes<T>; ++i) same = same && (y[i] == y[0] || std::isnan(y[i]));
    return same ? y[0] : std::numeric_limits<T>::quiet_NaN();
  });
}

/// f'(x), from what backward_reads_x(f) says is read; the other argument is NaN.
template <class T>
T derivative_one(Activation f, T x, T slope = T(0.01)) {
  const Vec<T> nan(std::numeric_limits<T>::quiet_NaN());
  const Vec<T> y(activate_one(f, x, slope));
  return kernels::with_activation(f, [&](auto constant) {
    constexpr Activation kF = decltype(constant)::value;
    T dx[64];
    kernels::store(dx, kernels::backward_reads_x(kF)
                           ? kernels::activate_backward<kF, T>(Vec<T>(x), nan, Vec<T>(T(1)), slope)
                           : kernels::activate_backward<kF, T>(nan, y, Vec<T>(T(1)), slope));
    return dx[0];
  });
}

TEST_CASE_TEMPLATE("activations agree with the standard library on [-20, 20]", T, float, double) {
  for (const Activation f : kActivations) {
    CAPTURE(static_cast<int>(f));
    double worst = 0, worst_derivative = 0;
    for (int i = -4000; i <= 4000; ++i) {
      const T x = static_cast<T>(i) / T(200);
      const T y = activate_one(f, x);
      const T expected =
          static_cast<T>(reference::activate<long double>(f, static_cast<long double>(T(0.01)), x));
      worst = std::max(worst, testing::max_error(&y, &expected, 1));
      const T d = derivative_one(f, x);
      const T expected_d =
          static_cast<T>(reference::activate_derivative<long double>(f, static_cast<long double>(T(0.01)), x));
      worst_derivative = std::max(worst_derivative, testing::max_error(&d, &expected_d, 1));
    }
    CHECK(worst <= kTolerance<T>);
    CHECK(worst_derivative <= kTolerance<T>);
  }
}

TEST_CASE_TEMPLATE("gelu and sigmoid keep their digits where they are tiny", T, float, double) {
  // Relative, unlike above. 1 + erf(x / sqrt 2) has no correct digit left at -6 in float and -8.3 in double.
  for (const T x : {T(-1), T(-3), T(-6), T(-8), T(-10)}) {
    CAPTURE(x);
    const long double gelu = reference::activate<long double>(Activation::kGelu, 0, x);
    const long double sigmoid = reference::sigmoid<long double>(x);
    constexpr double kRelative = 80 * static_cast<double>(std::numeric_limits<T>::epsilon());
    CHECK(std::fabs(static_cast<double>(activate_one(Activation::kGelu, x) / gelu) - 1) < kRelative);
    CHECK(std::fabs(static_cast<double>(activate_one(Activation::kSigmoid, x) / sigmoid) - 1) < kRelative);
  }
}

TEST_CASE_TEMPLATE("activations have their limits far out", T, float, double) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const T x : {T(100), T(800), T(1e30), kInfinity}) {
    CAPTURE(x);
    CHECK(activate_one(Activation::kSigmoid, x) == 1);
    CHECK(activate_one(Activation::kTanh, x) == 1);
    CHECK(activate_one(Activation::kTanh, -x) == -1);
    CHECK(activate_one(Activation::kGelu, x) == x);
    CHECK(activate_one(Activation::kSilu, x) == x);
    CHECK(activate_one(Activation::kRelu, x) == x);
    CHECK(activate_one(Activation::kRelu, -x) == 0);
  }
  for (const T x : {T(800), T(1e30)}) {
    CHECK(activate_one(Activation::kSigmoid, -x) == 0);
    CHECK(activate_one(Activation::kGelu, -x) == 0);
    CHECK(activate_one(Activation::kSilu, -x) == 0);
    CHECK(derivative_one(Activation::kGelu, x) == 1);
    CHECK(derivative_one(Activation::kGelu, -x) == 0);
    CHECK(derivative_one(Activation::kSilu, -x) == 0);
  }
  CHECK(activate_one(Activation::kSigmoid, -kInfinity) == 0);
}

TEST_CASE_TEMPLATE("closed forms hold", T, float, double) {
  CHECK(activate_one(Activation::kSigmoid, T(0)) == T(0.5));
  CHECK(activate_one(Activation::kGelu, T(0)) == 0);
  CHECK(derivative_one(Activation::kGelu, T(0)) == doctest::Approx(0.5));
  CHECK(derivative_one(Activation::kSilu, T(0)) == T(0.5));
  CHECK(derivative_one(Activation::kRelu, T(0)) == 0);
  CHECK(activate_one(Activation::kLeakyRelu, T(-4), T(0.25)) == -1);
  CHECK(derivative_one(Activation::kLeakyRelu, T(-4), T(0.25)) == T(0.25));
  CHECK(derivative_one(Activation::kLeakyRelu, T(4), T(0.25)) == 1);
  CHECK(activate_one(Activation::kNone, T(-7)) == -7);
}

TEST_CASE_TEMPLATE("NaN stays NaN", T, float, double) {
  for (const Activation f : kActivations) {
    CAPTURE(static_cast<int>(f));
    CHECK(std::isnan(activate_one(f, std::numeric_limits<T>::quiet_NaN())));
  }
}

TEST_CASE("derivatives agree with central differences") {
  for (const Activation f : kActivations) {
    CAPTURE(static_cast<int>(f));
    for (const double x : {-5.0, -1.3, -0.6501, -0.2, 0.1, 0.65, 1.0, 2.2, 3.11, 6.0}) {
      CAPTURE(x);
      const double h = 1e-5;
      const double expected = (activate_one(f, x + h) - activate_one(f, x - h)) / (2 * h);
      CHECK(derivative_one(f, x) == doctest::Approx(expected).epsilon(1e-8));
    }
  }
}

TEST_CASE("with_activation hands back what its body returns") {
  for (const Activation f : kActivations) {
    CHECK(kernels::with_activation(f, [](auto constant) { return decltype(constant)::value; }) == f);
  }
}

}  // namespace
