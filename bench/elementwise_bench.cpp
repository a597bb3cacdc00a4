// SPDX-License-Identifier: Apache-2.0
// Activations, softmax, norms and attention against the machine's own memory bandwidth.
//
// GBps: each input read once and each output written once, over the time. triad_share: that, over the bandwidth
// of a[i] = b[i] + s * c[i] on arrays that take as many bytes together. A kernel that passes twice over its
// input can reach a share of about 2/3 where caches do not hold it; one that is bound by arithmetic stays
// below.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/kernels/attention.hpp"
#include "mlgraph/kernels/norm.hpp"
#include "mlgraph/kernels/softmax.hpp"

namespace {

using mlgraph::AlignedVector;
using mlgraph::Arena;
using mlgraph::MatrixView;
using mlgraph::Span;
using mlgraph::ThreadPool;
using mlgraph::kernels::Activation;
namespace kernels = mlgraph::kernels;

constexpr std::int64_t kNodes = 3163;  // an average layout graph of TpuGraphs
constexpr std::int64_t kWidth = 128;

double triad_gbps(double bytes, int num_threads) {
  static std::map<std::pair<double, int>, double> measured;
  const auto [it, is_new] = measured.try_emplace({bytes, num_threads}, 0.0);
  if (is_new) {
    ThreadPool pool(num_threads);
    it->second = mlgraph::bench::triad_gbps(bytes, &pool);
  }
  return it->second;
}

/// Arrays of one shape, and everything the kernels want beside them.
struct Fixture {
  std::int64_t rows;
  ThreadPool pool;
  Arena scratch;
  AlignedVector<float> x, y, dy, dx, weights, row_a, row_b, col_a, col_b;
  std::int32_t ptr[2];

