// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/program_summary.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "io/program_fixtures.hpp"

using namespace mlgraph;
using io::Program;
using io::ProgramSummary;
using testing::layout_program;
using testing::tile_program;

using Warnings = std::vector<std::string>;

TEST_CASE("a summary counts what a layout program has") {
  const ProgramSummary summary = io::summarize(layout_program().view());
  CHECK(summary.config_kind == io::ConfigKind::kLayout);
  CHECK(summary.num_nodes == 4);
  CHECK(summary.num_edges == 3);
  CHECK(summary.num_node_features == 3);
  CHECK(summary.num_opcodes == 3);
  CHECK(summary.num_unknown_opcodes == 0);
  CHECK(summary.num_segments == 2);
  CHECK(summary.num_isolated_nodes == 0);
  CHECK(summary.num_constant_node_features == 1);  // 1.5 in column 1
  CHECK(summary.num_config_nodes == 2);
  CHECK(summary.num_configs == 3);
  CHECK(summary.num_distinct_configs == 2);
  CHECK(summary.num_duplicates() == 1);
  CHECK(summary.num_config_features == 2);
  CHECK(summary.num_constant_config_features == 0);
  CHECK(summary.has_labels);
  CHECK(summary.min_label == 1000);
  CHECK(summary.max_label == 3000000001.0);
  CHECK(summary.label_spread() == doctest::Approx(3000000.001 - 1));
  CHECK(summary.max_repeat_spread == doctest::Approx(1.0 / 3e9));
  CHECK(summary.warnings == Warnings{"has 1 configs that repeat another of its 3 configs"});
}

TEST_CASE("a summary of a tile program is in multiples of the default") {
  const ProgramSummary summary = io::summarize(tile_program().view());
  CHECK(summary.config_kind == io::ConfigKind::kTile);
  CHECK(summary.min_label == 0.5);
  CHECK(summary.max_label == 2);
  CHECK(summary.max_repeat_spread == 1);  // 20 / 20 and 30 / 60
  CHECK(summary.num_unknown_opcodes == 1);
  CHECK(summary.warnings ==
        Warnings{"has 1 configs that repeat another of its 4 configs", "has 1 nodes of unknown opcode"});
}

TEST_CASE("what is suspicious is said") {
  Program program = tile_program("magenta_dynamic");
  program.runtime = {0, 0, 0, 0};
  program.runtime_normalizer = {1, 1, 1, 1};
  program.wide_configs.assign(12, 4);
  program.edge_source.clear();
  program.edge_target.clear();
  const ProgramSummary summary = io::summarize(program.view());
  CHECK(summary.placeholder_labels);
  CHECK(summary.known_corrupt);
  CHECK(summary.label_spread() == 0);
  CHECK(summary.num_constant_config_features == 3);
  CHECK(summary.warnings == Warnings{"is reported to be corrupt in the public dataset",
                                     "has placeholder labels: all 4 are 0",
                                     "has 3 configs that repeat another of its 4 configs",
                                     "has configs whose features are all the same: no model can rank them",
                                     "has 2 nodes without an edge", "has 1 nodes of unknown opcode"});
}

TEST_CASE("single configs, some zero runtimes and missing labels are told apart") {
  Program program = tile_program();
  program.runtime = {0, 5, 5, 0};
  CHECK_FALSE(io::has_placeholder_labels(program.view()));
  CHECK(io::summarize(program.view()).warnings.back() == "has 2 runtimes of 0");

  program.runtime.clear();
  program.runtime_normalizer.clear();
  CHECK_FALSE(io::has_placeholder_labels(program.view()));
  CHECK_FALSE(io::summarize(program.view()).has_labels);

  Program single = tile_program();
  single.num_configs = 1;
  single.wide_configs.resize(3);
  single.runtime.resize(1);
  single.runtime_normalizer.resize(1);
  CHECK(io::program_warnings(single.view()) == Warnings{"has one config, which carries no ranking"});
  CHECK_FALSE(io::has_placeholder_labels(single.view()));
}

TEST_CASE("a graph without configs can be summarized") {
  Program program = layout_program();
  program.config_node.clear();
  program.narrow_configs.clear();
  program.runtime.clear();
  program.num_configs = 0;
  program.config_features = 0;
  const ProgramSummary summary = io::summarize(program.view());
  CHECK(summary.num_configs == 0);
  CHECK(summary.warnings.empty());
}

TEST_CASE("a single label of 0 is a placeholder, and labels are not looked at where that is asked for") {
  Program single = tile_program();
  single.num_configs = 1;
  single.wide_configs.resize(3);
  single.runtime = {0};
  single.runtime_normalizer = {20};
  CHECK(io::has_placeholder_labels(single.view()));
  CHECK(io::program_warnings(single.view()).size() == 2);
  CHECK(io::program_warnings(single.view(), false) ==
        std::vector<std::string>{"has one config, which carries no ranking"});
}
