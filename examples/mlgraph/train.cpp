// SPDX-License-Identifier: Apache-2.0
// mlgraph train: trains a cost model, or one for each program left out, and reports how well it ranks.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "model_files.hpp"
#include "ranking_report.hpp"
#include "ranks.hpp"
#include "report.hpp"
#include "report_page.hpp"
#include "train_flags.hpp"
#include "train_options.hpp"
#include "train_report.hpp"
#include "training.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

/// The held-out configs, as `eval --indices` reads them.
mg::Status write_split_indices(const std::string& path, const TrainData& data) {
  Json indices = Json::object();
  for (std::size_t i = 0; i < data.valid.size(); ++i)
    indices[std::string(data.valid[i].name)] = data.valid_configs[i];
  return write_json(path, indices);
}

// ---- one model ----------------------------------------------------------------------------------------------

/// Writes a model, with where it comes from.
mg::Status save_model(const TrainCommand& options, const mg::Model& model, const std::string& metrics) {
  std::map<std::string, std::string> metadata = features_metadata(options.data.load.features);
  metadata["opcode_table"] = std::string(mg::io::kHloOpcodeTable);
  if (!metrics.empty()) metadata["metrics"] = metrics;
  metadata["command"] = options.command;
  if (!options.licence.empty()) metadata["licence"] = options.licence;
  return mg::io::save_model(model, options.model, std::move(metadata));
}

/// The page of --report, where it is asked for.
mg::Status write_report(const TrainCommand& options, const TrainSettings& settings, const TrainData& data,
                        std::vector<TrainingCurve> curves, const RankingReport& report,
                        const ProgramPictures& pictures) {
  if (options.report.empty()) return {};
  const std::string title = mg::str_cat("Training of ", settings.net->type().name, " on ", options.data.train);
  const ReportPage page{title, options.command_line, data.config_kind, std::move(curves), data.notes};
  return write_text(options.report, to_html(page, report, pictures));
}

/// What a training says that Ctrl-C stopped.
mg::Status stopped_training(const TrainCommand& options, const std::string& checkpoint_path) {
  if (options.seeds > 1) return stopped_by_user(mg::str_cat(options.model, " has the best weights so far"));
  return stopped_by_user(mg::str_cat(options.model,
                                     " has the best weights so far; the same command with --resume ",
                                     checkpoint_path, " continues where it stopped"));
}

/// The trainings of all seeds, and the best model.
struct TrainedSeeds {
  std::optional<Trained> best;
  std::vector<mg::RankingMetrics> metrics;  // of each
  std::vector<TrainingCurve> curves;
  Json runs = Json::array();
};

mg::Result<TrainedSeeds> train_seeds(const TrainCommand& options, const TrainSettings& settings,
                                     const TrainData& data, const std::string& checkpoint_path,
                                     mg::ThreadPool& pool) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> resume, load_resume(options.resume));
  const SaveCheckpoint save_checkpoint = [&](mg::Span<const std::byte> bytes) {
    return mg::io::save_checkpoint(checkpoint_path, bytes);
  };
  TrainedSeeds all;
  for (int i = 0; i < options.seeds && !interrupted(); ++i) {
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    const std::string title = options.seeds > 1 ? mg::str_cat("seed ", seed, ": ") : "";
    MLGRAPH_ASSIGN_OR_RETURN(Trained trained,
                             train_one(settings, data, seed, title, resume,
                                       options.seeds == 1 ? save_checkpoint : SaveCheckpoint(), &pool));
    const mg::RankingMetrics& metrics = trained.report.best_valid;
    all.metrics.push_back(metrics);
    all.runs.push_back(run_json(trained));
    all.curves.push_back({mg::str_cat("seed ", seed), trained.report.epochs, trained.report.best_epoch});
    if (all.best.has_value() && !mg::is_better(metrics, all.best->report.best_valid, settings.recipe.selection))
      continue;
    MLGRAPH_RETURN_IF_ERROR(
        on_first_rank([&] { return save_model(options, trained.model, metrics_text(metrics)); }));
    all.best = std::move(trained);
  }
  return all;
}

/// The programs that were validated on, with the scores of an evaluation.
mg::Status add_programs(const TrainData& data, const mg::Evaluation& evaluation, RankingReport& report) {
  std::vector<mg::Span<const float>> scores(data.valid.size());
  for (const mg::GraphEvaluation& graph : evaluation.graphs) scores[graph.index] = graph.score;
  for (std::size_t i = 0; i < data.valid.size(); ++i) {  // those without a ranking are not scored
    MLGRAPH_RETURN_IF_ERROR(
        report.add(data.valid[i], valid_selection(data, i), [&]() -> mg::Result<std::vector<float>> {
          return std::vector<float>(scores[i].begin(), scores[i].end());
        }));
  }
  return {};
}

