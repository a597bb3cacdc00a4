// SPDX-License-Identifier: Apache-2.0
// SegmentRows: the rows of every layer of one segment, kept, so that a configuration costs only what it
// changes.
#ifndef MLGRAPH_INFER_SEGMENT_ROWS_HPP
#define MLGRAPH_INFER_SEGMENT_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/kernels/shared_pool.hpp"
#include "mlgraph/model/layout_net.hpp"
#include "mlgraph/model/net_input.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One segment of a layout program under a model with early join.
///
/// Every level has a matrix: the rows that all configurations share, which bind() computes, then those that
/// each of some configurations owns: the current one's (start(), update()), and those of a chunk that is scored
/// (score()). All have the bits of LayoutNet::embed(). Results are embeddings: their sum over the segments goes
/// to LayoutNet::readout().
///
/// Borrows the net and the segment's graph; every call has a context of the caller's, bound to the parameters.
class SegmentRows {
 public:
  SegmentRows() = default;

  /// Computes what no configuration changes. `in` is the segment without configurations, `plan` its shared rows
  /// (of every layer), `chunk` the most configurations of one score(), `config` any one configuration (K, G).
  void bind(Eager& ctx, const LayoutNet& net, const NetInput<float>& in, SharedRows plan, std::int64_t chunk,
            Var config) {
    net_ = &net;
    in_ = in;
    plan_ = std::move(plan);
    chunk_ = chunk;
    expand(ctx);
    compute_shared_rows(ctx, config);
    reserve();
  }

  [[nodiscard]] std::int64_t num_config_nodes() const { return in_.num_config_nodes(); }
  /// Rows of all layers that a configuration owns.
  [[nodiscard]] std::int64_t own_rows() const { return plan_.own_rows(); }

  /// Embeddings of `count` <= chunk configurations.  Shapes: config (count K, G) -> (count,
  /// embedding_channels).
  Var score(Eager& ctx, Var config, std::int64_t count) {
    run(ctx, config, 1, count);
    const std::int64_t cols = width_;
    const Var nodes = ctx.allocate(count, cols, false);
    const kernels::PoolBlocks blocks(in_.num_inner());
    const SharedLevel last = plan_.level(num_layers());
    const MatrixView<const float> h = rows_[at(num_layers())].view(cols);
    float* const partial = ctx.arena().allocate<float>(static_cast<std::size_t>(count * blocks.count() * cols));
    parallel_for(ctx.pool(), blocks.count(), 1, [&](std::int64_t b, std::int64_t) {
      for (std::int64_t c = 0; c < count; ++c) {
        float* const out = partial + (c * blocks.count() + b) * cols;
        if (block_has_own_[at(b)] != 0) {
          blocks.sum_block(last, h, b, c + 1, out);
        } else {
          std::copy_n(partial_.data() + b * cols, cols, out);
        }
      }
    });
    for (std::int64_t c = 0; c < count; ++c)
      blocks.join(false, partial + c * blocks.count() * cols, cols, ctx.mutable_value(nodes).row(c));
    return finish(ctx, nodes, 1, count);
  }

  /// Makes a configuration the current one.  Shapes: config (K, G) -> (1, embedding_channels).
  Var start(Eager& ctx, Var config) {
    run(ctx, config, 0, 1);
    const kernels::PoolBlocks blocks(in_.num_inner());
    for (std::int64_t b = 0; b < blocks.count(); ++b) {
      if (block_has_own_[at(b)] != 0) sum_block(blocks, b);
    }
    commit();
    return embedding(ctx);
  }

  /// The embedding of the current configuration.
  Var embedding(Eager& ctx) {
    const Var nodes = ctx.allocate(1, width_, false);
    const kernels::PoolBlocks blocks(in_.num_inner());
    blocks.join(false, partial_.data(), width_, ctx.mutable_value(nodes).data);
    return finish(ctx, nodes, 0, 1);
  }

