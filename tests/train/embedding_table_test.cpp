// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/embedding_table.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "mlgraph/core/random.hpp"

namespace mlgraph {
namespace {

using Key = EmbeddingTable::Key;
using Row = std::vector<float>;

EmbeddingTable table_of(std::int64_t channels, std::size_t rows, TableDtype dtype = TableDtype::kF32) {
  const std::size_t bytes = EmbeddingTable::make(channels, dtype, 1 << 20).value().bytes_per_row();
  return EmbeddingTable::make(channels, dtype, bytes * rows).value();
}

Row read(const EmbeddingTable& table, const Key& key) {
  Row row(static_cast<std::size_t>(table.channels()));
  return table.read(key, row.data()) ? row : Row();
}

TEST_CASE("what was written last is read") {
  EmbeddingTable table = table_of(2, 10);
  CHECK(read(table, {0, 0, 0}).empty());
  REQUIRE(table.write({1, 2, 3}, Row{4, 5}.data()).ok());
  REQUIRE(table.write({3, 2, 1}, Row{6, 7}.data()).ok());
  CHECK(read(table, {1, 2, 3}) == Row{4, 5});
  CHECK(read(table, {3, 2, 1}) == Row{6, 7});
  CHECK(read(table, {1, 2, 4}).empty());
  REQUIRE(table.write({1, 2, 3}, Row{8, 9}.data()).ok());
  CHECK(read(table, {1, 2, 3}) == Row{8, 9});
  CHECK(table.size() == 2);
  table.clear();
  CHECK(table.size() == 0);
  CHECK(read(table, {1, 2, 3}).empty());
}

TEST_CASE("parts of keys do not run into each other, up to their limits") {
  EmbeddingTable table = table_of(1, 10);
  const auto last = [](std::uint64_t limit) { return static_cast<std::uint32_t>(limit - 1); };
  const std::vector<Key> keys = {{0, 0, last(EmbeddingTable::kMaxSegments)},
                                 {0, last(EmbeddingTable::kMaxConfigs), 0},
                                 {last(EmbeddingTable::kMaxGraphs), 0, 0},
                                 {0, 1, 0},
                                 {1, 0, 0},
                                 {0, 0, 0}};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto value = static_cast<float>(i);
    REQUIRE(table.write(keys[i], &value).ok());
  }
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(read(table, keys[i]) == Row{static_cast<float>(i)});
}

TEST_CASE("what keys cannot tell apart is refused") {
  using Table = EmbeddingTable;
  CHECK(Table::check_keys(Table::kMaxGraphs, Table::kMaxConfigs, Table::kMaxSegments).ok());
  const Status status = Table::check_keys(Table::kMaxGraphs + 1, 5, 2);
  CHECK(status.code() == StatusCode::kOutOfRange);
  CHECK(status.message() ==
        "has 5 configs and 2 segments in a set of 1048577 programs; the embedding table has keys for 16777216, "
        "1048576 and 1048576");
  CHECK(Table::check_keys(1, Table::kMaxConfigs + 1, 1).message().find("has 16777217 configs and 1 seg") == 0);
  CHECK(Table::check_keys(1, 1, Table::kMaxSegments + 1).message().find("has 1 configs and 1048577 seg") == 0);
}

TEST_CASE("a table has at most kMaxRows rows, whatever its budget") {
  const std::size_t row = table_of(1, 1).bytes_per_row();
  const auto make = [&](std::size_t rows, std::int64_t least) {
    return EmbeddingTable::make(1, TableDtype::kF32, row * rows, least);
  };
  constexpr std::size_t kMost = EmbeddingTable::kMaxRows;
  CHECK(make(kMost - 1, 1)->max_rows() == kMost - 1);
  CHECK(make(kMost, 1)->max_rows() == kMost);
  CHECK(make(kMost + 1, 1)->max_rows() == kMost);
  const auto most = static_cast<std::int64_t>(kMost);
  CHECK(make(kMost + 1, most)->max_rows() == kMost);
  CHECK(make(2 * kMost, most + 1).status().message() ==
        str_cat("embedding table: a budget of ", row * 2 * kMost, " bytes holds 1073741824 rows of ", row,
                " bytes; one step needs 1073741825"));
}

TEST_CASE("a full table forgets the key that came first, as a plain model of it does") {
  for (const std::size_t rows : std::vector<std::size_t>{1, 2, 3, 7, 64, 100}) {
    EmbeddingTable table = table_of(1, rows);
    REQUIRE(table.max_rows() == rows);
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, float> model;
    std::deque<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> age;
    Rng rng(rows);
    for (int i = 0; i < 4000; ++i) {
      const Key key{static_cast<std::uint32_t>(rng.below(3)), static_cast<std::uint32_t>(rng.below(20)),
                    static_cast<std::uint32_t>(rng.below(5))};
      const auto name = std::make_tuple(key.graph, key.config, key.segment);
      const auto value = static_cast<float>(i);
      REQUIRE(table.write(key, &value).ok());
      if (model.find(name) == model.end()) {
        if (age.size() == rows) {
          model.erase(age.front());
          age.pop_front();
        }
        age.push_back(name);
      }
      model[name] = value;
      REQUIRE(table.size() == model.size());
      const auto& [graph, config, segment] = age[static_cast<std::size_t>(rng.below(age.size()))];
      REQUIRE(read(table, {graph, config, segment}) == Row{model.at({graph, config, segment})});
    }
    for (std::uint32_t g = 0; g < 3; ++g) {
      for (std::uint32_t c = 0; c < 20; ++c) {
        for (std::uint32_t s = 0; s < 5; ++s)
          CHECK(read(table, {g, c, s}).empty() == (model.find({g, c, s}) == model.end()));
      }
    }
  }
}

TEST_CASE("memory stays within the budget, and bfloat16 holds about twice as much") {
  constexpr std::size_t kBudget = 100000;
  std::size_t rows[2];
  for (const TableDtype dtype : {TableDtype::kF32, TableDtype::kBf16}) {
    EmbeddingTable table = EmbeddingTable::make(64, dtype, kBudget).value();
    const Row row(64, 1.5F);
    for (std::uint32_t c = 0; c < 2000; ++c) {
      REQUIRE(table.write({0, c, 0}, row.data()).ok());
      REQUIRE(table.used_bytes() <= kBudget);
    }
    rows[dtype == TableDtype::kBf16 ? 1 : 0] = table.size();
    CHECK(table.size() == table.max_rows());
    CHECK(read(table, {0, 1999, 0}) == row);
  }
  CHECK(static_cast<double>(rows[1]) > 1.7 * static_cast<double>(rows[0]));
}

TEST_CASE("bfloat16 rounds to the nearest") {
  EmbeddingTable table = table_of(3, 4, TableDtype::kBf16);
  REQUIRE(table.write({0, 0, 0}, Row{1.0F + 0x1p-9F, -3.14159F, 0}.data()).ok());
  CHECK(read(table, {0, 0, 0}) == Row{1, -3.140625F, 0});
}

TEST_CASE("a budget in which one step does not fit is refused") {
  CHECK(EmbeddingTable::make(4, TableDtype::kF32, 100, 3).status().message() ==
        "embedding table: a budget of 100 bytes holds 2 rows of 40 bytes; one step needs 3");
  CHECK(EmbeddingTable::make(4, TableDtype::kF32, 120, 3).ok());
  CHECK_FALSE(EmbeddingTable::make(4, TableDtype::kF32, 0).ok());
}

TEST_CASE("numbers that are not finite are refused with their place, and the old row stays") {
  EmbeddingTable table = table_of(2, 4);
  REQUIRE(table.write({1, 2, 3}, Row{4, 5}.data()).ok());
  CHECK(table.write({1, 2, 3}, Row{4, std::numeric_limits<float>::quiet_NaN()}.data()).message() ==
        "embedding table: channel 1 of graph 1, config 2, segment 3 is nan");
  CHECK(read(table, {1, 2, 3}) == Row{4, 5});
  CHECK_FALSE(table.write({0, 0, 0}, Row{-std::numeric_limits<float>::infinity(), 0}.data()).ok());
  CHECK(table.size() == 1);
}

TEST_CASE("a restored table goes on as the one it was saved from") {
  for (const TableDtype dtype : {TableDtype::kF32, TableDtype::kBf16}) {
    EmbeddingTable table = table_of(2, 20, dtype);
    Rng rng(4);
    const auto write_some = [](EmbeddingTable& to, Rng draws) {
      for (int i = 0; i < 50; ++i) {
        const Row row = {static_cast<float>(draws.uniform()), static_cast<float>(i)};
        REQUIRE(to.write({0, static_cast<std::uint32_t>(draws.below(40)), 0}, row.data()).ok());
      }
    };
    write_some(table, Rng(rng.next()));
    EmbeddingTable copy = table_of(2, 20, dtype);
    REQUIRE(copy.restore(table.keys(), table.f32(), table.bf16(), table.next()).ok());
    const Rng same = Rng(rng.next());
    write_some(table, same);
    write_some(copy, same);
    for (std::uint32_t c = 0; c < 40; ++c) CHECK(read(table, {0, c, 0}) == read(copy, {0, c, 0}));
  }
}

TEST_CASE("what cannot be a table's content is not restored") {
  EmbeddingTable table = table_of(1, 3);
  const auto restore = [&](std::vector<std::uint64_t> keys, std::vector<float> values, std::size_t next) {
    return table.restore(std::move(keys), std::move(values), {}, next);
  };
  CHECK(restore({1, 2, 3}, {1, 2, 3}, 2).ok());
  CHECK(restore({1, 2, 3, 4}, {1, 2, 3, 4}, 0).message() ==
        "embedding table: 4 keys, 4 numbers and next row 0 do not fit 3 rows of 1");
  CHECK_FALSE(restore({1, 2}, {1}, 0).ok());
  CHECK_FALSE(restore({1}, {1}, 3).ok());
  CHECK_FALSE(table.restore({1}, {1}, {0}, 0).ok());
  CHECK(restore({1, 2}, {1, std::numeric_limits<float>::infinity()}, 0).message() ==
        "embedding table: number 1 is not finite");
  CHECK(restore({5, 5}, {1, 2}, 0).message() == "embedding table: row 1 has the key of another row");
}

}  // namespace
}  // namespace mlgraph
