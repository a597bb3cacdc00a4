// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/train_state.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "golden/golden_dir.hpp"
#include "golden/models/programs.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/batch_norm_net.hpp"
#include "train/small_state.hpp"
#include "train/train_fixture.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

std::unique_ptr<NetOptions> state_net(std::string_view name = "layout-sage") {
  std::unique_ptr<NetOptions> options = small_net(name);
  options->inputs().segments.max_size = 3;
  return options;
}

/// Two slates of each program, four of them a step.
Recipe few_steps(std::int64_t epochs = 6) {
  Recipe recipe = quick(epochs);
  recipe.configs_per_graph = 6;
  recipe.max_slates_per_graph = 2;
  return recipe;
}

Recipe cut_training(GstVariant variant, TableDtype dtype = TableDtype::kF32) {
  Recipe recipe = few_steps();
  recipe.gst.variant = variant;
  recipe.gst.table_dtype = dtype;
  recipe.gst.finetune_epochs = variant == GstVariant::kEF || variant == GstVariant::kEFD ? 2 : -1;
  return recipe;
}

/// Programs, a model, and a training of it that can be stopped and taken up again.
struct ResumedLab {
  Lab lab;
  std::vector<std::vector<std::byte>> checkpoints;  // of each epoch

  explicit ResumedLab(const NetOptions& net) : lab(net, 6) {}
  ResumedLab() : ResumedLab(*state_net()) {}

  Result<TrainReport> run(const Recipe& recipe, Span<const std::byte> resume = {},
                          std::int64_t stop_after = 0) {
    Trainer trainer(lab.model, recipe, lab.options);
    return trainer.run(
        lab.train, lab.valid,
        [&](const EpochReport& epoch) {
          checkpoints.push_back(trainer.checkpoint().value());
          return epoch.epoch != stop_after;
        },
        resume);
  }
};

bool same(const std::vector<EpochReport>& a, const std::vector<EpochReport>& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) {
    equal = a[i].epoch == b[i].epoch && a[i].train_loss == b[i].train_loss && a[i].lr == b[i].lr &&
            a[i].valid.kendall_tau == b[i].valid.kendall_tau && a[i].valid.slowdown == b[i].valid.slowdown &&
            a[i].valid.first_place == b[i].valid.first_place && a[i].valid.loss == b[i].valid.loss &&
            a[i].is_best == b[i].is_best && a[i].validated == b[i].validated;
  }
  return equal;
}

/// Stops a training after each of its epochs, and takes it up again.
void check_resume(const NetOptions& net, const Recipe& recipe) {
  ResumedLab whole(net);
  const TrainReport expected = whole.run(recipe).value();
  const std::size_t num_epochs = whole.checkpoints.size();
  REQUIRE(num_epochs > 1);
  for (std::size_t epoch = 1; epoch < num_epochs; ++epoch) {
    INFO("resumed after epoch ", epoch);
    ResumedLab resumed(net);
    const TrainReport report = resumed.run(recipe, whole.checkpoints[epoch - 1]).value();
    CHECK(resumed.lab.weights() == whole.lab.weights());
    CHECK(same(report.epochs, expected.epochs));
    CHECK(report.best_epoch == expected.best_epoch);
    CHECK(report.table_rows == expected.table_rows);
    CHECK(resumed.checkpoints.back() == whole.checkpoints.back());
  }
}

TEST_CASE("a training resumed after any epoch ends with the bits of one that was not stopped") {
  for (const TableDtype dtype : {TableDtype::kF32, TableDtype::kBf16}) {
    for (const GstVariant variant : kGstVariants) {
      if (dtype == TableDtype::kBf16 && variant != GstVariant::kEFD) continue;
      INFO(enum_name(variant));
      Recipe recipe = cut_training(variant, dtype);
      recipe.epochs = 4;  // two of them of the head alone, where the variant has such
      check_resume(*state_net(), recipe);
    }
  }
}

