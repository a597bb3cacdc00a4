// SPDX-License-Identifier: Apache-2.0
// minicompiler: which values of a program to materialise, and where to compute the others, decided by a learned
// cost model on this very processor.
//
//   minicompiler                      the whole job: measure, train, decide for held-out programs, report
//   minicompiler collect              measure only, into a log that can be added to
//   minicompiler train                train a model on a log
//   minicompiler rivals               networks on a log, beside what boosted trees need for the same
//   minicompiler contest              decide for held-out programs, beside rules, a formula, trees and searches
//   minicompiler optimize PROGRAM     make programs faster, with the model inside or another
//   minicompiler space PROGRAM        write a program and its space for `mlgraph tune`
//   minicompiler measure PROGRAM      measure the configuration on standard input, as `mlgraph tune` asks
//   minicompiler show PROGRAM         print one
//
// PROGRAM is a member of a family, such as norm_24, or a file: HLO text of a dense f32 program, or a program as
// `show` prints it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"

namespace {

using namespace minicompiler;

constexpr int kBadInput = 1;
constexpr int kWrongUsage = 2;
void add_budget(CLI::App& app, CollectOptions& collect) {
  app.add_option("--budget", collect.budget_seconds, "Time to measure, such as 60s or 2min")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"min", 60}}))
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--num-programs", collect.num_programs, "Programs of the families, at most")
      ->capture_default_str();
  app.add_option("--first", collect.first, "Number of the first program of the families")
      ->capture_default_str();
  app.add_option("--samples", collect.samples, "Schedules of each program, beside the rules")
      ->capture_default_str();
}

/// A flag of the recipe whose values are the names of an enumeration.
template <class Enum>
void add_choice(CLI::App& app, const std::string& flag, std::optional<Enum>& value, const std::string& text) {
  std::vector<std::string> names;
  for (const std::string_view name : mg::enum_names<Enum>()) names.emplace_back(name);
  app.add_option_function<std::string>(
         flag, [&value, flag](const std::string& name) { value = mg::parse_enum<Enum>(flag, name).value(); },
         text)
      ->check(CLI::IsMember(names));
}

void add_training(CLI::App& app, Options& options) {
  TrainSettings& train = options.showcase.train;
  app.add_flag("--from-scratch", options.from_scratch,
               "Begin with weights by chance, not with the models inside");
  app.add_option("--epochs", train.epochs, "Of each training; default: 8 from the models inside, else 40")
      ->check(CLI::PositiveNumber);
  app.add_flag("--no-edges", options.no_edges,
               "No value sees another one, for comparison; begins from scratch");
  app.add_option("--lr", train.lr, "The highest learning rate")->check(CLI::PositiveNumber);
  app.add_option("--threads", train.threads, "0: one per processor")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", train.seed, "Of start weights and order")->capture_default_str();
  add_choice(app, "--loss", train.loss, "What a slate is fitted by; default: that of the network's recipe");
  app.add_option("--pair-weight", train.pair_weight, "Add so much of the loss cost-pairs to it")
      ->check(CLI::NonNegativeNumber);
  add_choice(app, "--list-order", train.list_order, "Of listmle: which end of the list it tells apart first");
  add_choice(app, "--select", train.select,
             "What the best epoch is chosen by: tau, what the first place loses, or the loss");
}

void add_held_out(CLI::App& app, ShowcaseOptions& showcase) {
  app.add_option("--held-out", showcase.num_held_out, "Held-out programs")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--first-held-out", showcase.first_held_out, "Number of the first")->capture_default_str();
}

