// SPDX-License-Identifier: Apache-2.0
// EmbeddingTable: the historical embeddings of graph segment training, in a bounded amount of memory.
#ifndef MLGRAPH_TRAIN_EMBEDDING_TABLE_HPP
#define MLGRAPH_TRAIN_EMBEDDING_TABLE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/float16.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/graph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The last embedding of each (graph, config, segment) that was computed.
///
/// Rows are found by hashing (linear probing) and stored in the order in which their keys first came. When the
/// budget is full, the key that came first makes room. What the table holds depends on the calls alone.
/// Memory: bytes_per_row() for each row held, never more than the budget.
/// Source: the table T of Cao et al., arXiv:2305.12322, algorithm 2; bounded, and empty at the start.
class EmbeddingTable {
 public:
  /// Numbers of graphs, configs and segments that keys tell apart; they share 64 bits. See check_keys().
  static constexpr std::uint64_t kMaxGraphs = std::uint64_t{1} << 20;
  static constexpr std::uint64_t kMaxConfigs = std::uint64_t{1} << 24;
  static constexpr std::uint64_t kMaxSegments = std::uint64_t{1} << 20;

  /// The most rows, whatever the budget is.
  static constexpr std::size_t kMaxRows = std::size_t{1} << 30;

  /// An error when keys cannot tell as many graphs, configs of a graph, or segments of a graph apart.
  [[nodiscard]] static Status check_keys(std::uint64_t num_graphs, std::uint64_t num_configs,
                                         std::uint64_t num_segments) {
    if (num_graphs <= kMaxGraphs && num_configs <= kMaxConfigs && num_segments <= kMaxSegments) return {};
    return Status::out_of_range(str_cat(
        "has ", num_configs, " configs and ", num_segments, " segments in a set of ", num_graphs,
        " programs; the embedding table has keys for ", kMaxConfigs, ", ", kMaxSegments, " and ", kMaxGraphs));
  }

  struct Key {
    std::uint32_t graph = 0;
    std::uint32_t config = 0;
    std::uint32_t segment = 0;
  };

  /// A table that holds nothing.
  EmbeddingTable() = default;

  /// An empty table for rows of `channels` numbers.
  /// Errors: a budget in which fewer than `least_rows` rows fit, or more of them than kMaxRows.
  [[nodiscard]] static Result<EmbeddingTable> make(std::int64_t channels, TableDtype dtype,
                                                   std::size_t max_bytes, std::int64_t least_rows = 1) {
    EmbeddingTable table;
    table.channels_ = as_size(channels);
    table.dtype_ = dtype;
    const std::size_t fit = std::min<std::size_t>(max_bytes / table.bytes_per_row(), kMaxRows);
    if (fit < as_size(std::max<std::int64_t>(1, least_rows))) {
      return Status::invalid_argument(str_cat("embedding table: a budget of ", max_bytes, " bytes holds ", fit,
                                              " rows of ", table.bytes_per_row(), " bytes; one step needs ",
                                              least_rows));
    }
    table.max_rows_ = fit;
    return table;
  }

  /// Copies the embedding of `key` to `row` (channels); false when the table does not have it.
  [[nodiscard]] bool read(const Key& key, float* row) const {
    const std::size_t place = find(pack(key));
    if (place == kNone) return false;
    const std::size_t begin = as_size(index_[place]) * channels_;
    if (dtype_ == TableDtype::kF32) {
      std::copy_n(f32_.data() + begin, channels_, row);
    } else {
      for (std::size_t j = 0; j < channels_; ++j) row[j] = bfloat16_to_float(bf16_[begin + j]);
    }
    return true;
  }

  /// Stores or replaces an embedding.  Shapes: row (channels).
  /// Errors: a number that is not finite; the table is then as it was.
  [[nodiscard]] Status write(const Key& key, const float* row) {
    for (std::size_t j = 0; j < channels_; ++j) {
      if (detail::is_finite(row[j])) continue;
      return Status::invalid_argument(str_cat("embedding table: channel ", j, " of graph ", key.graph,
                                              ", config ", key.config, ", segment ", key.segment, " is ",
                                              detail::non_finite_name(row[j])));
    }
    const std::uint64_t packed = pack(key);
    const std::size_t place = find(packed);
    const std::size_t slot = place != kNone ? as_size(index_[place]) : insert(packed);
    const std::size_t begin = slot * channels_;
    if (dtype_ == TableDtype::kF32) {
      std::copy_n(row, channels_, f32_.data() + begin);
    } else {
      for (std::size_t j = 0; j < channels_; ++j) bf16_[begin + j] = float_to_bfloat16(row[j]);
    }
    return {};
  }

  /// Forgets every row.
  void clear() {
    keys_.clear();
    f32_.clear();
    bf16_.clear();
    std::fill(index_.begin(), index_.end(), kEmpty);
    next_ = 0;
  }

