// SPDX-License-Identifier: Apache-2.0
// Programs that have nothing to learn from, and the largest of TpuGraphs: trained on, evaluated and bound to
// sessions.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "infer/session_fixture.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/trainer.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// The scores of a program by predict(), which must be finite, and by a session, which must have the same bits.
std::vector<float> scores_of(const Model& model, const PreparedProgram& program) {
  const Result<std::vector<float>> scores = model.predict(program, program.selection);
  REQUIRE_MESSAGE(scores.ok(), scores.status().message());
  for (const float score : *scores) REQUIRE(std::isfinite(score));
  if (model.plan().compares_configs()) return *scores;
  Result<Session> session = Session::bind(model, program.view);
  REQUIRE_MESSAGE(session.ok(), session.status().message());
  std::vector<float> same(scores->size());
  REQUIRE(session->score(program.view.configs, Span<float>(same)).ok());
  CHECK(same == *scores);
  std::vector<std::int32_t> order(scores->size());
  REQUIRE(session->rank(program.view.configs, Span<std::int32_t>(order)).ok());
  CHECK((*scores)[static_cast<std::size_t>(order[0])] == *std::min_element(scores->begin(), scores->end()));
  return *scores;
}

/// Every kind of model; calls `f(options)`.
template <class F>
void for_each_model(F&& f) {
  for (const std::string_view name : kNets) {
    INFO(name);
    f(*small_net(name));
  }
  for (const std::string_view name : kWinners) {
    INFO(name);
    f(*small_winner(name, 8));
  }
}

/// Three programs that `spoil` makes unusual, and a model that is trained on them for two epochs.
struct UnusualSet {
  ProgramSetFixture set;
  Model model;
  std::vector<PreparedProgram> programs;
  Status trained;

  template <class Spoil>
  UnusualSet(const NetOptions& options, Spoil&& spoil, bool has_gradient = true) : set(options, 3) {
    for (std::size_t i = 0; i < set.programs.size(); ++i) {
      spoil(set.programs[i], i);
      set.views[i] = set.programs[i].view();
    }
    model = set.model(options);
    programs = set.prepare(model);
    const AlignedVector<float> start = model.parameters().value;
    trained = Trainer(model, quick(2)).run(programs, {}, [](const EpochReport&) { return true; }).status();
    const bool moved = model.parameters().value != start;
    CHECK((trained.ok() || !moved));
    if (has_gradient) CHECK(moved == trained.ok());
  }
};

void keep_configs(OwnedProgram& program, std::int64_t count) {
  const auto size = static_cast<std::size_t>(count * program.rows_per_config * program.config_features);
  program.num_configs = count;
  (program.wide.empty() ? program.narrow.resize(size) : program.wide.resize(size));
  program.runtime.resize(static_cast<std::size_t>(count));
  if (!program.runtime_normalizer.empty()) program.runtime_normalizer.resize(static_cast<std::size_t>(count));
}

/// Every config becomes the first one; what was measured of them stays.
void repeat_first_config(OwnedProgram& program) {
  const std::int64_t size = program.rows_per_config * program.config_features;
  for (std::size_t i = static_cast<std::size_t>(size); i < program.wide.size(); ++i)
    program.wide[i] = program.wide[i - static_cast<std::size_t>(size)];
  for (std::size_t i = static_cast<std::size_t>(size); i < program.narrow.size(); ++i)
    program.narrow[i] = program.narrow[i - static_cast<std::size_t>(size)];
}

void equal_labels(OwnedProgram& program) {
  std::fill(program.runtime.begin(), program.runtime.end(), 5000);
  std::fill(program.runtime_normalizer.begin(), program.runtime_normalizer.end(), 1000);
}

// ---- nothing to learn from ----------------------------------------------------------------------------------

TEST_CASE("constant node features: a model learns from what is left") {
  for_each_model([](const NetOptions& options) {
    const UnusualSet unusual(options,
                             [](OwnedProgram& p, std::size_t) { std::fill(p.x.begin(), p.x.end(), 7.0f); });
    CHECK(unusual.trained.message() == "");
    CHECK(unusual.model.encoder().node.num_outputs() == 0);
    for (const PreparedProgram& program : unusual.programs) (void)scores_of(unusual.model, program);
    CHECK(evaluate(unusual.model, unusual.programs).ok());
  });
}

