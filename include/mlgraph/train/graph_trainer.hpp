// SPDX-License-Identifier: Apache-2.0
// GraphTrainer: fits a network to targets of graphs or of their nodes, keeps the weights that validate best.
#ifndef MLGRAPH_TRAIN_GRAPH_TRAINER_HPP
#define MLGRAPH_TRAIN_GRAPH_TRAINER_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_steps.hpp"
#include "mlgraph/train/graph_task.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/optimizer.hpp"
#include "mlgraph/train/rank_step.hpp"
#include "mlgraph/train/target_metrics.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the caller hears after each epoch.
struct GraphEpochReport {
  std::int64_t epoch = 0;  // from 1
  double train_loss = 0;
  double lr = 0;
  bool validated = false;
  double valid_loss = 0;  // of this epoch, when validated
  double metric = 0;      // what GraphTrainOptions::stop says, likewise
  bool is_best = false;
};

/// What a training did.
struct GraphTrainReport {
  std::vector<GraphEpochReport> epochs;
  std::int64_t best_epoch = 0;  // 0: the start weights, when no epoch was validated
  double best_metric = 0;
  bool stopped_by_caller = false;
};

/// What the metadata of a checkpoint of a GraphTrainer says under "format".
inline constexpr std::string_view kGraphCheckpointFormat = "mlgraph graph checkpoint 1";

namespace detail {

/// All that a training of graphs carries from one epoch to the next.
struct GraphTrainState : WeightState {
  GraphTrainReport report;
};

inline constexpr std::size_t kGraphEpochNumbers = 7;

[[nodiscard]] inline Result<std::vector<std::byte>> graph_checkpoint_to_bytes(
    const GraphTrainState& state, const std::map<std::string, std::string>& settings) {
  std::vector<double> epochs;
  for (const GraphEpochReport& e : state.report.epochs) {
    epochs.insert(epochs.end(), {static_cast<double>(e.epoch), e.train_loss, e.lr, e.validated ? 1.0 : 0.0,
                                 e.valid_loss, e.metric, e.is_best ? 1.0 : 0.0});
  }
  const std::vector<std::int64_t> numbers = {state.optimizer.step, state.ema.num_updates};
  std::vector<SafeTensor> tensors = {state_tensor("numbers", Dtype::kI64, numbers),
                                     state_tensor("epochs", Dtype::kF64, epochs)};
  append_weight_state(state, tensors);
  SafeTensorsMetadata metadata(settings.begin(), settings.end());
  metadata.emplace_back("format", std::string(kGraphCheckpointFormat));
  return write_safetensors(tensors, std::move(metadata));
}

/// The inverse.
/// Errors: bytes that are no such checkpoint; the first setting that differs; tensors that do not fit.
[[nodiscard]] inline Status graph_checkpoint_from_bytes(Span<const std::byte> bytes,
                                                        const std::map<std::string, std::string>& settings,
                                                        GraphTrainState& state) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  std::map<std::string, std::string> theirs(file.metadata().begin(), file.metadata().end());
  if (theirs["format"] != kGraphCheckpointFormat) {
    return Status::invalid_argument(str_cat("checkpoint: the format is \"", theirs["format"],
                                            "\"; should be \"", kGraphCheckpointFormat, "\""));
  }
  for (const auto& [key, ours] : settings) {
    if (theirs[key] == ours) continue;
    return Status::invalid_argument(str_cat("checkpoint: ", key, " was \"", theirs[key], "\" and is \"", ours,
                                            "\" now; should be the same"));
  }
  std::vector<std::int64_t> numbers;
  std::vector<double> epochs;
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "numbers", Dtype::kI64, 2, numbers));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "epochs", Dtype::kF64, -1, epochs));
  MLGRAPH_RETURN_IF_ERROR(read_weight_state(file, state));
  bool in_range = numbers[0] >= 0 && numbers[1] >= 0 && epochs.size() % kGraphEpochNumbers == 0;
  state.report = GraphTrainReport();
  for (std::size_t i = 0; in_range && i < epochs.size(); i += kGraphEpochNumbers) {
    GraphEpochReport e;
    e.epoch = static_cast<std::int64_t>(i / kGraphEpochNumbers) + 1;
    in_range = epochs[i] == static_cast<double>(e.epoch);
    e.train_loss = epochs[i + 1];
    e.lr = epochs[i + 2];
    e.validated = epochs[i + 3] != 0;
    e.valid_loss = epochs[i + 4];
    e.metric = epochs[i + 5];
    e.is_best = epochs[i + 6] != 0;
    state.report.epochs.push_back(e);
    if (!e.is_best) continue;
    state.report.best_epoch = e.epoch;
    state.report.best_metric = e.metric;
  }
  if (!in_range) return Status::invalid_argument("checkpoint: its numbers are out of range");
  state.optimizer.step = numbers[0];
  state.ema.num_updates = numbers[1];
  return {};
}

/// A number that changes with graphs of a set, their order, and everything in them.
[[nodiscard]] inline std::uint64_t hash_graphs(const GraphDataset& dataset, Span<const std::size_t> graphs,
                                               std::uint64_t hash) {
  const auto add = [&hash](const auto& values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, values + i, sizeof(bits));
      hash = hash * 0x100000001b3u ^ bits;
    }
    hash = mix64(hash ^ count);
  };
  for (const std::size_t g : graphs) {
    const StoredGraph graph = dataset.graph(g);
    add(graph.x.data, static_cast<std::size_t>(graph.x.size()));
    add(graph.opcode.data(), graph.opcode.size());
    add(graph.edges.forward.csr.row_ptr.data(), graph.edges.forward.csr.row_ptr.size());
    add(graph.edges.forward.csr.col.data(), graph.edges.forward.csr.col.size());
    for (std::size_t a = 0; a < dataset.num_arrays(); ++a) {
      const NamedArray array = dataset.array(g, a);
      if (array.is_int) add(array.i32.data, static_cast<std::size_t>(array.i32.size()));
      if (!array.is_int) add(array.f32.data, static_cast<std::size_t>(array.f32.size()));
    }
  }
  return mix64(hash ^ graphs.size());
}

}  // namespace detail

/// Errors: what check_ranges() and the optimizer refuse; what only a training that ranks configurations has.
[[nodiscard]] inline Status check_graph_recipe(const Recipe& recipe) {
  MLGRAPH_RETURN_IF_ERROR(check_ranges("trainer", recipe));
  if (recipe.drop_edge != 0 || recipe.gst.variant != GstVariant::kFull) {
    return Status::invalid_argument(str_cat("trainer: ", recipe.drop_edge != 0 ? "drop_edge" : "gst",
                                            " is of trainings that rank configurations; should not be set"));
  }
  return check_optimizer(recipe);
}

/// Trains `model` in place; afterwards it holds the weights of the best validated epoch, and its meaning() says
/// how predict() undoes the scaling of targets.
///
/// The weights have the same bits for any number of threads and ranks, and after any resume from a checkpoint,
/// with another number of them, too: see GraphSteps.
///
/// Of the recipe, epochs, patience, graphs_per_step (the batch size), optimizer, schedule, clipping, average
/// and validate_every are used; the loss is the task's, and the best epoch that of GraphTrainOptions::stop.
class GraphTrainer {
 public:
  /// The model, and what the options point to, are borrowed and must outlive the trainer.
  GraphTrainer(GraphModel& model, const GraphTask& task, const Recipe& recipe,
               const GraphTrainOptions& options = {})
      : model_(model), task_(task), recipe_(recipe), options_(options) {}

  /// Runs the epochs over graphs of a set: `train` and `valid` are numbers of graphs, which may be the same
  /// ones where masks of the task tell their nodes apart. `on_epoch(const GraphEpochReport&)` returns false to
  /// stop after this epoch; checkpoint() may be called in it, and the model has the weights of the epoch's last
  /// step then.
  ///
  /// Without validation graphs the last weights are kept. `resume`: what checkpoint() gave in a run with the
  /// same network, task, recipe, seed and graphs; that run is continued.
  /// Errors: those of check_graph_recipe() and check_task(); targets that do not fit, with graph and row; a checkpoint
  ///         of another training; an output, a loss, a gradient or a weight that is not finite, with epoch,
  ///         step and graph or tensor. The model then holds the best weights so far.
  template <class OnEpoch>
  [[nodiscard]] Result<GraphTrainReport> run(const GraphDataset& dataset, Span<const std::size_t> train,
                                             Span<const std::size_t> valid, OnEpoch&& on_epoch,
                                             Span<const std::byte> resume = {}) {
    MLGRAPH_RETURN_IF_ERROR(agree(options_.ranks, start(dataset, train, valid, resume)));
    MLGRAPH_RETURN_IF_ERROR(check_same_run(options_.ranks, settings_, model_.parameters().value));
    const Status status = run_epochs(*this, on_epoch, state_.report.stopped_by_caller);
    model_.parameters().value = state_.best;
    MLGRAPH_RETURN_IF_ERROR(status);
    return state_.report;
  }
  [[nodiscard]] Result<GraphTrainReport> run(const GraphDataset& dataset, Span<const std::size_t> train,
                                             Span<const std::size_t> valid) {
    return run(dataset, train, valid, [](const GraphEpochReport&) { return true; });
  }

