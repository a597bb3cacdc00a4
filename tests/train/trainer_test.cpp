// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "long_tests.hpp"
#include "model/program_fixture.hpp"
#include "train/train_fixture.hpp"
#include "train/trainer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

// ---- learning
// -------------------------------------------------------------------------------------------------

TEST_CASE("every architecture learns to rank the configs of programs it has not seen" * kLong) {
  for (const Arch arch : kArchs) {
    for (const Join join : kJoins) {
      Lab lab(small_options(arch, join), 32);
      // The sum over nodes of a residual network dwarfs a config that joins late: smaller steps.
      const bool slow = arch == Arch::kTileResGcn && join == Join::kLate;
      TrainerOptions options = quick(slow ? 120 : 60);
      if (slow) options.lr = 3e-3;
      const double before = evaluate(lab.model, lab.valid).value().mean.kendall_tau;
      const TrainReport report = lab.run(options).value();
      INFO(arch_name(arch), ", join ", static_cast<int>(join));
      CHECK(before < 0.3);
      CHECK(report.best_valid.kendall_tau > (slow ? 0.6 : 0.7));
      CHECK(report.epochs.back().train_loss < 0.7 * report.epochs.front().train_loss);
    }
  }
}

TEST_CASE("every loss learns" * kLong) {
  using Kind = LossOptions::Kind;
  for (const Kind kind : {Kind::kMse, Kind::kMape, Kind::kPairwiseHinge, Kind::kPairwiseLogistic,
                          Kind::kListMle, Kind::kDiffMat}) {
    for (const double mse_weight : {0.0, 0.02}) {
      Lab lab(small_options(Arch::kTileSage), 24);
      LossOptions loss;
      loss.kind = kind;
      loss.margin = kind == Kind::kDiffMat ? 0.01 : 1;
      loss.temperature = 10;
      loss.mse_weight = mse_weight;
      const bool regression = kind == Kind::kMse || kind == Kind::kMape;
      // Regression wants labels near 1.
      if (regression || mse_weight != 0) {
        for (OwnedProgram& program : lab.train_set.programs) {
          for (std::int64_t& normalizer : program.runtime_normalizer) normalizer *= 100;
        }
      }
      const TrainReport report = lab.run_loss(quick(50), loss).value();
      INFO("loss ", static_cast<int>(kind), ", mse weight ", mse_weight);
      CHECK(report.best_valid.kendall_tau > 0.55);
    }
  }
}

TEST_CASE("skewed sampling and dropout learn too" * kLong) {
  ModelOptions model = small_options(Arch::kLayoutSage);
  model.dropout = 0.1;
  Lab lab(model, 24);
  TrainerOptions options = quick(50);
  options.sampling = ConfigSampling::kSkewed;
  options.configs_per_graph = 10;
  CHECK(lab.run(options).value().best_valid.kendall_tau > 0.6);
}

// ---- determinism
// ----------------------------------------------------------------------------------------------

AlignedVector<float> trained_weights(const ModelOptions& model, TrainerOptions options, int threads,
                                     std::int64_t large_slate_rows) {
  options.large_slate_rows = large_slate_rows;
  Lab lab(model);
  ThreadPool pool(threads);
  lab.pool = threads > 0 ? &pool : nullptr;
  const Result<TrainReport> report = lab.run(options);
  REQUIRE(report.ok());
  return lab.weights();
}

TEST_CASE("the weights have the same bits for any number of threads, slates side by side or in sequence" * testing::kLong) {
  for (const Arch arch : {Arch::kTileSage, Arch::kLayoutResGcn}) {
    ModelOptions model = small_options(arch);
    model.dropout = 0.2;
    TrainerOptions options = quick(3);
    options.weight_decay = 0.01;
    options.max_slates_per_graph = 2;
    const AlignedVector<float> serial = trained_weights(model, options, 0, 8192);
    for (const int threads : {1, 2, 3, 7}) {
      for (const std::int64_t large_slate_rows : {0, 100, 1000000}) {  // in sequence, mixed, side by side
        CHECK(trained_weights(model, options, threads, large_slate_rows) == serial);
      }
    }
  }
}

