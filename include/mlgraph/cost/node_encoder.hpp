// SPDX-License-Identifier: Apache-2.0
// NodeEncoder: a node's features as a model takes them: scaled columns, split dimensions, classes of its
// layout.
#ifndef MLGRAPH_COST_NODE_ENCODER_HPP
#define MLGRAPH_COST_NODE_ENCODER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/list_padding.hpp"
#include "mlgraph/cost/normalizer.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Rows of the layout table: 0 for what is no axis (a node that cannot be configured, a number outside the
/// classes), then one for each of -1 ... 5.
inline constexpr std::int32_t kLayoutClasses = 8;

/// The row of a layout entry: value + 2.
[[nodiscard]] inline std::int32_t layout_class(float value) {
  for (std::int32_t k = 1; k < kLayoutClasses; ++k) {
    if (value == static_cast<float>(k - 2)) return k;
  }
  return 0;
}

/// A dimension against the registers of 128: how far it fills the last one, and how many it fills.
///   part = ((x + 127) mod 128) / 128,   whole = floor(x / 128) / 10
struct SplitDimension {
  float part, whole;
};
[[nodiscard]] inline SplitDimension split_dimension(float x) {
  const double from = static_cast<double>(x) + 127;
  return {static_cast<float>((from - 128 * std::floor(from / 128)) / 128),
          static_cast<float>(std::floor(static_cast<double>(x) / 128) / 10)};
}

namespace detail {

struct ColumnRange {
  std::int32_t begin, count;
};

[[nodiscard]] inline Result<std::vector<std::int32_t>> columns_of(const char* what,
                                                                  Span<const ColumnRange> ranges,
                                                                  std::int64_t num_features) {
  if (num_features < kPublishedFeatures) {
    return Status::invalid_argument(str_cat("there are ", num_features, " node features; where the ", what,
                                            " are is known of the published ", kPublishedFeatures, " or more"));
  }
  std::vector<std::int32_t> columns;
  for (const ColumnRange& range : ranges) {
    for (std::int32_t k = 0; k < range.count; ++k) columns.push_back(range.begin + k);
  }
  return columns;
}

}  // namespace detail

/// Columns that hold sizes of tensors along one dimension: of the shape, the window, the end of a slice and the
/// dynamic slice. Not their sums and products.
/// Errors: fewer features than the published 140: nothing tells which are left.
[[nodiscard]] inline Result<std::vector<std::int32_t>> dimension_columns(std::int64_t num_features) {
  constexpr detail::ColumnRange kRanges[] = {{21, 6}, {37, 6}, {117, 2}, {121, 2}};
  return detail::columns_of("dimensions", kRanges, num_features);
}

/// Columns of the node's own layout, minor_to_major.
/// Errors: as dimension_columns().
[[nodiscard]] inline Result<std::vector<std::int32_t>> layout_columns(std::int64_t num_features) {
  constexpr detail::ColumnRange kRanges[] = {{134, 6}};
  return detail::columns_of("layouts", kRanges, num_features);
}

/// An error where there are too few features for the columns of lists to be known; see pad_lists().
[[nodiscard]] inline Status check_list_columns(std::int64_t num_features) {
  return detail::columns_of("lists", {}, num_features).status();
}

/// One row of node features -> numbers [scaled ; part, whole of each split dimension ; positions] and layout
/// classes. Positions are of the graph, not of the row: whoever has the graph fills them in.
class NodeEncoder {
 public:
  NodeEncoder() = default;

