// SPDX-License-Identifier: Apache-2.0
// From measuring to a faster program on a tiny budget: that the parts fit, and that nothing they choose changes
// a result. No time is asserted.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "../../examples/minicompiler/learn.cpp"
#include "../../examples/minicompiler/models.hpp"
#include "../../examples/minicompiler/optimize.hpp"
#include "../../examples/minicompiler/picture.hpp"
#include "../../examples/minicompiler/report.cpp"
#include "../../examples/minicompiler/results.hpp"
#include "mlgraph/io/tpugraphs.hpp"

namespace {

using namespace minicompiler;

/// A chain of dots small enough for a build without optimisation.
Program small_chain(std::int64_t rows, std::int64_t width, const std::string& name) {
  Builder b(name);
  Value x = b.parameter({rows, width});
  for (int i = 0; i < 2; ++i) {
    const Value w = b.parameter({width, width});
    x = b.relu(b.dot(x, i == 0 ? b.transpose(w, {1, 0}) : w));
  }
  b.softmax(x);
  return b.build().value();
}

}  // namespace

TEST_CASE("collect, train, evaluate, optimize and report") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "minicompiler_pipeline_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const std::string log = (folder / "log.jsonl").string();

  CollectOptions collecting;
  collecting.num_programs = 0;
  for (const int number : {0, 1, 2, 20, 21, 5}) {  // 20 and 21 validate, 5 is held out
    collecting.programs.push_back(small_chain(4 + number, 5 + number % 7, mg::str_cat("chain_", number)));
  }
  collecting.configs_per_program = 12;
  collecting.tiles_per_kernel = 10;
  collecting.kernels_per_program = 1;
  collecting.measure = {1, 1};
  REQUIRE(collect(log, collecting).ok());
  const std::vector<Record> records = read_log(log).value();
  REQUIRE(records.size() == 12);

  TrainSettings settings;
  settings.epochs = 2;
  settings.threads = 1;
  const mg::Result<Models> models = train_models(records, settings);
  REQUIRE_MESSAGE(models.ok(), models.status().message());
  CHECK(!models->layout.curve.empty());
  REQUIRE(save_models(*models, folder.string()).ok());
  const mg::Result<Rankers> rankers = load_rankers(folder.string());
  REQUIRE_MESSAGE(rankers.ok(), rankers.status().message());

  const Split split = split_records(records, mg::io::Task::kLayout);
  REQUIRE(split.held_out.size() == 1);
  const mg::Result<RankingResult> ranking = evaluate_ranking(rankers->layout, split.held_out);
  REQUIRE_MESSAGE(ranking.ok(), ranking.status().message());
  CHECK(ranking->num_configs == 12);
  CHECK(std::abs(ranking->model.kendall_tau) <= 1);
  CHECK(ranking->model.slowdown5 <= ranking->model.slowdown1);

  OptimizeOptions optimizing;
  optimizing.max_evaluations = 60;
  optimizing.quick = {1, 1};
  optimizing.final = {1, 1};
  const Program& program = split.held_out[0].program;
  const mg::Result<Optimized> optimized = optimize(program, rankers->layout, rankers->tile, optimizing);
  REQUIRE_MESSAGE(optimized.ok(), optimized.status().message());
  CHECK(optimized->num_evaluations > 0);
  CHECK(optimized->num_evaluations <= 60);
  CHECK(optimized->num_random >= 1);
  CHECK(optimized->num_tile_evaluations > 0);

  // What the models chose computes what the reference computes.
  const Executable exe = Executable::compile(program, optimized->chosen).value();
  const std::vector<Tensor> inputs = random_inputs(program, 3);
  mg::AlignedVector<float> arena(exe.arena_size());
  exe.load(inputs, arena.data());
  exe.run(arena.data());
  const Tensor result = exe.result(arena.data()), expected = interpret(program, inputs).back();
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(result[i] - expected[i]) < 1e-5f);

  Report report;
  report.table = ranking_table(*ranking, *ranking) + speedup_table({*optimized});
  report.layout_curve = models->layout.curve;
  report.speedups = {speedup_of(*optimized)};
  report.before = picture_of(program, {default_layouts(program), {}}, "before <default>").value();
  report.after = picture_of(program, optimized->chosen, "after").value();
  const std::string html = to_html(report);
  CHECK(html.find("before &lt;default&gt;") != std::string::npos);
  CHECK(html.find("copy of ") != std::string::npos);  // the transposed weights, by default
  CHECK(html.find("nan") == std::string::npos);
  CHECK(html.find("http") == std::string::npos);  // needs no other file

  // The engine reads the same problems from npz files.
  const mg::io::Program problem = to_problem(split.held_out[0]).value();
  const std::string npz = (folder / "chain_5.npz").string();
  REQUIRE(mg::io::to_npz(problem.view(), npz).ok());
  const mg::io::Program again = mg::io::read_tpugraphs_npz(npz).value();
  CHECK(rankers->layout.score(again).value() == rankers->layout.score(problem).value());
  std::filesystem::remove_all(folder);
}

TEST_CASE("programs without a decision and records without a ranking are errors") {
  Builder b("light");
  b.relu(b.parameter({4}));
  const Program light = b.build().value();
  CHECK(train_models({}, {}).status().message() == "there is no program to train on");
  const Program chain = small_chain(4, 5, "chain_0");
  CHECK(Ranker::load({}).status().message().empty() == false);
  CHECK(layout_problem(light).value().config_node.empty());
  CHECK(layout_problem(chain).value().config_node.size() == 2);
}
