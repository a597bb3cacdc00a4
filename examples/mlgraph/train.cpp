// SPDX-License-Identifier: Apache-2.0
// mlgraph train: trains a cost model, or one for each program left out, and reports how well it ranks.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "gst_flags.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/process_memory.hpp"
#include "mlgraph/train/metrics.hpp"
#include "model_files.hpp"
#include "ranking_report.hpp"
#include "report.hpp"
#include "training.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

struct TrainOptions {
  std::string task = "tile", train, valid, model, resume, json, split_indices, licence;
  std::string command;  // for the model's file
  double split = 0;
  bool leave_one_out = false;
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> split_seed;
  int seeds = 1;
  int threads = 0;
  double padding = 0;
  bool extra = false;
  std::string duplicates = "min";
  std::int64_t valid_configs = 0;
  bool split_dimensions = false, initial_residual = false, node_scores = false;
  std::string target = "runtime";
  // What is not given is the architecture's or the task's default.
  std::optional<std::string> arch, join, direction, scaling, encoding, opcode_encoding, loss, sampling, prune;
  std::optional<bool> embed_layout;
  std::optional<std::int64_t> hidden, layers, opcode_channels, layout_channels, config_layers, config_chunk,
      graphs_per_step, configs_per_graph, slates;
  std::optional<double> dropout, drop_edge, lr, weight_decay, clip, margin, temperature, mse_weight;
  std::optional<int> epochs, patience;
  std::int32_t validate_every = 1;
  double checkpoint_every = 30;
  GstFlags gst;
};

template <class T, class U>
void set_if_given(const std::optional<T>& given, U& to) {
  if (given.has_value()) to = static_cast<U>(*given);
}

/// `winner` is the one for the task.
std::string arch_of(const TrainOptions& options) {
  const std::string arch = options.arch.value_or(options.task == "tile" ? "tile-sage" : "layout-resgcn");
  return arch == "winner" ? mg::str_cat(options.task, "-winner") : arch;
}

mg::LossOptions loss_of(const TrainOptions& options, bool winner) {
  using Kind = mg::LossOptions::Kind;
  constexpr std::pair<const char*, Kind> kNames[] = {{"mse", Kind::kMse},
                                                     {"mape", Kind::kMape},
                                                     {"hinge", Kind::kPairwiseHinge},
                                                     {"logistic", Kind::kPairwiseLogistic},
                                                     {"listmle", Kind::kListMle},
                                                     {"diffmat", Kind::kDiffMat}};
  const bool tile = options.task == "tile";
  const std::string name = options.loss.value_or(winner ? "hinge" : "listmle");
  mg::LossOptions loss;
  for (const auto& [known, kind] : kNames) {
    if (name == known) loss.kind = kind;
  }
  if (loss.kind == Kind::kDiffMat) loss.margin = 0.01;
  if (loss.kind == Kind::kListMle && tile) {  // the authors' tile baseline
    loss.temperature = 10;
    loss.mse_weight = 0.02;
  }
  set_if_given(options.margin, loss.margin);
  set_if_given(options.temperature, loss.temperature);
  set_if_given(options.mse_weight, loss.mse_weight);
  return loss;
}

