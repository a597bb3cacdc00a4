// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/program_data.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "io/program_fixtures.hpp"
#include "mlgraph/graph/graph.hpp"

using namespace mlgraph;
using io::Program;
using testing::layout_program;
using testing::message_of;
using testing::tile_program;

namespace {

/// The message of check_program after `change`.
template <class Change>
std::string error_after(Program program, Change&& change, io::ProgramCheck what = io::ProgramCheck::kAll) {
  change(program);
  return message_of(io::check_program(program.view(), what));
}

}  // namespace

TEST_CASE("the fixtures are programs, and graphs for the engine") {
  for (const Program& program : {layout_program(), tile_program()}) {
    CHECK(message_of(io::check_program(program.view())) == "ok");
    CHECK(message_of(Graph::from_view(program.view().graph)) == "ok");
  }
  CHECK(io::config_kind_of(layout_program().view()) == io::ConfigKind::kLayout);
  CHECK(io::config_kind_of(tile_program().view()) == io::ConfigKind::kTile);
  CHECK(io::program_bytes(layout_program().view()) == 4 * (12 + 4 + 3 + 3 + 2 + 3) + 12 + 8 * 3);
}

TEST_CASE("configs of a program are read as float from either form") {
  float config[4];
  const Program program = layout_program();
  program.view().configs.copy_config(1, config);
  CHECK(config[0] == 5);
  CHECK(config[3] == 3);
}

TEST_CASE("a copy is the same program, also from rows with gaps") {
  const Program program = layout_program();
  CHECK(testing::difference(io::copy_program(program.view()).view(), program.view()) == "");
  ProgramView two_columns = program.view();
  two_columns.graph.x = program.view().graph.x.col_block(1, 2);
  const Program copy = io::copy_program(two_columns);
  CHECK(copy.x.size() == 8);
  CHECK(testing::difference(copy.view(), two_columns) == "");
}

TEST_CASE("check_program names what is wrong and where") {
  const Program layout = layout_program(), tile = tile_program();
  CHECK(error_after(layout, [](Program& p) { p.opcode.clear(); }) ==
        "node_opcode is empty; a program has 1 node or more");
  CHECK(error_after(layout, [](Program& p) { p.opcode[2] = -7; }) ==
        "node_opcode 2 is -7; should be 0 or more");
  CHECK(error_after(layout, [](Program& p) { p.edge_source[1] = 4; }) ==
        "edge_index row 1 is (2, 4); num_nodes is 4");
  CHECK(error_after(layout, [](Program& p) { p.edge_target[0] = -1; }) ==
        "edge_index row 0 is (-1, 0); num_nodes is 4");
  CHECK(error_after(layout, [](Program& p) { p.edge_target[0] = 0; }) ==
        "edge_index row 0 is (0, 0), a self edge");
  CHECK(error_after(layout, [](Program& p) { p.edge_source[1] = 0; }) ==
        "edge_index row 1 is (2, 0) and so is row 0");
  CHECK(error_after(layout, [](Program& p) { p.edge_source.pop_back(); }) ==
        "edge_index has 2 sources and 3 targets");
  CHECK(error_after(layout, [](Program& p) { p.node_splits[0] = 1; }) == "node_splits 0 is 1; should be 0");
  CHECK(error_after(layout, [](Program& p) { p.node_splits[1] = 0; }) ==
        "node_splits 1 is 0 after 0; should ascend");
  CHECK(error_after(layout, [](Program& p) { p.node_splits[2] = 5; }) ==
        "node_splits ends with 5; num_nodes is 4");
  CHECK(error_after(layout, [](Program& p) { p.config_node[1] = 4; }) ==
        "node_config_ids 1 is 4; num_nodes is 4");
  CHECK(error_after(layout, [](Program& p) { p.config_node[1] = 3; }) ==
        "node_config_ids 1 is 3, as is one before it");
  CHECK(error_after(layout, [](Program& p) { p.narrow_configs.pop_back(); }) ==
        "configs are 3 of 2 x 2 features; there are 2 rows each and 11 values");
  CHECK(error_after(layout, [](Program& p) { p.runtime.pop_back(); }) ==
        "config_runtime has 2 values; there are 3 configs");
  CHECK(error_after(layout, [](Program& p) { p.runtime[1] = -1; }) ==
        "config_runtime 1 is -1; should be 0 or more");
  CHECK(error_after(tile, [](Program& p) { p.runtime_normalizer[3] = 0; }) ==
        "config_runtime_normalizers 3 is 0; should be 1 or more");
}

TEST_CASE("values are checked when all is asked for") {
  const auto nan = [](Program& p) { p.x[4] = std::numeric_limits<float>::quiet_NaN(); };
  CHECK(error_after(layout_program(), nan) == "node 1 feature 1 is nan");
  CHECK(error_after(layout_program(), nan, io::ProgramCheck::kStructure) == "ok");
  const auto infinite = [](Program& p) { p.wide_configs[4] = std::numeric_limits<float>::infinity(); };
  CHECK(error_after(tile_program(), infinite) == "config 1 value 1 is inf; should be finite");
  CHECK(error_after(tile_program(), infinite, io::ProgramCheck::kStructure) == "ok");
}

TEST_CASE("edges in any order are accepted, and repeated ones still found") {
  CHECK(error_after(layout_program(), [](Program& p) { std::swap(p.edge_source[0], p.edge_source[1]); }) ==
        "ok");
  CHECK(error_after(layout_program(), [](Program& p) {
          p.edge_source = {1, 0, 2, 1};
          p.edge_target = {2, 2, 3, 2};
        }) == "edge_index row 3 is (2, 1) and so is row 0");
}

TEST_CASE("counts that overflow a product are an error") {
  Program program = layout_program();
  program.num_configs = std::numeric_limits<std::int64_t>::max() / 2;
  CHECK(message_of(io::check_program(program.view())).find("configs are 4611686018427387903 of 2 x 2") == 0);
}

TEST_CASE("a program has at most kMaxConfigs configs, also when they take no memory") {
  Program program = layout_program();
  program.narrow_configs.clear();
  program.runtime.clear();
  program.config_features = 0;
  program.num_configs = kMaxConfigs;
  CHECK(message_of(io::check_program(program.view())) == "ok");
  program.num_configs = kMaxConfigs + 1;
  CHECK(message_of(io::check_program(program.view())) == "num_configs is 2147483648; the limit is 2147483647");
  CHECK(io::check_program(program.view()).code() == StatusCode::kResourceExhausted);
}

TEST_CASE("views of programs whose counts are odd") {
  const Program layout = layout_program(), tile = tile_program();
  const auto error_after = [](const Program& program, auto&& change) {
    ProgramView view = program.view();
    change(view);
    return message_of(io::check_program(view));
  };
  Program negative = layout;
  negative.config_node[0] = -1;
  CHECK(message_of(io::check_program(negative.view())) == "node_config_ids 0 is -1; num_nodes is 4");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.num_configs = -1; }) ==
        "configs are -1 of 2 x 2 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.num_features = -1; }) ==
        "configs are 3 of 2 x -1 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.configs.rows_per_config = 3; }) ==
        "configs are 3 of 3 x 2 features; there are 2 rows each and 12 values");
  CHECK(error_after(layout,
                    [](ProgramView& v) {
                      v.configs.num_features = std::numeric_limits<std::int64_t>::max();
                    }) == str_cat("configs are 3 of 2 x ", std::numeric_limits<std::int64_t>::max(),
                                  " features; there are 2 rows each and 12 values"));
  CHECK(error_after(tile, [](ProgramView& v) {
          v.configs.num_configs = 2;
          static const std::int8_t narrow[3] = {1, 2, 3};
          v.configs.wide = v.configs.wide.subspan(0, 3);
          v.configs.narrow = narrow;
        }) == "configs are 2 of 1 x 3 features; there are 1 rows each and 6 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.graph.x.rows = 3; }) ==
        "node_feat is (3, 3); node_opcode has 4 values");
  CHECK(error_after(layout, [](ProgramView& v) { v.graph.x.cols = -1; }) ==
        "node_feat is (4, -1); node_opcode has 4 values");
  // Lengths alone are looked at: nothing of so many elements has to be there.
  constexpr std::size_t kTooMany = std::size_t{1} << 31;
  const auto error_code = [&](bool nodes) {
    ProgramView view = layout.view();
    if (nodes) {
      view.graph.opcode = {view.graph.opcode.data(), kTooMany};
    } else {
      view.graph.edge_source = {view.graph.edge_source.data(), kTooMany};
      view.graph.edge_target = {view.graph.edge_target.data(), kTooMany};
    }
    return io::check_program(view).code();
  };
  CHECK(error_code(true) == StatusCode::kResourceExhausted);
  CHECK(error_code(false) == StatusCode::kResourceExhausted);
}
