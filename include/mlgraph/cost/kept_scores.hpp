// SPDX-License-Identifier: Apache-2.0
// KeptScores: scores by the rows of the totals that they are read out of.
#ifndef MLGRAPH_COST_KEPT_SCORES_HPP
#define MLGRAPH_COST_KEPT_SCORES_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/flow_rows.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A search comes back to configurations: where the total of every segment is a row that there was, so is the
/// score.
class KeptScores {
 public:
  /// The score of these totals, or null: then keep() may follow.
  [[nodiscard]] const float* find(Span<const std::int32_t> totals) {
    totals_.truncate(static_cast<std::int32_t>(scores_.size()));  // a score that was not finite was not kept
    RowKey key;
    key.reads = totals;
    const auto id = static_cast<std::size_t>(totals_.find(key));
    return id < scores_.size() ? &scores_[id] : nullptr;
  }
  void keep(float score) { scores_.push_back(score); }
  void clear() {
    totals_.clear();
    scores_.clear();
  }
  [[nodiscard]] std::size_t bytes() const { return totals_.bytes() + sizeof(float) * scores_.capacity(); }

 private:
  FlowRows totals_;
  std::vector<float> scores_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_KEPT_SCORES_HPP
