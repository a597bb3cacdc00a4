// SPDX-License-Identifier: Apache-2.0
// JSON as a stream of tokens: a strict reader without recursion, and a writer. For headers and metadata of
// models.
#ifndef MLGRAPH_FORMAT_JSON_TEXT_HPP
#define MLGRAPH_FORMAT_JSON_TEXT_HPP
#include "mlgraph/core/push_macros.inc"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What JsonReader reads at a time.
enum class JsonToken : std::uint8_t {
  kBeginObject,
  kEndObject,
  kBeginArray,
  kEndArray,
  kKey,     ///< of an object's member; its value follows
  kString,  ///< text() is what it says, without quotes and escapes
  kNumber,  ///< text() is the number as it is written
  kTrue,
  kFalse,
  kNull,
  kEnd,    ///< the text is over, and was one JSON value
  kError,  ///< status() says why; every later call returns kError too
};

/// How deep objects and arrays of JSON may be in each other, unless a reader is told otherwise.
inline constexpr std::size_t kMaxJsonDepth = 32;

/// Reads JSON (RFC 8259) token by token: what comes out up to an error has been grammatical.
///
/// Strict: no comments, no trailing commas, no byte order mark, valid UTF-8, paired surrogates, numbers within
/// the range of double. Equal keys in one object are for the caller to refuse. Memory: the longest string, and
/// a byte per level; no recursion.
class JsonReader {
 public:
  /// Borrows `text`. Values nested deeper than `max_depth` are an error.
  explicit JsonReader(std::string_view text, std::size_t max_depth = kMaxJsonDepth)
      : input_(text), max_depth_(max_depth) {}

  /// The next token. Commas and colons are checked, not reported.
  JsonToken next() {
    if (token_ == JsonToken::kError || token_ == JsonToken::kEnd) return token_;
    skip_spaces();
    if (expect_ == Expect::kCommaOrEnd && peek() == ',') {
      ++at_;
      skip_spaces();
      expect_ = open_.back() == '{' ? Expect::kKey : Expect::kValue;
    }
    begin_ = at_;
    return token_ = read();
  }

  /// Of the last token: a key, a string or the digits of a number.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Of the last token: the byte at which it starts, counted from 0.
  [[nodiscard]] std::size_t position() const { return begin_; }
  /// The byte after the last token.
  [[nodiscard]] std::size_t end() const { return at_; }
  /// The error behind kError: `byte 7: ... should be ...`.
  [[nodiscard]] const Status& status() const { return status_; }

  /// The last token's number when it is written as a whole number (no sign, point or exponent) and fits.
  [[nodiscard]] bool to_unsigned(std::uint64_t& value) const {
    const char* const last = text_.data() + text_.size();
    const std::from_chars_result got = std::from_chars(text_.data(), last, value);
    return token_ == JsonToken::kNumber && got.ec == std::errc() && got.ptr == last;
  }

 private:
  enum class Expect : std::uint8_t { kValue, kFirstValue, kKey, kFirstKey, kCommaOrEnd, kNothing };

  [[nodiscard]] char peek() const { return at_ < input_.size() ? input_[at_] : '\0'; }
  void skip_spaces() {
    while (at_ < input_.size() && std::string_view(" \t\n\r").find(input_[at_]) != std::string_view::npos)
      ++at_;
  }

  JsonToken fail(std::size_t at, std::string_view what) {
    status_ = Status::data_loss(str_cat("byte ", at, ": ", what));
    return JsonToken::kError;
  }
  JsonToken fail_expected(std::string_view should) {
    if (at_ >= input_.size()) return fail(at_, str_cat("the text ends; there should be ", should));
    const std::size_t bytes = detail::utf8_character(input_.substr(at_));
    if (bytes == 0) return fail(at_, "is not valid UTF-8");
    return fail(at_, str_cat("is ", in_quotes(input_.substr(at_, bytes)), "; should be ", should));
  }

  JsonToken read() {
    const char c = peek();
    switch (expect_) {
      case Expect::kNothing:
        return at_ == input_.size() ? JsonToken::kEnd : fail_expected("the end of the text");
      case Expect::kCommaOrEnd:
        if (open_.back() == '{') return c == '}' ? close(JsonToken::kEndObject) : fail_expected("',' or '}'");
        return c == ']' ? close(JsonToken::kEndArray) : fail_expected("',' or ']'");
      case Expect::kFirstKey:
        if (c == '}') return close(JsonToken::kEndObject);
        return c == '"' ? read_key() : fail_expected("a key in quotes or '}'");
      case Expect::kKey:
        return c == '"' ? read_key() : fail_expected("a key in quotes");
      case Expect::kFirstValue:
        if (c == ']') return close(JsonToken::kEndArray);
        break;
      case Expect::kValue:
        break;
    }
    return read_value(c);
  }

  JsonToken read_value(char c) {
    switch (c) {
      case '{':
        return open('{', Expect::kFirstKey, JsonToken::kBeginObject);
      case '[':
        return open('[', Expect::kFirstValue, JsonToken::kBeginArray);
      case '"':
        return read_string() ? value_ends(JsonToken::kString) : JsonToken::kError;
      case 't':
        return read_word("true", JsonToken::kTrue);
      case 'f':
        return read_word("false", JsonToken::kFalse);
      case 'n':
        return read_word("null", JsonToken::kNull);
      default:
        if (c == '-' || is_digit(c)) return read_number();
        return fail_expected(expect_ == Expect::kFirstValue ? "a value or ']'" : "a value");
    }
  }

