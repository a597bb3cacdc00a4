// SPDX-License-Identifier: Apache-2.0
// FlowRows: the distinct rows of one level of a message-flow graph, found by what each is made of.
#ifndef MLGRAPH_GRAPH_FLOW_ROWS_HPP
#define MLGRAPH_GRAPH_FLOW_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/arena.hpp"
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

/// Keys that differ in rows alone.
struct RowKeys {
  Span<const std::int32_t>
      rows;  ///< (count, width) of each where `has_root` the row that it was, and its reads
  std::size_t width = 1;
  bool has_root = true;
  std::int32_t kind = 0;
  Span<const std::int32_t> edge_kind;  ///< as of one key

  [[nodiscard]] std::size_t size() const { return rows.size() / width; }
  [[nodiscard]] RowKey operator[](std::size_t i) const {
    const Span<const std::int32_t> row = rows.subspan(i * width, width);
    return has_root ? RowKey{row[0], kind, row.subspan(1, width - 1), edge_kind}
                    : RowKey{0, kind, row, edge_kind};
  }
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
  /// Cost:   a few nanoseconds for each that is forgotten.
  void truncate(std::int32_t count) {
    for (std::int32_t r = size() - 1; r >= count; --r) remove_last(r);
    const auto n = as_size(count);
    root_.resize(n);
    kind_.resize(n);
    hash_.resize(n);
    used_.resize(n);
    read_ptr_.resize(n + 1);
    reads_.resize(as_size(read_ptr_.back()));
    edge_kind_.resize(edge_kind_.empty() ? 0 : reads_.size());
  }
  void clear() {
    read_ptr_.assign(1, 0);
    edge_kind_.clear();
    root_.clear();
    truncate(0);
    table_.assign(std::max(table_.size(), kLeastTable), Slot());
  }

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(root_.size()); }

  /// The row of a key; new where there is none yet, and then size() - 1.
  [[nodiscard]] std::int32_t find(const RowKey& key) { return find(key, hash_of(key)); }
  /// The rows of some keys, one after the other; what finding the next ones reads is on its way from memory.
  void find_each(const RowKeys& keys, std::int32_t* row) {
    constexpr std::size_t kAhead = 16;
    std::uint64_t hash[kAhead];
    for (std::size_t begin = 0, count = 0; begin < keys.size(); begin += count) {
      count = std::min(kAhead, keys.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        hash[i] = hash_of(keys[begin + i]);
        prefetch(&table_[slot_of(hash[i])]);
      }
      for (std::size_t i = 0; i < count; ++i) prefetch_row(hash[i]);
      for (std::size_t i = 0; i < count; ++i) prefetch_reads(hash[i]);
      for (std::size_t i = 0; i < count; ++i) row[begin + i] = find(keys[begin + i], hash[i]);
    }
  }
  /// A new row, which no find() gives: where equal rows are not wanted as one.
  std::int32_t append(const RowKey& key) { return push(key, kUnlisted); }

  /// Rows that are found or used from now on are of this generation, which never goes down.
  void set_generation(std::uint32_t generation) { generation_ = generation; }
  void use(std::int32_t row) { used_[as_size(row)] = generation_; }
  [[nodiscard]] bool is_used(std::int32_t row, std::uint32_t since) const {
    return used_[as_size(row)] >= since;
  }

  /// Makes those of `before` that rows after the first `num_kept` read, and with `has_roots` were, no older
  /// than `since`, where the rows are not.
  void use_parts(std::int32_t num_kept, std::uint32_t since, bool has_roots, FlowRows& before) const {
    const auto use = [&](std::int32_t row) {
      std::uint32_t& used = before.used_[as_size(row)];
      used = std::max(used, since);
    };
    for (auto r = as_size(num_kept); r < root_.size(); ++r) {
      if (used_[r] < since) continue;
      if (has_roots) use(root_[r]);
      const auto end = as_size(read_ptr_[r + 1]);
      for (auto i = as_size(read_ptr_[r]); i < end; ++i) use(reads_[i]);
    }
  }

  /// Forgets all rows after the first `num_kept` that are older than generation `since`, and numbers the others
  /// anew, in their order. `root_to` and `read_to` say where the rows that they were and read went, `kind_to`
  /// the same of kinds after 0; empty where they stayed. -> where each row went; -1: nowhere.
  [[nodiscard]] std::vector<std::int32_t> compact(std::int32_t num_kept, std::uint32_t since,
                                                  Span<const std::int32_t> root_to,
                                                  Span<const std::int32_t> read_to,
                                                  Span<const std::int32_t> kind_to) {
    std::vector<std::int32_t> to(root_.size());
    std::size_t rows = 0, num_reads = 0;
    const auto moved = [](Span<const std::int32_t> map, std::int32_t id) { return map.empty() ? id : map[id]; };
    for (std::size_t r = 0; r < to.size(); ++r) {
      const bool is_fixed = static_cast<std::int32_t>(r) < num_kept;
      to[r] = is_fixed || used_[r] >= since ? static_cast<std::int32_t>(rows) : -1;
      if (to[r] < 0) continue;
      root_[rows] = moved(root_to, root_[r]);
      kind_[rows] = kind_[r] > 0 && !kind_to.empty() ? 1 + kind_to[as_size(kind_[r]) - 1] : kind_[r];
      used_[rows] = used_[r];
      hash_[rows] = hash_[r];
      const auto end = as_size(read_ptr_[r + 1]);
      for (auto i = as_size(read_ptr_[r]); i < end; ++i, ++num_reads) {
        reads_[num_reads] = moved(read_to, reads_[i]);
        if (!edge_kind_.empty()) edge_kind_[num_reads] = edge_kind_[i];
      }
      starts_.push_back(static_cast<std::int32_t>(num_reads));
      ++rows;
    }
    std::copy(starts_.begin(), starts_.end(), read_ptr_.begin() + 1);
    starts_.clear();
    std::fill(table_.begin(), table_.end(), Slot());
    truncate(static_cast<std::int32_t>(rows));
    for (std::size_t r = 0; r < rows; ++r) {
      if (hash_[r] != kUnlisted) hash_[r] = hash_of(key_of(r));
    }
    rebuild(table_.size());
    return to;
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
                edge_kind_.capacity() + used_.capacity()) +
           sizeof(Slot) * table_.capacity() + 8 * hash_.capacity();
  }
  /// Of the rows that there are, without room for others.
  [[nodiscard]] std::size_t used_bytes() const {
    return 48 * root_.size() + 4 * (reads_.size() + edge_kind_.size());
  }
  /// For tests: so many bits of a hash count, so that keys collide; never more than before.
  void set_hash_bits(int bits) {
    if (bits < 64) hash_mask_ &= (std::uint64_t{1} << bits) - 1;
    for (std::uint64_t& hash : hash_) {
      if (hash != kUnlisted) hash &= hash_mask_;
    }
    rebuild(table_.size());
  }

 private:
  static constexpr std::size_t kLeastTable = 64;
  static constexpr std::uint64_t kUnlisted = ~std::uint64_t{0};  // of a row that is not in the table

  /// A place of the table: a row, or -1, and bits of its hash that others there hardly have, so that no row is
  /// looked at in vain.
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t row = -1;
  };
  [[nodiscard]] static std::uint32_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32);
  }

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
    return mix64(hash ^ key.reads.size()) & hash_mask_ & kUnlisted >> 1;
  }
  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const {
    return static_cast<std::size_t>(hash) & (table_.size() - 1);
  }
  [[nodiscard]] std::int32_t find(const RowKey& key, std::uint64_t hash) {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = slot_of(hash);
    for (; table_[slot].row >= 0; slot = (slot + 1) & mask) {
      const std::int32_t row = table_[slot].row;
      if (table_[slot].tag != tag_of(hash) || !is(row, key)) continue;
      used_[as_size(row)] = generation_;
      return row;
    }
    const std::int32_t row = push(key, hash);
    table_[slot] = {tag_of(hash), row};
    if (2 * root_.size() > table_.size()) rebuild(2 * table_.size());
    return row;
  }
  /// Asks for what is() will look at of the row where a hash is likely found, and then for what that reads.
  void prefetch_row(std::uint64_t hash) const {
    const Slot slot = table_[slot_of(hash)];
    if (slot.row < 0 || slot.tag != tag_of(hash)) return;
    const auto r = as_size(slot.row);
    prefetch(&root_[r]);
    prefetch(&kind_[r]);
    prefetch(&read_ptr_[r]);
    prefetch(&used_[r]);
  }
  void prefetch_reads(std::uint64_t hash) const {
    const Slot slot = table_[slot_of(hash)];
    if (slot.row < 0 || slot.tag != tag_of(hash)) return;
    prefetch(reads_.data() + read_ptr_[as_size(slot.row)]);
  }
  static void prefetch([[maybe_unused]] const void* p) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(p);
