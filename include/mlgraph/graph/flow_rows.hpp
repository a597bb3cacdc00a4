// SPDX-License-Identifier: Apache-2.0
// FlowRows: the distinct rows of one level of a message-flow graph, found by what each is made of.
#ifndef MLGRAPH_GRAPH_FLOW_ROWS_HPP
#define MLGRAPH_GRAPH_FLOW_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What a row is made of: the row that it was, the rows that it reads in order, and what weighs them.
struct RowKey {
  std::int32_t root = 0;               ///< in the level before
  std::int32_t kind = 0;               ///< of its own weight, or of what joins it; equal numbers are equal bits
  Span<const std::int32_t> reads;      ///< in the level before
  Span<const std::int32_t> edge_kind;  ///< of each edge's weight; empty where edges have none
};

/// Rows of one level, numbered from 0 as they are found; two of one key are one row. Ids are exact: keys of
/// equal hash are compared. Only ids, no arithmetic.
///
/// Cost: find() takes a few nanoseconds, and one for each row that it reads.
/// Source: one step of colour refinement (Weisfeiler and Leman, 1968) with neighbours in order.
class FlowRows {
 public:
  FlowRows() { clear(); }

  /// Forgets all rows but the first `count`.
  void truncate(std::int32_t count) {
    const auto n = static_cast<std::size_t>(count);
    root_.resize(n);
    kind_.resize(n);
    hash_.resize(n);
    read_ptr_.resize(n + 1);
    reads_.resize(static_cast<std::size_t>(read_ptr_.back()));
    edge_kind_.resize(edge_kind_.empty() ? 0 : reads_.size());
    std::fill(table_.begin(), table_.end(), -1);
    for (std::int32_t r = 0; r < count; ++r) insert(r);
  }
  void clear() {
    read_ptr_.assign(1, 0);
    edge_kind_.clear();
    if (table_.empty()) table_.assign(kLeastTable, -1);
    truncate(0);
  }

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(root_.size()); }

  /// The row of a key; new where there is none yet, and then size() - 1.
  [[nodiscard]] std::int32_t find(const RowKey& key) {
    const std::uint64_t hash = hash_of(key);
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(hash) & mask;
    for (; table_[slot] >= 0; slot = (slot + 1) & mask) {
      if (is(table_[slot], hash, key)) return table_[slot];
    }
    const std::int32_t row = size();
    root_.push_back(key.root);
    kind_.push_back(key.kind);
    hash_.push_back(hash);
    reads_.insert(reads_.end(), key.reads.begin(), key.reads.end());
    edge_kind_.insert(edge_kind_.end(), key.edge_kind.begin(), key.edge_kind.end());
    read_ptr_.push_back(static_cast<std::int32_t>(reads_.size()));
    table_[slot] = row;
    if (2 * root_.size() > table_.size()) grow();
    return row;
  }

  [[nodiscard]] Span<const std::int32_t> root() const { return root_; }
  [[nodiscard]] Span<const std::int32_t> kind() const { return kind_; }
  /// Rows [read_ptr[r], read_ptr[r + 1]) of reads() are those that row r reads.
  [[nodiscard]] Span<const std::int32_t> read_ptr() const { return read_ptr_; }
  [[nodiscard]] Span<const std::int32_t> reads() const { return reads_; }
  [[nodiscard]] Span<const std::int32_t> edge_kind() const { return edge_kind_; }

  /// Bytes that rows and table take.
  [[nodiscard]] std::size_t bytes() const {
    return 4 * (root_.capacity() + kind_.capacity() + read_ptr_.capacity() + reads_.capacity() +
                edge_kind_.capacity() + table_.capacity()) +
           8 * hash_.capacity();
  }
  /// For tests: so many bits of a hash count, so that keys collide; never more than before.
  void set_hash_bits(int bits) {
    if (bits < 64) hash_mask_ &= (std::uint64_t{1} << bits) - 1;
    for (std::uint64_t& hash : hash_) hash &= hash_mask_;
    truncate(size());
  }

 private:
  static constexpr std::size_t kLeastTable = 64;

  [[nodiscard]] std::uint64_t hash_of(const RowKey& key) const {
    constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15u;
    const auto two = [](std::int32_t a, std::int32_t b) {
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32 | static_cast<std::uint32_t>(b);
    };
    std::uint64_t hash = (two(key.root, key.kind) + 1) * kFactor;
    const auto mix = [&hash](std::uint64_t word) { hash = ((hash ^ hash >> 29) ^ word) * kFactor; };
    std::size_t i = 0;
    for (; i + 2 <= key.reads.size(); i += 2) mix(two(key.reads[i], key.reads[i + 1]));
    if (i < key.reads.size()) mix(two(key.reads[i], -1));
    for (const std::int32_t kind : key.edge_kind) mix(static_cast<std::uint64_t>(kind));
    return mix64(hash ^ key.reads.size()) & hash_mask_;
  }
  [[nodiscard]] bool is(std::int32_t row, std::uint64_t hash, const RowKey& key) const {
    const auto r = static_cast<std::size_t>(row);
    if (hash_[r] != hash || root_[r] != key.root || kind_[r] != key.kind) return false;
    const auto begin = static_cast<std::size_t>(read_ptr_[r]);
    if (static_cast<std::size_t>(read_ptr_[r + 1]) - begin != key.reads.size()) return false;
    const auto from = static_cast<std::ptrdiff_t>(begin);
    return std::equal(key.reads.begin(), key.reads.end(), reads_.begin() + from) &&
           (key.edge_kind.empty() ||
            std::equal(key.edge_kind.begin(), key.edge_kind.end(), edge_kind_.begin() + from));
  }
  void insert(std::int32_t row) {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(hash_[static_cast<std::size_t>(row)]) & mask;
    while (table_[slot] >= 0) slot = (slot + 1) & mask;
    table_[slot] = row;
  }
  void grow() {
    table_.assign(2 * table_.size(), -1);
    for (std::int32_t r = 0; r < size(); ++r) insert(r);
  }

  std::vector<std::int32_t> root_, kind_, read_ptr_, reads_, edge_kind_;
  std::vector<std::uint64_t> hash_;
  std::vector<std::int32_t> table_;  // open addressing, a power of two, at most half full
  std::uint64_t hash_mask_ = ~std::uint64_t{0};
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_GRAPH_FLOW_ROWS_HPP
