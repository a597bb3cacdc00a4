// SPDX-License-Identifier: Apache-2.0
// FlowPlan: which distinct rows a graph has under any number of configurations, and what each is made of.
#ifndef MLGRAPH_GRAPH_FLOW_PLAN_HPP
#define MLGRAPH_GRAPH_FLOW_PLAN_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_rows.hpp"
#include "mlgraph/graph/local_rows.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Every distinct row once: across nodes, and across configurations. A row after a stage is the row it was and
/// the rows it reads, in order, with their weights; rows that agree in these have the same bits.
///
/// The constructor finds the rows that no configuration changes. plan() adds those of some configurations,
/// going node by node over all of them: at each node they have few different rows, which get small local ids,
/// so that a configuration costs a look into a table of pairs, and hashing is done once for each distinct row
/// of a node. Ids only; what the rows are is computed elsewhere, level by level, each row once.
///
/// The order of rows is a function of the graph and of the configurations planned since the last truncate().
/// Source: colour refinement with ordered neighbours; message-flow graphs as in DGL. Related: HAG,
///         arXiv:1906.03707; lossless compression by lifting, arXiv:2007.06567; exact compression,
///         arXiv:2304.14793. None works across configurations, or keeps the bits.
class FlowPlan {
 public:
  /// Borrows the graph. Cost: O(levels (N + E)).
  explicit FlowPlan(const FlowGraph& graph) {
    auto fixed = std::make_shared<Fixed>();
    fixed->graph = &graph;
    fixed->reached = graph.reached();
    const auto num_levels = static_cast<std::size_t>(graph.last_level()) + 1;
    fixed->free.resize(num_levels);
    fixed->place.resize(num_levels);
    std::vector<std::int32_t> nodes(static_cast<std::size_t>(graph.num_inner));
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = static_cast<std::int32_t>(i);
    if (graph.pools_all) fixed->sums.emplace_back(std::move(nodes));
    const auto first = graph.config_node.begin();
    if (graph.pools_config)
      fixed->sums.emplace_back(std::vector<std::int32_t>(first, first + graph.num_inner_config));
    levels_.resize(num_levels);
    for (const SumTree& sum : fixed->sums) sum_rows_.emplace_back(sum.num_levels());
    fixed_ = fixed;
    plan_free(*fixed);
  }

  [[nodiscard]] const FlowGraph& graph() const { return *fixed_->graph; }
  [[nodiscard]] std::size_t num_levels() const { return levels_.size(); }
  [[nodiscard]] const FlowRows& level(std::size_t k) const { return levels_[k]; }
  /// A node of each input row.
  [[nodiscard]] Span<const std::int32_t> node_of_input() const { return fixed_->node_of_input; }
  /// One for each pool: of all nodes, then of configurable ones; and the rows of its levels.
  [[nodiscard]] const std::vector<SumTree>& sums() const { return fixed_->sums; }
  [[nodiscard]] const FlowRows& sum_rows(std::size_t s, std::size_t level) const { return sum_rows_[s][level]; }
  /// The nodes that configurations change at a level, ascending.
  [[nodiscard]] Span<const std::int32_t> reached(std::size_t level) const { return fixed_->reached[level]; }
  /// The row of a node at a level; -1 where configurations differ.
  [[nodiscard]] std::int32_t free_row(std::size_t level, std::int32_t node) const {
    return fixed_->free[level][static_cast<std::size_t>(node)];
  }
  /// The place of a node in reached(level); -1 where it is not.
  [[nodiscard]] std::int32_t place(std::size_t level, std::int32_t node) const {
    return fixed_->place[level][static_cast<std::size_t>(node)];
  }
  /// The row of part i of a block of a sum; -1 where configurations differ.
  [[nodiscard]] std::int32_t free_part(std::size_t s, std::size_t level, std::size_t i) const {
    const SumTree& sum = fixed_->sums[s];
    return level == 0 ? free_row(levels_.size() - 1, sum.node[i]) : sum.free[level - 1][i];
  }

