// SPDX-License-Identifier: Apache-2.0
// What a bound session and shared rows save: many configurations of a whole program, one change of one, a
// training step, and the latency of a kernel. Ratios of two ways to the same bits, in one run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "machine.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/infer/session.hpp"
#include "session_programs.hpp"
#if defined(MLGRAPH_BENCH_IO)
#include "mlgraph/io/program_set.hpp"
#endif

namespace mlgraph {
namespace {

using bench::cpu_seconds;
using bench::fastest_cpu_seconds;
using bench::first;

constexpr std::int64_t kConfigs = bench::LayoutProgram::kConfigs;

/// The real module where its file is in $MLGRAPH_DATA, else a made-up one.
const bench::LayoutProgram& layout_program() {
  static const bench::LayoutProgram program = [] {
#if defined(MLGRAPH_BENCH_IO)
    const char* const folder = std::getenv("MLGRAPH_DATA");
    const auto set = io::load_programs(
        str_cat(folder == nullptr ? "" : folder, "/tpugraphs/golden/layout/module_tuning_data_layout.npz"));
    if (set.ok()) return bench::LayoutProgram(set->views()[0]);
#endif
    return bench::LayoutProgram();
  }();
  return program;
}

// Many configurations. The unshared way is measured on 24 of them.
void session_score(benchmark::State& state, Direction direction) {
  const ProgramView view = layout_program().view();
  const Model model = bench::layout_model(layout_program(), direction);
  Session session = Session::bind(model, view).value();
  std::vector<float> scores(static_cast<std::size_t>(kConfigs));
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = cpu_seconds();
    if (!session.score(view.configs, Span<float>(scores)).ok()) state.SkipWithError("score");
    fastest = std::min(fastest, cpu_seconds() - start);
  }
  const PreparedProgram plain = model.prepare(view).value();
  const std::vector<std::int32_t> ids = first(24);
  std::vector<float> expected;
  const double slow =
      fastest_cpu_seconds(3, [&] { expected = model.predict(plain, ids, nullptr, RowsMade::kEvery).value(); }) /
      24;
  state.counters["us_per_config"] = 1e6 * fastest / kConfigs;
  state.counters["unshared_us_per_config"] = 1e6 * slow;
  state.counters["times_faster"] = slow * kConfigs / fastest;
  state.counters["rows_percent"] = 100.0 * static_cast<double>(session.stats().num_made) /
                                   static_cast<double>(kConfigs * 3 * plain.segments[0].graph.num_nodes());
  state.counters["same_bits"] = std::equal(expected.begin(), expected.end(), scores.begin()) ? 1 : 0;
}
BENCHMARK_CAPTURE(session_score, forward, Direction::kForward)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(session_score, reverse, Direction::kReverse)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(session_score, both, Direction::kBoth)->Unit(benchmark::kMillisecond)->UseRealTime();

// One changed node of one configuration, every node in turn, against a full evaluation.
void session_update(benchmark::State& state, Direction direction) {
  const ProgramView view = layout_program().view();
  const Model model = bench::layout_model(layout_program(), direction);
  Session session = Session::bind(model, view).value();
  const std::int64_t num_rows = session.rows_per_config();
  std::vector<float> config(static_cast<std::size_t>(view.configs.config_size()));
  view.configs.copy_config(1, config.data());
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
  }
  const PreparedProgram plain = model.prepare(view).value();
  const std::vector<std::int32_t> one = {1};
  std::vector<float> expected;
  const double slow =
      fastest_cpu_seconds(10, [&] { expected = model.predict(plain, one, nullptr, RowsMade::kEvery).value(); });
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

/// LayoutSage on a tape of T.
template <class T>
class NetOnTape : public NetOn<Context<T, Mode::kRecord>> {
 public:
  [[nodiscard]] const NetPlan& plan() const { return plan_; }

