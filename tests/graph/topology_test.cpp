// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/topology.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "../test_data.hpp"
#include "graph_test_util.hpp"
#include "long_tests.hpp"

using namespace mlgraph;
using namespace mlgraph::testing;

namespace {

// Of the nodes whose sources are all placed, takes the smallest; by looking at every edge every time.
Ids slow_order(const EdgeList& list) {
  Ids order;
  std::vector<bool> placed(static_cast<std::size_t>(list.num_nodes), false);
  for (bool found = true; found;) {
    found = false;
    for (std::int32_t v = 0; v < list.num_nodes && !found; ++v) {
      if (placed[static_cast<std::size_t>(v)]) continue;
      bool ready = true;
      for (std::size_t e = 0; e < list.size(); ++e) {
        if (list.target[e] == v && !placed[static_cast<std::size_t>(list.source[e])]) ready = false;
      }
      if (!ready) continue;
      placed[static_cast<std::size_t>(v)] = true;
      order.push_back(v);
      found = true;
    }
  }
  return order;
}

// The numbers of a JSON array: enough of a parser for lines like {"src": [7, 7], "dst": [10, 11]}.
Ids numbers_of(const std::string& line, const std::string& key) {
  Ids numbers;
  std::size_t i = line.find("\"" + key + "\": [");
  REQUIRE(i != std::string::npos);
  i = line.find('[', i) + 1;
  while (line[i] != ']') {
    if (line[i] < '0' || line[i] > '9') {
      ++i;
      continue;
    }
    std::int32_t value = 0;
    for (; line[i] >= '0' && line[i] <= '9'; ++i) value = 10 * value + (line[i] - '0');
    numbers.push_back(value);
  }
  return numbers;
}

}  // namespace

TEST_CASE("the topological order takes the smallest node that is ready") {
  Rng rng(1);
  for (int round = 0; round < 150; ++round) {
    const EdgeList list = random_dag(rng, static_cast<std::int32_t>(rng.below(25)), 40, round % 3 != 0);
    const Edges edges = make_edges(list);
    const Result<Ids> order = topological_order(edges.view());
    REQUIRE(order.ok());
    CHECK(*order == slow_order(list));
  }
}

TEST_CASE("ids that are in topological order already stay as they are") {
  Rng rng(2);
  const EdgeList list = random_dag(rng, 500, 900);
  Ids ids(500);
  std::iota(ids.begin(), ids.end(), 0);
  CHECK(*topological_order(make_edges(list).view()) == ids);
  CHECK(topological_order(make_edges({0, {}, {}}).view())->empty());
  CHECK(*topological_order(make_edges({1, {}, {}}).view()) == Ids{0});
}

TEST_CASE("a cycle is named, from its smallest node along the edges") {
  const auto error_of = [](const EdgeList& list) {
    return topological_order(make_edges(list).view()).status().message();
  };
  CHECK(error_of({3, {2}, {2}}) == "the edges have a cycle of length 1: 2 -> 2");
  CHECK(error_of({2, {0, 1}, {1, 0}}) == "the edges have a cycle of length 2: 0 -> 1 -> 0");
  // 0 feeds the cycle 5 -> 2 -> 3 -> 5, which feeds 1 and 4.
  CHECK(error_of({6, {0, 5, 2, 3, 3, 1}, {2, 2, 3, 5, 1, 4}}) ==
        "the edges have a cycle of length 3: 2 -> 3 -> 5 -> 2");
  EdgeList ring;
  ring.num_nodes = 12;
  for (std::int32_t v = 0; v < 12; ++v) ring.add(v, (v + 5) % 12);
  CHECK(error_of(ring) == "the edges have a cycle of length 12: 0 -> 5 -> 10 -> 3 -> 8 -> 1 -> 6 -> 11 -> ...");
  CHECK(topological_order(make_edges(ring).view()).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("random graphs have an order exactly when no node is left over") {
  Rng rng(4);
  int num_cyclic = 0;
  for (int round = 0; round < 300; ++round) {
    const EdgeList list = random_edges(rng, 12, static_cast<std::int64_t>(rng.below(14)));
    const Edges edges = make_edges(list);
    const Result<Ids> order = topological_order(edges.view());
    const Ids expected = slow_order(list);
    REQUIRE(order.ok() == (expected.size() == 12));
    if (order.ok()) {
      CHECK(*order == expected);
      continue;
    }
    ++num_cyclic;
    // Every step that the message names is an edge.
    const std::string& message = order.status().message();
    const std::vector<Pair> pairs = sorted_edges(edges.view());
    std::size_t i = message.find(": ");
    REQUIRE(i != std::string::npos);
    Ids named;
    for (i += 2; i < message.size() && message[i] != '.';) {
      named.push_back(static_cast<std::int32_t>(std::stoi(message.substr(i))));
      i = message.find("-> ", i);
      i = i == std::string::npos ? message.size() : i + 3;
    }
    REQUIRE(named.size() >= 2);
    for (std::size_t step = 1; step < named.size(); ++step) {
      CHECK(std::binary_search(pairs.begin(), pairs.end(), Pair(named[step - 1], named[step])));
    }
    CHECK(named[0] == *std::min_element(named.begin(), named.end()));
  }
  CHECK(num_cyclic > 50);
  CHECK(num_cyclic < 300);
}

TEST_CASE("components of some nodes are what labels that spread along the edges among them agree on") {
  Rng rng(5);
  for (int round = 0; round < 100; ++round) {
    const EdgeList list =
        random_edges(rng, static_cast<std::int32_t>(rng.below(25)), static_cast<std::int64_t>(rng.below(25)));
    std::vector<bool> included;
    for (std::int32_t v = 0; v < list.num_nodes; ++v) included.push_back(round % 2 == 0 || rng.below(3) > 0);
    const auto is_included = [&](std::int32_t v) { return included[static_cast<std::size_t>(v)]; };
    Ids label(static_cast<std::size_t>(list.num_nodes));
    std::iota(label.begin(), label.end(), 0);
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t e = 0; e < list.size(); ++e) {
        std::int32_t& a = label[static_cast<std::size_t>(list.source[e])];
        std::int32_t& b = label[static_cast<std::size_t>(list.target[e])];
        if (a == b || !is_included(list.source[e]) || !is_included(list.target[e])) continue;
        a = b = std::min(a, b);
        changed = true;
      }
    }
    Ids number(label.size(), -1), expected;
    std::int32_t num_components = 0;
    for (std::size_t v = 0; v < label.size(); ++v) {
      std::int32_t& own = number[static_cast<std::size_t>(label[v])];
      if (included[v] && own < 0) own = num_components++;
      expected.push_back(included[v] ? own : -1);
    }
    CHECK(components_among(make_edges(list).view(), is_included) == expected);
  }
}

TEST_CASE("orders and components of a million nodes in a line take no recursion" * testing::kLong) {
  const std::int32_t n = 1000000;
  EdgeList line;
  line.num_nodes = n;
  for (std::int32_t v = 1; v < n; ++v) line.add(v, v - 1);
  const Edges edges = make_edges(line);
  const Result<Ids> order = topological_order(edges.view());
  REQUIRE(order.ok());
  CHECK(order->front() == n - 1);
  CHECK(order->back() == 0);
  const auto all = [](std::int32_t) { return true; };
  CHECK(components_among(edges.view(), all) == Ids(static_cast<std::size_t>(n), 0));
  line.add(0, n - 1);
  const std::string message = topological_order(make_edges(line).view()).status().message();
  CHECK(message.substr(0, 62) == "the edges have a cycle of length 1000000: 0 -> 999999 -> 99999");
}

TEST_CASE("real tile kernels are built and ordered") {
  MLGRAPH_REQUIRE_DATA(dir);
  std::ifstream file(dir + "/tpugraphs/tile_kernels_mean_runtime.jsonl");
  int num_graphs = 0;
  for (std::string line; std::getline(file, line); ++num_graphs) {
    EdgeList list;
    list.num_nodes = static_cast<std::int32_t>(numbers_of(line, "op").size());
    list.source = numbers_of(line, "src");
    list.target = numbers_of(line, "dst");
    const Result<Edges> edges = Edges::from_list(list.num_nodes, list.source, list.target, {{}, {}, true});
    REQUIRE_MESSAGE(edges.ok(), edges.status().message());
    check_edges(edges->view(), list.num_nodes, true);
    const Result<Ids> order = topological_order(edges->view());
    REQUIRE_MESSAGE(order.ok(), order.status().message());
    Ids place(order->size());
    for (std::size_t i = 0; i < order->size(); ++i)
      place[static_cast<std::size_t>((*order)[i])] = static_cast<std::int32_t>(i);
    for (std::size_t e = 0; e < list.size(); ++e) {
      REQUIRE(place[static_cast<std::size_t>(list.source[e])] <
              place[static_cast<std::size_t>(list.target[e])]);
    }
  }
  CHECK(num_graphs == 630);
}
