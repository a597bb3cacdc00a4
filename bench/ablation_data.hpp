// SPDX-License-Identifier: Apache-2.0
// The data sets of ablation_table: what is trained on, and what is held out.
#ifndef MLGRAPH_BENCH_ABLATION_DATA_HPP
#define MLGRAPH_BENCH_ABLATION_DATA_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/program_set.hpp"

namespace ablation {

namespace mg = mlgraph;

/// The arrays behind a made-up ProgramView.
struct MadeProgram {
  std::string name;
  std::vector<float> x;
  std::vector<std::int32_t> opcode, source, target, config_node;
  std::vector<std::int8_t> configs;
  std::vector<std::int64_t> runtime;

  static constexpr std::int64_t kNodeFeatures = 140, kConfigFeatures = 18;

  [[nodiscard]] mg::ProgramView view() const {
    mg::ProgramView view;
    view.name = name;
    view.graph = {{x.data(), static_cast<std::int64_t>(opcode.size()), kNodeFeatures},
                  opcode,
                  source,
                  target,
                  config_node};
    view.configs.narrow = configs;
    view.configs.num_configs = static_cast<std::int64_t>(runtime.size());
    view.configs.rows_per_config = static_cast<std::int64_t>(config_node.size());
    view.configs.num_features = kConfigFeatures;
    view.runtime = runtime;
    return view;
  }
};

/// A program of 48 nodes, 8 of them configurable. What its configs cost:
///
///   sum over configurable nodes of  2 [entry is not the program's most common one of this node]
///                                   + |entry - second entry of the node's minor_to_major, -1 where there is
///                                   none|
///
/// The first term cannot be told from the program and the config: it takes the other configs.
[[nodiscard]] inline MadeProgram make_program(std::uint64_t seed) {
  constexpr std::int32_t kNodes = 48;
  constexpr std::size_t kConfigs = 64;
  mg::Rng rng(seed);
  MadeProgram program;
  program.name = mg::str_cat("made_", seed);
  program.x.assign(kNodes * MadeProgram::kNodeFeatures, 0.0F);
  std::vector<int> preferred, common;
  for (std::int32_t v = 0; v < kNodes; ++v) {
    float* const x = program.x.data() + v * MadeProgram::kNodeFeatures;
    for (const int product : {28, 44, 52, 60, 68, 76, 84, 112, 116, 120, 124, 128, 132}) x[product] = 1;
    program.opcode.push_back(1 + static_cast<std::int32_t>(rng.below(20)));
    std::vector<std::int32_t> axes;
    for (std::uint64_t rank = 1 + rng.below(3); rank > 0; --rank)
      axes.push_back(static_cast<std::int32_t>(axes.size()));
    rng.shuffle(axes);
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const auto size = static_cast<float>(1 + rng.below(200));
      x[21 + k] = size;
      x[27] += size;
      x[28] *= size;
      x[134 + k] = static_cast<float>(axes[k]);
    }
    for (int d = 0; d < 2 && v > 0; ++d) {
      const auto from = static_cast<std::int32_t>(
          std::max<std::int64_t>(0, v - 1 - static_cast<std::int64_t>(rng.below(d == 0 ? 2 : 12))));
      if (d == 1 && from == program.source.back()) continue;
      program.source.push_back(from);
      program.target.push_back(v);
    }
    if (v % 6 != 3) continue;
    program.config_node.push_back(v);
    preferred.push_back(axes.size() > 1 ? axes[1] : -1);
    common.push_back(static_cast<int>(rng.below(5)) - 1);
  }
  for (std::size_t c = 0; c < kConfigs; ++c) {
    double cost = 0;
    for (std::size_t k = 0; k < program.config_node.size(); ++k) {
      const int entry = rng.uniform() < 0.5 ? common[k] : static_cast<int>(rng.below(5)) - 1;
      cost += (entry == common[k] ? 0 : 2) + std::abs(entry - preferred[k]);
      program.configs.push_back(static_cast<std::int8_t>(entry));
      for (std::int64_t j = 1; j < MadeProgram::kConfigFeatures; ++j) program.configs.push_back(-1);
    }
    program.runtime.push_back(1000000 + std::llround(10000 * cost) + static_cast<std::int64_t>(rng.below(100)));
  }
  return program;
}

