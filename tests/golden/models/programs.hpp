// SPDX-License-Identifier: Apache-2.0
// The two programs that the model files in this folder were fitted to and scored on: every number by a formula
// of integers, so that all compilers and machines have the same bits.
#ifndef MLGRAPH_TESTS_GOLDEN_MODELS_PROGRAMS_HPP
#define MLGRAPH_TESTS_GOLDEN_MODELS_PROGRAMS_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cost/owned_program.hpp"

namespace mlgraph::testing {

/// Node features: as many as TpuGraphs publishes.
inline constexpr std::int64_t kGoldenFeatures = 140;
inline constexpr std::int64_t kGoldenConfigs = 6;
inline constexpr std::int64_t kGoldenOpcodes = 8;

/// "feature 0" ... "feature 139": the names that the files "..._named" were fitted with.
inline const std::vector<std::string_view>& golden_feature_names() {
  static const std::vector<std::string> text = [] {
    std::vector<std::string> names;
    for (std::int64_t j = 0; j < kGoldenFeatures; ++j) names.push_back("feature " + std::to_string(j));
    return names;
  }();
  static const std::vector<std::string_view> names(text.begin(), text.end());
  return names;
}

/// Feature j of node v. Sizes and lists stand in the published columns and are as long as their ranks say; a
/// quarter of the other columns varies, the rest is 0.
inline float golden_feature(std::int32_t v, std::int32_t j) {
  struct List {
    std::int32_t begin, end, used;
  };
  const std::int32_t rank = 1 + v % 4;
  const std::int32_t window = v % 3 == 1 ? 2 : 0;      // dimensions of the node's window
  const std::int32_t slice = v % 5 == 2 ? rank : 0;    // whether it is a slice
  const std::int32_t dynamic = v % 6 == 4 ? rank : 0;  // or a dynamic one
  const auto in = [j](const List& list) { return j >= list.begin && j < list.end; };
  const auto entry = [j](const List& list, std::int32_t value) {
    return static_cast<float>(j - list.begin < list.used ? value : 0);
  };
  const List shape{21, 27, rank}, dimensions{31, 37, v % 4 == 3 ? 2 : 0}, window_size{37, 43, window};
  const List slice_limit{117, 119, slice}, dynamic_slice{121, 123, dynamic}, layout{134, 140, rank};
  if (in(shape)) return entry(shape, 1 + (v * 37 + j * 101) % 300);
  if (in(dimensions)) return entry(dimensions, (v + j) % 4);
  if (in(window_size)) return entry(window_size, 1 + (v * 41 + j * 7) % 160);
  if (in(slice_limit)) return entry(slice_limit, 1 + (v * 11 + j * 31) % 200);
  if (in(dynamic_slice)) return entry(dynamic_slice, 1 + (v * 23 + j * 29) % 170);
  if (in(layout)) return entry(layout, (v + j) % rank);
  switch (j) {
    case 28:  // where the product of the shape stands; not 0, as no dimension is
      return static_cast<float>(1 + v * 13 % 29);
    case 92:  // dimensions of the window that are not reversed
      return static_cast<float>(window);
    case 119:  // sum and product of the slice; 0 and 1 where it is none
      return static_cast<float>(slice == 0 ? 0 : 3);
    case 120:
      return static_cast<float>(slice == 0 ? 1 : 2);
    case 123:  // the same of the dynamic slice
      return static_cast<float>(dynamic == 0 ? 0 : 3);
    case 124:
      return static_cast<float>(dynamic == 0 ? 1 : 2);
    case 128:  // products of the padding, which no node has
    case 132:
      return 1;
    default:
      return j % 4 == 0 ? static_cast<float>((v * 37 + j * 11) % 17) / 8.0f : 0.0f;
  }
}

/// The nodes and edges of both programs: a binary tree of the connected nodes, and some more edges.
inline OwnedProgram golden_graph(const char* name, std::int32_t num_nodes, std::int32_t num_connected,
                                 bool named) {
  OwnedProgram program;
  program.name = name;
  program.num_features = kGoldenFeatures;
  program.num_configs = kGoldenConfigs;
  if (named) program.feature_names = golden_feature_names();
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    for (std::int32_t j = 0; j < kGoldenFeatures; ++j) program.x.push_back(golden_feature(v, j));
    program.opcode.push_back((v * 3 + v / 4) % static_cast<std::int32_t>(kGoldenOpcodes));
    if (v == 0 || v >= num_connected) continue;
    program.edge_source.push_back((v - 1) / 2);
    program.edge_target.push_back(v);
    if (v < 5 || v % 3 != 2) continue;
    program.edge_source.push_back(v - 2);
    program.edge_target.push_back(v);
  }
  return program;
}

/// A kernel of 9 nodes and 6 tilings of 24 numbers, of which some never vary.
inline OwnedProgram golden_tile_program(bool named = false) {
  OwnedProgram program = golden_graph("golden_tile", 9, 9, named);
  program.node_splits = {0, 4, 9};
  program.config_features = 24;
  for (std::int64_t c = 0; c < kGoldenConfigs; ++c) {
    for (std::int64_t j = 0; j < program.config_features; ++j) {
      const std::int64_t n = j % 8 == 7 ? j : (c * c * 5 + c * (j * 7 + 3) + j * 11) % 33;
      program.wide.push_back(static_cast<float>(n) / 8.0f);
    }
    program.runtime.push_back(2000 + c * c * 37 % 401);
    program.runtime_normalizer.push_back(1000 + c * 53 % 97);
  }
  return program;
}

/// A program of 20 nodes, 4 of them configurable, and 6 layouts of 18 entries from -1 to 5 each. The last node
/// has no edge.
inline OwnedProgram golden_layout_program(bool named = false) {
  OwnedProgram program = golden_graph("golden_layout", 20, 19, named);
  program.node_splits = {0, 7, 13, 20};
  program.config_node = {3, 17, 8, 12};
  program.rows_per_config = static_cast<std::int64_t>(program.config_node.size());
  program.config_features = 18;
  for (std::int64_t c = 0; c < kGoldenConfigs; ++c) {
    for (std::int64_t k = 0; k < program.rows_per_config; ++k) {
      for (std::int64_t j = 0; j < program.config_features; ++j)
        program.narrow.push_back(
            static_cast<std::int8_t>((c * (j + k + 2) + c * c * 3 + k * 4 + j * j) % 7 - 1));
    }
    program.runtime.push_back(1000 + 100 * ((c * 5 + 2) % 6));
  }
  return program;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_GOLDEN_MODELS_PROGRAMS_HPP
