// SPDX-License-Identifier: Apache-2.0
// What a bound session and shared rows save: many configurations of a whole program, one change of one, a
// training step, and the latency of a kernel. Ratios of two ways to the same bits, in one run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/train/loss.hpp"
#if __has_include("mlgraph/io/program_set.hpp") && defined(MLGRAPH_BENCH_DATA)
#include "mlgraph/io/program_set.hpp"
#define MLGRAPH_BENCH_IO 1
#endif

namespace mlgraph {
namespace {

constexpr std::int64_t kConfigs = 1000;

/// Processor time, as everything here is one thread: it depends less on what else the machine does.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Body>
double fastest_cpu_seconds(int repeats, Body&& body) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const double start = cpu_seconds();
    body();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

/// A layout program and configurations of it: the real module of 3,163 nodes where its file is, else one of the
/// same size with random operands.
struct Layout {
  std::vector<float> x;
  std::vector<std::int32_t> opcode, source, target, config_node;
  std::vector<std::int8_t> config;
  std::int64_t num_features = 140;
  std::int64_t config_features = 18;

  static const Layout& get() {
    static const Layout layout;
    return layout;
  }
  Layout() {
    if (!read()) make();
    Rng rng(1);
    const auto size =
        static_cast<std::size_t>(kConfigs) * config_node.size() * static_cast<std::size_t>(config_features);
    for (std::size_t i = 0; i < size; ++i)
      config.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
  }
  bool read() {
#if defined(MLGRAPH_BENCH_IO)
    const auto set =
        io::load_programs(MLGRAPH_BENCH_DATA "/tpugraphs/golden/layout/module_tuning_data_layout.npz");
    if (!set.ok()) return false;
    const ProgramView& view = set->views()[0];
    for (std::int64_t r = 0; r < view.graph.x.rows; ++r)
      x.insert(x.end(), view.graph.x.row(r), view.graph.x.row(r) + view.graph.x.cols);
    opcode.assign(view.graph.opcode.begin(), view.graph.opcode.end());
    source.assign(view.graph.edge_source.begin(), view.graph.edge_source.end());
    target.assign(view.graph.edge_target.begin(), view.graph.edge_target.end());
    config_node.assign(view.graph.config_node.begin(), view.graph.config_node.end());
    num_features = view.graph.x.cols;
    config_features = view.configs.num_features;
    return true;
#else
    return false;
#endif
  }
  void make() {
    constexpr std::int32_t kNodes = 3163;
    Rng rng(2);
    std::set<std::pair<std::int32_t, std::int32_t>> edges;
    while (edges.size() < 5112) {
      const auto v = static_cast<std::int32_t>(1 + rng.below(kNodes - 1));
      const auto span = static_cast<std::uint64_t>(std::min(v, 32));
      edges.emplace(v, v - 1 - static_cast<std::int32_t>(rng.below(span)));
    }
    for (const auto& [to, from] : edges) {
      source.push_back(from);
      target.push_back(to);
    }
    for (std::int32_t v = 0; v < kNodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
      for (std::int64_t j = 0; j < num_features; ++j) x.push_back(static_cast<float>(rng.uniform()));
    }
    for (std::int32_t k = 0; k < 62; ++k) config_node.push_back(k * (kNodes - 1) / 61);
  }
  [[nodiscard]] ProgramView view(std::int64_t num_configs = kConfigs) const {
    ProgramView view;
    view.name = "module";
    view.graph = {{x.data(), static_cast<std::int64_t>(opcode.size()), num_features},
                  opcode,
                  source,
                  target,
                  config_node};
    const auto k = static_cast<std::int64_t>(config_node.size());
    const auto size = static_cast<std::size_t>(num_configs * k * config_features);
    view.configs = {Span<const std::int8_t>(config).subspan(0, size), {}, num_configs, k, config_features};
    return view;
  }
};

GnnCostModel layout_model(Arch arch, Direction direction, std::int64_t width, std::int64_t layers) {
  ModelOptions options = default_options(arch);
  options.direction = direction;
  options.hidden_channels = width;
  options.num_layers = layers;
  const ProgramView view = Layout::get().view(100);
  return GnnCostModel::make(options, FeatureEncoder::fit(Span<const ProgramView>(&view, 1), options).value(), 1)
      .value();
}

/// The program as if every configuration had a copy of every node.
PreparedProgram unshared(const GnnCostModel& model, const ProgramView& view) {
  PreparedProgram program = model.prepare(view).value();
  for (Segment& segment : program.segments) segment.shared = SharedRows();
  return program;
}

std::vector<std::int32_t> first(std::int64_t count) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i);
  return ids;
}

