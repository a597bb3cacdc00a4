// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/local_rows.hpp"

#include <doctest/doctest.h>

#include <map>
#include <utility>
#include <vector>

#include "graph/graph_test_util.hpp"

namespace mlgraph {
namespace {

/// Numbers for C configurations, as they come: configuration c has `value[c]`.
LocalRows local_rows_of(const testing::Ids& value, const LocalRows::Memory& memory) {
  std::map<std::int32_t, std::int32_t> number;
  auto* const of = memory.numbers();
  auto* const first = memory.numbers();
  LocalRows local;
  local.count = 0;
  for (std::size_t c = 0; c < value.size(); ++c) {
    const auto [at, is_new] = number.emplace(value[c], local.count);
    if (is_new) first[local.count++] = static_cast<LocalRows::Number>(c);
    of[c] = static_cast<LocalRows::Number>(at->second);
  }
  local.of = of;
  local.first = first;
  return local;
}

testing::Ids random_values(Rng& rng, std::size_t count, std::uint64_t kinds) {
  testing::Ids values(count);
  for (std::int32_t& v : values) v = static_cast<std::int32_t>(rng.below(kinds));
  return values;
}

/// Configurations have the same number exactly where they have the same values in all of `nodes`, and the
/// first of each number has it.
void check_numbers(const LocalRows& local, const std::vector<testing::Ids>& nodes) {
  std::map<testing::Ids, std::int32_t> number;
  for (std::size_t c = 0; c < nodes[0].size(); ++c) {
    testing::Ids key;
    for (const testing::Ids& values : nodes) key.push_back(values[c]);
    const auto [at, is_new] = number.emplace(key, static_cast<std::int32_t>(number.size()));
    REQUIRE((local.of == nullptr ? 0 : local.of[c]) == at->second);
    if (is_new) CHECK(local.config(at->second) == static_cast<std::int32_t>(c));
  }
  CHECK(local.count == static_cast<std::int32_t>(number.size()));
}

TEST_CASE("where nodes meet, configurations have numbers by what they have at all of them") {
  Rng rng(4);
  for (const std::size_t count : {1u, 2u, 40u, 3000u}) {
    for (const std::uint64_t kinds : {1u, 2u, 9u, 120u, 5000u}) {  // 120 by 120: more pairs than the table has
      INFO(count, " configurations of ", kinds, " kinds");
      Arena arena;
      const LocalRows::Memory memory(static_cast<std::int32_t>(count), arena);
      std::vector<testing::Ids> nodes;
      LocalRows local;
      for (int node = 0; node < 4; ++node) {
        nodes.push_back(random_values(rng, count, node == 1 ? 120 : kinds));
        local = LocalRows::meet(local, local_rows_of(nodes.back(), memory), memory);
        check_numbers(local, nodes);
      }
      const LocalRows kept = LocalRows::kept(local, memory);
      for (int i = 0; i < 2; ++i) {  // both buffers are used again
        const LocalRows other = local_rows_of(random_values(rng, count, 3), memory);
        (void)LocalRows::meet(other, local_rows_of(random_values(rng, count, 2), memory), memory);
        (void)LocalRows::meet(LocalRows::meet(other, kept, memory), other, memory);
      }
      check_numbers(kept, nodes);
    }
  }
}

TEST_CASE("meeting a node that all configurations have in common, or the same again, changes nothing") {
  Arena arena;
  const LocalRows::Memory memory(5, arena);
  const testing::Ids values = {3, 1, 3, 2, 1};
  const LocalRows local = local_rows_of(values, memory);
  CHECK(LocalRows::meet(local, LocalRows(), memory).of == local.of);
  CHECK(LocalRows::meet(LocalRows(), local, memory).of == local.of);
  CHECK(LocalRows::meet(local, local, memory).of == local.of);
  const LocalRows none = LocalRows::meet(LocalRows(), LocalRows(), memory);
  CHECK(none.of == nullptr);
  CHECK((none.count == 1 && none.config(0) == 0));
  const LocalRows each = local_rows_of({0, 1, 2, 3, 4}, memory);
  CHECK(LocalRows::meet(each, local, memory).of == each.of);  // they differ as much as they can
}

TEST_CASE("a node's rows are found by configuration") {
  Arena arena;
  const LocalRows::Memory memory(3, arena);
  LocalRows local = LocalRows::kept(local_rows_of({5, 6, 5}, memory), memory);
  local.row[0] = 70;
  local.row[1] = 71;
  CHECK((local.row_of(0) == 70 && local.row_of(1) == 71 && local.row_of(2) == 70));
  LocalRows same = LocalRows::kept(LocalRows(), memory);
  same.row[0] = 9;
  CHECK((same.row_of(0) == 9 && same.row_of(2) == 9));
  const LocalRows* const made = LocalRows::make(memory, 2);
  CHECK((made[1].of == nullptr && made[1].row == nullptr && made[1].count == 1));
}

}  // namespace
}  // namespace mlgraph