  /// Forgets what plan() added.
  void truncate() {
    for (std::size_t k = 0; k < levels_.size(); ++k) levels_[k].truncate(num_free()[k]);
    std::size_t i = levels_.size();
    for (std::vector<FlowRows>& levels : sum_rows_) {
      for (FlowRows& rows : levels) rows.truncate(num_free()[i++]);
    }
  }
  /// How many rows no configuration changes: of each level, then of the levels of each sum.
  [[nodiscard]] const std::vector<std::int32_t>& num_free() const { return fixed_->num_free; }
  /// How many rows there are beside these, without those of sums.
  [[nodiscard]] std::int64_t num_added() const {
    std::int64_t added = 0;
    for (std::size_t k = 0; k < levels_.size(); ++k) added += levels_[k].size() - num_free()[k];
    return added;
  }
  /// Rows that each configuration can have of its own, without those of sums.
  [[nodiscard]] std::int64_t num_reached() const {
    std::int64_t reached = 0;
    for (const std::vector<std::int32_t>& nodes : fixed_->reached)
      reached += static_cast<std::int64_t>(nodes.size());
    return reached;
  }

  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const FlowRows& rows : levels_) bytes += rows.bytes();
    for (const std::vector<FlowRows>& levels : sum_rows_) {
      for (const FlowRows& rows : levels) bytes += rows.bytes();
    }
    return bytes;
  }
  /// For tests: see FlowRows::set_hash_bits().
  void set_hash_bits(int bits) {
    for (FlowRows& rows : levels_) rows.set_hash_bits(bits);
    for (std::vector<FlowRows>& levels : sum_rows_) {
      for (FlowRows& rows : levels) rows.set_hash_bits(bits);
    }
  }

  // ---- rows of one node, for who follows single changes ------------------------------------------------

  /// The row after the join of a node whose configuration is `config`.
  std::int32_t find_joined(std::int32_t node, std::int32_t config) {
    const auto level = static_cast<std::size_t>(graph().join_level());
    RowKey key;
    key.root = free_row(level - 1, node);
    key.kind = 1 + config;
    return levels_[level].find(key);
  }
  /// The row of a node after stage `stage`, where row_of(u) is that of node u before.
  template <class RowOf>
  std::int32_t find_staged(std::int32_t stage, std::int32_t node, const RowOf& row_of) {
    const FlowStage& s = graph().stages[static_cast<std::size_t>(stage)];
    RowKey key;
    key.root = row_of(node);
    if (!s.node_kind.empty()) key.kind = s.node_kind[static_cast<std::size_t>(node)];
    if (s.reads_edges()) {
      const CsrView& csr = s.edges.csr;
      const auto begin = static_cast<std::size_t>(csr.row_ptr[static_cast<std::size_t>(node)]);
      const auto end = static_cast<std::size_t>(csr.row_ptr[static_cast<std::size_t>(node) + 1]);
      reads_.resize(end - begin);
      for (std::size_t p = begin; p < end; ++p) reads_[p - begin] = row_of(csr.col[p]);
      key.reads = reads_;
      if (!s.edge_kind.empty())
        key.edge_kind = Span<const std::int32_t>(s.edge_kind).subspan(begin, end - begin);
    }
    return levels_[static_cast<std::size_t>(graph().level_of(stage)) + 1].find(key);
  }
  /// The row of a block of a sum, where row_of(i) is that of its part i.
  template <class RowOf>
  std::int32_t find_sum(std::size_t s, std::size_t level, std::size_t block, const RowOf& row_of) {
    const auto [first, last] = sums()[s].parts(level, block);
    reads_.resize(last - first);
    for (std::size_t i = first; i < last; ++i) reads_[i - first] = row_of(i);
    RowKey key;
    key.reads = reads_;
    return sum_rows_[s][level].find(key);
  }

  // ---- many configurations -----------------------------------------------------------------------------

  /// Adds the rows of C configurations. `config` says what each configurable node has: equal numbers are equal
  /// configurations of a node. The row of each configuration's total goes to `total`, one after the other for
  /// each sum.
  ///
  /// Shapes: config (C K), config-major; total (sums C).
  /// Cost:   two nanoseconds for each place where two nodes that configurations change meet, and each
  ///         configuration; find() for each distinct row of a node. Memory of `scratch`: 4 bytes for each of
  ///         these places.
  void plan(Span<const std::int32_t> config, std::int64_t num_configs, Arena& scratch,
            Span<std::int32_t> total);

 private:
  using Local = LocalRows;
  using Call = LocalRows::Memory;

  /// What does not depend on configurations; copies of a plan have it in common.
  struct Fixed {
    const FlowGraph* graph;
    std::vector<std::vector<std::int32_t>> reached;  // of each level
    std::vector<std::vector<std::int32_t>> free;     // (N) of each level
    std::vector<std::vector<std::int32_t>> place;    // (N) of each level
    std::vector<SumTree> sums;
    std::vector<std::int32_t> num_free, node_of_input;
  };

  void plan_free(Fixed& fixed) {
    const auto num_nodes = static_cast<std::size_t>(graph().num_nodes);
    for (std::size_t k = 0; k < levels_.size(); ++k) {
      fixed.place[k].assign(num_nodes, -1);
      for (std::size_t i = 0; i < fixed.reached[k].size(); ++i)
        fixed.place[k][static_cast<std::size_t>(fixed.reached[k][i])] = static_cast<std::int32_t>(i);
      fixed.free[k].assign(num_nodes, -1);
      for (std::size_t v = 0; v < num_nodes; ++v) {
        if (fixed.place[k][v] < 0) fixed.free[k][v] = find_free(fixed, k, static_cast<std::int32_t>(v));
      }
      fixed.num_free.push_back(levels_[k].size());
    }
    for (std::size_t s = 0; s < fixed.sums.size(); ++s) {
      SumTree& sum = fixed.sums[s];
      for (std::size_t t = 0; t < sum.num_levels(); ++t) {
        for (std::size_t b = 0; b < sum.num_blocks(t); ++b) {
          const auto row_of = [&](std::size_t i) { return free_part(s, t, i); };
          const auto [first, last] = sum.parts(t, b);
          bool is_free = true;
          for (std::size_t i = first; i < last; ++i) is_free = is_free && row_of(i) >= 0;
          if (is_free) sum.free[t][b] = find_sum(s, t, b, row_of);
        }
        fixed.num_free.push_back(sum_rows_[s][t].size());
      }
    }
  }
  std::int32_t find_free(Fixed& fixed, std::size_t level, std::int32_t node) {
    if (level == 0) {
      RowKey key;
      key.root = graph().input_kind[static_cast<std::size_t>(node)];
      const std::int32_t row = levels_[0].find(key);
      if (row == static_cast<std::int32_t>(fixed.node_of_input.size())) fixed.node_of_input.push_back(node);
      return row;
    }
    const bool joins = graph().joins();
    const auto join = static_cast<std::size_t>(graph().join_level());
    if (joins && level == join) return find_joined(node, -1);
    const auto stage = static_cast<std::int32_t>(level) - 1 - (joins && level > join ? 1 : 0);
    return find_staged(stage, node, [&](std::int32_t u) { return free_row(level - 1, u); });
  }

  const Local* plan_join(const Call& call, Span<const std::int32_t> config);
  const Local* plan_stage(const Call& call, std::size_t level, const Local* before);
  const Local* plan_sums(const Call& call, std::size_t s, const Local* rows);

  std::shared_ptr<const Fixed> fixed_;
  std::vector<FlowRows> levels_;
  std::vector<std::vector<FlowRows>> sum_rows_;  // of each sum
  std::vector<std::int32_t> reads_;              // of one key
};

