// SPDX-License-Identifier: Apache-2.0
// The mini-compiler as `mlgraph tune` sees any compiler: a program as a graph, a space of choices for its
// values, and a command that measures one configuration.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TUNING_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TUNING_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "features.hpp"
#include "mlgraph/io/checksum.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "rules.hpp"
#include "schedule_text.hpp"

namespace minicompiler {

namespace detail {

/// The decision of the k-th value that is computed.
[[nodiscard]] inline std::string decision_name(std::size_t k) { return mg::str_cat("v", k); }

/// A choice as schedule_text() has it.
[[nodiscard]] inline std::string choice_letter(const Choice& choice) {
  if (choice.place != Placement::kMaterialise) return choice.place == Placement::kOuter ? "-" : ".";
  return std::string(1, static_cast<char>((choice.order == Order::kSwapped ? 'A' : 'a') + choice.tile));
}

/// What a choice means, whatever the value: where, in which order, in which blocks.
[[nodiscard]] inline std::vector<double> choice_features(const Choice& choice) {
  const bool stored = choice.place == Placement::kMaterialise;
  const TileRule& tile = kTiles[choice.tile];
  const auto log_of = [&](std::int64_t n) { return stored ? std::log2(1 + static_cast<double>(n)) / 16 : 0.0; };
  return {stored ? 1.0 : 0.0,
          choice.place == Placement::kOuter ? 1.0 : 0.0,
          choice.place == Placement::kInner ? 1.0 : 0.0,
          choice.order == Order::kSwapped ? 1.0 : 0.0,
          log_of(tile.inner_elements),
          log_of(tile.outer_elements),
          stored && tile.panels ? 1.0 : 0.0};
}

}  // namespace detail

/// The rule that is best on training programs: the reference of a space.
inline constexpr Rule kReferenceRule = {Fuse::kOnlyReader, Order::kSwapped, 1};

/// The space of a program: a decision for each value that is computed, which is a node of the graph that
/// FeatureMaker makes; every rule is a baseline, that of kReferenceRule the first.
[[nodiscard]] inline std::string space_json(const Dataflow& flow) {
  nlohmann::json decisions = nlohmann::json::array(), baselines = nlohmann::json::array();
  for (std::size_t k = 0; k < flow.values.size(); ++k) {
    nlohmann::json choices = nlohmann::json::array(), features = nlohmann::json::array();
    for (const Choice& choice : choices_of(flow, flow.values[k])) {
      choices.push_back(detail::choice_letter(choice));
      features.push_back(detail::choice_features(choice));
    }
    decisions.push_back({{"name", detail::decision_name(k)},
                         {"node", k},
                         {"kind", "value"},
                         {"choices", std::move(choices)},
                         {"features", std::move(features)}});
  }
  std::vector<Rule> rules = {kReferenceRule};
  for (const Rule& rule : all_rules()) rules.push_back(rule);
  std::vector<Schedule> seen;
  for (const Rule& rule : rules) {
    const Schedule schedule = schedule_by(flow, rule);
    if (std::find(seen.begin(), seen.end(), schedule) != seen.end()) continue;
    seen.push_back(schedule);
    nlohmann::json chosen = nlohmann::json::object();
    bool is_in_space = true;
    for (std::size_t k = 0; k < flow.values.size(); ++k) {
      const std::string letter = detail::choice_letter(schedule[flow.values[k]]);
      const nlohmann::json& choices = decisions[k]["choices"];
      is_in_space = is_in_space && std::find(choices.begin(), choices.end(), letter) != choices.end();
      chosen[detail::decision_name(k)] = letter;
    }
    if (is_in_space) baselines.push_back({{"name", rule_text(rule)}, {"choices", std::move(chosen)}});
  }
  return nlohmann::json{{"decisions", std::move(decisions)}, {"baselines", std::move(baselines)}}.dump() + "\n";
}

/// Writes FOLDER/NAME.npz and FOLDER/NAME.space.json. Errors: the system's.
[[nodiscard]] inline mg::Status write_tuning(const Program& program, const Machine& machine,
                                             const std::string& folder) {
  const Dataflow flow(program);
  const std::string path = folder + "/" + program.name;
  mg::io::Program graph = FeatureMaker(flow, machine).problem();
  graph.config_node.clear();  // the space says which nodes decide
  graph.config_features = 0;
  MLGRAPH_RETURN_IF_ERROR(mg::io::to_npz(graph.view(), path + ".npz"));
  const std::string space = space_json(flow);
  return mg::io::write_file(path + ".space.json",
                            mg::io::as_bytes(mg::Span<const char>(space.data(), space.size())));
}

/// The canonical schedule of a configuration, as `mlgraph tune` gives it: {"v0":"a","v1":"."}.
/// Errors: no JSON object with a letter for each value.
[[nodiscard]] inline mg::Result<Schedule> schedule_of_config(const Dataflow& flow, std::string_view config) {
  const nlohmann::json json = nlohmann::json::parse(config.begin(), config.end(), nullptr, false);
  std::string letters;
  for (std::size_t k = 0; k < flow.values.size(); ++k) {
    const auto found = json.is_object() ? json.find(detail::decision_name(k)) : json.end();
    if (found == json.end() || !found->is_string()) {
      return mg::Status::invalid_argument(
          mg::str_cat(flow.program.name, ": the configuration has no ", detail::decision_name(k)));
    }
    letters += found->get<std::string>();
  }
  mg::Result<Schedule> schedule = parse_schedule(flow, letters);
  if (!schedule.ok()) return mg::Status::invalid_argument(schedule.status().message());
  return canonical(flow, std::move(*schedule));
}

/// Runs a configuration `visits` times -> the ns of each visit, the fastest of three runs.
/// Errors: those of schedule_of_config() and of the compiler; with `check` a wrong result, as kDataLoss.
[[nodiscard]] inline mg::Result<std::vector<std::int64_t>> measure_config(const Program& program,
                                                                          std::string_view config, int visits,
                                                                          bool check) {
  constexpr int kRuns = 3;
  const Dataflow flow(program);
  MLGRAPH_ASSIGN_OR_RETURN(const Schedule schedule, schedule_of_config(flow, config));
  Bench bench(flow);
  if (check) MLGRAPH_RETURN_IF_ERROR(bench.check(schedule));
  MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, bench.compile(schedule));
  (void)bench.run(exe, 1);  // a warm-up
  std::vector<std::int64_t> times;
  for (int i = 0; i < visits; ++i) times.push_back(bench.run(exe, kRuns));
  return times;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TUNING_HPP
