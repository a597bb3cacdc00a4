// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/float16.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

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

TEST_CASE("a float becomes the nearest bfloat16, ties to even") {
  CHECK(float_to_bfloat16(1.0F) == 0x3f80);
  CHECK(float_to_bfloat16(1.0F + 0x1p-8F) == 0x3f80);  // half way: to the even one below
  CHECK(float_to_bfloat16(1.0F + 3 * 0x1p-8F) == 0x3f82);
  CHECK(float_to_bfloat16(1.0F + 0x1p-8F + 0x1p-20F) == 0x3f81);
  CHECK(float_to_bfloat16(-0.0F) == 0x8000);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(float_to_bfloat16(-std::numeric_limits<float>::infinity()) == 0xff80);
  CHECK(std::isnan(bfloat16_to_float(float_to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  for (std::uint32_t h = 0; h < 0x7f80; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    CHECK(float_to_bfloat16(bfloat16_to_float(half)) == half);
  }
}

}  // namespace
}  // namespace mlgraph
