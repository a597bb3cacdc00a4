// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/scalar_batch.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>

namespace mlgraph {
namespace {

namespace scalar = kernels::scalar;

/// A batch of a[i] in lane i.
template <class T>
scalar::batch<T> lanes_of(const T (&a)[4]) {
  return scalar::batch<T>::load_unaligned(a);
}

TEST_CASE_TEMPLATE("every operation is done lane by lane, as of one number", T, float, double) {
  constexpr std::size_t kSize = scalar::batch<T>::size;
  static_assert(kSize * sizeof(T) == 16, "a vector is 16 bytes");
  const T x[4] = {T(0.5), T(2), T(-1.25), T(3)};
  const T y[4] = {T(4), T(2), T(0.25), T(-7)};
  const scalar::batch<T> a = lanes_of(x), b = lanes_of(y);
  scalar::batch<T> c = a;
  c += b, c *= b, c -= a, c /= b;
  const scalar::batch<T> positive = scalar::abs(a);
  for (std::size_t i = 0; i < kSize; ++i) {
    CAPTURE(i);
    CHECK((a + b).lane[i] == x[i] + y[i]);
    CHECK((a - b).lane[i] == x[i] - y[i]);
    CHECK((a * b).lane[i] == x[i] * y[i]);
    CHECK((a / b).lane[i] == x[i] / y[i]);
    CHECK((-a).lane[i] == -x[i]);
    CHECK(c.lane[i] == ((x[i] + y[i]) * y[i] - x[i]) / y[i]);
    CHECK((a < b).lane[i] == (x[i] < y[i]));
    CHECK((a <= b).lane[i] == (x[i] <= y[i]));
    CHECK((a > b).lane[i] == (x[i] > y[i]));
    CHECK((a >= b).lane[i] == (x[i] >= y[i]));
    CHECK((a == b).lane[i] == (std::equal_to<T>()(x[i], y[i])));
    CHECK(scalar::select(a < b, a, b).lane[i] == std::fmin(x[i], y[i]));
    CHECK(scalar::min(a, b).lane[i] == std::fmin(x[i], y[i]));
    CHECK(scalar::max(a, b).lane[i] == std::fmax(x[i], y[i]));
    CHECK(scalar::exp(a).lane[i] == std::exp(x[i]));
    CHECK(scalar::tanh(a).lane[i] == std::tanh(x[i]));
    CHECK(scalar::sqrt(positive).lane[i] == std::sqrt(std::fabs(x[i])));
    CHECK(scalar::log(positive).lane[i] == std::log(std::fabs(x[i])));
    CHECK(scalar::log1p(positive).lane[i] == std::log1p(std::fabs(x[i])));
  }
}

TEST_CASE_TEMPLATE("a NaN is one, and a minimum or maximum with one is the second operand", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const scalar::batch<T> none(nan), one(T(1));
  CHECK(scalar::isnan(none).lane[0]);
  CHECK_FALSE(scalar::isnan(one).lane[0]);
  CHECK((scalar::isnan(none) || scalar::isnan(one)).lane[1]);
  CHECK_FALSE((scalar::isnan(none) && scalar::isnan(one)).lane[1]);
  CHECK(scalar::max(none, one).lane[0] == 1);
  CHECK(std::isnan(scalar::max(one, none).lane[0]));
  CHECK(scalar::min(none, one).lane[0] == 1);
  CHECK(std::isnan(scalar::min(one, none).lane[0]));
}

TEST_CASE("a mask of floats chooses integers") {
  const float x[4] = {1, 2, 3, 4};
  using Int = scalar::as_integer_t<float>;
  CHECK(std::is_same_v<scalar::as_integer_t<double>, std::int64_t>);
  const auto mask = scalar::batch_bool_cast<Int>(lanes_of(x) <= scalar::batch<float>(2));
  const scalar::batch<Int> chosen = scalar::select(mask, scalar::batch<Int>(7), scalar::batch<Int>(9));
  Int out[4];
  chosen.store_unaligned(out);
  CHECK(out[0] == 7);
  CHECK(out[1] == 7);
  CHECK(out[2] == 9);
  CHECK(out[3] == 9);
}

TEST_CASE("neighbours are added first") {
  const float x[4] = {1e8f, 1, -1e8f, 1};
  CHECK(scalar::sum_of_lanes(lanes_of(x)) == (1e8f + 1) + (-1e8f + 1));
  const double y[4] = {1, 2, 0, 0};
  CHECK(scalar::sum_of_lanes(lanes_of(y)) == 3);
}

}  // namespace
}  // namespace mlgraph
