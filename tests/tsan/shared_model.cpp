// SPDX-License-Identifier: Apache-2.0
// Threads share one const model, each with sessions of its own.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "../../examples/embed/matmul.hpp"
#include "cost/program_fixture.hpp"
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "mlgraph/infer/session.hpp"

namespace {

constexpr int kThreads = 4;

/// Scores, ranks and walks; whatever goes wrong is the status. `scores` (2 C): two sessions'.
mlgraph::Status work(const mlgraph::CostModel& model, std::vector<float>& scores) {
  const Matmul matmul(64, 300, 512, true);
  const Tiles tiles;
  const mlgraph::ConfigView configs = tiles.configs();
  const auto size = static_cast<std::size_t>(configs.num_configs);
  scores.resize(2 * size);
  for (const int num_threads : {1, 2}) {
    mlgraph::BindOptions options;
    options.num_threads = num_threads;
    MLGRAPH_ASSIGN_OR_RETURN(mlgraph::CostSession session, model.bind(matmul.view(), options));
    float* const part = scores.data() + (num_threads == 1 ? 0 : size);
    MLGRAPH_RETURN_IF_ERROR(session.score(configs, {part, size}));
    std::int32_t best[3];
    MLGRAPH_RETURN_IF_ERROR(session.top_k(configs, best));
    MLGRAPH_RETURN_IF_ERROR(session.start(configs).status());
    const std::int32_t rows[] = {0};
    for (const std::int32_t c : best) {
      MLGRAPH_RETURN_IF_ERROR(
          session.update(rows, configs.wide.subspan(static_cast<std::size_t>(3 * c), 3)).status());
      session.rollback();
    }
  }
  if (model.metadata("arch") != "tile-sage")
    return mlgraph::Status::not_found("the model does not know itself");
  return {};
}

}  // namespace

TEST_CASE("sessions in several threads share one const model") {
  const mlgraph::Result<mlgraph::CostModel> model = mlgraph::load_cost_model<mlgraph::TileSage>(kMatmulModel);
  REQUIRE_MESSAGE(model.ok(), model.status().message());
  std::vector<std::vector<float>> scores(kThreads);
  std::vector<mlgraph::Status> status(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] { status[t] = work(*model, scores[t]); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < kThreads; ++t) {
    CHECK_MESSAGE(status[t].ok(), status[t].message());
    CHECK(scores[t] == scores[0]);
  }
}

TEST_CASE("threads share one prepared program and its rows, and walk in sessions of their own") {
  namespace fixture = mlgraph::testing;
  const auto options = fixture::small_net("layout-resgcn", {{"segment_size", "4"}, {"segment_halo", "yes"}});
  const fixture::OwnedProgram program = fixture::program_for(*options, 1);
  const mlgraph::Model model = fixture::model_for(program, *options);
  const mlgraph::PreparedProgram prepared = model.prepare(program.view()).value();
  const mlgraph::ConfigView configs = program.view().configs;
  std::vector<std::vector<float>> scores(kThreads), walked(kThreads);
  const auto run = [&](std::size_t t) {
    mlgraph::ThreadPool pool(2);
    mlgraph::ThreadPool* const some = t % 2 == 0 ? nullptr : &pool;
    scores[t] = model.predict(prepared, prepared.selection, some).value();
    mlgraph::SessionOptions bind;
    bind.pool = some;
    bind.memory_bytes = t < 2 ? 0 : std::size_t{1} << 20;  // rows are forgotten, or they stay
    mlgraph::Session session = mlgraph::Session::bind(model, program.view(), bind).value();
    std::vector<float> config(static_cast<std::size_t>(configs.config_size()));
    for (std::int64_t c = 0; c < configs.num_configs; ++c) {
      walked[t].push_back(session.start(configs, c).value());
      configs.copy_config((c + 1) % configs.num_configs, config.data());
      const auto row =
          mlgraph::Span<const float>(config).subspan(0, static_cast<std::size_t>(configs.num_features));
      walked[t].push_back(session.update(0, row).value());
      session.rollback();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) threads.emplace_back([&, t] { run(t); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < kThreads; ++t) {
    CHECK(scores[t] == scores[0]);
    CHECK(walked[t] == walked[0]);
    for (std::size_t c = 0; c < scores[t].size(); ++c) CHECK(walked[t][2 * c] == scores[t][c]);
  }
}
