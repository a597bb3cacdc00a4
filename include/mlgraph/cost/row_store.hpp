// SPDX-License-Identifier: Apache-2.0
// RowStore: rows that a session keeps from call to call.
#ifndef MLGRAPH_COST_ROW_STORE_HPP
#define MLGRAPH_COST_ROW_STORE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of each level of a FlowPlan, and what stages read of them, by their ids: ids that are new come
/// last.
class RowStore {
 public:
  explicit RowStore(std::size_t num_levels) : rows_(num_levels), messages_(num_levels) {}

  [[nodiscard]] std::int32_t num_rows(std::size_t level) const { return rows_[level].num_rows; }
  /// All rows of a level.
  [[nodiscard]] Var all(Eager& ctx, std::size_t level) const { return ctx.input(rows_[level].view()); }

  /// Adds the values of new rows -> all of the level.
  Var keep(Eager& ctx, std::size_t level, Var h) { return rows_[level].append(ctx, h); }
  Var keep_messages(Eager& ctx, std::size_t level, Var m) { return messages_[level].append(ctx, m); }

  /// Forgets all but the first rows of each level.
  void truncate(const std::vector<std::int32_t>& num_rows) {
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      rows_[k].num_rows = std::min(rows_[k].num_rows, num_rows[k]);
      messages_[k].num_rows = std::min(messages_[k].num_rows, num_rows[k]);
    }
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const Level& level : rows_) bytes += sizeof(float) * level.value.capacity();
    for (const Level& level : messages_) bytes += sizeof(float) * level.value.capacity();
    return bytes;
  }

 private:
  struct Level {
    AlignedVector<float> value;  // (num_rows or more, cols)
    std::int64_t cols = 0;
    std::int32_t num_rows = 0;

    [[nodiscard]] MatrixView<const float> view() const { return {value.data(), num_rows, cols}; }
    Var append(Eager& ctx, Var h) {
      const MatrixView<const float> added = ctx.value(h);
      if (num_rows == 0) cols = added.cols;
      const auto end = static_cast<std::size_t>((num_rows + added.rows) * cols);
      if (value.size() < end) value.resize(std::max(end, value.size() + value.size() / 2));
      std::copy_n(added.data, added.size(), value.data() + num_rows * cols);
      num_rows += static_cast<std::int32_t>(added.rows);
      return ctx.input(view());
    }
  };
  std::vector<Level> rows_, messages_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_COST_ROW_STORE_HPP
