// SPDX-License-Identifier: Apache-2.0
// Normalizer: scales feature columns by what was seen in training, drops constant ones, and remembers how.
#ifndef MLGRAPH_COST_NORMALIZER_HPP
#define MLGRAPH_COST_NORMALIZER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"

namespace mlgraph {

/// How a feature column is brought to a common scale.
enum class Scaling : std::uint8_t {
  kRaw,        ///< x
  kMinMax,     ///< (x - min) / (max - min): [0, 1] on the training set
  kStandard,   ///< (x - mean) / standard deviation
  kSignLog1p,  ///< sign(x) log(1 + |x|), then standardised: for sizes, which span many powers of ten
};
template <>
struct EnumNames<Scaling> {
  static constexpr std::string_view kNames[] = {"raw", "min-max", "standard", "sign-log1p"};
};

MLGRAPH_BEGIN_ISA

/// y[j] = (f(x[column[j]]) - offset[j]) * scale[j], f = identity or sign(x) log(1 + |x|).
///
/// Only columns that varied in training are in it: a constant one carries nothing, and in another program it
/// could take values the model has never seen.
class Normalizer {
 public:
  Normalizer() = default;
  /// From a model file.
  /// Errors: arrays of different lengths, a column out of range, values that are not finite.
  [[nodiscard]] static Result<Normalizer> make(Scaling scaling, std::int64_t num_inputs,
                                               std::vector<std::int32_t> column, std::vector<float> offset,
                                               std::vector<float> scale) {
    if (column.size() != offset.size() || column.size() != scale.size()) {
      return Status::invalid_argument(str_cat("normalizer: ", column.size(), " columns, ", offset.size(),
                                              " offsets, ", scale.size(),
                                              " scales; should be as many of each"));
    }
    for (std::size_t j = 0; j < column.size(); ++j) {
      if (column[j] < 0 || column[j] >= num_inputs) {
        return Status::out_of_range(
            str_cat("normalizer: column ", j, " is ", column[j], "; there are ", num_inputs, " features"));
      }
      if (!detail::is_finite(offset[j]) || !detail::is_finite(scale[j])) {
        return Status::invalid_argument(str_cat("normalizer: offset or scale ", j, " is not finite"));
      }
    }
    Normalizer n;
    n.scaling_ = scaling;
    n.num_inputs_ = num_inputs;
    n.column_ = std::move(column);
    n.offset_ = std::move(offset);
    n.scale_ = std::move(scale);
    return n;
  }

  [[nodiscard]] Scaling scaling() const { return scaling_; }
  [[nodiscard]] std::int64_t num_inputs() const { return num_inputs_; }
  [[nodiscard]] std::int64_t num_outputs() const { return signed_size(column_); }
  [[nodiscard]] const std::vector<std::int32_t>& column() const { return column_; }
  [[nodiscard]] const std::vector<float>& offset() const { return offset_; }
  [[nodiscard]] const std::vector<float>& scale() const { return scale_; }

  /// The same without some of its columns. Their places among the inputs stay.
  [[nodiscard]] Normalizer without(Span<const std::int32_t> columns) const {
    Normalizer rest;
    rest.scaling_ = scaling_;
    rest.num_inputs_ = num_inputs_;
    for (std::size_t j = 0; j < column_.size(); ++j) {
      if (std::find(columns.begin(), columns.end(), column_[j]) != columns.end()) continue;
      rest.column_.push_back(column_[j]);
      rest.offset_.push_back(offset_[j]);
      rest.scale_.push_back(scale_[j]);
    }
    return rest;
  }

  /// The same of inputs in another order: column c is now place[c] of `num_inputs`.
  /// Shapes: place (num_inputs()); only the places of column() are looked at.
  [[nodiscard]] Normalizer reordered(Span<const std::int32_t> place, std::int64_t num_inputs) const {
    Normalizer other = *this;
    other.num_inputs_ = num_inputs;
    for (std::int32_t& c : other.column_) c = place[c];
    return other;
  }

  /// f of the scaling: what is scaled linearly afterwards.
  [[nodiscard]] static float transform(Scaling scaling, float x) {
    if (scaling != Scaling::kSignLog1p) return x;
    return std::copysign(std::log1p(std::abs(x)), x);
  }

  /// One row.  Shapes: x (num_inputs), y (num_outputs).
  void apply(const float* x, float* y) const {
    for (std::size_t j = 0; j < column_.size(); ++j) {
      y[j] = (transform(scaling_, x[column_[j]]) - offset_[j]) * scale_[j];
    }
  }

 private:
  Scaling scaling_ = Scaling::kRaw;
  std::int64_t num_inputs_ = 0;
  std::vector<std::int32_t> column_;
  std::vector<float> offset_;
  std::vector<float> scale_;
};

/// Watches the rows of a training set go by, then makes the Normalizer.
class NormalizerFit {
 public:
  NormalizerFit(Scaling scaling, std::int64_t num_inputs) : scaling_(scaling), columns_(as_size(num_inputs)) {}

  /// Shapes: row (num_inputs). NaN and infinities are left out: they were refused where the data came in.
  void add(const float* row) {
    for (std::size_t j = 0; j < columns_.size(); ++j) columns_[j].add(Normalizer::transform(scaling_, row[j]));
  }

  [[nodiscard]] Normalizer finish() const {
    std::vector<std::int32_t> column;
    std::vector<float> offset, scale;
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      const Column& c = columns_[j];
      if (!(c.min < c.max)) continue;  // constant, or nothing seen
      const auto column_scale = static_cast<float>(1 / spread(c));
      if (!detail::is_finite_value(column_scale)) continue;  // varies by less than 1e-38
      column.push_back(static_cast<std::int32_t>(j));
      offset.push_back(origin(c));
      scale.push_back(column_scale);
    }
    Result<Normalizer> made = Normalizer::make(scaling_, signed_size(columns_), std::move(column),
                                               std::move(offset), std::move(scale));
    MLGRAPH_ASSERT(made.ok(), "a fitted normalizer is valid");
    return made.ok() ? std::move(*made) : Normalizer();
  }

 private:
  struct Column {
    float min = std::numeric_limits<float>::infinity();
    float max = -std::numeric_limits<float>::infinity();
    std::int64_t count = 0;
    double mean = 0;
    double squares = 0;  // sum of squared distances to the mean (Welford)

    void add(float value) {
      if (!detail::is_finite_value(value)) return;
      min = std::min(min, value);
      max = std::max(max, value);
      const double x = static_cast<double>(value);
      const double distance = x - mean;
      mean += distance / static_cast<double>(++count);
      squares += distance * (x - mean);
    }
  };

  /// What becomes 0.
  [[nodiscard]] float origin(const Column& c) const {
    if (scaling_ == Scaling::kRaw) return 0;
    return scaling_ == Scaling::kMinMax ? c.min : static_cast<float>(c.mean);
  }
  /// What becomes 1 unit; not zero for a column of two different values.
  [[nodiscard]] double spread(const Column& c) const {
    if (scaling_ == Scaling::kRaw) return 1;
    if (scaling_ == Scaling::kMinMax) return static_cast<double>(c.max) - static_cast<double>(c.min);
    return std::sqrt(c.squares / static_cast<double>(c.count));
  }

  Scaling scaling_;
  std::vector<Column> columns_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NORMALIZER_HPP
