// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/target_metrics.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace mlgraph;

namespace {

using Numbers = std::vector<double>;
using Classes = std::vector<std::int32_t>;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

Predictions predictions_of(TargetLoss loss, const Numbers& predicted, std::int64_t outputs,
                           const Numbers& target, std::int64_t targets) {
  return {loss,
          {predicted.data(), static_cast<std::int64_t>(predicted.size()) / outputs, outputs},
          {target.data(), static_cast<std::int64_t>(target.size()) / targets, targets}};
}

}  // namespace

// Expected values are those of scikit-learn's documentation.
TEST_CASE("metrics of a regression") {
  const Numbers y = {3, -0.5, 2, 7}, p = {2.5, 0.0, 2, 8};
  CHECK(*mean_absolute_error(p, y) == doctest::Approx(0.5));
  CHECK(*root_mean_squared_error(p, y) == doctest::Approx(0.6123724356957945));
  CHECK(*mean_absolute_percentage_error(p, y) == doctest::Approx(0.3273809523809524));
  CHECK(*r2_score(p, y) == doctest::Approx(0.9486081370449679));
  CHECK(*r2_score(y, y) == 1);
}

TEST_CASE("metrics of classes") {
  const Classes y = {0, 1, 2, 0, 1, 2}, p = {0, 2, 1, 0, 0, 1};
  CHECK(*accuracy_score(p, y) == doctest::Approx(1.0 / 3));
  CHECK(*macro_f1_score(p, y, 3) == doctest::Approx(0.26666666666666666));
  CHECK(*macro_f1_score(p, y, 9) == doctest::Approx(0.26666666666666666));  // classes that nobody has
  CHECK(*roc_auc_score(Numbers{0.1, 0.4, 0.35, 0.8}, Classes{0, 0, 1, 1}) == doctest::Approx(0.75));
  CHECK(*roc_auc_score(Numbers{1, 1, 1, 1}, Classes{0, 1, 1, 1}) == doctest::Approx(0.5));
  CHECK(*roc_auc_score(Numbers{3, 2, 2, 1}, Classes{0, 0, 1, 1}) == doctest::Approx(0.125));
}

TEST_CASE("a metric without a value is an error") {
  const Numbers one = {1}, two = {1, 2}, with_nan = {1, kMissing};
  CHECK(mean_absolute_error(two, one).status().message() ==
        "mean_absolute_error: there are 2 scores but 1 labels");
  CHECK(mean_absolute_error({}, {}).status().message() ==
        "mean_absolute_error: there are 0 items; it needs at least 1");
  CHECK(root_mean_squared_error(two, with_nan).status().message() == "root_mean_squared_error: label 1 is nan");
  CHECK(mean_absolute_percentage_error(two, Numbers{1, 0}).status().message() ==
        "mean_absolute_percentage_error: label 1 is 0; it should be another");
  CHECK(r2_score(two, Numbers{3, 3}).status().message() ==
        "r2_score: the labels are all 3; at least one should differ");
  CHECK(accuracy_score(Classes{1}, Classes{}).status().message() ==
        "accuracy_score: there are 1 predictions and 0 labels; should be as many, and 1 or more");
  CHECK(macro_f1_score(Classes{}, Classes{}, 2).status().message() ==
        "macro_f1_score: there are 0 predictions and 0 labels of 2 classes; should be as many, and 1 or more");
  CHECK(roc_auc_score(two, Classes{1, 1}).status().message() ==
        "roc_auc_score: 2 items are positive and 0 negative; there should be both");
  CHECK(roc_auc_score(two, Classes{1}).status().message() == "roc_auc_score: there are 2 scores but 1 labels");
  CHECK(roc_auc_score(with_nan, Classes{1, 0}).status().message() == "roc_auc_score: score 1 is nan");
}

TEST_CASE("metrics of predictions leave out what is missing, and are means over outputs") {
  const Numbers p = {1, 10, 2, 20, 3, 30}, y = {1, 11, kMissing, 22, 4, kMissing};
  const TargetMetrics metrics = target_metrics(predictions_of(TargetLoss::kL1, p, 2, y, 2));
  CHECK(*metrics.mae == doctest::Approx((0.5 + 1.5) / 2));
  CHECK(*metrics.mape == doctest::Approx((0.125 + 1.0 / 11) / 2));
  CHECK_FALSE(metrics.accuracy.has_value());
  CHECK_FALSE(metrics.auc.has_value());

  const Numbers q = {0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.5, 0.5}, label = {0, 1, 1, kMissing};
  const TargetMetrics of_class = target_metrics(predictions_of(TargetLoss::kCrossEntropy, q, 2, label, 1));
  CHECK(*of_class.accuracy == doctest::Approx(2.0 / 3));
  CHECK(*of_class.auc == 1);
  CHECK(*of_class.f1 == doctest::Approx(2.0 / 3));
  CHECK_FALSE(of_class.r2.has_value());

  const Numbers b = {0.9, 0.2, 0.6, 0.7, 0.1, 0.3}, truth = {1, 0, 0, 1, kMissing, 1};
  const TargetMetrics binary = target_metrics(predictions_of(TargetLoss::kBinary, b, 2, truth, 2));
  CHECK(*binary.accuracy == doctest::Approx(3.0 / 5));
  CHECK(*binary.f1 == doctest::Approx((2.0 / 3 + 2.0 / 3) / 2));
  CHECK(*binary.auc == doctest::Approx(1));
}

TEST_CASE("what a training stops on: a metric, or a function of one's own") {
  const Numbers p = {1, 2}, y = {1, 3};
  const Predictions predictions = predictions_of(TargetLoss::kMse, p, 1, y, 1);
  TargetMetrics metrics = target_metrics(predictions);
  metrics.loss = 7;
  StopOn stop;
  CHECK(*stop.value(metrics, predictions) == 7);
  CHECK(stop.is_better(1, 2));
  stop.metric = StopMetric::kR2;
  CHECK(*stop.value(metrics, predictions) == doctest::Approx(0.5));
  CHECK(stop.is_better(2, 1));
  stop.metric = StopMetric::kAuc;
  CHECK(stop.value(metrics, predictions).status().message() == "the validation targets have no auc");
  stop.own = [](const Predictions& all) -> Result<double> { return all.predicted(1, 0); };
  stop.own_name = "last";
  CHECK(*stop.value(metrics, predictions) == 2);
  CHECK(stop.name() == "last");
  stop.own_is_better_higher = false;
  CHECK(stop.is_better(1, 2));
}
