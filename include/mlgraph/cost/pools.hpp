// SPDX-License-Identifier: Apache-2.0
// Pools: sums over the nodes of each configuration, which segments add up, and what the read-out sees of them.
#ifndef MLGRAPH_COST_POOLS_HPP
#define MLGRAPH_COST_POOLS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The reductions that the pools of a plan are made of, each once, in the order of the pools. Their columns
/// beside each other are the embedding of a segment: embeddings of sums add up over segments.
class PoolSums {
 public:
  struct Source {
    Pool::Rows rows;
    bool is_max;
  };

  explicit PoolSums(const NetPlan& plan) : plan_(&plan) {
    for (const Pool& pool : plan.pools) {
      if (find(pool) == count_) sources_[count_++] = {pool.rows, pool.reduce == kernels::Reduce::kMax};
    }
  }

  [[nodiscard]] Span<const Source> sources() const { return {sources_, count_}; }
  /// The source of a pool.
  [[nodiscard]] std::size_t source_of(std::size_t pool) const { return find(plan_->pools[pool]); }
  [[nodiscard]] std::int64_t channels() const { return plan_->channels * static_cast<std::int64_t>(count_); }

  /// What the read-out sees of the total of all segments: each pool normalised, one beside the other.
  /// Shapes: sums (copies, channels()) -> (copies, pools plan.channels).
  template <class C>
  Var normalized(C& ctx, Var sums, std::int64_t num_nodes, std::int64_t num_config_nodes) const {
    using T = typename C::Scalar;
    Var all;
    for (std::size_t p = 0; p < plan_->pools.size(); ++p) {
      const Pool& pool = plan_->pools[p];
      Var v = sums;
      if (count_ > 1)
        v = ctx.slice_cols(sums, static_cast<std::int64_t>(source_of(p)) * plan_->channels, plan_->channels);
      if (pool.reduce == kernels::Reduce::kMean)
        v = ctx.scale(v, T(1) / static_cast<T>(mean_over(pool, num_nodes, num_config_nodes)));
      if (pool.l2) v = ctx.l2_normalize(v);
      all = all.id == 0 ? v : ctx.concat(all, v);
    }
    return all;
  }
  /// What a mean divides by.
  [[nodiscard]] static std::int64_t mean_over(const Pool& pool, std::int64_t num_nodes,
                                              std::int64_t num_config_nodes) {
    const std::int64_t count = pool.rows == Pool::Rows::kAll ? num_nodes : num_config_nodes;
    return count > 0 ? count : 1;
  }

 private:
  [[nodiscard]] std::size_t find(const Pool& pool) const {
    std::size_t i = 0;
    while (i < count_ &&
           (sources_[i].rows != pool.rows || sources_[i].is_max != (pool.reduce == kernels::Reduce::kMax)))
      ++i;
    return i;
  }

  const NetPlan* plan_;
  Source sources_[4] = {};  // sums and maxima, of all and of configurable nodes: there are no others
  std::size_t count_ = 0;
};

namespace detail {

/// Reduces `count` rows of each of `copies` by the tree of a SumTree.  Shapes: h (copies count, F) -> (copies,
/// F).
template <class C>
Var reduce_in_tree(C& ctx, kernels::Reduce reduce, Var h, std::int64_t copies, std::int64_t count) {
  do {
    const std::int64_t blocks = tree_level_size(count);
    const auto size = as_size(copies * blocks) + 1;
    auto* const ptr = ctx.arena().template allocate<std::int32_t>(size);
    for (std::int64_t c = 0; c < copies; ++c) {
      for (std::int64_t b = 0; b < blocks; ++b)
        ptr[c * blocks + b] = static_cast<std::int32_t>(c * count + tree_parts(b, count).first);
    }
    ptr[copies * blocks] = static_cast<std::int32_t>(copies * count);
    h = ctx.segment_reduce(reduce, {ptr, size}, h);
    count = blocks;
  } while (count > 1);
  return h;
}

}  // namespace detail

/// The sums over the nodes of a segment, without its halo, of each copy that run_configs() gave rows of, by the
/// tree of a SumTree.  Shapes: h (rows, plan.channels) -> (copies, PoolSums::channels()).
template <class C>
Var run_pools(C& ctx, const NetPlan& plan, Var h, const NetInput<typename C::Scalar>& in) {
  if (!ctx.expect(ctx.cols(h) == plan.channels, [&] {
        return str_cat("the rows that are pooled have ", ctx.cols(h), " columns; the plan says ",
                       plan.channels);
      })) {
    return {};
  }
  const std::int64_t copies = plan.num_copies(in.num_configs);
  const bool only_config = plan.join == Join::kConfigurableOnly;
  const std::int64_t num_rows = only_config ? in.num_inner_config() : in.num_nodes();
  const std::int64_t inner = only_config ? in.num_inner_config() : in.num_inner();
  Var sums;
  const PoolSums pools(plan);
  for (const PoolSums::Source& source : pools.sources()) {
    const kernels::Reduce reduce = source.is_max ? kernels::Reduce::kMax : kernels::Reduce::kSum;
    const bool of_all = source.rows == Pool::Rows::kAll;
    const std::int64_t count = of_all ? inner : in.num_inner_config();
    Var v = h;
    if (!of_all || inner != num_rows) {
      const Span<const std::int32_t> nodes =
          of_all ? detail::first_ids(ctx.arena(), inner) : in.config_node.subspan(0, count);
      v = ctx.gather_rows(h, detail::rows_in_copies(ctx.arena(), nodes, copies, num_rows));
    }
    v = detail::reduce_in_tree(ctx, reduce, v, copies, count);
    sums = sums.id == 0 ? v : ctx.concat(sums, v);
  }
  return sums;
}

/// The scores of C configurations from the total of the segments' sums.
/// Shapes: sums (copies, PoolSums::channels()) -> (C, plan.num_outputs).
template <class C>
Var run_readout(const NetOn<C>& net, C& ctx, const NetPlan& plan, Var sums, std::int64_t num_configs,
                std::int64_t num_nodes, std::int64_t num_config_nodes,
                const ConfigRows<typename C::Scalar>& graph_config) {
  const Var config = plan.config_in_readout ? net.config(ctx, graph_config) : Var{};
  Var scores = net.readout(ctx, PoolSums(plan).normalized(ctx, sums, num_nodes, num_config_nodes), config);
  if (ctx.rows(scores) == 1 && num_configs > 1) scores = ctx.repeat_rows(scores, num_configs);  // none joins
  if (!ctx.expect(ctx.rows(scores) == num_configs && ctx.cols(scores) == plan.num_outputs, [&] {
        return str_cat("the read-out gives (", ctx.rows(scores), ", ", ctx.cols(scores), "); should be (",
                       num_configs, ", ", plan.num_outputs, ")");
      })) {
    return {};
  }
  return scores;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_POOLS_HPP
