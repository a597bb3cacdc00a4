// SPDX-License-Identifier: Apache-2.0
// mlgraph tune: measures configurations of a program, learns from them, and measures what seems fast.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "choice_flag.hpp"
#include "command.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/tune/net_ranker.hpp"
#include "train_flags.hpp"
#include "tune_run.hpp"

namespace cli {
namespace {

namespace mg = mlgraph;

void check_usage(const TuneFlags& flags) {
  if (flags.serve != flags.measure.empty()) {
    throw CLI::ValidationError("--measure", flags.serve ? "does not go with --serve: others measure"
                                                        : "is needed, or --serve for others who measure");
  }
  if (flags.serve && flags.jobs != 0)
    throw CLI::ValidationError("--jobs", "is of --measure; of --serve each worker is one");
}

/// The network's settings where it is not told otherwise: small, and fitted by long steps.
mg::Result<TrainSettings> settings_of(TrainFlags& flags, mg::io::ConfigKind config_kind) {
  const std::map<std::string, std::string> recipe = mg::to_texts(mg::tuning_recipe({}));
  const std::pair<const char*, std::string> defaults[] = {{"--arch", "layout-sage"},
                                                          {"--hidden", "32"},
                                                          {"--layers", "2"},
                                                          {"--config-encoding", "scaled"},
                                                          {"--loss", recipe.at("loss")},
                                                          {"--lr", recipe.at("lr")},
                                                          {"--weight-decay", recipe.at("weight_decay")},
                                                          {"--mse-weight", recipe.at("loss_mse_weight")}};
  for (const auto& [flag, value] : defaults) flags.prefer(flag, value, config_kind);
  return flags.settings(config_kind);
}

mg::Status run_tune(TuneFlags options, TrainFlags& network) {
  check_usage(options);
  // A lease that ends while a measurement may still be under way would have it measured twice.
  options.tuner.lease_seconds = std::max(options.tuner.lease_seconds, 2 * options.tuner.timeout_seconds + 10);
  options.model.seed = options.tuner.seed;
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<TuneRun> run, TuneRun::open(options));
  MLGRAPH_ASSIGN_OR_RETURN(TrainSettings settings, settings_of(network, run->config_kind()));
  run->use_network(std::move(settings));
  MLGRAPH_RETURN_IF_ERROR(watch_for_interrupt(""));
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads may go: that is an error of a write
  const mg::Status status = options.serve ? tune_for_others(*run) : tune_here(*run);
  const mg::Status finished = run->finish();
  return status.ok() ? finished : status;
}

void add_measuring(CLI::App& command, TuneFlags& options) {
  command.add_option(
      "--measure", options.measure,
      "A command of the shell that measures one configuration, which it gets as a JSON object on standard\n"
      "input; {NAME} in it is the choice of the decision NAME. MLGRAPH_RUNS says how many runs are wanted,\n"
      "MLGRAPH_PROGRAM, _CONFIG, _TRIAL and _TIMEOUT the rest. Its last line has the time of each run, or is\n"
      "`failed: build WHY`, run, timeout or wrong-result; another exit code than 0 is a failed run");
  command.add_flag("--serve", options.serve,
                   "Speak JSON lines on the standard streams with those who measure: examples/tune/README.md");
  command.add_option("--unit", options.unit, "Of the numbers that the command prints: s, ms, us or ns")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, double>{{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}}))
      ->default_str("s");
  command
      .add_option("--jobs", options.jobs,
                  "Run so many commands at a time; 0: one on each socket, with its processors")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--runs", options.tuner.runs,
                  "Of a measurement; of the best two more, until they are told apart")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--max-runs", options.tuner.max_runs, "Of a configuration, in all its measurements")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--timeout", options.tuner.timeout_seconds, "Seconds of a measurement")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--lease", options.tuner.lease_seconds,
                  "Seconds without an answer after which a trial is asked for again; at least 2 x timeout + 10")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--reference-every", options.tuner.reference_every,
                  "Measure the reference on a device again after so many measurements there")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void add_search(CLI::App& command, TuneFlags& options) {
  add_choice<mg::TuneStrategy>(command, "--strategy", options.strategy,
                               "random: chance alone; model: the best by networks that are fitted on the way;\n"
                               "search: also where hill climbing and annealing over a session end. Default:\n"
                               "search where nodes decide, else model");
  command.add_option("--seed", options.tuner.seed, "Of configurations by chance, and of start weights")
      ->capture_default_str();
  command
      .add_option("--max-trials", options.tuner.max_trials,
                  "Ask for so many measurements, with those of the log; 0 = any number")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--explore", options.tuner.explore, "Share of configurations by chance beside the networks'")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--confirm", options.tuner.confirm,
                  "Share of trials, at most, that measure the best two again until they are told apart")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--first-fit", options.tuner.first_fit, "Measured configurations before the first fit")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--refit-every", options.tuner.refit_every, "Measurements between two fits")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--members", options.model.members, "Networks that rank together")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command
      .add_option("--bonus", options.model.bonus,
                  "A configuration on which they disagree is taken for so many standard deviations faster")
      ->capture_default_str();
  command.add_option("--first-steps", options.model.first_steps, "Of the optimizer, in the first fit")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--steps", options.model.steps, "Of the optimizer, in each fit that goes on from the last")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--evaluations", options.tuner.proposals.evaluations,
                  "Configurations that networks score for eight proposals")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Of fits; 0 = one per processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_files(CLI::App& command, TuneFlags& options) {
  command.add_option("PROGRAM", options.file, "An npz, a protobuf or HLO: nodes and edges")->required();
  command.add_option("--program", options.program, "Which, where the file has several");
  command
      .add_option("--space", options.space,
                  "JSON: decisions, their choices, baselines: examples/tune/README.md")
      ->required();
  command
      .add_option("--log", options.log,
                  "Where measurements are kept. One that is there is gone on with; train --train reads it")
      ->required();
  command.add_option("--budget", options.budget, "Time for all, such as 90s, 30m or 8h")
      ->transform(
          CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}}))
      ->check(CLI::PositiveNumber)
      ->default_str("10m");
  command.add_option("--best", options.best, "Write the best configuration to this file, as JSON");
  command.add_option("--json", options.json, "Write all figures to this file");
  command.add_option("--report", options.report,
                     "Write a page for a browser: how it went, the fastest, failures");
}

}  // namespace

Command add_tune(CLI::App& app, mg::NetTypes nets) {
  CLI::App* const command = app.add_subcommand(
      "tune", "Measures configurations of a program, learns from them, measures what seems fast");
  const auto options = std::make_shared<TuneFlags>();
  const auto network = std::make_shared<TrainFlags>(nets);
  add_files(*command, *options);
  add_measuring(*command, *options);
  add_search(*command, *options);
  network->add_options(*command);
  command->footer(
      "Ctrl-C stops, with what was measured in the log (exit code 1); the same command goes on.\n"
      "A tuning decides epochs, slates and validation; its networks have 32 channels and 2 layers where "
      "nothing\n"
      "is said.\n"
      "Keys of --json: command, program, log, strategy, told, failed, lost, repeated, late, in_flight, "
      "earlier, fits,\n"
      "seconds, reference_ns, best (config, time: as a multiple of the reference's, ns, noise, runs), "
      "baselines,\n"
      "devices.");
  return {command, [command, options, network] {
            options->command_line = command_line(*command);
            return run_tune(*options, *network);
          }};
}

}  // namespace cli
