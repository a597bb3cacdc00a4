// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most, measured: the yardstick that the benchmarks divide by.
#ifndef MLGRAPH_BENCH_MACHINE_HPP
#define MLGRAPH_BENCH_MACHINE_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/kernels/simd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds of the fastest of `repeats` calls of `body`, after one that is not counted.
template <class Body>
double fastest_seconds(int repeats, Body&& body) {
  body();
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const double start = now_seconds();
    body();
    best = std::min(best, now_seconds() - start);
  }
  return best;
}

/// Keeps `value` from being optimised away.
template <class T>
void keep(const T& value) {
#if defined(__GNUC__) || defined(__clang__)
  asm volatile("" : : "r"(&value) : "memory");
#else
  static const void* volatile sink;
  sink = &value;
#endif
}

/// The same for accumulators, which stay in registers: their address is not taken.
template <int N>
void keep_sum(const kernels::Vec<float> (&sum)[N]) {
  kernels::Vec<float> total = sum[0];
  for (int i = 1; i < N; ++i) total = total + sum[i];
  keep(total);
}

inline int num_threads(const ThreadPool* pool) { return pool == nullptr ? 1 : pool->num_threads(); }

/// Calls task(t) once for every thread of the pool; null = this thread alone.
template <class Task>
void on_every_thread(ThreadPool* pool, Task&& task) {
  if (pool == nullptr) {
    task(std::int64_t{0});
  } else {
    pool->run(pool->num_threads(), task);
  }
}

/// Most single-precision multiply-adds that the vector units do, in GFLOP/s (2 per multiply-add).
inline double fma_peak_gflops(ThreadPool* pool) {
  using kernels::Vec;
  constexpr int kChains =
      12;  // covers latency 4-5 times 2 units, and fits the registers of every instruction set
  constexpr int kUnroll = 4;  // the loop itself costs nothing
  constexpr std::int64_t kSteps = 50000;
  volatile float start = 0.5F;  // known at run time only: nothing can be computed beforehand
  const auto task = [&start](std::int64_t) {
    Vec<float> sum[kChains];
    for (int i = 0; i < kChains; ++i) sum[i] = Vec<float>(start + static_cast<float>(i));
    const Vec<float> factor(1.0F - start / 1024.0F);
    const Vec<float> term(start);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      for (int u = 0; u < kUnroll; ++u) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 12
#endif
        for (int i = 0; i < kChains; ++i) sum[i] = kernels::multiply_add<float>(sum[i], factor, term);
      }
    }
    keep_sum(sum);
  };
  const double seconds = fastest_seconds(20, [&] { on_every_thread(pool, task); });
  return 2e-9 * static_cast<double>(kChains * kUnroll * kSteps * kernels::kLanes<float> * num_threads(pool)) /
         seconds;
}

/// Bandwidth of a[i] = b[i] + s * c[i] where the three arrays take `bytes` together, in GB/s of 3 * 4 bytes an
/// element. With a pool, every thread works on a part of its own.
inline double triad_gbps(double bytes, ThreadPool* pool) {
  const std::int64_t n =
      std::max<std::int64_t>(64, static_cast<std::int64_t>(bytes / 12) / num_threads(pool) / 64 * 64);
  const auto total = static_cast<std::size_t>(n * num_threads(pool));
  AlignedVector<float> a(total, 0.0F);
  AlignedVector<float> b(total, 1.0F);
  AlignedVector<float> c(total, 2.0F);
  const std::int64_t sweeps = std::max<std::int64_t>(1, 2000000 / n);
  const double seconds = fastest_seconds(10, [&] {
    on_every_thread(pool, [&](std::int64_t t) {
      const kernels::Vec<float> s(0.5F);
      for (std::int64_t sweep = 0; sweep < sweeps; ++sweep) {
        for (std::int64_t i = t * n; i < (t + 1) * n; i += kernels::kLanes<float>) {
          kernels::store(a.data() + i, kernels::multiply_add<float>(s, kernels::load(c.data() + i),
                                                                    kernels::load(b.data() + i)));
        }
        keep(a);
      }
    });
  });
  return 12e-9 * static_cast<double>(total) * static_cast<double>(sweeps) / seconds;
}

/// Bandwidth of reading random rows of a float table (table_rows, width), in GB/s of what is read. Every thread
/// reads the whole table.
inline double gather_gbps(std::int64_t table_rows, std::int64_t width, ThreadPool* pool) {
  constexpr std::int64_t kChains = 8;
  constexpr std::int64_t kBlock = kChains * kernels::kLanes<float>;
  const AlignedVector<float> table(static_cast<std::size_t>(table_rows * width + kBlock), 1.0F);
  const std::int64_t reads = std::max(2 * table_rows, 2000000 / width);  // most rows at least once
  std::vector<std::int32_t> index(static_cast<std::size_t>(reads * num_threads(pool)));
  for (std::size_t i = 0; i < index.size(); ++i) {
    index[i] = static_cast<std::int32_t>(mix64(i) % static_cast<std::uint64_t>(table_rows));
  }
  const double seconds = fastest_seconds(10, [&] {
    on_every_thread(pool, [&](std::int64_t t) {
      kernels::Vec<float> sum[kChains];
      for (auto& s : sum) s = kernels::Vec<float>(0.0F);
      for (std::int64_t i = t * reads; i < (t + 1) * reads; ++i) {
        const float* row = table.data() + index[static_cast<std::size_t>(i)] * width;
        for (std::int64_t j = 0; j < width; j += kBlock) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
#endif
          for (std::int64_t v = 0; v < kChains; ++v)
            sum[v] = sum[v] + kernels::load(row + j + v * kernels::kLanes<float>);
        }
      }
      keep_sum(sum);
    });
  });
  return 4e-9 * static_cast<double>(reads * width * num_threads(pool)) / seconds;
}

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_MACHINE_HPP
