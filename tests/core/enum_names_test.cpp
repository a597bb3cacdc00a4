// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/enum_names.hpp"

#include <doctest/doctest.h>

#include <string>

namespace enum_names_test {
enum class Color : std::uint8_t { kRed, kGreen, kBlue };
enum class One : std::uint8_t { kOnly };
}  // namespace enum_names_test

namespace mlgraph {
template <>
struct EnumNames<enum_names_test::Color> {
  static constexpr std::string_view kNames[] = {"red", "green", "blue"};
};
template <>
struct EnumNames<enum_names_test::One> {
  static constexpr std::string_view kNames[] = {"only"};
};
}  // namespace mlgraph

namespace enum_names_test {
namespace {

using namespace mlgraph;

TEST_CASE("an enumerator has a text and comes back from it") {
  CHECK(enum_name(Color::kRed) == "red");
  CHECK(enum_name(Color::kBlue) == "blue");
  CHECK(enum_names<Color>().size() == 3);
  for (const Color color : {Color::kRed, Color::kGreen, Color::kBlue})
    CHECK(parse_enum<Color>("colour", enum_name(color)).value() == color);
}

TEST_CASE("another text is an error that lists those that are known") {
  CHECK(parse_enum<Color>("--colour", "Red").status().message() ==
        "--colour is \"Red\"; should be red, green or blue");
  CHECK(parse_enum<Color>("colour", "").status().message() == "colour is \"\"; should be red, green or blue");
  CHECK(parse_enum<One>("it", "two").status().message() == "it is \"two\"; should be only");
}

TEST_CASE("lists of names read as a sentence does") {
  const std::string_view names[] = {"a", "b", "c"};
  CHECK(list_of({names, 0}).empty());
  CHECK(list_of({names, 1}) == "a");
  CHECK(list_of({names, 2}) == "a or b");
  CHECK(list_of({names, 3}) == "a, b or c");
}

}  // namespace
}  // namespace enum_names_test
