// SPDX-License-Identifier: Apache-2.0
// Neighbour aggregation against the machine's own gather bandwidth, its backward pass against its forward pass.
//
// gather_share: (rows read + rows written) / time, over the bandwidth of reading random rows of a table as
// large as the rows read and the rows written together.
//
// vs_forward: the time of the backward pass over the time of the forward pass, measured in turns.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/gather.hpp"
#include "mlgraph/kernels/segment.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace {

using mlgraph::AdjacencyView;
using mlgraph::AlignedVector;
using mlgraph::CsrView;
using mlgraph::MatrixView;
using mlgraph::ThreadPool;
using mlgraph::kernels::Reduce;
namespace bench = mlgraph::bench;
namespace kernels = mlgraph::kernels;

constexpr std::int64_t kWidth = 128;
constexpr double kEdgesPerNode = 5112.0 / 3163.0;  // an average layout graph of TpuGraphs has about as many

/// A graph like those that compilers have: every edge comes from one of the 64 nodes before.
struct Graph {
  std::vector<std::int32_t> row_ptr, col, transposed_row_ptr, transposed_col, transposed_to_csr;

  explicit Graph(std::int64_t num_nodes) {
    const auto n = static_cast<std::size_t>(num_nodes);
    const auto num_edges = static_cast<std::size_t>(static_cast<double>(num_nodes) * kEdgesPerNode);
    mlgraph::Rng rng(1);
    std::vector<std::int32_t> targets(num_edges);
    for (std::int32_t& target : targets) target = static_cast<std::int32_t>(1 + rng.below(n - 1));
    std::sort(targets.begin(), targets.end());
    row_ptr.assign(n + 1, 0);
    transposed_row_ptr.assign(n + 1, 0);
    for (const std::int32_t target : targets) {
      const std::uint64_t back = 1 + rng.below(static_cast<std::uint64_t>(std::min(target, 64)));
      col.push_back(target - static_cast<std::int32_t>(back));
      ++row_ptr[static_cast<std::size_t>(target) + 1];
      ++transposed_row_ptr[static_cast<std::size_t>(col.back()) + 1];
    }
    for (std::size_t i = 0; i < n; ++i) {
      row_ptr[i + 1] += row_ptr[i];
      transposed_row_ptr[i + 1] += transposed_row_ptr[i];
    }
    transposed_col.resize(num_edges);
    transposed_to_csr.resize(num_edges);
    std::vector<std::int32_t> next = transposed_row_ptr;
    for (std::size_t e = 0; e < num_edges; ++e) {
      const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(col[e])]++);
      transposed_col[place] = targets[e];
      transposed_to_csr[place] = static_cast<std::int32_t>(e);
    }
  }

  [[nodiscard]] AdjacencyView adjacency() const {
    return {{row_ptr, col}, {transposed_row_ptr, transposed_col}, transposed_to_csr};
  }
};

ThreadPool* pool_of(std::int64_t num_threads) {
  static std::map<std::int64_t, std::unique_ptr<ThreadPool>> pools;
  if (num_threads == 1) return nullptr;
  auto& pool = pools[num_threads];
  if (!pool) pool = std::make_unique<ThreadPool>(static_cast<int>(num_threads));
  return pool.get();
}

double gather_gbps(std::int64_t num_rows, std::int64_t num_threads) {
  static std::map<std::pair<std::int64_t, std::int64_t>, double> measured;
  double& gbps = measured[{num_rows, num_threads}];
  if (gbps == 0) gbps = bench::gather_gbps(2 * num_rows, kWidth, pool_of(num_threads));
  return gbps;
}

/// Both directions over one graph; range(0) nodes, range(1) threads.
struct Setup {
  explicit Setup(const benchmark::State& state)
      : graph(state.range(0)),
        pool(pool_of(state.range(1))),
        x(static_cast<std::size_t>(state.range(0) * kWidth), 1.0F),
        y(x.size(), 0.0F),
        rows(state.range(0)) {}

