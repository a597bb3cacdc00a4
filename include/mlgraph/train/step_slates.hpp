// SPDX-License-Identifier: Apache-2.0
// StepSlates: which slates an epoch and a step have, and the sum of what they compute.
#ifndef MLGRAPH_TRAIN_STEP_SLATES_HPP
#define MLGRAPH_TRAIN_STEP_SLATES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/dist/tree_sum.hpp"
#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/program_cache.hpp"
#include "mlgraph/train/rank_step.hpp"
#include "mlgraph/train/sampler.hpp"
#include "mlgraph/train/segment_training.hpp"
#include "mlgraph/train/slate.hpp"
#include "mlgraph/train/train_settings.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A step of a training: where its random numbers come from, and what it does.
struct StepPlace {
  std::int64_t epoch = 0;   // from 1
  std::int64_t step = 0;    // of the epoch, from 0
  bool head_phase = false;  // nothing has a gradient before the read-out
};

/// The slates of a training.
///
/// What a slate draws (its configurations, segments, dropout and dropped edges) is a function of (seed, epoch,
/// step, its place in the step), so it can be computed anywhere. Each has a tape of its own; gradients are
/// added by a fixed tree over their places, so the sum has the same bits for any number of threads and ranks.
class StepSlates {
 public:
  /// All are borrowed. Model::parameters() is written by run() alone.
  StepSlates(Model& model, const Recipe& recipe, const Objective& objective, const TrainOptions& options)
      : model_(model), recipe_(recipe), objective_(objective), options_(options), all_threads_(options.pool) {}

  /// Looks at the programs: how many slates each has in an epoch. Calls `visit(const PreparedProgram&)` for
  /// each, so that none is prepared twice.
  /// Errors: a program that the objective refuses; none with something to fit; those of ProgramCache::hold().
  template <class Visit>
  [[nodiscard]] Status start(ProgramCache train, Visit&& visit) {
    train_ = std::move(train);
    const std::int64_t most = most_slates(static_cast<std::int64_t>(train_.size()));
    const Status seen = train_.for_each([&](const PreparedProgram& program) -> Status {
      MLGRAPH_RETURN_IF_ERROR(objective_.check(program));
      visit(program);
      const std::size_t i = shapes_.size();
      shapes_.push_back({program.segments.size(), program.segments[0].graph.num_nodes(),
                         model_.rows_added_by_config(program)});
      most_segments_ = std::max(most_segments_, program.segments.size());
      samplers_.emplace_back(program.view, program.selection, recipe_.sampling);
      if (!objective_.can_fit(program)) return {};
      const auto n = signed_size(program.selection);
      const std::int64_t wanted = (n + recipe_.configs_per_graph - 1) / recipe_.configs_per_graph;
      slots_.insert(slots_.end(), as_size(std::min(wanted, most)), i);
      return {};
    });
    MLGRAPH_RETURN_IF_ERROR(seen);
    if (!slots_.empty()) return {};
    return Status::invalid_argument(str_cat("no training program has ", objective_.wants()));
  }
  [[nodiscard]] Status start(ProgramCache train) {
    return start(std::move(train), [](const PreparedProgram&) {});
  }

  /// Of a program, and the most of any.
  [[nodiscard]] std::size_t num_segments(std::size_t i) const { return shapes_[i].num_segments; }
  [[nodiscard]] std::size_t most_segments() const { return most_segments_; }
  [[nodiscard]] std::int64_t steps_per_epoch() const {
    return (signed_size(slots_) + recipe_.graphs_per_step - 1) / recipe_.graphs_per_step;
  }
  /// The programs of an epoch's slates, in its order: those of a step follow each other.
  [[nodiscard]] std::vector<std::size_t> order(std::int64_t epoch) const {
    std::vector<std::size_t> order = slots_;
    Rng(seed_of({static_cast<std::uint64_t>(epoch)})).shuffle(order);
    return order;
  }

