// SPDX-License-Identifier: Apache-2.0
// GraphTask: what a network of graphs is fitted to: which arrays of a set are its targets, and by which loss.
#ifndef MLGRAPH_TRAIN_GRAPH_TASK_HPP
#define MLGRAPH_TRAIN_GRAPH_TASK_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/named_array.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/target_loss.hpp"
#include "mlgraph/train/target_metrics.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The targets of a network that computes a row for each graph, or for each node.
struct GraphTask {
  TargetLossOptions loss;
  bool standardize = true;   ///< of a regression: targets get mean 0 and deviation 1, which predict() undoes
  std::string target = "y";  ///< array of graphs or of nodes: float (K), or one int32 of kCrossEntropy
  std::string weight;        ///< array of one float for each row; empty: rows count alike
  std::string mask;  ///< array of one or K int32 for each row, 0 where a target is missing; empty: none is
  std::string
      valid_mask;  ///< likewise, in validation; empty: as `mask`. Two masks split the nodes of one graph
};

/// Name and value of everything that a task says, for checkpoints.
[[nodiscard]] inline std::map<std::string, std::string> to_texts(const GraphTask& task) {
  const auto list = [](const std::vector<double>& values) {
    std::string text;
    for (const double value : values) text += str_cat(text.empty() ? "" : " ", value);
    return text;
  };
  return {{"task.loss", std::string(enum_name(task.loss.loss))},
          {"task.logarithms", task.loss.logarithms ? "yes" : "no"},
          {"task.huber_delta", str_cat(task.loss.huber_delta)},
          {"task.nan_is_missing", task.loss.nan_is_missing ? "yes" : "no"},
          {"task.output_weight", list(task.loss.output_weight)},
          {"task.positive_weight", list(task.loss.positive_weight)},
          {"task.standardize", task.standardize ? "yes" : "no"},
          {"task.target", task.target},
          {"task.weight", task.weight},
          {"task.mask", task.mask},
          {"task.valid_mask", task.valid_mask}};
}

/// Whether masks are those of the training or of the validation.
enum class TaskPart : std::uint8_t { kTrain, kValid };

/// Errors: arrays that the set does not have, of another kind, or not of the rows that the target is of.
[[nodiscard]] inline Status check_task(const GraphTask& task, const GraphDataset& dataset) {
  if (dataset.size() == 0) return Status::invalid_argument("task: the set has no graphs");
  const auto array_of = [&](const std::string& name) {
    const std::size_t a = dataset.find(name);
    return a == dataset.num_arrays() ? NamedArray() : dataset.array(0, a);
  };
  const NamedArray target = array_of(task.target);
  const bool of_class = task.loss.loss == TargetLoss::kCrossEntropy;
  const auto check = [&](const char* what, const std::string& name, bool is_int, bool one) -> Status {
    const NamedArray array = array_of(name);
    if (array.name.empty())
      return Status::not_found(str_cat("task: the set has no array \"", name, "\" to be its ", what));
    const bool fits = array.is_int == is_int && array.of != ArrayOf::kEdges && array.of == target.of &&
                      (!one || array.cols() == 1);
    if (fits) return {};
    return Status::invalid_argument(str_cat("task: the ", what, " \"", name, "\" is ", array.cols(),
                                            array.is_int ? " int32" : " float", " of ", array_of_name(array.of),
                                            "; should be ", one ? "one " : "", is_int ? "int32" : "float",
                                            " of ", target.of == ArrayOf::kNodes ? "nodes" : "graphs"));
  };
  MLGRAPH_RETURN_IF_ERROR(check("target", task.target, of_class, of_class));
  if (!task.weight.empty()) MLGRAPH_RETURN_IF_ERROR(check("weight", task.weight, false, true));
  if (!task.mask.empty()) MLGRAPH_RETURN_IF_ERROR(check("mask", task.mask, true, of_class));
  if (!task.valid_mask.empty()) MLGRAPH_RETURN_IF_ERROR(check("valid_mask", task.valid_mask, true, of_class));
  return {};
}

namespace detail {

/// The targets of a batch, by a function that gives its arrays.
template <class ArrayOfName>
[[nodiscard]] TargetRows target_rows(const GraphTask& task, TaskPart part, const ArrayOfName& array_of) {
  TargetRows rows;
  const NamedArray target = array_of(task.target);
  rows.value = target.f32;
  if (task.loss.loss == TargetLoss::kCrossEntropy)
    rows.label = {target.i32.data, static_cast<std::size_t>(target.i32.rows)};
  if (!task.weight.empty()) {
    const MatrixView<const float> weight = array_of(task.weight).f32;
    rows.weight = {weight.data, static_cast<std::size_t>(weight.rows)};
  }
  const bool of_valid = part == TaskPart::kValid && !task.valid_mask.empty();
  const std::string& mask = of_valid ? task.valid_mask : task.mask;
  if (!mask.empty()) rows.mask = array_of(mask).i32;
  return rows;
}

}  // namespace detail

