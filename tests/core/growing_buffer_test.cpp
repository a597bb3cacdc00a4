// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/growing_buffer.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>

namespace mlgraph {
namespace {

TEST_CASE("a buffer keeps its floats as it grows, small and large, and is aligned") {
  GrowingBuffer buffer;
  CHECK((buffer.data() == nullptr && buffer.capacity() == 0));
  std::size_t size = 0;
  for (const std::size_t next : {std::size_t{1}, std::size_t{300}, std::size_t{5000}, std::size_t{1} << 21,
                                 (std::size_t{1} << 21) + 1, std::size_t{3} << 21, std::size_t{9} << 20}) {
    buffer.grow(next);
    REQUIRE(buffer.capacity() >= next);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % kAlignment == 0);
    bool is_same = true;
    for (std::size_t i = 0; i < size; ++i) is_same = is_same && buffer.data()[i] == static_cast<float>(i);
    CHECK(is_same);
    for (; size < next; ++size) buffer.data()[size] = static_cast<float>(size);
  }
  const std::size_t capacity = buffer.capacity();
  const float* const data = buffer.data();
  buffer.grow(7);  // there is room
  CHECK((buffer.capacity() == capacity && buffer.data() == data));
}

TEST_CASE("a buffer that was moved has the floats, and the one that it was none") {
  for (const std::size_t size : {std::size_t{100}, std::size_t{3} << 21}) {
    GrowingBuffer buffer;
    buffer.grow(size);
    buffer.data()[size - 1] = 7;
    GrowingBuffer other = std::move(buffer);
    CHECK(other.data()[size - 1] == 7);
    GrowingBuffer third;
    third.grow(3);
    third = std::move(other);
    CHECK(third.data()[size - 1] == 7);
  }
}

}  // namespace
}  // namespace mlgraph
