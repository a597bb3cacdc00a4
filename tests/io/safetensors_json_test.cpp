// SPDX-License-Identifier: Apache-2.0
// The headers of safetensors files, whole and changed ones, against nlohmann-json.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "hlo_fixtures.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "safetensors_oracle.hpp"

namespace {

using namespace mlgraph;
using namespace std::string_view_literals;

std::string safetensors_text(std::string_view header, std::size_t data_bytes) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return text.append(header).append(data_bytes, 'd');
}

struct SafeTensorsCase {
  std::string_view header;
  std::size_t data_bytes;
};

constexpr SafeTensorsCase kWholeSafeTensors[] = {
    {"{}"sv, 0},
    {R"({"__metadata__":{}}   )"sv, 0},
    {"{\"__metadata__\":null}\t\n\r "sv, 0},
    {R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})"sv, 24},
    {R"({ "b" : {"shape" :[ ], "data_offsets":[24 , 25],"dtype":"BOOL"} ,
         "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} })"sv,
     25},
    {R"({"__metadata__":{"format":"pt","\u00e9\n":"\ud83d\ude00 \"\\"},"é\u0000":{"dtype":"I64","shape":[0,4],)"
     R"("data_offsets":[0,0]},"":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}     )"sv,
     2},
    {R"({"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}})"sv, 0},
};

/// A header for each rule, in the order of the rules.
constexpr SafeTensorsCase kBrokenSafeTensors[] = {
    {" {}"sv, 0},
    {"{}\0"sv, 0},
    {R"({"__metadata__":{"a":"b"},"__metadata__":{}})"sv, 0},
    {R"({"__metadata__":["a"]})"sv, 0},
    {R"({"__metadata__":{"a":1}})"sv, 0},
    {R"({"__metadata__":{"a":"b","\u0061":"c"}})"sv, 0},
    {R"({"a":[0]})"sv, 0},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"more":1}})"sv, 1},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[],"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[]}})"sv, 1},
    {R"({"a":{"dtype":8,"shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"u8","shape":[],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,)"
     R"(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})"sv,
     1},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})"sv, 0},
    {R"({"a":{"dtype":"U8","shape":[4294967296,1073741824],"data_offsets":[0,0]}})"sv, 0},
    {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U16","shape":[1],"data_offsets":[0,1]}})"sv, 1},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})"sv, 2},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"sv, 2},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})"sv,
     1},
    {R"({"a":{"dtype":"U8","shape":[1e-400],"data_offsets":[0,0]}})"sv, 0},
};
static_assert(std::size(kBrokenSafeTensors) == std::size(testing::kSafeTensorsRules));

constexpr std::string_view kSafeTensorsTokens[] = {
    "{"sv,
    "}"sv,
    "["sv,
    "]"sv,
    ","sv,
    ":"sv,
    "\""sv,
    "\\"sv,
    "null"sv,
    "true"sv,
    "-"sv,
    "0"sv,
    "1"sv,
    "-0"sv,
    "00"sv,
    "1.0"sv,
    "0.5e1"sv,
    "1e400"sv,
    "1e-400"sv,
    ".5"sv,
    "NaN"sv,
    "9223372036854775807"sv,
    "9223372036854775808"sv,
    "18446744073709551615"sv,
    "18446744073709551616"sv,
    " "sv,
    "\t"sv,
    "\n"sv,
    "\r"sv,
    "\0"sv,
    "\f"sv,
    "\x7f"sv,
    "/**/"sv,
    "\xef\xbb\xbf"sv,
    "\"a\""sv,
    "\"\""sv,
    "'a'"sv,
    "\\u0061"sv,
    "\\u0000"sv,
    "\\ud800"sv,
    "\\udc00"sv,
    "\\ud83d\\ude00"sv,
    "\\ud83d\\u0061"sv,
    "\\u12"sv,
    "\\n"sv,
    "\\/"sv,
    "\\x41"sv,
    "\xc3\xa9"sv,
    "\xc3"sv,
    "\xa9"sv,
    "\xc0\x80"sv,
    "\xed\xa0\x80"sv,
    "\xef\xbf\xbf"sv,
    "\xf0\x9f\x98\x80"sv,
    "\xf0\x8f\xbf\xbf"sv,
    "\xf4\x90\x80\x80"sv,
    "\xff"sv,
    "\"dtype\":\"F32\","sv,
    ",\"shape\":[2,3]"sv,
    "\"data_offsets\":[0,24],"sv,
    "\"more\":[],"sv,
    "\"__metadata__\":{},"sv,
    "\"__metadata__\":{\"x\":\"y\"},"sv,
    "\"x\":\"y\","sv,
    ",\"x\":\"\\u0000\""sv,
    "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"sv,
    ",\"a\":{\"dtype\":\"F64\",\"shape\":[5,0],\"data_offsets\":[24,24]}"sv,
    "[[[["sv,
    "{\"a\":{\"a\":"sv,
    ",0"sv,
    "0,"sv};

