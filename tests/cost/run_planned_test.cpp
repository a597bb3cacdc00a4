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
  kept.rows.set_hash_bits(2);
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
  kept.rows.truncate();
  kept.store->truncate(kept.rows.num_free());
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

/// Sums of several blocks, as tree_pools() writes them down.
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
  CHECK(every.values(every.pools_of_every_row(program, 0, 3)) == wanted);
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
  const Status status = tape.ctx.backward(sum(tape.ctx, tape.ctx.scale_rows(y, factor)));
  REQUIRE_MESSAGE(status.ok(), status.message());
  return {tape.parameters.grad.begin(), tape.parameters.grad.end()};
}

template <class N>
void check_planned_gradient(const typename N::Options& options, const RepeatedProgram& program) {
  const std::vector<double> every = planned_gradient<N>(options, program, true);
  const std::vector<double> distinct = planned_gradient<N>(options, program, false);
  REQUIRE(every.size() == distinct.size());
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < every.size(); ++i) {
    largest = std::max(largest, std::abs(every[i]));
    worst = std::max(worst, std::abs(every[i] - distinct[i]));
  }
  const bool is_only = plan_of<N>(options).join == Join::kConfigurableOnly;
  CHECK((largest > 0 || (is_only ? program.num_config_nodes : program.segment.graph.num_nodes()) == 0));
  CHECK(worst <= 1e-12 * largest);
}

