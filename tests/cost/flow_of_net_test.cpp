// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/flow_of_net.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <vector>

#include "cost/planned_fixture.hpp"

namespace mlgraph {
namespace {

using testing::RepeatedProgram;
using testing::RepeatedSize;

/// Every stage without weights and with each kind of them, along every direction.
NetPlan plan_of_all_stages(Join join) {
  NetPlan plan;
  plan.join = join;
  plan.channels = 1;
  for (const Direction direction : testing::kAllDirections) {
    for (const EdgeWeights weights : {EdgeWeights::kNone, EdgeWeights::kGcn, EdgeWeights::kRowNorm}) {
      Stage& stage = plan.stages.emplace_back();
      stage.direction = direction;
      stage.weights = weights;
    }
  }
  plan.stages.emplace_back().reads_edges = false;
  return plan;
}

/// Class by class the weights that a stage has, and no two classes of the same bits.
void check_weight_classes(const std::vector<std::int32_t>& kind, const std::vector<float>& value,
                          const std::vector<double>& value64, Span<const float> weight,
                          Span<const double> weight64) {
  REQUIRE(kind.size() == weight.size());
  REQUIRE(value.size() == value64.size());
  std::set<std::vector<unsigned char>> distinct;
  for (std::size_t k = 0; k < value.size(); ++k) {
    std::vector<unsigned char> bytes(12);
    std::memcpy(bytes.data(), &value64[k], 8);
    std::memcpy(bytes.data() + 8, &value[k], 4);
    CHECK(distinct.insert(bytes).second);
  }
  for (std::size_t i = 0; i < kind.size(); ++i) {
    const auto k = static_cast<std::size_t>(kind[i]);
    REQUIRE(k < value.size());
    CHECK(value[k] == weight[i]);
    CHECK(value64[k] == weight64[i]);
  }
}

TEST_CASE("the stages of a flow graph have the edges of the plan's, and the classes of their weights") {
  Rng rng(6);
  RepeatedSize size;
  size.num_nodes = 50;
  const RepeatedProgram program(rng, size);
  const NetPlan plan = plan_of_all_stages(Join::kConfigurable);
  const FlowGraph flow = make_flow_graph(plan, program.segment);
  REQUIRE(flow.stages.size() == plan.stages.size());
  const EdgesView edges = program.segment.graph.edges();
  Arena arena;
  StageWeights<float> weights(edges);
  StageWeights<double> weights64(edges);
  for (std::size_t k = 0; k < plan.stages.size(); ++k) {
    const FlowStage& stage = flow.stages[k];
    CHECK(stage.reads_edges() == plan.stages[k].reads_edges);
    if (!stage.reads_edges()) continue;
    CHECK(stage.edges.csr.col.data() == edges.along(plan.stages[k].direction).csr.col.data());
    const RowWeights<float> of = weights.of(arena, plan.stages[k]);
    const RowWeights<double> of64 = weights64.of(arena, plan.stages[k]);
    check_weight_classes(stage.edge_kind, stage.edge_weight, stage.edge_weight64, of.edge, of64.edge);
    check_weight_classes(stage.node_kind, stage.node_weight, stage.node_weight64, of.self, of64.self);
    CHECK(stage.edge_kind.empty() == (plan.stages[k].weights == EdgeWeights::kNone));
    CHECK(stage.edge_weight.size() < 20);  // degrees are few
  }
}

/// A segment of nodes without edges.
Segment segment_of(const std::vector<float>& x, const std::vector<std::int32_t>& opcode,
                   const std::vector<std::int32_t>& layout, const std::vector<std::int32_t>& config_node = {}) {
  Segment segment;
  const auto num_nodes = static_cast<std::int64_t>(opcode.size());
  const GraphView view = {
      {x.data(), num_nodes, static_cast<std::int64_t>(x.size()) / num_nodes}, opcode, {}, {}, config_node};
  EdgeOptions options;
  options.both = true;
  segment.graph = Graph::from_view(view, options).value();
  segment.node.resize(opcode.size());
  segment.node_layout = layout;
  return segment;
}

TEST_CASE("nodes have the same input where opcode, layout and every bit of their features are the same") {
  using Kinds = std::vector<std::int32_t>;
  const NetPlan plan = plan_of_all_stages(Join::kNone);
  const std::vector<float> x = {1, 2, 1, 2, 1, 3, 1, 2, 0, 2, -0.0f, 2, 1, 3};
  const Kinds opcode = {4, 4, 4, 5, 4, 4, 4};
  CHECK(make_flow_graph(plan, segment_of(x, opcode, {})).input_kind == Kinds{0, 0, 1, 2, 3, 4, 1});
  const Kinds layout = {1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
  CHECK(make_flow_graph(plan, segment_of(x, opcode, layout)).input_kind == Kinds{0, 1, 2, 3, 4, 5, 2});
  CHECK(make_flow_graph(plan, segment_of({}, opcode, {})).input_kind == Kinds{0, 0, 0, 1, 0, 0, 0});
}

TEST_CASE("where configurations join, and what is pooled, is the plan's; a halo is not pooled") {
  const std::vector<std::int32_t> opcode = {0, 1, 2, 3, 4}, config_node = {2, 0, 4};
  Segment segment = segment_of({}, opcode, {}, config_node);
  segment.num_halo = 2;
  segment.num_halo_config = 1;
  NetPlan plan = plan_of_all_stages(Join::kConfigurable);
  plan.join_stage = 4;
  FlowGraph flow = make_flow_graph(plan, segment);
  CHECK((flow.joins() && flow.join_stage == 4 && flow.join_level() == 5 && flow.last_level() == 11));
  CHECK((flow.level_of(3) == 3 && flow.level_of(4) == 5));
  CHECK(flow.config_node == config_node);
  CHECK((flow.num_nodes == 5 && flow.num_inner == 3 && flow.num_inner_config == 2));
  CHECK((flow.pools_all && !flow.pools_config));

  plan.pools = {{Pool::Rows::kConfigurable, kernels::Reduce::kMean, true}};
  flow = make_flow_graph(plan, segment);
  CHECK((!flow.pools_all && flow.pools_config));
  plan.pools.emplace_back();
  flow = make_flow_graph(plan, segment);
  CHECK((flow.pools_all && flow.pools_config));

  plan.join = Join::kConfigurableOnly;  // those of a halo do not go on
  plan.join_stage = plan.num_stages();
  plan.pools.resize(1);
  plan.pools[0].rows = Pool::Rows::kAll;
  flow = make_flow_graph(plan, segment);
  CHECK((flow.config_only && flow.joins() && !flow.pools_all && flow.pools_config));
  CHECK(flow.config_node == std::vector<std::int32_t>{2, 0});
  CHECK(flow.num_inner_config == 2);

  for (const Join join : {Join::kNone, Join::kGraph}) {  // no node has a configuration of its own
    plan = plan_of_all_stages(join);
    plan.join_stage = 1;
    flow = make_flow_graph(plan, segment);
    CHECK(!flow.joins());
    CHECK((flow.last_level() == 10 && flow.level_of(4) == 4));
    CHECK(flow.config_node.empty());
  }
}

}  // namespace
}  // namespace mlgraph
