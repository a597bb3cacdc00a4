// SPDX-License-Identifier: Apache-2.0
// GraphSteps: which graphs a step has, and the sum of what they compute, some graphs to a tape.
#ifndef MLGRAPH_TRAIN_GRAPH_STEPS_HPP
#define MLGRAPH_TRAIN_GRAPH_STEPS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/graph_model.hpp"
#include "mlgraph/train/graph_task.hpp"
#include "mlgraph/train/rank_step.hpp"
#include "mlgraph/train/target_loss.hpp"
#include "mlgraph/train/target_metrics.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a training of graphs needs beside its recipe.
struct GraphTrainOptions {
  std::uint64_t seed = 1;
  ThreadPool* pool = nullptr;  ///< borrowed; null computes on the calling thread
  /// Graphs that a step computes together, on a tape of their own; the tapes of a step run in parallel. It
  /// decides bits, as the number of threads does not: batch norm sees the graphs of a tape. 0: all of a step
  /// where the network has such statistics, else 16.
  std::int64_t graphs_per_tape = 0;
  std::int64_t steps_per_epoch = 0;  ///< 0: as many as use every graph once
  StopOn stop;                       ///< what the best epoch is judged by
  Communicator* ranks = nullptr;     ///< borrowed; null: this process alone. As TrainOptions::ranks
};

/// The steps of a training of graphs. What a step draws is a function of (seed, epoch, step, tape), and
/// gradients are added by a fixed tree over the tapes: the sum has the same bits for any number of threads and
/// ranks.
class GraphSteps {
 public:
  /// All are borrowed. The weights of the model are written by run() alone.
  GraphSteps(GraphModel& model, const GraphTask& task, const GraphDataset& dataset,
             Span<const std::size_t> graphs, std::int64_t graphs_per_step, const GraphTrainOptions& options)
      : model_(model),
        task_(task),
        dataset_(dataset),
        graphs_(graphs.begin(), graphs.end()),
        per_step_(static_cast<std::size_t>(graphs_per_step)),
        options_(options) {
    const bool has_state = model.spec().size() > model.spec().num_trainable();
    const std::int64_t per_tape = options.graphs_per_tape > 0 ? options.graphs_per_tape
                                  : has_state                 ? graphs_per_step
                                                              : 16;
    per_tape_ = static_cast<std::size_t>(std::min(per_tape, graphs_per_step));
  }

  /// Looks at the targets. `num_outputs` of the network.
  /// Errors: those of check_targets(); no target that counts.
  [[nodiscard]] Status start(std::int64_t num_outputs) {
    MLGRAPH_ASSIGN_OR_RETURN(weights_, task_weights(task_, TaskPart::kTrain, dataset_, graphs_, num_outputs));
    double total = 0;
    for (const double weight : weights_) total += weight;
    if (total > 0) return {};
    return Status::invalid_argument("trainer: no graph to train on has a target that counts");
  }

  [[nodiscard]] std::int64_t steps_per_epoch() const {
    if (options_.steps_per_epoch > 0) return options_.steps_per_epoch;
    return static_cast<std::int64_t>((graphs_.size() + per_step_ - 1) / per_step_);
  }

  /// Draws the order of an epoch: all graphs, or as many as its steps take, going through all of them again and
  /// again.
  void begin_epoch(std::int64_t epoch) {
    Rng rng(seed_of(static_cast<std::uint64_t>(epoch), 0, 0));
    std::size_t wanted = graphs_.size();
    if (options_.steps_per_epoch > 0) wanted = static_cast<std::size_t>(options_.steps_per_epoch) * per_step_;
    order_.clear();
    std::vector<std::size_t> places(graphs_.size());
    while (order_.size() < wanted) {
      for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
      rng.shuffle(places);
      places.resize(std::min(places.size(), wanted - order_.size()));
      order_.insert(order_.end(), places.begin(), places.end());
    }
    epoch_ = epoch;
    epoch_weight_ = 0;
    for (const std::size_t place : order_) epoch_weight_ += weights_[place];
  }

