// SPDX-License-Identifier: Apache-2.0
// Runs a network on the distinct rows of a segment: each once, whoever reads it.
#ifndef MLGRAPH_COST_RUN_PLANNED_HPP
#define MLGRAPH_COST_RUN_PLANNED_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/planned_pools.hpp"
#include "mlgraph/cost/planned_rows.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/plan_configs.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What configurations give to run_planned(): those of configurable nodes by the ids of a ConfigTable.
template <class T>
struct PlannedConfigs {
  std::int64_t num_configs = 1;
  Span<const std::int32_t> ids;  // (C K)
  std::int32_t num_ids = 0;      // they are below
  ConfigRows<T> graph_config;    // (C), where they join at the graph
  // What plan_configs() said of them, where they join at nodes: the row of each total, and for a Tape those of
  // the last level.
  Span<const std::int32_t> total;  // (sums C)
  Span<const std::int32_t> last;   // (C reached)
};

/// Rows that are made in one go where they are kept: what is between them stays in the cache of each thread.
[[nodiscard]] inline std::int32_t rows_at_a_time(const ThreadPool* pool) {
  constexpr std::int32_t kRowsOfThread = 384;
  return kRowsOfThread * (pool == nullptr ? 1 : static_cast<std::int32_t>(pool->num_threads()));
}

namespace detail {

/// The inputs of new rows: those of a node of each.
template <class C>
[[nodiscard]] NodeRows<typename C::Scalar> gather_inputs(C& ctx, const NodeRows<typename C::Scalar>& nodes,
                                                         Span<const std::int32_t> index) {
  using T = typename C::Scalar;
  if (index.size() == nodes.opcode.size()) return nodes;
  const std::int64_t width = nodes.x.cols;
  const std::size_t layout = nodes.layout.size() / nodes.opcode.size();
  T* const x = ctx.arena().template allocate<T>(index.size() * as_size(width));
  auto* const opcode = ctx.arena().template allocate<std::int32_t>(index.size());
  auto* const entries = ctx.arena().template allocate<std::int32_t>(index.size() * layout);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto v = as_size(index[i]);
    std::copy_n(nodes.x.row(index[i]), width, x + static_cast<std::int64_t>(i) * width);
    opcode[i] = nodes.opcode[v];
    std::copy_n(nodes.layout.data() + v * layout, layout, entries + i * layout);
  }
  NodeRows<T> rows;
  rows.x = {x, signed_size(index), width};
  rows.opcode = {opcode, index.size()};
  rows.layout = {entries, index.size() * layout};
  return rows;
}

/// The sum of a plan that a source of the pools has: the first is of all nodes, where there is one.
[[nodiscard]] inline std::size_t sum_of(const FlowGraph& graph, const PoolSums::Source& source) {
  return source.rows == Pool::Rows::kConfigurable && graph.pools_all ? 1 : 0;
}

/// Tells `made` of the configurations that its rows of a level have, which net.config() makes.
template <class C, class Encode>
void give_configs(const NetOn<C>& net, C& ctx, const FlowPlan& rows, std::size_t first_level,
                  std::size_t last_level, std::int32_t num_ids, const Encode& encode, PlannedRows<C>& made) {
  const auto join = as_size(rows.graph().join_level());
  auto* const place = ctx.arena().template allocate<std::int32_t>(num_ids);
  auto* const needed = ctx.arena().template allocate<std::int32_t>(num_ids);
  std::fill_n(place, num_ids, -1);
  std::int32_t count = 0;
  for (std::size_t level = first_level; level <= last_level; ++level) {
    for (std::size_t r = made.begin(level); r < made.end(level); ++r) {
      auto row = static_cast<std::int32_t>(r);
      for (std::size_t k = level; k > join; --k) row = rows.level(k).root()[row];
      const std::int32_t id = rows.level(join).kind()[row] - 1;
      if (id < 0 || place[id] >= 0) continue;
      place[id] = count;
      needed[count++] = id;
    }
  }
  const Var config = net.config(ctx, encode(ctx, Span<const std::int32_t>(needed, count)));
  made.set_configs(config, count, {place, as_size(num_ids)});
}