/// The targets of a batch, or of a graph of a set. check_task() was ok with the set.
[[nodiscard]] inline TargetRows target_rows(const GraphTask& task, TaskPart part, const BatchView& batch) {
  return detail::target_rows(task, part, [&](const std::string& name) {
    const NamedArray* const array = find_array(batch.arrays, name);
    return array == nullptr ? NamedArray() : *array;
  });
}
[[nodiscard]] inline TargetRows target_rows(const GraphTask& task, TaskPart part, const GraphDataset& dataset,
                                            std::size_t graph) {
  return detail::target_rows(task, part,
                             [&](const std::string& name) { return dataset.array(graph, dataset.find(name)); });
}

/// How many outputs a task needs; -1 for the classes of kCrossEntropy, which the network decides.
[[nodiscard]] inline std::int64_t num_task_outputs(const GraphTask& task, const GraphDataset& dataset) {
  if (task.loss.loss == TargetLoss::kCrossEntropy) return -1;
  return dataset.array(0, dataset.find(task.target)).cols();
}

/// The sum of weights of the targets of each of these graphs.
/// Errors: those of check_targets(), with the graph; `num_outputs` of the network.
[[nodiscard]] inline Result<std::vector<double>> task_weights(const GraphTask& task, TaskPart part,
                                                              const GraphDataset& dataset,
                                                              Span<const std::size_t> graphs,
                                                              std::int64_t num_outputs) {
  std::vector<double> weights;
  for (const std::size_t g : graphs) {
    const TargetRows rows = target_rows(task, part, dataset, g);
    const std::int64_t num_rows =
        std::max<std::int64_t>(rows.value.rows, static_cast<std::int64_t>(rows.label.size()));
    const Status status = check_targets(task.loss, rows, num_rows, num_outputs);
    if (!status.ok()) return status.annotate(str_cat("graph ", g));
    weights.push_back(kernels::total_target_weight(task.loss, rows, num_rows, num_outputs));
  }
  return weights;
}

/// Mean and deviation of each output's targets, or of their logarithms, over those of graphs that are not
/// missing, each counted once. An output whose targets are all alike, or all missing, is not scaled.
[[nodiscard]] inline TargetScaling fit_scaling(const GraphTask& task, const GraphDataset& dataset,
                                               Span<const std::size_t> graphs) {
  const auto num_outputs = static_cast<std::size_t>(num_task_outputs(task, dataset));
  TargetScaling scaling;
  scaling.mean.assign(num_outputs, 0.0);
  scaling.scale.assign(num_outputs, 0.0);
  std::vector<double> count(num_outputs, 0.0);
  const auto for_each = [&](const auto& use) {
    for (const std::size_t g : graphs) {
      const TargetRows rows = target_rows(task, TaskPart::kTrain, dataset, g);
      for (std::int64_t i = 0; i < rows.value.rows; ++i) {
        for (std::int64_t k = 0; k < rows.value.cols; ++k) {
          if (!kernels::has_target(task.loss, rows, i, k)) continue;
          const double y = static_cast<double>(rows.value(i, k));
          use(static_cast<std::size_t>(k), task.loss.logarithms ? std::log(y) : y);
        }
      }
    }
  };
  for_each([&](std::size_t k, double z) {
    scaling.mean[k] += z;
    ++count[k];
  });
  for (std::size_t k = 0; k < num_outputs; ++k) scaling.mean[k] /= std::max(1.0, count[k]);
  for_each([&](std::size_t k, double z) { scaling.scale[k] += (z - scaling.mean[k]) * (z - scaling.mean[k]); });
  for (std::size_t k = 0; k < num_outputs; ++k) {
    scaling.scale[k] = std::sqrt(scaling.scale[k] / std::max(1.0, count[k]));
    if (!(scaling.scale[k] > 1e-12 * std::max(1.0, std::abs(scaling.mean[k])))) scaling.scale[k] = 1;
  }
  return scaling;
}

/// What evaluate() found: metrics, and the predictions and targets that they are of.
struct GraphEvaluationResult {
  TargetMetrics metrics;
  PredictionMatrix predicted;
  PredictionMatrix target;  // of one column for classes; NaN where it is missing

  [[nodiscard]] Predictions predictions(TargetLoss loss) const {
    return {loss, predicted.view(), target.view()};
  }
};

namespace detail {

/// What came of some graphs that are evaluated together.
struct EvaluatedGraphs {
  std::vector<double> predicted, target;
  std::int64_t rows = 0, cols = 0;
  double loss = 0, weight = 0;
  Status status;

