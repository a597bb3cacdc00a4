// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/drop_edge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/cost/flow_of_net.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

std::vector<std::int32_t> columns(const Segment& segment) {
  const CsrView csr = segment.graph.edges().forward.csr;
  return {csr.col.begin(), csr.col.end()};
}

TEST_CASE("the expected share of edges stays, in their order, with all nodes and configs") {
  OwnedProgram program = layout_program(3, 4, 400);
  const Model model = model_for(program, *small_net("layout-sage"));
  const NetPlan& plan = model.plan();
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const Segment& whole = prepared.segments[0];
  const auto all = static_cast<double>(whole.graph.num_edges());
  double mean = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Segment kept = drop_edges(plan, whole, 0.3, seed).value();
    CHECK(kept.graph.num_nodes() == whole.graph.num_nodes());
    CHECK(kept.config_row == whole.config_row);
    CHECK(std::equal(kept.graph.x().data, kept.graph.x().data + kept.graph.x().size(), whole.graph.x().data));
    for (std::int32_t v = 0; v < whole.graph.num_nodes(); ++v)
      CHECK(kept.graph.edges().both.csr.degree(v) <= whole.graph.edges().both.csr.degree(v));
    mean += static_cast<double>(kept.graph.num_edges()) / all / 50;
  }
  CHECK(mean == doctest::Approx(0.7).epsilon(0.02));
  CHECK(columns(drop_edges(plan, whole, 0, 1).value()) == columns(whole));
  CHECK(columns(drop_edges(plan, whole, 0.5, 1).value()) == columns(drop_edges(plan, whole, 0.5, 1).value()));
  CHECK(columns(drop_edges(plan, whole, 0.5, 1).value()) != columns(drop_edges(plan, whole, 0.5, 2).value()));
}

TEST_CASE("what is left has a plan of its own, of the same nodes") {
  const OwnedProgram program = layout_program(3, 4, 40);
  const Model model = model_for(program, *small_net("layout-sage"));
  PreparedProgram prepared = model.prepare(program.view()).value();
  Segment& whole = prepared.segments[0];
  for (const std::int64_t columns : {0, 6}) {  // nodes have layouts that are embedded, or none
    whole.node_layout.assign(whole.node.size() * static_cast<std::size_t>(columns), 0);
    for (std::size_t i = 0; i < whole.node_layout.size(); i += 13) whole.node_layout[i] = 2;
    const FlowGraph wanted = make_flow_graph(model.plan(), whole);
    for (const double share : {0.0, 0.6}) {
      const Segment kept = drop_edges(model.plan(), whole, share, 5).value();
      CHECK(kept.node_layout == whole.node_layout);
      REQUIRE(kept.rows.is_made());
      CHECK(kept.rows.graph().input_kind == wanted.input_kind);
      CHECK(kept.rows.graph().config_node == wanted.config_node);
      const CsrView& csr = kept.rows.graph().stages[0].edges.csr;
      CHECK(csr.col.data() == kept.graph.edges().along(model.plan().stages[0].direction).csr.col.data());
      const bool has_same_rows = kept.rows.num_free() == FlowPlan(wanted).num_free();
      CHECK(has_same_rows == (share == 0));
    }
  }
}

TEST_CASE("shares that are none are refused") {
  const OwnedProgram program = layout_program(1);
  const Model model = model_for(program, *small_net("layout-sage"));
  const PreparedProgram prepared = model.prepare(program.view()).value();
  CHECK(drop_edges(model.plan(), prepared.segments[0], 1, 1).status().message() ==
        "drop_edge is 1; should be in [0, 1)");
  CHECK_FALSE(drop_edges(model.plan(), prepared.segments[0], std::numeric_limits<double>::quiet_NaN(), 1).ok());
}

}  // namespace
}  // namespace mlgraph
