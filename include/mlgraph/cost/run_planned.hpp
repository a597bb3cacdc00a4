// SPDX-License-Identifier: Apache-2.0
// Runs a network on the distinct rows of a segment: each once, whoever reads it.
#ifndef MLGRAPH_COST_RUN_PLANNED_HPP
#define MLGRAPH_COST_RUN_PLANNED_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/planned_rows.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/flow_plan.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of a segment that there are and will be: which, and with a store what they are.
struct PlannedSegment {
  FlowPlan rows;
  RowStore* store = nullptr;

  /// All rows of a level, where there are some and none is missing; else Var{}.
  template <class C>
  [[nodiscard]] Var all(C& ctx, std::size_t level) const {
    if constexpr (!C::kRecords) {
      const std::int32_t size = rows.level(level).size();
      if (store != nullptr && size > 0 && store->num_rows(level) == size) return store->all(ctx, level);
    }
    (void)ctx;
    (void)level;
    return {};
  }
  /// Takes the rows of a level that were missing -> all of them.
  template <class C>
  Var keep(C& ctx, std::size_t level, Var h) const {
    if constexpr (!C::kRecords) {
      if (store != nullptr) return store->keep(ctx, level, h);
    }
    (void)ctx;
    (void)level;
    return h;
  }
};

/// What configurations give to run_planned(): those of configurable nodes by the ids of a ConfigTable.
template <class T>
struct PlannedConfigs {
  std::int64_t num_configs = 1;
  Span<const std::int32_t> ids;  // (C K)
  std::int32_t num_ids = 0;      // they are below
  ConfigRows<T> graph_config;    // (C), where they join at the graph
};

namespace detail {

/// The inputs of new rows: those of a node of each.
template <class C>
[[nodiscard]] NodeRows<typename C::Scalar> gather_inputs(C& ctx, const NodeRows<typename C::Scalar>& nodes,
                                                         Span<const std::int32_t> index) {
  using T = typename C::Scalar;
  if (index.size() == nodes.opcode.size()) return nodes;
  const std::int64_t width = nodes.x.cols;
  const std::size_t layout = nodes.layout.size() / nodes.opcode.size();
  T* const x = ctx.arena().template allocate<T>(index.size() * static_cast<std::size_t>(width));
  auto* const opcode = ctx.arena().template allocate<std::int32_t>(index.size());
  auto* const entries = ctx.arena().template allocate<std::int32_t>(index.size() * layout);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto v = static_cast<std::size_t>(index[i]);
    std::copy_n(nodes.x.row(index[i]), width, x + static_cast<std::int64_t>(i) * width);
    opcode[i] = nodes.opcode[v];
    std::copy_n(nodes.layout.data() + v * layout, layout, entries + i * layout);
  }
  NodeRows<T> rows;
  rows.x = {x, static_cast<std::int64_t>(index.size()), width};
  rows.opcode = {opcode, index.size()};
  rows.layout = {entries, index.size() * layout};
  return rows;
}

/// The configurations that new rows have: their ids, and the place of each id among them.
template <class C>
void needed_configs(C& ctx, const NetPlan& plan, const PlannedSegment& segment, std::int32_t num_ids,
                    Span<const std::int32_t>& needed, Span<const std::int32_t>& place) {
  const FlowGraph& graph = segment.rows.graph();
  const auto join = static_cast<std::size_t>(graph.join_level());
  auto* const at = ctx.arena().template allocate<std::int32_t>(static_cast<std::size_t>(num_ids));
  auto* const ids = ctx.arena().template allocate<std::int32_t>(static_cast<std::size_t>(num_ids));
  std::fill_n(at, num_ids, -1);
  std::int32_t count = 0;
  const std::size_t last = plan.joins_every_stage ? segment.rows.num_levels() : join + 1;
  for (std::size_t level = join; level < last; ++level) {
    const std::int32_t begin = segment.store == nullptr ? 0 : segment.store->num_rows(level);
    for (std::int32_t r = begin; r < segment.rows.level(level).size(); ++r) {
      std::int32_t row = r;
      for (std::size_t k = level; k > join; --k)
        row = segment.rows.level(k).root()[static_cast<std::size_t>(row)];
      const std::int32_t id = segment.rows.level(join).kind()[static_cast<std::size_t>(row)] - 1;
      if (id < 0 || at[id] >= 0) continue;
      at[id] = count;
      ids[count++] = id;
    }
  }
  needed = {ids, static_cast<std::size_t>(count)};
  place = {at, static_cast<std::size_t>(num_ids)};
}

}  // namespace detail