inline void FlowPlan::plan(Span<const std::int32_t> config, std::int64_t num_configs, Arena& scratch,
                           Span<std::int32_t> total) {
  const ArenaScope scope(scratch);
  const Call call(static_cast<std::int32_t>(num_configs), scratch);
  const Local* rows = graph().joins() ? plan_join(call, config) : nullptr;
  for (std::size_t k = graph().joins() ? static_cast<std::size_t>(graph().join_level()) : levels_.size();
       k + 1 < levels_.size(); ++k)
    rows = plan_stage(call, k, rows);
  std::int32_t* out = total.data();
  for (std::size_t s = 0; s < sums().size(); ++s) {
    const Local* const blocks = plan_sums(call, s, rows);
    const std::int32_t free = sums()[s].free.back()[0];
    for (std::int32_t c = 0; c < call.num_configs; ++c) *out++ = free >= 0 ? free : blocks[0].row_of(c);
  }
}

// The configurations of a node get numbers in the order in which they come.
inline const FlowPlan::Local* FlowPlan::plan_join(const Call& call, Span<const std::int32_t> config) {
  const auto level = static_cast<std::size_t>(graph().join_level());
  const std::size_t num_nodes = graph().config_node.size();
  Local* const now = Local::make(call, reached(level).size());
  const std::size_t num_ids =
      config.empty() ? 1 : static_cast<std::size_t>(*std::max_element(config.begin(), config.end())) + 1;
  std::int32_t* const number = call.ids(num_ids);
  std::int32_t* const seen_at = call.ids(num_ids);
  std::fill_n(seen_at, num_ids, -1);
  for (std::size_t q = 0; q < num_nodes; ++q) {
    const std::int32_t node = graph().config_node[q];
    std::int32_t* const of = call.ids();
    std::int32_t* const first = call.ids();
    Local local;
    local.row = call.ids();
    local.count = 0;
    for (std::int32_t c = 0; c < call.num_configs; ++c) {
      const auto id = static_cast<std::size_t>(config[static_cast<std::size_t>(c) * num_nodes + q]);
      if (seen_at[id] != static_cast<std::int32_t>(q)) {
        seen_at[id] = static_cast<std::int32_t>(q);
        number[id] = local.count;
        first[local.count] = c;
        local.row[local.count++] = find_joined(node, static_cast<std::int32_t>(id));
      }
      of[c] = number[id];
    }
    local.of = of;
    local.first = first;
    now[place(level, node)] = local;
  }
  return now;
}

