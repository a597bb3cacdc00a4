// SPDX-License-Identifier: Apache-2.0
// The whole job on this machine: measure programs, train, measure what the model proposes, train again, then
// decide for programs that nobody has seen, beside rules, a formula and searches by measuring.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collect.hpp"
#include "interrupt.hpp"
#include "learn.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "results.hpp"
#include "similar.hpp"
#include "split.hpp"

namespace minicompiler {

/// What processor this is, and how wide the vectors are that the program was compiled for.
[[nodiscard]] inline std::string machine_text() {
  std::ifstream in("/proc/cpuinfo");
  std::string line, model = "unknown processor";
  while (std::getline(in, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    model = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  return mg::str_cat(model, ", ", std::thread::hardware_concurrency(), " processors, vectors of ",
                     mg::kernels::kLanes<float>, " floats");
}

/// What was measured of it.
[[nodiscard]] inline std::string machine_text(const Machine& machine) {
  const auto of = [&](Op op) { return machine.element[static_cast<std::size_t>(op)]; };
  const auto more = [&](Level level) { return 4 * machine.read[static_cast<std::size_t>(level)]; };
  using detail::fixed;
  return mg::str_cat("ns an element: add ", fixed(of(Op::kAdd), 3), ", exponential ",
                     fixed(of(Op::kExponential), 3), "; read from L2 ", fixed(more(Level::kL2), 3),
                     " more, L3 ", fixed(more(Level::kL3), 3), ", memory ", fixed(more(Level::kMemory), 3),
                     "; a call ", fixed(machine.call, 0), " ns; dots ", fixed(1 / machine.flop_dot, 0),
                     " GFLOP/s");
}

/// Collects with a bar, until the budget is spent or Ctrl-C: round 1 rules and samples, later ones what
/// `ranker` proposes. -> whether it was not interrupted
[[nodiscard]] inline mg::Result<bool> collect_with_progress(const std::string& log_path, int round,
                                                            const Ranker* ranker, CollectOptions options) {
  const StopOnInterrupt interrupt;
  Progress progress(mg::str_cat("measuring, round ", round));
  options.progress = [&](double done, const std::string& name) {
    progress.show(done, name);
    return !interrupt.stopped();
  };
  MLGRAPH_ASSIGN_OR_RETURN(
      const CollectSummary summary,
      ranker == nullptr ? collect(log_path, options) : collect_proposals(log_path, *ranker, round, options));
  const double share = 100 * summary.seconds_running / std::max(summary.seconds, 1e-9);
  progress.finish(mg::str_cat(summary.num_programs, " programs, ", summary.num_schedules, " schedules, ",
                              static_cast<int>(share), " % of the time running them",
                              interrupt.stopped() ? "; interrupted, nothing is lost" : ""));
  return !interrupt.stopped();
}

/// How members of an ensemble are trained.
struct MemberOptions {
  int count = 3;  ///< the seeds follow that of the settings
  /// Models that training goes on from, one for each member; none: from weights by chance.
  std::vector<mg::Span<const std::byte>> starts = {};
};

/// Trains members on the records of a log with a bar. Errors: those of train_network().
[[nodiscard]] inline mg::Result<std::vector<TrainedModel>> train_with_progress(const Split& split,
                                                                               const Machine& machine,
                                                                               TrainSettings settings,
                                                                               const MemberOptions& options) {
  Progress progress("training");
  std::vector<TrainedModel> members;
  EpochPoint last;
  const std::uint64_t first_seed = settings.seed;
  for (int m = 0; m < options.count; ++m) {
    settings.on_epoch = [&, epochs = settings.epochs](const EpochPoint& point) {
      last = point;
      const double done = m + static_cast<double>(point.epoch) / epochs;
      progress.show(done / options.count, mg::str_cat("member ", m + 1, ", epoch ", point.epoch, ", loss ",
                                                      detail::fixed(point.loss, 4)));
      return true;
    };
    settings.seed = first_seed + static_cast<std::uint64_t>(m);
    if (!options.starts.empty())
      settings.start = options.starts[static_cast<std::size_t>(m) % options.starts.size()];
    MLGRAPH_ASSIGN_OR_RETURN(TrainedModel trained, train_network(split.train, split.valid, machine, settings));
    members.push_back(std::move(trained));
  }
  progress.finish(mg::str_cat(split.train.size(), " races to train on, ", split.valid.size(),
                              " to validate, loss ", detail::fixed(last.loss, 4)));
  return members;
}

[[nodiscard]] inline std::vector<mg::Span<const std::byte>> files_of(const std::vector<TrainedModel>& members) {
  std::vector<mg::Span<const std::byte>> files;
  for (const TrainedModel& member : members) files.emplace_back(member.bytes);
  return files;
}

struct ShowcaseOptions {
  CollectOptions collect;  ///< its budget is that of all rounds
  TrainSettings train;
  MemberOptions members;
  ContestOptions contest;
  std::uint32_t num_held_out = 24;                   ///< programs
  std::uint32_t first_held_out = 2 * kFirstHeldOut;  ///< number of the first
  std::string folder;                                ///< measurements, model and report.html go there
  std::string command;                               ///< for the report
};

namespace detail {

/// A program's schedules as a model scores them, beside what was measured.
[[nodiscard]] inline mg::Result<std::vector<Predictions>> predictions_of(const Ranker& model,
                                                                         const std::vector<Record>& records) {
  std::vector<Predictions> all;
  for (std::size_t i = 0; i < records.size() && i < kNumFamilies; ++i) {
    const Record& record = records[i];
    const Dataflow flow(record.program);
    MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer, model.bind(flow));
    std::vector<float> scores;
    MLGRAPH_RETURN_IF_ERROR(scorer->score(record.schedules, scores));
    const float least = *std::min_element(scores.begin(), scores.end());
    const auto fastest = static_cast<double>(record.measured[fastest_of(record.measured, 1)[0]].ns);
    Predictions predictions{record.program.name, {}};
    for (std::size_t k = 0; k < scores.size(); ++k) {
      predictions.points.emplace_back(std::exp(static_cast<double>(scores[k] - least)),
                                      static_cast<double>(record.measured[k].ns) / fastest);
    }
    all.push_back(std::move(predictions));
  }
  return all;
}

}  // namespace detail

/// Errors: those of make_program().
[[nodiscard]] inline mg::Result<std::vector<Program>> held_out_programs(const ShowcaseOptions& options) {
  std::vector<Program> programs;
  for (std::uint32_t i = 0; i < options.num_held_out; ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(Program program, make_program(options.first_held_out + i, options.collect.limits));
    programs.push_back(std::move(program));
  }
  return programs;
}

/// Holds the contest on programs, beside the rule that is best in `training`. At least one record of the first
/// round. Errors: those of the contests; no such record.
[[nodiscard]] inline mg::Result<Results> hold_contests(const std::vector<Record>& training,
                                                       const std::vector<Program>& programs,
                                                       const std::vector<Contestant>& contestants,
                                                       const ContestOptions& options) {
  std::vector<std::vector<std::int64_t>> times;
  SimilarPrograms similar;
  for (const Record& record : training) {
    if (record.round != 1) continue;
    times.push_back(times_of_rules(record));
    similar.add(record.program, times.back());
  }
  if (times.empty()) return mg::Status::invalid_argument("the log has no program to train on");
  Results results;
  results.rule = best_rule_of_all(times);
  for (const Contestant& contestant : contestants) results.contestants.push_back(contestant.name);
  const PinnedThread pinned;
  const StopOnInterrupt interrupt;
  Progress progress("held-out programs");
  for (std::size_t i = 0; i < programs.size() && !interrupt.stopped(); ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(Contest contest, hold_contest(programs[i], contestants, options));
    results.similar_rules.push_back(similar.rule_for(programs[i]));
    results.contests.push_back(std::move(contest));
    progress.show(static_cast<double>(i + 1) / static_cast<double>(programs.size()), programs[i].name);
  }
  progress.finish(mg::str_cat(results.contests.size(), " searched, compiled and measured"));
  return results;
}

/// Runs it all and writes report.html; after Ctrl-C in the measurements nothing more. Errors: those of the
/// parts.
[[nodiscard]] inline mg::Status run_showcase(const ShowcaseOptions& options) {
  constexpr double kFirstRound = 0.6;  // of the budget
  const std::string log_path = options.folder + "/measurements.jsonl";
  const Machine machine = measure_machine();
  Report report;
  report.command = options.command;
  report.machine = mg::str_cat(machine_text(), "; ", machine_text(machine));
  std::printf("%s\n", report.machine.c_str());

  std::unique_ptr<Networks> networks;
  std::vector<TrainedModel> members;
  for (int round = 1; round <= 2; ++round) {
    CollectOptions collecting = options.collect;
    collecting.budget_seconds *= round == 1 ? kFirstRound : 1 - kFirstRound;
    MLGRAPH_ASSIGN_OR_RETURN(const bool complete,
                             collect_with_progress(log_path, round, networks.get(), collecting));
    if (!complete) return {};
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(log_path));
    MLGRAPH_ASSIGN_OR_RETURN(members, train_with_progress(split_records(std::move(records)), machine,
                                                          options.train, options.members));
    MLGRAPH_ASSIGN_OR_RETURN(networks, Networks::load(files_of(members), machine));
  }
  for (std::size_t m = 0; m < members.size(); ++m) {
    MLGRAPH_RETURN_IF_ERROR(
        mg::io::write_file(mg::str_cat(options.folder, "/runtime_", m + 1, ".safetensors"), members[m].bytes));
  }

  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(log_path));
  const Split split = split_records(std::move(records));
  const Formula formula(machine);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, held_out_programs(options));
  MLGRAPH_ASSIGN_OR_RETURN(
      report.results, hold_contests(split.train, programs, {{"formula", &formula}, {"network", networks.get()}},
                                    options.contest));
  report.tables = results_table(report.results);
  std::printf("\n%s\n", report.tables.c_str());
  report.curve = members[0].curve;
  MLGRAPH_ASSIGN_OR_RETURN(report.predictions,
                           detail::predictions_of(*networks, split.valid.empty() ? split.train : split.valid));
  const std::string html = to_html(report), path = options.folder + "/report.html";
  MLGRAPH_RETURN_IF_ERROR(
      mg::io::write_file(path, mg::io::as_bytes(mg::Span<const char>(html.data(), html.size()))));
  std::printf("plots and decisions: %s\n%s", path.c_str(), summary_line(report.results).c_str());
  return {};
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SHOWCASE_HPP
