// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/sum_tree.hpp"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the tree of a sum has sixteen parts in a block, and one block in the end") {
  const auto blocks_of = [](std::size_t count) {
    const SumTree sum(testing::Ids(count, 0));
    std::vector<std::size_t> blocks;
    for (std::size_t t = 0; t < sum.num_levels(); ++t) blocks.push_back(sum.num_blocks(t));
    return blocks;
  };
  using Blocks = std::vector<std::size_t>;
  CHECK(blocks_of(0) == Blocks{1});
  CHECK(blocks_of(1) == Blocks{1});
  CHECK(blocks_of(16) == Blocks{1});
  CHECK(blocks_of(17) == Blocks{2, 1});
  CHECK(blocks_of(256) == Blocks{16, 1});
  CHECK(blocks_of(257) == Blocks{17, 2, 1});
  CHECK(blocks_of(4097) == Blocks{257, 17, 2, 1});
}

TEST_CASE("the blocks of a level have every part once, in order") {
  for (const std::size_t count : {0u, 1u, 15u, 16u, 17u, 255u, 256u, 257u, 1000u}) {
    testing::Ids nodes(count);
    std::iota(nodes.begin(), nodes.end(), 5);
    const SumTree sum(nodes);
    CHECK(sum.node == nodes);
    for (std::size_t t = 0; t < sum.num_levels(); ++t) {
      std::size_t next = 0;
      for (std::size_t b = 0; b < sum.num_blocks(t); ++b) {
        const auto [first, last] = sum.parts(t, b);
        CHECK(first == next);
        CHECK((last - first == kTreeFanIn || b + 1 == sum.num_blocks(t)));
        CHECK((last > first || count == 0));
        CHECK(sum.free[t][b] == -1);
        next = last;
      }
      CHECK(next == (t == 0 ? count : sum.num_blocks(t - 1)));
    }
  }
}

}  // namespace
}  // namespace mlgraph
