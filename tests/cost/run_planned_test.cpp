// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/run_planned.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "allocation_counter.hpp"
#include "cost/mix_net.hpp"
#include "cost/own_net.hpp"
#include "cost/planned_fixture.hpp"
#include "cost/program_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// Few enough nodes that a sum has one block.
std::vector<RepeatedSize> small_repeated_sizes() {
  RepeatedSize empty, one, whole, halo, none, all;
  empty.num_nodes = empty.num_config_nodes = 0;
  one.num_nodes = 1;
  one.num_config_nodes = 1;
  whole.num_nodes = 16;
  whole.config_kinds = 2;
  halo.num_nodes = 19;
  halo.num_halo = 5;
  halo.num_halo_config = 2;
  none.num_config_nodes = 0;
  all.num_config_nodes = 12;
  all.node_kinds = 5;
  all.config_kinds = 7;
  return {one, whole, halo, none, all, empty};
}

/// run_planned() with and without a store, on Eager and Tape, has the bits `wanted`.
template <class N>
void check_planned_bits(const typename N::Options& options, const RepeatedProgram& program,
                        const std::vector<float>& wanted) {
  BoundNet<N, Eager> eager(options);
  BoundNet<N, Tape> tape(options);
  const std::int64_t count = program.num_configs;
  PlannedProgram once(eager.plan(), program, false), taped(eager.plan(), program, false);
  CHECK(eager.values(once.template pools<Eager>(eager.net, eager.ctx, 0, count)) == wanted);
  CHECK(tape.values(taped.template pools<Tape>(tape.net, tape.ctx, 0, count)) == wanted);

  PlannedProgram kept(eager.plan(), program, true);
  kept.segment.rows.set_hash_bits(2);
  const auto in_chunks = [&](std::int64_t chunk) {
    std::vector<float> pools;
    for (std::int64_t begin = 0; begin < count; begin += chunk) {
      eager.ctx.begin();
      const auto some =
          eager.values(kept.template pools<Eager>(eager.net, eager.ctx, begin, std::min(chunk, count - begin)));
      if (eager.plan().join == Join::kNone) pools.clear();
      pools.insert(pools.end(), some.begin(), some.end());
    }
    return pools;
  };
  for (const std::int64_t chunk : {1, 4, 2}) CHECK(in_chunks(chunk) == wanted);
  kept.segment.rows.truncate();
  kept.store->truncate(kept.segment.rows.num_free());
  for (const std::int64_t chunk : {3, 1}) CHECK(in_chunks(chunk) == wanted);
}

template <class N>
void check_small_programs(const typename N::Options& options) {
  Rng rng(31);
  for (const RepeatedSize& size : small_repeated_sizes()) {
    INFO(size.num_nodes, " nodes, ", size.num_config_nodes, " of them configurable");
    const RepeatedProgram program(rng, size);
    BoundNet<N, Eager> every(options);
    check_planned_bits<N>(options, program,
                          every.values(every.pools_of_every_row(program, 0, program.num_configs)));
  }
}

/// Of more nodes the order of the sum is another one, which is written down in tree_pools().
template <class N>
void check_large_programs(const typename N::Options& options) {
  Rng rng(37);
  RepeatedSize large;
  large.num_nodes = 300;
  large.num_halo = 11;
  large.num_config_nodes = 40;
  large.num_halo_config = 3;
  large.num_configs = 3;
  const RepeatedProgram program(rng, large);
  BoundNet<N, Eager> every(options);
  const std::int64_t copies = every.plan().num_copies(3);
  const auto rows = every.values(every.every_row(program, 0, 3));
  const std::vector<float> wanted = tree_pools(every.plan(), program, rows, copies);
  check_planned_bits<N>(options, program, wanted);
  every.ctx.begin();
  const auto in_order = every.values(every.pools_of_every_row(program, 0, 3));
  REQUIRE(in_order.size() == wanted.size());
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(in_order[i]));
    worst = std::max(worst, std::abs(in_order[i] - wanted[i]));
  }
  CHECK(worst <= 1e-5f * largest);
}

