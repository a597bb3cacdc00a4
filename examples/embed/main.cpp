// SPDX-License-Identifier: Apache-2.0
// Inside a compiler: a model in the program's own data, arrays of the compiler's IR, and the best tile of 125.
#include <cstdint>
#include <cstdio>

#include "matmul.hpp"

namespace mg = mlgraph;

// [embed]
// model.cpp pays for the engine: { return mg::load_cost_model<mg::TileSage>(kMatmulModel); }, a constant in a
// generated header. This file, as all others, includes mlgraph/cost_model.hpp alone.
mg::Result<mg::CostModel> make_matmul_model();

/// The best configuration of a program. Any trouble is a Status: the compiler falls back to its heuristic.
mg::Result<std::int32_t> best_config(const mg::CostModel& model, const mg::ProgramView& program,
                                     const mg::ConfigView& configs) {
  // What no configuration changes is computed here, once.
  MLGRAPH_ASSIGN_OR_RETURN(mg::CostSession session, model.bind(program));
  std::int32_t best[1];
  MLGRAPH_RETURN_IF_ERROR(session.top_k(configs, best));
  return best[0];
}
// [embed]

int main() {
  const mg::Result<mg::CostModel> model = make_matmul_model();
  if (!model.ok()) {
    std::fprintf(stderr, "embed: %s\n", model.status().message().c_str());
    return 1;
  }
  const Tiles tiles;
  for (const float cols : {16.0f, 1000.0f}) {
    const mg::Result<std::int32_t> best =
        best_config(*model, Matmul(64, cols, 512, true).view(), tiles.configs());
    if (!best.ok()) {
      std::fprintf(stderr, "embed: %s\n", best.status().message().c_str());
      return 1;
    }
    const float* const tile = tiles.sizes.data() + 3 * *best;
    std::printf("(64, 512) x (512, %.0f): tiles of %.0f x %.0f, %.0f deep\n", static_cast<double>(cols),
                static_cast<double>(tile[0]), static_cast<double>(tile[1]), static_cast<double>(tile[2]));
  }
  return 0;
}