// Many configurations. The unshared way is measured on 24 of them.
void session_score(benchmark::State& state, Direction direction) {
  const ProgramView view = Layout::get().view();
  const GnnCostModel model = layout_model(Arch::kLayoutSage, direction, 128, 3);
  Session session = Session::bind(model, view).value();
  std::vector<float> scores(static_cast<std::size_t>(kConfigs));
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = cpu_seconds();
    if (!session.score(view.configs, Span<float>(scores)).ok()) state.SkipWithError("score");
    fastest = std::min(fastest, cpu_seconds() - start);
  }
  const PreparedProgram plain = unshared(model, view);
  const std::vector<std::int32_t> ids = first(24);
  std::vector<float> expected;
  const double slow = fastest_cpu_seconds(3, [&] { expected = model.predict(plain, ids).value(); }) / 24;
  const SharedRows rows = model.shared_rows(plain.segments[0]);
  state.counters["us_per_config"] = 1e6 * fastest / kConfigs;
  state.counters["unshared_us_per_config"] = 1e6 * slow;
  state.counters["times_faster"] = slow * kConfigs / fastest;
  state.counters["rows_percent"] =
      100.0 * static_cast<double>(rows.own_rows()) / static_cast<double>(3 * rows.num_nodes());
  state.counters["same_bits"] = std::equal(expected.begin(), expected.end(), scores.begin()) ? 1 : 0;
}
BENCHMARK_CAPTURE(session_score, forward, Direction::kForward)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(session_score, reverse, Direction::kReverse)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(session_score, both, Direction::kBoth)->Unit(benchmark::kMillisecond)->UseRealTime();

// One changed node of one configuration, every node in turn, against a full evaluation.
void session_update(benchmark::State& state, Direction direction) {
  const ProgramView view = Layout::get().view();
  const GnnCostModel model = layout_model(Arch::kLayoutSage, direction, 128, 3);
  Session session = Session::bind(model, view).value();
  const std::int64_t num_rows = session.rows_per_config();
  std::vector<float> config(static_cast<std::size_t>(view.configs.config_size()));
  view.configs.copy_config(1, config.data());
  std::int64_t updates = 0;
  double fastest = 1e30;
  for (auto _ : state) {
    state.PauseTiming();
    if (!session.start(view.configs, 0).ok()) state.SkipWithError("start");
    state.ResumeTiming();
    const double start = cpu_seconds();
    for (std::int32_t k = 0; k < num_rows; ++k) {
      const auto features =
          Span<const float>(config).subspan(static_cast<std::size_t>(k * view.configs.num_features),
                                            static_cast<std::size_t>(view.configs.num_features));
      if (!session.update(k, features).ok()) state.SkipWithError("update");
      session.commit();
    }
    fastest = std::min(fastest, cpu_seconds() - start);
    updates += num_rows;
  }
  const PreparedProgram plain = unshared(model, view);
  const std::vector<std::int32_t> one = {1};
  std::vector<float> expected;
  const double slow = fastest_cpu_seconds(10, [&] { expected = model.predict(plain, one).value(); });
  const double us = 1e6 * fastest / static_cast<double>(num_rows);
  state.counters["us_per_update"] = us;
  state.counters["updates_per_s"] = 1e6 / us;
  state.counters["full_us"] = 1e6 * slow;
  state.counters["times_faster"] = 1e6 * slow / us;
  state.counters["same_bits"] =
      expected[0] == session.current_score() ? 1 : 0;  // every row is now that of config 1
}
BENCHMARK_CAPTURE(session_update, forward, Direction::kForward)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK_CAPTURE(session_update, reverse, Direction::kReverse)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK_CAPTURE(session_update, both, Direction::kBoth)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// The gradient of a random function of the scores, in T.
template <class T>
std::vector<double> gradient(const GnnCostModel& model, const Segment& segment, const ProgramView& view,
                             const SharedRows* shared) {
  const auto convert = [](const auto& values) { return AlignedVector<T>(values.begin(), values.end()); };
  const std::int64_t configs = view.configs.num_configs;
  const NetInput<float> from = model.net_input(segment);
  const AlignedVector<T> x = convert(Span<const float>(from.x.data, static_cast<std::size_t>(from.x.size())));
  const std::int64_t width = model.encoder().num_config_outputs();
  AlignedVector<float> row, encoded(static_cast<std::size_t>(configs * view.configs.rows_per_config * width));
  model.encoder().encode_configs(view.configs, first(configs), segment.config_row, row, encoded.data());
  const AlignedVector<T> config = convert(encoded);
  NetInput<T> in;
  in.x = {x.data(), from.x.rows, from.x.cols};
  in.opcode = from.opcode;
  in.edges = from.edges;
  in.config_node = from.config_node;
  in.config = {config.data(), configs * view.configs.rows_per_config, width};
  in.num_configs = configs;
  in.shared = shared;
  const AlignedVector<T> value = convert(model.parameters().value);
  AlignedVector<T> grad(static_cast<std::size_t>(model.spec().num_trainable()), T(0));
  Rng rng(4);
  AlignedVector<T> factor(static_cast<std::size_t>(configs));
  for (T& f : factor) f = static_cast<T>(static_cast<float>(rng.uniform(-1, 1)));
  Context<T, Mode::kRecord> tape;
  tape.bind(model.spec(), Span<const T>(value), Span<T>(grad));
  tape.begin();
  const Var y = model.layout_net().forward(tape, in);
  if (!tape.backward(tape.sum(tape.scale_rows(y, factor))).ok()) return {};
  return {grad.begin(), grad.end()};
}

