// SPDX-License-Identifier: Apache-2.0
// A fork-join thread pool. Work is cut by the data, never by the number of threads, so results do not depend on
// it.
#ifndef MLGRAPH_CORE_PARALLEL_HPP
#define MLGRAPH_CORE_PARALLEL_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Threads that wait for work. The thread that calls run() works too: a pool of 1 starts no thread at all.
///
/// A pool serves one call of run() at a time; what meets a busy one runs on the thread that asks, with the same
/// results. Tapes of a pool's tasks can therefore use the same pool, which then has no thread left to help them.
/// Kernels take a `ThreadPool*`; null means "on this thread".
class ThreadPool {
 public:
  /// The most threads of a pool; of more than that, so many are started.
  static constexpr int kMaxThreads = 1024;

  /// `num_threads` < 1 means one per processor. Fewer are started when the system refuses; see num_threads().
  explicit ThreadPool(int num_threads) {
    num_threads = wanted_threads(num_threads);
    workers_.reserve(static_cast<std::size_t>(num_threads - 1));
    for (int i = 1; i < num_threads; ++i) {
      if (!start_worker()) break;
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  /// How many threads a pool tries to have of which `num_threads` are asked.
  [[nodiscard]] static int wanted_threads(int num_threads) {
    if (num_threads < 1) num_threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return std::min(num_threads, kMaxThreads);
  }

  [[nodiscard]] int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls `task(i)` once for each i in [0, num_tasks), in any order, on any thread; returns when all are done.
  /// A call from within a task of this pool, or while another thread's call is not over, runs its tasks itself.
  /// `task` must not throw.
  template <class Task>
  void run(std::int64_t num_tasks, Task&& task) {
    if (workers_.empty() || num_tasks <= 1 || is_busy_.exchange(1, std::memory_order_acquire)) {
      for (std::int64_t i = 0; i < num_tasks; ++i) task(i);
      return;
    }
    using Plain = std::remove_reference_t<Task>;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      call_ = [](const void* context, std::int64_t i) {
        (*const_cast<Plain*>(static_cast<const Plain*>(context)))(i);
      };
      context_ = &task;
      num_tasks_ = num_tasks;
      next_task_.store(0, std::memory_order_relaxed);
      num_busy_ = static_cast<int>(workers_.size());
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    work();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return num_busy_ == 0; });
    }
    is_busy_.store(0, std::memory_order_release);
  }

 private:
  bool start_worker() {
#if MLGRAPH_EXCEPTIONS
    try {
      workers_.emplace_back([this] { loop(); });
    } catch (...) {  // std::system_error: the system has no thread to give
      return false;
    }
#else
    workers_.emplace_back([this] { loop(); });
#endif
    return true;
  }

  void loop() {
    std::uint64_t seen = 0;
    for (;;) {
      // Kernels follow each other within microseconds: look for the next one a while before sleeping.
      for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin) pause();
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this, seen] { return stop_ || generation_.load(std::memory_order_relaxed) != seen; });
        if (stop_) return;
        seen = generation_.load(std::memory_order_relaxed);
      }
      work();
      bool last = false;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        last = --num_busy_ == 0;
      }
      if (last) done_.notify_one();
    }
  }

  void work() {
    for (;;) {
      const std::int64_t i = next_task_.fetch_add(1, std::memory_order_relaxed);
      if (i >= num_tasks_) return;
      call_(context_, i);
    }
  }

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }

  static constexpr int kSpins = 2000;

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::atomic<int> is_busy_{0};                // a run() has the workers; no bool, whose exchange RISC-V lacks
  std::atomic<std::uint64_t> generation_{0};  // counts run() calls; written under mutex_
  std::atomic<std::int64_t> next_task_{0};
  // Set by run() under mutex_ before the workers wake, constant while they work.
  void (*call_)(const void*, std::int64_t) = nullptr;
  const void* context_ = nullptr;
  std::int64_t num_tasks_ = 0;
  int num_busy_ = 0;
  bool stop_ = false;
};

/// Calls `body(begin, end)` for the consecutive blocks of `block` elements that make up [0, n).
/// The blocks depend on n and `block` alone, so what a block computes has the same bits for any pool.
template <class Body>
void parallel_for(ThreadPool* pool, std::int64_t n, std::int64_t block, Body&& body) {
  MLGRAPH_ASSERT(block > 0, "a block has at least one element");
  const std::int64_t num_blocks = (n + block - 1) / block;
  const auto run_block = [&](std::int64_t b) { body(b * block, std::min(n, (b + 1) * block)); };
  if (pool == nullptr) {
    for (std::int64_t b = 0; b < num_blocks; ++b) run_block(b);
  } else {
    pool->run(num_blocks, run_block);
  }
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_PARALLEL_HPP
