// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cost/program_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "train/batch_norm_net.hpp"
#include "train/train_fixture.hpp"
#include "train/trainer_fixture.hpp"
#include "train/unusual_programs.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

std::unique_ptr<NetOptions> segmented(std::int64_t max_size, std::string_view name = "layout-sage") {
  std::unique_ptr<NetOptions> options = small_net(name);
  options->inputs().segments.max_size = max_size;
  return options;
}

Recipe gst(std::int64_t epochs, GstVariant variant) {
  Recipe recipe = quick(epochs);
  recipe.gst.variant = variant;
  return recipe;
}

// ---- learning ----------------------------------------------------------------------------------------------

TEST_CASE("every architecture learns to rank the configs of programs it has not seen" * kLong) {
  for (const std::string_view name : kNets) {
    Lab lab(*small_net(name), 32);
    // The sum over nodes of a residual network dwarfs a config that joins late: smaller steps.
    const bool slow = name == "tile-resgcn-late";
    Recipe recipe = quick(slow ? 120 : 60);
    if (slow) recipe.lr = 3e-3;
    const double before = evaluate(lab.model, lab.valid).value().mean.kendall_tau;
    const TrainReport report = lab.run(recipe).value();
    INFO(name);
    CHECK(before < 0.3);
    CHECK(report.best_valid.kendall_tau > (slow ? 0.6 : 0.7));
    CHECK(report.epochs.back().train_loss < 0.7 * report.epochs.front().train_loss);
  }
}

TEST_CASE("every loss learns" * kLong) {
  using Kind = LossOptions::Kind;
  for (const Kind kind : {Kind::kMse, Kind::kMape, Kind::kPairwiseHinge, Kind::kPairwiseLogistic,
                          Kind::kListMle, Kind::kDiffMat, Kind::kCentredLog, Kind::kCostWeighted}) {
    for (const double mse_weight : {0.0, 0.02}) {
      Lab lab(*small_net("tile-sage"), 24);
      Recipe recipe = quick(50);
      LossOptions& loss = recipe.loss;
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
      const TrainReport report = lab.run(recipe).value();
      INFO("loss ", enum_name(kind), ", mse weight ", mse_weight);
      CHECK(report.best_valid.kendall_tau > 0.55);
    }
  }
}

TEST_CASE("skewed sampling and dropout learn too" * kLong) {
  Lab lab(*small_net("layout-sage", {{"dropout", "0.1"}}), 24);
  Recipe options = quick(50);
  options.sampling = ConfigSampling::kSkewed;
  options.configs_per_graph = 10;
  CHECK(lab.run(options).value().best_valid.kendall_tau > 0.6);
}

// ---- determinism -------------------------------------------------------------------------------------------

AlignedVector<float> trained_weights(const NetOptions& net, const Recipe& recipe, int threads,
                                     std::int64_t large_slate_rows) {
  Lab lab(net);
  ThreadPool pool(threads);
  lab.options.large_slate_rows = large_slate_rows;
  lab.options.pool = threads > 0 ? &pool : nullptr;
  const Result<TrainReport> report = lab.run(recipe);
  REQUIRE(report.ok());
  return lab.weights();
}

TEST_CASE("the weights have the same bits for any number of threads, slates side by side or in sequence" *
          testing::kLong) {
  for (const std::string_view name : {"tile-sage", "layout-resgcn", "own-net"}) {
    const std::unique_ptr<NetOptions> net = small_net(name, {{"dropout", "0.2"}});
    Recipe recipe = quick(3);
    recipe.weight_decay = 0.01;
    recipe.max_slates_per_graph = 2;
    recipe.ema_decay = 0.9;
    const AlignedVector<float> serial = trained_weights(*net, recipe, 0, 8192);
    for (const int threads : {1, 2, 3, 7}) {
      for (const std::int64_t large_slate_rows : {0, 100, 1000000}) {  // in sequence, mixed, side by side
        CHECK(trained_weights(*net, recipe, threads, large_slate_rows) == serial);
      }
    }
  }
}

TEST_CASE("graphs so large that kernels use the threads give the same bits" * testing::kLong) {
  const OwnedProgram owned = tile_program(5, 12, 3000);
  AlignedVector<float> weights[3];
  for (const int threads : {1, 2, 3}) {
    Model model = model_for(owned, *small_net("tile-resgcn"));
    ThreadPool pool(threads);
    TrainOptions options;
    options.pool = &pool;
    REQUIRE(train(model, std::vector<ProgramView>{owned.view()}, {}, quick(2), options).ok());
    weights[threads - 1] = model.parameters().value;
  }
  CHECK(weights[0] == weights[1]);
  CHECK(weights[0] == weights[2]);
}

