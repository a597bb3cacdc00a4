// SPDX-License-Identifier: Apache-2.0
// The floors of making each distinct row once: ratios within one run, on one thread, of what sessions and
// training take beside the same with equal rows not merged (RowsMade::kReached: what no configuration reaches
// is computed once), and for whole modules beside every row (RowsMade::kEvery). Exit code 1 where one is short.
//
// usage: floors DATA [FILTER]     the folder of real data, and a part of the names of what is to be measured
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/infer/session.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/hlo_file.hpp"
#include "mlgraph/io/mapped_file.hpp"
#include "mlgraph/io/program_set.hpp"
#include "session_programs.hpp"

namespace mlgraph {
namespace {

using bench::cpu_seconds;

/// What was measured, with how many are short.
class Report {
 public:
  explicit Report(const char* filter) : filter_(filter) {}
  [[nodiscard]] bool wants(const std::string& what) const {
    return filter_ == nullptr || what.find(filter_) != std::string::npos;
  }
  /// `measured` should be at least `floor`.
  void at_least(const std::string& what, double measured, double floor, const std::string& times) {
    add(what, measured, ">=", floor, measured >= floor, times);
  }
  void at_most(const std::string& what, double measured, double ceiling, const std::string& times) {
    add(what, measured, "<=", ceiling, measured <= ceiling, times);
  }
  [[nodiscard]] int num_short() const { return num_short_; }

 private:
  void add(const std::string& what, double measured, const char* relation, double bound, bool holds,
           const std::string& times) {
    std::printf("%-66s %8.2f %s %6.2f  %-5s %s\n", what.c_str(), measured, relation, bound,
                holds ? "ok" : "short", times.c_str());
    std::fflush(stdout);
    if (!holds) ++num_short_;
  }
  const char* filter_;
  int num_short_ = 0;
};

[[noreturn]] void fail(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  std::exit(2);
}
template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) fail(result.status());
  return *std::move(result);
}

ConfigView with_configs(ConfigView like, const std::vector<std::int8_t>& narrow) {
  like.narrow = narrow;
  like.num_configs = static_cast<std::int64_t>(narrow.size()) / like.config_size();
  return like;
}

const char* name_of(Direction direction) { return direction == Direction::kBoth ? "both" : "along"; }

/// Seconds of a configuration, by a session that has seen none of them; the scores.
double seconds_of_scores(const Model& model, const ProgramView& view, const ConfigView& configs, RowsMade made,
                         int repeats, std::vector<float>& scores, RowStats& stats) {
  SessionOptions options;
  options.rows_made = made;
  scores.resize(static_cast<std::size_t>(configs.num_configs));
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    Session session = value_of(Session::bind(model, view, options));
    const RowStats before = session.stats();
    const double start = cpu_seconds();
    const Status status = session.score(configs, Span<float>(scores));
    best = std::min(best, cpu_seconds() - start);
    if (!status.ok()) fail(status);
    stats = session.stats();
    stats.num_made -= before.num_made;
  }
  return best / static_cast<double>(configs.num_configs);
}

/// Seconds of a configuration for ids alone: which rows there are.
double seconds_of_planning(const Model& model, const ProgramView& view, const ConfigView& configs) {
  const PreparedProgram program = value_of(model.prepare(view));
  const std::vector<std::int32_t> ids = bench::first(configs.num_configs);
  double best = 1e30;
  for (int i = 0; i < 3; ++i) {
    ProgramRows rows(model.net<Eager>(), model.plan(), model.encoder(), program.segments, configs, {});
    const double start = cpu_seconds();
    for (std::size_t begin = 0; begin < ids.size();)
      begin += static_cast<std::size_t>(
          rows.plan(configs, Span<const std::int32_t>(ids).subspan(begin, ids.size() - begin)));
    best = std::min(best, cpu_seconds() - start);
  }
  return best / static_cast<double>(configs.num_configs);
}

std::string microseconds(double a, double b, double rows) {
  char text[160];
  std::snprintf(text, sizeof(text), "%.2f us, was %.2f; %.2f rows each", 1e6 * a, 1e6 * b, rows);
  return text;
}

