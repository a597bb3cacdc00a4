// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/rank_step.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "graph_train_fixture.hpp"
#include "mlgraph/dist/in_process.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "trainer_fixture.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

using Bytes = std::vector<std::byte>;

constexpr int kRankCounts[] = {1, 2, 3, 4, 7};

/// Graph segment training with a table, dropout, an average and a clipped gradient: all that a state can hold.
Recipe everything(std::int64_t epochs) {
  Recipe recipe = quick(epochs);
  recipe.graphs_per_step = 5;
  recipe.gst.variant = GstVariant::kEFD;
  recipe.ema_decay = 0.9;
  recipe.clip_norm = 1;
  return recipe;
}
std::unique_ptr<NetOptions> segmented_net(std::string_view name) {
  std::unique_ptr<NetOptions> net = small_net(name, {{"dropout", "0.1"}});
  net->inputs().segments.max_size = 3;
  return net;
}

/// What a training left behind on a rank.
struct Outcome {
  AlignedVector<float> weights;
  Bytes checkpoint;
  std::string error;
  std::vector<double> metrics;
  bool stopped = false;

  [[nodiscard]] bool operator==(const Outcome& other) const {
    return weights == other.weights && checkpoint == other.checkpoint && error == other.error &&
           metrics == other.metrics && stopped == other.stopped;
  }
};

/// A training on some ranks, each with a model, programs and threads of its own.
struct RankedTraining {
  std::string net = "layout-sage";
  Recipe recipe = everything(4);
  int threads = 1;
  std::int64_t stop_after = 1000;
  int stopping_rank = 0;
  Bytes resume;
  int odd_rank = -1;  // has another seed
  int bad_rank = -1;  // has a label that is none

  [[nodiscard]] Outcome on(Communicator* ranks) const {
    Outcome outcome;
    Lab lab(*segmented_net(net), 10);
    ThreadPool pool(threads);
    const int rank = ranks == nullptr ? 0 : ranks->rank();
    lab.options.pool = &pool;
    lab.options.ranks = ranks;
    if (rank == odd_rank) lab.options.seed = 99;
    if (rank == bad_rank) lab.train[3].view.runtime = {};
    Trainer trainer(lab.model, recipe, lab.options);
    const auto on_epoch = [&](const EpochReport& epoch) {
      outcome.metrics.push_back(epoch.train_loss);
      outcome.metrics.push_back(epoch.valid.kendall_tau);
      outcome.checkpoint = trainer.checkpoint().value();
      return !(rank == stopping_rank && epoch.epoch >= stop_after);
    };
    const Result<TrainReport> report = trainer.run(lab.train, lab.valid, on_epoch, resume);
    if (report.ok()) outcome.stopped = report->stopped_by_caller;
    outcome.error = report.status().message();
    outcome.weights = lab.weights();
    return outcome;
  }
  /// Of each rank.
  [[nodiscard]] std::vector<Outcome> on(int num_ranks) const {
    std::vector<Outcome> outcomes(static_cast<std::size_t>(num_ranks));
    InProcessRanks(num_ranks).run(
        [&](Communicator& ranks) { outcomes[static_cast<std::size_t>(ranks.rank())] = on(&ranks); });
    return outcomes;
  }
};

}  // namespace

TEST_CASE("a training has the same bits for any number of ranks and threads") {
  for (const char* const net : {"layout-sage", "own-net"}) {
    RankedTraining training;
    training.net = net;
    const Outcome alone = training.on(nullptr);
    REQUIRE(alone.error.empty());
    REQUIRE(alone.metrics.size() == 8);
    for (const int num_ranks : kRankCounts) {
      training.threads = num_ranks == 2 ? 3 : 1;
      for (const Outcome& outcome : training.on(num_ranks)) {
        INFO(net << " on " << num_ranks << " ranks");
        CHECK(outcome == alone);
      }
    }
  }
}

TEST_CASE("a training that one rank stops is resumed with another number of ranks") {
  RankedTraining training;
  const Outcome alone = training.on(nullptr);
  training.stop_after = 2;
  training.stopping_rank = 1;
  const std::vector<Outcome> stopped = training.on(3);
  for (const Outcome& outcome : stopped) {
    CHECK(outcome.stopped);
    CHECK(outcome.metrics.size() == 4);
    CHECK(outcome.checkpoint == stopped[0].checkpoint);
  }
  training.stop_after = 1000;
  training.resume = stopped[2].checkpoint;
  for (const int num_ranks : {1, 2, 4}) {
    for (const Outcome& outcome : training.on(num_ranks)) {
      CHECK(outcome.weights == alone.weights);
      CHECK(outcome.checkpoint == alone.checkpoint);
    }
  }
}