/// The gradient of a random function of the scores.
template <class N>
std::vector<double> planned_gradient(const typename N::Options& options, const RepeatedProgram& program,
                                     bool every_row) {
  BoundNet<N, DoubleTape> tape(options);
  Rng rng(13);
  for (double& p : tape.parameters.trainable()) p += rng.uniform(-0.3, 0.3);
  const std::int64_t count = program.num_configs;
  PlannedProgram planned(tape.plan(), program, false);
  const Var sums = every_row ? tape.pools_of_every_row(program, 0, count)
                             : planned.template pools<DoubleTape>(tape.net, tape.ctx, 0, count);
  const NetInput<double> in = repeated_input(tape.ctx, tape.plan(), program, 0, count);
  const Var y = run_readout<DoubleTape>(tape.net, tape.ctx, tape.plan(), sums, count, in.num_inner(),
                                        in.num_inner_config(), in.graph_config);
  std::vector<double> factor(static_cast<std::size_t>(count));
  for (double& f : factor) f = rng.uniform(-1, 1);
  const Status status = tape.ctx.backward(tape.ctx.sum(tape.ctx.scale_rows(y, factor)));
  REQUIRE_MESSAGE(status.ok(), status.message());
  return {tape.parameters.grad.begin(), tape.parameters.grad.end()};
}

template <class N>
void check_planned_gradients(const typename N::Options& options) {
  Rng rng(41);
  std::vector<RepeatedSize> sizes = small_repeated_sizes();
  sizes.emplace_back();
  sizes.back().num_nodes = 70;
  for (const RepeatedSize& size : sizes) {
    INFO(size.num_nodes, " nodes, ", size.num_config_nodes, " of them configurable");
    const RepeatedProgram program(rng, size);
    const std::vector<double> every = planned_gradient<N>(options, program, true);
    const std::vector<double> distinct = planned_gradient<N>(options, program, false);
    REQUIRE(every.size() == distinct.size());
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < every.size(); ++i) {
      largest = std::max(largest, std::abs(every[i]));
      worst = std::max(worst, std::abs(every[i] - distinct[i]));
    }
    CHECK((largest > 0 || size.num_nodes == 0));
    CHECK(worst <= 1e-12 * largest);
  }
}

template <class N>
void check_planned_network() {
  for_each_planned_options<N>([](const auto& options) {
    check_small_programs<N>(options);
    check_large_programs<N>(options);
    check_planned_gradients<N>(options);
  });
}

TEST_CASE("distinct rows give the bits of every row, and its gradients: layouts") {
  check_planned_network<LayoutSage>();
  check_planned_network<LayoutResGcn>();
}

TEST_CASE("distinct rows give the bits of every row, and its gradients: tiles" * testing::kLong) {
  check_planned_network<TileSage>();
  check_planned_network<TileSageLate>();
  check_planned_network<TileResGcn>();
  check_planned_network<TileResGcnLate>();
  check_planned_network<TileMlp>();
  check_planned_network<TileMlpLate>();
}

TEST_CASE("distinct rows give the bits of every row, and its gradients: a network of all kinds of stages") {
  for (const bool reads_graph : {false, true}) {
    auto options = net_options_of<OwnNet>(Direction::kBoth, 6);
    options.num_layers = 3;
    options.reads_graph = reads_graph;
    check_small_programs<OwnNet>(options);
    check_large_programs<OwnNet>(options);
    check_planned_gradients<OwnNet>(options);
  }
}

TEST_CASE("and so they do whatever the stages read and wherever configurations join") {
  for_each_mix([](const MixNet::Options& options) { check_small_programs<MixNet>(options); });
}

TEST_CASE("and so they do the gradients" * testing::kLong) {
  for_each_mix([](const MixNet::Options& options) { check_planned_gradients<MixNet>(options); });
}

TEST_CASE("rows of the large programs are equal more often than not") {
  Rng rng(3);
  RepeatedSize size;
  size.num_nodes = 200;
  size.num_configs = 20;
  const RepeatedProgram program(rng, size);
  BoundNet<LayoutSage, Eager> net(net_options_of<LayoutSage>(Direction::kForward, 6));
  PlannedProgram planned(net.plan(), program, false);
  (void)planned.pools<Eager>(net.net, net.ctx, 0, 20);
  REQUIRE(net.ctx.status().ok());
  for (std::size_t k = 0; k < planned.segment.rows.num_levels(); ++k)
    CHECK(planned.segment.rows.level(k).size() < 200);
}

