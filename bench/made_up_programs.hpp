// SPDX-License-Identifier: Apache-2.0
// Programs that are made up, of the sizes of the collections of TpuGraphs.
#ifndef MLGRAPH_BENCH_MADE_UP_PROGRAMS_HPP
#define MLGRAPH_BENCH_MADE_UP_PROGRAMS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/program.hpp"

namespace bench {

namespace mg = mlgraph;

/// Of a made-up program.
struct ProgramSize {
  std::int32_t nodes = 40, config_nodes = 0;
  bool near_default = false;  // each configuration changes four nodes of the first one; else every node
};

/// The mean size of a collection of TpuGraphs (arXiv:2308.13490, table 1: 40, 14,105 and 5,659 nodes).
inline ProgramSize size_of(const std::string& collection) {
  ProgramSize size;
  if (collection.rfind("layout-", 0) == 0) {
    size.nodes = collection.find("xla") != std::string::npos ? 14'105 : 5'659;
    size.config_nodes = size.nodes / 50;
    size.near_default = collection.find("default") != std::string::npos;
  }
  return size;
}

/// A program whose configurations have random runtimes: what is measured is time.
struct MadeUp {
  std::vector<float> x, tile;
  std::vector<std::int32_t> opcode, source, target, config_node;
  std::vector<std::int8_t> layout;
  std::vector<std::int64_t> runtime;
  ProgramSize size;
  static constexpr std::int64_t kConfigs = 256, kFeatures = 140;

  MadeUp(const ProgramSize& of, std::uint64_t seed) : size(of) {
    mg::Rng rng(seed);
    std::set<std::pair<std::int32_t, std::int32_t>> edges;
    for (std::int32_t v = 1; v < of.nodes; ++v) {
      edges.emplace(v,
                    v - 1 - static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(std::min(v, 32)))));
      if (rng.uniform() < 0.6)
        edges.emplace(
            v, v - 1 - static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(std::min(v, 32)))));
    }
    for (const auto& [to, from] : edges) {
      source.push_back(from);
      target.push_back(to);
    }
    for (std::int32_t v = 0; v < of.nodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
      for (std::int64_t j = 0; j < kFeatures; ++j) x.push_back(static_cast<float>(rng.uniform()));
    }
    for (std::int32_t k = 0; k < of.config_nodes; ++k)
      config_node.push_back(k * (of.nodes - 1) / of.config_nodes);
    for (std::int64_t c = 0; c < kConfigs; ++c) {
      runtime.push_back(static_cast<std::int64_t>(1000 + rng.below(1000)));
      if (of.config_nodes == 0) {
        for (int j = 0; j < 24; ++j) tile.push_back(static_cast<float>(rng.uniform()));
      } else {
        append_layout(rng);
      }
    }
  }
  [[nodiscard]] mg::ProgramView view() const {
    mg::ProgramView view;
    view.name = "made up";
    view.graph = {{x.data(), size.nodes, kFeatures}, opcode, source, target, config_node};
    if (size.config_nodes == 0) {
      view.configs = {{}, tile, kConfigs, 1, 24};
    } else {
      view.configs = {layout, {}, kConfigs, size.config_nodes, 18};
    }
    view.runtime = runtime;
    return view;
  }

 private:
  /// Each node has one of four layouts.
  void append_layout(mg::Rng& rng) {
    const std::size_t row = 18, all = static_cast<std::size_t>(size.config_nodes) * row;
    const bool copies = size.near_default && !layout.empty();
    const std::size_t begin = layout.size();
    if (copies) layout.insert(layout.end(), layout.begin(), layout.begin() + static_cast<std::ptrdiff_t>(all));
    if (!copies) layout.resize(begin + all);
    for (std::int32_t k = 0; k < (copies ? 4 : size.config_nodes); ++k) {
      const std::size_t node =
          copies ? rng.below(static_cast<std::uint64_t>(size.config_nodes)) : static_cast<std::size_t>(k);
      mg::Rng of_layout(node * 4 + rng.below(4));
      for (std::size_t j = 0; j < row; ++j)
        layout[begin + node * row + j] = static_cast<std::int8_t>(static_cast<int>(of_layout.below(7)) - 1);
    }
  }
};

}  // namespace bench

#endif  // MLGRAPH_BENCH_MADE_UP_PROGRAMS_HPP
