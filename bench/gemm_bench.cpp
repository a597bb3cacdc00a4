// SPDX-License-Identifier: Apache-2.0
// Matrix products against the multiply-add peak of the machine. Those of the shapes of models are also made by
// the libraries of gemm_peers_bench.cpp, in the same run.
//
// gflops:       2 * N * K * M / time of the fastest round.
// peak_percent: gflops over what the vector units do at most on as many threads, measured in the same run.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "gemm_shapes.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/linear.hpp"

namespace {

using mlgraph::Arena;
using mlgraph::MatrixView;
using mlgraph::ThreadPool;
namespace bench = mlgraph::bench;
namespace kernels = mlgraph::kernels;

enum class Product { kPacked, kNN, kNT, kTN, kLinear };

// Arguments: N, K, M, threads.
void multiply(benchmark::State& state, Product product) {
  bench::Operands o(state.range(0), state.range(1), state.range(2));
  ThreadPool* const pool = bench::pool_of(state.range(3));
  Arena arena;
  const MatrixView<const float> x(o.x.data(), o.n, o.k);
  const MatrixView<const float> weight(o.weight.data(), o.k, o.m);
  const MatrixView<const float> weight_transposed(o.weight.data(), o.m, o.k);
  const MatrixView<float> y(o.y.data(), o.n, o.m);
  const MatrixView<float> d_weight(o.d_weight.data(), o.k, o.m);
  const auto packed = kernels::pack(weight, o.packed.data());
  bench::time_product(state, o, bench::peak_of(state.range(3)), [&] {
    switch (product) {
      case Product::kPacked:
        return kernels::gemm_packed<float>(x, packed, y, false, {}, pool);
      case Product::kNN:
        return kernels::gemm_nn<float>(x, weight, y, false, arena, pool);
      case Product::kNT:
        return kernels::gemm_nt<float>(x, weight_transposed, y, false, arena, pool);
      case Product::kTN:
        return kernels::gemm_tn<float>(x, y, d_weight, false, arena, pool);
      case Product::kLinear:
        return kernels::linear<float>(x, weight_transposed, o.bias, kernels::Activation::kRelu, 0.0F, y, arena,
                                      pool);
    }
  });
}

// Beside the shapes of the peers: two threads, narrow and odd ones.
void shapes(benchmark::internal::Benchmark* b) {
  bench::peer_shapes(b);
  for (const std::int64_t n : {3163, 100000}) b->Args({n, 128, 128, 2});
  b->Args({3163, 172, 128, 1});
  b->Args({3163, 18, 32, 1});
  b->Args({3163, 128, 100, 1});
}

BENCHMARK_CAPTURE(multiply, gemm_packed, Product::kPacked)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_nn, Product::kNN)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_nt, Product::kNT)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, gemm_tn, Product::kTN)->Apply(shapes);
BENCHMARK_CAPTURE(multiply, linear_relu, Product::kLinear)->Apply(shapes);

}  // namespace
