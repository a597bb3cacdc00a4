// SPDX-License-Identifier: Apache-2.0
// What every training does, whatever its samples are: steps of the weights, epochs, patience, what a checkpoint
// has.
#ifndef MLGRAPH_TRAIN_EPOCH_LOOP_HPP
#define MLGRAPH_TRAIN_EPOCH_LOOP_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/communicator.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/train/ema.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/optimizer.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The weights of a training, and all that its steps carry from one to the next.
struct WeightState {
  AlignedVector<float> value;       // of the last step
  AlignedVector<float> best;        // of the best validated epoch
  OptimizerState<float> optimizer;  // of those that are stepped
  EmaState<float> ema;              // of the trainable weights, where the recipe asks for it
};

namespace detail {

template <class Container>
[[nodiscard]] SafeTensor state_tensor(std::string name, Dtype dtype, const Container& values) {
  return {std::move(name),
          dtype,
          {static_cast<std::int64_t>(values.size())},
          {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(values[0])}};
}

/// Copies a vector out of a checkpoint; `size` is what it must have, or -1 for any.
template <class Container>
[[nodiscard]] Status read_state(const SafeTensors& file, const std::string& name, Dtype dtype,
                                std::int64_t size, Container& values) {
  const SafeTensor* const tensor = file.find(name);
  if (tensor == nullptr) return Status::invalid_argument(str_cat("checkpoint: has no tensor ", name));
  if (tensor->dtype != dtype || tensor->shape.size() != 1 || (size >= 0 && tensor->shape[0] != size)) {
    return Status::invalid_argument(str_cat(
        "checkpoint: ", name, " is ", dtype_name(tensor->dtype), " ", shape_text(tensor->shape), "; should be ",
        size >= 0 ? str_cat(size) : std::string("a vector"), " of ", dtype_name(dtype)));
  }
  values.resize(static_cast<std::size_t>(tensor->shape[0]));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return {};
}

/// The weights and what the optimizer and the average have, as tensors of a checkpoint; their counts of steps
/// are kept beside.
inline void append_weight_state(const WeightState& state, std::vector<SafeTensor>& tensors) {
  tensors.push_back(state_tensor("value", Dtype::kF32, state.value));
  tensors.push_back(state_tensor("best", Dtype::kF32, state.best));
  tensors.push_back(state_tensor("optimizer.first", Dtype::kF32, state.optimizer.first));
  tensors.push_back(state_tensor("optimizer.second", Dtype::kF32, state.optimizer.second));
  tensors.push_back(state_tensor("ema", Dtype::kF32, state.ema.average));
}
/// The inverse. `state` has weights of the size of the model's.
[[nodiscard]] inline Status read_weight_state(const SafeTensors& file, WeightState& state) {
  const auto num_values = static_cast<std::int64_t>(state.value.size());
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "value", Dtype::kF32, num_values, state.value));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "best", Dtype::kF32, num_values, state.best));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "optimizer.first", Dtype::kF32, -1, state.optimizer.first));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "optimizer.second", Dtype::kF32, -1, state.optimizer.second));
  return read_state(file, "ema", Dtype::kF32, -1, state.ema.average);
}

}  // namespace detail

/// Steps weights by gradients as a recipe says: clipping, optimizer, moving average, and the check that no
/// weight became NaN or infinite.
class WeightSteps {
 public:
  /// All are borrowed.
  WeightSteps(const ParamSpec& spec, Parameters<float>& parameters, const Recipe& recipe, ThreadPool* pool)
      : spec_(spec), parameters_(parameters), recipe_(recipe), pool_(pool) {
    begin();
  }

  /// Begins with an optimizer that has made no step, and an average of the weights as they are. Weights before
  /// element `first` stay as they are.
  void begin(std::size_t first = 0) {
    first_ = first;
    optimizer_ = make_optimizer(recipe_, parameters_.grad.size() - first);
    if (recipe_.ema_decay > 0) ema_.emplace(parameters_.trainable(), EmaOptions{recipe_.ema_decay, true});
  }

  [[nodiscard]] std::int64_t num_steps() const { return optimizer_->num_steps(); }

  /// One step by `parameters.grad`, which is clipped in place. `samples()` names what the gradient is of.
  /// Errors: those of clip_gradient() and the optimizer; a weight that is not finite then, by its tensor.
  template <class Samples>
  [[nodiscard]] Status step(double lr, const Samples& samples) {
    const Span<float> grad(parameters_.grad);
    MLGRAPH_RETURN_IF_ERROR(clip_gradient(recipe_, spec_, grad, pool_));
    const std::size_t count = grad.size() - first_;
    MLGRAPH_RETURN_IF_ERROR(optimizer_->step(parameters_.trainable().subspan(first_, count),
                                             grad.subspan(first_, count), lr, pool_));
    // After the step and not when the weights next meet an input: an activation may hide a NaN, and the last
    // step has no next.
    const AlignedVector<float>& weights = parameters_.value;
    const std::size_t bad = find_non_finite(Span<const float>(weights), pool_);
    if (bad != weights.size()) {
      return Status::invalid_argument(str_cat(samples(), ": ", spec_.name_at(bad), " became ",
                                              detail::non_finite_name(weights[bad]), "; the learning rate is ",
                                              lr));
    }
    if (ema_.has_value()) ema_->update(parameters_.trainable(), pool_);
    return {};
  }

