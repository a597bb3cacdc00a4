// SPDX-License-Identifier: Apache-2.0
// Trainer: fits a model to measured programs, keeps the weights that validate best, stops early.
#ifndef MLGRAPH_TRAIN_TRAINER_HPP
#define MLGRAPH_TRAIN_TRAINER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/optimizer.hpp"
#include "mlgraph/train/program_cache.hpp"
#include "mlgraph/train/rank_step.hpp"
#include "mlgraph/train/step_slates.hpp"
#include "mlgraph/train/train_settings.hpp"
#include "mlgraph/train/train_state.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Trains `model` in place; afterwards it holds the weights of the best validated epoch.
///
/// The weights have the same bits for any number of threads and ranks, and after any resume from a checkpoint,
/// with another number of them, too: see StepSlates.
///
/// Programs in several segments (SegmentOptions) are trained as Recipe::gst says. The variants that finetune
/// train the read-out alone in their last epochs, from the best weights so far; where no program has two
/// segments nothing is stale and these epochs are as the others.
/// Source: arXiv:2305.12322, algorithm 2.
///
/// With Recipe::ema_decay the weights that are validated and kept are a moving average of those of the steps,
/// whose decay after t steps is min(ema_decay, (1 + t) / (10 + t)).
class Trainer {
 public:
  /// The model, and what the options point to, are borrowed and must outlive the trainer.
  Trainer(Model& model, const Recipe& recipe, const TrainOptions& options = {})
      : model_(model), recipe_(recipe), options_(options), ranking_(recipe.loss) {}

  /// Runs the epochs. `on_epoch(const EpochReport&)` returns false to stop after this epoch; checkpoint() may
  /// be called in it. The model then has the weights of the epoch's last step.
  ///
  /// Programs with nothing to fit (for a ranking: whose selected configs have fewer than two different labels)
  /// are not trained on. Without validation programs the last weights are kept. `resume`: what checkpoint()
  /// gave in a run with the same model, recipe, seed and programs; that run is continued.
  /// Whatever the budgets of the caches, the bits are the same: programs are prepared again where they went.
  /// With TrainOptions::ranks all ranks call it with the same model, programs and options; the checkpoint of
  /// any is that of all, and an epoch after which on_epoch() returns false on one rank is the last on all.
  /// Errors: those of check_recipe(); no training program with something to fit; a table budget too small for
  ///         one step; a checkpoint of another training; a label that is not finite, with its program and
  ///         config; a label, score or loss of a step that is not finite, with epoch, step, program and config;
  ///         a gradient or a weight, with epoch, step, program and tensor; a score in validation, with epoch,
  ///         program and config. The model then holds the best weights so far, and the last checkpoint is of
  ///         the epoch before or an earlier one. With ranks: those of check_same_run() and of
  ///         Communicator::send_receive(), and all ranks have the error of the first that has one.
  template <class OnEpoch>
  [[nodiscard]] Result<TrainReport> run(ProgramCache train, ProgramCache valid, OnEpoch&& on_epoch,
                                        Span<const std::byte> resume = {}) {
    Status started = check_recipe(recipe_, model_);
    if (started.ok()) started = start(train, std::move(valid), resume);
    MLGRAPH_RETURN_IF_ERROR(agree(options_.ranks, started));
    MLGRAPH_RETURN_IF_ERROR(check_same_run(options_.ranks, settings_, model_.parameters().value));
    const Status status = run_epochs(*this, on_epoch, state_.report.stopped_by_caller);
    model_.parameters().value = state_.best;
    MLGRAPH_RETURN_IF_ERROR(status);
    return state_.report;
  }

  /// Of the training program that has the most; 0 before run().
  [[nodiscard]] std::size_t most_segments() const { return slates_.has_value() ? slates_->most_segments() : 0; }

  /// In on_epoch(): the bytes from which run() can continue.
  /// Errors: none that data can cause.
  [[nodiscard]] Result<std::vector<std::byte>> checkpoint() {
    steps_->save(state_);
    return checkpoint_to_bytes(state_, settings_);
  }

 private:
  template <class Training, class OnEpoch>
  friend Status run_epochs(Training&, OnEpoch&, bool&);
  using Epoch = EpochReport;

  [[nodiscard]] const Objective& objective() const {
    return options_.objective == nullptr ? ranking_ : *options_.objective;
  }

