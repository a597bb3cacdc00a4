// SPDX-License-Identifier: Apache-2.0
// mlgraph graphs train: fits the standard network to targets of graphs or of nodes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"
#include "described_flags.hpp"
#include "graphs.hpp"
#include "graphs_page.hpp"
#include "mlgraph/arch/graph_net_fit.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/split.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "ranks.hpp"
#include "training.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

constexpr const char* kOwner = "graph-net";

struct GraphTrainFlags {
  std::string data, model, resume, stop_file, split_by, json, report;
  std::string command;  // for the report
  double valid_split = 0.1, test_split = 0, checkpoint_every = 30;
  std::uint64_t seed = 1, split_seed = 1;
  int threads = 0;
};

/// Everything that the described flags say.
struct Settings {
  mg::GraphNetOptions net;
  GraphTaskOptions task;
  mg::Recipe recipe = default_recipe();

  static mg::Recipe default_recipe() {
    mg::Recipe recipe;
    recipe.graphs_per_step = 32;
    return recipe;
  }
  void fields(mg::FieldVisitor& v) {
    net.fields(v);
    task.fields(v);
    recipe.step_fields(v);
  }
};

/// Numbers of graphs of a set.
struct Parts {
  std::vector<std::size_t> train, valid, test;
};

/// Splits a set by chance, or by the key of an array. With two masks every graph is in training and validation.
mg::Result<Parts> split(const GraphTrainFlags& options, const Settings& settings, const mg::GraphDataset& set) {
  Parts parts;
  const bool by_masks = !settings.task.task.valid_mask.empty();
  const double valid = by_masks ? 0 : options.valid_split;
  if (valid + options.test_split >= 1)
    throw CLI::ValidationError("--valid-split", "and --test-split leave no graphs to train on");
  std::vector<double> fractions = {1 - valid - options.test_split};
  for (const double part : {valid, options.test_split}) {
    if (part > 0) fractions.push_back(part);
  }
  mg::Result<mg::SplitParts> split = mg::random_split(set.size(), fractions, options.split_seed);
  if (!options.split_by.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> keys, set.ints_of_graphs(options.split_by));
    split = mg::split_by_key(keys, fractions, options.split_seed);
  }
  MLGRAPH_RETURN_IF_ERROR(split.status());
  parts.train = std::move((*split)[0]);
  if (valid > 0) parts.valid = (*split)[1];
  if (options.test_split > 0) parts.test = split->back();
  if (by_masks) parts.valid = parts.train;
  return parts;
}

/// Sizes that the data decide, outputs among them.
mg::Status fit_sizes(const mg::GraphDataset& set, bool pool_is_given, Settings& settings) {
  const mg::GraphTask& task = settings.task.task;
  MLGRAPH_RETURN_IF_ERROR(mg::check_task(task, set));
  const std::size_t target = set.find(task.target);
  const bool of_nodes = set.array(0, target).of == mg::ArrayOf::kNodes;
  if (of_nodes && !pool_is_given) settings.net.pool = mg::GraphNetPool::kNone;
  if (of_nodes != (settings.net.pool == mg::GraphNetPool::kNone)) {
    throw CLI::ValidationError("--pool", mg::str_cat("is ", mg::enum_name(settings.net.pool),
                                                     "; the target is of ", of_nodes ? "nodes" : "graphs"));
  }
  settings.net.num_outputs = mg::num_task_outputs(task, set);
  if (settings.net.num_outputs < 0) {  // as many as there are classes
    std::int32_t last = 0;
    for (std::size_t g = 0; g < set.size(); ++g) {
      const mg::MatrixView<const std::int32_t> label = set.array(g, target).i32;
      for (std::int64_t i = 0; i < label.rows; ++i) last = std::max(last, label(i, 0));
    }
    settings.net.num_outputs = std::int64_t{last} + 1;
  }
  MLGRAPH_ASSIGN_OR_RETURN(settings.net, mg::fit_graph_net(settings.net, set));
  return {};
}