/// The distinct rows before the join that enter stage `end`.
template <class C>
Var run_to_join(const NetOn<C>& net, C& ctx, const NetPlan& plan, const FlowPlan& rows,
                const NodeRows<typename C::Scalar>& nodes, std::int64_t end, PlannedRows<C>& made) {
  const Var h = net.nodes(ctx, gather_inputs(ctx, nodes, rows.node_of_input()));
  return run_stages(net, ctx, plan, 0, end, h, made);
}

/// Those after the join, from those before it: of a plan, or copies of them where it is at the graph.
template <class C, class Encode>
Var join_rows(const NetOn<C>& net, C& ctx, const NetPlan& plan, const FlowPlan& rows, Var h,
              const PlannedConfigs<typename C::Scalar>& configs, const Encode& encode, PlannedRows<C>& made) {
  if (plan.join == Join::kGraph) {
    made.set_copies(configs.num_configs, net.config(ctx, configs.graph_config));
    Flow<typename C::Scalar> flow = made.here(ctx, plan.join_stage);
    if (plan.join_stage > 0) flow.degree = made.degrees(ctx, plan.join_stage);
    return net.join(ctx, h, flow);
  }
  const auto join = as_size(rows.graph().join_level());
  give_configs(net, ctx, rows, join, join, configs.num_ids, encode, made);
  if (plan.join == Join::kConfigurable) h = ctx.gather_rows(h, made.join_roots());
  return net.join(ctx, h, made.flow_of_join(ctx));
}

/// The rows that configurations change where they are kept: those that the store lacks, some at a time, so that
/// what is between them stays in a cache. What stages read is in the store.
template <class Encode>
void keep_joined(const NetOn<Eager>& net, Eager& ctx, const NetPlan& plan, const FlowPlan& rows,
                 RowStore& store, std::int32_t num_ids, const Encode& encode) {
  const auto join = as_size(rows.graph().join_level());
  for (std::size_t level = join; level < rows.num_levels(); ++level) {
    const auto k = static_cast<std::int64_t>(level) - 1;  // the stage that reads it
    while (store.num_rows(level) < rows.level(level).size()) {
      const Eager::Mark mark = ctx.mark();
      PlannedRows<Eager> made(plan, rows, &store, rows_at_a_time(ctx.pool()));
      if (level == join || plan.joins_every_stage)
        give_configs(net, ctx, rows, level, level, num_ids, encode, made);
      Var h;
      if (level == join) {
        h = store.all(ctx, join - 1);
        if (plan.join == Join::kConfigurable) h = ctx.gather_rows(h, made.join_roots());
        h = net.join(ctx, h, made.flow_of_join(ctx));
      } else {
        const StageInputs in = made.inputs(ctx, k - 1);
        h = net.layer(ctx, k - 1, in.rows, in.messages, made.flow(ctx, k - 1));
      }
      if (level + 1 == rows.num_levels()) {
        store.keep(ctx, level, net.node_out(ctx, h, made.last()));
      } else {
        (void)enter_stage(net, ctx, plan, k, h, made);
      }
      if (!ctx.status().ok()) return;
      ctx.rewind(mark);
    }
  }
}

/// The row of every node of every configuration at a level, of which plan_configs_to() adds those of
/// configurations.
/// Shapes: (copies nodes), where copies are one before configurations join at nodes.
template <class T>
[[nodiscard]] Span<const std::int32_t> rows_of_nodes(FlowPlan& rows, std::size_t level,
                                                     const PlannedConfigs<T>& configs, Arena& arena) {
  const FlowGraph& graph = rows.graph();
  const bool is_joined = graph.joins() && level >= as_size(graph.join_level());
  const std::int64_t copies = is_joined ? configs.num_configs : 1;
  const std::size_t num_reached = rows.reached(level).size();
  const std::size_t num_changed = as_size(copies) * num_reached;
  auto* const changed = arena.allocate<std::int32_t>(num_changed);
  if (is_joined)
    plan_configs_to(rows, level, configs.ids, configs.num_configs, arena,
                    Span<std::int32_t>(changed, num_changed));
  const Span<const std::int32_t> nodes = is_joined && graph.config_only
                                             ? Span<const std::int32_t>(graph.config_node)
                                             : first_ids(arena, graph.num_nodes);
  const std::size_t size = as_size(copies) * nodes.size();
  auto* const ids = arena.allocate<std::int32_t>(size);
  std::int32_t* to = ids;
  for (std::int64_t c = 0; c < copies; ++c) {
    const std::int32_t* const mine = changed + as_size(c) * num_reached;
    for (const std::int32_t v : nodes)
      *to++ = rows.place(level, v) >= 0 ? mine[rows.place(level, v)] : rows.free_row(level, v);
  }
  return {ids, size};
}

}  // namespace detail

