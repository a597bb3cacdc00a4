// SPDX-License-Identifier: Apache-2.0
// Collecting: measures schedules of many programs until the time is over.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "families.hpp"
#include "log.hpp"
#include "search.hpp"
#include "split.hpp"

namespace minicompiler {

struct CollectOptions {
  double budget_seconds = 60;
  std::uint32_t first = 0;           ///< number of the first program of the families
  std::uint32_t num_programs = 500;  ///< of the families
  ProgramLimits limits;
  std::vector<Program> programs;  ///< measured before those of the families
  std::size_t samples = 64;       ///< of each program, beside the rules; in later rounds: proposals
  double program_seconds = 4;     ///< after so long no more of a program's samples are added
  RaceOptions race;
  bool check = false;  ///< compares the result of each schedule with the reference's
  /// Told the share of the budget or of the programs that is done, after each; false stops.
  std::function<bool(double done, const std::string& name)> progress;
};

struct CollectSummary {
  std::size_t num_programs = 0, num_schedules = 0;  // that this call has measured
  double seconds = 0, seconds_running = 0;          // in all, and running schedules
};

namespace detail {

/// The race of one program.
class ProgramRace {
 public:
  ProgramRace(const Program& program, const CollectOptions& options)
      : options_(options),
        program_(program),
        flow_(program),
        bench_(flow_),
        race_(bench_, options.race),
        seen_(flow_) {}

  [[nodiscard]] const Dataflow& flow() const { return flow_; }
  [[nodiscard]] const Bench& bench() const { return bench_; }
  [[nodiscard]] std::size_t size() const { return race_.schedules().size(); }
  [[nodiscard]] bool is_late() const { return seconds() - start_ > options_.program_seconds; }
  /// Nothing where the schedule is in the race.
  mg::Status add(const Schedule& schedule) {
    if (!seen_.insert(schedule)) return {};
    if (options_.check) MLGRAPH_RETURN_IF_ERROR(bench_.check(schedule));
    return race_.add(schedule).status();
  }
  [[nodiscard]] const Schedule& one_of_fastest(mg::Rng& rng) const {
    const std::vector<std::size_t> fastest = fastest_of(race_.measured(), 5);
    return race_.schedules()[fastest[rng.below(fastest.size())]];
  }
  mg::Result<Record> finish(int round) {
    MLGRAPH_RETURN_IF_ERROR(race_.finish());
    return Record{round, program_, race_.schedules(), race_.measured()};
  }

 private:
  const CollectOptions& options_;
  const Program& program_;
  Dataflow flow_;
  Bench bench_;
  Race race_;
  Seen seen_;
  double start_ = seconds();
};

/// Collects one program after the other, while the budget lasts.
class Collector {
 public:
  Collector(LogWriter& log, const CollectOptions& options) : log_(log), options_(options), start_(seconds()) {}

  /// The rules and samples: half of them by chance, then neighbours of the fastest so far.
  mg::Status measure_samples(const Program& program, std::uint64_t seed) {
    ProgramRace race(program, options_);
    const Sampler sampler(race.flow());
    mg::Rng rng(seed);
    for (const Schedule& schedule : sampler.rules()) MLGRAPH_RETURN_IF_ERROR(race.add(schedule));
    const std::size_t num_rules = race.size(), num_by_chance = num_rules + options_.samples / 2;
    for (std::size_t misses = 0;
         race.size() < num_rules + options_.samples && misses < kMaxMisses && !race.is_late();) {
      const std::size_t before = race.size();
      MLGRAPH_RETURN_IF_ERROR(race.add(
          before < num_by_chance ? sampler.random(rng) : sampler.neighbour(race.one_of_fastest(rng), rng)));
      misses = race.size() == before ? misses + 1 : 0;
    }
    return finish(race, 1);
  }

  /// The fastest so far, and what a ranker proposes.
  mg::Status measure_proposals(const Program& program, const std::vector<Schedule>& fastest,
                               const Ranker& ranker, int round) {
    ProgramRace race(program, options_);
    MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer, ranker.bind(race.flow()));
    SearchOptions searching;
    searching.proposals = options_.samples;
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals,
                             search(race.flow(), *scorer, searching, fastest));
    for (const Schedule& schedule : fastest) MLGRAPH_RETURN_IF_ERROR(race.add(schedule));
    for (const Proposal& proposal : proposals) {
      if (!race.is_late()) MLGRAPH_RETURN_IF_ERROR(race.add(proposal.schedule));
    }
    return finish(race, round);
  }