TEST_CASE("the same seed gives the same weights and reports, another one others") {
  const std::unique_ptr<NetOptions> net = small_net("tile-mlp");
  const auto train = [&](std::uint64_t seed) {
    Lab lab(*net);
    lab.options.seed = seed;
    const TrainReport report = lab.run(quick(4)).value();
    return std::make_pair(lab.weights(), report.epochs.back().train_loss);
  };
  const auto first = train(1);
  CHECK(train(1) == first);
  CHECK(train(2).first != first.first);
  CHECK(train(2).second != first.second);
}

TEST_CASE("a trainer can run again, as if it were new") {
  Lab once(*small_net("tile-mlp")), twice(*small_net("tile-mlp"));
  const AlignedVector<float> start = twice.weights();
  REQUIRE(once.run(quick(2)).ok());
  Trainer trainer(twice.model, quick(2));
  const auto run = [&] {
    return trainer.run(twice.train, twice.valid, [](const EpochReport&) { return true; });
  };
  REQUIRE(run().ok());
  twice.weights() = start;
  REQUIRE(run().ok());
  CHECK(twice.weights() == once.weights());
}

// ---- what is kept, and when it stops -----------------------------------------------------------------------

TEST_CASE("the weights of the best epoch are restored") {
  Lab lab(*small_net("tile-sage"));
  AlignedVector<float> best;
  std::int64_t best_epoch = 0;
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

TEST_CASE("a recipe may judge by what the first place loses") {
  Lab lab(*small_net("tile-sage"));
  Recipe recipe = quick(20);
  recipe.selection = Selection::kFirst;
  double best = 9e9;
  const auto on_epoch = [&](const EpochReport& now) {
    CHECK(now.valid.loss == 0);  // nobody asked for it
    CHECK(now.is_best == (now.valid.first_place < best));
    best = std::min(best, now.valid.first_place);
    return true;
  };
  const TrainReport report = lab.run(recipe, on_epoch).value();
  CHECK(report.best_valid.first_place == best);
  CHECK(evaluate(lab.model, lab.valid).value().mean.first_place == best);
}

TEST_CASE("a recipe may judge by the loss that is trained, on all configs of each validation program") {
  Lab lab(*small_net("tile-sage"));
  Recipe recipe = quick(20);
  recipe.selection = Selection::kLoss;
  recipe.loss.kind = Loss::kCentredLog;
  double best = 9e9;
  const auto on_epoch = [&](const EpochReport& now) {
    CHECK(now.is_best == (now.valid.loss < best));
    best = std::min(best, now.valid.loss);
    return true;
  };
  const TrainReport report = lab.run(recipe, on_epoch).value();
  CHECK(report.best_valid.loss == best);
  CHECK(best < 0.9 * report.epochs[0].valid.loss);
  double sum = 0;
  const Evaluation evaluation = evaluate(lab.model, lab.valid).value();
  for (const GraphEvaluation& graph : evaluation.graphs) {
    std::vector<double> label;
    for (const std::int32_t c : lab.valid[graph.index].selection)
      label.push_back(lab.valid[graph.index].view.label(c));
    std::vector<float> ignored(label.size());
    sum += static_cast<double>(kernels::centred_log_loss<float>(graph.score, label, ignored));
  }
  CHECK(sum / static_cast<double>(evaluation.graphs.size()) == doctest::Approx(best).epsilon(1e-6));
}

TEST_CASE("without validation programs the last weights are kept") {
  Lab lab(*small_net("tile-mlp"));
  lab.valid.clear();
  AlignedVector<float> last;
  Recipe options = quick(5);
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
  Lab lab(*small_net("tile-mlp"));
  Recipe options = constant_rate(50, 0);  // nothing ever changes: the first epoch is the best
  options.patience = 3;
  const TrainReport report = lab.run(options).value();
  CHECK(report.best_epoch == 1);
  CHECK(report.epochs.size() == 4);
}

TEST_CASE("patience waits for the next epoch that is validated") {
  Lab lab(*small_net("tile-mlp"));
  Recipe options = constant_rate(50, 0);
  options.patience = 3;
  options.validate_every = 5;
  const TrainReport report = lab.run(options).value();
  CHECK(report.best_epoch == 5);
  CHECK(report.epochs.size() == 10);
  for (const EpochReport& epoch : report.epochs) CHECK(epoch.validated == (epoch.epoch % 5 == 0));
}

TEST_CASE("the last epoch is always validated") {
  Lab lab(*small_net("tile-mlp"));
  Recipe options = quick(3);
  options.validate_every = 10;
  const TrainReport report = lab.run(options).value();
  CHECK_FALSE(report.epochs[1].validated);
  CHECK(report.epochs[2].validated);
  CHECK(report.best_epoch == 3);
}

TEST_CASE("on_epoch stops the training") {
  Lab lab(*small_net("tile-mlp"));
  const TrainReport report = lab.run(quick(9), [](const EpochReport& now) { return now.epoch < 3; }).value();
  CHECK(report.stopped_by_caller);
  CHECK(report.epochs.size() == 3);
  CHECK(report.best_epoch > 0);
}

TEST_CASE("stopped before any epoch was validated, the model has its start weights") {
  Lab lab(*small_net("tile-mlp"));
  const AlignedVector<float> start = lab.weights();
  Recipe options = quick(9);
  options.validate_every = 5;
  const TrainReport report = lab.run(options, [](const EpochReport& now) { return now.epoch < 3; }).value();
  CHECK(report.best_epoch == 0);
  CHECK(lab.weights() == start);
}

// ---- the step ----------------------------------------------------------------------------------------------

TEST_CASE("the learning rate warms up and falls along a cosine to min_lr") {
  Lab lab(*small_net("tile-mlp"), 8);
  Recipe options = quick(10);  // 2 steps of 4 graphs each
  options.lr = 0.01;
  options.min_lr = 0.001;
  options.warmup_fraction = 0.2;
  const TrainReport report = lab.run(options).value();
  const LrSchedule schedule = LrSchedule::cosine(0.01, 20, 0.2, 0.001);
  for (const EpochReport& epoch : report.epochs) CHECK(epoch.lr == schedule.at(2 * epoch.epoch - 1));
}

TEST_CASE("the learning rate falls where validation does not improve") {
  Lab lab(*small_net("tile-mlp"), 8);
  Recipe recipe = constant_rate(7, 0x1p-100);  // moves no weight
  recipe.schedule = Schedule::kPlateau;
  recipe.lr_step_epochs = 1;
  recipe.lr_gamma = 0.5;
  const TrainReport report = lab.run(recipe).value();
  std::vector<double> rates;
  for (const EpochReport& epoch : report.epochs) rates.push_back(epoch.lr);
  CHECK(rates == std::vector<double>{0x1p-100, 0x1p-100, 0x1p-100, 0x1p-101, 0x1p-101, 0x1p-102, 0x1p-102});
  lab.valid.clear();
  CHECK(lab.run(recipe).status().message() == "trainer: the schedule plateau needs something to validate on");
}

/// Every score is right.
class NoObjective final : public Objective {
 public:
  [[nodiscard]] std::string_view name() const override { return "nothing"; }
  [[nodiscard]] std::string_view wants() const override { return "anything"; }
  [[nodiscard]] Status check(const NetPlan&) const override { return {}; }
  [[nodiscard]] Status check(const PreparedProgram&) const override { return {}; }
  [[nodiscard]] bool can_fit(const PreparedProgram&) const override { return true; }
  Var loss(Tape& tape, Var scores, const PreparedProgram&, Span<const std::int32_t>) const override {
    return tape.scale(sum(tape, scores), 0.0F);
  }
};

TEST_CASE("weight decay shrinks weights without a gradient by 1 - lr * weight_decay each step") {
  Lab lab(*small_net("tile-mlp"), 8);
  lab.valid.clear();
  const AlignedVector<float> start = lab.weights();
  const NoObjective nothing;  // no gradient
  lab.options.objective = &nothing;
  Recipe options = constant_rate(5, 0.1);
  options.weight_decay = 0.5;
  const TrainReport report = lab.run(options).value();
  CHECK(report.epochs[0].train_loss == 0);
  for (std::size_t i = 0; i < start.size(); ++i) {
    CHECK(lab.weights()[i] ==
          doctest::Approx(static_cast<double>(start[i]) * std::pow(0.95, 10)).epsilon(1e-5));
  }
  options.weight_decay = 0;
  lab.weights() = start;
  REQUIRE(lab.run(options).ok());
  CHECK(lab.weights() == start);
}

TEST_CASE("clipping bounds the gradient") {
  const auto largest_move = [](double clip_norm) {
    Lab lab(*small_net("tile-mlp"), 4);
    lab.valid.clear();
    const AlignedVector<float> start = lab.weights();
    Recipe options = constant_rate(1, 1e-3);
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
  const auto first_epoch = [&](const std::vector<std::size_t>& which) {
    Lab lab(*small_net("tile-mlp"), 4);
    lab.valid.clear();
    std::vector<PreparedProgram> some;
    for (const std::size_t i : which) some.push_back(lab.model.prepare(lab.train[i].view).value());
    lab.train = std::move(some);
    Recipe options = constant_rate(1, 0);
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
    Lab lab(*small_net("tile-mlp"), 4);
    Recipe options = quick(1);
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

TEST_CASE("the rate falls in steps of epochs, or stays, after the same warm-up") {
  for (const Schedule schedule : {Schedule::kConstant, Schedule::kStep}) {
    Lab lab(*small_net("tile-mlp"), 8);
    Recipe recipe = quick(10);  // 2 steps of 4 graphs each
    recipe.schedule = schedule;
    recipe.lr = 0.01;
    recipe.lr_gamma = 0.5;
    recipe.lr_step_epochs = 3;
    recipe.warmup_fraction = 0.2;  // 4 steps
    const TrainReport report = lab.run(recipe).value();
    CHECK(report.epochs[0].lr == 0.01 * 2 / 5);
    for (std::size_t i = 2; i < 10; ++i) {
      const auto fallen = static_cast<double>((2 * (i + 1) - 1 - 4) / 6);
      CHECK(report.epochs[i].lr == (schedule == Schedule::kStep ? 0.01 * std::pow(0.5, fallen) : 0.01));
    }
  }
}

TEST_CASE("with an average of the weights it is the average that is validated and kept") {
  Lab lab(*small_net("tile-mlp"), 8);
  Recipe recipe = quick(12);
  recipe.ema_decay = 0.7;
  // By hand: the decay is 2 / 11 in the second step, and so on up to 0.7.
  AlignedVector<float> average = lab.weights(), best;
  std::int64_t num_updates = 0;
  const auto update = [&] {
    const double t = static_cast<double>(num_updates++);
    const double decay = std::min(0.7, (1 + t) / (10 + t));
    for (std::size_t i = 0; i < average.size(); ++i)
      average[i] += (lab.weights()[i] - average[i]) * static_cast<float>(1 - decay);
  };
  recipe.graphs_per_step = 8;  // one step an epoch
  const TrainReport report = lab.run(recipe,
                                     [&](const EpochReport& now) {
                                       update();
                                       const AlignedVector<float> last = lab.weights();
                                       lab.weights() = average;
                                       CHECK(evaluate(lab.model, lab.valid).value().mean.kendall_tau ==
                                             doctest::Approx(now.valid.kendall_tau).epsilon(0.01));
                                       lab.weights() = last;
                                       if (now.is_best) best = average;
                                       return true;
                                     })
                                 .value();
  CHECK(num_updates == 12);
  CHECK(report.best_epoch > 0);
  for (std::size_t i = 0; i < best.size(); ++i)
    CHECK(static_cast<double>(lab.weights()[i]) == doctest::Approx(static_cast<double>(best[i])).epsilon(1e-4));

  Lab last(*small_net("tile-mlp"), 8);  // nothing to judge by: the last average
  last.valid.clear();
  REQUIRE(last.run(recipe).ok());
  Lab without(*small_net("tile-mlp"), 8);
  without.valid.clear();
  recipe.ema_decay = 0;
  REQUIRE(without.run(recipe).ok());
  CHECK(last.weights() != without.weights());
}

TEST_CASE("a list is told apart from its slowest or from its fastest config on, and both learn" * kLong) {
  AlignedVector<float> weights[2];
  for (const ListMleOrder order : {ListMleOrder::kSlowestFirst, ListMleOrder::kFastestFirst}) {
    Lab lab(*small_net("tile-sage"), 24);
    Recipe recipe = quick(40);
    recipe.loss.kind = Loss::kListMle;
    recipe.loss.temperature = 10;
    recipe.loss.order = order;
    CHECK(lab.run(recipe).value().best_valid.kendall_tau > 0.5);
    weights[static_cast<int>(order)] = lab.weights();
  }
  CHECK(weights[0] != weights[1]);
}

TEST_CASE("train() prepares the programs and runs the trainer") {
  Lab lab(*small_net("own-net")), other(*small_net("own-net"));
  const TrainReport report = lab.run(quick(3)).value();
  const TrainReport same = train(other.model, other.train_set.views, other.valid_set.views, quick(3)).value();
  CHECK(other.weights() == lab.weights());
  CHECK(same.best_valid.kendall_tau == report.best_valid.kendall_tau);

  other.train_set.programs[1].opcode[0] = 99;
  CHECK(train(other.model, other.train_set.views, {}, quick(3)).status().message() ==
        "layout_2: node 0 has opcode 99; the model knows [0, 5)");
}

TEST_CASE("each network has its recipe") {
  CHECK((default_recipe<LayoutSage>().loss.kind == Loss::kCentredLog &&
         default_recipe<LayoutSage>().selection == Selection::kFirst));
  CHECK(default_recipe<LayoutWinner>().loss.kind == Loss::kPairwiseHinge);
  CHECK(default_recipe<LayoutWinner>().configs_per_graph == 64);
  CHECK(default_recipe(*small_winner("layout-winner", 0)).configs_per_graph == 128);
  CHECK(default_recipe<OwnNet>().loss.kind == Loss::kPairwiseLogistic);
  CHECK(default_recipe<BatchNormNet>().loss.kind == Recipe().loss.kind);  // it says nothing
  CHECK(default_recipe(*predicting_nets<OwnNet>()[0]->default_options()).loss.kind == Recipe().loss.kind);
  for (const NetType* const type : fixture_nets()) {
    const std::unique_ptr<NetOptions> net = type->default_options();
    CHECK(check_recipe(default_recipe(*net)).message() == "");
  }
}

TEST_CASE("networks with batch norm learn, with the same bits for any number of threads") {
  const std::unique_ptr<NetOptions> net = net_options<BatchNormNet>();
  net->inputs().num_opcodes = kFixtureOpcodes;
  Lab lab(*net, 24);
  const AlignedVector<float> start = lab.weights();
  // Batch norm hides what is the same at all nodes of a graph: only the second knob can be judged.
  CHECK(lab.run(quick(40)).value().best_valid.kendall_tau > 0.2);
  for (const ParamSpec::Entry& entry : lab.model.spec().entries()) {
    if (entry.param.trainable) continue;
    const auto i = static_cast<std::size_t>(lab.model.spec().position(entry.param));
    INFO(entry.name);
    CHECK(lab.weights()[i] != start[i]);
  }
  Recipe recipe = quick(3);
  recipe.graphs_per_step = 3;
  const AlignedVector<float> serial = trained_weights(*net, recipe, 0, 8192);
  for (const int threads : {1, 2, 3}) {
    for (const std::int64_t large_slate_rows : {0, 100, 1000000})
      CHECK(trained_weights(*net, recipe, threads, large_slate_rows) == serial);
  }
  net->inputs().segments.max_size = 3;
  Lab segments(*net);
  REQUIRE(segments.run(gst(4, GstVariant::kEFD)).ok());
}

// ---- errors ------------------------------------------------------------------------------------------------

template <class Spoil>
std::string options_message(Spoil&& spoil) {
  Lab lab(*small_net("tile-mlp"), 2);
  Recipe options = quick(2);
  spoil(options);
  const AlignedVector<float> start = lab.weights();
  const Result<TrainReport> report = lab.run(options);
  CHECK((lab.weights() == start) == !report.ok());
  return report.status().message();
}

TEST_CASE("options out of range are named") {
  using O = Recipe;
  CHECK(options_message([](O& o) { o.epochs = 0; }) == "trainer: epochs is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.patience = -1; }) == "trainer: patience is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.graphs_per_step = 0; }) ==
        "trainer: graphs_per_step is 0; should be in [1, 1000000]");
  CHECK(options_message([](O& o) { o.configs_per_graph = 1; }) ==
        "trainer: configs_per_graph is 1; should be in [2, 1000000]");
  CHECK(options_message([](O& o) { o.graphs_per_step = kMaxGraphsPerStep; }) == "");
  CHECK(options_message([](O& o) { o.graphs_per_step = kMaxGraphsPerStep + 1; }) ==
        "trainer: graphs_per_step is 1000001; should be in [1, 1000000]");
  CHECK(options_message([](O& o) { o.configs_per_graph = kMaxConfigsPerGraph; }) == "");
  CHECK(options_message([](O& o) { o.configs_per_graph = kMaxConfigsPerGraph + 1; }) ==
        "trainer: configs_per_graph is 1000001; should be in [2, 1000000]");
  CHECK(options_message([](O& o) { o.max_slates_per_graph = -1; }) ==
        "trainer: max_slates_per_graph is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.validate_every = 0; }) ==
        "trainer: validate_every is 0; should be 1 or more");
  CHECK(options_message([](O& o) { o.warmup_fraction = 1; }) ==
        "trainer: warmup_fraction is 1; should be in [0, 1)");
  CHECK(options_message([](O& o) { o.warmup_fraction = -0.1; }) ==
        "trainer: warmup_fraction is -0.1; should be in [0, 1)");
  CHECK(options_message([](O& o) { o.clip_norm = -1; }) == "trainer: clip_norm is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.clip_norm = std::nan(""); }) ==
        "trainer: clip_norm is nan; should be 0 or more");
  CHECK(options_message([](O& o) { o.weight_decay = -1; }) ==
        "trainer: weight_decay is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.lr = -1; }) == "trainer: lr is -1; should be 0 or more");
  CHECK(options_message([](O& o) { o.min_lr = 1; }) == "schedule: min_lr is 1; it should be in [0, 0.01]");
  CHECK(options_message([](O& o) { o.ema_decay = 1; }) == "trainer: ema_decay is 1; should be in [0, 1)");
  CHECK(options_message([](O& o) { o.drop_edge = 1; }) == "trainer: drop_edge is 1; should be in [0, 1)");
  CHECK(options_message([](O& o) {
          o.loss.temperature = 0;
        }).find("trainer: loss_temperature is 0; should be ") == 0);
  CHECK(options_message([](O& o) { o.gst.sed_keep = 1.5; }) == "gst: sed_keep is 1.5; should be in [0, 1]");
  CHECK(options_message([](O& o) { o.gst.sed_keep = 1; }) == "");
  CHECK(options_message([](O& o) { o.gst.finetune_epochs = -2; }) ==
        "trainer: finetune_epochs is -2; should be -1 or more");
  const auto sgd = [](O& o) {
    o.optimizer = OptimizerKind::kSgd;
    o.nesterov = true;
    o.momentum = 0;
  };
  CHECK(options_message(sgd) ==
        "sgd: nesterov needs a momentum and no dampening; momentum is 0 and dampening 0");
}

TEST_CASE("a loss that cannot be computed is an error that names epoch and program") {
  Lab lab(*small_net("tile-mlp"), 1);
  class Fails final : public Objective {
   public:
    [[nodiscard]] std::string_view name() const override { return "fails"; }
    [[nodiscard]] std::string_view wants() const override { return "luck"; }
    [[nodiscard]] Status check(const NetPlan&) const override { return {}; }
    [[nodiscard]] Status check(const PreparedProgram&) const override { return {}; }
    [[nodiscard]] bool can_fit(const PreparedProgram&) const override { return true; }
    Var loss(Tape& tape, Var, const PreparedProgram&, Span<const std::int32_t>) const override {
      (void)tape.expect(false, [] { return std::string("it cannot be computed"); });
      return {};
    }
  } fails;
  lab.options.objective = &fails;
  CHECK(lab.run(quick(2)).status().message() == "epoch 1: step 1: tile_1: it cannot be computed");
}

TEST_CASE("a model that was made for prediction alone is refused") {
  Lab lab(*small_net("tile-mlp"), 2);
  const std::vector<std::byte> bytes = model_to_bytes(lab.model).value();
  lab.model = model_from_bytes(bytes, predicting_nets<TileMlp>()).value();
  CHECK(lab.run(quick(1)).status().message() ==
        "trainer: this tile-mlp model was made for prediction alone: see trainable_nets()");
}

/// A network whose option has the name of a training option.
struct Confused : TileMlp {
  static constexpr std::string_view kName = "confused";
  struct Options : TileMlp::Options {
    std::int64_t epochs = 1;
    template <class V>
    void fields(V& v) {
      TileMlp::Options::fields(v);
      v("epochs", "", epochs, 1, 9, "Of what?");
    }
  };
  using TileMlp::TileMlp;
};

TEST_CASE("a network that has an option of the name of a training option is refused") {
  auto options = small_options<Confused>();
  Lab lab(*net_options<Confused>(options), 2);
  CHECK(lab.run(quick(1)).status().message() ==
        "trainer: \"epochs\" is an option of a confused model and of its training");
}

TEST_CASE("without programs to rank there is nothing to train on") {
  const std::string message = "no training program has two configs with different labels to rank";
  Lab lab(*small_net("tile-mlp"), 3);
  lab.train[0].selection = {5};
  lab.train[1].selection = {};
  lab.train[2].selection = {3, 3};
  CHECK(lab.run(quick(1)).status().message() == message);
  lab.train.clear();
  CHECK(lab.run(quick(1)).status().message() == message);
}

TEST_CASE("programs without a ranking do not disturb the others") {
  Lab lab(*small_net("tile-mlp"), 3), without(*small_net("tile-mlp"), 3);
  const std::vector<std::int64_t> placeholders(24, 0);
  lab.train[2].view.runtime = placeholders;
  without.train.pop_back();
  Recipe recipe = quick(2);
  recipe.loss.kind = Loss::kListMle;  // which would draw an order for them
  REQUIRE(lab.run(recipe).ok());
  REQUIRE(without.run(recipe).ok());
  CHECK(lab.weights() == without.weights());
}

TEST_CASE("missing labels and configs that do not exist are found before training") {
  for (const bool in_valid : {false, true}) {
    Lab lab(*small_net("tile-mlp"), 2);
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
  Lab lab(*small_net("tile-mlp"), 2);
  lab.valid.resize(1);
  lab.valid[0].selection = {0};
  CHECK(lab.run(quick(1)).status().message() ==
        "epoch 1: no graph has labels that rank its configs; tile_1000: ordered_pair_accuracy: there are 1 "
        "items; "
        "it needs at least 2");
}

// ---- graph segment training --------------------------------------------------------------------------------

TEST_CASE("with one segment per graph every variant has the bits of full training" * testing::kLong) {
  AlignedVector<float> full;
  for (const GstVariant variant : kGstVariants) {
    Lab lab(*segmented(variant == GstVariant::kFull ? 0 : 100));
    REQUIRE(lab.run(gst(6, variant)).ok());
    if (variant == GstVariant::kFull) full = lab.weights();
    CHECK(lab.weights() == full);
  }
}

TEST_CASE("every variant learns to rank unseen programs from three segments and more per graph" * kLong) {
  for (const GstVariant variant : kGstVariants) {
    Lab lab(*segmented(3), 32);
    for (const PreparedProgram& program : lab.train) REQUIRE(program.segments.size() >= 3);
    Recipe options = gst(60, variant);
    options.max_slates_per_graph = 2;
    const TrainReport report = lab.run(options).value();
    INFO(enum_name(variant));
    CHECK(report.best_valid.kendall_tau > 0.5);
    CHECK((report.table_rows > 0) == (variant >= GstVariant::kE));
    CHECK((report.table_bytes > 0) == (variant >= GstVariant::kE));
    CHECK(report.activation_bytes > 0);
  }
}

TEST_CASE("segment training has the same bits for any number of threads") {
  Recipe recipe = gst(2, GstVariant::kEFD);  // one that fills the table, one that reads it
  recipe.gst.finetune_epochs = 1;
  for (const std::string_view name : {"layout-sage", "own-net"}) {
    for (const std::int64_t large_slate_rows : {std::int64_t{8192}, std::int64_t{1}}) {
      AlignedVector<float> one;
      for (const int threads : {1, 2, 7}) {
        ThreadPool pool(threads);
        Lab lab(*segmented(3, name));
        lab.options.pool = &pool;
        lab.options.large_slate_rows = large_slate_rows;
        REQUIRE(lab.run(recipe).ok());
        if (threads == 1) one = lab.weights();
        CHECK(lab.weights() == one);
      }
    }
  }
}

TEST_CASE("finetuning starts from the best weights and leaves the backbone as it is") {
  Lab lab(*segmented(3));
  Recipe options = gst(8, GstVariant::kEF);
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
  Lab lab(*segmented(3));
  std::size_t most_segments = 0;
  for (const PreparedProgram& program : lab.train)
    most_segments = std::max(most_segments, program.segments.size());
  Recipe options = gst(5, GstVariant::kE);
  options.gst.table_bytes = 1000;
  CHECK(lab.run(options).status().message() ==
        str_cat("embedding table: a budget of 1000 bytes holds 6 rows of 152 bytes; one step needs ",
                most_segments * 16 * 4));
  options = gst(5, GstVariant::kEFD);
  options.gst.finetune_epochs = 5;
  CHECK(lab.run(options).status().message() == "gst: finetune_epochs is 5; should be less than epochs, 5");
  options.gst.finetune_epochs = 2;
  CHECK(
      Lab(*segmented(3, "layout-sage-late")).run(options).status().message() ==
      "gst: efd finetunes the read-out, but this layout-sage-late model has no weights after the total of its "
      "segments");
  const std::unique_ptr<NetOptions> scalar = segmented(3);
  scalar->inputs().segments.readout = SegmentReadout::kScalar;
  CHECK(Lab(*scalar).run(options).status().message().find("gst: efd finetunes the read-out, but ") == 0);
  options.gst.segments_per_step = 0;
  CHECK(lab.run(options).status().message() == "trainer: segments_per_step is 0; should be 1 or more");
}

TEST_CASE("a program with more configs than a table has keys for is refused") {
  Lab lab(*segmented(3), 2);
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
  for (const std::string_view name : kWinners) {
    for (const std::int64_t chunk : {0, 16}) {
      if (name == "tile-winner" && chunk > 0) continue;
      Lab lab(*options_with(*small_winner(name, chunk), {{"dropout", "0"}}), 32);
      const double before = evaluate(lab.model, lab.valid).value().mean.kendall_tau;
      const TrainReport report = lab.run(quick(120)).value();
      INFO(name, ", chunk ", chunk);
      CHECK(before < 0.2);
      // Instance norm hides what is the same at all nodes of a graph, here the size that decides the best tile:
      // of a tile only the second knob can be judged.
      CHECK(report.best_valid.kendall_tau > (name == "tile-winner" ? 0.2 : 0.6));
      CHECK(report.epochs.back().train_loss < 0.9 * report.epochs.front().train_loss);
    }
  }
}

TEST_CASE("winners have the same weights for any number of threads" * testing::kLong) {
  for (const std::string_view name : kWinners) {
    const std::unique_ptr<NetOptions> net = small_winner(name, name == "layout-winner" ? 16 : 0);
    if (name == "layout-winner") net->inputs().prune.kind = Prune::kEdges;
    const AlignedVector<float> serial = trained_weights(*net, quick(3), 0, 8192);
    for (const int threads : {1, 3}) {
      for (const std::int64_t large_slate_rows : {0, 1000000})
        CHECK(trained_weights(*net, quick(3), threads, large_slate_rows) == serial);
    }
  }
}

TEST_CASE("a table of embeddings is refused where they depend on the other configs") {
  const std::unique_ptr<NetOptions> net = small_winner("layout-winner", 8);
  net->inputs().segments.max_size = 3;
  Lab lab(*net);
  CHECK(lab.run(gst(3, GstVariant::kED)).status().message() ==
        "gst: ed keeps the embedding of each config, but in this model it depends on the others of a slate");
  CHECK(lab.run(gst(2, GstVariant::kOne)).ok());
}

TEST_CASE("without some edges at each step a model learns, with the same bits for any number of threads" *
          kLong) {
  Lab lab(*small_net("layout-sage"), 32);
  Recipe options = quick(60);
  options.drop_edge = 0.2;
  CHECK(lab.run(options).value().best_valid.kendall_tau > 0.6);

  for (const std::int64_t max_size : {0, 3}) {  // whole graphs, and segments
    const std::unique_ptr<NetOptions> net = segmented(max_size);
    Recipe few = gst(3, max_size == 0 ? GstVariant::kFull : GstVariant::kED);
    const AlignedVector<float> all_edges = trained_weights(*net, few, 0, 8192);
    few.drop_edge = 0.3;
    const AlignedVector<float> serial = trained_weights(*net, few, 0, 8192);
    CHECK(serial != all_edges);
    for (const std::int64_t large_slate_rows : {0, 1000000})
      CHECK(trained_weights(*net, few, 3, large_slate_rows) == serial);
  }
  options.drop_edge = 1;
  CHECK(lab.run(options).status().message() == "trainer: drop_edge is 1; should be in [0, 1)");
}

// ---- programs that have nothing to learn from, and large ones --------------------------------------------

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

}  // namespace
}  // namespace mlgraph
