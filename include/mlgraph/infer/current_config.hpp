// SPDX-License-Identifier: Apache-2.0
// CurrentConfig: the configuration that a session changes, keeps and takes back.
#ifndef MLGRAPH_INFER_CURRENT_CONFIG_HPP
#define MLGRAPH_INFER_CURRENT_CONFIG_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of one configuration, what changed since the last commit, and what was there before.
class CurrentConfig {
 public:
  /// As many rows and features as the program has; nothing is allocated later.
  void bind(std::int64_t num_rows, std::int64_t num_features) {
    num_features_ = num_features;
    is_changed_.assign(at(num_rows), 0);
    values_.assign(at(num_rows * num_features), 0.0f);
    changed_rows_.reserve(at(num_rows));
    old_.reserve(values_.size());
  }

  [[nodiscard]] Span<const float> values() const { return values_; }
  [[nodiscard]] ConfigView view() const { return {{}, values_, 1, signed_size(is_changed_), num_features_}; }
  /// Takes over configuration c of `configs`, which are of this shape.
  void assign(const ConfigView& configs, std::int64_t c) {
    configs.copy_config(c, values_.data());
    commit();
  }

  /// Errors: rows that are not there, features of another size or not finite; `name` is the program's.
  [[nodiscard]] Status check(std::string_view name, Span<const std::int32_t> rows,
                             Span<const float> features) const {
    if (features.size() != rows.size() * at(num_features_)) {
      return Status::invalid_argument(str_cat(name, ": a change of ", rows.size(), " rows has ",
                                              features.size(), " features; should have ", num_features_,
                                              " for each"));
    }
    for (const std::int32_t row : rows) {
      if (row >= 0 && at(row) < is_changed_.size()) continue;
      return Status::out_of_range(
          str_cat(name, ": a configuration has no row ", row, "; it has ", is_changed_.size()));
    }
    for (std::size_t i = 0; i < features.size(); ++i) {
      if (detail::is_finite(features[i])) continue;
      return Status::invalid_argument(str_cat(name, ": entry ", i % at(num_features_), " of row ",
                                              rows[i / at(num_features_)], " is ",
                                              detail::non_finite_name(features[i])));
    }
    return {};
  }

  /// Changes rows; of a row that is given twice the last counts.
  void change(Span<const std::int32_t> rows, Span<const float> features) {
    const std::size_t width = at(num_features_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      float* const row = values_.data() + at(rows[i]) * width;
      if (std::exchange(is_changed_[at(rows[i])], char(1)) == 0) {
        changed_rows_.push_back(rows[i]);
        const std::size_t begin = old_.size();
        old_.resize(begin + width);
        std::copy_n(row, width, old_.data() + begin);
      }
      std::copy_n(features.data() + i * width, width, row);
    }
  }
  void commit() {
    for (const std::int32_t row : changed_rows_) is_changed_[at(row)] = 0;
    changed_rows_.clear();
    old_.clear();
  }
  void rollback() {
    const std::size_t width = at(num_features_);
    for (std::size_t i = 0; i < changed_rows_.size(); ++i)
      std::copy_n(old_.data() + i * width, width, values_.data() + at(changed_rows_[i]) * width);
    commit();
  }

 private:
  template <class Int>
  static std::size_t at(Int i) {
    return as_size(i);
  }

  std::int64_t num_features_ = 0;
  AlignedVector<float> values_;             // (rows, features)
  std::vector<char> is_changed_;            // (rows)
  std::vector<std::int32_t> changed_rows_;  // since the last commit
  AlignedVector<float> old_;                // of these
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_CURRENT_CONFIG_HPP
