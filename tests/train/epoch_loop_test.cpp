// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/epoch_loop.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "mlgraph/autograd/param.hpp"

using namespace mlgraph;

namespace {

struct LoopWeights {
  ParamSpec spec;
  Param w, state;
  Parameters<float> parameters;
  LoopWeights()
      : w(spec.vector("w", 3, Init::constant(1))), state(spec.state_vector("running", 2, Init::constant(0))) {
    parameters = Parameters<float>(spec, 1);
  }
};

Recipe plain_steps() {
  Recipe recipe;
  recipe.optimizer = OptimizerKind::kSgd;
  recipe.momentum = 0;
  recipe.clip_norm = 0;
  return recipe;
}

const auto kSamples = [] { return std::string("these graphs"); };

/// A training that only counts.
struct CountingTraining {
  struct Epoch {
    std::int64_t epoch = 0;
    double train_loss = 0, lr = 0;
  };
  std::int64_t epochs = 3, done = 0, fails_at = 0;
  std::vector<std::string> calls;
  std::vector<Epoch> reports;

  bool next_epoch() const { return done < epochs; }
  std::int64_t finished() const { return done; }
  Status begin_epoch(std::int64_t epoch) {
    calls.push_back(str_cat("begin ", epoch));
    return {};
  }
  std::int64_t num_steps() const { return 2; }
  double lr() const { return 0.1 * static_cast<double>(calls.size()); }
  Result<StepLoss> run_step(std::int64_t epoch, std::int64_t step, double) {
    calls.push_back(str_cat("step ", epoch, " ", step));
    if (epoch == fails_at && step == 1) return Status::invalid_argument("it broke");
    return StepLoss{static_cast<double>(epoch), 1.0 + 2.0 * static_cast<double>(step), 4};
  }
  Communicator* ranks() const { return nullptr; }
  Status judge(Epoch&) {
    calls.push_back("judge");
    return {};
  }
  void finish(const Epoch& now) {
    reports.push_back(now);
    ++done;
  }
};

struct JudgedEpoch {
  std::int64_t epoch;
  bool validated, is_best;
};

}  // namespace

TEST_CASE("epochs run their steps, and end by themselves, by the caller or by an error with its place") {
  CountingTraining training;
  bool stopped = false;
  auto go_on = [](const CountingTraining::Epoch&) { return true; };
  REQUIRE(run_epochs(training, go_on, stopped).ok());
  CHECK_FALSE(stopped);
  REQUIRE(training.reports.size() == 3);
  CHECK(training.reports[1].epoch == 2);
  CHECK(training.reports[1].train_loss == 2);
  CHECK(std::vector<std::string>(training.calls.begin(), training.calls.begin() + 5) ==
        std::vector<std::string>{"begin 1", "step 1 0", "step 1 1", "judge", "begin 2"});
  CountingTraining short_one;
  auto stop_at_two = [](const CountingTraining::Epoch& now) { return now.epoch < 2; };
  REQUIRE(run_epochs(short_one, stop_at_two, stopped).ok());
  CHECK(stopped);
  CHECK(short_one.done == 2);
  CountingTraining broken;
  broken.fails_at = 2;
  CHECK(run_epochs(broken, go_on, stopped).message() == "epoch 2: step 2: it broke");
  CHECK(broken.done == 1);
}

TEST_CASE("a step is that of the recipe, from a first weight on") {
  LoopWeights lab;
  const Recipe recipe = plain_steps();
  WeightSteps steps(lab.spec, lab.parameters, recipe, nullptr);
  for (float& g : lab.parameters.grad) g = 2;
  REQUIRE(steps.step(0.25, kSamples).ok());
  CHECK(lab.parameters.value[0] == 0.5F);
  CHECK(steps.num_steps() == 1);
  steps.begin(1);
  CHECK(steps.num_steps() == 0);
  REQUIRE(steps.step(0.25, kSamples).ok());
  CHECK(lab.parameters.value[0] == 0.5F);
  CHECK(lab.parameters.value[1] == 0);
  lab.parameters.grad[2] = std::numeric_limits<float>::max();
  CHECK(steps.step(10, kSamples).message() == "these graphs: w became -inf; the learning rate is 10");
}

TEST_CASE("steps go on from a checkpoint with the same bits, with momentum and an average") {
  Recipe recipe = plain_steps();
  recipe.momentum = 0.9;
  recipe.ema_decay = 0.9;
  LoopWeights whole, first, second;
  WeightSteps all(whole.spec, whole.parameters, recipe, nullptr);
  WeightSteps before(first.spec, first.parameters, recipe, nullptr);
  WeightState state;
  for (int step = 0; step < 6; ++step) {
    for (float& g : whole.parameters.grad) g = 0.1F * static_cast<float>(step + 1);
    REQUIRE(all.step(0.1, kSamples).ok());
    if (step >= 3) continue;
    first.parameters.grad = whole.parameters.grad;
    REQUIRE(before.step(0.1, kSamples).ok());
  }
  before.save(state);
  WeightSteps after(second.spec, second.parameters, recipe, nullptr);
  REQUIRE(after.resume(state).ok());
  for (int step = 3; step < 6; ++step) {
    for (float& g : second.parameters.grad) g = 0.1F * static_cast<float>(step + 1);
    REQUIRE(after.step(0.1, kSamples).ok());
  }
  CHECK(second.parameters.value == whole.parameters.value);
  CHECK(after.weights_to_keep() == all.weights_to_keep());
  CHECK(after.weights_to_keep() != second.parameters.value);
}

TEST_CASE("a gradient that is not finite is named") {
  LoopWeights lab;
  std::fill(lab.parameters.grad.begin(), lab.parameters.grad.end(), 1.0F);
  CHECK(check_sample_gradient(lab.spec, lab.parameters.grad).ok());
  lab.parameters.grad[2] = std::numeric_limits<float>::infinity();
  CHECK(check_sample_gradient(lab.spec, lab.parameters.grad).message() == "the gradient of w is inf");
}

TEST_CASE("patience and plateaus look at validated epochs") {
  Recipe recipe;
  recipe.patience = 2;
  std::vector<JudgedEpoch> epochs = {{1, true, true}, {2, false, false}, {3, true, false}};
  CHECK_FALSE(has_patience(recipe, epochs, 1));
  CHECK(has_patience(recipe, epochs, 2));
  CHECK(has_patience(recipe, epochs, 1, 2));
  epochs.push_back({4, false, false});
  CHECK(has_patience(recipe, epochs, 1));
  recipe.patience = 0;
  CHECK(has_patience(recipe, epochs, 1));
  recipe.lr_step_epochs = 1;
  for (std::int64_t e = 5; e < 9; ++e) epochs.push_back({e, true, false});
  CHECK(plateau_reductions(recipe, epochs) == 0);
  recipe.schedule = Schedule::kPlateau;
  CHECK(plateau_reductions(recipe, epochs) == 2);  // after epochs 5 and 7: 3, 5 and 6, 7 were not better
  CHECK(plateau_reductions(recipe, epochs, 6) == 1);
  CHECK(check_schedule(recipe, true).ok());
  CHECK(check_schedule(recipe, false).message() ==
        "trainer: the schedule plateau needs something to validate on");
}
