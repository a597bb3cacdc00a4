// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/gat_conv.hpp"

#include <doctest/doctest.h>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("GATv2Conv's tensors have PyG's names") {
  ParamSpec spec;
  GATv2ConvOptions options;
  options.heads = 2;
  const GATv2Conv conv(spec, "g", 3, 4, options);
  CHECK(tensors_of(spec) == std::vector<std::string>{"g.lin_l.weight (8, 3)", "g.lin_l.bias (8)",
                                                     "g.lin_r.weight (8, 3)", "g.lin_r.bias (8)", "g.att (8)",
                                                     "g.bias (8)"});
}

TEST_CASE("GATv2Conv's gradients are right along every direction and number of heads") {
  const Edges edges = hub_graph();
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    for (const std::int64_t heads : {1, 3}) {
      GATv2ConvOptions options;
      options.heads = heads;
      options.direction = direction;
      ParamSpec spec;
      const GATv2Conv conv(spec, "g", 3, 2, options);
      const Status status =
          check_layer(spec, kNodes, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view()); });
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE("attention over equal neighbours is their mean, and a node without any gets the bias") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GATv2Conv conv(spec, "g", 1, 1);
  const std::vector<float> ones(kNodes, 1.0f);
  const Parameters<float> parameters(spec, 5);
  const std::vector<float> y =
      run_layer(spec, ones, 1, [&](auto& ctx, Var v) { return conv(ctx, v, edges.view()); });
  const auto value = [&](const char* name) {
    return parameters.value[static_cast<std::size_t>(spec.position(spec.find(name)->param))];
  };
  CHECK(y[3] == doctest::Approx(value("g.lin_l.weight") + value("g.lin_l.bias") + value("g.bias")));
  CHECK(y[6] == value("g.bias"));
}

TEST_CASE("GATv2Conv of another graph's rows is an error") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GATv2Conv conv(spec, "g", 3, 2);
  CHECK(message_of(spec, 5, 3, [&](auto& ctx, Var x) { return conv(ctx, x, edges.view()); }) ==
        "GATv2Conv: x has 5 rows; the graph has 7 nodes");
}

}  // namespace
}  // namespace mlgraph
