// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/graph_steps.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "graph_train_fixture.hpp"
#include "mlgraph/core/parallel.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

struct StepsLab {
  GraphDataset set = random_targets(30, 7);
  std::vector<std::size_t> graphs = graphs_between(3, 26);
  TinyGraphNet::Options net;
  GraphTask task;
  GraphTrainOptions options;

  StepsLab() {
    net.outputs = 2;
    task.loss.nan_is_missing = true;
  }
  [[nodiscard]] GraphModel model() const { return GraphModel::make<TinyGraphNet>(net, 1).value(); }
};

}  // namespace

TEST_CASE("an epoch uses every graph once, or as many as its steps take") {
  StepsLab lab;
  GraphModel model = lab.model();
  GraphSteps steps(model, lab.task, lab.set, lab.graphs, 4, lab.options);
  REQUIRE(steps.start(2).ok());
  CHECK(steps.steps_per_epoch() == 6);
  std::set<std::string> first;
  for (const std::int64_t epoch : {1, 2}) {
    steps.begin_epoch(epoch);
    double weight = 0;
    for (std::int64_t step = 0; step < 6; ++step) {
      const StepLoss loss = steps.run(step).value();
      weight += loss.weight;
      CHECK(loss.total == 23 + 16);  // every third graph has one target and not two
      first.insert(steps.samples(step));
    }
    CHECK(weight == 23 + 16);
  }
  CHECK(first.size() > 6);
  lab.options.steps_per_epoch = 20;
  GraphSteps many(model, lab.task, lab.set, lab.graphs, 4, lab.options);
  REQUIRE(many.start(2).ok());
  CHECK(many.steps_per_epoch() == 20);
  many.begin_epoch(1);
  for (std::int64_t step = 0; step < 20; ++step) REQUIRE(many.run(step).ok());
}

TEST_CASE("the gradient of a step is that of all its graphs on one tape") {
  StepsLab lab;
  GraphModel model = lab.model();
  model.meaning().scaling = {{1, 2}, {3, 4}};
  lab.options.graphs_per_tape = 1;
  GraphSteps steps(model, lab.task, lab.set, lab.graphs, 23, lab.options);
  REQUIRE(steps.start(2).ok());
  steps.begin_epoch(1);
  const StepLoss loss = steps.run(0).value();
  const AlignedVector<float> parts = model.parameters().grad;
  ThreadPool pool(3);
  lab.options.pool = &pool;
  REQUIRE(steps.run(0).ok());
  CHECK(model.parameters().grad == parts);

  Batch batch;
  REQUIRE(batch.assign(lab.set, lab.graphs).ok());
  model.parameters().zero_grad();
  Tape tape;
  tape.bind(model.spec(), model.parameters());
  const Var whole = target_loss(tape, model.forward(tape, batch.view()),
                                target_rows(lab.task, TaskPart::kTrain, batch.view()), lab.task.loss,
                                model.meaning().scaling);
  CHECK(static_cast<double>(*tape.value(whole).data) == doctest::Approx(loss.loss).epsilon(1e-5));
  REQUIRE(tape.backward(whole).ok());
  for (std::size_t i = 0; i < parts.size(); ++i)
    CHECK(static_cast<double>(parts[i]) ==
          doctest::Approx(static_cast<double>(model.parameters().grad[i])).epsilon(1e-4));
}

TEST_CASE("graphs of a step share a tape where batch norm looks at them") {
  StepsLab lab;
  lab.net.norm = true;
  GraphModel with_norm = lab.model(), without = lab.model();
  GraphSteps steps(with_norm, lab.task, lab.set, lab.graphs, 23, lab.options);
  CHECK(steps.graphs_per_tape() == 23);
  REQUIRE(steps.start(2).ok());
  steps.begin_epoch(1);
  const std::size_t n = with_norm.parameters().grad.size();
  REQUIRE(steps.run(0).ok());
  CHECK(with_norm.parameters().value[n] != without.parameters().value[n]);  // the running mean
  lab.net.norm = false;
  GraphModel model = lab.model();
  CHECK(GraphSteps(model, lab.task, lab.set, lab.graphs, 23, lab.options).graphs_per_tape() == 16);
}

TEST_CASE("what goes wrong in a step names graph and tensor") {
  StepsLab lab;
  GraphModel model = lab.model();
  GraphSteps steps(model, lab.task, lab.set, lab.graphs, 4, lab.options);
  REQUIRE(steps.start(2).ok());
  steps.begin_epoch(1);
  const AlignedVector<float> good = model.parameters().value;
  model.parameters().value.assign(good.size(), std::numeric_limits<float>::max());
  const std::string message = steps.run(0).status().message();
  CHECK_MESSAGE(message.find("graph ") == 0, message);
  CHECK_MESSAGE(message.find(": output 0 is ") != std::string::npos, message);
  model.parameters().value = good;
  lab.task.target = "node_y";
  CHECK(GraphSteps(model, lab.task, lab.set, lab.graphs, 4, lab.options).start(1).ok());
  lab.task.target = "y";
  lab.task.loss.output_weight = {0, 0};
  CHECK(GraphSteps(model, lab.task, lab.set, lab.graphs, 4, lab.options).start(2).message() ==
        "trainer: no graph to train on has a target that counts");
}
