// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/cross_config_attention.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("the softmax is over configs: a channel's weights add up to 1") {
  ParamSpec spec;
  const CrossConfigAttention attention(spec, "cca");
  CHECK(tensors_of(spec) == std::vector<std::string>{"cca.temperature (1)"});
  const std::vector<float> x = random_matrix<float>(4 * 3, 5);  // 4 configs of 3 nodes
  const std::vector<float> y = run_layer(spec, x, 5, [&](auto& ctx, Var v) { return attention(ctx, v, 4); });
  for (std::size_t place = 0; place < 15; ++place) {
    double total = 0;
    for (std::size_t c = 0; c < 4; ++c)
      total += static_cast<double>(y[c * 15 + place]) / static_cast<double>(x[c * 15 + place]);
    CHECK(total == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("permuting the configs permutes the output") {
  ParamSpec spec;
  const CrossConfigAttention attention(spec, "cca");
  const std::vector<float> x = random_matrix<float>(3 * 2, 17);
  const auto run = [&](const std::vector<float>& v) {
    return run_layer(spec, v, 17, [&](auto& ctx, Var in) { return attention(ctx, in, 3); });
  };
  std::vector<float> rotated(x.begin() + 34, x.end());
  rotated.insert(rotated.end(), x.begin(), x.begin() + 34);
  const std::vector<float> y = run(x), z = run(rotated);
  for (std::size_t i = 0; i < y.size(); ++i) {
    CHECK(z[i] == doctest::Approx(y[(i + 34) % y.size()]).epsilon(1e-6));
  }
}

TEST_CASE("a single config attends to itself alone") {
  ParamSpec spec;
  const CrossConfigAttention attention(spec, "cca");
  const std::vector<float> x = random_matrix<float>(2, 5);
  CHECK(run_layer(spec, x, 5, [&](auto& ctx, Var v) { return attention(ctx, v, 1); }) == x);
}

TEST_CASE("its gradients are right, the temperature's too") {
  ParamSpec spec;
  const CrossConfigAttention attention(spec, "cca", 0.8);
  const Status status = check_layer(spec, 6, 5, [&](auto& ctx, Var x) { return attention(ctx, x, 3); });
  CHECK_MESSAGE(status.ok(), status.message());
}

}  // namespace
}  // namespace mlgraph
