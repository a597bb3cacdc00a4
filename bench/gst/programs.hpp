// SPDX-License-Identifier: Apache-2.0
// Made-up programs with the shape of HLO modules, as large as one wishes.
#ifndef MLGRAPH_BENCH_GST_PROGRAMS_HPP
#define MLGRAPH_BENCH_GST_PROGRAMS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/program.hpp"

namespace gst {

namespace mg = mlgraph;

/// The arrays behind a ProgramView.
struct MadeProgram {
  std::string name;
  std::int64_t num_features = 0;
  std::vector<float> x;
  std::vector<std::int32_t> opcode, source, target, config_node;
  std::int64_t num_configs = 0;
  std::vector<std::int8_t> configs;
  std::vector<std::int64_t> runtime;

  static constexpr std::int64_t kConfigFeatures = 18;

  [[nodiscard]] mg::ProgramView view() const {
    mg::ProgramView view;
    view.name = name;
    view.graph.x = {x.data(), static_cast<std::int64_t>(opcode.size()), num_features};
    view.graph.opcode = opcode;
    view.graph.edge_source = source;
    view.graph.edge_target = target;
    view.graph.config_node = config_node;
    view.configs.narrow = configs;
    view.configs.num_configs = num_configs;
    view.configs.rows_per_config = static_cast<std::int64_t>(config_node.size());
    view.configs.num_features = kConfigFeatures;
    view.runtime = runtime;
    return view;
  }
};

/// A DAG of `num_nodes` whose edges are local (a node reads what was computed a few instructions before) with
/// an in-degree of 1.6 on average, every 50th node configurable.
///
/// The time of a config is that of its layouts, each compared with what the node's opcode prefers, and of the
/// whole program: a share of "fast" layouts, counted over all configurable nodes, that differs from the
/// program's own ideal costs more than any single layout. No part of the graph knows it alone.
inline MadeProgram make_program(std::uint64_t seed, std::int32_t num_nodes, std::int64_t num_configs,
                                std::int64_t num_features = 140) {
  mg::Rng rng(seed);
  MadeProgram program;
  program.name = mg::str_cat("made_", num_nodes, "_", seed);
  program.num_features = num_features;
  program.x.reserve(static_cast<std::size_t>(num_nodes * num_features));
  const double ideal = rng.uniform(0.2, 0.8);
  for (std::int32_t v = 0; v < num_nodes; ++v) {
    program.opcode.push_back(1 + static_cast<std::int32_t>(rng.below(20)));
    for (std::int64_t j = 0; j < num_features; ++j)
      program.x.push_back(j == 0 ? static_cast<float>(ideal) : static_cast<float>(rng.uniform(-1, 1)));
    std::int32_t last = -1;
    const int degree = v == 0 ? 0 : 1 + static_cast<int>(rng.below(10) < 6);
    for (int d = 0; d < degree; ++d) {
      const auto back = 1 + static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(d == 0 ? 3 : 40)));
      const std::int32_t from = std::max(0, v - back);
      if (from == last) continue;
      last = from;
      program.source.push_back(from);
      program.target.push_back(v);
    }
    if (v % 50 == 25) program.config_node.push_back(v);
  }
  program.num_configs = num_configs;
  const std::size_t num_config_nodes = program.config_node.size();
  for (std::int64_t c = 0; c < num_configs; ++c) {
    double local = 0, fast = 0;
    const double bias = rng.uniform();
    for (const std::int32_t v : program.config_node) {
      const bool is_fast = rng.uniform() < bias;
      const auto second = static_cast<std::int8_t>(rng.below(4));
      program.configs.push_back(is_fast ? 1 : 0);
      program.configs.push_back(second);
      for (std::int64_t j = 2; j < MadeProgram::kConfigFeatures; ++j)
        program.configs.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
      fast += is_fast ? 1 : 0;
      local += std::abs(second - program.opcode[static_cast<std::size_t>(v)] % 4);
    }
    const auto count = static_cast<double>(std::max<std::size_t>(1, num_config_nodes));
    const double time = 1000 + 100 * local / count + 400 * std::abs(fast / count - ideal);
    program.runtime.push_back(std::llround(1000 * time));
  }
  return program;
}

}  // namespace gst

#endif  // MLGRAPH_BENCH_GST_PROGRAMS_HPP