TEST_CASE("columns of zero variance are left out of the model's inputs, and may have any value later") {
  for (const Scaling scaling : {Scaling::kMinMax, Scaling::kStandard, Scaling::kSignLog1p}) {
    const std::unique_ptr<NetOptions> net = small_net("tile-sage");
    net->inputs().node_scaling = net->inputs().config_scaling = scaling;
    const UnusualSet unusual(*net, [](OwnedProgram& p, std::size_t) {
      for (std::size_t i = 0; i < p.x.size(); i += 3) p.x[i] = 1e30f;
    });
    CHECK(unusual.trained.message() == "");
    CHECK(unusual.model.encoder().node.scaled().column() == std::vector<std::int32_t>{1, 2});
    CHECK(unusual.model.encoder().config.column() == std::vector<std::int32_t>{0, 1});  // the third is 8
    const std::vector<float> scores = scores_of(unusual.model, unusual.programs[0]);
    OwnedProgram other = unusual.set.programs[0];
    for (std::size_t i = 0; i < other.x.size(); i += 3) other.x[i] = -3e38f;
    for (std::size_t i = 2; i < other.wide.size(); i += 3) other.wide[i] = 3e38f;
    CHECK(scores_of(unusual.model, unusual.model.prepare(other.view()).value()) == scores);
  }
}

TEST_CASE("constant labels: the program is scored and ranked, not trained on and not judged") {
  for_each_model([](const NetOptions& options) {
    const UnusualSet all(options, [](OwnedProgram& p, std::size_t) { equal_labels(p); });
    CHECK(all.trained.message() == "no training program has two configs with different labels to rank");
    const UnusualSet one(options, [](OwnedProgram& p, std::size_t i) {
      if (i == 1) equal_labels(p);
    });
    CHECK(one.trained.message() == "");
    for (const PreparedProgram& program : one.programs) (void)scores_of(one.model, program);
    const Evaluation evaluation = evaluate(one.model, one.programs).value();
    CHECK(evaluation.graphs.size() == 2);
    REQUIRE(evaluation.skipped.size() == 1);
    CHECK(evaluation.skipped[0] ==
          str_cat(one.set.programs[1].name, ": ordered_pair_accuracy: the labels are all 5",
                  one.set.programs[1].runtime_normalizer.empty() ? "000" : "", "; at least one should differ"));
  });
}

TEST_CASE("one config: the program is scored, not trained on and not judged") {
  for_each_model([](const NetOptions& options) {
    const UnusualSet all(options, [](OwnedProgram& p, std::size_t) { keep_configs(p, 1); });
    CHECK(all.trained.message() == "no training program has two configs with different labels to rank");
    for (const PreparedProgram& program : all.programs) CHECK(scores_of(all.model, program).size() == 1);
    const UnusualSet one(options, [](OwnedProgram& p, std::size_t i) {
      if (i == 1) keep_configs(p, 1);
    });
    CHECK(one.trained.message() == "");
    for (const PreparedProgram& program : one.programs) (void)scores_of(one.model, program);
    const Evaluation evaluation = evaluate(one.model, one.programs).value();
    CHECK(evaluation.skipped ==
          std::vector<std::string>{str_cat(one.set.programs[1].name,
                                           ": ordered_pair_accuracy: there are 1 items; it needs at least 2")});
  });
}

TEST_CASE("configs that are all the same have the same score, whatever was measured of them") {
  for_each_model([](const NetOptions& options) {
    const UnusualSet all(
        options, [](OwnedProgram& p, std::size_t) { repeat_first_config(p); }, false);
    CHECK(all.trained.message() == "");
    const UnusualSet one(options, [](OwnedProgram& p, std::size_t i) {
      if (i == 1) repeat_first_config(p);
    });
    CHECK(one.trained.message() == "");
    for (const UnusualSet* const unusual : {&all, &one}) {
      const std::vector<float> scores = scores_of(unusual->model, unusual->programs[1]);
      CHECK(scores == std::vector<float>(scores.size(), scores[0]));
      const Evaluation evaluation = evaluate(unusual->model, unusual->programs).value();
      REQUIRE(evaluation.graphs.size() == 3);
      CHECK(evaluation.graphs[1].metrics.kendall_tau == 0);
    }
  });
}

