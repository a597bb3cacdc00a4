// SPDX-License-Identifier: Apache-2.0
// A small set of graphs with arrays of every kind, for tests of what reads and writes them.
#ifndef MLGRAPH_TESTS_IO_GRAPH_SET_FIXTURE_HPP
#define MLGRAPH_TESTS_IO_GRAPH_SET_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "mlgraph/graph/graph_dataset.hpp"

namespace mlgraph::testing {

/// Three graphs of 3, 0 and 2 nodes with features and opcodes, rows and types of edges, ids of nodes, and
/// targets, one of which is missing.
inline GraphDataset small_graph_set() {
  EdgeOptions edges;
  edges.duplicates = DuplicateEdges::kKeep;
  GraphDataset set(edges);
  const float missing = std::numeric_limits<float>::quiet_NaN();
  struct Item {
    std::vector<float> x;
    std::vector<std::int32_t> opcode, source, target, type, id;
    std::vector<float> length, y;
    std::int32_t label;
  };
  const Item items[] = {{{1, 2, 3, 4, 5, 6},
                         {7, 8, 7},
                         {2, 0, 1, 0},
                         {1, 1, 2, 1},
                         {4, 5, 6, 7},
                         {10, 11, 12},
                         {4, -4, 5, -5, 6, -6, 7, -7},
                         {1.5F, missing},
                         -1},
                        {{}, {}, {}, {}, {}, {}, {}, {0, 1}, 0},
                        {{7, 8, 9, 10}, {9, 9}, {0}, {0}, {8}, {20, 21}, {8, -8}, {2.5F, 3}, 1}};
  for (const Item& item : items) {
    const auto nodes = static_cast<std::int64_t>(item.id.size());
    GraphView view;
    view.x = {item.x.data(), nodes, 2};
    view.opcode = item.opcode;
    view.edge_source = item.source;
    view.edge_target = item.target;
    const MatrixView<const float> length(item.length.data(), static_cast<std::int64_t>(item.type.size()), 2);
    const NamedArray arrays[] = {
        edge_array("length", length), edge_array("type", Span<const std::int32_t>(item.type)),
        node_array("id", Span<const std::int32_t>(item.id)), graph_array("y", Span<const float>(item.y)),
        graph_array("label", Span<const std::int32_t>(&item.label, 1))};
    REQUIRE(set.add(view, arrays).ok());
  }
  return set;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_IO_GRAPH_SET_FIXTURE_HPP
