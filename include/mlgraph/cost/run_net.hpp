// SPDX-License-Identifier: Apache-2.0
// Runs a network on the rows of a segment: the one loop over its stages, and what is before and after it.
#ifndef MLGRAPH_COST_RUN_NET_HPP
#define MLGRAPH_COST_RUN_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <numeric>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/edge_weights.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a stage reads: rows, and what neighbours are read as.
struct StageInputs {
  Var rows, messages;
};

/// Rows h enter stage k -> all that it reads.
template <class C, class Rows>
StageInputs enter_stage(const NetOn<C>& net, C& ctx, const NetPlan& plan, std::int64_t k, Var h, Rows& rows) {
  Var messages;
  const bool has_messages = plan.stages[as_size(k)].has_messages;
  if (has_messages) messages = rows.keep_messages(ctx, k, net.message(ctx, k, h, rows.here(ctx, k)));
  const Var all = rows.keep(ctx, k, h);
  return {all, has_messages ? messages : all};
}

/// Runs stages [begin, end) from the rows h that enter them -> the rows that leave the last, for training and
/// prediction, whole graphs and segments, one configuration and many.
///
/// `rows` says which rows there are, and where they are kept: CopiesOfNodes here, or PlannedRows. Rows that are
/// kept from calls before are read beside those that this call makes:
///
///   Flow<T> here(ctx, k)           of the rows of level k that this call made: for join() and message()
///   Flow<T> last()                 of those of the last level, without configurations: for node_out()
///   Flow<T> flow(ctx, k)           how the rows of level k + 1 follow from all rows of level k
///   Var keep(ctx, k, h)            takes the rows of level k that this call made -> all of that level
///   Var keep_messages(ctx, k, m)   the same of what stage k reads of them
template <class C, class Rows>
Var run_stages(const NetOn<C>& net, C& ctx, const NetPlan& plan, std::int64_t begin, std::int64_t end, Var h,
               Rows& rows) {
  for (std::int64_t k = begin; k < end; ++k) {
    const StageInputs in = enter_stage(net, ctx, plan, k, h, rows);
    h = net.layer(ctx, k, in.rows, in.messages, rows.flow(ctx, k));
  }
  return h;
}

namespace detail {

/// {0, n, 2 n, ..., count n}: the rows of each configuration.
[[nodiscard]] inline Span<const std::int32_t> ptr_of_equal_parts(Arena& arena, std::int64_t count,
                                                                 std::int64_t n) {
  const auto size = as_size(count) + 1;
  auto* const ptr = arena.allocate<std::int32_t>(size);
  for (std::int64_t c = 0; c <= count; ++c) ptr[c] = static_cast<std::int32_t>(c * n);
  return {ptr, size};
}

/// {index[0], index[1], ..., n + index[0], ...}: rows of some nodes in `count` copies of n nodes.
[[nodiscard]] inline Span<const std::int32_t> rows_in_copies(Arena& arena, Span<const std::int32_t> index,
                                                             std::int64_t count, std::int64_t n) {
  const auto size = as_size(count) * index.size();
  auto* const row = arena.allocate<std::int32_t>(size);
  std::int32_t* to = row;
  for (std::int64_t c = 0; c < count; ++c) {
    for (const std::int32_t i : index) *to++ = static_cast<std::int32_t>(c * n) + i;
  }
  return {row, size};
}

/// {0, 1, ..., count - 1}
[[nodiscard]] inline Span<const std::int32_t> first_ids(Arena& arena, std::int64_t count) {
  const auto size = as_size(count);
  auto* const ids = arena.allocate<std::int32_t>(size);
  std::iota(ids, ids + size, 0);
  return {ids, size};
}

/// A flow of rows that stay what they are, under C configurations.
template <class C>
[[nodiscard]] Flow<typename C::Scalar> flow_of_configs(std::int64_t num_configs, Var config, Var graph_config) {
  Flow<typename C::Scalar> flow;
  flow.num_configs = num_configs;
  flow.config = config;
  flow.graph_config = graph_config;
  return flow;
}

}  // namespace detail

/// Rows of run_stages(): every configuration has its own copy of the nodes. The specification of all others,
/// and what networks run whose rows depend on more than the rows they read (NetPlan::merges_rows()).
template <class C>
class CopiesOfNodes {
  using T = typename C::Scalar;

 public:
  /// `num_nodes` nodes, `config_node` those with a configuration of their own.
  CopiesOfNodes(C& ctx, const NetPlan& plan, const EdgesView& edges, std::int64_t num_nodes,
                std::int64_t num_copies, Span<const std::int32_t> config_node, Var config, Var graph_config)
      : plan_(plan), edges_(edges), weights_(edges) {
    flow_ = detail::flow_of_configs<C>(num_copies, config, graph_config);
    if (plan.mixes_nodes()) flow_.ptr = detail::ptr_of_equal_parts(ctx.arena(), num_copies, num_nodes);
    if (config.id != 0)
      flow_.config_rows = detail::rows_in_copies(ctx.arena(), config_node, num_copies, num_nodes);
  }
  /// Where `config` has one row for equal configurations: which of its `num_rows` each node has.
  /// Shapes: place (copies config_node), config-major.
  void set_place(Span<const std::int32_t> place, std::int64_t num_rows) {
    flow_.config_of = place;
    flow_.num_config_rows = num_rows;
  }

