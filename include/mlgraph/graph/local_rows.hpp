// SPDX-License-Identifier: Apache-2.0
// LocalRows: the few rows that one node has under many configurations, and which configuration has which.
#ifndef MLGRAPH_GRAPH_LOCAL_ROWS_HPP
#define MLGRAPH_GRAPH_LOCAL_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of a node, or of a block of a sum, under C configurations. Small numbers stand for them, so that
/// where two nodes meet a configuration costs a look into a table of pairs.
struct LocalRows {
  using Number = std::uint16_t;  ///< of a row among those of a node, or of a configuration
  static constexpr std::int32_t kMostConfigs = 1 << 15;

  const Number* of = nullptr;     ///< (C) each configuration's number; null: all have the same row
  const Number* first = nullptr;  ///< (count) a configuration of each number
  std::int32_t* row = nullptr;    ///< (count) its row
  std::int32_t count = 1;

  [[nodiscard]] std::int32_t row_of(std::int32_t c) const { return row[of == nullptr ? 0 : of[c]]; }
  [[nodiscard]] std::int32_t config(std::int32_t l) const { return first == nullptr ? 0 : first[l]; }

  /// Memory for C <= kMostConfigs configurations: an arena, two buffers for what is met on the way to a result,
  /// and a table.
  struct Memory {
    Memory(std::int32_t count, Arena& arena) : num_configs(count), scratch(arena) {
      while (table_size < 2 * as_size(count)) table_size *= 2;
      table = numbers(table_size);
      for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        of[i] = numbers();
        first[i] = numbers();
      }
    }
    std::int32_t num_configs;
    Arena& scratch;
    std::size_t table_size = 64;
    Number *table, *of[2], *first[2];

    [[nodiscard]] Number* numbers(std::size_t size) const { return scratch.allocate<Number>(size); }
    [[nodiscard]] Number* numbers() const { return numbers(as_size(num_configs)); }
    [[nodiscard]] std::int32_t* rows(std::int32_t size) const { return scratch.allocate<std::int32_t>(size); }
  };

  /// Those of `count` nodes, each with one row.
  [[nodiscard]] static LocalRows* make(const Memory& memory, std::size_t count) {
    auto* const data = memory.scratch.allocate<LocalRows>(count);
    std::uninitialized_fill_n(data, count, LocalRows());
    return data;
  }
  /// Memory of its own for one that lies in a buffer, and room for its rows.
  [[nodiscard]] static LocalRows kept(LocalRows local, const Memory& memory) {
    if (local.of == memory.of[0] || local.of == memory.of[1]) {
      Number* const of = memory.numbers();
      Number* const first = memory.numbers(as_size(local.count));
      std::copy_n(local.of, memory.num_configs, of);
      std::copy_n(local.first, local.count, first);
      local.of = of;
      local.first = first;
    }
    local.row = memory.rows(local.count);
    return local;
  }
  /// Numbers for configurations that differ in either of two; without rows, and in a buffer.
  [[nodiscard]] static LocalRows meet(const LocalRows& a, const LocalRows& b, const Memory& memory) {
    if (b.of == nullptr || a.of == b.of || a.count == memory.num_configs) return a;
    if (a.of == nullptr) return b;
    constexpr Number kNone = std::numeric_limits<Number>::max();
    const std::size_t to = a.of == memory.of[0] ? 1 : 0;
    Number* const of = memory.of[to];
    Number* const first = memory.first[to];
    std::int32_t count = 0;
    // Pairs find their number in a table: by themselves, where it has a place for each, else by their hash.
    const std::size_t num_pairs = as_size(a.count) * as_size(b.count);
    const bool direct = num_pairs <= memory.table_size;
    std::fill_n(memory.table, direct ? num_pairs : memory.table_size, kNone);
    for (std::int32_t c = 0; c < memory.num_configs; ++c) {
      const std::size_t pair = std::size_t{a.of[c]} * as_size(b.count) + std::size_t{b.of[c]};
      std::size_t slot = pair;
      if (!direct) {
        const std::uint64_t hash = std::uint64_t{pair} * 0x9e3779b97f4a7c15u >> 32;
        for (slot = static_cast<std::size_t>(hash) & (memory.table_size - 1);;
             slot = (slot + 1) & (memory.table_size - 1)) {
          const Number there = memory.table[slot];
          if (there == kNone || (a.of[first[there]] == a.of[c] && b.of[first[there]] == b.of[c])) break;
        }
      }
      Number& number = memory.table[slot];
      if (number == kNone) {
        number = static_cast<Number>(count);
        first[count++] = static_cast<Number>(c);
      }
      of[c] = number;
    }
    LocalRows both;
    both.of = of;
    both.first = first;
    both.count = count;
    return both;
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_LOCAL_ROWS_HPP
