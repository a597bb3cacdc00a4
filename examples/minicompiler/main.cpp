// SPDX-License-Identifier: Apache-2.0
// minicompiler: a learned cost model picks layouts and tiles on this very processor, and programs get faster.
//
//   minicompiler                      the whole job: measure, train, optimize held-out programs, report
//   minicompiler collect              measure only, into a log that can be added to
//   minicompiler train                train both models on a log
//   minicompiler optimize PROGRAM     make one program faster, with the models inside or others
//   minicompiler show PROGRAM         print one
//
// PROGRAM is a member of a family, such as resnet_21, or a file: HLO text of a dense f32 program, or a program
// as `show` prints it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "collect.hpp"
#include "families.hpp"
#include "hlo.hpp"
#include "layout_model.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/tpugraphs.hpp"
#include "models.hpp"
#include "optimize.hpp"
#include "results.hpp"
#include "showcase.hpp"
#include "text.hpp"
#include "tile_model.hpp"

namespace {

using namespace minicompiler;

constexpr int kBadInput = 1;
constexpr int kWrongUsage = 2;

/// A member of a family by its name, or a file.
mg::Result<Program> find_program(const std::string& name) {
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
    MLGRAPH_ASSIGN_OR_RETURN(Program program, make_program(number));
    if (program.name == name) return program;
    return mg::Status::not_found(mg::str_cat("there is no ", name, "; number ", number, " is ", program.name));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, mg::io::read_file(name));
  const std::string_view text = mg::io::as_text(bytes);
  if (text.find("HloModule") == std::string_view::npos) return parse_program(text, name);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::HloModule module, mg::io::read_hlo_text(text, name));
  return from_hlo(module);
}

mg::Status make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return {};
  return mg::Status::unavailable(mg::str_cat(folder, ": ", error.message()));
}

/// Every record as a TpuGraphs npz: FOLDER/layout/train/NAME.npz, ...; `mlgraph train` reads the folders.
mg::Status write_npz(const std::vector<Record>& records, const std::string& folder) {
  for (const mg::io::Task task : {mg::io::Task::kLayout, mg::io::Task::kTile}) {
    const Split split = split_records(records, task);
    const std::pair<const char*, const std::vector<Record>*> parts[] = {
        {"train", &split.train}, {"valid", &split.valid}, {"test", &split.held_out}};
    for (const auto& [part, of_part] : parts) {
      const std::string to = mg::str_cat(folder, "/", mg::enum_name(task), "/", part);
      MLGRAPH_RETURN_IF_ERROR(make_folder(to));
      for (const Record& record : *of_part) {
        MLGRAPH_ASSIGN_OR_RETURN(const mg::io::Program problem, to_problem(record));
        MLGRAPH_RETURN_IF_ERROR(mg::io::to_npz(problem.view(), mg::str_cat(to, "/", problem.name, ".npz")));
      }
    }
  }
  return {};
}

/// The options of all commands.
struct Options {
  ShowcaseOptions showcase;
  bool quick = false;
  bool resume = false;
  std::string log = "measurements.jsonl";
  std::string npz;
  std::string models;
  std::vector<std::string> programs;
  bool train_first = false;
};

mg::Status run_all(Options& options) {
  ShowcaseOptions& showcase = options.showcase;
  if (options.quick) {
    showcase.collect.budget_seconds = std::min(showcase.collect.budget_seconds, 16.0);
    showcase.collect.configs_per_program = 32;
    showcase.collect.kernels_per_program = 1;
    showcase.collect.measure.rounds = 3;
    showcase.train.epochs = 30;
  }
  MLGRAPH_RETURN_IF_ERROR(make_folder(showcase.folder));
  std::error_code ignored;
  if (!options.resume) std::filesystem::remove(showcase.folder + "/measurements.jsonl", ignored);
  return run_showcase(showcase);
}

mg::Status run_collect(Options& options) {
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(Program program, find_program(name));
    options.showcase.collect.programs.push_back(std::move(program));
  }
  MLGRAPH_RETURN_IF_ERROR(collect_with_progress(options.log, options.showcase.collect).status());
  if (options.npz.empty()) return {};
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Record> records, read_log(options.log));
  return write_npz(records, options.npz);
}

mg::Status run_train(const Options& options) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Record> records, read_log(options.log));
  MLGRAPH_RETURN_IF_ERROR(make_folder(options.models));
  MLGRAPH_ASSIGN_OR_RETURN(const Models models, train_models(records, options.showcase.train));
  MLGRAPH_RETURN_IF_ERROR(save_models(models, options.models));
  MLGRAPH_ASSIGN_OR_RETURN(const Rankers rankers, load_rankers(models.layout.bytes, models.tile.bytes));
  MLGRAPH_ASSIGN_OR_RETURN(
      const RankingResult layouts,
      evaluate_ranking(rankers.layout, split_records(records, mg::io::Task::kLayout).held_out));
  MLGRAPH_ASSIGN_OR_RETURN(
      const RankingResult tiles,
      evaluate_ranking(rankers.tile, split_records(records, mg::io::Task::kTile).held_out));
  std::printf("%s", ranking_table(layouts, tiles).c_str());
  return {};
}

mg::Result<Rankers> rankers_of(Options& options) {
  if (options.train_first) {
    MLGRAPH_RETURN_IF_ERROR(run_collect(options));
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Record> records, read_log(options.log));
    MLGRAPH_ASSIGN_OR_RETURN(const Models models, train_models(records, options.showcase.train));
    return load_rankers(models.layout.bytes, models.tile.bytes);
  }
  if (!options.models.empty()) return load_rankers(options.models);
  return load_rankers(kLayoutModel, kTileModel);
}

