// SPDX-License-Identifier: Apache-2.0
// Losses of one slate (the configurations of one graph) and their derivatives, as pure functions on arrays.
#ifndef MLGRAPH_TRAIN_LOSS_KERNELS_HPP
#define MLGRAPH_TRAIN_LOSS_KERNELS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/simd.hpp"

// Every loss here returns its value and overwrites `d_score` (the size of `score`) with d loss / d score.
// s_i is the score and y_i the label (runtime) of configuration i of C: a larger score means slower.
// Labels are double, which holds every runtime in ns exactly; they are compared, never rounded to T.
//
// A ranking loss looks at the order of the labels alone. A slate of one has a loss and a gradient of 0, and so
// has one of equal labels (but for ListMLE, which draws an order for them). Reordering a slate reorders the
// gradient and leaves the loss, up to rounding. Nothing here makes a NaN from finite input; a NaN in the scores
// or labels of a slate that is ranked gives a NaN loss, for the trainer to report.

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace kernels {
namespace detail {

[[nodiscard]] inline bool has_nan(Span<const double> values) {
  return std::any_of(values.begin(), values.end(),
                     [](const double& value) { return mlgraph::detail::is_nan(value); });
}

/// max(0, margin - d) of d = s_slow - s_fast.
template <class T>
struct HingeTerm {
  Vec<T> margin;
  /// Sets the loss of a pair and `push` = -d loss / d d. A NaN stays a NaN.
  void operator()(const Vec<T>& d, Vec<T>& loss, Vec<T>& push) const {
    const Vec<T> zero(T(0));
    const Vec<T> slack = margin - d;
    loss = kernels::simd::select(slack <= zero, zero, slack);
    push = kernels::simd::select(slack <= zero, zero, Vec<T>(T(1)));
  }
};

/// log(1 + exp(-d)), computed from exp(-|d|), which cannot overflow.
template <class T>
struct LogisticTerm {
  void operator()(const Vec<T>& d, Vec<T>& loss, Vec<T>& push) const {
    const Vec<T> zero(T(0)), one(T(1));
    const Vec<T> e = kernels::simd::exp(zero - kernels::simd::abs(d));
    loss = kernels::simd::select(d >= zero, zero, zero - d) + kernels::simd::log1p(e);
    push = kernels::simd::select(d >= zero, e, one) / (one + e);
  }
};

/// What a pair weighs: each as much as any other.
struct EqualWeights {
  [[nodiscard]] double worth(double) const { return 0; }
  template <class T>
  void operator()(const Vec<T>&, Vec<T>&, Vec<T>&) const {}
};

/// What a pair weighs: how much more of the best runtime's speed the faster one has, best/y_fast - best/y_slow.
struct CostWeights {
  double best;
  double epsilon;
  [[nodiscard]] double worth(double label) const { return best / std::max(label, epsilon); }
  template <class T>
  void operator()(const Vec<T>& difference, Vec<T>& loss, Vec<T>& push) const {
    loss = loss * difference;
    push = push * difference;
  }
};

/// 1 / num_cells * the sum of weight(y_i, y_j) term(s_i - s_j) over all pairs with y_i > y_j, and its gradient.
///
/// Sorted by label, slowest first, the partners of i are one contiguous range: half the cells, no comparisons.
template <class T, class Term, class Weights = EqualWeights>
T pairwise_loss(Span<const T> score, Span<const double> label, double num_cells, const Term& term,
                Span<T> d_score, Arena& scratch, const Weights& weights = {}) {
  MLGRAPH_ASSERT(score.size() == label.size() && score.size() == d_score.size(), "pairwise loss: sizes differ");
  const std::int64_t n = signed_size(score);
  std::fill(d_score.begin(), d_score.end(), T(0));
  if (n < 2) return 0;
  if (has_nan(label)) return std::numeric_limits<T>::quiet_NaN();

  const ArenaScope scope(scratch);
  const double* const y = label.data();
  std::int32_t* const order = scratch.allocate<std::int32_t>(score.size());
  for (std::int64_t i = 0; i < n; ++i) order[i] = static_cast<std::int32_t>(i);
  std::sort(order, order + n,
            [y](std::int32_t a, std::int32_t b) { return y[a] > y[b] || (y[a] == y[b] && a < b); });

  // Padded by one vector of scores so fast that they cost nothing: every load below is a whole one.
  const std::size_t padded = score.size() + as_size(kLanes<T>);
  T* const s = scratch.allocate<T>(padded);
  T* const gradient = scratch.allocate<T>(padded);
  T* const worth = scratch.allocate<T>(padded);
  for (std::int64_t p = 0; p < n; ++p) {
    s[p] = score.data()[order[p]];
    worth[p] = static_cast<T>(weights.worth(y[order[p]]));
  }
  std::fill(s + n, s + padded, -std::numeric_limits<T>::max() / 4);
  std::fill(worth + n, worth + padded, T(0));
  std::fill(gradient, gradient + padded, T(0));

  double total = 0;
  std::int64_t partners = 0;  // the first position with a smaller label than position p
  for (std::int64_t p = 0; p < n; ++p) {
    while (partners < n && y[order[partners]] >= y[order[p]]) ++partners;
    const Vec<T> s_p(s[p]), worth_p(worth[p]);
    Vec<T> loss_sum(T(0)), push_sum(T(0));
    for (std::int64_t q = partners; q < n; q += kLanes<T>) {
      Vec<T> loss, push;
      term(s_p - load(s + q), loss, push);
      weights(load(worth + q) - worth_p, loss, push);
      loss_sum = loss_sum + loss;
      push_sum = push_sum + push;
      store(gradient + q, load(gradient + q) + push);
    }
    total += static_cast<double>(reduce_add<T>(loss_sum));
    gradient[p] -= reduce_add<T>(push_sum);
  }
  for (std::int64_t p = 0; p < n; ++p) {
    d_score.data()[order[p]] = static_cast<T>(static_cast<double>(gradient[p]) / num_cells);
  }
  return static_cast<T>(total / num_cells);
}

/// log(exp(a) + exp(b)) without overflow.
[[nodiscard]] inline double log_add_exp(double a, double b) {
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

}  // namespace detail

/// Mean squared error: 1/C * sum_i (s_i - y_i)^2. 0 for an empty slate.
template <class T>
T mse_loss(Span<const T> score, Span<const double> label, Span<T> d_score) {
  MLGRAPH_ASSERT(score.size() == label.size() && score.size() == d_score.size(), "mse_loss: sizes differ");
  const double scale = 1 / std::max(1.0, static_cast<double>(score.size()));
  double total = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double error = static_cast<double>(score[i]) - label[i];
    total += error * error;
    d_score[i] = static_cast<T>(2 * error * scale);
  }
  return static_cast<T>(total * scale);
}

/// Mean absolute percentage error, as a fraction: 1/C * sum_i |s_i - y_i| / max(|y_i|, epsilon).
/// `epsilon` keeps a label of 0 from dividing; the gradient is 0 where s_i = y_i. 0 for an empty slate.
template <class T>
T mape_loss(Span<const T> score, Span<const double> label, Span<T> d_score, double epsilon = 1e-6) {
  MLGRAPH_ASSERT(score.size() == label.size() && score.size() == d_score.size(), "mape_loss: sizes differ");
  const double scale = 1 / std::max(1.0, static_cast<double>(score.size()));
  double total = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double error = static_cast<double>(score[i]) - label[i];
    const double weight = scale / std::max(std::abs(label[i]), epsilon);
    total += std::abs(error) * weight;
    d_score[i] = static_cast<T>(error > 0 ? weight : error < 0 ? -weight : 0);
  }
  return static_cast<T>(total);
}

