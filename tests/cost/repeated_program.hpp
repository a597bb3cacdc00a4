// SPDX-License-Identifier: Apache-2.0
// Programs that consist of the same program twice, cut between the two.
#ifndef MLGRAPH_TESTS_COST_REPEATED_PROGRAM_HPP
#define MLGRAPH_TESTS_COST_REPEATED_PROGRAM_HPP

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph::testing {

/// Options of a network whose segments are the computations of a program.
inline std::unique_ptr<NetOptions> repeated_options(std::string_view name) {
  std::unique_ptr<NetOptions> options = small_net(name);
  options->inputs().segments.partitioner = Partitioner::kComputations;
  options->inputs().segments.max_size = static_cast<std::int64_t>(program_for(*options, 1).opcode.size());
  return options;
}

/// A program for the network, and the same again behind it: nodes, edges and the rows of every configuration.
struct RepeatedTwice {
  OwnedProgram program;
  std::vector<std::int32_t> splits;

  RepeatedTwice(std::string_view name, std::uint64_t seed) {
    const OwnedProgram one = program_for(*small_net(name), seed);
    const auto num_nodes = static_cast<std::int32_t>(one.opcode.size());
    program = one;
    splits = {0, num_nodes, 2 * num_nodes};
    const auto append = [](std::vector<std::int32_t>& to, const std::vector<std::int32_t>& from, int offset) {
      for (const std::int32_t value : from) to.push_back(value + offset);
    };
    program.x.insert(program.x.end(), one.x.begin(), one.x.end());
    append(program.opcode, one.opcode, 0);
    append(program.edge_source, one.edge_source, num_nodes);
    append(program.edge_target, one.edge_target, num_nodes);
    append(program.config_node, one.config_node, num_nodes);
    program.rows_per_config *= 2;
    program.narrow.clear();
    const auto size = static_cast<std::ptrdiff_t>(one.rows_per_config * one.config_features);
    for (std::int64_t c = 0; c < one.num_configs; ++c) {
      const auto first = one.narrow.begin() + c * size;
      for (int i = 0; i < 2; ++i) program.narrow.insert(program.narrow.end(), first, first + size);
    }
  }
  [[nodiscard]] ProgramView view() const {
    ProgramView view = program.view();
    view.node_splits = splits;
    return view;
  }
};

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_REPEATED_PROGRAM_HPP
