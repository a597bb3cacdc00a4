// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/step_slates.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "train/batch_norm_net.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

struct Steps {
  Lab lab;
  Recipe recipe;
  RankingObjective objective{LossOptions()};

  explicit Steps(const NetOptions& net, std::size_t num_train = 6) : lab(net, num_train), recipe(quick(1)) {}

  /// The gradient of one step, and its loss.
  std::pair<AlignedVector<float>, double> step(const std::vector<std::size_t>& batch, const StepPlace& place) {
    StepSlates slates(lab.model, recipe, objective, lab.options);
    REQUIRE(slates.start(lab.train).ok());
    const Result<double> loss = slates.run(batch, place, nullptr);
    REQUIRE(loss.ok());
    return {lab.model.parameters().grad, *loss};
  }
};

TEST_CASE("what a step computes depends on its place alone, not on the steps before") {
  Steps steps(*small_net("layout-sage", {{"dropout", "0.3"}}));
  steps.recipe.drop_edge = 0.2;
  const std::vector<std::size_t> batch = {3, 0, 5};
  const auto once = steps.step(batch, {7, 4, false});
  StepSlates slates(steps.lab.model, steps.recipe, steps.objective, steps.lab.options);
  REQUIRE(slates.start(steps.lab.train).ok());
  for (std::int64_t i = 0; i < 3; ++i)
    REQUIRE(slates.run(std::vector<std::size_t>{1, 2}, {1, i, false}, nullptr).ok());
  CHECK(slates.run(batch, {7, 4, false}, nullptr).value() == once.second);
  CHECK(steps.lab.model.parameters().grad == once.first);

  CHECK(steps.step(batch, {7, 5, false}).first != once.first);
  CHECK(steps.step(batch, {8, 4, false}).first != once.first);
  CHECK(steps.step({3, 5, 0}, {7, 4, false}).first != once.first);  // slots have draws of their own
  steps.lab.options.seed = 2;
  CHECK(steps.step(batch, {7, 4, false}).first != once.first);
}

TEST_CASE("the order of an epoch is a shuffle that the epoch decides") {
  Steps steps(*small_net("tile-mlp"), 9);
  steps.recipe.configs_per_graph = 8;
  steps.recipe.max_slates_per_graph = 2;
  StepSlates slates(steps.lab.model, steps.recipe, steps.objective, steps.lab.options);
  REQUIRE(slates.start(steps.lab.train).ok());
  CHECK(slates.steps_per_epoch() == 5);  // 18 slates, 4 a step
  std::set<std::vector<std::size_t>> orders;
  for (std::int64_t epoch = 1; epoch <= 20; ++epoch) {
    std::vector<std::size_t> order = slates.order(epoch);
    CHECK(order == slates.order(epoch));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < 18; ++i) CHECK(order[i] == i / 2);
  }
  CHECK(orders.size() == 20);
}

TEST_CASE("the gradient of a step is the mean of those of its slates, added by the tree") {
  Steps steps(*small_net("tile-mlp"));
  steps.recipe.configs_per_graph = 24;  // a slate is all of its program, in some order: no dropout draws
  std::vector<AlignedVector<float>> each;
  for (std::size_t j = 0; j < 6; ++j) {
    SlateWorker worker(nullptr);
    Slate slate;
    slate.configs = steps.lab.train[j].selection;
    slate.plan.role = {SegmentPlan::Role::kFresh};
    worker.run(steps.lab.model, steps.lab.train[j], steps.objective, nullptr, slate);
    REQUIRE(slate.status.ok());
    each.push_back(slate.grad);
  }
  const auto all = steps.step({0, 1, 2, 3, 4, 5}, {1, 0, false});
  for (std::size_t i = 0; i < each[0].size(); ++i) {
    double mean = 0, size = 0;
    for (const AlignedVector<float>& grad : each) {
      mean += static_cast<double>(grad[i]) / 6;
      size += std::abs(static_cast<double>(grad[i])) / 6;
    }
    CHECK(std::abs(static_cast<double>(all.first[i]) - mean) <= 1e-5 * size + 1e-7);
  }
}

TEST_CASE("the statistics of batch norm move by the mean of what each slate moves them") {
  const std::unique_ptr<NetOptions> net = net_options<BatchNormNet>();
  net->inputs().num_opcodes = kFixtureOpcodes;
  Steps steps(*net);
  steps.recipe.configs_per_graph = 24;
  Model& model = steps.lab.model;
  const auto begin = static_cast<std::size_t>(model.spec().num_trainable());
  REQUIRE(model.spec().size() > model.spec().num_trainable());
  const AlignedVector<float> start = model.parameters().value;
  std::vector<AlignedVector<float>> moved;  // by each program alone, as on a tape that writes to the parameters
  for (std::size_t j = 0; j < 3; ++j) {
    Parameters<float> own = model.parameters();
    Tape tape;
    tape.bind(model.spec(), own);
    const PreparedProgram& program = steps.lab.train[j];
    std::vector<CallRows> rows;
    (void)model.score(tape, program, program.selection, rows);
    REQUIRE(tape.status().ok());
    CHECK(std::equal(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(begin), own.value.begin()));
    CHECK(own.value != start);
    moved.push_back(own.value);
  }
  (void)steps.step({0, 1, 2}, {1, 0, false});
  for (std::size_t i = begin; i < start.size(); ++i) {
    const double mean = (static_cast<double>(moved[0][i]) + static_cast<double>(moved[1][i]) +
                         static_cast<double>(moved[2][i])) /
                        3;
    CHECK(static_cast<double>(model.parameters().value[i]) == doctest::Approx(mean).epsilon(1e-4));
  }
  CHECK(std::equal(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(begin),
                   model.parameters().value.begin()));
}

TEST_CASE("without a number of slates an epoch has about 100 steps, or sees each config once if that is less") {
  const auto steps_of = [](std::size_t num_programs, std::int64_t num_configs, std::int64_t graphs_per_step) {
    const std::unique_ptr<NetOptions> net = small_net("tile-mlp");
    const ProgramSetFixture set(*net, num_programs, 1, num_configs);
    Model model = set.model(*net);
    const std::vector<PreparedProgram> programs = set.prepare(model);
    Recipe recipe = quick(1);
    recipe.max_slates_per_graph = 0;
    recipe.configs_per_graph = 10;
    recipe.graphs_per_step = graphs_per_step;
    const RankingObjective objective{LossOptions()};
    const TrainOptions options;
    StepSlates slates(model, recipe, objective, options);
    REQUIRE(slates.start(programs).ok());
    return slates.steps_per_epoch();
  };
  CHECK(steps_of(2, 2000, 1) == 100);
  CHECK(steps_of(3, 2000, 2) == 99);   // 66 slates of each
  CHECK(steps_of(2, 200, 1) == 40);    // 20 slates see all of a program
  CHECK(steps_of(150, 20, 1) == 150);  // one of each
}

}  // namespace
}  // namespace mlgraph
