// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of products share: operands, shapes, and the share of the machine's peak.
#ifndef MLGRAPH_BENCH_GEMM_SHAPES_HPP
#define MLGRAPH_BENCH_GEMM_SHAPES_HPP

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>

#include "machine.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/kernels/gemm.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace bench {

/// Null for one thread.
inline ThreadPool* pool_of(std::int64_t num_threads) {
  static std::map<std::int64_t, std::unique_ptr<ThreadPool>> pools;
  if (num_threads == 1) return nullptr;
  auto& pool = pools[num_threads];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(static_cast<int>(num_threads));
  return pool.get();
}

inline double peak_of(std::int64_t num_threads) {
  static std::map<std::int64_t, double> peaks;
  double& peak = peaks[num_threads];
  if (peak == 0) peak = fma_peak_gflops(pool_of(num_threads));
  return peak;
}

/// x (N, K), weight (K, M) or (M, K), y and gradient (N, M), all random.
struct Operands {
  std::int64_t n, k, m;
  AlignedVector<float> x, weight, y, d_weight, packed, bias;

  Operands(std::int64_t rows, std::int64_t in, std::int64_t out)
      : n(rows),
        k(in),
        m(out),
        x(random(n * k)),
        weight(random(k * m)),
        y(random(n * m)),
        d_weight(random(k * m)),
        packed(random(kernels::packed_size<float>(k, m))),
        bias(random(m)) {}

  static AlignedVector<float> random(std::int64_t size) {
    Rng rng(1);
    AlignedVector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
    return values;
  }
};

/// Runs `product` until Google Benchmark has enough: gflops of the fastest round, and their share of the peak.
template <class Product>
void time_product(benchmark::State& state, const Operands& o, double peak, const Product& product) {
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = now_seconds();
    product();
    benchmark::ClobberMemory();
    fastest = std::min(fastest, now_seconds() - start);
  }
  const double flop = 2.0 * static_cast<double>(o.n) * static_cast<double>(o.k) * static_cast<double>(o.m);
  state.counters["gflops"] = 1e-9 * flop / fastest;
  state.counters["peak_percent"] = 1e-7 * flop / fastest / peak;
}

/// The shapes of the models: one small graph, a layout graph, a batch. Arguments: N, K, M, threads.
inline void peer_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "K", "M", "threads"});
  for (const std::int64_t width : {64, 128, 256}) {
    for (const std::int64_t n : {40, 3163, 100000}) b->Args({n, width, width, 1});
  }
  b->UseRealTime();
}

}  // namespace bench
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_BENCH_GEMM_SHAPES_HPP
