// SPDX-License-Identifier: Apache-2.0
// PlannedRows: runs a network on the distinct rows of a FlowPlan, those that are not there yet.
#ifndef MLGRAPH_COST_PLANNED_ROWS_HPP
#define MLGRAPH_COST_PLANNED_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/transpose.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace detail {

/// Rows [from, to) of a level over all rows of the one before, how many these are left open.
[[nodiscard]] inline AdjacencyView rows_between(Arena& arena, const FlowRows& rows, std::size_t from,
                                                std::size_t to) {
  AdjacencyView adjacency;
  const Span<const std::int32_t> ptr = rows.read_ptr().subspan(from, to - from + 1);
  const auto first = as_size(ptr[0]);
  adjacency.csr.col = rows.reads().subspan(first, as_size(ptr.back()) - first);
  if (from == 0) {
    adjacency.csr.row_ptr = ptr;
    return adjacency;
  }
  auto* const rebased = arena.allocate<std::int32_t>(ptr.size());
  for (std::size_t i = 0; i < ptr.size(); ++i) rebased[i] = ptr[i] - ptr[0];
  adjacency.csr.row_ptr = {rebased, ptr.size()};
  return adjacency;
}

}  // namespace detail

/// Rows of run_stages(): every distinct row of a plan once, as often as there are copies of the graph after the
/// join. With a store, the next rows of each level that it lacks, beside those that it has.
///
/// Gradients of a row are summed over all rows that read it, in their order.
template <class C>
class PlannedRows {
  using T = typename C::Scalar;

 public:
  /// `store` may be null; with one there are at most `most_rows` in one go.
  PlannedRows(const NetPlan& plan, const FlowPlan& rows, RowStore* store,
              std::int32_t most_rows = std::numeric_limits<std::int32_t>::max())
      : plan_(plan), rows_(rows), store_(store), most_rows_(most_rows) {}
  /// `config`: what config() made of the `num_configs` configurations that the new rows have; `place`: its row
  /// of each configuration's id.
  void set_configs(Var config, std::int64_t num_configs, Span<const std::int32_t> place) {
    config_place_ = place;
    flow_.config = config;
    flow_.num_config_rows = num_configs;
  }
  /// After the join of a configuration of the graph: so many copies.
  void set_copies(std::int64_t count, Var graph_config) {
    copies_ = count;
    flow_.num_configs = count;
    flow_.graph_config = graph_config;
  }

  [[nodiscard]] Flow<T> here(C& ctx, std::int64_t k) const {
    if (k != plan_.join_stage && !plan_.joins_every_stage) return flow_;
    return with_config(ctx, flow_, rows_.graph().level_of(static_cast<std::int32_t>(k)));
  }
  [[nodiscard]] Flow<T> last() const { return flow_; }
  [[nodiscard]] Flow<T> flow(C& ctx, std::int64_t k) {
    const Stage& stage = plan_.stages[as_size(k)];
    const std::int32_t level = rows_.graph().level_of(static_cast<std::int32_t>(k)) + 1;
    Flow<T> flow = flow_;
    add_rows(ctx, level, stage, flow);
    if (plan_.joins_every_stage && !stage.has_messages) flow = with_config(ctx, flow, level);
    if (first_.id != 0) flow.first = ctx.gather_rows(first_, origins(ctx, level, first_level()));
    return flow;
  }
  Var keep(C& ctx, std::int64_t k, Var h) {
    if constexpr (!C::kRecords) {
      if (store_ != nullptr) h = store_->keep(ctx, level_of(k), h);
    }
    if (k == plan_.first_rows_of) first_ = h;
    return h;
  }
  Var keep_messages(C& ctx, std::int64_t k, Var m) {
    if constexpr (!C::kRecords) {
      if (store_ != nullptr) m = store_->keep(ctx, level_of(k), m, RowStore::kOthers);
    }
    return m;
  }

  // ---- for who has a row for each node of each configuration, from here on ---------------------------------