  /// Changes the current configuration at some configurable nodes; everything they cannot reach stays.
  /// `config_of(positions)` gives the encoded rows of the current configuration, already changed, at some of
  /// the K configurable nodes.  Shapes: changed (d) positions among them -> (1, embedding_channels).
  template <class ConfigOf>
  Var update(Eager& ctx, Span<const std::int32_t> changed, const ConfigOf& config_of) {
    begin_transaction();
    reached_.clear();
    mark_.reset();
    for (const std::int32_t q : changed) reach(in_.config_node[at(q)]);
    Var h = enter_changed(ctx, config_of(changed));
    store_changed(ctx, h, rows_[0], 0);
    std::size_t frontier = 0;
    for (std::int64_t k = 0; k < num_layers(); ++k) {
      if (has_messages()) store_changed(ctx, changed_messages(ctx, k, h, config_of), messages_[at(k)], k);
      const std::size_t end = reached_.size();
      const CsrView& users = adjacency().transposed;
      for (; frontier < end; ++frontier) {
        const std::size_t v = at(reached_[frontier]);
        for (std::int32_t p = users.row_ptr[v]; p < users.row_ptr[v + 1]; ++p) reach(users.col[at(p)]);
      }
      h = update_changed(ctx, k);
      store_changed(ctx, h, rows_[at(k) + 1], k + 1);
    }
    sum_changed_blocks();
    return embedding(ctx);
  }

  /// Keeps what update() did since the last commit(), or takes it back.
  void commit() {
    undo_.clear();
    saved_.clear();
    in_transaction_ = false;
  }
  void rollback() {
    for (std::size_t i = undo_.size(); i-- > 0;) std::copy_n(saved_.data() + i * at(width_), width_, undo_[i]);
    commit();
  }

 private:
  using LayerRows = LayoutNet::LayerRows<float>;

  template <class Int>
  static std::size_t at(Int i) {
    return static_cast<std::size_t>(i);
  }

  /// One level's matrix, and which of the current configuration's rows update() saved already.
  struct Rows {
    AlignedVector<float> value;           // (num_rows(1 + chunk), width)
    std::vector<std::uint32_t> saved_in;  // (N) transaction

    [[nodiscard]] float* row(std::int64_t r, std::int64_t width) { return value.data() + r * width; }
    [[nodiscard]] MatrixView<const float> view(std::int64_t width) const {
      return {value.data(), static_cast<std::int64_t>(value.size()) / width, width};
    }
  };
  /// A set of nodes that is emptied in O(1).
  struct Mark {
    std::vector<std::uint32_t> epoch_of;
    std::uint32_t epoch = 0;
    void reset() {
      if (++epoch != 0) return;
      std::fill(epoch_of.begin(), epoch_of.end(), 0u);
      epoch = 1;
    }
    bool insert(std::int32_t v) { return std::exchange(epoch_of[at(v)], epoch) != epoch; }
  };

  [[nodiscard]] std::int64_t num_layers() const { return plan_.num_layers(); }
  [[nodiscard]] std::int64_t num_slots() const { return 1 + chunk_; }
  [[nodiscard]] const AdjacencyView& adjacency() const { return in_.edges.along(net_->direction()); }
  [[nodiscard]] bool has_messages() const { return net_->has_messages(); }
  [[nodiscard]] Rows& messages(std::int64_t k) { return has_messages() ? messages_[at(k)] : rows_[at(k)]; }

  // ---- binding -----------------------------------------------------------------------------------------

  void expand(Eager& ctx) {
    memory_.rewind();
    layers_.clear();
    own_config_rows_.clear();
    const auto whole = net_->norm(ctx, adjacency());
    for (std::int64_t k = 0; k < num_layers(); ++k) {
      layers_.push_back(plan_.layer(k, num_slots(), false, memory_));
      norms_.push_back(LayoutNet::shared_norm(whole, layers_.back(), plan_.level(k + 1), num_slots(), memory_));
    }
    for (std::int64_t k = 0; k <= num_layers(); ++k) {
      config_rows_.push_back(plan_.config_rows(k, num_slots(), num_config_nodes(), memory_));
      // The same counted among the own rows of a chunk.
      const std::size_t size = at(chunk_ * num_config_nodes());
      auto* const own = memory_.allocate<std::int32_t>(size);
      for (std::size_t i = 0; i < size; ++i) own[i] = config_rows_.back()[i] - plan_.level(k).num_shared;
      own_config_rows_.push_back({own, size});
    }
    const SharedLevel first = plan_.level(0);
    const std::size_t num_own = at(chunk_ * first.num_own());
    auto* const source = memory_.allocate<std::int32_t>(num_own);
    for (std::size_t i = 0; i < num_own; ++i) source[i] = static_cast<std::int32_t>(i % at(first.num_own()));
    base_rows_ = {source, num_own};
    config_at_own_.resize(at(first.num_own()));
    for (std::int32_t q = 0; q < num_config_nodes(); ++q)
      config_at_own_[at(first.row[at(in_.config_node[at(q)])] - first.num_shared)] = q;
    auto* const ptr = memory_.allocate<std::int32_t>(at(chunk_) + 1);
    for (std::int64_t c = 0; c <= chunk_; ++c) ptr[c] = static_cast<std::int32_t>(c * in_.num_inner_config());
    config_ptr_ = {ptr, at(chunk_) + 1};
    whole_edge_weight_.assign(whole.edge_weight.begin(), whole.edge_weight.end());
    whole_self_weight_.assign(whole.self_weight.begin(), whole.self_weight.end());
  }

