// SPDX-License-Identifier: Apache-2.0
// A whole training step, the same as bench/peers/pytorch_sage.py times: opcode embedding + 140 features + 18
// config features -> 128 -> three SAGE layers -> mean pool -> score, pairwise hinge, Adam. Every config
// computes every row.
#include <benchmark/benchmark.h>

#include <vector>

#include "machine.hpp"
#include "mlgraph/infer.hpp"
#include "mlgraph/train.hpp"
#include "training_step.hpp"

namespace mlgraph {
namespace {

using bench::kConfigFeatures;
using bench::kConfigNodes;
using bench::kFeatures;
using bench::kNodes;
using bench::kWidth;

/// FLOPs of the matrix products of one step: forward, and twice that backward but for the input of the
/// encoder's feature columns, whose gradient nobody needs (the op computes it all the same).
double step_flops(double configs) {
  const double rows = configs * kNodes;
  const double encode = 2 * rows * (32 + kFeatures + kConfigFeatures) * kWidth;
  const double conv = 2 * rows * 2 * kWidth * kWidth;
  return 3 * (encode + 3 * conv);
}

void training_step(benchmark::State& state) {
  const std::int64_t configs = state.range(0);
  ThreadPool pool(static_cast<int>(state.range(1)));
  const bench::EdgeList list = bench::make_edge_list();
  const Edges edges = Edges::from_list(kNodes, list.source, list.target).value();
  Rng rng(1);
  std::vector<std::int32_t> opcodes(kNodes);
  for (std::int32_t& id : opcodes) id = static_cast<std::int32_t>(rng.below(bench::kOpcodes));
  AlignedVector<float> x(kNodes * kFeatures);
  for (float& v : x) v = static_cast<float>(rng.normal());
  AlignedVector<float> config(static_cast<std::size_t>(configs * kNodes * kConfigFeatures), 0.0f);
  for (std::int64_t c = 0; c < configs; ++c) {
    for (std::int64_t k = 0; k < kConfigNodes; ++k) {
      float* const row = config.data() + (c * kNodes + k * (kNodes - 1) / (kConfigNodes - 1)) * kConfigFeatures;
      for (std::int64_t j = 0; j < kConfigFeatures; ++j) row[j] = static_cast<float>(rng.below(7)) - 1;
    }
  }
  std::vector<std::int32_t> ptr;
  std::vector<double> runtime;
  for (std::int64_t c = 0; c <= configs; ++c) ptr.push_back(static_cast<std::int32_t>(c * kNodes));
  for (std::int64_t c = 0; c < configs; ++c) runtime.push_back(static_cast<double>(c));
  const std::vector<std::int32_t> slate = {0, static_cast<std::int32_t>(configs)};

  ParamSpec spec;
  const bench::Ranker model(spec);
  Parameters<float> parameters(spec, 1);
  Adam<float> optimizer(parameters.grad.size());
  Tape tape(&pool);
  tape.bind(spec, parameters);
  const auto step = [&] {
    parameters.zero_grad();
    tape.begin();
    const Var score = model.forward(tape, edges.view(), opcodes, {x.data(), kNodes, kFeatures},
                                    {config.data(), configs * kNodes, kConfigFeatures}, ptr);
    const Var loss = ranking_loss(tape, score, runtime, slate, LossOptions{});
    return tape.backward(loss).ok() &&
           optimizer.step(parameters.trainable(), parameters.grad, 1e-3, &pool).ok();
  };
  if (!step()) state.SkipWithError("the first step failed");  // it allocates, the others do not
  for (auto _ : state) {
    if (!step()) state.SkipWithError(tape.status().message().c_str());
  }
  using benchmark::Counter;
  const double flops = step_flops(static_cast<double>(configs));
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["peak_GFLOP/s"] = bench::fma_peak_gflops(&pool);
  state.counters["tape_MB"] = static_cast<double>(tape.peak_bytes()) * 1e-6;
}
BENCHMARK(training_step)
    ->ArgNames({"configs", "threads"})
    ->Args({16, 1})
    ->Args({16, 2})
    ->Args({64, 1})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace mlgraph
