// SPDX-License-Identifier: Apache-2.0
// Models and programs of every kind that a session meets.
#ifndef MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP
#define MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cost/program_fixture.hpp"

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

/// Calls `f(model, program)` for every network that has sessions and direction; those of configurable nodes
/// also in segments, with and without a halo and with both read-outs, with embedded configurations, and on a
/// program of several blocks of nodes. The network of these tests also with a configuration of the graph.
template <class F>
void for_each_session_model(F&& f) {
  const OwnedProgram large = large_layout_program(3, 600, 11, 9);
  for (const std::string_view name : kNets) {
    for (const Direction direction : kDirections) {
      Texts options = {{"direction", std::string(enum_name(direction))}};
      if (name == OwnNet::kName && direction == Direction::kForward) options["reads_graph"] = "yes";
      const std::unique_ptr<NetOptions> plain = small_net(name, options);
      const NetPlan plan = plan_of(*plain);
      const ProgramSetFixture set(*plain, 1, 1, 9);
      INFO(name, ", direction ", enum_name(direction));
      f(set.model(*plain), set.programs[0]);
      if (!plan.takes_nodes()) continue;
      if (!plan.takes_graph()) {
        if (plan.join == Join::kConfigurable) f(set.model(*plain), large);
        f(set.model(*options_with(*plain, {{"config_encoding", "embedding"}})), set.programs[0]);
      }
      for (const char* const halo : {"no", "yes"}) {
        const Texts segments = {{"segment_size", "4"},
                                {"segment_readout", direction == Direction::kReverse ? "scalar" : "embedding"},
                                {"segment_halo", halo}};
        f(set.model(*options_with(*plain, segments)), set.programs[0]);
      }
    }
  }
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_INFER_SESSION_FIXTURE_HPP