TEST_CASE("graphs so large that kernels use the threads give the same bits" * testing::kLong) {
  ModelOptions model = small_options(Arch::kTileResGcn);
  const OwnedProgram owned = tile_program(5, 12, 3000);
  AlignedVector<float> weights[3];
  for (const int threads : {1, 2, 3}) {
    const std::vector<ProgramView> views = {owned.view()};
    GnnCostModel cost = GnnCostModel::make(model, FeatureEncoder::fit(views, model).value(), 1).value();
    const std::vector<PreparedProgram> train = {cost.prepare(owned.view()).value()};
    ThreadPool pool(threads);
    TrainerOptions options = quick(2);
    REQUIRE(Trainer(cost, options, {}, &pool)
                .run(train, {}, Selection::kKendallTau, [](const EpochReport&) { return true; })
                .ok());
    weights[threads - 1] = cost.parameters().value;
  }
  CHECK(weights[0] == weights[1]);
  CHECK(weights[0] == weights[2]);
}

TEST_CASE("the same seed gives the same weights and reports, another one others") {
  const ModelOptions model = small_options(Arch::kTileMlp);
  const auto train = [&](std::uint64_t seed) {
    Lab lab(model);
    TrainerOptions options = quick(4);
    options.seed = seed;
    const TrainReport report = lab.run(options).value();
    return std::make_pair(lab.weights(), report.epochs.back().train_loss);
  };
  const auto first = train(1);
  CHECK(train(1) == first);
  CHECK(train(2).first != first.first);
  CHECK(train(2).second != first.second);
}

TEST_CASE("a trainer can run again, as if it were new") {
  Lab once(small_options(Arch::kTileMlp)), twice(small_options(Arch::kTileMlp));
  const AlignedVector<float> start = twice.weights();
  REQUIRE(once.run(quick(2)).ok());
  Trainer trainer(twice.model, quick(2), {});
  const auto run = [&] {
    return trainer.run(twice.train, twice.valid, Selection::kKendallTau,
                       [](const EpochReport&) { return true; });
  };
  REQUIRE(run().ok());
  twice.weights() = start;
  REQUIRE(run().ok());
  CHECK(twice.weights() == once.weights());
}

// ---- what is kept, and when it stops
// ----------------------------------------------------------------------------

TEST_CASE("the weights of the best epoch are restored") {
  Lab lab(small_options(Arch::kTileSage));
  AlignedVector<float> best;
  int best_epoch = 0;
  double best_tau = -2;
  const TrainReport report = lab.run(quick(30),
                                     [&](const EpochReport& now) {
                                       CHECK(now.validated);
                                       CHECK(now.is_best == (now.valid.kendall_tau > best_tau));
                                       if (now.is_best) {
                                         best = lab.weights();
                                         best_epoch = now.epoch;
                                         best_tau = now.valid.kendall_tau;
                                       }
                                       return true;
                                     })
                                 .value();
  CHECK(report.epochs.size() == 30);
  CHECK(report.best_epoch == best_epoch);
  CHECK(report.best_valid.kendall_tau == best_tau);
  CHECK_FALSE(report.stopped_by_caller);
  CHECK(lab.weights() == best);
  CHECK(evaluate(lab.model, lab.valid).value().mean.kendall_tau == best_tau);
}

TEST_CASE("tiles are judged by the slowdown of the five best-scored, then of the best") {
  Lab lab(small_options(Arch::kTileSage));
  std::array<double, 4> best = {9e9, 9e9, 9e9, 9e9};
  const auto on_epoch = [&](const EpochReport& now) {
    const auto& s = now.valid.slowdown;
    CHECK(now.is_best == (s[1] < best[1] || (s[1] == best[1] && s[0] < best[0])));
    if (now.is_best) best = s;
    return true;
  };
  const Result<TrainReport> report =
      Trainer(lab.model, quick(20), {}).run(lab.train, lab.valid, Selection::kTop5Slowdown, on_epoch);
  CHECK(report.value().best_valid.slowdown == best);
}

