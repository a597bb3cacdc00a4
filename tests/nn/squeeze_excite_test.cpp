// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/squeeze_excite.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("SqueezeExcite gates channels, and its gradients are right") {
  ParamSpec spec;
  const SqueezeExcite gate(spec, "se", 16, 8);
  CHECK(tensors_of(spec) == std::vector<std::string>{"se.lin1.weight (2, 16)", "se.lin1.bias (2)",
                                                     "se.lin2.weight (16, 2)", "se.lin2.bias (16)"});
  const Status status = check_layer(spec, 3, 16, [&](auto& ctx, Var x) { return gate(ctx, x); });
  CHECK_MESSAGE(status.ok(), status.message());
  const std::vector<float> x = random_matrix<float>(3, 16);
  const std::vector<float> y = run_layer(spec, x, 16, [&](auto& ctx, Var v) { return gate(ctx, v); });
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(y[i]) < std::abs(x[i]));
}

TEST_CASE("a reduction beyond the channels leaves one") {
  ParamSpec spec;
  const SqueezeExcite gate(spec, "se", 4, 8);
  CHECK(spec.find("se.lin1.weight")->param.rows == 1);
}

}  // namespace
}  // namespace mlgraph
