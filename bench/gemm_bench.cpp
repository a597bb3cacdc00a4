// SPDX-License-Identifier: Apache-2.0
// Matrix products against the multiply-add peak of the machine, and against OpenBLAS where it is installed.
//
// gflops:       2 * N * K * M / time of the fastest round.
// peak_percent: gflops over what the vector units do at most on as many threads, measured in the same run.
//
// OpenBLAS picks a slow kernel on many virtual machines unless OPENBLAS_CORETYPE=SkylakeX is set.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>

#include "machine.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/linear.hpp"

#if defined(MLGRAPH_BENCH_OPENBLAS)
#include <cblas.h>
#endif

namespace {

using mlgraph::AlignedVector;
using mlgraph::Arena;
using mlgraph::MatrixView;
using mlgraph::ThreadPool;
namespace bench = mlgraph::bench;
namespace kernels = mlgraph::kernels;

enum class Product { kPacked, kNN, kNT, kTN, kLinear };

ThreadPool* pool_of(std::int64_t num_threads) {
  static std::map<std::int64_t, std::unique_ptr<ThreadPool>> pools;
  if (num_threads == 1) return nullptr;
  auto& pool = pools[num_threads];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(static_cast<int>(num_threads));
  return pool.get();
}

double peak_of(std::int64_t num_threads) {
  static std::map<std::int64_t, double> peaks;
  double& peak = peaks[num_threads];
  if (peak == 0) peak = bench::fma_peak_gflops(pool_of(num_threads));
  return peak;
}

// x (N, K), weight (K, M) or (M, K), y and gradient (N, M), all random.
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
    mlgraph::Rng rng(1);
    AlignedVector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
    return values;
  }
};

void report(benchmark::State& state, const Operands& o, double fastest, double peak) {
  const double flop = 2.0 * static_cast<double>(o.n) * static_cast<double>(o.k) * static_cast<double>(o.m);
  state.counters["gflops"] = 1e-9 * flop / fastest;
  state.counters["peak_percent"] = 1e-7 * flop / fastest / peak;
}

// Arguments: N, K, M, threads.
void multiply(benchmark::State& state, Product product) {
  Operands o(state.range(0), state.range(1), state.range(2));
  ThreadPool* const pool = pool_of(state.range(3));
  const double peak = peak_of(state.range(3));
  Arena arena;
  const MatrixView<const float> x(o.x.data(), o.n, o.k);
  const MatrixView<const float> weight(o.weight.data(), o.k, o.m);
  const MatrixView<const float> weight_transposed(o.weight.data(), o.m, o.k);
  const MatrixView<float> y(o.y.data(), o.n, o.m);
  const MatrixView<float> d_weight(o.d_weight.data(), o.k, o.m);
  const auto packed = kernels::pack(weight, o.packed.data());
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = bench::now_seconds();
    switch (product) {
      case Product::kPacked:
        kernels::gemm_packed<float>(x, packed, y, false, {}, pool);
        break;
      case Product::kNN:
        kernels::gemm_nn<float>(x, weight, y, false, arena, pool);
        break;
      case Product::kNT:
        kernels::gemm_nt<float>(x, weight_transposed, y, false, arena, pool);
        break;
      case Product::kTN:
        kernels::gemm_tn<float>(x, y, d_weight, false, arena, pool);
        break;
      case Product::kLinear:
        kernels::linear<float>(x, weight_transposed, o.bias, kernels::Activation::kRelu, 0.0F, y, arena, pool);
        break;
    }
    benchmark::ClobberMemory();
    fastest = std::min(fastest, bench::now_seconds() - start);
  }
  report(state, o, fastest, peak);
}

// The shapes of the models: one small graph, a layout graph, a batch; then narrow and odd ones.
void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "K", "M", "threads"});
  for (const std::int64_t n : {40, 3163, 50000}) b->Args({n, 128, 128, 1});
  for (const std::int64_t n : {3163, 50000}) b->Args({n, 128, 128, 2});
  b->Args({3163, 64, 64, 1});
  b->Args({3163, 172, 128, 1});
  b->Args({3163, 18, 32, 1});
  b->Args({3163, 128, 100, 1});
  b->UseRealTime();
}

BENCHMARK_CAPTURE(multiply, gemm_packed, Product::kPacked)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_nn, Product::kNN)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_nt, Product::kNT)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_tn, Product::kTN)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, linear_relu, Product::kLinear)->Apply(shapes);

#if defined(MLGRAPH_BENCH_OPENBLAS)
void openblas(benchmark::State& state, Product product) {
  Operands o(state.range(0), state.range(1), state.range(2));
  openblas_set_num_threads(static_cast<int>(state.range(3)));
  const double peak = peak_of(state.range(3));
  const auto n = static_cast<int>(o.n);
  const auto k = static_cast<int>(o.k);
  const auto m = static_cast<int>(o.m);
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = bench::now_seconds();
    if (product == Product::kTN) {
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k, m, n, 1.0F, o.x.data(), k, o.y.data(), m, 0.0F,
                  o.d_weight.data(), m);
    } else {
      const bool is_transposed = product == Product::kNT;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, is_transposed ? CblasTrans : CblasNoTrans, n, m, k, 1.0F,
                  o.x.data(), k, o.weight.data(), is_transposed ? k : m, 0.0F, o.y.data(), m);
    }
    benchmark::ClobberMemory();
    fastest = std::min(fastest, bench::now_seconds() - start);
  }
  report(state, o, fastest, peak);
}

BENCHMARK_CAPTURE(openblas, nn, Product::kNN)->Apply(shapes);
BENCHMARK_CAPTURE(openblas, nt, Product::kNT)->Apply(shapes);
BENCHMARK_CAPTURE(openblas, tn, Product::kTN)->Apply(shapes);
#endif

}  // namespace
