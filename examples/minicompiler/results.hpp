// SPDX-License-Identifier: Apache-2.0
// The tables of contests: how much faster programs became, and by what.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "contest.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "rules.hpp"

namespace minicompiler {

/// One way to choose, and the time of its choice for each program.
struct Choosing {
  std::string name;
  std::size_t num_measured = 0;  // schedules that it measures of a program
  std::vector<double> ns;
};

/// What contests have shown. Speed-ups are over `rule`, of all_rules(), unless something else is said.
struct Results {
  std::size_t rule = 0;
  std::vector<std::string> contestants;
  std::vector<Contest> contests;
  std::vector<std::size_t> similar_rules;  // of each contest: the rule of the most similar training program

  [[nodiscard]] std::vector<double> times_of_rule() const {
    std::vector<double> times;
    for (const Contest& contest : contests) times.push_back(static_cast<double>(contest.rules[rule]));
    return times;
  }
  [[nodiscard]] std::vector<double> times_of_best_rule() const {
    std::vector<double> times;
    for (const Contest& contest : contests)
      times.push_back(static_cast<double>(contest.rules[contest.best_rule()]));
    return times;
  }

  /// Rules, each contestant's first choice and the fastest that it measured, searches by measuring.
  [[nodiscard]] std::vector<Choosing> ways() const {
    std::vector<Choosing> all;
    const auto add = [&](std::string name, std::size_t num_measured, const auto& time) {
      Choosing way{std::move(name), num_measured, {}};
      for (std::size_t i = 0; i < contests.size(); ++i) way.ns.push_back(static_cast<double>(time(i)));
      all.push_back(std::move(way));
    };
    const std::size_t num_rules = all_rules().size(), proposals = SearchOptions().proposals;
    add("rule of the most similar program", 0,
        [&](std::size_t i) { return contests[i].rules[similar_rules[i]]; });
    add("best rule of each program", num_rules,
        [&](std::size_t i) { return contests[i].rules[contests[i].best_rule()]; });
    for (std::size_t s = 0; !contests.empty() && s < contests[0].searched.size(); ++s) {
      std::size_t measured = 0;
      for (const Contest& contest : contests) measured += contest.searched[s].num_measured;
      add(contests[0].searched[s].name, measured / contests.size(),
          [&](std::size_t i) { return contests[i].searched[s].ns; });
    }
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      add(contestants[c] + ": first choice", 0, [&](std::size_t i) { return contests[i].proposed[c].first; });
      add(mg::str_cat(contestants[c], ": ", proposals, " beside the rules"), num_rules + proposals,
          [&](std::size_t i) { return contests[i].proposed[c].measured; });
    }
    if (!contests.empty() && contests[0].climbed_long > 0) {
      std::size_t measured = 0;
      for (const Contest& contest : contests) measured += contest.num_climbed_long;
      add("the fastest of all, after a long search", measured / contests.size(),
          [&](std::size_t i) { return contests[i].climbed_long; });
    }
    return all;
  }
};

/// The rule that is best over all programs, by the geometric mean of its times in each. A rule without a time
/// (0) for a program is not. At least one program.
[[nodiscard]] inline std::size_t best_rule_of_all(const std::vector<std::vector<std::int64_t>>& times) {
  std::vector<double> total(times[0].size());
  for (const std::vector<std::int64_t>& of_program : times) {
    for (std::size_t r = 0; r < total.size(); ++r)
      total[r] += of_program[r] > 0 ? std::log(static_cast<double>(of_program[r])) : 1e9;
  }
  return static_cast<std::size_t>(std::min_element(total.begin(), total.end()) - total.begin());
}

/// `norm` of `norm_21`.
[[nodiscard]] inline std::string family_of(const Program& program) {
  return program.name.substr(0, program.name.rfind('_'));
}

/// Of how much faster `ns` is than `over`, program by program: geometric mean and worst.
struct SpeedUps {
  double mean = 1, worst = 1;
};
[[nodiscard]] inline SpeedUps speed_ups(const std::vector<double>& over, const std::vector<double>& ns) {
  SpeedUps result;
  double sum = 0;
  for (std::size_t i = 0; i < ns.size(); ++i) {
    const double ratio = over[i] / ns[i];
    sum += std::log(ratio);
    result.worst = i == 0 ? ratio : std::min(result.worst, ratio);
  }
  result.mean = std::exp(sum / static_cast<double>(std::max<std::size_t>(1, ns.size())));
  return result;
}

