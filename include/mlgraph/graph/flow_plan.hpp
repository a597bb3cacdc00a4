// SPDX-License-Identifier: Apache-2.0
// FlowPlan: which distinct rows a graph has under any number of configurations, and what each is made of.
#ifndef MLGRAPH_GRAPH_FLOW_PLAN_HPP
#define MLGRAPH_GRAPH_FLOW_PLAN_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_rows.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Every distinct row once: across nodes, and across configurations. A row after a stage is the row it was and
/// the rows it reads, in order, with their weights; rows that agree in these have the same bits.
///
/// The constructor finds the rows that no configuration changes; plan_configs() and CurrentRows add those of
/// configurations. Ids only; what the rows are is computed elsewhere, level by level, each row once. A copy has
/// rows of its own and shares what no configuration changes about the graph.
///
/// The order of rows is a function of the graph and of what was planned since the last truncate() or forget().
/// Source: colour refinement with ordered neighbours; message-flow graphs as in DGL. Related: HAG,
///         arXiv:1906.03707; lossless compression by lifting, arXiv:2007.06567; exact compression,
///         arXiv:2304.14793. None works across configurations, or keeps the bits.
class FlowPlan {
 public:
  /// How many rows each level has: those of nodes, then those of each sum.
  using Counts = std::vector<std::int32_t>;

  FlowPlan() = default;
  /// With `merges` false no two rows are one but those that no configuration changes at one node: every
  /// configuration has its own row of each node that it reaches.
  /// Cost:   O(levels (N + E)).
  explicit FlowPlan(FlowGraph flow, bool merges = true) : merges_(merges) {
    auto fixed = std::make_shared<Fixed>();
    fixed->graph = std::move(flow);
    const FlowGraph& graph = fixed->graph;
    fixed->reached = graph.reached();
    fixed->num_levels = as_size(graph.last_level()) + 1;
    fixed->free.resize(fixed->num_levels);
    fixed->place.resize(fixed->num_levels);
    std::vector<std::int32_t> nodes(as_size(graph.num_inner));
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = static_cast<std::int32_t>(i);
    if (graph.pools_all) fixed->sums.emplace_back(std::move(nodes));
    const auto first = graph.config_node.begin();
    if (graph.pools_config)
      fixed->sums.emplace_back(std::vector<std::int32_t>(first, first + graph.num_inner_config));
    std::size_t num_rows = fixed->num_levels;
    for (const SumTree& sum : fixed->sums) num_rows += sum.num_levels();
    rows_.resize(num_rows);
    fixed_ = fixed;
    plan_free(*fixed);
  }

  /// False of a plan of nothing.
  [[nodiscard]] bool is_made() const { return fixed_ != nullptr; }
  [[nodiscard]] bool merges() const { return merges_; }
  /// Whether rows that are added from now on may be ones that are there.
  void set_merging(bool merges) { merges_ = merges; }
  /// A plan of the same graph that merges nothing.
  [[nodiscard]] FlowPlan unmerged() const {
    FlowPlan plan(graph(), false);
    plan.origin_ = fixed_;
    return plan;
  }
  /// Whether this is a copy of a plan, or its unmerged().
  [[nodiscard]] bool is_of(const FlowPlan& plan) const {
    return is_made() && (fixed_ == plan.fixed_ || origin_ == plan.fixed_);
  }
  [[nodiscard]] const FlowGraph& graph() const { return fixed_->graph; }
  /// Levels of the rows of nodes; the levels of the sums are numbered after them.
  [[nodiscard]] std::size_t num_levels() const { return fixed_->num_levels; }
  [[nodiscard]] std::size_t num_all_levels() const { return rows_.size(); }
  [[nodiscard]] const FlowRows& level(std::size_t k) const { return rows_[k]; }
  /// A node of each input row.
  [[nodiscard]] Span<const std::int32_t> node_of_input() const { return fixed_->node_of_input; }
  /// One for each pool: of all nodes, then of configurable ones.
  [[nodiscard]] const std::vector<SumTree>& sums() const { return fixed_->sums; }
  /// The number of level t of sum s.
  [[nodiscard]] std::size_t sum_level(std::size_t s, std::size_t t) const {
    return num_levels() + (s == 0 ? 0 : sums()[0].num_levels()) + t;
  }
  /// The nodes that configurations change at a level, ascending.
  [[nodiscard]] Span<const std::int32_t> reached(std::size_t level) const { return fixed_->reached[level]; }
  /// The row of a node at a level; -1 where configurations differ.
  [[nodiscard]] std::int32_t free_row(std::size_t level, std::int32_t node) const {
    return fixed_->free[level][as_size(node)];
  }
  /// The place of a node in reached(level); -1 where it is not.
  [[nodiscard]] std::int32_t place(std::size_t level, std::int32_t node) const {
    return fixed_->place[level][as_size(node)];
  }
  /// The row of part i of a block of a sum; -1 where configurations differ.
  [[nodiscard]] std::int32_t free_part(std::size_t s, std::size_t level, std::size_t i) const {
    const SumTree& sum = fixed_->sums[s];
    return level == 0 ? free_row(num_levels() - 1, sum.node[i]) : sum.free[level - 1][i];
  }

