// SPDX-License-Identifier: Apache-2.0
// Ranking and regression metrics of one graph, exactly as the official TpuGraphs evaluation computes them.
#ifndef MLGRAPH_TRAIN_METRICS_HPP
#define MLGRAPH_TRAIN_METRICS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

// `scores` and `labels` are any arrays with data() and size(): scores of float or double, where a larger score
// means slower; labels (runtimes) of int64 or double, compared as what they are and never rounded to float.
//
// Errors, common to all: sizes differ; too few items; a NaN (named by index). A metric that has no value is an
// error too, where other libraries return NaN: equal labels carry no ranking, so the placeholder labels of a
// test split give an error and not a number.

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

template <class Array>
using ElementOf = std::remove_cv_t<std::remove_pointer_t<decltype(std::declval<const Array&>().data())>>;

template <class Array>
[[nodiscard]] Span<const ElementOf<Array>> as_span(const Array& array) {
  return {array.data(), array.size()};
}

template <class T>
[[nodiscard]] Status check_no_nan(std::string_view what, Span<const T> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_nan(values[i])) return Status::invalid_argument(str_cat(what, " ", i, " is nan"));
  }
  return {};
}

/// The errors that all metrics have in common.
template <class S, class L>
[[nodiscard]] Status check_items(std::string_view metric, Span<const S> scores, Span<const L> labels,
                                 std::size_t min_items) {
  static_assert(std::is_floating_point_v<S>, "scores are float or double");
  static_assert(std::is_same_v<L, std::int64_t> || std::is_same_v<L, double>,
                "labels are int64 or double: a float makes equal what is not");
  if (scores.size() != labels.size()) {
    return Status::invalid_argument(
        str_cat(metric, ": there are ", scores.size(), " scores but ", labels.size(), " labels"));
  }
  if (scores.size() < min_items) {
    return Status::invalid_argument(
        str_cat(metric, ": there are ", scores.size(), " items; it needs at least ", min_items));
  }
  MLGRAPH_RETURN_IF_ERROR(check_no_nan(str_cat(metric, ": score"), scores));
  return check_no_nan(str_cat(metric, ": label"), labels);
}

/// An error when all of at least one value are the same.
template <class T>
[[nodiscard]] Status check_not_constant(std::string_view what, Span<const T> values) {
  for (const T& value : values) {
    if (value != values[0]) return {};
  }
  return Status::invalid_argument(str_cat(what, " are all ", values[0], "; at least one should differ"));
}

/// How the n (n - 1) / 2 pairs of items divide.
struct PairCounts {
  std::int64_t total = 0;
  std::int64_t score_ties = 0;  ///< pairs of equal scores
  std::int64_t label_ties = 0;  ///< pairs of equal labels
  std::int64_t both_ties = 0;   ///< pairs that are both
  std::int64_t discordant = 0;  ///< pairs ordered one way by score and the other way by label

  [[nodiscard]] std::int64_t concordant() const {
    return total - score_ties - label_ties + both_ties - discordant;
  }
};

/// Sorts `values` and returns the number of pairs i < j with values[i] > values[j]. O(n log n).
template <class T>
[[nodiscard]] std::int64_t sort_and_count_inversions(std::vector<T>& values) {
  std::vector<T> merged(values.size());
  const std::size_t n = values.size();
  std::int64_t inversions = 0;
  for (std::size_t width = 1; width < n; width *= 2) {
    for (std::size_t begin = 0; begin < n; begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, n);
      const std::size_t end = std::min(begin + 2 * width, n);
      std::size_t left = begin, right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        if (left < middle && (right == end || !(values[right] < values[left]))) {
          merged[out] = values[left++];
        } else {
          inversions += static_cast<std::int64_t>(middle - left);
          merged[out] = values[right++];
        }
      }
    }
    values.swap(merged);
  }
  return inversions;
}

