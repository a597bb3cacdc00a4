// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/loss.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "mlgraph/autograd/gradcheck.hpp"

namespace mlgraph {
namespace {

using LossKind = LossOptions::Kind;
constexpr LossKind kKinds[] = {
    LossKind::kMse,     LossKind::kMape,    LossKind::kPairwiseHinge, LossKind::kPairwiseLogistic,
    LossKind::kListMle, LossKind::kDiffMat, LossKind::kCentredLog,    LossKind::kCostWeighted};

LossOptions loss_of(LossKind kind) {
  LossOptions options;
  options.kind = kind;
  options.margin = kind == LossKind::kDiffMat ? 0.01 : 0.7;
  options.temperature = 1.7;
  return options;
}

Status check(const LossOptions& options, std::vector<double> scores, const std::vector<double>& labels,
             const std::vector<std::int32_t>& ptr) {
  const std::vector<MatrixView<double>> inputs = {{scores.data(), static_cast<std::int64_t>(scores.size()), 1}};
  const ParamSpec spec;
  Parameters<double> none(spec, 0);
  return gradcheck(
      [&](DoubleTape& tape, const std::vector<Var>& v) {
        return ranking_loss(tape, tape.scale(v[0], 1.5), labels, ptr, options);
      },
      inputs, spec, none);
}

TEST_CASE("every loss passes the gradient check on slates of every kind") {
  // Sizes 4, 0, 1, 3 and 3: the last but one has ties, the last constant labels.
  const std::vector<std::int32_t> ptr = {0, 4, 4, 5, 8, 11};
  const std::vector<double> labels = {3, 1, 2, 9, 4, 5, 5, 1, 6, 6, 6};
  const std::vector<double> scores = {0.3, -0.9, 1.2, 0.1, 0.4, 0.55, -0.35, 0.85, 0.2, -0.4, 1.1};
  for (const LossKind kind : kKinds) {
    for (const double mse : {0.0, 0.02}) {
      LossOptions options = loss_of(kind);
      options.mse_weight = mse;
      options.pair_weight = 20 * mse;
      for (const ListMleOrder order : {ListMleOrder::kSlowestFirst, ListMleOrder::kFastestFirst}) {
        options.order = order;
        const Status status = check(options, scores, labels, ptr);
        INFO("loss ", static_cast<int>(kind), ", mse weight ", mse);
        CHECK_MESSAGE(status.ok(), status.message());
      }
    }
  }
}

TEST_CASE("cross-entropy passes the gradient check") {
  std::vector<double> logits = {0.1, -0.4, 2, 0.7, 0.7, -3};
  const std::vector<std::int32_t> labels = {2, 0};
  const std::vector<MatrixView<double>> inputs = {{logits.data(), 2, 3}};
  const ParamSpec spec;
  Parameters<double> none(spec, 0);
  const Status status =
      gradcheck([&](DoubleTape& tape, const std::vector<Var>& v) { return cross_entropy(tape, v[0], labels); },
                inputs, spec, none);
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("the loss is the mean over slates") {
  const std::vector<float> scores = {0, 1, 1, 0};
  const std::vector<double> labels = {1, 2, 1, 2};  // the first slate is in order, the second is not
  LossOptions options;
  options.margin = 1;
  const auto value = [&](std::size_t begin, std::size_t count, const std::vector<std::int32_t>& ptr) {
    Tape tape;
    const Var s = tape.input(Span<const float>(scores).subspan(begin, count));
    return *tape.value(ranking_loss(tape, s, Span<const double>(labels).subspan(begin, count), ptr, options))
                .data;
  };
  const float first = value(0, 2, {0, 2});
  const float second = value(2, 2, {0, 2});
  CHECK(first == 0);
  CHECK(second == doctest::Approx(2.0 / 4));
  CHECK(value(0, 4, {0, 2, 4}) == doctest::Approx((first + second) / 2));
}

TEST_CASE("what is added to a loss has its weight") {
  const std::vector<float> scores = {0.5f, -1, 2};
  const std::vector<double> labels = {1, 2, 1.5};
  const std::vector<std::int32_t> ptr = {0, 3};
  const auto value = [&](LossKind kind, double mse, double pairs) {
    LossOptions options = loss_of(kind);
    options.mse_weight = mse;
    options.pair_weight = pairs;
    Tape tape;
    return *tape.value(ranking_loss(tape, tape.input(Span<const float>(scores)), labels, ptr, options)).data;
  };
  CHECK(value(LossKind::kCentredLog, 0, 0.25) ==
        doctest::Approx(value(LossKind::kCentredLog, 0, 0) + 0.25f * value(LossKind::kCostWeighted, 0, 0)));
  CHECK(value(LossKind::kCentredLog, 3, 0.25) ==
        doctest::Approx(value(LossKind::kCentredLog, 0, 0.25) + 3 * value(LossKind::kMse, 0, 0)));
}

TEST_CASE("no loss makes NaN of constant scores, constant labels or a single config") {
  for (const LossKind kind : kKinds) {
    for (const auto& [scores, labels] :
         {std::pair<std::vector<float>, std::vector<double>>{{2, 2, 2}, {1, 2, 3}},
          {{1, 2, 3}, {5, 5, 5}},
          {{1}, {5}},
          {{}, {}}}) {
      Tape tape;
      const auto n = static_cast<std::int32_t>(scores.size());
      const std::vector<std::int32_t> ptr = {0, n};
      const Var s = tape.leaf(MatrixView<const float>(scores.data(), n, 1));
      const Var loss = ranking_loss(tape, s, labels, ptr, loss_of(kind));
      REQUIRE(tape.backward(loss).ok());
      CHECK(std::isfinite(*tape.value(loss).data));
      const MatrixView<const float> grad = tape.grad(s);
      for (std::int64_t i = 0; i < grad.size(); ++i) CHECK(std::isfinite(grad.data[i]));
    }
  }
}

TEST_CASE("a target that is not finite is refused by every loss, with its place") {
  const std::vector<float> scores = {1, 2, 3, 4};
  const std::vector<std::int32_t> ptr = {0, 2, 4};
  for (const LossKind kind : kKinds) {
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      const std::vector<double> labels = {1, 2, bad, 4};
      Tape tape;
      const Var s = tape.leaf(MatrixView<const float>(scores.data(), 4, 1));
      const Var loss = ranking_loss(tape, s, labels, ptr, loss_of(kind));
      CHECK(tape.status().message() == str_cat("ranking_loss: label 2 is ", bad, "; it should be finite"));
      CHECK_FALSE(tape.backward(loss).ok());
      CHECK(tape.grad(s).data == nullptr);
    }
  }
}

TEST_CASE("sizes that differ are named") {
  const std::vector<float> scores = {1, 2};
  const std::vector<double> labels = {1, 2, 3};
  const std::vector<std::int32_t> ptr = {0, 2};
  const std::vector<std::int32_t> classes = {0, 7};
  Tape tape;
  (void)ranking_loss(tape, tape.input(Span<const float>(scores)), labels, ptr, {});
  CHECK(tape.status().message() == "ranking_loss: scores are (2, 1), 3 labels, slates end at 2");
  tape.begin();
  LossOptions cold;
  cold.temperature = 0;
  (void)ranking_loss(tape, tape.input(Span<const float>(scores)), Span<const double>(labels).subspan(0, 2), ptr,
                     cold);
  CHECK(tape.status().message() == "ranking_loss: the temperature is 0; it must be above 0");
  tape.begin();
  (void)cross_entropy(tape, tape.input(Span<const float>(scores)),
                      Span<const std::int32_t>(classes).subspan(0, 1));
  CHECK(tape.status().message() == "cross_entropy: 2 rows of logits, 1 labels");
  tape.begin();
  (void)cross_entropy(tape, tape.input(Span<const float>(scores)), classes);
  CHECK(tape.status().message().find('7') != std::string::npos);
}

}  // namespace
}  // namespace mlgraph