TEST_CASE("without validation programs the last weights are kept") {
  Lab lab(small_options(Arch::kTileMlp));
  lab.valid.clear();
  AlignedVector<float> last;
  TrainerOptions options = quick(5);
  options.patience = 1;
  const TrainReport report = lab.run(options,
                                     [&](const EpochReport& now) {
                                       last = lab.weights();
                                       CHECK_FALSE(now.validated);
                                       return true;
                                     })
                                 .value();
  CHECK(report.epochs.size() == 5);
  CHECK(report.best_epoch == 5);
  CHECK(lab.weights() == last);
}

TEST_CASE("training stops after `patience` epochs without a better one") {
  Lab lab(small_options(Arch::kTileMlp));
  TrainerOptions options = constant_rate(50, 0);  // nothing ever changes: the first epoch is the best
  options.patience = 3;
  const TrainReport report = lab.run(options).value();
  CHECK(report.best_epoch == 1);
  CHECK(report.epochs.size() == 4);
}

TEST_CASE("patience waits for the next epoch that is validated") {
  Lab lab(small_options(Arch::kTileMlp));
  TrainerOptions options = constant_rate(50, 0);
  options.patience = 3;
  options.validate_every = 5;
  const TrainReport report = lab.run(options).value();
  CHECK(report.best_epoch == 5);
  CHECK(report.epochs.size() == 10);
  for (const EpochReport& epoch : report.epochs) CHECK(epoch.validated == (epoch.epoch % 5 == 0));
}

TEST_CASE("the last epoch is always validated") {
  Lab lab(small_options(Arch::kTileMlp));
  TrainerOptions options = quick(3);
  options.validate_every = 10;
  const TrainReport report = lab.run(options).value();
  CHECK_FALSE(report.epochs[1].validated);
  CHECK(report.epochs[2].validated);
  CHECK(report.best_epoch == 3);
}

TEST_CASE("on_epoch stops the training") {
  Lab lab(small_options(Arch::kTileMlp));
  const TrainReport report = lab.run(quick(9), [](const EpochReport& now) { return now.epoch < 3; }).value();
  CHECK(report.stopped_by_caller);
  CHECK(report.epochs.size() == 3);
  CHECK(report.best_epoch > 0);
}

TEST_CASE("stopped before any epoch was validated, the model has its start weights") {
  Lab lab(small_options(Arch::kTileMlp));
  const AlignedVector<float> start = lab.weights();
  TrainerOptions options = quick(9);
  options.validate_every = 5;
  const TrainReport report = lab.run(options, [](const EpochReport& now) { return now.epoch < 3; }).value();
  CHECK(report.best_epoch == 0);
  CHECK(lab.weights() == start);
}

// ---- the step
// -------------------------------------------------------------------------------------------------

TEST_CASE("the learning rate warms up and falls along a cosine to min_lr") {
  Lab lab(small_options(Arch::kTileMlp), 8);
  TrainerOptions options = quick(10);  // 2 steps of 4 graphs each
  options.lr = 0.01;
  options.min_lr = 0.001;
  options.warmup_fraction = 0.2;
  const TrainReport report = lab.run(options).value();
  const LrSchedule schedule = LrSchedule::cosine(0.01, 20, 0.2, 0.001);
  for (const EpochReport& epoch : report.epochs) CHECK(epoch.lr == schedule.at(2 * epoch.epoch - 1));
}

