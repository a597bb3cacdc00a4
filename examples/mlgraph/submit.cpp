// SPDX-License-Identifier: Apache-2.0
// mlgraph submit: the CSV of the competition "Fast or Slow? Predict AI Model Runtime".
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
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
namespace fs = std::filesystem;

/// One of the five collections of the dataset.
struct Collection {
  const char* id;      // in front of the names in the CSV
  const char* folder;  // below DIR or DIR/npz
  const char* pack;    // in DIR
  mg::io::ConfigKind config_kind;
};

constexpr Collection kCollections[] = {
    {"tile:xla", "tile/xla/test", "tile_xla_test.pack", mg::io::ConfigKind::kTile},
    {"layout:xla:default", "layout/xla/default/test", "layout_xla_default_test.pack",
     mg::io::ConfigKind::kLayout},
    {"layout:xla:random", "layout/xla/random/test", "layout_xla_random_test.pack", mg::io::ConfigKind::kLayout},
    {"layout:nlp:default", "layout/nlp/default/test", "layout_nlp_default_test.pack",
     mg::io::ConfigKind::kLayout},
    {"layout:nlp:random", "layout/nlp/random/test", "layout_nlp_random_test.pack", mg::io::ConfigKind::kLayout},
};
constexpr std::size_t kNumCollections = sizeof(kCollections) / sizeof(kCollections[0]);
constexpr std::size_t kTileConfigs = 5;      // that the competition looks at
constexpr std::size_t kNumRowsPublic = 894;  // of the public release's test split

struct SubmitOptions {
  std::vector<std::string> models[kNumCollections];  // of several, the scores are averaged
  std::string data, csv, json;
  int threads = 0;
};

mg::Result<std::string> find_collection(const std::string& data, const Collection& collection) {
  std::error_code error;
  const fs::path places[] = {fs::path(data) / collection.pack, fs::path(data) / "npz" / collection.folder,
                             fs::path(data) / collection.folder};
  for (const fs::path& place : places) {
    if (fs::exists(place, error)) return place.string();
  }
  return mg::Status::not_found(mg::str_cat(collection.id, ": there is none of ", places[0].string(), ", ",
                                           places[1].string(), " and ", places[2].string()));
}

mg::Result<std::size_t> add_rows(const Collection& collection, const std::vector<std::string>& models,
                                 const SubmitOptions& options, mg::NetTypes nets, mg::ThreadPool& pool,
                                 std::string& csv) {
  MLGRAPH_ASSIGN_OR_RETURN(const Ensemble ensemble, Ensemble::load(models, 0, nets));
  const TrainedModel& trained = ensemble.first();
  if (trained.config_kind() != collection.config_kind) {
    return mg::Status::invalid_argument(mg::str_cat(models[0], ": is a ", trained.model.name(), " model; ",
                                                    collection.id, " needs one for ",
                                                    mg::enum_name(collection.config_kind), "s"));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::string path, find_collection(options.data, collection));
  mg::io::LoadOptions load;
  load.tpugraphs.require = mg::io::Require::kConfigs;  // the runtimes of the test split are placeholders
  load.features = trained.features;
  std::size_t rows = 0;
  std::vector<std::string> unused;  // that the labels are placeholders is known
  const auto add_row = [&](const mg::ProgramView& view) -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(const Ranking ranking, rank_configs(ensemble, view, &pool));
    const std::size_t count = collection.config_kind == mg::io::ConfigKind::kTile
                                  ? std::min(kTileConfigs, ranking.order.size())
                                  : ranking.order.size();
    csv += mg::str_cat(collection.id, ":", view.name, ",");
    for (std::size_t i = 0; i < count; ++i) csv += mg::str_cat(i == 0 ? "" : ";", ranking.order[i]);
    csv += '\n';
    ++rows;
    return {};
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_program(path, load, unused, add_row));
  std::printf("%s: %zu rows\n", collection.id, rows);
  return rows;
}

mg::Status run_submit(const SubmitOptions& options, mg::NetTypes nets) {
  const std::size_t num_models = static_cast<std::size_t>(std::count_if(
      std::begin(options.models), std::end(options.models), [](const auto& m) { return !m.empty(); }));
  if (num_models == 0)
    throw CLI::ValidationError("submit", "needs the model of at least one collection, such as --tile M");
  mg::ThreadPool pool(options.threads);
  std::string csv = "ID,TopConfigs\n";
  std::size_t rows = 0;
  Json json = {{"command", "submit"}, {"file", options.csv}, {"collections", Json::object()}};
  for (std::size_t i = 0; i < kNumCollections; ++i) {
    if (options.models[i].empty()) continue;
    MLGRAPH_ASSIGN_OR_RETURN(const std::size_t added,
                             add_rows(kCollections[i], options.models[i], options, nets, pool, csv));
    json["collections"][kCollections[i].id] = added;
    rows += added;
  }
  MLGRAPH_RETURN_IF_ERROR(write_text(options.csv, csv));
  std::printf("%s: %zu rows\n", options.csv.c_str(), rows);
  if (num_models == kNumCollections && rows != kNumRowsPublic) {
    note(mg::str_cat("the public test split has ", kNumRowsPublic, " graphs, not ", rows));
  }
  json["rows"] = rows;
  return write_json(options.json, json);
}

}  // namespace

Command add_submit(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command =
      app.add_subcommand("submit", "The CSV of the competition, from the models of the collections");
  const auto options = std::make_shared<SubmitOptions>();
  const char* const flags[kNumCollections] = {"--tile", "--layout-xla-default", "--layout-xla-random",
                                              "--layout-nlp-default", "--layout-nlp-random"};
  for (std::size_t i = 0; i < kNumCollections; ++i) {
    command->add_option(flags[i], options->models[i],
                        mg::str_cat("The model or models for ", kCollections[i].id));
  }
  command
      ->add_option("--data", options->data,
                   "The dataset: has npz/tile/xla/test and so on, or <collection>_test.pack")
      ->required();
  command->add_option("-o,--output", options->csv, "The .csv to write")->required();
  command->add_option("--threads", options->threads, "0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write the counts to this file");
  command->footer(
      "Collections without a model are left out. Tiles get their 5 best configs, layouts all of them.\n"
      "Keys of --json: command, file, collections (rows of each), rows.");
  return {command, [options, nets] { return run_submit(*options, nets); }};
}

}  // namespace cli
