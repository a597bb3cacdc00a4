// SPDX-License-Identifier: Apache-2.0
// pad_lists(): tells the unused entries of a node's list features, which are published as 0, from axis 0.
#ifndef MLGRAPH_COST_LIST_PADDING_HPP
#define MLGRAPH_COST_LIST_PADDING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The published width of TpuGraphs' node features; extra ones follow, so these keep their places.
inline constexpr std::int64_t kPublishedFeatures = 140;

namespace detail {

/// Columns of the published features that hold the first `count` entries of a list.
struct FeatureList {
  std::int32_t begin, count;

  /// What is behind the first `used` entries becomes -1.
  void pad(float* x, std::int32_t used) const {
    for (std::int32_t k = std::max(used, 0); k < count; ++k) x[begin + k] = -1;
  }
  /// Entries up to the last that is more than 0.
  [[nodiscard]] std::int32_t used_at_least(const float* x) const {
    for (std::int32_t k = count; k > 0; --k) {
      if (x[begin + k - 1] > 0) return k;
    }
    return 0;
  }
  [[nodiscard]] float largest(const float* x) const { return *std::max_element(x + begin, x + begin + count); }
};

inline constexpr FeatureList kShapeList{21, 6}, kDimensionsList{31, 6}, kLayoutList{134, 6};

/// A feature that counts something, at most `most`; any number, NaN too, gives one in [0, most].
[[nodiscard]] inline std::int32_t count_of(float x, std::int32_t most) {
  if (x >= static_cast<float>(most)) return most;
  return x > 0 ? static_cast<std::int32_t>(x) : 0;
}

/// The rank of the node's shape. A dimension of size 0, which is rare, looks like an unused one: then the
/// layout tells.
[[nodiscard]] inline std::int32_t shape_rank(const float* x) {
  const std::int32_t rank = kShapeList.used_at_least(x);
  constexpr std::int32_t kProduct = 28;
  if (x[kProduct] != 0) return rank;
  return std::max(rank, count_of(kLayoutList.largest(x) + 1, kShapeList.count));
}

/// How many entries `dimensions` has: whatever follows the last one above 0 cannot be told from padding by the
/// numbers, so the opcode decides where it can.
[[nodiscard]] inline std::int32_t dimensions_used(const float* x, std::int32_t opcode, std::int32_t rank) {
  constexpr std::int32_t kConcatenate = 22, kIota = 48, kReduce = 70, kReverse = 76, kSort = 93,
                         kTranspose = 98;
  const std::int32_t seen = kDimensionsList.used_at_least(x);
  if (opcode == kTranspose) return std::max(seen, rank);
  const bool never_empty =
      opcode == kConcatenate || opcode == kIota || opcode == kReduce || opcode == kReverse || opcode == kSort;
  return std::max(seen, never_empty ? 1 : 0);
}

}  // namespace detail

/// Fills the unused entries of the list features of one node with -1, where the published features have 0,
/// which is also the number of the first axis. What is padded with -1 already stays as it is.
///
/// How long a list is follows from other columns: window lists from the count of window_reversal, spatial
/// dimensions of convolutions from the same, slices, dynamic slices, padding and minor_to_major from the rank
/// of the shape, where their sums and products say that they are there. `dimensions` has no such column: a
/// broadcast along axis 0 alone looks like one of a scalar and is taken for it.
///
/// Shapes: x (kPublishedFeatures or more), opcode as in TpuGraphs.
/// Source: competitors of "Fast or Slow? Predict AI Model Runtime" found -1 better; columns as in
///         arXiv:2308.13490.
inline void pad_lists(float* x, std::int32_t opcode) {
  using List = detail::FeatureList;
  const std::int32_t rank = detail::shape_rank(x);
  if (*std::min_element(x + detail::kDimensionsList.begin,
                        x + detail::kDimensionsList.begin + detail::kDimensionsList.count) >= 0)
    detail::kDimensionsList.pad(x, detail::dimensions_used(x, opcode, rank));
  detail::kShapeList.pad(x, rank);
  detail::kLayoutList.pad(x, rank);

  const std::int32_t window_rank = detail::count_of(x[91] + x[92], 6);  // reversed dimensions and others
  for (const std::int32_t begin : {37, 45, 53, 61, 69, 77, 85}) List{begin, 6}.pad(x, window_rank);
  const bool is_convolution = *std::max_element(x + 93, x + 107) > 0;
  for (const std::int32_t begin : {95, 101}) List{begin, 4}.pad(x, is_convolution ? window_rank : 0);

  // Lists of two entries with their sum and product behind them: 0 and 1 where there is no list.
  const auto has_list = [x](std::int32_t begin) { return x[begin + 2] != 0 || x[begin + 3] != 1; };
  constexpr std::int32_t kSliceLimit = 117, kDynamicSlice = 121, kPaddingLow = 125, kPaddingHigh = 129;
  for (const std::int32_t begin : {109, 113, 117}) List{begin, 2}.pad(x, has_list(kSliceLimit) ? rank : 0);
  List{kDynamicSlice, 2}.pad(x, has_list(kDynamicSlice) ? rank : 0);
  const bool pads = has_list(kPaddingLow) || has_list(kPaddingHigh);
  for (const std::int32_t begin : {kPaddingLow, kPaddingHigh}) List{begin, 2}.pad(x, pads ? rank : 0);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_LIST_PADDING_HPP
