// SPDX-License-Identifier: Apache-2.0
// The shape of a graph as a program: topological order, connected components.
#ifndef MLGRAPH_GRAPH_TOPOLOGY_HPP
#define MLGRAPH_GRAPH_TOPOLOGY_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/subgraph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

// True when every edge leads from a smaller to a larger id.
inline bool ids_are_topological(const EdgesView& edges) {
  const CsrView& csr = edges.forward.csr;
  for (std::int32_t v = 0; v < csr.num_rows(); ++v) {
    const std::int32_t end = csr.row_ptr[as_size(v) + 1];
    if (csr.degree(v) > 0 && csr.col[as_size(end) - 1] >= v) return false;  // sources ascend
  }
  return true;
}

// One cycle, starting at its smallest node. `num_open[v]`: sources of v that no order could place yet; a node
// with some is on a cycle or behind one, and so is one of its sources, which makes walking upstream find a
// cycle.
inline Status cycle_status(const EdgesView& edges, const std::vector<std::int32_t>& num_open) {
  constexpr std::size_t kMostNamed = 8;
  const auto open = [&](std::int32_t v) { return num_open[as_size(v)] > 0; };
  std::int32_t node = 0;
  while (!open(node)) ++node;
  NodeMap step;
  step.reset(edges.num_nodes());
  std::vector<std::int32_t> path;  // upstream
  while (!step.contains(node)) {
    step.set(node, static_cast<std::int32_t>(path.size()));
    path.push_back(node);
    std::int32_t source = -1;
    for_each_neighbour(edges.forward.csr, node, [&](std::int32_t s) {
      if (source < 0 && open(s)) source = s;
    });
    node = source;
  }
  std::vector<std::int32_t> cycle(path.begin() + step.get(node), path.end());
  std::reverse(cycle.begin(), cycle.end());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  std::string text = str_cat("the edges have a cycle of length ", cycle.size(), ": ");
  for (std::size_t i = 0; i < std::min(cycle.size(), kMostNamed); ++i) text += str_cat(cycle[i], " -> ");
  text += cycle.size() > kMostNamed ? std::string("...") : str_cat(cycle[0]);
  return Status::invalid_argument(text);
}

}  // namespace detail

/// An order in which every producer comes before its consumers: of the nodes that could come next, always the
/// one with the smallest id. So ids that are in topological order already, as in a compiler's listing, stay as
/// they are.
///
/// Errors: a cycle (a self edge is one); names its nodes.
/// Cost:   O(N + E) when the ids are in order already, else O(N log N + E).
[[nodiscard]] inline Result<std::vector<std::int32_t>> topological_order(const EdgesView& edges) {
  const auto num_nodes = as_size(edges.num_nodes());
  std::vector<std::int32_t> order(num_nodes);
  if (detail::ids_are_topological(edges)) {
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
  std::vector<std::int32_t> num_open(num_nodes);  // sources of a node that are not in the order yet
  std::vector<std::int32_t> ready;                // min-heap
  for (std::size_t v = 0; v < num_nodes; ++v) {
    num_open[v] = edges.forward.csr.degree(static_cast<std::int32_t>(v));
    if (num_open[v] == 0) ready.push_back(static_cast<std::int32_t>(v));  // ascending is a heap
  }
  std::size_t num_placed = 0;
  while (!ready.empty()) {
    std::pop_heap(ready.begin(), ready.end(), std::greater<>());
    const std::int32_t v = ready.back();
    ready.pop_back();
    order[num_placed++] = v;
    detail::for_each_neighbour(edges.reverse.csr, v, [&](std::int32_t target) {
      if (--num_open[as_size(target)] > 0) return;
      ready.push_back(target);
      std::push_heap(ready.begin(), ready.end(), std::greater<>());
    });
  }
  if (num_placed < num_nodes) return detail::cycle_status(edges, num_open);
  return order;
}

/// (N) the connected component of each node for which `included(v)`, of edges without direction, or -1;
/// numbered by their smallest nodes.  Cost: O(N + E).
template <class Included>
[[nodiscard]] std::vector<std::int32_t> components_among(const EdgesView& edges, const Included& included) {
  std::int32_t num_components = 0;
  std::vector<std::int32_t> component_of(as_size(edges.num_nodes()), -1);
  std::vector<std::int32_t> open;
  for (std::int32_t root = 0; root < edges.num_nodes(); ++root) {
    const auto reach = [&](std::int32_t v) {
      std::int32_t& component = component_of[as_size(v)];
      if (component >= 0 || !included(v)) return false;
      component = num_components;
      open.push_back(v);
      return true;
    };
    if (!reach(root)) continue;
    while (!open.empty()) {
      const std::int32_t v = open.back();
      open.pop_back();
      detail::for_each_neighbour(edges, v, reach);
    }
    ++num_components;
  }
  return component_of;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_TOPOLOGY_HPP
