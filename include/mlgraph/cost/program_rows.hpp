// SPDX-License-Identifier: Apache-2.0
// ProgramRows: the rows of a program that are kept from call to call, within a budget.
#ifndef MLGRAPH_COST_PROGRAM_ROWS_HPP
#define MLGRAPH_COST_PROGRAM_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

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
#include "mlgraph/cost/call_rows.hpp"
#include "mlgraph/cost/chunk_size.hpp"
#include "mlgraph/cost/config_rows.hpp"
#include "mlgraph/cost/config_table.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/kept_scores.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/cost/run_planned.hpp"
#include "mlgraph/cost/segment_input.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/cost_model.hpp"
#include "mlgraph/graph/current_rows.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/plan_configs.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the rows may cost, and which of them are made.
struct ProgramRowsOptions {
  std::size_t memory_bytes = std::size_t{256} << 20;  ///< for kept rows
  std::int64_t rows_at_a_time = 1024;                 ///< about so many are new in a matrix
  RowsMade made = RowsMade::kDistinct;
};

/// Every distinct row of a program is computed once and kept, so that a call costs the rows that it is the
/// first to need. plan() takes some configurations; sums() then computes a segment. When the memory is full,
/// the rows go that no call has used since it last was; the answer never does. The rows of the current
/// configuration, and of the committed one, stay. Those of many configurations that have hardly a row in common
/// are not kept: they would drive out others.
/// Other networks than NetPlan::merges_rows() have each row computed, from the kept rows before the join.
/// Borrows the network, the encoder and the segments. Calls that make no new row allocate nothing.
class ProgramRows {
 public:
  /// `configs` has the shape of the program's configurations; its values are not read.
  ProgramRows(const NetOn<Eager>& net, const NetPlan& plan, const FeatureEncoder& encoder,
              Span<const Segment> segments, const ConfigView& configs, const ProgramRowsOptions& options)
      : net_(&net),
        plan_(&plan),
        encoder_(&encoder),
        options_(options),
        is_planned_(plan.merges_rows() && options.made != RowsMade::kEvery),
        rows_per_config_(configs.rows_per_config),
        table_(configs.num_features) {
    for (const Segment& segment : segments) {
      Part& part = parts_.emplace_back();
      part.segment = &segment;
      part.store = RowStore(1);
      if (!is_planned_) continue;
      part.rows = options.made == RowsMade::kReached ? segment.rows.unmerged() : segment.rows;
      part.store = RowStore(part.rows.num_all_levels());
      if (follows_nodes()) part.current = CurrentRows(part.rows);
    }
    choose_chunk();
    if (follows_nodes()) reserve();
  }

  /// Whether configurations differ at nodes, so that a change of one reaches few rows.
  [[nodiscard]] bool follows_nodes() const { return is_planned_ && plan_->takes_nodes(); }
  /// The most configurations of one plan().
  [[nodiscard]] std::int64_t most_configs() const { return chunk_.most(); }

  /// Forgets what was learned of how many configurations to plan together, in calls that say nothing of others.
  void restart_chunks() { chunk_.start(follows_nodes() ? kFirstConfigs : chunk_.most(), chunk_.most()); }

  /// Plans the first of the configurations `ids` of `configs`, which are borrowed -> how many.
  [[nodiscard]] std::int64_t plan(const ConfigView& configs, Span<const std::int32_t> ids) {
    configs_ = configs;
    num_configs_ = std::min(signed_size(ids), chunk_.size());
    ids_.assign(ids.begin(), ids.begin() + num_configs_);
    if (!follows_nodes()) return num_configs_;
    make_room();
    const bool merges = options_.made == RowsMade::kDistinct && chunk_.merges_next();
    for (Part& part : parts_) part.rows.set_merging(merges);
    for (bool has_forgotten = false; !plan_parts(); has_forgotten = true) {
      for (Part& part : parts_) part.rows.truncate(part.before);
      if (has_forgotten) num_configs_ = chunk_.halve(num_configs_);
      if (!has_forgotten) forget();
    }
    num_needed_ += work_.needed;
    is_kept_ = chunk_.judge(work_, merges, options_.rows_at_a_time, options_.memory_bytes);
    return num_configs_;
  }
  /// The pools of a segment under the planned configurations.  (copies, PoolSums::channels())
  [[nodiscard]] Var sums(Eager& ctx, std::size_t segment) {
    Part& part = parts_[segment];
    if (!is_planned_) return sums_of_every_row(ctx, part);
    Var sums[4];
    run(ctx, part, sums);
    return gather_totals(ctx, *plan_, part.rows.graph(), sums, part.total, num_configs_);
  }

