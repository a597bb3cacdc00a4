// SPDX-License-Identifier: Apache-2.0
// Losses between the outputs of a network and targets: regression and classification, weighted, with targets
// missing.
#ifndef MLGRAPH_TRAIN_TARGET_LOSS_HPP
#define MLGRAPH_TRAIN_TARGET_LOSS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/train/loss.hpp"

namespace mlgraph {

/// What the outputs s of a row are compared with its targets by; see target_loss() for formulas.
enum class TargetLoss : std::uint8_t {
  kMse,
  kL1,
  kHuber,
  kMape,
  kCrossEntropy,  ///< one class of several: outputs are logits of a softmax
  kBinary,        ///< several labels, each true or not: outputs are logits of sigmoids
};
template <>
struct EnumNames<TargetLoss> {
  static constexpr std::string_view kNames[] = {"mse", "l1", "huber", "mape", "cross-entropy", "binary"};
};

/// The targets of some rows (graphs or nodes), borrowed. K outputs are compared with (M, K) values, or with M
/// classes.
struct TargetRows {
  MatrixView<const float> value;        // (M, K); of 0 and 1, or probabilities, for kBinary
  Span<const std::int32_t> label;       // (M) of kCrossEntropy, in [0, K)
  Span<const float> weight;             // (M) of each row; empty: 1
  MatrixView<const std::int32_t> mask;  // (M, K) or (M, 1): 0 where a target is missing; of no rows: none is
};

MLGRAPH_BEGIN_ISA

/// A loss and what it counts.
struct TargetLossOptions {
  TargetLoss loss = TargetLoss::kMse;
  bool logarithms = false;      ///< of a regression: outputs are logarithms of targets
  double huber_delta = 1;       ///< of kHuber: where it goes over from squares to distances
  bool nan_is_missing = false;  ///< a value that is NaN is missing; otherwise it is an error
  /// (K) How much each output counts, or each class of kCrossEntropy; empty: alike.
  std::vector<double> output_weight;
  /// (K) Of kBinary: how much more a label that is true counts than one that is not; empty: as much.
  std::vector<double> positive_weight;

  [[nodiscard]] bool is_regression() const { return loss <= TargetLoss::kMape; }
};

/// How the targets z of a regression (the values, or their logarithms) were brought to mean 0 and deviation 1
/// for the outputs: z = mean + scale * output. Without numbers, outputs are as targets.
struct TargetScaling {
  std::vector<double> mean, scale;  // (K), or none