template <class N>
void check_planned_gradients(const typename N::Options& options) {
  Rng rng(41);
  std::vector<RepeatedSize> sizes = small_repeated_sizes();
  sizes.emplace_back();
  sizes.back().num_nodes = 70;
  for (const RepeatedSize& size : sizes) {
    INFO(size.num_nodes, " nodes, ", size.num_config_nodes, " of them configurable");
    check_planned_gradient<N>(options, RepeatedProgram(rng, size));
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
  check_planned_network<LayoutSageLate>();
  check_planned_network<LayoutResGcnLate>();
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

/// What training pools with the masks of a seed, and the statistics after it.
struct DrawnPools {
  std::vector<float> pools;
  AlignedVector<float> parameters;
  std::size_t bytes = 0;
};
template <class N>
DrawnPools drawn_pools(const typename N::Options& options, const RepeatedProgram& program, std::uint64_t seed,
                       PlannedProgram* planned) {
  BoundNet<N, Tape> tape(options);
  tape.ctx.begin(seed);
  const std::int64_t count = program.num_configs;
  const Var sums = planned == nullptr ? tape.pools_of_every_row(program, 0, count)
                                      : planned->pools<Tape>(tape.net, tape.ctx, 0, count);
  return {tape.values(sums), tape.parameters.value, tape.ctx.peak_bytes()};
}

/// In training of a network that draws, the pools have the bits of every row with the same masks; after the
/// first stage that draws no row of a configuration is planned.
template <class N>
void check_drawn_bits(const typename N::Options& options, const RepeatedProgram& program, bool is_random) {
  const NetPlan plan = plan_of<N>(options);
  REQUIRE((plan.draws() && plan.merges_rows()));
  PlannedProgram planned(plan, program, false);
  if (program.num_configs % 2 == 0) planned.rows.set_merging(false);
  std::vector<std::vector<float>> drawn;
  for (const std::uint64_t seed : {3u, 4u}) {
    planned.rows.truncate();
    const DrawnPools every = drawn_pools<N>(options, program, seed, nullptr);
    const DrawnPools distinct = drawn_pools<N>(options, program, seed, &planned);
    CHECK(distinct.pools == every.pools);
    CHECK(distinct.parameters == every.parameters);
    drawn.push_back(every.pools);
  }
  CHECK((drawn[0] != drawn[1]) == is_random);
  const FlowGraph& graph = planned.rows.graph();
  for (auto k = static_cast<std::size_t>(graph.level_of(static_cast<std::int32_t>(plan.first_drawing()))) + 1;
       k < planned.rows.num_all_levels(); ++k)
    CHECK(planned.rows.level(k).size() == planned.rows.num_free()[k]);
}

std::vector<RepeatedSize> drawing_sizes() {
  RepeatedSize whole, halo;
  whole.num_configs = 5;
  halo.num_nodes = 33;
  halo.num_halo = 5;
  halo.num_halo_config = 2;
  return {whole, halo};
}

template <class N>
void check_drawing(const typename N::Options& options, bool is_random = true) {
  Rng rng(53);
  for (const RepeatedSize& size : drawing_sizes())
    check_drawn_bits<N>(options, RepeatedProgram(rng, size), is_random);
}

/// Calls f(options) for every stage that draws, of networks of all joins and kinds of stages.
template <class F>
void for_each_drawing_mix(F&& f) {
  for_each_mix([&](MixNet::Options options) {
    for (const Join join : {Join::kConfigurable, Join::kConfigurableOnly, Join::kGraph, Join::kNone}) {
      MixNet::Options joined = options;
      joined.join = join;
      if (join == Join::kNone) joined.join_stage = 0;
      if (join == Join::kConfigurableOnly) joined.kinds &= (1 << 2 * joined.join_stage) - 1;  // then no edges
      for (joined.draws_at = 0; joined.draws_at <= 3; ++joined.draws_at) {
        joined.takes_statistics = (joined.draws_at + joined.kinds) % 3 == 0;
        INFO("join ", static_cast<int>(join), ", draws at ", joined.draws_at);
        f(joined);
      }
    }
  });
}

TEST_CASE("training that draws has the bits and masks of every row, and distinct rows before the draw") {
  for (const bool is_late : {false, true}) {
    for_each_planned_options<TileSage>([&](TileSage::Options options) {
      options.dropout = 0.3;
      if (!is_late) return check_drawing<TileSage>(options);
      TileSageLate::Options late;
      static_cast<TileOptions&>(late) = options;
      check_drawing<TileSageLate>(late);
    });
  }
  auto options = net_options_of<OwnNet>(Direction::kBoth, 6);
  options.dropout = 0.5;
  check_drawing<OwnNet>(options);
}

TEST_CASE("and so it has wherever a stage draws" * testing::kLong) {
  for_each_drawing_mix(
      [](const MixNet::Options& options) { check_drawing<MixNet>(options, !options.takes_statistics); });
}

TEST_CASE("and the gradient of every row" * testing::kLong) {
  for_each_drawing_mix([](const MixNet::Options& options) {
    Rng rng(59);
    for (const RepeatedSize& size : drawing_sizes())
      check_planned_gradient<MixNet>(options, RepeatedProgram(rng, size));
  });
}

TEST_CASE("where training draws before the pool, what is before that is shared") {
  Rng rng(61);
  RepeatedSize size;
  size.num_nodes = 200;
  size.num_configs = 20;
  const RepeatedProgram program(rng, size);
  TileSage::Options options = net_options_of<TileSage>(Direction::kForward, 8);
  options.dropout = 0.3;
  PlannedProgram planned(plan_of<TileSage>(options), program, false);
  const std::size_t bytes = drawn_pools<TileSage>(options, program, 1, &planned).bytes;
  CHECK(4 * bytes < 3 * drawn_pools<TileSage>(options, program, 1, nullptr).bytes);
}

template <class N>
void check_many_rows(const typename N::Options& options) {
  INFO(N::kName);
  Rng rng(47);
  RepeatedSize size;
  size.num_nodes = 2600;
  size.node_kinds = 900;
  size.num_config_nodes = 1300;
  size.config_kinds = 7;
  size.num_configs = 2;
  const RepeatedProgram program(rng, size);
  BoundNet<N, Eager> every(options), eager(options);
  const std::vector<float> wanted = every.values(every.pools_of_every_row(program, 0, 2));
  PlannedProgram once(eager.plan(), program, false), kept(eager.plan(), program, true);
  CHECK(eager.values(once.template pools<Eager>(eager.net, eager.ctx, 0, 2)) == wanted);
  CHECK(eager.values(kept.template pools<Eager>(eager.net, eager.ctx, 0, 2)) == wanted);
  CHECK(kept.store->num_rows(kept.rows.num_levels() - 1) > 2048);
}

TEST_CASE("more new rows than are made in one go have the bits of every row") {
  check_many_rows<LayoutResGcn>(net_options_of<LayoutResGcn>(Direction::kBoth, 6));
  check_many_rows<LayoutSageLate>(net_options_of<LayoutSageLate>(Direction::kForward, 6));
  check_many_rows<OwnNet>(net_options_of<OwnNet>(Direction::kBoth, 6));
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
  for (std::size_t k = 0; k < planned.rows.num_levels(); ++k) CHECK(planned.rows.level(k).size() < 200);
}

/// The bytes of a tape of the pools of 32 configurations.
std::size_t tape_bytes(const RepeatedProgram& program, bool every_row) {
  BoundNet<LayoutSage, Tape> tape(net_options_of<LayoutSage>(Direction::kForward, 8));
  PlannedProgram planned(tape.plan(), program, false);
  const Var sums =
      every_row ? tape.pools_of_every_row(program, 0, 32) : planned.pools<Tape>(tape.net, tape.ctx, 0, 32);
  const Status status = tape.ctx.backward(sum(tape.ctx, sums));
  REQUIRE_MESSAGE(status.ok(), status.message());
  return tape.ctx.peak_bytes();
}

TEST_CASE("distinct rows take less memory of a tape") {
  Rng rng(4);
  RepeatedSize size;
  size.num_nodes = 60;
  size.num_configs = 32;
  const RepeatedProgram program(rng, size);
  CHECK(2 * tape_bytes(program, false) < tape_bytes(program, true));
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
  const std::int32_t last = planned.store->num_rows(planned.rows.num_levels() - 1);
  const std::size_t bytes = planned.store->bytes() + planned.rows.bytes();
  (void)run();
  const std::size_t allocations = num_allocations();
  const Var again = run();
  CHECK(num_allocations() == allocations);
  CHECK(net.values(again) == wanted);
  CHECK(planned.store->num_rows(planned.rows.num_levels() - 1) == last);
  CHECK(planned.store->bytes() + planned.rows.bytes() == bytes);
}

}  // namespace
}  // namespace mlgraph
