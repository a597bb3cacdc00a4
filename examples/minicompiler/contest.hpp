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
#include "grouping.hpp"
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
  SearchOptions search;           ///< of each contestant; `proposals` are measured
  double climbing_seconds = 0;    ///< of the long search by measuring from all that was found; 0: there is none
  double same_seconds = 0;        ///< of each of two searches by measuring from the rules; 0: there are none
  bool grouping = false;          ///< also cuts found by measuring groups; see grouping()
  RaceOptions quick = {2, 6, 2};  ///< among proposals and rules
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

/// What a search by measuring has found, without any model.
struct Found {
  std::string name;
  std::size_t num_measured = 0;  ///< schedules, or nests; those of the rules that it began with included
  std::int64_t ns = 0;
};

/// What a program takes by all of them, in ns, measured in the same rounds.
struct Contest {
  Program program;
  std::vector<std::int64_t> rules;   ///< by each of all_rules()
  std::vector<Schedule> by_rules;    ///< their schedules
  std::vector<Proposed> proposed;    ///< by each contestant
  std::vector<Found> searched;       ///< by measuring, from the rules; the same ones for each program
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
    MLGRAPH_RETURN_IF_ERROR(search_from_rules());
    if (options_.grouping) MLGRAPH_RETURN_IF_ERROR(group());
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

  /// At random and climbing: as many measured as proposals, and for a given time.
  mg::Status search_from_rules() {
    MeasuringBudget as_many, as_long;
    as_many.measurements = options_.search.proposals;
    as_long.seconds = options_.same_seconds;
    const std::uint64_t seed = options_.search.seed;
    const std::vector<Schedule>& rules = sampler_.rules();
    MLGRAPH_RETURN_IF_ERROR(
        add("random search from the rules", search_at_random(bench_, rules, as_many, seed)));
    MLGRAPH_RETURN_IF_ERROR(add("hill climbing from the rules", climb(bench_, rules, as_many, seed)));
    if (options_.same_seconds <= 0) return {};
    const std::string time = mg::str_cat(options_.same_seconds, " s of ");
    MLGRAPH_RETURN_IF_ERROR(add(time + "random search", search_at_random(bench_, rules, as_long, seed)));
    return add(time + "hill climbing", climb(bench_, rules, as_long, seed));
  }

  mg::Status add(std::string name, const mg::Result<Searched>& found) {
    MLGRAPH_RETURN_IF_ERROR(found.status());
    contest_.searched.push_back({std::move(name), rules_.size() + found->measurements, 0});
    searched_.push_back(finalists_.add(found->best()));
    return {};
  }

  /// The better one of images channels first and last, where there are images.
  mg::Status group() {
    const bool has_images = std::any_of(flow_.values.begin(), flow_.values.end(),
                                        [&](std::size_t v) { return is_image(flow_, v); });
    MLGRAPH_ASSIGN_OR_RETURN(Grouped best, grouping(flow_, Order::kRowMajor));
    std::size_t num_measured = best.num_measured;
    if (has_images) {
      MLGRAPH_ASSIGN_OR_RETURN(Grouped last, grouping(flow_, Order::kSwapped));
      num_measured += last.num_measured;
      if (last.ns < best.ns) best = std::move(last);
    }
    contest_.searched.push_back({"dynamic programming over groups", num_measured, 0});
    searched_.push_back(finalists_.add(best.schedule));
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
    for (std::size_t i = 0; i < searched_.size(); ++i) contest_.searched[i].ns = measured[searched_[i]].ns;
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
  Finalists finalists_;                                            // measured again together, and reported
  Finalists candidates_;                                           // rules and proposals
  std::vector<std::size_t> rules_, firsts_, measured_, searched_;  // places of finalists
  std::vector<std::vector<std::size_t>> places_;                   // of each contestant, of candidates
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