mg::Result<mg::ModelOptions> model_options_of(const TrainOptions& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Arch arch, mg::parse_arch(arch_of(options)));
  mg::ModelOptions model = mg::default_options(arch);
  if (options.join.has_value()) model.join = *options.join == "early" ? mg::Join::kEarly : mg::Join::kLate;
  if (options.direction.has_value()) {
    model.direction = *options.direction == "forward"   ? mg::Direction::kForward
                      : *options.direction == "reverse" ? mg::Direction::kReverse
                                                        : mg::Direction::kBoth;
  }
  if (options.scaling.has_value()) {
    MLGRAPH_ASSIGN_OR_RETURN(model.node_scaling, mg::parse_scaling(*options.scaling));
    model.config_scaling = model.node_scaling;
  }
  if (options.encoding.has_value()) {
    model.config_encoding = *options.encoding == "one-hot"     ? mg::ConfigEncoding::kOneHot
                            : *options.encoding == "embedding" ? mg::ConfigEncoding::kEmbedding
                                                               : mg::ConfigEncoding::kScaled;
  }
  if (options.opcode_encoding.has_value()) {
    model.opcode_encoding =
        *options.opcode_encoding == "one-hot" ? mg::OpcodeEncoding::kOneHot : mg::OpcodeEncoding::kEmbedding;
  }
  model.node_encoding.split_dimensions = options.split_dimensions;
  model.node_encoding.pad_lists = options.padding != 0;
  set_if_given(options.embed_layout, model.node_encoding.embed_layout);
  if (options.prune.has_value()) {
    MLGRAPH_ASSIGN_OR_RETURN(model.prune, mg::parse_prune(*options.prune));
  }
  // Predictions compare as many configs as a step of the training does.
  if (model.config_chunk > 0) set_if_given(options.configs_per_graph, model.config_chunk);
  set_if_given(options.config_chunk, model.config_chunk);
  model.initial_residual = options.initial_residual;
  model.node_scores = options.node_scores;
  set_if_given(options.opcode_channels, model.opcode_channels);
  set_if_given(options.config_layers, model.config_layers);
  set_if_given(options.layout_channels, model.layout_channels);
  set_if_given(options.hidden, model.hidden_channels);
  set_if_given(options.layers, model.num_layers);
  set_if_given(options.dropout, model.dropout);
  MLGRAPH_RETURN_IF_ERROR(mg::validate(model));
  return model;
}

mg::Result<TrainSettings> settings_of(const TrainOptions& options) {
  TrainSettings settings;
  const bool tile = options.task == "tile";
  settings.task = tile ? mg::Task::kTile : mg::Task::kLayout;
  MLGRAPH_ASSIGN_OR_RETURN(settings.model, model_options_of(options));
  const bool winner = settings.model.is_winner();
  settings.loss = loss_of(options, winner);
  mg::TrainerOptions& trainer = settings.trainer;
  trainer.graphs_per_step = winner ? 1 : tile ? 10 : 8;  // the authors' batches
  trainer.configs_per_graph = winner ? (settings.model.config_chunk > 0 ? 64 : 128) : tile ? 10 : 16;
  if (winner) trainer.weight_decay = 1e-5;
  trainer.epochs = 100;
  trainer.patience = 0;
  trainer.validate_every = options.validate_every;
  set_if_given(options.epochs, trainer.epochs);
  set_if_given(options.patience, trainer.patience);
  set_if_given(options.graphs_per_step, trainer.graphs_per_step);
  set_if_given(options.configs_per_graph, trainer.configs_per_graph);
  set_if_given(options.lr, trainer.lr);
  set_if_given(options.weight_decay, trainer.weight_decay);
  set_if_given(options.clip, trainer.clip_norm);
  set_if_given(options.drop_edge, trainer.drop_edge);
  if (options.sampling.has_value()) {
    trainer.sampling =
        *options.sampling == "skewed" ? mg::ConfigSampling::kSkewed : mg::ConfigSampling::kUniform;
  }
  settings.automatic_slates = !options.slates.has_value();
  set_if_given(options.slates, trainer.max_slates_per_graph);
  settings.checkpoint_every = options.checkpoint_every;
  MLGRAPH_RETURN_IF_ERROR(apply(options.gst, settings));
  return settings;
}

DataOptions data_options_of(const TrainOptions& options, const mg::io::HloFeatureOptions& features,
                            mg::ThreadPool* pool) {
  DataOptions data;
  data.train = options.train;
  data.valid = options.valid;
  data.split = options.split;
  data.split_seed = options.split_seed.value_or(options.seed);
  data.leave_one_out = options.leave_one_out;
  data.max_valid_configs = options.valid_configs;
  data.duplicates = options.duplicates == "keep"   ? mg::io::Duplicates::kKeep
                    : options.duplicates == "mean" ? mg::io::Duplicates::kMean
                                                   : mg::io::Duplicates::kMin;
  data.max_memory = options.gst.max_memory;
  data.load.features = features;
  data.load.pool = pool;
  return data;
}