std::size_t any_place(Rng& rng, std::string_view text) {
  return static_cast<std::size_t>(rng.below(text.size() + 1));
}

/// In front of a random token, where most insertions leave JSON.
std::size_t any_token(Rng& rng, std::string_view text) {
  const std::size_t at = text.find_first_of("{}[],:\"0123456789", any_place(rng, text));
  return at == std::string_view::npos ? text.size() : at;
}

/// One change: other bytes, a cut, something doubled or left out, a token more or instead.
std::string changed_header(Rng& rng, std::string header) {
  std::size_t begin = any_token(rng, header), end = any_token(rng, header);
  if (begin > end) std::swap(begin, end);
  const std::string_view token = kSafeTensorsTokens[rng.below(std::size(kSafeTensorsTokens))];
  switch (rng.below(8)) {
    case 0:
      for (std::uint64_t i = rng.below(3) + 1; i > 0 && !header.empty(); --i)
        header[static_cast<std::size_t>(rng.below(header.size()))] = static_cast<char>(rng.below(256));
      return header;
    case 1:
      return header.substr(0, any_place(rng, header));
    case 2:
      return header.insert(begin, header.substr(begin, end - begin));
    case 3:
      return header.erase(begin, std::min<std::size_t>(end - begin, 1 + rng.below(12)));
    case 4:
      return header.replace(begin, 1, token);
    case 5:
      return header.insert(any_place(rng, header), token);
    case 6:  // what is between the quotes of a string
      begin = header.find('"', any_place(rng, header));
      return begin == std::string::npos ? header : header.insert(begin + 1, token);
    default:
      return header.insert(begin, token);
  }
}

}  // namespace

