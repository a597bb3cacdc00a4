// SPDX-License-Identifier: Apache-2.0
// A set of small random graphs whose targets a network can learn, for tests of GraphNet.
#ifndef MLGRAPH_TESTS_ARCH_GRAPH_NET_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_GRAPH_NET_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph_dataset.hpp"

namespace mlgraph::testing {

/// Graphs of 2 to 7 nodes. Target "y" of a graph: what its opcodes cost, and more for each edge of type 1.
/// Target "cost" of a node: what its own opcode costs and that of its sources.
inline GraphDataset learnable_graphs(std::size_t count) {
  EdgeOptions edges;
  edges.duplicates = DuplicateEdges::kKeep;
  GraphDataset set(edges);
  Rng rng(7);
  constexpr float kCost[] = {1, 2, 4, 7};
  for (std::size_t g = 0; g < count; ++g) {
    const auto nodes = static_cast<std::int32_t>(2 + rng.below(6));
    std::vector<std::int32_t> opcode, source, target, type;
    std::vector<float> x, row, cost;
    float y = 0;
    for (std::int32_t v = 0; v < nodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(4)));
      cost.push_back(kCost[opcode.back()]);
      x.insert(x.end(), {1000 * cost.back(), 5.0F});
      y += cost.back();
    }
    for (std::int32_t v = 1; v < nodes; ++v) {
      source.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(v))));
      target.push_back(v);
      type.push_back(static_cast<std::int32_t>(rng.below(2)));
      row.push_back(static_cast<float>(type.back()) * 100);
      cost[static_cast<std::size_t>(v)] += kCost[opcode[static_cast<std::size_t>(source.back())]];
      y += type.back() == 1 ? 5.0F : 0.0F;
    }
    GraphView view;
    view.x = {x.data(), nodes, 2};
    view.opcode = opcode;
    view.edge_source = source;
    view.edge_target = target;
    const NamedArray arrays[] = {edge_array("edge_attr", Span<const float>(row)),
                                 edge_array("edge_type", Span<const std::int32_t>(type)),
                                 node_array("cost", Span<const float>(cost)),
                                 graph_array("y", Span<const float>(&y, 1))};
    REQUIRE(set.add(view, arrays).ok());
  }
  return set;
}

/// Numbers from `begin` up to `end`.
inline std::vector<std::size_t> numbers_between(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> numbers(end - begin);
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_GRAPH_NET_FIXTURE_HPP
