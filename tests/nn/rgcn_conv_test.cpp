// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/rgcn_conv.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

const std::vector<std::int32_t> kHubTypes = {0, 0, 1, 2, 0, 1, 1, 0, 2};

TEST_CASE("RGCNConv's gradients are right, with a type that no edge has") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const RGCNConv conv(spec, "r", 3, 5, 4);
  CHECK(spec.find("r.weight")->param.rows == 12);
  CHECK(spec.find("r.root")->param.cols == 5);
  const Status status = check_layer(spec, kNodes, 3, [&](auto& ctx, Var x) {
    return conv(ctx, x, typed_edges(ctx, edges.view().forward, kHubTypes, 4), Activation::kTanh);
  });
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("RGCNConv of one type is the root and the mean of the neighbours") {
  const Edges edges =
      Edges::from_list(3, std::vector<std::int32_t>{0, 1}, std::vector<std::int32_t>{2, 2}).value();
  ParamSpec spec;
  const RGCNConv conv(spec, "r", 1, 1, 1);
  Parameters<float> parameters(spec, 1);
  const auto set = [&](const char* name, float value) {
    parameters.value[static_cast<std::size_t>(spec.position(spec.find(name)->param))] = value;
  };
  set("r.weight", 10);
  set("r.root", 1);
  set("r.bias", 0.5F);
  const float x[] = {1, 2, 4};
  const std::vector<std::int32_t> types = {0, 0};
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const Var y = conv(eager, eager.input({x, 3, 1}), typed_edges(eager, edges.view().forward, types, 1));
  CHECK(eager.value(y).data[0] == 1.5F);
  CHECK(eager.value(y).data[2] == 4.5F + 15);
  const Var wrong = conv(eager, eager.input({x, 3, 1}), TypedEdges());
  CHECK(wrong.id == 0);
  CHECK(eager.status().message() == "RGCNConv: there are edges of 0 types; it has weights for 1");
}

}  // namespace
}  // namespace mlgraph
