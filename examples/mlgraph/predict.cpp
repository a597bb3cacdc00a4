// SPDX-License-Identifier: Apache-2.0
// mlgraph predict: ranks the configs of one file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "mlgraph/core/format.hpp"
#include "model_files.hpp"
#include "program_files.hpp"
#include "ranking.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct PredictOptions {
  std::vector<std::string> models;
  std::string from, program, csv, json;
  std::int64_t permutations = 0;
  std::int64_t top = 10;
  int threads = 0;
};

/// A field of a CSV file; quoted where it needs to be (RFC 4180).
std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

void print_top(const mg::ProgramView& view, const Ranking& ranking, std::size_t top) {
  std::printf("%s: %zu configs, the fastest first\n", std::string(view.name).c_str(), ranking.order.size());
  const bool measured = !view.runtime.empty();
  Table table(measured ? std::vector<std::string>{"rank", "config", "score", "measured"}
                       : std::vector<std::string>{"rank", "config", "score"});
  for (std::size_t r = 0; r < std::min(top, ranking.order.size()); ++r) {
    const std::int32_t c = ranking.order[r];
    std::vector<std::string> row = {mg::str_cat(r + 1), mg::str_cat(c), fixed(ranking.score_of(c), 5)};
    if (measured) {
      row.push_back(view.runtime_normalizer.empty() ? time_text(view.label(c))
                                                    : fixed(view.label(c), 4) + " x default");
    }
    table.add(std::move(row));
  }
  table.print();
}

mg::Status run_predict(const PredictOptions& options, mg::NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const Ensemble ensemble, Ensemble::load(options.models, options.permutations, nets));
  mg::ThreadPool pool(options.threads);
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kConfigs;
  load.features = ensemble.first().features;
  std::string csv = "program,rank,config,score,measured\n";
  Json json = {{"command", "predict"},
               {"model", model_json(options.models)},
               {"data", options.from},
               {"programs", Json::array()}};
  std::vector<std::string> said;
  const auto predict = [&](const mg::ProgramView& view) -> mg::Status {
    if (!options.program.empty() && view.name != options.program) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const Ranking ranking, rank_configs(ensemble, view, &pool));
    print_top(view, ranking, static_cast<std::size_t>(options.top));
    if (!options.csv.empty()) {
      const std::string name = csv_field(view.name);
      for (std::size_t r = 0; r < ranking.order.size(); ++r) {
        const std::int32_t c = ranking.order[r];
        csv += mg::str_cat(name, ",", r + 1, ",", c, ",", ranking.score_of(c), ",");
        if (!view.runtime.empty()) csv += mg::str_cat(view.label(c));
        csv += '\n';
      }
    }
    json["programs"].push_back({{"name", view.name}, {"order", ranking.order}, {"score", ranking.score}});
    return {};
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(options.from, load, said, predict));
  notes(said);
  if (json["programs"].empty()) {
    return mg::Status::not_found(mg::str_cat(options.from, ": has no program called ", options.program));
  }
  if (!options.csv.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(options.csv, csv));
  return write_json(options.json, json);
}

/// `--model A B IN`: what comes behind the models is read as one of them.
void take_input(PredictOptions& options) {
  if (!options.from.empty()) return;
  if (options.models.size() < 2) throw CLI::RequiredError("IN");
  options.from = std::move(options.models.back());
  options.models.pop_back();
}

}  // namespace

Command add_predict(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command = app.add_subcommand("predict", "Ranks the configs of a file, measured or not");
  const auto options = std::make_shared<PredictOptions>();
  command
      ->add_option("--model", options->models, "A model that train wrote; of several, the scores are averaged")
      ->required();
  command->add_option("IN", options->from, "A file, a folder or a pack. Required; last, or before --model");
  command->add_option("--program", options->program, "Only the program of this name");
  command->add_option("--csv", options->csv, "Write the whole ranking: program,rank,config,score,measured");
  command->add_option("--top", options->top, "How many to print")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--tta", options->permutations,
                   "Average over so many random orders of the configs, for models that compare them")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--threads", options->threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write the whole ranking to this file");
  command->footer(
      "Scores order the configs of one program, smaller = faster; they are no times. `measured` is in ns, for "
      "tiles in\n"
      "multiples of the default config; it is empty where IN has no runtimes.\n"
      "Keys of --json: command, model (a list of several), data, programs (name, order: config numbers, the "
      "fastest first, score: "
      "of each\n"
      "config by its number).");
  return {command, [options, nets] {
            take_input(*options);
            return run_predict(*options, nets);
          }};
}

}  // namespace cli