  // All rows of one configuration: its own rows serve as the current configuration's until start().
  void compute_shared_rows(Eager& ctx, Var config) {
    Var h = net_->encode(ctx, in_);
    width_ = ctx.cols(h);
    h = ctx.gather_rows(h, plan_.first_nodes(1, ctx.arena()));
    const SharedLevel first = plan_.level(0);
    base_.assign(ctx.value(h).row(first.num_shared), ctx.value(h).row(first.num_nodes()));
    rows_.resize(at(num_layers()) + 1);
    messages_.resize(has_messages() ? at(num_layers()) : 0);
    h = net_->enter(ctx, h, config, config_rows_[0].subspan(0, at(num_config_nodes())));
    keep(ctx, h, rows_[0], 0);
    for (std::int64_t k = 0; k < num_layers(); ++k) {
      const Var m = net_->message(ctx, k, h, config, config_rows_[at(k)].subspan(0, at(num_config_nodes())));
      if (has_messages()) keep(ctx, m, messages_[at(k)], k);
      const SharedLayer layer = plan_.layer(k, 1, false, ctx.arena());
      const GcnNorm<float> whole{whole_edge_weight_, whole_self_weight_};
      h = net_->update(ctx, k, h, m,
                       LayerRows{layer.adjacency, &layer.root,
                                 LayoutNet::shared_norm(whole, layer, plan_.level(k + 1), 1, ctx.arena())});
      keep(ctx, h, rows_[at(k) + 1], k + 1);
    }
    const kernels::PoolBlocks blocks(in_.num_inner());
    partial_.resize(at(std::max<std::int64_t>(1, blocks.count()) * width_));
    block_has_own_.resize(at(blocks.count()));
    for (std::int64_t b = 0; b < blocks.count(); ++b) {
      block_has_own_[at(b)] = blocks.has_own(plan_.level(num_layers()), b) ? 1 : 0;
      sum_block(blocks, b);
    }
  }

  void keep(Eager& ctx, Var h, Rows& rows, std::int64_t level) {
    const MatrixView<const float> value = ctx.value(h);
    rows.value.resize(at(plan_.level(level).num_rows(num_slots()) * width_));
    std::copy_n(value.data, value.size(), rows.value.data());
    rows.saved_in.assign(at(plan_.num_nodes()), 0);
  }

  // As much as the largest update, of every configurable node, needs: later ones allocate nothing.
  void reserve() {
    std::size_t most = at(kernels::PoolBlocks(in_.num_inner()).count());
    for (std::int64_t k = 0; k <= num_layers(); ++k) most += 2 * at(plan_.level(k).num_own());
    undo_.reserve(most);
    saved_.reserve(most * at(width_));
    reached_.reserve(at(plan_.num_nodes()));
    mark_.epoch_of.assign(at(plan_.num_nodes()), 0);
    block_mark_.epoch_of.assign(block_has_own_.size(), 0);
    block_saved_in_.assign(block_has_own_.size(), 0);
  }

  // ---- many configurations -----------------------------------------------------------------------------

  // Rows of the configurations in slots [first, first + count).
  void run(Eager& ctx, Var config, std::int64_t first, std::int64_t count) {
    const auto own_configs = [&](std::int64_t k) {
      return own_config_rows_[at(k)].subspan(0, at(count * num_config_nodes()));
    };
    const MatrixView<const float> base(base_.data(), plan_.level(0).num_own(), width_);
    Var h = ctx.gather_rows(ctx.input(base), base_rows_.subspan(0, at(count * plan_.level(0).num_own())));
    h = net_->enter(ctx, h, config, own_configs(0));
    store_own(ctx, h, rows_[0], 0, first);
    for (std::int64_t k = 0; k < num_layers(); ++k) {
      if (has_messages())
        store_own(ctx, net_->message(ctx, k, h, config, own_configs(k)), messages_[at(k)], k, first);
      const SharedLevel next = plan_.level(k + 1);
      const std::size_t begin = at(next.num_shared + first * next.num_own());
      const std::size_t size = at(count * next.num_own());
      const SharedLayer& layer = layers_[at(k)];
      const Span<const std::int32_t> root = layer.root.subspan(begin, size);
      LayerRows rows{layer.adjacency, &root, norms_[at(k)]};
      rows.adjacency.csr.row_ptr = layer.adjacency.csr.row_ptr.subspan(begin, size + 1);
      if (!rows.norm.self_weight.empty()) rows.norm.self_weight = rows.norm.self_weight.subspan(begin, size);
      h = net_->update(ctx, k, ctx.input(rows_[at(k)].view(width_)), ctx.input(messages(k).view(width_)), rows);
      store_own(ctx, h, rows_[at(k) + 1], k + 1, first);
    }
  }

