// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/graph_trainer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "graph_train_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/core/parallel.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

using GraphNumbers = std::vector<std::size_t>;

Recipe graph_recipe(std::int64_t epochs, double lr = 0.01) {
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.graphs_per_step = 8;
  recipe.lr = lr;
  recipe.optimizer = OptimizerKind::kAdam;
  return recipe;
}

GraphTask regression_task() {
  GraphTask task;
  task.loss.nan_is_missing = true;
  return task;
}

struct GraphLab {
  GraphDataset set = random_targets(90, 1);
  GraphNumbers train = graphs_between(0, 60), valid = graphs_between(60, 90);
  TinyGraphNet::Options net;
  GraphTask task = regression_task();
  Recipe recipe = graph_recipe(5);
  GraphTrainOptions options;

  GraphLab() { net.outputs = 2; }
  [[nodiscard]] GraphModel model() const { return GraphModel::make<TinyGraphNet>(net, 1).value(); }
  [[nodiscard]] AlignedVector<float> trained() const {
    GraphModel made = model();
    const Result<GraphTrainReport> report = GraphTrainer(made, task, recipe, options).run(set, train, valid);
    REQUIRE_MESSAGE(report.ok(), report.status().message());
    return made.parameters().value;
  }
  [[nodiscard]] std::string error() const {
    GraphModel made = model();
    return GraphTrainer(made, task, recipe, options).run(set, train, valid).status().message();
  }
};

}  // namespace

TEST_CASE("a regression of several outputs with missing targets is fitted, by every loss" * testing::kLong) {
  for (const TargetLoss loss : {TargetLoss::kMse, TargetLoss::kL1, TargetLoss::kHuber, TargetLoss::kMape}) {
    for (const bool logarithms : {false, true}) {
      GraphLab lab;
      lab.task.loss.loss = loss;
      lab.task.loss.logarithms = logarithms;
      lab.recipe = graph_recipe(60);
      GraphModel model = lab.model();
      lab.options.stop.metric = StopMetric::kMape;
      const Result<GraphTrainReport> report =
          GraphTrainer(model, lab.task, lab.recipe, lab.options).run(lab.set, lab.train, lab.valid);
      REQUIRE_MESSAGE(report.ok(), report.status().message());
      CHECK(report->best_epoch > 0);
      const Result<GraphEvaluationResult> of = evaluate(model, lab.task, lab.set, lab.valid);
      REQUIRE(of.ok());
      CHECK(*of->metrics.mape == doctest::Approx(report->best_metric));
      CHECK(*of->metrics.mape < 0.12);
      CHECK(*of->metrics.r2 > 0.8);
    }
  }
}

TEST_CASE("classes of graphs, and of the nodes that masks choose") {
  GraphLab lab;
  lab.net.outputs = 3;
  lab.task = {};
  lab.task.loss.loss = TargetLoss::kCrossEntropy;
  lab.task.target = "class";
  lab.recipe = graph_recipe(80);
  lab.options.stop.metric = StopMetric::kAccuracy;
  GraphModel of_graphs = lab.model();
  const Result<GraphTrainReport> report =
      GraphTrainer(of_graphs, lab.task, lab.recipe, lab.options).run(lab.set, lab.train, lab.valid);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  CHECK(report->best_metric > 0.9);
  const PredictionMatrix p = of_graphs.predict(lab.set, lab.valid).value();
  REQUIRE(p.rows == 30);
  for (std::int64_t g = 0; g < p.rows; ++g)
    CHECK(p.view()(g, 0) + p.view()(g, 1) + p.view()(g, 2) == doctest::Approx(1));

  lab.net.outputs = 2;
  lab.net.nodes = true;
  lab.task.target = "node_class";
  lab.task.mask = "train";
  lab.task.valid_mask = "valid";
  const GraphNumbers all = graphs_between(0, 90);
  GraphModel of_nodes = lab.model();
  const Result<GraphTrainReport> nodes =
      GraphTrainer(of_nodes, lab.task, lab.recipe, lab.options).run(lab.set, all, all);
  REQUIRE_MESSAGE(nodes.ok(), nodes.status().message());
  CHECK(nodes->best_metric > 0.93);
}

TEST_CASE("several labels with logits, by weights and masks") {
  GraphLab lab;
  GraphDataset set;
  for (std::size_t g = 0; g < lab.set.size(); ++g) {
    const float sum = lab.set.array(g, lab.set.find("y")).f32(0, 0);
    const std::vector<float> labels = {sum > 20 ? 1.0F : 0.0F, sum < 30 ? 1.0F : 0.0F};
    GraphView view;
    view.x = lab.set.graph(g).x;
    const NamedArray arrays[] = {graph_array("y", Span<const float>(labels)),
                                 lab.set.array(g, lab.set.find("known"))};
    REQUIRE(set.add(view, arrays).ok());
  }
  lab.task = {};
  lab.task.loss.loss = TargetLoss::kBinary;
  lab.task.loss.positive_weight = {2, 1};
  lab.task.mask = "known";
  lab.recipe = graph_recipe(60);
  lab.options.stop.metric = StopMetric::kAuc;
  GraphModel model = lab.model();
  const Result<GraphTrainReport> report =
      GraphTrainer(model, lab.task, lab.recipe, lab.options).run(set, lab.train, lab.valid);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  CHECK(report->best_metric > 0.9);
}

