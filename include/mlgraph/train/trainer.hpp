// SPDX-License-Identifier: Apache-2.0
// Trainer: fits a cost model to measured programs, keeps the weights that validate best, stops early.
#ifndef MLGRAPH_TRAIN_TRAINER_HPP
#define MLGRAPH_TRAIN_TRAINER_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
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

namespace mlgraph {

/// What the best epoch is judged by, on the validation programs.
enum class Selection : std::uint8_t {
  kKendallTau,    ///< highest mean tau: layout
  kTop5Slowdown,  ///< lowest mean slowdown@5: tile
};

struct TrainerOptions {
  int epochs = 100;
  int patience = 0;                  ///< stop after as many epochs without a better one; 0 = never
  std::int64_t graphs_per_step = 8;  ///< gradients are averaged over as many slates
  std::int64_t configs_per_graph = 16;
  std::int64_t max_slates_per_graph = 1;  ///< slates of each graph in an epoch; fewer where it has few configs
  ConfigSampling sampling = ConfigSampling::kUniform;
  double lr = 1e-3;
  double min_lr = 0;  ///< the cosine schedule ends here; lr itself for a constant rate
  double warmup_fraction = 0.05;
  double weight_decay = 0;  ///< decoupled (AdamW)
  double clip_norm = 1;     ///< global; 0 = no clipping
  std::uint64_t seed = 1;
  int validate_every = 1;  ///< epochs
  /// A step whose slates all have fewer rows than this gives each thread slates of its own; in any other the
  /// slates follow each other, all threads in each. Decides time and memory; the weights have the same bits.
  std::int64_t large_slate_rows = 8192;
};

MLGRAPH_BEGIN_ISA

/// What the caller hears after each epoch.
struct EpochReport {
  int epoch = 0;  // from 1
  double train_loss = 0;
  double lr = 0;
  bool validated = false;
  RankingMetrics valid;  // of this epoch, when validated
  bool is_best = false;
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int best_epoch = 0;  // 0: the start weights, when no epoch was validated
  RankingMetrics best_valid;
  bool stopped_by_caller = false;
};

/// Trains `model` in place; afterwards it holds the weights of the best validated epoch.
///
/// Every graph of a step is a tape of its own and the gradients are added in the order of the graphs, so the
/// weights have the same bits for any number of threads.
class Trainer {
 public:
  /// `loss` is applied to each slate. Model and pool are borrowed and must outlive the trainer; `pool` may be
  /// null.
  Trainer(GnnCostModel& model, const TrainerOptions& options, const LossOptions& loss,
          ThreadPool* pool = nullptr)
      : model_(model), options_(options), loss_(loss), pool_(pool) {}

  /// Runs the epochs. `on_epoch(const EpochReport&)` returns false to stop after this epoch.
  ///
  /// Programs whose selected configs carry no ranking (fewer than two, or equal labels) are not trained on.
  /// Without validation programs the last weights are kept.
  /// Errors: no training program with a ranking; options out of range; a loss, gradient or score that is not
  ///         finite, with its epoch and program. The model then holds the best weights so far.
  template <class OnEpoch>
  [[nodiscard]] Result<TrainReport> run(Span<const PreparedProgram> train, Span<const PreparedProgram> valid,
                                        Selection selection, OnEpoch&& on_epoch) {
    MLGRAPH_RETURN_IF_ERROR(check_options());
    for (const PreparedProgram& program : valid) MLGRAPH_RETURN_IF_ERROR(check_labels(program));
    MLGRAPH_RETURN_IF_ERROR(make_slates(train));
    const LrSchedule schedule = LrSchedule::cosine(options_.lr, steps_per_epoch() * options_.epochs,
                                                   options_.warmup_fraction, options_.min_lr);
    MLGRAPH_RETURN_IF_ERROR(schedule.validate());
    AdamW<float> optimizer(model_.parameters().grad.size(), adam_options());

    Rng rng(options_.seed);
    TrainReport report;
    AlignedVector<float> best = model_.parameters().value;
    Status status;
    for (int epoch = 1; epoch <= options_.epochs; ++epoch) {
      EpochReport now;
      now.epoch = epoch;
      status = train_epoch(train, schedule, rng, optimizer, now);
      if (status.ok()) status = judge_epoch(valid, selection, report, now);
      if (!status.ok()) {
        status = Status(status.code(), str_cat("epoch ", epoch, ": ", status.message()));
        break;
      }
      if (now.is_best) {
        report.best_epoch = epoch;
        report.best_valid = now.valid;
        best = model_.parameters().value;
      }
      report.epochs.push_back(now);
      if (!on_epoch(static_cast<const EpochReport&>(now))) {
        report.stopped_by_caller = true;
        break;
      }
      // Where not every epoch is validated, the next one that is gets its chance.
      if (now.validated && options_.patience > 0 && epoch - report.best_epoch >= options_.patience) break;
    }
    model_.parameters().value = best;
    MLGRAPH_RETURN_IF_ERROR(status);
    return report;
  }

