// SPDX-License-Identifier: Apache-2.0
// Span and MatrixView: borrowed arrays, the only way data enters the engine.
#ifndef MLGRAPH_CORE_SPAN_HPP
#define MLGRAPH_CORE_SPAN_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "mlgraph/core/config.hpp"

namespace mlgraph {

/// A number of elements, or a place among them, as containers of std take it. It is not negative.
///
/// The engine counts in std::int64_t and stores ids as std::int32_t; Span and Arena take every integer, so that
/// this is needed for containers of std alone.
template <class Index>
[[nodiscard]] MLGRAPH_ALWAYS_INLINE constexpr std::size_t as_size(Index n) {
  static_assert(std::is_integral_v<Index> || std::is_enum_v<Index>, "a place is a whole number");
  if constexpr (std::is_integral_v<Index> && std::is_signed_v<Index>)
    MLGRAPH_ASSERT(n >= 0, "a size is not negative");
  return static_cast<std::size_t>(n);
}

/// The number of elements of a container as the engine counts: std::ssize() of C++20.
template <class Container>
[[nodiscard]] constexpr std::int64_t signed_size(const Container& container) {
  return static_cast<std::int64_t>(container.size());
}

/// A borrowed contiguous array: pointer and length. Places and sizes may be of any type of integers. (std::span
/// is C++20.)
template <class T>
class Span {
 public:
  using value_type = std::remove_cv_t<T>;

  constexpr Span() = default;
  template <class Index, class = std::enable_if_t<std::is_integral_v<Index>>>
  constexpr Span(T* data, Index size) : data_(data), size_(as_size(size)) {}
  template <std::size_t kSize>
  constexpr Span(T (&array)[kSize]) : data_(array), size_(kSize) {}  // NOLINT: implicit like std::span
  /// From anything with data() and size() whose elements fit: std::vector, std::array, another Span.
  template <class Container,
            class = std::enable_if_t<std::is_convertible_v<
                std::remove_pointer_t<decltype(std::declval<Container&>().data())> (*)[], T (*)[]>>>
  constexpr Span(Container& container) : data_(container.data()), size_(container.size()) {}  // NOLINT
  template <class Container,
            class = std::enable_if_t<std::is_convertible_v<
                std::remove_pointer_t<decltype(std::declval<const Container&>().data())> (*)[], T (*)[]>>>
  constexpr Span(const Container& container) : data_(container.data()), size_(container.size()) {}  // NOLINT

  [[nodiscard]] constexpr T* data() const noexcept { return data_; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] constexpr T* begin() const noexcept { return data_; }
  [[nodiscard]] constexpr T* end() const noexcept { return data_ + size_; }
  template <class Index>
  [[nodiscard]] constexpr T& operator[](Index i) const {
    MLGRAPH_ASSERT(as_size(i) < size_, "span index is past the end");
    return data_[as_size(i)];
  }
  [[nodiscard]] constexpr T& front() const { return (*this)[0]; }
  [[nodiscard]] constexpr T& back() const { return (*this)[size_ - 1]; }
  /// Elements [offset, offset + count).
  template <class Offset, class Count>
  [[nodiscard]] constexpr Span subspan(Offset offset, Count count) const {
    const std::size_t begin = as_size(offset), size = as_size(count);
    MLGRAPH_ASSERT(begin <= size_ && size <= size_ - begin, "subspan is past the end");
    return {data_ + begin, size};
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// `Span(values)` of a vector, an array, or another Span has its elements' type, const where they are.
template <class Container>
Span(Container&&) -> Span<std::remove_pointer_t<decltype(std::declval<Container&>().data())>>;
template <class T, std::size_t kSize>
Span(T (&)[kSize]) -> Span<T>;

/// A borrowed row-major matrix (rows, cols); row r starts at `data + r * stride`, stride >= cols.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  constexpr MatrixView() = default;
  constexpr MatrixView(T* d, std::int64_t r, std::int64_t c) : MatrixView(d, r, c, c) {}
  constexpr MatrixView(T* d, std::int64_t r, std::int64_t c, std::int64_t s)
      : data(d), rows(r), cols(c), stride(s) {}
  /// A writable view reads as a const one.
  template <class U = T, class = std::enable_if_t<std::is_const_v<U>>>
  constexpr MatrixView(MatrixView<std::remove_const_t<U>> other)  // NOLINT
      : MatrixView(other.data, other.rows, other.cols, other.stride) {}

  [[nodiscard]] constexpr T* row(std::int64_t r) const { return data + r * stride; }
  [[nodiscard]] constexpr T& operator()(std::int64_t r, std::int64_t c) const { return data[r * stride + c]; }
  [[nodiscard]] constexpr std::int64_t size() const { return rows * cols; }
  /// True when the rows follow each other without a gap, so that the matrix is one array of size().
  [[nodiscard]] constexpr bool is_contiguous() const { return stride == cols || rows <= 1; }
  /// Rows [begin, begin + count).
  [[nodiscard]] constexpr MatrixView row_block(std::int64_t begin, std::int64_t count) const {
    return {data + begin * stride, count, cols, stride};
  }
  /// Columns [begin, begin + count) of every row.
  [[nodiscard]] constexpr MatrixView col_block(std::int64_t begin, std::int64_t count) const {
    return {data + begin, rows, count, stride};
  }
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_SPAN_HPP
