// SPDX-License-Identifier: Apache-2.0
// The flags of `mlgraph train` that are not of a network or a recipe.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_OPTIONS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_OPTIONS_HPP

#include <cstdint>
#include <optional>
#include <string>

#include "training.hpp"

namespace CLI {
class App;
}

namespace cli {

/// What the flags of `mlgraph train` say, beside those of network and recipe.
struct TrainCommand {
  DataOptions data;
  std::string model, resume, export_checkpoint, stop_file, json, report, split_indices, licence;
  std::string command;       // for the model's file
  std::string command_line;  // for the report: with what changes nothing
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> split_seed;
  int seeds = 1;
  int threads = 0;
  double padding = 0;
  bool extra = false;
  std::string target = "runtime";
  double checkpoint_every = 30;
};

/// Throws CLI::ValidationError for options that contradict each other.
void check_usage(const TrainCommand& options);

void add_train_options(CLI::App& command, TrainCommand& options);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_OPTIONS_HPP