#endif
  }
  std::int32_t push(const RowKey& key, std::uint64_t hash) {
    root_.push_back(key.root);
    kind_.push_back(key.kind);
    hash_.push_back(hash);
    used_.push_back(generation_);
    reads_.insert(reads_.end(), key.reads.begin(), key.reads.end());
    edge_kind_.insert(edge_kind_.end(), key.edge_kind.begin(), key.edge_kind.end());
    read_ptr_.push_back(static_cast<std::int32_t>(reads_.size()));
    return size() - 1;
  }
  [[nodiscard]] RowKey key_of(std::size_t row) const {
    const auto begin = as_size(read_ptr_[row]);
    const std::size_t count = as_size(read_ptr_[row + 1]) - begin;
    const Span<const std::int32_t> reads(reads_), edge_kinds(edge_kind_);
    return {root_[row], kind_[row], reads.subspan(begin, count),
            edge_kinds.empty() ? edge_kinds : edge_kinds.subspan(begin, count)};
  }
  [[nodiscard]] bool is(std::int32_t row, const RowKey& key) const {
    const auto r = as_size(row);
    if (root_[r] != key.root || kind_[r] != key.kind) return false;
    const auto begin = as_size(read_ptr_[r]);
    if (as_size(read_ptr_[r + 1]) - begin != key.reads.size()) return false;
    const auto from = static_cast<std::ptrdiff_t>(begin);
    return std::equal(key.reads.begin(), key.reads.end(), reads_.begin() + from) &&
           (key.edge_kind.empty() ||
            std::equal(key.edge_kind.begin(), key.edge_kind.end(), edge_kind_.begin() + from));
  }
  /// Rows enter the table in their order: what is removed from the end of that leaves it as it was.
  void remove_last(std::int32_t row) {
    if (hash_[as_size(row)] == kUnlisted) return;
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = slot_of(hash_[as_size(row)]);
    while (table_[slot].row != row && table_[slot].row >= 0) slot = (slot + 1) & mask;
    table_[slot] = Slot();
  }
  void rebuild(std::size_t table_size) {
    table_.assign(table_size, Slot());
    const std::size_t mask = table_size - 1;
    for (std::int32_t r = 0; r < size(); ++r) {
      const std::uint64_t hash = hash_[as_size(r)];
      if (hash == kUnlisted) continue;
      std::size_t slot = slot_of(hash);
      while (table_[slot].row >= 0) slot = (slot + 1) & mask;
      table_[slot] = {tag_of(hash), r};
    }
  }

  AlignedVector<std::int32_t> root_, kind_, read_ptr_, reads_, edge_kind_;
  std::vector<std::int32_t> starts_;   // of compact()
  AlignedVector<std::uint32_t> used_;  // the generation of each row
  std::uint32_t generation_ = 0;
  AlignedVector<std::uint64_t> hash_;
  AlignedVector<Slot> table_;  // open addressing, a power of two, at most half full
  std::uint64_t hash_mask_ = ~std::uint64_t{0};
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_FLOW_ROWS_HPP