void measure_scores(Report& report, const std::string& what, const io::Program& program,
                    const ConfigView& configs, Direction direction, double floor) {
  const std::string name = what + ", " + name_of(direction);
  if (!report.wants(name)) return;
  const ProgramView view = program.view();
  const Model model = value_of(fit_model<LayoutSage>({&view, 1}, bench::layout_options(direction)));
  std::vector<float> distinct, reached;
  RowStats stats, other;
  const double now = seconds_of_scores(model, view, configs, RowsMade::kDistinct, 5, distinct, stats);
  const double was = seconds_of_scores(model, view, configs, RowsMade::kReached, 3, reached, other);
  if (distinct != reached) fail(Status::data_loss(name + ": the bits differ"));
  const double planning = seconds_of_planning(model, view, configs);
  char share[64];
  std::snprintf(share, sizeof(share), "; planning %.2f us, %.0f %%", 1e6 * planning, 100 * planning / now);
  const double rows = static_cast<double>(stats.num_made) / static_cast<double>(configs.num_configs);
  report.at_least(name, was / now, floor, microseconds(now, was, rows) + share);
}

/// Simulated annealing: a random node gets a layout that it has in the file, and keeps it or not.
double seconds_of_annealing(const Model& model, const ProgramView& view, RowsMade made, int steps,
                            double& last) {
  SessionOptions options;
  options.rows_made = made;
  Session session = value_of(Session::bind(model, view, options));
  const ConfigView& configs = view.configs;
  std::vector<float> row(static_cast<std::size_t>(configs.num_features));
  float now = value_of(session.start(configs, 0));
  Rng rng(7);
  const double start = cpu_seconds();
  for (int i = 0; i < steps; ++i) {
    const auto k = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(configs.rows_per_config)));
    configs.copy_row(static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(configs.num_configs))), k,
                     row.data());
    const float score = value_of(session.update(k, row));
    const double chance = 0.5 * (1 - static_cast<double>(i) / steps);
    if (score <= now || rng.uniform() < chance) {
      session.commit();
      now = score;
    } else {
      session.rollback();
    }
  }
  const double seconds = cpu_seconds() - start;
  last = now;
  return seconds / steps;
}

void measure_annealing(Report& report, const io::Program& program) {
  if (!report.wants("annealing")) return;
  const ProgramView view = program.view();
  const Model model = value_of(fit_model<LayoutSage>({&view, 1}, bench::layout_options(Direction::kForward)));
  double a = 0, b = 0;
  double now = 1e30;
  for (int i = 0; i < 3; ++i)
    now = std::min(now, seconds_of_annealing(model, view, RowsMade::kDistinct, 20000, a));
  const double was = seconds_of_annealing(model, view, RowsMade::kReached, 20000, b);
  if (a != b) fail(Status::data_loss("annealing: the bits differ"));
  report.at_least("one node changed, annealing over 20,000 steps", was / now, 3.4, microseconds(now, was, 0));
}

/// Seconds of a step and bytes of its tape; the score of the first configuration.
struct StepCost {
  double seconds = 1e30, bytes = 0;
  float score = 0;
};
StepCost cost_of_step(const Model& model, const PreparedProgram& program, RowsMade made, int repeats) {
  const std::vector<std::int32_t> ids = bench::first(program.view.configs.num_configs);
  StepCost cost;
  Tape tape;
  std::vector<CallRows> rows;
  rows.emplace_back(made);
  AlignedVector<float> grad;
  for (int i = 0; i < repeats; ++i) {
    const double start = cpu_seconds();
    grad.assign(static_cast<std::size_t>(model.spec().num_trainable()), 0.0F);
    tape.bind(model.spec(), Span<const float>(model.parameters().value), Span<float>(grad));
    tape.begin(1);
    const Var score = model.score(tape, program, ids, rows);
    const Status status = tape.backward(sum(tape, score));
    if (!status.ok()) fail(status);
    cost.seconds = std::min(cost.seconds, cpu_seconds() - start);
    cost.score = *tape.value(score).data;
  }
  cost.bytes = static_cast<double>(tape.peak_bytes());
  return cost;
}

