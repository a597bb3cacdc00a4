// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/fixed_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mlgraph {
namespace {

/// The sizes of the blocks, which must make up [0, n), for any threads.
std::vector<std::int64_t> block_sizes(const FixedBlocks& blocks, std::int64_t n, ThreadPool* pool) {
  std::vector<std::int64_t> begins(static_cast<std::size_t>(blocks.num()), -1), sizes(begins);
  blocks.for_each(pool, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
    begins[static_cast<std::size_t>(b)] = begin;
    sizes[static_cast<std::size_t>(b)] = end - begin;
  });
  std::int64_t total = 0;
  blocks.merge_in_order([&](std::int64_t b) {
    CHECK(begins[static_cast<std::size_t>(b)] == total);
    total += sizes[static_cast<std::size_t>(b)];
  });
  CHECK(total == n);
  return sizes;
}

/// How merge_in_pairs() adds so many parts up.
std::string pairs(std::size_t num_parts) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < num_parts; ++i) parts.push_back(std::to_string(i));
  merge_in_pairs(num_parts, [&](std::size_t to, std::size_t from) {
    CHECK(to < from);
    parts[to] = "(" + parts[to] + "+" + parts[from] + ")";
  });
  return parts.empty() ? "" : parts[0];
}

TEST_CASE("blocks make up the whole, and are the same for any number of threads") {
  ThreadPool pool(3);
  for (const std::int64_t n : {0, 1, 7, 8, 9, 100, 1000}) {
    for (const FixedBlocks& blocks :
         {FixedBlocks(n, 8), FixedBlocks::at_most(n, 4, 8), FixedBlocks::even(n, 4, 8)}) {
      const std::vector<std::int64_t> sizes = block_sizes(blocks, n, nullptr);
      CHECK(block_sizes(blocks, n, &pool) == sizes);
      for (std::size_t b = 0; b + 1 < sizes.size(); ++b) CHECK(sizes[b] == blocks.size());
    }
  }
}

TEST_CASE("blocks have a greatest number, a least size and a unit, or nearly one size") {
  using Sizes = std::vector<std::int64_t>;
  CHECK(block_sizes(FixedBlocks(9, 4), 9, nullptr) == Sizes{4, 4, 1});
  CHECK(block_sizes(FixedBlocks::at_most(9, 4, 5), 9, nullptr) == Sizes{5, 4});
  CHECK(block_sizes(FixedBlocks::at_most(41, 4, 5), 41, nullptr) == Sizes{11, 11, 11, 8});
  CHECK(block_sizes(FixedBlocks::at_most(41, 4, 5, 5), 41, nullptr) == Sizes{15, 15, 11});
  CHECK(block_sizes(FixedBlocks::even(9, 4, 5), 9, nullptr) == Sizes{9});
  CHECK(block_sizes(FixedBlocks::even(11, 4, 5), 11, nullptr) == Sizes{6, 5});
  CHECK(block_sizes(FixedBlocks::even(41, 4, 5), 41, nullptr) == Sizes{11, 11, 11, 8});
  CHECK(FixedBlocks::even(0, 4, 5).num() == 0);
  CHECK(FixedBlocks::at_most(0, 4, 5).num() == 0);
}

TEST_CASE("pairs are merged by a tree that depends on their number alone") {
  CHECK(pairs(0).empty());
  CHECK(pairs(1) == "0");
  CHECK(pairs(2) == "(0+1)");
  CHECK(pairs(3) == "((0+1)+2)");
  CHECK(pairs(7) == "(((0+1)+(2+3))+((4+5)+6))");
  const double chains[4] = {1e16, 1, -1e16, 3};
  CHECK(merge_chains(chains) == (1e16 + 1) + (-1e16 + 3));
}

TEST_CASE("the parts of a level of the wide tree are those whose parent it is") {
  for (const std::int64_t count : {0, 1, 15, 16, 17, 256, 257, 1000}) {
    const std::int64_t size = tree_level_size(count);
    std::int64_t next = 0;
    for (std::int64_t r = 0; r < size; ++r) {
      const auto [first, last] = tree_parts(r, count);
      CHECK(first == next);
      CHECK(last - first <= kTreeFanIn);
      CHECK((last > first || count == 0));
      for (std::int64_t part = first; part < last; ++part)
        CHECK(tree_parent(static_cast<std::int32_t>(part)) == r);
      next = last;
    }
    CHECK(next == count);
  }
}

}  // namespace
}  // namespace mlgraph
