// SPDX-License-Identifier: Apache-2.0
// What the commands `mlgraph graphs ...` share: the described options of a task, and models of the standard
// network.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_HPP

#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/arch/graph_net.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_task.hpp"
#include "mlgraph/train/target_metrics.hpp"
#include "report.hpp"

namespace cli {

/// What is predicted, and by which metric the best epoch is chosen. Flags, --help and model files have it from
/// here.
struct GraphTaskOptions {
  mlgraph::GraphTask task;
  mlgraph::StopMetric stop = mlgraph::StopMetric::kLoss;

  template <class V>
  void fields(V& v) {
    mlgraph::TargetLossOptions& loss = task.loss;
    v("task.target", "--target", task.target, print_name, parse_name,
      "Array of graphs or of nodes: float, or one int32 of cross-entropy");
    v("task.loss", "--loss", loss.loss,
      "Between outputs and targets; binary: labels that are each true or not");
    v("task.log", "--log", loss.logarithms, "Of a regression: outputs are logarithms of targets");
    v("task.huber_delta", "--huber-delta", loss.huber_delta, 1e-30, 1e30, "Of huber: where squares end");
    v("task.output_weight", "--output-weight", loss.output_weight, print_list, parse_list,
      "How much each output counts, or each class of cross-entropy: numbers, such as '1 2.5'");
    v("task.positive_weight", "--positive-weight", loss.positive_weight, print_list, parse_list,
      "Of binary: how much more a true label counts than one that is not, for each output");
    v("task.nan_missing", "--nan-missing", loss.nan_is_missing,
      "A target that is NaN is missing, not an error");
    v("task.standardize", "--standardize", task.standardize,
      "Of a regression: learn targets with mean 0 and deviation 1");
    v("task.weight", "--weight", task.weight, print_name, parse_name,
      "Array of one float: how much each row counts");
    v("task.mask", "--mask", task.mask, print_name, parse_name, "Array of int32: 0 where a target is missing");
    v("task.valid_mask", "--valid-mask", task.valid_mask, print_name, parse_name,
      "The same in validation, where masks split the nodes of one graph");
    v("task.stop", "--stop", stop, "What the best epoch is chosen by");
  }

 private:
  static std::string print_name(const std::string& name) { return name; }
  static mlgraph::Result<std::string> parse_name(std::string_view text) { return std::string(text); }
  static std::string print_list(const std::vector<double>& numbers);
  static mlgraph::Result<std::vector<double>> parse_list(std::string_view text);
};

/// A model of the standard network, and what it says of its task.
struct GraphModelFile {
  mlgraph::GraphModel model;
  mlgraph::GraphNetOptions net;
  GraphTaskOptions options;
};

/// Errors: those of reading and of graph_model_from_bytes(), with the path.
[[nodiscard]] mlgraph::Result<GraphModelFile> load_graph_model(const std::string& path);

/// A set of graphs for a network, from an npz, or from a folder with nodes.csv, edges.csv and perhaps
/// graphs.csv.
[[nodiscard]] mlgraph::Result<mlgraph::GraphDataset> load_graph_set(const std::string& path,
                                                                    const mlgraph::GraphNetOptions& net);

/// The numbers of all graphs of a set.
[[nodiscard]] std::vector<std::size_t> all_graphs(const mlgraph::GraphDataset& set);

/// The metrics that there are, by their names; the same as a table.
[[nodiscard]] Json target_metrics_json(const mlgraph::TargetMetrics& metrics);
void print_target_metrics(const std::string& what, const mlgraph::TargetMetrics& metrics);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_GRAPHS_HPP