// A node's row is decided by those of the reached nodes that it reads.
inline const FlowPlan::Local* FlowPlan::plan_stage(const Call& call, std::size_t level, const Local* before) {
  const auto stage = static_cast<std::int32_t>(level) - 1;
  const CsrView& csr = graph().stages[static_cast<std::size_t>(stage)].edges.csr;
  Local* const now = Local::make(call, reached(level + 1).size());
  for (std::size_t i = 0; i < reached(level + 1).size(); ++i) {
    const std::int32_t node = reached(level + 1)[i];
    const auto v = static_cast<std::size_t>(node);
    Local local;
    const auto add = [&](std::int32_t u) {
      if (place(level, u) >= 0) local = Local::meet(local, before[place(level, u)], call);
    };
    add(node);
    const std::int32_t end = csr.num_rows() > 0 ? csr.row_ptr[v + 1] : 0;
    for (std::int32_t p = csr.num_rows() > 0 ? csr.row_ptr[v] : 0; p < end; ++p)
      add(csr.col[static_cast<std::size_t>(p)]);
    local = Local::kept(local, call);
    for (std::int32_t l = 0; l < local.count; ++l) {
      const std::int32_t c = local.config(l);
      local.row[l] = find_staged(stage, node, [&](std::int32_t u) {
        return place(level, u) >= 0 ? before[place(level, u)].row_of(c) : free_row(level, u);
      });
    }
    now[i] = local;
  }
  return now;
}

// The blocks of the last level.
inline const FlowPlan::Local* FlowPlan::plan_sums(const Call& call, std::size_t s, const Local* rows) {
  const SumTree& sum = sums()[s];
  Local* parts = Local::make(call, sum.node.size());
  for (std::size_t i = 0; i < sum.node.size(); ++i) {
    const std::int32_t at = place(levels_.size() - 1, sum.node[i]);
    if (at >= 0) parts[i] = rows[at];
  }
  for (std::size_t t = 0; t < sum.num_levels(); ++t) {
    Local* const now = Local::make(call, sum.num_blocks(t));
    for (std::size_t b = 0; b < sum.num_blocks(t); ++b) {
      if (sum.free[t][b] >= 0) continue;
      Local local;
      const auto [first, last] = sum.parts(t, b);
      for (std::size_t i = first; i < last; ++i) local = Local::meet(local, parts[i], call);
      local = Local::kept(local, call);
      for (std::int32_t l = 0; l < local.count; ++l) {
        const std::int32_t c = local.config(l);
        local.row[l] = find_sum(s, t, b, [&](std::size_t i) {
          return parts[i].row != nullptr ? parts[i].row_of(c) : free_part(s, t, i);
        });
      }
      now[b] = local;
    }
    parts = now;
  }
  return parts;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_GRAPH_FLOW_PLAN_HPP
