// SPDX-License-Identifier: Apache-2.0
// Models and programs of every kind that a session meets.
#ifndef MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP
#define MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "model/program_fixture.hpp"

namespace mlgraph::testing {

/// A layout program of so many nodes, with a second, far source at every third node.
inline OwnedProgram large_layout_program(std::uint64_t seed, std::int32_t num_nodes, std::int64_t config_nodes,
                                         std::int64_t num_configs) {
  Rng rng(seed);
  OwnedProgram program = random_graph("large", num_nodes, 1, rng);
  for (std::int32_t v = 3; v + 1 < num_nodes; v += 3) {
    if (program.edge_source[static_cast<std::size_t>(v) - 1] == v - 2) continue;  // that of the tree
    program.edge_source.push_back(v - 2);
    program.edge_target.push_back(v);
  }
  program.num_configs = num_configs;
  program.rows_per_config = config_nodes;
  program.config_features = 2;
  for (std::int64_t k = 0; k < config_nodes; ++k) {
    program.config_node.push_back(static_cast<std::int32_t>(num_nodes - 2 - 7 * ((5 * k) % config_nodes)));
  }
  for (std::int64_t i = 0; i < num_configs * config_nodes * 2; ++i) {
    program.narrow.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(7)) - 1));
  }
  return program;
}

/// Calls `f(model, program)` for every architecture, join and direction; layouts also in segments, with and
/// without a halo and with both read-outs, with embedded configurations, and on a program of several blocks of
/// nodes.
template <class F>
void for_each_session_model(F&& f) {
  const OwnedProgram large = large_layout_program(3, 600, 11, 9);
  for (const Arch arch : kArchs) {
    const ProgramSetFixture set(default_options(arch).task(), 1, 1, 9);
    for (const Join join : kJoins) {
      for (const Direction direction : kDirections) {
        ModelOptions options = small_options(arch, join);
        options.direction = direction;
        INFO(arch_name(arch), ", join ", static_cast<int>(join), ", direction ", static_cast<int>(direction));
        f(set.model(options), set.programs[0]);
        if (options.task() == Task::kTile) continue;
        if (join == Join::kEarly) f(set.model(options), large);
        ModelOptions embedded = options;
        embedded.config_encoding = ConfigEncoding::kEmbedding;
        f(set.model(embedded), set.programs[0]);
        options.segments.max_size = 4;
        options.segments.readout =
            direction == Direction::kReverse ? SegmentReadout::kScalar : SegmentReadout::kEmbedding;
        for (const bool halo : {false, true}) {
          options.segments.halo = halo;
          f(set.model(options), set.programs[0]);
        }
      }
    }
  }
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP
