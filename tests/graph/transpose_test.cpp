// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/transpose.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

/// Random entries of (rows, cols): repeated ones, rows and columns without any.
struct RandomBipartite {
  testing::Ids row_ptr = {0}, col;

  RandomBipartite(Rng& rng, std::int32_t rows, std::int32_t cols) {
    for (std::int32_t r = 0; r < rows; ++r) {
      for (std::uint64_t i = cols == 0 ? 0 : rng.below(5); i > 0; --i)
        col.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(cols))));
      row_ptr.push_back(static_cast<std::int32_t>(col.size()));
    }
  }
  [[nodiscard]] AdjacencyView view(std::int32_t cols) const {
    AdjacencyView adjacency;
    adjacency.csr = {row_ptr, col};
    adjacency.num_cols = cols;
    return adjacency;
  }
};

TEST_CASE("the transpose of a bipartite layer has each entry once, the rows of a column ascending") {
  Rng rng(3);
  Arena arena;
  for (const std::int32_t rows : {0, 1, 7, 60}) {
    for (const std::int32_t cols : {0, 1, 5, 90}) {
      const RandomBipartite layer(rng, rows, cols);
      AdjacencyView adjacency = layer.view(cols);
      add_transpose(adjacency, arena);
      const std::vector<testing::Pair> entries = testing::entries(adjacency.csr);
      const std::vector<testing::Pair> transposed = testing::entries(adjacency.transposed);
      REQUIRE(adjacency.transposed.num_rows() == cols);
      REQUIRE(transposed.size() == entries.size());
      REQUIRE(adjacency.transposed_to_csr.size() == entries.size());
      std::set<std::int32_t> seen;
      for (std::size_t q = 0; q < transposed.size(); ++q) {
        const std::int32_t p = adjacency.transposed_to_csr[q];
        seen.insert(p);
        CHECK(entries[static_cast<std::size_t>(p)] == testing::Pair(transposed[q].second, transposed[q].first));
        if (q == 0 || transposed[q - 1].first != transposed[q].first) continue;
        CHECK(p > adjacency.transposed_to_csr[q - 1]);
      }
      CHECK(seen.size() == entries.size());
    }
  }
}

TEST_CASE("of a graph it is the transpose that the graph has") {
  Rng rng(8);
  Arena arena;
  const Edges edges = testing::make_edges(testing::random_edges(rng, 40, 90), testing::keep_all(true));
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    const AdjacencyView there = edges.view().along(direction);
    AdjacencyView adjacency;
    adjacency.csr = there.csr;
    adjacency.num_cols = 40;
    add_transpose(adjacency, arena);
    CHECK(testing::entries(adjacency.transposed) == testing::entries(there.transposed));
  }
}

}  // namespace
}  // namespace mlgraph
