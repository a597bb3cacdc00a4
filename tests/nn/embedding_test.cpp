// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/embedding.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("Embedding looks rows up and its gradient adds them up") {
  ParamSpec spec;
  const Embedding layer(spec, "e", 5, 3);
  CHECK(tensors_of(spec) == std::vector<std::string>{"e.weight (5, 3)"});
  const std::vector<std::int32_t> id = {4, 0, 4};
  const Status status = check_layer(spec, 3, 3, [&](auto& ctx, Var x) { return ctx.mul(x, layer(ctx, id)); });
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("an id outside the table is an error that names its place") {
  ParamSpec spec;
  const Embedding layer(spec, "e", 5, 3);
  const std::vector<std::int32_t> id = {4, 5};
  CHECK(message_of(spec, 1, 1, [&](auto& ctx, Var) { return layer(ctx, id); }) ==
        "gather_rows: index 1 is 5; there are 5 rows");
  const std::vector<std::int32_t> negative = {-1};
  CHECK(message_of(spec, 1, 1, [&](auto& ctx, Var) { return layer(ctx, negative); }) ==
        "gather_rows: index 0 is -1; there are 5 rows");
}

}  // namespace
}  // namespace mlgraph
