// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/mlp.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("MLP's tensors have PyG's names") {
  ParamSpec spec;
  const MLP mlp(spec, "head", {4, 6, 1});
  CHECK(tensors_of(spec) == std::vector<std::string>{"head.lins.0.weight (6, 4)", "head.lins.0.bias (6)",
                                                     "head.lins.1.weight (1, 6)", "head.lins.1.bias (1)"});
}

TEST_CASE("MLP's gradients are right") {
  for (const bool plain_last : {true, false}) {
    ParamSpec spec;
    MlpOptions options;
    options.activation = Activation::kSilu;
    options.plain_last = plain_last;
    const MLP mlp(spec, "m", {3, 5, 2}, options);
    const Status status = check_layer(spec, 4, 3, [&](auto& ctx, Var x) { return mlp(ctx, x); });
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

TEST_CASE("MLP's last layer is plain unless it is told otherwise") {
  const std::vector<float> x = random_matrix<float>(8, 3);
  const auto smallest = [&](bool plain_last) {
    ParamSpec spec;
    MlpOptions options;
    options.plain_last = plain_last;
    const MLP mlp(spec, "m", {3, 5, 4}, options);
    const std::vector<float> y = run_layer(spec, x, 3, [&](auto& ctx, Var v) { return mlp(ctx, v); });
    return *std::min_element(y.begin(), y.end());
  };
  CHECK(smallest(true) < 0);
  CHECK(smallest(false) == 0);
}

}  // namespace
}  // namespace mlgraph
