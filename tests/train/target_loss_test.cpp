// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/target_loss.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "golden/target_loss.hpp"
#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/core/random.hpp"

using namespace mlgraph;

namespace {

namespace golden = testing::golden_target_loss;

/// The options and targets of a golden case, by its name.
struct TargetCase {
  TargetLossOptions options;
  TargetScaling scaling;
  std::vector<float> value, weight;
  std::vector<std::int32_t> row_mask;
  TargetRows rows;

  explicit TargetCase(std::string name) {
    const bool is_plain = name.rfind("plain_", 0) == 0;
    if (is_plain) name = name.substr(6);
    options.logarithms = name.rfind("log_", 0) == 0;
    if (options.logarithms) name = name.substr(4);
    if (name == "cross_entropy") name = "cross-entropy";
    const Span<const std::string_view> names = enum_names<TargetLoss>();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == name) options.loss = static_cast<TargetLoss>(i);
    }
    REQUIRE(names[static_cast<std::size_t>(options.loss)] == name);
    options.huber_delta = 0.75;
    const bool of_class = options.loss == TargetLoss::kCrossEntropy,
               is_binary = options.loss == TargetLoss::kBinary;
    if (!is_plain || of_class)
      options.output_weight.assign(golden::kOutputWeight, golden::kOutputWeight + golden::kCols);
    if (!is_plain && is_binary)
      options.positive_weight.assign(golden::kPositiveWeight, golden::kPositiveWeight + golden::kCols);
    if (!is_plain && options.is_regression()) {
      scaling.mean.assign(golden::kScalingMean, golden::kScalingMean + golden::kCols);
      scaling.scale.assign(golden::kScalingScale, golden::kScalingScale + golden::kCols);
    }
    for (const double y : is_binary ? golden::kTrue : golden::kValues) value.push_back(static_cast<float>(y));
    for (const double w : golden::kRowWeight) weight.push_back(static_cast<float>(w));
    rows.value = {value.data(), golden::kRows, golden::kCols};
    if (of_class) rows.label = golden::kLabel;
    if (is_plain) return;
    rows.weight = weight;
    rows.mask = {golden::kMask, golden::kRows, golden::kCols};
    if (!of_class) return;
    for (int i = 0; i < golden::kRows; ++i) row_mask.push_back(golden::kMask[i * golden::kCols]);
    rows.mask = {row_mask.data(), golden::kRows, 1};
  }
};

}  // namespace

TEST_CASE("every loss and its gradient are those of PyTorch") {
  for (const golden::Case& expected : golden::kCases) {
    INFO(expected.name);
    const TargetCase test(expected.name);
    DoubleTape tape;
    const Var outputs = tape.leaf({golden::kOutputs, golden::kRows, golden::kCols});
    const Var loss = target_loss(tape, outputs, test.rows, test.options, test.scaling);
    REQUIRE_MESSAGE(tape.status().ok(), tape.status().message());
    CHECK(*tape.value(loss).data == doctest::Approx(expected.loss).epsilon(1e-6));
    REQUIRE(tape.backward(loss).ok());
    for (int i = 0; i < golden::kRows * golden::kCols; ++i)
      CHECK(tape.grad(outputs).data[i] == doctest::Approx(expected.gradient[i]).epsilon(1e-6));
  }
}

