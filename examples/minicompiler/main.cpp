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
//   minicompiler measure PROGRAM      measure the configuration on standard input, as `mlgraph tune --measure`
//   asks minicompiler show PROGRAM         print one
//
// PROGRAM is a member of a family, such as norm_24, or a file: HLO text of a dense f32 program, or a program as
// `show` prints it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "collect.hpp"
#include "contest.hpp"
#include "dataset.hpp"
#include "families.hpp"
#include "hlo.hpp"
#include "learn.hpp"
#include "mlgraph/io/file.hpp"
#include "results.hpp"
#include "rivals.hpp"
#include "runtime_model_1.hpp"
#include "runtime_model_2.hpp"
#include "runtime_model_3.hpp"
#include "showcase.hpp"
#include "text.hpp"
#include "trees.hpp"
#include "tuning.hpp"

namespace {

using namespace minicompiler;

constexpr int kBadInput = 1;
constexpr int kWrongUsage = 2;
constexpr int kEpochs = 40;  // of trainings that begin by chance

/// A member of a family by its name, or a file; of HLO the whole module, or its largest region of at most so
/// many operators (0: the whole).
mg::Result<Program> find_program(const std::string& name, const ProgramLimits& limits, std::size_t region) {
  const std::size_t underscore = name.rfind('_');
  const bool is_member =
      underscore != std::string::npos &&
      std::find(kFamilyNames.begin(), kFamilyNames.end(), name.substr(0, underscore)) != kFamilyNames.end();
  std::error_code ignored;
  if (is_member && !std::filesystem::exists(name, ignored)) {
    std::uint32_t number = 0;
    const std::from_chars_result end =
        std::from_chars(name.data() + underscore + 1, name.data() + name.size(), number);
    if (end.ec != std::errc() || end.ptr != name.data() + name.size())
      return mg::Status::invalid_argument(mg::str_cat(name, " should end in a number below 2^32"));
    MLGRAPH_ASSIGN_OR_RETURN(Program program, make_program(number, limits));
    if (program.name == name) return program;
    return mg::Status::not_found(mg::str_cat("there is no ", name, "; number ", number, " is ", program.name));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::read_file(name));
  const std::string_view text = mg::io::as_text(bytes);
  if (text.find("HloModule") == std::string_view::npos) return parse_program(text, name);
  HloOptions reading;
  if (region > 0) reading = {true, region, true};
  MLGRAPH_ASSIGN_OR_RETURN(HloProgram read, from_hlo(text, name, reading));
  std::fprintf(stderr, "%s: %zu of %zu instructions\n", name.c_str(), read.num_read, read.num_instructions);
  return std::move(read.program);
}

mg::Status make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return {};
  return mg::Status::unavailable(mg::str_cat(folder, ": ", error.message()));
}

/// The options of all commands.
struct Options {
  ShowcaseOptions showcase;
  std::string log = "measurements.jsonl";
  std::vector<std::string> models;
  std::string npz;       // a folder
  std::string trees;     // a file
  std::string edgeless;  // a model that was trained with --no-edges
  int round = 1;
  std::vector<std::string> programs;
  int seeds = 3;
  bool from_scratch = false;
  bool no_edges = false;
  bool quick = false;
  bool resume = false;
  std::size_t region = 0;
  bool is_long = false;

  [[nodiscard]] ProgramLimits limits() const { return is_long ? ProgramLimits::of_long() : ProgramLimits{}; }
};

mg::Result<std::vector<Program>> find_programs(const Options& options) {
  std::vector<Program> programs;
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(Program program, find_program(name, options.limits(), options.region));
    programs.push_back(std::move(program));
  }
  return programs;
}

/// The models inside.
std::vector<mg::Span<const std::byte>> built_in() { return {kRuntimeModel1, kRuntimeModel2, kRuntimeModel3}; }

/// The models of some files; of none those inside.
mg::Result<std::unique_ptr<Networks>> load_networks(const std::vector<std::string>& paths,
                                                    const Machine& machine) {
  if (paths.empty()) return Networks::load(built_in(), machine);
  std::vector<std::vector<std::byte>> files;
  for (const std::string& path : paths) {
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, mg::io::read_file(path));
    files.push_back(std::move(bytes));
  }
  return Networks::load({files.begin(), files.end()}, machine);
}

/// Training goes on from the models inside, or begins by chance.
void set_starts(const Options& options, ShowcaseOptions& showcase) {
  showcase.train.edges = !options.no_edges;
  const bool goes_on = !options.from_scratch && !options.no_edges;
  if (goes_on) {
    showcase.members.starts = built_in();
    showcase.train.lr = showcase.train.lr.value_or(5e-4);
  }
  if (showcase.train.epochs == 0) showcase.train.epochs = goes_on ? 8 : kEpochs;
}