TEST_CASE("where everything is constant a training still ends, and every score is the same") {
  for_each_model([](const NetOptions& options) {
    const auto spoil = [](OwnedProgram& p, std::size_t) {
      std::fill(p.x.begin(), p.x.end(), 0.0f);
      std::fill(p.opcode.begin(), p.opcode.end(), 0);
      repeat_first_config(p);
    };
    const UnusualSet unusual(options, spoil, false);
    CHECK(unusual.trained.message() == "");
    const std::vector<float> scores = scores_of(unusual.model, unusual.programs[0]);
    CHECK(scores == std::vector<float>(scores.size(), scores[0]));
  });
}

// ---- the largest of TpuGraphs -------------------------------------------------------------------------------

/// An epoch on a tile program of so many configs, an evaluation of all of them and a session that ranks them.
void train_on_configs(std::int64_t num_configs) {
  const std::vector<OwnedProgram> owned = {tile_program(1, num_configs), tile_program(2)};
  const std::vector<ProgramView> views = {owned[0].view(), owned[1].view()};
  Model model = fit_model(*small_net("tile-sage"), views).value();
  std::vector<PreparedProgram> programs;
  for (const ProgramView& view : views) programs.push_back(model.prepare(view).value());
  CHECK(programs[0].selection.size() == static_cast<std::size_t>(num_configs));
  Recipe training = quick(1);
  training.selection = Selection::kFirst;
  training.configs_per_graph = 100;
  training.max_slates_per_graph = 10;
  const TrainReport report =
      Trainer(model, training).run(programs, programs, [](const EpochReport&) { return true; }).value();
  CHECK(std::isfinite(report.epochs[0].train_loss));
  CHECK(report.best_valid.kendall_tau > -1);
  const Evaluation evaluation = evaluate(model, programs).value();
  REQUIRE(evaluation.graphs.size() == 2);
  CHECK(evaluation.graphs[0].num_configs == num_configs);
  CHECK(scores_of(model, programs[0]) == evaluation.graphs[0].score);
}

TEST_CASE("a program of 3,000 configs is trained on, evaluated and ranked") { train_on_configs(3000); }
TEST_CASE("a program of 100,040 configs is trained on, evaluated and ranked" * kLong) {
  train_on_configs(100040);
}

/// An epoch on a layout program of so many nodes, as a whole and in segments, an evaluation and a session.
void train_on_nodes(std::int32_t num_nodes, std::int64_t config_nodes, std::int64_t segment_size) {
  OwnedProgram owned = large_layout_program(7, num_nodes, config_nodes, 6);
  for (std::int64_t c = 0; c < 6; ++c) owned.runtime.push_back(1000 + 37 * (c * c % 7));
  const std::vector<ProgramView> views = {owned.view()};
  for (const GstVariant variant : {GstVariant::kFull, GstVariant::kEFD}) {
    const std::unique_ptr<NetOptions> net = small_net("layout-sage");
    net->inputs().segments.max_size = variant == GstVariant::kFull ? 0 : segment_size;
    Model model = fit_model(*net, views).value();
    std::vector<PreparedProgram> programs;
    programs.push_back(model.prepare(views[0]).value());
    CHECK(programs[0].num_nodes() == num_nodes);
    CHECK((programs[0].segments.size() > 1) == (variant != GstVariant::kFull));
    Recipe training = quick(2);
    training.configs_per_graph = 4;
    training.gst.variant = variant;
    training.gst.finetune_epochs = variant == GstVariant::kFull ? -1 : 1;
    const TrainReport report =
        Trainer(model, training).run(programs, programs, [](const EpochReport&) { return true; }).value();
    CHECK(std::isfinite(report.epochs.back().train_loss));
    CHECK(report.epochs.back().validated);
    CHECK(scores_of(model, programs[0]).size() == 6);
  }
}

TEST_CASE("a graph of 2,000 nodes is trained on in one piece and in segments, and scored by a session") {
  train_on_nodes(2000, 101, 300);
}
TEST_CASE("a graph of 43,615 nodes is trained on in one piece and in segments, and scored by a session" *
          kLong) {
  train_on_nodes(43615, 1001, 5000);
}

}  // namespace
}  // namespace mlgraph
