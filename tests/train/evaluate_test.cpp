// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/evaluate.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cost/program_fixture.hpp"
#include "long_tests.hpp"
#include "train/unusual_programs.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// A tile program of one node whose configs have one feature, what `echo_model()` says of them.
OwnedProgram scored_program(const std::string& name, const std::vector<float>& score,
                            const std::vector<std::int64_t>& runtime) {
  OwnedProgram program;
  program.name = name;
  program.opcode = {0};
  program.num_configs = static_cast<std::int64_t>(score.size());
  program.config_features = 1;
  program.wide = score;
  program.runtime = runtime;
  return program;
}

void set_weight(Model& model, const char* name, std::int64_t col, float value) {
  const Param p = model.spec().find(name)->param;
  model.parameters().value[static_cast<std::size_t>(p.offset + col)] = value;
}

/// Scores a config by its only feature, which should not be negative.
Model echo_model() {
  const auto options = small_options<TileMlpLate>();
  FeatureEncoder encoder;
  encoder.config = Normalizer::make(Scaling::kRaw, 1, {0}, {0}, {1}).value();
  encoder.num_config_inputs = 1;
  Model model = Model::make(*net_options<TileMlpLate>(options), encoder, 1).value();
  for (float& w : model.parameters().value) w = 0;
  set_weight(model, "head.lins.0.weight", options.hidden_channels, 1);  // behind the pooled graph
  set_weight(model, "head.lins.1.weight", 0, 1);
  set_weight(model, "head.lins.2.weight", 0, 1);
  return model;
}

/// Programs and their prepared forms, which borrow from them.
struct Programs {
  std::vector<OwnedProgram> owned;
  std::vector<PreparedProgram> prepared;

  Programs(const Model& model, std::vector<OwnedProgram> programs) : owned(std::move(programs)) {
    for (const OwnedProgram& program : owned) prepared.push_back(model.prepare(program.view()).value());
  }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
};

TEST_CASE("the metrics of each graph, and their mean over graphs") {
  const Model model = echo_model();
  const Programs programs(model, {scored_program("one swap", {1, 2, 3, 4}, {10, 20, 40, 30}),
                                  scored_program("reversed", {6, 5, 4, 3, 2, 1}, {10, 20, 30, 40, 50, 60})});
  const Evaluation e = evaluate(model, programs.prepared).value();
  REQUIRE(e.graphs.size() == 2);
  CHECK(e.skipped.empty());
  CHECK(e.graphs[0].name == "one swap");
  CHECK(e.graphs[0].num_configs == 4);
  CHECK(e.graphs[0].score == std::vector<float>{1, 2, 3, 4});
  CHECK(e.graphs[0].metrics.kendall_tau == doctest::Approx(4.0 / 6));
  CHECK(e.graphs[0].metrics.ordered_pair_accuracy == doctest::Approx(5.0 / 6));
  for (const double slowdown : e.graphs[0].metrics.slowdown) CHECK(slowdown == 0);
  CHECK(e.graphs[1].metrics.kendall_tau == doctest::Approx(-1));
  CHECK(e.graphs[1].metrics.ordered_pair_accuracy == 0);
  CHECK(e.graphs[1].metrics.slowdown == std::array<double, 4>{5, 1, 0, 0});  // 60/10, 20/10 and 10/10, minus 1
  CHECK(e.mean.kendall_tau == doctest::Approx(-1.0 / 6));
  CHECK(e.mean.ordered_pair_accuracy == doctest::Approx(5.0 / 12));
  CHECK(e.mean.slowdown == std::array<double, 4>{2.5, 0.5, 0, 0});
  // Halves: weights 8, 4, 2 and 1 of 15, and 32 to 1 of 63.
  CHECK(e.graphs[0].metrics.first_place == doctest::Approx((4 * 1 + 2 * 3 + 1 * 2) / 15.0));
  CHECK(e.graphs[1].metrics.first_place == doctest::Approx((32 * 5 + 16 * 4 + 8 * 3 + 4 * 2 + 2) / 63.0));
  CHECK(e.mean.first_place == doctest::Approx((12 / 15.0 + 258 / 63.0) / 2));
  CHECK((e.graphs[0].index == 0 && e.graphs[1].index == 1));
}

TEST_CASE("only the selected configs count, in their order") {
  const Model model = echo_model();
  Programs programs(model, {scored_program("p", {1, 9, 2, 3}, {30, 10, 20, 40})});
  programs.prepared[0].selection = {3, 0, 2};
  const Evaluation e = evaluate(model, programs.prepared).value();
  CHECK(e.graphs[0].num_configs == 3);
  CHECK(e.graphs[0].score == std::vector<float>{3, 1, 2});
  CHECK(e.graphs[0].metrics.kendall_tau == doctest::Approx(1.0 / 3));
  CHECK(e.graphs[0].metrics.slowdown[0] == doctest::Approx(0.5));
}

