// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/buffer_pool.hpp"

#include <doctest/doctest.h>

namespace mlgraph {
namespace {

TEST_CASE("a buffer that was given back serves the next request of its size, once") {
  Arena arena;
  BufferPool<float> pool;
  float* const a = pool.take(100, arena);
  float* const b = pool.take(100, arena);
  float* const c = pool.take(7, arena);
  CHECK(a != b);
  pool.give_back(a, 100);
  pool.give_back(c, 7);
  const std::size_t used = arena.used_bytes();
  CHECK(pool.take(7, arena) == c);
  CHECK(pool.take(100, arena) == a);
  CHECK(arena.used_bytes() == used);
  CHECK(pool.take(100, arena) != a);
  CHECK(arena.used_bytes() > used);
}

TEST_CASE("what was given back before clear() is forgotten") {
  Arena arena;
  BufferPool<float> pool;
  pool.give_back(pool.take(100, arena), 100);
  pool.clear();
  const std::size_t used = arena.used_bytes();
  (void)pool.take(100, arena);
  CHECK(arena.used_bytes() > used);
}

}  // namespace
}  // namespace mlgraph
