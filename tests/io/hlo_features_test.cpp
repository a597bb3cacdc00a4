// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/hlo_features.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/hlo_fixtures.hpp"
#include "mlgraph/cost/list_padding.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/hlo_feature_names.hpp"
#include "mlgraph/io/hlo_file.hpp"
#include "mlgraph/io/hlo_text.hpp"
#include "test_data.hpp"

using namespace mlgraph;
using testing::Ints;

namespace {

io::HloModule every_attribute() { return io::read_hlo_text(testing::kEveryAttribute).value(); }

/// Columns [begin, begin + size) of the row whose instruction has this name (the last one of that name).
std::vector<float> columns(const io::HloModule& module, std::string_view name, std::size_t begin,
                           std::size_t size, const io::HloFeatureOptions& options = {}) {
  const io::HloGraph graph = io::featurize(module, options).value();
  std::size_t row = 0;
  std::size_t found = static_cast<std::size_t>(graph.num_nodes);
  for (const io::HloComputation& computation : module.computations) {
    for (const io::HloInstruction& inst : computation.instructions) {
      if (inst.name == name) found = row;
      ++row;
    }
  }
  REQUIRE(found < row);
  const auto at = graph.node_feat.begin() +
                  static_cast<std::ptrdiff_t>(found * static_cast<std::size_t>(graph.num_features) + begin);
  return {at, at + static_cast<std::ptrdiff_t>(size)};
}

using Floats = std::vector<float>;

/// Two parameters and an operation that consumes them, in one computation.
io::HloModule small_module() {
  io::HloModule module;
  module.name = "small";
  io::HloComputation& main = module.computations.emplace_back();
  main.name = "main";
  main.id = 5;
  main.root_id = 30;
  main.instructions.resize(3);
  for (std::size_t i = 0; i < 3; ++i) {
    main.instructions[i].name = str_cat("i", i);
    main.instructions[i].opcode = i < 2 ? "parameter" : "add";
    main.instructions[i].id = 10 * static_cast<std::int64_t>(i + 1);
  }
  main.instructions[2].operand_ids = {20, 10};
  return module;
}

std::string error_of(const io::HloModule& module) {
  const auto graph = io::featurize(module);
  REQUIRE(!graph.ok());
  CHECK(graph.status().code() == StatusCode::kDataLoss);
  return graph.status().message();
}

}  // namespace

