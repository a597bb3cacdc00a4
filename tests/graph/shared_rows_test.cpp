// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/shared_rows.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "allocation_counter.hpp"
#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

using testing::Ids;
using testing::make_edges;
using testing::Pair;

/// The plan of so many layers over one adjacency.
SharedRows make_plan(const AdjacencyView& adjacency, const Ids& start, std::size_t num_layers) {
  const std::vector<const AdjacencyView*> layers(num_layers, &adjacency);
  return SharedRows::make(layers, adjacency.num_targets(), start);
}

/// What a row of a level stands for: a node, and the configuration it belongs to (-1: all of them).
std::vector<Pair> meaning(const SharedLevel& level, std::int32_t num_configs) {
  std::vector<Pair> rows;
  for (std::int32_t r = 0; r < level.num_shared; ++r) {
    rows.emplace_back(level.node[static_cast<std::size_t>(r)], -1);
  }
  for (std::int32_t c = 0; c < num_configs; ++c) {
    for (std::int32_t r = level.num_shared; r < level.num_nodes(); ++r) {
      rows.emplace_back(level.node[static_cast<std::size_t>(r)], c);
    }
  }
  return rows;
}

/// The nodes that `hops` layers carry a change at `start` to, found by walking every edge every time.
std::set<std::int32_t> reached(const CsrView& csr, const Ids& start, std::int64_t hops) {
  std::set<std::int32_t> nodes(start.begin(), start.end());
  for (std::int64_t k = 0; k < hops; ++k) {
    const std::set<std::int32_t> before = nodes;
    for (const auto& [to, from] : testing::entries(csr)) {
      if (before.count(from) != 0) nodes.insert(to);
    }
  }
  return nodes;
}

/// `layers[k]`: what layer k reads; null: nothing but each row itself.
void check_levels(const SharedRows& plan, const std::vector<const AdjacencyView*>& layers, const Ids& start) {
  std::set<std::int32_t> own(start.begin(), start.end());
  for (std::int64_t k = 0; k <= plan.num_layers(); ++k) {
    const SharedLevel level = plan.level(k);
    const AdjacencyView* const before = k == 0 ? nullptr : layers[static_cast<std::size_t>(k) - 1];
    if (before != nullptr) own = reached(before->csr, Ids(own.begin(), own.end()), 1);
    REQUIRE(level.num_own() == static_cast<std::int32_t>(own.size()));
    for (std::int32_t r = 0; r < level.num_nodes(); ++r) {
      const std::int32_t v = level.node[static_cast<std::size_t>(r)];
      CHECK(level.row[static_cast<std::size_t>(v)] == r);
      CHECK((own.count(v) != 0) == (r >= level.num_shared));
      const bool starts_part = r == 0 || r == level.num_shared;
      if (!starts_part) CHECK(v > level.node[static_cast<std::size_t>(r) - 1]);
    }
  }
}

