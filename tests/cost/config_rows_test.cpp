// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/config_rows.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"

namespace mlgraph {
namespace {

/// Three configurations of two rows of two entries, 0 to 11 in order.
struct EntriesInOrder {
  std::vector<float> entries = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  FeatureEncoder encoder;
  Arena arena;

  explicit EntriesInOrder(ConfigEncoding encoding) {
    encoder.num_config_inputs = 2;
    encoder.config_encoding = encoding;
  }
  [[nodiscard]] ConfigView view() const { return {{}, entries, 3, 2, 2}; }
};

TEST_CASE("rows of configurations are encoded as numbers or as classes, in the order that is asked for") {
  const std::vector<std::int32_t> ids = {2, 0}, rows = {1, 0};
  EntriesInOrder one_hot(ConfigEncoding::kOneHot);
  const ConfigRows<float> numbers =
      encode_config_rows(one_hot.arena, one_hot.encoder, one_hot.view(), ids, rows);
  CHECK((numbers.num_rows == 4 && numbers.x.rows == 4 && numbers.x.cols == 16 && numbers.classes.empty()));
  const float first[] = {2, 3};  // entries of the last row: of configuration 0
  for (std::int64_t c = 0; c < 16; ++c) {
    const float entry = static_cast<float>(c % 8) - 1;
    CHECK(numbers.x(2, c) == (first[c / 8] == entry ? 1.0f : 0.0f));
  }

  EntriesInOrder embedded(ConfigEncoding::kEmbedding);
  const ConfigRows<float> classes =
      encode_config_rows(embedded.arena, embedded.encoder, embedded.view(), ids, rows);
  CHECK((classes.num_rows == 4 && classes.x.size() == 0 && classes.classes.size() == 8));
  // A class is that of an entry of -1 to 5 plus 2, and 0 of others: only those of configuration 0 have one.
  std::vector<std::int32_t> row(2);
  std::vector<float> scratch(2);
  embedded.encoder.encode_config_classes(embedded.view(), std::vector<std::int32_t>{0},
                                         std::vector<std::int32_t>{1}, scratch.data(), row.data());
  CHECK(std::vector<std::int32_t>(classes.classes.begin() + 4, classes.classes.begin() + 6) == row);
  CHECK(encode_config_rows(embedded.arena, embedded.encoder, embedded.view(), {}, rows).num_rows == 0);
}

TEST_CASE("the configuration of the graph is the row behind those of nodes, where the plan takes it") {
  const std::vector<std::int32_t> ids = {1, 2};
  EntriesInOrder data(ConfigEncoding::kOneHot);
  NetPlan plan;
  CHECK(encode_graph_config(data.arena, plan, data.encoder, data.view(), ids).num_rows == 0);
  plan.join = Join::kGraph;
  const ConfigRows<float> of_graph = encode_graph_config(data.arena, plan, data.encoder, data.view(), ids);
  REQUIRE(of_graph.num_rows == 2);
  const std::vector<std::int32_t> last_row = {1};
  const ConfigRows<float> wanted = encode_config_rows(data.arena, data.encoder, data.view(), ids, last_row);
  for (std::int64_t r = 0; r < 2; ++r) {
    for (std::int64_t c = 0; c < 16; ++c) CHECK(of_graph.x(r, c) == wanted.x(r, c));
  }
  CHECK(of_graph.x(0, 7) == 1.0f);  // entry 6 of configuration 1
}

}  // namespace
}  // namespace mlgraph