/// The number of pairs inside runs of items that `same(i, i + 1)` says are equal.
template <class Same>
[[nodiscard]] std::int64_t count_tied_pairs(std::size_t n, Same&& same) {
  std::int64_t pairs = 0;
  std::int64_t run = 0;  // items before this one that are equal to it
  for (std::size_t i = 1; i < n; ++i) {
    run = same(i - 1, i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/// Knight's algorithm: after a sort by score, then label, the inversions of the labels are the discordant
/// pairs.
/// Source: Knight, "A computer method for calculating Kendall's tau with ungrouped data", JASA 61 (1966).
template <class S, class L>
[[nodiscard]] PairCounts count_pairs(Span<const S> scores, Span<const L> labels) {
  struct Item {
    S score;
    L label;
  };
  const std::size_t n = scores.size();
  std::vector<Item> items(n);
  for (std::size_t i = 0; i < n; ++i) items[i] = {scores[i], labels[i]};
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.score < b.score || (a.score == b.score && a.label < b.label);
  });
  std::vector<L> by_score(n);
  for (std::size_t i = 0; i < n; ++i) by_score[i] = items[i].label;

  PairCounts counts;
  counts.total = static_cast<std::int64_t>(n) * (static_cast<std::int64_t>(n) - 1) / 2;
  counts.score_ties =
      count_tied_pairs(n, [&](std::size_t a, std::size_t b) { return items[a].score == items[b].score; });
  counts.both_ties = count_tied_pairs(n, [&](std::size_t a, std::size_t b) {
    return items[a].score == items[b].score && items[a].label == items[b].label;
  });
  counts.discordant = sort_and_count_inversions(by_score);
  counts.label_ties =
      count_tied_pairs(n, [&](std::size_t a, std::size_t b) { return by_score[a] == by_score[b]; });
  return counts;
}

/// Ranks from 1; equal values share the mean of their ranks.
template <class T>
[[nodiscard]] std::vector<double> average_ranks(Span<const T> values) {
  const std::size_t n = values.size();
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return values[a] < values[b] || (values[a] == values[b] && a < b);
  });
  std::vector<double> ranks(n);
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

template <class T>
[[nodiscard]] double mean(Span<const T> values) {
  double sum = 0;
  for (const T& value : values) sum += static_cast<double>(value);
  return sum / static_cast<double>(values.size());
}

/// Pearson's correlation of at least two values each, not all equal.
template <class X, class Y>
[[nodiscard]] Result<double> correlation(std::string_view metric, Span<const X> x, Span<const Y> y) {
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = static_cast<double>(x[i]) - mean_x;
    const double dy = static_cast<double>(y[i]) - mean_y;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  if (!(xx > 0 && yy > 0 && is_finite_value(xx) && is_finite_value(yy))) {
    return Status::invalid_argument(str_cat(metric, ": the sums of squared deviations are ", xx, " and ", yy,
                                            "; they should be positive and finite"));
  }
  const double r = xy / (std::sqrt(xx) * std::sqrt(yy));
  return std::clamp(r, -1.0, 1.0);
}

/// The checks that the three correlations share.
template <class S, class L>
[[nodiscard]] Status check_correlation(std::string_view metric, Span<const S> scores, Span<const L> labels) {
  MLGRAPH_RETURN_IF_ERROR(check_items(metric, scores, labels, 2));
  MLGRAPH_RETURN_IF_ERROR(check_not_constant(str_cat(metric, ": the labels"), labels));
  return check_not_constant(str_cat(metric, ": the scores"), scores);
}

}  // namespace detail

/// Kendall's rank correlation with ties in either argument (tau-b), in [-1, 1]:
///
///   (concordant - discordant) / sqrt((pairs - pairs of equal scores) (pairs - pairs of equal labels))
///
/// Errors: fewer than 2 items; all labels or all scores equal; a NaN.
/// Cost:   O(n log n).
template <class Scores, class Labels>
[[nodiscard]] Result<double> kendall_tau_b(const Scores& scores, const Labels& labels) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_correlation("kendall_tau_b", s, y));
  const detail::PairCounts counts = detail::count_pairs(s, y);
  const double untied_scores = static_cast<double>(counts.total - counts.score_ties);
  const double untied_labels = static_cast<double>(counts.total - counts.label_ties);
  const double difference = static_cast<double>(counts.concordant() - counts.discordant);
  return std::clamp(difference / std::sqrt(untied_scores * untied_labels), -1.0, 1.0);
}

/// Ordered pair accuracy: among the pairs with y_i > y_j, the share with s_i > s_j (equal scores are wrong).
///
/// Errors: fewer than 2 items; all labels equal; a NaN.
/// Cost:   O(n log n).
template <class Scores, class Labels>
[[nodiscard]] Result<double> ordered_pair_accuracy(const Scores& scores, const Labels& labels) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_items("ordered_pair_accuracy", s, y, 2));
  MLGRAPH_RETURN_IF_ERROR(detail::check_not_constant("ordered_pair_accuracy: the labels", y));
  const detail::PairCounts counts = detail::count_pairs(s, y);
  return static_cast<double>(counts.concordant()) / static_cast<double>(counts.total - counts.label_ties);
}

/// What is lost by measuring only the `k` best-scored items and taking the fastest of them:
///
///   (fastest label among the k smallest scores - fastest label) / fastest label
///
/// Equal scores keep their input order; k larger than n means all. With k = 5 the tile score is 1 - this.
/// Errors: no items; k = 0; a fastest label that is not positive; a NaN.
/// Cost:   O(n log k).
template <class Scores, class Labels>
[[nodiscard]] Result<double> slowdown_at_k(const Scores& scores, const Labels& labels, std::size_t k) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_items("slowdown_at_k", s, y, 1));
  if (k == 0) return Status::invalid_argument("slowdown_at_k: k is 0; it should be at least 1");
  std::vector<std::size_t> order(s.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  k = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    [&](std::size_t a, std::size_t b) { return s[a] < s[b] || (s[a] == s[b] && a < b); });
  const auto fastest = *std::min_element(y.begin(), y.end());
  auto found = y[order[0]];
  for (std::size_t i = 1; i < k; ++i) found = std::min(found, y[order[i]]);
  if (!detail::is_finite_value(static_cast<double>(fastest)) || fastest <= 0) {
    return Status::invalid_argument(
        str_cat("slowdown_at_k: the fastest label is ", fastest, "; it should be positive and finite"));
  }
  return static_cast<double>(found - fastest) / static_cast<double>(fastest);
}

