// SPDX-License-Identifier: Apache-2.0
// KeptRows: matrices of the rows of one segment, for some configurations at a time, and what leads to each.
#ifndef MLGRAPH_INFER_KEPT_ROWS_HPP
#define MLGRAPH_INFER_KEPT_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/edge_weights.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/infer/row_matrix.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Every level from the join on has a matrix: the rows that all configurations share, which bind() computes,
/// then those that each of some configurations, its slot, owns. All have the bits of run_configs().
///
/// Borrows the network, its plan and the segment's graph.
class KeptRows {
 public:
  /// Computes what no configuration changes. `in` is the segment without configurations, `shared` its shared
  /// rows (of every layer), `config` any one configuration, (K, ...) of Net::config(), whose rows are in slot 0
  /// then.
  void bind(Eager& ctx, const NetOn<Eager>& net, const NetPlan& plan, const NetInput<float>& in,
            SharedRows shared, std::int64_t num_slots, Var config) {
    net_ = &net;
    plan_ = &plan;
    in_ = in;
    shared_ = std::move(shared);
    num_slots_ = num_slots;
    expand();
    Var h = ctx.gather_rows(run_prefix<Eager>(net, ctx, plan, in_), shared_.first_nodes(1, ctx.arena()));
    const SharedLevel first = shared_.level(0);
    const MatrixView<const float> prefix = ctx.value(h);
    base_.resize(first.num_own(), prefix.cols);
    std::copy_n(prefix.row(first.num_shared), base_.value.size(), base_.value.data());
    rows_.resize(at(num_levels()) + 1);
    messages_.resize(at(num_levels()));
    BoundRows rows(*this, config);
    run(ctx, h, rows, rows.here(ctx, plan.join_stage));
  }

  /// Makes the rows of the configurations in slots [first, first + count) from theirs, (count K, ...).
  void run_slots(Eager& ctx, Var config, std::int64_t first, std::int64_t count) {
    SlotRows rows(*this, config, first, count);
    const std::size_t num_own = at(count * shared_.level(0).num_own());
    const Var h = ctx.gather_rows(ctx.input(base_.view()), base_rows_.subspan(0, num_own));
    run(ctx, h, rows, rows.here(ctx, plan_->join_stage));
  }

  /// Joins configurations, runs the stages from there and keeps what is pooled.
  template <class Rows>
  void run(Eager& ctx, Var h, Rows& rows, const Flow<float>& first) {
    h = net_->join(ctx, h, first);
    h = run_stages<Eager>(*net_, ctx, *plan_, plan_->join_stage, plan_->num_stages(), h, rows);
    rows.keep(ctx, plan_->num_stages(), net_->node_out(ctx, h, rows.last()));
  }

  [[nodiscard]] const NetPlan& plan() const { return *plan_; }
  [[nodiscard]] const NetInput<float>& in() const { return in_; }
  [[nodiscard]] const SharedRows& shared() const { return shared_; }
  [[nodiscard]] std::int64_t num_levels() const { return shared_.num_layers(); }
  [[nodiscard]] SharedLevel last_level() const { return shared_.level(num_levels()); }
  /// The level that stage k reads, and the stage that reads a level.
  [[nodiscard]] std::int64_t level_of(std::int64_t k) const { return k - plan_->join_stage; }
  [[nodiscard]] const Stage& stage(std::int64_t level) const {
    return plan_->stages[at(plan_->join_stage + level)];
  }
  [[nodiscard]] const AdjacencyView& adjacency(std::int64_t level) const {
    return in_.edges.along(stage(level).direction);
  }
  /// The weights of a stage over the whole graph.
  [[nodiscard]] const RowWeights<float>& node_weights(std::int64_t level) const {
    return node_weights_[at(level)];
  }
  /// The level of NetPlan::first_rows_of, where stage `level` reads it; else -1.
  [[nodiscard]] std::int64_t first_level(std::int64_t level) const {
    const std::int64_t first = plan_->first_rows_of < 0 ? -1 : level_of(plan_->first_rows_of);
    return first <= level ? first : -1;
  }

  /// The rows of level k; what stage k reads of them, where it has messages; configurable nodes before the
  /// join.
  [[nodiscard]] std::vector<RowMatrix>& rows() { return rows_; }
  [[nodiscard]] std::vector<RowMatrix>& messages() { return messages_; }
  [[nodiscard]] const RowMatrix& base() const { return base_; }
  /// Which configurable node each row of base() is.
  [[nodiscard]] std::int32_t config_at_own(std::int32_t own) const { return config_at_own_[at(own)]; }