  [[nodiscard]] Flow<T> here(C&, std::int64_t) const { return flow_; }
  [[nodiscard]] Flow<T> last() const { return flow_; }
  [[nodiscard]] Flow<T> flow(C& ctx, std::int64_t k) {
    Flow<T> flow = flow_;
    const Stage& stage = plan_.stages[as_size(k)];
    if (stage.reads_edges) flow.edges = edges_.along(stage.direction);
    const auto weights = weights_.of(ctx.arena(), stage);
    flow.edge_weight = weights.edge;
    flow.self_weight = weights.self;
    return flow;
  }
  Var keep(C&, std::int64_t k, Var h) {
    if (k == plan_.first_rows_of) flow_.first = h;
    return h;
  }
  Var keep_messages(C&, std::int64_t, Var m) const { return m; }

 private:
  const NetPlan& plan_;
  EdgesView edges_;
  StageWeights<T> weights_;
  Flow<T> flow_;
};

/// The nodes before a configuration joins, and the copies of them that configurations have after that.
template <class C>
[[nodiscard]] CopiesOfNodes<C> copies_before_join(C& ctx, const NetPlan& plan,
                                                  const NetInput<typename C::Scalar>& in) {
  return CopiesOfNodes<C>(ctx, plan, in.edges, in.num_nodes(), 1, {}, Var{}, Var{});
}
template <class C>
[[nodiscard]] CopiesOfNodes<C> copies_after_join(C& ctx, const NetPlan& plan,
                                                 const NetInput<typename C::Scalar>& in, Var config,
                                                 Var graph_config) {
  const bool is_only = plan.join == Join::kConfigurableOnly;
  const std::int64_t num_nodes = is_only ? in.num_inner_config() : in.num_nodes();
  Span<const std::int32_t> config_node = in.config_node;
  if (is_only) config_node = detail::first_ids(ctx.arena(), num_nodes);  // they are all that is left
  return CopiesOfNodes<C>(ctx, plan, in.edges, num_nodes, in.num_configs, config_node, config, graph_config);
}

/// run_prefix() from the rows h that enter `stage`, of copies_before_join().
template <class C>
Var finish_prefix(const NetOn<C>& net, C& ctx, const NetPlan& plan, const NetInput<typename C::Scalar>& in,
                  std::int64_t stage, Var h, CopiesOfNodes<C>& rows) {
  const std::int64_t end = plan.join == Join::kNone ? plan.num_stages() : plan.join_stage;
  h = run_stages(net, ctx, plan, stage, end, h, rows);
  if (plan.join == Join::kNone) return net.node_out(ctx, h, rows.last());
  if (plan.join != Join::kConfigurableOnly) return h;
  return ctx.gather_rows(h, in.config_node.subspan(0, in.num_inner_config()));
}

/// What no configuration changes: the rows of nodes before the join; of those that go on, where not all do.
/// Shapes: (N or inner K, width).
template <class C>
Var run_prefix(const NetOn<C>& net, C& ctx, const NetPlan& plan, const NetInput<typename C::Scalar>& in) {
  CopiesOfNodes<C> rows = copies_before_join(ctx, plan, in);
  return finish_prefix(net, ctx, plan, in, 0, net.nodes(ctx, in.nodes), rows);
}

/// What join() is told where every configuration has a copy of `num_nodes` nodes.
template <class C>
[[nodiscard]] Flow<typename C::Scalar> flow_of_join(C& ctx, const NetPlan& plan, const EdgesView& edges,
                                                    std::int64_t num_nodes, const CopiesOfNodes<C>& rows) {
  Flow<typename C::Scalar> flow = rows.here(ctx, plan.join_stage);
  if (plan.join == Join::kGraph) flow.degree = degrees<C>(ctx, plan, edges);
  if (plan.join == Join::kConfigurableOnly) {
    const Span<const std::int32_t> each = detail::first_ids(ctx.arena(), num_nodes);
    flow.root = detail::rows_in_copies(ctx.arena(), each, flow.num_configs, 0);
    flow.same_rows = false;
  }
  return flow;
}

/// run_configs() from the rows h that enter `stage`, of copies_after_join().
template <class C>
Var finish_configs(const NetOn<C>& net, C& ctx, const NetPlan& plan, std::int64_t stage, Var h,
                   CopiesOfNodes<C>& rows) {
  h = run_stages(net, ctx, plan, stage, plan.num_stages(), h, rows);
  return net.node_out(ctx, h, rows.last());
}

/// The rows that are pooled, after node_out(), of all configurations, from run_prefix().
template <class C>
Var run_configs(const NetOn<C>& net, C& ctx, const NetPlan& plan, Var prefix,
                const NetInput<typename C::Scalar>& in) {
  if (plan.join == Join::kNone) return prefix;
  const Var config = plan.takes_nodes() ? net.config(ctx, in.config) : Var{};
  const Var graph_config = plan.join == Join::kGraph ? net.config(ctx, in.graph_config) : Var{};
  CopiesOfNodes<C> rows = copies_after_join(ctx, plan, in, config, graph_config);
  if (plan.join == Join::kConfigurable) prefix = ctx.repeat_rows(prefix, in.num_configs);
  const std::int64_t num_nodes = plan.join == Join::kConfigurableOnly ? in.num_inner_config() : in.num_nodes();
  const Var h = net.join(ctx, prefix, flow_of_join(ctx, plan, in.edges, num_nodes, rows));
  return finish_configs(net, ctx, plan, plan.join_stage, h, rows);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_RUN_NET_HPP