  /// A fresh state, or that of the checkpoint.
  [[nodiscard]] Status start(const ProgramCache& train, ProgramCache valid, Span<const std::byte> resume) {
    train_ = train;
    valid_ = std::move(valid);
    MLGRAPH_RETURN_IF_ERROR(check_schedule(recipe_, !valid_.empty()));
    MLGRAPH_RETURN_IF_ERROR(objective().check(model_.plan()));
    // Every rank looks at every program: what differs between them is found before the first step.
    DataHash data;
    slates_.emplace(model_, recipe_, objective(), options_);
    MLGRAPH_RETURN_IF_ERROR(slates_->start(train_, [&](const PreparedProgram& program) { data.add(program); }));
    data.end_set();
    MLGRAPH_RETURN_IF_ERROR(valid_.for_each([&](const PreparedProgram& program) {
      Status checked = objective().check(program);
      if (checked.ok()) data.add(program);
      return checked;
    }));
    data.end_set();
    const std::size_t most_segments = slates_->most_segments();
    MLGRAPH_RETURN_IF_ERROR(make_schedules(most_segments));
    state_ = TrainState();
    state_.best = state_.value = model_.parameters().value;
    if (recipe_.gst.uses_table() && most_segments > 1) MLGRAPH_RETURN_IF_ERROR(make_table(most_segments));
    settings_ = train_settings(model_, recipe_, objective(), options_.seed, data);
    if (!resume.empty()) MLGRAPH_RETURN_IF_ERROR(checkpoint_from_bytes(resume, settings_, state_));
    steps_.emplace(model_.spec(), model_.parameters(), recipe_, options_.pool);
    steps_->begin(first_stepped());
    return resume.empty() ? Status() : steps_->resume(state_);
  }

  [[nodiscard]] Status make_schedules(std::size_t most_segments) {
    std::int64_t finetune = recipe_.gst.finetunes() && most_segments > 1 ? recipe_.gst.finetune_epochs : 0;
    if (finetune < 0) finetune = std::min(recipe_.epochs - 1, std::max<std::int64_t>(1, recipe_.epochs / 5));
    num_main_epochs_ = recipe_.epochs - finetune;
    const std::int64_t steps = slates_->steps_per_epoch();
    MLGRAPH_ASSIGN_OR_RETURN(main_schedule_,
                             make_schedule(recipe_, num_main_epochs_, steps, recipe_.warmup_fraction));
    MLGRAPH_ASSIGN_OR_RETURN(head_schedule_,
                             make_schedule(recipe_, std::max<std::int64_t>(1, finetune), steps, 0));
    return {};
  }

  [[nodiscard]] Status make_table(std::size_t most_segments) {
    const std::int64_t least = static_cast<std::int64_t>(most_segments) *
                               model_.embedding_rows(recipe_.configs_per_graph) * recipe_.graphs_per_step;
    MLGRAPH_ASSIGN_OR_RETURN(state_.table,
                             EmbeddingTable::make(model_.embedding_channels(), recipe_.gst.table_dtype,
                                                  static_cast<std::size_t>(recipe_.gst.table_bytes), least));
    for (std::size_t i = 0; i < train_.size(); ++i) {
      const auto num_configs = static_cast<std::uint64_t>(train_.view(i).configs.num_configs);
      const Status status = EmbeddingTable::check_keys(train_.size(), num_configs, slates_->num_segments(i));
      if (!status.ok()) return status.annotate(train_.view(i).name);
    }
    return {};
  }

  /// Where the weights that are stepped begin: the others are those of the backbone in the head phase.
  [[nodiscard]] std::size_t first_stepped() const {
    return state_.head_phase ? static_cast<std::size_t>(model_.spec().readout_begin()) : 0;
  }

  /// From the best weights: the backbone stays as it is, so every embedding is computed once more and then
  /// exact.
  void begin_head_phase() {
    state_.head_phase = true;
    state_.table.clear();
    if (state_.report.best_epoch > 0) model_.parameters().value = state_.best;
    steps_->begin(first_stepped());
  }

  // What run_epochs() asks for.

  [[nodiscard]] bool next_epoch() {
    const bool goes_on = has_patience(recipe_, state_.report.epochs, state_.report.best_epoch, phase_begin());
    // Without patience it is the turn of the read-out, or the end.
    if (!goes_on) state_.epoch = state_.head_phase ? recipe_.epochs : num_main_epochs_;
    if (state_.epoch >= recipe_.epochs) return false;
    if (state_.epoch >= num_main_epochs_ && !state_.head_phase) begin_head_phase();
    return true;
  }
  [[nodiscard]] std::int64_t finished() const { return state_.epoch; }
  [[nodiscard]] Communicator* ranks() const { return options_.ranks; }
  [[nodiscard]] std::int64_t phase_begin() const { return state_.head_phase ? num_main_epochs_ : 0; }

  Status begin_epoch(std::int64_t epoch) {
    order_ = slates_->order(epoch);
    reductions_ = plateau_reductions(recipe_, state_.report.epochs, phase_begin());
    return {};
  }
  [[nodiscard]] std::int64_t num_steps() const { return slates_->steps_per_epoch(); }
  [[nodiscard]] double lr() const {
    return (state_.head_phase ? head_schedule_ : main_schedule_).at(steps_->num_steps(), reductions_);
  }

  /// The mean loss of the step.
  Result<StepLoss> run_step(std::int64_t epoch, std::int64_t step, double lr) {
    const auto per_step = static_cast<std::size_t>(recipe_.graphs_per_step);
    const std::size_t begin = static_cast<std::size_t>(step) * per_step;
    const Span<const std::size_t> batch =
        Span<const std::size_t>(order_).subspan(begin, std::min(per_step, order_.size() - begin));
    EmbeddingTable* const table = state_.table.max_rows() > 0 ? &state_.table : nullptr;
    const StepPlace place{epoch, step, state_.head_phase};
    MLGRAPH_ASSIGN_OR_RETURN(const double loss, slates_->run(batch, place, table));
    MLGRAPH_RETURN_IF_ERROR(steps_->step(lr, [&] {
      const std::string others = batch.size() > 1 ? str_cat(" and ", batch.size() - 1, " more") : std::string();
      return str_cat(train_.view(batch[0]).name, others);
    }));
    return StepLoss{loss, static_cast<double>(batch.size()), static_cast<double>(order_.size())};
  }

  /// Validates when it is time, and says whether the epoch is the best one.
  Status judge(EpochReport& now) {
    const TrainReport& report = state_.report;
    now.is_best = valid_.empty();
    if (valid_.empty() || (now.epoch % recipe_.validate_every != 0 && now.epoch != recipe_.epochs)) return {};
    AlignedVector<float> other = steps_->weights_to_keep();
    std::swap(model_.parameters().value, other);
    Result<Evaluation> evaluation = evaluate(model_, valid_, options_.pool, options_.ranks);
    std::swap(model_.parameters().value, other);
    MLGRAPH_RETURN_IF_ERROR(evaluation.status());
    if (recipe_.selection == Selection::kLoss) {
      MLGRAPH_ASSIGN_OR_RETURN(evaluation->mean.loss, loss_of(*evaluation));
    }
    now.validated = true;
    now.valid = evaluation->mean;
    now.is_best = report.best_epoch == 0 || is_better(now.valid, report.best_valid, recipe_.selection);
    return {};
  }

  /// The mean over programs of what is trained, all configurations of a program as one slate.
  Result<double> loss_of(const Evaluation& evaluation) {
    Tape tape;
    double sum = 0;
    for (const GraphEvaluation& graph : evaluation.graphs) {
      MLGRAPH_ASSIGN_OR_RETURN(const ProgramCache::Held held, valid_.hold(graph.index));
      const PreparedProgram& program = *held;
      tape.begin();
      const Var scores = tape.input(Span<const float>(graph.score));
      const Var loss = objective().loss(tape, scores, program, program.selection);
      if (!tape.status().ok()) return tape.status().annotate(program.view.name);
      sum += static_cast<double>(*tape.value(loss).data);
    }
    return sum / static_cast<double>(evaluation.graphs.size());
  }

  void finish(const EpochReport& now) {
    state_.epoch = now.epoch;
    TrainReport& report = state_.report;
    report.epochs.push_back(now);
    report.activation_bytes = slates_->peak_bytes();
    report.table_rows = state_.table.size();
    report.table_bytes = state_.table.used_bytes();
    if (!now.is_best) return;
    report.best_epoch = now.epoch;
    report.best_valid = now.valid;
    state_.best = steps_->weights_to_keep();
  }

  Model& model_;
  Recipe recipe_;
  TrainOptions options_;
  RankingObjective ranking_;
  // Of a run.
  TrainState state_;
  std::optional<StepSlates> slates_;
  std::optional<WeightSteps> steps_;
  ProgramCache train_, valid_;
  std::vector<std::size_t> order_;               // of an epoch's slates
  std::int64_t reductions_ = 0;                  // plateaus before the epoch
  std::map<std::string, std::string> settings_;  // what a checkpoint is only good for
  std::int64_t num_main_epochs_ = 0;             // the others train the read-out alone
  LrSchedule main_schedule_, head_schedule_;
};

/// Trains a model on programs and keeps the weights that rank `valid` best. The third of three calls: load
/// programs, fit a model, train it.
/// Errors: those of Model::prepare() and Trainer::run().
[[nodiscard]] inline Result<TrainReport> train(Model& model, Span<const ProgramView> programs,
                                               Span<const ProgramView> valid, const Recipe& recipe,
                                               const TrainOptions& options = {}) {
  return Trainer(model, recipe, options)
      .run(ProgramCache(model, programs), ProgramCache(model, valid), [](const EpochReport&) { return true; });
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TRAINER_HPP
