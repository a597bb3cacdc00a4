// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/process_memory.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstring>

namespace mlgraph {
namespace {

TEST_CASE("memory that is written to is counted, and the peak stays when it is freed") {
  constexpr std::size_t kBytes = std::size_t{96} << 20;
  const std::size_t before = io::rss_bytes();
  REQUIRE(before > 0);
  // Mapped by hand: what is freed to an allocator, or to a sanitizer, stays in the process.
  void* const block = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(block != MAP_FAILED);
  std::memset(block, 1, kBytes);
  CHECK(io::rss_bytes() >= before + kBytes / 2);
  REQUIRE(::munmap(block, kBytes) == 0);
  CHECK(io::peak_rss_bytes() >= before + kBytes / 2);
  CHECK(io::rss_bytes() < before + kBytes / 2);
}

}  // namespace
}  // namespace mlgraph
