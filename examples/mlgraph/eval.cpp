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
#include "model_files.hpp"
#include "program_files.hpp"
#include "ranking_report.hpp"
#include "report.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct Options {
  std::string model, data, indices, json;
  int threads = 0;
  bool brief = false;
};

mg::Status run(const Options& options) {
  std::optional<Indices> indices;
  if (!options.indices.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(indices, read_indices(options.indices));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const TrainedModel trained, load_trained(options.model));
  const mg::Task task = trained.model.options().task();
  mg::ThreadPool pool(options.threads);
  mg::io::LoadOptions load;  // keeps every measurement, as an evaluation must
  load.features = trained.features;
  load.pool = &pool;

  RankingReport report;
  std::vector<std::string> said;
  const auto evaluate = [&](const mg::ProgramView& view) -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, trained.model.prepare(view));
    if (indices.has_value()) {
      const auto found = indices->find(view.name);
      if (found == indices->end()) {
        said.push_back(mg::str_cat(view.name, ": is not in ", options.indices, " and is left out"));
        return {};
      }
      program.selection = found->second;
      for (const std::int32_t c : program.selection) {
        if (c < view.configs.num_configs) continue;
        return mg::Status::out_of_range(mg::str_cat(options.indices, ": ", view.name, " has config ", c,
                                                    "; there are ", view.configs.num_configs));
      }
    }
    return report.add(trained.model, program, &pool);
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(options.data, load, said, evaluate));
  said.insert(said.end(), report.skipped().begin(), report.skipped().end());
  notes(said);
  if (report.graphs().empty()) {
    return mg::Status::invalid_argument(mg::str_cat(options.data, ": has no program that can be ranked"));
  }
  report.print(task, !options.brief);
  Json json = {{"command", "eval"},
               {"model", options.model},
               {"data", options.data},
               {"arch", mg::arch_name(trained.model.options().arch)},
               {"task", mg::io::task_name(task)}};
  json.update(report.to_json(task));
  json["notes"] = said;
  return write_json(options.json, json);
}

}  // namespace

Command add_eval(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("eval", "Metrics of a model on measured programs, per graph and mean");
  const auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "A model that train wrote")->required();
  command->add_option("--data", options->data, "A file, a folder or a pack")->required();
  command->add_option(
      "--indices", options->indices,
      "Only these configs: the JSON file of the official evaluation,\n{\"graph name\": [config, ...], ...}");
  command->add_option("--threads", options->threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--brief", options->brief, "Print the means only");
  command->add_option("--json", options->json, "Write all figures to this file");
  command->footer(mg::str_cat("Keys of --json: command, model, data, arch, task, ", kRankingKeys, ", notes."));
  return {command, [options] { return run(*options); }};
}

}  // namespace cli