/// Makes the rows of a plan that are not there yet -> the last rows of each sum, all of them. `encode(ctx,
/// ids)` gives ConfigRows of some ids.
///
/// Shapes: of sum s (copies rows of its last level, plan.channels); `sums` has room for two.
template <class C, class Encode>
void run_new_rows(const NetOn<C>& net, C& ctx, const NetPlan& plan, PlannedSegment& segment,
                  const NodeRows<typename C::Scalar>& nodes, const PlannedConfigs<typename C::Scalar>& configs,
                  const Encode& encode, Var* sums) {
  const std::int64_t join = plan.join == Join::kNone ? plan.num_stages() : plan.join_stage;
  const auto before = static_cast<std::size_t>(join);  // its level
  Var h = segment.all(ctx, before);
  if (h.id == 0) {  // rows on the way there are read by no call after this
    PlannedRows<C> rows(plan, segment.rows, nullptr);
    h = net.nodes(ctx, detail::gather_inputs(ctx, nodes, segment.rows.node_of_input()));
    h = run_stages(net, ctx, plan, 0, join, h, rows);
    if (plan.join == Join::kNone) h = net.node_out(ctx, h, rows.last());
    h = segment.keep(ctx, before, h);
  }
  PlannedRows<C> rows(plan, segment.rows, plan.join == Join::kGraph ? nullptr : segment.store);
  if (plan.join == Join::kConfigurable) {
    const std::size_t last = segment.rows.num_levels() - 1;
    const Var done = segment.all(ctx, last);
    if (done.id == 0) {
      Span<const std::int32_t> needed, place;
      detail::needed_configs(ctx, plan, segment, configs.num_ids, needed, place);
      rows.set_configs(net.config(ctx, encode(ctx, needed)), static_cast<std::int64_t>(needed.size()), place);
      h = net.join(ctx, ctx.gather_rows(h, rows.join_roots()), rows.here(ctx, join));
      h = run_stages(net, ctx, plan, join, plan.num_stages(), h, rows);
      h = segment.keep(ctx, last, net.node_out(ctx, h, rows.last()));
    } else {
      h = done;
    }
  } else if (plan.join == Join::kGraph) {  // what each configuration has of its own is not kept
    rows.set_copies(configs.num_configs, net.config(ctx, configs.graph_config));
    Flow<typename C::Scalar> flow = rows.here(ctx, join);
    if (join > 0) flow.degree = rows.degrees(ctx, join);
    h = run_stages(net, ctx, plan, join, plan.num_stages(), net.join(ctx, h, flow), rows);
    h = net.node_out(ctx, h, rows.last());
  }
  for (std::size_t s = 0; s < segment.rows.sums().size(); ++s) sums[s] = rows.sum(ctx, s, h);
}

/// The pools of C configurations from the last rows of each sum. `total`: the row of each configuration, one
/// after the other for each sum; empty where all have the same, or rows in the order of their copies. Shapes:
/// (copies, PoolSums::channels()).
template <class C>
Var gather_totals(C& ctx, const NetPlan& plan, const FlowGraph& graph, const Var* sums,
                  Span<const std::int32_t> total, std::int64_t num_configs) {
  Var all;
  const PoolSums pools(plan);
  for (const PoolSums::Source& source : pools.sources()) {
    const std::size_t s = source.rows == Pool::Rows::kConfigurable && graph.pools_all ? 1 : 0;
    const auto size = static_cast<std::size_t>(num_configs);
    const Var v = total.empty() ? sums[s] : ctx.gather_rows(sums[s], total.subspan(s * size, size));
    all = all.id == 0 ? v : ctx.concat(all, v);
  }
  return all;
}

/// What run_pools() gives of C configurations of a segment, from distinct rows alone.
/// Shapes: (copies, PoolSums::channels()).
template <class C, class Encode>
Var run_planned(const NetOn<C>& net, C& ctx, const NetPlan& plan, PlannedSegment& segment,
                const NodeRows<typename C::Scalar>& nodes, const PlannedConfigs<typename C::Scalar>& configs,
                const Encode& encode) {
  Span<std::int32_t> total;
  if (plan.takes_nodes()) {
    const std::size_t size = segment.rows.sums().size() * static_cast<std::size_t>(configs.num_configs);
    total = {ctx.arena().template allocate<std::int32_t>(size), size};
    segment.rows.plan(configs.ids, configs.num_configs, ctx.arena(), total);
  }
  Var sums[2];
  run_new_rows(net, ctx, plan, segment, nodes, configs, encode, sums);
  return gather_totals(ctx, plan, segment.rows.graph(), sums, total, configs.num_configs);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_COST_RUN_PLANNED_HPP
