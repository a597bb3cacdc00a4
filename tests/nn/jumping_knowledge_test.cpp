// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/jumping_knowledge.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("layers stand beside each other, or their maximum does") {
  const ParamSpec none;
  const std::vector<float> x = {1, -2, 3, 4};
  const auto run = [&](Jump jump) {
    return run_layer(none, x, 2, [&](auto& ctx, Var v) {
      return jumping_knowledge(ctx, jump, {v, ctx.scale(v, -1), ctx.scale(v, 0.5)});
    });
  };
  CHECK(run(Jump::kConcat) == std::vector<float>{1, -2, -1, 2, 0.5F, -1, 3, 4, -3, -4, 1.5F, 2});
  CHECK(run(Jump::kMax) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("the gradients of layers that are put together are right") {
  const ParamSpec none;
  for (const Jump jump : {Jump::kConcat, Jump::kMax}) {
    const Status status = check_layer(none, 5, 3, [&](auto& ctx, Var x) {
      return ctx.tanh(jumping_knowledge(ctx, jump, {x, ctx.tanh(x), ctx.scale(x, 1.7)}));
    });
    CHECK_MESSAGE(status.ok(), status.message());
  }
}

}  // namespace
}  // namespace mlgraph