  JsonToken value_ends(JsonToken token) {
    expect_ = open_.empty() ? Expect::kNothing : Expect::kCommaOrEnd;
    return token;
  }
  JsonToken open(char bracket, Expect expect, JsonToken token) {
    if (open_.size() == max_depth_) return fail(at_, str_cat("is nested deeper than ", max_depth_, " levels"));
    ++at_;
    open_ += bracket;
    expect_ = expect;
    return token;
  }
  JsonToken close(JsonToken token) {
    ++at_;
    open_.pop_back();
    return value_ends(token);
  }

  JsonToken read_word(std::string_view word, JsonToken token) {
    if (input_.substr(at_, word.size()) != word) return fail_expected("a value");
    at_ += word.size();
    return value_ends(token);
  }

  JsonToken read_key() {
    if (!read_string()) return JsonToken::kError;
    skip_spaces();
    if (peek() != ':') return fail_expected("':' after the key");
    ++at_;
    expect_ = Expect::kValue;
    return JsonToken::kKey;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  JsonToken read_number() {
    const auto digits = [this] {
      if (!is_digit(peek())) return false;
      while (is_digit(peek())) ++at_;
      return true;
    };
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return fail_expected("a digit");
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail_expected("a digit");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return fail_expected("a digit");
    }
    text_.assign(input_.substr(begin_, at_ - begin_));
    double value;
    if (detail::parse_number(text_.data(), text_.data() + text_.size(), value).ec != std::errc()) {
      return fail(begin_, "is a number beyond the range of double");
    }
    return value_ends(JsonToken::kNumber);
  }

  // The string whose opening quote is at at_, into text_.
  bool read_string() {
    text_.clear();
    for (++at_; at_ < input_.size();) {
      const char c = input_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!read_escape()) return false;
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail(at_, "is a control character in a string"), false;
      const std::size_t bytes = detail::utf8_character(input_.substr(at_));
      if (bytes == 0) return fail(at_, "is not valid UTF-8"), false;
      text_.append(input_.substr(at_, bytes));
      at_ += bytes;
    }
    return fail_expected("'\"' at the end of the string"), false;
  }

  bool read_escape() {
    constexpr std::string_view kLetters = "bfnrt\"\\/";
    constexpr std::string_view kMeanings = "\b\f\n\r\t\"\\/";
    ++at_;
    const std::size_t i = at_ < input_.size() ? kLetters.find(input_[at_]) : std::string_view::npos;
    if (i != std::string_view::npos) {
      text_ += kMeanings[i];
      ++at_;
      return true;
    }
    if (peek() != 'u') return fail_expected("one of \"\\/bfnrtu after '\\'"), false;
    const std::size_t start = at_ - 1;
    std::uint32_t code_point = 0;
    if (!read_hex(code_point)) return false;
    if (code_point >= 0xd800 && code_point < 0xe000) {
      std::uint32_t low = 0;
      const bool is_high = code_point < 0xdc00;
      if (is_high && input_.substr(at_, 2) == "\\u") {
        ++at_;
        if (!read_hex(low)) return false;
      }
      if (low < 0xdc00 || low >= 0xe000) return fail(start, "is half of a surrogate pair"), false;
      code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
    }
    detail::append_utf8(text_, code_point);
    return true;
  }

  // Four hexadecimal digits after the 'u' at at_.
  bool read_hex(std::uint32_t& value) {
    value = 0;
    ++at_;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        value = value << 4 | static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return fail_expected("a hexadecimal digit"), false;
      }
    }
    return true;
  }

  std::string_view input_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  Expect expect_ = Expect::kValue;
  JsonToken token_ = JsonToken::kNull;
  std::string open_;  // the brackets that are open
  std::string text_;
  Status status_;
};

/// Writes JSON without spaces. The order of the calls is the order of the text; commas come by themselves.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    string(name);
    out_ += ':';
    needs_comma_ = false;
    return *this;
  }
  /// `text` must be UTF-8.
  JsonWriter& string(std::string_view text) {
    comma();
    append_json_string(out_, text);
    return *this;
  }
  /// A number that reads back exactly, or true or false. Must be finite.
  template <class T>
  JsonWriter& number(T value) {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, char>);
    if constexpr (std::is_floating_point_v<T>)
      MLGRAPH_ASSERT(value - value == 0, "JSON has finite numbers only");
    comma();
    out_ += str_cat(value);
    return *this;
  }

  [[nodiscard]] const std::string& text() const& { return out_; }
  [[nodiscard]] std::string text() && { return std::move(out_); }

 private:
  void comma() {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
  }
  JsonWriter& open(char bracket) {
    comma();
    out_ += bracket;
    needs_comma_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    needs_comma_ = true;
    return *this;
  }

  std::string out_;
  bool needs_comma_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_FORMAT_JSON_TEXT_HPP
