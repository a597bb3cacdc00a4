// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/graph.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "graph_test_util.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

// Five nodes, three features in rows of four floats, edges 0 -> 1 -> 2, 0 -> 2, 3 -> 4.
struct Example {
  std::vector<float> x;
  Ids opcode = {3, 0, 120, 7, 7};
  Ids source = {1, 0, 0, 3};
  Ids target = {2, 1, 2, 4};
  Ids config_node = {4, 1};

  Example() {
    for (int i = 0; i < 20; ++i) x.push_back(static_cast<float>(i));
  }
  GraphView view() const {
    return {MatrixView<const float>(x.data(), 5, 3, 4), opcode, source, target, config_node};
  }
  std::string error(const EdgeOptions& options = {}) const {
    const Result<Graph> graph = Graph::from_view(view(), options);
    return graph.ok() ? "no error" : graph.status().message();
  }
};

}  // namespace

TEST_CASE("a graph owns what it was made of") {
  Result<Graph> made = [] {
    const Example example;
    return Graph::from_view(example.view(), EdgeOptions{{}, {}, true});
  }();
  REQUIRE(made.ok());
  const Graph graph = std::move(*made);
  CHECK(graph.num_nodes() == 5);
  CHECK(graph.num_edges() == 4);
  CHECK(graph.num_features() == 3);
  REQUIRE(graph.x().rows == 5);
  REQUIRE(graph.x().cols == 3);
  CHECK(graph.x().is_contiguous());
  for (int r = 0; r < 5; ++r) {
    for (int c = 0; c < 3; ++c) CHECK(graph.x()(r, c) == static_cast<float>(4 * r + c));
  }
  CHECK(reinterpret_cast<std::uintptr_t>(graph.x().data) % kAlignment == 0);
  CHECK(to_ids(graph.opcode()) == Ids{3, 0, 120, 7, 7});
  CHECK(to_ids(graph.config_node()) == Ids{4, 1});
  CHECK(to_ids(graph.ptr()) == Ids{0, 5});
  CHECK(sorted_edges(graph.edges()) == std::vector<Pair>{{0, 1}, {0, 2}, {1, 2}, {3, 4}});
  check_edges(graph.edges(), 5, true);
}

TEST_CASE("graphs copy, move and assign like values") {
  const Example example;
  Graph first = std::move(*Graph::from_view(example.view()));
  const Graph copy = first;
  Graph moved = std::move(first);
  CHECK(copy.x().data != moved.x().data);
  first = copy;
  for (const Graph* graph : std::vector<const Graph*>{&first, &copy, &moved}) {
    CHECK(graph->num_nodes() == 5);
    CHECK(graph->x()(4, 2) == 18.0f);
    check_edges(graph->edges(), 5, false);
  }
}

TEST_CASE("graphs without nodes, without features and with one node are graphs") {
  const Graph none;
  CHECK(none.num_nodes() == 0);
  CHECK(to_ids(none.ptr()) == Ids{0, 0});
  const Result<Graph> empty = Graph::from_view(GraphView{});
  REQUIRE(empty.ok());
  CHECK(empty->num_nodes() == 0);
  check_edges(empty->edges(), 0, false);

  const Ids opcode = {1};
  GraphView one;
  one.opcode = opcode;
  one.x = MatrixView<const float>(nullptr, 1, 0);
  const Result<Graph> bare = Graph::from_view(one);
  REQUIRE(bare.ok());
  CHECK(bare->num_features() == 0);
  check_edges(bare->edges(), 1, false);
}

TEST_CASE("features that are not numbers are named by node and column") {
  for (const auto& [value, name] :
       {std::pair<float, std::string>(std::numeric_limits<float>::quiet_NaN(), "nan"),
        std::pair<float, std::string>(-std::numeric_limits<float>::quiet_NaN(), "nan"),
        std::pair<float, std::string>(std::numeric_limits<float>::infinity(), "inf"),
        std::pair<float, std::string>(-std::numeric_limits<float>::infinity(), "-inf")}) {
    Example example;
    example.x[4 * 3 + 1] = value;
    example.x[4 * 4 + 0] = value;  // a later one is not the one reported
    CHECK(example.error() == "node 3 feature 1 is " + name);
  }
  Example example;
  example.x[3] = std::numeric_limits<float>::quiet_NaN();  // in the gap between two rows: not a feature
  example.x[1] = std::numeric_limits<float>::max();
  example.x[2] = std::numeric_limits<float>::denorm_min();
  CHECK(example.error() == "no error");
}

TEST_CASE("every other fault of a view is named") {
  {
    Example example;
    example.opcode[2] = -4;
    CHECK(example.error() == "node 2 opcode is -4; should be 0 or more");
  }
  {
    Example example;
    example.opcode.pop_back();
    CHECK(example.error() == "x has 5 rows; opcode has 4");
  }
  {
    Example example;
    example.config_node = {4, 5};
    CHECK(example.error() == "config_node 1 is 5; num_nodes is 5");
    example.config_node = {4, -1};
    CHECK(example.error() == "config_node 1 is -1; num_nodes is 5");
    example.config_node = {4, 1, 2, 1};
    CHECK(example.error() == "config_node 3 is 1 and so is config_node 1");
  }
  {
    Example example;
    example.target[3] = 5;
    CHECK(example.error() == "edge 3 is (3, 5); num_nodes is 5");
    example.target[3] = 3;
    CHECK(example.error() == "no error");
    CHECK(example.error({EdgeOptions::Duplicates::kError, EdgeOptions::SelfEdges::kError, false}) ==
          "edge 3 is a self edge (3, 3)");
    example.target.pop_back();
    CHECK(example.error() == "edges have 4 sources and 3 targets");
  }
  {
    Example example;
    example.source[2] = 1;
    CHECK(example.error() == "edge 2 is (1, 2) and so is edge 0; duplicates are not allowed");
  }
  {
    const Example example;
    GraphView view = example.view();
    view.x.stride = 2;
    CHECK(Graph::from_view(view).status().message() ==
          "x has 3 columns and stride 2; should be 0 <= columns <= stride");
    view = example.view();
    view.x.cols = -1;
    CHECK(Graph::from_view(view).status().message() ==
          "x has -1 columns and stride 4; should be 0 <= columns <= stride");
    view = example.view();
    view.x.data = nullptr;
    CHECK(Graph::from_view(view).status().message() == "x is (5, 3) but its data is null");
    const std::int32_t nothing = 0;
    view = example.view();
    view.opcode = Span<const std::int32_t>(&nothing, std::size_t{1} << 31);
    CHECK(Graph::from_view(view).status().message() == "num_nodes is 2147483648; the limit is 2147483647");
  }
}
