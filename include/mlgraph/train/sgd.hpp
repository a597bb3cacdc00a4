// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with momentum on one flat buffer, with PyTorch's formulas, names and defaults.
#ifndef MLGRAPH_TRAIN_SGD_HPP
#define MLGRAPH_TRAIN_SGD_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/simd.hpp"
#include "mlgraph/train/gradient.hpp"

namespace mlgraph {

/// Options of torch.optim.SGD.
struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

MLGRAPH_BEGIN_ISA

/// An error when an option is outside the range PyTorch accepts.
[[nodiscard]] inline Status validate_sgd(const SgdOptions& options) {
  if (!(options.momentum >= 0)) {
    return Status::invalid_argument(
        str_cat("sgd: momentum is ", options.momentum, "; it should be at least 0"));
  }
  if (!(options.weight_decay >= 0)) {
    return Status::invalid_argument(
        str_cat("sgd: weight_decay is ", options.weight_decay, "; it should be at least 0"));
  }
  if (options.nesterov && !(options.momentum > 0 && options.dampening == 0)) {
    return Status::invalid_argument(str_cat("sgd: nesterov needs a momentum and no dampening; momentum is ",
                                            options.momentum, " and dampening ", options.dampening));
  }
  return {};
}

/// Gradient descent. With g the gradient and b the momentum buffer:
///
///   g <- g + weight_decay * p
///   b <- momentum * b + (1 - dampening) * g        (b = g in the first step)
///   p <- p - lr * b                                (nesterov: p <- p - lr * (g + momentum * b))
///
/// Deterministic: an element's result depends on nothing but its own history.
template <class T>
class Sgd {
 public:
  explicit Sgd(std::size_t num_params, const SgdOptions& options = {})
      : options_(options), num_params_(num_params) {
    if (options_.momentum != 0) state_.first.assign(num_params, T(0));
  }

  [[nodiscard]] const OptimizerState<T>& state() const { return state_; }

  /// Continues from a checkpoint.
  /// Errors: a buffer of another size, or a negative step.
  [[nodiscard]] Status set_state(OptimizerState<T> state) {
    if (state.first.size() != state_.first.size() || state.step < 0) {
      return Status::invalid_argument(str_cat("sgd: the state has a momentum buffer of ", state.first.size(),
                                              " at step ", state.step, "; it should have ",
                                              state_.first.size()));
    }
    state_ = {std::move(state.first), {}, state.step};
    return {};
  }

  /// One step with the learning rate `lr`, as an LrSchedule gives it; both arrays have num_params elements.
  ///
  /// Errors: an option or `lr` is out of range; a gradient is not finite (named by its index). Nothing has
  /// changed then.
  [[nodiscard]] Status step(Span<T> params, Span<const T> grads, double lr, ThreadPool* pool = nullptr) {
    MLGRAPH_ASSERT(params.size() == num_params_ && grads.size() == num_params_,
                   "sgd was made for another number of parameters");
    MLGRAPH_RETURN_IF_ERROR(validate_sgd(options_));
    if (!detail::is_finite_value(lr) || lr < 0) {
      return Status::invalid_argument(str_cat("sgd: lr is ", lr, "; it should be finite and at least 0"));
    }
    MLGRAPH_RETURN_IF_ERROR(check_finite_gradient(grads, pool));
    parallel_for(pool, static_cast<std::int64_t>(num_params_), detail::kParamBlock,
                 [&](std::int64_t begin, std::int64_t end) {
                   update(params.data() + begin, grads.data() + begin, begin, end - begin, lr);
                 });
    ++state_.step;
    return {};
  }

  /// One step with the learning rate of the options.
  [[nodiscard]] Status step(Span<T> params, Span<const T> grads, ThreadPool* pool = nullptr) {
    return step(params, grads, options_.lr, pool);
  }

 private:
  void update(T* p, const T* g, std::int64_t offset, std::int64_t size, double lr) {
    using kernels::load_n;
    using kernels::store_n;
    using V = kernels::Vec<T>;
    const V decay(static_cast<T>(options_.weight_decay)), minus_lr(static_cast<T>(-lr));
    const V momentum(static_cast<T>(options_.momentum));
    const V gain(static_cast<T>(state_.step == 0 ? 1 : 1 - options_.dampening));
    T* const b = state_.first.empty() ? nullptr : state_.first.data() + offset;
    kernels::for_each_piece<T>(size, [&](std::int64_t i, std::int64_t lanes) {
      const V param = load_n(p + i, lanes);
      V grad = load_n(g + i, lanes) + decay * param;
      if (b != nullptr) {
        const V buffer =
            momentum * load_n(b + i, lanes) + gain * grad;  // the buffer is 0 before the first step
        store_n(b + i, buffer, lanes);
        grad = options_.nesterov ? grad + momentum * buffer : buffer;
      }
      store_n(p + i, param + minus_lr * grad, lanes);
    });
  }

  SgdOptions options_;
  OptimizerState<T> state_;
  std::size_t num_params_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_SGD_HPP
