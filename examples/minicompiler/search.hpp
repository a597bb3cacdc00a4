// SPDX-License-Identifier: Apache-2.0
// Searches for fast schedules of a program: by what a Scorer says, which runs nothing, or by measuring.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SEARCH_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SEARCH_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "sampling.hpp"
#include "schedule_text.hpp"
#include "scorer.hpp"

namespace minicompiler {

struct SearchOptions {
  std::size_t evaluations = 2000;  ///< scored schedules, at most
  std::size_t population = 48;     ///< the best so far, which the next ones are made of
  std::size_t batch = 96;          ///< schedules scored together
  std::size_t proposals = 5;       ///< how many are returned
  std::uint64_t seed = 1;
};

/// A schedule that a search by a Scorer has found.
struct Proposal {
  Schedule schedule;
  float score = 0;
};

namespace detail {

/// The schedules that were seen so far.
class Seen {
 public:
  explicit Seen(const Dataflow& flow) : flow_(flow) {}
  /// Whether it is new.
  bool insert(const Schedule& schedule) { return texts_.insert(schedule_text(flow_, schedule)).second; }

 private:
  const Dataflow& flow_;
  std::unordered_set<std::string> texts_;
};

class ScoredSearch {
 public:
  ScoredSearch(const Sampler& sampler, const Dataflow& flow, Scorer& scorer, const SearchOptions& options)
      : sampler_(sampler), scorer_(scorer), options_(options), seen_(flow), rng_(options.seed) {}

  mg::Result<std::vector<Proposal>> run(const std::vector<Schedule>& starts) {
    for (const Schedule& schedule : starts) add(schedule);
    for (const Schedule& schedule : sampler_.rules()) add(schedule);
    while (batch_.size() < options_.batch && misses_ < kMaxMisses) add(sampler_.random(rng_));
    MLGRAPH_RETURN_IF_ERROR(score());
    while (num_scored_ < options_.evaluations && misses_ < kMaxMisses) {
      const std::size_t count = std::min(options_.batch, options_.evaluations - num_scored_);
      while (batch_.size() < count && misses_ < kMaxMisses) add(child());
      MLGRAPH_RETURN_IF_ERROR(score());
    }
    best_.resize(std::min(best_.size(), options_.proposals));
    return std::move(best_);
  }

 private:
  static constexpr std::size_t kMaxMisses = 1000;  // in a row: all that is near has been seen

  void add(Schedule schedule) {
    if (!seen_.insert(schedule)) {
      ++misses_;
      return;
    }
    misses_ = 0;
    batch_.push_back(std::move(schedule));
  }
  /// One of the best, the better ones more often.
  [[nodiscard]] const Schedule& parent() {
    const std::size_t count = std::min(best_.size(), options_.population);
    const double u = rng_.uniform();
    return best_[static_cast<std::size_t>(u * u * static_cast<double>(count))].schedule;
  }
  [[nodiscard]] Schedule child() {
    const double kind = rng_.uniform();
    if (kind < 0.03) return sampler_.random(rng_);
    if (kind < 0.7) return sampler_.neighbour(parent(), rng_);
    Schedule crossed = sampler_.cross(parent(), parent(), rng_);
    return kind < 0.85 ? crossed : sampler_.neighbour(crossed, rng_);
  }
  mg::Status score() {
    if (batch_.empty()) return {};
    std::vector<float> scores;
    MLGRAPH_RETURN_IF_ERROR(scorer_.score(batch_, scores));
    for (std::size_t i = 0; i < batch_.size(); ++i) best_.push_back({std::move(batch_[i]), scores[i]});
    num_scored_ += batch_.size();
    batch_.clear();
    std::stable_sort(best_.begin(), best_.end(),
                     [](const Proposal& a, const Proposal& b) { return a.score < b.score; });
    best_.resize(std::min(best_.size(), std::max(options_.population, options_.proposals)));
    return {};
  }

