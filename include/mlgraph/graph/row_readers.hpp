// SPDX-License-Identifier: Apache-2.0
// RowReaders: which totals read each row of a plan, and how often.
#ifndef MLGRAPH_GRAPH_ROW_READERS_HPP
#define MLGRAPH_GRAPH_ROW_READERS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/sum_tree.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The totals of one sum that read each of the R rows of the last level, and how often: the transpose of the
/// sum without its tree. In the memory of an arena; T is the scalar of the gradients.
template <class T>
struct RowReaders {
  /// (R) rows of numbers of totals, none twice. Number `num_totals`, the first of a row that has it, stands for
  /// all of them: so is read what no configuration changes. Where there is one total, that is number 0.
  CsrView totals;
  Span<const T> count;  ///< of each of these numbers
  std::int32_t num_totals = 0;

  /// Whether there is a number for all of them.
  [[nodiscard]] bool has_all() const { return num_totals > 1; }
};

/// The readers in sum `s` of a plan whose configurations have the rows that plan_configs() gave: `total` in
/// this sum, and `last` at the last level. Totals of no configuration here read what all read alone. Equal
/// totals are read once: who looks up one of them for two configurations adds up its gradient before.
///
/// Shapes: total (C); last (C reached), config-major. Both may be empty where no configuration joins at nodes.
/// Cost:   O(R + nodes of the sum + totals x those that configurations change).
template <class T>
[[nodiscard]] RowReaders<T> find_readers(const FlowPlan& rows, std::size_t s, Span<const std::int32_t> total,
                                         Span<const std::int32_t> last, Arena& arena) {
  const std::size_t level = rows.num_levels() - 1;
  const SumTree& sum = rows.sums()[s];
  const auto num_rows = as_size(rows.level(level).size());
  RowReaders<T> readers;
  readers.num_totals = rows.level(rows.sum_level(s, sum.num_levels() - 1)).size();
  const std::int32_t all = readers.has_all() ? readers.num_totals : 0;
  auto* const place = arena.allocate<std::int32_t>(sum.node.size());  // of nodes that configurations change
  std::int32_t* const end = std::transform(sum.node.begin(), sum.node.end(), place,
                                           [&](std::int32_t v) { return rows.place(level, v); });
  const Span<const std::int32_t> places(place, std::remove(place, end, -1) - place);
  auto* const config = arena.allocate<std::int32_t>(readers.num_totals);
  std::fill_n(config, readers.num_totals, -1);  // one that has each total
  for (std::size_t c = total.size(); c-- > 0;) config[total[c]] = static_cast<std::int32_t>(c);
  const auto for_each_read = [&](const auto& read) {
    for (const std::int32_t v : sum.node) {
      if (rows.free_row(level, v) >= 0) read(all, as_size(rows.free_row(level, v)));
    }
    for (std::int32_t d = 0; d < readers.num_totals; ++d) {
      if (config[d] < 0) continue;
      const Span<const std::int32_t> of =
          last.subspan(as_size(config[d]) * rows.reached(level).size(), rows.reached(level).size());
      for (const std::int32_t p : places) read(d, as_size(of[p]));
    }
  };
  auto* const seen = arena.allocate<std::int32_t>(num_rows);     // the last reader of each row
  auto* const ptr = arena.allocate<std::int32_t>(num_rows + 2);  // ptr[r + 1]: the next free place of row r
  std::fill_n(seen, num_rows, -1);
  std::fill_n(ptr, num_rows + 2, 0);
  for_each_read([&](std::int32_t d, std::size_t r) {
    ptr[r + 2] += seen[r] != d ? 1 : 0;
    seen[r] = d;
  });
  for (std::size_t r = 0; r < num_rows; ++r) ptr[r + 2] += ptr[r + 1];
  const auto num_reads = as_size(ptr[num_rows + 1]);
  auto* const reader = arena.allocate<std::int32_t>(num_reads);
  auto* const count = arena.allocate<T>(num_reads);
  std::fill_n(seen, num_rows, -1);
  for_each_read([&](std::int32_t d, std::size_t r) {
    if (seen[r] == d) {
      count[ptr[r + 1] - 1] += T(1);
      return;
    }
    seen[r] = d;
    reader[ptr[r + 1]] = d;
    count[ptr[r + 1]++] = T(1);
  });
  readers.totals = {{ptr, num_rows + 1}, {reader, num_reads}};
  readers.count = {count, num_reads};
  return readers;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_ROW_READERS_HPP