  /// Computes a step of the epoch, from 0: the gradient of its mean loss is in model.parameters().grad
  /// afterwards, and the statistics of batch norm have moved by the mean of what each tape moved them.
  /// Errors: those of the network; an output, loss or gradient that is not finite. They name a graph. Those of
  ///         Communicator::send_receive().
  [[nodiscard]] Result<StepLoss> run(std::int64_t step) {
    const std::size_t begin = static_cast<std::size_t>(step) * per_step_;
    const std::size_t count = std::min(per_step_, order_.size() - begin);
    double weight = 0;
    for (std::size_t i = begin; i < begin + count; ++i) weight += weights_[order_[i]];
    const std::size_t num_tapes = (count + per_tape_ - 1) / per_tape_;
    while (tapes_.size() < num_tapes) tapes_.push_back(std::make_unique<Work>(nullptr));
    costs_.clear();
    for (std::size_t t = 0; t < num_tapes; ++t) {
      Work& work = *tapes_[t];
      const std::size_t first = begin + t * per_tape_;
      work.graphs.clear();
      for (std::size_t i = first; i < std::min(first + per_tape_, begin + count); ++i)
        work.graphs.push_back(graphs_[order_[i]]);
      std::int64_t nodes = 0;
      for (const std::size_t g : work.graphs) nodes += dataset_.graph(g).num_nodes;
      costs_.push_back(nodes);
      work.seed = seed_of(static_cast<std::uint64_t>(epoch_), static_cast<std::uint64_t>(step) + 1, t);
    }
    rank_step_.begin(options_.ranks, costs_);
    const PlaceRange mine = rank_step_.mine();
    if (options_.pool != nullptr && mine.size() > 1) {
      options_.pool->run(static_cast<std::int64_t>(mine.size()), [&](std::int64_t t) {
        Work& work = *tapes_[mine.begin + as_size(t)];
        compute(work, work.tape, weight);
      });
    } else {
      if (all_threads_ == nullptr) all_threads_ = std::make_unique<Work>(options_.pool);
      for (std::size_t t = mine.begin; t < mine.end; ++t) compute(*tapes_[t], all_threads_->tape, weight);
    }
    return add_up(num_tapes, weight);
  }

  /// The first graph of a step, and how many more it has, for messages.
  [[nodiscard]] std::string samples(std::int64_t step) const {
    const std::size_t begin = static_cast<std::size_t>(step) * per_step_;
    const std::size_t count = std::min(per_step_, order_.size() - begin);
    return str_cat("graph ", graphs_[order_[begin]],
                   count > 1 ? str_cat(" and ", count - 1, " more") : std::string());
  }
  [[nodiscard]] std::int64_t graphs_per_tape() const { return static_cast<std::int64_t>(per_tape_); }

 private:
  /// Some graphs of a step: what they are, and what came out.
  struct Work {
    explicit Work(ThreadPool* pool) : tape(pool) {}
    std::vector<std::size_t> graphs;
    std::uint64_t seed = 0;
    Batch batch;
    Tape tape;
    AlignedVector<float> grad, state;
    double loss = 0;
    Status status;
  };

  [[nodiscard]] std::uint64_t seed_of(std::uint64_t epoch, std::uint64_t step, std::uint64_t tape) const {
    return mix64(mix64(mix64(mix64(options_.seed) ^ epoch) ^ step) ^ tape);
  }

  void compute(Work& work, Tape& tape, double step_weight) {
    const Span<const float> values(model_.parameters().value);
    const std::size_t num_grads = model_.parameters().grad.size();
    const Span<const float> state = values.subspan(num_grads, values.size() - num_grads);
    work.grad.assign(num_grads, 0.0F);
    work.state.assign(state.begin(), state.end());
    tape.bind(model_.spec(), values, Span<float>(work.grad), Span<float>(work.state));
    tape.begin(work.seed);
    work.status = forward_backward(work, tape, step_weight);
    for (std::size_t i = 0; i < state.size(); ++i) work.state[i] -= state[i];
  }

