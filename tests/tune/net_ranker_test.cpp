// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/net_ranker.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/arch/layout_sage.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/tune/tuner.hpp"
#include "tune/tuner_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// Six nodes in a row, each with an opcode of its own.
struct SmallProgram {
  std::vector<float> x = {1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> opcode = {0, 1, 2, 3, 4, 5}, from = {0, 1, 2, 3, 4}, to = {1, 2, 3, 4, 5};

  [[nodiscard]] ProgramView view() const {
    ProgramView view;
    view.name = "six";
    view.graph = {{x.data(), 6, 1}, opcode, from, to, {}, {}};
    return view;
  }
};

TuneModelOptions small_model(bool of_nodes) {
  TuneModelOptions options;
  if (of_nodes) {
    LayoutSage::Options net;
    net.hidden_channels = 16;
    net.num_layers = 1;
    net.config_encoding = ConfigEncoding::kScaled;
    options.net = net_options<LayoutSage>(net);
  } else {
    TileSage::Options net;
    net.hidden_channels = 16;
    net.num_layers = 1;
    options.net = net_options<TileSage>(net);
  }
  options.recipe = tuning_recipe(default_recipe(*options.net));
  options.members = 2;
  options.first_steps = 60;
  options.steps = 30;
  options.search_evaluations = 60;
  return options;
}

/// Times of configurations by chance.
TuneData measured_data(const Space& space, int count) {
  TuneHistory history(space.reference());
  Rng rng(5);
  for (int i = 0; i < count; ++i) {
    TuneEntry entry;
    entry.id = i;
    entry.config = i == 0 ? space.reference() : space.random(rng);
    entry.measurement = {"cpu", {grid_ns(entry.config)}, TrialFailure::kNone, {}};
    history.add(entry);
  }
  return history.data(space, 2);
}

/// The share of pairs of configurations that the ranker orders as their times do.
double agreement(TuneRanker& ranker, const Space& space) {
  Rng rng(9);
  std::vector<TuneConfig> configs;
  for (int i = 0; i < 60; ++i) configs.push_back(space.random(rng));
  std::vector<double> scores;
  REQUIRE(ranker.score(configs, scores).ok());
  double right = 0, all = 0;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double difference = grid_ns(configs[i]) - grid_ns(configs[j]);
      if (difference == 0) continue;
      all += 1;
      right += (difference > 0) == (scores[i] > scores[j]) ? 1 : 0;
    }
  }
  return right / all;
}

TEST_CASE("networks learn the order of configurations of nodes, and go on from the weights of the last fit") {
  const Space space = grid_space(4, true);
  const SmallProgram program;
  const TuneModelOptions options = small_model(true);
  const TuneData data = measured_data(space, 60);
  const auto first = TuneModel::fit(space, program.view(), data, options).value();
  CHECK(first->num_fits() == 1);
  CHECK(first->members().size() == 2);
  const auto first_ranker = NetRanker::bind(first, space, program.view(), options).value();
  const double before = agreement(*first_ranker, space);
  CHECK(before > 0.6);
  std::shared_ptr<const TuneModel> model = first;
  for (int i = 0; i < 3; ++i) {
    const std::shared_ptr<const TuneModel> last = model;
    model = TuneModel::fit(space, program.view(), data, options, last.get()).value();
  }
  CHECK(model->num_fits() == 4);
  const auto ranker = NetRanker::bind(model, space, program.view(), options).value();
  CHECK(agreement(*ranker, space) > before);
  CHECK(agreement(*first_ranker, space) == before);  // it was not changed

  // Searches end at configurations with low scores, and leave the ranker as it was.
  const std::vector<TuneConfig> ends = ranker->search(space.reference(), 3).value();
  REQUIRE(ends.size() == 2);
  std::vector<TuneConfig> configs = {space.reference(), ends[0], ends[1]};
  std::vector<double> scores;
  REQUIRE(ranker->score(configs, scores).ok());
  for (const std::size_t i : {1u, 2u}) {
    CHECK(space.check(configs[i]).ok());
    CHECK(scores[i] < scores[0]);
    CHECK(grid_ns(configs[i]) < grid_ns(space.reference()));
  }
}