  void write(NoteWriter& note) const {
    note.add_array(Span<const double>(predicted));
    note.add_array(Span<const double>(target));
    note.add(rows);
    note.add(cols);
    note.add(loss);
    note.add(weight);
    note.add_status(status);
  }
  void read(NoteReader& note) {
    predicted = note.take_array<double>();
    target = note.take_array<double>();
    rows = note.take<std::int64_t>();
    cols = note.take<std::int64_t>();
    loss = note.take<double>();
    weight = note.take<double>();
    status = note.take_status();
    if (!note.ok()) status = Status::data_loss("another rank sent a note that is cut off");
  }
};

inline void evaluate_graphs(const GraphModel& model, const GraphTask& task, TaskPart part,
                            const BatchView& batch, MatrixView<const float> outputs, EvaluatedGraphs& to) {
  const bool of_class = task.loss.loss == TargetLoss::kCrossEntropy;
  const TargetRows rows = target_rows(task, part, batch);
  to.status = check_target_options(task.loss, outputs.cols);
  if (to.status.ok()) to.status = check_targets(task.loss, rows, outputs.rows, outputs.cols);
  if (!to.status.ok()) return;
  to.rows = outputs.rows;
  to.cols = outputs.cols;
  std::vector<float> gradient(static_cast<std::size_t>(outputs.size()));
  to.weight = kernels::total_target_weight(task.loss, rows, outputs.rows, outputs.cols);
  to.loss = kernels::target_loss(task.loss, model.meaning().scaling, outputs, rows, 1.0,
                                 MatrixView<float>(gradient.data(), outputs.rows, outputs.cols));
  to.predicted.resize(gradient.size());
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    model.meaning().predict(outputs.row(i), outputs.cols, to.predicted.data() + i * outputs.cols);
    for (std::int64_t k = 0; k < (of_class ? 1 : outputs.cols); ++k) {
      const double target = of_class ? static_cast<double>(rows.label[static_cast<std::size_t>(i)])
                                     : static_cast<double>(rows.value(i, k));
      const bool is_there = kernels::has_target(task.loss, rows, i, k);
      to.target.push_back(is_there ? target : std::numeric_limits<double>::quiet_NaN());
    }
  }
}

/// All parts of the graphs; each rank evaluates some of them.
[[nodiscard]] inline Result<std::vector<EvaluatedGraphs>> evaluate_parts(
    const GraphModel& model, const GraphTask& task, const GraphDataset& dataset, Span<const std::size_t> graphs,
    ThreadPool* pool, TaskPart part, GraphScratch* scratch, Communicator* ranks) {
  std::vector<EvaluatedGraphs> parts(GraphModel::num_output_parts(graphs.size()));
  const std::vector<PlaceRange> shares =
      share_places(std::vector<std::int64_t>(parts.size(), 1), has_ranks(ranks) ? ranks->size() : 1);
  const PlaceRange mine = shares[has_ranks(ranks) ? static_cast<std::size_t>(ranks->rank()) : 0];
  const std::size_t begin = std::min(graphs.size(), mine.begin * GraphModel::kGraphsOfPart);
  const std::size_t end = std::min(graphs.size(), mine.end * GraphModel::kGraphsOfPart);
  const Status status = model.for_each_output(
      dataset, graphs.subspan(begin, end - begin), pool,
      [&](std::size_t p, const BatchView& batch, MatrixView<const float> outputs) {
        evaluate_graphs(model, task, part, batch, outputs, parts[mine.begin + p]);
      },
      scratch);
  MLGRAPH_RETURN_IF_ERROR(agree(ranks, status));
  if (!has_ranks(ranks)) return parts;
  NoteWriter note;
  for (std::size_t p = mine.begin; p < mine.end; ++p) parts[p].write(note);
  MLGRAPH_ASSIGN_OR_RETURN(const auto notes, all_gather(*ranks, note.bytes()));
  for (std::size_t r = 0; r < shares.size(); ++r) {
    NoteReader reader(notes[r]);
    for (std::size_t p = shares[r].begin; p < shares[r].end; ++p) parts[p].read(reader);
  }
  return parts;
}

}  // namespace detail

/// Compares a model's predictions of graphs with their targets. Where there are ranks, each does a part of it,
/// and all have the result. `scratch` is borrowed memory, or null.
/// Errors: those of check_task(), GraphModel::predict(), check_targets() and Communicator::send_receive().
[[nodiscard]] inline Result<GraphEvaluationResult> evaluate(
    const GraphModel& model, const GraphTask& task, const GraphDataset& dataset, Span<const std::size_t> graphs,
    ThreadPool* pool = nullptr, TaskPart part = TaskPart::kValid, GraphScratch* scratch = nullptr,
    Communicator* ranks = nullptr) {
  MLGRAPH_RETURN_IF_ERROR(check_task(task, dataset));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<detail::EvaluatedGraphs> parts,
                           detail::evaluate_parts(model, task, dataset, graphs, pool, part, scratch, ranks));
  GraphEvaluationResult result;
  double loss = 0, weight = 0;
  for (const detail::EvaluatedGraphs& of : parts) {
    MLGRAPH_RETURN_IF_ERROR(of.status);
    result.predicted.rows += of.rows;
    result.predicted.cols = of.cols;
    result.predicted.values.insert(result.predicted.values.end(), of.predicted.begin(), of.predicted.end());
    result.target.values.insert(result.target.values.end(), of.target.begin(), of.target.end());
    loss += of.loss;
    weight += of.weight;
  }
  result.target.rows = result.predicted.rows;
  result.target.cols = task.loss.loss == TargetLoss::kCrossEntropy ? 1 : result.predicted.cols;
  result.metrics = target_metrics(result.predictions(task.loss.loss));
  result.metrics.loss = weight > 0 ? loss / weight : 0;
  return result;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_GRAPH_TASK_HPP