/// max |a - b| / max |b|
double relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  double worst = a.size() == b.size() ? 0 : 1e30;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  return worst / largest;
}

// How far gradients of shared rows are from those of copies: in double, and both in float from the double.
void shared_gradient(benchmark::State& state, Direction direction) {
  const ProgramView view = Layout::get().view(16);
  const GnnCostModel model = layout_model(Arch::kLayoutSage, direction, 128, 3);
  const PreparedProgram program = model.prepare(view).value();
  const Segment& segment = program.segments[0];
  for (auto _ : state) {
    const std::vector<double> exact = gradient<double>(model, segment, view, nullptr);
    state.counters["double"] =
        relative_difference(gradient<double>(model, segment, view, &segment.shared), exact);
    state.counters["float"] =
        relative_difference(gradient<float>(model, segment, view, &segment.shared), exact);
    state.counters["unshared_float"] =
        relative_difference(gradient<float>(model, segment, view, nullptr), exact);
  }
}
BENCHMARK_CAPTURE(shared_gradient, forward, Direction::kForward)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(shared_gradient, both, Direction::kBoth)->Iterations(1)->Unit(benchmark::kMillisecond);

// A training step: forward, loss, backward.
void shared_training_step(benchmark::State& state, Direction direction) {
  const std::int64_t configs = state.range(0);
  const ProgramView view = Layout::get().view(configs);
  const GnnCostModel model = layout_model(Arch::kLayoutSage, direction, 128, 3);
  const PreparedProgram shared = model.prepare(view).value();
  const PreparedProgram plain = unshared(model, view);
  const std::vector<std::int32_t> ids = first(configs);
  std::vector<double> runtime;
  for (std::int64_t c = 0; c < configs; ++c) runtime.push_back(static_cast<double>((7 * c) % configs));
  const std::vector<std::int32_t> slate = {0, static_cast<std::int32_t>(configs)};
  const auto num_grads = static_cast<std::size_t>(model.spec().num_trainable());
  const auto step = [&](Tape& tape, const PreparedProgram& program, AlignedVector<float>& grad) {
    GnnCostModel::Scratch scratch;
    grad.assign(num_grads, 0.0f);
    tape.bind(model.spec(), Span<const float>(model.parameters().value), Span<float>(grad));
    tape.begin(1);
    const Var score = model.score(tape, program, ids, scratch);
    return tape.backward(ranking_loss(tape, score, runtime, slate, LossOptions{})).ok();
  };
  AlignedVector<float> grad, expected;
  double fastest = 1e30;
  double shared_mb = 0;
  {
    Tape tape;
    for (auto _ : state) {
      const double start = cpu_seconds();
      if (!step(tape, shared, grad)) state.SkipWithError("step");
      fastest = std::min(fastest, cpu_seconds() - start);
    }
    shared_mb = 1e-6 * static_cast<double>(tape.peak_bytes());
  }
  Tape tape;
  const double slow = fastest_cpu_seconds(2, [&] { (void)step(tape, plain, expected); });
  state.counters["ms"] = 1e3 * fastest;
  state.counters["unshared_ms"] = 1e3 * slow;
  state.counters["times_faster"] = slow / fastest;
  state.counters["MB"] = shared_mb;
  state.counters["unshared_MB"] = 1e-6 * static_cast<double>(tape.peak_bytes());
}
BENCHMARK_CAPTURE(shared_training_step, forward, Direction::kForward)
    ->Arg(64)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(shared_training_step, both, Direction::kBoth)
    ->Arg(64)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