namespace detail {

/// `text` with spaces in front (width > 0) or behind (width < 0).
[[nodiscard]] inline std::string padded(const std::string& text, int width) {
  const auto size = static_cast<std::size_t>(std::abs(width));
  const std::string gap(text.size() < size ? size - text.size() : 0, ' ');
  return width > 0 ? gap + text : text + gap;
}
[[nodiscard]] inline std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", digits, value);
  return buffer;
}

/// Of `values`, those of programs of one family.
[[nodiscard]] inline std::vector<double> of_family(const Results& results, const std::string& family,
                                                   const std::vector<double>& values) {
  std::vector<double> some;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (family_of(results.contests[i].program) == family) some.push_back(values[i]);
  }
  return some;
}

}  // namespace detail

/// The families of the programs, in their order.
[[nodiscard]] inline std::vector<std::string> families_of(const Results& results) {
  std::vector<std::string> families;
  for (const Contest& contest : results.contests) {
    const std::string family = family_of(contest.program);
    if (std::find(families.begin(), families.end(), family) == families.end()) families.push_back(family);
  }
  return families;
}

/// Every way to choose: its geometric mean over the rule, in all and by family, and beside each program's best
/// rule.
[[nodiscard]] inline std::string results_table(const Results& results) {
  using detail::fixed;
  using detail::padded;
  if (results.contests.empty()) return "no program\n";
  const std::vector<double> rule = results.times_of_rule(), best_rule = results.times_of_best_rule();
  const std::vector<std::string> families = families_of(results);
  std::string text = mg::str_cat(
      "speed-ups over the rule that is best on training programs: ", rule_text(all_rules()[results.rule]), "\n",
      padded("", -38), padded("measures", 9), padded("all", 7), padded("worst", 7), padded("/best rule", 11),
      padded("worst", 7), " |");
  for (const std::string& family : families) text += padded(family.substr(0, 6), 7);
  text += "\n";
  for (const Choosing& way : results.ways()) {
    const SpeedUps over_rule = speed_ups(rule, way.ns), over_best = speed_ups(best_rule, way.ns);
    text += mg::str_cat(padded(way.name, -38), padded(mg::str_cat(way.num_measured), 9),
                        padded(fixed(over_rule.mean, 3), 7), padded(fixed(over_rule.worst, 2), 7),
                        padded(fixed(over_best.mean, 3), 11), padded(fixed(over_best.worst, 2), 7), " |");
    for (const std::string& family : families) {
      const SpeedUps part =
          speed_ups(detail::of_family(results, family, rule), detail::of_family(results, family, way.ns));
      text += padded(fixed(part.mean, 3), 7);
    }
    text += "\n";
  }
  return text;
}

/// A geometric mean of ratios, and the interval in which 95 % of the means lie that programs drawn with
/// replacement have (the bootstrap).
struct PairedRatio {
  double mean = 1, low = 1, high = 1;
};
[[nodiscard]] inline PairedRatio paired_ratio(const std::vector<double>& over, const std::vector<double>& ns) {
  constexpr std::size_t kDraws = 2000;
  PairedRatio ratio;
  ratio.mean = ratio.low = ratio.high = speed_ups(over, ns).mean;
  if (ns.empty()) return ratio;
  mg::Rng rng(1);
  std::vector<double> means(kDraws);
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < ns.size(); ++i) {
      const std::size_t drawn = rng.below(ns.size());
      sum += std::log(over[drawn] / ns[drawn]);
    }
    mean = std::exp(sum / static_cast<double>(ns.size()));
  }
  std::sort(means.begin(), means.end());
  ratio.low = means[kDraws / 40];
  ratio.high = means[kDraws - 1 - kDraws / 40];
  return ratio;
}

