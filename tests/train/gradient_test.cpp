// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/gradient.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

TEST_CASE_TEMPLATE("the sum of squares is that of a plain loop, with the same bits for any pool", T, float,
                   double) {
  Rng rng(1);
  ThreadPool pool(3);
  for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 16384u, 16385u, 100003u, 1300000u}) {
    std::vector<T> x(n);
    double expected = 0;
    for (T& value : x) {
      value = static_cast<T>(rng.normal());
      expected += static_cast<double>(value) * static_cast<double>(value);
    }
    const double serial = sum_of_squares(Span<const T>(x));
    CHECK(serial == doctest::Approx(expected).epsilon(1e-12));
    CHECK(serial == sum_of_squares(Span<const T>(x), &pool));
  }
}

TEST_CASE("the sum of squares of large floats does not overflow") {
  const std::vector<float> x = {3e30f, 4e30f};
  CHECK(std::sqrt(sum_of_squares(Span<const float>(x))) == doctest::Approx(5e30).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("the first non-finite gradient is found wherever it is", T, float, double) {
  ThreadPool pool(3);
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const T bad : {kInfinity, -kInfinity, std::numeric_limits<T>::quiet_NaN()}) {
    for (const std::size_t n : {1u, 5u, 1024u, 40000u}) {
      std::vector<T> x(n, std::numeric_limits<T>::max());
      CHECK(find_non_finite(Span<const T>(x)) == n);
      CHECK(check_finite_gradient(Span<const T>(x), &pool).ok());
      for (const std::size_t at : {n - 1, n / 2, std::size_t{0}}) {
        x[at] = bad;  // later ones stay: the first is reported
        CHECK(find_non_finite(Span<const T>(x)) == at);
        CHECK(find_non_finite(Span<const T>(x), &pool) == at);
      }
    }
  }
}

TEST_CASE("a non-finite gradient is named by its index") {
  const std::vector<float> x = {1, 2, -std::numeric_limits<float>::infinity()};
  const Status status = check_finite_gradient(Span<const float>(x));
  CHECK(status.code() == StatusCode::kInvalidArgument);
  CHECK(status.message() == "gradient 2 is -inf; it should be finite");
}

TEST_CASE("a gradient whose square is infinite is named by its index") {
  std::vector<float> x(3000, 1.8e19f);
  CHECK(check_finite_squares(Span<const float>(x)).ok());
  x[2000] = std::numeric_limits<float>::quiet_NaN();
  CHECK(check_finite_squares(Span<const float>(x)).message() == "gradient 2000 is nan; it should be finite");
  x[1000] = -2e19f;
  CHECK(check_finite_squares(Span<const float>(x)).message() ==
        "gradient 1000 is -2e+19; its square should be finite");
  CHECK(check_finite_gradient(Span<const float>(x).subspan(0, 1500)).ok());
}
