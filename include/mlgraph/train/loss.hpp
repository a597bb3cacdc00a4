// SPDX-License-Identifier: Apache-2.0
// Losses on a tape: the mean over slates of a ranking loss, and cross-entropy for classifiers.
#ifndef MLGRAPH_TRAIN_LOSS_HPP
#define MLGRAPH_TRAIN_LOSS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/train/loss_kernels.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace detail {

template <class T>
T slate_loss(const LossOptions& options, Span<const T> score, Span<const double> label, std::uint64_t seed,
             Span<T> gradient, Arena& scratch) {
  using Kind = LossOptions::Kind;
  const T margin = static_cast<T>(options.margin);
  switch (options.kind) {
    case Kind::kMse:
      return kernels::mse_loss(score, label, gradient);
    case Kind::kMape:
      return kernels::mape_loss(score, label, gradient);
    case Kind::kPairwiseHinge:
      return kernels::pairwise_hinge_loss(score, label, margin, gradient, scratch);
    case Kind::kPairwiseLogistic:
      return kernels::pairwise_logistic_loss(score, label, gradient, scratch);
    case Kind::kDiffMat:
      return kernels::diff_mat_loss(score, label, margin, gradient, scratch);
    case Kind::kListMle:
      return kernels::list_mle_loss(score, label, static_cast<T>(options.temperature), options.order, seed,
                                    gradient, scratch);
    case Kind::kCentredLog:
      return kernels::centred_log_loss(score, label, gradient);
    case Kind::kCostWeighted:
      return kernels::cost_weighted_loss(score, label, gradient, scratch);
  }
  return T(0);
}

/// The loss of a slate with what is added to it: `mse_weight` and `pair_weight`.
template <class T>
T slate_loss_and_more(const LossOptions& options, Span<const T> score, Span<const double> label,
                      std::uint64_t seed, Span<T> gradient, Arena& scratch) {
  double total = static_cast<double>(slate_loss<T>(options, score, label, seed, gradient, scratch));
  const auto add = [&](LossOptions::Kind kind, double weight) {
    if (weight == 0) return;
    const ArenaScope scope(scratch);
    LossOptions other;
    other.kind = kind;
    const Span<T> d_other(scratch.allocate<T>(score.size()), score.size());
    total += weight * static_cast<double>(slate_loss<T>(other, score, label, seed, d_other, scratch));
    kernels::axpy(static_cast<T>(weight), d_other.data(), gradient.data(), signed_size(score), nullptr);
  };
  add(LossOptions::Kind::kMse, options.mse_weight);
  add(LossOptions::Kind::kCostWeighted, options.pair_weight);
  return static_cast<T>(total);
}

}  // namespace detail

namespace ops {

/// A scalar loss whose gradient was computed with its value: dx += dy * gradient.
template <class T>
struct ScalarLoss {
  Var x, y;
  const T* gradient;
  template <class Ctx>
  void backward(Ctx& ctx) const {
    const auto dx = ctx.grad_target(x);
    kernels::scale(*ctx.out_grad(y).data, gradient, dx.view.data, dx.view.size(), dx.accumulate, ctx.pool());
  }
};

}  // namespace ops

/// The mean over slates of a loss between scores and labels.
///
/// Shapes: score (M, 1), label (M), ptr (S + 1): slate s is [ptr[s], ptr[s + 1]) -> (1, 1).
/// Units:  labels in any unit for the pairwise and list losses, which see their order only, and for the centred
///         logarithms and the cost-weighted pairs, which see their ratios; MSE and MAPE compare scores with
///         them, so labels must be scaled.
/// Errors: sizes that differ; a label that is not finite, with its place; a temperature of 0 or below.
/// Cost:   O(C^2) for the pairwise losses of C configs, O(C log C) for ListMLE, O(C) for the others.
template <class Ctx>
Var ranking_loss(Ctx& ctx, Var score, Span<const double> label, Span<const std::int32_t> ptr,
                 const LossOptions& options) {
  using T = typename Ctx::Scalar;
  const std::int64_t n = ctx.rows(score);
  const bool sizes_fit =
      ctx.cols(score) == 1 && signed_size(label) == n && !ptr.empty() && ptr.front() == 0 && ptr.back() == n;
  if (!ctx.expect(sizes_fit,
                  [&] {
                    return str_cat("ranking_loss: scores are (", n, ", ", ctx.cols(score), "), ", label.size(),
                                   " labels, slates end at ", ptr.empty() ? 0 : ptr.back());
                  }) ||
      !ctx.expect(options.temperature > 0, [&] {
        return str_cat("ranking_loss: the temperature is ", options.temperature, "; it must be above 0");
      })) {
    return {};
  }
  const Status labels_fit = kernels::check_finite_labels(label);
  if (!ctx.expect(labels_fit.ok(), [&] { return str_cat("ranking_loss: ", labels_fit.message()); })) return {};
  const Var loss = ctx.allocate(1, 1, ctx.needs_grad(score));
  const auto size = as_size(n);
  T* const gradient = ctx.arena().template allocate<T>(size);
  const std::size_t num_slates = ptr.size() - 1;
  const std::uint64_t seed = ctx.next_seed();
  double total = 0;
  for (std::size_t s = 0; s < num_slates; ++s) {
    const auto begin = as_size(ptr[s]);
    const auto count = as_size(ptr[s + 1]) - begin;
    const Span<const T> scores(ctx.value(score).data + begin, count);
    const Span<const double> labels = label.subspan(begin, count);
    const Span<T> d_score(gradient + begin, count);
    total += static_cast<double>(
        detail::slate_loss_and_more<T>(options, scores, labels, mix64(seed ^ s), d_score, ctx.arena()));
  }
  const double mean = num_slates == 0 ? 0 : 1 / static_cast<double>(num_slates);
  kernels::scale(static_cast<T>(mean), gradient, gradient, n, false, nullptr);
  *ctx.mutable_value(loss).data = static_cast<T>(total * mean);
  ctx.record(loss, ops::ScalarLoss<T>{score, loss, gradient});
  return loss;
}

/// Softmax cross-entropy, the mean over rows.
///
/// Shapes: logits (G, num_classes), label (G) in [0, num_classes) -> (1, 1).
/// Errors: sizes that differ; a label outside the classes, with its place.
template <class Ctx>
Var cross_entropy(Ctx& ctx, Var logits, Span<const std::int32_t> label) {
  using T = typename Ctx::Scalar;
  const MatrixView<const T> z = ctx.value(logits);
  if (!ctx.expect(z.rows == signed_size(label), [&] {
        return str_cat("cross_entropy: ", z.rows, " rows of logits, ", label.size(), " labels");
      })) {
    return {};
  }
  const Status labels_fit = kernels::check_class_labels(label, z.cols);
  if (!ctx.expect(labels_fit.ok(), [&] { return labels_fit.message(); })) return {};
  const Var loss = ctx.allocate(1, 1, ctx.needs_grad(logits));
  T* const gradient = ctx.arena().template allocate<T>(z.size());
  *ctx.mutable_value(loss).data =
      kernels::cross_entropy_loss(z, label, MatrixView<T>(gradient, z.rows, z.cols));
  ctx.record(loss, ops::ScalarLoss<T>{logits, loss, gradient});
  return loss;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_LOSS_HPP
