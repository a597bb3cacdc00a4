// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/row_readers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "graph/flow_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing::flow;  // NOLINT: the fixture
using testing::Ids;

/// How often total `d` reads each row: as all of them do, and alone.
std::vector<double> reads_of(const RowReaders<double>& readers, std::int32_t d) {
  std::vector<double> reads(static_cast<std::size_t>(readers.totals.num_rows()));
  for (std::size_t r = 0; r < reads.size(); ++r) {
    for (auto e = static_cast<std::size_t>(readers.totals.row_ptr[r]);
         e < static_cast<std::size_t>(readers.totals.row_ptr[r + 1]); ++e) {
      const bool is_of_all = readers.has_all() && readers.totals.col[e] == readers.num_totals;
      if (is_of_all || readers.totals.col[e] == d) reads[r] += readers.count[e];
    }
  }
  return reads;
}

/// Numbers of a row are in order but for that of all, which is the first, and none is there twice.
void check_order(const RowReaders<double>& readers) {
  REQUIRE(readers.totals.col.size() == readers.count.size());
  for (std::size_t r = 0; r + 1 < readers.totals.row_ptr.size(); ++r) {
    Ids numbers(readers.totals.col.begin() + readers.totals.row_ptr[r],
                readers.totals.col.begin() + readers.totals.row_ptr[r + 1]);
    if (readers.has_all() && !numbers.empty() && numbers[0] == readers.num_totals)
      numbers.erase(numbers.begin());
    CHECK(std::adjacent_find(numbers.begin(), numbers.end(), [](int a, int b) { return a >= b; }) ==
          numbers.end());
    CHECK(std::all_of(numbers.begin(), numbers.end(), [&](int d) { return d >= 0 && d < readers.num_totals; }));
  }
}

TEST_CASE("each total reads each row as often as nodes of one of its configurations have it") {
  Rng rng(71);
  bool has_repeated = false, has_several = false;
  for (int trial = 0; trial < 300; ++trial) {
    INFO("trial ", trial);
    const FlowCase flow(rng, static_cast<std::int32_t>(rng.below(trial % 8 == 0 ? 330 : 28)));
    FlowPlan plan(flow.graph, trial % 4 != 1);
    if (trial % 3 == 0) plan.set_hash_bits(2);
    const Ids config = flow.random_configs(rng, 1 + rng.below(6), 1 + rng.below(4));
    const std::size_t count = flow.num_configs(config), level = plan.num_levels() - 1;
    const std::size_t num_reached = plan.reached(level).size();
    Arena arena;
    Ids totals(plan.sums().size() * count), last(count * num_reached);
    plan_configs(plan, config, static_cast<std::int64_t>(count), arena, Span<std::int32_t>(totals),
                 Span<std::int32_t>(last));
    for (std::size_t s = 0; s < plan.sums().size(); ++s) {
      const auto readers = find_readers<double>(
          plan, s, Span<const std::int32_t>(totals).subspan(s * count, count), last, arena);
      check_order(readers);
      has_several = has_several || readers.has_all();
      for (std::size_t c = 0; c < count; ++c) {
        std::vector<double> wanted(static_cast<std::size_t>(plan.level(level).size()));
        for (const std::int32_t v : plan.sums()[s].node) {
          const std::int32_t place = plan.place(level, v);
          const std::int32_t row =
              place < 0 ? plan.free_row(level, v) : last[c * num_reached + static_cast<std::size_t>(place)];
          wanted[static_cast<std::size_t>(row)] += 1;
        }
        CHECK(reads_of(readers, totals[s * count + c]) == wanted);
        has_repeated =
            has_repeated || (readers.num_totals > 0 && std::count(wanted.begin(), wanted.end(), 2) > 0);
      }
    }
  }
  CHECK(has_repeated);
  CHECK(has_several);
}

TEST_CASE("totals of configurations that are not asked about read what all read alone") {
  FlowGraph graph;
  graph.num_nodes = graph.num_inner = 3;
  graph.input_kind = {0, 1, 1};
  graph.join_stage = 0;
  graph.config_node = {2};
  graph.num_inner_config = 1;
  FlowPlan plan(graph);
  Arena arena;
  Ids first(1), second(1), last(1);
  plan_configs(plan, Ids{5}, 1, arena, Span<std::int32_t>(first));
  plan_configs(plan, Ids{7}, 1, arena, Span<std::int32_t>(second), Span<std::int32_t>(last));
  REQUIRE(first != second);
  const auto readers = find_readers<double>(plan, 0, second, last, arena);
  CHECK(reads_of(readers, first[0]) == std::vector<double>{1, 1, 0, 0});
  CHECK(reads_of(readers, second[0]) == std::vector<double>{1, 1, 0, 1});
}

}  // namespace
}  // namespace mlgraph
