// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/parse_number.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"

namespace mlgraph {
namespace {

struct Read {
  double value = -7;
  std::size_t length = 0;
  std::errc error = {};
};
template <class From>
Read read_by(From&& from, std::string_view text) {
  Read out;
  const std::from_chars_result got = from(text.data(), text.data() + text.size(), out.value);
  out.length = static_cast<std::size_t>(got.ptr - text.data());
  out.error = got.ec;
  return out;
}
Read by_strtod(std::string_view text) {
  return read_by([](const char* first, const char* last,
                    double& value) { return detail::from_chars_by_strtod(first, last, value); },
                 text);
}
Read by_library(std::string_view text) {
  return read_by([](const char* first, const char* last,
                    double& value) { return detail::parse_number(first, last, value); },
                 text);
}
std::uint64_t bits(double value) {
  std::uint64_t out;
  std::memcpy(&out, &value, sizeof(out));
  return out;
}

TEST_CASE("numbers are read as std::from_chars reads them, to the bit and to the last character") {
  for (const char* text : {"0",
                           "-0",
                           "1",
                           "-1.5",
                           "1.",
                           ".5",
                           "-.5e1x",
                           "1e5",
                           "1e+5",
                           "1E-5",
                           "1e",
                           "1e+",
                           "1e5.5",
                           "1.5.5",
                           "4.9e-324",
                           "2e-324",
                           "1e-400",
                           "0e-400",
                           "0.000e999",
                           "1e400",
                           "-1e400",
                           "1.7976931348623157e308",
                           "1.7976931348623159e308",
                           "2.2250738585072011e-308",
                           "inf",
                           "-inf",
                           "INF",
                           "infinity",
                           "infinit",
                           "nan",
                           "-nan",
                           "NaN",
                           "",
                           "-",
                           ".",
                           "-.",
                           "e5",
                           "+1",
                           " 1",
                           "x",
                           "0x10",
                           "1,5",
                           "123456789012345678901234567890",
                           "00012",
                           "--1",
                           "in",
                           "na"}) {
    CAPTURE(text);
    const Read a = by_strtod(text), b = by_library(text);
    CHECK(a.error == b.error);
    CHECK(a.length == b.length);
    CHECK(bits(a.value) == bits(b.value));
  }
  Rng rng(5);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t random = rng.next();
    double value;
    std::memcpy(&value, &random, sizeof(value));
    if (!(value == value)) continue;
    const std::string text = str_cat(value);
    REQUIRE(bits(by_strtod(text).value) == random);
    REQUIRE(bits(by_library(text).value) == random);
  }
}

TEST_CASE("the locale of the program does not matter") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) CHECK(by_strtod("1.5").value == 1.5);
  }
  std::setlocale(LC_ALL, before.c_str());
}

}  // namespace
}  // namespace mlgraph