  /// Forgets all rows but the first of each level: those that no configuration changes, or as many as given.
  void truncate() { truncate(num_free()); }
  void truncate(const Counts& counts) {
    for (std::size_t k = 0; k < rows_.size(); ++k) rows_[k].truncate(counts[k]);
  }
  void count(Counts& counts) const {
    counts.resize(rows_.size());
    for (std::size_t k = 0; k < rows_.size(); ++k) counts[k] = rows_[k].size();
  }
  /// Memory of what copies of a plan have in common, about; bytes() has that of the rows.
  [[nodiscard]] std::size_t fixed_bytes() const {
    if (!is_made()) return 0;
    std::size_t numbers = 2 * num_levels() * as_size(graph().num_nodes) + as_size(num_reached());
    for (const FlowStage& stage : graph().stages) numbers += stage.edge_kind.size() + stage.node_kind.size();
    for (const SumTree& sum : sums()) numbers += 2 * sum.node.size();
    return 4 * numbers;
  }
  /// How many rows no configuration changes.
  [[nodiscard]] const Counts& num_free() const { return fixed_->num_free; }
  /// Rows that each configuration can have of its own, without those of sums: in all, and at the largest level.
  [[nodiscard]] std::int64_t num_reached() const {
    std::int64_t reached = 0;
    for (const auto& nodes : fixed_->reached) reached += signed_size(nodes);
    return reached;
  }
  [[nodiscard]] std::int64_t most_reached() const {
    std::size_t most = 0;
    for (const auto& nodes : fixed_->reached) most = std::max(most, nodes.size());
    return static_cast<std::int64_t>(most);
  }
  /// The most rows that one is made of.
  [[nodiscard]] std::size_t most_parts() const {
    std::size_t most = kTreeFanIn;
    for (std::size_t k = as_size(graph().join_level()); k + 1 < num_levels(); ++k) {
      for (const std::int32_t v : reached(k + 1))
        most = std::max(most, 1 + nodes_read(static_cast<std::int32_t>(k) - 1, v).size());
    }
    return most;
  }
  /// The most configurations whose rows, and what these read, int32 can count beside each other.
  [[nodiscard]] std::int64_t max_configs() const;

  // ---- generations: which rows are used ----------------------------------------------------------------

