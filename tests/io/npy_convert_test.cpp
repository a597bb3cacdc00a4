// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/npy_convert.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace mlgraph;
using io::NpyType;

/// Whether the stored value becomes exactly `expected`.
template <class To, class From>
bool becomes(From from, To expected) {
  To to{};
  const std::size_t fit =
      io::convert_npy_elements(io::npy_type_of<From>(), reinterpret_cast<const std::byte*>(&from), 1, &to);
  return fit == 1 && to == expected;
}

template <class To, class From>
bool fits(From from) {
  To to{};
  return io::convert_npy_elements(io::npy_type_of<From>(), reinterpret_cast<const std::byte*>(&from), 1, &to) ==
         1;
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("integers convert between all types exactly when in range") {
  CHECK(becomes<std::uint8_t>(std::int64_t{255}, std::uint8_t{255}));
  CHECK_FALSE(fits<std::uint8_t>(std::int64_t{256}));
  CHECK_FALSE(fits<std::uint8_t>(std::int64_t{-1}));
  CHECK(becomes<std::int8_t>(std::int16_t{-128}, std::int8_t{-128}));
  CHECK_FALSE(fits<std::int8_t>(std::int16_t{-129}));
  CHECK_FALSE(fits<std::int8_t>(std::uint8_t{128}));
  CHECK(becomes<std::int64_t>(std::uint8_t{200}, std::int64_t{200}));
  CHECK(becomes<std::int64_t>(std::int8_t{-7}, std::int64_t{-7}));
  CHECK_FALSE(fits<std::uint64_t>(std::int8_t{-1}));
  CHECK_FALSE(fits<std::int64_t>(std::numeric_limits<std::uint64_t>::max()));
  CHECK_FALSE(fits<std::int32_t>(std::numeric_limits<std::int64_t>::min()));
  CHECK(becomes<std::uint64_t>(std::numeric_limits<std::int64_t>::max(), std::uint64_t{1} << 63) == false);
  CHECK(becomes<std::uint64_t>(std::numeric_limits<std::int64_t>::max(), (std::uint64_t{1} << 63) - 1));
}

TEST_CASE("a float becomes an integer only when it is a whole number in range") {
  CHECK(becomes<std::int8_t>(-1.0f, std::int8_t{-1}));
  CHECK(becomes<std::int8_t>(-0.0f, std::int8_t{0}));
  CHECK_FALSE(fits<std::int8_t>(0.5f));
  CHECK_FALSE(fits<std::int8_t>(128.0f));
  CHECK(fits<std::int8_t>(-128.0f));
  CHECK_FALSE(fits<std::int8_t>(-129.0));
  CHECK_FALSE(fits<std::uint8_t>(-1.0));
  CHECK_FALSE(fits<std::int64_t>(0x1p63));
  CHECK(becomes<std::int64_t>(-0x1p63, std::numeric_limits<std::int64_t>::min()));
  CHECK(becomes<std::uint64_t>(0x1p63f, std::uint64_t{1} << 63));
  CHECK_FALSE(fits<std::uint64_t>(0x1p64));
  CHECK_FALSE(fits<std::int32_t>(kNan));
  CHECK_FALSE(fits<std::int32_t>(kInf));
  CHECK_FALSE(fits<std::int32_t>(-kInf));
}

TEST_CASE("an integer becomes a float only when it is not rounded") {
  CHECK(becomes<float>(std::int64_t{1} << 24, 0x1p24f));
  CHECK_FALSE(fits<float>((std::int64_t{1} << 24) + 1));
  CHECK(becomes<float>(std::numeric_limits<std::int64_t>::min(), -0x1p63f));
  CHECK_FALSE(fits<float>(std::numeric_limits<std::int64_t>::max()));
  CHECK_FALSE(fits<double>(std::numeric_limits<std::int64_t>::max()));
  CHECK_FALSE(fits<double>(std::numeric_limits<std::uint64_t>::max()));
  CHECK(becomes<double>(std::int64_t{910903933}, 910903933.0));
  CHECK(becomes<float>(std::int8_t{-5}, -5.0f));
}

TEST_CASE("a double is rounded to a float and must not overflow it; infinities and NaN pass") {
  CHECK(becomes<float>(0.1, 0.1f));
  CHECK(becomes<double>(0.1f, static_cast<double>(0.1f)));
  CHECK_FALSE(fits<float>(1e39));
  CHECK_FALSE(fits<float>(-1e39));
  CHECK(becomes<float>(std::numeric_limits<double>::infinity(), kInf));
  CHECK(becomes<float>(-std::numeric_limits<double>::infinity(), -kInf));
  CHECK(becomes<float>(1e-60, 0.0f));
  CHECK(fits<float>(std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE("a half is exact as a float, for all 65,536 of them") {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    float value = 1;
    CHECK(io::convert_npy_elements(NpyType::kFloat16, reinterpret_cast<const std::byte*>(&half), 1, &value) ==
          1);
    const int exponent = static_cast<int>((bits >> 10) & 31);
    const double mantissa = bits & 1023;
    double expected = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) expected = mantissa == 0 ? static_cast<double>(kInf) : static_cast<double>(kNan);
    if (bits >= 32768) expected = -expected;
    if (std::isnan(expected)) {
      CHECK(std::isnan(value));
    } else {
      CHECK(static_cast<double>(value) == expected);
      CHECK(std::signbit(value) == (bits >= 32768));
    }
  }
}

TEST_CASE("a bool is 0 or 1") {
  const std::byte stored[] = {std::byte{0}, std::byte{1}, std::byte{2}};
  std::vector<float> values(3);
  CHECK(io::convert_npy_elements(NpyType::kBool, stored, 3, values.data()) == 2);
  CHECK(values[0] == 0.0f);
  CHECK(values[1] == 1.0f);
  CHECK(io::npy_element_text(NpyType::kBool, stored + 2) == "2");
}

TEST_CASE("the first of several elements that do not fit is named") {
  std::vector<double> stored(100, 3);
  stored[41] = 1.5;
  stored[90] = 2.5;
  std::vector<std::int8_t> values(stored.size());
  const std::byte* const bytes = reinterpret_cast<const std::byte*>(stored.data());
  CHECK(io::convert_npy_elements(NpyType::kFloat64, bytes, stored.size(), values.data()) == 41);
  CHECK(io::npy_element_text(NpyType::kFloat64, bytes + 41 * 8) == "1.5");
  CHECK(io::convert_npy_elements(NpyType::kFloat64, bytes, 41, values.data()) == 41);
}

TEST_CASE("elements are read from any byte address") {
  std::vector<std::byte> bytes(1 + 3 * sizeof(std::int32_t));
  const std::int32_t stored[] = {1, -2, 3};
  std::memcpy(bytes.data() + 1, stored, sizeof(stored));
  std::vector<std::int64_t> values(3);
  CHECK(io::convert_npy_elements(NpyType::kInt32, bytes.data() + 1, 3, values.data()) == 3);
  CHECK(values == std::vector<std::int64_t>{1, -2, 3});
}