void measure_training(Report& report, const std::string& what, const ProgramView& view, Direction direction,
                      RowsMade other, double floor, double memory) {
  const std::string name = what + ", " + name_of(direction);
  if (!report.wants(name)) return;
  const Model model = value_of(fit_model<LayoutSage>({&view, 1}, bench::layout_options(direction)));
  const PreparedProgram program = value_of(model.prepare(view));
  const StepCost was = cost_of_step(model, program, other, 4);
  const StepCost now = cost_of_step(model, program, RowsMade::kDistinct, 8);
  if (std::memcmp(&now.score, &was.score, sizeof(float)) != 0)
    fail(Status::data_loss(name + ": the bits differ"));
  char text[160];
  std::snprintf(text, sizeof(text), "%.2f ms, was %.2f; %.1f MB, was %.1f", 1e3 * now.seconds,
                1e3 * was.seconds, 1e-6 * now.bytes, 1e-6 * was.bytes);
  report.at_least(name, was.seconds / now.seconds, floor, text);
  if (memory > 0) report.at_least(name + ", memory", was.bytes / now.bytes, memory, text);
}

void measure_forward(Report& report, const std::string& what, const ProgramView& view, Direction direction,
                     double floor) {
  const std::string name = what + ", " + name_of(direction);
  if (!report.wants(name)) return;
  const Model model = value_of(fit_model<LayoutSage>({&view, 1}, bench::layout_options(direction)));
  const PreparedProgram program = value_of(model.prepare(view));
  const std::vector<std::int32_t> ids = bench::first(1);
  std::vector<float> a, b;
  const double now = bench::fastest_cpu_seconds(5, [&] { a = value_of(model.predict(program, ids)); });
  const double was = bench::fastest_cpu_seconds(
      3, [&] { b = value_of(model.predict(program, ids, nullptr, RowsMade::kEvery)); });
  if (a != b) fail(Status::data_loss(name + ": the bits differ"));
  report.at_least(name, was / now, floor, microseconds(now, was, 0));
}

/// Nothing repeats: configurations whose every entry is drawn by chance.
void measure_worst(Report& report, const io::Program& program, Direction direction) {
  const std::string name = std::string("nothing repeats, ") + name_of(direction);
  if (!report.wants(name)) return;
  const bench::LayoutProgram random(program.view());
  const ProgramView view = random.view();
  const Model model = bench::layout_model(random, direction);
  std::vector<float> distinct, reached;
  RowStats stats;
  double now = 1e30, was = 1e30;
  for (int i = 0; i < 4; ++i) {  // in turns
    was = std::min(was, seconds_of_scores(model, view, view.configs, RowsMade::kReached, 1, reached, stats));
    now = std::min(now, seconds_of_scores(model, view, view.configs, RowsMade::kDistinct, 1, distinct, stats));
  }
  if (distinct != reached) fail(Status::data_loss(name + ": the bits differ"));
  report.at_most(name + ", scores", now / was, 1.05,
                 microseconds(now, was, static_cast<double>(stats.num_made) / 1000));
  const ProgramView slate = random.view(64);
  const PreparedProgram prepared = value_of(model.prepare(slate));
  StepCost step_was, step_now;
  for (int i = 0; i < 3; ++i) {
    step_was.seconds = std::min(step_was.seconds, cost_of_step(model, prepared, RowsMade::kReached, 3).seconds);
    step_now.seconds =
        std::min(step_now.seconds, cost_of_step(model, prepared, RowsMade::kDistinct, 3).seconds);
  }
  char text[160];
  std::snprintf(text, sizeof(text), "%.2f ms, was %.2f", 1e3 * step_now.seconds, 1e3 * step_was.seconds);
  report.at_most(name + ", training step", step_now.seconds / step_was.seconds, 1.05, text);
}

/// A graph without configurations.
struct Module {
  std::int64_t num_features = 0;
  std::vector<float> x;
  std::vector<std::int32_t> opcode, source, target;