void show(const mg::GraphEpochReport& epoch, std::int64_t epochs, const std::string& metric) {
  const std::int64_t every = std::max<std::int64_t>(1, epochs / 20);
  if (epoch.epoch != 1 && epoch.epoch % every != 0 && epoch.epoch != epochs) return;
  std::string line = mg::str_cat("epoch ", epoch.epoch, "/", epochs, "  loss ", fixed(epoch.train_loss, 4));
  if (epoch.validated) line += mg::str_cat("  validation ", metric, " ", fixed(epoch.metric, 4));
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// Runs the training, with a checkpoint now and then, and one when Ctrl-C comes.
mg::Result<mg::GraphTrainReport> train(const GraphTrainFlags& options, const Settings& settings,
                                       const Parts& parts, const mg::GraphDataset& set, mg::ThreadPool& pool,
                                       mg::GraphModel& model) {
  mg::GraphTrainOptions training;
  training.seed = options.seed;
  training.pool = &pool;
  training.ranks = ranks();
  training.stop.metric = settings.task.stop;
  training.graphs_per_tape = mg::graph_net_graphs_per_tape(settings.net);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> resume, load_resume(options.resume));
  mg::GraphTrainer trainer(model, settings.task.task, settings.recipe, training);
  mg::Status saved;
  double last = now();
  const auto on_epoch = [&](const mg::GraphEpochReport& epoch) {
    show(epoch, settings.recipe.epochs, training.stop.name());
    const bool stops = stops_after_epoch();
    if (!mg::is_first_rank(ranks())) return !stops;
    if (!stops && now() - last < options.checkpoint_every) return true;
    const auto save = [&]() -> mg::Status {
      MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, trainer.checkpoint());
      return mg::io::save_checkpoint(options.model + ".checkpoint", bytes);
    };
    saved = save();
    last = now();
    if (!saved.ok() && !stops) note(mg::str_cat(saved.message(), "; the training goes on"));
    return !stops;
  };
  MLGRAPH_ASSIGN_OR_RETURN(mg::GraphTrainReport report,
                           trainer.run(set, parts.train, parts.valid, on_epoch, resume));
  if (report.stopped_by_caller) MLGRAPH_RETURN_IF_ERROR(saved);
  return report;
}

Json epochs_json(const mg::GraphTrainReport& report) {
  Json epochs = Json::array();
  for (const mg::GraphEpochReport& e : report.epochs) {
    Json json = {{"epoch", e.epoch}, {"train_loss", e.train_loss}, {"lr", e.lr}};
    if (e.validated) json.update({{"valid_loss", e.valid_loss}, {"metric", e.metric}});
    epochs.push_back(std::move(json));
  }
  return epochs;
}

/// Prints the metrics of the graphs that were not trained on, and adds them to the JSON and the page.
mg::Status evaluate_parts(const mg::GraphModel& model, const Settings& settings, const Parts& parts,
                          const mg::GraphDataset& set, mg::ThreadPool& pool, Json& json, GraphPage& page) {
  for (const auto& [name, graphs] :
       {std::pair<const char*, const std::vector<std::size_t>&>{"valid", parts.valid}, {"test", parts.test}}) {
    if (graphs.empty()) continue;
    MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphEvaluationResult result,
                             mg::evaluate(model, settings.task.task, set, graphs, &pool));
    print_target_metrics(mg::str_cat(name, ", ", graphs.size(), " graphs"), result.metrics);
    json[name] = target_metrics_json(result.metrics);
    page.parts.push_back({mg::str_cat(name, ", ", graphs.size(), " graphs"), result});
  }
  return {};
}

/// What should be known of ranks that have no work. Batch norm sees all graphs of a step, which one rank
/// computes then.
std::string idle_note(const Settings& settings) {
  const std::int64_t of_tape = mg::graph_net_graphs_per_tape(settings.net);
  if (of_tape > 0) return idle_ranks_note(settings.recipe.graphs_per_step, of_tape, settings.recipe.lr);
  return mg::has_ranks(ranks()) ? "with --norm batch one rank computes a step; another norm shares it out" : "";
}

