// SPDX-License-Identifier: Apache-2.0
// Notes: what one rank tells the others, number after number.
#ifndef MLGRAPH_DIST_NOTE_HPP
#define MLGRAPH_DIST_NOTE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Puts numbers, texts and arrays into bytes, in the order of this machine: ranks of a run are alike.
class NoteWriter {
 public:
  template <class Number>
  void add(const Number& number) {
    static_assert(std::is_arithmetic_v<Number>);
    append(&number, sizeof(number));
  }
  void add_text(std::string_view text) { add_array(Span<const char>(text.data(), text.size())); }
  template <class Number>
  void add_array(Span<const Number> numbers) {
    static_assert(std::is_arithmetic_v<Number>);
    add(static_cast<std::uint64_t>(numbers.size()));
    append(numbers.data(), numbers.size() * sizeof(Number));
  }
  void add_status(const Status& status) {
    add(static_cast<std::int32_t>(status.code()));
    add_text(status.message());
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  void append(const void* from, std::size_t size) {
    if (size == 0) return;
    const auto* const begin = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  std::vector<std::byte> bytes_;
};

/// Takes them out again. What a note does not have is 0 or empty, and ok() is false then.
class NoteReader {
 public:
  explicit NoteReader(Span<const std::byte> bytes) : bytes_(bytes) {}

  template <class Number>
  [[nodiscard]] Number take() {
    static_assert(std::is_arithmetic_v<Number>);
    Number number = 0;
    if (has(1, sizeof(Number))) copy(&number, sizeof(Number));
    return number;
  }
  [[nodiscard]] std::string take_text() {
    const std::vector<char> text = take_array<char>();
    return {text.begin(), text.end()};
  }
  template <class Number>
  [[nodiscard]] std::vector<Number> take_array() {
    const auto count = take<std::uint64_t>();
    std::vector<Number> numbers;
    if (!has(count, sizeof(Number))) return numbers;
    numbers.resize(static_cast<std::size_t>(count));
    copy(numbers.data(), numbers.size() * sizeof(Number));
    return numbers;
  }
  [[nodiscard]] Status take_status() {
    const auto code = take<std::int32_t>();
    std::string message = take_text();
    return code == 0 ? Status() : Status(static_cast<StatusCode>(code), std::move(message));
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  bool has(std::uint64_t count, std::size_t size) {
    ok_ = ok_ && count <= (bytes_.size() - at_) / size;
    return ok_;
  }
  void copy(void* to, std::size_t size) {
    if (size > 0) std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }
  Span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_DIST_NOTE_HPP
