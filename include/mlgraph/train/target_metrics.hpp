// SPDX-License-Identifier: Apache-2.0
// Metrics of predictions against targets: R2, MAE, RMSE, MAPE, accuracy, F1, AUC.
#ifndef MLGRAPH_TRAIN_TARGET_METRICS_HPP
#define MLGRAPH_TRAIN_TARGET_METRICS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/target_loss.hpp"

namespace mlgraph {

/// What the best epoch of a training is judged by, on validation targets.
enum class StopMetric : std::uint8_t { kLoss, kR2, kMae, kRmse, kMape, kAccuracy, kF1, kAuc };
template <>
struct EnumNames<StopMetric> {
  static constexpr std::string_view kNames[] = {"loss", "r2", "mae", "rmse", "mape", "accuracy", "f1", "auc"};
};

MLGRAPH_BEGIN_ISA
namespace detail {

/// The errors that metrics of two lists have in common.
[[nodiscard]] inline Status check_pairs(std::string_view metric, Span<const double> predicted,
                                        Span<const double> target) {
  return check_items(metric, predicted, target, 1);
}

}  // namespace detail

/// The mean of |p - y|.
/// Errors: sizes that differ; no items; a NaN.
[[nodiscard]] inline Result<double> mean_absolute_error(Span<const double> predicted,
                                                        Span<const double> target) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_pairs("mean_absolute_error", predicted, target));
  double sum = 0;
  for (std::size_t i = 0; i < target.size(); ++i) sum += std::abs(predicted[i] - target[i]);
  return sum / static_cast<double>(target.size());
}

/// The root of the mean of (p - y)^2.
/// Errors: sizes that differ; no items; a NaN.
[[nodiscard]] inline Result<double> root_mean_squared_error(Span<const double> predicted,
                                                            Span<const double> target) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_pairs("root_mean_squared_error", predicted, target));
  double sum = 0;
  for (std::size_t i = 0; i < target.size(); ++i)
    sum += (predicted[i] - target[i]) * (predicted[i] - target[i]);
  return std::sqrt(sum / static_cast<double>(target.size()));
}

/// The mean of |p - y| / |y|, as a fraction.
/// Errors: sizes that differ; no items; a NaN; a target of 0.
[[nodiscard]] inline Result<double> mean_absolute_percentage_error(Span<const double> predicted,
                                                                   Span<const double> target) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_pairs("mean_absolute_percentage_error", predicted, target));
  double sum = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0)
      return Status::invalid_argument(
          str_cat("mean_absolute_percentage_error: label ", i, " is 0; it should be another"));
    sum += std::abs(predicted[i] - target[i]) / std::abs(target[i]);
  }
  return sum / static_cast<double>(target.size());
}

/// 1 - sum (p - y)^2 / sum (y - mean y)^2.
/// Errors: sizes that differ; fewer than 2 items; a NaN; targets that are all the same.
[[nodiscard]] inline Result<double> r2_score(Span<const double> predicted, Span<const double> target) {
  MLGRAPH_RETURN_IF_ERROR(detail::check_items("r2_score", predicted, target, 2));
  MLGRAPH_RETURN_IF_ERROR(detail::check_not_constant("r2_score: the labels", target));
  const double mean = detail::mean(target);
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    errors += (predicted[i] - target[i]) * (predicted[i] - target[i]);
    squares += (target[i] - mean) * (target[i] - mean);
  }
  return 1 - errors / squares;
}

/// The share of items whose class is the predicted one.
/// Errors: sizes that differ; no items.
[[nodiscard]] inline Result<double> accuracy_score(Span<const std::int32_t> predicted,
                                                   Span<const std::int32_t> label) {
  if (predicted.size() != label.size() || label.empty()) {
    return Status::invalid_argument(str_cat("accuracy_score: there are ", predicted.size(), " predictions and ",
                                            label.size(), " labels; should be as many, and 1 or more"));
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < label.size(); ++i) right += predicted[i] == label[i] ? 1U : 0U;
  return static_cast<double>(right) / static_cast<double>(label.size());
}

/// F1 of a class, 2 TP / (2 TP + FP + FN); empty where no item has it or is predicted to.
[[nodiscard]] inline std::optional<double> f1_of_class(Span<const std::int32_t> predicted,
                                                       Span<const std::int32_t> label, std::int32_t of) {
  std::int64_t both = 0, either = 0;
  for (std::size_t i = 0; i < std::min(label.size(), predicted.size()); ++i) {
    both += predicted[i] == of && label[i] == of ? 2 : 0;
    either += (predicted[i] == of ? 1 : 0) + (label[i] == of ? 1 : 0);
  }
  if (either == 0) return std::nullopt;
  return static_cast<double>(both) / static_cast<double>(either);
}