/// Squared error of logarithms, of scores and labels each less their mean over the slate, ten times its mean:
///
///   loss = 10/C * sum_i (e_i - mean of e)^2,   e_i = s_i - log max(y_i, epsilon)
///
/// Ten times, so that errors of a third, in logarithms, have a gradient of about 1. A difference of two scores
/// comes to mean the logarithm of the ratio of two runtimes. 0 for an empty slate.
///
/// Cost: O(C) logarithms, in double.
template <class T>
T centred_log_loss(Span<const T> score, Span<const double> label, Span<T> d_score, double epsilon = 1e-6) {
  MLGRAPH_ASSERT(score.size() == label.size() && score.size() == d_score.size(),
                 "centred_log_loss: sizes differ");
  constexpr double kWeight = 10;
  const double scale = 1 / std::max(1.0, static_cast<double>(score.size()));
  const auto error = [&](std::size_t i) {
    return static_cast<double>(score[i]) - std::log(std::max(label[i], epsilon));  // a NaN stays one
  };
  double mean = 0;
  for (std::size_t i = 0; i < score.size(); ++i) mean += scale * error(i);
  double total = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double centred = error(i) - mean;
    total += centred * centred;
    d_score[i] = static_cast<T>(2 * kWeight * scale * centred);
  }
  return static_cast<T>(kWeight * scale * total);
}

