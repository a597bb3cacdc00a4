// SPDX-License-Identifier: Apache-2.0
// Threads share one const model, each with sessions of its own.
#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "../../examples/embed/matmul.hpp"
#include "matmul_model.hpp"
#include "mlgraph/arch/tile_sage.hpp"
#include "mlgraph/infer/cost_model.hpp"

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
