// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/typed_edges.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <tuple>
#include <vector>

#include "graph/graph_test_util.hpp"
#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("edges of a type are those of the adjacency, both ways") {
  Rng rng(1);
  for (int round = 0; round < 20; ++round) {
    const auto n = static_cast<std::int32_t>(1 + rng.below(12));
    const Edges edges = make_edges(random_edges(rng, n, 3 * n), merge_all());
    const AdjacencyView all = edges.view().forward;
    std::vector<std::int32_t> type;
    for (std::size_t p = 0; p < all.csr.col.size(); ++p)
      type.push_back(static_cast<std::int32_t>(rng.below(4)));
    Eager ctx;
    const TypedEdges typed = typed_edges(ctx, all, type, 5);
    REQUIRE(ctx.status().ok());
    REQUIRE(typed.num_types() == 5);
    CHECK(typed[4].csr.num_edges() == 0);
    CHECK(typed[5].csr.num_rows() == 0);
    const std::vector<Pair> pairs = entries(all.csr);
    for (std::int32_t t = 0; t < 5; ++t) {
      std::vector<Pair> expected;
      for (std::size_t p = 0; p < pairs.size(); ++p) {
        if (type[p] == t) expected.push_back(pairs[p]);
      }
      CHECK(entries(typed[t].csr) == expected);
      check_adjacency(typed[t], n);
    }
  }
}

TEST_CASE("types that do not fit are refused with their place") {
  const Edges edges = hub_graph();
  std::vector<std::int32_t> type(9, 0);
  type[4] = 2;
  Eager ctx;
  CHECK(typed_edges(ctx, edges.view().forward, type, 2).num_types() == 0);
  CHECK(ctx.status().message() == "typed_edges: the type of edge 4 is 2; there are 2");
  ctx.begin();
  type.pop_back();
  CHECK(typed_edges(ctx, edges.view().forward, type, 3).num_types() == 0);
  CHECK(ctx.status().message() == "typed_edges: 8 types for 9 edges");
}

}  // namespace
}  // namespace mlgraph
