// SPDX-License-Identifier: Apache-2.0
// Compiled with -ffast-math by fast_math/ as well.
#include "mlgraph/core/finite.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace mlgraph {
namespace {

template <class T>
void check_type() {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> finite = {
      T(0), -T(0), T(1), Limits::max(), Limits::lowest(), Limits::min(), Limits::denorm_min()};
  const std::vector<T> infinite = {Limits::infinity(), -Limits::infinity()};
  const std::vector<T> nan = {Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::signaling_NaN()};
  for (const T& value : finite) {
    CHECK(detail::is_finite(value));
    CHECK(detail::is_finite_value(value));
    CHECK_FALSE(detail::is_nan(value));
  }
  for (const T& value : infinite) {
    CHECK_FALSE(detail::is_finite(value));
    CHECK_FALSE(detail::is_finite_value(value));
    CHECK_FALSE(detail::is_square_finite(value));
    CHECK_FALSE(detail::is_nan(value));
  }
  for (const T& value : nan) {
    CHECK_FALSE(detail::is_finite(value));
    CHECK_FALSE(detail::is_finite_value(value));
    CHECK_FALSE(detail::is_square_finite(value));
    CHECK(detail::is_nan(value));
    CHECK(detail::non_finite_name(value) == std::string("nan"));
  }
  CHECK(detail::non_finite_name(infinite[0]) == std::string("inf"));
  CHECK(detail::non_finite_name(infinite[1]) == std::string("-inf"));
}

TEST_CASE("finite numbers, infinities and NaN of every sign are told apart") {
  check_type<float>();
  check_type<double>();
}

TEST_CASE("a square is finite below 2^64, or 2^512 for double") {
  CHECK(detail::is_square_finite(0x1.fffffep63f));
  CHECK(0x1.fffffep63f * 0x1.fffffep63f <= std::numeric_limits<float>::max());
  CHECK_FALSE(detail::is_square_finite(-0x1p64f));
  CHECK(detail::is_square_finite(-0x1.fffffffffffffp511));
  CHECK(0x1.fffffffffffffp511 * 0x1.fffffffffffffp511 <= std::numeric_limits<double>::max());
  CHECK_FALSE(detail::is_square_finite(0x1p512));
}

}  // namespace
}  // namespace mlgraph