mg::Status run_train(const GraphTrainFlags& options, const DescribedFlags& flags) {
  Settings settings;
  flags.apply(kOwner, [&](mg::FieldVisitor& v) { settings.fields(v); });
  MLGRAPH_RETURN_IF_ERROR(mg::check_graph_recipe(settings.recipe));
  const mg::Result<mg::GraphDataset> loaded = load_graph_set(options.data, settings.net);
  MLGRAPH_RETURN_IF_ERROR(mg::agree(ranks(), loaded.status()));
  const mg::GraphDataset& set = *loaded;
  MLGRAPH_RETURN_IF_ERROR(fit_sizes(set, flags.given("--pool") != nullptr, settings).annotate(options.data));
  MLGRAPH_ASSIGN_OR_RETURN(const Parts parts, split(options, settings, set));
  mg::ThreadPool pool(options.threads);
  MLGRAPH_ASSIGN_OR_RETURN(mg::GraphModel model,
                           mg::GraphModel::make<mg::GraphNet>(settings.net, options.seed));
  mg::fit_graph_net_scaling(settings.net, set, parts.train, model.spec(), model.parameters().value);
  std::printf("%zu graphs to train on, %zu to validate on%s\n", parts.train.size(), parts.valid.size(),
              ranks_text().c_str());
  std::fflush(stdout);
  const std::string idle = idle_note(settings);
  if (!idle.empty()) note(idle);
  MLGRAPH_RETURN_IF_ERROR(watch_for_interrupt(options.stop_file));
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphTrainReport report,
                           train(options, settings, parts, set, pool, model));
  if (!mg::is_first_rank(ranks())) return {};  // the first one says the rest
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                           mg::graph_model_to_bytes(model, mg::to_texts(settings.task)));
  MLGRAPH_RETURN_IF_ERROR(mg::io::write_file(options.model, bytes));
  Json json = {
      {"command", "graphs train"},
      {"data", options.data},
      {"model", options.model},
      {"options", model.options()},
      {"task", mg::to_texts(settings.task)},
      {"graphs", {{"train", parts.train.size()}, {"valid", parts.valid.size()}, {"test", parts.test.size()}}},
      {"seed", options.seed},
      {"best_epoch", report.best_epoch},
      {"epochs", epochs_json(report)}};
  std::printf("\n");
  GraphPage page{mg::str_cat(model.name(), " trained on ", options.data),
                 options.command,
                 settings.task.task.target,
                 std::string(mg::enum_name(settings.task.stop)),
                 settings.task.task.loss.loss,
                 report.epochs,
                 report.best_epoch};
  MLGRAPH_RETURN_IF_ERROR(evaluate_parts(model, settings, parts, set, pool, json, page));
  if (!options.report.empty()) MLGRAPH_RETURN_IF_ERROR(write_text(options.report, to_html(page)));
  std::printf("%s: epoch %lld\n", options.model.c_str(), static_cast<long long>(report.best_epoch));
  MLGRAPH_RETURN_IF_ERROR(write_json(options.json, json));
  const std::string checkpoint = options.model + ".checkpoint";
  if (!report.stopped_by_caller) {
    std::remove(checkpoint.c_str());  // of this training, or of one that was stopped: it is done
    return {};
  }
  return stopped_by_user(mg::str_cat(options.model,
                                     " has the best weights so far; the same command with --resume ",
                                     checkpoint, " continues where it stopped"));
}

}  // namespace

Command add_graphs_train(CLI::App& group) {
  CLI::App* const command = group.add_subcommand("train", "Fits a standard network to a set of graphs");
  const auto options = std::make_shared<GraphTrainFlags>();
  const auto flags = std::make_shared<DescribedFlags>();
  command->add_option("--data", options->data, "A set of graphs: an npz, or a folder of CSV tables")
      ->required();
  command->add_option("--model", options->model, "Where to write the model, a safetensors file")->required();
  command->add_option("--valid-split", options->valid_split, "Share of the graphs to choose the best epoch by")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command
      ->add_option("--test-split", options->test_split,
                   "Share of the graphs that are only evaluated on, at the end")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  command->add_option("--split-by", options->split_by,
                      "Array of one int32 of graphs: those of one key stay together in a split");
  command->add_option("--split-seed", options->split_seed, "Which graphs a split takes")->capture_default_str();
  command->add_option("--seed", options->seed, "Start weights and order of graphs")->capture_default_str();
  command->add_option("--resume", options->resume,
                      "Continue a training that was stopped: MODEL.checkpoint. All other options as they were");
  command->add_option("--stop-file", options->stop_file,
                      "Stop after the epoch in which this file appears, as Ctrl-C and SIGUSR1 do");
  command
      ->add_option("--checkpoint-every", options->checkpoint_every,
                   "Seconds between checkpoints, each after an epoch; 0 = after every epoch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0 = one per processor; the model does not depend on it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--json", options->json, "Write what was trained to this file");
  command->add_option("--report", options->report,
                      "Write a page for a browser: curves, predicted against measured, what is taken for what");
  flags->add_owner(kOwner, "Target", [](mg::FieldVisitor& v) { GraphTaskOptions().fields(v); });
  flags->add_owner(kOwner, "Network", [](mg::FieldVisitor& v) { mg::GraphNetOptions().fields(v); });
  flags->add_owner(kOwner, "Training", [](mg::FieldVisitor& v) {
    mg::Recipe recipe = Settings::default_recipe();
    recipe.step_fields(v);
  });
  flags->add_options(*command);
  command->footer(
      "Ctrl-C stops after the epoch and keeps the best weights so far and a checkpoint to --resume from (exit "
      "code\n"
      "1); a second one stops at once.\n"
      "Keys of --json: command, data, model, options, task, graphs (train, valid, test), seed, best_epoch, "
      "epochs\n"
      "(epoch, train_loss, lr, valid_loss, metric), valid and test (metrics).");
  return {command,
          [options, flags, command] {
            options->command = command_line(*command);
            return run_train(*options, *flags);
          },
          true};
}

}  // namespace cli
