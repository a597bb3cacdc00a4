// SPDX-License-Identifier: Apache-2.0
// What decides how a training goes: what of a recipe is refused, and all of it as texts in a checkpoint.
#ifndef MLGRAPH_TRAIN_TRAIN_SETTINGS_HPP
#define MLGRAPH_TRAIN_TRAIN_SETTINGS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/optimizer.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a training needs beside its recipe.
struct TrainOptions {
  std::uint64_t seed = 1;
  ThreadPool* pool = nullptr;  ///< borrowed; null computes on the calling thread
  /// A step whose slates all have fewer rows than this gives each thread slates of its own; in any other the
  /// slates follow each other, all threads in each. Decides time and memory; the weights have the same bits.
  std::int64_t large_slate_rows = 8192;
  /// Borrowed; null: this process alone. Otherwise every rank calls the same functions with the same programs,
  /// each computes a part of every step and of every validation, and all have the same weights: see RankStep.
  Communicator* ranks = nullptr;
  /// Borrowed; null: the configurations of each slate are ranked by the recipe's loss.
  const Objective* objective = nullptr;
};

/// Errors: options out of their ranges, or that contradict each other.
[[nodiscard]] inline Status check_recipe(const Recipe& recipe) {
  if (!(recipe.gst.sed_keep >= 0 && recipe.gst.sed_keep <= 1)) {
    return Status::invalid_argument(str_cat("gst: sed_keep is ", recipe.gst.sed_keep, "; should be in [0, 1]"));
  }
  MLGRAPH_RETURN_IF_ERROR(check_ranges("trainer", recipe));
  if (recipe.gst.finetunes() && recipe.gst.finetune_epochs >= recipe.epochs) {
    return Status::invalid_argument(str_cat("gst: finetune_epochs is ", recipe.gst.finetune_epochs,
                                            "; should be less than epochs, ", recipe.epochs));
  }
  return check_optimizer(recipe);
}

/// Errors: a model that was made for prediction alone.
[[nodiscard]] inline Status check_trainable(const Model& model) {
  if (model.is_trainable()) return {};
  return Status::invalid_argument(
      str_cat("trainer: this ", model.name(), " model was made for prediction alone: see trainable_nets()"));
}

/// check_recipe(), and what only a model can tell.
/// Errors: a model that was made for prediction alone; segment training that its network cannot have; an option
///         of the network that has the name of a training option.
[[nodiscard]] inline Status check_recipe(const Recipe& recipe, const Model& model) {
  MLGRAPH_RETURN_IF_ERROR(check_recipe(recipe));
  MLGRAPH_RETURN_IF_ERROR(check_trainable(model));
  const std::string_view gst = enum_name(recipe.gst.variant);
  if (recipe.gst.finetunes() && !model.has_readout()) {
    return Status::invalid_argument(str_cat("gst: ", gst, " finetunes the read-out, but this ", model.name(),
                                            " model has no weights after the total of its segments"));
  }
  if (recipe.gst.uses_table() && model.plan().compares_configs()) {
    return Status::invalid_argument(
        str_cat("gst: ", gst,
                " keeps the embedding of each config, but in this model it depends on the others of a slate"));
  }
  const std::map<std::string, std::string> of_model = to_metadata(model.options());
  std::map<std::string, std::string> of_training = to_texts(recipe);
  for (const char* const key : {"data", "format", "objective", "seed"}) of_training.emplace(key, "");
  for (const auto& [key, text] : of_training) {
    if (of_model.count(key) == 0) continue;
    return Status::invalid_argument(
        str_cat("trainer: \"", key, "\" is an option of a ", model.name(), " model and of its training"));
  }
  return {};
}

/// A number that changes with what programs contribute to a training: their sizes, selections, labels and
/// features, in their order. In checkpoints.
class DataHash {
 public:
  void add(const PreparedProgram& program) {
    mix(static_cast<std::uint64_t>(program.view.graph.num_nodes()));
    mix(program.segments.size());
    for (const std::int32_t c : program.selection) {
      mix(static_cast<std::uint64_t>(c));
      if (program.view.runtime.empty()) continue;
      const double label = program.view.label(c);
      std::uint64_t bits;
      std::memcpy(&bits, &label, sizeof(bits));
      mix(bits);
    }
    for (const Segment& segment : program.segments) {
      const MatrixView<const float> x = segment.graph.x();
      for (std::int64_t i = 0; i < x.size(); ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, x.data + i, sizeof(bits));
        hash_ = hash_ * 0x100000001b3u ^ bits;
      }
    }
  }
  /// What follows is another set of programs: those that are validated on.
  void end_set() { hash_ = mix64(hash_); }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  void mix(std::uint64_t bits) { hash_ = mix64(hash_ ^ bits); }

  std::uint64_t hash_ = 1;
};

/// Name and value of everything that decides how a training goes on: network, recipe, objective, seed, data.
/// Two trainings with the same settings have the same bits. `data`: of both sets, that to train on first.
[[nodiscard]] inline std::map<std::string, std::string> train_settings(const Model& model, const Recipe& recipe,
                                                                       const Objective& objective,
                                                                       std::uint64_t seed,
                                                                       const DataHash& data) {
  std::map<std::string, std::string> settings = to_metadata(model.options());
  settings.merge(to_texts(recipe));
  settings["objective"] = std::string(objective.name());
  settings["seed"] = str_cat(seed);
  settings["data"] = str_cat(data.value());
  return settings;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TRAIN_SETTINGS_HPP
