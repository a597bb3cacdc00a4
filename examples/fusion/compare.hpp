// SPDX-License-Identifier: Apache-2.0
// How much there is to decide: what rules, the formula and a search by measuring make of the same programs.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COMPARE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COMPARE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "formula.hpp"
#include "rules.hpp"
#include "sampling.hpp"
#include "scorer.hpp"
#include "search.hpp"

namespace minicompiler {

/// What a program takes, in ns, measured in the same rounds.
struct Compared {
  std::string program;
  std::vector<std::int64_t> rules;  ///< by each of all_rules()
  std::int64_t formula = 0;         ///< by the schedule that the formula ranks first, nothing measured
  std::int64_t climbed = 0;         ///< by hill climbing from the fastest of the rules
  std::size_t num_climbed = 0;      ///< schedules that it measured

  [[nodiscard]] std::int64_t best_rule() const { return *std::min_element(rules.begin(), rules.end()); }
  [[nodiscard]] std::int64_t best() const { return std::min({best_rule(), formula, climbed}); }
};

/// Measures all of it for one program. Errors: those of the compiler.
[[nodiscard]] inline mg::Result<Compared> compare(const Program& program, const Machine& machine,
                                                  double climbing_seconds) {
  const Dataflow flow(program);
  Bench bench(flow);
  std::vector<Schedule> finalists;
  std::vector<std::size_t> place;
  const auto add = [&](const Schedule& schedule) {
    const auto same = std::find(finalists.begin(), finalists.end(), schedule);
    place.push_back(static_cast<std::size_t>(same - finalists.begin()));
    if (same == finalists.end()) finalists.push_back(schedule);
  };
  for (const Rule& rule : all_rules()) add(schedule_by(flow, rule));

  FormulaScorer formula(machine);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Proposal> proposals, search(flow, formula, {}));
  add(proposals.front().schedule);
  MeasuringBudget budget;
  budget.seconds = climbing_seconds;
  MLGRAPH_ASSIGN_OR_RETURN(const Searched climbed, climb(bench, Sampler(flow).rules(), budget, /*seed=*/1));
  add(climbed.best());

  RaceOptions all_stay;
  all_stay.drop = 1e9;
  all_stay.visits = 7;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Measurement> measured, race(bench, finalists, all_stay));
  Compared compared;
  compared.program = program.name;
  for (std::size_t i = 0; i + 2 < place.size(); ++i) compared.rules.push_back(measured[place[i]].ns);
  compared.formula = measured[place[place.size() - 2]].ns;
  compared.climbed = measured[place.back()].ns;
  compared.num_climbed = climbed.measurements;
  return compared;
}

/// The rule that is best over all programs, by the geometric mean. At least one program.
[[nodiscard]] inline std::size_t best_rule_of_all(const std::vector<Compared>& all) {
  std::vector<double> total(all[0].rules.size());
  for (const Compared& one : all) {
    for (std::size_t r = 0; r < total.size(); ++r) total[r] += std::log(static_cast<double>(one.rules[r]));
  }
  return static_cast<std::size_t>(std::min_element(total.begin(), total.end()) - total.begin());
}

/// A table: for each family and for all, geometric means of speed-ups over the one rule that is best over all.
[[nodiscard]] inline std::string compared_table(const std::vector<Compared>& all) {
  if (all.empty()) return {};
  const std::size_t rule = best_rule_of_all(all);
  std::vector<std::string> families = {"all"};
  const auto family_of = [](const Compared& one) { return one.program.substr(0, one.program.rfind('_')); };
  for (const Compared& one : all) {
    if (std::find(families.begin(), families.end(), family_of(one)) == families.end())
      families.push_back(family_of(one));
  }
  std::string text =
      mg::str_cat("Speed-ups over the one rule that is best over all: ", rule_text(all_rules()[rule]), "\n",
                  "family       programs  best rule of each  formula  hill climbing  best over best rule\n");
  for (const std::string& family : families) {
    double count = 0, best_rule = 0, formula = 0, climbed = 0, ceiling = 0;
    for (const Compared& one : all) {
      if (family != "all" && family_of(one) != family) continue;
      const auto over = [](std::int64_t a, std::int64_t b) {
        return std::log(static_cast<double>(a) / static_cast<double>(b));
      };
      ++count;
      best_rule += over(one.rules[rule], one.best_rule());
      formula += over(one.rules[rule], one.formula);
      climbed += over(one.rules[rule], one.climbed);
      ceiling += over(one.best_rule(), one.best());
    }
    char line[128];
    std::snprintf(line, sizeof(line), "%-12s %8.0f %18.3f %8.3f %14.3f %20.3f\n", family.c_str(), count,
                  std::exp(best_rule / count), std::exp(formula / count), std::exp(climbed / count),
                  std::exp(ceiling / count));
    text += line;
  }
  return text;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COMPARE_HPP
