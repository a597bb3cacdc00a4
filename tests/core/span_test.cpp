// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/span.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("a span is made from anything contiguous") {
  std::vector<float> values = {1, 2, 3};
  const std::array<float, 2> fixed = {4, 5};
  float plain[] = {6, 7};
  const Span<const float> a(values), b(fixed), c(plain);
  CHECK(a.size() == 3);
  CHECK(b.back() == 5);
  CHECK(c.front() == 6);
  Span<float> writable(values);
  writable[1] = 9;
  CHECK(values[1] == 9);
  CHECK(Span<const float>(writable).data() == values.data());
  CHECK(a.subspan(1, 2)[0] == 9);
  CHECK(a.subspan(3, 0).empty());
  float sum = 0;
  for (const float v : a) sum += v;
  CHECK(sum == 13);
  CHECK(Span<const int>().empty());
}

TEST_CASE("the elements' type of a span is that of what it is made from") {
  std::vector<float> values = {1, 2, 3};
  const std::array<int, 2> fixed = {4, 5};
  double plain[] = {6, 7};
  static_assert(std::is_same_v<decltype(Span(values)), Span<float>>);
  static_assert(std::is_same_v<decltype(Span(std::as_const(values))), Span<const float>>);
  static_assert(std::is_same_v<decltype(Span(fixed)), Span<const int>>);
  static_assert(std::is_same_v<decltype(Span(plain)), Span<double>>);
  static_assert(std::is_same_v<decltype(Span(Span<const float>(values))), Span<const float>>);
  static_assert(std::is_same_v<decltype(Span(values.data(), 2)), Span<float>>);
  CHECK(Span(values).size() == 3);
  CHECK(Span(plain).back() == 7);
}

TEST_CASE("a matrix view finds rows, blocks and elements through its stride") {
  std::vector<int> values(20);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i);
  const MatrixView<int> all(values.data(), 4, 5);
  CHECK(all.is_contiguous());
  CHECK(all(2, 3) == 13);
  const MatrixView<const int> block = all.row_block(1, 2).col_block(2, 3);
  CHECK(block.rows == 2);
  CHECK(block.cols == 3);
  CHECK(block(1, 2) == 14);
  CHECK(*block.row(1) == 12);
  CHECK(block.size() == 6);
  CHECK_FALSE(block.is_contiguous());
  CHECK(block.row_block(0, 1).is_contiguous());
}

TEST_CASE("places and sizes are integers of any type") {
  const std::vector<int> values = {1, 2, 3, 4};
  const Span<const int> span(values.data(), std::int64_t{4});
  const std::int32_t third = 2;
  CHECK((span[third] == 3 && span[std::int64_t{2}] == 3 && span[std::uint8_t{2}] == 3 && span[2] == 3));
  const Span<const int> middle = span.subspan(third - 1, std::int64_t{2});
  CHECK((middle.size() == 2 && middle.front() == 2 && middle.back() == 3));
  CHECK(as_size(third) == std::size_t{2});
  CHECK(signed_size(values) == std::int64_t{4});
  static_assert(std::is_same_v<decltype(signed_size(span)), std::int64_t>);
}

}  // namespace
}  // namespace mlgraph