/// TrainOptions that contradict each other.
void check_usage(const TrainOptions& options) {
  const auto wrong = [](const char* flag, const std::string& what) { throw CLI::ValidationError(flag, what); };
  const int ways =
      (options.valid.empty() ? 0 : 1) + (options.split > 0 ? 1 : 0) + (options.leave_one_out ? 1 : 0);
  if (ways > 1) wrong("train", "--valid, --split and --leave-one-out exclude each other");
  if (ways == 0) wrong("train", "needs --valid PATH, --split F or --leave-one-out, to validate on");
  if (!options.leave_one_out && options.model.empty())
    wrong("train", "needs --model OUT to write the model to");
  if (options.split == 0 && !options.split_indices.empty()) wrong("--split-indices", "needs --split");
  if (options.leave_one_out && !options.resume.empty()) wrong("--resume", "excludes --leave-one-out");
  if (!options.resume.empty() && options.seeds > 1) wrong("--resume", "excludes --seeds");
  if (arch_of(options).rfind(options.task, 0) != 0) {
    wrong("--arch", mg::str_cat(*options.arch, " is no model for --task ", options.task));
  }
}

std::string plus_minus(const std::vector<double>& values, bool as_percent) {
  const mg::Result<mg::MeanStd> m = mg::mean_and_std(values);
  if (!m.ok()) return "-";
  return as_percent ? mg::str_cat(fixed(100 * m->mean, 2), " +- ", fixed(100 * m->std, 2), " %")
                    : mg::str_cat(fixed(m->mean, 4), " +- ", fixed(m->std, 4));
}

/// Mean and standard deviation of each metric, as a table and as JSON.
Json summarize_seeds(const std::vector<mg::RankingMetrics>& metrics) {
  const auto values = [&](const auto& of) {
    std::vector<double> v;
    for (const mg::RankingMetrics& m : metrics) v.push_back(of(m));
    return v;
  };
  std::vector<std::string> header = {"seeds", "tau", "OPA"};
  std::vector<std::string> row = {mg::str_cat(metrics.size())};
  Json json = Json::object();
  const auto add = [&](const std::string& key, const std::vector<double>& v, bool as_percent) {
    row.push_back(plus_minus(v, as_percent));
    const mg::Result<mg::MeanStd> m = mg::mean_and_std(v);
    if (m.ok()) json[key] = {{"mean", m->mean}, {"std", m->std}};
  };
  add("kendall_tau", values([](const auto& m) { return m.kendall_tau; }), false);
  add("opa", values([](const auto& m) { return m.ordered_pair_accuracy; }), false);
  for (std::size_t i = 0; i < mg::kSlowdownAt.size(); ++i) {
    header.push_back(mg::str_cat("slowdown@", mg::kSlowdownAt[i]));
    add(header.back(), values([i](const auto& m) { return m.slowdown[i]; }), true);
  }
  Table table(header);
  table.add(row);
  table.print();
  return json;
}

Json run_json(const Trained& trained) {
  Json json = {{"seed", trained.seed},
               {"best_epoch", trained.report.best_epoch},
               {"seconds", trained.seconds},
               {"valid", metrics_json(trained.report.best_valid)},
               {"epochs", Json::array()}};
  for (const mg::EpochReport& epoch : trained.report.epochs) {
    Json entry = {{"epoch", epoch.epoch}, {"train_loss", epoch.train_loss}, {"lr", epoch.lr}};
    if (epoch.validated) entry["valid"] = metrics_json(epoch.valid);
    json["epochs"].push_back(std::move(entry));
  }
  return json;
}

Json common_json(const TrainSettings& settings, const TrainData& data, const mg::ModelOptions& model) {
  return {{"command", "train"},
          {"task", mg::io::task_name(settings.task)},
          {"arch", mg::arch_name(model.arch)},
          {"options", mg::to_metadata(model)},
          {"train_programs", data.train.size()},
          {"valid_programs", data.valid.size()},
          {"notes", data.notes}};
}

