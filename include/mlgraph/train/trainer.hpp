// SPDX-License-Identifier: Apache-2.0
// Trainer: fits a cost model to measured programs, keeps the weights that validate best, stops early.
#ifndef MLGRAPH_TRAIN_TRAINER_HPP
#define MLGRAPH_TRAIN_TRAINER_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
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
  std::int32_t validate_every = 1;  ///< epochs
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
  /// `loss` is applied to each slate. Everything is borrowed and must outlive the trainer; `pool` may be null.
  Trainer(GnnCostModel& model, const TrainerOptions& options, const LossOptions& loss,
          ThreadPool* pool = nullptr)
      : model_(model), options_(options), loss_(loss), pool_(pool) {}

  /// Runs the epochs. `on_epoch(const EpochReport&)` returns false to stop after this epoch.
  ///
  /// Without validation programs the last weights are kept.
  /// Errors: no training program with two configs; options out of range; a loss or gradient that is not finite,
  /// with its
  ///         epoch and graph. The model then holds the best weights so far.
  template <class OnEpoch>
  [[nodiscard]] Result<TrainReport> run(Span<const PreparedProgram> train, Span<const PreparedProgram> valid,
                                        Selection selection, OnEpoch&& on_epoch) {
    MLGRAPH_RETURN_IF_ERROR(check_options());
    std::vector<SlateSampler> samplers;
    std::vector<Slate> slates;
    for (std::size_t i = 0; i < train.size(); ++i) {
      samplers.emplace_back(train[i].view, train[i].selection, options_.sampling);
      const auto n = static_cast<std::int64_t>(train[i].selection.size());
      if (n < 2) continue;  // one configuration carries no ranking
      const std::int64_t wanted = (n + options_.configs_per_graph - 1) / options_.configs_per_graph;
      for (std::int64_t k = 0; k < std::min(wanted, options_.max_slates_per_graph); ++k) slates.push_back({i});
    }
    if (slates.empty()) return Status::invalid_argument("no training program has two configs to rank");

    const auto per_step = static_cast<std::size_t>(options_.graphs_per_step);
    const std::size_t steps_per_epoch = (slates.size() + per_step - 1) / per_step;
    const LrSchedule schedule =
        LrSchedule::cosine(options_.lr, static_cast<std::int64_t>(steps_per_epoch) * options_.epochs,
                           options_.warmup_fraction, options_.min_lr);
    MLGRAPH_RETURN_IF_ERROR(schedule.validate());
    AdamWOptions adam;
    adam.weight_decay = options_.weight_decay;
    AdamW<float> optimizer(model_.parameters().grad.size(), adam);

    Rng rng(options_.seed);
    TrainReport report;
    AlignedVector<float> best = model_.parameters().value;
    std::int64_t step = 0;
    Status status;
    for (int epoch = 1; epoch <= options_.epochs && status.ok(); ++epoch) {
      EpochReport now;
      now.epoch = epoch;
      rng.shuffle(Span<Slate>(slates));
      for (std::size_t begin = 0; begin < slates.size() && status.ok(); begin += per_step) {
        now.lr = schedule.at(step++);
        const Span<const Slate> batch =
            Span<const Slate>(slates).subspan(begin, std::min(per_step, slates.size() - begin));
        double loss = 0;
        status = run_step(train, samplers, batch, now.lr, rng, optimizer, loss);
        now.train_loss += loss * static_cast<double>(batch.size()) / static_cast<double>(slates.size());
      }
      if (!status.ok()) {
        status = Status(status.code(), str_cat("epoch ", epoch, ": ", status.message()));
        break;
      }
      if (!valid.empty() && (epoch % options_.validate_every == 0 || epoch == options_.epochs)) {
        Result<Evaluation> evaluation = evaluate(model_, valid, pool_);
        if (!evaluation.ok()) {
          status = evaluation.status();
          break;
        }
        now.validated = true;
        now.valid = evaluation->mean;
        now.is_best = report.best_epoch == 0 || better(now.valid, report.best_valid, selection);
      } else if (valid.empty()) {
        now.is_best = true;
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
      if (options_.patience > 0 && epoch - report.best_epoch >= options_.patience) break;
    }
    model_.parameters().value = best;
    MLGRAPH_RETURN_IF_ERROR(status);
    return report;
  }

 private:
  struct Slate {
    std::size_t program;
  };
  /// What computes one slate: a tape, its gradient and its buffers.
  struct Worker {
    explicit Worker(ThreadPool* pool) : tape(pool) {}
    Tape tape;
    GnnCostModel::Scratch scratch;
  };
  struct Task {
    std::vector<std::int32_t> configs;
    std::vector<double> label;
    AlignedVector<float> grad;
    std::uint64_t seed = 0;
    double loss = 0;
    Status status;
  };

  [[nodiscard]] Status check_options() const {
    const auto positive = [](const char* name, std::int64_t value) -> Status {
      if (value > 0) return {};
      return Status::invalid_argument(str_cat("trainer: ", name, " is ", value, "; should be 1 or more"));
    };
    MLGRAPH_RETURN_IF_ERROR(positive("epochs", options_.epochs));
    MLGRAPH_RETURN_IF_ERROR(positive("graphs_per_step", options_.graphs_per_step));
    MLGRAPH_RETURN_IF_ERROR(positive("max_slates_per_graph", options_.max_slates_per_graph));
    MLGRAPH_RETURN_IF_ERROR(positive("validate_every", options_.validate_every));
    if (options_.configs_per_graph < 2) {
      return Status::invalid_argument(
          str_cat("trainer: configs_per_graph is ", options_.configs_per_graph, "; should be 2 or more"));
    }
    return {};
  }

  static bool better(const RankingMetrics& a, const RankingMetrics& b, Selection selection) {
    if (selection == Selection::kKendallTau) return a.kendall_tau > b.kendall_tau;
    if (a.slowdown[1] != b.slowdown[1]) return a.slowdown[1] < b.slowdown[1];
    return a.slowdown[0] < b.slowdown[0];  // many models find a fastest tile among five
  }

  Status run_step(Span<const PreparedProgram> train, const std::vector<SlateSampler>& samplers,
                  Span<const Slate> batch, double lr, Rng& rng, AdamW<float>& optimizer, double& mean_loss) {
    tasks_.resize(std::max(tasks_.size(), batch.size()));
    std::int64_t most_rows = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {  // all random draws happen here, in order
      const PreparedProgram& program = train[batch[i].program];
      Task& task = tasks_[i];
      task.configs.clear();
      samplers[batch[i].program].draw(static_cast<std::size_t>(options_.configs_per_graph), rng, task.configs);
      task.label.clear();
      for (const std::int32_t c : task.configs) task.label.push_back(program.view.label(c));
      task.seed = rng.next();
      most_rows =
          std::max(most_rows, program.graph.num_nodes() * static_cast<std::int64_t>(task.configs.size()));
    }
    // Small graphs: a thread each, on tapes of their own. Large ones: one after the other on one tape, all
    // threads in each kernel. The bits are the same.
    constexpr std::int64_t kSmallRows = 8192;
    const bool graph_per_thread = most_rows < kSmallRows;
    const std::size_t num_workers = graph_per_thread ? batch.size() : 1;
    while (workers_.size() < num_workers) workers_.push_back(std::make_unique<Worker>(nullptr));
    if (!graph_per_thread && large_ == nullptr) large_ = std::make_unique<Worker>(pool_);
    const auto run_one = [&](std::int64_t i) {
      const auto t = static_cast<std::size_t>(i);
      run_slate(train[batch[t].program], graph_per_thread ? *workers_[t] : *large_, tasks_[t]);
    };
    const auto count = static_cast<std::int64_t>(batch.size());
    if (graph_per_thread && pool_ != nullptr) {
      pool_->run(count, run_one);
    } else {
      for (std::int64_t i = 0; i < count; ++i) run_one(i);
    }

    AlignedVector<float>& grad = model_.parameters().grad;
    model_.parameters().zero_grad();
    const double weight = 1 / static_cast<double>(batch.size());
    mean_loss = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::string_view name = train[batch[i].program].view.name;
      if (!tasks_[i].status.ok())
        return Status(tasks_[i].status.code(), str_cat(name, ": ", tasks_[i].status.message()));
      if (!std::isfinite(tasks_[i].loss)) {
        return Status::invalid_argument(
            str_cat(name, ": the loss is ", tasks_[i].loss, "; configs begin with ", tasks_[i].configs[0]));
      }
      mean_loss += weight * tasks_[i].loss;
      kernels::axpy(static_cast<float>(weight), tasks_[i].grad.data(), grad.data(),
                    static_cast<std::int64_t>(grad.size()), nullptr);
    }
    if (options_.clip_norm > 0)
      MLGRAPH_RETURN_IF_ERROR(clip_grad_norm(Span<float>(grad), options_.clip_norm, nullptr).status());
    return optimizer.step(model_.parameters().trainable(), Span<const float>(grad), lr, nullptr);
  }

  void run_slate(const PreparedProgram& program, Worker& worker, Task& task) const {
    task.grad.assign(model_.parameters().grad.size(), 0.0f);
    Tape& tape = worker.tape;
    tape.bind(model_.spec(), Span<const float>(model_.parameters().value), Span<float>(task.grad));
    tape.begin(task.seed);
    const std::int32_t slate[] = {0, static_cast<std::int32_t>(task.configs.size())};
    const Var score = model_.score(tape, program, task.configs, worker.scratch);
    const Var loss = ranking_loss(tape, score, task.label, slate, loss_);
    task.status = tape.backward(loss);
    task.loss = task.status.ok() ? static_cast<double>(*tape.value(loss).data) : 0;
  }

  GnnCostModel& model_;
  TrainerOptions options_;
  LossOptions loss_;
  ThreadPool* pool_;
  std::vector<Task> tasks_;
  std::vector<std::unique_ptr<Worker>> workers_;  // for small graphs, serial each
  std::unique_ptr<Worker> large_;                 // for large graphs, on the pool
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_TRAINER_HPP
