// SPDX-License-Identifier: Apache-2.0
// Positional encodings: numbers that tell nodes apart by where they stand in a graph.
#ifndef MLGRAPH_GRAPH_POSITIONAL_ENCODING_HPP
#define MLGRAPH_GRAPH_POSITIONAL_ENCODING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/topology.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// How likely a random walk along the edges is back where it began, after 1 ... K steps.
///
///   out[v][k - 1] = (P^k)[v][v],   P[u][w] = edges from u to w / edges from u   (a node without edges keeps
///   nothing)
///
/// Shapes: out (N, K).
/// Cost:   O(the edges that walks of K - 1 steps from each node reach), at most O(N E K); O(N) memory. Sums are of
///         double, in an order that depends on the graph alone.
/// Source: Dwivedi et al., arXiv:2110.07875, Section 4; as PyG's AddRandomWalkPE.
inline void random_walk_encoding(const EdgesView& edges, MatrixView<float> out) {
  MLGRAPH_ASSERT(out.rows == edges.num_nodes(), "random_walk_encoding: out is (N, K)");
  const CsrView& by_source = edges.reverse.csr;
  const auto num_nodes = as_size(out.rows);
  std::vector<double> mass(num_nodes), next_mass(num_nodes);
  std::vector<std::int32_t> at, next;
  for (std::int64_t v = 0; v < out.rows; ++v) {
    at.assign(1, static_cast<std::int32_t>(v));
    mass[as_size(v)] = 1;
    for (std::int64_t k = 0; k < out.cols; ++k) {
      next.clear();
      for (const std::int32_t u : at) {
        const double share = mass[as_size(u)] / std::max(1, by_source.degree(u));
        detail::for_each_neighbour(by_source, u, [&](std::int32_t w) {
          double& there = next_mass[as_size(w)];
          if (there == 0) next.push_back(w);
          there += share;
        });
        mass[as_size(u)] = 0;
      }
      at.swap(next);
      mass.swap(next_mass);
      out.row(v)[k] = static_cast<float>(mass[as_size(v)]);
    }
    for (const std::int32_t u : at) mass[as_size(u)] = 0;
  }
}

/// The edges on the longest path that ends in each node of a directed acyclic graph: 0 where none does.
/// Shapes: -> (N).  Errors: those of topological_order().  Cost: that of topological_order().
[[nodiscard]] inline Result<std::vector<std::int32_t>> dag_depth(const EdgesView& edges) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> order, topological_order(edges));
  std::vector<std::int32_t> depth(order.size());
  for (const std::int32_t v : order) {
    std::int32_t& mine = depth[as_size(v)];
    detail::for_each_neighbour(edges.forward.csr, v,
                               [&](std::int32_t source) { mine = std::max(mine, depth[as_size(source)] + 1); });
  }
  return depth;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_POSITIONAL_ENCODING_HPP
