// SPDX-License-Identifier: Apache-2.0
// Random decisions to measure: around what engineers would choose, and further away.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLE_HPP

#include <algorithm>
#include <cstddef>
#include <vector>

#include "compile.hpp"
#include "layout.hpp"
#include "mlgraph/core/random.hpp"
#include "tile.hpp"

namespace minicompiler {

/// Makes the inputs of some configurable instructions what their producers give, so that no copy is needed.
/// Errors: those of Executable::compile().
[[nodiscard]] inline mg::Status agree_with_producers(const Program& program, double probability, mg::Rng& rng,
                                                     LayoutConfig& config) {
  const std::vector<std::size_t> configurable = program.indices_of(is_configurable);
  for (std::size_t k = 0; k < configurable.size(); ++k) {
    if (rng.uniform() >= probability) continue;
    const Instruction& inst = program.instructions[configurable[k]];
    MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, Executable::compile(program, {config, {}}));
    LayoutChoice wanted = config[k];
    for (std::size_t i = 0; i < inst.operands.size(); ++i) wanted.inputs[i] = exe.layouts()[inst.operands[i]];
    const std::vector<LayoutChoice> choices = layout_choices(program, inst);
    if (std::find(choices.begin(), choices.end(), wanted) != choices.end()) config[k] = wanted;
  }
  return {};
}

/// A random configuration: the default or the greedy one, changed at one node, at some or at all; every second
/// one with fewer copies. Errors: those of Executable::compile().
[[nodiscard]] inline mg::Result<LayoutConfig> random_layouts(const Program& program, mg::Rng& rng) {
  LayoutConfig config = rng.uniform() < 0.5 ? default_layouts(program) : greedy_layouts(program);
  const std::vector<std::size_t> configurable = program.indices_of(is_configurable);
  const double share[] = {0.15, 0.3, 0.6, 1.0};
  const double probability = share[rng.below(4)];
  const std::size_t always = rng.below(std::max<std::size_t>(1, configurable.size()));
  for (std::size_t k = 0; k < configurable.size(); ++k) {
    if (k != always && rng.uniform() >= probability) continue;
    const std::vector<LayoutChoice> choices = layout_choices(program, program.instructions[configurable[k]]);
    config[k] = choices[rng.below(choices.size())];
  }
  if (rng.uniform() < 0.5) MLGRAPH_RETURN_IF_ERROR(agree_with_producers(program, 0.7, rng, config));
  return config;
}

/// Different configurations, the default and the greedy one first; fewer than `count` where there are no more.
[[nodiscard]] inline mg::Result<std::vector<LayoutConfig>> sample_layouts(const Program& program,
                                                                          std::size_t count, mg::Rng& rng) {
  std::vector<LayoutConfig> configs = {default_layouts(program)};
  const auto add = [&](const LayoutConfig& config) {
    if (std::find(configs.begin(), configs.end(), config) == configs.end()) configs.push_back(config);
  };
  add(greedy_layouts(program));
  for (std::size_t tries = 0; configs.size() < count && tries < 4 * count; ++tries) {
    MLGRAPH_ASSIGN_OR_RETURN(const LayoutConfig config, random_layouts(program, rng));
    add(config);
  }
  return configs;
}

/// Different tiles, the default first.
[[nodiscard]] inline std::vector<Tile> sample_tiles(const Contraction& loops, std::size_t count, mg::Rng& rng) {
  std::vector<Tile> tiles = tile_choices(loops);
  rng.shuffle(mg::Span<Tile>(tiles.data() + 1, tiles.size() - 1));
  if (tiles.size() > count) tiles.resize(count);
  return tiles;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SAMPLE_HPP