  [[nodiscard]] double z(std::size_t k, double output) const {
    return mean.empty() ? output : mean[k] + scale[k] * output;
  }
  [[nodiscard]] double output(std::size_t k, double z) const {
    return mean.empty() ? z : (z - mean[k]) / scale[k];
  }
};

namespace kernels {
namespace detail {

/// |y| of a relative error is at least this.
inline constexpr double kMapeEpsilon = 1e-6;

/// A loss of an element and its derivative.
struct LossAndSlope {
  double loss, slope;
};

[[nodiscard]] inline double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

/// Of output `s` and the value `y`.
[[nodiscard]] inline LossAndSlope regression_element(const TargetLossOptions& options,
                                                     const TargetScaling& scaling, std::size_t k, double s,
                                                     double y) {
  const double z = options.logarithms ? std::log(y) : y;
  if (options.loss == TargetLoss::kMape) {
    const double dz = scaling.mean.empty() ? 1 : scaling.scale[k];  // of the prediction by s
    if (options.logarithms) {
      const double ratio = std::exp(scaling.z(k, s) - z);
      return {std::abs(ratio - 1), sign_of(ratio - 1) * ratio * dz};
    }
    const double weight = 1 / std::max(std::abs(y), kMapeEpsilon);
    const double error = scaling.z(k, s) - y;
    return {std::abs(error) * weight, sign_of(error) * weight * dz};
  }
  const double error = s - scaling.output(k, z);
  switch (options.loss) {
    case TargetLoss::kL1:
      return {std::abs(error), sign_of(error)};
    case TargetLoss::kHuber: {
      const double delta = options.huber_delta;
      if (std::abs(error) <= delta) return {error * error / 2, error};
      return {delta * (std::abs(error) - delta / 2), delta * sign_of(error)};
    }
    default:
      return {error * error, 2 * error};
  }
}

/// -p w log(sigmoid(s)) - (1 - p) log(1 - sigmoid(s)), computed from exp(-|s|), which cannot overflow.
[[nodiscard]] inline LossAndSlope binary_element(double s, double p, double positive_weight) {
  const double e = std::exp(-std::abs(s));
  const double sigmoid = s >= 0 ? 1 / (1 + e) : e / (1 + e);
  const double log_true = std::min(s, 0.0) - std::log1p(e);  // log sigmoid(s)
  const double log_false = log_true - s;                     // log (1 - sigmoid(s))
  return {-positive_weight * p * log_true - (1 - p) * log_false,
          (1 - p) * sigmoid - positive_weight * p * (1 - sigmoid)};
}

}  // namespace detail

/// Whether target k of row i counts.
[[nodiscard]] inline bool has_target(const TargetLossOptions& options, const TargetRows& rows, std::int64_t i,
                                     std::int64_t k) {
  if (rows.mask.rows > 0 && rows.mask(i, rows.mask.cols == 1 ? 0 : k) == 0) return false;
  return options.loss == TargetLoss::kCrossEntropy || !options.nan_is_missing ||
         !mlgraph::detail::is_nan(rows.value(i, k));
}

/// How much target k of row i counts: 0 where it is missing. Of kCrossEntropy, k is 0.
[[nodiscard]] inline double target_weight(const TargetLossOptions& options, const TargetRows& rows,
                                          std::int64_t i, std::int64_t k) {
  if (!has_target(options, rows, i, k)) return 0;
  const auto row = as_size(i);
  double weight = rows.weight.empty() ? 1 : static_cast<double>(rows.weight[row]);
  if (options.output_weight.empty()) return weight;
  const bool of_class = options.loss == TargetLoss::kCrossEntropy;
  return weight *= options.output_weight[as_size(of_class ? std::int64_t{rows.label[row]} : k)];
}

/// The sum of target_weight() over all targets of `num_rows` rows with `num_outputs` outputs.
[[nodiscard]] inline double total_target_weight(const TargetLossOptions& options, const TargetRows& rows,
                                                std::int64_t num_rows, std::int64_t num_outputs) {
  const std::int64_t cols = options.loss == TargetLoss::kCrossEntropy ? 1 : num_outputs;
  double total = 0;
  for (std::int64_t i = 0; i < num_rows; ++i) {
    for (std::int64_t k = 0; k < cols; ++k) total += target_weight(options, rows, i, k);
  }
  return total;
}

/// The sum over targets of weight * loss / total_weight; overwrites `d_outputs` with its gradient.
///
/// Shapes: outputs, d_outputs (M, K); rows that check_targets() has accepted for them.
/// Cost:   O(M K), in double, in the order of rows.
template <class T>
double target_loss(const TargetLossOptions& options, const TargetScaling& scaling, MatrixView<const T> outputs,
                   const TargetRows& rows, double total_weight, MatrixView<T> d_outputs) {
  const double unit = total_weight > 0 ? 1 / total_weight : 0;
  double total = 0;
  for (std::int64_t i = 0; i < outputs.rows; ++i) {
    const T* const s = outputs.row(i);
    T* const ds = d_outputs.row(i);
    if (options.loss == TargetLoss::kCrossEntropy) {
      std::fill(ds, ds + outputs.cols, T(0));
      const double weight = unit * target_weight(options, rows, i, 0);
      if (weight == 0) continue;
      const std::int64_t truth = rows.label[as_size(i)];
      const double largest = static_cast<double>(*std::max_element(s, s + outputs.cols));
      double sum = 0;
      for (std::int64_t c = 0; c < outputs.cols; ++c) sum += std::exp(static_cast<double>(s[c]) - largest);
      const double log_sum = largest + std::log(sum);
      total += weight * (log_sum - static_cast<double>(s[truth]));
      for (std::int64_t c = 0; c < outputs.cols; ++c) {
        const double probability = std::exp(static_cast<double>(s[c]) - log_sum);
        ds[c] = static_cast<T>(weight * (c == truth ? probability - 1 : probability));
      }
      continue;
    }
    for (std::int64_t k = 0; k < outputs.cols; ++k) {
      ds[k] = T(0);
      const double weight = unit * target_weight(options, rows, i, k);
      if (weight == 0) continue;
      const auto column = as_size(k);
      const double output = static_cast<double>(s[k]), value = static_cast<double>(rows.value(i, k));
      const double positive = options.positive_weight.empty() ? 1 : options.positive_weight[column];
      const detail::LossAndSlope of = options.loss == TargetLoss::kBinary
                                          ? detail::binary_element(output, value, positive)
                                          : detail::regression_element(options, scaling, column, output, value);
      total += weight * of.loss;
      ds[k] = static_cast<T>(weight * of.slope);
    }
  }
  return total;
}

}  // namespace kernels

/// An error when options do not fit `num_outputs` outputs.
[[nodiscard]] inline Status check_target_options(const TargetLossOptions& options, std::int64_t num_outputs) {
  const auto check_weights = [&](std::string_view name, const std::vector<double>& weights) -> Status {
    if (weights.empty()) return {};
    if (signed_size(weights) != num_outputs) {
      return Status::invalid_argument(
          str_cat("", name, " has ", weights.size(), " numbers; there are ", num_outputs, " outputs"));
    }
    for (std::size_t k = 0; k < weights.size(); ++k) {
      if (detail::is_finite_value(weights[k]) && weights[k] >= 0) continue;
      return Status::invalid_argument(
          str_cat("", name, " ", k, " is ", weights[k], "; should be finite and 0 or more"));
    }
    return {};
  };
  MLGRAPH_RETURN_IF_ERROR(check_weights("output_weight", options.output_weight));
  MLGRAPH_RETURN_IF_ERROR(check_weights("positive_weight", options.positive_weight));
  if (options.logarithms && !options.is_regression())
    return Status::invalid_argument("logarithms are of a regression, not of classes");
  if (!options.positive_weight.empty() && options.loss != TargetLoss::kBinary)
    return Status::invalid_argument("positive_weight is of the loss binary");
  if (detail::is_finite_value(options.huber_delta) && options.huber_delta > 0) return {};
  return Status::invalid_argument(str_cat("huber_delta is ", options.huber_delta, "; should be above 0"));
}

/// An error when targets do not fit M rows with K outputs, with the row: sizes; a value that counts and is not
/// finite, has no logarithm or is no probability; a class that is none; a weight that is negative or not
/// finite.
[[nodiscard]] inline Status check_targets(const TargetLossOptions& options, const TargetRows& rows,
                                          std::int64_t num_rows, std::int64_t num_outputs) {
  const bool of_class = options.loss == TargetLoss::kCrossEntropy;
  const std::int64_t cols = of_class ? 1 : num_outputs;
  const auto num_labels = signed_size(rows.label);
  if (of_class ? num_labels != num_rows : (rows.value.rows != num_rows || rows.value.cols != num_outputs)) {
    return Status::invalid_argument(
        str_cat("outputs are (", num_rows, ", ", num_outputs, "); there are ",
                of_class ? str_cat(num_labels, " classes")
                         : str_cat("(", rows.value.rows, ", ", rows.value.cols, ") targets")));
  }
  if (!rows.weight.empty() && signed_size(rows.weight) != num_rows)
    return Status::invalid_argument(
        str_cat("there are ", rows.weight.size(), " weights for ", num_rows, " rows"));
  if (rows.mask.rows > 0 && (rows.mask.rows != num_rows || (rows.mask.cols != 1 && rows.mask.cols != cols))) {
    return Status::invalid_argument(str_cat("the mask is (", rows.mask.rows, ", ", rows.mask.cols,
                                            "); should be (", num_rows, ", ", cols, ") or (", num_rows,
                                            ", 1)"));
  }
  for (std::int64_t i = 0; i < num_rows; ++i) {
    const auto row = as_size(i);
    if (!rows.weight.empty() && !(detail::is_finite(rows.weight[row]) && rows.weight[row] >= 0)) {
      return Status::invalid_argument(
          str_cat("the weight of row ", i, " is ", rows.weight[row], "; should be finite and 0 or more"));
    }
    for (std::int64_t k = 0; k < cols; ++k) {
      if (!kernels::has_target(options, rows, i, k)) continue;
      if (of_class) {
        if (rows.label[row] >= 0 && rows.label[row] < num_outputs) continue;
        return Status::out_of_range(
            str_cat("the class of row ", i, " is ", rows.label[row], "; there are ", num_outputs));
      }
      const float y = rows.value(i, k);
      const char* const should = !detail::is_finite(y) ? "finite, or missing by a mask or nan_is_missing"
                                 : options.logarithms && !(y > 0) ? "above 0 for its logarithm"
                                 : options.loss == TargetLoss::kBinary && !(y >= 0 && y <= 1) ? "in [0, 1]"
                                                                                              : nullptr;
      if (should == nullptr) continue;
      return Status::invalid_argument(str_cat("target ", k, " of row ", i, " is ", y, "; should be ", should));
    }
  }
  return {};
}

/// The weighted mean of a loss over all targets that are not missing, of values y, weights w and outputs s:
///
///   sum_ik w_ik loss(s_ik, y_ik) / total_weight,    w_ik = weight of the row * weight of the output (0:
///   missing)
///
/// with t = (z - mean) / scale, z = y or log y, and of the prediction p = mean + scale * s:
///
///   kMse   (s - t)^2                                     kL1     |s - t|
///   kHuber (s - t)^2 / 2 up to |s - t| = delta, then delta (|s - t| - delta / 2)
///   kMape  |p - y| / max(|y|, 1e-6), or with logarithms |exp(p) - y| / y: the relative error of what is
///   predicted kCrossEntropy  log sum_c exp(s_ic) - s_i,label       (w has the weight of the class) kBinary -w+
///   y log sigmoid(s) - (1 - y) log(1 - sigmoid(s)), w+ = positive_weight
///
/// `total_weight`: the sum of all w_ik, or that of a whole step of which these rows are a part; below 0: the
/// former. A total of 0 gives a loss of 0 without a gradient. The names and values are those of
/// torch.nn.functional.
///
/// Shapes: outputs (M, K) -> (1, 1).
/// Errors: those of check_target_options() and check_targets().
/// Cost:   O(M K), in double.
template <class Ctx>
Var target_loss(Ctx& ctx, Var outputs, const TargetRows& rows, const TargetLossOptions& options,
                const TargetScaling& scaling = {}, double total_weight = -1) {
  using T = typename Ctx::Scalar;
  const MatrixView<const T> s = ctx.value(outputs);
  Status status = check_target_options(options, s.cols);
  if (status.ok()) status = check_targets(options, rows, s.rows, s.cols);
  if (!ctx.expect(status.ok(), [&] { return str_cat("target_loss: ", status.message()); })) return {};
  if (total_weight < 0) total_weight = kernels::total_target_weight(options, rows, s.rows, s.cols);
  const Var loss = ctx.allocate(1, 1, ctx.needs_grad(outputs));
  T* const gradient = ctx.arena().template allocate<T>(as_size(s.size()));
  *ctx.mutable_value(loss).data = static_cast<T>(
      kernels::target_loss(options, scaling, s, rows, total_weight, MatrixView<T>(gradient, s.rows, s.cols)));
  ctx.record(loss, ops::ScalarLoss<T>{outputs, loss, gradient});
  return loss;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TARGET_LOSS_HPP