mg::Status train_model(const TrainCommand& options, const TrainSettings& settings, const TrainData& data,
                       mg::ThreadPool& pool) {
  const std::string checkpoint_path = options.model + ".checkpoint";
  MLGRAPH_ASSIGN_OR_RETURN(TrainedSeeds all, train_seeds(options, settings, data, checkpoint_path, pool));
  const Trained& best = *all.best;
  MLGRAPH_ASSIGN_OR_RETURN(
      const mg::Evaluation evaluation,
      mg::evaluate(best.model, valid_programs(best.model, settings, data), &pool, ranks()));
  if (!mg::is_first_rank(ranks())) return {};  // the first one says the rest
  RankingReport report;
  ProgramPictures pictures;
  if (!options.report.empty()) report.set_visitor(pictures.visitor(best.model, &pool));
  MLGRAPH_RETURN_IF_ERROR(add_programs(data, evaluation, report));
  Json json = common_json(settings, data, best.model.options());
  json["model"] = options.model;
  json["seed"] = best.seed;
  json["best_epoch"] = best.report.best_epoch;
  json.update(report.to_json(data.config_kind));
  json["runs"] = std::move(all.runs);
  std::printf("\n");
  if (all.metrics.size() > 1) json["seeds"] = summarize_seeds(all.metrics);
  constexpr std::size_t kMostRows = 40;
  report.print(data.config_kind, report.graphs().size() <= kMostRows);
  const std::string epoch = best.report.best_epoch == 0 ? "the weights it started from"
                                                        : mg::str_cat("epoch ", best.report.best_epoch);
  std::printf("%s: %s of seed %llu\n", options.model.c_str(), epoch.c_str(),
              static_cast<unsigned long long>(best.seed));
  report_memory(best, json);
  MLGRAPH_RETURN_IF_ERROR(write_json(options.json, json));
  MLGRAPH_RETURN_IF_ERROR(write_report(options, settings, data, std::move(all.curves), report, pictures));
  if (interrupted()) return stopped_training(options, checkpoint_path);
  std::remove(checkpoint_path.c_str());  // of this training, or of one that was stopped: it is done
  return {};
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

mg::Status leave_one_out(const TrainCommand& options, const TrainSettings& settings, const TrainData& data,
                         mg::ThreadPool& pool) {
  if (data.train.size() < 2) {
    return mg::Status::invalid_argument(
        mg::str_cat(options.data.train, ": has one program; leaving it out leaves none"));
  }
  RankingReport report;
  ProgramPictures pictures;  // by the models of the first seed
  std::vector<TrainingCurve> curves;
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
      MLGRAPH_ASSIGN_OR_RETURN(const mg::ProgramCache::Held program,
                               valid_programs(trained.model, settings, data).hold(held_out));
      RankingReport of_seed;
      if (!options.report.empty() && i == 0) of_seed.set_visitor(pictures.visitor(trained.model, &pool));
      MLGRAPH_RETURN_IF_ERROR(of_seed.add(trained.model, *program, &pool));
      if (of_seed.graphs().empty()) return mg::Status::invalid_argument(of_seed.skipped()[0]);
      runs.push_back({{"held_out", data.train[held_out].name},
                      {"seed", seed},
                      {"seconds", trained.seconds},
                      {"valid", metrics_json(of_seed.graphs()[0].model)}});
      if (i == 0) curves.push_back({mg::str_cat("without ", data.train[held_out].name), trained.report.epochs});
      reports.push_back(std::move(of_seed));
    }
    if (!reports.empty()) report.add(mean_over_seeds(reports));
  }
  if (!mg::is_first_rank(ranks())) return {};
  if (report.graphs().empty()) return stopped_by_user("no program was finished");
  std::printf("\neach program ranked by a model trained on the others (the weights of the last epoch%s):\n",
              options.seeds > 1 ? mg::str_cat(", mean of ", options.seeds, " seeds").c_str() : "");
  report.print(data.config_kind, true);
  Json json = common_json(settings, data, *settings.net);
  json.update(report.to_json(data.config_kind));
  json["runs"] = std::move(runs);
  MLGRAPH_RETURN_IF_ERROR(write_json(options.json, json));
  MLGRAPH_RETURN_IF_ERROR(write_report(options, settings, data, std::move(curves), report, pictures));
  return interrupted() ? stopped_by_user("the programs in the table were finished") : mg::Status();
}

// ---- an old checkpoint --------------------------------------------------------------------------------------

/// Writes the weights of a checkpoint that no training can go on from as a model.
mg::Status export_checkpoint(const TrainCommand& options, const TrainSettings& settings,
                             const TrainData& data) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                           mg::io::load_checkpoint(options.export_checkpoint));
  MLGRAPH_ASSIGN_OR_RETURN(mg::Model model, mg::fit_model(*settings.net, data.train, options.seed));
  MLGRAPH_ASSIGN_OR_RETURN(model.parameters().value, mg::weights_of_checkpoint(bytes, model.spec()));
  return save_model(options, model, "");
}

