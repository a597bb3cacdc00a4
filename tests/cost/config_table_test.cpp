// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/config_table.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "mlgraph/core/random.hpp"

namespace mlgraph {
namespace {

/// C configurations of K rows, of few values: as int8 and as float.
struct SmallConfigs {
  std::int64_t num_configs, rows_per_config, num_features;
  std::vector<std::int8_t> narrow;
  std::vector<float> wide;

  SmallConfigs(std::int64_t configs, std::int64_t rows, std::int64_t features, std::uint64_t kinds)
      : num_configs(configs), rows_per_config(rows), num_features(features) {
    Rng rng(2);
    for (std::int64_t i = 0; i < configs * rows * features; ++i) {
      narrow.push_back(static_cast<std::int8_t>(static_cast<int>(rng.below(kinds)) - 1));
      wide.push_back(narrow.back());
    }
  }
  [[nodiscard]] ConfigView view(bool as_float) const {
    ConfigView view = {{}, {}, num_configs, rows_per_config, num_features};
    if (as_float) {
      view.wide = wide;
    } else {
      view.narrow = narrow;
    }
    return view;
  }
};

TEST_CASE("equal rows have one id, numbered as they come, whether they came as int8 or as float") {
  for (const std::int64_t features : {1, 3, 8, 18}) {
    const SmallConfigs configs(60, 4, features, features == 1 ? 7 : 2);
    ConfigTable narrow(features), wide(features), mixed(features);
    std::map<std::vector<float>, std::int32_t> ids;
    for (std::int64_t c = 0; c < 60; ++c) {
      for (std::int64_t k = 0; k < 4; ++k) {
        std::vector<float> row(static_cast<std::size_t>(features));
        configs.view(true).copy_row(c, k, row.data());
        const std::int32_t id = ids.emplace(row, static_cast<std::int32_t>(ids.size())).first->second;
        CHECK(narrow.find(configs.view(false), c, k) == id);
        CHECK(wide.find(configs.view(true), c, k) == id);
        CHECK(mixed.find(configs.view(c % 2 == 0), c, k) == id);
        CHECK(mixed.find(row.data()) == id);
      }
    }
    for (const ConfigTable* const table : {&narrow, &wide, &mixed}) {
      CHECK(table->size() == static_cast<std::int32_t>(ids.size()));
      const ConfigView view = table->view();
      CHECK((view.num_configs == table->size() && view.rows_per_config == 1 && view.num_features == features));
      for (const auto& [row, id] : ids) {
        std::vector<float> found(row.size());
        view.copy_row(id, 0, found.data());
        CHECK(found == row);
      }
    }
    CHECK(ids.size() > (features < 8 ? 1 : 64));  // the table grew
    CHECK(narrow.bytes() > wide.bytes());
  }
}

TEST_CASE("rows are told apart by their bits") {
  ConfigTable table(2);
  const float rows[][2] = {{0, 1}, {-0.0f, 1}, {0, 1.0000001f}, {1, 0}};
  for (std::int32_t id = 0; id < 4; ++id) CHECK(table.find(rows[id]) == id);
  const std::int8_t zero_one[] = {0, 1};
  CHECK(table.find({{zero_one, 2}, {}, 1, 1, 2}, 0, 0) == 0);
}

TEST_CASE("a table can be emptied, and rows without features are all one") {
  ConfigTable table(1);
  const float rows[] = {5, 6};
  CHECK(table.find(&rows[0]) == 0);
  CHECK(table.find(&rows[1]) == 1);
  const std::int8_t narrow[] = {6};
  CHECK(table.find({{narrow, 1}, {}, 1, 1, 1}, 0, 0) == 1);
  table.clear();
  CHECK(table.size() == 0);
  CHECK(table.find({{narrow, 1}, {}, 1, 1, 1}, 0, 0) == 0);
  CHECK(table.find(&rows[1]) == 0);
  CHECK(table.view().wide[0] == 6);

  ConfigTable none(0);
  const ConfigView empty = {{}, {}, 3, 2, 0};
  for (std::int64_t c = 0; c < 3; ++c) CHECK(none.find(empty, c, 1) == 0);
  CHECK(none.size() == 1);
}

TEST_CASE("a table takes rows of another width after reset(), and none stay") {
  ConfigTable table;
  const float rows[] = {5, 6, 7};
  for (const std::int64_t features : {1, 3, 3, 2}) {
    table.reset(features);
    CHECK((table.size() == 0 && table.num_features() == features));
    CHECK(table.find(rows) == 0);
    CHECK(table.view().wide.size() == static_cast<std::size_t>(features));
  }
}

TEST_CASE("rows that are used stay, in their order, and the others are new when they come again") {
  const SmallConfigs configs(40, 3, 2, 4);
  ConfigTable table(2);
  const auto find_all = [&](bool as_float) {
    std::vector<std::int32_t> ids;
    for (std::int64_t c = 0; c < 40; ++c) {
      for (std::int64_t k = 0; k < 3; ++k) ids.push_back(table.find(configs.view(as_float), c, k));
    }
    return ids;
  };
  const auto row_of = [&](std::int32_t id) {
    std::vector<float> row(2);
    table.view().copy_row(id, 0, row.data());
    return row;
  };
  const std::vector<std::int32_t> before = find_all(false);
  const std::int32_t size = table.size();
  REQUIRE(size == 16);
  std::vector<std::vector<float>> rows;
  std::vector<char> is_used;
  for (std::int32_t id = 0; id < size; ++id) {
    rows.push_back(row_of(id));
    is_used.push_back(id % 3 == 1 ? 1 : 0);
  }
  const std::vector<std::int32_t> to = table.compact(is_used);
  REQUIRE(to.size() == 16);
  CHECK(table.size() == 5);
  std::int32_t next = 0;
  for (std::size_t id = 0; id < to.size(); ++id) {
    CHECK(to[id] == (is_used[id] != 0 ? next++ : -1));
    if (to[id] >= 0) CHECK(row_of(to[id]) == rows[id]);
  }
  for (const bool as_float : {false, true}) {
    const std::vector<std::int32_t> after = find_all(as_float);
    CHECK(table.size() == 16);
    for (std::size_t i = 0; i < after.size(); ++i) {
      const auto id = static_cast<std::size_t>(before[i]);
      if (to[id] >= 0) CHECK(after[i] == to[id]);
      CHECK(row_of(after[i]) == rows[id]);
    }
  }
  CHECK(table.compact(std::vector<char>(16, 0)) == std::vector<std::int32_t>(16, -1));
  CHECK(table.size() == 0);
}

TEST_CASE("rows are encoded by their ids, as a network takes them") {
  FeatureEncoder encoder;
  encoder.num_config_inputs = 2;
  encoder.config_encoding = ConfigEncoding::kEmbedding;
  ConfigTable table(2);
  const float rows[][2] = {{3, -1}, {0, 5}, {2, 2}};
  for (const float* const row : rows) (void)table.find(row);
  Arena arena;
  const std::int32_t ids[] = {2, 0, 2};
  const ConfigRows<float> some = table.encode(arena, encoder, ids);
  CHECK(some.num_rows == 3);
  std::vector<std::int32_t> wanted(6);
  std::vector<float> row(2);
  const ConfigView all = {{}, {&rows[0][0], 6}, 3, 1, 2};
  const std::int32_t only_row[] = {0};
  encoder.encode_config_classes(all, ids, only_row, row.data(), wanted.data());
  CHECK(std::vector<std::int32_t>(some.classes.begin(), some.classes.end()) == wanted);
  CHECK(table.encode(arena, encoder, {}).num_rows == 0);
}

}  // namespace
}  // namespace mlgraph