TEST_CASE("the same of every network, with a moving average and dropped edges") {
  Recipe recipe = few_steps(3);
  recipe.ema_decay = 0.8;
  recipe.drop_edge = 0.2;
  recipe.sampling = ConfigSampling::kSkewed;
  for (const std::string_view name : kNets) {
    INFO(name);
    check_resume(*small_net(name), recipe);
  }
  for (const std::string_view name : kWinners) {
    INFO(name);
    check_resume(*small_winner(name, 6), recipe);
  }
  check_resume(*state_net("own-net"), cut_training(GstVariant::kEFD));
  const std::unique_ptr<NetOptions> batch_norm = net_options<BatchNormNet>();
  batch_norm->inputs().num_opcodes = kFixtureOpcodes;
  check_resume(*batch_norm, recipe);
}

/// Calls f(recipe) for each optimizer, schedule and average of the weights.
template <class F>
void for_each_optimizer(F&& f) {
  for (const OptimizerKind optimizer : {OptimizerKind::kAdamW, OptimizerKind::kAdam, OptimizerKind::kSgd}) {
    for (const Schedule schedule : {Schedule::kCosine, Schedule::kConstant, Schedule::kStep}) {
      for (const double ema_decay : {0.0, 0.5}) {
        INFO(enum_name(optimizer), ", ", enum_name(schedule), ", average ", ema_decay);
        Recipe recipe = few_steps(4);
        recipe.optimizer = optimizer;
        recipe.schedule = schedule;
        recipe.lr = optimizer == OptimizerKind::kSgd ? 0.01 : 0.003;
        recipe.lr_step_epochs = 2;
        recipe.weight_decay = 1e-3;
        recipe.nesterov = schedule == Schedule::kStep;
        recipe.clip_per_tensor = schedule == Schedule::kConstant;
        recipe.ema_decay = ema_decay;
        f(recipe);
      }
    }
  }
}

TEST_CASE("every optimizer resumes with the same bits, by every schedule") {
  for_each_optimizer([](const Recipe& recipe) { check_resume(*small_net("tile-sage"), recipe); });
}

TEST_CASE("every optimizer learns by every schedule" * kLong) {
  for_each_optimizer([](Recipe recipe) {
    recipe.epochs = 40;
    recipe.lr_step_epochs = 20;
    Lab lab(*small_net("tile-sage"), 16);
    const TrainReport report = lab.run(recipe).value();
    CHECK(report.epochs.back().train_loss < 0.85 * report.epochs.front().train_loss);
  });
}

TEST_CASE("a training that lost its patience goes on from its last checkpoint to the same end") {
  for (const GstVariant variant : {GstVariant::kED, GstVariant::kEFD}) {
    Recipe recipe = cut_training(variant);
    recipe.epochs = 20;
    recipe.lr = 0;  // nothing gets better
    recipe.patience = 2;
    ResumedLab whole;
    const TrainReport expected = whole.run(recipe).value();
    CHECK(expected.epochs.size() == (variant == GstVariant::kED ? 3 : 5));  // and two of the read-out
    for (const std::vector<std::byte>& checkpoint : whole.checkpoints) {
      ResumedLab resumed;
      CHECK(same(resumed.run(recipe, checkpoint).value().epochs, expected.epochs));
      CHECK(resumed.lab.weights() == whole.lab.weights());
    }
  }
}

