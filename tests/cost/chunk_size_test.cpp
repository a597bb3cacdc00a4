// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/chunk_size.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

namespace mlgraph {
namespace {

/// What planning found: of `needed` rows of `count` configurations so many were new, `bytes` for all of them.
PlannedWork work_of(std::int64_t count, std::int64_t needed, std::int64_t made, std::size_t bytes) {
  PlannedWork work;
  work.num_configs = count;
  work.needed = needed;
  work.made = made;
  work.most_new = made;
  work.bytes = bytes;
  return work;
}
constexpr std::size_t kMuchMemory = std::size_t{1} << 40;

TEST_CASE("while configurations share rows, more are planned together, up to the most and a share of memory") {
  ChunkSize chunk;
  chunk.start(32, 1024);
  CHECK((chunk.size() == 32 && chunk.most() == 1024));
  CHECK(chunk.judge(work_of(32, 1000, 100, 3200), true, 64, kMuchMemory));
  CHECK(chunk.size() == 256);
  CHECK(chunk.judge(work_of(256, 1000, 100, 3200), true, 64, kMuchMemory));
  CHECK(chunk.size() == 1024);
  chunk.start(32, 1024);
  // 100 bytes and one for each; a quarter of 40400 is 100 of them.
  CHECK(chunk.judge(work_of(32, 1000, 100, 3200), true, 64, 40400));
  CHECK(chunk.size() == 100);
  CHECK(chunk.judge(work_of(100, 1000, 100, 10000), true, 64, 8));
  CHECK(chunk.size() == 100);  // what was planned is no less the next time
}

TEST_CASE("where hardly a row is shared rows are not kept, and as many are planned as stay in a cache") {
  ChunkSize chunk;
  chunk.start(32, 1024);
  CHECK(chunk.judge(work_of(32, 100, 50, 3200), false, 510, kMuchMemory));  // half are shared
  chunk.start(32, 1024);
  CHECK_FALSE(chunk.judge(work_of(32, 100, 51, 3200), false, 510, kMuchMemory));
  CHECK(chunk.size() == 320);
  CHECK_FALSE(chunk.judge(work_of(320, 100, 100, 3200), false, 1, kMuchMemory));
  CHECK(chunk.size() == 3);
  CHECK_FALSE(chunk.judge(work_of(2, 100, 100, 3200), false, 1, kMuchMemory));
  CHECK(chunk.size() == 2);                                               // one alone would share nothing
  CHECK(chunk.judge(work_of(1, 100, 100, 3200), false, 1, kMuchMemory));  // of one, all are new
}

TEST_CASE("most plans do not look for equal rows after one that found hardly any") {
  ChunkSize chunk;
  chunk.start(32, 1024);
  CHECK((chunk.merges_next() && chunk.merges_next()));
  CHECK_FALSE(chunk.judge(work_of(32, 100, 100, 1), false, 64, kMuchMemory));
  CHECK(chunk.merges_next());  // it had not looked
  CHECK_FALSE(chunk.judge(work_of(32, 100, 100, 1), true, 64, kMuchMemory));
  int skipped = 0;
  while (!chunk.merges_next()) ++skipped;
  CHECK(skipped == 15);
  CHECK(chunk.merges_next());
}

TEST_CASE("configurations that did not fit are halved, to one") {
  ChunkSize chunk;
  chunk.start(9, 9);
  CHECK(chunk.halve(9) == 5);
  CHECK(chunk.halve(5) == 3);
  CHECK(chunk.halve(3) == 2);
  CHECK(chunk.halve(2) == 1);
  CHECK(chunk.size() == 1);
}

}  // namespace
}  // namespace mlgraph
