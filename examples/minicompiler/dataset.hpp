// SPDX-License-Identifier: Apache-2.0
// What a cost model sees: programs and kernels as graphs with the node features of TpuGraphs, decisions as its
// configurations.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "heavy.hpp"
#include "hlo.hpp"
#include "ir.hpp"
#include "layout.hpp"
#include "mlgraph/io/hlo_features.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/tpugraphs_proto.hpp"
#include "tile.hpp"

namespace minicompiler {

/// Entries of a layout configuration at one node: output, first and second input, six each.
inline constexpr std::size_t kLayoutFeatures = 18;

/// Appends the row of one configurable node: minor-to-major orders, the rest -1.
template <class Vector>
void append_layout_row(const LayoutChoice& choice, Vector& to) {
  for (const Layout* layout : {&choice.output, &choice.inputs[0], &choice.inputs[1]}) {
    for (const std::int8_t entry : layout->entries())
      to.push_back(static_cast<typename Vector::value_type>(entry));
  }
}

namespace detail {

/// Nodes and edges of a program, with the columns that dots and convolutions have of their operands' shapes.
[[nodiscard]] inline mg::Result<mg::io::Program> make_graph(const std::string& name,
                                                            const LoweredHlo& lowered) {
  mg::io::HloFeatureOptions options;
  options.extra = true;
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::HloGraph graph, mg::io::featurize(lowered.module, options));
  return mg::io::make_program(name, graph);
}

}  // namespace detail

/// The layout problem of a program, without configurations: K configurable nodes in the program's order.
[[nodiscard]] inline mg::Result<mg::io::Program> layout_problem(const Program& program) {
  const LoweredHlo lowered = lower_to_hlo(program);
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem, detail::make_graph(program.name, lowered));
  for (const std::size_t i : program.indices_of(is_configurable)) problem.config_node.push_back(lowered.row[i]);
  problem.config_features = static_cast<std::int64_t>(kLayoutFeatures);
  return problem;
}

/// Adds a configuration to a layout problem.
inline void add_layouts(const LayoutConfig& config, mg::io::Program& problem) {
  for (const LayoutChoice& choice : config) append_layout_row(choice, problem.narrow_configs);
  ++problem.num_configs;
}

/// A heavy instruction alone: its parameters, and the layouts it is compiled for.
struct Kernel {
  Program program;
  LayoutChoice layouts;

  [[nodiscard]] const Instruction& instruction() const { return program.instructions.back(); }
  [[nodiscard]] HeavyKernel loops() const { return heavy_kernel(program, instruction(), layouts); }
};

/// The heavy instruction `i` of a program as a kernel.
[[nodiscard]] inline Kernel kernel_of(const Program& program, std::size_t i, const LayoutChoice& layouts) {
  Kernel kernel;
  Instruction inst = program.instructions[i];
  kernel.program.name = mg::str_cat(program.name, ".", inst.name);
  for (std::size_t& operand : inst.operands) {
    Instruction parameter;
    parameter.name = mg::str_cat("p", kernel.program.instructions.size());
    parameter.shape = program.instructions[operand].shape;
    operand = kernel.program.instructions.size();
    kernel.program.instructions.push_back(std::move(parameter));
  }
  kernel.program.instructions.push_back(std::move(inst));
  kernel.layouts = layouts;
  return kernel;
}

/// The tile problem of a kernel, without configurations: three nodes, whose shapes have the kernel's layouts.
[[nodiscard]] inline mg::Result<mg::io::Program> tile_problem(const Kernel& kernel) {
  const LayoutChoice& l = kernel.layouts;
  const LoweredHlo lowered = lower_to_hlo(kernel.program, {l.inputs[0], l.inputs[1], l.output});
  MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem, detail::make_graph(kernel.program.name, lowered));
  problem.node_splits.clear();  // as in the published tile files
  problem.config_features = static_cast<std::int64_t>(kTileFeatures);
  return problem;
}

/// Adds a tile to a tile problem.
inline void add_tile(const Contraction& loops, const Tile& tile, mg::io::Program& problem) {
  std::vector<float> features;
  append_tile_features(loops, tile, features);
  problem.wide_configs.insert(problem.wide_configs.end(), features.begin(), features.end());
  ++problem.num_configs;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_DATASET_HPP