  /// The rows h of a level, all of them, as rows of nodes: those with the numbers `ids`, in every copy.
  [[nodiscard]] Var of_nodes(C& ctx, std::size_t level, Var h, Span<const std::int32_t> ids) const {
    const std::int32_t size = rows_.level(level).size();
    const bool are_same = static_cast<std::int32_t>(ids.size()) == size && is_each(ids);
    return are_same ? h : ctx.gather_rows(h, in_copies(ctx, ids, size));
  }
  /// What these were before stage NetPlan::first_rows_of; nothing where that is not over.
  [[nodiscard]] Var first_of_nodes(C& ctx, std::size_t level, Span<const std::int32_t> ids) const {
    if (first_.id == 0) return {};
    const std::int32_t from = first_level();
    auto* const was = ctx.arena().template allocate<std::int32_t>(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      was[i] = origin(static_cast<std::int32_t>(level), ids[i], from);
    return of_nodes(ctx, as_size(from), first_, {was, ids.size()});
  }
  /// Which row of `config` each of some configurations has, by their ids.
  [[nodiscard]] Span<const std::int32_t> places(C& ctx, Span<const std::int32_t> ids) const {
    auto* const place = ctx.arena().template allocate<std::int32_t>(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) place[i] = config_place_[ids[i]];
    return {place, ids.size()};
  }

  /// What stage k reads of the store.
  [[nodiscard]] StageInputs inputs(C& ctx, std::int64_t k) {
    const std::size_t level = level_of(k);
    if (first_.id == 0 && plan_.first_rows_of >= 0 && k >= plan_.first_rows_of)
      first_ = store_->all(ctx, as_size(first_level()));
    const Var all = store_->all(ctx, level);
    const bool has_messages = plan_.stages[as_size(k)].has_messages;
    return {all, has_messages ? store_->all(ctx, level, RowStore::kOthers) : all};
  }
  /// The rows of a level that are made next.
  [[nodiscard]] std::size_t begin(std::size_t level) const {
    return store_ == nullptr ? 0 : as_size(store_->num_rows(level));
  }
  [[nodiscard]] std::size_t end(std::size_t level) const {
    const auto size = as_size(rows_.level(level).size());
    return store_ == nullptr ? size : std::min(size, begin(level) + as_size(most_rows_));
  }

  /// The rows after the join: what each was before it, and the configuration that it has.
  [[nodiscard]] Span<const std::int32_t> join_roots() const {
    const auto level = as_size(rows_.graph().join_level());
    return rows_.level(level).root().subspan(begin(level), end(level) - begin(level));
  }
  /// What join() is told: `config_only` where it makes rows of configurable nodes, and there are no others.
  [[nodiscard]] Flow<T> flow_of_join(C& ctx) const {
    Flow<T> flow = here(ctx, plan_.join_stage);
    if (!rows_.graph().config_only) return flow;
    flow.root = join_roots();
    flow.same_rows = false;
    return flow;
  }
  /// Neighbours of each row at the level that leads to the join, as numbers.
  [[nodiscard]] Span<const T> degrees(C& ctx, std::int64_t join_stage) const {
    const Span<const std::int32_t> ptr = rows_.level(as_size(join_stage)).read_ptr();
    T* const degree = ctx.arena().template allocate<T>(ptr.size() - 1);
    for (std::size_t i = 0; i + 1 < ptr.size(); ++i) degree[i] = static_cast<T>(ptr[i + 1] - ptr[i]);
    return {degree, ptr.size() - 1};
  }

 private:
  [[nodiscard]] std::size_t level_of(std::int64_t k) const {
    return as_size(rows_.graph().level_of(static_cast<std::int32_t>(k)));
  }
  [[nodiscard]] std::int32_t first_level() const {
    return rows_.graph().level_of(static_cast<std::int32_t>(plan_.first_rows_of));
  }
  void add_rows(C& ctx, std::int32_t level, const Stage& stage, Flow<T>& flow) const {
    const FlowRows& rows = rows_.level(as_size(level));
    const std::size_t from = begin(as_size(level)), to = end(as_size(level));
    const std::int32_t before = rows_.level(as_size(level) - 1).size();
    if (stage.reads_edges) {
      flow.edges = detail::rows_between(ctx.arena(), rows, from, to);
      flow.edges.num_cols = before;
      if constexpr (C::kRecords) add_transpose(flow.edges, ctx.arena());
    }
    const Span<const std::int32_t> root = rows.root().subspan(from, to - from);
    flow.same_rows = from == 0 && static_cast<std::int32_t>(root.size()) == before && is_each(root);
    if (!flow.same_rows) flow.root = in_copies(ctx, root, before);
    if (stage.weights == EdgeWeights::kNone) return;
    const FlowStage& weights = rows_.graph().stages[as_size(stage_before(level))];
    const auto first = as_size(rows.read_ptr()[from]);
    const auto last = as_size(rows.read_ptr()[to]);
    const bool has_edges = !rows.edge_kind().empty();
    flow.edge_weight =
        values(ctx, rows.edge_kind().subspan(has_edges ? first : 0, has_edges ? last - first : 0),
               weights.edge_weight, weights.edge_weight64, 1);
    flow.self_weight =
        values(ctx, rows.kind().subspan(from, to - from), weights.node_weight, weights.node_weight64, copies_);
  }
  [[nodiscard]] std::int32_t stage_before(std::int32_t level) const {
    return level - 1 - (rows_.graph().joins() && level > rows_.graph().join_level() ? 1 : 0);
  }

  [[nodiscard]] static bool is_each(Span<const std::int32_t> ids) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] != static_cast<std::int32_t>(i)) return false;
    }
    return true;
  }
  [[nodiscard]] Span<const std::int32_t> in_copies(C& ctx, Span<const std::int32_t> ids,
                                                   std::int32_t stride) const {
    return copies_ == 1 ? ids : detail::rows_in_copies(ctx.arena(), ids, copies_, stride);
  }
  template <class Values, class Values64>
  [[nodiscard]] static Span<const T> values(C& ctx, Span<const std::int32_t> kind, const Values& value,
                                            const Values64& value64, std::int64_t copies) {
    const std::size_t size = kind.size() * as_size(copies);
    T* const out = ctx.arena().template allocate<T>(size);
    for (std::size_t i = 0; i < size; ++i) {
      const auto k = as_size(kind[i % kind.size()]);
      out[i] = sizeof(T) == sizeof(float) ? static_cast<T>(value[k]) : static_cast<T>(value64[k]);
    }
    return {out, size};
  }

  /// What the new rows of a level were at a level before.
  [[nodiscard]] Span<const std::int32_t> origins(C& ctx, std::int32_t level, std::int32_t from) const {
    const std::size_t first = begin(as_size(level));
    const std::size_t size = end(as_size(level)) - first;
    auto* const out = ctx.arena().template allocate<std::int32_t>(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = origin(level, static_cast<std::int32_t>(first + i), from);
    if (copies_ == 1) return {out, size};
    return detail::rows_in_copies(ctx.arena(), {out, size}, copies_, rows_.level(as_size(from)).size());
  }
  [[nodiscard]] std::int32_t origin(std::int32_t level, std::int32_t row, std::int32_t from) const {
    for (; level > from; --level) row = rows_.level(as_size(level)).root()[row];
    return row;
  }
  /// Which new rows of a level have a configuration of their own, and which.
  [[nodiscard]] Flow<T> with_config(C& ctx, Flow<T> flow, std::int32_t level) const {
    const FlowGraph& graph = rows_.graph();
    if (!graph.joins() || level < graph.join_level()) return flow;
    const std::size_t first = begin(as_size(level));
    const std::size_t size = end(as_size(level)) - first;
    const Span<const std::int32_t> kind = rows_.level(as_size(graph.join_level())).kind();
    auto* const row = ctx.arena().template allocate<std::int32_t>(size);
    auto* const config = ctx.arena().template allocate<std::int32_t>(size);
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::int32_t id = kind[origin(level, static_cast<std::int32_t>(first + i), graph.join_level())] - 1;
      if (id < 0) continue;
      row[count] = static_cast<std::int32_t>(i);
      config[count++] = config_place_[id];
    }
    flow.config_rows = {row, count};
    flow.config_of = {config, count};
    return flow;
  }

  const NetPlan& plan_;
  const FlowPlan& rows_;
  RowStore* store_;
  std::int32_t most_rows_;
  Span<const std::int32_t> config_place_;
  std::int64_t copies_ = 1;
  Flow<T> flow_;
  Var first_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_PLANNED_ROWS_HPP