TEST_CASE("weight decay shrinks weights without a gradient by 1 - lr * weight_decay each step") {
  Lab lab(small_options(Arch::kTileMlp), 8);
  lab.valid.clear();
  const AlignedVector<float> start = lab.weights();
  LossOptions loss;
  loss.margin = -1e6;  // every pair is in order: no gradient
  TrainerOptions options = constant_rate(5, 0.1);
  options.weight_decay = 0.5;
  const TrainReport report = lab.run_loss(options, loss).value();
  CHECK(report.epochs[0].train_loss == 0);
  for (std::size_t i = 0; i < start.size(); ++i) {
    CHECK(lab.weights()[i] ==
          doctest::Approx(static_cast<double>(start[i]) * std::pow(0.95, 10)).epsilon(1e-5));
  }
  options.weight_decay = 0;
  lab.weights() = start;
  REQUIRE(lab.run_loss(options, loss).ok());
  CHECK(lab.weights() == start);
}

TEST_CASE("clipping bounds the gradient") {
  const auto largest_move = [](double clip_norm) {
    Lab lab(small_options(Arch::kTileMlp), 4);
    lab.valid.clear();
    const AlignedVector<float> start = lab.weights();
    TrainerOptions options = constant_rate(1, 1e-3);
    options.clip_norm = clip_norm;
    REQUIRE(lab.run(options).ok());
    float largest = 0;
    for (std::size_t i = 0; i < start.size(); ++i)
      largest = std::max(largest, std::abs(lab.weights()[i] - start[i]));
    return static_cast<double>(largest);
  };
  CHECK(largest_move(0) ==
        doctest::Approx(1e-3).epsilon(1e-3));  // Adam's first step: lr, whatever the gradient
  CHECK(largest_move(1) == doctest::Approx(1e-3).epsilon(1e-3));
  CHECK(largest_move(1e-12) < 1e-6);  // far below Adam's epsilon
}

TEST_CASE("a step's gradient is the mean over its slates, and the loss of an epoch the mean over all") {
  // With as many configs as there are, a slate is its program: one step over two programs at once, or over the
  // same program twice, is known from single steps.
  const ModelOptions model = small_options(Arch::kTileMlp);
  const auto first_epoch = [&](const std::vector<std::size_t>& which) {
    Lab lab(model, 4);
    lab.valid.clear();
    std::vector<PreparedProgram> some;
    for (const std::size_t i : which) some.push_back(lab.train[i]);
    lab.train = some;
    TrainerOptions options = constant_rate(1, 0);
    options.configs_per_graph = 24;
    const TrainReport report = lab.run(options).value();
    return std::make_pair(report.epochs[0].train_loss, lab.model.parameters().grad);
  };
  const auto a = first_epoch({0}), b = first_epoch({1}), both = first_epoch({0, 1}),
             twice = first_epoch({0, 0});
  CHECK(both.first == doctest::Approx((a.first + b.first) / 2));
  CHECK(twice.first == doctest::Approx(a.first));
  double norm_a = 0, norm_b = 0, norm_twice = 0;
  for (std::size_t i = 0; i < a.second.size(); ++i) {
    norm_a += std::pow(static_cast<double>(a.second[i]), 2);
    norm_b += std::pow(static_cast<double>(b.second[i]), 2);
    norm_twice += std::pow(static_cast<double>(twice.second[i]), 2);
  }
  REQUIRE((norm_a < 1 && norm_b < 1));  // nothing was clipped
  REQUIRE(norm_a > 0);
  CHECK(norm_twice == doctest::Approx(norm_a).epsilon(1e-4));
  for (std::size_t i = 0; i < a.second.size(); ++i) {
    const double mean = 0.5 * (static_cast<double>(a.second[i]) + static_cast<double>(b.second[i]));
    CHECK(std::abs(static_cast<double>(both.second[i]) - mean) < 1e-6);
  }
}