  Status forward_backward(Work& work, Tape& tape, double step_weight) {
    const std::string where = str_cat("graphs from ", work.graphs[0]);
    MLGRAPH_RETURN_IF_ERROR(work.batch.assign(dataset_, work.graphs).annotate(where));
    const BatchView batch = work.batch.view();
    const Var outputs = model_.forward(tape, batch);
    MLGRAPH_RETURN_IF_ERROR(tape.status().annotate(where));
    MLGRAPH_RETURN_IF_ERROR(check_outputs(work, tape.value(outputs)));
    const Var loss = target_loss(tape, outputs, target_rows(task_, TaskPart::kTrain, batch), task_.loss,
                                 model_.meaning().scaling, step_weight);
    MLGRAPH_RETURN_IF_ERROR(tape.status().annotate(where));
    work.loss = static_cast<double>(*tape.value(loss).data);
    if (!detail::is_finite_value(work.loss))
      return Status::invalid_argument(str_cat(where, ": the loss is ", detail::non_finite_name(work.loss)));
    MLGRAPH_RETURN_IF_ERROR(tape.backward(loss).annotate(where));
    return check_sample_gradient(model_.spec(), work.grad).annotate(where);
  }

  // A loss can be finite without them, where their targets are missing.
  static Status check_outputs(const Work& work, MatrixView<const float> outputs) {
    const BatchView batch = work.batch.view();
    for (std::int64_t i = 0; i < outputs.size(); ++i) {
      if (detail::is_finite(outputs.data[i])) continue;
      const std::int64_t row = i / outputs.cols;
      const bool of_graphs = outputs.rows == batch.num_graphs();
      const bool of_nodes = !of_graphs && outputs.rows == batch.num_nodes();
      const std::int64_t g = of_graphs ? row : of_nodes ? batch.batch[static_cast<std::size_t>(row)] : 0;
      return Status::invalid_argument(
          str_cat("graph ", work.graphs[static_cast<std::size_t>(g)],
                  of_nodes ? str_cat(" node ", row - batch.ptr[static_cast<std::size_t>(g)]) : std::string(),
                  ": output ", i % outputs.cols, " is ", detail::non_finite_name(outputs.data[i])));
    }
    return {};
  }

  Result<StepLoss> add_up(std::size_t num_tapes, double weight) {
    std::vector<float*> grads, states;
    StepLoss loss{0, weight, epoch_weight_ > 0 ? epoch_weight_ : 1};
    for (std::size_t t = rank_step_.mine().begin; t < rank_step_.mine().end; ++t) {
      grads.push_back(tapes_[t]->grad.data());
      states.push_back(tapes_[t]->state.data());
    }
    Parameters<float>& parameters = model_.parameters();
    const std::size_t num_grads = parameters.grad.size();
    MLGRAPH_RETURN_IF_ERROR(rank_step_.add_up(grads, states, num_grads, parameters.value.size() - num_grads,
                                              options_.pool, [&](std::size_t t, NoteWriter& note) {
                                                note.add_status(tapes_[t]->status);
                                                note.add(tapes_[t]->loss);
                                              }));
    const auto take = [&](std::size_t t) -> Status {
      loss.loss += tapes_[t]->loss;
      return tapes_[t]->status;
    };
    MLGRAPH_RETURN_IF_ERROR(rank_step_.for_each(take, [&](std::size_t t, NoteReader& note) {
      tapes_[t]->status = note.take_status();
      tapes_[t]->loss = note.take<double>();
      return take(t);
    }));
    rank_step_.apply(parameters, 1, 1 / static_cast<float>(num_tapes), options_.pool);
    return loss;
  }

  GraphModel& model_;
  const GraphTask& task_;
  const GraphDataset& dataset_;
  std::vector<std::size_t> graphs_;
  std::size_t per_step_, per_tape_ = 1;
  const GraphTrainOptions& options_;
  std::vector<double> weights_;     // of the targets of each of graphs_
  std::vector<std::size_t> order_;  // of an epoch: places in graphs_
  std::int64_t epoch_ = 0;
  double epoch_weight_ = 0;
  std::vector<std::unique_ptr<Work>> tapes_;  // of a step
  std::vector<std::int64_t> costs_;           // of each, in nodes
  RankStep rank_step_;
  std::unique_ptr<Work> all_threads_;  // its tape runs one after the other, with all threads in each
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_GRAPH_STEPS_HPP