/// The mean of F1 over the classes in [0, num_classes) that some item has or is predicted to (scikit-learn's
/// macro average).
/// Errors: sizes that differ; no items of these classes.
[[nodiscard]] inline Result<double> macro_f1_score(Span<const std::int32_t> predicted,
                                                   Span<const std::int32_t> label, std::int32_t num_classes) {
  double sum = 0;
  int count = 0;
  for (std::int32_t c = 0; c < num_classes && predicted.size() == label.size(); ++c) {
    const std::optional<double> f1 = f1_of_class(predicted, label, c);
    if (!f1.has_value()) continue;
    sum += *f1;
    ++count;
  }
  if (count > 0) return sum / count;
  return Status::invalid_argument(str_cat("macro_f1_score: there are ", predicted.size(), " predictions and ",
                                          label.size(), " labels of ", num_classes,
                                          " classes; should be as many, and 1 or more"));
}

/// The area under the ROC curve: how likely a random positive item has a higher score than a random negative
/// one, where equal scores count half. `is_positive`: not 0.
/// Errors: sizes that differ; a NaN; items that are all positive, or all negative.
/// Cost:   O(n log n).
[[nodiscard]] inline Result<double> roc_auc_score(Span<const double> score,
                                                  Span<const std::int32_t> is_positive) {
  if (score.size() != is_positive.size()) {
    return Status::invalid_argument(
        str_cat("roc_auc_score: there are ", score.size(), " scores but ", is_positive.size(), " labels"));
  }
  MLGRAPH_RETURN_IF_ERROR(detail::check_no_nan("roc_auc_score: score", score));
  const std::vector<double> ranks = detail::average_ranks(score);
  double sum = 0, positive = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    if (is_positive[i] == 0) continue;
    sum += ranks[i];
    ++positive;
  }
  const double negative = static_cast<double>(score.size()) - positive;
  if (positive == 0 || negative == 0) {
    return Status::invalid_argument(str_cat("roc_auc_score: ", positive, " items are positive and ", negative,
                                            " negative; there should be both"));
  }
  return (sum - positive * (positive + 1) / 2) / (positive * negative);
}

/// Predictions of some rows (graphs or nodes) beside their targets: what metrics are computed from. Borrowed.
struct Predictions {
  TargetLoss loss = TargetLoss::kMse;
  MatrixView<const double> predicted;  // (M, K) in the units of the targets; probabilities of classes
  MatrixView<const double> target;     // (M, K); (M, 1) of kCrossEntropy: the class. NaN: missing
};

/// Metrics of predictions; those that there are not (such as the AUC of a regression, or of one class) are
/// empty.
///
/// Of several outputs: the mean over those that have the metric. F1 is the macro average over classes, and of
/// kBinary over outputs; AUC is that of each class against the others. Missing targets are left out; nothing is
/// weighted.
struct TargetMetrics {
  double loss = 0;  ///< the loss that is trained, over all rows
  std::optional<double> r2, mae, rmse, mape, accuracy, f1, auc;
};

namespace detail {

/// The mean of what there is.
class MeanOfSome {
 public:
  void add(const Result<double>& value) {
    if (!value.ok()) return;
    sum_ += *value;
    ++count_;
  }
  [[nodiscard]] std::optional<double> mean() const {
    return count_ == 0 ? std::nullopt : std::optional<double>(sum_ / count_);
  }

