// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <set>
#include <thread>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("every task runs once, for any number of threads") {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    CHECK(pool.num_threads() == threads);
    for (const std::int64_t n : {0, 1, 2, 5, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(n));
      pool.run(n, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
      for (const int r : runs) CHECK(r == 1);
    }
  }
}

TEST_CASE("a pool of fewer than one thread takes one per processor") {
  ThreadPool pool(0);
  CHECK(pool.num_threads() >= 1);
}

TEST_CASE("a pool has at most kMaxThreads threads") {
  CHECK(ThreadPool::wanted_threads(1) == 1);
  CHECK(ThreadPool::wanted_threads(ThreadPool::kMaxThreads) == ThreadPool::kMaxThreads);
  CHECK(ThreadPool::wanted_threads(ThreadPool::kMaxThreads + 1) == ThreadPool::kMaxThreads);
  CHECK(ThreadPool::wanted_threads(std::numeric_limits<int>::max()) == ThreadPool::kMaxThreads);
  CHECK(ThreadPool::wanted_threads(std::numeric_limits<int>::min()) >= 1);
}

TEST_CASE("many short calls follow each other without losing one") {
  ThreadPool pool(4);
  std::atomic<std::int64_t> total{0};
  for (int call = 0; call < 3000; ++call) pool.run(5, [&](std::int64_t i) { total += i; });
  CHECK(total == 3000 * 10);
}

TEST_CASE("a task that runs tasks on its own pool runs them itself") {
  ThreadPool pool(3);
  std::vector<std::int64_t> sums(50);
  pool.run(50, [&](std::int64_t i) {
    std::atomic<std::int64_t> sum{0};
    pool.run(20, [&](std::int64_t k) { sum += i * k; });
    sums[static_cast<std::size_t>(i)] = sum;
  });
  for (std::size_t i = 0; i < sums.size(); ++i) CHECK(sums[i] == 190 * static_cast<std::int64_t>(i));
  std::atomic<int> after{0};
  pool.run(7, [&](std::int64_t) { ++after; });
  CHECK(after == 7);
}

TEST_CASE("callers on two threads can share a pool") {
  ThreadPool pool(3);
  std::atomic<std::int64_t> totals[2] = {{0}, {0}};
  const auto call = [&](std::size_t t) {
    for (int round = 0; round < 2000; ++round) pool.run(5, [&](std::int64_t i) { totals[t] += i; });
  };
  std::thread other([&] { call(1); });
  call(0);
  other.join();
  CHECK(totals[0] == 2000 * 10);
  CHECK(totals[1] == 2000 * 10);
}

TEST_CASE("parallel_for cuts [0, n) into the same blocks with and without a pool") {
  ThreadPool pool(3);
  for (const std::int64_t n : {0, 1, 9, 10, 11, 95}) {
    std::vector<std::int64_t> serial(static_cast<std::size_t>(n), -1), parallel = serial;
    const auto mark = [](std::vector<std::int64_t>& to) {
      return [&to](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) to[static_cast<std::size_t>(i)] = begin * 1000 + end;
      };
    };
    parallel_for(nullptr, n, 10, mark(serial));
    parallel_for(&pool, n, 10, mark(parallel));
    CHECK(serial == parallel);
    for (const std::int64_t m : serial) CHECK(m != -1);
  }
}

}  // namespace
}  // namespace mlgraph