  void forward(Reduce reduce) {
    kernels::spmm<float>(reduce, graph.adjacency().csr, {}, {x.data(), rows, kWidth}, {y.data(), rows, kWidth},
                         {}, false, pool);
  }
  void backward(Reduce reduce) {
    kernels::spmm_backward<float>(reduce, graph.adjacency(), {}, {x.data(), rows, kWidth}, {},
                                  {y.data(), rows, kWidth}, false, pool);
  }
  [[nodiscard]] double bytes() const {
    return static_cast<double>((static_cast<std::int64_t>(graph.col.size()) + rows) * kWidth * 4);
  }

  Graph graph;
  ThreadPool* pool;
  AlignedVector<float> x, y;
  std::int64_t rows;
};

void spmm_forward(benchmark::State& state, Reduce reduce) {
  Setup setup(state);
  const double peak = gather_gbps(state.range(0), state.range(1));
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = bench::now_seconds();
    setup.forward(reduce);
    fastest = std::min(fastest, bench::now_seconds() - start);
  }
  state.counters["GB/s"] = 1e-9 * setup.bytes() / fastest;
  state.counters["gather_GB/s"] = peak;
  state.counters["gather_share"] = 1e-9 * setup.bytes() / fastest / peak;
}

void spmm_backward(benchmark::State& state, Reduce reduce) {
  Setup setup(state);
  double forward = 1e30;
  double backward = 1e30;
  for (auto _ : state) {
    const double start = bench::now_seconds();
    setup.forward(reduce);
    const double middle = bench::now_seconds();
    setup.backward(reduce);
    const double end = bench::now_seconds();
    forward = std::min(forward, middle - start);
    backward = std::min(backward, end - middle);
  }
  state.counters["GB/s"] = 1e-9 * setup.bytes() / backward;
  state.counters["vs_forward"] = backward / forward;
}

/// Mean of all nodes of one graph, and the gradient of an embedding table of 121 opcodes.
void segment_mean(benchmark::State& state) {
  Setup setup(state);
  mlgraph::Arena scratch;
  const std::vector<std::int32_t> ptr = {0, static_cast<std::int32_t>(setup.rows)};
  for (auto _ : state) {
    kernels::segment_reduce<float>(Reduce::kMean, ptr, {setup.x.data(), setup.rows, kWidth},
                                   {setup.y.data(), 1, kWidth}, {}, false, scratch, setup.pool);
  }
  state.SetBytesProcessed(state.iterations() * setup.rows * kWidth * 4);
}

void scatter_add(benchmark::State& state) {
  Setup setup(state);
  mlgraph::Arena scratch;
  std::vector<std::int32_t> index;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(setup.rows); ++i) {
    const std::uint64_t v = mlgraph::mix64(i) % (121 * 121);
    index.push_back(static_cast<std::int32_t>(v / 121 * (v % 121) / 121));  // some opcodes are frequent
  }
  for (auto _ : state) {
    kernels::scatter_add_rows<float>({setup.x.data(), setup.rows, kWidth}, index, {setup.y.data(), 121, kWidth},
                                     scratch, setup.pool);
  }
  state.SetBytesProcessed(state.iterations() * setup.rows * kWidth * 4);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"nodes", "threads"})->ArgsProduct({{2000, 3163, 20000, 100000}, {1, 2}})->UseRealTime();
}

BENCHMARK_CAPTURE(spmm_forward, sum, Reduce::kSum)->Apply(sizes);
BENCHMARK_CAPTURE(spmm_forward, mean, Reduce::kMean)->Apply(sizes);
BENCHMARK_CAPTURE(spmm_forward, max, Reduce::kMax)->Apply(sizes);
BENCHMARK_CAPTURE(spmm_backward, sum, Reduce::kSum)->Apply(sizes);
BENCHMARK_CAPTURE(spmm_backward, mean, Reduce::kMean)->Apply(sizes);
BENCHMARK(segment_mean)->Apply(sizes);
BENCHMARK(scatter_add)->Apply(sizes);

}  // namespace