/// Every row of the next level aggregates the rows of its node's neighbours, its own configuration's where
/// these are own, in the order and with the weights of the graph.
void check_layer(const SharedRows& plan, const AdjacencyView& adjacency, std::int64_t k, std::int32_t configs) {
  Arena arena;
  const SharedLayer layer = plan.layer(k, configs, true, arena);
  const std::vector<Pair> from = meaning(plan.level(k), configs);
  const std::vector<Pair> to = meaning(plan.level(k + 1), configs);
  REQUIRE(layer.adjacency.num_targets() == static_cast<std::int32_t>(to.size()));
  REQUIRE(layer.adjacency.num_sources() == static_cast<std::int32_t>(from.size()));
  REQUIRE(layer.root.size() == to.size());
  REQUIRE(layer.weight.size() == layer.adjacency.csr.col.size());
  const CsrView& csr = layer.adjacency.csr;
  const SharedLevel source = plan.level(k);
  const auto is_row_of = [&](std::int32_t row, std::int32_t node, std::int32_t config) {
    const Pair& found = from[static_cast<std::size_t>(row)];
    const bool own = source.row[static_cast<std::size_t>(node)] >= source.num_shared;
    return found.first == node && found.second == (own ? config : -1);
  };
  for (std::size_t r = 0; r < to.size(); ++r) {
    const auto [node, config] = to[r];
    CHECK(is_row_of(layer.root[r], node, config));
    const auto v = static_cast<std::size_t>(node);
    REQUIRE(csr.degree(static_cast<std::int32_t>(r)) == adjacency.csr.degree(node));
    for (std::int32_t i = 0; i < adjacency.csr.degree(node); ++i) {
      const std::int32_t e = adjacency.csr.row_ptr[v] + i;
      const auto p = static_cast<std::size_t>(csr.row_ptr[r] + i);
      CHECK(layer.weight[p] == e);
      CHECK(is_row_of(csr.col[p], adjacency.csr.col[static_cast<std::size_t>(e)], config));
    }
  }
  // The transpose leads every entry (r, c) back to an entry (c, r).
  const std::vector<Pair> entries = testing::entries(csr);
  const std::vector<Pair> transposed = testing::entries(layer.adjacency.transposed);
  REQUIRE(layer.adjacency.transposed.num_rows() == static_cast<std::int32_t>(from.size()));
  REQUIRE(transposed.size() == entries.size());
  std::set<std::int32_t> seen;
  for (std::size_t q = 0; q < transposed.size(); ++q) {
    const std::int32_t p = layer.adjacency.transposed_to_csr[q];
    seen.insert(p);
    CHECK(entries[static_cast<std::size_t>(p)] == Pair(transposed[q].second, transposed[q].first));
  }
  CHECK(seen.size() == entries.size());
}

TEST_CASE("levels and layers are what walking every edge finds, along every direction") {
  Rng rng(3);
  for (const std::int32_t n : {1, 2, 9, 40}) {
    const Edges edges = make_edges(testing::random_edges(rng, n, 3 * n / 2), testing::keep_all(true));
    for (const Ids& start : {Ids{}, Ids{n - 1}, n > 8 ? Ids{7, 2, 5} : Ids{0}}) {
      for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
        const AdjacencyView adjacency = edges.view().along(direction);
        const SharedRows plan = make_plan(adjacency, start, 3);
        CHECK(plan.num_layers() == 3);
        CHECK(plan.num_nodes() == n);
        CHECK(testing::to_ids(plan.config_node()) == start);
        check_levels(plan, {&adjacency, &adjacency, &adjacency}, start);
        for (std::int64_t k = 0; k < 3; ++k) {
          for (const std::int32_t configs : {1, 3}) check_layer(plan, adjacency, k, configs);
        }
      }
    }
  }
}

TEST_CASE(
    "layers along different directions, and such as read no edges, each carry a change as far as they read") {
  Rng rng(5);
  for (const std::int32_t n : {1, 9, 40}) {
    const Edges edges = make_edges(testing::random_edges(rng, n, 3 * n / 2), testing::keep_all(true));
    const EdgesView view = edges.view();
    const std::vector<const AdjacencyView*> layers = {&view.forward, nullptr, &view.reverse, &view.both};
    const Ids start = n > 8 ? Ids{7, 2} : Ids{0};
    const SharedRows plan = SharedRows::make(layers, n, start);
    REQUIRE(plan.num_layers() == 4);
    check_levels(plan, layers, start);
    for (const std::int32_t configs : {1, 3}) {
      check_layer(plan, view.forward, 0, configs);
      check_layer(plan, view.reverse, 2, configs);
      check_layer(plan, view.both, 3, configs);
      Arena arena;
      const SharedLayer alone = plan.layer(1, configs, true, arena);  // each row is what it was
      CHECK(alone.adjacency.csr.num_edges() == 0);
      const SharedLevel level = plan.level(2);
      REQUIRE(alone.root.size() == static_cast<std::size_t>(level.num_rows(configs)));
      for (std::size_t r = 0; r < alone.root.size(); ++r) CHECK(alone.root[r] == static_cast<std::int32_t>(r));
    }
  }
}

