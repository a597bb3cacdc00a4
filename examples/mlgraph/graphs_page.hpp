// SPDX-License-Identifier: Apache-2.0
// What --report of `mlgraph graphs` writes: a page for a browser with curves, predicted against measured, and
// tables of what was taken for what.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_PAGE_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_PAGE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/train/graph_task.hpp"
#include "mlgraph/train/graph_trainer.hpp"
#include "mlgraph/train/target_loss.hpp"

namespace cli {

/// What a model said of some graphs, such as those of the validation.
struct GraphPagePart {
  std::string name;
  mlgraph::GraphEvaluationResult result;
};

/// A page and what is on it.
struct GraphPage {
  std::string title, command, target, metric;
  mlgraph::TargetLoss loss = mlgraph::TargetLoss::kMse;
  std::vector<mlgraph::GraphEpochReport> epochs = {};
  std::int64_t best_epoch = 0;  // whose weights were kept; 0 = of none
  std::vector<GraphPagePart> parts = {};
};

/// The HTML of a page.
[[nodiscard]] std::string to_html(const GraphPage& page);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_PAGE_HPP
