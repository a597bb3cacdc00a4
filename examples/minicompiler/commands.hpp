// SPDX-License-Identifier: Apache-2.0
// The commands of the program minicompiler, as functions of their options. main.cpp makes these from a command
// line.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_COMMANDS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_COMMANDS_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "families.hpp"
#include "showcase.hpp"

namespace minicompiler {

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

/// The whole job: measures, trains, decides for held-out programs, reports.
[[nodiscard]] mg::Status run_all(Options& options);
/// Measures schedules, into a log that can be added to.
[[nodiscard]] mg::Status run_collect(Options& options);
/// Trains models on a log and prints what they are worth.
[[nodiscard]] mg::Status run_train(Options& options);
/// Trains networks and writes their scores beside features for trees.
[[nodiscard]] mg::Status run_rivals(const Options& options);
/// Decides for held-out programs, by all ways.
[[nodiscard]] mg::Status run_contest(Options& options);
/// Makes programs faster, and measures.
[[nodiscard]] mg::Status run_optimize(Options& options);
/// Writes programs and their spaces for `mlgraph tune`.
[[nodiscard]] mg::Status run_space(const Options& options);
/// Measures the configuration on standard input, as `mlgraph tune --measure` asks for it.
[[nodiscard]] mg::Status run_measure(const Options& options);
/// Prints programs as text.
[[nodiscard]] mg::Status run_show(const Options& options);

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_COMMANDS_HPP
