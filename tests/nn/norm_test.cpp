// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/norm.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("norms have torch's names, and state is no trainable tensor") {
  ParamSpec spec;
  const LayerNorm layer(spec, "ln", 3);
  const BatchNorm batch(spec, "bn", 3);
  CHECK(tensors_of(spec) == std::vector<std::string>{"ln.weight (3)", "ln.bias (3)", "bn.weight (3)",
                                                     "bn.bias (3)", "bn.running_mean (3)",
                                                     "bn.running_var (3)"});
  CHECK_FALSE(spec.find("bn.running_mean")->param.trainable);
}

TEST_CASE("the gradients of norms are right") {
  const std::vector<std::int32_t> ptr = {0, 2, 2, 7};
  ParamSpec layer_spec, batch_spec;
  const LayerNorm layer(layer_spec, "n", 5);
  const BatchNorm batch(batch_spec, "n", 5);
  const ParamSpec none;
  Status status = check_layer(layer_spec, 7, 5, [&](auto& ctx, Var x) { return layer(ctx, x); });
  CHECK_MESSAGE(status.ok(), status.message());
  status = check_layer(batch_spec, 7, 5, [&](auto& ctx, Var x) { return batch(ctx, x); });
  CHECK_MESSAGE(status.ok(), status.message());
  for (const Activation activation : {Activation::kTanh, Activation::kGelu}) {
    status = check_layer(batch_spec, 7, 5, [&](auto& ctx, Var x) { return batch(ctx, x, activation); });
    CHECK_MESSAGE(status.ok(), status.message());
  }
  status = check_layer(none, 7, 5, [&](auto& ctx, Var x) { return InstanceNorm()(ctx, x, ptr); });
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("GraphNorm has PyG's names, right gradients, and is instance norm where all of the mean goes") {
  const std::vector<std::int32_t> ptr = {0, 2, 2, 7};
  ParamSpec spec;
  const GraphNorm norm(spec, "n", 5);
  CHECK(tensors_of(spec) == std::vector<std::string>{"n.weight (5)", "n.bias (5)", "n.mean_scale (5)"});
  const Status status = check_layer(spec, 7, 5, [&](auto& ctx, Var x) { return norm(ctx, x, ptr); });
  CHECK_MESSAGE(status.ok(), status.message());
  const std::vector<float> x = random_matrix<float>(7, 5);
  const std::vector<float> ours = run_layer(spec, x, 5, [&](auto& ctx, Var v) { return norm(ctx, v, ptr); });
  const std::vector<float> instance =
      run_layer(spec, x, 5, [&](auto& ctx, Var v) { return InstanceNorm()(ctx, v, ptr); });
  for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == doctest::Approx(instance[i]).epsilon(1e-4));
}

TEST_CASE("instance norm gives each channel of each graph mean 0 and variance 1, and one node 0") {
  const ParamSpec none;
  const std::vector<std::int32_t> ptr = {0, 6, 7};
  const std::vector<float> y = run_layer(none, random_matrix<float>(7, 2), 2,
                                         [&](auto& ctx, Var x) { return InstanceNorm()(ctx, x, ptr); });
  for (std::size_t k = 0; k < 2; ++k) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      sum += static_cast<double>(y[2 * i + k]);
      squares += static_cast<double>(y[2 * i + k]) * static_cast<double>(y[2 * i + k]);
    }
    CHECK(sum == doctest::Approx(0).epsilon(1e-5));
    CHECK(squares / 6 == doctest::Approx(1).epsilon(1e-3));
    CHECK(y[12 + k] == 0);
  }
}

}  // namespace
}  // namespace mlgraph
