// SPDX-License-Identifier: Apache-2.0
// Random edge lists and slow, obvious checks that the tests of graph/ share.
#ifndef MLGRAPH_TESTS_GRAPH_GRAPH_TEST_UTIL_HPP
#define MLGRAPH_TESTS_GRAPH_GRAPH_TEST_UTIL_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/csr.hpp"

namespace mlgraph::testing {

using Ids = std::vector<std::int32_t>;
using Pair = std::pair<std::int32_t, std::int32_t>;

/// Edges as a compiler lists them.
struct EdgeList {
  std::int32_t num_nodes = 0;
  Ids source, target;

  void add(std::int32_t s, std::int32_t t) {
    source.push_back(s);
    target.push_back(t);
  }
  std::size_t size() const { return source.size(); }
};

inline EdgeOptions keep_all(bool both = false) {
  return {EdgeOptions::Duplicates::kKeep, EdgeOptions::SelfEdges::kKeep, both};
}
inline EdgeOptions merge_all(bool both = false) {
  return {EdgeOptions::Duplicates::kMerge, EdgeOptions::SelfEdges::kKeep, both};
}

/// Uniformly random edges: duplicates, self edges and isolated nodes all occur.
inline EdgeList random_edges(Rng& rng, std::int32_t num_nodes, std::int64_t num_edges) {
  EdgeList list;
  list.num_nodes = num_nodes;
  for (std::int64_t e = 0; num_nodes > 0 && e < num_edges; ++e) {
    const auto n = static_cast<std::uint64_t>(num_nodes);
    list.add(static_cast<std::int32_t>(rng.below(n)), static_cast<std::int32_t>(rng.below(n)));
  }
  return list;
}

/// A random graph without cycles, like a program: most operands are recent. `shuffle` renames the nodes.
inline EdgeList random_dag(Rng& rng, std::int32_t num_nodes, std::int64_t num_edges, bool shuffle = false) {
  Ids name;
  for (std::int32_t v = 0; v < num_nodes; ++v) name.push_back(v);
  if (shuffle) rng.shuffle(Span<std::int32_t>(name));
  EdgeList list;
  list.num_nodes = num_nodes;
  for (std::int64_t e = 0; num_nodes > 1 && e < num_edges; ++e) {
    const auto target = 1 + rng.below(static_cast<std::uint64_t>(num_nodes) - 1);
    const auto back = 1 + rng.below(rng.below(4) == 0 ? target : std::min<std::uint64_t>(target, 16));
    list.add(name[target - back], name[target]);
  }
  return list;
}

inline Edges make_edges(const EdgeList& list, const EdgeOptions& options = keep_all()) {
  Result<Edges> edges = Edges::from_list(list.num_nodes, list.source, list.target, options);
  REQUIRE_MESSAGE(edges.ok(), edges.status().message());
  return std::move(*edges);
}

inline Ids to_ids(Span<const std::int32_t> span) { return Ids(span.begin(), span.end()); }

/// (row, col) of every entry, in order.
inline std::vector<Pair> entries(const CsrView& csr) {
  std::vector<Pair> pairs;
  for (std::int32_t r = 0; r < csr.num_rows(); ++r) {
    for (std::int32_t p = csr.row_ptr[static_cast<std::size_t>(r)];
         p < csr.row_ptr[static_cast<std::size_t>(r) + 1]; ++p) {
      pairs.emplace_back(r, csr.col[static_cast<std::size_t>(p)]);
    }
  }
  return pairs;
}

/// (source, target) of every edge, sorted.
inline std::vector<Pair> sorted_edges(const EdgesView& edges) {
  std::vector<Pair> pairs = entries(edges.reverse.csr);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

inline std::vector<Pair> swapped(std::vector<Pair> pairs) {
  for (Pair& pair : pairs) std::swap(pair.first, pair.second);
  return pairs;
}

/// Rows are complete and ascending, and `transposed_to_csr` is a bijection that leads every entry (r, c) of
/// `transposed` to an entry (c, r) of `csr`.
inline void check_adjacency(const AdjacencyView& adjacency, std::int32_t num_nodes) {
  for (const CsrView* csr : {&adjacency.csr, &adjacency.transposed}) {
    REQUIRE(csr->row_ptr.size() == static_cast<std::size_t>(num_nodes) + 1);
    REQUIRE(csr->row_ptr.front() == 0);
    REQUIRE(csr->row_ptr.back() == csr->num_edges());
    const std::vector<Pair> pairs = entries(*csr);
    REQUIRE(pairs.size() == csr->col.size());
    REQUIRE(std::is_sorted(pairs.begin(), pairs.end()));
  }
  const std::vector<Pair> csr = entries(adjacency.csr);
  const std::vector<Pair> transposed = entries(adjacency.transposed);
  REQUIRE(transposed.size() == csr.size());
  REQUIRE(adjacency.transposed_to_csr.size() == csr.size());
  std::vector<bool> seen(csr.size(), false);
  for (std::size_t q = 0; q < transposed.size(); ++q) {
    const auto p = static_cast<std::size_t>(adjacency.transposed_to_csr[q]);
    REQUIRE(p < csr.size());
    REQUIRE_FALSE(seen[p]);
    seen[p] = true;
    REQUIRE(csr[p] == Pair(transposed[q].second, transposed[q].first));
  }
}

inline void check_edges(const EdgesView& edges, std::int32_t num_nodes, bool has_both) {
  check_adjacency(edges.forward, num_nodes);
  check_adjacency(edges.reverse, num_nodes);
  std::vector<Pair> forward = swapped(entries(edges.forward.csr));
  std::vector<Pair> reverse = entries(edges.reverse.csr);
  std::sort(forward.begin(), forward.end());
  std::sort(reverse.begin(), reverse.end());
  REQUIRE(forward == reverse);
  if (!has_both) {
    REQUIRE(edges.both.csr.row_ptr.empty());
    REQUIRE(edges.both.csr.col.empty());
    return;
  }
  check_adjacency(edges.both, num_nodes);
  std::vector<Pair> expected = forward;
  for (const Pair& pair : forward) expected.emplace_back(pair.second, pair.first);
  std::sort(expected.begin(), expected.end());
  REQUIRE(entries(edges.both.csr) == expected);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_GRAPH_GRAPH_TEST_UTIL_HPP
