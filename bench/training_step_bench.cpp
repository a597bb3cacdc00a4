// SPDX-License-Identifier: Apache-2.0
// A whole training step, the same as bench/peers/pytorch_sage.py times: opcode embedding + 140 features + 18
// config features -> 128 -> three SAGE layers -> mean pool -> score, pairwise hinge, Adam. Every config
// computes every row.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "mlgraph/infer.hpp"
#include "mlgraph/train.hpp"

namespace mlgraph {
namespace {

constexpr std::int32_t kNodes = 3163;
constexpr std::size_t kEdges = 5112;
constexpr std::int64_t kFeatures = 140;
constexpr std::int64_t kConfigFeatures = 18;
constexpr std::int64_t kWidth = 128;

/// The edges that pytorch_sage.py generates by the same rule.
Edges make_edges() {
  std::set<std::pair<std::int32_t, std::int32_t>> found;
  for (std::uint64_t t = 0; found.size() < kEdges; ++t) {
    const auto u = static_cast<std::int32_t>(1 + mix64(2 * t) % (kNodes - 1));
    const auto span = static_cast<std::uint64_t>(std::min(u, 32));
    found.emplace(u, u - 1 - static_cast<std::int32_t>(mix64(2 * t + 1) % span));
  }
  std::vector<std::int32_t> source, target;
  for (const auto& [u, v] : found) {
    source.push_back(v);
    target.push_back(u);
  }
  return Edges::from_list(kNodes, source, target).value();
}

struct Ranker {
  Embedding opcode;
  Linear encode;
  SAGEConv conv1, conv2, conv3;
  Linear head;
  explicit Ranker(ParamSpec& p)
      : opcode(p, "opcode", 121, 32),
        encode(p, "encode", 32 + kFeatures + kConfigFeatures, kWidth),
        conv1(p, "conv1", kWidth, kWidth),
        conv2(p, "conv2", kWidth, kWidth),
        conv3(p, "conv3", kWidth, kWidth),
        head(p, "head", kWidth, 1) {}

  template <class Ctx>
  Var forward(Ctx& ctx, const EdgesView& edges, Span<const std::int32_t> opcodes, MatrixView<const float> x,
              MatrixView<const float> config, Span<const std::int32_t> ptr) const {
    const Var shared = ctx.repeat_rows(ctx.concat(opcode(ctx, opcodes), ctx.input(x)), config.rows / x.rows);
    Var h = encode(ctx, ctx.concat(shared, ctx.input(config)));
    h = conv1(ctx, h, edges, Activation::kRelu);
    h = conv2(ctx, h, edges, Activation::kRelu);
    h = conv3(ctx, h, edges, Activation::kRelu);
    return head(ctx, global_mean_pool(ctx, h, ptr));
  }
};

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
  const Edges edges = make_edges();
  Rng rng(1);
  std::vector<std::int32_t> opcodes(kNodes);
  for (std::int32_t& id : opcodes) id = static_cast<std::int32_t>(rng.below(121));
  AlignedVector<float> x(kNodes * kFeatures);
  for (float& v : x) v = static_cast<float>(rng.normal());
  AlignedVector<float> config(static_cast<std::size_t>(configs * kNodes * kConfigFeatures), 0.0f);
  for (std::int64_t c = 0; c < configs; ++c) {
    for (std::int64_t k = 0; k < 62; ++k) {
      float* const row = config.data() + (c * kNodes + k * (kNodes - 1) / 61) * kConfigFeatures;
      for (std::int64_t j = 0; j < kConfigFeatures; ++j) row[j] = static_cast<float>(rng.below(7)) - 1;
    }
  }
  std::vector<std::int32_t> ptr;
  std::vector<double> runtime;
  for (std::int64_t c = 0; c <= configs; ++c) ptr.push_back(static_cast<std::int32_t>(c * kNodes));
  for (std::int64_t c = 0; c < configs; ++c) runtime.push_back(static_cast<double>(c));
  const std::vector<std::int32_t> slate = {0, static_cast<std::int32_t>(configs)};

  ParamSpec spec;
  const Ranker model(spec);
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