TEST_CASE("every published feature stands in its column") {
  const io::HloModule m = every_attribute();
  CHECK(io::kNumHloFeatures == 140);
  CHECK(columns(m, "last", 0, 2) == Floats{1, 0});
  CHECK(columns(m, "a", 0, 2) == Floats{0, 0});
  Floats one_hot(19, 0);
  one_hot[11] = 1;  // f32
  CHECK(columns(m, "a", 2, 19) == one_hot);
  CHECK(columns(m, "a", 21, 8) == Floats{8, 16, 16, 4, 0, 0, 44, 8192});
  CHECK(columns(m, "zero", 21, 8) == Floats{0, 0, 0, 0, 0, 0, 0, 1});  // the product of an empty list is 1
  CHECK(columns(m, "last", 29, 1) == Floats{2});
  CHECK(columns(m, "k", 30, 1) == Floats{1});
  CHECK(columns(m, "total", 31, 6) == Floats{1, 2, 0, 0, 0, 0});
  CHECK(columns(m, "rows", 31, 6) == Floats{0, 0, 0, 0, 0, 0});
  CHECK(columns(m, "conv", 37, 8) == Floats{3, 5, 0, 0, 0, 0, 8, 15});   // size
  CHECK(columns(m, "conv", 45, 8) == Floats{2, 1, 0, 0, 0, 0, 3, 2});    // stride
  CHECK(columns(m, "conv", 53, 8) == Floats{1, -1, 0, 0, 0, 0, 0, -1});  // padding_low
  CHECK(columns(m, "conv", 61, 8) == Floats{0, 3, 0, 0, 0, 0, 3, 0});    // padding_high
  CHECK(columns(m, "conv", 69, 8) == Floats{2, 1, 0, 0, 0, 0, 3, 2});    // window_dilation (rhs)
  CHECK(columns(m, "conv", 77, 8) == Floats{1, 2, 0, 0, 0, 0, 3, 2});    // base_dilation (lhs)
  CHECK(columns(m, "conv", 85, 8) == Floats{1, 0, 0, 0, 0, 0, 1, 1});    // reversal
  CHECK(columns(m, "conv", 93, 2) == Floats{0, 3});                      // input batch, feature
  CHECK(columns(m, "conv", 95, 4) == Floats{1, 2, 0, 0});
  CHECK(columns(m, "conv", 99, 2) == Floats{2, 3});
  CHECK(columns(m, "conv", 101, 4) == Floats{0, 1, 0, 0});
  CHECK(columns(m, "conv", 105, 2) == Floats{0, 3});
  CHECK(columns(m, "conv", 107, 2) == Floats{2, 1});
  CHECK(columns(m, "cut", 109, 4) == Floats{0, 1, 1, 0});      // start
  CHECK(columns(m, "cut", 113, 4) == Floats{2, 1, 6, 4});      // stride: 2, 1, 2, 1
  CHECK(columns(m, "cut", 117, 4) == Floats{8, 3, 37, 4032});  // limit: 8, 3, 14, 12
  CHECK(columns(m, "piece", 121, 4) == Floats{2, 2, 23, 336});
  CHECK(columns(m, "padded", 125, 4) == Floats{1, 0, 1, 0});  // low: 1, 0, 1, -1
  CHECK(columns(m, "padded", 129, 4) == Floats{0, 0, 4, 0});  // high: 0, 0, 1, 3
  CHECK(columns(m, "sorted", 133, 1) == Floats{1});
  CHECK(columns(m, "k", 134, 6) == Floats{2, 3, 1, 0, 0, 0});
}

TEST_CASE("the padding option fills the unused columns of lists and nothing else") {
  const io::HloModule m = every_attribute();
  io::HloFeatureOptions options;
  options.padding = -1;
  CHECK(columns(m, "a", 21, 8, options) == Floats{8, 16, 16, 4, -1, -1, 44, 8192});
  CHECK(columns(m, "zero", 21, 8, options) == Floats{-1, -1, -1, -1, -1, -1, 0, 1});
  CHECK(columns(m, "total", 31, 6, options) == Floats{1, 2, -1, -1, -1, -1});
  CHECK(columns(m, "rows", 31, 6, options) == Floats{0, -1, -1, -1, -1, -1});
  CHECK(columns(m, "conv", 85, 8, options) == Floats{1, 0, -1, -1, -1, -1, 1, 1});
  CHECK(columns(m, "total", 93, 4, options) == Floats{0, 0, -1, -1});
  CHECK(columns(m, "total", 107, 4, options) == Floats{0, 0, -1, -1});
  CHECK(columns(m, "k", 134, 6, options) == Floats{2, 3, 1, 0, -1, -1});
}