TEST_CASE("what a row was at a level before is a row of its node and configuration") {
  Rng rng(6);
  const Edges edges = make_edges(testing::random_edges(rng, 40, 60), testing::keep_all(true));
  const SharedRows plan = make_plan(edges.view().forward, Ids{7, 2, 5}, 3);
  Arena arena;
  for (std::int64_t from = 0; from <= 3; ++from) {
    for (std::int64_t to = from; to <= 3; ++to) {
      const Span<const std::int32_t> before = plan.rows_before(from, to, 3, arena);
      const std::vector<Pair> was = meaning(plan.level(from), 3), is = meaning(plan.level(to), 3);
      REQUIRE(before.size() == is.size());
      for (std::size_t r = 0; r < is.size(); ++r) {
        const Pair& origin = was[static_cast<std::size_t>(before[r])];
        CHECK(origin.first == is[r].first);
        CHECK((origin.second == -1 || origin.second == is[r].second));
        if (from == to) CHECK(before[r] == static_cast<std::int32_t>(r));
      }
    }
  }
}

TEST_CASE("rows of configurable nodes follow the order of the configuration") {
  const testing::EdgeList chain = {5, {0, 1, 2, 3}, {1, 2, 3, 4}};
  const Edges edges = make_edges(chain);
  const SharedRows plan = make_plan(edges.view().forward, Ids{3, 1}, 1);
  Arena arena;
  // Level 0: shared 0 2 4, own 1 3; level 1: shared 0, own 1 2 3 4.
  CHECK(testing::to_ids(plan.first_nodes(2, arena)) == Ids{0, 2, 4, 1, 3, 1, 3});
  CHECK(testing::to_ids(plan.config_rows(0, 2, 2, arena)) == Ids{4, 3, 6, 5});
  CHECK(testing::to_ids(plan.config_rows(1, 2, 2, arena)) == Ids{3, 1, 7, 5});
  CHECK(testing::to_ids(plan.config_rows(1, 2, 1, arena)) == Ids{3, 7});
  CHECK(plan.level(1).num_rows(2) == 9);
  CHECK(plan.own_rows() == 4);
}

TEST_CASE("sharing pays when a fifth of the rows is shared") {
  const testing::EdgeList chain = {5, {0, 1, 2, 3}, {1, 2, 3, 4}};
  const Edges edges = make_edges(chain);
  const auto pays = [&](const Ids& start, std::size_t layers) {
    return make_plan(edges.view().forward, start, layers).pays();
  };
  CHECK(pays({4}, 3));
  CHECK(pays({0, 2}, 1));  // four of five own
  CHECK_FALSE(pays({0, 2, 3}, 1));
  CHECK_FALSE(pays({0, 2}, 3));
  CHECK(pays({}, 3));         // nothing to configure
  CHECK_FALSE(pays({4}, 0));  // nothing to share
  CHECK_FALSE(SharedRows().pays());
}

TEST_CASE("there are as many configs as int32 can count rows and edges of") {
  const testing::EdgeList hub = {1000, Ids(999, 0), [] {
                                   Ids target;
                                   for (std::int32_t v = 1; v < 1000; ++v) target.push_back(v);
                                   return target;
                                 }()};
  const Edges edges = make_edges(hub);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  CHECK(make_plan(edges.view().forward, Ids{0}, 1).max_configs() == (kMost - 1999) / 1000);
  CHECK(make_plan(edges.view().forward, Ids{5}, 1).max_configs() == kMost - 1999);
  CHECK(make_plan(edges.view().forward, Ids{}, 1).max_configs() == kMost - 1999);
}

TEST_CASE("from the second layer of one size on nothing is allocated") {
  Rng rng(4);
  const Edges edges = make_edges(testing::random_edges(rng, 60, 100));
  const SharedRows plan = make_plan(edges.view().forward, Ids{3, 17, 40}, 2);
  Arena arena;
  const auto expand = [&] {
    arena.rewind();
    (void)plan.first_nodes(50, arena);
    for (std::int64_t k = 0; k < 2; ++k) (void)plan.layer(k, 50, true, arena);
    (void)plan.config_rows(2, 50, 3, arena);
  };
  expand();
  const std::size_t before = testing::num_allocations();
  expand();
  CHECK(testing::num_allocations() == before);
}

}  // namespace
}  // namespace mlgraph