TEST_CASE("a checkpoint of a stopped training is that of the same epoch of a whole one") {
  const Recipe options = cut_training(GstVariant::kED);
  ResumedLab whole, stopped;
  REQUIRE(whole.run(options).ok());
  REQUIRE(stopped.run(options, {}, 3).value().stopped_by_caller);
  REQUIRE(stopped.checkpoints.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(stopped.checkpoints[i] == whole.checkpoints[i]);
}

TEST_CASE("a checkpoint of another training is refused, and what differs is named") {
  ResumedLab lab;
  REQUIRE(lab.run(cut_training(GstVariant::kED)).ok());
  const std::vector<std::byte> checkpoint = lab.checkpoints[2];
  const auto refused = [&](auto&& change) {
    ResumedLab other;
    Recipe options = cut_training(GstVariant::kED);
    change(other, options);
    return other.run(options, checkpoint).status().message();
  };
  CHECK(refused([](ResumedLab&, Recipe& o) { o.lr = 0.5; }) ==
        "checkpoint: lr was \"0.01\" and is \"0.5\" now; should be the same");
  CHECK(refused([](ResumedLab&, Recipe& o) { o.gst.variant = GstVariant::kE; }) ==
        "checkpoint: gst was \"ed\" and is \"e\" now; should be the same");
  CHECK(refused([](ResumedLab& l, Recipe&) { l.lab.options.seed = 9; }) ==
        "checkpoint: seed was \"1\" and is \"9\" now; should be the same");
  CHECK(refused([](ResumedLab& l, Recipe&) {
          l.lab.train[1].selection.pop_back();
        }).find("checkpoint: data was") == 0);
  CHECK(refused([](ResumedLab& l, Recipe&) { l.lab.valid.pop_back(); }).find("checkpoint: data was") == 0);
}

TEST_CASE("bytes that are no whole checkpoint are refused") {
  ResumedLab lab;
  const Recipe options = cut_training(GstVariant::kEFD);
  REQUIRE(lab.run(options).ok());
  const std::vector<std::byte>& checkpoint = lab.checkpoints[4];
  for (std::size_t size = 1; size < checkpoint.size(); size += 1 + size / 7) {
    ResumedLab other;
    CHECK_FALSE(other.run(options, Span<const std::byte>(checkpoint).subspan(0, size)).ok());
  }
  ResumedLab other;
  const std::vector<std::byte> model = write_safetensors({}, {{"format", "mlgraph cost model 1"}}).value();
  CHECK(other.run(options, model).status().message() ==
        "checkpoint: the format is \"mlgraph cost model 1\"; should be \"mlgraph checkpoint 2\"");
  const ParamSpec& spec = other.lab.model.spec();
  CHECK(weights_of_checkpoint(model, spec).status().message() ==
        "checkpoint: the format is \"mlgraph cost model 1\"; should be \"mlgraph checkpoint 2\" or \"mlgraph "
        "checkpoint 1\"");
}

// ---- weights ------------------------------------------------------------------------------------------------

TEST_CASE("the weights of a checkpoint are those of the last step and of the best epoch") {
  ResumedLab lab;
  Recipe recipe = few_steps(4);
  recipe.lr = 0.1;
  std::vector<AlignedVector<float>> last, best;
  Trainer trainer(lab.lab.model, recipe);
  REQUIRE(trainer
              .run(lab.lab.train, lab.lab.valid,
                   [&](const EpochReport& epoch) {
                     lab.checkpoints.push_back(trainer.checkpoint().value());
                     last.push_back(lab.lab.weights());
                     best.push_back(epoch.is_best ? last.back() : best.back());
                     return true;
                   })
              .ok());
  const ParamSpec& spec = lab.lab.model.spec();
  for (std::size_t i = 0; i < last.size(); ++i) {
    CHECK(weights_of_checkpoint(lab.checkpoints[i], spec).value() == best[i]);
    CHECK(weights_of_checkpoint(lab.checkpoints[i], spec, CheckpointWeights::kLast).value() == last[i]);
  }
  const Model other = model_for(tile_program(1), *small_net("tile-sage"));
  CHECK(weights_of_checkpoint(lab.checkpoints[0], other.spec()).status().message() ==
        str_cat("checkpoint: best is F32 (", spec.size(), "); should be ", other.spec().size(), " of F32"));
}

TEST_CASE("a checkpoint of version 1 is refused, and its weights can be saved as a model") {
  const std::string folder = golden_dir() + "/models/";
  const std::vector<std::byte> checkpoint = io::load_checkpoint(folder + "old.checkpoint").value();
  const std::vector<std::byte> weights = io::read_file(folder + "old_checkpoint_weights.safetensors").value();
  Model model = model_from_bytes(weights, fixture_nets()).value();
  const AlignedVector<float> expected = model.parameters().value;

  const OwnedProgram program = golden_layout_program();
  Recipe recipe;
  recipe.epochs = 4;
  std::vector<PreparedProgram> programs;
  programs.push_back(model.prepare(program.view()).value());
  CHECK(Trainer(model, recipe)
            .run(
                programs, programs, [](const EpochReport&) { return true; }, checkpoint)
            .status()
            .message() ==
        "checkpoint: the format is \"mlgraph checkpoint 1\"; should be \"mlgraph checkpoint 2\": a training of "
        "that version cannot be resumed, but its weights can be exported");

  for (float& w : model.parameters().value) w = 0;
  model.parameters().value = weights_of_checkpoint(checkpoint, model.spec(), CheckpointWeights::kLast).value();
  CHECK(model.parameters().value == expected);
  const std::vector<std::byte> exported = model_to_bytes(model).value();
  CHECK(model_from_bytes(exported, fixture_nets()).value().parameters().value == expected);
  CHECK(weights_of_checkpoint(checkpoint, model.spec()).value() != expected);
}

/// What becomes of a checkpoint of small_state() after one tensor has these values instead.
template <class T>
std::string checkpoint_error(const std::string& name, const std::vector<std::int64_t>& shape,
                             const std::vector<T>& values) {
  const std::vector<std::byte> bytes = checkpoint_to_bytes(small_state(), {}).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  std::vector<SafeTensor> tensors = file.tensors();
  for (SafeTensor& tensor : tensors) {
    if (tensor.name != name) continue;
    tensor.shape = shape;
    tensor.data = {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T)};
  }
  const std::vector<std::byte> changed = write_safetensors(tensors, file.metadata()).value();
  TrainState state = small_state();
  return checkpoint_from_bytes(changed, {}, state).message();
}

