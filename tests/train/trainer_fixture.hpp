// SPDX-License-Identifier: Apache-2.0
// Programs, a model for them and recipes, for tests of whole trainings.
#ifndef MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP
#define MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cost/program_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/train/trainer.hpp"

namespace mlgraph::testing {

/// Programs to train on and to validate on, and a model for them.
struct Lab {
  ProgramSetFixture train_set, valid_set;
  Model model;
  std::vector<PreparedProgram> train, valid;
  TrainOptions options;

  explicit Lab(const NetOptions& net, std::size_t num_train = 10, std::uint64_t seed = 1)
      : train_set(net, num_train),
        valid_set(net, 8, 1000),
        model(train_set.model(net, seed)),
        train(train_set.prepare(model)),
        valid(valid_set.prepare(model)) {}

  template <class OnEpoch>
  Result<TrainReport> run(const Recipe& recipe, OnEpoch&& on_epoch) {
    return Trainer(model, recipe, options).run(train, valid, on_epoch);
  }
  Result<TrainReport> run(const Recipe& recipe) {
    return run(recipe, [](const EpochReport&) { return true; });
  }
  [[nodiscard]] AlignedVector<float>& weights() { return model.parameters().value; }
};

/// Few steps of few slates, by the pairwise hinge and tau.
inline Recipe quick(std::int64_t epochs) {
  Recipe recipe;
  recipe.loss = LossOptions();
  recipe.selection = Selection::kTau;
  recipe.epochs = epochs;
  recipe.graphs_per_step = 4;
  recipe.max_slates_per_graph = 1;
  recipe.lr = 1e-2;
  return recipe;
}

/// A constant learning rate.
inline Recipe constant_rate(std::int64_t epochs, double lr) {
  Recipe recipe = quick(epochs);
  recipe.lr = lr;
  recipe.schedule = Schedule::kConstant;
  recipe.warmup_fraction = 0;
  return recipe;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP
