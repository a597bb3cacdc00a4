// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/sage_layers.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "arch/layers_fixture.hpp"
#include "arch/layout_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("GraphSAGE's layers compute their formula along every direction, and some rows alone the same") {
  for (const Direction direction : kAllDirections) {
    ParamSpec spec;
    const SageLayers layers(spec, 3, 2, direction);
    CHECK(tensor_list(spec) ==
          std::vector<std::string>{"layers.0.lin_l.weight (3, 3)", "layers.0.lin_l.bias (3)",
                                   "layers.0.lin_r.weight (3, 3)", "layers.1.lin_l.weight (3, 3)",
                                   "layers.1.lin_l.bias (3)", "layers.1.lin_r.weight (3, 3)"});
    LayerRun run(spec, 3);
    const Flow<double> flow = run.flow(direction);
    const Var first = layers(run.tape, 0, run.input(), layers.message(run.tape, 0, run.input()), flow);
    const Var second = layers(run.tape, 1, first, first, flow);
    InputOptions options;
    options.direction = direction;
    CHECK(run.difference(first, sage_layers(options, 1, run.graph, run.weights, run.rows())) < 1e-14);
    CHECK(run.difference(second, sage_layers(options, 2, run.graph, run.weights, run.rows())) < 1e-14);
    const std::vector<std::int32_t> nodes = {6, 3, 0};
    const SomeOfFlow some(flow, nodes);
    CHECK(are_rows_of(run.tape, layers(run.tape, 1, first, first, some.flow), second, nodes));
  }
}

}  // namespace
}  // namespace mlgraph