TEST_CASE("ranks whose trainings differ are named before the first step") {
  RankedTraining training;
  training.odd_rank = 2;
  for (const Outcome& outcome : training.on(3)) {
    CHECK(outcome.error ==
          "seed is \"99\" for rank 2 on this process and \"1\" for rank 0 on this process; should be the same");
    CHECK(outcome.metrics.empty());
  }
}

TEST_CASE("an error of one rank is that of all") {
  RankedTraining training;
  training.bad_rank = 1;
  const std::vector<Outcome> outcomes = training.on(3);
  CHECK(outcomes[0].error.rfind("rank 1 on this process: ", 0) == 0);
  for (const Outcome& outcome : outcomes) CHECK(outcome.error == outcomes[0].error);
  // In the middle of a step: a learning rate that no weight survives. Each rank says what one alone says.
  RankedTraining wild;
  wild.recipe = constant_rate(3, 1e30);
  wild.recipe.graphs_per_step = 5;
  const Outcome alone = wild.on(nullptr);
  CHECK(!alone.error.empty());
  for (const int num_ranks : {2, 3}) {
    for (const Outcome& outcome : wild.on(num_ranks)) CHECK(outcome.error == alone.error);
  }
}

TEST_CASE("trainings of graphs have the same bits for any number of ranks") {
  for (const bool norm : {false, true}) {
    const auto train = [&](Communicator* ranks, GraphTrainReport& report) {
      const GraphDataset set = random_targets(90, 1);
      TinyGraphNet::Options net;
      net.outputs = 2;
      net.norm = norm;
      GraphTask task;
      task.loss.nan_is_missing = true;
      Recipe recipe;
      recipe.epochs = 3;
      recipe.graphs_per_step = 24;
      recipe.optimizer = OptimizerKind::kAdam;
      GraphTrainOptions options;
      options.graphs_per_tape = 5;
      options.ranks = ranks;
      GraphModel model = GraphModel::make<TinyGraphNet>(net, 1).value();
      report = GraphTrainer(model, task, recipe, options)
                   .run(set, graphs_between(0, 60), graphs_between(60, 90))
                   .value();
      return model.parameters().value;
    };
    GraphTrainReport alone_report;
    const AlignedVector<float> alone = train(nullptr, alone_report);
    for (const int num_ranks : kRankCounts) {
      std::mutex mutex;
      int equal = 0;
      InProcessRanks(num_ranks).run([&](Communicator& ranks) {
        GraphTrainReport report;
        const bool same = train(&ranks, report) == alone && report.best_metric == alone_report.best_metric &&
                          report.epochs.back().valid_loss == alone_report.epochs.back().valid_loss;
        const std::lock_guard<std::mutex> lock(mutex);
        equal += same ? 1 : 0;
      });
      CHECK(equal == num_ranks);
    }
  }
}

TEST_CASE("samples are added up by their places, and the state moves by its share") {
  RankStep step;
  step.begin(nullptr, std::vector<std::int64_t>{1, 1, 1});
  CHECK(step.mine().size() == 3);
  Parameters<float> parameters;
  parameters.value.assign(5, 1.0F);
  parameters.grad.assign(4, 0.0F);
  std::vector<std::vector<float>> grads(3, std::vector<float>(4, 1)), states(3, std::vector<float>(1, 3));
  std::vector<float*> grad, state;
  for (std::size_t j = 0; j < 3; ++j) {
    grads[j][1] = static_cast<float>(j);
    grad.push_back(grads[j].data());
    state.push_back(states[j].data());
  }
  REQUIRE(
      step.add_up(grad, state, 4, 1, nullptr, [](std::size_t, NoteWriter&) { FAIL("nobody listens"); }).ok());
  step.apply(parameters, 1, 0.5F, nullptr);
  CHECK(parameters.grad[0] == 3);
  CHECK(parameters.grad[1] == 3);
  CHECK(parameters.value[4] == 5.5F);
}
