// SPDX-License-Identifier: Apache-2.0
// PlannedPools: the sums of a FlowPlan, each distinct block once, and what their gradients give to its rows.
#ifndef MLGRAPH_COST_PLANNED_POOLS_HPP
#define MLGRAPH_COST_PLANNED_POOLS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/planned_rows.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/row_readers.hpp"
#include "mlgraph/graph/transpose.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/spmm.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The sums over the last rows of a plan by the tree of a SumTree, every distinct block once; with a store,
/// what it lacks. The gradient of a row goes from the totals to it at once, as often as each of them reads it.
template <class C>
class PlannedPools {
  using T = typename C::Scalar;

 public:
  /// `store` may be null; with one there are at most `most_rows` in one go. `copies`: of the last rows.
  PlannedPools(const FlowPlan& rows, RowStore* store, std::int64_t copies = 1,
               std::int32_t most_rows = std::numeric_limits<std::int32_t>::max())
      : rows_(rows), store_(store), copies_(copies), most_rows_(most_rows) {}
  /// What plan_configs() said of C configurations, which a Tape needs.
  /// Shapes: total (sums C); last (C reached).
  void set_configs(std::int64_t num_configs, Span<const std::int32_t> total, Span<const std::int32_t> last) {
    num_configs_ = as_size(num_configs);
    total_ = total;
    last_ = last;
  }

  /// The totals of sum `s`, or the maxima over its nodes: all of its last rows, once for each copy.
  Var sum(C& ctx, std::size_t s, bool is_max, Var h) {
    const Reduce reduce = is_max ? Reduce::kMax : Reduce::kSum;
    if (rows_.level(rows_.num_levels() - 1).size() == 0)  // h has the columns all the same
      return ctx.segment_reduce(reduce, detail::ptr_of_equal_parts(ctx.arena(), copies_, 0), h);
    if constexpr (C::kRecords) {
      if (!is_max) return totals(ctx, s, h);
    }
    const RowStore::Kind kind = is_max ? RowStore::kOthers : RowStore::kValues;
    for (std::size_t t = 0; t < rows_.sums()[s].num_levels(); ++t) {
      const std::size_t level = rows_.sum_level(s, t);
      bool is_kept = false;
      if constexpr (!C::kRecords) {
        if (store_ != nullptr) {
          while (ctx.status().ok() && store_->num_rows(level, kind) < rows_.level(level).size()) {
            const typename C::Mark mark = ctx.mark();
            const AdjacencyView parts = parts_of_sum(ctx, s, t, store_->num_rows(level, kind));
            const MatrixView<float> to = store_->add(level, parts.csr.num_rows(), ctx.cols(h), kind);
            kernels::spmm<float>(reduce, parts.csr, {}, ctx.value(h), to, {}, false, ctx.pool());
            ctx.rewind(mark);
          }
          h = store_->all(ctx, level, kind);
          is_kept = true;
        }
      }
      if (!is_kept) h = ctx.spmm(reduce, parts_of_sum(ctx, s, t, 0), h);
    }
    return h;
  }

 private:
  /// What the next rows of level t of a sum add up, from row `from` on.
  AdjacencyView parts_of_sum(C& ctx, std::size_t s, std::size_t t, std::int32_t from) const {
    const std::size_t level = rows_.sum_level(s, t);
    const auto first = as_size(from), size = as_size(rows_.level(level).size());
    const std::size_t last = store_ == nullptr ? size : std::min(size, first + as_size(most_rows_));
    AdjacencyView adjacency = detail::rows_between(ctx.arena(), rows_.level(level), first, last);
    adjacency.num_cols = rows_.level(t == 0 ? rows_.num_levels() - 1 : level - 1).size();
    if constexpr (C::kRecords) add_transpose(adjacency, ctx.arena());
    return adjacency;
  }

  /// The levels of a sum that only its totals are kept of.
  Var totals(C& ctx, std::size_t s, Var h) const {
    if (!ctx.status().ok()) return {};
    const std::size_t num_levels = rows_.sums()[s].num_levels();
    RowReaders<T> readers;
    if (ctx.needs_grad(h)) {
      const auto total = total_.empty() ? total_ : total_.subspan(s * num_configs_, num_configs_);
      readers = find_readers<T>(rows_, s, total, last_, ctx.arena());
    }
    const std::int64_t num_totals = rows_.level(rows_.sum_level(s, num_levels - 1)).size();
    const Var y = ctx.allocate(copies_ * num_totals, ctx.cols(h), ctx.needs_grad(h));
    {
      const ArenaScope scope(ctx.arena());
      MatrixView<const T> parts = ctx.value(h);
      for (std::size_t t = 0; t < num_levels; ++t) {
        const FlowRows& blocks = rows_.level(rows_.sum_level(s, t));
        MatrixView<T> out = ctx.mutable_value(y);
        if (t + 1 < num_levels) {
          const std::int64_t size = copies_ * blocks.size();
          out = {ctx.arena().template allocate<T>(size * out.cols), size, out.cols};
        }
        const CsrView csr = {blocks.read_ptr(), blocks.reads()};
        kernels::spmm<T>(Reduce::kSum, csr, {}, parts, out, {}, false, ctx.pool());
        parts = out;
      }
    }
    ctx.record(y, TotalsOfRows{h, y, readers});
    return y;
  }
  /// y = the totals of rows of x, for each copy.  dx_r = sum over its readers d, in their order, of count dy_d.
  struct TotalsOfRows {
    Var x, y;
    RowReaders<T> readers;
    void backward(C& ctx) const {
      const auto dx = ctx.grad_target(x);
      const MatrixView<const T> dy = ctx.out_grad(y);
      if (!readers.has_all()) return add(ctx, dy, dx);
      const ArenaScope scope(ctx.arena());
      const std::int64_t rows = dy.rows + 1, width = dy.cols;
      T* const with_all = ctx.arena().template allocate<T>(rows * width);
      T* const all = with_all + dy.size();
      std::copy_n(dy.data, dy.size(), with_all);
      std::fill_n(all, width, T(0));
      for (std::int64_t d = 0; d < dy.rows; ++d) kernels::axpy(T(1), dy.row(d), all, width, nullptr);
      add(ctx, {with_all, rows, width}, dx);
    }

   private:
    void add(C& ctx, MatrixView<const T> dy, const typename C::GradTarget& dx) const {
      kernels::spmm(Reduce::kSum, readers.totals, readers.count, dy, dx.view, {}, dx.accumulate, ctx.pool());
    }
  };

  const FlowPlan& rows_;
  RowStore* store_;
  std::int64_t copies_;
  std::int32_t most_rows_;
  std::size_t num_configs_ = 0;
  Span<const std::int32_t> total_, last_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_PLANNED_POOLS_HPP
