// SPDX-License-Identifier: Apache-2.0
// The tables of a run: how well held-out configurations are ranked, and how much faster programs really became.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "learn.hpp"
#include "log.hpp"
#include "optimize.hpp"
#include "report.hpp"

namespace minicompiler {

/// Means over held-out programs or kernels. Slowdowns against the fastest of all measured configurations.
struct RankingResult {
  std::size_t num_programs = 0;
  std::size_t num_configs = 0;
  Quality model;
  double random_slowdown = 0;   ///< of one drawn by chance, expected
  double random_slowdown5 = 0;  ///< of the fastest of five drawn by chance, expected
  double default_slowdown = 0;
};

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
[[nodiscard]] inline std::string percent(double share) { return fixed(100 * share, 1) + " %"; }

/// What is expected of the fastest of `drawn` configurations by chance, against the fastest of all.
[[nodiscard]] inline double chance_slowdown(std::vector<double> times, std::size_t drawn) {
  std::sort(times.begin(), times.end());
  const auto n = static_cast<double>(times.size());
  const double k = std::min(static_cast<double>(drawn), n);
  double probability = k / n, mean = 0;  // that the i-th fastest is the fastest of those drawn
  for (std::size_t i = 0; i < times.size() && probability > 0; ++i) {
    mean += probability * times[i];
    const double behind = n - 1 - static_cast<double>(i);
    probability = behind > 0 ? probability * std::max(0.0, behind - k + 1) / behind : 0;
  }
  return mean / times[0] - 1;
}

[[nodiscard]] inline double geometric_mean(const std::vector<SpeedUp>& all, double SpeedUp::*which) {
  double sum = 0;
  for (const SpeedUp& s : all) sum += std::log(s.*which);
  return std::exp(sum / static_cast<double>(std::max<std::size_t>(1, all.size())));
}

}  // namespace detail

/// Errors: programs that the model cannot score.
[[nodiscard]] inline mg::Result<RankingResult> evaluate_ranking(const Ranker& model,
                                                                const std::vector<Record>& held_out) {
  RankingResult result;
  result.num_programs = held_out.size();
  const double weight = 1 / static_cast<double>(std::max<std::size_t>(1, held_out.size()));
  for (const Record& record : held_out) {
    MLGRAPH_ASSIGN_OR_RETURN(const mg::io::Program problem, to_problem(record));
    MLGRAPH_ASSIGN_OR_RETURN(const Quality quality, model.evaluate(problem));
    result.num_configs += record.measured.size();
    result.model.kendall_tau += weight * quality.kendall_tau;
    result.model.slowdown1 += weight * quality.slowdown1;
    result.model.slowdown5 += weight * quality.slowdown5;
    std::vector<double> times;
    for (const Measurement& m : record.measured) times.push_back(static_cast<double>(m.ns));
    result.default_slowdown += weight * (times[0] / *std::min_element(times.begin(), times.end()) - 1);
    result.random_slowdown += weight * detail::chance_slowdown(times, 1);
    result.random_slowdown5 += weight * detail::chance_slowdown(times, 5);
  }
  return result;
}

[[nodiscard]] inline SpeedUp speedup_of(const Optimized& o) {
  const auto of = [&](std::int64_t ns) { return static_cast<double>(o.default_ns) / static_cast<double>(ns); };
  return {o.program.name, of(o.greedy_ns), of(o.first_ns), of(o.layouts_ns), of(o.chosen_ns), of(o.random_ns)};
}

/// How well configurations are ranked.
[[nodiscard]] inline std::string ranking_table(const RankingResult& layouts, const RankingResult& tiles) {
  using detail::padded;
  std::string text =
      mg::str_cat(padded("held-out programs", -22), padded("programs", 10), padded("configs", 10),
                  padded("tau", 8), padded("slowdown@1", 12), padded("@5", 9), padded("default", 10),
                  padded("random@1", 11), padded("@5", 9), "\n");
  const auto row = [&](const char* name, const RankingResult& r) {
    text += mg::str_cat(
        padded(name, -22), padded(mg::str_cat(r.num_programs), 10), padded(mg::str_cat(r.num_configs), 10),
        padded(detail::fixed(r.model.kendall_tau, 3), 8), padded(detail::percent(r.model.slowdown1), 12),
        padded(detail::percent(r.model.slowdown5), 9), padded(detail::percent(r.default_slowdown), 10),
        padded(detail::percent(r.random_slowdown), 11), padded(detail::percent(r.random_slowdown5), 9), "\n");
  };
  row("layouts of programs", layouts);
  row("tiles of kernels", tiles);
  return text +
         "slowdown: against the fastest of all configurations that were measured; of tiles, of all there are\n";
}

/// How much faster programs became.
[[nodiscard]] inline std::string speedup_table(const std::vector<Optimized>& all) {
  using detail::padded;
  std::vector<SpeedUp> speedups;
  std::size_t wins = 0;
  double evaluations = 0, search = 0;
  for (const Optimized& o : all) {
    speedups.push_back(speedup_of(o));
    wins += o.chosen_ns < o.random_ns ? 1 : 0;
    evaluations += static_cast<double>(o.num_evaluations);
    search += o.search_seconds;
  }
  std::string text = mg::str_cat(padded("measured by running", -38), padded("geometric mean", 16),
                                 padded("best", 8), padded("worst", 8), "\n");
  const auto row = [&](const char* name, double SpeedUp::*which) {
    const auto by = [&](const SpeedUp& a, const SpeedUp& b) { return a.*which < b.*which; };
    const auto [low, high] = std::minmax_element(speedups.begin(), speedups.end(), by);
    text += mg::str_cat(padded(name, -38),
                        padded(detail::fixed(detail::geometric_mean(speedups, which), 3) + " x", 16),
                        padded(detail::fixed((*high).*which, 2) + " x", 8),
                        padded(detail::fixed((*low).*which, 2) + " x", 8), "\n");
  };
  if (speedups.empty()) return "";
  row("greedy heuristic: each op alone", &SpeedUp::greedy);
  row("random search, same time", &SpeedUp::random);
  row("model: its first layouts", &SpeedUp::first);
  row("model: fastest layouts of its first 5", &SpeedUp::layouts);
  row("model: these layouts and its tiles", &SpeedUp::chosen);
  return text + mg::str_cat("speed-up over the default strategy on ", all.size(),
                            " held-out programs; the model beats random search on ", wins, "; ",
                            detail::fixed(evaluations / std::max(search, 1e-9), 0), " evaluations a second\n");
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_RESULTS_HPP