TEST_CASE("an epoch has as many slates of a graph as its configs fill, up to the limit") {
  const auto num_steps = [](std::int64_t configs_per_graph, std::int64_t max_slates) {
    Lab lab(small_options(Arch::kTileMlp), 4);
    TrainerOptions options = quick(1);
    options.graphs_per_step = 1;
    options.configs_per_graph = configs_per_graph;
    options.max_slates_per_graph = max_slates;
    options.warmup_fraction = 0;
    // The rate of the last step tells how many there were.
    const double lr = lab.run(options).value().epochs[0].lr;
    for (std::int64_t n = 1; n < 100; ++n) {
      if (lr == LrSchedule::cosine(options.lr, n, 0, 0).at(n - 1)) return n;
    }
    return std::int64_t{0};
  };
  CHECK(num_steps(24, 5) == 4);  // 24 configs of each of 4 graphs
  CHECK(num_steps(16, 5) == 8);
  CHECK(num_steps(5, 5) == 20);
  CHECK(num_steps(2, 7) == 28);
  CHECK(num_steps(2, 1) == 4);
}

// ---- errors
// ---------------------------------------------------------------------------------------------------

template <class Spoil>
std::string options_message(Spoil&& spoil) {
  Lab lab(small_options(Arch::kTileMlp), 2);
  TrainerOptions options = quick(2);
  spoil(options);
  const AlignedVector<float> start = lab.weights();
  const Result<TrainReport> report = lab.run(options);
  CHECK((lab.weights() == start) == !report.ok());
  return report.status().message();
}

TEST_CASE("options out of range are named") {
  using O = TrainerOptions;
  CHECK(options_message([](O& o) { o.epochs = 0; }) == "trainer: epochs is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.patience = -1; }) == "trainer: patience is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.graphs_per_step = 0; }) ==
        "trainer: graphs_per_step is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.configs_per_graph = 1; }) ==
        "trainer: configs_per_graph is 1; should be 2 or more");
  CHECK(options_message([](O& o) { o.graphs_per_step = kMaxGraphsPerStep; }) == "");
  CHECK(options_message([](O& o) { o.graphs_per_step = kMaxGraphsPerStep + 1; }) ==
        "trainer: graphs_per_step is 1000001; should be 1000000 or less");
  CHECK(options_message([](O& o) { o.configs_per_graph = kMaxConfigsPerGraph; }) == "");
  CHECK(options_message([](O& o) { o.configs_per_graph = kMaxConfigsPerGraph + 1; }) ==
        "trainer: configs_per_graph is 1000001; should be 1000000 or less");
  CHECK(options_message([](O& o) { o.max_slates_per_graph = 0; }) ==
        "trainer: max_slates_per_graph is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.validate_every = 0; }) ==
        "trainer: validate_every is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.warmup_fraction = 1; }) ==
        "trainer: warmup_fraction is 1; should be in [0, 1)");
  CHECK(options_message([](O& o) { o.warmup_fraction = -0.1; }) ==
        "trainer: warmup_fraction is -0.1; should be in [0, 1)");
  CHECK(options_message([](O& o) { o.clip_norm = -1; }) ==
        "trainer: clip_norm is -1; should be positive, or 0 for no clipping");
  CHECK(options_message([](O& o) { o.clip_norm = std::nan(""); }) ==
        "trainer: clip_norm is nan; should be positive, or 0 for no clipping");
  CHECK(options_message([](O& o) { o.weight_decay = -1; }) ==
        "adam: weight_decay is -1; it should be at least 0");
  CHECK(options_message([](O& o) { o.lr = -1; }) == "schedule: lr is -1; it should be finite and at least 0");
  CHECK(options_message([](O& o) { o.min_lr = 1; }) == "schedule: min_lr is 1; it should be in [0, 0.01]");
}

TEST_CASE("a loss that cannot be computed is an error that names epoch and program") {
  Lab lab(small_options(Arch::kTileMlp), 1);
  LossOptions loss;
  loss.temperature = 0;
  CHECK(lab.run_loss(quick(2), loss).status().message() ==
        "epoch 1: step 1: tile_1: ranking_loss: the temperature is 0; it must be above 0");
}

