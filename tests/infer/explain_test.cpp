// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/explain.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "infer/session_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

double sum_of(const Explanation& e) { return e.constant + std::accumulate(e.node.begin(), e.node.end(), 0.0); }

/// The sum is the score, and the score that of predict().
void check_sum(const GnnCostModel& model, const ProgramView& view) {
  const PreparedProgram prepared = model.prepare(view).value();
  const std::vector<float> scores = model.predict(prepared, prepared.selection).value();
  for (const std::int32_t c : {0, 5}) {
    const Result<Explanation> e = explain(model, prepared, c);
    REQUIRE_MESSAGE(e.ok(), e.status().message());
    REQUIRE(e->node.size() == static_cast<std::size_t>(view.graph.num_nodes()));
    const auto score = static_cast<double>(scores[static_cast<std::size_t>(c)]);
    double size = std::abs(e->constant);
    for (const double v : e->node) size += std::abs(v);
    CHECK(std::abs(e->score - score) <= 1e-5 * size);
    CHECK(std::abs(sum_of(*e) - score) <= 1e-5 * size);
  }
}

TEST_CASE("contributions add up to the score, for every architecture, join, direction, cut and read-out") {
  for_each_session_model(
      [](const GnnCostModel& model, const OwnedProgram& program) { check_sum(model, program.view()); });
}

TEST_CASE("contributions of a winner of layouts add up, with and without scores of nodes, whole and pruned") {
  const ProgramSetFixture set(Task::kLayout, 1, 1, 9);
  const OwnedProgram program = large_layout_program(3, 600, 11, 9);
  for (const bool node_scores : {false, true}) {
    for (const Prune prune : {Prune::kNone, Prune::kEdges, Prune::kKHopMerge}) {
      ModelOptions options = small_winner(Arch::kLayoutWinner);
      options.node_scores = node_scores;
      options.prune = {prune, 1};
      const GnnCostModel model = set.model(options);
      check_sum(model, program.view());
      const PreparedProgram prepared = model.prepare(program.view()).value();
      const Explanation e = explain(model, prepared, 1).value();
      std::vector<bool> seen(e.node.size(), false);
      for (const std::int32_t v : prepared.segments[0].node) seen[static_cast<std::size_t>(v)] = true;
      for (std::size_t v = 0; v < seen.size(); ++v) {
        if (!seen[v]) CHECK(e.node[v] == 0);
      }
      CHECK((std::find(seen.begin(), seen.end(), false) != seen.end()) == (prune != Prune::kNone));
    }
  }
}

TEST_CASE("read-outs without biases leave no constant") {
  const ProgramSetFixture set(Task::kLayout, 1, 1, 9);
  for (const Arch arch : {Arch::kLayoutSage, Arch::kLayoutResGcn}) {
    for (const Join join : kJoins) {
      const GnnCostModel model = set.model(small_options(arch, join));
      const Explanation e = explain(model, model.prepare(set.programs[0].view()).value(), 2).value();
      CHECK(std::abs(e.constant) <= 1e-5 * std::abs(e.score));
    }
  }
}

TEST_CASE("where layouts join late, a change of one node's layout changes its contribution alone") {
  const ProgramSetFixture set(Task::kLayout, 1, 1, 9);
  OwnedProgram program = set.programs[0];
  const auto row = static_cast<std::size_t>(program.config_features);
  const auto config = row * static_cast<std::size_t>(program.rows_per_config);
  // Config 1 becomes config 0 but for the layout of the second configurable node.
  std::copy_n(program.narrow.begin(), config, program.narrow.begin() + static_cast<std::ptrdiff_t>(config));
  for (std::size_t f = 0; f < row; ++f) program.narrow[config + row + f] = static_cast<std::int8_t>(5);
  const GnnCostModel model = set.model(small_options(Arch::kLayoutSage, Join::kLate));
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const Explanation d = difference(explain(model, prepared, 1).value(), explain(model, prepared, 0).value());
  CHECK(d.score != 0);
  CHECK(d.constant == 0);
  const auto changed = static_cast<std::size_t>(program.config_node[1]);
  for (std::size_t v = 0; v < d.node.size(); ++v) CHECK((d.node[v] != 0) == (v == changed));
  CHECK(d.node[changed] == doctest::Approx(d.score));
  CHECK(d.top(1) == std::vector<std::int32_t>{program.config_node[1]});
  CHECK(d.top(1000).size() == d.node.size());
}

TEST_CASE("models whose score is no sum over nodes, and configs that are not there, are refused") {
  const ProgramSetFixture tiles(Task::kTile, 1, 1, 9);
  const ProgramSetFixture layouts(Task::kLayout, 1, 1, 9);
  const auto message = [](const ProgramSetFixture& set, const ModelOptions& options, std::int32_t config) {
    const GnnCostModel model = set.model(options);
    return explain(model, model.prepare(set.programs[0].view()).value(), config).status().message();
  };
  CHECK(message(tiles, small_winner(Arch::kTileWinner), 0) ==
        "tile_1: a tile-winner model takes the maximum over nodes: its score is no sum over them");
  CHECK(message(layouts, small_winner(Arch::kLayoutWinner, 4), 0) ==
        "layout_1: this layout-winner model compares configs: none has a score of its own that could be taken "
        "apart");
  CHECK(message(layouts, small_options(Arch::kLayoutSage), 24) ==
        "layout_1: there is no config 24; there are 9");

  GnnCostModel broken = layouts.model(small_options(Arch::kLayoutSage, Join::kLate));
  for (float& w : broken.parameters().value) w = std::numeric_limits<float>::infinity();
  const Status status = explain(broken, broken.prepare(layouts.programs[0].view()).value(), 0).status();
  CHECK_MESSAGE(status.message().rfind("layout_1: the score of config 0 is ", 0) == 0, status.message());
}

}  // namespace
}  // namespace mlgraph