TEST_CASE("the extra features follow the published ones") {
  const io::HloModule m = every_attribute();
  io::HloFeatureOptions options;
  options.extra = true;
  CHECK(io::num_hlo_features(options) == 140 + 82);
  CHECK(columns(m, "a", 0, 140, options) == columns(m, "a", 0, 140));
  CHECK(columns(m, "product", 140, 12, options) == Floats{2, -1, -1, 2, -1, -1, 0, -1, -1, 0, -1, -1});
  CHECK(columns(m, "product", 152, 15, options) == Floats(15, -1));
  CHECK(columns(m, "picked", 152, 9, options) == Floats{1, 2, -1, 0, -1, -1, 0, -1, -1});
  CHECK(columns(m, "picked", 161, 7, options) == Floats{1, 1, 27, 27, -1, -1, 1});
  CHECK(columns(m, "some", 167, 3, options) == Floats{0, 1, 0});
  CHECK(columns(m, "last", 167, 3, options) == Floats{0, 0, 1});
  CHECK(columns(m, "conv", 170, 16, options) ==
        Floats{8, 16, 16, 4, -1, -1, 44, 8192, 3, 5, 2, 12, -1, -1, 22, 360});
  CHECK(columns(m, "pool", 170, 16, options) == Floats(16, -1));

  io::HloModule tiles = small_module();
  tiles.computations[0].instructions[2].shape.dimensions = {1, 128, 129, 300, 0};
  // ((x + 127) mod 128) / 128
  CHECK(columns(tiles, "i2", 186, 6, options) == Floats{0, 127.0f / 128, 0, 43.0f / 128, 127.0f / 128, -1});
  // floor(x / 128) / 10
  CHECK(columns(tiles, "i2", 192, 6, options) == Floats{0, 0.1f, 0.1f, 0.2f, 0, -1});
  CHECK(columns(tiles, "i2", 198, 24, options) == Floats(24, -1));
  tiles.computations[0].instructions[2].opcode = "dot";
  tiles.computations[0].instructions[1].shape.dimensions = {256};
  CHECK(columns(tiles, "i2", 198, 13, options) ==
        Floats{127.0f / 128, -1, -1, -1, -1, -1, 0.2f, -1, -1, -1, -1, -1, -1});
}

TEST_CASE("edges run from consumer to producer and to the roots of called computations, sorted and distinct") {
  io::HloModule m = small_module();
  m.computations[0].instructions[2].operand_ids = {20, 10, 20};
  CHECK(io::featurize(m).value().edge_index == Ints{2, 0, 2, 1});
  io::HloComputation caller;
  caller.name = "caller";
  caller.id = 6;
  caller.root_id = 50;
  caller.instructions.resize(2);
  caller.instructions[0].id = 50;
  caller.instructions[0].opcode = "fusion";
  caller.instructions[0].called_computation_ids = {5};
  caller.instructions[0].operand_ids = {60};  // stands later in the file
  caller.instructions[1].id = 60;
  caller.instructions[1].opcode = "no-such-opcode";
  m.computations.push_back(caller);
  const io::HloGraph graph = io::featurize(m).value();
  CHECK(graph.num_nodes == 5);
  CHECK(graph.num_edges == 4);
  CHECK(graph.edge_index == Ints{2, 0, 2, 1, 3, 2, 3, 4});
  CHECK(graph.node_opcode == std::vector<std::uint8_t>{63, 63, 2, 41, 0});
}

TEST_CASE("node splits follow computations named cluster, while or cond, and end with the number of nodes") {
  const auto splits = [](const std::vector<std::string>& names) {
    io::HloModule m;
    for (const std::string& name : names) {
      io::HloComputation& computation = m.computations.emplace_back(small_module().computations[0]);
      const auto shift = static_cast<std::int64_t>(100 * m.computations.size());
      computation.name = name;
      computation.id += shift;
      computation.root_id += shift;
      for (io::HloInstruction& inst : computation.instructions) {
        inst.id += shift;
        inst.operand_ids.clear();
      }
    }
    return io::featurize(m).value().node_splits;
  };
  CHECK(splits({"a", "b"}) == Ints{0, 6});
  CHECK(splits({"my_cluster.1", "b"}) == Ints{0, 3, 6});
  CHECK(splits({"a", "while_body", "second", "d"}) == Ints{0, 6, 9, 12});  // "second" contains "cond"
  CHECK(splits({"a", "cond.2"}) == Ints{0, 6});
}

