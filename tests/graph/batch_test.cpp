// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/batch.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graph_test_util.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

Graph random_graph(Rng& rng, std::int32_t num_nodes, std::int64_t num_features, bool both) {
  const EdgeList list = random_edges(rng, num_nodes, 3 * num_nodes);
  std::vector<float> x(static_cast<std::size_t>(num_nodes * num_features));
  for (float& value : x) value = static_cast<float>(rng.normal());
  Ids opcode;
  for (std::int32_t v = 0; v < num_nodes; ++v) opcode.push_back(static_cast<std::int32_t>(rng.below(121)));
  const GraphView view{{x.data(), num_nodes, num_features}, opcode, list.source, list.target, {}};
  Result<Graph> graph = Graph::from_view(view, keep_all(both));
  REQUIRE(graph.ok());
  return std::move(*graph);
}

void check_batch(const BatchView& batch, const std::vector<Graph>& graphs, bool both) {
  REQUIRE(batch.num_graphs() == static_cast<std::int32_t>(graphs.size()));
  REQUIRE(batch.ptr.size() == graphs.size() + 1);
  CHECK(batch.ptr.front() == 0);
  std::vector<Pair> edges;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const Graph& graph = graphs[g];
    const std::int32_t begin = batch.ptr[g];
    REQUIRE(batch.ptr[g + 1] - begin == graph.num_nodes());
    REQUIRE(batch.x.cols == graph.num_features());
    for (std::int32_t v = 0; v < graph.num_nodes(); ++v) {
      REQUIRE(batch.opcode[static_cast<std::size_t>(begin + v)] == graph.opcode()[static_cast<std::size_t>(v)]);
      for (std::int64_t c = 0; c < batch.x.cols; ++c) REQUIRE(batch.x(begin + v, c) == graph.x()(v, c));
    }
    for (const Pair& pair : sorted_edges(graph.edges()))
      edges.emplace_back(pair.first + begin, pair.second + begin);
  }
  CHECK(batch.num_nodes() == batch.ptr.back());
  CHECK(batch.x.rows == batch.ptr.back());
  CHECK(sorted_edges(batch.edges) == edges);
  check_edges(batch.edges, batch.num_nodes(), both);
}

std::vector<const Graph*> pointers_to(const std::vector<Graph>& graphs) {
  std::vector<const Graph*> pointers;
  for (const Graph& graph : graphs) pointers.push_back(&graph);
  return pointers;
}

}  // namespace

TEST_CASE("a batch is its graphs one after the other, without an edge between two of them") {
  Rng rng(1);
  for (int round = 0; round < 40; ++round) {
    const bool both = round % 2 == 0;
    std::vector<Graph> graphs;
    graphs.push_back(random_graph(rng, 1 + static_cast<std::int32_t>(rng.below(10)), 3, both));
    for (std::uint64_t g = 0; g < rng.below(5); ++g) {
      graphs.push_back(random_graph(rng, static_cast<std::int32_t>(rng.below(10)), 3, both));
    }
    Batch batch;
    REQUIRE(batch.assign(pointers_to(graphs)).ok());
    check_batch(batch.view(), graphs, both);
  }
}

TEST_CASE("a batch of no graphs and a batch of graphs without nodes are batches") {
  const std::vector<Graph> none;
  Batch batch;
  check_batch(batch.view(), none, false);
  REQUIRE(batch.assign(pointers_to(none)).ok());
  check_batch(batch.view(), none, false);
  const std::vector<Graph> three(3);
  REQUIRE(batch.assign(pointers_to(three)).ok());
  check_batch(batch.view(), three, false);
}

TEST_CASE("assign uses the memory of the batch again") {
  Rng rng(3);
  std::vector<Graph> large, small;
  for (int g = 0; g < 6; ++g) large.push_back(random_graph(rng, 30, 5, true));
  for (int g = 0; g < 4; ++g) small.push_back(random_graph(rng, 12, 5, true));
  Batch batch;
  REQUIRE(batch.assign(pointers_to(large)).ok());
  const BatchView before = batch.view();
  for (int round = 0; round < 3; ++round) {
    REQUIRE(batch.assign(pointers_to(round % 2 == 0 ? small : large)).ok());
    const BatchView after = batch.view();
    CHECK(after.x.data == before.x.data);
    CHECK(after.opcode.data() == before.opcode.data());
    CHECK(after.ptr.data() == before.ptr.data());
    for (const auto direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
      CHECK(after.edges.along(direction).csr.row_ptr.data() ==
            before.edges.along(direction).csr.row_ptr.data());
      CHECK(after.edges.along(direction).csr.col.data() == before.edges.along(direction).csr.col.data());
      CHECK(after.edges.along(direction).transposed_to_csr.data() ==
            before.edges.along(direction).transposed_to_csr.data());
    }
    check_batch(after, round % 2 == 0 ? small : large, true);
  }
}