TEST_CASE("without programs to rank there is nothing to train on") {
  const std::string message = "no training program has two configs with different labels to rank";
  Lab lab(small_options(Arch::kTileMlp), 3);
  lab.train[0].selection = {5};
  lab.train[1].selection = {};
  lab.train[2].selection = {3, 3};
  CHECK(lab.run(quick(1)).status().message() == message);
  lab.train.clear();
  CHECK(lab.run(quick(1)).status().message() == message);
}

TEST_CASE("programs without a ranking do not disturb the others") {
  Lab lab(small_options(Arch::kTileMlp), 3), without(small_options(Arch::kTileMlp), 3);
  const std::vector<std::int64_t> placeholders(24, 0);
  lab.train[2].view.runtime = placeholders;
  without.train.pop_back();
  LossOptions loss;
  loss.kind = LossOptions::Kind::kListMle;  // which would draw an order for them
  REQUIRE(lab.run_loss(quick(2), loss).ok());
  REQUIRE(without.run_loss(quick(2), loss).ok());
  CHECK(lab.weights() == without.weights());
}

TEST_CASE("missing labels and configs that do not exist are found before training") {
  for (const bool in_valid : {false, true}) {
    Lab lab(small_options(Arch::kTileMlp), 2);
    const AlignedVector<float> start = lab.weights();
    PreparedProgram& bad = in_valid ? lab.valid[1] : lab.train[1];
    const std::string name(bad.view.name);
    const auto message = [&] { return lab.run(quick(1)).status().message(); };
    bad.view.runtime = bad.view.runtime.subspan(0, 23);
    CHECK(message() == name + ": has 23 runtimes and 24 normalizers for 24 configs");
    bad.view.runtime_normalizer = {};
    CHECK(message() == name + ": has 23 runtimes and 0 normalizers for 24 configs");
    bad.view.runtime = (in_valid ? lab.valid_set : lab.train_set).views[1].runtime;
    bad.selection.push_back(24);
    CHECK(message() == name + ": there is no config 24; there are 24");
    CHECK(lab.weights() == start);
  }
}

TEST_CASE("a validation set without a ranking is an error") {
  Lab lab(small_options(Arch::kTileMlp), 2);
  lab.valid.resize(1);
  lab.valid[0].selection = {0};
  CHECK(lab.run(quick(1)).status().message() ==
        "epoch 1: no graph has labels that rank its configs; tile_1000: ordered_pair_accuracy: there are 1 "
        "items; "
        "it needs at least 2");
}

// ---- graph segment training
// -------------------------------------------------------------------------------------------------------------

ModelOptions segmented(std::int64_t max_size, Arch arch = Arch::kLayoutSage) {
  ModelOptions options = small_options(arch);
  options.segments.max_size = max_size;
  return options;
}

TrainerOptions gst(int epochs, GstVariant variant) {
  TrainerOptions options = quick(epochs);
  options.gst.variant = variant;
  return options;
}

TEST_CASE("with one segment per graph every variant has the bits of full training" * testing::kLong) {
  AlignedVector<float> full;
  for (const GstVariant variant : kGstVariants) {
    Lab lab(segmented(variant == GstVariant::kFull ? 0 : 100));
    REQUIRE(lab.run(gst(6, variant)).ok());
    if (variant == GstVariant::kFull) full = lab.weights();
    CHECK(lab.weights() == full);
  }
}

TEST_CASE("every variant learns to rank unseen programs from three segments and more per graph" * kLong) {
  for (const GstVariant variant : kGstVariants) {
    Lab lab(segmented(3), 32);
    for (const PreparedProgram& program : lab.train) REQUIRE(program.segments.size() >= 3);
    TrainerOptions options = gst(60, variant);
    options.max_slates_per_graph = 2;
    const TrainReport report = lab.run(options).value();
    INFO(gst_variant_name(variant));
    CHECK(report.best_valid.kendall_tau > 0.5);
    CHECK((report.table_rows > 0) == (variant >= GstVariant::kE));
    CHECK((report.table_bytes > 0) == (variant >= GstVariant::kE));
    CHECK(report.activation_bytes > 0);
  }
}

