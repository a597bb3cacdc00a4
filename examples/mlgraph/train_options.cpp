// SPDX-License-Identifier: Apache-2.0
#include "train_options.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "choice_flag.hpp"

namespace cli {

namespace mg = mlgraph;

void check_usage(const TrainCommand& options) {
  const auto wrong = [](const char* flag, const std::string& what) { throw CLI::ValidationError(flag, what); };
  const DataOptions& data = options.data;
  const int ways = (data.valid.empty() ? 0 : 1) + (data.split > 0 ? 1 : 0) + (data.leave_one_out ? 1 : 0);
  if (ways > 1) wrong("train", "--valid, --split and --leave-one-out exclude each other");
  if (ways == 0) wrong("train", "needs --valid PATH, --split F or --leave-one-out, to validate on");
  if (!data.leave_one_out && options.model.empty()) wrong("train", "needs --model OUT to write the model to");
  if (data.split == 0 && !options.split_indices.empty()) wrong("--split-indices", "needs --split");
  for (const auto& [flag, path] : {std::pair<const char*, const std::string&>{"--resume", options.resume},
                                   {"--export-checkpoint", options.export_checkpoint}}) {
    if (path.empty()) continue;
    if (data.leave_one_out) wrong(flag, "excludes --leave-one-out");
    if (options.seeds > 1) wrong(flag, "excludes --seeds");
  }
}

namespace {

void add_data_options(CLI::App& command, TrainCommand& options) {
  DataOptions& data = options.data;
  add_choice<mg::io::ConfigKind>(command, "--task", data.config_kind,
                                 "What a config decides. Default: as the programs say");
  command.add_option("--train", data.train, "A file, a folder or a pack")->required();
  command.add_option("--valid", data.valid, "The same, to validate on");
  command
      .add_option("--split", data.split,
                  "Instead of --valid: hold out this share of the distinct configs of every program")
      ->check(CLI::Range(0.0, 0.95));
  command.add_option("--split-seed", options.split_seed, "Which configs --split holds out. Default: --seed");
  command.add_option("--split-indices", options.split_indices,
                     "Write the configs that --split holds out: the JSON that eval --indices reads");
  command.add_flag("--leave-one-out", data.leave_one_out,
                   "Instead of --valid: each program in turn is ranked by a model trained on the others.\n"
                   "Writes no model");
  command
      .add_option("--valid-configs", data.max_valid_configs,
                  "Validate on so many configs of each program, chosen by chance; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--model", options.model, "The .safetensors to write: the weights that validated best");
  command.add_option("--json", options.json, "Write all figures to this file");
  command.add_option(
      "--report", options.report,
      "Write a page for a browser: curves, plots of the programs that were validated on, the costliest\n"
      "mistakes drawn");
  add_choice<mg::io::Duplicates>(command, "--dedup", data.duplicates,
                                 "Training labels of configs measured several times")
      ->default_str("min");
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
      .add_option("--target", options.target,
                  "What mse and mape learn: the runtime, or its rank among the program's configs as 0 ... 1")
      ->check(CLI::IsMember({"runtime", "rank"}))
      ->capture_default_str();
}

void add_run_options(CLI::App& command, TrainCommand& options) {
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
  command.add_option("--stop-file", options.stop_file,
                     "Stop after the epoch in which this file appears, as Ctrl-C and SIGUSR1 do");
  command.add_option(
      "--export-checkpoint", options.export_checkpoint,
      "Instead of training: write the weights of a checkpoint that this version cannot continue as\n"
      "the model. All other options as they were");
  command.add_option("--seeds", options.seeds, "Train as many models, from --seed on; the best is kept")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--threads", options.threads, "0 = one per processor; the model does not depend on it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--max-memory", options.data.max_memory,
                  "Pick segment size and configs per graph so that the process stays below, such as 2GB")
      ->transform(CLI::AsSizeValue(false));
}

}  // namespace

void add_train_options(CLI::App& command, TrainCommand& options) {
  add_data_options(command, options);
  add_run_options(command, options);
}

}  // namespace cli