/// Two items that the scores order the wrong way round.
struct Inversion {
  std::int32_t preferred = 0;  ///< has the smaller score
  std::int32_t better = 0;     ///< has the smaller label
  double ratio = 1;            ///< label of `preferred` / label of `better`: what the mistake costs
};

/// The costliest mistakes of a ranking: for each item the worst of those that are scored below it and are
/// slower, and of these the `count` with the largest ratio of labels, the costliest first. Equal ratios keep
/// the order of the better items' scores.
///
/// Errors: sizes differ; no items; a NaN; a label that is not positive.
/// Cost:   O(n log n).
template <class Scores, class Labels>
[[nodiscard]] Result<std::vector<Inversion>> worst_inversions(const Scores& scores, const Labels& labels,
                                                              std::size_t count) {
  const auto score = detail::as_span(scores);
  const auto label = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_items("worst_inversions", score, label, 1));
  std::vector<std::int32_t> order(score.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!(label[i] > 0)) {
      return Status::invalid_argument(
          str_cat("worst_inversions: label ", i, " is ", label[i], "; should be positive"));
    }
    order[i] = static_cast<std::int32_t>(i);
  }
  const auto at = [](std::int32_t i) { return as_size(i); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return score[at(a)] < score[at(b)]; });
  std::vector<Inversion> inversions;
  std::int32_t slowest = order[0];  // of the items with smaller scores
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && score[at(order[end])] == score[at(order[begin])]) ++end;
    for (std::size_t i = begin; begin > 0 && i < end; ++i) {
      if (!(label[at(slowest)] > label[at(order[i])])) continue;
      inversions.push_back(
          {slowest, order[i],
           static_cast<double>(label[at(slowest)]) / static_cast<double>(label[at(order[i])])});
    }
    for (; begin < end; ++begin) {
      if (label[at(order[begin])] > label[at(slowest)]) slowest = order[begin];
    }
  }
  std::stable_sort(inversions.begin(), inversions.end(),
                   [](const Inversion& a, const Inversion& b) { return a.ratio > b.ratio; });
  inversions.resize(std::min(count, inversions.size()));
  return inversions;
}

/// Spearman's rank correlation: Pearson's of the ranks, where equal values share the mean of their ranks.
///
/// Errors: fewer than 2 items; all labels or all scores equal; a NaN.
/// Cost:   O(n log n).
template <class Scores, class Labels>
[[nodiscard]] Result<double> spearman(const Scores& scores, const Labels& labels) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_correlation("spearman", s, y));
  const std::vector<double> score_ranks = detail::average_ranks(s);
  const std::vector<double> label_ranks = detail::average_ranks(y);
  return detail::correlation("spearman", Span<const double>(score_ranks), Span<const double>(label_ranks));
}

/// Pearson's linear correlation, in double.
///
/// Errors: fewer than 2 items; all labels or all scores equal; a NaN; a variance that overflows or
/// vanishes in double.
template <class Scores, class Labels>
[[nodiscard]] Result<double> pearson(const Scores& scores, const Labels& labels) {
  const auto s = detail::as_span(scores);
  const auto y = detail::as_span(labels);
  MLGRAPH_RETURN_IF_ERROR(detail::check_correlation("pearson", s, y));
  return detail::correlation("pearson", s, y);
}

/// Mean and spread of a metric over graphs, seeds or folds.
struct MeanStd {
  double mean = 0;
  double std = 0;  ///< sample standard deviation, divided by count - 1; 0 for a single value
  std::size_t count = 0;
};

/// Errors: no values; a NaN (named by index).
template <class Values>
[[nodiscard]] Result<MeanStd> mean_and_std(const Values& values) {
  const auto x = detail::as_span(values);
  if (x.empty()) return Status::invalid_argument("mean_and_std: there are 0 values; it needs at least 1");
  MLGRAPH_RETURN_IF_ERROR(detail::check_no_nan("mean_and_std: value", x));
  MeanStd result;
  result.count = x.size();
  result.mean = detail::mean(x);
  double squares = 0;
  for (const auto& value : x) {
    const double difference = static_cast<double>(value) - result.mean;
    squares += difference * difference;
  }
  if (result.count > 1) result.std = std::sqrt(squares / static_cast<double>(result.count - 1));
  return result;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_METRICS_HPP