/// The held-out configs, as `eval --indices` reads them.
mg::Status write_split_indices(const std::string& path, const TrainData& data) {
  Json indices = Json::object();
  for (std::size_t i = 0; i < data.valid.size(); ++i)
    indices[std::string(data.valid[i].name)] = data.valid_configs[i];
  return write_json(path, indices);
}

mg::Status stopped_by_user(const std::string& what) {
  return mg::Status::unavailable(mg::str_cat("stopped by Ctrl-C; ", what));
}

/// What the training took: matrices of a step, the historical table, the process.
void report_memory(const Trained& trained, Json& json) {
  const mg::TrainReport& report = trained.report;
  const std::size_t peak = mg::io::peak_rss_bytes();
  json["memory"] = {{"activation_bytes", report.activation_bytes},
                    {"table_rows", report.table_rows},
                    {"table_bytes", report.table_bytes},
                    {"peak_rss_bytes", peak},
                    {"segments", trained.most_segments}};
  constexpr double kMiB = 1 << 20;
  std::printf("memory: %.0f MiB at most, %.0f for the matrices of one graph (%zu segments at most)",
              static_cast<double>(peak) / kMiB, static_cast<double>(report.activation_bytes) / kMiB,
              trained.most_segments);
  if (report.table_rows > 0) {
    std::printf(", %.1f for %zu embeddings in the historical table",
                static_cast<double>(report.table_bytes) / kMiB, report.table_rows);
  }
  std::printf("\n");
}

/// What the validation programs said, for the model's file.
std::string metrics_text(const mg::RankingMetrics& metrics) {
  std::string text = mg::str_cat("kendall_tau ", metrics.kendall_tau);
  for (std::size_t i = 0; i < mg::kSlowdownAt.size(); ++i)
    text += mg::str_cat(", slowdown@", mg::kSlowdownAt[i], " ", metrics.slowdown[i]);
  return text;
}

// ---- one model ----------------------------------------------------------------------------------------------

mg::Status train_model(const TrainOptions& options, const TrainSettings& settings, const TrainData& data,
                       const mg::io::HloFeatureOptions& features, mg::ThreadPool& pool) {
  const auto save = [&](const Trained& trained) {
    std::map<std::string, std::string> metadata = features_metadata(features);
    metadata["opcode_table"] = std::string(mg::io::kHloOpcodeTable);
    metadata["metrics"] = metrics_text(trained.report.best_valid);
    metadata["command"] = options.command;
    if (!options.licence.empty()) metadata["licence"] = options.licence;
    return mg::io::save_model(trained.model, options.model, std::move(metadata));
  };
  std::optional<Trained> best;
  const auto is_new_best = [&](const mg::RankingMetrics& metrics) {
    return !best.has_value() || is_better(metrics, best->report.best_valid, settings.selection());
  };
  const std::string checkpoint_path = options.model + ".checkpoint";
  std::vector<std::byte> resume;
  if (!options.resume.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(resume, mg::io::load_checkpoint(options.resume));
  }
  const SaveCheckpoint save_checkpoint = [&](mg::Span<const std::byte> bytes) {
    return mg::io::save_checkpoint(checkpoint_path, bytes);
  };
  std::vector<mg::RankingMetrics> metrics;
  Json runs = Json::array();
  for (int i = 0; i < options.seeds && !interrupted(); ++i) {
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    const std::string title = options.seeds > 1 ? mg::str_cat("seed ", seed, ": ") : "";
    MLGRAPH_ASSIGN_OR_RETURN(Trained trained,
                             train_one(settings, data, seed, title, resume,
                                       options.seeds == 1 ? save_checkpoint : SaveCheckpoint(), &pool));
    metrics.push_back(trained.report.best_valid);
    runs.push_back(run_json(trained));
    if (!is_new_best(trained.report.best_valid)) continue;
    MLGRAPH_RETURN_IF_ERROR(save(trained));
    best = std::move(trained);
  }
  RankingReport report;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> valid, prepare_valid(best->model, data));
  for (const mg::PreparedProgram& program : valid)
    MLGRAPH_RETURN_IF_ERROR(report.add(best->model, program, &pool));
  Json json = common_json(settings, data, best->model.options());
  json["model"] = options.model;
  json["seed"] = best->seed;
  json["best_epoch"] = best->report.best_epoch;
  json.update(report.to_json(settings.task));
  json["runs"] = std::move(runs);
  std::printf("\n");
  if (metrics.size() > 1) json["seeds"] = summarize_seeds(metrics);
  constexpr std::size_t kMostRows = 40;
  report.print(settings.task, report.graphs().size() <= kMostRows);
  const std::string epoch = best->report.best_epoch == 0 ? "the weights it started from"
                                                         : mg::str_cat("epoch ", best->report.best_epoch);
  std::printf("%s: %s of seed %llu\n", options.model.c_str(), epoch.c_str(),
              static_cast<unsigned long long>(best->seed));
  report_memory(*best, json);
  MLGRAPH_RETURN_IF_ERROR(write_json(options.json, json));
  if (!interrupted()) {
    std::remove(checkpoint_path.c_str());  // of this training, or of one that was stopped: it is done
    return {};
  }
  if (options.seeds > 1) return stopped_by_user(mg::str_cat(options.model, " has the best weights so far"));
  return stopped_by_user(mg::str_cat(options.model,
                                     " has the best weights so far; the same command with --resume ",
                                     checkpoint_path, " continues where it stopped"));
}

