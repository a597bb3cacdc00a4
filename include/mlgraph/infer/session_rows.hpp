// SPDX-License-Identifier: Apache-2.0
// SessionRows: the rows of one segment that a session keeps, for its current configuration and for a chunk of
// others.
#ifndef MLGRAPH_INFER_SESSION_ROWS_HPP
#define MLGRAPH_INFER_SESSION_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/infer/kept_rows.hpp"
#include "mlgraph/infer/row_matrix.hpp"
#include "mlgraph/kernels/shared_pool.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One segment under a network whose configurations share rows (NetPlan::shares_rows()): the rows of its
/// current configuration, which start() and update() make, and those of a chunk that is scored (score()). What
/// is returned has the bits of run_pools().
///
/// Borrows the network and the segment's graph; every call has a context of the caller's, bound to the
/// parameters.
class SessionRows {
 public:
  SessionRows() = default;

  /// As KeptRows::bind(); `chunk`: the most configurations of one score().
  void bind(Eager& ctx, const NetOn<Eager>& net, const NetPlan& plan, const NetInput<float>& in,
            SharedRows shared, std::int64_t chunk, Var config) {
    kept_.bind(ctx, net, plan, in, std::move(shared), 1 + chunk, config);
    const kernels::PoolBlocks blocks(in.num_inner());
    partial_.resize(std::max<std::int64_t>(1, blocks.count()), plan.channels);
    block_has_own_.resize(at(blocks.count()));
    for (std::int64_t b = 0; b < blocks.count(); ++b) {
      block_has_own_[at(b)] = blocks.has_own(kept_.last_level(), b) ? 1 : 0;
      sum_block(blocks, b);
    }
    reserve();
  }

  /// Sums of `count` <= chunk configurations.  Shapes: config (count K, ...) -> (count, PoolSums::channels()).
  Var score(Eager& ctx, Var config, std::int64_t count) {
    kept_.run_slots(ctx, config, 1, count);
    return pool(ctx, 1, count, [&](MatrixView<float> nodes) {
      const kernels::PoolBlocks blocks(in().num_inner());
      const std::int64_t cols = nodes.cols;
      const MatrixView<const float> h = last_rows().view();
      float* const partial =
          ctx.arena().allocate<float>(static_cast<std::size_t>(count * blocks.count() * cols));
      parallel_for(ctx.pool(), blocks.count(), 1, [&](std::int64_t b, std::int64_t) {
        for (std::int64_t c = 0; c < count; ++c) {
          float* const out = partial + (c * blocks.count() + b) * cols;
          if (block_has_own_[at(b)] != 0) {
            blocks.sum_block(kept_.last_level(), h, b, c + 1, out);
          } else {
            std::copy_n(partial_.row(b), cols, out);
          }
        }
      });
      for (std::int64_t c = 0; c < count; ++c)
        blocks.join(false, partial + c * blocks.count() * cols, cols, nodes.row(c));
    });
  }

  /// Makes a configuration the current one.  Shapes: config (K, ...) -> (1, PoolSums::channels()).
  Var start(Eager& ctx, Var config) {
    kept_.run_slots(ctx, config, 0, 1);
    const kernels::PoolBlocks blocks(in().num_inner());
    for (std::int64_t b = 0; b < blocks.count(); ++b) {
      if (block_has_own_[at(b)] != 0) sum_block(blocks, b);
    }
    commit();
    return current(ctx);
  }

  /// The sums of the current configuration.
  Var current(Eager& ctx) {
    return pool(ctx, 0, 1, [&](MatrixView<float> nodes) {
      kernels::PoolBlocks(in().num_inner()).join(false, partial_.row(0), nodes.cols, nodes.data);
    });
  }

  /// Changes the current configuration at some configurable nodes; everything they cannot reach stays.
  /// `config_of(positions)` gives Net::config() of the current configuration, already changed, at some of the K
  /// configurable nodes.  Shapes: changed (d) positions among them -> (1, PoolSums::channels()).
  template <class ConfigOf>
  Var update(Eager& ctx, Span<const std::int32_t> changed, const ConfigOf& config_of) {
    undo_.begin();
    reached_.clear();
    mark_.reset();
    for (const std::int32_t q : changed) reach(in().config_node[at(q)]);
    ChangedRows<ConfigOf> rows(*this, config_of);
    auto* const source = ctx.arena().allocate<std::int32_t>(reached_.size());
    for (std::size_t i = 0; i < reached_.size(); ++i)
      source[i] = current_row(0, reached_[i]) - kept_.shared().level(0).num_shared;
    const Var base =
        ctx.gather_rows(ctx.input(kept_.base().view()), Span<const std::int32_t>(source, reached_.size()));
    kept_.run(ctx, base, rows, rows.of_changed(ctx, changed));
    sum_changed_blocks();
    return current(ctx);
  }

