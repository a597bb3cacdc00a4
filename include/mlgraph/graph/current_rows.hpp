// SPDX-License-Identifier: Apache-2.0
// CurrentRows: which rows one configuration has, as it is changed, kept and taken back.
#ifndef MLGRAPH_GRAPH_CURRENT_ROWS_HPP
#define MLGRAPH_GRAPH_CURRENT_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

namespace detail {

/// A set of ids that is emptied in O(1).
class MarkedIds {
 public:
  void resize(std::size_t size) { epoch_of_.assign(size, 0); }
  void reset() {
    if (++epoch_ != 0) return;
    std::fill(epoch_of_.begin(), epoch_of_.end(), 0u);
    epoch_ = 1;
  }
  /// False when it was there already.
  bool insert(std::size_t id) { return std::exchange(epoch_of_[id], epoch_) != epoch_; }

 private:
  std::vector<std::uint32_t> epoch_of_;
  std::uint32_t epoch_ = 0;
};

}  // namespace detail

/// Ids of rows, and nothing else: a change looks up the rows of the nodes that it reaches, as far as their ids
/// change, and of the sums above them; what is taken back are ids. Rows that nobody had before are new in the
/// plan.
///
/// Cost: find() of FlowPlan for each node whose row changes, and each that reads it.
class CurrentRows {
 public:
  CurrentRows() = default;
  explicit CurrentRows(const FlowPlan& plan) {
    const FlowGraph& graph = plan.graph();
    rows_.resize(plan.num_levels());
    for (std::size_t k = 0; k < rows_.size(); ++k) rows_[k].assign(plan.reached(k).size(), -1);
    config_at_.assign(as_size(graph.num_nodes), -1);
    for (std::int32_t q = 0; q < graph.num_inner_config; ++q)
      config_at_[as_size(graph.config_node[as_size(q)])] = q;
    const std::size_t num_nodes = std::max<std::size_t>(1, as_size(graph.num_nodes));
    seen_.resize(num_nodes);
    std::size_t most = 0;
    for (const auto& rows : rows_) most += rows.size();
    for (const SumTree& sum : plan.sums()) {
      sums_.emplace_back();
      for (const auto& blocks : sum.free) {
        sums_.back().push_back(blocks);
        most += blocks.size();
      }
    }
    log_.reserve(2 * most + 1);  // twice as many changes as there are places
    now_.reserve(num_nodes);
    next_.reserve(num_nodes);
  }

  CurrentRows(CurrentRows&&) = default;  // what may be taken back is known by its place
  CurrentRows& operator=(CurrentRows&&) = default;