 protected:
  NetPlan plan_;
};
template <class T>
using LayoutSageOnTape =
    detail::NetFunctions<LayoutSage, Context<T, Mode::kRecord>, detail::NetHolder<LayoutSage, NetOnTape<T>>>;

/// The rows of all configurations, numbered so that equal ones have one number.
struct NumberedConfigs {
  ConfigTable table;
  std::vector<std::int32_t> ids;    // of each row
  std::vector<std::int32_t> place;  // a row of each id

  NumberedConfigs(const Segment& segment, const ProgramView& view) : table(view.configs.num_features) {
    const auto num_nodes = static_cast<std::int64_t>(segment.config_row.size());
    for (std::int64_t c = 0; c < view.configs.num_configs; ++c) {
      for (std::int64_t k = 0; k < num_nodes; ++k) {
        ids.push_back(table.find(view.configs, c, segment.config_row[static_cast<std::size_t>(k)]));
        if (table.size() > static_cast<std::int32_t>(place.size()))
          place.push_back(static_cast<std::int32_t>(c * num_nodes + k));
      }
    }
  }
};

/// The gradient of a random function of the scores, in T.
template <class T>
std::vector<double> gradient(const Model& model, Direction direction, const Segment& segment,
                             const ProgramView& view, RowsMade made) {
  const auto convert = [](const auto& values) { return AlignedVector<T>(values.begin(), values.end()); };
  const std::int64_t configs = view.configs.num_configs;
  const NetInput<float> from = net_input(segment);
  const MatrixView<const float> nodes = from.nodes.x;
  const AlignedVector<T> x = convert(Span<const float>(nodes.data, static_cast<std::size_t>(nodes.size())));
  const InputWidths in_widths{model.encoder().node.num_outputs(), model.encoder().num_config_outputs()};
  const std::int64_t width = in_widths.num_config_features;
  std::vector<float> row(static_cast<std::size_t>(view.configs.num_features));
  AlignedVector<float> encoded(static_cast<std::size_t>(configs * view.configs.rows_per_config * width));
  model.encoder().encode_configs(view.configs, first(configs), segment.config_row, row.data(), encoded.data());
  const AlignedVector<T> config = convert(encoded);
  NetInput<T> in;
  in.nodes = {{x.data(), nodes.rows, nodes.cols}, {}, from.nodes.opcode};
  in.edges = from.edges;
  in.config_node = from.config_node;
  in.config.num_rows = configs * view.configs.rows_per_config;
  in.config.x = {config.data(), in.config.num_rows, width};
  in.num_configs = configs;
  const AlignedVector<T> value = convert(model.parameters().value);
  AlignedVector<T> grad(static_cast<std::size_t>(model.spec().num_trainable()), T(0));
  Rng rng(4);
  AlignedVector<T> factor(static_cast<std::size_t>(configs));
  for (T& f : factor) f = static_cast<T>(static_cast<float>(rng.uniform(-1, 1)));
  ParamSpec spec;
  const LayoutSageOnTape<T> net(spec, bench::layout_options(direction), in_widths);
  Context<T, Mode::kRecord> tape;
  tape.bind(spec, Span<const T>(value), Span<T>(grad));
  tape.begin();
  FlowPlan rows = segment.rows;
  const NumberedConfigs numbered(segment, view);
  PlannedConfigs<T> planned;
  planned.num_configs = configs;
  planned.ids = numbered.ids;
  planned.num_ids = numbered.table.size();
  const auto encode = [&](Context<T, Mode::kRecord>& ctx, Span<const std::int32_t> wanted) {
    T* const values = ctx.arena().template allocate<T>(wanted.size() * static_cast<std::size_t>(width));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::int64_t at = numbered.place[static_cast<std::size_t>(wanted[i])];
      std::copy_n(config.data() + at * width, width, values + static_cast<std::int64_t>(i) * width);
    }
    const auto num_rows = static_cast<std::int64_t>(wanted.size());
    return ConfigRows<T>{{values, num_rows, width}, {}, num_rows};
  };
  const auto of_every_row = [&] {
    const Var h = run_configs(net, tape, net.plan(), run_prefix(net, tape, net.plan(), in), in);
    return run_pools(tape, net.plan(), h, in);
  };
  const Var sums = made == RowsMade::kEvery
                       ? of_every_row()
                       : run_planned(net, tape, net.plan(), rows, nullptr, in, planned, encode);
  const Var y = run_readout(net, tape, net.plan(), sums, configs, in.num_inner(), in.num_inner_config(), {});
  if (!tape.backward(sum(tape, tape.scale_rows(y, factor))).ok()) return {};
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
  const ProgramView view = layout_program().view(16);
  const Model model = bench::layout_model(layout_program(), direction);
  const PreparedProgram program = model.prepare(view).value();
  const Segment& segment = program.segments[0];
  for (auto _ : state) {
    const std::vector<double> exact = gradient<double>(model, direction, segment, view, RowsMade::kEvery);
    state.counters["double"] =
        relative_difference(gradient<double>(model, direction, segment, view, RowsMade::kDistinct), exact);
    state.counters["float"] =
        relative_difference(gradient<float>(model, direction, segment, view, RowsMade::kDistinct), exact);
    state.counters["unshared_float"] =
        relative_difference(gradient<float>(model, direction, segment, view, RowsMade::kEvery), exact);
  }
}
BENCHMARK_CAPTURE(shared_gradient, forward, Direction::kForward)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(shared_gradient, both, Direction::kBoth)->Iterations(1)->Unit(benchmark::kMillisecond);

