// SPDX-License-Identifier: Apache-2.0
// plan_configs(): adds the rows of many configurations to a plan, node by node, and says which each has.
#ifndef MLGRAPH_GRAPH_PLAN_CONFIGS_HPP
#define MLGRAPH_GRAPH_PLAN_CONFIGS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/local_rows.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

// The configurations of a node get numbers in the order in which they come.
[[nodiscard]] inline const LocalRows* plan_join(FlowPlan& rows, const LocalRows::Memory& call,
                                                Span<const std::int32_t> config) {
  const auto level = as_size(rows.graph().join_level());
  const std::size_t num_nodes = rows.graph().config_node.size();
  LocalRows* const now = LocalRows::make(call, rows.reached(level).size());
  const std::size_t num_ids = config.empty() ? 1 : as_size(*std::max_element(config.begin(), config.end())) + 1;
  auto* const number = call.numbers(num_ids);
  auto* const seen_at = call.rows(static_cast<std::int32_t>(num_ids));
  std::fill_n(seen_at, num_ids, -1);
  for (std::size_t q = 0; q < num_nodes; ++q) {
    const std::int32_t node = rows.graph().config_node[q];
    auto* const of = call.numbers();
    auto* const first = call.numbers();
    LocalRows local;
    local.row = call.rows(call.num_configs);
    local.count = 0;
    for (std::int32_t c = 0; c < call.num_configs; ++c) {
      const auto id = as_size(config[static_cast<std::size_t>(c) * num_nodes + q]);
      if (!rows.merges() || seen_at[id] != static_cast<std::int32_t>(q)) {
        seen_at[id] = static_cast<std::int32_t>(q);
        number[id] = static_cast<LocalRows::Number>(local.count);
        first[local.count] = static_cast<LocalRows::Number>(c);
        local.row[local.count++] = rows.find_joined(node, static_cast<std::int32_t>(id));
      }
      of[c] = number[id];
    }
    local.of = of;
    local.first = first;
    now[rows.place(level, node)] = local;
  }
  return now;
}

// Rows that are looked up together.
inline constexpr std::int32_t kKeysAtOnce = 32;

// Calls `find(keys, row)` for the rows of `local`, some at a time. `part(j)` says what each reads in place j of
// `width`: rows of a LocalRows, or where it has none the one that no configuration changes.
struct KeyPart {
  const LocalRows* local = nullptr;
  std::int32_t free = -1;
};
template <class Part, class Find>
void find_local_rows(const LocalRows& local, std::size_t width, std::int32_t* keys, const Part& part,
                     const Find& find) {
  for (std::int32_t begin = 0; begin < local.count; begin += kKeysAtOnce) {
    const std::int32_t end = std::min(local.count, begin + kKeysAtOnce);
    for (std::size_t j = 0; j < width; ++j) {
      const KeyPart read = part(j);
      std::int32_t* to = keys + j;
      for (std::int32_t l = begin; l < end; ++l, to += width)
        *to = read.local != nullptr ? read.local->row_of(local.config(l)) : read.free;
    }
    find(Span<const std::int32_t>(keys, as_size(end - begin) * width), local.row + begin);
  }
}

// A node's row is decided by those of the reached nodes that it reads.
[[nodiscard]] inline const LocalRows* plan_stage(FlowPlan& rows, const LocalRows::Memory& call,
                                                 std::size_t level, const LocalRows* before,
                                                 std::int32_t* keys) {
  const auto stage = static_cast<std::int32_t>(level) - 1;
  LocalRows* const now = LocalRows::make(call, rows.reached(level + 1).size());
  for (std::size_t i = 0; i < rows.reached(level + 1).size(); ++i) {
    const std::int32_t node = rows.reached(level + 1)[i];
    const Span<const std::int32_t> reads = rows.nodes_read(stage, node);
    const auto part = [&](std::size_t j) {
      const std::int32_t u = j == 0 ? node : reads[j - 1];
      const std::int32_t place = rows.place(level, u);
      return place >= 0 ? KeyPart{before + place} : KeyPart{nullptr, rows.free_row(level, u)};
    };
    LocalRows local;
    for (std::size_t j = 0; j <= reads.size(); ++j) {
      if (part(j).local != nullptr) local = LocalRows::meet(local, *part(j).local, call);
    }
    now[i] = LocalRows::kept(local, call);
    find_local_rows(
        now[i], 1 + reads.size(), keys, part,
        [&](Span<const std::int32_t> some, std::int32_t* row) { rows.find_staged(stage, node, some, row); });
  }
  return now;
}

// The blocks of the last level.
[[nodiscard]] inline const LocalRows* plan_sums(FlowPlan& rows, const LocalRows::Memory& call, std::size_t s,
                                                const LocalRows* nodes, std::int32_t* keys) {
  const SumTree& sum = rows.sums()[s];
  LocalRows* parts = LocalRows::make(call, sum.node.size());
  for (std::size_t i = 0; i < sum.node.size(); ++i) {
    const std::int32_t at = rows.place(rows.num_levels() - 1, sum.node[i]);
    if (at >= 0) parts[i] = nodes[at];
  }
  for (std::size_t t = 0; t < sum.num_levels(); ++t) {
    LocalRows* const now = LocalRows::make(call, sum.num_blocks(t));
    for (std::size_t b = 0; b < sum.num_blocks(t); ++b) {
      if (sum.free[t][b] >= 0) continue;
      LocalRows local;
      const auto [first, last] = sum.parts(t, b);
      for (std::size_t i = first; i < last; ++i) local = LocalRows::meet(local, parts[i], call);
      now[b] = LocalRows::kept(local, call);
      const std::size_t from = first;
      find_local_rows(
          now[b], last - first, keys,
          [&](std::size_t j) {
            const LocalRows& part = parts[from + j];
            return part.row != nullptr ? KeyPart{&part} : KeyPart{nullptr, rows.free_part(s, t, from + j)};
          },
          [&](Span<const std::int32_t> some, std::int32_t* row) { rows.find_sum(s, t, b, some, row); });
    }
    parts = now;
  }
  return parts;
}

