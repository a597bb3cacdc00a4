// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/resgcn_layers.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "arch/layers_fixture.hpp"
#include "arch/layout_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE(
    "the residual GCN's layers compute their formula along every direction, and some rows alone the same") {
  for (const Direction direction : kAllDirections) {
    ParamSpec spec;
    const ResGcnLayers layers(spec, 4, 2, direction);
    CHECK(tensor_list(spec) == std::vector<std::string>{"layers.0.lin.weight (4, 4)", "layers.0.lin.bias (4)",
                                                        "layers.1.lin.weight (4, 4)", "layers.1.lin.bias (4)"});
    LayerRun run(spec, 4);
    const Flow<double> flow = run.flow(direction, ResGcnLayers::kWeights);
    const Var first = layers(run.tape, 0, run.input(), layers.message(run.tape, 0, run.input()), flow);
    const Var message = layers.message(run.tape, 1, first);
    const Var second = layers(run.tape, 1, first, message, flow);
    InputOptions options;
    options.direction = direction;
    const Dense no_config(7);
    CHECK(run.difference(first, resgcn_layers(options, 1, run.graph, run.weights, run.rows(), no_config)) <
          1e-14);
    CHECK(run.difference(second, resgcn_layers(options, 2, run.graph, run.weights, run.rows(), no_config)) <
          1e-14);
    const std::vector<std::int32_t> nodes = {6, 3, 0};
    const SomeOfFlow some(flow, nodes);
    CHECK(are_rows_of(run.tape, layers(run.tape, 1, first, message, some.flow), second, nodes));
  }
}

TEST_CASE("with a configuration each layer adds a linear map of it before the messages' activation") {
  ParamSpec spec;
  const ResGcnLayers layers(spec, 4, 1, Direction::kForward, 2);
  LayerRun run(spec, 4);
  const std::vector<double> config = {0.5, -1, 2, 0.25};
  const std::vector<std::int32_t> rows = {3, 6};
  Flow<double> flow = run.flow(Direction::kForward, ResGcnLayers::kWeights);
  flow.config = run.tape.input({config.data(), 2, 2});
  flow.config_rows = rows;
  const Var h = run.input();
  const Var y = layers(run.tape, 0, h, layers.message(run.tape, 0, h, flow), flow);
  Dense of_nodes(7);
  of_nodes[3] = {0.5, -1};
  of_nodes[6] = {2, 0.25};
  InputOptions options;
  options.direction = Direction::kForward;
  CHECK(run.difference(y, resgcn_layers(options, 1, run.graph, run.weights, run.rows(), of_nodes)) < 1e-14);
}

}  // namespace
}  // namespace mlgraph