  /// Keeps what update() did since the last commit(), or takes it back.
  void commit() { undo_.commit(); }
  void rollback() { undo_.rollback(); }

 private:
  template <class Int>
  static std::size_t at(Int i) {
    return static_cast<std::size_t>(i);
  }
  [[nodiscard]] const NetInput<float>& in() const { return kept_.in(); }
  [[nodiscard]] RowMatrix& last_rows() { return kept_.rows().back(); }

  /// The rows of the current configuration that a change reaches; more after every stage that reads edges.
  template <class ConfigOf>
  class ChangedRows {
   public:
    ChangedRows(SessionRows& all, const ConfigOf& config_of) : all_(all), config_of_(config_of) {}

    /// Of the nodes that were changed, which are the first to be reached.
    [[nodiscard]] Flow<float> of_changed(Eager& ctx, Span<const std::int32_t> changed) const {
      auto* const place = ctx.arena().allocate<std::int32_t>(changed.size());
      for (std::size_t i = 0; i < changed.size(); ++i) place[i] = static_cast<std::int32_t>(i);
      Flow<float> flow = detail::flow_of_configs<Eager>(1, config_of_(changed), Var{});
      flow.config_rows = {place, changed.size()};
      return flow;
    }
    /// Of all that are reached: the configurable nodes among them are told again where every stage is.
    [[nodiscard]] Flow<float> here(Eager& ctx, std::int64_t) const {
      if (!all_.kept_.plan().joins_every_stage) return detail::flow_of_configs<Eager>(1, Var{}, Var{});
      auto* const place = ctx.arena().allocate<std::int32_t>(all_.reached_.size());
      auto* const position = ctx.arena().allocate<std::int32_t>(all_.reached_.size());
      std::size_t count = 0;
      for (std::size_t i = 0; i < all_.reached_.size(); ++i) {
        const std::int32_t own =
            all_.current_row(0, all_.reached_[i]) - all_.kept_.shared().level(0).num_shared;
        if (own < 0) continue;
        place[count] = static_cast<std::int32_t>(i);
        position[count++] = all_.kept_.config_at_own(own);
      }
      Flow<float> flow = detail::flow_of_configs<Eager>(1, config_of_({position, count}), Var{});
      flow.config_rows = {place, count};
      return flow;
    }
    [[nodiscard]] Flow<float> flow(Eager& ctx, std::int64_t k) const {
      const std::int64_t level = all_.kept_.level_of(k);
      if (all_.kept_.stage(level).reads_edges) all_.reach_users(all_.kept_.adjacency(level));
      Flow<float> flow = all_.kept_.stage(level).has_messages ? last() : here(ctx, k + 1);
      all_.add_reached(ctx, level, flow);
      return flow;
    }
    [[nodiscard]] Flow<float> last() const { return detail::flow_of_configs<Eager>(1, Var{}, Var{}); }
    Var keep(Eager& ctx, std::int64_t k, Var h) const { return store(ctx, all_.kept_.rows(), k, h); }
    Var keep_messages(Eager& ctx, std::int64_t k, Var m) const {
      return store(ctx, all_.kept_.messages(), k, m);
    }

   private:
    Var store(Eager& ctx, std::vector<RowMatrix>& rows, std::int64_t k, Var h) const {
      RowMatrix& to = rows[at(all_.kept_.level_of(k))];
      const MatrixView<const float> value = ctx.value(h);
      for (std::int64_t i = 0; i < value.rows; ++i) {
        const std::int32_t node = all_.reached_[at(i)];
        float* const row = to.row(all_.current_row(all_.kept_.level_of(k), node));
        all_.undo_.save(row, to.cols, to.saved_in[at(node)]);
        std::copy_n(value.row(i), to.cols, row);
      }
      return ctx.input(to.view());
    }

    SessionRows& all_;
    const ConfigOf& config_of_;
  };

  // As much as the largest update, of every configurable node, needs: later ones allocate nothing.
  void reserve() {
    std::size_t most_rows = at(kernels::PoolBlocks(in().num_inner()).count());
    std::size_t most = most_rows * at(partial_.cols);
    for (const std::vector<RowMatrix>* const all : {&kept_.rows(), &kept_.messages()}) {
      for (std::size_t k = 0; k < all->size(); ++k) {
        const std::size_t own = at(kept_.shared().level(static_cast<std::int64_t>(k)).num_own());
        most_rows += own;
        most += own * at((*all)[k].cols);
      }
    }
    undo_.reserve(most_rows, most);
    reached_.reserve(at(kept_.shared().num_nodes()));
    mark_.resize(at(kept_.shared().num_nodes()));
    block_mark_.resize(block_has_own_.size());
    partial_.saved_in.assign(block_has_own_.size(), 0);
  }

  /// The sums of slots [first, first + count); `sum_nodes` writes those over all nodes.
  template <class SumNodes>
  Var pool(Eager& ctx, std::int64_t first, std::int64_t count, const SumNodes& sum_nodes) {
    const PoolSums pools(kept_.plan());
    Var sums;
    for (const PoolSums::Source& source : pools.sources()) {
      Var v;
      if (source.rows == Pool::Rows::kAll) {
        v = ctx.allocate(count, kept_.plan().channels, false);
        sum_nodes(ctx.mutable_value(v));
      } else {
        v = ctx.segment_reduce(
            Reduce::kSum, kept_.config_ptr(count),
            ctx.gather_rows(ctx.input(last_rows().view()), kept_.inner_config_rows(ctx.arena(), first, count)));
      }
      sums = sums.id == 0 ? v : ctx.concat(sums, v);
    }
    return sums;
  }

  // ---- one change --------------------------------------------------------------------------------------

  void reach(std::int32_t node) {
    if (mark_.insert(at(node))) reached_.push_back(node);
  }
  void reach_users(const AdjacencyView& adjacency) {
    const std::size_t end = reached_.size();
    for (std::size_t i = 0; i < end; ++i) {
      const std::size_t v = at(reached_[i]);
      for (std::int32_t p = adjacency.transposed.row_ptr[v]; p < adjacency.transposed.row_ptr[v + 1]; ++p)
        reach(adjacency.transposed.col[at(p)]);
    }
  }

  // The current configuration's row of a node.
  [[nodiscard]] std::int32_t current_row(std::int64_t level, std::int32_t node) const {
    return kept_.shared().level(level).row[at(node)];
  }

  // How the rows of the reached nodes follow from the level before.
  void add_reached(Eager& ctx, std::int64_t level, Flow<float>& flow) {
    Arena& arena = ctx.arena();
    const RowWeights<float>& whole = kept_.node_weights(level);
    auto* const root = arena.allocate<std::int32_t>(reached_.size());
    auto* const self = arena.allocate<float>(whole.self.empty() ? 0 : reached_.size());
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      root[i] = current_row(level, reached_[i]);
      if (!whole.self.empty()) self[i] = whole.self[at(reached_[i])];
    }
    flow.root = {root, reached_.size()};
    flow.same_rows = false;
    if (!whole.self.empty()) flow.self_weight = {self, reached_.size()};
    if (kept_.stage(level).reads_edges) add_edges(arena, level, whole.edge, flow);
    const std::int64_t first = kept_.first_level(level);
    if (first < 0) return;
    auto* const before = arena.allocate<std::int32_t>(reached_.size());
    for (std::size_t i = 0; i < reached_.size(); ++i) before[i] = current_row(first, reached_[i]);
    flow.first = ctx.gather_rows(ctx.input(kept_.rows()[at(first)].view()), {before, reached_.size()});
  }
  void add_edges(Arena& arena, std::int64_t level, Span<const float> weight, Flow<float>& flow) {
    const CsrView& csr = kept_.adjacency(level).csr;
    std::size_t num_edges = 0;
    for (const std::int32_t v : reached_) num_edges += at(csr.degree(v));
    auto* const row_ptr = arena.allocate<std::int32_t>(reached_.size() + 1);
    auto* const col = arena.allocate<std::int32_t>(num_edges);
    auto* const edge_weight = arena.allocate<float>(weight.empty() ? 0 : num_edges);
    std::int32_t e = 0;
    row_ptr[0] = 0;
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      const std::size_t v = at(reached_[i]);
      for (std::int32_t p = csr.row_ptr[v]; p < csr.row_ptr[v + 1]; ++p, ++e) {
        col[e] = current_row(level, csr.col[at(p)]);
        if (!weight.empty()) edge_weight[e] = weight[at(p)];
      }
      row_ptr[i + 1] = e;
    }
    flow.edges.csr = {{row_ptr, reached_.size() + 1}, {col, num_edges}};
    flow.edges.num_cols = static_cast<std::int32_t>(kept_.rows()[at(level)].rows());
    if (!weight.empty()) flow.edge_weight = {edge_weight, num_edges};
  }

  void sum_block(const kernels::PoolBlocks& blocks, std::int64_t block) {
    blocks.sum_block(kept_.last_level(), last_rows().view(), block, 0, partial_.row(block));
  }
  void sum_changed_blocks() {
    const kernels::PoolBlocks blocks(in().num_inner());
    block_mark_.reset();
    for (const std::int32_t node : reached_) {
      const std::int64_t b = kernels::PoolBlocks::of(node);
      if (node >= in().num_inner() || !block_mark_.insert(at(b))) continue;
      undo_.save(partial_.row(b), partial_.cols, partial_.saved_in[at(b)]);
      sum_block(blocks, b);
    }
  }

  KeptRows kept_;
  RowMatrix partial_;  // (blocks, channels) sums over the nodes, current configuration
  std::vector<char> block_has_own_;

  std::vector<std::int32_t> reached_;
  MarkedIds mark_, block_mark_;
  UndoLog undo_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_SESSION_ROWS_HPP
