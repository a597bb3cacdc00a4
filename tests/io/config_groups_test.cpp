// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/io/config_groups.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <vector>

#include "io/program_fixtures.hpp"

using namespace mlgraph;
using io::Duplicates;
using io::Program;
using testing::layout_program;
using testing::tile_program;

namespace {
template <class T>
std::vector<T> as_vector(const AlignedVector<T>& values) {
  return {values.begin(), values.end()};
}
using Ints = std::vector<std::int64_t>;
}  // namespace

TEST_CASE("equal configs share a group, numbered as they appear") {
  const io::ConfigGroups layout = io::group_configs(layout_program().view().configs);
  CHECK(layout.first == Ints{0, 1});
  CHECK(layout.group == Ints{0, 1, 1});
  const io::ConfigGroups tile = io::group_configs(tile_program().view().configs);
  CHECK(tile.first == Ints{0, 1, 3});
  CHECK(tile.group == Ints{0, 1, 0, 2});
  CHECK(io::group_configs({}).num_groups() == 0);
}

TEST_CASE("grouping agrees with a map of the rows") {
  Rng rng(3);
  for (const std::int64_t size : {1, 3, 9}) {
    std::vector<std::int8_t> values(static_cast<std::size_t>(2000 * size));
    for (std::int8_t& value : values) value = static_cast<std::int8_t>(static_cast<int>(rng.below(3)) - 1);
    ConfigView configs;
    configs.narrow = values;
    configs.num_configs = 2000;
    configs.num_features = size;
    const io::ConfigGroups groups = io::group_configs(configs);
    std::map<std::vector<std::int8_t>, std::int64_t> expected;
    for (std::int64_t c = 0; c < 2000; ++c) {
      const std::vector<std::int8_t> row(values.begin() + c * size, values.begin() + (c + 1) * size);
      const auto found = expected.emplace(row, static_cast<std::int64_t>(expected.size())).first;
      REQUIRE(groups.group[static_cast<std::size_t>(c)] == found->second);
    }
    CHECK(groups.num_groups() == static_cast<std::int64_t>(expected.size()));
  }
}

TEST_CASE("deduplicate keeps the fastest measurement") {
  const Program layout = io::deduplicate(layout_program().view(), Duplicates::kMin);
  CHECK(layout.num_configs == 2);
  CHECK(as_vector(layout.narrow_configs) == std::vector<std::int8_t>{-1, 0, 1, 2, 5, 0, 1, 3});
  CHECK(as_vector(layout.runtime) == Ints{1000, 3000000000});
  CHECK(as_vector(layout.config_node) == std::vector<std::int32_t>{3, 1});
  CHECK(io::check_program(layout.view()).ok());

  // 30 / 60 of the default is faster than 20 / 20.
  const Program tile = io::deduplicate(tile_program().view(), Duplicates::kMin);
  CHECK(as_vector(tile.wide_configs) == std::vector<float>{8, 128, 0.5f, 16, 64, 0, 1, 1, 1e6f});
  CHECK(as_vector(tile.runtime) == Ints{30, 40, 10});
  CHECK(as_vector(tile.runtime_normalizer) == Ints{60, 20, 20});
}

TEST_CASE("deduplicate keeps the mean, of labels where the normalizers differ") {
  CHECK(as_vector(io::deduplicate(layout_program().view(), Duplicates::kMean).runtime) ==
        Ints{1000, 3000000001});
  const Program tile = io::deduplicate(tile_program().view(), Duplicates::kMean);
  CHECK(as_vector(tile.runtime) == Ints{15, 40, 10});  // (20 / 20 + 30 / 60) / 2 = 15 / 20
  CHECK(as_vector(tile.runtime_normalizer) == Ints{20, 20, 20});
}

TEST_CASE("the mean of large runtimes does not overflow") {
  Program program = layout_program();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  program.runtime = {1, kMax, kMax - 2};
  CHECK(io::deduplicate(program.view(), Duplicates::kMean).runtime[1] == kMax - 1);
}

TEST_CASE("without duplicates, or asked to keep them, deduplicate copies") {
  const Program program = layout_program();
  CHECK(testing::difference(io::deduplicate(program.view(), Duplicates::kKeep).view(), program.view()) == "");
  const Program once = io::deduplicate(program.view(), Duplicates::kMin);
  CHECK(testing::difference(io::deduplicate(once.view(), Duplicates::kMean).view(), once.view()) == "");
  Program unmeasured = layout_program();
  unmeasured.runtime.clear();
  const Program distinct = io::deduplicate(unmeasured.view(), Duplicates::kMin);
  CHECK(distinct.num_configs == 2);
  CHECK(distinct.runtime.empty());
}

TEST_CASE("configs without features are one group, and those that were measured in several runs are averaged") {
  ConfigView configs;
  configs.num_configs = 3;
  CHECK(io::group_configs(configs).num_groups() == 1);

  Program program = tile_program();  // of the same config: 20 / 20, 30 / 60 and 50 / 50
  program.wide_configs = {8, 128, 0.5f, 16, 64, 0, 8, 128, 0.5f, 8, 128, 0.5f};
  program.runtime = {20, 40, 30, 50};
  program.runtime_normalizer = {20, 20, 60, 50};
  const Program distinct = io::deduplicate(program.view(), io::Duplicates::kMean);
  REQUIRE(distinct.num_configs == 2);
  CHECK(distinct.runtime[0] == 17);  // (1 + 0.5 + 1) / 3 of 20
  CHECK(distinct.runtime_normalizer[0] == 20);
}