  /// The rows of the last level of the inner configurable nodes of slots [first, first + count).
  [[nodiscard]] Span<const std::int32_t> inner_config_rows(Arena& arena, std::int64_t first,
                                                           std::int64_t count) const {
    const std::int64_t num_config = in_.num_config_nodes();
    const Span<const std::int32_t> rows = config_rows_.subspan(at(first * num_config), at(count * num_config));
    if (in_.num_halo_config == 0) return rows;
    const std::int64_t num_inner = in_.num_inner_config();  // those of a halo come last in each configuration
    auto* const inner = arena.allocate<std::int32_t>(at(count * num_inner));
    for (std::int64_t c = 0; c < count; ++c)
      std::copy_n(rows.data() + c * num_config, num_inner, inner + c * num_inner);
    return {inner, at(count * num_inner)};
  }
  /// {0, inner configurable nodes, twice as many, ...}
  [[nodiscard]] Span<const std::int32_t> config_ptr(std::int64_t count) const {
    return config_ptr_.subspan(0, at(count) + 1);
  }

 private:
  template <class Int>
  static std::size_t at(Int i) {
    return static_cast<std::size_t>(i);
  }

  /// All rows of one configuration, which are kept.
  class BoundRows : public SharedNodes<Eager> {
   public:
    BoundRows(KeptRows& all, Var config)
        : SharedNodes<Eager>(*all.plan_, all.in_.edges, all.shared_, 1, config, Var{}), all_(all) {}
    Var keep(Eager& ctx, std::int64_t k, Var h) {
      all_.keep_bound(ctx, all_.rows_, k, h);
      return SharedNodes<Eager>::keep(ctx, k, h);
    }
    Var keep_messages(Eager& ctx, std::int64_t k, Var m) {
      all_.keep_bound(ctx, all_.messages_, k, m);
      return m;
    }

   private:
    KeptRows& all_;
  };

  /// The own rows of the configurations in slots [first, first + count).
  class SlotRows {
   public:
    SlotRows(KeptRows& all, Var config, std::int64_t first, std::int64_t count)
        : all_(all), config_(config), first_(first), count_(count) {}

    [[nodiscard]] Flow<float> here(Eager&, std::int64_t k) const {
      Flow<float> flow = detail::flow_of_configs<Eager>(count_, config_, Var{});
      flow.config_rows =
          all_.own_config_rows_[at(all_.level_of(k))].subspan(0, at(count_ * all_.in_.num_config_nodes()));
      return flow;
    }
    [[nodiscard]] Flow<float> flow(Eager& ctx, std::int64_t k) const {
      const std::int64_t level = all_.level_of(k);
      const SharedLevel next = all_.shared_.level(level + 1);
      const std::size_t begin = at(next.num_shared + first_ * next.num_own());
      const std::size_t size = at(count_ * next.num_own());
      Flow<float> flow = here(ctx, k + 1);
      flow.root = all_.layers_[at(level)].root.subspan(begin, size);
      flow.same_rows = false;
      const RowWeights<float>& weights = all_.weights_[at(level)];
      if (!weights.self.empty()) flow.self_weight = weights.self.subspan(begin, size);
      if (all_.stage(level).reads_edges) {
        const AdjacencyView& whole = all_.layers_[at(level)].adjacency;
        const Span<const std::int32_t> from = whole.csr.row_ptr.subspan(begin, size + 1);
        auto* const row_ptr = ctx.arena().allocate<std::int32_t>(size + 1);
        for (std::size_t i = 0; i <= size; ++i) row_ptr[i] = from[i] - from[0];
        const std::size_t first_edge = at(from[0]), num_edges = at(row_ptr[size]);
        flow.edges.csr = {{row_ptr, size + 1}, whole.csr.col.subspan(first_edge, num_edges)};
        flow.edges.num_cols = whole.num_cols;
        if (!weights.edge.empty()) flow.edge_weight = weights.edge.subspan(first_edge, num_edges);
      }
      if (all_.first_rows_[at(level)].empty()) return flow;
      const RowMatrix& first = all_.rows_[at(all_.first_level(level))];
      flow.first = ctx.gather_rows(ctx.input(first.view()), all_.first_rows_[at(level)].subspan(begin, size));
      return flow;
    }
    [[nodiscard]] Flow<float> last() const { return detail::flow_of_configs<Eager>(count_, Var{}, Var{}); }
    Var keep(Eager& ctx, std::int64_t k, Var h) const { return store(ctx, all_.rows_, k, h); }
    Var keep_messages(Eager& ctx, std::int64_t k, Var m) const { return store(ctx, all_.messages_, k, m); }