  [[nodiscard]] std::int64_t channels() const { return static_cast<std::int64_t>(channels_); }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] std::size_t max_rows() const { return max_rows_; }
  /// Of the rows held, with their keys and places in the index.
  [[nodiscard]] std::size_t used_bytes() const {
    return keys_.size() * (channels_ * element_size() + sizeof(std::uint64_t)) +
           index_.size() * sizeof(std::int32_t);
  }
  /// A row, its key, and the four places that the index has for it at most.
  [[nodiscard]] std::size_t bytes_per_row() const {
    return channels_ * element_size() + sizeof(std::uint64_t) + 4 * sizeof(std::int32_t);
  }

  // ---- for checkpoints --------------------------------------------------------------------------------------

  /// The keys in the order of their rows, and which row makes room next.
  [[nodiscard]] const std::vector<std::uint64_t>& keys() const { return keys_; }
  [[nodiscard]] std::size_t next() const { return next_; }
  /// (size(), channels) in the table's dtype: f32 or bf16 has them.
  [[nodiscard]] const std::vector<float>& f32() const { return f32_; }
  [[nodiscard]] const std::vector<std::uint16_t>& bf16() const { return bf16_; }

  /// Fills a table made for the same channels, dtype and budget with what another one held.
  /// Errors: arrays whose sizes do not fit each other or the budget, a key twice, values that are not finite.
  [[nodiscard]] Status restore(std::vector<std::uint64_t> keys, std::vector<float> f32,
                               std::vector<std::uint16_t> bf16, std::size_t next) {
    const std::size_t numbers = dtype_ == TableDtype::kF32 ? f32.size() : bf16.size();
    const std::size_t others = dtype_ == TableDtype::kF32 ? bf16.size() : f32.size();
    if (keys.size() > max_rows_ || numbers != keys.size() * channels_ || others != 0 ||
        next >= std::max<std::size_t>(1, max_rows_)) {
      return Status::invalid_argument(str_cat("embedding table: ", keys.size(), " keys, ", numbers,
                                              " numbers and next row ", next, " do not fit ", max_rows_,
                                              " rows of ", channels_));
    }
    for (std::size_t i = 0; i < numbers; ++i) {
      if (detail::is_finite(dtype_ == TableDtype::kF32 ? f32[i] : bfloat16_to_float(bf16[i]))) continue;
      return Status::invalid_argument(str_cat("embedding table: number ", i, " is not finite"));
    }
    clear();
    keys_ = std::move(keys);
    f32_ = std::move(f32);
    bf16_ = std::move(bf16);
    next_ = next;
    rebuild_index();
    for (std::size_t slot = 0; slot < keys_.size(); ++slot) {
      if (as_size(index_[find(keys_[slot])]) == slot) continue;
      clear();
      return Status::invalid_argument(str_cat("embedding table: row ", slot, " has the key of another row"));
    }
    return {};
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::int32_t kEmpty = -1;

  static std::uint64_t pack(const Key& key) {
    MLGRAPH_ASSERT(key.graph < kMaxGraphs && key.config < kMaxConfigs && key.segment < kMaxSegments,
                   "a key is beyond the limits of the embedding table");
    return std::uint64_t{key.graph} << 44 | std::uint64_t{key.config} << 20 | key.segment;
  }
  [[nodiscard]] std::size_t element_size() const {
    return dtype_ == TableDtype::kF32 ? sizeof(float) : sizeof(std::uint16_t);
  }
  [[nodiscard]] std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>(mix64(key)) & (index_.size() - 1);
  }

  /// The place in the index, or kNone.
  [[nodiscard]] std::size_t find(std::uint64_t key) const {
    if (index_.empty()) return kNone;
    for (std::size_t place = home(key);; place = (place + 1) & (index_.size() - 1)) {
      if (index_[place] == kEmpty) return kNone;
      if (keys_[as_size(index_[place])] == key) return place;
    }
  }

  /// A row for a new key.
  std::size_t insert(std::uint64_t key) {
    std::size_t slot = keys_.size();
    if (slot == max_rows_) {
      slot = next_;
      next_ = next_ + 1 == max_rows_ ? 0 : next_ + 1;
      erase(find(keys_[slot]));
      keys_[slot] = key;
    } else {
      reserve(slot + 1);
      keys_.push_back(key);
      if (dtype_ == TableDtype::kF32) {
        f32_.resize(keys_.size() * channels_);
      } else {
        bf16_.resize(keys_.size() * channels_);
      }
      if (2 * keys_.size() > index_.size()) {
        rebuild_index();
        return slot;
      }
    }
    link(slot);
    return slot;
  }

  /// Grows by doubling, but not beyond the budget.
  void reserve(std::size_t rows) {
    if (rows <= keys_.capacity()) return;
    const std::size_t wanted = std::min(max_rows_, std::max<std::size_t>(64, 2 * keys_.capacity()));
    keys_.reserve(wanted);
    if (dtype_ == TableDtype::kF32) {
      f32_.reserve(wanted * channels_);
    } else {
      bf16_.reserve(wanted * channels_);
    }
  }

  void link(std::size_t slot) {
    std::size_t place = home(keys_[slot]);
    while (index_[place] != kEmpty) place = (place + 1) & (index_.size() - 1);
    index_[place] = static_cast<std::int32_t>(slot);
  }

  void rebuild_index() {
    std::size_t size = 64;
    while (size < 2 * keys_.size()) size *= 2;
    index_.assign(size, kEmpty);
    for (std::size_t slot = 0; slot < keys_.size(); ++slot) link(slot);
  }

  /// Empties a place and moves those behind it forward that were pushed past it.
  void erase(std::size_t place) {
    const std::size_t mask = index_.size() - 1;
    for (std::size_t next = (place + 1) & mask; index_[next] != kEmpty; next = (next + 1) & mask) {
      const std::size_t wanted = home(keys_[as_size(index_[next])]);
      if (((next - wanted) & mask) < ((next - place) & mask)) continue;  // it would lie before its home
      index_[place] = index_[next];
      place = next;
    }
    index_[place] = kEmpty;
  }

  std::size_t channels_ = 0;
  TableDtype dtype_ = TableDtype::kF32;
  std::size_t max_rows_ = 0;
  std::vector<std::uint64_t> keys_;  // of each row
  std::vector<float> f32_;           // (rows, channels), one of the two
  std::vector<std::uint16_t> bf16_;
  std::vector<std::int32_t> index_;  // hash table of rows; its size is a power of two
  std::size_t next_ = 0;             // the row whose key came first, once the table is full
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_EMBEDDING_TABLE_HPP
