// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/fields.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <map>
#include <string>

namespace fields_test {
enum class Mode : std::uint8_t { kSlow, kFast };
}  // namespace fields_test

namespace mlgraph {
template <>
struct EnumNames<fields_test::Mode> {
  static constexpr std::string_view kNames[] = {"slow", "fast"};
};
}  // namespace mlgraph

namespace fields_test {
namespace {

using namespace mlgraph;

using Texts = std::map<std::string, std::string>;

/// A pair with a text form of its own.
struct Pair {
  int a = 1, b = 2;
};
std::string print_pair(const Pair& p) { return str_cat(p.a, ":", p.b); }
Result<Pair> parse_pair(std::string_view text) {
  if (text.size() == 3 && text[1] == ':') return Pair{text[0] - '0', text[2] - '0'};
  return Status::invalid_argument(str_cat("pair is \"", text, "\"; should be A:B"));
}

struct Options {
  std::int64_t count = 3, any = 0;
  double rate = 0.5, positive = 1;
  bool loud = false;
  Mode mode = Mode::kSlow;
  Pair pair;
  template <class V>
  void fields(V& v) {
    v("count", "--count", count, 1, 9, "How many");
    v("any", "", any, 0, std::numeric_limits<std::int64_t>::max(), "Any number");
    v("rate", "--rate", rate, 0.0, 1.0, "How often");
    v("positive", "", positive, 0.25, std::numeric_limits<double>::infinity(), "How large");
    v("loud", "--loud", loud, "Whether");
    v("mode", "--mode", mode, "How");
    v("pair", "--pair", pair, print_pair, parse_pair, "Both");
  }
};

TEST_CASE("a struct of options becomes texts") {
  CHECK(to_texts(Options()) == Texts{{"count", "3"},
                                     {"any", "0"},
                                     {"rate", "0.5"},
                                     {"positive", "1"},
                                     {"loud", "no"},
                                     {"mode", "slow"},
                                     {"pair", "1:2"}});
  Options options;
  options.rate = 0.1;
  options.loud = true;
  options.mode = Mode::kFast;
  options.pair = {7, 8};
  CHECK(to_texts(options).at("rate") == "0.1");
  CHECK(to_texts(options).at("loud") == "yes");
  CHECK(to_texts(options).at("mode") == "fast");
  CHECK(to_texts(options).at("pair") == "7:8");
}

/// The status of reading the texts of the defaults with one of them changed, and what was read.
std::string read(const Texts& changes, Options& options) {
  Texts texts = to_texts(Options());
  for (const auto& [key, value] : changes) texts[key] = value;
  mlgraph::detail::FieldReader reader("it", texts);
  options.fields(static_cast<FieldVisitor&>(reader));
  return reader.status().message();
}
std::string read_message(const std::string& key, const std::string& value) {
  Options options;
  return read({{key, value}}, options);
}

TEST_CASE("and texts become a struct of options again") {
  Options options;
  options.count = 5;
  options.pair = {0, 0};
  CHECK(
      read(
          {{"any", "9223372036854775807"}, {"rate", "0.1"}, {"loud", "yes"}, {"mode", "fast"}, {"pair", "3:4"}},
          options)
          .empty());
  CHECK((options.count == 3 && options.any == std::numeric_limits<std::int64_t>::max() && options.rate == 0.1));
  CHECK((options.loud && options.mode == Mode::kFast && options.pair.a == 3 && options.pair.b == 4));
}

TEST_CASE("texts that are wrong are named, and the first of them counts") {
  CHECK(read_message("count", "10") == "it: count is 10; should be in [1, 9]");
  CHECK(read_message("count", "x") == "it: metadata \"count\" is \"x\"; should be a number");
  CHECK(read_message("count", "3.5") == "it: metadata \"count\" is \"3.5\"; should be a number");
  CHECK(read_message("any", "-1") == "it: any is -1; should be 0 or more");
  CHECK(read_message("rate", "1") == "it: rate is 1; should be in [0, 1)");
  CHECK(read_message("rate", "nan") == "it: rate is nan; should be in [0, 1)");
  CHECK(read_message("positive", "0.125") == "it: positive is 0.125; should be 0.25 or more");
  CHECK(read_message("positive", "inf") == "it: positive is inf; should be 0.25 or more");
  CHECK(read_message("loud", "true") == "it: metadata \"loud\" is \"true\", which this version does not know");
  CHECK(read_message("mode", "") == "it: metadata \"mode\" is \"\", which this version does not know");
  CHECK(read_message("pair", "3") == "it: metadata \"pair\" is \"3\", which this version does not know");
  Options options;
  CHECK(read({{"count", "0"}, {"mode", "?"}}, options) == "it: count is 0; should be in [1, 9]");
  Texts texts = to_texts(Options());
  texts.erase("rate");
  mlgraph::detail::FieldReader reader("it", texts);
  options.fields(static_cast<FieldVisitor&>(reader));
  CHECK(reader.status().message() == "it: metadata has no \"rate\"");
}

TEST_CASE("a struct whose values are out of range is an error") {
  Options options;
  CHECK(check_ranges("it", options).ok());
  options.any = -3;
  CHECK(check_ranges("it", options).message() == "it: any is -3; should be 0 or more");
  options.rate = std::numeric_limits<double>::quiet_NaN();
  CHECK(check_ranges("it", options).message() == "it: any is -3; should be 0 or more");
  options.any = 0;
  CHECK(check_ranges("it", options).message() == "it: rate is nan; should be in [0, 1)");
  options.rate = 0;
  options.count = std::numeric_limits<std::int64_t>::max();
  CHECK(check_ranges("it", options).message() == "it: count is 9223372036854775807; should be in [1, 9]");
  options.count = 1;
  options.pair = {10, 2};
  CHECK(check_ranges("it", options).message() == "it: pair is \"10:2\"; should be A:B");
}

}  // namespace
}  // namespace fields_test