// A training step: forward, loss, backward.
void shared_training_step(benchmark::State& state, Direction direction) {
  const std::int64_t configs = state.range(0);
  const ProgramView view = layout_program().view(configs);
  const Model model = bench::layout_model(layout_program(), direction);
  const PreparedProgram shared = model.prepare(view).value();
  const PreparedProgram plain = model.prepare(view).value();
  bench::HingeStep step(model, configs), every(model, configs, RowsMade::kEvery);
  AlignedVector<float> grad, expected;
  double fastest = 1e30;
  double shared_mb = 0;
  {
    Tape tape;
    for (auto _ : state) {
      const double start = cpu_seconds();
      if (!step(tape, shared, grad).ok()) state.SkipWithError("step");
      fastest = std::min(fastest, cpu_seconds() - start);
    }
    shared_mb = 1e-6 * static_cast<double>(tape.peak_bytes());
  }
  Tape tape;
  const double slow = fastest_cpu_seconds(2, [&] { (void)every(tape, plain, expected); });
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
  const bench::KernelProgram kernel;
  const std::int64_t configs = state.range(0);
  const Model model = bench::kernel_model(kernel);
  Session session = Session::bind(model, kernel.view()).value();
  const ProgramView view = kernel.view(configs);
  std::vector<float> scores(static_cast<std::size_t>(configs));
  double fastest = 1e30;
  for (auto _ : state) {
    const double start = cpu_seconds();
    if (!session.score(view.configs, Span<float>(scores)).ok()) state.SkipWithError("score");
    fastest = std::min(fastest, cpu_seconds() - start);
  }
  // Per configuration: the second and third layer, its part of the first, the head.
  const auto h = static_cast<double>(model.plan().channels);
  const double flops = 2.0 * bench::KernelProgram::kNodes * 2 * 2 * h * h +
                       2.0 * 2 * bench::KernelProgram::kConfigFeatures * h + 2 * (2 * h * h + h);
  state.counters["us_per_config"] = 1e6 * fastest / static_cast<double>(configs);
  state.counters["gflops"] = 1e-9 * flops * static_cast<double>(configs) / fastest;
  state.counters["peak_percent"] = 1e-7 * flops * static_cast<double>(configs) / fastest / fma_peak_gflops();
}
BENCHMARK(session_tile)->ArgNames({"configs"})->Arg(1)->Arg(500)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace mlgraph
