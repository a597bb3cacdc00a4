// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/float16.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace mlgraph {
namespace {

TEST_CASE("half precision is widened exactly, for each of the 65536 values") {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const auto bits = static_cast<std::uint16_t>(half);
    const int exponent = static_cast<int>(half >> 10 & 31);
    const auto mantissa = static_cast<double>(half & 1023);
    const float value = half_to_float(bits);
    CHECK_MESSAGE(std::signbit(value) == (half >= 32768), half);
    if (exponent == 31) {
      CHECK_MESSAGE((mantissa == 0 ? std::isinf(value) : std::isnan(value)), half);
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      CHECK_MESSAGE(static_cast<double>(std::fabs(value)) == magnitude, half);
    }
  }
  CHECK(half_to_float(0x3555) == 0.333251953125f);
  CHECK(half_to_float(0x7bff) == 65504.0f);
  CHECK(half_to_float(0x0001) == 0x1p-24f);
}

TEST_CASE("bfloat16 is widened exactly, for each of the 65536 values") {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const float value = bfloat16_to_float(static_cast<std::uint16_t>(half));
    const int exponent = static_cast<int>(half >> 7 & 255);
    const auto mantissa = static_cast<double>(half & 127);
    CHECK_MESSAGE(std::signbit(value) == (half >= 32768), half);
    if (exponent == 255) {
      CHECK_MESSAGE((mantissa == 0 ? std::isinf(value) : std::isnan(value)), half);
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -133) : std::ldexp(128 + mantissa, exponent - 134);
      CHECK_MESSAGE(static_cast<double>(std::fabs(value)) == magnitude, half);
    }
  }
}

}  // namespace
}  // namespace mlgraph
