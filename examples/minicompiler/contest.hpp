// SPDX-License-Identifier: Apache-2.0
// The contest: what rules, models inside one and the same search, and searches by measuring make of a program.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_CONTEST_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_CONTEST_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "rules.hpp"
#include "sampling.hpp"
#include "scorer.hpp"
#include "search.hpp"

namespace minicompiler {

/// What ranks schedules inside the search, and its name in tables.
struct Contestant {
  std::string name;
  const Ranker* ranker = nullptr;
};

struct ContestOptions {
  SearchOptions search;            ///< of each contestant; `proposals` are measured
  double climbing_seconds = 0;     ///< of the long search by measuring; 0: there is none
  RaceOptions quick = {2, 3, 2};   ///< among proposals and rules
  RaceOptions last = {1e9, 7, 2};  ///< of what is reported; nobody drops out
};

/// What one contestant makes of a program, in ns.
struct Proposed {
  std::int64_t first = 0;       ///< its first choice: nothing was measured
  std::int64_t measured = 0;    ///< the fastest of its proposals and of the rules
  double search_seconds = 0;    ///< to find the proposals
  std::size_t evaluations = 0;  ///< at most so many schedules were scored
  Schedule schedule;            ///< that of `measured`
};

/// What a program takes by all of them, in ns, measured in the same rounds.
struct Contest {
  Program program;
  std::vector<std::int64_t> rules;   ///< by each of all_rules()
  std::vector<Schedule> by_rules;    ///< their schedules
  std::vector<Proposed> proposed;    ///< by each contestant
  std::int64_t climbed = 0;          ///< by hill climbing from the rules, as many measured as proposals
  std::int64_t climbed_long = 0;     ///< the fastest of all, and after a long search from there
  std::size_t num_climbed_long = 0;  ///< schedules that the long search measured
  double noise = 0;                  ///< half of the middle half of the visits of the fastest, as a share

  [[nodiscard]] std::size_t best_rule() const {
    return static_cast<std::size_t>(std::min_element(rules.begin(), rules.end()) - rules.begin());
  }
};

namespace detail {

/// Different schedules of one program, and which of them is meant.
class Finalists {
 public:
  /// -> its place.
  std::size_t add(const Schedule& schedule) {
    const auto same = std::find(schedules_.begin(), schedules_.end(), schedule);
    const auto place = static_cast<std::size_t>(same - schedules_.begin());
    if (same == schedules_.end()) schedules_.push_back(schedule);
    return place;
  }
  [[nodiscard]] const std::vector<Schedule>& schedules() const { return schedules_; }

 private:
  std::vector<Schedule> schedules_;
};

/// One program's contest.
class ContestRun {
 public:
  ContestRun(const Program& program, const std::vector<Contestant>& contestants, const ContestOptions& options)
      : contestants_(contestants), options_(options), flow_(program), bench_(flow_), sampler_(flow_) {
    contest_.program = program;
  }

  mg::Result<Contest> run() {
    for (const Rule& rule : all_rules()) {
      contest_.by_rules.push_back(schedule_by(flow_, rule));
      rules_.push_back(finalists_.add(contest_.by_rules.back()));
      candidates_.add(contest_.by_rules.back());  // at the same place
    }
    for (const Contestant& contestant : contestants_) MLGRAPH_RETURN_IF_ERROR(propose(contestant));
    MLGRAPH_RETURN_IF_ERROR(choose());
    MLGRAPH_RETURN_IF_ERROR(climb_from_rules());
    MLGRAPH_RETURN_IF_ERROR(climb_long());
    return measure();
  }

 private:
  mg::Status propose(const Contestant& contestant) {
    const double start = seconds();
    MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer, contestant.ranker->bind(flow_));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, search(flow_, *scorer, options_.search));
    Proposed proposed;
    proposed.search_seconds = seconds() - start;
    proposed.evaluations = options_.search.evaluations;
    contest_.proposed.push_back(std::move(proposed));
    firsts_.push_back(finalists_.add(proposals[0].schedule));
    std::vector<std::size_t> places = rules_;
    for (const Proposal& proposal : proposals) places.push_back(candidates_.add(proposal.schedule));
    places_.push_back(std::move(places));
    return {};
  }

  /// Of each contestant the fastest of its proposals and of the rules, all in one race.
  mg::Status choose() {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Measurement> times,
                             race(bench_, candidates_.schedules(), options_.quick));
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const std::size_t fastest =
          *std::min_element(places_[i].begin(), places_[i].end(),
                            [&](std::size_t x, std::size_t y) { return times[x].ns < times[y].ns; });
      contest_.proposed[i].schedule = candidates_.schedules()[fastest];
      measured_.push_back(finalists_.add(contest_.proposed[i].schedule));
    }
    return {};
  }

  mg::Status climb_from_rules() {
    MeasuringBudget budget;
    budget.measurements = options_.search.proposals;
    MLGRAPH_ASSIGN_OR_RETURN(const Searched climbed,
                             climb(bench_, sampler_.rules(), budget, options_.search.seed));
    climbed_ = finalists_.add(climbed.best());
    return {};
  }

  mg::Status climb_long() {
    if (options_.climbing_seconds <= 0) return {};
    MeasuringBudget budget;
    budget.seconds = options_.climbing_seconds;
    const std::vector<Schedule> starts = finalists_.schedules();
    MLGRAPH_ASSIGN_OR_RETURN(const Searched climbed, climb(bench_, starts, budget, options_.search.seed + 1));
    finalists_.add(climbed.best());
    contest_.num_climbed_long = climbed.measurements;
    return {};
  }

  mg::Result<Contest> measure() {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Measurement> measured,
                             race(bench_, finalists_.schedules(), options_.last));
    for (const std::size_t place : rules_) contest_.rules.push_back(measured[place].ns);
    for (std::size_t i = 0; i < contestants_.size(); ++i) {
      contest_.proposed[i].first = measured[firsts_[i]].ns;
      contest_.proposed[i].measured = measured[measured_[i]].ns;
    }
    contest_.climbed = measured[climbed_].ns;
    const std::size_t fastest = fastest_of(measured, 1)[0];
    if (options_.climbing_seconds > 0) contest_.climbed_long = measured[fastest].ns;
    contest_.noise = measured[fastest].noise;
    return std::move(contest_);
  }

  const std::vector<Contestant>& contestants_;
  const ContestOptions& options_;
  Dataflow flow_;
  Bench bench_;
  Sampler sampler_;
  Finalists finalists_;                                 // measured again together, and reported
  Finalists candidates_;                                // rules and proposals
  std::vector<std::size_t> rules_, firsts_, measured_;  // places of finalists
  std::vector<std::vector<std::size_t>> places_;        // of each contestant, of candidates
  std::size_t climbed_ = 0;
  Contest contest_;
};

}  // namespace detail

/// Holds the contest on one program. Errors: those of the rankers and of the compiler.
[[nodiscard]] inline mg::Result<Contest> hold_contest(const Program& program,
                                                      const std::vector<Contestant>& contestants,
                                                      const ContestOptions& options = {}) {
  return detail::ContestRun(program, contestants, options).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_CONTEST_HPP
