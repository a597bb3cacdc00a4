// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/infer/explain.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"
#include "infer/session_fixture.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

double sum_of(const Explanation& e) { return e.constant + std::accumulate(e.node.begin(), e.node.end(), 0.0); }

/// The sum is the score, and the score that of predict().
void check_sum(const Model& model, const ProgramView& view) {
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

TEST_CASE("contributions add up to the score, for every network, direction, cut and read-out") {
  for_each_session_model(
      [](const Model& model, const OwnedProgram& program) { check_sum(model, program.view()); });
}

TEST_CASE("contributions of a winner of layouts add up, with and without scores of nodes, whole and pruned") {
  const std::unique_ptr<NetOptions> winner = small_winner("layout-winner");
  const ProgramSetFixture set(*winner, 1, 1, 9);
  const OwnedProgram program = large_layout_program(3, 600, 11, 9);
  for (const char* const node_scores : {"no", "yes"}) {
    for (const char* const prune : {"none", "edge", "khop-merge:1"}) {
      const Model model = set.model(*options_with(*winner, {{"node_scores", node_scores}, {"prune", prune}}));
      check_sum(model, program.view());
      const PreparedProgram prepared = model.prepare(program.view()).value();
      const Explanation e = explain(model, prepared, 1).value();
      std::vector<bool> seen(e.node.size(), false);
      for (const std::int32_t v : prepared.segments[0].node) seen[static_cast<std::size_t>(v)] = true;
      for (std::size_t v = 0; v < seen.size(); ++v) {
        if (!seen[v]) CHECK(e.node[v] == 0);
      }
      CHECK((std::find(seen.begin(), seen.end(), false) != seen.end()) == (std::string(prune) != "none"));
    }
  }
}

TEST_CASE("read-outs without biases leave no constant") {
  for (const std::string_view name :
       {"layout-sage", "layout-sage-late", "layout-resgcn", "layout-resgcn-late"}) {
    const std::unique_ptr<NetOptions> options = small_net(name);
    const ProgramSetFixture set(*options, 1, 1, 9);
    const Model model = set.model(*options);
    const Explanation e = explain(model, model.prepare(set.programs[0].view()).value(), 2).value();
    CHECK(std::abs(e.constant) <= 1e-5 * std::abs(e.score));
  }
}

/// The smallest network: a score of each node, and one of the configuration beside their sum.
struct SumNet {
  static constexpr std::string_view kName = "sum-net";
  struct Options : InputOptions {
    std::int64_t num_outputs = 1;
    template <class V>
    void fields(V& v) {
      v("num_outputs", "", num_outputs, 1, 2, "Scores of a configuration");
    }
  };
  SumNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : num_outputs(options.num_outputs),
        node(p, "node", in.num_node_features, num_outputs),
        config(p, "config", in.num_config_features, num_outputs) {}

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.config_in_readout = true;
    plan.channels = plan.num_outputs = num_outputs;
    return plan;
  }
  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return node(ctx, ctx.input(rows.x));
  }
  template <class C>
  Var layer(C&, std::int64_t, Var h, Var, const Flow<typename C::Scalar>&) const {
    return h;
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var of_graph) const {
    return ctx.add(ctx.repeat_rows(pooled, ctx.rows(of_graph)), config(ctx, of_graph));
  }

  std::int64_t num_outputs;
  Linear node, config;
};

TEST_CASE("what a configuration adds in the read-out belongs to no node") {
  const OwnedProgram program = tile_program(1, 9);
  const std::vector<ProgramView> views = {program.view()};
  const Model model = fit_model<SumNet>(views).value();
  check_sum(model, program.view());
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const Explanation e = explain(model, prepared, 1).value();
  const Explanation d = difference(e, explain(model, prepared, 0).value());
  CHECK(d.score != 0);
  CHECK(d.constant == doctest::Approx(d.score));
  CHECK(d.node == std::vector<double>(e.node.size(), 0.0));
  CHECK(*std::max_element(e.node.begin(), e.node.end()) > *std::min_element(e.node.begin(), e.node.end()));

  SumNet::Options two;
  two.num_outputs = 2;
  const Model vectors = fit_model<SumNet>(views, two).value();
  CHECK(explain(vectors, vectors.prepare(views[0]).value(), 0).status().message() ==
        "tile_1: a sum-net model gives a config 2 scores; only one alone can be taken apart");
}

TEST_CASE("where layouts join late, a change of one node's layout changes its contribution alone") {
  const std::unique_ptr<NetOptions> options = small_net("layout-sage-late");
  const ProgramSetFixture set(*options, 1, 1, 9);
  OwnedProgram program = set.programs[0];
  const auto row = static_cast<std::size_t>(program.config_features);
  const auto config = row * static_cast<std::size_t>(program.rows_per_config);
  // Config 1 becomes config 0 but for the layout of the second configurable node.
  std::copy_n(program.narrow.begin(), config, program.narrow.begin() + static_cast<std::ptrdiff_t>(config));
  for (std::size_t f = 0; f < row; ++f) program.narrow[config + row + f] = static_cast<std::int8_t>(5);
  const Model model = set.model(*options);
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
  const auto message = [](const std::unique_ptr<NetOptions>& options, std::int32_t config) {
    const OwnedProgram program = program_for(*options, 1, 9);
    const Model model = model_for(program, *options);
    return explain(model, model.prepare(program.view()).value(), config).status().message();
  };
  CHECK(message(small_winner("tile-winner"), 0) ==
        "tile_1: a tile-winner model takes the maximum over nodes: its score is no sum over them");
  CHECK(message(small_winner("layout-winner", 4), 0) ==
        "layout_1: this layout-winner model compares configs: none has a score of its own that could be taken "
        "apart");
  CHECK(message(small_net("layout-sage"), 24) == "layout_1: there is no config 24; there are 9");

  const std::unique_ptr<NetOptions> options = small_net("layout-sage-late");
  const OwnedProgram program = program_for(*options, 1, 9);
  Model broken = model_for(program, *options);
  const PreparedProgram prepared = broken.prepare(program.view()).value();
  const std::vector<std::byte> bytes = model_to_bytes(broken).value();
  for (float& w : broken.parameters().value) w = std::numeric_limits<float>::infinity();
  const Status status = explain(broken, prepared, 0).status();
  CHECK_MESSAGE(status.message().rfind("layout_1: the score of config 0 is ", 0) == 0, status.message());

  const Model predicting = model_from_bytes(bytes, predicting_nets<LayoutSageLate>()).value();
  CHECK(explain(predicting, prepared, 0).status().message() ==
        "layout_1: this layout-sage-late model was loaded for prediction alone; to take a score apart its "
        "read-out "
        "is differentiated: load it with trainable_nets<>()");
}

}  // namespace
}  // namespace mlgraph
