// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/optimizer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "mlgraph/core/enum_names.hpp"
#include "train/train_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

constexpr OptimizerKind kOptimizers[] = {OptimizerKind::kAdamW, OptimizerKind::kAdam, OptimizerKind::kSgd};

Recipe recipe_of(OptimizerKind kind) {
  Recipe recipe;
  recipe.optimizer = kind;
  recipe.weight_decay = 0.1;
  recipe.momentum = 0.8;
  return recipe;
}

/// Steps [begin, end) with the learning rate 0.01.
void run(Optimizer& optimizer, std::vector<float>& params, int begin, int end) {
  for (int t = begin; t < end; ++t) {
    const std::vector<float> grads = gradient_of_step<float>(t, params.size());
    REQUIRE(optimizer.step(Span<float>(params), Span<const float>(grads), 0.01, nullptr).ok());
  }
}

template <class Own>
std::vector<float> params_after(Own&& own) {
  std::vector<float> params = initial_params<float>();
  for (int t = 0; t < 10; ++t) {
    const std::vector<float> grads = gradient_of_step<float>(t);
    REQUIRE(own.step(Span<float>(params), Span<const float>(grads), 0.01).ok());
  }
  return params;
}

TEST_CASE("the optimizer of a recipe is the one it names, with the recipe's options") {
  const auto steps = [](const Recipe& recipe) {
    std::vector<float> params = initial_params<float>();
    const std::unique_ptr<Optimizer> optimizer = make_optimizer(recipe, params.size());
    run(*optimizer, params, 0, 10);
    CHECK(optimizer->num_steps() == 10);
    return params;
  };
  AdamWOptions adamw;
  adamw.weight_decay = 0.1;
  CHECK(steps(recipe_of(OptimizerKind::kAdamW)) == params_after(AdamW<float>(5, adamw)));
  AdamOptions adam;
  adam.weight_decay = 0.1;
  CHECK(steps(recipe_of(OptimizerKind::kAdam)) == params_after(Adam<float>(5, adam)));
  SgdOptions sgd;
  sgd.weight_decay = 0.1;
  sgd.momentum = 0.8;
  Recipe recipe = recipe_of(OptimizerKind::kSgd);
  CHECK(steps(recipe) == params_after(Sgd<float>(5, sgd)));
  recipe.nesterov = sgd.nesterov = true;
  CHECK(steps(recipe) == params_after(Sgd<float>(5, sgd)));
  recipe.nesterov = sgd.nesterov = false;
  recipe.momentum = sgd.momentum = 0;
  CHECK(steps(recipe) == params_after(Sgd<float>(5, sgd)));
}

TEST_CASE("an optimizer goes on from its state, with the same bits") {
  for (const OptimizerKind kind : kOptimizers) {
    for (const double momentum : {0.0, 0.8}) {
      Recipe recipe = recipe_of(kind);
      recipe.momentum = momentum;
      INFO(enum_name(kind));
      std::vector<float> whole = initial_params<float>(), halves = whole;
      const std::unique_ptr<Optimizer> one = make_optimizer(recipe, 5), two = make_optimizer(recipe, 5);
      run(*one, whole, 0, 10);
      run(*two, halves, 0, 4);
      const std::unique_ptr<Optimizer> three = make_optimizer(recipe, 5);
      REQUIRE(three->set_state(two->state()).ok());
      CHECK(three->num_steps() == 4);
      run(*three, halves, 4, 10);
      CHECK(halves == whole);
      CHECK_FALSE(make_optimizer(recipe, 5)->set_state({{1, 2}, {1, 2}, 3}).ok());
    }
  }
}

TEST_CASE("options that an optimizer cannot have are refused") {
  Recipe recipe = recipe_of(OptimizerKind::kSgd);
  CHECK(check_optimizer(recipe).ok());
  recipe.nesterov = true;
  CHECK(check_optimizer(recipe).ok());
  recipe.momentum = 0;
  CHECK(check_optimizer(recipe).message() ==
        "sgd: nesterov needs a momentum and no dampening; momentum is 0 and dampening 0");
  recipe.optimizer = OptimizerKind::kAdam;  // which has none
  CHECK(check_optimizer(recipe).ok());
  recipe.weight_decay = -1;
  CHECK(check_optimizer(recipe).message() == "adam: weight_decay is -1; it should be at least 0");
}

TEST_CASE("each schedule begins with the warm-up and then goes its way") {
  Recipe recipe;
  recipe.lr = 0.1;
  recipe.min_lr = 0.02;
  recipe.lr_gamma = 0.5;
  recipe.lr_step_epochs = 2;
  const auto schedule = [&](Schedule kind) {
    recipe.schedule = kind;
    return make_schedule(recipe, 10, 4, 0.1).value();  // 40 steps, 4 of them warm-up
  };
  const LrSchedule cosine = LrSchedule::cosine(0.1, 40, 0.1, 0.02);
  for (const Schedule kind : {Schedule::kCosine, Schedule::kConstant, Schedule::kStep}) {
    for (int t = 0; t < 4; ++t) CHECK(schedule(kind).at(t) == cosine.at(t));
    CHECK(schedule(kind).at(4) == 0.1);
  }
  for (int t = 0; t < 50; ++t) {
    CHECK(schedule(Schedule::kCosine).at(t) == cosine.at(t));
    if (t < 4) continue;
    CHECK(schedule(Schedule::kConstant).at(t) == 0.1);
    CHECK(schedule(Schedule::kStep).at(t) == 0.1 * std::pow(0.5, (t - 4) / 8));  // two epochs are 8 steps
  }
}

TEST_CASE("numbers of epochs that no training reaches do not overflow") {
  Recipe recipe;
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  recipe.lr_step_epochs = huge;
  for (const Schedule kind : {Schedule::kCosine, Schedule::kConstant, Schedule::kStep}) {
    recipe.schedule = kind;
    const LrSchedule schedule = make_schedule(recipe, huge, 1000, 0.5).value();
    CHECK(schedule.at(huge / 4) < recipe.lr);
    CHECK(schedule.at(huge / 2 + 1000) == doctest::Approx(recipe.lr));
  }
}

TEST_CASE("a gradient is clipped as a whole, by tensor, or not at all") {
  ParamSpec spec;
  (void)spec.vector("a", 2, Init::constant(0));
  (void)spec.state_vector("statistics", 2, Init::constant(0));
  (void)spec.matrix("b", 2, 1, Init::constant(0));
  std::vector<float> start(static_cast<std::size_t>(spec.num_trainable()), 0.0f);
  start[0] = 30;
  start[1] = 40;
  start[16] = 0.6f;
  start[17] = 0.8f;
  Recipe recipe;
  recipe.clip_norm = 5;
  const auto clipped = [&] {
    std::vector<float> grad = start;
    REQUIRE(clip_gradient(recipe, spec, Span<float>(grad), nullptr).ok());
    return grad;
  };
  const std::vector<float> whole = clipped();
  CHECK(whole[0] == doctest::Approx(3).epsilon(1e-3));
  CHECK(whole[17] == doctest::Approx(0.08).epsilon(1e-3));
  recipe.clip_per_tensor = true;
  const std::vector<float> each = clipped();
  CHECK(each[0] == doctest::Approx(3).epsilon(1e-4));
  CHECK(each[1] == doctest::Approx(4).epsilon(1e-4));
  CHECK(each[16] == 0.6f);
  CHECK(each[17] == 0.8f);
  recipe.clip_norm = 0;
  CHECK(clipped() == start);
}

}  // namespace
}  // namespace mlgraph