/// Makes the rows of a plan that `store` lacks, or without one all of them -> the last rows of each source of
/// the pools, all of them. `encode(ctx, ids)` gives ConfigRows of some ids.
///
/// Shapes: of each source (copies rows of its last level, plan.channels); `sums` has room for four.
template <class C, class Encode>
void run_new_rows(const NetOn<C>& net, C& ctx, const NetPlan& plan, const FlowPlan& rows, RowStore* store,
                  const NodeRows<typename C::Scalar>& nodes, const PlannedConfigs<typename C::Scalar>& configs,
                  const Encode& encode, Var* sums) {
  // All rows of a level, where there are some and none is missing; and what takes those that were.
  const auto all = [&](std::size_t level) {
    if constexpr (!C::kRecords) {
      const std::int32_t size = rows.level(level).size();
      if (store != nullptr && size > 0 && store->num_rows(level) == size) return store->all(ctx, level);
    }
    return Var{};
  };
  const auto keep = [&](std::size_t level, Var h) {
    if constexpr (!C::kRecords) {
      if (store != nullptr) return store->keep(ctx, level, h);
    }
    return h;
  };
  for (std::size_t level = 0; store != nullptr && level < rows.num_all_levels(); ++level)
    store->expect(level, rows.level(level).size());
  const std::int64_t join = plan.join == Join::kNone ? plan.num_stages() : plan.join_stage;
  const auto before = as_size(join);  // its level
  PlannedRows<C> made(plan, rows, nullptr);
  Var h = all(before);
  if (h.id == 0) {  // rows on the way there are read by no call after this
    h = detail::run_to_join(net, ctx, plan, rows, nodes, join, made);
    if (plan.join == Join::kNone) h = net.node_out(ctx, h, made.last());
    h = keep(before, h);
  }
  bool is_kept = plan.join == Join::kNone;
  if constexpr (!C::kRecords) {
    if (store != nullptr && plan.takes_nodes() && rows.level(rows.num_levels() - 1).size() > 0) {
      is_kept = true;
      detail::keep_joined(net, ctx, plan, rows, *store, configs.num_ids, encode);
      h = store->all(ctx, rows.num_levels() - 1);
    }
  }
  if (!is_kept) {  // what each configuration of the graph has of its own never is
    h = detail::join_rows(net, ctx, plan, rows, h, configs, encode, made);
    h = run_stages(net, ctx, plan, join, plan.num_stages(), h, made);
    h = net.node_out(ctx, h, made.last());
  }
  const bool has_copies = plan.join == Join::kGraph;
  PlannedPools<C> pooled(rows, has_copies ? nullptr : store, has_copies ? configs.num_configs : 1,
                         rows_at_a_time(ctx.pool()));
  pooled.set_configs(configs.num_configs, configs.total, configs.last);
  const PoolSums pools(plan);
  for (std::size_t i = 0; i < pools.sources().size(); ++i)
    sums[i] = pooled.sum(ctx, detail::sum_of(rows.graph(), pools.sources()[i]), pools.sources()[i].is_max, h);
}

/// The pools of C configurations from the last rows of each source. `total`: the row of each configuration, one
/// after the other for each sum; empty where all have the same, or rows in the order of their copies. Shapes:
/// (copies, PoolSums::channels()).
template <class C>
Var gather_totals(C& ctx, const NetPlan& plan, const FlowGraph& graph, const Var* sums,
                  Span<const std::int32_t> total, std::int64_t num_configs) {
  Var all;
  const PoolSums pools(plan);
  const auto size = as_size(num_configs);
  for (std::size_t i = 0; i < pools.sources().size(); ++i) {
    const std::size_t s = detail::sum_of(graph, pools.sources()[i]);
    const Var v = total.empty() ? sums[i] : ctx.gather_rows(sums[i], total.subspan(s * size, size));
    all = all.id == 0 ? v : ctx.concat(all, v);
  }
  return all;
}

