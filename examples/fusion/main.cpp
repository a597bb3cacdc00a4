// SPDX-License-Identifier: Apache-2.0
// fusion: which values of a program to materialise, and where to compute the others, decided by a learned cost
// model on this very processor.
//
//   fusion collect          measure schedules of many programs, into a log that can be added to
//   fusion compare          what rules, a formula and a search by measuring make of some programs
//   fusion show PROGRAM     print one
//
// PROGRAM is a member of a family, such as norm_21, or a file: HLO text of a dense f32 program, or a program as
// `show` prints it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "collect.hpp"
#include "compare.hpp"
#include "families.hpp"
#include "hlo.hpp"
#include "interrupt.hpp"
#include "mlgraph/io/file.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace {

using namespace minicompiler;

constexpr int kBadInput = 1;
constexpr int kWrongUsage = 2;

/// A member of a family by its name, or a file.
mg::Result<Program> find_program(const std::string& name, const ProgramLimits& limits) {
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
  MLGRAPH_ASSIGN_OR_RETURN(HloProgram read, from_hlo(text, name));
  return std::move(read.program);
}

/// The options of all commands.
struct Options {
  CollectOptions collect;
  std::string log = "fusion.jsonl";
  std::vector<std::string> programs;
  std::uint32_t first = 0;
  std::uint32_t num_compared = 14;
  double climbing_seconds = 5;
  bool is_long = false;

  [[nodiscard]] ProgramLimits limits() const { return is_long ? ProgramLimits::of_long() : ProgramLimits{}; }
};

mg::Status run_collect(Options& options) {
  options.collect.limits = options.limits();
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(Program program, find_program(name, options.limits()));
    options.collect.programs.push_back(std::move(program));
  }
  const StopOnInterrupt interrupt;
  Progress progress("measuring");
  options.collect.progress = [&](double done, const std::string& name) {
    progress.show(done, name);
    return !interrupt.stopped();
  };
  MLGRAPH_ASSIGN_OR_RETURN(const CollectSummary summary, collect(options.log, options.collect));
  const double share = 100 * summary.seconds_running / std::max(summary.seconds, 1e-9);
  progress.finish(mg::str_cat(summary.num_programs, " programs, ", summary.num_schedules, " schedules, ",
                              static_cast<int>(share), " % of the time running them",
                              interrupt.stopped() ? "; interrupted, nothing is lost" : ""));
  return {};
}

mg::Status run_compare(const Options& options) {
  const StopOnInterrupt interrupt;
  const Machine machine = measure_machine();
  const auto of = [&](Op op) { return machine.element[static_cast<std::size_t>(op)]; };
  const auto more = [&](Level level) { return 4 * machine.read[static_cast<std::size_t>(level)]; };
  std::printf(
      "this machine, ns an element: add %.3f, exponential %.3f; read from L2 %.3f more, L3 %.3f, memory %.3f; "
      "a call %.0f ns; dots %.0f GFLOP/s\n",
      of(Op::kAdd), of(Op::kExponential), more(Level::kL2), more(Level::kL3), more(Level::kMemory),
      machine.call, 1 / machine.flop_dot);
  std::vector<Compared> all;
  for (std::uint32_t i = 0; i < options.num_compared && !interrupt.stopped(); ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(const Program program, make_program(options.first + i, options.limits()));
    MLGRAPH_ASSIGN_OR_RETURN(const Compared one, compare(program, machine, options.climbing_seconds));
    std::printf("%-14s best rule %8.1f us, formula %8.1f, hill climbing %8.1f (%zu measured)\n",
                one.program.c_str(), 1e-3 * static_cast<double>(one.best_rule()),
                1e-3 * static_cast<double>(one.formula), 1e-3 * static_cast<double>(one.climbed),
                one.num_climbed);
    std::fflush(stdout);
    all.push_back(one);
  }
  std::printf("%s", compared_table(all).c_str());
  return {};
}

mg::Status run_show(const Options& options) {
  for (const std::string& name : options.programs) {
    MLGRAPH_ASSIGN_OR_RETURN(const Program program, find_program(name, options.limits()));
    std::printf("%s", to_text(program).c_str());
  }
  return {};
}

int finish(const mg::Status& status) {
  if (status.ok()) return 0;
  std::fflush(stdout);
  std::fprintf(stderr, "fusion: %s\n", status.message().c_str());
  return kBadInput;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("A learned cost model decides what a compiler fuses, on this processor.", "fusion");
  app.require_subcommand(1, 1);

  CLI::App* const collect = app.add_subcommand("collect", "Measure schedules, into a log that can be added to");
  collect->add_option("programs", options.programs, "Programs or files, measured before the families");
  collect->add_option("--log", options.log, "One JSON line for each program")->capture_default_str();
  collect->add_option("--budget", options.collect.budget_seconds, "Time to measure, such as 60s or 2min")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"s", 1}, {"min", 60}}))
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  collect->add_option("--num-programs", options.collect.num_programs, "Programs of the families, at most")
      ->capture_default_str();
  collect->add_option("--first", options.collect.first, "Number of the first program of the families")
      ->capture_default_str();
  collect->add_option("--samples", options.collect.samples, "Schedules of each program, beside the rules")
      ->capture_default_str();
  collect->add_flag("--check", options.collect.check, "Compare each result with the reference's");

  CLI::App* const show = app.add_subcommand("show", "Print programs as text");
  show->add_option("programs", options.programs, "Such as norm_21, or a file")->required();
  CLI::App* const compare =
      app.add_subcommand("compare", "Rules, a formula and hill climbing on the same programs");
  compare->add_option("--num-programs", options.num_compared, "Programs of the families")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  compare->add_option("--first", options.first, "Number of the first")->capture_default_str();
  compare->add_option("--seconds", options.climbing_seconds, "Of hill climbing, for each program")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  for (CLI::App* const command : {collect, compare, show})
    command->add_flag("--long", options.is_long, "Programs of the families have 100 to 300 operators");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  if (collect->parsed()) return finish(run_collect(options));
  return finish(compare->parsed() ? run_compare(options) : run_show(options));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // of the standard library: no memory, most likely
    std::fprintf(stderr, "fusion: %s\n", error.what());
    return kBadInput;
  }
}