TEST_CASE("weights have the same bits for any number of threads and after any resume") {
  for (const bool norm : {false, true}) {
    GraphLab lab;
    lab.net.norm = norm;
    lab.net.dropout = 0.2;
    lab.recipe.ema_decay = 0.9;
    lab.options.graphs_per_tape = 3;
    const AlignedVector<float> expected = lab.trained();
    for (const int threads : {1, 2, 4}) {
      ThreadPool pool(threads);
      GraphLab other;
      other.net = lab.net;
      other.recipe = lab.recipe;
      other.options = lab.options;
      other.options.pool = &pool;
      CHECK(other.trained() == expected);
    }
    std::vector<std::vector<std::byte>> checkpoints;
    GraphModel whole = lab.model();
    GraphTrainer trainer(whole, lab.task, lab.recipe, lab.options);
    const auto keep = [&](const GraphEpochReport&) {
      checkpoints.push_back(trainer.checkpoint().value());
      return true;
    };
    REQUIRE(trainer.run(lab.set, lab.train, lab.valid, keep).ok());
    CHECK(whole.parameters().value == expected);
    REQUIRE(checkpoints.size() == 5);
    for (const std::size_t at : {0u, 2u, 4u}) {
      GraphModel model = lab.model();
      GraphTrainer again(model, lab.task, lab.recipe, lab.options);
      std::vector<std::byte> last = checkpoints[at];
      const auto remember = [&](const GraphEpochReport&) {
        last = again.checkpoint().value();
        return true;
      };
      const Result<GraphTrainReport> report =
          again.run(lab.set, lab.train, lab.valid, remember, checkpoints[at]);
      REQUIRE_MESSAGE(report.ok(), report.status().message());
      CHECK(model.parameters().value == expected);
      CHECK(report->epochs.size() == 5);
      CHECK(last == checkpoints[4]);
    }
  }
}

TEST_CASE("another number of graphs to a tape is the same step, up to rounding") {
  GraphLab lab;
  lab.recipe = graph_recipe(3);
  lab.options.graphs_per_tape = 8;
  const AlignedVector<float> whole = lab.trained();
  lab.options.graphs_per_tape = 1;
  const AlignedVector<float> parts = lab.trained();
  CHECK(whole != parts);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i] == doctest::Approx(whole[i]).epsilon(1e-2));
}

TEST_CASE(
    "a training stops by patience, by the caller, and on a metric of one's own; a plateau lowers the rate") {
  GraphLab lab;
  lab.recipe = graph_recipe(50);
  lab.recipe.patience = 3;
  int calls = 0;
  lab.options.stop.own = [&calls](const Predictions& p) -> Result<double> {
    CHECK(p.predicted.rows == 30);
    CHECK(p.target.cols == 2);
    return -std::abs(static_cast<double>(++calls) - 4);
  };
  GraphModel model = lab.model();
  Result<GraphTrainReport> report =
      GraphTrainer(model, lab.task, lab.recipe, lab.options).run(lab.set, lab.train, lab.valid);
  REQUIRE(report.ok());
  CHECK(report->best_epoch == 4);
  CHECK(report->epochs.size() == 7);
  CHECK_FALSE(report->stopped_by_caller);

  calls = 0;
  lab.recipe.patience = 0;
  lab.recipe.epochs = 9;
  lab.recipe.schedule = Schedule::kPlateau;
  lab.recipe.lr_step_epochs = 1;
  lab.recipe.lr_gamma = 0.5;
  lab.recipe.warmup_fraction = 0;
  report = GraphTrainer(model, lab.task, lab.recipe, lab.options).run(lab.set, lab.train, lab.valid);
  REQUIRE(report.ok());
  std::vector<double> rates;
  for (const GraphEpochReport& epoch : report->epochs) rates.push_back(epoch.lr);
  CHECK(rates == std::vector<double>{0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.0025});

  report =
      GraphTrainer(model, lab.task, graph_recipe(9)).run(lab.set, lab.train, {}, [](const GraphEpochReport& e) {
        return e.epoch < 2;
      });
  REQUIRE(report.ok());
  CHECK(report->stopped_by_caller);
  CHECK(report->epochs.size() == 2);
  CHECK(report->best_epoch == 2);
}