TEST_CASE("a call that makes no new row computes none and allocates nothing") {
  Rng rng(43);
  RepeatedSize size;
  size.num_nodes = 60;
  const RepeatedProgram program(rng, size);
  BoundNet<OwnNet, Eager> net(net_options_of<OwnNet>(Direction::kBoth, 6));
  PlannedProgram planned(net.plan(), program, true);
  const auto run = [&] {
    net.ctx.begin();
    return planned.pools<Eager>(net.net, net.ctx, 0, 6);
  };
  const std::vector<float> wanted = net.values(run());
  const std::int32_t last = planned.store->num_rows(planned.segment.rows.num_levels() - 1);
  const std::size_t bytes = planned.store->bytes() + planned.segment.rows.bytes();
  (void)run();
  const std::size_t allocations = num_allocations();
  const Var again = run();
  CHECK(num_allocations() == allocations);
  CHECK(net.values(again) == wanted);
  CHECK(planned.store->num_rows(planned.segment.rows.num_levels() - 1) == last);
  CHECK(planned.store->bytes() + planned.segment.rows.bytes() == bytes);
}

/// What run_planned() gives of all configurations of a model's segment.
std::vector<float> planned_segment(const Model& model, const PreparedProgram& prepared,
                                   const Segment& segment) {
  const FlowGraph graph = make_flow_graph(model.plan(), segment);
  PlannedSegment planned{FlowPlan(graph)};
  ConfigTable table(prepared.view.configs.num_features);
  PlannedConfigs<float> configs;
  configs.num_configs = static_cast<std::int64_t>(prepared.selection.size());
  std::vector<std::int32_t> ids;
  for (std::int64_t c = 0; model.plan().takes_nodes() && c < configs.num_configs; ++c) {
    for (const std::int32_t k : segment.config_row) ids.push_back(table.find(prepared.view.configs, c, k));
  }
  configs.ids = ids;
  configs.num_ids = table.size();
  PreparedProgram distinct;
  distinct.view = prepared.view;
  distinct.view.configs = table.view();
  const std::int32_t first_row[] = {0};
  Eager ctx;
  ctx.bind(model.spec(), Span<const float>(model.parameters().value));
  if (model.plan().join == Join::kGraph)
    configs.graph_config = model.graph_config(ctx, prepared, prepared.selection);
  const auto encode = [&](Eager& context, Span<const std::int32_t> wanted) {
    return model.config_rows(context, distinct, wanted, first_row);
  };
  const NodeRows<float> nodes{segment.graph.x(), segment.node_layout, segment.graph.opcode()};
  const Var pools = run_planned(model.net<Eager>(), ctx, model.plan(), planned, nodes, configs, encode);
  REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
  return {ctx.value(pools).data, ctx.value(pools).data + ctx.value(pools).size()};
}

TEST_CASE("the segments of a model, with and without a halo, have the bits of every row") {
  for (const std::string_view name : kNets) {
    for (const char* const halo : {"yes", "no"}) {
      INFO(name, ", halo ", halo);
      const auto options = small_net(name, {{"segment_size", "4"}, {"segment_halo", halo}});
      if (testing::plan_of(*options).join == Join::kConfigurableOnly) continue;
      const OwnedProgram program = program_for(*options, 3, 9);
      const Model model = model_for(program, *options);
      const PreparedProgram prepared = model.prepare(program.view()).value();
      REQUIRE(prepared.segments.size() > 1);
      for (const Segment& segment : prepared.segments) {
        Eager ctx;
        ctx.bind(model.spec(), Span<const float>(model.parameters().value));
        const Var pools = model.embed(ctx, prepared, segment, prepared.selection);
        REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
        const std::vector<float> every(ctx.value(pools).data, ctx.value(pools).data + ctx.value(pools).size());
        CHECK(planned_segment(model, prepared, segment) == every);
      }
    }
  }
}

}  // namespace
}  // namespace mlgraph