/// The last contestant beside the others and beside searches by measuring: paired, with intervals; on how many
/// programs it is faster or slower by more than 1 %.
[[nodiscard]] inline std::string paired_text(const Results& results) {
  using detail::fixed;
  if (results.contests.empty()) return "";
  const std::vector<Choosing> ways = results.ways();
  const auto of = [&](const std::string& name) -> const Choosing& {
    return *std::find_if(ways.begin(), ways.end(), [&](const Choosing& way) { return way.name == name; });
  };
  const auto five = [](const std::string& contestant) {
    return mg::str_cat(contestant, ": ", SearchOptions().proposals, " beside the rules");
  };
  std::string text;
  const auto row = [&](const Choosing& way, const Choosing& other) {
    const PairedRatio ratio = paired_ratio(other.ns, way.ns);
    std::size_t faster = 0, slower = 0;
    for (std::size_t i = 0; i < way.ns.size(); ++i) {
      faster += way.ns[i] * 1.01 < other.ns[i] ? 1 : 0;
      slower += way.ns[i] > other.ns[i] * 1.01 ? 1 : 0;
    }
    text += mg::str_cat(way.name, " / ", other.name, ": ", fixed(ratio.mean, 3), " (", fixed(ratio.low, 3), "-",
                        fixed(ratio.high, 3), "), faster on ", faster, ", slower on ", slower, " of ",
                        way.ns.size(), "\n");
  };
  const std::string& last = results.contestants.back();
  for (const std::string& other : results.contestants) {
    if (other == last) continue;
    row(of(last + ": first choice"), of(other + ": first choice"));
    row(of(five(last)), of(five(other)));
  }
  row(of(five(last)), of("best rule of each program"));
  for (const Found& found : results.contests[0].searched) row(of(five(last)), of(found.name));
  const std::vector<double> rule = results.times_of_rule();
  const std::vector<double>& first = of(last + ": first choice").ns;
  std::size_t below95 = 0, below85 = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    below95 += rule[i] < 0.95 * first[i] ? 1 : 0;
    below85 += rule[i] < 0.85 * first[i] ? 1 : 0;
  }
  return text + mg::str_cat(last, ": first choice below 0.95 of the rule on ", below95, ", below 0.85 on ",
                            below85, " of ", first.size(), "\n");
}

/// What one contest has shown, as lines: what the program takes by each way to choose.
[[nodiscard]] inline std::string contest_text(const Contest& contest,
                                              const std::vector<std::string>& contestants) {
  using detail::fixed;
  using detail::padded;
  const std::size_t best = contest.best_rule();
  const auto over = static_cast<double>(contest.rules[best]);
  std::string text = mg::str_cat(contest.program.name, ": ", contest.program.instructions.size(),
                                 " instructions; best rule: ", rule_text(all_rules()[best]), "\n");
  const auto row = [&](const std::string& name, std::int64_t ns) {
    text += mg::str_cat("  ", padded(name, -38), padded(fixed(static_cast<double>(ns) / 1e3, 1), 10), " us",
                        padded(fixed(over / static_cast<double>(ns), 3), 8), " x\n");
  };
  row("nothing fused", contest.rules[0]);
  row("best of all rules", contest.rules[best]);
  for (const Found& found : contest.searched) row(found.name, found.ns);
  for (std::size_t c = 0; c < contestants.size(); ++c) {
    const Proposed& proposed = contest.proposed[c];
    row(contestants[c] + ": first choice", proposed.first);
    row(contestants[c] + ": measured beside the rules", proposed.measured);
    text += mg::str_cat("    found in ", fixed(1e3 * proposed.search_seconds, 0), " ms, ", proposed.evaluations,
                        " schedules scored\n");
  }
  if (contest.climbed_long > 0) row("the fastest of all, after a long search", contest.climbed_long);
  return text;
}

/// One line for scripts, about the last contestant: speed-ups over the rule and over each program's best rule,
/// of its first choice and of the fastest that it measured; the worst first choice over the rule.
[[nodiscard]] inline std::string summary_line(const Results& results) {
  using detail::fixed;
  std::vector<double> first, measured;
  for (const Contest& contest : results.contests) {
    first.push_back(static_cast<double>(contest.proposed.back().first));
    measured.push_back(static_cast<double>(contest.proposed.back().measured));
  }
  const std::vector<double> rule = results.times_of_rule(), best_rule = results.times_of_best_rule();
  return mg::str_cat("summary: programs=", first.size(), " rule_first=", fixed(speed_ups(rule, first).mean, 3),
                     " rule_five=", fixed(speed_ups(rule, measured).mean, 3),
                     " best_rule_first=", fixed(speed_ups(best_rule, first).mean, 3),
                     " best_rule_five=", fixed(speed_ups(best_rule, measured).mean, 3),
                     " worst_first=", fixed(speed_ups(rule, first).worst, 3), "\n");
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP
