// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/graph_dataset.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "graph_test_util.hpp"
#include "mlgraph/graph/batch.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

/// A graph with an array of each kind, whose numbers say where they belong.
struct SetItem {
  EdgeList list;
  Ids opcode, edge_id, subset;
  std::vector<float> x, edge_value, target;

  SetItem(Rng& rng, std::int32_t num_nodes, float first) : list(random_edges(rng, num_nodes, 2 * num_nodes)) {
    for (std::int32_t v = 0; v < num_nodes; ++v) {
      opcode.push_back(v % 5);
      subset.push_back(v % 3);
      x.push_back(first + static_cast<float>(v));
    }
    for (std::size_t e = 0; e < list.size(); ++e) {
      edge_id.push_back(100 * list.source[e] + list.target[e]);
      edge_value.insert(edge_value.end(),
                        {static_cast<float>(list.source[e]), static_cast<float>(list.target[e])});
    }
    target = {first, std::numeric_limits<float>::quiet_NaN(), -first};
  }
  GraphView view() const {
    return {{x.data(), static_cast<std::int64_t>(x.size()), 1}, opcode, list.source, list.target, {}};
  }
  std::vector<NamedArray> arrays() const {
    return {edge_array("id", Span<const std::int32_t>(edge_id)), graph_array("y", Span<const float>(target)),
            node_array("subset", Span<const std::int32_t>(subset)),
            edge_array("ends",
                       MatrixView<const float>(edge_value.data(), static_cast<std::int64_t>(list.size()), 2))};
  }
};

std::string add_error(GraphDataset set, const GraphView& view, const std::vector<NamedArray>& arrays) {
  const std::size_t before = set.size();
  const Status status = set.add(view, arrays);
  CHECK(set.size() == before);
  return status.message();
}

}  // namespace

TEST_CASE("a set gives back its graphs, and rows of edges follow the order of the CSR") {
  Rng rng(1);
  for (const bool both : {false, true}) {
    GraphDataset set(merge_all(both));
    std::vector<SetItem> items;
    for (const std::int32_t n : {4, 0, 9, 1, 17}) items.emplace_back(rng, n, static_cast<float>(10 * n));
    for (const SetItem& item : items) REQUIRE(set.add(item.view(), item.arrays()).ok());
    REQUIRE(set.size() == items.size());
    CHECK(set.has_opcodes());
    for (std::size_t g = 0; g < items.size(); ++g) {
      const SetItem& item = items[g];
      const StoredGraph graph = set.graph(g);
      const Edges edges = make_edges(item.list, merge_all(both));
      REQUIRE(graph.num_nodes == item.list.num_nodes);
      check_edges(graph.edges, graph.num_nodes, both);
      CHECK(entries(graph.edges.forward.csr) == entries(edges.view().forward.csr));
      if (both) CHECK(entries(graph.edges.both.csr) == entries(edges.view().both.csr));
      CHECK(to_ids(graph.opcode) == item.opcode);
      CHECK(std::vector<float>(graph.x.data, graph.x.data + graph.x.size()) == item.x);
      const NamedArray id = set.array(g, set.find("id")), ends = set.array(g, set.find("ends"));
      REQUIRE(id.rows() == edges.num_edges());
      REQUIRE(ends.rows() == edges.num_edges());
      const std::vector<Pair> pairs = entries(graph.edges.forward.csr);  // (target, source)
      for (std::size_t p = 0; p < pairs.size(); ++p) {
        const auto r = static_cast<std::int64_t>(p);
        REQUIRE(id.i32(r, 0) == 100 * pairs[p].second + pairs[p].first);
        REQUIRE(ends.f32(r, 0) == static_cast<float>(pairs[p].second));
        REQUIRE(ends.f32(r, 1) == static_cast<float>(pairs[p].first));
      }
      const NamedArray y = set.array(g, set.find("y")), subset = set.array(g, set.find("subset"));
      CHECK(y.f32(0, 0) == item.target[0]);
      CHECK(std::isnan(y.f32(0, 1)));
      CHECK(y.f32(0, 2) == item.target[2]);
      CHECK(Ids(subset.i32.data, subset.i32.data + subset.i32.size()) == item.subset);
    }
  }
}

TEST_CASE("a block of ten nodes takes less than 1.5 KB") {
  Rng rng(2);
  GraphDataset set(keep_all());
  for (int g = 0; g < 100; ++g) {
    const SetItem item(rng, 10, 1);
    REQUIRE(set.add(item.view(), item.arrays()).ok());
  }
  CHECK(set.used_bytes() < 100 * 1000);
}