// ---- leave one out ------------------------------------------------------------------------------------------

/// The mean of several trainings on one held-out program.
GraphRanking mean_over_seeds(const std::vector<RankingReport>& reports) {
  RankingReport all;
  for (const RankingReport& report : reports) all.add(report.graphs()[0]);
  GraphRanking mean = all.mean();
  mean.name = reports[0].graphs()[0].name;
  mean.num_configs = reports[0].graphs()[0].num_configs;
  return mean;
}

mg::Status leave_one_out(const TrainOptions& options, const TrainSettings& settings, const TrainData& data,
                         mg::ThreadPool& pool) {
  if (data.train.size() < 2) {
    return mg::Status::invalid_argument(
        mg::str_cat(options.train, ": has one program; leaving it out leaves none"));
  }
  RankingReport report;
  Json runs = Json::array();
  for (std::size_t held_out = 0; held_out < data.train.size() && !interrupted(); ++held_out) {
    TrainData fold;  // without validation: nothing may be chosen by the program that is left out
    for (std::size_t i = 0; i < data.train.size(); ++i) {
      if (i != held_out) fold.train.push_back(data.train[i]);
    }
    std::vector<RankingReport> reports;
    for (int i = 0; i < options.seeds && !interrupted(); ++i) {
      const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
      const std::string title = mg::str_cat("without ", data.train[held_out].name, ", seed ", seed, ": ");
      MLGRAPH_ASSIGN_OR_RETURN(const Trained trained,
                               train_one(settings, fold, seed, title, {}, nullptr, &pool));
      if (interrupted()) break;  // not trained to the end
      MLGRAPH_ASSIGN_OR_RETURN(const mg::PreparedProgram program, prepare_valid(trained.model, data, held_out));
      RankingReport of_seed;
      MLGRAPH_RETURN_IF_ERROR(of_seed.add(trained.model, program, &pool));
      if (of_seed.graphs().empty()) return mg::Status::invalid_argument(of_seed.skipped()[0]);
      runs.push_back({{"held_out", data.train[held_out].name},
                      {"seed", seed},
                      {"seconds", trained.seconds},
                      {"valid", metrics_json(of_seed.graphs()[0].model)}});
      reports.push_back(std::move(of_seed));
    }
    if (!reports.empty()) report.add(mean_over_seeds(reports));
  }
  if (report.graphs().empty()) return stopped_by_user("no program was finished");
  std::printf("\neach program ranked by a model trained on the others (the weights of the last epoch%s):\n",
              options.seeds > 1 ? mg::str_cat(", mean of ", options.seeds, " seeds").c_str() : "");
  report.print(settings.task, true);
  Json json = common_json(settings, data, settings.model);
  json.update(report.to_json(settings.task));
  json["runs"] = std::move(runs);
  MLGRAPH_RETURN_IF_ERROR(write_json(options.json, json));
  return interrupted() ? stopped_by_user("the programs in the table were finished") : mg::Status();
}

