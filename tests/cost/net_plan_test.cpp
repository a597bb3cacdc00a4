// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/net_plan.hpp"

#include <doctest/doctest.h>

#include <string>

namespace mlgraph {
namespace {

using kernels::Reduce;

/// A plan of three stages at configurable nodes.
NetPlan good_plan() {
  NetPlan plan;
  plan.stages.resize(3);
  plan.join = Join::kConfigurable;
  plan.join_stage = 1;
  plan.channels = 4;
  return plan;
}

template <class Change>
std::string plan_message(Change&& change) {
  NetPlan plan = good_plan();
  InputOptions options;
  change(plan, options);
  return check_plan("net", plan, options).message();
}
using Options = InputOptions;

TEST_CASE("a plan says what a network takes") {
  NetPlan plan = good_plan();
  CHECK(check_plan("net", plan, Options()).ok());
  CHECK((plan.takes_nodes() && !plan.takes_graph() && plan.merges_rows()));
  CHECK(plan.num_copies(7) == 7);
  plan.config_in_readout = true;
  CHECK((plan.takes_nodes() && plan.takes_graph()));
  plan.stages[2].mixes_nodes = true;
  CHECK((plan.mixes_nodes() && !plan.merges_rows()));
  plan = good_plan();
  plan.config_chunk = 8;
  CHECK((plan.compares_configs() && !plan.merges_rows()));
  plan = good_plan();
  plan.join = Join::kGraph;
  CHECK((!plan.takes_nodes() && plan.takes_graph() && plan.merges_rows()));
  plan.join = Join::kNone;
  CHECK((!plan.takes_nodes() && !plan.takes_graph() && plan.merges_rows()));
  CHECK(plan.num_copies(7) == 1);
  plan = good_plan();
  plan.join = Join::kConfigurableOnly;
  CHECK((plan.takes_nodes() && plan.merges_rows()));
  CHECK((!plan.draws() && plan.first_drawing() == plan.num_stages()));
  plan.node_out_draws = true;
  CHECK((plan.draws() && plan.merges_rows() && plan.first_drawing() == plan.num_stages()));
  plan.stages[1].draws = true;
  CHECK((plan.draws() && plan.merges_rows() && plan.first_drawing() == 1));
  CHECK_FALSE(good_plan().has_max_pool());
  plan.pools = {{Pool::Rows::kAll, Reduce::kSum, false}, {Pool::Rows::kAll, Reduce::kMax, false}};
  CHECK(plan.has_max_pool());
}

TEST_CASE("a plan that contradicts itself is refused, with the network's name") {
  CHECK(plan_message([](NetPlan&, Options&) {}).empty());
  CHECK(plan_message([](NetPlan& p, Options&) { p.join_stage = 4; }) ==
        "model: net: configurations join before stage 4; there are 3 stages");
  CHECK(plan_message([](NetPlan& p, Options&) { p.join_stage = -1; }) ==
        "model: net: configurations join before stage -1; there are 3 stages");
  CHECK(plan_message([](NetPlan& p, Options&) { p.join_stage = 3; }).empty());
  CHECK(plan_message([](NetPlan& p, Options&) { p.first_rows_of = 3; }) ==
        "model: net: rows before stage 3 are asked for; there are 3");
  CHECK(plan_message([](NetPlan& p, Options&) { p.first_rows_of = 0; }) ==
        "model: net: rows before stage 0 are asked for, and configurations join later");
  CHECK(plan_message([](NetPlan& p, Options&) { p.first_rows_of = 1; }).empty());
  CHECK(plan_message([](NetPlan& p, Options&) { p.channels = 0; }) ==
        "model: net: its plan has 0 channels, 1 pools and 1 outputs; should have some of each");
  CHECK(plan_message([](NetPlan& p, Options&) { p.pools.clear(); }) ==
        "model: net: its plan has 4 channels, 0 pools and 1 outputs; should have some of each");
  CHECK(plan_message([](NetPlan& p, Options&) { p.num_outputs = 0; }) ==
        "model: net: its plan has 4 channels, 1 pools and 0 outputs; should have some of each");
  CHECK(plan_message([](NetPlan& p, Options&) {
          p.join = Join::kGraph;
          p.pools[0].rows = Pool::Rows::kConfigurable;
        }) == "model: net: pools configurable nodes, which are not among its rows or are all of them");
  CHECK(plan_message([](NetPlan& p, Options&) { p.join = Join::kConfigurableOnly; }) ==
        "model: net: stage 1 reads edges after all rows but those of configurable nodes are gone");
  CHECK(plan_message([](NetPlan& p, Options&) {
          p.join = Join::kConfigurableOnly;
          p.stages[1].reads_edges = p.stages[2].reads_edges = false;
        }).empty());
}

TEST_CASE("options that a plan cannot do are refused") {
  CHECK(plan_message([](NetPlan& p, Options& o) {
          p.join = Join::kGraph;
          o.config_encoding = ConfigEncoding::kEmbedding;
        }) ==
        "model: net: config_encoding is embedding, which is of configurable nodes; its configs join at the "
        "graph");
  CHECK(plan_message([](NetPlan& p, Options& o) {
          p.pools[0].reduce = Reduce::kMax;
          o.segments.max_size = 100;
        }) == "model: net: segment_size is 100; it needs the largest of all nodes, so its graphs are whole");
  CHECK(plan_message([](NetPlan& p, Options& o) {
          p.join = Join::kGraph;
          o.prune = {Prune::kKHop, 2};
        }) == "model: net: prune is khop:2, around configurable nodes; its programs have none");
  CHECK(plan_message([](NetPlan&, Options& o) {
          o.prune = {Prune::kEdges, 0};
          o.segments.max_size = 100;
          o.segments.partitioner = Partitioner::kComputations;
        }) ==
        "model: net: prune is edge; segments by computations are of whole programs: choose another partition");
  CHECK(plan_message([](NetPlan&, Options& o) {
          o.prune = {Prune::kEdges, 0};
          o.segments.max_size = 100;
        }).empty());
}

}  // namespace
}  // namespace mlgraph
