// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/arena.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("what an arena hands out is aligned and does not overlap") {
  Arena arena(256);
  std::vector<std::uint8_t*> blocks;
  std::vector<std::size_t> sizes = {1, 63, 64, 65, 1000, 0, 5000, 3};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    blocks.push_back(arena.allocate<std::uint8_t>(sizes[i]));
    CHECK(reinterpret_cast<std::uintptr_t>(blocks[i]) % kAlignment == 0);
    for (std::size_t k = 0; k < sizes[i]; ++k) blocks[i][k] = static_cast<std::uint8_t>(i);
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t k = 0; k < sizes[i]; ++k) CHECK(blocks[i][k] == i);
  }
}

TEST_CASE("the same requests after rewind() meet the same memory, and nothing is allocated") {
  Arena arena(256);
  const auto step = [&] {
    std::vector<const float*> places;
    arena.rewind();
    for (const std::size_t n : {10u, 5000u, 100u, 70000u, 3u}) places.push_back(arena.allocate<float>(n));
    return places;
  };
  const std::vector<const float*> first = step();
  const std::size_t capacity = arena.capacity_bytes();
  const std::size_t used = arena.used_bytes();
  CHECK(step() == first);
  CHECK(arena.capacity_bytes() == capacity);
  CHECK(arena.used_bytes() == used);
  CHECK(arena.peak_bytes() == used);
}

TEST_CASE("a scope gives back what was allocated in it") {
  Arena arena;
  (void)arena.allocate<float>(100);
  const std::size_t used = arena.used_bytes();
  const float* inner = nullptr;
  {
    const ArenaScope scope(arena);
    inner = arena.allocate<float>(200);
    CHECK(arena.used_bytes() > used);
  }
  CHECK(arena.used_bytes() == used);
  CHECK(arena.allocate<float>(200) == inner);
}

TEST_CASE("an aligned vector starts on a cache line, however it grows") {
  AlignedVector<float> values;
  for (int i = 0; i < 1000; ++i) {
    values.push_back(static_cast<float>(i));
    CHECK(reinterpret_cast<std::uintptr_t>(values.data()) % kAlignment == 0);
  }
  CHECK(AlignedVector<float>(5, 2.0f)[4] == 2.0f);
  CHECK(AlignedVector<int>{1, 2}[1] == 2);
}

}  // namespace
}  // namespace mlgraph
