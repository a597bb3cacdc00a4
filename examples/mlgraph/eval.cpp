// SPDX-License-Identifier: Apache-2.0
// mlgraph eval: the metrics of a model on measured programs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "command.hpp"
#include "indices.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/dist/note.hpp"
#include "model_files.hpp"
#include "program_files.hpp"
#include "ranking_report.hpp"
#include "ranks.hpp"
#include "report.hpp"
#include "report_page.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct EvalOptions {
  std::vector<std::string> models;
  std::string data, indices, json, report;
  std::string command;  // for the report
  std::int64_t permutations = 0, worst = 0;
  int threads = 0;
  bool brief = false;
};

/// The configs of a program to look at; none where --indices leaves it out.
mg::Result<std::vector<std::int32_t>> select_configs(const mg::ProgramView& view, const EvalOptions& options,
                                                     const std::optional<Indices>& indices) {
  if (!indices.has_value()) return all_configs(view);
  const auto found = indices->find(view.name);
  if (found == indices->end()) return std::vector<std::int32_t>();
  for (const std::int32_t c : found->second) {
    if (c < view.configs.num_configs) continue;
    return mg::Status::out_of_range(mg::str_cat(options.indices, ": ", view.name, " has config ", c,
                                                "; there are ", view.configs.num_configs));
  }
  return found->second;
}

using Scores = std::vector<std::vector<float>>;  // of each program

/// Scores every R-th program on each of R ranks; the first rank gets all.
mg::Result<Scores> score_on_ranks(const EvalOptions& options, const mg::io::LoadOptions& load,
                                  const std::optional<Indices>& indices, const Ensemble& ensemble,
                                  mg::ThreadPool* pool) {
  const auto size = static_cast<std::size_t>(ranks()->size()), rank = static_cast<std::size_t>(ranks()->rank());
  mg::NoteWriter mine;
  std::size_t count = 0;
  const auto score = [&](const mg::ProgramView& view) -> mg::Status {
    if (count++ % size != rank) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> selection, select_configs(view, options, indices));
    std::vector<float> scores;
    if (selection.size() > 1) {
      MLGRAPH_ASSIGN_OR_RETURN(scores, ensemble.score(view, selection, pool));
    }
    mine.add_array(mg::Span<const float>(scores));
    return {};
  };
  std::vector<std::string> said;  // again, when the first rank reads the programs
  MLGRAPH_RETURN_IF_ERROR(mg::agree(ranks(), for_each_program(options.data, load, said, score)));
  MLGRAPH_ASSIGN_OR_RETURN(const auto notes, mg::all_gather(*ranks(), mine.bytes()));
  std::vector<mg::NoteReader> readers(notes.begin(), notes.end());
  Scores scores;
  for (std::size_t i = 0; i < count; ++i) scores.push_back(readers[i % size].take_array<float>());
  return scores;
}

mg::Status run_eval(const EvalOptions& options, mg::NetTypes nets) {
  std::optional<Indices> indices;
  if (!options.indices.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(indices, read_indices(options.indices));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const Ensemble ensemble, Ensemble::load(options.models, options.permutations, nets));
  const mg::io::ConfigKind config_kind = ensemble.first().config_kind();
  mg::ThreadPool pool(options.threads);
  mg::io::LoadOptions load;  // keeps every measurement, as an evaluation must
  load.features = ensemble.first().features;
  load.pool = &pool;

  Scores scores;
  if (mg::has_ranks(ranks())) {
    MLGRAPH_ASSIGN_OR_RETURN(scores, score_on_ranks(options, load, indices, ensemble, &pool));
    if (!mg::is_first_rank(ranks())) return {};  // the first one says the rest
  }
  RankingReport report;
  report.set_num_worst(static_cast<std::size_t>(options.worst));
  ProgramPictures pictures;
  if (!options.report.empty()) report.set_visitor(pictures.visitor(ensemble.first().model, &pool));
  std::vector<std::string> said;
  std::size_t count = 0;
  const auto evaluate = [&](const mg::ProgramView& view) -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> selection, select_configs(view, options, indices));
    const std::size_t i = count++;
    if (selection.empty() && indices.has_value()) {
      said.push_back(mg::str_cat(view.name, ": is not in ", options.indices, " and is left out"));
      return {};
    }
    return report.add(view, selection, [&]() -> mg::Result<std::vector<float>> {
      if (i < scores.size() && scores[i].size() == selection.size()) return scores[i];
      return ensemble.score(view, selection, &pool);
    });
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(options.data, load, said, evaluate));
  said.insert(said.end(), report.skipped().begin(), report.skipped().end());
  notes(said);
  if (report.graphs().empty()) {
    return mg::Status::invalid_argument(mg::str_cat(options.data, ": has no program that can be ranked"));
  }
  report.print(config_kind, !options.brief);
  Json json = {{"command", "eval"},
               {"model", model_json(options.models)},
               {"data", options.data},
               {"arch", ensemble.first().model.name()},
               {"task", mg::enum_name(config_kind)}};
  json.update(report.to_json(config_kind));
  json["notes"] = said;
  if (!options.report.empty()) {
    const ReportPage page{mg::str_cat(ensemble.first().model.name(), " on ", options.data),
                          options.command,
                          config_kind,
                          {},
                          said};
    MLGRAPH_RETURN_IF_ERROR(write_text(options.report, to_html(page, report, pictures)));
  }
  return write_json(options.json, json);
}

}  // namespace

Command add_eval(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command =
      app.add_subcommand("eval", "Metrics of a model on measured programs, per graph and mean");
  const auto options = std::make_shared<EvalOptions>();
  command
      ->add_option("--model", options->models, "A model that train wrote; of several, the scores are averaged")
      ->required();
  command->add_option("--data", options->data, "A file, a folder or a pack")->required();
  command->add_option(
      "--indices", options->indices,
      "Only these configs: the JSON file of the official evaluation,\n{\"graph name\": [config, ...], ...}");
  command
      ->add_option("--tta", options->permutations,
                   "Average over so many random orders of the configs, for models that compare them")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--worst", options->worst,
                   "Print so many of the costliest mistakes of each graph: pairs of configs in the wrong order")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--threads", options->threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--brief", options->brief, "Print the means only");
  command->add_option("--json", options->json, "Write all figures to this file");
  command->add_option(
      "--report", options->report,
      "Write a page for a browser: figures, plots, the costliest mistakes drawn. Of several models, the\n"
      "first says which nodes they come from");
  command->footer(
      mg::str_cat("Keys of --json: command, model (a list of several), data, arch (of the first), task, ",
                  kRankingKeys, ", notes."));
  return {command,
          [command, options, nets] {
            options->command = command_line(*command);
            return run_eval(*options, nets);
          },
          true};
}

}  // namespace cli
