// SPDX-License-Identifier: Apache-2.0
// A program compiled with -Ofast: what is not finite is refused all the same, by the same sentences.
#include <cstdio>
#include <string>
#include <vector>

#include "mlgraph/cost/normalizer.hpp"
#include "mlgraph/format/weights.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/loss_kernels.hpp"
#include "mlgraph/train/lr_schedule.hpp"
#include "mlgraph/train/metrics.hpp"
#include "mlgraph/train/sgd.hpp"

namespace {

namespace mg = mlgraph;

int num_failed = 0;

/// NaN and the infinities, which the compiler does not know to be there.
template <class T>
std::vector<T> odd_numbers() {
  std::vector<T> out;
  for (const char* text : {"nan", "inf", "-inf"}) {
    double value = 0;
    std::sscanf(text, "%lf", &value);
    out.push_back(static_cast<T>(value));
  }
  return out;
}

void check(bool good, const char* what, const std::string& message = "") {
  if (good) return;
  ++num_failed;
  std::printf("failed: %s %s\n", what, message.c_str());
}
void refused(const mg::Status& status, const char* what) {
  check(status.code() == mg::StatusCode::kInvalidArgument, what, status.message());
}

void check_labels() {
  for (const double& odd : odd_numbers<double>()) {
    std::vector<double> labels = {1, 2, 3};
    check(mg::kernels::check_finite_labels(labels).ok(), "labels, finite");
    labels[1] = odd;
    refused(mg::kernels::check_finite_labels(labels), "a label");
  }
}

template <class T>
void check_updates() {
  for (const T& odd : odd_numbers<T>()) {
    std::vector<T> params(37, T(1)), grads(37, T(0.5));
    mg::Adam<T> adam(params.size());
    mg::Sgd<T> sgd(params.size());
    grads[35] = odd;
    refused(adam.step(mg::Span<T>(params), mg::Span<const T>(grads), 0.1), "adam, a gradient");
    refused(sgd.step(mg::Span<T>(params), mg::Span<const T>(grads), 0.1), "sgd, a gradient");
    grads[35] = T(0);
    const double lr = static_cast<double>(odd);
    refused(adam.step(mg::Span<T>(params), mg::Span<const T>(grads), lr), "adam, a rate");
    refused(sgd.step(mg::Span<T>(params), mg::Span<const T>(grads), lr), "sgd, a rate");
    for (const T& param : params) check(param == T(1), "parameters are as they were");
    check(adam.step(mg::Span<T>(params), mg::Span<const T>(grads), 0.1).ok(), "adam, finite");
  }
}

/// A tensor of a model file with one element that is not finite, or beyond float.
template <class T>
void check_weights(mg::Dtype dtype) {
  mg::ParamSpec spec;
  (void)spec.matrix("w", 1, 40, mg::Init());
  std::vector<T> odd = odd_numbers<T>();
  if (sizeof(T) == 8) odd.push_back(static_cast<T>(1e39));
  for (const T& element : odd) {
    std::vector<T> data(40, T(1));
    data[38] = element;
    const mg::SafeTensor tensor = {
        "w",
        dtype,
        {1, 40},
        mg::Span<const std::byte>(reinterpret_cast<const std::byte*>(data.data()), 40 * sizeof(T))};
    refused(mg::detail::check_weight(tensor, spec.entries()[0]), "a weight");
  }
}

}  // namespace

int main() {
  check_weights<float>(mg::Dtype::kF32);
  check_weights<double>(mg::Dtype::kF64);
  check_labels();
  check_updates<float>();
  check_updates<double>();
  for (const double& odd : odd_numbers<double>()) {
    refused(mg::check_finite_label(3, odd), "a label");
    mg::LrSchedule schedule;
    schedule.lr = odd;
    refused(schedule.validate(), "a schedule");
    const std::vector<double> scores = {1, 2, 3}, labels = {odd, odd, odd};
    refused(mg::slowdown_at_k(scores, labels, 1).status(), "a slowdown");
  }
  for (const float& odd : odd_numbers<float>()) {
    const std::vector<float> x = {1, 2, 3, 4, 5, 6, odd, 8};
    refused(mg::detail::check_finite(mg::MatrixView<const float>{x.data(), 4, 2}), "a feature of a node");
    refused(mg::Normalizer::make(mg::Scaling::kStandard, 2, {0}, {odd}, {1.0f}).status(),
            "a normalizer's offset");
    refused(mg::Normalizer::make(mg::Scaling::kStandard, 2, {0}, {0.0f}, {odd}).status(),
            "a normalizer's scale");
  }
  std::printf("%d failed\n", num_failed);
  return num_failed == 0 ? 0 : 1;
}