  Fixture(std::int64_t num_rows, int num_threads)
      : rows(num_rows), pool(num_threads), ptr{0, static_cast<std::int32_t>(num_rows)} {
    mlgraph::Rng rng(1);
    for (AlignedVector<float>* values : {&x, &y, &dy, &dx, &weights}) {
      values->resize(static_cast<std::size_t>(rows * kWidth));
      for (float& v : *values) v = static_cast<float>(rng.uniform(-3, 3));
    }
    for (AlignedVector<float>* values : {&row_a, &row_b}) values->assign(static_cast<std::size_t>(rows), 1.0F);
    for (AlignedVector<float>* values : {&col_a, &col_b})
      values->assign(static_cast<std::size_t>(kWidth), 1.0F);
  }
  [[nodiscard]] std::int64_t size() const { return rows * kWidth; }
  [[nodiscard]] MatrixView<const float> in(const AlignedVector<float>& v) const {
    return {v.data(), rows, kWidth};
  }
  [[nodiscard]] MatrixView<float> out(AlignedVector<float>& v) const { return {v.data(), rows, kWidth}; }
};

/// `num_arrays`: how many (rows, kWidth) arrays the kernel reads and writes.
template <class Kernel>
void run(benchmark::State& state, int num_arrays, const Kernel& kernel) {
  const std::int64_t copies = state.range(0);
  const int num_threads = static_cast<int>(state.range(1));
  Fixture f(kNodes * copies, num_threads);
  for (auto _ : state) {
    kernel(f);
    benchmark::ClobberMemory();
  }
  const double bytes = 4.0 * static_cast<double>(f.size() * num_arrays);
  state.counters["GBps"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["triad_share"] = benchmark::Counter(bytes * 1e-9 / triad_gbps(bytes, num_threads),
                                                     benchmark::Counter::kIsIterationInvariantRate);
}

template <Activation kActivation>
void activation(benchmark::State& state) {
  run(state, 2,
      [](Fixture& f) { kernels::activation(kActivation, 0.01F, f.x.data(), f.y.data(), f.size(), &f.pool); });
}

template <Activation kActivation>
void activation_backward(benchmark::State& state) {
  run(state, 3, [](Fixture& f) {
    kernels::activation_backward(kActivation, 0.01F, f.x.data(), f.x.data(), f.dy.data(), f.dx.data(), f.size(),
                                 false, &f.pool);
  });
}

void add(benchmark::State& state) {
  run(state, 3, [](Fixture& f) { kernels::add(f.x.data(), f.dy.data(), f.y.data(), f.size(), &f.pool); });
}

void dot(benchmark::State& state) {
  run(state, 2,
      [](Fixture& f) { benchmark::DoNotOptimize(kernels::dot(f.x.data(), f.dy.data(), f.size(), &f.pool)); });
}

void dropout(benchmark::State& state) {
  run(state, 2, [](Fixture& f) { kernels::dropout(f.x.data(), f.y.data(), f.size(), 0.1, 7, false, &f.pool); });
}

void softmax(benchmark::State& state) {
  run(state, 2, [](Fixture& f) { kernels::softmax_rows<float>(f.in(f.x), f.out(f.y), &f.pool); });
}

void layer_norm(benchmark::State& state) {
  run(state, 2, [](Fixture& f) {
    kernels::layer_norm<float>(f.in(f.x), f.col_a, f.col_b, 1e-5F, f.out(f.y), f.row_a, f.row_b, &f.pool);
  });
}

void layer_norm_backward(benchmark::State& state) {
  run(state, 3, [](Fixture& f) {
    kernels::layer_norm_backward<float>(f.in(f.x), f.col_a, f.row_a, f.row_b, f.in(f.dy), f.out(f.dx), false,
                                        f.col_a, f.col_b, f.scratch, &f.pool);
  });
}

void instance_norm(benchmark::State& state) {
  run(state, 2, [](Fixture& f) {
    kernels::instance_norm<float>(f.ptr, f.in(f.x), 1e-5F, f.out(f.y), {f.col_a.data(), 1, kWidth},
                                  {f.col_b.data(), 1, kWidth}, f.scratch, &f.pool);
  });
}

void instance_norm_backward(benchmark::State& state) {
  run(state, 3, [](Fixture& f) {
    kernels::instance_norm_backward<float>(f.ptr, f.in(f.x), MatrixView<float>(f.col_a.data(), 1, kWidth),
                                           MatrixView<float>(f.col_b.data(), 1, kWidth), f.in(f.dy),
                                           f.out(f.dx), false, f.scratch, &f.pool);
  });
}

void attention(benchmark::State& state) {
  run(state, 2, [&](Fixture& f) {
    kernels::cross_config_attention<float>(f.in(f.x), state.range(0), 0.7F, f.out(f.y), {}, &f.pool);
  });
}

void attention_backward(benchmark::State& state) {
  run(state, 4, [&](Fixture& f) {
    float d_temperature = 0;
    kernels::cross_config_attention_backward<float>(f.in(f.x), f.in(f.weights), state.range(0), 0.7F,
                                                    f.in(f.dy), f.out(f.dx), false, &d_temperature, f.scratch,
                                                    &f.pool);
  });
}

// (copies of the graph, threads): 1.6 MB an array, and 26 MB.
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"copies", "threads"})
      ->ArgsProduct({{1, 16}, {1, 2}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK(add)->Apply(sizes);
BENCHMARK(dot)->Apply(sizes);
BENCHMARK(dropout)->Apply(sizes);
BENCHMARK_TEMPLATE(activation, Activation::kRelu)->Apply(sizes);
BENCHMARK_TEMPLATE(activation, Activation::kSilu)->Apply(sizes);
BENCHMARK_TEMPLATE(activation, Activation::kGelu)->Apply(sizes);
BENCHMARK_TEMPLATE(activation, Activation::kTanh)->Apply(sizes);
BENCHMARK_TEMPLATE(activation_backward, Activation::kRelu)->Apply(sizes);
BENCHMARK_TEMPLATE(activation_backward, Activation::kGelu)->Apply(sizes);
BENCHMARK(softmax)->Apply(sizes);
BENCHMARK(layer_norm)->Apply(sizes);
BENCHMARK(layer_norm_backward)->Apply(sizes);
BENCHMARK(instance_norm)->Apply(sizes);
BENCHMARK(instance_norm_backward)->Apply(sizes);
BENCHMARK(attention)->Apply(sizes);
BENCHMARK(attention_backward)->Apply(sizes);

}  // namespace