  /// `scaled` is of all columns; the layout's are taken out of it when they become classes. Of the dimensions,
  /// those that `scaled` has are split: the others never varied.
  /// Errors: an encoding that the number of features does not allow; see dimension_columns().
  [[nodiscard]] static Result<NodeEncoder> fit(Normalizer scaled, const NodeEncoding& encoding) {
    NodeEncoder encoder;
    const std::int64_t width = scaled.num_inputs();
    if (encoding.split_dimensions) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> columns, dimension_columns(width));
      const std::vector<std::int32_t>& varied = scaled.column();
      for (const std::int32_t c : columns) {
        if (std::find(varied.begin(), varied.end(), c) != varied.end()) encoder.split_.push_back(c);
      }
    }
    if (encoding.embed_layout) {
      MLGRAPH_ASSIGN_OR_RETURN(encoder.layout_, layout_columns(width));
      scaled = scaled.without(encoder.layout_);
    }
    if (encoding.pad_lists) MLGRAPH_RETURN_IF_ERROR(check_list_columns(width));
    encoder.pads_lists_ = encoding.pad_lists;
    encoder.walk_steps_ = encoding.walk_steps;
    encoder.dag_depth_ = encoding.dag_depth;
    encoder.scaled_ = std::move(scaled);
    return encoder;
  }

  /// From a model file.
  /// Errors: a column out of range; those of layout_columns().
  [[nodiscard]] static Result<NodeEncoder> make(Normalizer scaled, std::vector<std::int32_t> split,
                                                const NodeEncoding& encoding) {
    NodeEncoder encoder;
    for (std::size_t j = 0; j < split.size(); ++j) {
      if (split[j] >= 0 && split[j] < scaled.num_inputs()) continue;
      return Status::out_of_range(str_cat("node encoder: split column ", j, " is ", split[j], "; there are ",
                                          scaled.num_inputs(), " features"));
    }
    if (encoding.embed_layout) {
      MLGRAPH_ASSIGN_OR_RETURN(encoder.layout_, layout_columns(scaled.num_inputs()));
    }
    if (encoding.pad_lists) MLGRAPH_RETURN_IF_ERROR(check_list_columns(scaled.num_inputs()));
    encoder.pads_lists_ = encoding.pad_lists;
    encoder.walk_steps_ = encoding.walk_steps;
    encoder.dag_depth_ = encoding.dag_depth;
    encoder.scaled_ = std::move(scaled);
    encoder.split_ = std::move(split);
    return encoder;
  }

  [[nodiscard]] const Normalizer& scaled() const { return scaled_; }
  [[nodiscard]] const std::vector<std::int32_t>& split() const { return split_; }
  [[nodiscard]] std::int64_t num_inputs() const { return scaled_.num_inputs(); }
  [[nodiscard]] std::int64_t num_outputs() const {
    return scaled_.num_outputs() + 2 * signed_size(split_) + num_positions();
  }
  [[nodiscard]] std::int64_t walk_steps() const { return walk_steps_; }
  [[nodiscard]] bool dag_depth() const { return dag_depth_; }
  /// The last columns of the outputs.
  [[nodiscard]] std::int64_t num_positions() const { return walk_steps_ + (dag_depth_ ? 1 : 0); }

  /// The columns that it reads, sorted.
  [[nodiscard]] std::vector<std::int32_t> columns() const {
    std::vector<std::int32_t> columns = scaled_.column();
    if (pads_lists_) {  // any of them may tell how long a list is
      columns.resize(as_size(num_inputs()));
      std::iota(columns.begin(), columns.end(), 0);
      return columns;
    }
    columns.insert(columns.end(), split_.begin(), split_.end());
    columns.insert(columns.end(), layout_.begin(), layout_.end());
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    return columns;
  }

  /// The same of inputs in another order: column c is now place[c] of `num_inputs`.
  /// Shapes: place (num_inputs()); only the places of columns() are looked at.
  [[nodiscard]] NodeEncoder reordered(Span<const std::int32_t> place, std::int64_t num_inputs) const {
    NodeEncoder other = *this;
    if (pads_lists_) {  // lists are padded in the model's own order
      other.place_.assign(place.begin(), place.end());
      return other;
    }
    other.scaled_ = scaled_.reordered(place, num_inputs);
    for (std::int32_t& c : other.split_) c = place[c];
    for (std::int32_t& c : other.layout_) c = place[c];
    return other;
  }

  /// One node: its numbers but for the positions, and where layouts are embedded 6 rows of the layout table,
  /// which are appended to `classes`.
  /// Shapes: x (num_inputs), y (num_outputs).
  void apply(const float* x, std::int32_t opcode, float* y, std::vector<std::int32_t>& classes) const {
    std::vector<float> padded;
    if (pads_lists_) {
      padded.resize(as_size(num_inputs()));
      for (std::size_t c = 0; c < padded.size(); ++c) padded[c] = x[place_.empty() ? c : as_size(place_[c])];
      pad_lists(padded.data(), opcode);
      x = padded.data();
    }
    scaled_.apply(x, y);
    y += scaled_.num_outputs();
    for (const std::int32_t column : split_) {
      const SplitDimension split = split_dimension(x[column]);
      *y++ = split.part;
      *y++ = split.whole;
    }
    for (const std::int32_t column : layout_) classes.push_back(layout_class(x[column]));
  }

 private:
  Normalizer scaled_;
  std::int64_t walk_steps_ = 0;
  bool dag_depth_ = false;
  std::vector<std::int32_t> split_;   // columns
  std::vector<std::int32_t> layout_;  // columns
  std::vector<std::int32_t> place_;   // of each input, where lists are padded and the inputs have another order
  bool pads_lists_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NODE_ENCODER_HPP
