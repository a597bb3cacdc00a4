// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/json_value.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace mlgraph {
namespace {

std::string error_of_json(const std::string& text, std::size_t max_depth = kMaxJsonDepth) {
  const Result<JsonValue> value = parse_json(text, max_depth);
  return value.ok() ? "" : value.status().message();
}

TEST_CASE("a JSON text becomes a tree and the same text again") {
  const std::string text = R"({"a":[1,-2.5e3,"x\n",true,false,null,[],{}],"b":{"c":{"d":[[3]]}},"":"\"\\"})";
  const Result<JsonValue> value = parse_json(text);
  REQUIRE(value.ok());
  std::string again;
  append_json(again, *value);
  CHECK(again == text);
  const JsonValue* const a = value->find("a");
  REQUIRE(a != nullptr);
  CHECK(a->item.size() == 8);
  CHECK(a->item[3].truth);
  CHECK(value->find("none") == nullptr);
  CHECK(a->find("x") == nullptr);
  CHECK(parse_json(" 7 ")->text == "7");
}

TEST_CASE("numbers of a tree are asked for by kind and range") {
  const JsonValue value = parse_json(R"([12, -3, 1.5, 3.0, "4", 99999999999999999999])").value();
  std::int64_t whole = -1;
  CHECK(value.item[0].to_integer(0, 12, whole));
  CHECK(whole == 12);
  CHECK_FALSE(value.item[0].to_integer(0, 11, whole));
  CHECK_FALSE(value.item[1].to_integer(0, 11, whole));
  CHECK(value.item[1].to_integer(-3, 11, whole));
  for (int i = 2; i < 6; ++i)
    CHECK_FALSE(value.item[static_cast<std::size_t>(i)].to_integer(0, INT64_MAX, whole));
  double real = 0;
  CHECK(value.item[2].to_double(real));
  CHECK(real == 1.5);
  CHECK(value.item[5].to_double(real));
  CHECK_FALSE(value.item[4].to_double(real));
}

TEST_CASE("a tree tells what it is") {
  const JsonValue value = parse_json(R"([null,true,3,"x",[],{}])").value();
  const char* const told[] = {"null", "true", "the number 3", "the text \"x\"", "a list", "an object"};
  for (std::size_t i = 0; i < 6; ++i) CHECK(value.item[i].what() == told[i]);
}

TEST_CASE("texts that are no JSON, too deep or ambiguous are errors with their place") {
  CHECK(error_of_json("") == "byte 0: the text ends; there should be a value");
  CHECK(error_of_json("[1,]") == "byte 3: is \"]\"; should be a value");
  CHECK(error_of_json("[[[1]]]", 2) == "byte 2: is nested deeper than 2 levels");
  CHECK(error_of_json(R"({"a":1,"b":2,"a":3})") ==
        "byte 19: the object that ends here has the key \"a\" twice");
  CHECK(error_of_json("1 2") == "byte 2: is \"2\"; should be the end of the text");
}

}  // namespace
}  // namespace mlgraph
