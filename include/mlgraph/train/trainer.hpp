// SPDX-License-Identifier: Apache-2.0
// Trainer: fits a cost model to measured programs, keeps the weights that validate best, stops early.
#ifndef MLGRAPH_TRAIN_TRAINER_HPP
#define MLGRAPH_TRAIN_TRAINER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/clip.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/sampler.hpp"
#include "mlgraph/train/segment_training.hpp"
#include "mlgraph/train/slate.hpp"
#include "mlgraph/train/train_state.hpp"
#include "mlgraph/train/trainer_options.hpp"

namespace mlgraph {

MLGRAPH_BEGIN_ISA

/// Trains `model` in place; afterwards it holds the weights of the best validated epoch.
///
/// Every graph of a step is a tape of its own and the gradients are added in the order of the graphs, so the
/// weights have the same bits for any number of threads, and after any resume from a checkpoint.
///
/// Programs in several segments (SegmentOptions) are trained as TrainerOptions::gst says. The variants that
/// finetune train the head alone in their last epochs, from the best weights so far; where no program has two
/// segments nothing is stale and these epochs are as the others. Source: arXiv:2305.12322, algorithm 2.
class Trainer {
 public:
  /// `loss` is applied to each slate. Model and pool are borrowed and must outlive the trainer; `pool` may be
  /// null.
  Trainer(GnnCostModel& model, const TrainerOptions& options, const LossOptions& loss,
          ThreadPool* pool = nullptr)
      : model_(model), options_(options), loss_(loss), pool_(pool) {}

  /// Runs the epochs. `on_epoch(const EpochReport&)` returns false to stop after this epoch; checkpoint() may
  /// be called in it.
  ///
  /// Programs whose selected configs carry no ranking (fewer than two, or equal labels) are not trained on.
  /// Without validation programs the last weights are kept.
  /// `resume`: what checkpoint() gave in a run with the same model, options and programs; that run is
  /// continued.
  /// Errors: no training program with a ranking; options out of range; a table budget too small for one step; a
  ///         checkpoint of another training; a label that is not finite, with its program and config; a label,
  ///         score or loss of a step that is not finite, with epoch, step, program and config; a gradient or a
  ///         weight, with epoch, step, program and tensor; a score in validation, with epoch, program and
  ///         config. The model then holds the best weights so far, and the last checkpoint is of the epoch
  ///         before or an earlier one.
  template <class OnEpoch>
  [[nodiscard]] Result<TrainReport> run(Span<const PreparedProgram> train, Span<const PreparedProgram> valid,
                                        Selection selection, OnEpoch&& on_epoch,
                                        Span<const std::byte> resume = {}) {
    MLGRAPH_RETURN_IF_ERROR(check_options());
    for (const PreparedProgram& program : valid) MLGRAPH_RETURN_IF_ERROR(check_all_labels(program));
    MLGRAPH_RETURN_IF_ERROR(make_slots(train));
    MLGRAPH_RETURN_IF_ERROR(start(train, valid, resume));
    Status status;
    while (status.ok() && state_.epoch < options_.epochs) {
      if (state_.epoch >= num_main_epochs_ && !state_.head_phase) begin_head_phase();
      EpochReport now;
      now.epoch = state_.epoch + 1;
      status = train_epoch(train, now);
      if (status.ok()) status = judge_epoch(valid, selection, now);
      if (!status.ok()) {
        status = Status(status.code(), str_cat("epoch ", now.epoch, ": ", status.message()));
        break;
      }
      finish_epoch(now);
      if (!on_epoch(static_cast<const EpochReport&>(now))) {
        state_.report.stopped_by_caller = true;
        break;
      }
      if (!has_patience(now)) {
        if (state_.epoch >= num_main_epochs_) break;
        state_.epoch = num_main_epochs_;  // the head's turn
      }
    }
    model_.parameters().value = state_.best;
    MLGRAPH_RETURN_IF_ERROR(status);
    return state_.report;
  }

  /// In on_epoch(): the bytes from which run() can continue. Errors: none that data can cause.
  [[nodiscard]] Result<std::vector<std::byte>> checkpoint() {
    state_.value = model_.parameters().value;
    state_.adam = optimizer_->state();
    return checkpoint_to_bytes(state_, settings_);
  }

 private:
  [[nodiscard]] Status check_options() const {
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t low) -> Status {
      if (value >= low) return {};
      return Status::invalid_argument(
          str_cat("trainer: ", name, " is ", value, "; should be ", low, " or more"));
    };
    const auto at_most = [](const char* name, std::int64_t value, std::int64_t high) -> Status {
      if (value <= high) return {};
      return Status::invalid_argument(
          str_cat("trainer: ", name, " is ", value, "; should be ", high, " or less"));
    };
    MLGRAPH_RETURN_IF_ERROR(at_least("epochs", options_.epochs, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("patience", options_.patience, 0));
    MLGRAPH_RETURN_IF_ERROR(at_least("graphs_per_step", options_.graphs_per_step, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("configs_per_graph", options_.configs_per_graph, 2));
    MLGRAPH_RETURN_IF_ERROR(at_least("max_slates_per_graph", options_.max_slates_per_graph, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("validate_every", options_.validate_every, 1));
    MLGRAPH_RETURN_IF_ERROR(at_most("graphs_per_step", options_.graphs_per_step, kMaxGraphsPerStep));
    MLGRAPH_RETURN_IF_ERROR(at_most("configs_per_graph", options_.configs_per_graph, kMaxConfigsPerGraph));
    if (!(options_.warmup_fraction >= 0 && options_.warmup_fraction < 1)) {
      return Status::invalid_argument(
          str_cat("trainer: warmup_fraction is ", options_.warmup_fraction, "; should be in [0, 1)"));
    }
    if (!(options_.clip_norm >= 0)) {
      return Status::invalid_argument(
          str_cat("trainer: clip_norm is ", options_.clip_norm, "; should be positive, or 0 for no clipping"));
    }
    if (!(options_.drop_edge >= 0 && options_.drop_edge < 1)) {
      return Status::invalid_argument(
          str_cat("trainer: drop_edge is ", options_.drop_edge, "; should be in [0, 1)"));
    }
    MLGRAPH_RETURN_IF_ERROR(validate(options_.gst));
    if (options_.gst.finetunes() && options_.gst.finetune_epochs >= options_.epochs) {
      return Status::invalid_argument(str_cat("gst: finetune_epochs is ", options_.gst.finetune_epochs,
                                              "; should be less than epochs, ", options_.epochs));
    }
    if (options_.gst.finetunes() && !model_.has_readout()) {
      return Status::invalid_argument(str_cat("gst: ", gst_variant_name(options_.gst.variant),
                                              " finetunes the head, but this model's segments have "
                                              "scores already: no head comes after their total"));
    }
    if (options_.gst.uses_table() && model_.options().config_chunk > 0) {
      return Status::invalid_argument(str_cat(
          "gst: ", gst_variant_name(options_.gst.variant),
          " keeps the embedding of each config, but in this model it depends on the others of a slate"));
    }
    return validate_adam(adam_options());
  }

  [[nodiscard]] AdamWOptions adam_options() const {
    AdamWOptions adam;
    adam.weight_decay = options_.weight_decay;
    return adam;
  }

  /// A sampler for each program, and what an epoch goes through: places of programs, each as often as it has
  /// slates.
  [[nodiscard]] Status make_slots(Span<const PreparedProgram> train) {
    samplers_.clear();
    slots_.clear();
    for (std::size_t i = 0; i < train.size(); ++i) {
      MLGRAPH_RETURN_IF_ERROR(check_all_labels(train[i]));
      samplers_.emplace_back(train[i].view, train[i].selection, options_.sampling);
      if (!has_ranking(train[i])) continue;
      const auto n = static_cast<std::int64_t>(train[i].selection.size());
      const std::int64_t wanted = (n + options_.configs_per_graph - 1) / options_.configs_per_graph;
      for (std::int64_t k = 0; k < std::min(wanted, options_.max_slates_per_graph); ++k) slots_.push_back(i);
    }
    if (!slots_.empty()) return {};
    return Status::invalid_argument("no training program has two configs with different labels to rank");
  }

  /// A fresh state, or that of the checkpoint.
  [[nodiscard]] Status start(Span<const PreparedProgram> train, Span<const PreparedProgram> valid,
                             Span<const std::byte> resume) {
    std::size_t most_segments = 0;
    for (const PreparedProgram& program : train)
      most_segments = std::max(most_segments, program.segments.size());
    int finetune = options_.gst.finetunes() && most_segments > 1 ? options_.gst.finetune_epochs : 0;
    if (finetune < 0) finetune = std::min(options_.epochs - 1, std::max(1, options_.epochs / 5));
    num_main_epochs_ = options_.epochs - finetune;
    const ParamSpec::Entry* const head = model_.spec().find("head.lins.0.weight");
    head_begin_ = head == nullptr ? 0 : static_cast<std::size_t>(head->param.offset);
    main_schedule_ = LrSchedule::cosine(options_.lr, steps_per_epoch() * num_main_epochs_,
                                        options_.warmup_fraction, options_.min_lr);
    head_schedule_ =
        LrSchedule::cosine(options_.lr, steps_per_epoch() * std::max(1, finetune), 0, options_.min_lr);
    MLGRAPH_RETURN_IF_ERROR(main_schedule_.validate());

    state_ = TrainState();
    state_.rng = Rng(options_.seed).state();
    state_.best = state_.value = model_.parameters().value;
    if (options_.gst.uses_table() && most_segments > 1) {
      const std::int64_t least = static_cast<std::int64_t>(most_segments) *
                                 model_.embedding_rows(options_.configs_per_graph) * options_.graphs_per_step;
      MLGRAPH_ASSIGN_OR_RETURN(state_.table,
                               EmbeddingTable::make(model_.embedding_channels(), options_.gst.table_dtype,
                                                    options_.gst.table_bytes, least));
      MLGRAPH_RETURN_IF_ERROR(check_table_keys(train));
    }
    optimizer_.emplace(model_.parameters().grad.size(), adam_options());
    settings_ = train_settings(model_, options_, loss_, train, valid);
    if (resume.empty()) return {};
    state_.adam = optimizer_->state();
    const auto num_head = static_cast<std::int64_t>(model_.parameters().grad.size() - head_begin_);
    MLGRAPH_RETURN_IF_ERROR(checkpoint_from_bytes(resume, settings_, num_head, state_));
    model_.parameters().value = state_.value;
    if (state_.head_phase) optimizer_.emplace(state_.adam.m.size(), adam_options());
    return optimizer_->set_state(state_.adam);
  }

  [[nodiscard]] static Status check_table_keys(Span<const PreparedProgram> train) {
    for (const PreparedProgram& program : train) {
      const auto num_configs = static_cast<std::uint64_t>(program.view.configs.num_configs);
      const Status status = EmbeddingTable::check_keys(train.size(), num_configs, program.segments.size());
      if (!status.ok()) return named(program, status);
    }
    return {};
  }

  /// From the best weights: the backbone stays as it is, so every embedding is computed once more and then
  /// exact.
  void begin_head_phase() {
    state_.head_phase = true;
    state_.table.clear();
    if (state_.report.best_epoch > 0) model_.parameters().value = state_.best;
    optimizer_.emplace(model_.parameters().grad.size() - head_begin_, adam_options());
  }

  [[nodiscard]] static Status check_all_labels(const PreparedProgram& program) {
    MLGRAPH_RETURN_IF_ERROR(check_labels(program));
    for (const std::int32_t c : program.selection) {
      const Status status = check_finite_label(c, program.view.label(c));
      if (!status.ok()) return named(program, status);
    }
    return {};
  }

  static bool has_ranking(const PreparedProgram& program) {
    for (const std::int32_t c : program.selection) {
      if (program.view.label(c) != program.view.label(program.selection[0])) return true;
    }
    return false;
  }

  [[nodiscard]] std::int64_t steps_per_epoch() const {
    return (static_cast<std::int64_t>(slots_.size()) + options_.graphs_per_step - 1) / options_.graphs_per_step;
  }

  Status train_epoch(Span<const PreparedProgram> train, EpochReport& now) {
    Rng rng(state_.rng);
    std::vector<std::size_t> order = slots_;
    rng.shuffle(Span<std::size_t>(order));
    const auto per_step = static_cast<std::size_t>(options_.graphs_per_step);
    for (std::size_t begin = 0; begin < order.size(); begin += per_step) {
      now.lr = (state_.head_phase ? head_schedule_ : main_schedule_).at(optimizer_->state().step);
      const Span<const std::size_t> batch =
          Span<const std::size_t>(order).subspan(begin, std::min(per_step, order.size() - begin));
      double loss = 0;
      const Status status = run_step(train, batch, now.lr, rng, loss);
      if (!status.ok())
        return Status(status.code(), str_cat("step ", begin / per_step + 1, ": ", status.message()));
      now.train_loss += loss * static_cast<double>(batch.size()) / static_cast<double>(order.size());
    }
    state_.rng = rng.state();
    return {};
  }

  /// Validates when it is time, and says whether the epoch is the best one.
  Status judge_epoch(Span<const PreparedProgram> valid, Selection selection, EpochReport& now) const {
    const TrainReport& report = state_.report;
    now.is_best = valid.empty();
    if (valid.empty() || (now.epoch % options_.validate_every != 0 && now.epoch != options_.epochs)) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluate(model_, valid, pool_));
    now.validated = true;
    now.valid = evaluation.mean;
    now.is_best = report.best_epoch == 0 || better(now.valid, report.best_valid, selection);
    return {};
  }

  void finish_epoch(const EpochReport& now) {
    state_.epoch = now.epoch;
    TrainReport& report = state_.report;
    report.epochs.push_back(now);
    report.activation_bytes = all_threads_.peak_bytes();
    for (const auto& worker : workers_)
      report.activation_bytes = std::max(report.activation_bytes, worker->peak_bytes());
    report.table_rows = state_.table.size();
    report.table_bytes = state_.table.used_bytes();
    if (!now.is_best) return;
    report.best_epoch = now.epoch;
    report.best_valid = now.valid;
    state_.best = model_.parameters().value;
  }

  /// Where not every epoch is validated, the next one that is gets its chance.
  [[nodiscard]] bool has_patience(const EpochReport& now) const {
    if (!now.validated || options_.patience == 0) return true;
    const int since = std::max(state_.report.best_epoch, state_.head_phase ? num_main_epochs_ : 0);
    return now.epoch - since < options_.patience;
  }

  static bool better(const RankingMetrics& a, const RankingMetrics& b, Selection selection) {
    if (selection == Selection::kKendallTau) return a.kendall_tau > b.kendall_tau;
    if (a.slowdown[1] != b.slowdown[1]) return a.slowdown[1] < b.slowdown[1];
    return a.slowdown[0] < b.slowdown[0];  // many models find a fastest tile among five
  }

  Status run_step(Span<const PreparedProgram> train, Span<const std::size_t> batch, double lr, Rng& rng,
                  double& mean_loss) {
    const std::int64_t most_rows = draw_slates(train, batch, rng);
    const EmbeddingTable* const table = state_.table.max_rows() > 0 ? &state_.table : nullptr;
    const auto count = static_cast<std::int64_t>(batch.size());
    if (pool_ != nullptr && count > 1 && most_rows < options_.large_slate_rows) {
      while (workers_.size() < batch.size()) workers_.push_back(std::make_unique<SlateWorker>(nullptr));
      pool_->run(count, [&](std::int64_t i) {
        const auto j = static_cast<std::size_t>(i);
        workers_[j]->run(model_, train[batch[j]], loss_, table, slates_[j]);
      });
    } else {
      for (std::size_t j = 0; j < batch.size(); ++j)
        all_threads_.run(model_, train[batch[j]], loss_, table, slates_[j]);
    }

    AlignedVector<float>& grad = model_.parameters().grad;
    model_.parameters().zero_grad();
    const double weight = 1 / static_cast<double>(batch.size());
    mean_loss = 0;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      const Slate& slate = slates_[j];
      MLGRAPH_RETURN_IF_ERROR(check_slate(train[batch[j]], slate));
      if (table != nullptr) {
        const Status stored = slate.buffers.store(static_cast<std::uint32_t>(slate.program), state_.table);
        if (!stored.ok()) return named(train[batch[j]], stored);
      }
      mean_loss += weight * slate.loss;
      kernels::axpy(static_cast<float>(weight), slate.grad.data(), grad.data(),
                    static_cast<std::int64_t>(grad.size()), nullptr);
    }
    if (options_.clip_norm > 0)
      MLGRAPH_RETURN_IF_ERROR(clip_grad_norm(Span<float>(grad), options_.clip_norm, pool_).status());
    const std::size_t begin = state_.head_phase ? head_begin_ : 0;
    const std::size_t size = grad.size() - begin;
    MLGRAPH_RETURN_IF_ERROR(optimizer_->step(model_.parameters().trainable().subspan(begin, size),
                                             Span<const float>(grad).subspan(begin, size), lr, pool_));
    return check_weights(train, batch, lr);
  }

  [[nodiscard]] static Status named(const PreparedProgram& program, const Status& status) {
    return Status(status.code(), str_cat(program.view.name, ": ", status.message()));
  }

  /// After the step and not when the weights next meet an input: an activation may hide a NaN, and the last
  /// step has no next.
  [[nodiscard]] Status check_weights(Span<const PreparedProgram> train, Span<const std::size_t> batch,
                                     double lr) const {
    const AlignedVector<float>& weights = model_.parameters().value;
    const std::size_t bad = find_non_finite(Span<const float>(weights), pool_);
    if (bad == weights.size()) return {};
    const std::string others = batch.size() > 1 ? str_cat(" and ", batch.size() - 1, " more") : std::string();
    return Status::invalid_argument(str_cat(train[batch[0]].view.name, others, ": ", tensor_name(bad),
                                            " became ", detail::non_finite_name(weights[bad]),
                                            "; the learning rate is ", lr));
  }

  /// The configs and segments of each slate: all random draws of a step happen here, in order. Returns the rows
  /// of the largest.
  std::int64_t draw_slates(Span<const PreparedProgram> train, Span<const std::size_t> batch, Rng& rng) {
    slates_.resize(std::max(slates_.size(), batch.size()));
    std::int64_t most_rows = 0;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      const PreparedProgram& program = train[batch[j]];
      Slate& slate = slates_[j];
      slate.program = batch[j];
      slate.configs.clear();
      samplers_[batch[j]].draw(static_cast<std::size_t>(options_.configs_per_graph), rng, slate.configs);
      slate.label.clear();
      for (const std::int32_t c : slate.configs) slate.label.push_back(program.view.label(c));
      slate.seed = rng.next();
      slate.drop_edge = options_.drop_edge;
      const auto num_segments = static_cast<std::int64_t>(program.segments.size());
      if (state_.head_phase) {
        slate.plan.role.assign(program.segments.size(), SegmentPlan::Role::kTable);
      } else {
        draw_segment_plan(options_.gst, num_segments, rng, slate.plan);
      }
      const std::int64_t rows =
          model_.rows_per_config(program) * static_cast<std::int64_t>(slate.configs.size());
      most_rows = std::max({most_rows, rows, std::int64_t{program.segments[0].graph.num_nodes()}});
    }
    return most_rows;
  }

  [[nodiscard]] Status check_slate(const PreparedProgram& program, const Slate& slate) const {
    if (!slate.status.ok()) return named(program, slate.status);
    const std::size_t bad = find_non_finite(Span<const float>(slate.grad));
    if (bad == slate.grad.size()) return {};
    return Status::invalid_argument(str_cat(program.view.name, ": the gradient of ", tensor_name(bad), " is ",
                                            detail::non_finite_name(slate.grad[bad])));
  }

  /// Whose element `i` of the flat buffer is.
  [[nodiscard]] std::string_view tensor_name(std::size_t i) const {
    const auto place = static_cast<std::int64_t>(i);
    for (const ParamSpec::Entry& entry : model_.spec().entries()) {
      const std::int64_t begin = model_.spec().position(entry.param);
      if (place >= begin && place < begin + entry.param.size()) return entry.name;
    }
    return "padding";
  }

  GnnCostModel& model_;
  TrainerOptions options_;
  LossOptions loss_;
  ThreadPool* pool_;
  // Of a run.
  TrainState state_;
  std::optional<AdamW<float>> optimizer_;
  std::map<std::string, std::string> settings_;  // what a checkpoint is only good for
  int num_main_epochs_ = 0;                      // the others train the head alone
  std::size_t head_begin_ = 0;                   // the head's weights are the last trainable ones
  LrSchedule main_schedule_, head_schedule_;
  std::vector<SlateSampler> samplers_;  // of each training program
  std::vector<std::size_t> slots_;      // the programs of an epoch's slates
  std::vector<Slate> slates_;           // of a step
  std::vector<std::unique_ptr<SlateWorker>>
      workers_;                     // for small slates: one each, without threads of their own
  SlateWorker all_threads_{pool_};  // for large ones
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_TRAINER_HPP
