// SPDX-License-Identifier: Apache-2.0
// The data of this example: programs of an imaginary machine with the times of their configurations. Of one's
// own machine it would be files: see mlgraph/io/program_set.hpp.
#ifndef MLGRAPH_EXAMPLES_CUSTOM_MODEL_PROGRAMS_HPP
#define MLGRAPH_EXAMPLES_CUSTOM_MODEL_PROGRAMS_HPP

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/program_data.hpp"

/// A tree of 20 tensors, of which every second one may be stored by columns (1) instead of rows (0). That takes
/// longer to write, and what is read in another order than it was written is copied.
inline mlgraph::io::Program make_program(std::uint64_t seed) {
  mlgraph::Rng rng(seed);
  mlgraph::io::Program program;
  program.name = mlgraph::str_cat("program_", seed);
  program.num_features = program.config_features = 1;
  for (std::int32_t v = 0; v < 20; ++v) {
    program.x.push_back(static_cast<float>(rng.below(400)));  // its size
    program.opcode.push_back(v % 3);
    if (v % 2 == 1) program.config_node.push_back(v);
    if (v > 0) program.edge_source.push_back((v - 1) / 2);
    if (v > 0) program.edge_target.push_back(v);
  }
  for (; program.num_configs < 32; ++program.num_configs) {
    std::int8_t columns[20] = {};
    std::int64_t& ns = program.runtime.emplace_back(1000);
    for (std::size_t v = 1; v < 20; ++v) {
      if (v % 2 == 1) program.narrow_configs.push_back(columns[v] = rng.below(2) == 1);
      ns += (columns[v] == columns[(v - 1) / 2] ? 0 : 150) + columns[v] * static_cast<int>(program.x[v]);
    }
  }
  return program;
}

/// 20 programs: 4 that choose the best epoch, and 16 to train on.
inline mlgraph::Span<const mlgraph::ProgramView> all_programs() {
  static const std::vector<mlgraph::io::Program> programs = [] {
    std::vector<mlgraph::io::Program> made;
    for (std::uint64_t seed = 0; seed < 20; ++seed) made.push_back(make_program(seed));
    return made;
  }();
  static const std::vector<mlgraph::ProgramView> views = [] {
    std::vector<mlgraph::ProgramView> made;
    for (const mlgraph::io::Program& program : programs) made.push_back(program.view());
    return made;
  }();
  return views;
}
inline mlgraph::Span<const mlgraph::ProgramView> valid_programs() { return all_programs().subspan(0, 4); }
inline mlgraph::Span<const mlgraph::ProgramView> train_programs() { return all_programs().subspan(4, 16); }

/// What a trainer takes. mlgraph::train() does it itself, and has no checkpoints.
inline mlgraph::Result<std::vector<mlgraph::PreparedProgram>> prepare(
    const mlgraph::Model& model, mlgraph::Span<const mlgraph::ProgramView> programs) {
  std::vector<mlgraph::PreparedProgram> prepared;
  for (const mlgraph::ProgramView& program : programs) {
    MLGRAPH_ASSIGN_OR_RETURN(mlgraph::PreparedProgram one, model.prepare(program));
    prepared.push_back(std::move(one));
  }
  return prepared;
}

#endif  // MLGRAPH_EXAMPLES_CUSTOM_MODEL_PROGRAMS_HPP
