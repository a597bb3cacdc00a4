// SPDX-License-Identifier: Apache-2.0
// What each column of the node features is, and the code that writes one row of them.
#ifndef MLGRAPH_IO_HLO_FEATURE_ROW_HPP
#define MLGRAPH_IO_HLO_FEATURE_ROW_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// Consecutive columns with one meaning.
struct HloFeatureGroup {
  std::string_view name;
  int columns;
};

/// The published columns, in order. "+sp": sum and product of the whole list follow its first entries.
inline constexpr HloFeatureGroup kHloFeatures[] = {
    {"is_root", 1},
    {"zero", 1},  // was the element size in bits
    {"element_type one-hot", 19},
    {"shape.dimensions +sp", 8},
    {"num_tuple_shapes", 1},
    {"parameter_number", 1},
    {"dimensions", 6},
    {"window.size +sp", 8},
    {"window.stride +sp", 8},
    {"window.padding_low +sp", 8},
    {"window.padding_high +sp", 8},
    {"window.window_dilation +sp", 8},
    {"window.base_dilation +sp", 8},
    {"window.window_reversal, true and false count", 8},
    {"convolution.input_batch", 1},
    {"convolution.input_feature", 1},
    {"convolution.input_spatial", 4},
    {"convolution.kernel_input_feature", 1},
    {"convolution.kernel_output_feature", 1},
    {"convolution.kernel_spatial", 4},
    {"convolution.output_batch", 1},
    {"convolution.output_feature", 1},
    {"feature_group_count", 1},
    {"batch_group_count", 1},
    {"slice.start +sp", 4},
    {"slice.stride +sp", 4},
    {"slice.limit +sp", 4},
    {"dynamic_slice_sizes +sp", 4},
    {"padding.edge_low +sp", 4},
    {"padding.edge_high +sp", 4},
    {"is_stable", 1},
    {"layout.minor_to_major", 6},
};

/// The columns of HloFeatureOptions::extra, in order. Not published by TpuGraphs; unused ones are -1.
inline constexpr HloFeatureGroup kHloExtraFeatures[] = {
    {"dot.lhs_contracting", 3},
    {"dot.rhs_contracting", 3},
    {"dot.lhs_batch", 3},
    {"dot.rhs_batch", 3},
    {"gather.offset_dims", 3},
    {"gather.collapsed_slice_dims", 3},
    {"gather.start_index_map", 3},
    {"gather.index_vector_dim", 1},
    {"gather.slice_sizes", 5},
    {"indices_are_sorted", 1},
    {"has_dynamic_dimension", 1},
    {"is_root", 1},
    {"first operand of convolution and dot: shape.dimensions +sp", 8},
    {"second operand of convolution and dot: shape.dimensions +sp", 8},
    // A size x against the register tiles of 128: ((x + 127) mod 128) / 128, and floor(x / 128) / 10.
    {"shape.dimensions, part of a tile", 6},
    {"shape.dimensions, whole tiles", 6},
    {"first operand of convolution and dot, part of a tile", 6},
    {"first operand of convolution and dot, whole tiles", 6},
    {"second operand of convolution and dot, part of a tile", 6},
    {"second operand of convolution and dot, whole tiles", 6},
};

namespace detail {
template <std::size_t kCount>
constexpr std::int64_t count_columns(const HloFeatureGroup (&groups)[kCount]) {
  std::int64_t columns = 0;
  for (const HloFeatureGroup& group : groups) columns += group.columns;
  return columns;
}
}  // namespace detail

inline constexpr std::int64_t kNumHloFeatures = detail::count_columns(kHloFeatures);
inline constexpr std::int64_t kNumHloExtraFeatures = detail::count_columns(kHloExtraFeatures);
static_assert(kNumHloFeatures == 140, "the published width");

namespace detail {

/// Writes columns one after the other. Integers become float last, sums and products wrap like numpy's int64.
class FeatureWriter {
 public:
  FeatureWriter(float* row, float padding) : next_(row), padding_(padding) {}

  [[nodiscard]] float* next() const { return next_; }

  void put(float value) { *next_++ = value; }
  void put(std::int64_t value) { put(static_cast<float>(value)); }
  void put(bool value) { put(value ? 1.0f : 0.0f); }

  /// The first `columns` of `size` entries, then padding.
  template <class Get>
  void put_list(std::size_t size, std::size_t columns, Get&& get) {
    for (std::size_t i = 0; i < columns; ++i) {
      if (i < size) {
        put(get(i));
      } else {
        put(padding_);
      }
    }
  }
  void put_list(const std::vector<std::int64_t>& list, std::size_t columns) {
    put_list(list.size(), columns, [&](std::size_t i) { return list[i]; });
  }

  /// put_list(), then sum and product of all entries (0 and 1 for none).
  template <class Get>
  void put_list_sp(std::size_t size, std::size_t columns, Get&& get) {
    put_list(size, columns, get);
    std::uint64_t sum = 0;
    std::uint64_t product = 1;
    for (std::size_t i = 0; i < size; ++i) {
      sum += static_cast<std::uint64_t>(get(i));
      product *= static_cast<std::uint64_t>(get(i));
    }
    put(static_cast<std::int64_t>(sum));
    put(static_cast<std::int64_t>(product));
  }
  void put_list_sp(const std::vector<std::int64_t>& list, std::size_t columns) {
    put_list_sp(list.size(), columns, [&](std::size_t i) { return list[i]; });
  }
  /// put_list_sp() of one field of every element.
  template <class Element, class Field>
  void put_field_sp(const std::vector<Element>& list, std::size_t columns, Field Element::*field) {
    put_list_sp(list.size(), columns, [&](std::size_t i) { return list[i].*field; });
  }

 private:
  float* next_;
  float padding_;
};

/// One-hot columns of the element type in TpuGraphs' order; newer types than these have none.
inline void write_element_type(std::int32_t type, FeatureWriter& out) {
  constexpr std::string_view kOrder[] = {"invalid", "pred", "s8",    "s16",    "s32",  "s64", "u8",
                                         "u16",     "u32",  "u64",   "f16",    "f32",  "f64", "bf16",
                                         "c64",     "c128", "tuple", "opaque", "token"};
  static_assert(sizeof(kOrder) / sizeof(kOrder[0]) == 19, "19 columns");
  const std::string_view name = hlo_element_type_name(type);
  for (const std::string_view column : kOrder) out.put(column == name);
}

inline void write_window(const std::vector<HloWindowDimension>& window, FeatureWriter& out) {
  using Dimension = HloWindowDimension;
  out.put_field_sp(window, 6, &Dimension::size);
  out.put_field_sp(window, 6, &Dimension::stride);
  out.put_field_sp(window, 6, &Dimension::padding_low);
  out.put_field_sp(window, 6, &Dimension::padding_high);
  out.put_field_sp(window, 6, &Dimension::window_dilation);
  out.put_field_sp(window, 6, &Dimension::base_dilation);
  out.put_list(window.size(), 6, [&](std::size_t i) { return window[i].window_reversal; });
  std::int64_t num_true = 0;
  for (const Dimension& dimension : window) num_true += dimension.window_reversal ? 1 : 0;
  out.put(num_true);
  out.put(signed_size(window) - num_true);
}

/// The kHloFeatures columns of one instruction.
inline void write_features(const HloInstruction& inst, bool is_root, FeatureWriter& out) {
  out.put(is_root);
  out.put(0.0f);
  write_element_type(inst.shape.element_type, out);
  out.put_list_sp(inst.shape.dimensions, 6);
  out.put(signed_size(inst.shape.tuple_shapes));
  out.put(inst.parameter_number);
  out.put_list(inst.dimensions, 6);
  write_window(inst.window, out);

  const HloConvolutionDimensions convolution = inst.convolution.value_or(HloConvolutionDimensions{});
  out.put(convolution.input_batch);
  out.put(convolution.input_feature);
  out.put_list(convolution.input_spatial, 4);
  out.put(convolution.kernel_input_feature);
  out.put(convolution.kernel_output_feature);
  out.put_list(convolution.kernel_spatial, 4);
  out.put(convolution.output_batch);
  out.put(convolution.output_feature);
  out.put(inst.feature_group_count);
  out.put(inst.batch_group_count);

  out.put_field_sp(inst.slice, 2, &HloSliceDimension::start);
  out.put_field_sp(inst.slice, 2, &HloSliceDimension::stride);
  out.put_field_sp(inst.slice, 2, &HloSliceDimension::limit);
  out.put_list_sp(inst.dynamic_slice_sizes, 2);
  out.put_field_sp(inst.padding, 2, &HloPaddingDimension::edge_padding_low);
  out.put_field_sp(inst.padding, 2, &HloPaddingDimension::edge_padding_high);
  out.put(inst.is_stable);
  out.put_list(inst.shape.minor_to_major, 6);
}

/// How the first 6 sizes fill register tiles of 128.
inline void write_tiles(const std::vector<std::int64_t>& sizes, FeatureWriter& out) {
  constexpr std::int64_t kTile = 128;
  out.put_list(sizes.size(), 6, [&](std::size_t i) {
    const std::int64_t rest =
        (sizes[i] % kTile + kTile + kTile - 1) % kTile;  // sizes may be negative in broken files
    return static_cast<float>(rest) / static_cast<float>(kTile);
  });
  out.put_list(sizes.size(), 6, [&](std::size_t i) {
    const std::int64_t whole = sizes[i] / kTile - (sizes[i] % kTile < 0 ? 1 : 0);
    return static_cast<float>(whole) / 10.0f;
  });
}

/// The kHloExtraFeatures columns of one instruction; `first` and `second`: shapes of its operands, or null.
inline void write_extra_features(const HloInstruction& inst, bool is_root, const HloShape* first,
                                 const HloShape* second, FeatureWriter& out) {
  const HloDotDimensions dot = inst.dot.value_or(HloDotDimensions{});
  out.put_list(dot.lhs_contracting, 3);
  out.put_list(dot.rhs_contracting, 3);
  out.put_list(dot.lhs_batch, 3);
  out.put_list(dot.rhs_batch, 3);
  const HloGatherDimensions gather = inst.gather.value_or(HloGatherDimensions{});
  out.put_list(gather.offset_dims, 3);
  out.put_list(gather.collapsed_slice_dims, 3);
  out.put_list(gather.start_index_map, 3);
  out.put(inst.gather ? gather.index_vector_dim : std::int64_t{-1});
  out.put_list(inst.gather_slice_sizes, 5);
  out.put(inst.indices_are_sorted);
  out.put(inst.shape.has_dynamic_dimension);
  out.put(is_root);

  // Neither convolution nor dot: everything is padding, sum and product too.
  const std::vector<std::int64_t> none;
  const bool has_operands = inst.opcode == "convolution" || inst.opcode == "dot";
  const HloShape* const operands[2] = {has_operands ? first : nullptr, has_operands ? second : nullptr};
  for (const HloShape* operand : operands) {
    if (operand != nullptr) {
      out.put_list_sp(operand->dimensions, 6);
    } else {
      out.put_list(none, 8);
    }
  }
  write_tiles(inst.shape.dimensions, out);
  for (const HloShape* operand : operands) write_tiles(operand != nullptr ? operand->dimensions : none, out);
}

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_FEATURE_ROW_HPP
