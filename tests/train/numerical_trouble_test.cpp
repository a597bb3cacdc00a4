// SPDX-License-Identifier: Apache-2.0
// NaN and infinities in features, labels, scores, losses, gradients and weights: a training stops, says where,
// and leaves the last good checkpoint.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/train_fixture.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr float kBadNumbers[] = {kNotANumber, kInfinite, -kInfinite};

bool begins_with(const std::string& text, const std::string& beginning) {
  return text.rfind(beginning, 0) == 0;
}

// ---- features -----------------------------------------------------------------------------------------------

TEST_CASE("features that are not finite are refused with program and place, before anything is trained") {
  const Lab tile(*small_net("tile-sage"), 2), layout(*small_net("layout-sage"), 2);
  for (const float bad : kBadNumbers) {
    const std::string name = detail::non_finite_name(bad);
    OwnedProgram program = tile.train_set.programs[1];
    program.x[3 * 2 + 1] = bad;
    CHECK(tile.model.prepare(program.view()).status().message() == "tile_2: node 2 feature 1 is " + name);
    program = tile.train_set.programs[1];
    program.wide[3 * 7 + 1] = bad;
    CHECK(tile.model.prepare(program.view()).status().message() == "tile_2: config 7 entry 1 is " + name);
    program = layout.train_set.programs[1];
    program.wide.assign(program.narrow.begin(), program.narrow.end());
    program.narrow.clear();
    program.wide[6 * 5 + 3] = bad;
    CHECK(layout.model.prepare(program.view()).status().message() == "layout_2: config 5 entry 3 is " + name);
  }
}

TEST_CASE("features that are spoilt in a training stop it, with epoch, step, program and config") {
  for (const float bad : kBadNumbers) {
    Lab lab(*small_net("tile-mlp"), 1);
    AlignedVector<float> best;
    const auto on_epoch = [&](const EpochReport& now) {
      if (now.is_best) best = lab.weights();
      if (now.epoch == 2)
        for (std::size_t c = 0; c < 24; ++c) lab.train_set.programs[0].wide[3 * c] = bad;
      return true;
    };
    const std::string message = lab.run(quick(9), on_epoch).status().message();
    CHECK_MESSAGE(begins_with(message, "epoch 3: step 1: tile_1: the score of config "), message);
    CHECK(lab.weights() == best);
  }
}

TEST_CASE("a validation score that is not finite is reported, and the best weights restored") {
  for (const float bad : kBadNumbers) {
    Lab lab(*small_net("tile-mlp"), 1);
    AlignedVector<float> best;
    const auto on_epoch = [&](const EpochReport& now) {
      if (now.is_best) best = lab.weights();
      if (now.epoch == 2) lab.valid_set.programs[3].wide[3 * 4] = bad;
      return true;
    };
    const std::string message = lab.run(quick(9), on_epoch).status().message();
    CHECK_MESSAGE(begins_with(message, "epoch 3: tile_1003: the score of config 4 is "), message);
    CHECK(lab.weights() == best);
  }
}

// ---- labels -------------------------------------------------------------------------------------------------

TEST_CASE("labels that are not finite are found before training, with program and config") {
  struct BadLabel {
    std::int64_t runtime;
    const char* name;
  };
  for (const BadLabel bad : {BadLabel{0, "nan"}, BadLabel{5, "inf"}, BadLabel{-5, "-inf"}}) {
    for (const bool in_valid : {false, true}) {
      Lab lab(*small_net("tile-mlp"), 2);
      const AlignedVector<float> start = lab.weights();
      OwnedProgram& program = (in_valid ? lab.valid_set : lab.train_set).programs[1];
      program.runtime[7] = bad.runtime;
      program.runtime_normalizer[7] = 0;
      CHECK(lab.run(quick(2)).status().message() ==
            str_cat(program.name, ": the label of config 7 is ", bad.name));
      CHECK(lab.weights() == start);
      PreparedProgram& prepared = (in_valid ? lab.valid : lab.train)[1];
      prepared.selection = {1, 2, 3};  // without it
      CHECK(lab.run(quick(2)).ok());
    }
  }
}

TEST_CASE("labels that are spoilt in a training stop it, whatever the loss") {
  using Kind = LossOptions::Kind;
  for (const Kind kind : {Kind::kMse, Kind::kMape, Kind::kPairwiseHinge, Kind::kPairwiseLogistic,
                          Kind::kListMle, Kind::kDiffMat, Kind::kCentredLog, Kind::kCostWeighted}) {
    Lab lab(*small_net("tile-mlp"), 1);
    Recipe recipe = quick(9);
    recipe.loss.kind = kind;
    const auto on_epoch = [&](const EpochReport& now) {
      if (now.epoch == 2) lab.train_set.programs[0].runtime_normalizer.assign(24, 0);  // in its place
      return true;
    };
    const std::string message = lab.run(recipe, on_epoch).status().message();
    INFO("loss ", enum_name(kind));
    CHECK_MESSAGE(begins_with(message, "epoch 3: step 1: tile_1: the label of config "), message);
  }
}

