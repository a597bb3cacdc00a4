// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/linear.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("Linear's tensors have torch's names and shapes") {
  ParamSpec spec;
  const Linear with(spec, "a", 3, 5);
  const Linear without(spec, "b", 3, 5, false);
  CHECK(tensors_of(spec) == std::vector<std::string>{"a.weight (5, 3)", "a.bias (5)", "b.weight (5, 3)"});
}

TEST_CASE("Linear is x W^T + b") {
  ParamSpec spec;
  const Linear layer(spec, "a", 2, 3);
  Parameters<float> parameters(spec, 1);
  const float weight[] = {1, 2, 3, 4, 5, 6};
  const float bias[] = {0.5f, -1, 100};
  std::copy(weight, weight + 6, parameters.value.begin() + spec.position(spec.find("a.weight")->param));
  std::copy(bias, bias + 3, parameters.value.begin() + spec.position(spec.find("a.bias")->param));
  const float x[] = {1, -1, 2, 0};
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const MatrixView<const float> y = eager.value(layer(eager, eager.input({x, 2, 2})));
  const std::vector<float> expected = {-0.5f, -2, 99, 2.5f, 5, 110};
  CHECK(std::vector<float>(y.data, y.data + 6) == expected);
}

TEST_CASE("Linear's gradients are right, with every activation") {
  ParamSpec spec;
  const Linear layer(spec, "a", 3, 17);
  for (const Activation a : {Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kTanh}) {
    const Status status = check_layer(spec, 4, 3, [&](auto& ctx, Var x) { return layer(ctx, x, a); });
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

TEST_CASE("Linear starts within torch's bounds") {
  ParamSpec spec;
  const Linear layer(spec, "a", 16, 64);
  const Parameters<float> parameters(spec, 1);
  float largest = 0;
  for (const float p : parameters.value) largest = std::max(largest, std::abs(p));
  CHECK(largest <= 0.25f);
  CHECK(largest > 0.24f);
}

TEST_CASE("an input of another width is an error") {
  ParamSpec spec;
  const Linear layer(spec, "a", 3, 5);
  CHECK(message_of(spec, 2, 4, [&](auto& ctx, Var x) { return layer(ctx, x); }) ==
        "linear: x has 4 columns; the weight is (5, 3)");
}

}  // namespace
}  // namespace mlgraph
