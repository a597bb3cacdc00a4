// SPDX-License-Identifier: Apache-2.0
// All configs of a program in the order that a model gives them.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_RANKING_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_RANKING_HPP

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "model_files.hpp"

namespace cli {

struct Ranking {
  std::vector<float> score;         // of each config
  std::vector<std::int32_t> order;  // fastest first; equal scores in the order of the file

  [[nodiscard]] float score_of(std::int32_t config) const { return score[static_cast<std::size_t>(config)]; }
};

/// Errors: those of Model::prepare and predict.
[[nodiscard]] inline mlgraph::Result<Ranking> rank_configs(const Ensemble& ensemble,
                                                           const mlgraph::ProgramView& view,
                                                           mlgraph::ThreadPool* pool) {
  Ranking ranking;
  ranking.order = all_configs(view);
  MLGRAPH_ASSIGN_OR_RETURN(ranking.score, ensemble.score(view, ranking.order, pool));
  std::stable_sort(ranking.order.begin(), ranking.order.end(),
                   [&](std::int32_t a, std::int32_t b) { return ranking.score_of(a) < ranking.score_of(b); });
  return ranking;
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_RANKING_HPP