/// bench::fma_peak_gflops() by processor time.
double fma_peak_gflops() {
  using kernels::Vec;
  double best = 1e30;
  for (int repeat = 0; repeat < 20; ++repeat) {
    Vec<float> sum[12];
    for (int i = 0; i < 12; ++i) sum[i] = Vec<float>(0.5F + static_cast<float>(i));
    const double start = cpu_seconds();
    for (int step = 0; step < 1000000; ++step) {
      for (auto& s : sum) s = kernels::multiply_add<float>(s, Vec<float>(0.999F), Vec<float>(0.5F));
    }
    best = std::min(best, cpu_seconds() - start);
    bench::keep_sum(sum);
  }
  return 2e-9 * 12 * 1e6 * static_cast<double>(kernels::kLanes<float>) / best;
}

// A fused kernel of 40 nodes, width 64, 3 layers: one configuration, and 500 together.
void session_tile(benchmark::State& state) {
  constexpr std::int32_t kNodes = 40;
  const std::int64_t configs = state.range(0);
  Rng rng(3);
  std::vector<float> x(kNodes * 140);
  for (float& v : x) v = static_cast<float>(rng.uniform());
  std::vector<float> config(static_cast<std::size_t>(500 * 24));
  for (float& v : config) v = static_cast<float>(rng.uniform());
  std::vector<std::int32_t> opcode, source, target;
  for (std::int32_t v = 0; v < kNodes; ++v) {
    opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
    for (std::int32_t d = 1; d <= 2 && d <= v; ++d) {
      if (d == 2 && v % 2 == 0) continue;
      source.push_back(v - d);
      target.push_back(v);
    }
  }
  ProgramView view;
  view.name = "kernel";
  view.graph = {{x.data(), kNodes, 140}, opcode, source, target, {}};
  view.configs = {{}, config, 500, 1, 24};
  const ModelOptions options = default_options(Arch::kTileSage);
  const GnnCostModel model =
      GnnCostModel::make(options, FeatureEncoder::fit(Span<const ProgramView>(&view, 1), options).value(), 1)
          .value();
  Session session = Session::bind(model, view).value();
  view.configs = {
      {}, Span<const float>(config).subspan(0, static_cast<std::size_t>(configs * 24)), configs, 1, 24};
  std::vector<float> scores(static_cast<std::size_t>(configs));
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = cpu_seconds();
    if (!session.score(view.configs, Span<float>(scores)).ok()) state.SkipWithError("score");
    fastest = std::min(fastest, cpu_seconds() - start);
  }
  // Per configuration: the second and third layer, its part of the first, the head.
  const auto h = static_cast<double>(options.hidden_channels);
  const double flops = 2.0 * kNodes * 2 * 2 * h * h + 2.0 * 2 * 24 * h + 2 * (2 * h * h + h);
  state.counters["us_per_config"] = 1e6 * fastest / static_cast<double>(configs);
  state.counters["gflops"] = 1e-9 * flops * static_cast<double>(configs) / fastest;
  state.counters["peak_percent"] = 1e-7 * flops * static_cast<double>(configs) / fastest / fma_peak_gflops();
}
BENCHMARK(session_tile)->ArgNames({"configs"})->Arg(1)->Arg(500)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace mlgraph
