// SPDX-License-Identifier: Apache-2.0
// What `mlgraph train` says of its trainings.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_REPORT_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_REPORT_HPP

#include <string>
#include <vector>

#include "mlgraph/cost/net.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "report.hpp"
#include "training.hpp"

namespace cli {

/// Prints mean and standard deviation of each metric as a table -> the same as JSON.
[[nodiscard]] Json summarize_seeds(const std::vector<mlgraph::RankingMetrics>& metrics);
/// One training, with its epochs.
[[nodiscard]] Json run_json(const Trained& trained);
/// What was trained, how, and on what. `net`: with what the data decided.
[[nodiscard]] Json common_json(const TrainSettings& settings, const TrainData& data,
                               const mlgraph::NetOptions& net);
/// Prints what the training took: matrices of a step, the historical table, the process; and adds it to `json`.
void report_memory(const Trained& trained, Json& json);
/// What the validation programs said, for the model's file.
[[nodiscard]] std::string metrics_text(const mlgraph::RankingMetrics& metrics);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_REPORT_HPP