  [[nodiscard]] ProgramView view() const {
    ProgramView view;
    view.name = "module";
    view.graph.x = {x.data(), static_cast<std::int64_t>(opcode.size()), num_features};
    view.graph.opcode = opcode;
    view.graph.edge_source = source;
    view.graph.edge_target = target;
    view.configs.num_configs = 1;
    view.configs.rows_per_config = 0;
    view.configs.num_features = 1;
    return view;
  }
  /// `num_nodes` nodes of copies of this one, of which one node in `every` has a feature of its own.
  [[nodiscard]] Module repeated(std::size_t num_nodes, std::uint64_t every) const {
    Module many;
    many.num_features = num_features;
    Rng rng(11);
    for (std::size_t v = 0; v < num_nodes; ++v) {
      const auto from = static_cast<std::ptrdiff_t>(v % opcode.size());
      many.opcode.push_back(opcode[static_cast<std::size_t>(from)]);
      many.x.insert(many.x.end(), x.begin() + from * num_features, x.begin() + (from + 1) * num_features);
      if (rng.below(every) == 0) many.x.back() = static_cast<float>(rng.uniform());
    }
    const auto size = static_cast<std::int32_t>(opcode.size());
    for (std::int32_t first = 0; first < static_cast<std::int32_t>(num_nodes); first += size) {
      for (std::size_t e = 0; e < source.size(); ++e) {
        if (std::max(source[e], target[e]) + first >= static_cast<std::int32_t>(num_nodes)) continue;
        many.source.push_back(source[e] + first);
        many.target.push_back(target[e] + first);
      }
    }
    return many;
  }
};
Module read_module(const std::string& path) {
  const io::MappedFile file = value_of(io::MappedFile::open(path));
  const io::HloGraph graph = value_of(io::featurize(value_of(io::read_hlo_modules(file.bytes(), {}))[0]));
  Module module;
  module.num_features = graph.num_features;
  module.x = graph.node_feat;
  module.opcode.assign(graph.node_opcode.begin(), graph.node_opcode.end());
  for (std::size_t e = 0; e + 1 < graph.edge_index.size(); e += 2) {
    module.source.push_back(static_cast<std::int32_t>(graph.edge_index[e + 1]));
    module.target.push_back(static_cast<std::int32_t>(graph.edge_index[e]));
  }
  return module;
}

/// Forward, and a training step, of one configuration of a whole module, beside every row.
void measure_module(Report& report, const std::string& what, const Module& module, Direction direction,
                    double floor, double memory) {
  const ProgramView view = module.view();
  measure_forward(report, what + ", forward", view, direction, floor);
  measure_training(report, what + ", training step", view, direction, RowsMade::kEvery, floor, memory);
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  using namespace mlgraph;  // NOLINT
  if (argc < 2) {
    std::fprintf(stderr, "usage: floors DATA [FILTER]\n");
    return 2;
  }
  const std::string data = argv[1];
  Report report(argc > 2 ? argv[2] : nullptr);
  const io::Program module =
      value_of(io::read_tpugraphs_npz(data + "/tpugraphs/golden/layout/module_tuning_data_layout.npz"));
  const io::Program alexnet =
      value_of(io::read_tpugraphs_npz(data + "/tpugraphs/npz/layout/alexnet_train_slice.npz"));
  const std::vector<std::int8_t> drawn = bench::draw_by_node(module.view().configs, 1000, 1);
  const ConfigView by_node = with_configs(module.view().configs, drawn);
  const std::vector<std::int8_t> slate = bench::draw_by_node(module.view().configs, 64, 1);
  const bench::LayoutProgram worst(module.view());

  for (const Direction direction : {Direction::kForward, Direction::kBoth}) {
    const bool along = direction == Direction::kForward;
    measure_scores(report, "module, 1,000 configurations drawn by node", module, by_node, direction,
                   along ? 20 : 8);
    ConfigView own = alexnet.view().configs;
    own.num_configs = std::min<std::int64_t>(own.num_configs, 5000);
    own.narrow = own.narrow.subspan(0, static_cast<std::size_t>(own.num_configs * own.config_size()));
    measure_scores(report, "AlexNet, 5,000 configurations of its own", alexnet, own, direction, along ? 15 : 8);
    ProgramView view = module.view();
    view.configs = with_configs(view.configs, slate);
    view.runtime = {};
    measure_training(report, "training step of 64 configurations", view, direction, RowsMade::kReached,
                     along ? 4.5 : 3, 0);
  }
  measure_annealing(report, module);
  const Module gemma = read_module(data + "/hlo/gemma3_1b_flax_call.hlo");
  const Module llama = gemma.repeated(31855, 50);
  for (const Direction direction : {Direction::kForward, Direction::kBoth}) {
    const bool along = direction == Direction::kForward;
    measure_module(report, "Gemma module of 9,738 instructions", gemma, direction, along ? 3.5 : 2,
                   along ? 3 : 0);
    measure_module(report, "made-up module of 31,855 instructions", llama, direction, along ? 5 : 2, 0);
  }
  for (const Direction direction : {Direction::kForward, Direction::kBoth})
    measure_worst(report, module, direction);
  return report.num_short() > 0 ? 1 : 0;
}