  // ---- the current configuration, where follows_nodes() --------------------------------------------------

  /// Makes configuration c the current one.
  void start(const ConfigView& configs, std::int64_t c) {
    make_room();
    follow_changes();
    for (Part& part : parts_) {
      changed_ids_.clear();
      for (std::size_t q = 0; q < part.rows.graph().config_node.size(); ++q)
        changed_ids_.push_back(table_.find(configs, c, part.segment->config_row[q]));
      part.current.start(part.rows, changed_ids_);
      part.has_current = true;
      num_needed_ += part.rows.num_reached();
    }
  }
  /// Changes rows of it.  Shapes: rows (d), features (d, num_features).
  void update(Span<const std::int32_t> rows, Span<const float> features) {
    make_room();
    follow_changes();
    const auto width = as_size(table_.num_features());
    for (Part& part : parts_) {
      changed_.clear();
      changed_ids_.clear();
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::int32_t at = part.position[as_size(rows[i])];
        if (at < 0) continue;
        changed_.push_back(at);
        changed_ids_.push_back(table_.find(features.data() + i * width));
      }
      if (!changed_.empty()) num_needed_ += part.current.update(part.rows, changed_, changed_ids_);
    }
  }
  void commit() {
    for (Part& part : parts_) part.current.commit();
  }
  void rollback() {
    for (Part& part : parts_) part.current.rollback();
  }
  /// Whether the current configuration has other pools than the last current_sums() gave, or rows to be made.
  [[nodiscard]] bool is_changed(std::size_t segment) const {
    const Part& part = parts_[segment];
    const std::size_t last = part.rows.num_levels() - 1;
    bool is_same = !part.summed.empty() && part.store.num_rows(last) == part.rows.level(last).size() &&
                   !plan_->takes_graph();  // with whose configuration a segment may be read
    for (std::size_t s = 0; is_same && s < part.summed.size(); ++s)
      is_same = part.summed[s] == part.current.total(s);
    return !is_same;
  }
  /// The pools of a segment under the current configuration.  (1, PoolSums::channels())
  [[nodiscard]] Var current_sums(Eager& ctx, std::size_t segment) {
    Part& part = parts_[segment];
    Var sums[4];
    run(ctx, part, sums);
    part.summed.clear();
    for (std::size_t k = 0; k < part.rows.sums().size(); ++k) part.summed.push_back(part.current.total(k));
    return gather_totals(ctx, *plan_, part.rows.graph(), sums, part.summed, 1);
  }

  /// The score that keep_score() was told of a configuration with the pools of the current one, or null.
  [[nodiscard]] const float* find_score() {
    if (plan_->takes_graph()) return nullptr;  // which is no row of a pool
    changed_ids_.clear();
    for (const Part& part : parts_) {
      for (std::size_t s = 0; s < part.rows.sums().size(); ++s) changed_ids_.push_back(part.current.total(s));
    }
    return scores_.find(changed_ids_);
  }
  /// The score of the current configuration, for which find_score() had none.
  void keep_score(float score) {
    if (!plan_->takes_graph()) scores_.keep(score);
  }

  [[nodiscard]] RowStats stats() const {
    RowStats stats;
    stats.num_made = num_made_;
    stats.num_found = num_needed_ - num_made_;
    stats.bytes = table_.bytes() + scratch_.capacity_bytes() + scores_.bytes();
    for (const Part& part : parts_) {
      for (std::size_t k = 0; k < (is_planned_ ? part.rows.num_levels() : 1); ++k)
        stats.num_rows += part.store.num_rows(k);
      stats.bytes += part.store.bytes() + part.rows.bytes() + part.current.bytes();
    }
    return stats;
  }

 private:
  static constexpr std::int64_t kFirstConfigs = 32, kMostConfigs = 1024, kMostOfEveryRow = 256;

  /// One segment.
  struct Part {
    const Segment* segment;
    FlowPlan rows;
    RowStore store;
    CurrentRows current;
    std::vector<std::int32_t> position;  // (rows of a configuration) among its configurable nodes, or -1
    std::vector<std::int32_t> total;     // (sums num_configs_) of the planned configurations
    FlowPlan::Counts before;             // rows before the last plan()
    std::vector<std::int32_t> summed;    // (sums) of what current_sums() gave
    bool has_prefix = false, has_current = false;
  };

  void choose_chunk() {
    std::int64_t rows = 1;  // of the largest matrix of a configuration
    for (const Part& part : parts_) {
      const bool only = plan_->join == Join::kConfigurableOnly;
      const auto count =
          only ? signed_size(part.segment->config_row) : std::int64_t{part.segment->graph.num_nodes()};
      if (plan_->join != Join::kNone) rows = std::max(rows, count);
    }
    std::int64_t most = std::clamp<std::int64_t>(options_.rows_at_a_time / rows, 1, kMostOfEveryRow);
    if (plan_->compares_configs()) most = plan_->config_chunk;
    if (!follows_nodes()) return chunk_.start(most, most);
    most = kMostConfigs;
    for (const Part& part : parts_) most = std::min(most, part.rows.max_configs());
    chunk_.start(kFirstConfigs, most);
  }

  /// Memory that does not depend on what is planned.
  void reserve() {
    ids_.reserve(as_size(chunk_.most()));
    config_ids_.reserve(as_size(chunk_.most() * rows_per_config_));
    changed_.reserve(as_size(rows_per_config_));
    changed_ids_.reserve(as_size(rows_per_config_) + 2 * parts_.size());
    // Three arrays for each place where rows of configurations meet, and a few for all of them; keys of a node.
    const std::size_t place = 8 * as_size(chunk_.most()) + 3 * kAlignment + sizeof(LocalRows);
    std::size_t bytes = 0;
    for (Part& part : parts_) {
      part.position.assign(as_size(rows_per_config_), -1);
      for (std::size_t q = 0; q < part.rows.graph().config_node.size(); ++q)
        part.position[as_size(part.segment->config_row[q])] = static_cast<std::int32_t>(q);
      part.summed.reserve(part.rows.sums().size());
      part.total.reserve(part.rows.sums().size() * as_size(chunk_.most()));
      std::size_t places = as_size(part.rows.num_reached()) + 16;
      for (const SumTree& sum : part.rows.sums()) {
        for (const auto& level : sum.free) places += level.size();
      }
      bytes = std::max(bytes, places * place + 4 * detail::kKeysAtOnce * part.rows.most_parts());
    }
    (void)scratch_.allocate<std::byte>(bytes);
    scratch_.rewind();
  }

  /// Adds the rows of the configurations to all plans. -> false where they are more than there is room for.
  bool plan_parts() {
    config_ids_.resize(as_size(num_configs_ * rows_per_config_));
    find_ids();
    work_ = PlannedWork();
    work_.num_configs = num_configs_;
    for (Part& part : parts_) {
      scratch_.rewind();
      part.rows.count(part.before);
      const std::size_t num_nodes = part.rows.graph().config_node.size();
      auto* const config = scratch_.allocate<std::int32_t>(ids_.size() * num_nodes);
      std::int32_t* to = config;
      for (std::int64_t c = 0; c < num_configs_; ++c) {
        const std::int32_t* const row = config_ids_.data() + c * rows_per_config_;
        for (std::size_t q = 0; q < num_nodes; ++q) *to++ = row[part.segment->config_row[q]];
      }
      const auto count = as_size(num_configs_);
      part.total.resize(part.rows.sums().size() * count);
      plan_configs(part.rows, {config, count * num_nodes}, num_configs_, scratch_, part.total);
      work_.needed += num_configs_ * part.rows.num_reached();
      for (std::size_t k = 0; k < part.rows.num_all_levels(); ++k) {
        const std::int64_t added = part.rows.level(k).size() - part.before[k];
        work_.most_new = std::max(work_.most_new, added);
        if (k < part.rows.num_levels()) work_.made += added;
        work_.bytes += as_size(added) * part.store.row_bytes(k, plan_->channels);
      }
    }
    return num_configs_ == 1 || used_bytes() + work_.bytes <= options_.memory_bytes;
  }
  /// The ids of all rows of the configurations.
  void find_ids() {
    std::int32_t* to = config_ids_.data();
    ids_.resize(as_size(num_configs_));
    const std::int64_t num_rows = plan_->takes_graph() ? rows_per_config_ - 1 : rows_per_config_;
    for (const std::int32_t c : ids_) {
      for (std::int64_t k = 0; k < num_rows; ++k) *to++ = table_.find(configs_, c, k);
      if (num_rows < rows_per_config_) *to++ = -1;
    }
  }

  /// Makes the rows that are planned and not there.
  void run(Eager& ctx, Part& part, Var* sums) {
    PlannedConfigs<float> given;
    given.num_configs = num_configs_;
    given.num_ids = table_.size();
    if (plan_->join == Join::kGraph)
      given.graph_config = encode_graph_config(ctx.arena(), *plan_, *encoder_, configs_, ids_);
    const auto encode = [&](Eager& context, Span<const std::int32_t> wanted) {
      return table_.encode(context.arena(), *encoder_, wanted);
    };
    const std::size_t first = follows_nodes() ? as_size(part.rows.graph().join_level()) : 0;
    for (std::size_t k = first; follows_nodes() && k < part.rows.num_levels(); ++k)
      num_made_ += part.rows.level(k).size() - std::max(part.store.num_rows(k), part.rows.num_free()[k]);
    run_new_rows(*net_, ctx, *plan_, part.rows, &part.store, node_rows(*part.segment), given, encode, sums);
  }
  Var sums_of_every_row(Eager& ctx, Part& part) {
    const NetInput<float> in = net_input(ctx.arena(), *plan_, *encoder_, *part.segment, configs_, ids_);
    Var prefix = part.store.all(ctx, 0);
    if (!part.has_prefix) {
      prefix = part.store.keep(ctx, 0, run_prefix(*net_, ctx, *plan_, in));
      part.has_prefix = ctx.status().ok();
    }
    return run_pools(ctx, *plan_, run_configs(*net_, ctx, *plan_, prefix, in), in);
  }

  // ---- memory --------------------------------------------------------------------------------------------

  /// Bytes that the rows take, with the room that their memory may have beside.
  [[nodiscard]] std::size_t used_bytes() const {
    std::size_t bytes = table_.bytes() + scores_.bytes();
    for (const Part& part : parts_) bytes += part.store.used_bytes() * 5 / 4 + 2 * part.rows.used_bytes();
    return bytes;
  }
  void make_room() {
    if (options_.made == RowsMade::kReached) is_kept_ = false;  // no call finds what another has made
    if (!std::exchange(is_kept_, true)) {
      for (Part& part : parts_) {
        if (part.before.empty()) continue;
        part.rows.truncate(part.before);
        part.store.truncate(part.before);
      }
    }
    if (used_bytes() > options_.memory_bytes) forget();
  }
  /// Rows of the current configuration are kept.
  void follow_changes() {
    for (Part& part : parts_) {
      part.before.clear();
      part.rows.set_merging(options_.made == RowsMade::kDistinct);
    }
  }
  /// Rows that were used since this was last called stay, or if they are still too many the pinned ones.
  void forget() {
    scores_.clear();
    forget_before(generation_);
    if (2 * used_bytes() > options_.memory_bytes) forget_before(++generation_);
    ++generation_;
    for (Part& part : parts_) part.rows.set_generation(generation_);
  }
  void forget_before(std::uint32_t since) {
    std::vector<char> is_used(as_size(table_.size()), 0);
    for (Part& part : parts_) {
      part.rows.set_generation(since);
      if (part.has_current) part.current.use(part.rows);
      part.rows.use_parts(since);
      part.rows.mark_configs(since, is_used);
    }
    const std::vector<std::int32_t> config_to = table_.compact(is_used);
    for (Part& part : parts_) {
      const std::vector<std::vector<std::int32_t>> to = part.rows.forget(since, config_to);
      part.store.move(to);
      part.summed.clear();
      part.current.move(part.rows, to);
    }
  }

  const NetOn<Eager>* net_;
  const NetPlan* plan_;
  const FeatureEncoder* encoder_;
  ProgramRowsOptions options_;
  bool is_planned_;
  std::int64_t rows_per_config_;
  ConfigTable table_;
  std::vector<Part> parts_;
  ChunkSize chunk_;
  PlannedWork work_;  // of the last plan()
  Arena scratch_;
  std::uint32_t generation_ = 0;
  bool is_kept_ = true;  // what the last plan() added
  std::int64_t num_made_ = 0, num_needed_ = 0;
  ConfigView configs_;  // the planned ones
  std::int64_t num_configs_ = 0;
  std::vector<std::int32_t> ids_, config_ids_;
  std::vector<std::int32_t> changed_, changed_ids_;  // of an update
  KeptScores scores_;                                // of configurations that were current
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_PROGRAM_ROWS_HPP