  /// Computes a step: one slate of each program of `batch`. Their mean gradient is in model.parameters().grad
  /// afterwards, the statistics of batch norm have moved by the mean of what each slate moved them, and the
  /// embeddings that the slates made are in `table`, where there is one. -> the mean loss.
  /// Errors: those of SlateWorker::run(); a gradient that is not finite, with its tensor. They name the
  ///         program. Those of ProgramCache::hold() and Communicator::send_receive().
  [[nodiscard]] Result<double> run(Span<const std::size_t> batch, const StepPlace& place,
                                   EmbeddingTable* table) {
    const bool is_small = draw(batch, place) < options_.large_slate_rows;
    step_.begin(options_.ranks, costs_);
    const PlaceRange mine = step_.mine();
    if (options_.pool != nullptr && mine.size() > 1 && is_small) {
      while (workers_.size() < mine.size()) workers_.push_back(std::make_unique<SlateWorker>(nullptr));
      const auto held = train_.hold(batch.subspan(mine.begin, mine.size()), options_.pool);
      options_.pool->run(static_cast<std::int64_t>(mine.size()), [&](std::int64_t i) {
        run_slate(*workers_[as_size(i)], held.status(), held.ok() ? (*held)[as_size(i)] : nullptr, table,
                  slates_[mine.begin + as_size(i)]);
      });
    } else {
      for (std::size_t j = mine.begin; j < mine.end; ++j) {
        const auto held = train_.hold(batch[j]);
        run_slate(all_threads_, held.status(), held.ok() ? *held : nullptr, table, slates_[j]);
      }
    }
    return add_up(batch, table);
  }

  /// The most bytes that the matrices of one slate took.
  [[nodiscard]] std::size_t peak_bytes() const {
    std::size_t bytes = all_threads_.peak_bytes();
    for (const auto& worker : workers_) bytes = std::max(bytes, worker->peak_bytes());
    return bytes;
  }

 private:
  /// Slates of each graph so that an epoch has about 100 steps: a few programs with many configs would
  /// otherwise have epochs of a single step.
  [[nodiscard]] std::int64_t most_slates(std::int64_t num_programs) const {
    constexpr std::int64_t kSteps = 100;
    if (recipe_.max_slates_per_graph > 0) return recipe_.max_slates_per_graph;
    return std::max<std::int64_t>(1, kSteps * recipe_.graphs_per_step / num_programs);
  }

  /// A random number for each place in the training.
  [[nodiscard]] std::uint64_t seed_of(std::initializer_list<std::uint64_t> place) const {
    std::uint64_t seed = mix64(options_.seed);
    for (const std::uint64_t i : place) seed = mix64(seed ^ i);
    return seed;
  }

  /// A slate of a program that is there, or why it is not: its file may have been changed.
  void run_slate(SlateWorker& worker, const Status& status, const ProgramCache::Held& program,
                 EmbeddingTable* table, Slate& slate) {
    if (program != nullptr) return worker.run(model_, *program, objective_, table, slate);
    slate.status = status;
    slate.grad.assign(model_.parameters().grad.size(), 0.0F);
    slate.state.assign(model_.parameters().value.size() - slate.grad.size(), 0.0F);
  }

  /// The configs and segments of each slate. Returns the rows of the largest.
  std::int64_t draw(Span<const std::size_t> batch, const StepPlace& place) {
    slates_.resize(std::max(slates_.size(), batch.size()));
    costs_.clear();
    std::int64_t most_rows = 0;
    for (std::size_t j = 0; j < batch.size(); ++j) {
      const Shape& shape = shapes_[batch[j]];
      Rng rng(seed_of({static_cast<std::uint64_t>(place.epoch), static_cast<std::uint64_t>(place.step), j}));
      Slate& slate = slates_[j];
      slate.program = batch[j];
      slate.seed = rng.next();
      slate.drop_edge = recipe_.drop_edge;
      slate.configs.clear();
      samplers_[batch[j]].draw(as_size(recipe_.configs_per_graph), rng, slate.configs);
      if (place.head_phase) {
        slate.plan.role.assign(shape.num_segments, SegmentPlan::Role::kTable);
      } else {
        draw_segment_plan(recipe_.gst, static_cast<std::int64_t>(shape.num_segments), rng, slate.plan);
      }
      const std::int64_t rows = shape.rows_of_config * signed_size(slate.configs);
      most_rows = std::max({most_rows, rows, shape.first_nodes});
      costs_.push_back(rows + train_.view(batch[j]).graph.num_nodes());
    }
    return most_rows;
  }