 private:
  struct Slate {
    std::size_t program;
  };
  /// What computes a slate.
  struct Worker {
    explicit Worker(ThreadPool* pool) : tape(pool) {}
    Tape tape;
    GnnCostModel::Scratch scratch;
  };
  /// One slate of a step, and what came out.
  struct Job {
    std::vector<std::int32_t> configs;
    std::vector<double> label;
    AlignedVector<float> grad;
    std::uint64_t seed = 0;
    double loss = 0;
    Status status;
  };

  [[nodiscard]] Status check_options() const {
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t low) -> Status {
      if (value >= low) return {};
      return Status::invalid_argument(
          str_cat("trainer: ", name, " is ", value, "; should be ", low, " or more"));
    };
    MLGRAPH_RETURN_IF_ERROR(at_least("epochs", options_.epochs, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("patience", options_.patience, 0));
    MLGRAPH_RETURN_IF_ERROR(at_least("graphs_per_step", options_.graphs_per_step, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("configs_per_graph", options_.configs_per_graph, 2));
    MLGRAPH_RETURN_IF_ERROR(at_least("max_slates_per_graph", options_.max_slates_per_graph, 1));
    MLGRAPH_RETURN_IF_ERROR(at_least("validate_every", options_.validate_every, 1));
    if (!(options_.warmup_fraction >= 0 && options_.warmup_fraction < 1)) {
      return Status::invalid_argument(
          str_cat("trainer: warmup_fraction is ", options_.warmup_fraction, "; should be in [0, 1)"));
    }
    if (!(options_.clip_norm >= 0)) {
      return Status::invalid_argument(
          str_cat("trainer: clip_norm is ", options_.clip_norm, "; should be positive, or 0 for no clipping"));
    }
    return validate_adam(adam_options());
  }

  [[nodiscard]] AdamWOptions adam_options() const {
    AdamWOptions adam;
    adam.weight_decay = options_.weight_decay;
    return adam;
  }

  /// A sampler for each program, and what an epoch goes through.
  [[nodiscard]] Status make_slates(Span<const PreparedProgram> train) {
    samplers_.clear();
    slates_.clear();
    for (std::size_t i = 0; i < train.size(); ++i) {
      MLGRAPH_RETURN_IF_ERROR(check_labels(train[i]));
      samplers_.emplace_back(train[i].view, train[i].selection, options_.sampling);
      if (!has_ranking(train[i])) continue;
      const auto n = static_cast<std::int64_t>(train[i].selection.size());
      const std::int64_t wanted = (n + options_.configs_per_graph - 1) / options_.configs_per_graph;
      for (std::int64_t k = 0; k < std::min(wanted, options_.max_slates_per_graph); ++k) slates_.push_back({i});
    }
    if (!slates_.empty()) return {};
    return Status::invalid_argument("no training program has two configs with different labels to rank");
  }

  static bool has_ranking(const PreparedProgram& program) {
    for (const std::int32_t c : program.selection) {
      if (program.view.label(c) != program.view.label(program.selection[0])) return true;
    }
    return false;
  }

  [[nodiscard]] std::int64_t steps_per_epoch() const {
    return (static_cast<std::int64_t>(slates_.size()) + options_.graphs_per_step - 1) /
           options_.graphs_per_step;
  }

  Status train_epoch(Span<const PreparedProgram> train, const LrSchedule& schedule, Rng& rng,
                     AdamW<float>& optimizer, EpochReport& now) {
    rng.shuffle(Span<Slate>(slates_));
    const auto per_step = static_cast<std::size_t>(options_.graphs_per_step);
    for (std::size_t begin = 0; begin < slates_.size(); begin += per_step) {
      now.lr = schedule.at(optimizer.state().step);
      const Span<const Slate> batch =
          Span<const Slate>(slates_).subspan(begin, std::min(per_step, slates_.size() - begin));
      double loss = 0;
      MLGRAPH_RETURN_IF_ERROR(run_step(train, batch, now.lr, rng, optimizer, loss));
      now.train_loss += loss * static_cast<double>(batch.size()) / static_cast<double>(slates_.size());
    }
    const AlignedVector<float>& weights = model_.parameters().value;
    const std::size_t bad = find_non_finite(Span<const float>(weights), pool_);
    if (bad == weights.size()) return {};
    return Status::invalid_argument(
        str_cat(tensor_name(bad), " became ", weights[bad], "; the learning rate is ", now.lr));
  }

  /// Validates when it is time, and says whether the epoch is the best one.
  Status judge_epoch(Span<const PreparedProgram> valid, Selection selection, const TrainReport& report,
                     EpochReport& now) const {
    now.is_best = valid.empty();
    if (valid.empty() || (now.epoch % options_.validate_every != 0 && now.epoch != options_.epochs)) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const Evaluation evaluation, evaluate(model_, valid, pool_));
    now.validated = true;
    now.valid = evaluation.mean;
    now.is_best = report.best_epoch == 0 || better(now.valid, report.best_valid, selection);
    return {};
  }