/// Pairwise hinge: 1/C^2 * sum over all cells (i, j) of [y_i > y_j] max(0, margin - (s_i - s_j)).
/// The gradient at a kink (s_i - s_j = margin) is 0.
///
/// Cost: O(C log C + C^2 / 2), vectorised; scratch about C * (4 + 3 * sizeof(T)) bytes.
template <class T>
T pairwise_hinge_loss(Span<const T> score, Span<const double> label, T margin, Span<T> d_score,
                      Arena& scratch) {
  const double n = static_cast<double>(score.size());
  const detail::HingeTerm<T> term{Vec<T>(margin)};
  return detail::pairwise_loss(score, label, n * n, term, d_score, scratch);
}

/// Pairwise logistic (RankNet): 1/C^2 * sum over all cells (i, j) of [y_i > y_j] log(1 + exp(-(s_i - s_j))).
///
/// Cost: O(C log C + C^2 / 2) exponentials, vectorised; scratch about C * (4 + 3 * sizeof(T)) bytes.
template <class T>
T pairwise_logistic_loss(Span<const T> score, Span<const double> label, Span<T> d_score, Arena& scratch) {
  const double n = static_cast<double>(score.size());
  return detail::pairwise_loss(score, label, n * n, detail::LogisticTerm<T>{}, d_score, scratch);
}

/// Cost-weighted pairs: pairwise logistic, where a pair counts for what the wrong one of it would cost:
///
///   8/C * sum over all cells (i, j) of [y_i > y_j] (best/y_j - best/y_i) log(1 + exp(-(s_i - s_j)))
///
/// with best = min_i y_i and labels below `epsilon` taken as `epsilon`. Pairs among the slow ones and pairs of
/// nearly equal labels count for little: what is fitted is the top of the list. The divisor, C/8 and not C^2,
/// makes gradients of about 1 of slates of 16 whose labels differ by a third.
///
/// Cost: that of pairwise_logistic_loss().
template <class T>
T cost_weighted_loss(Span<const T> score, Span<const double> label, Span<T> d_score, Arena& scratch,
                     double epsilon = 1e-6) {
  double best = std::numeric_limits<double>::infinity();
  for (const double y : label) best = std::min(best, y);
  const detail::CostWeights weights{std::max(best, epsilon), epsilon};
  const double n = static_cast<double>(score.size());
  return detail::pairwise_loss(score, label, n / 8, detail::LogisticTerm<T>{}, d_score, scratch, weights);
}

/// DiffMat: the mean over the upper triangle of the matrix of score differences, i < j, of
/// max(0, margin - sign(y_i - y_j) (s_i - s_j)), where a pair of equal labels counts as 0.
///
/// A term is the same for (i, j) and (j, i), so it does not matter how the slate is shuffled. The difference to
/// pairwise_hinge_loss() is the divisor, C (C - 1) / 2, and the customary margin, 0.01.
template <class T>
T diff_mat_loss(Span<const T> score, Span<const double> label, T margin, Span<T> d_score, Arena& scratch) {
  const double n = static_cast<double>(score.size());
  const detail::HingeTerm<T> term{Vec<T>(margin)};
  return detail::pairwise_loss(score, label, n * (n - 1) / 2, term, d_score, scratch);
}

