// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/segment_input.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "cost/program_fixture.hpp"
#include "mlgraph/core/arena.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("a segment is handed on as it is, borrowed, with its halo") {
  const OwnedProgram program = layout_program(4, 6, 5);
  const auto options = small_net("layout-sage", {{"segment_size", "4"}, {"segment_halo", "yes"}});
  const Model model = model_for(program, *options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  REQUIRE(prepared.segments.size() > 1);
  const Segment& segment = prepared.segments[0];
  REQUIRE(segment.num_halo > 0);
  const NetInput<float> in = net_input(segment);
  CHECK(in.nodes.x.data == segment.graph.x().data);
  CHECK(in.nodes.opcode.data() == segment.graph.opcode().data());
  CHECK(in.edges.forward.csr.col.data() == segment.graph.edges().forward.csr.col.data());
  CHECK(in.config_node.data() == segment.graph.config_node().data());
  CHECK((in.num_halo == segment.num_halo && in.num_halo_config == segment.num_halo_config));
  CHECK((in.num_configs == 0 && in.config.num_rows == 0));
}

TEST_CASE("configurations are encoded where the plan takes them: of inner nodes alone where only those go on") {
  const OwnedProgram program = layout_program(4, 6, 5);
  const auto options = small_net("layout-sage", {{"segment_size", "4"}, {"segment_halo", "yes"}});
  const Model model = model_for(program, *options);
  const PreparedProgram prepared = model.prepare(program.view()).value();
  const std::vector<std::int32_t> ids = {5, 1, 3};
  Arena arena;
  bool had_halo = false;
  for (const Segment& segment : prepared.segments) {
    const auto rows_with = [&](Join join) {
      NetPlan plan;
      plan.join = join;
      return net_input(arena, plan, model.encoder(), segment, program.view().configs, ids);
    };
    const auto all = static_cast<std::int64_t>(segment.config_row.size());
    had_halo = had_halo || segment.num_halo_config > 0;
    const NetInput<float> in = rows_with(Join::kConfigurable);
    CHECK((in.num_configs == 3 && in.config.num_rows == 3 * all && in.graph_config.num_rows == 0));
    CHECK(rows_with(Join::kConfigurableOnly).config.num_rows == 3 * (all - segment.num_halo_config));
    CHECK(rows_with(Join::kNone).config.num_rows == 0);
    CHECK(rows_with(Join::kGraph).graph_config.num_rows == 3);
    CHECK(rows_with(Join::kGraph).config.num_rows == 0);
    const ConfigRows<float> wanted =
        encode_config_rows(arena, model.encoder(), program.view().configs, ids, segment.config_row);
    bool same = true;
    for (std::int64_t i = 0; i < wanted.x.size(); ++i) same = same && wanted.x.data[i] == in.config.x.data[i];
    CHECK(same);
  }
  CHECK(had_halo);
}

}  // namespace
}  // namespace mlgraph
