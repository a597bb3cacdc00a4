// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/json_string.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace mlgraph {
namespace {

TEST_CASE("JSON's escapes and nothing else are escaped") {
  std::string text = "=";
  append_json_string(text, "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9");
  CHECK(text == "=\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\"");
}

TEST_CASE("UTF-8 of every code point is one character of its bytes, and what is cut or too long is none") {
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    if (code == 0xd800) code = 0xe000;  // surrogates
    std::string text;
    detail::append_utf8(text, code);
    const std::size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (text.size() != size || detail::utf8_character(text) != size ||
        (size > 1 && detail::utf8_character(text.substr(0, size - 1)) != 0)) {
      FAIL("code point " << code);
    }
  }
  for (const char* const bad : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\x80", "\xc2", ""}) {
    CHECK(detail::utf8_character(bad) == 0);
  }
}

TEST_CASE("a long text is cut for a message, not inside a character") {
  CHECK(in_quotes("a\nb") == R"("a\nb")");
  CHECK(in_quotes(std::string(100, 'x')) == "\"" + std::string(100, 'x') + "\"");
  CHECK(in_quotes(std::string(101, 'x')) == "\"" + std::string(100, 'x') + "\"...");
  CHECK(in_quotes(std::string(99, 'x') + "\xe2\x82\xac") == "\"" + std::string(99, 'x') + "\"...");
}

TEST_CASE("is_utf8 knows whole characters from pieces of them") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("a\xc3\xa9"));
  CHECK(!is_utf8("a\xc3"));
  CHECK(!is_utf8("\xa9"));
}

TEST_CASE("text that is no UTF-8 is measured and cut without a step before its beginning") {
  CHECK(detail::utf8_character("") == 0);
  CHECK(detail::utf8_character("a") == 1);
  CHECK(in_quotes(std::string(200, '\x80')) == "\"\"...");
  CHECK(in_quotes("a" + std::string(200, '\x80')) == "\"\"...");
}

}  // namespace
}  // namespace mlgraph
