// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/prepare.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// prepare_program() with the encoder and plan of a small layout-sage with these options.
Result<PreparedProgram> prepare_with(const OwnedProgram& program, const Texts& texts) {
  const auto options = small_net("layout-sage", texts);
  const Model model = model_for(program, *options);
  return prepare_program(program.view(), model.encoder().node, model.inputs(), plan_of(*options), nullptr);
}

TEST_CASE("a prepared program has every config, its nodes once, and a plan of rows for each segment") {
  const OwnedProgram program = layout_program(3, 7, 4);
  const auto num_nodes = static_cast<std::int64_t>(program.opcode.size());
  const PreparedProgram whole = prepare_with(program, {}).value();
  CHECK(whole.selection == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK((whole.segments.size() == 1 && whole.equal == std::vector<std::int32_t>{0}));
  CHECK((whole.num_nodes() == num_nodes && whole.num_config_nodes() == 4));
  CHECK(whole.segments[0].rows.level(0).size() > 0);
  const PreparedProgram cut = prepare_with(program, {{"segment_size", "3"}, {"segment_halo", "yes"}}).value();
  CHECK((cut.segments.size() > 2 && cut.equal.size() == cut.segments.size()));
  CHECK((cut.num_nodes() == num_nodes && cut.num_config_nodes() == 4));  // halos count nowhere
  for (std::size_t s = 0; s < cut.equal.size(); ++s) CHECK(cut.equal[s] <= static_cast<std::int32_t>(s));
}

TEST_CASE("of a pruned program the segments know the nodes of the whole one") {
  OwnedProgram program = layout_program(3, 7, 1);
  program.config_node = {static_cast<std::int32_t>(program.opcode.size()) - 2};
  const PreparedProgram pruned = prepare_with(program, {{"prune", "edge"}}).value();
  CHECK(pruned.num_nodes() < static_cast<std::int64_t>(program.opcode.size()));
  const Segment& segment = pruned.segments[0];
  for (std::size_t i = 0; i < segment.node.size(); ++i)
    CHECK(segment.graph.opcode()[i] == program.opcode[static_cast<std::size_t>(segment.node[i])]);
  CHECK(segment.node[static_cast<std::size_t>(segment.graph.config_node()[0])] == program.config_node[0]);
}

TEST_CASE("errors of cutting and pruning have the program's name in front") {
  OwnedProgram program = layout_program(3);
  CHECK(prepare_with(program, {{"segment_size", "3"}, {"segment_partitioner", "computations"}})
            .status()
            .message()
            .rfind("layout_3: ", 0) == 0);
}

TEST_CASE("opcodes and features that the model cannot take are named with their node") {
  OwnedProgram program = tile_program(1, 3, 4);
  CHECK(check_nodes(program.view(), kFixtureOpcodes).ok());
  program.opcode[2] = 9;
  CHECK(check_nodes(program.view(), 9).message() == "tile_1: node 2 has opcode 9; the model knows [0, 9)");
  CHECK(check_nodes(program.view(), 10).ok());
  program.opcode[1] = -1;
  CHECK(check_nodes(program.view(), 10).code() == StatusCode::kOutOfRange);
  program.opcode[1] = 0;
  program.x[3 * 2 + 1] = std::numeric_limits<float>::infinity();
  const std::string message = check_nodes(program.view(), 10).message();
  CHECK(message.rfind("tile_1: ", 0) == 0);
  CHECK(message.find("inf") != std::string::npos);
}

TEST_CASE("entries, ids and scores that are no numbers or not there are named with their config") {
  OwnedProgram program = tile_program(1, 3, 4);
  CHECK(check_finite_configs(program.view()).ok());
  program.wide[3 * 2 + 1] = std::nanf("");
  CHECK(check_finite_configs(program.view()).message() == "tile_1: config 2 entry 1 is nan");
  const std::vector<std::int32_t> ids = {2, 0, 1}, past = {0, 3};
  CHECK(check_ids(program.view(), ids).ok());
  CHECK(check_ids(program.view(), past).message() == "tile_1: there is no config 3; there are 3");
  std::vector<float> scores = {1, 2, 3, 4, 5, 6};
  CHECK(check_finite_scores(program.view(), ids, {scores.data(), 3, 2}).ok());
  scores[3] = -std::numeric_limits<float>::infinity();
  CHECK(check_finite_scores(program.view(), ids, {scores.data(), 3, 2}).message() ==
        "tile_1: the score of config 0 is -inf");
}

TEST_CASE("a program whose configurations join elsewhere is refused") {
  const OwnedProgram tile = tile_program(1), layout = layout_program(2, 24, 3),
                     both = layout_and_graph_program(3, 24, 3);
  CHECK(
      prepare_message(model_for(tile, *small_net("tile-sage")), layout.view()) ==
      "layout_2: has 3 configurable nodes and configs of 3 rows; a tile-sage model takes one row for the whole "
      "graph");
  CHECK(prepare_message(model_for(layout, *small_net("layout-resgcn")), tile.view()) ==
        "tile_1: has 0 configurable nodes and configs of 1 rows; a layout-resgcn model takes one row for each "
        "configurable node");
  OwnedProgram half = layout;
  half.config_node.pop_back();
  CHECK(prepare_message(model_for(layout, *small_net("layout-sage")), half.view()) ==
        "layout_2: has 2 configurable nodes and configs of 3 rows; a layout-sage model takes one row for each "
        "configurable node");
  const auto takes_both = small_net("own-net", {{"reads_graph", "yes"}});
  CHECK(prepare_message(model_for(both, *takes_both), both.view()) == "ok");
  CHECK(prepare_message(model_for(both, *takes_both), layout.view()) ==
        "layout_2: has 3 configurable nodes and configs of 3 rows; a own-net model takes a row for each "
        "configurable "
        "node and one for the whole graph");
  OwnedProgram nodes_and_tile = layout;  // as many rows as a tile has, at a node
  nodes_and_tile.config_node.resize(1);
  nodes_and_tile.rows_per_config = 1;
  nodes_and_tile.narrow.resize(48);
  CHECK(prepare_message(model_for(tile, *small_net("tile-mlp-late")), nodes_and_tile.view()) ==
        "layout_2: has 1 configurable nodes and configs of 1 rows; a tile-mlp-late model takes one row for the "
        "whole "
        "graph");
}

}  // namespace
}  // namespace mlgraph
