// SPDX-License-Identifier: Apache-2.0
// ConfigTable: the distinct rows of configurations, numbered as they come.
#ifndef MLGRAPH_COST_CONFIG_TABLE_HPP
#define MLGRAPH_COST_CONFIG_TABLE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/config_rows.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// Finds rows of bytes of one length; numbers them as they come.
class ByteRows {
 public:
  explicit ByteRows(std::size_t length) : length_(length), table_(64, -1) {}

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(hash_.size()); }
  void clear() {
    bytes_.clear();
    hash_.clear();
    std::fill(table_.begin(), table_.end(), -1);
  }
  [[nodiscard]] std::int32_t find(const void* row) {
    const std::uint64_t hash = hash_of(row);
    std::size_t slot = static_cast<std::size_t>(hash) & (table_.size() - 1);
    for (; table_[slot] >= 0; slot = (slot + 1) & (table_.size() - 1)) {
      const auto there = as_size(table_[slot]);
      if (hash_[there] == hash &&
          (length_ == 0 || std::memcmp(bytes_.data() + there * length_, row, length_) == 0))
        return table_[slot];
    }
    const std::int32_t id = size();
    hash_.push_back(hash);
    bytes_.resize(bytes_.size() + length_);
    if (length_ > 0) std::memcpy(bytes_.data() + bytes_.size() - length_, row, length_);
    table_[slot] = id;
    if (2 * hash_.size() > table_.size()) grow();
    return id;
  }
  [[nodiscard]] std::size_t bytes() const {
    return bytes_.capacity() + 8 * hash_.capacity() + 4 * table_.capacity();
  }

 private:
  [[nodiscard]] std::uint64_t hash_of(const void* row) const {
    const auto* const from = static_cast<const unsigned char*>(row);
    std::uint64_t hash = 0x9e3779b97f4a7c15u;
    for (std::size_t i = 0; i < length_; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + i, length_ - i < 8 ? length_ - i : 8);
      hash = ((hash ^ hash >> 29) ^ word) * 0x9e3779b97f4a7c15u;
    }
    return mix64(hash);
  }
  void grow() {
    table_.assign(2 * table_.size(), -1);
    for (std::int32_t id = 0; id < size(); ++id) {
      std::size_t slot = static_cast<std::size_t>(hash_[as_size(id)]) & (table_.size() - 1);
      while (table_[slot] >= 0) slot = (slot + 1) & (table_.size() - 1);
      table_[slot] = id;
    }
  }

  std::size_t length_;
  std::vector<unsigned char> bytes_;
  std::vector<std::uint64_t> hash_;
  std::vector<std::int32_t> table_;
};

}  // namespace detail

/// Rows of configurations, by their numbers as floats: two of the same bits have the same id, whether they came
/// as int8 or as float.
class ConfigTable {
 public:
  explicit ConfigTable(std::int64_t num_features = 0)
      : num_features_(num_features),
        narrow_(as_size(num_features)),
        wide_(as_size(num_features) * sizeof(float)),
        row_(as_size(num_features)) {}

  [[nodiscard]] std::int32_t size() const { return wide_.size(); }
  /// All of them, as configurations of one row.
  [[nodiscard]] ConfigView view() const { return {{}, values_, size(), 1, num_features_}; }
  /// Those of rows of `num_features` numbers; there are none yet.
  void reset(std::int64_t num_features) {
    if (num_features != num_features_) *this = ConfigTable(num_features);
    clear();
  }
  /// Rows as a network takes them, in the memory of an arena: (ids, G).
  [[nodiscard]] ConfigRows<float> encode(Arena& arena, const FeatureEncoder& encoder,
                                         Span<const std::int32_t> ids) const {
    static constexpr std::int32_t kOnlyRow[] = {0};
    return encode_config_rows(arena, encoder, view(), ids, kOnlyRow);
  }
  void clear() {
    narrow_.clear();
    wide_.clear();
    wide_of_narrow_.clear();
    values_.clear();
  }

  [[nodiscard]] std::int64_t num_features() const { return num_features_; }
  /// The id of row k of configuration c.
  [[nodiscard]] std::int32_t find(const ConfigView& configs, std::int64_t c, std::int64_t k) {
    const std::int64_t at = (c * configs.rows_per_config + k) * num_features_;
    if (!configs.wide.empty()) return find(configs.wide.data() + at);
    const auto id = as_size(narrow_.find(configs.narrow.data() + at));
    if (id == wide_of_narrow_.size()) {
      configs.copy_row(c, k, row_.data());
      wide_of_narrow_.push_back(find(row_.data()));
    }
    return wide_of_narrow_[id];
  }
  [[nodiscard]] std::int32_t find(const float* row) {
    const std::int32_t id = wide_.find(row);
    if (signed_size(values_) < (std::int64_t{id} + 1) * num_features_)
      values_.insert(values_.end(), row, row + num_features_);
    return id;
  }
  /// Forgets the rows that are not used and numbers the others anew, in their order. -> where each went; -1:
  /// nowhere.
  [[nodiscard]] std::vector<std::int32_t> compact(const std::vector<char>& is_used) {
    ConfigTable rest(num_features_);
    std::vector<std::int32_t> to;
    for (const char used : is_used) {
      const auto at = static_cast<std::ptrdiff_t>(to.size()) * num_features_;
      to.push_back(used != 0 ? rest.find(values_.data() + at) : -1);
    }
    *this = std::move(rest);  // which gives memory back
    return to;
  }
  [[nodiscard]] std::size_t bytes() const {
    return narrow_.bytes() + wide_.bytes() + sizeof(float) * values_.capacity() +
           4 * wide_of_narrow_.capacity();
  }

 private:
  std::int64_t num_features_;
  detail::ByteRows narrow_, wide_;
  std::vector<std::int32_t> wide_of_narrow_;
  AlignedVector<float> values_, row_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_CONFIG_TABLE_HPP
