// SPDX-License-Identifier: Apache-2.0
// Measuring schedules of one program: one after the other, or in a race that the slow ones leave early.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_BENCH_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_BENCH_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "compile.hpp"
#include "measure.hpp"
#include "mlgraph/core/arena.hpp"
#include "reference.hpp"
#include "schedule_text.hpp"

namespace minicompiler {

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// Runs schedules of one program on shared memory and inputs. `flow` must outlive it.
class Bench {
 public:
  explicit Bench(const Dataflow& flow, std::uint64_t seed = 1)
      : flow_(flow), inputs_(random_inputs(flow.program, seed)) {}

  [[nodiscard]] const Dataflow& flow() const { return flow_; }
  [[nodiscard]] mg::Result<Executable> compile(const Schedule& schedule) const {
    return Executable::compile(flow_, schedule);
  }
  /// The fastest of up to `runs` runs, in ns; none follows one that takes longer than `limit`.
  [[nodiscard]] std::int64_t run(const Executable& exe, int runs, std::int64_t limit = kNoLimit) {
    using Clock = std::chrono::steady_clock;
    make_room(exe);
    std::int64_t fastest = kNoLimit;
    for (int i = 0; i < runs; ++i) {
      const Clock::time_point start = Clock::now();
      exe.run(arena_.data());
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
      running_ns_ += ns;
      fastest = std::min(fastest, std::max<std::int64_t>(ns, 1));
      if (ns > limit) break;
    }
    return fastest;
  }
  /// Errors: those of the compiler.
  [[nodiscard]] mg::Result<std::int64_t> time(const Schedule& schedule, int runs,
                                              std::int64_t limit = kNoLimit) {
    MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, compile(schedule));
    return run(exe, runs, limit);
  }

  /// Errors: the result of a schedule is not the reference's, to rounding; those of the compiler.
  /// Cost: the first time, that of interpret().
  [[nodiscard]] mg::Status check(const Schedule& schedule) {
    if (expected_.empty()) expected_ = interpret(flow_.program, inputs_).back();
    MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, compile(schedule));
    (void)run(exe, 1);
    const Tensor result = exe.result(arena_.data());
    double largest = 1e-3;
    for (const float v : expected_) largest = std::max(largest, std::abs(static_cast<double>(v)));
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      const double wanted = static_cast<double>(expected_[i]);
      if (std::abs(static_cast<double>(result[i]) - wanted) <= kTolerance * largest) continue;
      return mg::Status::data_loss(mg::str_cat(flow_.program.name, ", schedule ",
                                               schedule_text(flow_, schedule), ": element ", i, " is ",
                                               result[i], ", not ", expected_[i]));
    }
    return {};
  }

  /// What all runs so far have taken.
  [[nodiscard]] double seconds_running() const { return 1e-9 * static_cast<double>(running_ns_); }

 private:
  static constexpr double kTolerance = 1e-4;  // of the largest element

  void make_room(const Executable& exe) {
    if (exe.arena_size() <= arena_.size()) return;
    arena_.assign(exe.arena_size() + exe.arena_size() / 4, 0.0f);
    exe.load(inputs_, arena_.data());
  }

  const Dataflow& flow_;
  std::vector<Tensor> inputs_;
  mg::AlignedVector<float> arena_;
  Tensor expected_;
  std::int64_t running_ns_ = 0;
};

struct RaceOptions {
  double drop = 2;  ///< after two runs, what takes more than so many times the best is out; see Race
  int visits = 5;   ///< of each that stays in the race
  int runs = 3;     ///< of each visit, the first of them a warm-up; the fastest counts
};

/// A race of schedules of one program. Each is visited when it is added; finish() visits those that are not out
/// again, in turn, so that what slows the machine for a while slows all alike. After k visits those are out
/// that take more than 1 + (drop - 1) / k times the best.
class Race {
 public:
  Race(Bench& bench, const RaceOptions& options) : bench_(bench), options_(options) {}

  /// Visits a schedule for the first time -> ns. Errors: those of the compiler.
  mg::Result<std::int64_t> add(const Schedule& schedule) {
    MLGRAPH_ASSIGN_OR_RETURN(Executable exe, bench_.compile(schedule));
    Runner& runner = runners_.emplace_back();
    const auto is_slow = [&](std::int64_t ns) {
      return static_cast<double>(ns) > options_.drop * static_cast<double>(best_);
    };
    std::int64_t first = bench_.run(exe, 1);
    // One run alone says nothing of what is slow: a machine that others use stands still for milliseconds.
    if (is_slow(first)) first = std::min(first, bench_.run(exe, 1));
    const bool is_out = is_slow(first);
    runner.times.push_back(is_out ? first : std::min(first, bench_.run(exe, options_.runs - 1)));
    best_ = std::min(best_, runner.times[0]);
    schedules_.push_back(schedule);
    if (!is_out) keep(std::move(exe), runner);
    return runner.times[0];
  }

  [[nodiscard]] mg::Status finish() {
    for (int visit = 1; visit < options_.visits; ++visit) {
      const double factor = 1 + (options_.drop - 1) / visit;
      std::int64_t best = kNoLimit;
      for (const Runner& runner : runners_) best = std::min(best, measurement_of(runner.times).ns);
      const double limit = factor * static_cast<double>(best);
      for (std::size_t i = 0; i < runners_.size(); ++i) {
        Runner& runner = runners_[i];
        if (static_cast<int>(runner.times.size()) < visit) continue;
        if (static_cast<double>(measurement_of(runner.times).ns) > limit) {
          forget(runner);
          continue;
        }
        if (runner.exe) {
          runner.times.push_back(bench_.run(*runner.exe, options_.runs));
        } else {
          MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, bench_.compile(schedules_[i]));
          runner.times.push_back(bench_.run(exe, options_.runs));
        }
      }
    }
    return {};
  }

  [[nodiscard]] const std::vector<Schedule>& schedules() const { return schedules_; }
  [[nodiscard]] std::vector<Measurement> measured() const {
    std::vector<Measurement> all;
    for (const Runner& runner : runners_) all.push_back(measurement_of(runner.times));
    return all;
  }

 private:
  struct Runner {
    std::optional<Executable> exe;  // those of many kernel calls are compiled for each visit
    std::vector<std::int64_t> times;
  };
  static constexpr std::size_t kKeptTasks = 500'000;

  void keep(Executable exe, Runner& runner) {
    if (kept_tasks_ + exe.num_tasks() > kKeptTasks) return;
    kept_tasks_ += exe.num_tasks();
    runner.exe = std::move(exe);
  }
  void forget(Runner& runner) {
    if (runner.exe) kept_tasks_ -= runner.exe->num_tasks();
    runner.exe.reset();
  }

  Bench& bench_;
  RaceOptions options_;
  std::vector<Schedule> schedules_;
  std::vector<Runner> runners_;
  std::size_t kept_tasks_ = 0;
  std::int64_t best_ = kNoLimit;
};

/// Races schedules of the bench's program; what is reported of each is comparable. Errors: those of the
/// compiler.
[[nodiscard]] inline mg::Result<std::vector<Measurement>> race(Bench& bench,
                                                               const std::vector<Schedule>& schedules,
                                                               const RaceOptions& options = {}) {
  Race race(bench, options);
  for (const Schedule& schedule : schedules) MLGRAPH_RETURN_IF_ERROR(race.add(schedule).status());
  MLGRAPH_RETURN_IF_ERROR(race.finish());
  return race.measured();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_BENCH_HPP