  /// Those of the last step, or the average.
  [[nodiscard]] AlignedVector<float> weights_to_keep() const {
    AlignedVector<float> weights = parameters_.value;
    if (ema_.has_value()) std::copy(ema_->average().begin(), ema_->average().end(), weights.begin());
    return weights;
  }

  /// What a checkpoint has of the steps.
  void save(WeightState& state) const {
    state.value = parameters_.value;
    state.optimizer = optimizer_->state();
    if (ema_.has_value()) state.ema = ema_->state();
  }
  /// Continues from a checkpoint, after begin().
  /// Errors: the state of another optimizer or of other weights.
  [[nodiscard]] Status resume(WeightState& state) {
    MLGRAPH_RETURN_IF_ERROR(optimizer_->set_state(std::move(state.optimizer)));
    if (ema_.has_value()) MLGRAPH_RETURN_IF_ERROR(ema_->set_state(std::move(state.ema)));
    parameters_.value = state.value;
    return {};
  }

 private:
  const ParamSpec& spec_;
  Parameters<float>& parameters_;
  const Recipe& recipe_;
  ThreadPool* pool_;
  std::size_t first_ = 0;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Ema<float>> ema_;
};

/// An error when a gradient is not finite, by its tensor.
[[nodiscard]] inline Status check_sample_gradient(const ParamSpec& spec, Span<const float> grad) {
  const std::size_t bad = find_non_finite(grad);
  if (bad == grad.size()) return {};
  return Status::invalid_argument(
      str_cat("the gradient of ", spec.name_at(bad), " is ", detail::non_finite_name(grad[bad])));
}

/// Whether a training goes on: the last epoch was not validated, or the best one since `from` is not yet
/// `patience` epochs ago. Where not every epoch is validated, the next one that is gets its chance.
template <class Epochs>
[[nodiscard]] bool has_patience(const Recipe& recipe, const Epochs& epochs, std::int64_t best_epoch,
                                std::int64_t from = 0) {
  if (recipe.patience == 0 || epochs.empty() || !epochs.back().validated) return true;
  return epochs.back().epoch - std::max(best_epoch, from) < recipe.patience;
}

/// Errors: a schedule that waits for plateaus of a validation that there is not.
[[nodiscard]] inline Status check_schedule(const Recipe& recipe, bool validates) {
  if (validates || recipe.schedule != Schedule::kPlateau) return {};
  return Status::invalid_argument("trainer: the schedule plateau needs something to validate on");
}

/// How often Schedule::kPlateau has lowered the rate after these epochs, of which those up to `from` do not
/// count.
template <class Epochs>
[[nodiscard]] std::int64_t plateau_reductions(const Recipe& recipe, const Epochs& epochs,
                                              std::int64_t from = 0) {
  if (recipe.schedule != Schedule::kPlateau) return 0;
  Plateau plateau(recipe.lr_step_epochs);
  for (const auto& epoch : epochs) {
    if (epoch.validated && epoch.epoch > from) plateau.see(epoch.is_best);
  }
  return plateau.reductions();
}

/// The loss of a step, which is `weight` of the `total` of its epoch.
struct StepLoss {
  double loss = 0, weight = 0, total = 0;
};

/// Runs the epochs of a training, which has
///
///   using Epoch;                       // its report of one: epoch, train_loss, lr
///   bool next_epoch();                 // whether there is another one; may begin another phase
///   std::int64_t finished() const;     // epochs
///   Status begin_epoch(epoch);         // draws the order of its samples
///   std::int64_t num_steps() const;    // of this epoch
///   double lr() const;                 // of the next step
///   Result<StepLoss> run_step(epoch, step, lr);
///   Status judge(Epoch&);              // validates when it is time, and says whether it is the best one
///   void finish(const Epoch&);
///   Communicator* ranks() const;
///
/// until there is none, `on_epoch(const Epoch&)` returns false on any rank (sets `stopped`), or an error, which
/// names epoch and step.
template <class Training, class OnEpoch>
[[nodiscard]] Status run_epochs(Training& training, OnEpoch& on_epoch, bool& stopped) {
  while (training.next_epoch()) {
    typename Training::Epoch now;
    now.epoch = training.finished() + 1;
    const auto run = [&]() -> Status {
      MLGRAPH_RETURN_IF_ERROR(training.begin_epoch(now.epoch));
      for (std::int64_t step = 0; step < training.num_steps(); ++step) {
        now.lr = training.lr();
        const Result<StepLoss> of = training.run_step(now.epoch, step, now.lr);
        if (!of.ok()) return of.status().annotate(str_cat("step ", step + 1));
        now.train_loss += of->loss * of->weight / of->total;
      }
      return training.judge(now);
    };
    const Status status = run();
    if (!status.ok()) return status.annotate(str_cat("epoch ", now.epoch));
    training.finish(now);
    const bool goes_on = on_epoch(static_cast<const typename Training::Epoch&>(now));
    MLGRAPH_ASSIGN_OR_RETURN(stopped, any_of_ranks(training.ranks(), !goes_on));
    if (stopped) break;
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_EPOCH_LOOP_HPP