mg::Status run_train(const TrainOptions& options) {
  check_usage(options);
  check_usage(options.gst);
  MLGRAPH_ASSIGN_OR_RETURN(TrainSettings settings, settings_of(options));
  mg::io::HloFeatureOptions features;
  features.padding = static_cast<float>(options.padding);
  features.extra = options.extra;
  mg::ThreadPool pool(options.threads);
  MLGRAPH_ASSIGN_OR_RETURN(TrainData data,
                           load_train_data(data_options_of(options, features, &pool), settings));
  notes(data.notes);
  MLGRAPH_RETURN_IF_ERROR(write_split_indices(options.split_indices, data));
  const bool layouts_in_ns =
      settings.task == mg::Task::kLayout && (settings.needs_scaled_labels() || settings.loss.mse_weight != 0);
  if (options.target == "rank") {
    rank_labels(data);
  } else if (layouts_in_ns) {
    scale_labels(data);
  }
  std::printf("%zu programs to train on, %zu to validate on\n", data.train.size(), data.valid.size());
  MLGRAPH_RETURN_IF_ERROR(limit_memory(options.gst, data, settings));
  watch_for_interrupt();
  if (options.leave_one_out) return leave_one_out(options, settings, data, pool);
  return train_model(options, settings, data, features, pool);
}

// ---- options ------------------------------------------------------------------------------------------------

/// The command with the flags that decide the weights, in the order of --help. Without paths and what changes
/// nothing: a model that is trained again, elsewhere and with other threads, has the same bytes.
std::string creating_command(const CLI::App& command) {
  const std::set<std::string> left_out = {"train", "valid",         "model",   "resume",          "threads",
                                          "json",  "split-indices", "licence", "checkpoint-every"};
  std::string text = "mlgraph train";
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty() || left_out.count(option->get_lnames()[0]) > 0)
      continue;
    text += " --" + option->get_lnames()[0];
    if (option->get_expected_max() == 0) continue;
    for (const std::string& value : option->results()) text += " " + value;
  }
  return text;
}

void add_data_options(CLI::App& command, TrainOptions& options) {
  command.add_option("--task", options.task, "What a config decides")
      ->required()
      ->check(CLI::IsMember({"tile", "layout"}));
  command.add_option("--train", options.train, "A file, a folder or a pack")->required();
  command.add_option("--valid", options.valid, "The same, to validate on");
  command
      .add_option("--split", options.split,
                  "Instead of --valid: hold out this share of the distinct configs of every program")
      ->check(CLI::Range(0.0, 0.95));
  command.add_option("--split-seed", options.split_seed, "Which configs --split holds out. Default: --seed");
  command.add_option("--split-indices", options.split_indices,
                     "Write the configs that --split holds out: the JSON that eval --indices reads");
  command.add_flag("--leave-one-out", options.leave_one_out,
                   "Instead of --valid: each program in turn is ranked by a model trained on the others.\n"
                   "Writes no model");
  command
      .add_option("--valid-configs", options.valid_configs,
                  "Validate on so many configs of each program, chosen by chance; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--model", options.model, "The .safetensors to write: the weights that validated best");
  command.add_option("--json", options.json, "Write all figures to this file");
  command.add_option("--dedup", options.duplicates, "Training labels of configs measured several times")
      ->check(CLI::IsMember({"keep", "min", "mean"}))
      ->capture_default_str();
  command
      .add_option(
          "--pad", options.padding,
          "Fills the unused entries of nodes' list features: 0 as published, -1 tells them from axis 0.\n"
          "In npz and packs as far as other features tell. Part of the model")
      ->check(CLI::IsMember({0.0, -1.0}))
      ->capture_default_str();
  command.add_flag("--extra", options.extra, "Of protobufs and HLO: append the extra features");
  command.add_option("--licence", options.licence, "Of the model, for its file's metadata");
  command
      .add_option(
          "--prune", options.prune,
          "Layouts: what a model sees of a program. edge: edges at configurable nodes and their ends;\n"
          "khop:K: what is within K edges of them; khop-merge:K: and the rest, merged. Part of the model.\n"
          "Default: none, layout-winner edge")
      ->type_name("none|edge|khop:K|khop-merge:K");
}

void add_model_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option(
          "--arch", options.arch,
          "Default: tile-sage, layout-resgcn. winner: what won the competition, with its sizes, loss and\n"
          "steps as defaults: hinge, one graph of 64 configs (128 for tiles, or with --config-chunk 0)")
      ->check(CLI::IsMember({"tile-sage", "tile-resgcn", "tile-mlp", "layout-resgcn", "layout-sage", "winner",
                             "tile-winner", "layout-winner"}));
  command
      .add_option("--join", options.join, "Where the config of a tile enters. Default: early, tile-winner late")
      ->check(CLI::IsMember({"early", "late"}));
  command
      .add_option("--direction", options.direction,
                  "Along which edges values flow. Default: both, winner reverse")
      ->check(CLI::IsMember({"forward", "reverse", "both"}));
  command.add_option("--hidden", options.hidden, "Width. Default: 64, layout-resgcn 32, winner 256")
      ->check(CLI::PositiveNumber);
  command.add_option("--layers", options.layers, "Graph layers. Default: 3, layout-resgcn and winner 2")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--config-layers", options.config_layers,
                  "Of layout models that join late: layers in which configurable nodes tell each other of\n"
                  "their configs. Default: 0")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option(
          "--config-chunk", options.config_chunk,
          "Of layout-winner: so many configs are compared with each other, in training those of a step.\n"
          "0: none. Default: --configs-per-graph")
      ->check(CLI::NonNegativeNumber);
  command.add_flag("--initial-residual", options.initial_residual,
                   "Of winner: graph layers also add what the nodes were before the first one");
  command.add_flag("--node-scores", options.node_scores,
                   "Of layout-winner: sum a score of each node, instead of scoring the mean node");
  command.add_option("--dropout", options.dropout, "Default: 0, winner 0.2")->check(CLI::Range(0.0, 0.95));
  command.add_option("--scaling", options.scaling, "Of features. Default: sign-log1p, winner standard")
      ->check(CLI::IsMember({"raw", "min-max", "standard", "sign-log1p"}));
  command
      .add_option("--config-encoding", options.encoding,
                  "Default: tile scaled, layout one-hot, layout-winner embedding")
      ->check(CLI::IsMember({"scaled", "one-hot", "embedding"}));
  command.add_option("--opcode-encoding", options.opcode_encoding, "Default: embedding")
      ->check(CLI::IsMember({"embedding", "one-hot"}));
  command
      .add_option("--opcode-channels", options.opcode_channels,
                  "Of the embedding. Default: 32, tile-sage 64, winner 16")
      ->check(CLI::PositiveNumber);
  command.add_flag(
      "--split-dimensions", options.split_dimensions,
      "Add to each dimension of a node's shape how far it fills its last tile of 128, and how many it fills");
  command.add_flag_callback(
      "--embed-layout", [&] { options.embed_layout = true; },
      "Nodes' own layouts as embeddings, not as numbers: the default of winner");
  command.add_flag_callback(
      "--no-embed-layout", [&] { options.embed_layout = false; },
      "Nodes' own layouts as numbers: the default of all others");
  command.add_option("--layout-channels", options.layout_channels, "Of layout embeddings. Default: 4")
      ->check(CLI::PositiveNumber);
}