 private:
  double sum_ = 0;
  int count_ = 0;
};

inline void regression_metrics(const Predictions& p, TargetMetrics& metrics) {
  MeanOfSome r2, mae, rmse, mape;
  for (std::int64_t k = 0; k < p.target.cols; ++k) {
    std::vector<double> predicted, target;
    for (std::int64_t i = 0; i < p.target.rows; ++i) {
      if (is_nan(p.target(i, k))) continue;
      predicted.push_back(p.predicted(i, k));
      target.push_back(p.target(i, k));
    }
    r2.add(r2_score(predicted, target));
    mae.add(mean_absolute_error(predicted, target));
    rmse.add(root_mean_squared_error(predicted, target));
    mape.add(mean_absolute_percentage_error(predicted, target));
  }
  metrics.r2 = r2.mean();
  metrics.mae = mae.mean();
  metrics.rmse = rmse.mean();
  metrics.mape = mape.mean();
}

inline void class_metrics(const Predictions& p, TargetMetrics& metrics) {
  std::vector<std::int32_t> predicted, label;
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < p.target.rows; ++i) {
    if (is_nan(p.target(i, 0))) continue;
    const double* const row = p.predicted.row(i);
    predicted.push_back(static_cast<std::int32_t>(std::max_element(row, row + p.predicted.cols) - row));
    label.push_back(static_cast<std::int32_t>(p.target(i, 0)));
    rows.push_back(i);
  }
  const auto value = [](const Result<double>& result) {
    return result.ok() ? std::optional<double>(*result) : std::nullopt;
  };
  metrics.accuracy = value(accuracy_score(predicted, label));
  metrics.f1 = value(macro_f1_score(predicted, label, static_cast<std::int32_t>(p.predicted.cols)));
  MeanOfSome auc;
  for (std::int64_t c = 0; c < p.predicted.cols; ++c) {
    std::vector<double> score;
    std::vector<std::int32_t> is_class;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      score.push_back(p.predicted(rows[i], c));
      is_class.push_back(label[i] == c ? 1 : 0);
    }
    auc.add(roc_auc_score(score, is_class));
  }
  metrics.auc = auc.mean();
}

inline void binary_metrics(const Predictions& p, TargetMetrics& metrics) {
  MeanOfSome f1, auc;
  std::int64_t right = 0, count = 0;
  for (std::int64_t k = 0; k < p.target.cols; ++k) {
    std::vector<double> score;
    std::vector<std::int32_t> predicted, is_true;
    for (std::int64_t i = 0; i < p.target.rows; ++i) {
      if (is_nan(p.target(i, k))) continue;
      score.push_back(p.predicted(i, k));
      predicted.push_back(p.predicted(i, k) > 0.5 ? 1 : 0);
      is_true.push_back(p.target(i, k) > 0.5 ? 1 : 0);
      right += predicted.back() == is_true.back() ? 1 : 0;
      ++count;
    }
    if (const std::optional<double> of = f1_of_class(predicted, is_true, 1)) f1.add(*of);
    auc.add(roc_auc_score(score, is_true));
  }
  if (count > 0) metrics.accuracy = static_cast<double>(right) / static_cast<double>(count);
  metrics.f1 = f1.mean();
  metrics.auc = auc.mean();
}

}  // namespace detail

/// All metrics of predictions but the loss.
[[nodiscard]] inline TargetMetrics target_metrics(const Predictions& predictions) {
  TargetMetrics metrics;
  switch (predictions.loss) {
    case TargetLoss::kCrossEntropy:
      detail::class_metrics(predictions, metrics);
      break;
    case TargetLoss::kBinary:
      detail::binary_metrics(predictions, metrics);
      break;
    default:
      detail::regression_metrics(predictions, metrics);
  }
  return metrics;
}

/// One of these metrics, or a function of the user's own.
struct StopOn {
  StopMetric metric = StopMetric::kLoss;
  /// Of predictions of the validation set; takes the place of `metric`. An error ends the training.
  std::function<Result<double>(const Predictions&)> own = nullptr;
  bool own_is_better_higher = true;
  std::string own_name = "own";  ///< in messages and checkpoints

  [[nodiscard]] std::string name() const { return own ? own_name : std::string(enum_name(metric)); }
  [[nodiscard]] bool is_better(double a, double b) const {
    const bool lower = own ? !own_is_better_higher
                           : metric == StopMetric::kLoss || metric == StopMetric::kMae ||
                                 metric == StopMetric::kRmse || metric == StopMetric::kMape;
    return lower ? a < b : a > b;
  }
  /// Errors: a metric that these predictions do not have; that of `own`.
  [[nodiscard]] Result<double> value(const TargetMetrics& metrics, const Predictions& predictions) const {
    if (own) return own(predictions);
    const std::optional<double> values[] = {metrics.loss, metrics.r2,       metrics.mae, metrics.rmse,
                                            metrics.mape, metrics.accuracy, metrics.f1,  metrics.auc};
    const std::optional<double>& value = values[as_size(metric)];
    if (value.has_value()) return *value;
    return Status::invalid_argument(str_cat("the validation targets have no ", name()));
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TARGET_METRICS_HPP