void add_search(CLI::App& app, ContestOptions& contest) {
  app.add_option("--evaluations", contest.search.evaluations, "Schedules that a model scores for a program")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--climb", contest.climbing_seconds,
                 "Seconds of a long search by measuring, for each program; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

int finish(const mg::Status& status) {
  if (status.ok()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "minicompiler: %s\n", status.message().c_str());
  return kBadInput;
}

/// The subcommands of the program; each adds to one Options.
struct Commands {
  CLI::App* collect;
  CLI::App* train;
  CLI::App* rivals;
  CLI::App* contest;
  CLI::App* optimize;
  CLI::App* space;
  CLI::App* measure;
  CLI::App* show;
};

CLI::App* add_collect(CLI::App& app, Options& options) {
  CLI::App* const collect = app.add_subcommand("collect", "Measure schedules, into a log that can be added to");
  collect->add_option("programs", options.programs, "Programs or files, measured before the families");
  collect->add_option("--log", options.log, "One JSON line for each program")->capture_default_str();
  collect->add_option("--round", options.round, "2, 3, ...: of the log's programs what a model proposes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  collect->add_option("--model", options.models, "With --round: the model; default: those inside");
  collect->add_option("--npz", options.npz,
                      "Also write all of the log as TpuGraphs npz files into this folder");
  collect->add_flag("--check", options.showcase.collect.check, "Compare each result with the reference's");
  add_budget(*collect, options.showcase.collect);
  return collect;
}

CLI::App* add_train(CLI::App& app, Options& options) {
  CLI::App* const train = app.add_subcommand("train", "Train a model on a log");
  train->add_option("--log", options.log, "What collect wrote")->capture_default_str();
  train->add_option("--model", options.models, "The files to write, a model for each")->required();
  add_training(*train, options);
  return train;
}

CLI::App* add_rivals(CLI::App& app, Options& options) {
  CLI::App* const rivals = app.add_subcommand(
      "rivals", "Train networks and write their scores beside features for trees, for bench/peers/trees.py");
  rivals->add_option("--log", options.log, "What collect wrote")->capture_default_str();
  rivals->add_option("--npz", options.npz, "The file to write")->required();
  rivals->add_option("--seeds", options.seeds, "Networks; 0: features alone")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_training(*rivals, options);
  return rivals;
}

CLI::App* add_contest(CLI::App& app, Options& options) {
  ShowcaseOptions& showcase = options.showcase;
  CLI::App* const contest = app.add_subcommand("contest", "Decide for held-out programs, by all ways");
  contest->add_option("--log", options.log, "Whose programs choose the one rule")->capture_default_str();
  contest->add_option("--model", options.models, "What train wrote; default: those inside");
  contest->add_option("--edgeless", options.edgeless, "What train --no-edges wrote, to be compared");
  contest->add_option("--trees", options.trees, "Trees of bench/peers/trees.py --save, to be compared");
  contest->add_option("programs", options.programs, "Such as norm_24, or files of HLO; default: held-out ones");
  contest->add_flag("--groups", showcase.contest.grouping,
                    "Also dynamic programming over groups, whose nests are measured by themselves");
  contest
      ->add_option("--same-time", showcase.contest.same_seconds,
                   "Seconds of a random search and of a climbing one, from the rules; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_held_out(*contest, showcase);
  add_search(*contest, showcase.contest);
  return contest;
}

CLI::App* add_optimize(CLI::App& app, Options& options) {
  CLI::App* const optimize = app.add_subcommand("optimize", "Make programs faster, and measure");
  optimize->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  optimize->add_option("--model", options.models, "What train wrote; default: those inside");
  add_search(*optimize, options.showcase.contest);
  return optimize;
}

CLI::App* add_space(CLI::App& app, Options& options) {
  CLI::App* const space =
      app.add_subcommand("space", "Write programs and their spaces for mlgraph tune, into the folder of --out");
  space->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  space->fallthrough();  // --out
  return space;
}

CLI::App* add_measure(CLI::App& app, Options& options) {
  CLI::App* const measure = app.add_subcommand(
      "measure", "Measure the configuration on standard input, as mlgraph tune --measure asks for it");
  measure->add_option("program", options.programs, "Such as norm_24, or a file")->required()->expected(1);
  measure->add_flag("--check", options.showcase.collect.check, "Compare the result with the reference's first");
  return measure;
}

CLI::App* add_show(CLI::App& app, Options& options) {
  CLI::App* const show = app.add_subcommand("show", "Print programs as text");
  show->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  return show;
}

Commands add_commands(CLI::App& app, Options& options) {
  const Commands commands = {add_collect(app, options), add_train(app, options),    add_rivals(app, options),
                             add_contest(app, options), add_optimize(app, options), add_space(app, options),
                             add_measure(app, options), add_show(app, options)};
  for (CLI::App* const command : {commands.collect, commands.contest, commands.optimize, commands.space,
                                  commands.measure, commands.show}) {
    command->add_flag("--large", options.is_long, "Programs of the families have 100 to 300 operators");
    command->add_option("--region", options.region,
                        "Of an HLO module only the largest connected part that is dense, of at most so many "
                        "operators, bf16 read as f32; 0: the whole, or an error");
  }
  return commands;
}

int run(int argc, char** argv) {
  Options options;
  ShowcaseOptions& showcase = options.showcase;
  showcase.folder = "minicompiler_out";
  showcase.collect.samples = 32;
  showcase.train.epochs = 0;  // the command chooses
  for (int i = 0; i < argc; ++i) showcase.command += mg::str_cat(i == 0 ? "" : " ", argv[i]);

  CLI::App app(
      "A learned cost model decides what a compiler fuses, on this processor. Without a command: the whole "
      "job.",
      "minicompiler");
  app.require_subcommand(0, 1);
  app.add_flag("--quick", options.quick, "A short version");
  app.add_flag("--resume", options.resume, "Add to the measurements of the last run instead of new ones");
  app.add_option("--out", showcase.folder, "Where measurements, model and report.html go")
      ->envname("MINICOMPILER_OUT")
      ->capture_default_str();
  add_held_out(app, showcase);
  add_budget(app, showcase.collect);
  add_training(app, options);
  add_search(app, showcase.contest);
  const Commands commands = add_commands(app, options);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  if (commands.collect->parsed()) return finish(run_collect(options));
  if (commands.train->parsed()) return finish(run_train(options));
  if (commands.rivals->parsed()) return finish(run_rivals(options));
  if (commands.contest->parsed()) return finish(run_contest(options));
  if (commands.optimize->parsed()) return finish(run_optimize(options));
  if (commands.space->parsed()) return finish(run_space(options));
  if (commands.measure->parsed()) return finish(run_measure(options));
  if (commands.show->parsed()) return finish(run_show(options));
  return finish(run_all(options));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // of the standard library: no memory, most likely
    std::fprintf(stderr, "minicompiler: %s\n", error.what());
    return kBadInput;
  }
}