TEST_CASE("ids that are not unique or lead nowhere, self edges and cycles are refused") {
  io::HloModule m = small_module();
  m.computations[0].instructions[2].operand_ids = {10, 77};
  CHECK(error_of(m) == "hlo_features: instruction 'i2' (row 2) consumes id 77, which no instruction has");
  m = small_module();
  m.computations[0].instructions[2].called_computation_ids = {4};
  CHECK(error_of(m) == "hlo_features: instruction 'i2' (row 2) calls id 4, which no computation has");
  m = small_module();
  m.computations[0].instructions[2].operand_ids = {30};
  CHECK(error_of(m) == "hlo_features: instruction 'i2' (row 2) consumes its own output");
  m = small_module();
  m.computations[0].instructions[0].operand_ids = {20};
  m.computations[0].instructions[1].operand_ids = {30};
  CHECK(error_of(m) == "hlo_features: instruction 'i0' (row 0) needs its own output, through others");
  m.computations[0].instructions[2].operand_ids = {};  // the other way round, which is no cycle
  CHECK(io::featurize(m).value().edge_index == Ints{0, 1, 1, 2});
  m = small_module();
  m.computations[0].instructions[1].called_computation_ids = {5};
  CHECK(error_of(m) == "hlo_features: instruction 'i1' (row 1) needs its own output, through others");
  m = small_module();
  m.computations[0].instructions[1].id = 10;
  CHECK(error_of(m) == "hlo_features: two instructions have id 10; ids should be unique");
  m = small_module();
  m.computations[0].root_id = 11;
  CHECK(error_of(m) ==
        "hlo_features: the root of computation 'main' is id 11, which none of its instructions has");
  m = small_module();
  m.computations.push_back(m.computations[0]);
  for (io::HloInstruction& inst : m.computations[1].instructions) inst.id += 1, inst.operand_ids.clear();
  m.computations[1].root_id += 1;
  CHECK(error_of(m) == "hlo_features: two computations have id 5; ids should be unique");
}

TEST_CASE("on a real module, what pad_lists() makes of published features is what the featurizer pads") {
  MLGRAPH_REQUIRE_DATA(dir);
  for (const char* file : {"/tpugraphs/pb/module_tuning_data_layout.pb", "/tpugraphs/pb/op_tuning_data.pb"}) {
    const std::string path = dir + file;
    const std::vector<io::HloModule> modules = io::read_hlo_modules(io::read_file(path).value(), path).value();
    std::int64_t num_different = 0, num_padded = 0;
    for (const io::HloModule& module : modules) {
      io::HloFeatureOptions minus_one;
      minus_one.padding = -1;
      const io::HloGraph right = io::featurize(module, minus_one).value();
      const io::HloGraph published = io::featurize(module).value();
      std::vector<float> inferred = published.node_feat, again = right.node_feat;
      for (std::size_t row = 0; row < right.node_opcode.size(); ++row) {
        pad_lists(inferred.data() + row * 140, right.node_opcode[row]);
        pad_lists(again.data() + row * 140, right.node_opcode[row]);
      }
      CHECK(again == right.node_feat);
      for (std::size_t i = 0; i < inferred.size(); ++i) {
        if (right.node_feat[i] != published.node_feat[i]) ++num_padded;
        if (inferred[i] == right.node_feat[i]) continue;
        ++num_different;
        CHECK((i % 140 >= 31 && i % 140 < 37));   // only `dimensions` can be wrong
        CHECK(right.node_opcode[i / 140] == 13);  // and there only broadcasts
      }
    }
    INFO(num_different, " of ", num_padded, " padded entries differ");
    CHECK(num_padded > 1000);
    CHECK(static_cast<double>(num_different) < 1e-3 * static_cast<double>(num_padded));
  }
}

TEST_CASE("HLO text: a negative size, as broken files have it, makes finite features") {
  const Result<io::HloModule> module =
      io::read_hlo_text("HloModule m\nENTRY e {\na = f32[-5,128] parameter(0)\n}\n", "t");
  REQUIRE_MESSAGE(module.ok(), module.status().message());
  const io::HloGraph graph = testing::graph_of(*module);
  const Span<const std::string_view> names = io::hlo_feature_names(graph.num_features);
  int found = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const float value = graph.node_feat[i];
    if (names[i] == "shape.dimensions.whole_tiles[0]") found += value == -0.1f;
    if (names[i] == "shape.dimensions.whole_tiles[1]") found += value == 0.1f;
    if (names[i] == "shape.dimensions.part_of_tile[0]") found += value == 122.0f / 128.0f;
  }
  CHECK(found == 3);
}
