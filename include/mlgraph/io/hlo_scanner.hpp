// SPDX-License-Identifier: Apache-2.0
// The character level of HLO text: spaces, names, numbers, strings, skipping, and error positions.
#ifndef MLGRAPH_IO_HLO_SCANNER_HPP
#define MLGRAPH_IO_HLO_SCANNER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// A position in HLO text, and the steps forward.
///
/// A step that meets a mistake returns false and leaves it in status(), with file, line and column; the caller
/// then takes no further step. Steps skip spaces and comments in front of what they read.
class HloScanner {
 public:
  HloScanner(std::string_view text, std::string_view file_name, int max_depth)
      : text_(text), file_name_(file_name), max_depth_(max_depth) {}

  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  /// Steps back to where position() was.
  void rewind(std::size_t position) { at_ = position; }
  /// What stands between an earlier position and here.
  [[nodiscard]] std::string_view text_since(std::size_t begin) const {
    return text_.substr(begin, at_ - begin);
  }

  /// Records `expected ..., found ...` at a position.
  bool fail_at(std::size_t position, std::string_view expected) {
    return fail_at(position, expected, describe(position), StatusCode::kDataLoss);
  }
  /// Records it at what comes next.
  bool fail(std::string_view expected) {
    skip_space();
    return fail_at(at_, expected);
  }
  bool fail_at(std::size_t position, std::string_view expected, std::string_view found, StatusCode code) {
    const std::string_view before = text_.substr(0, position);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t newline = before.rfind('\n');
    const std::size_t column = newline == std::string_view::npos ? position + 1 : position - newline;
    status_ =
        Status(code, str_cat(file_name_, ":", line, ":", column, ": expected ", expected, ", found ", found));
    return false;
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        ++at_;
      } else if (starts_with("//")) {
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
      } else if (!starts_with("/*") || !skip_comment()) {
        return;  // in front of a comment that does not end, which nobody expects
      }
    }
  }

  [[nodiscard]] bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  /// The next character, '\0' at the end.
  [[nodiscard]] char peek() {
    skip_space();
    return peek_here();
  }
  /// True when a word stands next, whole.
  [[nodiscard]] bool peek_word(std::string_view word) {
    skip_space();
    return word_at(at_) == word;
  }
  /// Steps over `c`, which is not '\0'.
  [[nodiscard]] bool eat(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool eat_word(std::string_view word) {
    if (!peek_word(word)) return false;
    at_ += word.size();
    return true;
  }
  bool expect(char c) { return eat(c) || fail(str_cat("'", c, "'")); }
  bool expect(std::string_view symbol) {
    skip_space();
    if (!starts_with(symbol)) return fail(str_cat("'", symbol, "'"));
    at_ += symbol.size();
    return true;
  }

  /// A word of letters, digits, '_', '.' and '-' that starts with a letter or '_'.
  bool word(std::string_view& out, std::string_view expected) {
    skip_space();
    out = word_at(at_);
    if (out.empty() || !is_word_start(out.front())) return fail(expected);
    at_ += out.size();
    return true;
  }
  /// The name of an instruction or a computation, with or without '%'; a ':' that follows directly is skipped.
  bool name(std::string_view& out, std::string_view expected) {
    skip_space();
    const std::size_t begin = at_;
    if (!skip_name(out)) return fail_at(begin, expected);
    return true;
  }
  /// True when a name and '=' stand next, as at the start of an instruction.
  [[nodiscard]] bool peek_assignment() {
    skip_space();
    const std::size_t begin = at_;
    std::string_view out;
    const bool found = skip_name(out) && peek() == '=';
    at_ = begin;
    return found;
  }
  /// True when '{' and the first instruction of a computation stand next.
  [[nodiscard]] bool peek_instructions() {
    if (peek() != '{') return false;
    const std::size_t begin = at_++;
    const bool found = peek_word("ROOT") || peek_assignment();
    at_ = begin;
    return found;
  }
  bool integer(std::int64_t& out, std::string_view expected) {
    skip_space();
    const char* const end = text_.data() + text_.size();
    std::from_chars_result result = std::from_chars(text_.data() + at_, end, out);
    if (result.ec == std::errc::result_out_of_range && peek_here() != '-') {
      std::uint64_t bits = 0;  // XLA reads 64 bits, whichever sign they make
      result = std::from_chars(text_.data() + at_, end, bits);
      out = static_cast<std::int64_t>(bits);
    }
    if (result.ec != std::errc()) return fail(expected);
    at_ = as_size(result.ptr - text_.data());
    return true;
  }
  bool boolean(bool& out) {
    out = eat_word("true") || eat_word("1");
    return out || eat_word("false") || eat_word("0") || fail("true or false");
  }
  /// A string in quotes, its escapes resolved.
  bool string(std::string& out) {
    if (!is_quote(peek())) return fail("a string");
    const std::size_t begin = at_;
    if (!skip_string()) return false;
    unescape(text_.substr(begin + 1, at_ - begin - 2), out);
    return true;
  }
  /// What stands up to one of `ends`: the next space, comma or closing bracket, such as `bf01_oi01->bf01`.
  std::string_view atom(std::string_view ends = " \t\r\n,)}]") {
    skip_space();
    const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end;
    return out;
  }

  /// Skips the bracketed group that starts here, with whatever is inside: strings, comments, other groups.
  bool skip_group() {
    const std::size_t begin = at_;
    closers_.clear();
    do {
      if (at_ == text_.size()) return fail_at(at_, quoted_closer());
      if (!skip_inside(begin)) return false;
    } while (!closers_.empty());
    return true;
  }

  /// Skips the value of an attribute nobody reads: up to a comma, a closing bracket or a space outside groups.
  bool skip_value() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ',' || is_closer(c)) break;
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        // `literal=s32[2] {1, 2}` goes on after the space; an instruction on the same line does not.
        const std::size_t next = text_.find_first_not_of(" \t", at_);
        if (next == std::string_view::npos || text_[next] != '{') break;
        at_ = next;
      } else if (is_opener(c)) {
        if (!skip_group()) return false;
      } else if (c == '"' || (c == '\'' && at_ == begin)) {
        if (!skip_string()) return false;
      } else {
        ++at_;
      }
    }
    return at_ > begin || fail("a value");
  }

  /// skip_value() for an attribute of an instruction: goes on over spaces until a comma, a closing bracket or
  /// the next instruction, so that `literal=(f32[] 1)` and `literal=f32[] 1` are both one value.
  bool skip_values() {
    do {
      if (!skip_value()) return false;
    } while (!(at_end() || peek() == ',' || is_closer(peek()) || peek_word("ROOT") || peek_assignment()));
    return true;
  }

  /// The next character without skipping spaces.
  [[nodiscard]] char peek_here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  /// The first character after the next one and spaces.
  [[nodiscard]] char peek_second() const {
    const std::size_t next = text_.find_first_not_of(" \t\r\n", at_ + 1);
    return next == std::string_view::npos ? '\0' : text_[next];
  }
  /// True when the word that stands next is followed by `c` without a space: `f32[` is the start of a shape.
  [[nodiscard]] bool word_then(char c) {
    skip_space();
    const std::size_t after = at_ + word_at(at_).size();
    return after > at_ && after < text_.size() && text_[after] == c;
  }

 private:
  static bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  static bool is_word_part(char c) {
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
  }
  static bool is_opener(char c) { return c == '(' || c == '[' || c == '{'; }
  static bool is_closer(char c) { return c == ')' || c == ']' || c == '}'; }
  static char closer_of(char c) { return c == '(' ? ')' : c == '[' ? ']' : '}'; }

  static bool is_quote(char c) { return c == '"' || c == '\''; }

  [[nodiscard]] std::string quoted_closer() const { return str_cat("'", closers_.back(), "'"); }

  [[nodiscard]] bool starts_with(std::string_view symbol) const {
    return text_.compare(at_, symbol.size(), symbol) == 0;
  }
  /// Steps over `/* ... */` where it ends.
  bool skip_comment() {
    const std::size_t found = text_.find("*/", at_ + 2);
    if (found == std::string_view::npos) return false;
    at_ = found + 2;
    return true;
  }
  [[nodiscard]] std::string_view word_at(std::size_t position) const {
    std::size_t end = position;
    // The '-' of an arrow ends a word.
    while (end < text_.size() && is_word_part(text_[end]) && text_.compare(end, 2, "->") != 0) ++end;
    return text_.substr(position, end - position);
  }
  bool skip_name(std::string_view& out) {
    if (peek_here() == '%') ++at_;
    out = word_at(at_);
    at_ += out.size();
    if (!out.empty() && peek_here() == ':') ++at_;
    return !out.empty();
  }

  bool skip_string() {
    const std::size_t begin = at_;
    const char quote = text_[begin];
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == quote) {
        ++at_;
        return true;
      }
    }
    at_ = text_.size();
    return fail_at(begin, "a string that ends", "one that does not", StatusCode::kDataLoss);
  }

  /// One step inside skip_group().
  bool skip_inside(std::size_t begin) {
    const char c = text_[at_];
    if (c == '"') return skip_string();
    if (starts_with("/*")) {
      return skip_comment() || fail_at(at_, "a comment that ends", "one that does not", StatusCode::kDataLoss);
    }
    if (is_opener(c)) {
      if (closers_.size() >= as_size(max_depth_)) {
        return fail_at(begin, str_cat("brackets at most ", max_depth_, " deep"), "more",
                       StatusCode::kResourceExhausted);
      }
      closers_.push_back(closer_of(c));
    } else if (is_closer(c)) {
      if (closers_.back() != c) return fail_at(at_, quoted_closer());
      closers_.pop_back();
    }
    ++at_;
    return true;
  }

  [[nodiscard]] std::string describe(std::size_t position) const {
    if (position >= text_.size()) return "the end of the file";
    std::size_t begin = position;
    if (text_[begin] == '%') ++begin;
    const std::size_t size = std::min<std::size_t>(word_at(begin).size(), 60) + (begin - position);
    const auto c = static_cast<unsigned char>(text_[position]);
    if (size == 0 && (c < 32 || c > 126)) return str_cat("the byte ", static_cast<unsigned>(c));
    return str_cat("'", text_.substr(position, std::max<std::size_t>(size, 1)), "'");
  }

  static void unescape(std::string_view escaped, std::string& out) {
    const auto octal = [&](std::size_t i) {
      return i < escaped.size() && escaped[i] >= '0' && escaped[i] <= '7';
    };
    out.clear();
    for (std::size_t i = 0; i < escaped.size(); ++i) {
      char c = escaped[i];
      if (c == '\\') {
        c = escaped[++i];  // skip_string() does not end a string after a backslash
        if (octal(i) && octal(i + 1) && octal(i + 2)) {
          c = static_cast<char>((escaped[i] - '0') * 64 + (escaped[i + 1] - '0') * 8 + (escaped[i + 2] - '0'));
          i += 2;
        } else {
          c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
      }
      out += c;
    }
  }

  std::string_view text_;
  std::string_view file_name_;
  int max_depth_;
  std::size_t at_ = 0;
  Status status_;
  std::string closers_;  // of the brackets that skip_group() is inside of
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_SCANNER_HPP
