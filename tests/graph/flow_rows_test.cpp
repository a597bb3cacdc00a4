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
  bool operator==(const OwnedRowKey& o) const {
    return std::tie(root, kind, reads, edge_kind) == std::tie(o.root, o.kind, o.reads, o.edge_kind);
  }
};

/// Row r as a key.
OwnedRowKey owned_key(const FlowRows& rows, std::size_t r, bool has_edge_kinds) {
  const auto first = static_cast<std::size_t>(rows.read_ptr()[r]);
  const std::size_t count = static_cast<std::size_t>(rows.read_ptr()[r + 1]) - first;
  OwnedRowKey key = {rows.root()[r], rows.kind()[r], testing::to_ids(rows.reads().subspan(first, count)), {}};
  if (has_edge_kinds) key.edge_kind = testing::to_ids(rows.edge_kind().subspan(first, count));
  return key;
}

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
      for (std::size_t r = 0; r < keys.size(); ++r) CHECK(owned_key(rows, r, has_edge_kinds) == keys[r]);
      CHECK(rows.edge_kind().size() == (has_edge_kinds ? rows.reads().size() : 0));
    }
  }
}

TEST_CASE("several keys at once are the rows of one after the other, with any hash, and as the table grows") {
  for (const int bits : {64, 2}) {
    for (const bool has_root : {true, false}) {
      Rng rng(7);
      FlowRows rows, one_by_one;
      rows.set_hash_bits(bits);
      testing::Ids found, expected;
      for (int step = 0; step < 60; ++step) {
        RowKeys keys;
        keys.has_root = has_root;
        keys.width = 1 + rng.below(4);
        keys.kind = static_cast<std::int32_t>(rng.below(2));
        const testing::Ids edge_kind(keys.width - (has_root ? 1 : 0), static_cast<std::int32_t>(rng.below(2)));
        keys.edge_kind = edge_kind;
        testing::Ids ids;
        for (std::size_t i = keys.width * rng.below(50); i > 0; --i)
          ids.push_back(static_cast<std::int32_t>(rng.below(4)));
        keys.rows = ids;
        found.resize(keys.size());
        expected.clear();
        for (std::size_t i = 0; i < keys.size(); ++i) expected.push_back(one_by_one.find(keys[i]));
        rows.find_each(keys, found.data());
        REQUIRE(found == expected);
      }
      REQUIRE(rows.size() == one_by_one.size());
      CHECK(rows.size() > 100);
      for (std::size_t r = 0; r < static_cast<std::size_t>(rows.size()); ++r)
        CHECK(owned_key(rows, r, true) == owned_key(one_by_one, r, true));
    }
  }
}

TEST_CASE("appended rows are new, whatever there was, and never found") {
  for (const int bits : {64, 2}) {
    Rng rng(6);
    FlowRows rows;
    rows.set_hash_bits(bits);
    std::vector<OwnedRowKey> keys;
    std::map<OwnedRowKey, std::int32_t> ids;  // of those that can be found
    for (int step = 0; step < 4000; ++step) {
      const std::uint64_t what = rng.below(100);
      if (what == 0) {
        const auto count = keys.size() - rng.below(keys.size() / 2 + 1);
        while (keys.size() > count) {
          const auto at = ids.find(keys.back());
          if (at != ids.end() && at->second == static_cast<std::int32_t>(keys.size()) - 1) ids.erase(at);
          keys.pop_back();
        }
        rows.truncate(static_cast<std::int32_t>(count));
        continue;
      }
      const OwnedRowKey key = random_row_key(rng, true);
      if (what < 30) {
        REQUIRE(rows.append(key.view()) == static_cast<std::int32_t>(keys.size()));
        keys.push_back(key);
        continue;
      }
      const auto [at, is_new] = ids.emplace(key, rows.size());
      if (is_new) keys.push_back(key);
      REQUIRE(rows.find(key.view()) == at->second);
    }
    REQUIRE(rows.size() == static_cast<std::int32_t>(keys.size()));
    CHECK(ids.size() < keys.size());
    for (std::size_t r = 0; r < keys.size(); ++r) CHECK(owned_key(rows, r, true) == keys[r]);
    for (const auto& [key, id] : ids) REQUIRE(rows.find(key.view()) == id);
    rows.clear();
    CHECK(rows.append(OwnedRowKey{}.view()) == 0);
    CHECK(rows.find(OwnedRowKey{}.view()) == 1);
  }
}