TEST_CASE("an epoch can have a number of steps of its own") {
  GraphLab lab;
  lab.options.steps_per_epoch = 20;
  lab.recipe = graph_recipe(2);
  lab.recipe.schedule = Schedule::kConstant;
  lab.recipe.warmup_fraction = 0;
  lab.recipe.optimizer = OptimizerKind::kSgd;
  const AlignedVector<float> many = lab.trained();
  lab.options.steps_per_epoch = 0;
  CHECK(lab.trained() != many);
}

TEST_CASE("what cannot be trained is refused with its place") {
  const auto error_of = [](auto&& change) {
    GraphLab lab;
    change(lab);
    return lab.error();
  };
  CHECK(error_of([](GraphLab& l) { l.task.loss.nan_is_missing = false; }) ==
        "graph 2: target 1 of row 0 is nan; should be finite, or missing by a mask or nan_is_missing");
  CHECK(error_of([](GraphLab& l) { l.task.target = "z"; }) ==
        "task: the set has no array \"z\" to be its target");
  CHECK(error_of([](GraphLab& l) { l.task.target = "class"; }) ==
        "task: the target \"class\" is 1 int32 of graphs; should be float of graphs");
  CHECK(error_of([](GraphLab& l) { l.task.weight = "node_y"; }) ==
        "task: the weight \"node_y\" is 1 float of nodes; should be one float of graphs");
  CHECK(error_of([](GraphLab& l) { l.task.mask = "train"; }) ==
        "task: the mask \"train\" is 1 int32 of nodes; should be int32 of graphs");
  CHECK(error_of([](GraphLab& l) { l.net.outputs = 3; }) ==
        "graph 0: outputs are (1, 3); there are (1, 2) targets");
  CHECK(error_of([](GraphLab& l) { l.net.nodes = true; }).find("graphs from ") != std::string::npos);
  CHECK(error_of([](GraphLab& l) { l.train.clear(); }) == "trainer: there are no graphs to train on");
  CHECK(error_of([](GraphLab& l) { l.valid.push_back(90); }) ==
        "trainer: there is no graph 90; the set has 90");
  CHECK(error_of([](GraphLab& l) { l.recipe.drop_edge = 0.1; }) ==
        "trainer: drop_edge is of trainings that rank configurations; should not be set");
  CHECK(error_of([](GraphLab& l) { l.recipe.lr = -1; }) == "trainer: lr is -1; should be 0 or more");
  CHECK(error_of([](GraphLab& l) { l.options.steps_per_epoch = -1; }) ==
        "trainer: graphs_per_tape and steps_per_epoch should be 0 or more");
  CHECK(error_of([](GraphLab& l) { l.options.stop.metric = StopMetric::kAuc; }) ==
        "epoch 1: the validation targets have no auc");
  CHECK(error_of([](GraphLab& l) {
          l.recipe.schedule = Schedule::kPlateau;
          l.valid.clear();
        }) == "trainer: the schedule plateau needs something to validate on");
  CHECK(error_of([](GraphLab& l) { l.task.loss.output_weight = {1}; }) ==
        "trainer: output_weight has 1 numbers; there are 2 outputs");
  CHECK(error_of([](GraphLab& l) {
          l.recipe.optimizer = OptimizerKind::kSgd;
          l.recipe.clip_norm = 0;
          l.recipe.lr = 1e30;
        }).find("epoch 1: step ") == 0);
}

TEST_CASE("a checkpoint of another training is refused by what differs") {
  GraphLab lab;
  std::vector<std::byte> checkpoint;
  GraphModel model = lab.model();
  GraphTrainer trainer(model, lab.task, lab.recipe, lab.options);
  const auto keep = [&](const GraphEpochReport&) {
    checkpoint = trainer.checkpoint().value();
    return true;
  };
  REQUIRE(trainer.run(lab.set, lab.train, lab.valid, keep).ok());
  const auto resume = [&](const GraphLab& other) {
    GraphModel fresh = other.model();
    return GraphTrainer(fresh, other.task, other.recipe, other.options)
        .run(
            other.set, other.train, other.valid, [](const GraphEpochReport&) { return true; }, checkpoint)
        .status()
        .message();
  };
  CHECK(resume(lab).empty());
  GraphLab seed, data, hidden, loss;
  seed.options.seed = 2;
  CHECK(resume(seed) == "checkpoint: seed was \"1\" and is \"2\" now; should be the same");
  data.train.pop_back();
  CHECK(resume(data).find("checkpoint: data was ") == 0);
  hidden.net.hidden = 7;
  CHECK(resume(hidden) == "checkpoint: hidden was \"8\" and is \"7\" now; should be the same");
  loss.task.loss.loss = TargetLoss::kL1;
  CHECK(resume(loss) == "checkpoint: task.loss was \"mse\" and is \"l1\" now; should be the same");
  checkpoint.resize(checkpoint.size() / 2);
  CHECK_FALSE(resume(lab).empty());
}