  const Sampler& sampler_;
  Scorer& scorer_;
  const SearchOptions& options_;
  Seen seen_;
  mg::Rng rng_;
  std::vector<Schedule> batch_;
  std::vector<Proposal> best_;  // ascending
  std::size_t num_scored_ = 0;
  std::size_t misses_ = 0;
};

}  // namespace detail

/// The schedules that a scorer ranks first among those that an evolutionary search shows it: all rules and
/// `starts`, then changed and crossed ones of the best so far. Different ones, ascending by score.
/// Errors: those of the scorer.
[[nodiscard]] inline mg::Result<std::vector<Proposal>> search(const Dataflow& flow, Scorer& scorer,
                                                              const SearchOptions& options = {},
                                                              const std::vector<Schedule>& starts = {}) {
  const Sampler sampler(flow);
  return detail::ScoredSearch(sampler, flow, scorer, options).run(starts);
}

/// How long a search by measuring goes on: until either is spent.
struct MeasuringBudget {
  std::size_t measurements = std::numeric_limits<std::size_t>::max();  ///< beside the starts
  double seconds = std::numeric_limits<double>::infinity();            ///< the starts included
};

/// What a search by measuring has found.
struct Searched {
  struct Step {
    std::size_t measurements;  // after so many, beside the starts, it was the best
    Schedule schedule;
    std::int64_t ns;
  };
  std::vector<Step> steps;  // the first is the best of the starts, the last what was found
  std::size_t measurements = 0;
  double seconds = 0;

  [[nodiscard]] const Schedule& best() const { return steps.back().schedule; }
};

namespace detail {

/// Goes from the best of `starts` to each schedule of propose(best so far) that is faster.
template <class Propose>
mg::Result<Searched> search_by_measuring(Bench& bench, const std::vector<Schedule>& starts,
                                         const MeasuringBudget& budget, Propose&& propose) {
  constexpr int kRuns = 3, kRunsAgain = 6;
  constexpr double kHopeless = 1.3, kFaster = 0.995;
  constexpr std::size_t kMaxMisses = 1000;
  const double start = seconds();
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Measurement> measured, race(bench, starts));
  const std::size_t best = fastest_of(measured, 1)[0];
  Schedule current = starts[best];
  std::int64_t current_ns = measured[best].ns;
  Searched found;
  found.steps.push_back({0, current, current_ns});
  Seen seen(bench.flow());
  for (const Schedule& schedule : starts) seen.insert(schedule);
  for (std::size_t misses = 0;
       misses < kMaxMisses && found.measurements < budget.measurements && seconds() - start < budget.seconds;) {
    Schedule next = propose(static_cast<const Schedule&>(current));
    if (!seen.insert(next)) {
      ++misses;
      continue;
    }
    misses = 0;
    ++found.measurements;
    MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, bench.compile(next));
    const auto limit = static_cast<std::int64_t>(kHopeless * static_cast<double>(current_ns));
    if (bench.run(exe, kRuns, limit) >= current_ns) continue;
    // Perhaps: both again.
    MLGRAPH_ASSIGN_OR_RETURN(const std::int64_t again, bench.time(current, kRunsAgain));
    const std::int64_t next_ns = bench.run(exe, kRunsAgain);
    if (static_cast<double>(next_ns) >= kFaster * static_cast<double>(again)) {
      current_ns = std::min(current_ns, again);
      continue;
    }
    current = std::move(next);
    current_ns = next_ns;
    found.steps.push_back({found.measurements, current, current_ns});
  }
  found.seconds = seconds() - start;
  return found;
}

}  // namespace detail

/// Hill climbing by measuring, from the fastest of `starts` (at least one). Errors: those of the compiler.
[[nodiscard]] inline mg::Result<Searched> climb(Bench& bench, const std::vector<Schedule>& starts,
                                                const MeasuringBudget& budget, std::uint64_t seed = 1) {
  const Sampler sampler(bench.flow());
  mg::Rng rng(seed);
  return detail::search_by_measuring(bench, starts, budget,
                                     [&](const Schedule& current) { return sampler.neighbour(current, rng); });
}

/// The fastest of `starts` (at least one) and of schedules by chance. Errors: those of the compiler.
[[nodiscard]] inline mg::Result<Searched> search_at_random(Bench& bench, const std::vector<Schedule>& starts,
                                                           const MeasuringBudget& budget,
                                                           std::uint64_t seed = 1) {
  const Sampler sampler(bench.flow());
  mg::Rng rng(seed);
  return detail::search_by_measuring(bench, starts, budget,
                                     [&](const Schedule&) { return sampler.random(rng); });
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SEARCH_HPP
