// SPDX-License-Identifier: Apache-2.0
// Gradient clipping by norm: of the whole gradient, or of each tensor on its own.
#ifndef MLGRAPH_TRAIN_CLIP_HPP
#define MLGRAPH_TRAIN_CLIP_HPP
#include "mlgraph/core/push_macros.inc"

#include <cmath>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/train/gradient.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

[[nodiscard]] inline Status check_max_norm(double max_norm) {
  if (max_norm > 0) return {};
  return Status::invalid_argument(str_cat("clip: max_norm is ", max_norm, "; it should be positive"));
}

/// The norm, or an error that names the gradient for which there is none.
template <class T>
[[nodiscard]] Result<double> gradient_norm(Span<T> grads, ThreadPool* pool) {
  const double sum = sum_of_squares(grads, pool);
  if (is_finite_value(sum)) return std::sqrt(sum);
  MLGRAPH_RETURN_IF_ERROR(check_finite_gradient(grads, pool));
  return Status::invalid_argument("the gradient is finite but its norm overflows");
}

/// Scales to max_norm what is longer than that. torch's formula: the result is shorter by 1e-6 / norm.
template <class T>
void scale_to_norm(Span<T> grads, double norm, double max_norm, ThreadPool* pool) {
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return;
  kernels::scale(static_cast<T>(factor), grads.data(), grads.data(), signed_size(grads), false, pool);
}

}  // namespace detail

/// Scales the gradient, a Span or what one is made from, so that its Euclidean norm is at most `max_norm`;
/// returns the norm it had before.
///
///   g <- g * min(1, max_norm / (|g| + 1e-6))        (as torch.nn.utils.clip_grad_norm_)
///
/// Errors: max_norm is not positive; a gradient is not finite (named by index; nothing is changed then).
template <class Gradient>
[[nodiscard]] Result<double> clip_grad_norm(Gradient&& gradient, double max_norm, ThreadPool* pool = nullptr) {
  const Span grads(gradient);
  MLGRAPH_RETURN_IF_ERROR(detail::check_max_norm(max_norm));
  MLGRAPH_ASSIGN_OR_RETURN(const double norm, detail::gradient_norm(grads, pool));
  detail::scale_to_norm(grads, norm, max_norm, pool);
  return norm;
}

/// clip_grad_norm() for each tensor on its own. (Keras' `clipnorm`, which the TpuGraphs baselines use, with
/// torch's 1e-6 in the denominator.) Gradients outside of all ranges stay as they are.
///
/// Errors: as clip_grad_norm(); indices count from the start of `grads`.
template <class Gradient>
[[nodiscard]] Status clip_grad_norm_per_tensor(Gradient&& gradient, Span<const ParamRange> tensors,
                                               double max_norm, ThreadPool* pool = nullptr) {
  const Span grads(gradient);
  MLGRAPH_RETURN_IF_ERROR(detail::check_max_norm(max_norm));
  MLGRAPH_RETURN_IF_ERROR(check_finite_gradient(grads, pool));
  for (const ParamRange& range : tensors) {
    const Span tensor = grads.subspan(range.offset, range.size);
    MLGRAPH_ASSIGN_OR_RETURN(const double norm, detail::gradient_norm(tensor, pool));
    detail::scale_to_norm(tensor, norm, max_norm, pool);
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_CLIP_HPP
