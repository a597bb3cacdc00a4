// SPDX-License-Identifier: Apache-2.0
// Programs, a model for them and options, for tests of whole trainings.
#ifndef MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP
#define MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "long_tests.hpp"
#include "mlgraph/train/trainer.hpp"
#include "model/program_fixture.hpp"

namespace mlgraph::testing {

/// Programs to train on and to validate on, and a model for them.
struct Lab {
  ProgramSetFixture train_set, valid_set;
  GnnCostModel model;
  std::vector<PreparedProgram> train, valid;
  ThreadPool* pool = nullptr;

  explicit Lab(const ModelOptions& options, std::size_t num_train = 10, std::uint64_t seed = 1)
      : train_set(options.task(), num_train),
        valid_set(options.task(), 8, 1000),
        model(train_set.model(options, seed)),
        train(train_set.prepare(model)),
        valid(valid_set.prepare(model)) {}

  template <class OnEpoch>
  Result<TrainReport> run(const TrainerOptions& options, OnEpoch&& on_epoch, const LossOptions& loss = {}) {
    return Trainer(model, options, loss, pool).run(train, valid, Selection::kKendallTau, on_epoch);
  }
  Result<TrainReport> run(const TrainerOptions& options) { return run_loss(options, {}); }
  Result<TrainReport> run_loss(const TrainerOptions& options, const LossOptions& loss) {
    return run(
        options, [](const EpochReport&) { return true; }, loss);
  }
  [[nodiscard]] AlignedVector<float>& weights() { return model.parameters().value; }
};

inline TrainerOptions quick(int epochs) {
  TrainerOptions options;
  options.epochs = epochs;
  options.graphs_per_step = 4;
  options.lr = 1e-2;
  return options;
}

/// A constant learning rate.
inline TrainerOptions constant_rate(int epochs, double lr) {
  TrainerOptions options = quick(epochs);
  options.lr = options.min_lr = lr;
  options.warmup_fraction = 0;
  return options;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_TRAINER_FIXTURE_HPP