  static bool better(const RankingMetrics& a, const RankingMetrics& b, Selection selection) {
    if (selection == Selection::kKendallTau) return a.kendall_tau > b.kendall_tau;
    if (a.slowdown[1] != b.slowdown[1]) return a.slowdown[1] < b.slowdown[1];
    return a.slowdown[0] < b.slowdown[0];  // many models find a fastest tile among five
  }

  Status run_step(Span<const PreparedProgram> train, Span<const Slate> batch, double lr, Rng& rng,
                  AdamW<float>& optimizer, double& mean_loss) {
    const std::int64_t most_rows = draw_jobs(train, batch, rng);
    const auto count = static_cast<std::int64_t>(batch.size());
    if (pool_ != nullptr && count > 1 && most_rows < options_.large_slate_rows) {
      while (workers_.size() < batch.size()) workers_.push_back(std::make_unique<Worker>(nullptr));
      pool_->run(count, [&](std::int64_t i) {
        const auto j = static_cast<std::size_t>(i);
        run_job(train[batch[j].program], *workers_[j], jobs_[j]);
      });
    } else {
      for (std::size_t j = 0; j < batch.size(); ++j) run_job(train[batch[j].program], all_threads_, jobs_[j]);
    }

    AlignedVector<float>& grad = model_.parameters().grad;
    model_.parameters().zero_grad();
    const double weight = 1 / static_cast<double>(batch.size());
    mean_loss = 0;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      MLGRAPH_RETURN_IF_ERROR(check_job(train[batch[j].program], jobs_[j]));
      mean_loss += weight * jobs_[j].loss;
      kernels::axpy(static_cast<float>(weight), jobs_[j].grad.data(), grad.data(),
                    static_cast<std::int64_t>(grad.size()), nullptr);
    }
    if (options_.clip_norm > 0)
      MLGRAPH_RETURN_IF_ERROR(clip_grad_norm(Span<float>(grad), options_.clip_norm, pool_).status());
    return optimizer.step(model_.parameters().trainable(), Span<const float>(grad), lr, pool_);
  }

  /// The configs of each slate: all random draws of a step happen here, in order. Returns the rows of the
  /// largest.
  std::int64_t draw_jobs(Span<const PreparedProgram> train, Span<const Slate> batch, Rng& rng) {
    jobs_.resize(std::max(jobs_.size(), batch.size()));
    std::int64_t most_rows = 0;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      const PreparedProgram& program = train[batch[j].program];
      Job& job = jobs_[j];
      job.configs.clear();
      samplers_[batch[j].program].draw(static_cast<std::size_t>(options_.configs_per_graph), rng, job.configs);
      job.label.clear();
      for (const std::int32_t c : job.configs) job.label.push_back(program.view.label(c));
      job.seed = rng.next();
      const std::int64_t rows = model_.rows_per_config(program) * static_cast<std::int64_t>(job.configs.size());
      most_rows = std::max({most_rows, rows, static_cast<std::int64_t>(program.view.graph.num_nodes())});
    }
    return most_rows;
  }

  void run_job(const PreparedProgram& program, Worker& worker, Job& job) const {
    job.grad.assign(model_.parameters().grad.size(), 0.0f);
    Tape& tape = worker.tape;
    tape.bind(model_.spec(), Span<const float>(model_.parameters().value), Span<float>(job.grad));
    tape.begin(job.seed);
    const std::int32_t slate[] = {0, static_cast<std::int32_t>(job.configs.size())};
    const Var score = model_.score(tape, program, job.configs, worker.scratch);
    const Var loss = ranking_loss(tape, score, job.label, slate, loss_);
    job.status = tape.backward(loss);
    job.loss = job.status.ok() ? static_cast<double>(*tape.value(loss).data) : 0;
  }

  [[nodiscard]] Status check_job(const PreparedProgram& program, const Job& job) const {
    const std::string_view name = program.view.name;
    if (!job.status.ok()) return Status(job.status.code(), str_cat(name, ": ", job.status.message()));
    if (!std::isfinite(job.loss)) {
      return Status::invalid_argument(
          str_cat(name, ": the loss is ", job.loss, "; the slate begins with config ", job.configs[0]));
    }
    const std::size_t bad = find_non_finite(Span<const float>(job.grad));
    if (bad == job.grad.size()) return {};
    return Status::invalid_argument(
        str_cat(name, ": the gradient of ", tensor_name(bad), " is ", job.grad[bad]));
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
  std::vector<SlateSampler> samplers_;            // of each training program
  std::vector<Slate> slates_;                     // of an epoch
  std::vector<Job> jobs_;                         // of a step
  std::vector<std::unique_ptr<Worker>> workers_;  // for small slates: one each, without threads of their own
  Worker all_threads_{pool_};                     // for large ones
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_TRAINER_HPP