TEST_CASE("gradients of every loss are those of central differences") {
  ParamSpec spec;
  Parameters<double> parameters(spec, 1);
  for (const golden::Case& golden_case : golden::kCases) {
    INFO(golden_case.name);
    const TargetCase test(golden_case.name);
    std::vector<double> outputs(golden::kOutputs, golden::kOutputs + golden::kRows * golden::kCols);
    for (double& output : outputs) output *= 0.3;  // away from kinks, where there is no derivative
    const Status status = gradcheck(
        [&](DoubleTape& tape, const std::vector<Var>& leaves) {
          return target_loss(tape, leaves[0], test.rows, test.options, test.scaling);
        },
        {MatrixView<double>(outputs.data(), golden::kRows, golden::kCols)}, spec, parameters);
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

TEST_CASE("a missing target counts as if its row did not have it, by NaN and by mask") {
  const std::vector<float> s = {1, 2, 3, 4};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> with_nan = {2, nan, 5, nan}, others = {2, 5};
  const std::vector<std::int32_t> mask = {1, 0, 1, 0};
  const std::vector<float> present = {1, 3};
  const auto loss_of = [](const std::vector<float>& outputs, const TargetRows& rows, bool nan_is_missing,
                          std::vector<float>& gradient) {
    Tape tape;
    TargetLossOptions options;
    options.loss = TargetLoss::kMape;
    options.nan_is_missing = nan_is_missing;
    const Var leaf = tape.leaf({outputs.data(), static_cast<std::int64_t>(outputs.size()), 1});
    const Var loss = target_loss(tape, leaf, rows, options);
    REQUIRE_MESSAGE(tape.backward(loss).ok(), tape.status().message());
    gradient.assign(tape.grad(leaf).data, tape.grad(leaf).data + outputs.size());
    return *tape.value(loss).data;
  };
  TargetRows by_nan, by_mask, without;
  by_nan.value = by_mask.value = {with_nan.data(), 4, 1};
  by_mask.mask = {mask.data(), 4, 1};
  without.value = {others.data(), 2, 1};
  std::vector<float> gradient, expected;
  const float loss = loss_of(present, without, false, expected);
  CHECK(loss_of(s, by_nan, true, gradient) == loss);
  CHECK(gradient == std::vector<float>{expected[0], 0, expected[1], 0});
  CHECK(loss_of(s, by_mask, false, gradient) == loss);
  CHECK(gradient == std::vector<float>{expected[0], 0, expected[1], 0});
}

TEST_CASE("parts of a step add up to the step, and nothing to fit is a loss of 0") {
  const TargetCase test("huber");
  TargetLossOptions options = test.options;
  Eager ctx;
  std::vector<float> s(golden::kOutputs, golden::kOutputs + golden::kRows * golden::kCols);
  const double total = kernels::total_target_weight(options, test.rows, golden::kRows, golden::kCols);
  const float whole =
      *ctx.value(target_loss(ctx, ctx.input(MatrixView<const float>(s.data(), 6, 3)), test.rows, options)).data;
  float sum = 0;
  for (std::int64_t begin = 0; begin < 6; begin += 2) {
    TargetRows part = test.rows;
    part.value = part.value.row_block(begin, 2);
    part.mask = part.mask.row_block(begin, 2);
    part.weight = part.weight.subspan(static_cast<std::size_t>(begin), 2);
    sum += *ctx.value(target_loss(ctx, ctx.input(MatrixView<const float>(s.data() + 3 * begin, 2, 3)), part,
                                  options, {}, total))
                .data;
  }
  CHECK(sum == doctest::Approx(whole).epsilon(1e-6));
  TargetRows none = test.rows;
  const std::vector<std::int32_t> mask(6, 0);
  none.mask = {mask.data(), 6, 1};
  CHECK(*ctx.value(target_loss(ctx, ctx.input(MatrixView<const float>(s.data(), 6, 3)), none, options)).data ==
        0);
}

TEST_CASE("targets and options that do not fit are refused with their place") {
  const auto error_of = [](auto&& change) {
    TargetCase test("mse");
    change(test);
    Eager ctx;
    std::vector<float> s(18, 0.5F);
    const Var loss = target_loss(ctx, ctx.input(MatrixView<const float>(s.data(), 6, 3)), test.rows,
                                 test.options, test.scaling);
    CHECK(loss.id == 0);
    return ctx.status().message();
  };
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_of([&](TargetCase& t) { t.value[4] = nan; }) ==
        "target_loss: target 1 of row 1 is nan; should be finite, or missing by a mask or nan_is_missing");
  CHECK(error_of([&](TargetCase& t) { t.value[4] = inf, t.options.nan_is_missing = true; }) ==
        "target_loss: target 1 of row 1 is inf; should be finite, or missing by a mask or nan_is_missing");
  CHECK(error_of([](TargetCase& t) { t.value[0] = 0, t.options.logarithms = true; }) ==
        "target_loss: target 0 of row 0 is 0; should be above 0 for its logarithm");
  CHECK(error_of([](TargetCase& t) { t.options.loss = TargetLoss::kBinary; }).find("; should be in [0, 1]") !=
        std::string::npos);
  CHECK(error_of([](TargetCase& t) { t.rows.value.cols = 2; }) ==
        "target_loss: outputs are (6, 3); there are (6, 2) targets");
  CHECK(error_of([](TargetCase& t) { t.options.loss = TargetLoss::kCrossEntropy; }) ==
        "target_loss: outputs are (6, 3); there are 0 classes");
  CHECK(error_of([](TargetCase& t) {
          static const std::int32_t labels[] = {0, 1, 2, 3, 0, 0};
          t.options.loss = TargetLoss::kCrossEntropy;
          t.rows.label = labels;
          t.rows.mask = {};
        }) == "target_loss: the class of row 3 is 3; there are 3");
  CHECK(error_of([](TargetCase& t) { t.rows.mask.cols = 2; }) ==
        "target_loss: the mask is (6, 2); should be (6, 3) or (6, 1)");
  CHECK(error_of([](TargetCase& t) { t.weight[2] = -1; }) ==
        "target_loss: the weight of row 2 is -1; should be finite and 0 or more");
  CHECK(error_of([](TargetCase& t) { t.rows.weight = t.rows.weight.subspan(0, 5); }) ==
        "target_loss: there are 5 weights for 6 rows");
  CHECK(error_of([](TargetCase& t) { t.options.output_weight.pop_back(); }) ==
        "target_loss: output_weight has 2 numbers; there are 3 outputs");
  CHECK(error_of([](TargetCase& t) { t.options.output_weight[1] = -1; }) ==
        "target_loss: output_weight 1 is -1; should be finite and 0 or more");
  CHECK(error_of([](TargetCase& t) { t.options.huber_delta = 0; }) ==
        "target_loss: huber_delta is 0; should be above 0");
  CHECK(error_of([](TargetCase& t) {
          t.options.positive_weight = {1, 1, 1};
        }) == "target_loss: positive_weight is of the loss binary");
  CHECK(error_of([](TargetCase& t) {
          t.options.loss = TargetLoss::kBinary;
          t.options.logarithms = true;
        }) == "target_loss: logarithms are of a regression, not of classes");
}