namespace detail {

/// run_planned() in the training of a network that draws: distinct rows before the first stage that does, from
/// there on those of every node of every configuration, in the order and with the masks of run_configs().
template <class C, class Encode>
Var run_drawing(const NetOn<C>& net, C& ctx, const NetPlan& plan, FlowPlan& rows,
                NetInput<typename C::Scalar> in, const PlannedConfigs<typename C::Scalar>& configs,
                const Encode& encode) {
  const std::int64_t stage = plan.first_drawing();
  const auto level = as_size(rows.graph().level_of(static_cast<std::int32_t>(stage)));
  const Span<const std::int32_t> ids = rows_of_nodes(rows, level, configs, ctx.arena());
  in.num_configs = configs.num_configs;
  in.graph_config = configs.graph_config;
  PlannedRows<C> made(plan, rows, nullptr);
  if (plan.join == Join::kNone || stage < plan.join_stage) {
    if (plan.takes_nodes()) in.config = encode(ctx, configs.ids);
    Var h = run_to_join(net, ctx, plan, rows, in.nodes, stage, made);
    CopiesOfNodes<C> every = copies_before_join(ctx, plan, in);
    (void)every.keep(ctx, plan.first_rows_of, made.first_of_nodes(ctx, level, ids));
    h = finish_prefix(net, ctx, plan, in, stage, made.of_nodes(ctx, level, h, ids), every);
    return run_pools(ctx, plan, run_configs(net, ctx, plan, h, in), in);
  }
  Var h = run_to_join(net, ctx, plan, rows, in.nodes, plan.join_stage, made);
  h = join_rows(net, ctx, plan, rows, h, configs, encode, made);
  h = run_stages(net, ctx, plan, plan.join_stage, stage, h, made);
  const Flow<typename C::Scalar> flow = made.last();
  CopiesOfNodes<C> every = copies_after_join(ctx, plan, in, flow.config, flow.graph_config);
  if (plan.takes_nodes()) every.set_place(made.places(ctx, configs.ids), flow.num_config_rows);
  (void)every.keep(ctx, plan.first_rows_of, made.first_of_nodes(ctx, level, ids));
  h = finish_configs(net, ctx, plan, stage, made.of_nodes(ctx, level, h, ids), every);
  return run_pools(ctx, plan, h, in);
}

}  // namespace detail

/// What run_pools() gives of C configurations of a segment, from distinct rows alone: `rows` are its plan, to
/// which those of the configurations are added, `store` what is there of them, or null, and `in` the segment
/// without configurations. In training, rows are distinct up to the first stage that draws random numbers.
/// Shapes: (copies, PoolSums::channels()).
template <class C, class Encode>
Var run_planned(const NetOn<C>& net, C& ctx, const NetPlan& plan, FlowPlan& rows, RowStore* store,
                const NetInput<typename C::Scalar>& in, PlannedConfigs<typename C::Scalar> configs,
                const Encode& encode) {
  if constexpr (C::kRecords) {
    if (ctx.training() && plan.draws()) return detail::run_drawing(net, ctx, plan, rows, in, configs, encode);
  }
  if (plan.takes_nodes()) {
    const auto count = as_size(configs.num_configs);
    const auto ids = [&](std::size_t size) {
      return Span<std::int32_t>(ctx.arena().template allocate<std::int32_t>(size), size);
    };
    const Span<std::int32_t> total = ids(rows.sums().size() * count);
    const Span<std::int32_t> last = ids(C::kRecords ? count * rows.reached(rows.num_levels() - 1).size() : 0);
    plan_configs(rows, configs.ids, configs.num_configs, ctx.arena(), total, last);
    configs.total = total;
    configs.last = last;
  }
  Var sums[4];
  run_new_rows(net, ctx, plan, rows, store, in.nodes, configs, encode, sums);
  return gather_totals(ctx, plan, rows.graph(), sums, configs.total, configs.num_configs);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_RUN_PLANNED_HPP