  /// In on_epoch(): the bytes from which run() can continue.
  /// Errors: none that data can cause.
  [[nodiscard]] Result<std::vector<std::byte>> checkpoint() {
    steps_->save(state_);
    return detail::graph_checkpoint_to_bytes(state_, settings_);
  }

 private:
  template <class Training, class OnEpoch>
  friend Status run_epochs(Training&, OnEpoch&, bool&);
  using Epoch = GraphEpochReport;

  /// A fresh state, or that of the checkpoint.
  [[nodiscard]] Status start(const GraphDataset& dataset, Span<const std::size_t> train,
                             Span<const std::size_t> valid, Span<const std::byte> resume) {
    MLGRAPH_RETURN_IF_ERROR(check_graph_recipe(recipe_));
    MLGRAPH_RETURN_IF_ERROR(check_schedule(recipe_, !valid.empty()));
    if (options_.graphs_per_tape < 0 || options_.steps_per_epoch < 0)
      return Status::invalid_argument("trainer: graphs_per_tape and steps_per_epoch should be 0 or more");
    MLGRAPH_RETURN_IF_ERROR(check_task(task_, dataset));
    if (train.empty()) return Status::invalid_argument("trainer: there are no graphs to train on");
    for (const Span<const std::size_t> graphs : {train, valid}) {
      for (const std::size_t g : graphs) {
        if (g >= dataset.size())
          return Status::out_of_range(
              str_cat("trainer: there is no graph ", g, "; the set has ", dataset.size()));
      }
    }
    dataset_ = &dataset;
    valid_.assign(valid.begin(), valid.end());
    MLGRAPH_ASSIGN_OR_RETURN(const std::int64_t num_outputs, count_outputs(train[0]));
    MLGRAPH_RETURN_IF_ERROR(check_target_options(task_.loss, num_outputs).annotate("trainer"));
    samples_.emplace(model_, task_, dataset, train, recipe_.graphs_per_step, options_);
    MLGRAPH_RETURN_IF_ERROR(samples_->start(num_outputs));
    MLGRAPH_RETURN_IF_ERROR(task_weights(task_, TaskPart::kValid, dataset, valid, num_outputs).status());
    OutputMeaning& meaning = model_.meaning();
    meaning = {task_.loss.loss, task_.loss.logarithms, {}};
    if (task_.standardize && task_.loss.is_regression()) meaning.scaling = fit_scaling(task_, dataset, train);
    MLGRAPH_ASSIGN_OR_RETURN(schedule_, make_schedule(recipe_, recipe_.epochs, samples_->steps_per_epoch(),
                                                      recipe_.warmup_fraction));
    state_ = {};
    state_.best = state_.value = model_.parameters().value;
    make_settings(train);
    if (!resume.empty())
      MLGRAPH_RETURN_IF_ERROR(detail::graph_checkpoint_from_bytes(resume, settings_, state_));
    steps_.emplace(model_.spec(), model_.parameters(), recipe_, options_.pool);
    return resume.empty() ? Status() : steps_->resume(state_);
  }

  /// By a forward pass of one graph.
  [[nodiscard]] Result<std::int64_t> count_outputs(std::size_t graph) const {
    Batch batch;
    MLGRAPH_RETURN_IF_ERROR(batch.assign(*dataset_, Span<const std::size_t>(&graph, 1)));
    Eager eager;
    eager.bind(model_.spec(), Span<const float>(model_.parameters().value));
    const Var outputs = model_.forward(eager, batch.view());
    MLGRAPH_RETURN_IF_ERROR(eager.status().annotate(str_cat("graph ", graph)));
    return eager.cols(outputs);
  }

