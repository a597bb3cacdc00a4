// SPDX-License-Identifier: Apache-2.0
// The names of TpuGraphs' node features: by them a model finds what it reads in any program that names its own.
#ifndef MLGRAPH_IO_HLO_FEATURE_NAMES_HPP
#define MLGRAPH_IO_HLO_FEATURE_NAMES_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/io/hlo_feature_row.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

// A column each of kHloFeatures, then of kHloExtraFeatures.
// clang-format off
inline constexpr std::string_view kHloFeatureNames[] = {
    "is_root", "zero", "element_type.invalid", "element_type.pred", "element_type.s8", "element_type.s16",
    "element_type.s32", "element_type.s64", "element_type.u8", "element_type.u16", "element_type.u32",
    "element_type.u64", "element_type.f16", "element_type.f32", "element_type.f64", "element_type.bf16",
    "element_type.c64", "element_type.c128", "element_type.tuple", "element_type.opaque",
    "element_type.token", "shape.dimensions[0]", "shape.dimensions[1]", "shape.dimensions[2]",
    "shape.dimensions[3]", "shape.dimensions[4]", "shape.dimensions[5]", "shape.dimensions.sum",
    "shape.dimensions.product", "num_tuple_shapes", "parameter_number", "dimensions[0]", "dimensions[1]",
    "dimensions[2]", "dimensions[3]", "dimensions[4]", "dimensions[5]", "window.size[0]", "window.size[1]",
    "window.size[2]", "window.size[3]", "window.size[4]", "window.size[5]", "window.size.sum",
    "window.size.product", "window.stride[0]", "window.stride[1]", "window.stride[2]", "window.stride[3]",
    "window.stride[4]", "window.stride[5]", "window.stride.sum", "window.stride.product",
    "window.padding_low[0]", "window.padding_low[1]", "window.padding_low[2]", "window.padding_low[3]",
    "window.padding_low[4]", "window.padding_low[5]", "window.padding_low.sum", "window.padding_low.product",
    "window.padding_high[0]", "window.padding_high[1]", "window.padding_high[2]", "window.padding_high[3]",
    "window.padding_high[4]", "window.padding_high[5]", "window.padding_high.sum",
    "window.padding_high.product", "window.window_dilation[0]", "window.window_dilation[1]",
    "window.window_dilation[2]", "window.window_dilation[3]", "window.window_dilation[4]",
    "window.window_dilation[5]", "window.window_dilation.sum", "window.window_dilation.product",
    "window.base_dilation[0]", "window.base_dilation[1]", "window.base_dilation[2]",
    "window.base_dilation[3]", "window.base_dilation[4]", "window.base_dilation[5]",
    "window.base_dilation.sum", "window.base_dilation.product", "window.window_reversal[0]",
    "window.window_reversal[1]", "window.window_reversal[2]", "window.window_reversal[3]",
    "window.window_reversal[4]", "window.window_reversal[5]", "window.window_reversal.num_true",
    "window.window_reversal.num_false", "convolution.input_batch", "convolution.input_feature",
    "convolution.input_spatial[0]", "convolution.input_spatial[1]", "convolution.input_spatial[2]",
    "convolution.input_spatial[3]", "convolution.kernel_input_feature", "convolution.kernel_output_feature",
    "convolution.kernel_spatial[0]", "convolution.kernel_spatial[1]", "convolution.kernel_spatial[2]",
    "convolution.kernel_spatial[3]", "convolution.output_batch", "convolution.output_feature",
    "feature_group_count", "batch_group_count", "slice.start[0]", "slice.start[1]", "slice.start.sum",
    "slice.start.product", "slice.stride[0]", "slice.stride[1]", "slice.stride.sum", "slice.stride.product",
    "slice.limit[0]", "slice.limit[1]", "slice.limit.sum", "slice.limit.product", "dynamic_slice_sizes[0]",
    "dynamic_slice_sizes[1]", "dynamic_slice_sizes.sum", "dynamic_slice_sizes.product", "padding.edge_low[0]",
    "padding.edge_low[1]", "padding.edge_low.sum", "padding.edge_low.product", "padding.edge_high[0]",
    "padding.edge_high[1]", "padding.edge_high.sum", "padding.edge_high.product", "is_stable",
    "layout.minor_to_major[0]", "layout.minor_to_major[1]", "layout.minor_to_major[2]",
    "layout.minor_to_major[3]", "layout.minor_to_major[4]", "layout.minor_to_major[5]",
    "dot.lhs_contracting[0]", "dot.lhs_contracting[1]", "dot.lhs_contracting[2]", "dot.rhs_contracting[0]",
    "dot.rhs_contracting[1]", "dot.rhs_contracting[2]", "dot.lhs_batch[0]", "dot.lhs_batch[1]",
    "dot.lhs_batch[2]", "dot.rhs_batch[0]", "dot.rhs_batch[1]", "dot.rhs_batch[2]", "gather.offset_dims[0]",
    "gather.offset_dims[1]", "gather.offset_dims[2]", "gather.collapsed_slice_dims[0]",
    "gather.collapsed_slice_dims[1]", "gather.collapsed_slice_dims[2]", "gather.start_index_map[0]",
    "gather.start_index_map[1]", "gather.start_index_map[2]", "gather.index_vector_dim",
    "gather.slice_sizes[0]", "gather.slice_sizes[1]", "gather.slice_sizes[2]", "gather.slice_sizes[3]",
    "gather.slice_sizes[4]", "indices_are_sorted", "has_dynamic_dimension", "extra.is_root",
    "first_operand.shape.dimensions[0]", "first_operand.shape.dimensions[1]",
    "first_operand.shape.dimensions[2]", "first_operand.shape.dimensions[3]",
    "first_operand.shape.dimensions[4]", "first_operand.shape.dimensions[5]",
    "first_operand.shape.dimensions.sum", "first_operand.shape.dimensions.product",
    "second_operand.shape.dimensions[0]", "second_operand.shape.dimensions[1]",
    "second_operand.shape.dimensions[2]", "second_operand.shape.dimensions[3]",
    "second_operand.shape.dimensions[4]", "second_operand.shape.dimensions[5]",
    "second_operand.shape.dimensions.sum", "second_operand.shape.dimensions.product",
    "shape.dimensions.part_of_tile[0]", "shape.dimensions.part_of_tile[1]",
    "shape.dimensions.part_of_tile[2]", "shape.dimensions.part_of_tile[3]",
    "shape.dimensions.part_of_tile[4]", "shape.dimensions.part_of_tile[5]", "shape.dimensions.whole_tiles[0]",
    "shape.dimensions.whole_tiles[1]", "shape.dimensions.whole_tiles[2]", "shape.dimensions.whole_tiles[3]",
    "shape.dimensions.whole_tiles[4]", "shape.dimensions.whole_tiles[5]",
    "first_operand.shape.dimensions.part_of_tile[0]", "first_operand.shape.dimensions.part_of_tile[1]",
    "first_operand.shape.dimensions.part_of_tile[2]", "first_operand.shape.dimensions.part_of_tile[3]",
    "first_operand.shape.dimensions.part_of_tile[4]", "first_operand.shape.dimensions.part_of_tile[5]",
    "first_operand.shape.dimensions.whole_tiles[0]", "first_operand.shape.dimensions.whole_tiles[1]",
    "first_operand.shape.dimensions.whole_tiles[2]", "first_operand.shape.dimensions.whole_tiles[3]",
    "first_operand.shape.dimensions.whole_tiles[4]", "first_operand.shape.dimensions.whole_tiles[5]",
    "second_operand.shape.dimensions.part_of_tile[0]", "second_operand.shape.dimensions.part_of_tile[1]",
    "second_operand.shape.dimensions.part_of_tile[2]", "second_operand.shape.dimensions.part_of_tile[3]",
    "second_operand.shape.dimensions.part_of_tile[4]", "second_operand.shape.dimensions.part_of_tile[5]",
    "second_operand.shape.dimensions.whole_tiles[0]", "second_operand.shape.dimensions.whole_tiles[1]",
    "second_operand.shape.dimensions.whole_tiles[2]", "second_operand.shape.dimensions.whole_tiles[3]",
    "second_operand.shape.dimensions.whole_tiles[4]", "second_operand.shape.dimensions.whole_tiles[5]",
};
// clang-format on
static_assert(sizeof(kHloFeatureNames) / sizeof(kHloFeatureNames[0]) ==
              as_size(kNumHloFeatures + kNumHloExtraFeatures));

}  // namespace detail

/// The names of so many columns: the published ones, or those and the extra ones; none of any other number.
[[nodiscard]] inline Span<const std::string_view> hlo_feature_names(std::int64_t num_features) {
  if (num_features != kNumHloFeatures && num_features != kNumHloFeatures + kNumHloExtraFeatures) return {};
  return Span<const std::string_view>(detail::kHloFeatureNames).subspan(0, num_features);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_FEATURE_NAMES_HPP