// ---- scores and losses --------------------------------------------------------------------------------------

TEST_CASE("one infinite score is found where the loss is finite: the slowest config may be infinitely slow") {
  for (const float huge : {3e38f, -3e38f}) {
    const std::unique_ptr<NetOptions> net = small_net("tile-mlp");
    net->inputs().config_scaling = Scaling::kRaw;
    Lab lab(*net, 1);
    OwnedProgram& program = lab.train_set.programs[0];
    program.wide[3 * 5] = huge;
    program.runtime[5] = 1000000000;
    Recipe training = quick(1);
    training.configs_per_graph = 24;  // all
    for (float& w : lab.weights()) w *= 8;
    const std::string message = lab.run(training).status().message();
    CHECK_MESSAGE(begins_with(message, "epoch 1: step 1: tile_1: the score of config 5 is "), message);
  }
}

TEST_CASE("weights that become NaN are reported for every architecture, and the best ones restored") {
  for (const std::string_view name : kNets) {
    for (const float bad : kBadNumbers) {
      Lab lab(*small_net(name), 1);
      lab.valid.clear();
      AlignedVector<float> best;
      const std::string message = lab.run(quick(9),
                                          [&](const EpochReport& now) {
                                            if (now.is_best) best = lab.weights();
                                            if (now.epoch == 3) lab.weights()[0] = bad;
                                            return true;
                                          })
                                      .status()
                                      .message();
      INFO(name, " ", bad);
      CHECK_MESSAGE(begins_with(message, str_cat("epoch 4: step 1: ", lab.train_set.programs[0].name, ": ")),
                    message);
      CHECK(lab.weights() == best);
    }
  }
}

TEST_CASE("every variant of segment training finds weights that become NaN") {
  for (const GstVariant variant : kGstVariants) {
    const std::unique_ptr<NetOptions> net = small_net("layout-sage");
    net->inputs().segments.max_size = 3;
    Lab lab(*net, 4);
    lab.valid.clear();
    Recipe options = quick(9);
    options.gst.variant = variant;
    AlignedVector<float> best;
    const auto on_epoch = [&](const EpochReport& now) {
      if (now.is_best) best = lab.weights();
      if (now.epoch == 3)
        for (float& w : lab.weights()) w = kNotANumber;
      return true;
    };
    const std::string message = lab.run(options, on_epoch).status().message();
    INFO(enum_name(variant));
    CHECK_MESSAGE(begins_with(message, "epoch 4: step 1: layout_"), message);
    CHECK_MESSAGE(message.find(": the score of config ") != std::string::npos, message);
    CHECK(lab.weights() == best);
  }
}

TEST_CASE("a loss that overflows is named with its widest score") {
  Lab lab(*small_net("tile-mlp"), 1);
  const Param bias = lab.model.spec().find("head.lins.2.bias")->param;
  lab.weights()[static_cast<std::size_t>(bias.offset)] = 1e30f;
  Recipe recipe = quick(2);
  recipe.loss.kind = Loss::kMse;
  const std::string message = lab.run(recipe).status().message();
  CHECK_MESSAGE(begins_with(message,
                            "epoch 1: step 1: tile_1: the loss is inf; the widest score is 1e+30, of "
                            "config "),
                message);
}

TEST_CASE("a gradient that overflows is named by program and tensor") {
  Lab lab(*small_net("tile-mlp"), 1);
  const auto scale = [&](const char* name, float factor) {
    const Param p = lab.model.spec().find(name)->param;
    for (std::int64_t i = 0; i < p.size(); ++i) lab.weights()[static_cast<std::size_t>(p.offset + i)] *= factor;
  };
  scale("head.lins.1.weight", 1e30f);
  scale("head.lins.2.weight", 1e-30f);
  Recipe recipe = quick(1);
  recipe.loss.kind = Loss::kListMle;
  recipe.loss.temperature = 1e-10;
  for (const double clip_norm : {0.0, 1.0}) {
    recipe.clip_norm = clip_norm;
    const std::string message = lab.run(recipe).status().message();
    CHECK_MESSAGE(begins_with(message, "epoch 1: step 1: tile_1: the gradient of head.lins.2.weight is "),
                  message);
  }
}

// ---- a learning rate that explodes --------------------------------------------------------------------------

TEST_CASE("a learning rate that explodes is an error at its step, and the start weights are kept") {
  Lab lab(*small_net("tile-mlp"), 8);  // two steps of four
  const AlignedVector<float> start = lab.weights();
  std::string message = lab.run(constant_rate(5, 1e30)).status().message();
  CHECK_MESSAGE(begins_with(message, "epoch 1: step 2: tile_"), message);
  CHECK_MESSAGE(message.find(": the score of config ") != std::string::npos, message);
  CHECK(lab.weights() == start);
  message = lab.run(constant_rate(5, 1e39)).status().message();
  CHECK_MESSAGE(begins_with(message, "epoch 1: step 1: tile_"), message);
  CHECK_MESSAGE(message.find(" and 3 more: ") != std::string::npos, message);
  CHECK_MESSAGE(message.find(" became ") != std::string::npos, message);
  CHECK_MESSAGE(message.find("; the learning rate is 1e+39") != std::string::npos, message);
  CHECK(lab.weights() == start);
}