  /// All rows of a configuration, given by the ids of its configurable nodes (K).
  void start(FlowPlan& plan, Span<const std::int32_t> config) {
    const FlowGraph& graph = plan.graph();
    const auto join = as_size(graph.join_level());
    for (std::size_t q = 0; q < graph.config_node.size(); ++q) {
      const std::int32_t node = graph.config_node[q];
      rows_[join][as_size(plan.place(join, node))] = plan.find_joined(node, config[q]);
    }
    for (std::size_t k = join; k + 1 < rows_.size(); ++k) {
      for (std::size_t i = 0; i < rows_[k + 1].size(); ++i)
        rows_[k + 1][i] = find_staged(plan, k, plan.reached(k + 1)[i]);
    }
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      for (std::size_t t = 0; t < sums_[s].size(); ++t) {
        for (std::size_t b = 0; b < sums_[s][t].size(); ++b) {
          if (plan.sums()[s].free[t][b] < 0) sums_[s][t][b] = find_sum(plan, s, t, b);
        }
      }
    }
    log_.clear();
  }

  /// Changes configurable nodes `position` to the configurations `config` -> how many rows of nodes it looked
  /// up.
  std::int64_t update(FlowPlan& plan, Span<const std::int32_t> position, Span<const std::int32_t> config) {
    const FlowGraph& graph = plan.graph();
    if (!graph.joins()) return 0;  // nothing can change
    auto num_looks = signed_size(position);
    auto level = as_size(graph.join_level());
    now_.clear();
    for (std::size_t i = 0; i < position.size(); ++i) {
      const std::int32_t node = graph.config_node[as_size(position[i])];
      if (set(level, rows_[level][as_size(plan.place(level, node))], plan.find_joined(node, config[i])))
        now_.push_back(node);
    }
    for (; level + 1 < rows_.size(); ++level) {
      seen_.reset();
      next_.clear();
      const CsrView& users = graph.stages[level - 1].edges.transposed;
      const auto look = [&](std::int32_t node) {
        if (!seen_.insert(as_size(node))) return;
        ++num_looks;
        std::int32_t& row = rows_[level + 1][as_size(plan.place(level + 1, node))];
        if (set(level + 1, row, find_staged(plan, level, node))) next_.push_back(node);
      };
      for (const std::int32_t node : now_) {
        look(node);
        if (users.num_rows() == 0) continue;
        const auto v = as_size(node);
        for (std::int32_t p = users.row_ptr[v]; p < users.row_ptr[v + 1]; ++p) look(users.col[p]);
      }
      std::swap(now_, next_);
    }
    for (std::size_t s = 0; s < sums_.size(); ++s) update_sum(plan, s);
    return num_looks;
  }

  void commit() { log_.clear(); }
  void rollback() {
    for (std::size_t i = log_.size(); i-- > 0;) *log_[i].place = log_[i].row;
    log_.clear();
  }

  /// Marks all rows that are current, or that rollback() brings back, as used: see FlowPlan::forget().
  void use(FlowPlan& plan) const {
    const auto use_all = [&plan](std::size_t level, const std::vector<std::int32_t>& rows) {
      for (const std::int32_t row : rows) {
        if (row >= 0) plan.use(level, row);
      }
    };
    for (std::size_t k = 0; k < rows_.size(); ++k) use_all(k, rows_[k]);
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      for (std::size_t t = 0; t < sums_[s].size(); ++t) use_all(plan.sum_level(s, t), sums_[s][t]);
    }
    for (const Change& change : log_) {
      if (change.row >= 0) plan.use(change.level, change.row);
    }
  }
  /// Follows the rows to where forget() put them.
  void move(const FlowPlan& plan, const std::vector<std::vector<std::int32_t>>& to) {
    const auto follow = [&to](std::size_t level, std::int32_t& row) {
      if (row >= 0 && !to[level].empty()) row = to[level][as_size(row)];
    };
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      for (std::int32_t& row : rows_[k]) follow(k, row);
    }
    for (std::size_t s = 0; s < sums_.size(); ++s) {
      for (std::size_t t = 0; t < sums_[s].size(); ++t) {
        for (std::int32_t& row : sums_[s][t]) follow(plan.sum_level(s, t), row);
      }
    }
    for (Change& change : log_) follow(change.level, change.row);
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = log_.capacity() * sizeof(Change);
    for (const auto& rows : rows_) bytes += 4 * rows.size();
    for (const auto& levels : sums_) {
      for (const auto& blocks : levels) bytes += 4 * blocks.size();
    }
    return bytes + 4 * (config_at_.size() + now_.capacity() + next_.capacity());
  }

  /// The row of the total of sum s.
  [[nodiscard]] std::int32_t total(std::size_t s) const { return sums_[s].back()[0]; }

 private:
  struct Change {  // what was where
    std::int32_t* place;
    std::size_t level;
    std::int32_t row;
    std::size_t time;
  };

  /// Of what was in a place only the oldest counts.
  void shorten_log() {
    std::sort(log_.begin(), log_.end(), [](const Change& a, const Change& b) {
      return a.place != b.place ? std::less<>()(a.place, b.place) : a.time < b.time;
    });
    const auto same = [](const Change& a, const Change& b) { return a.place == b.place; };
    log_.erase(std::unique(log_.begin(), log_.end(), same), log_.end());
    for (Change& change : log_) change.time = 0;
  }

  [[nodiscard]] std::int32_t row_of(const FlowPlan& plan, std::size_t level, std::int32_t node) const {
    const std::int32_t place = plan.place(level, node);
    return place >= 0 ? rows_[level][as_size(place)] : plan.free_row(level, node);
  }
  [[nodiscard]] std::int32_t find_staged(FlowPlan& plan, std::size_t level, std::int32_t node) const {
    return plan.find_staged(static_cast<std::int32_t>(level) - 1, node,
                            [&](std::int32_t u) { return row_of(plan, level, u); });
  }
  [[nodiscard]] std::int32_t find_sum(FlowPlan& plan, std::size_t s, std::size_t t, std::size_t block) const {
    return plan.find_sum(s, t, block, [&](std::size_t i) {
      return t == 0 ? row_of(plan, rows_.size() - 1, plan.sums()[s].node[i]) : sums_[s][t - 1][i];
    });
  }

  // now_: the nodes whose rows at the last level changed.
  void update_sum(FlowPlan& plan, std::size_t s) {
    const bool of_all = s == 0 && plan.graph().pools_all;
    next_.clear();
    for (const std::int32_t node : now_) {
      const std::int32_t part =
          of_all ? (node < plan.graph().num_inner ? node : -1) : config_at_[as_size(node)];
      if (part >= 0) next_.push_back(part);
    }
    for (std::size_t t = 0; t < sums_[s].size(); ++t) {
      seen_.reset();
      std::size_t count = 0;
      for (const std::int32_t part : next_) {
        const std::int32_t block = tree_parent(part);
        if (!seen_.insert(as_size(block))) continue;
        if (set(plan.sum_level(s, t), sums_[s][t][as_size(block)], find_sum(plan, s, t, as_size(block))))
          next_[count++] = block;
      }
      next_.resize(count);
    }
  }

  /// Whether the row is another one now.
  bool set(std::size_t level, std::int32_t& row, std::int32_t value) {
    if (row == value) return false;
    if (log_.size() == log_.capacity()) shorten_log();
    log_.push_back({&row, level, row, log_.size()});
    row = value;
    return true;
  }

  std::vector<std::vector<std::int32_t>> rows_;               // of the reached nodes of each level
  std::vector<std::vector<std::vector<std::int32_t>>> sums_;  // (blocks) of each level of each sum
  std::vector<std::int32_t> config_at_;                       // (N) which configurable node each is; -1: none
  std::vector<Change> log_;                                   // since the last commit
  std::vector<std::int32_t> now_, next_;
  detail::MarkedIds seen_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_CURRENT_ROWS_HPP