TEST_CASE("labels of tiles are multiples of the default config's time") {
  const Model model = echo_model();
  OwnedProgram program = scored_program("p", {1, 2}, {10, 20});
  program.runtime_normalizer = {10, 80};
  const Programs programs(model, {program});
  CHECK(evaluate(model, programs.prepared).value().mean.kendall_tau == doctest::Approx(-1));
}

TEST_CASE("constant scores rank nothing") {
  const Model model = echo_model();
  const Programs programs(model, {scored_program("p", {5, 5, 5}, {20, 10, 30})});
  const Evaluation e = evaluate(model, programs.prepared).value();
  CHECK(e.mean.kendall_tau == 0);
  CHECK(e.mean.ordered_pair_accuracy == 0);
  CHECK(e.mean.slowdown[0] == doctest::Approx(1));  // the first, as ties keep their order
}

TEST_CASE("graphs whose labels carry no ranking are skipped with a note") {
  const Model model = echo_model();
  OwnedProgram undefined = scored_program("undefined", {1, 2}, {0, 1});
  undefined.runtime_normalizer = {0, 1};
  OwnedProgram infinite = scored_program("infinite", {1, 2}, {1, 1});
  infinite.runtime_normalizer = {1, 0};
  Programs programs(model,
                    {scored_program("single", {1}, {7}), scored_program("placeholders", {1, 2, 3}, {0, 0, 0}),
                     scored_program("good", {1, 2}, {1, 2}), undefined, infinite,
                     scored_program("unselected", {1, 2}, {1, 2})});
  programs.prepared[5].selection.clear();
  const Evaluation e = evaluate(model, programs.prepared).value();
  REQUIRE(e.graphs.size() == 1);
  CHECK(e.graphs[0].name == "good");
  CHECK(e.mean.kendall_tau == 1);
  CHECK(e.skipped ==
        std::vector<std::string>{
            "single: ordered_pair_accuracy: there are 1 items; it needs at least 2",
            "placeholders: ordered_pair_accuracy: the labels are all 0; at least one should differ",
            "undefined: the label of config 0 is nan", "infinite: the label of config 1 is inf",
            "unselected: ordered_pair_accuracy: there are 0 items; it needs at least 2"});
}

TEST_CASE("nothing to evaluate is an error and not a number") {
  const Model model = echo_model();
  CHECK(evaluate(model, {}).status().message() == "there is nothing to evaluate");
  const Programs programs(model, {scored_program("p", {1, 2}, {0, 0})});
  CHECK(
      evaluate(model, programs.prepared).status().message() ==
      "no graph has labels that rank its configs; p: ordered_pair_accuracy: the labels are all 0; at least one "
      "should differ");
}

TEST_CASE("missing labels, configs that do not exist and scores that are not finite are errors") {
  Model model = echo_model();
  Programs programs(model,
                    {scored_program("good", {1, 2}, {1, 2}), scored_program("bad", {1, 2, 3}, {1, 2, 3})});
  PreparedProgram& bad = programs.prepared[1];
  const auto message = [&] { return evaluate(model, programs.prepared).status().message(); };
  bad.view.runtime = {};
  CHECK(message() == "bad: has 0 runtimes and 0 normalizers for 3 configs");
  bad.view.runtime = programs.owned[1].runtime;
  bad.view.runtime_normalizer = programs.owned[0].runtime;
  CHECK(message() == "bad: has 3 runtimes and 2 normalizers for 3 configs");
  bad.view.runtime_normalizer = {};
  bad.selection.push_back(3);
  CHECK(message() == "bad: there is no config 3; there are 3");
  bad.selection = {2};
  set_weight(model, "head.lins.2.weight", 0, std::numeric_limits<float>::infinity());
  CHECK(message() == "good: the score of config 0 is inf");
}

TEST_CASE("ranking_metrics() of scores that are NaN is an error") {
  const std::vector<float> scores = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<double> labels = {1, 2};
  CHECK(ranking_metrics(scores, labels).status().message() == "ordered_pair_accuracy: score 1 is nan");
}

TEST_CASE("the mean over no graphs is zero") {
  const RankingMetrics mean = mean_of({});
  CHECK(mean.kendall_tau == 0);
  CHECK(mean.slowdown == std::array<double, 4>{});
}

TEST_CASE("an evaluation has the same bits for any number of threads" * testing::kLong) {
  const OwnedProgram owned = tile_program(5, 6, 3000);  // so large that kernels use the threads
  const Model model = model_for(owned, *small_net("tile-resgcn"));
  std::vector<PreparedProgram> programs;
  programs.push_back(model.prepare(owned.view()).value());
  const Evaluation serial = evaluate(model, programs).value();
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    const Evaluation parallel = evaluate(model, programs, &pool).value();
    REQUIRE(parallel.graphs.size() == serial.graphs.size());
    for (std::size_t i = 0; i < serial.graphs.size(); ++i)
      CHECK(parallel.graphs[i].score == serial.graphs[i].score);
    CHECK(parallel.mean.kendall_tau == serial.mean.kendall_tau);
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

}  // namespace
}  // namespace mlgraph
