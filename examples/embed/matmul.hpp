// SPDX-License-Identifier: Apache-2.0
// The IR of a small compiler: a matrix product, with or without relu, and the tile sizes it may be compiled
// with.
#ifndef MLGRAPH_EXAMPLES_EMBED_MATMUL_HPP
#define MLGRAPH_EXAMPLES_EMBED_MATMUL_HPP

#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/cost_model.hpp"

/// relu((rows, depth) x (depth, cols)) as nodes: two parameters, dot, relu.
struct Matmul {
  enum Opcode : std::int32_t { kParameter, kDot, kRelu, kNumOpcodes };
  static constexpr std::string_view kFeatureNames[] = {"rows", "cols"};

  std::vector<float> x;  // (N, 2) the shape of each node's value
  std::vector<std::int32_t> opcode = {kParameter, kParameter, kDot};
  std::vector<std::int32_t> producer = {0, 1}, consumer = {2, 2};

  Matmul(float rows, float cols, float depth, bool has_relu) : x{rows, depth, depth, cols, rows, cols} {
    if (!has_relu) return;
    x.insert(x.end(), {rows, cols});
    opcode.push_back(kRelu);
    producer.push_back(2);
    consumer.push_back(3);
  }

  [[nodiscard]] mlgraph::ProgramView view() const {
    mlgraph::ProgramView program;
    program.name = "matmul";
    program.graph.x = {x.data(), static_cast<std::int64_t>(opcode.size()), 2};
    program.graph.feature_names = kFeatureNames;
    program.graph.opcode = opcode;
    program.graph.edge_source = producer;
    program.graph.edge_target = consumer;
    return program;
  }
};

/// Every choice of 8 ... 128 rows, columns and depth of a tile, as configurations (125, 3).
struct Tiles {
  std::vector<float> sizes;

  Tiles() {
    for (float rows = 8; rows <= 128; rows *= 2) {
      for (float cols = 8; cols <= 128; cols *= 2) {
        for (float depth = 8; depth <= 128; depth *= 2) sizes.insert(sizes.end(), {rows, cols, depth});
      }
    }
  }

  [[nodiscard]] mlgraph::ConfigView configs() const {
    mlgraph::ConfigView configs;
    configs.wide = sizes;
    configs.num_configs = static_cast<std::int64_t>(sizes.size() / 3);
    configs.num_features = 3;
    return configs;
  }
};

#endif  // MLGRAPH_EXAMPLES_EMBED_MATMUL_HPP