mg::Status run_all(Options& options) {
  ShowcaseOptions& showcase = options.showcase;
  if (options.quick) {
    showcase.collect.budget_seconds = std::min(showcase.collect.budget_seconds, 12.0);
    if (showcase.train.epochs == 0) showcase.train.epochs = 2;
    showcase.num_held_out = std::min<std::uint32_t>(showcase.num_held_out, kNumFamilies);
  }
  set_starts(options, showcase);
  MLGRAPH_RETURN_IF_ERROR(make_folder(showcase.folder));
  std::error_code ignored;
  if (!options.resume) std::filesystem::remove(showcase.folder + "/measurements.jsonl", ignored);
  return run_showcase(showcase);
}

mg::Status run_collect(Options& options) {
  CollectOptions& collecting = options.showcase.collect;
  collecting.limits = options.limits();
  MLGRAPH_ASSIGN_OR_RETURN(collecting.programs, find_programs(options));
  std::unique_ptr<Networks> networks;
  if (options.round > 1) {
    MLGRAPH_ASSIGN_OR_RETURN(networks, load_networks(options.models, measure_machine()));
  }
  MLGRAPH_RETURN_IF_ERROR(
      collect_with_progress(options.log, options.round, networks.get(), collecting).status());
  if (options.npz.empty()) return {};
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(options.log));
  return write_npz(split_records(std::move(records)), measure_machine(), options.npz);
}

mg::Status run_train(Options& options) {
  ShowcaseOptions& showcase = options.showcase;
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(options.log));
  const Split split = split_records(std::move(records));
  const Machine machine = measure_machine();
  set_starts(options, showcase);
  showcase.members.count = static_cast<int>(options.models.size());
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<TrainedModel> members,
                           train_with_progress(split, machine, showcase.train, showcase.members));
  for (std::size_t m = 0; m < members.size(); ++m)
    MLGRAPH_RETURN_IF_ERROR(mg::io::write_file(options.models[m], members[m].bytes));
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Networks> networks,
                           Networks::load(files_of(members), machine));
  const Formula formula(machine);
  for (const auto& [part, of_part] : {std::pair("validating", &split.valid), {"held-out", &split.held_out}}) {
    if (of_part->empty()) continue;
    const std::pair<const char*, const Ranker*> rankers[] = {{"formula", &formula},
                                                             {"network", networks.get()}};
    for (const auto& [name, ranker] : rankers) {
      MLGRAPH_ASSIGN_OR_RETURN(const Quality q, mean_quality(*ranker, *of_part));
      std::printf("%s programs, %s: tau %.3f, slowdown@1 %.1f %%, @5 %.1f %%\n", part, name, q.kendall_tau,
                  100 * q.slowdown1, 100 * q.slowdown5);
    }
  }
  return {};
}

mg::Status run_rivals(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(options.log));
  TrainSettings settings = options.showcase.train;
  if (settings.epochs == 0) settings.epochs = kEpochs;
  return write_rivals(split_records(std::move(records)), measure_machine(), std::move(settings), options.seeds,
                      options.npz);
}

mg::Status run_contest(Options& options) {
  options.showcase.collect.limits = options.limits();
  MLGRAPH_ASSIGN_OR_RETURN(std::vector<Record> records, read_log(options.log));
  const Machine machine = measure_machine();
  std::printf("%s; %s\n", machine_text().c_str(), machine_text(machine).c_str());
  const Formula formula(machine);
  std::unique_ptr<Trees> trees;
  std::unique_ptr<Networks> edgeless;
  std::vector<Contestant> contestants = {{"formula", &formula}};
  if (!options.trees.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(trees, Trees::load(options.trees, machine));
    contestants.push_back({"trees", trees.get()});
  }
  if (!options.edgeless.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(edgeless, load_networks({options.edgeless}, machine));
    contestants.push_back({"network without edges", edgeless.get()});
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Networks> networks, load_networks(options.models, machine));
  contestants.push_back({"network", networks.get()});
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, options.programs.empty()
                                                                    ? held_out_programs(options.showcase)
                                                                    : find_programs(options));
  MLGRAPH_ASSIGN_OR_RETURN(
      const Results results,
      hold_contests(split_records(std::move(records)).train, programs, contestants, options.showcase.contest));
  std::printf("\n%s\n%s%s", results_table(results).c_str(), paired_text(results).c_str(),
              summary_line(results).c_str());
  return {};
}

mg::Status run_optimize(Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, find_programs(options));
  const Machine machine = measure_machine();
  MLGRAPH_ASSIGN_OR_RETURN(const std::unique_ptr<Networks> networks, load_networks(options.models, machine));
  const Formula formula(machine);
  const PinnedThread pinned;
  for (const Program& program : programs) {
    MLGRAPH_ASSIGN_OR_RETURN(
        const Contest contest,
        hold_contest(program, {{"formula", &formula}, {"network", networks.get()}}, options.showcase.contest));
    std::printf("%s", contest_text(contest, {"formula", "network"}).c_str());
  }
  return {};
}