/// Random rows, some of them appended, with what a compaction has to keep of each.
struct AgedRows {
  FlowRows rows;
  std::vector<OwnedRowKey> key;
  std::vector<std::uint32_t> used;
  std::vector<char> is_listed;

  AgedRows(Rng& rng, bool has_edge_kinds, int hash_bits) {
    rows.set_hash_bits(hash_bits);
    for (std::uint32_t generation = 0; generation < 4; ++generation) {
      rows.set_generation(generation);
      for (int step = 0; step < 60; ++step) {
        const OwnedRowKey wanted = random_row_key(rng, has_edge_kinds);
        const bool appends = rng.below(4) == 0;
        const std::int32_t row = appends ? rows.append(wanted.view()) : rows.find(wanted.view());
        const auto r = static_cast<std::size_t>(row);
        if (r == key.size()) {
          key.push_back(wanted);
          used.push_back(generation);
          is_listed.push_back(appends ? 0 : 1);
        }
        used[r] = generation;
      }
      const auto again = static_cast<std::int32_t>(rng.below(key.size()));
      rows.use(again);
      used[static_cast<std::size_t>(again)] = generation;
    }
  }
};

/// `id` by a map, where there is one.
std::int32_t mapped(const testing::Ids& map, std::int32_t id) {
  return map.empty() ? id : map[static_cast<std::size_t>(id)];
}

TEST_CASE("rows that are old are forgotten, and the others are those of a level that never had them") {
  Rng rng(9);
  for (int trial = 0; trial < 60; ++trial) {
    INFO("trial ", trial);
    const bool has_edge_kinds = trial % 2 == 0;
    AgedRows aged(rng, has_edge_kinds, trial % 3 == 0 ? 2 : 64);
    for (std::size_t r = 0; r < aged.key.size(); ++r) {
      for (const std::uint32_t since : {0u, 1u, 2u, 3u, 4u})
        CHECK(aged.rows.is_used(static_cast<std::int32_t>(r), since) == (aged.used[r] >= since));
    }
    // Roots, reads and kinds go to other numbers, or stay.
    testing::Ids root_to, read_to, kind_to;
    if (trial % 5 != 0) root_to = {2, 0, 1};
    if (trial % 5 != 1) read_to = {3, 2, 0, 1};
    if (trial % 5 != 2) kind_to = {1};  // kind 1 becomes 2; those up to 0 stay
    const auto num_kept = static_cast<std::int32_t>(rng.below(20));
    const auto since = static_cast<std::uint32_t>(rng.below(5));
    FlowRows wanted;
    std::vector<std::size_t> from;
    testing::Ids wanted_to(aged.key.size(), -1);
    for (std::size_t r = 0; r < aged.key.size(); ++r) {
      if (static_cast<std::int32_t>(r) >= num_kept && aged.used[r] < since) continue;
      OwnedRowKey key = aged.key[r];
      key.root = mapped(root_to, key.root);
      for (std::int32_t& read : key.reads) read = mapped(read_to, read);
      if (key.kind > 0 && !kind_to.empty()) key.kind = 1 + mapped(kind_to, key.kind - 1);
      wanted_to[r] = aged.is_listed[r] != 0 ? wanted.find(key.view()) : wanted.append(key.view());
      REQUIRE(wanted_to[r] == static_cast<std::int32_t>(from.size()));
      from.push_back(r);
    }
    CHECK(aged.rows.compact(num_kept, since, root_to, read_to, kind_to) == wanted_to);
    REQUIRE(aged.rows.size() == wanted.size());
    for (std::size_t r = 0; r < from.size(); ++r) {
      const OwnedRowKey key = owned_key(wanted, r, has_edge_kinds);
      CHECK(owned_key(aged.rows, r, has_edge_kinds) == key);
      CHECK(aged.rows.is_used(static_cast<std::int32_t>(r), aged.used[from[r]]));
      CHECK_FALSE(aged.rows.is_used(static_cast<std::int32_t>(r), aged.used[from[r]] + 1));
      if (aged.is_listed[from[r]] != 0) CHECK(aged.rows.find(key.view()) == static_cast<std::int32_t>(r));
    }
    // And they go on as one that never had others.
    for (int step = 0; step < 100; ++step) {
      const OwnedRowKey key = random_row_key(rng, has_edge_kinds);
      REQUIRE(aged.rows.find(key.view()) == wanted.find(key.view()));
    }
    CHECK(aged.rows.used_bytes() == wanted.used_bytes());
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
