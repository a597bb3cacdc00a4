// SPDX-License-Identifier: Apache-2.0
// OwnedProgram: the arrays behind the ProgramView of a test.
#ifndef MLGRAPH_TESTS_COST_OWNED_PROGRAM_HPP
#define MLGRAPH_TESTS_COST_OWNED_PROGRAM_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph::testing {

/// The arrays behind a ProgramView, which must not outlive it.
struct OwnedProgram {
  std::string name;
  std::int64_t num_features = 0;
  Span<const std::string_view> feature_names;  // borrowed
  std::vector<float> x;
  std::vector<std::int32_t> opcode, edge_source, edge_target, config_node, node_splits;
  std::int64_t num_configs = 0;
  std::int64_t rows_per_config = 1;
  std::int64_t config_features = 0;
  std::vector<std::int8_t> narrow;
  std::vector<float> wide;
  std::vector<std::int64_t> runtime, runtime_normalizer;

  [[nodiscard]] ProgramView view() const {
    ProgramView view;
    view.name = name;
    view.graph.x = {x.data(), static_cast<std::int64_t>(opcode.size()), num_features};
    view.graph.opcode = opcode;
    view.graph.edge_source = edge_source;
    view.graph.edge_target = edge_target;
    view.graph.config_node = config_node;
    view.graph.feature_names = feature_names;
    view.node_splits = node_splits;
    view.configs = {narrow, wide, num_configs, rows_per_config, config_features};
    view.runtime = runtime;
    view.runtime_normalizer = runtime_normalizer;
    return view;
  }
};

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_OWNED_PROGRAM_HPP
