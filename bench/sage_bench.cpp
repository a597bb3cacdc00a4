// SPDX-License-Identifier: Apache-2.0
// The fused GraphSAGE layer (mean, two products, bias, relu) against the same work by separate kernels.
//
// gflops:       (E * in + 4 * N * in * out) / time of the fastest round.
// peak_percent: gflops over the multiply-add peak of as many threads, measured in the same run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "machine.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/gemm.hpp"
#include "mlgraph/kernels/sage.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace {

using mlgraph::AlignedVector;
using mlgraph::CsrView;
using mlgraph::MatrixView;
using mlgraph::ThreadPool;
using mlgraph::kernels::Activation;
using mlgraph::kernels::Reduce;
namespace bench = mlgraph::bench;
namespace kernels = mlgraph::kernels;

ThreadPool* pool_of(std::int64_t num_threads) {
  static std::map<std::int64_t, std::unique_ptr<ThreadPool>> pools;
  if (num_threads == 1) return nullptr;
  auto& pool = pools[num_threads];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(static_cast<int>(num_threads));
  return pool.get();
}

// 5,112 edges for 3,163 nodes, as an average layout graph of TpuGraphs has; each from one of the 64 nodes
// before.
struct SageOperands {
  std::int64_t n, width;
  std::vector<std::int32_t> row_ptr{0};
  std::vector<std::int32_t> col;
  AlignedVector<float> x, neighbours, y, weight, packed_l, packed_r, bias;

  SageOperands(std::int64_t num_nodes, std::int64_t columns) : n(num_nodes), width(columns) {
    mlgraph::Rng rng(1);
    double edges = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      edges += rng.uniform(0, 2 * 5112.0 / 3163.0);
      while (static_cast<double>(col.size()) + 1 <= edges) {
        const auto back = static_cast<std::int64_t>(rng.below(64));
        col.push_back(static_cast<std::int32_t>(std::max<std::int64_t>(0, i - 1 - back)));
      }
      row_ptr.push_back(static_cast<std::int32_t>(col.size()));
    }
    const auto fill = [&rng](AlignedVector<float>& values, std::int64_t size) {
      values.resize(static_cast<std::size_t>(size));
      for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
    };
    fill(x, n * width);
    fill(neighbours, n * width);
    fill(y, n * width);
    fill(weight, width * width);
    fill(packed_l, kernels::packed_size<float>(width, width));
    fill(packed_r, kernels::packed_size<float>(width, width));
    fill(bias, width);
  }
};

// Arguments: nodes, width, threads.
void sage_layer(benchmark::State& state, bool is_fused) {
  SageOperands o(state.range(0), state.range(1));
  ThreadPool* const pool = pool_of(state.range(2));
  const double peak = bench::fma_peak_gflops(pool);
  const CsrView csr{o.row_ptr, o.col};
  const MatrixView<const float> weight(o.weight.data(), o.width, o.width);
  const auto lin_l = kernels::pack_transposed(weight, o.packed_l.data());
  const auto lin_r = kernels::pack_transposed(weight, o.packed_r.data());
  const MatrixView<const float> x(o.x.data(), o.n, o.width);
  const MatrixView<float> neighbours(o.neighbours.data(), o.n, o.width);
  const MatrixView<float> y(o.y.data(), o.n, o.width);
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = bench::now_seconds();
    if (is_fused) {
      kernels::sage<float>(Reduce::kMean, csr, x, lin_l, lin_r, o.bias, Activation::kRelu, 0.0F, y, {}, pool);
    } else {
      kernels::spmm<float>(Reduce::kMean, csr, {}, x, neighbours, {}, false, pool);
      kernels::gemm_packed<float>(neighbours, lin_l, y, false, {}, pool);
      kernels::gemm_packed<float>(x, lin_r, y, true, {o.bias.data(), Activation::kRelu, 0.0F}, pool);
    }
    benchmark::ClobberMemory();
    fastest = std::min(fastest, bench::now_seconds() - start);
  }
  const auto width = static_cast<double>(o.width);
  const double flop =
      static_cast<double>(o.col.size()) * width + 4.0 * static_cast<double>(o.n) * width * width;
  state.counters["gflops"] = 1e-9 * flop / fastest;
  state.counters["peak_percent"] = 1e-7 * flop / fastest / peak;
}

void graphs(benchmark::internal::Benchmark* b) {
  b->ArgNames({"nodes", "width", "threads"});
  for (const std::int64_t threads : {1, 2}) {
    for (const std::int64_t nodes : {40, 3163, 20000, 100000}) {
      for (const std::int64_t width : {64, 128}) b->Args({nodes, width, threads});
    }
  }
  b->UseRealTime();
}

BENCHMARK_CAPTURE(sage_layer, fused, true)->Apply(graphs);
BENCHMARK_CAPTURE(sage_layer, separate, false)->Apply(graphs);

}  // namespace