TEST_CASE("weights that overflow in the very last step are not kept") {
  Lab lab(*small_net("tile-mlp"), 1);
  lab.valid.clear();
  const AlignedVector<float> start = lab.weights();
  const std::string message = lab.run(constant_rate(1, 1e39)).status().message();
  CHECK_MESSAGE(begins_with(message, "epoch 1: step 1: tile_1: "), message);
  CHECK_MESSAGE(message.find("; the learning rate is 1e+39") != std::string::npos, message);
  CHECK(lab.weights() == start);
}

// ---- the checkpoint -----------------------------------------------------------------------------------------

/// A training that writes a checkpoint after each epoch, and what it wrote last.
struct CheckpointedLab {
  Lab lab{*small_net("tile-mlp"), 8};
  std::string path =
      (std::filesystem::temp_directory_path() / str_cat("mlgraph_trouble_", ::getpid())).string();
  std::vector<std::byte> last;
  std::int64_t last_epoch = 0;

  CheckpointedLab() = default;
  CheckpointedLab(const CheckpointedLab&) = delete;
  CheckpointedLab& operator=(const CheckpointedLab&) = delete;
  ~CheckpointedLab() { std::filesystem::remove(path); }

  template <class OnEpoch>
  Result<TrainReport> run(const Recipe& options, OnEpoch&& on_epoch, Span<const std::byte> resume = {}) {
    Trainer trainer(lab.model, options);
    return trainer.run(
        lab.train, lab.valid,
        [&](const EpochReport& now) {
          last = trainer.checkpoint().value();
          last_epoch = now.epoch;
          REQUIRE(io::save_checkpoint(path, last).ok());
          return on_epoch(now);
        },
        resume);
  }
};

TEST_CASE(
    "after numerical trouble the checkpoint on disk is the last good one, and a training goes on from it") {
  CheckpointedLab undisturbed;
  REQUIRE(undisturbed.run(quick(6), [](const EpochReport&) { return true; }).ok());
  const AlignedVector<float> expected = undisturbed.lab.weights();

  for (const char* const what : {"label", "config", "weight"}) {
    INFO(what);
    CheckpointedLab spoilt;
    OwnedProgram& program = spoilt.lab.train_set.programs[2];
    const OwnedProgram good = program;
    const Result<TrainReport> report = spoilt.run(quick(6), [&](const EpochReport& now) {
      if (now.epoch < 3) return true;
      if (what[0] == 'l') std::fill(program.runtime_normalizer.begin(), program.runtime_normalizer.end(), 0);
      if (what[0] == 'c') std::fill(program.wide.begin(), program.wide.end(), kInfinite);
      if (what[0] == 'w') spoilt.lab.weights()[0] = kNotANumber;
      return true;
    });
    REQUIRE_FALSE(report.ok());
    CHECK_MESSAGE(begins_with(report.status().message(), "epoch 4: step "), report.status().message());
    CHECK(spoilt.last_epoch == 3);
    const Result<std::vector<std::byte>> saved = io::load_checkpoint(spoilt.path);
    REQUIRE(saved.ok());
    CHECK(*saved == spoilt.last);

    std::copy(good.runtime_normalizer.begin(), good.runtime_normalizer.end(),
              program.runtime_normalizer.begin());
    std::copy(good.wide.begin(), good.wide.end(), program.wide.begin());
    std::int64_t first = 0;
    const Result<TrainReport> resumed = spoilt.run(
        quick(6),
        [&](const EpochReport& now) {
          if (first == 0) first = now.epoch;
          return true;
        },
        *saved);
    REQUIRE_MESSAGE(resumed.ok(), resumed.status().message());
    CHECK(first == 4);
    CHECK(spoilt.lab.weights() == expected);
  }
}

TEST_CASE("a learning rate that explodes after some epochs leaves the checkpoint of the last good one") {
  CheckpointedLab exploding;
  const Recipe options = constant_rate(300, 2e5);
  const Result<TrainReport> report = exploding.run(options, [](const EpochReport&) { return true; });
  REQUIRE_FALSE(report.ok());
  const std::string& message = report.status().message();
  REQUIRE_MESSAGE(exploding.last_epoch > 0, message);
  CHECK_MESSAGE(begins_with(message, str_cat("epoch ", exploding.last_epoch + 1, ": step ")), message);
  const Result<std::vector<std::byte>> saved = io::load_checkpoint(exploding.path);
  REQUIRE(saved.ok());
  CHECK(*saved == exploding.last);
  // It is whole, and from it the training explodes again at the same step.
  CHECK(exploding
            .run(
                options, [](const EpochReport&) { return true; }, *saved)
            .status()
            .message() == message);
}

}  // namespace
}  // namespace mlgraph
