// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/kernels/segment_blocks.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"

namespace {

using mlgraph::Arena;
using mlgraph::ThreadPool;
using mlgraph::kernels::SegmentBlocks;

TEST_CASE("a segment is cut from its own start, and blocks are numbered over all segments") {
  const std::vector<std::int32_t> ptr = {2, 2, 5, 13, 14};  // 0, 3, 8 and 1 rows
  Arena scratch;
  const SegmentBlocks blocks(ptr, 4, 10, scratch);
  CHECK((blocks.num_segments() == 4 && blocks.num_blocks() == 4 && blocks.block_rows() == 4));
  CHECK((blocks.num_rows(0) == 0 && blocks.num_rows(2) == 8));
  CHECK((blocks.begin(0) == 0 && blocks.end(0) == 0 && blocks.begin(2) == 1 && blocks.end(2) == 3));
  CHECK((!blocks.is_cut(0) && !blocks.is_cut(1) && blocks.is_cut(2) && !blocks.is_cut(3)));
  std::vector<std::int64_t> seen;
  blocks.for_each(nullptr, [&](const SegmentBlocks::Block& b) {
    seen.insert(seen.end(), {b.segment, b.begin, b.end, b.index});
  });
  CHECK(seen == std::vector<std::int64_t>{1, 2, 5, 0, 2, 5, 9, 1, 2, 9, 13, 2, 3, 13, 14, 3});
}

TEST_CASE("every block comes once, whatever the threads and however blocks are grouped in tasks") {
  std::vector<std::int32_t> ptr = {0};
  for (int s = 0; s < 500; ++s) ptr.push_back(ptr.back() + s * s % 23);
  for (const std::int64_t cols : {0, 1, 4096, 100000}) {
    Arena scratch;
    const SegmentBlocks blocks(ptr, 5, cols, scratch);
    for (const int num_threads : {1, 3}) {
      ThreadPool pool(num_threads);
      std::vector<int> times(static_cast<std::size_t>(blocks.num_blocks()), 0);
      std::vector<int> rows(static_cast<std::size_t>(ptr.back()), 0);
      blocks.for_each(&pool, [&](const SegmentBlocks::Block& b) {
        ++times[static_cast<std::size_t>(b.index)];
        for (std::int64_t r = b.begin; r < b.end; ++r) ++rows[static_cast<std::size_t>(r)];
      });
      CHECK(times == std::vector<int>(times.size(), 1));
      CHECK(rows == std::vector<int>(rows.size(), 1));
    }
  }
}

TEST_CASE("no segments have no blocks") {
  Arena scratch;
  for (const std::vector<std::int32_t>& ptr : {std::vector<std::int32_t>{}, std::vector<std::int32_t>{0}}) {
    const SegmentBlocks blocks(ptr, 4, 10, scratch);
    CHECK((blocks.num_segments() == 0 && blocks.num_blocks() == 0));
    int calls = 0;
    blocks.for_each(nullptr, [&](const SegmentBlocks::Block&) { ++calls; });
    CHECK(calls == 0);
  }
}

}  // namespace