TEST_CASE("graphs without opcodes have none") {
  GraphDataset set;
  const Ids source = {0}, target = {1};
  GraphView view;
  view.x = {nullptr, 3, 0};
  view.edge_source = source;
  view.edge_target = target;
  REQUIRE(set.add(view).ok());
  CHECK_FALSE(set.has_opcodes());
  CHECK(set.graph(0).num_nodes == 3);
  CHECK(set.graph(0).opcode.empty());
  CHECK(set.num_edges(0) == 1);
  const Ids opcode = {1, 2, 3};
  view.opcode = opcode;
  CHECK(add_error(set, view, {}) == "graph 1: it has opcodes; the graphs before it do not");
  view.opcode = {};
  view.x.rows = 0;
  view.edge_source = view.edge_target = {};
  CHECK(set.add(view).ok());  // a graph of no nodes fits either kind
}

TEST_CASE("what does not fit is refused by graph, array and place") {
  Rng rng(3);
  GraphDataset set(keep_all());
  const SetItem first(rng, 5, 1), second(rng, 4, 2);
  REQUIRE(set.add(first.view(), first.arrays()).ok());
  const auto error_of = [&](auto&& change) {
    SetItem item = second;
    GraphView view = item.view();
    std::vector<NamedArray> arrays = item.arrays();
    change(item, view, arrays);
    return add_error(set, view, arrays);
  };
  using Arrays = std::vector<NamedArray>;
  CHECK(error_of([](SetItem& i, GraphView&, Arrays&) { i.x[2] = std::nanf(""); }) ==
        "graph 1: node 2 feature 0 is nan");
  CHECK(error_of([](SetItem&, GraphView& v, Arrays&) { v.x.rows = 3; }) ==
        "graph 1: x has 3 rows; opcode has 4");
  CHECK(error_of([](SetItem&, GraphView& v, Arrays&) {
          v.x = {nullptr, 4, 1};
        }) == "graph 1: x has 1 columns and stride 1 at null; should be 0 <= columns <= stride");
  CHECK(error_of([](SetItem&, GraphView& v, Arrays&) {
          v.x = {nullptr, 4, 0};
        }) == "graph 1: x has 0 features per node; graph 0 has 1");
  CHECK(error_of([](SetItem& i, GraphView&, Arrays&) { i.opcode[1] = -1; }) ==
        "graph 1: node 1 opcode is -1; should be 0 or more");
  CHECK(error_of([](SetItem&, GraphView& v, Arrays&) { v.opcode = {}; }) ==
        "graph 1: it has no opcodes; the graphs before it do");
  CHECK(error_of([](SetItem& i, GraphView&, Arrays&) { i.list.target[3] = 4; }).find("graph 1: edge 3 is (") ==
        0);
  CHECK(error_of([](SetItem& i, GraphView& v, Arrays&) { v.config_node = i.opcode; }) ==
        "graph 1: it has 4 config_node; a dataset keeps such ids as a named array");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a.pop_back(); }) ==
        "graph 1: it has no array \"ends\"; graph 0 has one");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[1].name = "id"; }) ==
        "graph 1: two arrays have the name \"id\"");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[1].name = ""; }) == "graph 1: array 1 has no name");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[1].name = "z"; }) ==
        "graph 1: it has an array \"z\"; graph 0 has none");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[1].f32.cols = 2; }) ==
        "graph 1: array \"y\" is 2 float of graphs; that of graph 0 is 3 float of graphs");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[0].i32.rows = 7; }) ==
        "graph 1: array \"id\" of edges is (7, 1); should be (8, 1 or more)");
  CHECK(error_of([](SetItem&, GraphView&, Arrays& a) { a[2].i32.data = nullptr; }) ==
        "graph 1: array \"subset\" of nodes is (4, 1) and its data is null; should be (4, 1 or more)");
  CHECK(set.add(second.view(), second.arrays()).ok());
}

TEST_CASE("an int of each graph is read as a list") {
  GraphDataset set;
  for (const std::int32_t label : {3, 1, 2}) {
    GraphView view;
    view.x = {nullptr, 1, 0};
    const float y = 1;
    const NamedArray arrays[] = {graph_array("class", Span<const std::int32_t>(&label, 1)),
                                 graph_array("y", Span<const float>(&y, 1))};
    REQUIRE(set.add(view, arrays).ok());
  }
  CHECK(*set.ints_of_graphs("class") == Ids{3, 1, 2});
  CHECK(set.ints_of_graphs("label").status().message() == "there is no array \"label\"");
  CHECK(set.ints_of_graphs("y").status().message() ==
        "array \"y\" is 1 float of graphs; should be one int32 of graphs");
}