  void store_own(Eager& ctx, Var h, Rows& rows, std::int64_t level, std::int64_t slot) {
    const SharedLevel l = plan_.level(level);
    const MatrixView<const float> value = ctx.value(h);
    std::copy_n(value.data, value.size(), rows.row(l.num_shared + slot * l.num_own(), width_));
  }

  Var finish(Eager& ctx, Var nodes, std::int64_t first, std::int64_t count) {
    const std::int64_t num_inner = in_.num_inner_config();
    Span<const std::int32_t> rows =
        config_rows_[at(num_layers())].subspan(at(first * num_config_nodes()), at(count * num_config_nodes()));
    if (in_.num_halo_config > 0) {  // they come last in each configuration
      auto* const inner = ctx.arena().allocate<std::int32_t>(at(count * num_inner));
      for (std::int64_t c = 0; c < count; ++c)
        std::copy_n(rows.data() + c * num_config_nodes(), num_inner, inner + c * num_inner);
      rows = {inner, at(count * num_inner)};
    }
    const Var h = ctx.gather_rows(ctx.input(rows_[at(num_layers())].view(width_)), rows);
    const Var configurable = ctx.segment_reduce(Reduce::kSum, config_ptr_.subspan(0, at(count) + 1), h);
    return net_->finish(ctx, nodes, configurable, in_.num_inner());
  }

  // ---- one change --------------------------------------------------------------------------------------

  void reach(std::int32_t node) {
    if (mark_.insert(node)) reached_.push_back(node);
  }

  // The current configuration's row of a node.
  [[nodiscard]] std::int32_t current_row(std::int64_t level, std::int32_t node) const {
    return plan_.level(level).row[at(node)];
  }

