// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/current_config.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "allocation_counter.hpp"

namespace mlgraph {
namespace {

using Entries = std::vector<float>;

Entries entries_of(const CurrentConfig& config) { return {config.values().begin(), config.values().end()}; }

/// Three rows of two entries, as of configuration 1 of two.
CurrentConfig bound_config() {
  static const std::vector<std::int8_t> narrow = {0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6};
  CurrentConfig config;
  config.bind(3, 2);
  ConfigView two;
  two.narrow = narrow;
  two.num_configs = 2;
  two.rows_per_config = 3;
  two.num_features = 2;
  config.assign(two, 1);
  return config;
}

TEST_CASE("a configuration is what was assigned, as floats") {
  const CurrentConfig config = bound_config();
  CHECK(entries_of(config) == Entries{1, 2, 3, 4, 5, 6});
  const ConfigView view = config.view();
  CHECK((view.num_configs == 1 && view.rows_per_config == 3 && view.num_features == 2));
  CHECK(view.wide.data() == config.values().data());
}

TEST_CASE("changes are taken back to the last commit, however often a row was changed") {
  CurrentConfig config = bound_config();
  const std::vector<std::int32_t> rows = {2, 0, 2}, row = {2};
  config.change(rows, Entries{10, 11, 12, 13, 14, 15});
  CHECK(entries_of(config) == Entries{12, 13, 3, 4, 14, 15});  // of a row that is given twice the last counts
  config.change(row, Entries{16, 17});
  config.rollback();
  CHECK(entries_of(config) == Entries{1, 2, 3, 4, 5, 6});
  config.change(row, Entries{16, 17});
  config.commit();
  config.rollback();
  CHECK(entries_of(config) == Entries{1, 2, 3, 4, 16, 17});
  config.change(row, Entries{18, 19});
  config.rollback();
  CHECK(entries_of(config) == Entries{1, 2, 3, 4, 16, 17});
}

TEST_CASE("a change that cannot be made is told with row and entry, and makes none") {
  const CurrentConfig config = bound_config();
  const std::vector<std::int32_t> good = {0, 2}, beyond = {0, 3}, negative = {-1};
  CHECK(config.check("p", good, Entries{1, 2, 3, 4}).ok());
  CHECK(config.check("p", good, Entries{1, 2, 3}).message() ==
        "p: a change of 2 rows has 3 features; should have 2 for each");
  CHECK(config.check("p", beyond, Entries{1, 2, 3, 4}).message() ==
        "p: a configuration has no row 3; it has 3");
  CHECK(config.check("p", negative, Entries{1, 2}).code() == StatusCode::kOutOfRange);
  CHECK(config.check("p", good, Entries{1, 2, 3, std::numeric_limits<float>::infinity()}).message() ==
        "p: entry 1 of row 2 is inf");
  CHECK(entries_of(config) == Entries{1, 2, 3, 4, 5, 6});
}

TEST_CASE("changing every row allocates nothing") {
  CurrentConfig config = bound_config();
  const std::vector<std::int32_t> rows = {0, 1, 2};
  const Entries entries(6, 9.0f);
  const std::size_t before = testing::num_allocations();
  for (int i = 0; i < 3; ++i) {
    config.change(rows, entries);
    config.rollback();
    config.change(rows, entries);
    config.commit();
  }
  CHECK(testing::num_allocations() == before);
}

}  // namespace
}  // namespace mlgraph
