// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "collect.hpp"
#include "contest.hpp"
#include "dataset.hpp"
#include "hlo.hpp"
#include "learn.hpp"
#include "mlgraph/io/file.hpp"
#include "results.hpp"
#include "rivals.hpp"
#include "runtime_model_1.hpp"
#include "runtime_model_2.hpp"
#include "runtime_model_3.hpp"
#include "text.hpp"
#include "trees.hpp"
#include "tuning.hpp"

namespace minicompiler {

namespace {

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

}  // namespace

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

}  // namespace minicompiler