mg::Status run_space(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, find_programs(options));
  MLGRAPH_RETURN_IF_ERROR(make_folder(options.showcase.folder));
  const Machine machine = measure_machine();
  for (const Program& program : programs)
    MLGRAPH_RETURN_IF_ERROR(write_tuning(program, machine, options.showcase.folder));
  return {};
}

/// Prints the seconds of each visit, or why there are none, as `mlgraph tune` reads them.
mg::Status run_measure(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, find_programs(options));
  const std::string config{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  const char* const runs = std::getenv("MLGRAPH_RUNS");
  const int visits = std::clamp(runs == nullptr ? 3 : std::atoi(runs), 1, 10'000);
  const PinnedThread pinned;
  const mg::Result<std::vector<std::int64_t>> times =
      measure_config(programs[0], config, visits, options.showcase.collect.check);
  if (!times.ok()) {
    const bool wrong = times.status().code() == mg::StatusCode::kDataLoss;
    std::printf("failed: %s %s\n", wrong ? "wrong-result" : "build", times.status().message().c_str());
    return {};
  }
  for (const std::int64_t ns : *times) std::printf("%.9f ", 1e-9 * static_cast<double>(ns));
  std::printf("\n");
  return {};
}

mg::Status run_show(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Program> programs, find_programs(options));
  for (const Program& program : programs) std::printf("%s", to_text(program).c_str());
  return {};
}

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

int run(int argc, char** argv) {
  Options options;
  ShowcaseOptions& showcase = options.showcase;
  showcase.folder = "minicompiler_out";
  showcase.collect.samples = 32;
  showcase.train.epochs = 0;  // see set_starts()
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

  CLI::App* const collect = app.add_subcommand("collect", "Measure schedules, into a log that can be added to");
  collect->add_option("programs", options.programs, "Programs or files, measured before the families");
  collect->add_option("--log", options.log, "One JSON line for each program")->capture_default_str();
  collect->add_option("--round", options.round, "2, 3, ...: of the log's programs what a model proposes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  collect->add_option("--model", options.models, "With --round: the model; default: those inside");
  collect->add_option("--npz", options.npz,
                      "Also write all of the log as TpuGraphs npz files into this folder");
  collect->add_flag("--check", showcase.collect.check, "Compare each result with the reference's");
  add_budget(*collect, showcase.collect);

  CLI::App* const train = app.add_subcommand("train", "Train a model on a log");
  train->add_option("--log", options.log, "What collect wrote")->capture_default_str();
  train->add_option("--model", options.models, "The files to write, a model for each")->required();
  add_training(*train, options);

  CLI::App* const rivals = app.add_subcommand(
      "rivals", "Train networks and write their scores beside features for trees, for bench/peers/trees.py");
  rivals->add_option("--log", options.log, "What collect wrote")->capture_default_str();
  rivals->add_option("--npz", options.npz, "The file to write")->required();
  rivals->add_option("--seeds", options.seeds, "Networks; 0: features alone")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_training(*rivals, options);

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

  CLI::App* const optimize = app.add_subcommand("optimize", "Make programs faster, and measure");
  optimize->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  optimize->add_option("--model", options.models, "What train wrote; default: those inside");
  add_search(*optimize, showcase.contest);

  CLI::App* const space =
      app.add_subcommand("space", "Write programs and their spaces for mlgraph tune, into the folder of --out");
  space->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  space->fallthrough();  // --out
  CLI::App* const measure = app.add_subcommand(
      "measure", "Measure the configuration on standard input, as mlgraph tune --measure asks for it");
  measure->add_option("program", options.programs, "Such as norm_24, or a file")->required()->expected(1);
  measure->add_flag("--check", showcase.collect.check, "Compare the result with the reference's first");

  CLI::App* const show = app.add_subcommand("show", "Print programs as text");
  show->add_option("programs", options.programs, "Such as norm_24, or a file")->required();
  for (CLI::App* const command : {collect, contest, optimize, space, measure, show}) {
    command->add_flag("--large", options.is_long, "Programs of the families have 100 to 300 operators");
    command->add_option("--region", options.region,
                        "Of an HLO module only the largest connected part that is dense, of at most so many "
                        "operators, bf16 read as f32; 0: the whole, or an error");
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  if (collect->parsed()) return finish(run_collect(options));
  if (train->parsed()) return finish(run_train(options));
  if (rivals->parsed()) return finish(run_rivals(options));
  if (contest->parsed()) return finish(run_contest(options));
  if (optimize->parsed()) return finish(run_optimize(options));
  if (space->parsed()) return finish(run_space(options));
  if (measure->parsed()) return finish(run_measure(options));
  if (show->parsed()) return finish(run_show(options));
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