  /// Whether there is time for more than `done` of all programs, and nobody says stop.
  [[nodiscard]] bool goes_on(double done, const std::string& name) {
    const double share = std::max((seconds() - start_) / options_.budget_seconds, done);
    const bool wanted = !options_.progress || options_.progress(std::min(1.0, share), name);
    return wanted && share < 1;
  }
  [[nodiscard]] CollectSummary summary() {
    summary_.seconds = seconds() - start_;
    return summary_;
  }

 private:
  static constexpr std::size_t kMaxMisses = 1000;

  mg::Status finish(ProgramRace& race, int round) {
    MLGRAPH_ASSIGN_OR_RETURN(const Record record, race.finish(round));
    ++summary_.num_programs;
    summary_.num_schedules += record.schedules.size();
    summary_.seconds_running += race.bench().seconds_running();
    return log_.append(record);
  }

  LogWriter& log_;
  const CollectOptions& options_;
  CollectSummary summary_;
  double start_;
};

}  // namespace detail

/// Measures rules and samples of programs and appends them to the log until the budget is spent or nothing is
/// left; programs that the log has are skipped. Errors: those of the log, the families and the compiler.
[[nodiscard]] inline mg::Result<CollectSummary> collect(const std::string& log_path,
                                                        const CollectOptions& options) {
  std::vector<Record> before;
  MLGRAPH_ASSIGN_OR_RETURN(LogWriter log, LogWriter::open(log_path, before));
  std::set<std::string> done;
  for (const Record& record : before) done.insert(record.program.name);
  const PinnedThread pinned;
  detail::Collector collector(log, options);
  const std::size_t num_given = options.programs.size(), total = num_given + options.num_programs;
  for (std::size_t i = 0; i < total; ++i) {
    Program program;
    const auto number = static_cast<std::uint32_t>(options.first + i - num_given);
    if (i < num_given) {
      program = options.programs[i];
    } else {
      MLGRAPH_ASSIGN_OR_RETURN(program, make_program(number, options.limits));
    }
    if (done.count(program.name) != 0) continue;
    MLGRAPH_RETURN_IF_ERROR(collector.measure_samples(program, mg::mix64(i < num_given ? i : number)));
    if (!collector.goes_on(static_cast<double>(i + 1) / static_cast<double>(total), program.name)) break;
  }
  return collector.summary();
}

/// A later round, 2 or more: of each program of the log measures what a ranker proposes, beside the fastest
/// schedules of earlier rounds; programs that the log has in this round are skipped. Errors: those of the log,
/// the ranker and the compiler.
[[nodiscard]] inline mg::Result<CollectSummary> collect_proposals(const std::string& log_path,
                                                                  const Ranker& ranker, int round,
                                                                  const CollectOptions& options) {
  constexpr std::size_t kNumAnchors = 8;
  std::vector<Record> before;
  MLGRAPH_ASSIGN_OR_RETURN(LogWriter log, LogWriter::open(log_path, before));
  std::set<std::string> done;
  for (const Record& record : before) {
    if (record.round >= round) done.insert(record.program.name);
  }
  const PinnedThread pinned;
  detail::Collector collector(log, options);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Record& record = before[i];
    if (record.round != round - 1 || done.count(record.program.name) != 0) continue;
    std::vector<Schedule> fastest;
    for (const std::size_t s : fastest_of(record.measured, kNumAnchors)) fastest.push_back(record.schedules[s]);
    MLGRAPH_RETURN_IF_ERROR(collector.measure_proposals(record.program, fastest, ranker, round));
    const double share = static_cast<double>(i + 1) / static_cast<double>(before.size());
    if (!collector.goes_on(share, record.program.name)) break;
  }
  return collector.summary();
}

/// What each of all_rules() took, in ns; 0 where its schedule is not in the record.
[[nodiscard]] inline std::vector<std::int64_t> times_of_rules(const Record& record) {
  const Dataflow flow(record.program);
  std::vector<std::int64_t> times;
  for (const Rule& rule : all_rules()) {
    const auto found = std::find(record.schedules.begin(), record.schedules.end(), schedule_by(flow, rule));
    const auto at = static_cast<std::size_t>(found - record.schedules.begin());
    times.push_back(found == record.schedules.end() ? 0 : record.measured[at].ns);
  }
  return times;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COLLECT_HPP