/// Programs and configs of which some are held out.
struct DataSet {
  std::string name;
  std::vector<mg::ProgramView> train, valid;
  std::vector<std::vector<std::int32_t>> train_configs, valid_configs;  // empty: all
  bool leave_one_out = false;
  mg::Recipe recipe;

  std::vector<MadeProgram> made;
  std::unique_ptr<mg::io::ProgramSet> set;

  [[nodiscard]] bool is_tile() const { return train[0].graph.config_node.empty(); }
  [[nodiscard]] bool has_published_features() const { return train[0].graph.x.cols >= mg::kPublishedFeatures; }
};

inline constexpr std::int64_t kConfigsPerStep = 32;

[[nodiscard]] inline mg::Recipe make_recipe(int epochs, std::int64_t graphs_per_step, std::int64_t slates) {
  mg::Recipe recipe;
  recipe.loss.kind = mg::Loss::kPairwiseHinge;
  recipe.selection = mg::Selection::kTau;
  recipe.epochs = std::max(1, epochs);
  recipe.graphs_per_step = graphs_per_step;
  recipe.configs_per_graph = kConfigsPerStep;
  recipe.max_slates_per_graph = slates;
  recipe.lr = 2e-3;
  recipe.weight_decay = 1e-5;
  return recipe;
}

/// One program, split by distinct config.
[[nodiscard]] inline mg::Result<DataSet> split_set(const char* name, const std::string& path,
                                                   std::size_t num_train, std::size_t num_valid, int steps) {
  DataSet data;
  data.name = name;
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(path));
  data.set = std::make_unique<mg::io::ProgramSet>(std::move(set));
  data.train = data.valid = {data.set->views()[0]};
  const mg::io::ConfigGroups groups = mg::io::group_configs(data.train[0].configs);
  std::vector<std::int32_t> first(groups.first.begin(), groups.first.end());
  if (first.size() < num_train + num_valid)
    return mg::Status::invalid_argument(mg::str_cat(path, ": has ", first.size(), " distinct configs"));
  mg::Rng(5).shuffle(first);
  const auto begin = first.begin();
  const auto cut = begin + static_cast<std::ptrdiff_t>(num_train);
  data.train_configs.emplace_back(begin, cut);
  data.valid_configs.emplace_back(cut, cut + static_cast<std::ptrdiff_t>(num_valid));
  const auto slates = static_cast<std::int64_t>((num_train + kConfigsPerStep - 1) / kConfigsPerStep);
  data.recipe = make_recipe(steps / static_cast<int>(slates), 1, slates);
  return data;
}

[[nodiscard]] inline mg::Result<DataSet> tile_set(const std::string& path, int steps) {
  DataSet data;
  data.name = "15 tile kernels";
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::ProgramSet set, mg::io::load_programs(path));
  data.set = std::make_unique<mg::io::ProgramSet>(std::move(set));
  for (const mg::ProgramView& view : data.set->views()) {
    if (!mg::io::has_placeholder_labels(view) && view.configs.num_configs > 1) data.train.push_back(view);
  }
  data.valid = data.train;
  data.leave_one_out = true;
  data.recipe = make_recipe(steps / 3, 10, 1);
  data.recipe.configs_per_graph = 10;
  return data;
}

[[nodiscard]] inline DataSet made_set(int steps) {
  constexpr std::size_t kTrain = 24, kValid = 12;
  DataSet data;
  data.name = "made, held-out graphs";
  for (std::size_t i = 0; i < kTrain + kValid; ++i) data.made.push_back(make_program(100 + i));
  for (std::size_t i = 0; i < kTrain + kValid; ++i)
    (i < kTrain ? data.train : data.valid).push_back(data.made[i].view());
  data.recipe = make_recipe(steps / 3, 2, 1);
  return data;
}

}  // namespace ablation

#endif  // MLGRAPH_BENCH_ABLATION_DATA_HPP
