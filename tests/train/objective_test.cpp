// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/objective.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the ranking of a slate is ranking_loss() of its labels") {
  const OwnedProgram owned = tile_program(3);
  const Model model = model_for(owned, *small_net("tile-mlp"));
  const PreparedProgram program = model.prepare(owned.view()).value();
  LossOptions loss;
  loss.kind = Loss::kListMle;
  const RankingObjective objective(loss);
  CHECK(objective.name() == "ranking");
  CHECK(objective.check(program).ok());
  CHECK(objective.can_fit(program));
  const std::vector<std::int32_t> ids = {4, 1, 9};
  const std::vector<float> scores = {1, 3, -2};
  const std::vector<double> labels = {program.view.label(4), program.view.label(1), program.view.label(9)};
  Tape tape;
  const Var value = objective.loss(tape, tape.leaf(MatrixView<const float>(scores.data(), 3, 1)), program, ids);
  Tape other;
  const std::int32_t ptr[] = {0, 3};
  const Var same =
      ranking_loss(other, other.leaf(MatrixView<const float>(scores.data(), 3, 1)), labels, ptr, loss);
  CHECK(*tape.value(value).data == *other.value(same).data);
}

TEST_CASE("a program without a ranking cannot be fitted, and one without labels is an error") {
  const RankingObjective objective{LossOptions()};
  const OwnedProgram owned = tile_program(3);
  const Model model = model_for(owned, *small_net("tile-mlp"));
  PreparedProgram program = model.prepare(owned.view()).value();
  const std::vector<std::int64_t> equal(24, 7);
  PreparedProgram same = model.prepare(owned.view()).value();
  same.view.runtime = equal;
  same.view.runtime_normalizer = {};
  CHECK(objective.check(same).ok());
  CHECK_FALSE(objective.can_fit(same));
  same.selection.clear();
  CHECK_FALSE(objective.can_fit(same));
  program.view.runtime = {};
  CHECK(objective.check(program).message() == "tile_3: has 0 runtimes and 24 normalizers for 24 configs");
  NetPlan plan;
  CHECK(objective.check(plan).ok());
  plan.num_outputs = 2;
  CHECK(objective.check(plan).message() == "trainer: configs are ranked by one score; the network gives 2");
}

/// The squared distance of scores from the logarithm of the labels.
class Regression final : public Objective {
 public:
  [[nodiscard]] std::string_view name() const override { return "regression"; }
  [[nodiscard]] std::string_view wants() const override { return "a label"; }
  [[nodiscard]] Status check(const NetPlan&) const override { return {}; }
  [[nodiscard]] Status check(const PreparedProgram& program) const override { return check_labels(program); }
  [[nodiscard]] bool can_fit(const PreparedProgram& program) const override {
    return !program.selection.empty();
  }
  Var loss(Tape& tape, Var scores, const PreparedProgram& program,
           Span<const std::int32_t> ids) const override {
    auto* const target = tape.arena().allocate<float>(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      target[i] = static_cast<float>(-std::log(program.view.label(ids[i])));
    const Var difference = tape.add(scores, tape.input(Span<const float>(target, ids.size())));
    return tape.scale(sum(tape, tape.mul(difference, difference)), 1 / static_cast<float>(ids.size()));
  }
};

TEST_CASE("the trainer fits any objective, and a checkpoint of another one is refused") {
  const Regression regression;
  Lab lab(*small_net("tile-sage"), 16);
  lab.options.objective = &regression;
  std::vector<std::byte> checkpoint;
  Trainer trainer(lab.model, quick(40), lab.options);
  const TrainReport report = trainer
                                 .run(lab.train, lab.valid,
                                      [&](const EpochReport&) {
                                        checkpoint = trainer.checkpoint().value();
                                        return true;
                                      })
                                 .value();
  CHECK(report.epochs.back().train_loss < 0.3 * report.epochs.front().train_loss);
  CHECK(report.best_valid.kendall_tau > 0.5);

  lab.options.objective = nullptr;
  CHECK(Trainer(lab.model, quick(40), lab.options)
            .run(
                lab.train, lab.valid, [](const EpochReport&) { return true; }, checkpoint)
            .status()
            .message() ==
        "checkpoint: objective was \"regression\" and is \"ranking\" now; should be the same");

  for (PreparedProgram& program : lab.train) program.selection.clear();
  lab.options.objective = &regression;
  CHECK(lab.run(quick(1)).status().message() == "no training program has a label");
}

}  // namespace
}  // namespace mlgraph