// ---- the command --------------------------------------------------------------------------------------------

mg::Result<TrainSettings> settings_of(const TrainCommand& options, TrainFlags& flags,
                                      mg::io::ConfigKind config_kind) {
  MLGRAPH_ASSIGN_OR_RETURN(TrainSettings settings, flags.settings(config_kind));
  settings.checkpoint_every = options.checkpoint_every;
  mg::InputOptions& inputs = settings.net->inputs();
  inputs.node_encoding.pad_lists = options.padding != 0;
  const mg::GstVariant gst = settings.recipe.gst.variant;
  if (gst != mg::GstVariant::kFull && inputs.segments.max_size == 0 && options.data.max_memory == 0)
    throw CLI::ValidationError("--gst",
                               mg::str_cat(mg::enum_name(gst), " needs --segment-size or --max-memory"));
  return settings;
}

mg::Status run_train(TrainCommand options, TrainFlags& flags) {
  check_usage(options);
  std::optional<TrainSettings> settings;
  if (options.data.config_kind.has_value()) {  // what is wrong with the flags is said before anything is read
    MLGRAPH_ASSIGN_OR_RETURN(settings, settings_of(options, flags, *options.data.config_kind));
  }
  mg::ThreadPool pool(options.threads);
  options.data.split_seed = options.split_seed.value_or(options.seed);
  options.data.load.features.padding = static_cast<float>(options.padding);
  options.data.load.features.extra = options.extra;
  options.data.load.pool = &pool;
  mg::Result<TrainData> loaded = load_train_data(options.data);
  MLGRAPH_RETURN_IF_ERROR(mg::agree(ranks(), loaded.status()));
  TrainData& data = *loaded;
  if (!settings.has_value()) {
    MLGRAPH_ASSIGN_OR_RETURN(settings, settings_of(options, flags, data.config_kind));
  }
  notes(data.notes);
  MLGRAPH_RETURN_IF_ERROR(on_first_rank([&] { return write_split_indices(options.split_indices, data); }));
  if (options.target == "rank") {
    rank_labels(data);
  } else if (settings->needs_scaled_labels()) {
    scale_labels(data);
  }
  std::printf("%zu programs to train on, %zu to validate on%s\n", data.train.size(), data.valid.size(),
              ranks_text().c_str());
  MLGRAPH_RETURN_IF_ERROR(limit_memory(options.data.max_memory, data, *settings));
  if (!options.export_checkpoint.empty()) return export_checkpoint(options, *settings, data);
  const std::string idle = idle_ranks_note(settings->recipe.graphs_per_step, 1, settings->recipe.lr);
  if (!idle.empty()) note(idle);
  MLGRAPH_RETURN_IF_ERROR(watch_for_interrupt(options.stop_file));
  if (options.data.leave_one_out) return leave_one_out(options, *settings, data, pool);
  return train_model(options, *settings, data, pool);
}

// ---- options ------------------------------------------------------------------------------------------------

/// The command with the flags that decide the weights. Without paths and what changes nothing: a model that is
/// trained again, elsewhere and with other threads, has the same bytes.
std::string creating_command(const CLI::App& command) {
  return command_line(
      command, {"train", "valid", "model", "resume", "threads", "json", "report", "split-indices", "licence",
                "checkpoint-every", "export-checkpoint", "stop-file"});
}

}  // namespace

Command add_train(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command = app.add_subcommand("train", "Trains a cost model on measured programs");
  const auto options = std::make_shared<TrainCommand>();
  const auto flags = std::make_shared<TrainFlags>(nets);
  add_train_options(*command, *options);
  flags->add_options(*command);
  command->footer(mg::str_cat(
      "Ctrl-C stops after the epoch and keeps the best weights so far and a checkpoint to --resume from (exit "
      "code\n"
      "1); a second one stops at once.\n"
      "Keys of --json: command, task, arch, options, recipe, train_programs, valid_programs, notes, model, "
      "seed,\n"
      "best_epoch, ",
      kRankingKeys,
      ",\nruns (seed, best_epoch, seconds, valid, epochs: epoch, train_loss, lr, valid; with "
      "--leave-one-out: held_out,\n"
      "seed, seconds, valid), memory (activation_bytes, table_rows, table_bytes, peak_rss_bytes, segments,\n"
      "program_bytes, programs_prepared_again),\n"
      "and with --seeds: seeds (mean and std of each metric)."));
  return {command,
          [command, options, flags] {
            options->command = creating_command(*command);
            options->command_line = command_line(*command);
            return run_train(*options, *flags);
          },
          true};
}

}  // namespace cli
