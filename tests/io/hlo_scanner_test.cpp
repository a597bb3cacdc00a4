// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_scanner.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace mlgraph {
namespace {

using io::detail::HloScanner;

HloScanner scan(std::string_view text, int max_depth = 4) { return HloScanner(text, "s", max_depth); }

TEST_CASE("steps skip spaces and comments in front of what they read") {
  HloScanner at = scan(" \t/* a\n */ word.1-x // rest\n %name, -12 true 0 => ");
  std::string_view text;
  CHECK((at.peek_word("word.1-x") && !at.peek_word("word")));
  CHECK((at.word(text, "a word") && text == "word.1-x"));
  CHECK(!at.eat(','));
  CHECK((at.name(text, "a name") && text == "name"));
  CHECK(at.eat(','));
  std::int64_t number = 0;
  CHECK((at.integer(number, "a number") && number == -12));
  bool flag = false;
  CHECK((at.boolean(flag) && flag));
  CHECK((at.boolean(flag) && !flag));
  CHECK(at.expect("=>"));
  CHECK(at.at_end());
  CHECK(at.status().ok());
}

TEST_CASE("a word ends before an arrow, and one that is followed by a bracket begins a shape") {
  HloScanner at = scan("a->b f32 [f32[");
  std::string_view text;
  CHECK((at.word(text, "a word") && text == "a"));
  CHECK(at.expect("->"));
  CHECK((at.word(text, "a word") && text == "b"));
  CHECK(!at.word_then('['));  // a space between them
  CHECK((at.word(text, "a word") && at.eat('[') && at.word_then('[')));
}

TEST_CASE("escapes of a string are resolved") {
  std::string text;
  HloScanner at = scan(R"("a\"\\\n\t\r\101\q" "")");
  CHECK((at.string(text) && text == "a\"\\\n\t\rAq"));
  CHECK((at.string(text) && text.empty()));
}

TEST_CASE("what nobody reads is skipped, with all its brackets, strings and comments") {
  HloScanner at = scan(R"({a, ( "}" [/* ] */]) }, s32[2] {1, 2} x next)");
  CHECK((at.peek() == '{' && at.skip_group() && at.eat(',')));
  CHECK(at.skip_value());  // goes on after the space, for a literal
  CHECK(at.peek_word("x"));
  CHECK((at.atom() == "x" && at.atom() == "next" && at.at_end()));
}

TEST_CASE("a comment of a line ends with it, whatever ends lines; one that does not end is a mistake") {
  for (const char* end : {"\n", "\r", "\r\n"}) {
    const std::string text = std::string("// x") + end + "a";
    HloScanner at = scan(text);
    CHECK(at.eat_word("a"));
  }
  HloScanner last = scan("a // x");
  CHECK((last.eat_word("a") && last.at_end()));
  HloScanner open = scan("a /* x");
  CHECK((open.eat_word("a") && !open.at_end() && open.peek() == '/'));
  HloScanner inside = scan("{ /*/ }");
  CHECK((inside.peek() == '{' && !inside.skip_group()));
  CHECK(inside.status().message() == "s:1:3: expected a comment that ends, found one that does not");
}

TEST_CASE("a number has 64 bits, whichever sign they make") {
  std::int64_t number = 0;
  HloScanner at = scan("18446744073709551615 -9223372036854775808 9223372036854775808 18446744073709551616");
  CHECK((at.integer(number, "a number") && number == -1));
  CHECK((at.integer(number, "a number") && number == std::numeric_limits<std::int64_t>::min()));
  CHECK((at.integer(number, "a number") && number == std::numeric_limits<std::int64_t>::min()));
  CHECK(!at.integer(number, "a number"));
  CHECK(!scan("-9223372036854775809").integer(number, "a number"));
}

TEST_CASE("a mistake is told with line, column, what should be and what is") {
  const auto message = [](std::string_view text, auto&& step) {
    HloScanner at = scan(text);
    CHECK_FALSE(step(at));
    return at.status().message();
  };
  std::int64_t number = 0;
  std::string_view word;
  CHECK(message("a\n  b", [&](HloScanner& at) {
          return at.word(word, "a word") && at.integer(number, "a number");
        }) == "s:2:3: expected a number, found 'b'");
  CHECK(message("", [](HloScanner& at) { return at.expect('{'); }) ==
        "s:1:1: expected '{', found the end of the file");
  CHECK(message("\x01", [](HloScanner& at) { return at.expect("->"); }) ==
        "s:1:1: expected '->', found the byte 1");
  CHECK(message("%x", [](HloScanner& at) { return at.expect(','); }) == "s:1:1: expected ',', found '%x'");
  CHECK(message("(]", [](HloScanner& at) { return at.skip_group(); }) == "s:1:2: expected ')', found ']'");
  CHECK(message("{(", [](HloScanner& at) { return at.skip_group(); }) ==
        "s:1:3: expected ')', found the end of the file");
  CHECK(message("[[[[[]]]]]", [](HloScanner& at) { return at.skip_group(); }) ==
        "s:1:1: expected brackets at most 4 deep, found more");
  CHECK(message(",", [](HloScanner& at) { return at.skip_value(); }) == "s:1:1: expected a value, found ','");
  std::string text;
  CHECK(message(" \"a\\\"", [&](HloScanner& at) { return at.string(text); }) ==
        "s:1:2: expected a string that ends, found one that does not");
}

}  // namespace
}  // namespace mlgraph
