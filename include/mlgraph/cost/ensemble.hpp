// SPDX-License-Identifier: Apache-2.0
// Averages of scores: over orders of the configurations of one model, and over models.
#ifndef MLGRAPH_COST_ENSEMBLE_HPP
#define MLGRAPH_COST_ENSEMBLE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The mean of several predictions of the same configurations, summed in double in their order.
/// Shapes: each (C) -> (C).  Errors: no predictions, other sizes.
[[nodiscard]] inline Result<std::vector<float>> mean_scores(
    const std::vector<std::vector<float>>& predictions) {
  if (predictions.empty()) return Status::invalid_argument("ensemble: there are no scores to average");
  std::vector<float> mean(predictions[0].size());
  for (std::size_t k = 1; k < predictions.size(); ++k) {
    if (predictions[k].size() == mean.size()) continue;
    return Status::invalid_argument(str_cat("ensemble: prediction ", k, " has ", predictions[k].size(),
                                            " scores; the first has ", mean.size()));
  }
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (const std::vector<float>& scores : predictions) sum += static_cast<double>(scores[i]);
    mean[i] = static_cast<float>(sum / static_cast<double>(predictions.size()));
  }
  return mean;
}

/// The mean of the scores over random orders of `ids`: a model that compares configurations then compares each
/// with others every time. The orders are a function of the seed and the number of ids. Other models, whose
/// scores do not depend on the order, and num_permutations = 0 give predict().
///
/// Shapes: ids (C) -> (C).
/// Errors: a negative number of permutations; those of predict().
/// Cost:   num_permutations predictions.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023).
[[nodiscard]] inline Result<std::vector<float>> predict_permuted(
    const Model& model, const PreparedProgram& program, Span<const std::int32_t> ids,
    std::int64_t num_permutations, std::uint64_t seed = 1, ThreadPool* pool = nullptr) {
  if (num_permutations < 0) {
    return Status::invalid_argument(
        str_cat("predict: the number of permutations is ", num_permutations, "; should be 0 or more"));
  }
  if (num_permutations == 0 || !model.plan().compares_configs()) return model.predict(program, ids, pool);
  Rng rng(seed);
  std::vector<std::size_t> order(ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::int32_t> permuted(ids.size());
  std::vector<std::vector<float>> predictions;
  for (std::int64_t n = 0; n < num_permutations; ++n) {
    rng.shuffle(order);
    for (std::size_t i = 0; i < order.size(); ++i) permuted[i] = ids[order[i]];
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<float> scores, model.predict(program, permuted, pool));
    predictions.emplace_back(ids.size());
    for (std::size_t i = 0; i < order.size(); ++i) predictions.back()[order[i]] = scores[i];
  }
  return mean_scores(predictions);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_ENSEMBLE_HPP