void add_training_options(CLI::App& command, TrainOptions& options) {
  command.add_option("--epochs", options.epochs, "Default: 100")->check(CLI::PositiveNumber);
  command
      .add_option("--patience", options.patience,
                  "Stop after as many epochs without a better one. Default: 0 = never")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--validate-every", options.validate_every, "Epochs")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--checkpoint-every", options.checkpoint_every,
                  "Seconds between checkpoints, each after an epoch; 0 = after every epoch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Start weights and order of configs")->capture_default_str();
  command.add_option(
      "--resume", options.resume,
      "Continue a training that was stopped: MODEL.checkpoint, which Ctrl-C leaves, as does a crash.\n"
      "All other options as they were; the model has the same bits as if it had never been stopped");
  command.add_option("--seeds", options.seeds, "Train as many models, from --seed on; the best is kept")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--threads", options.threads, "0 = one per processor; the model does not depend on it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--loss", options.loss, "Default: listmle, with 0.02 mse for tiles; winner hinge")
      ->check(CLI::IsMember({"mse", "mape", "hinge", "logistic", "listmle", "diffmat"}));
  command.add_option("--margin", options.margin, "Of hinge (1) and diffmat (0.01)")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--temperature", options.temperature, "Of listmle. Default: tile 10, layout 1")
      ->check(CLI::PositiveNumber);
  command.add_option("--mse-weight", options.mse_weight, "Add so much mean squared error to a ranking loss")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--lr", options.lr, "Peak learning rate of AdamW: 5 % warm-up, then cosine. Default: 0.001")
      ->check(CLI::PositiveNumber);
  command.add_option("--weight-decay", options.weight_decay, "Default: 0, winner 1e-5")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--clip", options.clip, "Largest norm of the gradient, 0 = any. Default: 1")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--graphs-per-step", options.graphs_per_step, "Default: tile 10, layout 8, winner 1")
      ->check(CLI::Range(std::int64_t{1}, mg::kMaxGraphsPerStep));
  command
      .add_option("--configs-per-graph", options.configs_per_graph,
                  "Ranked together. Default: tile 10, layout 16; winner 64, tile-winner 128")
      ->check(CLI::Range(std::int64_t{2}, mg::kMaxConfigsPerGraph));
  command
      .add_option(
          "--slates", options.slates,
          "So many draws of --configs-per-graph from each graph in an epoch. Default: for about 100 steps,\n"
          "or each config once if that is less")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--drop-edge", options.drop_edge,
                  "Leave each edge out of a step of the training with this probability. Default: 0")
      ->check(CLI::Range(0.0, 0.95));
  command
      .add_option("--target", options.target,
                  "What mse and mape learn: the runtime, or its rank among the program's configs as 0 ... 1")
      ->check(CLI::IsMember({"runtime", "rank"}))
      ->capture_default_str();
  command.add_option("--sampling", options.sampling, "Of configs: skewed prefers fast ones. Default: uniform")
      ->check(CLI::IsMember({"uniform", "skewed"}));
}

}  // namespace

Command add_train(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("train", "Trains a cost model on measured programs");
  const auto options = std::make_shared<TrainOptions>();
  add_data_options(*command, *options);
  add_model_options(*command, *options);
  add_training_options(*command, *options);
  add_gst_options(*command, options->gst);
  command->footer(mg::str_cat(
      "Layouts are selected by Kendall's tau, tiles by slowdown@5. Ctrl-C stops after the epoch "
      "and keeps the best\n"
      "weights so far and a checkpoint to --resume from (exit code 1); a second one stops at once.\n"
      "Keys of --json: command, task, arch, options, train_programs, valid_programs, notes, model, "
      "seed, best_epoch,\n",
      kRankingKeys,
      ",\nruns (seed, best_epoch, seconds, valid, epochs: epoch, train_loss, lr, valid; with "
      "--leave-one-out: held_out,\n"
      "seed, seconds, valid), memory (activation_bytes, table_rows, table_bytes, peak_rss_bytes, segments),\n"
      "and with --seeds: seeds (mean and std of each metric)."));
  return {command, [command, options] {
            options->command = creating_command(*command);
            return run_train(*options);
          }};
}

}  // namespace cli
