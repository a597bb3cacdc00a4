// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/graph_view.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("rows, edges and degrees of a CSR matrix are those of its arrays") {
  const std::vector<std::int32_t> row_ptr = {0, 2, 2, 3}, col = {1, 2, 0};
  const CsrView csr{row_ptr, col};
  CHECK((csr.num_rows() == 3 && csr.num_edges() == 3));
  CHECK((csr.degree(0) == 2 && csr.degree(1) == 0 && csr.degree(2) == 1));
  CHECK((CsrView{}.num_rows() == 0 && CsrView{}.num_edges() == 0));
}

TEST_CASE("an adjacency is square where it does not say how many nodes it reads") {
  const std::vector<std::int32_t> row_ptr = {0, 2, 3}, col = {1, 4, 0};
  AdjacencyView adjacency;
  adjacency.csr = {row_ptr, col};
  CHECK((adjacency.num_sources() == 2 && adjacency.num_targets() == 2));
  adjacency.num_cols = 5;
  CHECK((adjacency.num_sources() == 5 && adjacency.num_targets() == 2));
}

TEST_CASE("edges are seen along each direction") {
  const std::vector<std::int32_t> ptr = {0, 1, 1}, source = {1};
  EdgesView edges;
  edges.forward.csr = edges.reverse.csr = edges.both.csr = {ptr, source};
  edges.forward.num_cols = 3;
  edges.reverse.num_cols = 4;
  edges.both.num_cols = 5;
  CHECK((edges.num_nodes() == 2 && edges.num_edges() == 1));
  CHECK(edges.along(Direction::kForward).num_sources() == 3);
  CHECK(edges.along(Direction::kReverse).num_sources() == 4);
  CHECK(edges.along(Direction::kBoth).num_sources() == 5);
}

TEST_CASE("a graph has a node for each opcode") {
  const std::vector<std::int32_t> opcode = {3, 1, 4};
  GraphView view;
  CHECK(view.num_nodes() == 0);
  view.opcode = opcode;
  CHECK(view.num_nodes() == 3);
}

}  // namespace
}  // namespace mlgraph
