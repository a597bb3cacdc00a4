// SPDX-License-Identifier: Apache-2.0
// Optimizer: the one that a recipe names, with its learning rate schedule, clipping, and state for a
// checkpoint.
#ifndef MLGRAPH_TRAIN_OPTIMIZER_HPP
#define MLGRAPH_TRAIN_OPTIMIZER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/clip.hpp"
#include "mlgraph/train/gradient.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/sgd.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// An optimizer whose kind is not known here.
class Optimizer {
 public:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;

  /// One step; see AdamW, Adam and Sgd.
  [[nodiscard]] virtual Status step(Span<float> params, Span<const float> grads, double lr,
                                    ThreadPool* pool) = 0;
  [[nodiscard]] virtual std::int64_t num_steps() const = 0;
  [[nodiscard]] virtual OptimizerState<float> state() const = 0;
  /// Continues from a checkpoint.
  /// Errors: the state of another number of parameters, or of another optimizer.
  [[nodiscard]] virtual Status set_state(OptimizerState<float> state) = 0;
};

namespace detail {

template <class Impl>
class OptimizerOf final : public Optimizer {
 public:
  template <class Options>
  OptimizerOf(std::size_t num_params, const Options& options) : impl_(num_params, options) {}

  [[nodiscard]] Status step(Span<float> params, Span<const float> grads, double lr, ThreadPool* pool) override {
    return impl_.step(params, grads, lr, pool);
  }
  [[nodiscard]] std::int64_t num_steps() const override { return impl_.state().step; }
  [[nodiscard]] OptimizerState<float> state() const override { return impl_.state(); }
  [[nodiscard]] Status set_state(OptimizerState<float> state) override {
    return impl_.set_state(std::move(state));
  }

 private:
  Impl impl_;
};

template <class Options>
[[nodiscard]] Options adam_options(const Recipe& recipe) {
  Options options;
  options.weight_decay = recipe.weight_decay;
  return options;
}
[[nodiscard]] inline SgdOptions sgd_options(const Recipe& recipe) {
  SgdOptions options;
  options.momentum = recipe.momentum;
  options.nesterov = recipe.nesterov;
  options.weight_decay = recipe.weight_decay;
  return options;
}

}  // namespace detail

/// Errors: options that the recipe's optimizer cannot have.
[[nodiscard]] inline Status check_optimizer(const Recipe& recipe) {
  if (recipe.optimizer == OptimizerKind::kSgd) return validate_sgd(detail::sgd_options(recipe));
  return validate_adam(detail::adam_options<AdamOptions>(recipe));
}

/// The recipe's optimizer for so many parameters.
[[nodiscard]] inline std::unique_ptr<Optimizer> make_optimizer(const Recipe& recipe, std::size_t num_params) {
  switch (recipe.optimizer) {
    case OptimizerKind::kSgd:
      return std::make_unique<detail::OptimizerOf<Sgd<float>>>(num_params, detail::sgd_options(recipe));
    case OptimizerKind::kAdam:
      return std::make_unique<detail::OptimizerOf<Adam<float>>>(num_params,
                                                                detail::adam_options<AdamOptions>(recipe));
    case OptimizerKind::kAdamW:
      break;
  }
  return std::make_unique<detail::OptimizerOf<AdamW<float>>>(num_params,
                                                             detail::adam_options<AdamWOptions>(recipe));
}

/// The recipe's schedule over `num_epochs`, of which `warmup_fraction` is the warm-up.
/// Errors: those of LrSchedule::validate().
[[nodiscard]] inline Result<LrSchedule> make_schedule(const Recipe& recipe, std::int64_t num_epochs,
                                                      std::int64_t steps_per_epoch, double warmup_fraction) {
  const auto steps_of = [&](std::int64_t epochs) {
    return std::min(epochs, std::numeric_limits<std::int64_t>::max() / steps_per_epoch) * steps_per_epoch;
  };
  LrSchedule schedule = LrSchedule::cosine(recipe.lr, steps_of(num_epochs), warmup_fraction, recipe.min_lr);
  schedule.kind = recipe.schedule;
  schedule.step_size = steps_of(recipe.lr_step_epochs);
  schedule.gamma = recipe.lr_gamma;
  MLGRAPH_RETURN_IF_ERROR(schedule.validate());
  return schedule;
}

/// Where each trainable tensor lies in a gradient.
[[nodiscard]] inline std::vector<ParamRange> trainable_ranges(const ParamSpec& spec) {
  std::vector<ParamRange> ranges;
  for (const ParamSpec::Entry& entry : spec.entries()) {
    if (!entry.param.trainable) continue;
    ranges.push_back({as_size(entry.param.offset), as_size(entry.param.size())});
  }
  return ranges;
}

/// Clips a gradient as the recipe says.
/// Errors: those of clip_grad_norm() and clip_grad_norm_per_tensor().
[[nodiscard]] inline Status clip_gradient(const Recipe& recipe, const ParamSpec& spec, Span<float> grad,
                                          ThreadPool* pool) {
  if (recipe.clip_norm == 0) return {};
  if (!recipe.clip_per_tensor) return clip_grad_norm(grad, recipe.clip_norm, pool).status();
  return clip_grad_norm_per_tensor(grad, trainable_ranges(spec), recipe.clip_norm, pool);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_OPTIMIZER_HPP