TEST_CASE("fits have the same bits for any number of threads") {
  const Space space = grid_space(3, true);
  const SmallProgram program;
  TuneModelOptions options = small_model(true);
  options.first_steps = 8;
  const TuneData data = measured_data(space, 20);
  ThreadPool pool(3);
  const auto alone = TuneModel::fit(space, program.view(), data, options).value();
  const auto together = TuneModel::fit(space, program.view(), data, options, nullptr, &pool).value();
  CHECK(alone->members()[1].parameters().value == together->members()[1].parameters().value);
  CHECK(alone->members()[0].parameters().value != alone->members()[1].parameters().value);
}

TEST_CASE("decisions of the program are ranked by a network of tiles, without searches") {
  const Space space = grid_space(3);
  const SmallProgram program;
  TuneModelOptions options = small_model(false);
  options.first_steps = 200;
  const auto model = TuneModel::fit(space, program.view(), measured_data(space, 60), options).value();
  const auto ranker = NetRanker::bind(model, space, program.view(), options).value();
  CHECK(agreement(*ranker, space) > 0.65);
  CHECK(ranker->search(space.reference(), 1).value().empty());
}

TEST_CASE("a node of many decisions is searched one decision at a time") {
  std::vector<Decision> decisions;
  for (std::int32_t d = 0; d < 4; ++d)
    decisions.push_back(
        {str_cat("d", d), 2, {"a", "b", "c", "d", "e"}, d, 1, {0, 1, 2, 3, 4}});  // 625 together
  const Space space = Space::make(std::move(decisions)).value();
  const SmallProgram program;
  TuneModelOptions options = small_model(true);
  options.first_steps = 20;
  const auto model = TuneModel::fit(space, program.view(), measured_data(space, 20), options).value();
  const auto ranker = NetRanker::bind(model, space, program.view(), options).value();
  const std::vector<TuneConfig> ends = ranker->search(space.reference(), 3).value();
  REQUIRE(ends.size() == 2);
  for (const TuneConfig& end : ends) CHECK(space.check(end).ok());
}

TEST_CASE("a tuning by networks finds better configurations than chance with as many measurements") {
  const SmallProgram program;
  double best[2] = {};
  for (const TuneStrategy strategy : {TuneStrategy::kRandom, TuneStrategy::kSearch}) {
    TunerOptions options;
    options.strategy = strategy;
    options.first_fit = 12;
    options.refit_every = 12;
    options.proposals.evaluations = 256;
    options.proposals.num_searches = 1;
    Tuner tuner = Tuner::make(grid_space(6, true), options).value();
    const TuneModelOptions model_options = small_model(true);
    std::shared_ptr<const TuneModel> model;
    for (int i = 0; i < 60; ++i) {
      run_tuner(tuner, 1);
      if (!tuner.wants_fit()) continue;
      const TuneData data = tuner.begin_fit();
      model = TuneModel::fit(tuner.space(), program.view(), data, model_options, model.get()).value();
      tuner.set_ranker(NetRanker::bind(model, tuner.space(), program.view(), model_options).value());
    }
    const TuneHistory& history = tuner.history();
    best[strategy == TuneStrategy::kRandom ? 0 : 1] = grid_ns(history.items()[history.ranking()[0]].config);
  }
  CHECK(best[1] < best[0]);
}

TEST_CASE("data without a ranking cannot be fitted") {
  const Space space = grid_space(3, true);
  const SmallProgram program;
  CHECK_FALSE(TuneModel::fit(space, program.view(), measured_data(space, 1), small_model(true)).ok());
}

}  // namespace
}  // namespace mlgraph
