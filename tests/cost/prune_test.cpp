// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/prune.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mlgraph {
namespace {

using Ids = std::vector<std::int32_t>;

TEST_CASE("the names of prunings are parsed back, and others are refused") {
  for (const char* name : {"none", "edge", "khop:1", "khop:1000", "khop-merge:3"})
    CHECK(prune_name(parse_prune(name).value()) == name);
  CHECK(parse_prune("khop:12")->kind == Prune::kKHop);
  CHECK(parse_prune("khop-merge:12")->hops == 12);
  for (const char* name :
       {"", "edges", "khop", "khop:", "khop:0", "khop:-1", "khop:1001", "khop:3x", "khop-merge:"}) {
    CHECK(parse_prune(name).status().message() ==
          std::string("prune is \"") + name +
              "\"; should be none, edge, khop:K or khop-merge:K, K in [1, 1000]");
  }
}

/// A chain 0 -> 1 -> ... -> 7, node 8 alone; configurable are 8 and 3. The feature is the node's number.
struct Chain {
  std::vector<float> x = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  Ids opcode = {1, 1, 1, 2, 1, 1, 1, 1, 2}, source = {0, 1, 2, 3, 4, 5, 6}, target = {1, 2, 3, 4, 5, 6, 7},
      config_node = {8, 3};

  [[nodiscard]] GraphView view() const { return {{x.data(), 9, 1}, opcode, source, target, config_node}; }
};

struct Kept {
  std::vector<float> x;
  Ids opcode, config_node;
  std::vector<std::pair<std::int32_t, std::int32_t>> edges;
};

Kept kept(const char* prune) {
  const Chain chain;
  const Result<PrunedGraph> pruned = prune_graph(chain.view(), parse_prune(prune).value());
  REQUIRE_MESSAGE(pruned.ok(), pruned.status().message());
  const GraphView view = pruned->view();
  Kept k;
  for (std::int64_t r = 0; r < view.x.rows; ++r) k.x.push_back(view.x(r, 0));
  k.opcode.assign(view.opcode.begin(), view.opcode.end());
  k.config_node.assign(view.config_node.begin(), view.config_node.end());
  for (std::size_t e = 0; e < view.edge_source.size(); ++e)
    k.edges.emplace_back(view.edge_source[e], view.edge_target[e]);
  std::sort(k.edges.begin(), k.edges.end());
  return k;
}

using Edge = std::pair<std::int32_t, std::int32_t>;

TEST_CASE("configurable nodes stay with their places, the isolated one too") {
  const Kept edge = kept("edge");
  CHECK(edge.x == std::vector<float>{2, 3, 4, 8});
  CHECK(edge.opcode == Ids{1, 2, 1, 2});
  CHECK(edge.config_node == Ids{3, 1});  // old 8 and 3
  CHECK(edge.edges == std::vector<Edge>{{0, 1}, {1, 2}});

  const Kept hops = kept("khop:2");
  CHECK(hops.x == std::vector<float>{1, 2, 3, 4, 5, 8});
  CHECK(hops.config_node == Ids{5, 2});
  CHECK(hops.edges == std::vector<Edge>{{0, 1}, {1, 2}, {2, 3}, {3, 4}});
}

TEST_CASE("what is outside can be merged: the mean of its features, opcode 0") {
  const Kept merged = kept("khop-merge:1");
  CHECK(merged.x == std::vector<float>{2, 3, 4, 8, 0.5f, 6});
  CHECK(merged.opcode == Ids{1, 2, 1, 2, 0, 0});
  CHECK(merged.config_node == Ids{3, 1});
  CHECK(merged.edges == std::vector<Edge>{{0, 1}, {1, 2}, {2, 5}, {4, 0}});
}

TEST_CASE("a bad graph is an error") {
  Chain chain;
  chain.target[2] = 99;
  CHECK(prune_graph(chain.view(), {Prune::kEdges, 0}).status().message() ==
        "edge 2 is (2, 99); num_nodes is 9");
}

}  // namespace
}  // namespace mlgraph