TEST_CASE("segment training has the same bits for any number of threads") {
  for (const std::int64_t large_slate_rows : {std::int64_t{8192}, std::int64_t{1}}) {
    AlignedVector<float> one;
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      Lab lab(segmented(3));
      lab.pool = &pool;
      TrainerOptions options = gst(5, GstVariant::kEFD);
      options.large_slate_rows = large_slate_rows;
      REQUIRE(lab.run(options).ok());
      if (threads == 1) one = lab.weights();
      CHECK(lab.weights() == one);
    }
  }
}

TEST_CASE("finetuning starts from the best weights and leaves the backbone as it is") {
  Lab lab(segmented(3));
  TrainerOptions options = gst(8, GstVariant::kEF);
  options.gst.finetune_epochs = 3;
  options.weight_decay = 0.1;
  std::vector<AlignedVector<float>> weights;
  std::vector<double> tau;
  REQUIRE(lab.run(options,
                  [&](const EpochReport& epoch) {
                    weights.push_back(lab.weights());
                    tau.push_back(epoch.valid.kendall_tau);
                    return true;
                  })
              .ok());
  REQUIRE(weights.size() == 8);
  const auto best = static_cast<std::size_t>(std::max_element(tau.begin(), tau.begin() + 5) - tau.begin());
  for (const ParamSpec::Entry& entry : lab.model.spec().entries()) {
    const auto begin = static_cast<std::size_t>(entry.param.offset);
    const auto same = [&](std::size_t a, std::size_t b) {
      return std::equal(weights[a].begin() + static_cast<std::ptrdiff_t>(begin),
                        weights[a].begin() + static_cast<std::ptrdiff_t>(begin) + entry.param.size(),
                        weights[b].begin() + static_cast<std::ptrdiff_t>(begin));
    };
    INFO(entry.name);
    const bool of_head = entry.name.rfind("head.", 0) == 0;
    for (std::size_t epoch = 5; epoch < 8; ++epoch) CHECK(same(epoch, best) == !of_head);
    CHECK_FALSE(same(0, 1));
  }
}

TEST_CASE("a table budget that is too small, and a head that is not there, are found before training") {
  Lab lab(segmented(3));
  std::size_t most_segments = 0;
  for (const PreparedProgram& program : lab.train)
    most_segments = std::max(most_segments, program.segments.size());
  TrainerOptions options = gst(5, GstVariant::kE);
  options.gst.table_bytes = 1000;
  CHECK(lab.run(options).status().message() ==
        str_cat("embedding table: a budget of 1000 bytes holds 6 rows of 152 bytes; one step needs ",
                most_segments * 16 * 4));
  options = gst(5, GstVariant::kEFD);
  options.gst.finetune_epochs = 5;
  CHECK(lab.run(options).status().message() == "gst: finetune_epochs is 5; should be less than epochs, 5");
  options.gst.finetune_epochs = 2;
  ModelOptions late = segmented(3);
  late.join = Join::kLate;
  CHECK(Lab(late).run(options).status().message() ==
        "gst: efd finetunes the head, but this model's segments have scores already: no head comes after their "
        "total");
  options.gst.segments_per_step = 0;
  CHECK(lab.run(options).status().message() == "gst: segments_per_step is 0; should be 1 or more");
}

TEST_CASE("a program with more configs than a table has keys for is refused") {
  Lab lab(segmented(3), 2);
  PreparedProgram& program = lab.train[1];
  std::vector<std::int32_t> few(program.selection.begin(), program.selection.begin() + 8);
  program.selection = few;
  // The sizes alone are looked at, and the configs that are selected.
  const auto claim = [&](std::uint64_t num_configs) {
    program.view.configs.num_configs = static_cast<std::int64_t>(num_configs);
    program.view.runtime = {lab.train_set.programs[1].runtime.data(), static_cast<std::size_t>(num_configs)};
    return lab.run(gst(1, GstVariant::kE)).status();
  };
  CHECK(claim(EmbeddingTable::kMaxConfigs).message() == "");
  const Status status = claim(EmbeddingTable::kMaxConfigs + 1);
  CHECK(status.code() == StatusCode::kOutOfRange);
  CHECK(status.message().find("layout_2: has 16777217 configs and ") == 0);
  CHECK(status.message().find("; the embedding table has keys for 16777216, 1048576 and 1048576") !=
        std::string::npos);
}