mg::Status run_optimize(Options& options) {
  std::vector<Program> programs;
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(Program program, find_program(name));
    programs.push_back(std::move(program));
  }
  options.programs.clear();  // not to be collected
  MLGRAPH_ASSIGN_OR_RETURN(const Rankers rankers, rankers_of(options));
  for (const Program& program : programs) {
    MLGRAPH_ASSIGN_OR_RETURN(const Optimized o,
                             optimize(program, rankers.layout, rankers.tile, options.showcase.optimize));
    const auto row = [&](const char* name, std::int64_t ns) {
      std::printf("  %-36s %10.1f us  %5.2f x\n", name, static_cast<double>(ns) / 1e3,
                  static_cast<double>(o.default_ns) / static_cast<double>(ns));
    };
    std::printf("%s: %zu instructions, %.2f MFLOP\n", program.name.c_str(), program.instructions.size(),
                static_cast<double>(num_flops(program)) / 1e6);
    row("default", o.default_ns);
    row("greedy heuristic: each op alone", o.greedy_ns);
    row("random search, same time", o.random_ns);
    row("model: its first layouts", o.first_ns);
    row("model: fastest layouts it proposed", o.layouts_ns);
    row("model: these layouts and its tiles", o.chosen_ns);
    std::printf(
        "  copies: %zu by default, %zu as chosen; %lld evaluations in %.0f ms (%.0f a second), %lld tiles; the "
        "random "
        "search measured %lld configurations in %.0f ms\n",
        o.default_copies, o.chosen_copies, static_cast<long long>(o.num_evaluations), 1e3 * o.search_seconds,
        static_cast<double>(o.num_evaluations) / o.search_seconds,
        static_cast<long long>(o.num_tile_evaluations), static_cast<long long>(o.num_random), 1e3 * o.seconds);
  }
  return {};
}

mg::Status run_show(const Options& options) {
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(const Program program, find_program(name));
    std::printf("%s", to_text(program).c_str());
  }
  return {};
}

void add_budget(CLI::App& app, CollectOptions& collect) {
  app.add_option("--budget", collect.budget_seconds, "Time to measure, such as 60s or 2min")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"min", 60}}))
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--num-programs", collect.num_programs, "Programs of the families, at most")
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

void add_training(CLI::App& app, TrainSettings& train) {
  app.add_option("--epochs", train.epochs, "Of each model")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", train.threads, "0: one per processor")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", train.seed, "Of start weights and order")->capture_default_str();
  add_choice(app, "--loss", train.loss, "What a slate is fitted by; default: that of the networks' recipes");
  app.add_option("--pair-weight", train.pair_weight, "Add so much of the loss cost-pairs to it")
      ->check(CLI::NonNegativeNumber);
  add_choice(app, "--list-order", train.list_order, "Of listmle: which end of the list it tells apart first");
  add_choice(app, "--select", train.select,
             "What the best epoch is chosen by: tau, what the first place loses, or the loss");
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
  showcase.collect.budget_seconds = 75;
  showcase.collect.num_programs = 180;
  showcase.train.epochs = 40;

  CLI::App app(
      "A learned cost model picks layouts and tiles on this processor. Without a command: the whole job.",
      "minicompiler");
  app.require_subcommand(0, 1);
  app.add_flag("--quick", options.quick, "A short version, with worse models");
  app.add_flag("--resume", options.resume, "Add to the measurements of the last run instead of new ones");
  app.add_option("--out", showcase.folder, "Where measurements, models and report.html go")
      ->envname("MINICOMPILER_OUT")
      ->capture_default_str();
  add_budget(app, showcase.collect);
  add_training(app, showcase.train);

  CLI::App* const collect = app.add_subcommand("collect", "Measure programs, into a log that can be added to");
  collect->add_option("programs", options.programs, "Programs or files, measured before the families");
  collect->add_option("--log", options.log, "One JSON line for each program")->capture_default_str();
  collect->add_option("--npz", options.npz,
                      "Also write all of the log as TpuGraphs npz files into this folder");
  add_budget(*collect, showcase.collect);

  CLI::App* const train = app.add_subcommand("train", "Train both models on a log");
  train->add_option("--log", options.log, "What collect wrote")->capture_default_str();
  train->add_option("--models", options.models, "The folder for layout.safetensors and tile.safetensors")
      ->required();
  add_training(*train, showcase.train);

  CLI::App* const optimize_command = app.add_subcommand("optimize", "Make programs faster, and measure");
  optimize_command->add_option("programs", options.programs, "Such as resnet_21, or a file")->required();
  optimize_command->add_option("--models", options.models, "What train wrote; default: the models inside");
  optimize_command->add_flag("--train", options.train_first, "Measure and train on this machine first");
  optimize_command->add_option("--log", options.log, "With --train: the log")->capture_default_str();
  optimize_command->add_option("--evaluations", showcase.optimize.max_evaluations, "Of the layout model")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_budget(*optimize_command, showcase.collect);
  add_training(*optimize_command, showcase.train);

  CLI::App* const show = app.add_subcommand("show", "Print programs as text");
  show->add_option("programs", options.programs, "Such as resnet_21, or a file")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  if (collect->parsed()) return finish(run_collect(options));
  if (train->parsed()) return finish(run_train(options));
  if (optimize_command->parsed()) return finish(run_optimize(options));
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