  void make_settings(Span<const std::size_t> train) {
    settings_ = model_.options();
    settings_.merge(to_texts(recipe_));
    settings_.merge(to_texts(task_));
    settings_["network"] = std::string(model_.name());
    settings_["seed"] = str_cat(options_.seed);
    settings_["graphs_per_tape"] = str_cat(samples_->graphs_per_tape());
    settings_["steps_per_epoch"] = str_cat(samples_->steps_per_epoch());
    settings_["stop"] = options_.stop.name();
    settings_["data"] =
        str_cat(detail::hash_graphs(*dataset_, valid_, detail::hash_graphs(*dataset_, train, 1)));
  }

  // What run_epochs() asks for.

  [[nodiscard]] bool next_epoch() const {
    return finished() < recipe_.epochs && has_patience(recipe_, state_.report.epochs, state_.report.best_epoch);
  }
  [[nodiscard]] std::int64_t finished() const { return static_cast<std::int64_t>(state_.report.epochs.size()); }
  Status begin_epoch(std::int64_t epoch) {
    samples_->begin_epoch(epoch);
    reductions_ = plateau_reductions(recipe_, state_.report.epochs);
    return {};
  }
  [[nodiscard]] std::int64_t num_steps() const { return samples_->steps_per_epoch(); }
  [[nodiscard]] Communicator* ranks() const { return options_.ranks; }
  [[nodiscard]] double lr() const { return schedule_.at(steps_->num_steps(), reductions_); }

  Result<StepLoss> run_step(std::int64_t, std::int64_t step, double lr) {
    MLGRAPH_ASSIGN_OR_RETURN(const StepLoss loss, samples_->run(step));
    MLGRAPH_RETURN_IF_ERROR(steps_->step(lr, [&] { return samples_->samples(step); }));
    return loss;
  }

  /// Validates when it is time, by the weights that would be kept, and says whether the epoch is the best one.
  Status judge(GraphEpochReport& now) {
    now.is_best = valid_.empty();
    if (valid_.empty() || (now.epoch % recipe_.validate_every != 0 && now.epoch != recipe_.epochs)) return {};
    AlignedVector<float> other = steps_->weights_to_keep();
    std::swap(model_.parameters().value, other);
    const Result<GraphEvaluationResult> of =
        evaluate(model_, task_, *dataset_, valid_, options_.pool, TaskPart::kValid, &scratch_, options_.ranks);
    std::swap(model_.parameters().value, other);
    MLGRAPH_RETURN_IF_ERROR(of.status());
    MLGRAPH_ASSIGN_OR_RETURN(now.metric, options_.stop.value(of->metrics, of->predictions(task_.loss.loss)));
    if (!detail::is_finite_value(now.metric)) {
      return Status::invalid_argument(
          str_cat("the ", options_.stop.name(), " of the validation is ", detail::non_finite_name(now.metric)));
    }
    now.validated = true;
    now.valid_loss = of->metrics.loss;
    now.is_best =
        state_.report.best_epoch == 0 || options_.stop.is_better(now.metric, state_.report.best_metric);
    return {};
  }

  void finish(const GraphEpochReport& now) {
    GraphTrainReport& report = state_.report;
    report.epochs.push_back(now);
    if (!now.is_best) return;
    report.best_epoch = now.epoch;
    report.best_metric = now.metric;
    state_.best = steps_->weights_to_keep();
  }

  GraphModel& model_;
  GraphTask task_;
  Recipe recipe_;
  GraphTrainOptions options_;
  // Of a run.
  const GraphDataset* dataset_ = nullptr;
  std::vector<std::size_t> valid_;
  detail::GraphTrainState state_;
  std::optional<GraphSteps> samples_;
  std::optional<WeightSteps> steps_;
  std::map<std::string, std::string> settings_;  // what a checkpoint is only good for
  LrSchedule schedule_;
  std::int64_t reductions_ = 0;  // plateaus before the epoch
  GraphScratch scratch_;         // of validations
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_GRAPH_TRAINER_HPP