  /// Rows that are planned or found from now on are of this generation.
  void set_generation(std::uint32_t generation) {
    for (FlowRows& rows : rows_) rows.set_generation(generation);
  }
  void use(std::size_t level, std::int32_t row) { rows_[level].use(row); }
  /// Uses the rows that others are made of which are not older than `since`: those of a change may read rows
  /// that nothing has looked up for long.
  void use_parts(std::uint32_t since);
  /// Forgets the rows that are older than `since`, after use_parts() of it: see FlowRows::compact(). -> where
  /// the rows of each level went; -1: nowhere.
  [[nodiscard]] std::vector<std::vector<std::int32_t>> forget(std::uint32_t since,
                                                              Span<const std::int32_t> config_to);
  /// Marks which configurations have rows that are not older than `since`.
  void mark_configs(std::uint32_t since, std::vector<char>& is_used) const;

  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const FlowRows& rows : rows_) bytes += rows.bytes();
    return bytes;
  }
  /// Of the rows that there are, without room for others.
  [[nodiscard]] std::size_t used_bytes() const {
    std::size_t bytes = 0;
    for (const FlowRows& rows : rows_) bytes += rows.used_bytes();
    return bytes;
  }
  /// For tests: see FlowRows::set_hash_bits().
  void set_hash_bits(int bits) {
    for (FlowRows& rows : rows_) rows.set_hash_bits(bits);
  }

  // ---- rows of one node, for who follows single changes ------------------------------------------------

  /// The row after the join of a node whose configuration is `config`.
  std::int32_t find_joined(std::int32_t node, std::int32_t config) {
    const auto level = as_size(graph().join_level());
    RowKey key;
    key.root = free_row(level - 1, node);
    key.kind = 1 + config;
    return find(level, key);
  }
  /// The row of a node after stage `stage`, where row_of(u) is that of node u before.
  template <class RowOf>
  std::int32_t find_staged(std::int32_t stage, std::int32_t node, const RowOf& row_of) {
    const Span<const std::int32_t> reads = nodes_read(stage, node);
    reads_.resize(1 + reads.size());
    reads_[0] = row_of(node);
    for (std::size_t i = 0; i < reads.size(); ++i) reads_[1 + i] = row_of(reads[i]);
    return find(level_after(stage), keys_of(stage, node, reads_)[0]);
  }
  /// The same for several rows of a node.  Shapes: rows (count, 1 + nodes_read()), the node's own first; row
  /// (count).
  void find_staged(std::int32_t stage, std::int32_t node, Span<const std::int32_t> rows, std::int32_t* row) {
    find(level_after(stage), keys_of(stage, node, rows), row);
  }
  /// The nodes that a node reads in a stage, in order.
  [[nodiscard]] Span<const std::int32_t> nodes_read(std::int32_t stage, std::int32_t node) const {
    const CsrView& csr = graph().stages[as_size(stage)].edges.csr;
    if (csr.num_rows() == 0) return {};
    const auto begin = as_size(csr.row_ptr[node]);
    const auto end = as_size(csr.row_ptr[static_cast<std::size_t>(node) + 1]);
    return csr.col.subspan(begin, end - begin);
  }
  /// The row of a block of a sum, where row_of(i) is that of its part i.
  template <class RowOf>
  std::int32_t find_sum(std::size_t s, std::size_t level, std::size_t block, const RowOf& row_of) {
    const auto [first, last] = sums()[s].parts(level, block);
    reads_.resize(last - first);
    for (std::size_t i = first; i < last; ++i) reads_[i - first] = row_of(i);
    RowKey key;
    key.reads = reads_;
    return find(sum_level(s, level), key);
  }
  /// The same for several rows of a block.  Shapes: rows (count, parts); row (count).
  void find_sum(std::size_t s, std::size_t level, std::size_t block, Span<const std::int32_t> rows,
                std::int32_t* row) {
    const auto [first, last] = sums()[s].parts(level, block);
    RowKeys keys;
    keys.rows = rows;
    keys.width = last - first;
    keys.has_root = false;
    find(sum_level(s, level), keys, row);
  }

 private:
  /// What does not depend on configurations; copies of a plan have it in common.
  struct Fixed {
    FlowGraph graph;
    std::size_t num_levels = 0;
    std::vector<std::vector<std::int32_t>> reached;  // of each level
    std::vector<std::vector<std::int32_t>> free;     // (N) of each level
    std::vector<std::vector<std::int32_t>> place;    // (N) of each level
    std::vector<SumTree> sums;
    std::vector<std::int32_t> num_free, node_of_input;
  };

  [[nodiscard]] std::size_t level_after(std::int32_t stage) const {
    return as_size(graph().level_of(stage)) + 1;
  }
  [[nodiscard]] RowKeys keys_of(std::int32_t stage, std::int32_t node, Span<const std::int32_t> rows) const {
    const FlowStage& s = graph().stages[as_size(stage)];
    RowKeys keys;
    keys.rows = rows;
    keys.width = 1 + nodes_read(stage, node).size();
    if (!s.node_kind.empty()) keys.kind = s.node_kind[as_size(node)];
    if (!s.edge_kind.empty()) {
      const auto begin = as_size(s.edges.csr.row_ptr[node]);
      keys.edge_kind = Span<const std::int32_t>(s.edge_kind).subspan(begin, keys.width - 1);
    }
    return keys;
  }
  std::int32_t find(std::size_t level, const RowKey& key) {
    return merges_ ? rows_[level].find(key) : rows_[level].append(key);
  }
  void find(std::size_t level, const RowKeys& keys, std::int32_t* row) {
    if (merges_) return rows_[level].find_each(keys, row);
    for (std::size_t i = 0; i < keys.size(); ++i) row[i] = rows_[level].append(keys[i]);
  }
  void plan_free(Fixed& fixed);
  std::int32_t find_free(Fixed& fixed, std::size_t level, std::int32_t node);

  std::shared_ptr<const Fixed> fixed_, origin_;
  bool merges_ = true;
  std::vector<FlowRows> rows_;       // of each level, then of the levels of each sum
  std::vector<std::int32_t> reads_;  // of one key
};