TEST_CASE("whole headers and one for each rule of the format are read as nlohmann-json reads them") {
  for (const SafeTensorsCase& each : kWholeSafeTensors) {
    const std::string text = safetensors_text(each.header, each.data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(testing::bytes_of(text));
    CHECK_MESSAGE(parsed.ok(), parsed.status().message());
    CHECK(testing::disagreement(testing::bytes_of(text), parsed).empty());
  }
  for (std::size_t i = 0; i < std::size(kBrokenSafeTensors); ++i) {
    const std::string text = safetensors_text(kBrokenSafeTensors[i].header, kBrokenSafeTensors[i].data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(testing::bytes_of(text));
    REQUIRE_FALSE(parsed.ok());
    CHECK_MESSAGE(testing::rule_of(parsed.status().message()) == i, parsed.status().message());
    CHECK(testing::disagreement(testing::bytes_of(text), parsed) == "");
  }
}

TEST_CASE("headers that are changed at random are read as nlohmann-json reads them, or refused by a rule" *
          testing::kLong) {
  constexpr int kCount = 30000;
  Rng rng(1);
  int num_accepted = 0, num_by_rule = 0;
  for (int i = 0; i < kCount; ++i) {
    const SafeTensorsCase& whole = kWholeSafeTensors[rng.below(std::size(kWholeSafeTensors))];
    std::string header(whole.header);
    for (std::uint64_t n = rng.below(4) == 0 ? 3 : 1; n > 0; --n) header = changed_header(rng, header);
    const std::size_t data_bytes = rng.below(20) == 0 ? whole.data_bytes + 1 : whole.data_bytes;
    const std::string text = safetensors_text(header, data_bytes);
    const Result<SafeTensors> parsed = SafeTensors::parse(testing::bytes_of(text));
    const std::string what = testing::disagreement(testing::bytes_of(text), parsed);
    CHECK_MESSAGE(what.empty(), what << "\n" << header);
    num_accepted += parsed.ok() ? 1 : 0;
    num_by_rule +=
        !parsed.ok() && testing::rule_of(parsed.status().message()) < std::size(testing::kSafeTensorsRules);
  }
  CHECK(num_accepted > kCount / 30);
  CHECK(num_by_rule > kCount / 10);
}

TEST_CASE("the comparison with nlohmann-json finds what is wrong") {
  const auto parse = [](const std::string& text) { return SafeTensors::parse(testing::bytes_of(text)); };
  const auto disagreement = [](const std::string& text, const Result<SafeTensors>& parsed) {
    return testing::disagreement(testing::bytes_of(text), parsed);
  };
  const auto file = [](std::string_view name, std::string_view dtype, std::string_view shape,
                       std::string_view value) {
    return safetensors_text(str_cat(R"({"__metadata__":{"k":")", value, R"("},")", name, R"(":{"dtype":")",
                                    dtype, R"(","shape":)", shape, R"(,"data_offsets":[0,4]}})"),
                            4);
  };
  const std::string text = file("a", "F32", "[1]", "v");
  CHECK(disagreement(text, parse(text)).empty());
  CHECK(disagreement(text, parse(file("b", "F32", "[1]", "v"))) == "nlohmann-json finds otherwise: the name b");
  CHECK(disagreement(text, parse(file("a", "I32", "[1]", "v"))) ==
        "nlohmann-json finds otherwise: the dtype of a");
  CHECK(disagreement(text, parse(file("a", "F32", "[]", "v"))) ==
        "nlohmann-json finds otherwise: the shape of a");
  CHECK(disagreement(text, parse(file("a", "F32", "[1]", "w"))) ==
        "nlohmann-json finds otherwise: the metadata of k");
  std::string two = safetensors_text(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                     2);
  const Result<SafeTensors> of_two = parse(two);
  two.replace(two.find("[1,2]"), 5, "[0,1]");
  two.replace(two.find("[0,1]"), 5, "[1,2]");
  CHECK(disagreement(two, of_two) == "nlohmann-json finds otherwise: the data_offsets of a");
  const std::string none = safetensors_text("{}", 0);
  CHECK(disagreement(text, parse(none)) == "nlohmann-json finds otherwise: the number of tensors");
  CHECK(disagreement(none.substr(0, 9), parse(none)) == "a file without a whole header was accepted");
  CHECK(disagreement(safetensors_text("{]", 0), parse(none)) ==
        "nlohmann-json refuses the header of a file that was accepted");
  CHECK(disagreement(safetensors_text(R"({"__metadata__":{"a":"b","a":"c"}})", 0), parse(none)) ==
        "a file that breaks a rule was accepted");
  CHECK(disagreement(safetensors_text(" {}", 0), parse(none)) == "a file that breaks a rule was accepted");
  CHECK(disagreement(safetensors_text("{}", 1), parse(none)) == "a file that breaks a rule was accepted");
  CHECK(disagreement(text, Status::data_loss("safetensors: header byte 3: is not valid UTF-8")) ==
        "nlohmann-json accepts the header, and the message names no rule: safetensors: header byte 3: is not "
        "valid UTF-8");
  CHECK(disagreement(text, Status::data_loss("safetensors: tensor \"a\": has no shape")) ==
        "no rule is broken: safetensors: tensor \"a\": has no shape");
}
