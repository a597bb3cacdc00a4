// SPDX-License-Identifier: Apache-2.0
// RowStore: rows that are kept from call to call.
#ifndef MLGRAPH_COST_ROW_STORE_HPP
#define MLGRAPH_COST_ROW_STORE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/growing_buffer.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of each level of a FlowPlan by their ids: ids that are new come last. A level has two matrices of
/// them: what the rows are, and what stages read of them instead (messages), or the maximum beside the sum.
class RowStore {
 public:
  enum Kind : std::uint8_t { kValues, kOthers };

  RowStore() = default;
  explicit RowStore(std::size_t num_levels) : levels_(2 * num_levels) {}

  [[nodiscard]] std::int32_t num_rows(std::size_t level, Kind kind = kValues) const {
    return matrix(level, kind).num_rows;
  }
  /// All rows of a level.
  [[nodiscard]] Var all(Eager& ctx, std::size_t level, Kind kind = kValues) const {
    return ctx.input(matrix(level, kind).view());
  }
  /// A level will have so many rows before long: memory for all of them is made at once.
  void expect(std::size_t level, std::int32_t num_rows) {
    levels_[2 * level].num_expected = levels_[2 * level + 1].num_expected = num_rows;
  }
  /// Adds the values of new rows -> all of the level.
  Var keep(Eager& ctx, std::size_t level, Var h, Kind kind = kValues) {
    const MatrixView<const float> added = ctx.value(h);
    std::copy_n(added.data, added.size(), add(level, added.rows, added.cols, kind).data);
    return all(ctx, level, kind);
  }
  /// Adds rows whose values are written next.  (rows, cols)
  [[nodiscard]] MatrixView<float> add(std::size_t level, std::int64_t rows, std::int64_t cols,
                                      Kind kind = kValues) {
    return levels_[2 * level + kind].add(rows, cols);
  }

  /// Forgets all but the first rows of each level.
  void truncate(const std::vector<std::int32_t>& num_rows) {
    for (std::size_t i = 0; i < levels_.size(); ++i)
      levels_[i].num_rows = std::min(levels_[i].num_rows, num_rows[i / 2]);
  }
  /// Moves the rows of each level to new places, which ascend: see FlowPlan::forget(). A level without a map
  /// stays.
  void move(const std::vector<std::vector<std::int32_t>>& to) {
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      if (!to[i / 2].empty()) levels_[i].move(to[i / 2]);
    }
  }

  /// Bytes of a row of a level, both matrices; `cols` where there has been none.
  [[nodiscard]] std::size_t row_bytes(std::size_t level, std::int64_t cols) const {
    const Level &values = matrix(level, kValues), &others = matrix(level, kOthers);
    const std::int64_t width = values.cols == 0 && others.cols == 0 ? cols : values.cols + others.cols;
    return sizeof(float) * as_size(width);
  }
  /// Bytes of the rows, and of the memory that is held for them.
  [[nodiscard]] std::size_t used_bytes() const {
    std::size_t bytes = 0;
    for (const Level& level : levels_) bytes += sizeof(float) * as_size(level.num_rows * level.cols);
    return bytes;
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const Level& level : levels_) bytes += sizeof(float) * level.value.capacity();
    return bytes;
  }

 private:
  struct Level {
    GrowingBuffer value;  // (num_rows or more, cols)
    std::int64_t cols = 0;
    std::int32_t num_rows = 0, num_expected = 0;

    [[nodiscard]] MatrixView<const float> view() const { return {value.data(), num_rows, cols}; }
    MatrixView<float> add(std::int64_t count, std::int64_t width) {
      if (num_rows == 0) cols = width;
      const std::int64_t all = num_rows + count;
      value.grow(as_size(std::max<std::int64_t>(all, num_expected) * cols));
      const MatrixView<float> added(value.data() + num_rows * cols, count, cols);
      num_rows = static_cast<std::int32_t>(all);
      return added;
    }
    void move(const std::vector<std::int32_t>& to) {
      std::int32_t count = 0;
      for (std::int32_t r = 0; r < num_rows; ++r) {
        const std::int32_t there = to[as_size(r)];
        if (there < 0) continue;
        if (there != r) std::copy_n(value.data() + r * cols, cols, value.data() + there * cols);
        count = there + 1;
      }
      num_rows = count;
    }
  };
  [[nodiscard]] const Level& matrix(std::size_t level, Kind kind) const { return levels_[2 * level + kind]; }

  std::vector<Level> levels_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_ROW_STORE_HPP