   private:
    Var store(Eager& ctx, std::vector<RowMatrix>& rows, std::int64_t k, Var h) const {
      const SharedLevel level = all_.shared_.level(all_.level_of(k));
      const MatrixView<const float> value = ctx.value(h);
      RowMatrix& to = rows[at(all_.level_of(k))];
      std::copy_n(value.data, value.size(), to.row(level.num_shared + first_ * level.num_own()));
      return ctx.input(to.view());
    }

    KeptRows& all_;
    Var config_;
    std::int64_t first_, count_;
  };

  // What does not depend on values: how the rows of every slot follow from those before them.
  void expand() {
    memory_.rewind();
    StageWeights<float> whole(in_.edges);
    for (std::int64_t k = 0; k < num_levels(); ++k) {
      layers_.push_back(shared_.layer(k, num_slots_, false, memory_));
      weights_.push_back(whole.of_shared(memory_, stage(k), layers_.back(), shared_.level(k + 1), num_slots_));
      node_weights_.push_back(whole.of(memory_, stage(k)));
      const std::int64_t first = first_level(k);
      first_rows_.push_back(first >= 0 ? shared_.rows_before(first, k + 1, num_slots_, memory_)
                                       : Span<const std::int32_t>());
    }
    for (std::int64_t k = 0; k <= num_levels(); ++k) {
      config_rows_ = shared_.config_rows(k, num_slots_, in_.num_config_nodes(), memory_);
      auto* const own = memory_.allocate<std::int32_t>(config_rows_.size());
      for (std::size_t i = 0; i < config_rows_.size(); ++i)
        own[i] = config_rows_[i] - shared_.level(k).num_shared;
      own_config_rows_.push_back({own, config_rows_.size()});
    }
    const SharedLevel first = shared_.level(0);
    const std::size_t num_own = at(num_slots_ * first.num_own());
    auto* const source = memory_.allocate<std::int32_t>(num_own);
    for (std::size_t i = 0; i < num_own; ++i) source[i] = static_cast<std::int32_t>(i % at(first.num_own()));
    base_rows_ = {source, num_own};
    config_at_own_.resize(at(first.num_own()));
    for (std::int32_t q = 0; q < in_.num_config_nodes(); ++q)
      config_at_own_[at(first.row[at(in_.config_node[at(q)])] - first.num_shared)] = q;
    config_ptr_ = detail::equal_segments(memory_, num_slots_, in_.num_inner_config());
  }

  void keep_bound(Eager& ctx, std::vector<RowMatrix>& rows, std::int64_t k, Var h) const {
    const MatrixView<const float> value = ctx.value(h);
    RowMatrix& to = rows[at(level_of(k))];
    to.resize(shared_.level(level_of(k)).num_rows(num_slots_), value.cols);
    std::copy_n(value.data, value.size(), to.value.data());
    to.saved_in.assign(at(shared_.num_nodes()), 0);
  }

  const NetOn<Eager>* net_ = nullptr;
  const NetPlan* plan_ = nullptr;
  NetInput<float> in_;
  SharedRows shared_;
  std::int64_t num_slots_ = 0;

  Arena memory_;                                           // of what follows
  std::vector<SharedLayer> layers_;                        // for every slot
  std::vector<RowWeights<float>> weights_, node_weights_;  // of these layers; of the graph, for each
  std::vector<Span<const std::int32_t>> first_rows_;       // (rows of each layer) in the level of first_rows_of
  std::vector<Span<const std::int32_t>> own_config_rows_;  // (slots K) of each level, counted from its own rows
  Span<const std::int32_t> config_rows_;                   // (slots K) of the last level
  Span<const std::int32_t> base_rows_, config_ptr_;

  RowMatrix base_;                           // (K, width) the configurable nodes before any configuration
  std::vector<std::int32_t> config_at_own_;  // (K) which configurable node each of these rows is
  std::vector<RowMatrix> rows_, messages_;   // of each level; of each layer
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_KEPT_ROWS_HPP