inline void FlowPlan::plan_free(Fixed& fixed) {
  const FlowGraph& graph = fixed.graph;
  const auto num_nodes = as_size(graph.num_nodes);
  for (std::size_t k = 0; k < fixed.num_levels; ++k) {
    fixed.place[k].assign(num_nodes, -1);
    for (std::size_t i = 0; i < fixed.reached[k].size(); ++i)
      fixed.place[k][as_size(fixed.reached[k][i])] = static_cast<std::int32_t>(i);
    fixed.free[k].assign(num_nodes, -1);
    const bool has_free = !graph.config_only || static_cast<std::int32_t>(k) < graph.join_level();
    for (std::size_t v = 0; has_free && v < num_nodes; ++v) {
      if (fixed.place[k][v] < 0) fixed.free[k][v] = find_free(fixed, k, static_cast<std::int32_t>(v));
    }
    fixed.num_free.push_back(rows_[k].size());
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
      fixed.num_free.push_back(rows_[sum_level(s, t)].size());
    }
  }
}

inline std::int32_t FlowPlan::find_free(Fixed& fixed, std::size_t level, std::int32_t node) {
  if (level == 0) {
    RowKey key;
    key.root = graph().input_kind[as_size(node)];
    const std::int32_t row = find(0, key);
    if (row == static_cast<std::int32_t>(fixed.node_of_input.size())) fixed.node_of_input.push_back(node);
    return row;
  }
  const bool joins = graph().joins();
  const auto join = as_size(graph().join_level());
  if (joins && level == join) return find_joined(node, -1);
  const auto stage = static_cast<std::int32_t>(level) - 1 - (joins && level > join ? 1 : 0);
  return find_staged(stage, node, [&](std::int32_t u) { return free_row(level - 1, u); });
}

inline std::int64_t FlowPlan::max_configs() const {
  std::int64_t fixed = graph().num_nodes, most = 1;
  for (std::size_t k = 0; k < num_levels(); ++k) {
    std::int64_t reads = 1;
    const std::int32_t stage = static_cast<std::int32_t>(k) - 2;
    if (graph().joins() && stage >= graph().join_stage) {
      const CsrView& csr = graph().stages[as_size(stage)].edges.csr;
      fixed = std::max(fixed, signed_size(csr.col));
      for (const std::int32_t v : reached(k)) reads += csr.num_rows() > 0 ? csr.degree(v) : 0;
    }
    most = std::max({most, reads, signed_size(reached(k))});
  }
  for (const SumTree& sum : sums()) {
    for (const auto& blocks : sum.free)
      most =
          std::max(most, kTreeFanIn * static_cast<std::int64_t>(std::count(blocks.begin(), blocks.end(), -1)));
  }
  return (std::numeric_limits<std::int32_t>::max() - fixed) / most;
}

inline void FlowPlan::use_parts(std::uint32_t since) {
  for (std::size_t s = 0; s < sums().size(); ++s) {
    for (std::size_t t = sums()[s].num_levels(); t-- > 0;) {
      const std::size_t k = sum_level(s, t);
      rows_[k].use_parts(num_free()[k], since, false, rows_[t == 0 ? num_levels() - 1 : k - 1]);
    }
  }
  const std::size_t join = graph().joins() ? as_size(graph().join_level()) : num_levels();
  for (std::size_t k = num_levels(); k-- > join + 1;)
    rows_[k].use_parts(num_free()[k], since, true, rows_[k - 1]);
}

inline std::vector<std::vector<std::int32_t>> FlowPlan::forget(std::uint32_t since,
                                                               Span<const std::int32_t> config_to) {
  std::vector<std::vector<std::int32_t>> to(rows_.size());
  const std::size_t join = graph().joins() ? as_size(graph().join_level()) : num_levels();
  for (std::size_t k = join; k < num_levels(); ++k) {
    const bool is_first = k == join;  // rows before it are all kept
    const Span<const std::int32_t> before =
        is_first ? Span<const std::int32_t>() : Span<const std::int32_t>(to[k - 1]);
    to[k] = rows_[k].compact(num_free()[k], since, before, before,
                             is_first ? config_to : Span<const std::int32_t>());
  }
  for (std::size_t s = 0; s < sums().size(); ++s) {
    for (std::size_t t = 0; t < sums()[s].num_levels(); ++t) {
      const std::size_t k = sum_level(s, t);
      to[k] = rows_[k].compact(num_free()[k], since, {}, to[t == 0 ? num_levels() - 1 : k - 1], {});
    }
  }
  return to;
}

inline void FlowPlan::mark_configs(std::uint32_t since, std::vector<char>& is_used) const {
  if (!graph().joins()) return;
  const FlowRows& rows = rows_[as_size(graph().join_level())];
  for (std::int32_t r = 0; r < rows.size(); ++r) {
    const std::int32_t config = rows.kind()[r] - 1;
    if (config >= 0 && rows.is_used(r, since)) is_used[as_size(config)] = 1;
  }
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_FLOW_PLAN_HPP