TEST_CASE("graphs that do not fit together are named, and the batch is empty then") {
  Rng rng(4);
  std::vector<Graph> graphs;
  graphs.push_back(random_graph(rng, 4, 3, false));
  graphs.push_back(random_graph(rng, 4, 3, false));
  Batch batch;
  REQUIRE(batch.assign(pointers_to(graphs)).ok());
  graphs.push_back(random_graph(rng, 4, 2, false));
  CHECK(batch.assign(pointers_to(graphs)).message() == "graph 2 has 2 features per node; graph 0 has 3");
  CHECK(batch.view().num_graphs() == 0);
  CHECK(batch.view().num_nodes() == 0);
  graphs.pop_back();
  graphs.push_back(random_graph(rng, 4, 3, true));
  CHECK(batch.assign(pointers_to(graphs)).message() ==
        "graph 2 has the edges of EdgeOptions::both; graph 0 does not");
}

TEST_CASE("a batch of a set has its arrays one after the other, and the graph of each node") {
  Rng rng(5);
  for (const bool both : {false, true}) {
    GraphDataset set(keep_all(both));
    std::vector<Graph> graphs;
    for (const std::int32_t n : {6, 1, 0, 8}) {
      graphs.push_back(random_graph(rng, n, 3, both));
      const Graph& graph = graphs.back();
      Ids source, target, edge_id;
      for (const Pair& pair : sorted_edges(graph.edges())) {
        source.push_back(pair.first);
        target.push_back(pair.second);
        edge_id.push_back(1000 * n + 10 * pair.first + pair.second);
      }
      const std::vector<float> y = {static_cast<float>(n), 0.5F};
      const GraphView view{graph.x(), graph.opcode(), source, target, {}};
      const NamedArray arrays[] = {graph_array("y", Span<const float>(y)),
                                   edge_array("id", Span<const std::int32_t>(edge_id))};
      REQUIRE(set.add(view, arrays).ok());
    }
    const std::size_t chosen[] = {3, 0, 2, 1, 3};
    std::vector<Graph> same;
    for (const std::size_t g : chosen) same.push_back(graphs[g]);
    Batch batch;
    REQUIRE(batch.assign(set, chosen).ok());
    const BatchView view = batch.view();
    check_batch(view, same, both);
    REQUIRE(view.batch.size() == 23);
    for (std::size_t g = 0; g < same.size(); ++g) {
      for (std::int32_t v = view.ptr[g]; v < view.ptr[g + 1]; ++v)
        REQUIRE(view.batch[static_cast<std::size_t>(v)] == static_cast<std::int32_t>(g));
    }
    REQUIRE(view.f32("y").rows == 5);
    CHECK(view.f32("y")(0, 0) == 8);
    CHECK(view.f32("y")(3, 0) == 1);
    CHECK(view.f32("y")(4, 1) == 0.5F);
    const Span<const std::int32_t> ids = view.ids("id");
    const std::vector<Pair> pairs = entries(view.edges.forward.csr);
    REQUIRE(ids.size() == pairs.size());
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      const std::size_t g = static_cast<std::size_t>(view.batch[static_cast<std::size_t>(pairs[p].first)]);
      const std::int32_t begin = view.ptr[g], n = view.ptr[g + 1] - begin;
      REQUIRE(ids[p] == 1000 * n + 10 * (pairs[p].second - begin) + pairs[p].first - begin);
    }
    CHECK(view.ids("y").empty());
    CHECK(view.f32("id").rows == 0);
    CHECK(view.i32("none").rows == 0);
    const std::size_t wrong[] = {0, 4};
    CHECK(batch.assign(set, wrong).message() == "graph 1 of the batch is graph 4; the set has 4");
    CHECK(batch.view().num_nodes() == 0);
    CHECK(batch.view().arrays.empty());
  }
}