  /// What can be wrong with a slate that was computed here.
  [[nodiscard]] Status check(const ProgramView& program, const Slate& slate) const {
    if (!slate.status.ok()) return slate.status.annotate(program.name);
    return check_sample_gradient(model_.spec(), slate.grad).annotate(program.name);
  }

  /// The mean gradient of the slates of all ranks, and of how they moved the state; their embeddings are in the
  /// table then. -> the mean loss.
  Result<double> add_up(Span<const std::size_t> batch, EmbeddingTable* table) {
    std::vector<float*> grads, states;
    std::vector<Status> status;  // before the gradients become parts of sums
    const PlaceRange mine = step_.mine();
    for (std::size_t j = mine.begin; j < mine.end; ++j) {
      status.push_back(check(train_.view(batch[j]), slates_[j]));
      grads.push_back(slates_[j].grad.data());
      states.push_back(slates_[j].state.data());
    }
    Parameters<float>& parameters = model_.parameters();
    const std::size_t num_grads = parameters.grad.size();
    MLGRAPH_RETURN_IF_ERROR(step_.add_up(grads, states, num_grads, parameters.value.size() - num_grads,
                                         options_.pool, [&](std::size_t j, NoteWriter& note) {
                                           note.add_status(status[j - mine.begin]);
                                           note.add(slates_[j].loss);
                                           if (table != nullptr) slates_[j].buffers.write(note);
                                         }));
    double mean_loss = 0;
    const auto take = [&](std::size_t j, const Status& of_slate) -> Status {
      MLGRAPH_RETURN_IF_ERROR(of_slate);
      const Slate& slate = slates_[j];
      if (table != nullptr) {
        const Status stored = slate.buffers.store(static_cast<std::uint32_t>(slate.program), *table);
        if (!stored.ok()) return stored.annotate(train_.view(batch[j]).name);
      }
      mean_loss += slate.loss / static_cast<double>(batch.size());
      return {};
    };
    MLGRAPH_RETURN_IF_ERROR(step_.for_each([&](std::size_t j) { return take(j, status[j - mine.begin]); },
                                           [&](std::size_t j, NoteReader& note) {
                                             const Status of_slate = note.take_status();
                                             slates_[j].loss = note.take<double>();
                                             if (table != nullptr) slates_[j].buffers.read(note);
                                             return note.ok() ? take(j, of_slate) : Status();
                                           }));
    const float weight = 1 / static_cast<float>(batch.size());
    step_.apply(parameters, weight, weight, options_.pool);
    return mean_loss;
  }

  /// What must be known of a program on every rank, whoever computes its slates.
  struct Shape {
    std::size_t num_segments = 0;
    std::int64_t first_nodes = 0;     // of the first segment
    std::int64_t rows_of_config = 0;  // Model::rows_added_by_config()
  };

  Model& model_;
  const Recipe& recipe_;
  const Objective& objective_;
  const TrainOptions& options_;
  ProgramCache train_;
  std::vector<Shape> shapes_;  // of each training program
  std::size_t most_segments_ = 0;
  std::vector<SlateSampler> samplers_;  // of each training program
  std::vector<std::size_t> slots_;      // the programs of an epoch's slates
  std::vector<Slate> slates_;           // of a step
  std::vector<std::int64_t> costs_;     // of each, in rows
  RankStep step_;
  std::vector<std::unique_ptr<SlateWorker>>
      workers_;              // for small slates: one each, without threads of their own
  SlateWorker all_threads_;  // for large ones
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_STEP_SLATES_HPP
