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

}  // namespace
}  // namespace mlgraph
