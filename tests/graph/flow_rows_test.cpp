// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/flow_rows.hpp"

#include <doctest/doctest.h>

#include <map>
#include <tuple>
#include <vector>

#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

/// A key that owns what it reads.
struct OwnedRowKey {
  std::int32_t root = 0, kind = 0;
  testing::Ids reads, edge_kind;

  [[nodiscard]] RowKey view() const { return {root, kind, reads, edge_kind}; }
  bool operator<(const OwnedRowKey& o) const {
    return std::tie(root, kind, reads, edge_kind) < std::tie(o.root, o.kind, o.reads, o.edge_kind);
  }
};

/// Few roots, kinds and reads, so that keys repeat; edges have kinds or not.
OwnedRowKey random_row_key(Rng& rng, bool has_edge_kinds) {
  OwnedRowKey key;
  key.root = static_cast<std::int32_t>(rng.below(3));
  key.kind = static_cast<std::int32_t>(rng.below(3)) - 1;
  for (std::uint64_t i = rng.below(5); i > 0; --i) {
    key.reads.push_back(static_cast<std::int32_t>(rng.below(4)));
    if (has_edge_kinds) key.edge_kind.push_back(static_cast<std::int32_t>(rng.below(2)));
  }
  return key;
}

TEST_CASE("rows are numbered as they are found, and two of one key are one") {
  FlowRows rows;
  CHECK(rows.size() == 0);
  const testing::Ids reads = {4, 2, 4};
  CHECK(rows.find({7, 1, reads, {}}) == 0);
  CHECK(rows.find({7, 1, {}, {}}) == 1);
  CHECK(rows.find({7, 1, reads, {}}) == 0);
  CHECK(rows.size() == 2);
  CHECK(testing::to_ids(rows.root()) == testing::Ids{7, 7});
  CHECK(testing::to_ids(rows.kind()) == testing::Ids{1, 1});
  CHECK(testing::to_ids(rows.read_ptr()) == testing::Ids{0, 3, 3});
  CHECK(testing::to_ids(rows.reads()) == reads);
  CHECK(rows.edge_kind().empty());
}

TEST_CASE("root, kind, what is read and in which order, how often, and the kinds of edges matter") {
  for (const int bits : {64, 2, 0}) {
    FlowRows rows;
    rows.set_hash_bits(bits);
    const std::vector<OwnedRowKey> keys = {
        {1, 0, {2, 3}, {0, 0}}, {2, 0, {2, 3}, {0, 0}},       {1, 1, {2, 3}, {0, 0}},  {1, 0, {3, 2}, {0, 0}},
        {1, 0, {2}, {0}},       {1, 0, {2, 3, 3}, {0, 0, 0}}, {1, 0, {2, 3}, {0, 1}},  {1, 0, {2, 3}, {1, 0}},
        {1, 0, {}, {}},         {0, 1, {2, 3}, {0, 0}},       {1, 0, {2, -1}, {0, 0}}, {1, -1, {2, 3}, {0, 0}},
    };
    for (std::size_t i = 0; i < keys.size(); ++i) CHECK(rows.find(keys[i].view()) == static_cast<int>(i));
    for (std::size_t i = keys.size(); i-- > 0;) CHECK(rows.find(keys[i].view()) == static_cast<int>(i));
    CHECK(rows.size() == static_cast<std::int32_t>(keys.size()));
  }
}

TEST_CASE("rows are those of a map of keys, with any hash, as they grow and after they are forgotten") {
  for (const int bits : {64, 2}) {
    for (const bool has_edge_kinds : {false, true}) {
      Rng rng(5);
      FlowRows rows;
      rows.set_hash_bits(bits);
      std::vector<OwnedRowKey> keys;
      std::map<OwnedRowKey, std::int32_t> ids;
      for (int step = 0; step < 3000; ++step) {
        if (step % 500 == 400) {
          const auto count = rng.below(keys.size() + 1);
          while (keys.size() > count) {
            ids.erase(keys.back());
            keys.pop_back();
          }
          rows.truncate(static_cast<std::int32_t>(count));
          REQUIRE(rows.size() == static_cast<std::int32_t>(count));
        }
        const OwnedRowKey key = random_row_key(rng, has_edge_kinds);
        const auto [at, is_new] = ids.emplace(key, rows.size());
        if (is_new) keys.push_back(key);
        REQUIRE(rows.find(key.view()) == at->second);
      }
      CHECK(keys.size() > 100);  // several times the table that it begins with
      for (std::size_t r = 0; r < keys.size(); ++r) {
        const auto first = static_cast<std::size_t>(rows.read_ptr()[r]);
        const std::size_t count = static_cast<std::size_t>(rows.read_ptr()[r + 1]) - first;
        CHECK(rows.root()[r] == keys[r].root);
        CHECK(rows.kind()[r] == keys[r].kind);
        CHECK(testing::to_ids(rows.reads().subspan(first, count)) == keys[r].reads);
        if (has_edge_kinds) CHECK(testing::to_ids(rows.edge_kind().subspan(first, count)) == keys[r].edge_kind);
      }
      CHECK(rows.edge_kind().size() == (has_edge_kinds ? rows.reads().size() : 0));
    }
  }
}

TEST_CASE("rows that are there keep their ids when fewer bits of a hash count") {
  FlowRows rows;
  for (std::int32_t i = 0; i < 200; ++i) CHECK(rows.find({i, 0, {}, {}}) == i);
  rows.set_hash_bits(2);
  for (std::int32_t i = 0; i < 200; ++i) CHECK(rows.find({i, 0, {}, {}}) == i);
  CHECK(rows.size() == 200);
}

TEST_CASE("a level of rows can be emptied and filled again, with edges of other kinds") {
  FlowRows rows;
  const testing::Ids reads = {1}, kinds = {3};
  CHECK(rows.find({0, 0, reads, kinds}) == 0);
  const std::size_t bytes = rows.bytes();
  rows.clear();
  CHECK(rows.size() == 0);
  CHECK(rows.bytes() == bytes);
  CHECK(rows.find({0, 0, reads, {}}) == 0);
  CHECK(rows.edge_kind().empty());
  CHECK(rows.reads().size() == 1);
}

}  // namespace
}  // namespace mlgraph
