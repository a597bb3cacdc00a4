// SPDX-License-Identifier: Apache-2.0
// Adam and AdamW on one flat buffer of parameters, with PyTorch's formulas, names and defaults.
#ifndef MLGRAPH_TRAIN_ADAM_HPP
#define MLGRAPH_TRAIN_ADAM_HPP
#include "mlgraph/core/push_macros.inc"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
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

/// Options of torch.optim.Adam: weight decay, if any, is added to the gradient (L2 regularisation).
struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
};

/// Options of torch.optim.AdamW: weight decay is decoupled from the gradient.
struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
};

MLGRAPH_BEGIN_ISA

/// An error when an option is outside the range PyTorch accepts.
template <class Options>
[[nodiscard]] Status validate_adam(const Options& options) {
  for (int i = 0; i < 2; ++i) {
    const double beta = options.betas[as_size(i)];
    if (!(beta >= 0 && beta < 1)) {
      return Status::invalid_argument(str_cat("adam: betas[", i, "] is ", beta, "; it should be in [0, 1)"));
    }
  }
  if (!(options.eps >= 0)) {
    return Status::invalid_argument(str_cat("adam: eps is ", options.eps, "; it should be at least 0"));
  }
  if (!(options.weight_decay >= 0)) {
    return Status::invalid_argument(
        str_cat("adam: weight_decay is ", options.weight_decay, "; it should be at least 0"));
  }
  return {};
}

/// Adam (Options = AdamOptions) and AdamW (Options = AdamWOptions). With g the gradient and t the step, from 1:
///
///   Adam:  g <- g + weight_decay * p          AdamW:  p <- p - lr * weight_decay * p
///   m <- beta1 * m + (1 - beta1) * g          v <- beta2 * v + (1 - beta2) * g^2
///   p <- p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
///
/// Deterministic: an element's result depends on nothing but its own history.
/// Source: Kingma and Ba, arXiv:1412.6980; Loshchilov and Hutter, arXiv:1711.05101; eps outside of the bias
/// correction, as in PyTorch.
template <class T, class Options>
class BasicAdam {
 public:
  explicit BasicAdam(std::size_t num_params, const Options& options = {}) : options_(options) {
    state_.first.assign(num_params, T(0));
    state_.second.assign(num_params, T(0));
  }

  [[nodiscard]] const OptimizerState<T>& state() const { return state_; }

  /// Continues from a checkpoint.
  /// Errors: sizes that are not num_params, or a negative step.
  [[nodiscard]] Status set_state(OptimizerState<T> state) {
    if (state.first.size() != state_.first.size() || state.second.size() != state_.second.size() ||
        state.step < 0) {
      return Status::invalid_argument(str_cat("adam: the state has ", state.first.size(), " and ",
                                              state.second.size(), " moments at step ", state.step,
                                              " but there are ", state_.first.size(), " parameters"));
    }
    state_ = std::move(state);
    return {};
  }

  /// One step with the learning rate `lr`, as an LrSchedule gives it; both arrays have num_params elements.
  ///
  /// Errors: an option or `lr` is out of range; a gradient is not finite, or its square is not, which would
  ///         keep the parameter where it is for good (named by its index). Nothing has changed then.
  [[nodiscard]] Status step(Span<T> params, Span<const T> grads, double lr, ThreadPool* pool = nullptr) {
    MLGRAPH_ASSERT(params.size() == state_.first.size() && grads.size() == state_.first.size(),
                   "adam was made for another number of parameters");
    MLGRAPH_RETURN_IF_ERROR(validate_adam(options_));
    if (!detail::is_finite_value(lr) || lr < 0) {
      return Status::invalid_argument(str_cat("adam: lr is ", lr, "; it should be finite and at least 0"));
    }
    MLGRAPH_RETURN_IF_ERROR(check_finite_squares(grads, pool));
    ++state_.step;
    const double t = static_cast<double>(state_.step);
    Factors factors;
    factors.lr = lr;
    factors.step_size = lr / (1 - std::pow(options_.betas[0], t));
    factors.sqrt_correction = std::sqrt(1 - std::pow(options_.betas[1], t));
    parallel_for(pool, signed_size(params), detail::kParamBlock, [&](std::int64_t begin, std::int64_t end) {
      update(params.data() + begin, grads.data() + begin, begin, end - begin, factors);
    });
    return {};
  }

  /// One step with the learning rate of the options.
  [[nodiscard]] Status step(Span<T> params, Span<const T> grads, ThreadPool* pool = nullptr) {
    return step(params, grads, options_.lr, pool);
  }

 private:
  /// What depends on the step and not on the element.
  struct Factors {
    double lr, step_size, sqrt_correction;
  };

  void update(T* p, const T* g, std::int64_t offset, std::int64_t size, const Factors& factors) {
    using kernels::load_n;
    using kernels::store_n;
    using V = kernels::Vec<T>;
    const V beta1(static_cast<T>(options_.betas[0])), one_minus_beta1(static_cast<T>(1 - options_.betas[0]));
    const V beta2(static_cast<T>(options_.betas[1])), one_minus_beta2(static_cast<T>(1 - options_.betas[1]));
    const V sqrt_correction(static_cast<T>(factors.sqrt_correction)), eps(static_cast<T>(options_.eps));
    const V minus_step_size(static_cast<T>(-factors.step_size));
    const double decay = options_.weight_decay;
    const V l2(static_cast<T>(decay)), shrink(static_cast<T>(1 - factors.lr * decay));
    T* const m = state_.first.data() + offset;
    T* const v = state_.second.data() + offset;
    kernels::for_each_piece<T>(size, [&](std::int64_t i, std::int64_t lanes) {
      V param = load_n(p + i, lanes);
      V grad = load_n(g + i, lanes);
      if constexpr (std::is_same_v<Options, AdamWOptions>) {
        param = param * shrink;
      } else {
        grad = grad + l2 * param;
      }
      const V mean = load_n(m + i, lanes) * beta1 + grad * one_minus_beta1;
      const V square = load_n(v + i, lanes) * beta2 + grad * grad * one_minus_beta2;
      const V denominator = kernels::simd::sqrt(square) / sqrt_correction + eps;
      store_n(m + i, mean, lanes);
      store_n(v + i, square, lanes);
      store_n(p + i, param + minus_step_size * mean / denominator, lanes);
    });
  }

  Options options_;
  OptimizerState<T> state_;
};

template <class T>
using Adam = BasicAdam<T, AdamOptions>;
template <class T>
using AdamW = BasicAdam<T, AdamWOptions>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_ADAM_HPP
