// SPDX-License-Identifier: Apache-2.0
// Matrices of rows that a session changes and takes back.
#ifndef MLGRAPH_INFER_ROW_MATRIX_HPP
#define MLGRAPH_INFER_ROW_MATRIX_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Rows that outlive a step, and in which transaction each of some was saved.
struct RowMatrix {
  AlignedVector<float> value;  // (rows, cols)
  std::int64_t cols = 0;
  std::vector<std::uint64_t> saved_in;  // of whatever the owner counts: nodes or blocks

  void resize(std::int64_t num_rows, std::int64_t num_cols) {
    cols = num_cols;
    value.resize(static_cast<std::size_t>(num_rows * num_cols));
  }
  [[nodiscard]] std::int64_t rows() const {
    return cols == 0 ? 0 : static_cast<std::int64_t>(value.size()) / cols;
  }
  [[nodiscard]] float* row(std::int64_t r) { return value.data() + r * cols; }
  [[nodiscard]] MatrixView<const float> view() const { return {value.data(), rows(), cols}; }
};

/// A set of ids that is emptied in O(1).
class MarkedIds {
 public:
  void resize(std::size_t size) { epoch_of_.assign(size, 0); }
  void reset() {
    if (++epoch_ != 0) return;
    std::fill(epoch_of_.begin(), epoch_of_.end(), 0u);
    epoch_ = 1;
  }
  /// False when it was there already.
  bool insert(std::size_t id) { return std::exchange(epoch_of_[id], epoch_) != epoch_; }

 private:
  std::vector<std::uint32_t> epoch_of_;
  std::uint32_t epoch_ = 0;
};

/// What was in rows before a transaction changed them.
class UndoLog {
 public:
  /// Memory for so many rows and floats.
  void reserve(std::size_t rows, std::size_t floats) {
    rows_.reserve(rows);
    values_.reserve(floats);
  }
  /// Begins a transaction, if none is going on. Each has a number that none had before.
  void begin() {
    if (std::exchange(is_open_, true)) return;
    ++number_;
  }
  /// Remembers a row, once in each transaction.
  void save(float* row, std::int64_t cols, std::uint64_t& saved_in) {
    if (std::exchange(saved_in, number_) == number_) return;
    rows_.push_back({row, values_.size(), cols});
    values_.resize(values_.size() + static_cast<std::size_t>(cols));
    std::copy_n(row, cols, values_.data() + rows_.back().begin);
  }
  void commit() {
    rows_.clear();
    values_.clear();
    is_open_ = false;
  }
  void rollback() {
    for (std::size_t i = rows_.size(); i-- > 0;)
      std::copy_n(values_.data() + rows_[i].begin, rows_[i].cols, rows_[i].row);
    commit();
  }

 private:
  struct Row {
    float* row;
    std::size_t begin;
    std::int64_t cols;
  };
  std::vector<Row> rows_;
  AlignedVector<float> values_;
  std::uint64_t number_ = 0;
  bool is_open_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_ROW_MATRIX_HPP
