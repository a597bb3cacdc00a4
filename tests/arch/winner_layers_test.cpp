// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/winner_layers.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "arch/layers_fixture.hpp"
#include "arch/winner_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

WinnerOptions layer_options(Direction direction, bool initial_residual) {
  WinnerOptions options;
  options.hidden_channels = 6;
  options.direction = direction;
  options.dropout = 0;
  options.initial_residual = initial_residual;
  return options;
}

TEST_CASE("the winner's layers compute their formula, with configs compared and not, with x_0 and not") {
  for (const Direction direction : kAllDirections) {
    for (const bool compares : {false, true}) {
      for (const bool residual : {false, true}) {
        CAPTURE(compares);
        CAPTURE(residual);
        const WinnerOptions options = layer_options(direction, residual);
        ParamSpec spec;
        const WinnerLayers layers(spec, options, 5, compares);
        const std::int64_t width = compares ? 3 : 6;
        LayerRun run(spec, width, 2);  // the rows that first() makes, of two configurations
        Flow<double> flow = run.flow(direction);
        const std::vector<std::int32_t> ptr = {0, 7, 14};
        flow.ptr = ptr;
        flow.num_configs = 2;
        Var h = run.input();
        for (std::int64_t k = 0; k < 4; ++k) {
          if (k == layers.first_rows_of()) flow.first = h;
          h = layers(run.tape, k, h, flow);
        }
        const PerConfig wanted =
            winner_layers(options, compares, run.graph, run.weights, {run.rows(0), run.rows(1)});
        CHECK(run.difference(h, wanted[0], 0) < 1e-12);
        CHECK(run.difference(h, wanted[1], 1) < 1e-12);
      }
    }
  }
}

TEST_CASE("the first linear layer is in two parts where a configuration joins it") {
  ParamSpec spec;
  const WinnerLayers layers(spec, layer_options(Direction::kForward, false), 3, true, 2);
  LayerRun run(spec, 3);
  const Var y = layers.first(run.tape, run.input());
  Dense wanted;
  for (const Row& row : run.rows()) wanted.push_back(run.weights.linear("encode.0", row));
  CHECK(run.difference(y, wanted) < 1e-14);
  const std::vector<double> config = {1, -2};
  const Var of_config = layers.first_of_config(run.tape, run.tape.input({config.data(), 1, 2}));
  CHECK(run.difference(of_config, {run.weights.linear("config", config)}) < 1e-14);
}

TEST_CASE("the stages are two without edges and one for each graph layer, which draws where there is dropout") {
  WinnerOptions options = layer_options(Direction::kReverse, false);
  options.num_layers = 3;
  ParamSpec spec, other;
  const WinnerLayers layers(spec, options, 5, true);
  const std::vector<Stage> stages = layers.stages();
  REQUIRE(stages.size() == 5);
  for (std::size_t k = 0; k < stages.size(); ++k) {
    CHECK(stages[k].reads_edges == (k >= 2));
    CHECK((stages[k].mixes_nodes && !stages[k].draws && !stages[k].has_messages));
    if (k >= 2) CHECK(stages[k].direction == Direction::kReverse);
  }
  CHECK(layers.first_rows_of() == -1);
  options.dropout = 0.5;
  options.initial_residual = true;
  const WinnerLayers drawing(other, options, 5, true);
  CHECK((!drawing.stages()[1].draws && drawing.stages()[2].draws && drawing.stages()[4].draws));
  CHECK(drawing.first_rows_of() == 2);
}

TEST_CASE("an odd width has no half, and the recipe is the winner's") {
  WinnerOptions options;
  CHECK(options.check().ok());
  check_winner_defaults(options);
  options.hidden_channels = 7;
  CHECK(options.check().message() == "model: hidden_channels is 7; should be even in a winner");
  const Recipe recipe = winner_recipe(Selection::kFirst, 50);
  CHECK((recipe.loss.kind == Loss::kPairwiseHinge && recipe.graphs_per_step == 1 &&
         recipe.configs_per_graph == 50));
  CHECK((recipe.selection == Selection::kFirst && recipe.weight_decay == 1e-5));
}

}  // namespace
}  // namespace mlgraph
