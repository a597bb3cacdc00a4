// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/process_memory.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("memory that is written to is counted, and the peak stays when it is freed") {
  constexpr std::size_t kBytes = std::size_t{96} << 20;
  const std::size_t before = io::rss_bytes();
  REQUIRE(before > 0);
  {
    const std::vector<std::uint8_t> block(kBytes, 1);
    CHECK(io::rss_bytes() >= before + kBytes / 2);
    CHECK(block[kBytes / 2] == 1);
  }
  CHECK(io::peak_rss_bytes() >= before + kBytes / 2);
}

}  // namespace
}  // namespace mlgraph