// The nodes that configurations change at a level, which is not before the join.
[[nodiscard]] inline const LocalRows* plan_level(FlowPlan& rows, const LocalRows::Memory& call,
                                                 Span<const std::int32_t> config, std::size_t level,
                                                 std::int32_t* keys) {
  const LocalRows* nodes = plan_join(rows, call, config);
  for (auto k = as_size(rows.graph().join_level()); k < level; ++k)
    nodes = plan_stage(rows, call, k, nodes, keys);
  return nodes;
}

// Calls piece(call, config, first, keys) for as many configurations as have local numbers, from `first` on.
// Shapes: keys (kKeysAtOnce most_parts()), room for find_local_rows().
template <class Piece>
void for_pieces_of_configs(const FlowPlan& rows, Span<const std::int32_t> config, std::int64_t num_configs,
                           Arena& scratch, const Piece& piece) {
  const std::size_t num_nodes = rows.graph().config_node.size();
  const auto all = static_cast<std::int32_t>(num_configs);
  for (std::int32_t first = 0; first < all; first += LocalRows::kMostConfigs) {
    const ArenaScope scope(scratch);
    const LocalRows::Memory call(std::min(LocalRows::kMostConfigs, all - first), scratch);
    auto* const keys = scratch.allocate<std::int32_t>(kKeysAtOnce * rows.most_parts());
    piece(call, config.subspan(as_size(first) * num_nodes, as_size(call.num_configs) * num_nodes), first, keys);
  }
}

// Rows (C, nodes) of these configurations, into those of all.
inline void copy_local_rows(const LocalRows* nodes, std::size_t num_nodes, const LocalRows::Memory& call,
                            std::int32_t first, Span<std::int32_t> out) {
  std::int32_t* to = out.data() + as_size(first) * num_nodes;
  for (std::int32_t c = 0; c < call.num_configs; ++c) {
    for (std::size_t i = 0; i < num_nodes; ++i) *to++ = nodes[i].row_of(c);
  }
}

}  // namespace detail

/// Adds the rows of C configurations. `config` says what each configurable node has: equal numbers are equal
/// configurations of a node. The row of each configuration's total goes to `total`, one after the other for
/// each sum; and where `last` is not empty, the row of each node of reached(last level) to it.
///
/// Goes node by node over all of them: at each node they have few different rows, which get small local ids, so
/// that a configuration costs a look into a table of pairs, and hashing is done once for each distinct row of a
/// node.
///
/// Shapes: config (C K), config-major; total (sums C); last (C reached), config-major.
/// Cost:   two nanoseconds for each place where two nodes that configurations change meet, and each
///         configuration; find() for each distinct row of a node. Memory of `scratch`: 2 bytes for each of
///         these places.
inline void plan_configs(FlowPlan& rows, Span<const std::int32_t> config, std::int64_t num_configs,
                         Arena& scratch, Span<std::int32_t> total, Span<std::int32_t> last = {}) {
  const std::size_t level = rows.num_levels() - 1;
  detail::for_pieces_of_configs(
      rows, config, num_configs, scratch,
      [&](const LocalRows::Memory& call, Span<const std::int32_t> some, std::int32_t first,
          std::int32_t* keys) {
        const LocalRows* const nodes =
            rows.graph().joins() ? detail::plan_level(rows, call, some, level, keys) : nullptr;
        if (!last.empty()) detail::copy_local_rows(nodes, rows.reached(level).size(), call, first, last);
        for (std::size_t s = 0; s < rows.sums().size(); ++s) {
          const LocalRows* const blocks = detail::plan_sums(rows, call, s, nodes, keys);
          const std::int32_t free = rows.sums()[s].free.back()[0];
          std::int32_t* const out = total.data() + static_cast<std::int64_t>(s) * num_configs + first;
          for (std::int32_t c = 0; c < call.num_configs; ++c) out[c] = free >= 0 ? free : blocks[0].row_of(c);
        }
      });
}

/// The same up to a level, from the join on: -> the row of each node of reached(level).
/// Shapes: config (C K), config-major; out (C reached), config-major.
inline void plan_configs_to(FlowPlan& rows, std::size_t level, Span<const std::int32_t> config,
                            std::int64_t num_configs, Arena& scratch, Span<std::int32_t> out) {
  detail::for_pieces_of_configs(rows, config, num_configs, scratch,
                                [&](const LocalRows::Memory& call, Span<const std::int32_t> some,
                                    std::int32_t first, std::int32_t* keys) {
                                  const LocalRows* const nodes =
                                      detail::plan_level(rows, call, some, level, keys);
                                  detail::copy_local_rows(nodes, rows.reached(level).size(), call, first, out);
                                });
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_PLAN_CONFIGS_HPP
