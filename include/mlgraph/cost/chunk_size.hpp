// SPDX-License-Identifier: Apache-2.0
// ChunkSize: how many configurations are planned together, and whether their rows are worth keeping.
#ifndef MLGRAPH_COST_CHUNK_SIZE_HPP
#define MLGRAPH_COST_CHUNK_SIZE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What planning some configurations found.
struct PlannedWork {
  std::int64_t num_configs = 0;
  std::int64_t needed = 0;    ///< rows of nodes
  std::int64_t made = 0;      ///< of these, that are new
  std::int64_t most_new = 0;  ///< rows of one level
  std::size_t bytes = 0;      ///< that the new rows take
};

/// Chooses how many configurations the next plan takes from what the last one found: more and more while they
/// share rows, so that planning costs little. Where hardly a row is shared, rows are not kept, so that they do
/// not drive out others (as a cache that resists scans); then as many as stay in a processor's cache, and most
/// of these plans do not look for equal rows.
class ChunkSize {
 public:
  void start(std::int64_t first, std::int64_t most) {
    most_ = most;
    size_ = std::min(first, most);
  }
  [[nodiscard]] std::int64_t most() const { return most_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// The next plan takes half of `num_configs`: they did not fit.
  std::int64_t halve(std::int64_t num_configs) { return size_ = (num_configs + 1) / 2; }

  /// Whether the next plan looks for equal rows.
  [[nodiscard]] bool merges_next() {
    if (num_skipped_ == 0) return true;
    --num_skipped_;
    return false;
  }
  /// -> whether the new rows are worth keeping.
  bool judge(const PlannedWork& work, bool has_merged, std::int64_t rows_at_a_time, std::size_t memory_bytes) {
    if (2 * work.made > work.needed && work.num_configs > 1) {
      const std::int64_t rows = std::max<std::int64_t>(1, work.most_new);
      size_ = std::clamp<std::int64_t>(work.num_configs * rows_at_a_time / rows,
                                       std::min<std::int64_t>(2, most_), most_);
      if (has_merged) num_skipped_ = kSkipped;
      return false;
    }
    const auto each = static_cast<std::int64_t>(work.bytes) / work.num_configs + 1;
    const std::int64_t share = static_cast<std::int64_t>(memory_bytes / 4) / each;
    const std::int64_t least = std::min(work.num_configs, size_);
    size_ = std::clamp(std::min(kGrowth * work.num_configs, share), least, most_);
    return true;
  }

 private:
  static constexpr int kSkipped = 15;
  static constexpr std::int64_t kGrowth = 8;

  std::int64_t size_ = 1, most_ = 1;
  int num_skipped_ = 0;  // so many plans do not look for equal rows
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_CHUNK_SIZE_HPP