  // The rows of the changed nodes that enter the layers.
  Var enter_changed(Eager& ctx, Var config) {
    auto* const source = ctx.arena().allocate<std::int32_t>(reached_.size());
    auto* const place = ctx.arena().allocate<std::int32_t>(reached_.size());
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      source[i] = current_row(0, reached_[i]) - plan_.level(0).num_shared;
      place[i] = static_cast<std::int32_t>(i);
    }
    const MatrixView<const float> base(base_.data(), plan_.level(0).num_own(), width_);
    const Var h = ctx.gather_rows(ctx.input(base), Span<const std::int32_t>(source, reached_.size()));
    return net_->enter(ctx, h, config, {place, reached_.size()});
  }

  // The messages of the reached nodes, whose rows are h: the configurable ones among them are told again.
  template <class ConfigOf>
  Var changed_messages(Eager& ctx, std::int64_t k, Var h, const ConfigOf& config_of) {
    auto* const place = ctx.arena().allocate<std::int32_t>(reached_.size());
    auto* const position = ctx.arena().allocate<std::int32_t>(reached_.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      const std::int32_t own = current_row(0, reached_[i]) - plan_.level(0).num_shared;
      if (own < 0) continue;
      place[count] = static_cast<std::int32_t>(i);
      position[count++] = config_at_own_[at(own)];
    }
    return net_->message(ctx, k, h, config_of({position, count}), {place, count});
  }

  // The rows after layer k of the reached nodes.
  Var update_changed(Eager& ctx, std::int64_t k) {
    const CsrView& csr = adjacency().csr;
    std::size_t num_edges = 0;
    for (const std::int32_t v : reached_) num_edges += at(csr.degree(v));
    Arena& arena = ctx.arena();
    auto* const row_ptr = arena.allocate<std::int32_t>(reached_.size() + 1);
    auto* const col = arena.allocate<std::int32_t>(num_edges);
    auto* const root = arena.allocate<std::int32_t>(reached_.size());
    const bool normalised = !whole_self_weight_.empty();
    auto* const edge_weight = arena.allocate<float>(normalised ? num_edges : 0);
    auto* const self_weight = arena.allocate<float>(normalised ? reached_.size() : 0);
    std::int32_t e = 0;
    row_ptr[0] = 0;
    for (std::size_t i = 0; i < reached_.size(); ++i) {
      const std::size_t v = at(reached_[i]);
      for (std::int32_t p = csr.row_ptr[v]; p < csr.row_ptr[v + 1]; ++p, ++e) {
        col[e] = current_row(k, csr.col[at(p)]);
        if (normalised) edge_weight[e] = whole_edge_weight_[at(p)];
      }
      row_ptr[i + 1] = e;
      root[i] = current_row(k, reached_[i]);
      if (normalised) self_weight[i] = whole_self_weight_[v];
    }
    LayerRows rows;
    rows.adjacency.csr = {{row_ptr, reached_.size() + 1}, {col, num_edges}};
    const MatrixView<const float> h = rows_[at(k)].view(width_);
    rows.adjacency.num_cols = static_cast<std::int32_t>(h.rows);
    const Span<const std::int32_t> root_span(root, reached_.size());
    rows.root = &root_span;
    if (normalised) rows.norm = {{edge_weight, num_edges}, {self_weight, reached_.size()}};
    return net_->update(ctx, k, ctx.input(h), ctx.input(messages(k).view(width_)), rows);
  }

  void begin_transaction() {
    if (in_transaction_) return;
    in_transaction_ = true;
    if (++transaction_ != 0) return;
    for (auto* const all : {&rows_, &messages_}) {
      for (Rows& rows : *all) std::fill(rows.saved_in.begin(), rows.saved_in.end(), 0u);
    }
    std::fill(block_saved_in_.begin(), block_saved_in_.end(), 0u);
    transaction_ = 1;
  }

  void save(float* row, std::uint32_t& saved_in) {
    if (std::exchange(saved_in, transaction_) == transaction_) return;
    undo_.push_back(row);
    const std::size_t begin = saved_.size();
    saved_.resize(begin + at(width_));
    std::copy_n(row, width_, saved_.data() + begin);
  }

  void store_changed(Eager& ctx, Var h, Rows& rows, std::int64_t level) {
    const MatrixView<const float> value = ctx.value(h);
    for (std::int64_t i = 0; i < value.rows; ++i) {
      const std::int32_t node = reached_[at(i)];
      float* const row = rows.row(current_row(level, node), width_);
      save(row, rows.saved_in[at(node)]);
      std::copy_n(value.row(i), width_, row);
    }
  }

  void sum_block(const kernels::PoolBlocks& blocks, std::int64_t block) {
    blocks.sum_block(plan_.level(num_layers()), rows_[at(num_layers())].view(width_), block, 0,
                     partial_.data() + block * width_);
  }

  void sum_changed_blocks() {
    const kernels::PoolBlocks blocks(in_.num_inner());
    block_mark_.reset();
    for (const std::int32_t node : reached_) {
      const std::int64_t b = kernels::PoolBlocks::of(node);
      if (node >= in_.num_inner() || !block_mark_.insert(static_cast<std::int32_t>(b))) continue;
      save(partial_.data() + b * width_, block_saved_in_[at(b)]);
      sum_block(blocks, b);
    }
  }

  const LayoutNet* net_ = nullptr;
  NetInput<float> in_;
  SharedRows plan_;
  std::int64_t chunk_ = 0;
  std::int64_t width_ = 0;

  Arena memory_;                     // of what follows
  std::vector<SharedLayer> layers_;  // for every slot
  std::vector<GcnNorm<float>> norms_;
  std::vector<Span<const std::int32_t>> config_rows_;      // (slots K) of each level
  std::vector<Span<const std::int32_t>> own_config_rows_;  // (chunk K), counted from the chunk's first own row
  Span<const std::int32_t> base_rows_, config_ptr_;
  AlignedVector<float> whole_edge_weight_, whole_self_weight_;

  AlignedVector<float> base_;                // (K, width) the configurable nodes before any configuration
  std::vector<std::int32_t> config_at_own_;  // (K) which configurable node each of these rows is
  std::vector<Rows> rows_, messages_;        // of each level; of each layer
  AlignedVector<float> partial_;             // (blocks, width) sums over the nodes, current configuration
  std::vector<char> block_has_own_;

  std::vector<std::int32_t> reached_;
  Mark mark_, block_mark_;
  std::vector<std::uint32_t> block_saved_in_;
  std::uint32_t transaction_ = 0;
  bool in_transaction_ = false;
  std::vector<float*> undo_;    // rows that were overwritten
  AlignedVector<float> saved_;  // and what was in them
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_SEGMENT_ROWS_HPP