TEST_CASE("checkpoints whose state is odd in one place") {
  using Doubles = std::vector<double>;
  using Integers = std::vector<std::int64_t>;
  CHECK(checkpoint_error("value", {3}, std::vector<float>{1, 2, 3}).empty());
  CHECK(checkpoint_error("value", {1, 3}, std::vector<float>{1, 2, 3}) ==
        "checkpoint: value is F32 (1, 3); should be 3 of F32");
  CHECK(checkpoint_error("epochs", {1, 1}, Doubles{0}) ==
        "checkpoint: epochs is F64 (1, 1); should be a vector of F64");
  const std::string range = "checkpoint: its numbers are out of range";
  // Epoch, whether of the head, steps, the table's next row, the best epoch, updates of the average.
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 4, 0}).empty());
  CHECK(checkpoint_error("numbers", {6}, Integers{-1, 0, 0, 0, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{std::int64_t{1} << 31, 0, 0, 0, 0, 0}).empty());
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, -1, 0, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, -1, 0, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, -1, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 5, 0}) == range);
  CHECK(checkpoint_error("numbers", {6}, Integers{4, 0, 0, 0, 0, -1}) == range);
  CHECK(checkpoint_error("epochs", {1}, Doubles{0}) == range);  // a part of a row
  const auto row = static_cast<std::int64_t>(mlgraph::detail::kEpochNumbers);
  Doubles epoch(mlgraph::detail::kEpochNumbers);
  CHECK(checkpoint_error("epochs", {row}, epoch).empty());  // of epoch 0, the last one
  for (const double odd : {-1.0, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    epoch[0] = odd;
    CHECK(checkpoint_error("epochs", {row}, epoch) == range);
  }
}

}  // namespace
}  // namespace mlgraph