/// ListMLE: minus the log probability that drawing without replacement (Plackett-Luce) gives the true order.
///
///   loss = sum_k [log(sum_{l >= k} exp(z_l)) - z_k],   z_k = the logit of the k-th configuration of the order
///
/// kSlowestFirst orders by falling label with logits s / temperature; kFastestFirst by rising label with logits
/// -s / temperature: either way a larger score says slower. The sum is not divided by C (as in TF-Ranking).
/// Equal labels are put in a random order that depends on `seed` and their positions: pass another seed each
/// step. Unlike the pairwise losses, a slate of equal labels therefore has a loss and a gradient.
///
/// Cost: O(C log C), all in double; scratch 40 C bytes.
/// Source: Xia, Liu, Wang, Zhang, Li, "Listwise approach to learning to rank", ICML 2008.
template <class T>
T list_mle_loss(Span<const T> score, Span<const double> label, T temperature, ListMleOrder direction,
                std::uint64_t seed, Span<T> d_score, Arena& scratch) {
  MLGRAPH_ASSERT(score.size() == label.size() && score.size() == d_score.size(), "list_mle_loss: sizes differ");
  MLGRAPH_ASSERT(temperature > 0, "list_mle_loss: the temperature should be positive");
  const std::size_t n = score.size();
  std::fill(d_score.begin(), d_score.end(), T(0));
  if (n < 2) return 0;
  if (detail::has_nan(label)) return std::numeric_limits<T>::quiet_NaN();

  struct Item {
    double label;
    std::uint64_t key;  // breaks ties; no two are equal, as mix64 is a bijection
    std::size_t index;
  };
  const ArenaScope scope(scratch);
  const double sign = direction == ListMleOrder::kSlowestFirst ? 1 : -1;
  const std::uint64_t mixed_seed = mix64(seed);  // so that nearby seeds give unrelated orders
  Item* const items = scratch.allocate<Item>(n);
  for (std::size_t i = 0; i < n; ++i) items[i] = {sign * label[i], mix64(mixed_seed ^ i), i};
  std::sort(items, items + n, [](const Item& a, const Item& b) {
    return a.label > b.label || (a.label == b.label && a.key < b.key);
  });

  double* const logits = scratch.allocate<double>(n);  // in that order
  double* const tails = scratch.allocate<double>(n);   // log of the sum of exp(logits) from here to the end
  const double scale = sign / static_cast<double>(temperature);
  for (std::size_t k = 0; k < n; ++k) logits[k] = scale * static_cast<double>(score[items[k].index]);
  // The loss does not change when all logits move together; near 0 they keep the most digits.
  const double largest = *std::max_element(logits, logits + n);
  for (std::size_t k = 0; k < n; ++k) logits[k] -= largest;

  tails[n - 1] = logits[n - 1];
  for (std::size_t k = n - 1; k-- > 0;) tails[k] = detail::log_add_exp(logits[k], tails[k + 1]);
  double loss = 0;
  double log_sum = -std::numeric_limits<double>::infinity();  // log of the sum over l <= k of exp(-tails[l])
  for (std::size_t k = 0; k < n; ++k) {
    loss += tails[k] - logits[k];
    log_sum = k == 0 ? -tails[0] : detail::log_add_exp(log_sum, -tails[k]);
    // d loss / d z_k = sum over l <= k of exp(z_k - tails[l]), minus 1; no exponent is above log(k + 1).
    d_score[items[k].index] = static_cast<T>(scale * (std::exp(logits[k] + log_sum) - 1));
  }
  return static_cast<T>(loss);
}

/// Softmax cross-entropy of a classifier, the mean over graphs:
///
///   1/G * sum_g [log(sum_c exp(logits[g, c])) - logits[g, label_g]]
///
/// Shapes: logits, d_logits (G, num_classes); labels (G), each in [0, num_classes): see check_class_labels().
template <class T>
T cross_entropy_loss(MatrixView<const T> logits, Span<const std::int32_t> labels, MatrixView<T> d_logits) {
  MLGRAPH_ASSERT(
      logits.rows == signed_size(labels) && logits.rows == d_logits.rows && logits.cols == d_logits.cols,
      "cross_entropy_loss: shapes differ");
  const double scale = 1 / std::max(1.0, static_cast<double>(logits.rows));
  double total = 0;
  for (std::int64_t g = 0; g < logits.rows; ++g) {
    const T* const z = logits.row(g);
    T* const dz = d_logits.row(g);
    const std::int32_t truth = labels[as_size(g)];
    MLGRAPH_ASSERT(truth >= 0 && truth < logits.cols, "cross_entropy_loss: a label is no class");
    const double largest = static_cast<double>(*std::max_element(z, z + logits.cols));
    double sum = 0;
    for (std::int64_t c = 0; c < logits.cols; ++c) sum += std::exp(static_cast<double>(z[c]) - largest);
    const double log_sum = largest + std::log(sum);
    total += log_sum - static_cast<double>(z[truth]);
    for (std::int64_t c = 0; c < logits.cols; ++c) {
      const double probability = std::exp(static_cast<double>(z[c]) - log_sum);
      dz[c] = static_cast<T>(scale * (c == truth ? probability - 1 : probability));
    }
  }
  return static_cast<T>(total * scale);
}

/// An error that names the first label outside of [0, num_classes); for where labels come in.
[[nodiscard]] inline Status check_class_labels(Span<const std::int32_t> labels, std::int64_t num_classes) {
  for (std::size_t g = 0; g < labels.size(); ++g) {
    if (labels[g] < 0 || labels[g] >= num_classes) {
      return Status::out_of_range(str_cat("label ", g, " is ", labels[g], "; num_classes is ", num_classes));
    }
  }
  return {};
}

/// An error that names the first label that is infinite or NaN; likewise.
[[nodiscard]] inline Status check_finite_labels(Span<const double> labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!mlgraph::detail::is_finite(labels[i]))
      return Status::invalid_argument(str_cat("label ", i, " is ", labels[i], "; it should be finite"));
  }
  return {};
}

}  // namespace kernels
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_LOSS_KERNELS_HPP
