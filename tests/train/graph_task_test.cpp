// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/graph_task.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "graph_train_fixture.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

TEST_CASE("targets are scaled by mean and deviation of those that are there") {
  const GraphDataset set = random_targets(40, 4);
  const std::vector<std::size_t> graphs = graphs_between(5, 35);
  GraphTask by_nan, by_mask;
  by_nan.loss.nan_is_missing = true;
  by_mask.mask = "known";
  for (const bool logarithms : {false, true}) {
    by_nan.loss.logarithms = by_mask.loss.logarithms = logarithms;
    const TargetScaling scaling = fit_scaling(by_nan, set, graphs);
    CHECK(fit_scaling(by_mask, set, graphs).mean == scaling.mean);
    for (std::size_t k = 0; k < 2; ++k) {
      double sum = 0, squares = 0, count = 0;
      for (const std::size_t g : graphs) {
        const double y = static_cast<double>(set.array(g, 0).f32(0, static_cast<std::int64_t>(k)));
        if (std::isnan(y)) continue;
        const double z = scaling.output(k, logarithms ? std::log(y) : y);
        CHECK(scaling.z(k, z) == doctest::Approx(logarithms ? std::log(y) : y));
        sum += z;
        squares += z * z;
        ++count;
      }
      CHECK(count == (k == 0 ? 30 : 20));
      CHECK(std::abs(sum / count) < 1e-9);
      CHECK(squares / count == doctest::Approx(1));
    }
  }
  GraphTask all_alike;
  all_alike.target = "weight";
  const std::size_t same[] = {0, 2, 4};
  CHECK(fit_scaling(all_alike, set, same).scale == std::vector<double>{1});
}

TEST_CASE("weights of graphs count what their targets weigh, by part") {
  const GraphDataset set = random_targets(6, 5);
  const std::vector<std::size_t> graphs = {1, 2, 3};
  GraphTask task;
  task.loss.nan_is_missing = true;
  task.loss.output_weight = {1, 10};
  task.weight = "weight";
  CHECK(*task_weights(task, TaskPart::kTrain, set, graphs, 2) == std::vector<double>{22, 1, 22});
  GraphTask nodes;
  nodes.target = "node_y";
  nodes.mask = "train";
  nodes.valid_mask = "valid";
  const double train = (*task_weights(nodes, TaskPart::kTrain, set, graphs, 1))[0];
  const double valid = (*task_weights(nodes, TaskPart::kValid, set, graphs, 1))[0];
  CHECK(train + valid == static_cast<double>(set.num_nodes(1)));
  task.loss.nan_is_missing = false;
  CHECK(task_weights(task, TaskPart::kTrain, set, graphs, 2).status().message() ==
        "graph 2: target 1 of row 0 is nan; should be finite, or missing by a mask or nan_is_missing");
}

TEST_CASE("an evaluation has all metrics of a model, over any number of parts") {
  const GraphDataset set = random_targets(300, 6);
  const std::vector<std::size_t> all = graphs_between(0, 300), few = graphs_between(0, 100),
                                 others = graphs_between(100, 300);
  TinyGraphNet::Options options;
  options.outputs = 2;
  const GraphModel model = GraphModel::make<TinyGraphNet>(options, 2).value();
  GraphTask task;
  task.loss.loss = TargetLoss::kL1;
  task.loss.nan_is_missing = true;
  const GraphEvaluationResult a = evaluate(model, task, set, all).value();
  const GraphEvaluationResult b = evaluate(model, task, set, few).value(),
                              c = evaluate(model, task, set, others).value();
  const auto count = [](const GraphEvaluationResult& of) {
    double there = 0;
    for (const double y : of.target.values) there += std::isnan(y) ? 0 : 1;
    return there;
  };
  CHECK(count(a) == 500);
  CHECK(a.metrics.loss * 500 == doctest::Approx(b.metrics.loss * count(b) + c.metrics.loss * count(c)));
  const PredictionMatrix p = model.predict(set, all).value();
  CHECK(p.values == a.predicted.values);
  double sum[2] = {}, n[2] = {};
  for (std::size_t i = 0; i < 600; ++i) {
    if (std::isnan(a.target.values[i])) continue;
    sum[i % 2] += std::abs(p.values[i] - a.target.values[i]);
    ++n[i % 2];
  }
  CHECK(*a.metrics.mae == doctest::Approx((sum[0] / n[0] + sum[1] / n[1]) / 2));
  CHECK(to_texts(task).at("task.loss") == "l1");
  CHECK(check_task(task, GraphDataset()).message() == "task: the set has no graphs");
}
