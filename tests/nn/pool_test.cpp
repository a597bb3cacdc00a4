// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/pool.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("pools reduce each graph; an empty graph gives 0") {
  const ParamSpec none;
  const std::vector<float> x = {1, -2, 3, -4, 5, -6};
  const std::vector<std::int32_t> ptr = {0, 2, 2, 3};
  CHECK(run_layer(none, x, 2, [&](auto& ctx, Var v) { return global_add_pool(ctx, v, ptr); }) ==
        std::vector<float>{4, -6, 0, 0, 5, -6});
  CHECK(run_layer(none, x, 2, [&](auto& ctx, Var v) { return global_mean_pool(ctx, v, ptr); }) ==
        std::vector<float>{2, -3, 0, 0, 5, -6});
  CHECK(run_layer(none, x, 2, [&](auto& ctx, Var v) { return global_max_pool(ctx, v, ptr); }) ==
        std::vector<float>{3, -2, 0, 0, 5, -6});
}

TEST_CASE("AttentionalAggregation is the mean of equal rows, and an empty graph gives 0") {
  const std::vector<std::int32_t> ptr = {0, 2, 2, 3};
  ParamSpec spec;
  const AttentionalAggregation pool(spec, "p", 2);
  CHECK(tensors_of(spec) == std::vector<std::string>{"p.gate_nn.weight (1, 2)"});
  const std::vector<float> y =
      run_layer(spec, {3, -2, 3, -2, 5, -6}, 2, [&](auto& ctx, Var v) { return pool(ctx, v, ptr); });
  const std::vector<float> expected = {3, -2, 0, 0, 5, -6};
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(expected[i]));
  const Status status = check_layer(spec, 3, 2, [&](auto& ctx, Var x) { return pool(ctx, x, ptr); });
  CHECK_MESSAGE(status.ok(), status.message());
}

}  // namespace
}  // namespace mlgraph
