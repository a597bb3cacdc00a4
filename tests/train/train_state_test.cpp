// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/train_state.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mlgraph/model/safetensors_writer.hpp"
#include "mlgraph/train/trainer.hpp"
#include "model/program_fixture.hpp"
#include "train/train_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

ModelOptions cut_options() {
  ModelOptions options = small_options(Arch::kLayoutSage);
  options.segments.max_size = 3;
  return options;
}

TrainerOptions cut_training(GstVariant variant, TableDtype dtype = TableDtype::kF32) {
  TrainerOptions options;
  options.epochs = 6;
  options.graphs_per_step = 4;
  options.configs_per_graph = 6;
  options.max_slates_per_graph = 2;
  options.lr = 1e-2;
  options.gst.variant = variant;
  options.gst.table_dtype = dtype;
  options.gst.finetune_epochs = variant == GstVariant::kEF || variant == GstVariant::kEFD ? 2 : -1;
  return options;
}

/// Programs, a model, and a training of it that can be stopped and taken up again.
struct ResumedLab {
  ProgramSetFixture train_set{Task::kLayout, 6}, valid_set{Task::kLayout, 3, 1000};
  GnnCostModel model = train_set.model(cut_options());
  std::vector<PreparedProgram> train = train_set.prepare(model), valid = valid_set.prepare(model);
  std::vector<std::vector<std::byte>> checkpoints;  // of each epoch

  Result<TrainReport> run(const TrainerOptions& options, Span<const std::byte> resume = {},
                          int stop_after = 0) {
    Trainer trainer(model, options, LossOptions{});
    return trainer.run(
        train, valid, Selection::kKendallTau,
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
            a[i].is_best == b[i].is_best && a[i].validated == b[i].validated;
  }
  return equal;
}

TEST_CASE("a training resumed after any epoch ends with the bits of one that was not stopped") {
  for (const TableDtype dtype : {TableDtype::kF32, TableDtype::kBf16}) {
    for (const GstVariant variant : kGstVariants) {
      if (dtype == TableDtype::kBf16 && variant != GstVariant::kEFD) continue;
      const TrainerOptions options = cut_training(variant, dtype);
      ResumedLab whole;
      const TrainReport expected = whole.run(options).value();
      REQUIRE(whole.checkpoints.size() == 6);
      for (std::size_t epoch = 1; epoch < 6; ++epoch) {
        INFO(gst_variant_name(variant), ", resumed after epoch ", epoch);
        ResumedLab resumed;
        const TrainReport report = resumed.run(options, whole.checkpoints[epoch - 1]).value();
        CHECK(resumed.model.parameters().value == whole.model.parameters().value);
        CHECK(same(report.epochs, expected.epochs));
        CHECK(report.best_epoch == expected.best_epoch);
        CHECK(report.table_rows == expected.table_rows);
        CHECK(resumed.checkpoints.back() == whole.checkpoints.back());
      }
    }
  }
}

TEST_CASE("a checkpoint of a stopped training is that of the same epoch of a whole one") {
  const TrainerOptions options = cut_training(GstVariant::kED);
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
    TrainerOptions options = cut_training(GstVariant::kED);
    change(other, options);
    return other.run(options, checkpoint).status().message();
  };
  CHECK(refused([](ResumedLab&, TrainerOptions& o) { o.lr = 0.5; }) ==
        "checkpoint: lr was \"0.01\" and is \"0.5\" now; should be the same");
  CHECK(refused([](ResumedLab&, TrainerOptions& o) { o.gst.variant = GstVariant::kE; }) ==
        "checkpoint: gst was \"ed\" and is \"e\" now; should be the same");
  CHECK(refused([](ResumedLab&, TrainerOptions& o) { o.seed = 9; }) ==
        "checkpoint: seed was \"1\" and is \"9\" now; should be the same");
  CHECK(refused([](ResumedLab& l, TrainerOptions&) {
          l.train[1].selection.pop_back();
        }).find("checkpoint: data was") == 0);
  CHECK(refused([](ResumedLab& l, TrainerOptions&) { l.valid.pop_back(); }).find("checkpoint: data was") == 0);
}

TEST_CASE("bytes that are no whole checkpoint are refused") {
  ResumedLab lab;
  const TrainerOptions options = cut_training(GstVariant::kEFD);
  REQUIRE(lab.run(options).ok());
  const std::vector<std::byte>& checkpoint = lab.checkpoints[4];
  for (std::size_t size = 1; size < checkpoint.size(); size += 1 + size / 7) {
    ResumedLab other;
    CHECK_FALSE(other.run(options, Span<const std::byte>(checkpoint).subspan(0, size)).ok());
  }
  ResumedLab other;
  const std::vector<std::byte> model = write_safetensors({}, {{"format", "mlgraph cost model 1"}}).value();
  CHECK(other.run(options, model).status().message() ==
        "checkpoint: the format is \"mlgraph cost model 1\"; should be \"mlgraph checkpoint 1\"");
}

}  // namespace
}  // namespace mlgraph