// ---- winners ------------------------------------------------------------------------------------------------

TEST_CASE("the winners learn to rank the configs of programs they have not seen" * kLong) {
  for (const Arch arch : {Arch::kTileWinner, Arch::kLayoutWinner}) {
    for (const std::int64_t chunk : {0, 16}) {
      if (arch == Arch::kTileWinner && chunk > 0) continue;
      ModelOptions model = small_winner(arch, chunk);
      model.dropout = 0;
      Lab lab(model, 32);
      const double before = evaluate(lab.model, lab.valid).value().mean.kendall_tau;
      const TrainReport report = lab.run(quick(120)).value();
      INFO(arch_name(arch), ", chunk ", chunk);
      CHECK(before < 0.2);
      // Instance norm hides what is the same at all nodes of a graph, here the size that decides the best tile:
      // of a tile only the second knob can be judged.
      CHECK(report.best_valid.kendall_tau > (arch == Arch::kTileWinner ? 0.2 : 0.6));
      CHECK(report.epochs.back().train_loss < 0.9 * report.epochs.front().train_loss);
    }
  }
}

TEST_CASE("winners have the same weights for any number of threads" * testing::kLong) {
  for (const Arch arch : {Arch::kTileWinner, Arch::kLayoutWinner}) {
    ModelOptions model = small_winner(arch, arch == Arch::kLayoutWinner ? 16 : 0);
    if (arch == Arch::kLayoutWinner) model.prune.kind = Prune::kEdges;
    const AlignedVector<float> serial = trained_weights(model, quick(3), 0, 8192);
    for (const int threads : {1, 3}) {
      for (const std::int64_t large_slate_rows : {0, 1000000})
        CHECK(trained_weights(model, quick(3), threads, large_slate_rows) == serial);
    }
  }
}

TEST_CASE("a table of embeddings is refused where they depend on the other configs") {
  ModelOptions model = small_winner(Arch::kLayoutWinner, 8);
  model.segments.max_size = 3;
  Lab lab(model);
  CHECK(lab.run(gst(3, GstVariant::kED)).status().message() ==
        "gst: ed keeps the embedding of each config, but in this model it depends on the others of a slate");
  CHECK(lab.run(gst(2, GstVariant::kOne)).ok());
}

TEST_CASE("without some edges at each step a model learns, with the same bits for any number of threads" *
          kLong) {
  Lab lab(small_options(Arch::kLayoutSage), 32);
  TrainerOptions options = quick(60);
  options.drop_edge = 0.2;
  CHECK(lab.run(options).value().best_valid.kendall_tau > 0.6);

  for (const std::int64_t max_size : {0, 3}) {  // whole graphs, and segments
    const ModelOptions model = segmented(max_size);
    TrainerOptions few = gst(3, max_size == 0 ? GstVariant::kFull : GstVariant::kED);
    const AlignedVector<float> all_edges = trained_weights(model, few, 0, 8192);
    few.drop_edge = 0.3;
    const AlignedVector<float> serial = trained_weights(model, few, 0, 8192);
    CHECK(serial != all_edges);
    for (const std::int64_t large_slate_rows : {0, 1000000})
      CHECK(trained_weights(model, few, 3, large_slate_rows) == serial);
  }
  options.drop_edge = 1;
  CHECK(lab.run(options).status().message() == "trainer: drop_edge is 1; should be in [0, 1)");
}

}  // namespace
}  // namespace mlgraph
