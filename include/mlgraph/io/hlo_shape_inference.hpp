// SPDX-License-Identifier: Apache-2.0
// The shape of an HLO instruction whose text leaves it out, from its operands and its attributes.
#ifndef MLGRAPH_IO_HLO_SHAPE_INFERENCE_HPP
#define MLGRAPH_IO_HLO_SHAPE_INFERENCE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

using ShapePointers = Span<const HloShape* const>;

/// An array of these sizes, major to minor.
inline HloShape array_of(std::int32_t element_type, std::vector<std::int64_t> dimensions) {
  HloShape shape;
  shape.element_type = element_type;
  shape.dimensions = std::move(dimensions);
  for (std::size_t i = shape.dimensions.size(); i-- > 0;)
    shape.minor_to_major.push_back(static_cast<std::int64_t>(i));
  return shape;
}
inline HloShape with_type(HloShape shape, std::string_view element_type) {
  shape.element_type = hlo_element_type(element_type);
  return shape;
}
/// One shape, or a tuple of several.
inline HloShape one_or_tuple(std::vector<HloShape> shapes) {
  if (shapes.size() == 1) return std::move(shapes.front());
  HloShape tuple;
  tuple.element_type = kTupleType;
  tuple.tuple_shapes = std::move(shapes);
  return tuple;
}

inline bool in_range(std::int64_t axis, std::size_t rank) {
  return axis >= 0 && static_cast<std::uint64_t>(axis) < rank;
}
inline bool in_range(const std::vector<std::int64_t>& axes, std::size_t rank) {
  return std::all_of(axes.begin(), axes.end(), [&](std::int64_t axis) { return in_range(axis, rank); });
}
inline bool holds(const std::vector<std::int64_t>& list, std::size_t value) {
  return std::find(list.begin(), list.end(), static_cast<std::int64_t>(value)) != list.end();
}
/// Sizes may be anything in a broken file: arithmetic wraps.
inline std::int64_t wrapped_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t wrapped_multiply(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

/// Number of positions of a window over `size` elements.
inline std::int64_t window_positions(std::int64_t size, const HloWindowDimension& window) {
  const auto dilated = [](std::int64_t extent, std::int64_t dilation) {
    return extent <= 0 ? 0 : wrapped_add(wrapped_multiply(extent - 1, dilation), 1);
  };
  const std::int64_t padded =
      wrapped_add(wrapped_add(window.padding_low, window.padding_high), dilated(size, window.base_dilation));
  const std::int64_t reach = dilated(window.size, window.window_dilation);
  if (reach < 0 || padded < reach || padded <= 0 || window.stride <= 0) return 0;
  return (padded - reach) / window.stride + 1;
}

/// abs, real and imag of a complex number.
inline HloShape real_part(const HloShape& shape) {
  if (shape.element_type == hlo_element_type("c64")) return with_type(shape, "f32");
  if (shape.element_type == hlo_element_type("c128")) return with_type(shape, "f64");
  return shape;
}

/// Opcodes whose result has the shape of their first operand.
inline bool keeps_first_shape(std::string_view opcode) {
  // clang-format off
  constexpr std::string_view kOpcodes[] = {
      "abs", "acos", "acosh", "add", "add-dependency", "and", "asin", "asinh", "atan2", "atanh",
      "batch-norm-inference", "cbrt", "ceil", "cholesky", "compare", "complex", "copy", "cosine", "cosh",
      "count-leading-zeros", "divide", "domain", "erf", "exponential", "exponential-minus-one", "floor",
      "imag", "is-finite", "log", "log-plus-one", "logistic", "map", "maximum", "minimum", "multiply",
      "negate", "not", "opt-barrier", "or", "popcnt", "power", "real", "remainder", "reverse",
      "round-nearest-afz", "round-nearest-even", "rsqrt", "select-and-scatter", "set-dimension-size",
      "shift-left", "shift-right-arithmetic", "shift-right-logical", "sign", "sine", "sinh", "sqrt",
      "subtract", "tan", "tanh", "while", "xor"};
  // clang-format on
  return is_one_of(opcode, kOpcodes);
}
inline HloShape first_shape(const HloInstruction& inst, const HloShape& first) {
  if (inst.opcode == "compare" || inst.opcode == "is-finite") return with_type(first, "pred");
  if (inst.opcode == "abs" || inst.opcode == "real" || inst.opcode == "imag") return real_part(first);
  if (inst.opcode == "complex") {
    return with_type(first, first.element_type == hlo_element_type("f64") ? "c128" : "c64");
  }
  HloShape out = first;
  out.has_dynamic_dimension |= inst.opcode == "set-dimension-size";
  return out;
}

inline bool infer_transpose(const HloInstruction& inst, const HloShape& operand, HloShape& out) {
  if (inst.dimensions.size() != operand.dimensions.size() ||
      !in_range(inst.dimensions, operand.dimensions.size())) {
    return false;
  }
  std::vector<std::int64_t> sizes;
  for (const std::int64_t axis : inst.dimensions) sizes.push_back(operand.dimensions[as_size(axis)]);
  out = array_of(operand.element_type, std::move(sizes));
  return true;
}

inline bool infer_concatenate(const HloInstruction& inst, ShapePointers operands, HloShape& out) {
  const HloShape& first = *operands[0];
  if (inst.dimensions.size() != 1 || !in_range(inst.dimensions, first.dimensions.size())) return false;
  const auto axis = as_size(inst.dimensions[0]);
  out = array_of(first.element_type, first.dimensions);
  for (std::size_t i = 1; i < operands.size(); ++i) {
    if (operands[i]->dimensions.size() != first.dimensions.size()) return false;
    out.dimensions[axis] = wrapped_add(out.dimensions[axis], operands[i]->dimensions[axis]);
  }
  return true;
}

inline bool infer_pad(const HloInstruction& inst, const HloShape& operand, HloShape& out) {
  if (inst.padding.size() != operand.dimensions.size()) return false;
  out = array_of(operand.element_type, operand.dimensions);
  for (std::size_t i = 0; i < inst.padding.size(); ++i) {
    const HloPaddingDimension& pad = inst.padding[i];
    const std::int64_t gaps = operand.dimensions[i] > 0 ? operand.dimensions[i] - 1 : 0;
    out.dimensions[i] =
        wrapped_add(wrapped_add(operand.dimensions[i], wrapped_multiply(gaps, pad.interior_padding)),
                    wrapped_add(pad.edge_padding_low, pad.edge_padding_high));
  }
  return true;
}

inline bool infer_dot(const HloInstruction& inst, ShapePointers operands, HloShape& out) {
  const HloShape& lhs = *operands[0];
  const HloShape& rhs = *operands[1];
  if (!in_range(inst.dot->lhs_batch, lhs.dimensions.size())) return false;
  std::vector<std::int64_t> sizes;
  for (const std::int64_t axis : inst.dot->lhs_batch) sizes.push_back(lhs.dimensions[as_size(axis)]);
  for (std::size_t i = 0; i < lhs.dimensions.size(); ++i) {
    if (!holds(inst.dot->lhs_batch, i) && !holds(inst.dot->lhs_contracting, i))
      sizes.push_back(lhs.dimensions[i]);
  }
  for (std::size_t i = 0; i < rhs.dimensions.size(); ++i) {
    if (!holds(inst.dot->rhs_batch, i) && !holds(inst.dot->rhs_contracting, i))
      sizes.push_back(rhs.dimensions[i]);
  }
  out = array_of(lhs.element_type, std::move(sizes));
  return true;
}

inline bool infer_convolution(const HloInstruction& inst, ShapePointers operands, HloShape& out) {
  const HloConvolutionDimensions& at = *inst.convolution;
  const std::vector<std::int64_t>& input = operands[0]->dimensions;
  const std::vector<std::int64_t>& kernel = operands[1]->dimensions;
  const std::size_t rank = at.input_spatial.size() + 2;
  if (inst.window.size() != at.input_spatial.size() || input.size() != rank || kernel.size() != rank ||
      inst.batch_group_count <= 0 || !in_range(at.input_batch, rank) ||
      !in_range(at.kernel_output_feature, rank) || !in_range(at.output_batch, rank) ||
      !in_range(at.output_feature, rank) || !in_range(at.input_spatial, rank) ||
      !in_range(at.output_spatial, rank)) {
    return false;
  }
  std::vector<std::int64_t> sizes(rank, 0);
  sizes[as_size(at.output_batch)] = input[as_size(at.input_batch)] / inst.batch_group_count;
  sizes[as_size(at.output_feature)] = kernel[as_size(at.kernel_output_feature)];
  for (std::size_t i = 0; i < inst.window.size(); ++i) {
    sizes[as_size(at.output_spatial[i])] =
        window_positions(input[as_size(at.input_spatial[i])], inst.window[i]);
  }
  out = array_of(operands[0]->element_type, std::move(sizes));
  return true;
}

/// reduce and reduce-window: the first half of the operands are arrays, the second their starting values.
inline bool infer_reduction(const HloInstruction& inst, ShapePointers operands, HloShape& out) {
  std::vector<HloShape> shapes;
  for (std::size_t k = 0; k < operands.size() / 2; ++k) {
    const HloShape& array = *operands[k];
    std::vector<std::int64_t> sizes;
    if (inst.opcode == "reduce-window" && inst.window.size() != array.dimensions.size()) return false;
    for (std::size_t i = 0; i < array.dimensions.size(); ++i) {
      if (inst.opcode == "reduce-window") {
        sizes.push_back(window_positions(array.dimensions[i], inst.window[i]));
      } else if (!holds(inst.dimensions, i)) {
        sizes.push_back(array.dimensions[i]);
      }
    }
    shapes.push_back(array_of(array.element_type, std::move(sizes)));
  }
  out = one_or_tuple(std::move(shapes));
  return true;
}

/// The sizes of the slices stand at offset_dims, those of the indices (without the vector) elsewhere.
inline bool infer_gather(const HloInstruction& inst, ShapePointers operands, HloShape& out) {
  std::vector<std::int64_t> slice;
  for (std::size_t i = 0; i < inst.gather_slice_sizes.size(); ++i) {
    if (!holds(inst.gather->collapsed_slice_dims, i)) slice.push_back(inst.gather_slice_sizes[i]);
  }
  if (slice.size() != inst.gather->offset_dims.size()) return false;
  std::vector<std::int64_t> batch;
  const std::vector<std::int64_t>& indices = operands[1]->dimensions;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (static_cast<std::int64_t>(i) != inst.gather->index_vector_dim) batch.push_back(indices[i]);
  }
  std::vector<std::int64_t> sizes;
  std::size_t next_slice = 0, next_batch = 0;
  for (std::size_t i = 0; i < slice.size() + batch.size(); ++i) {
    const bool is_slice = holds(inst.gather->offset_dims, i);
    if (is_slice ? next_slice == slice.size() : next_batch == batch.size()) return false;
    sizes.push_back(is_slice ? slice[next_slice++] : batch[next_batch++]);
  }
  out = array_of(operands[0]->element_type, std::move(sizes));
  return true;
}

/// Opcodes whose result is made of whole operands: (first, count of them), count 0 for other opcodes.
inline std::pair<std::size_t, std::size_t> copied_operands(const HloInstruction& inst,
                                                           std::size_t num_operands) {
  if (inst.opcode == "select" || inst.opcode == "clamp" || inst.opcode == "triangular-solve") return {1, 1};
  if (inst.opcode == "sort") return {0, num_operands};
  if (inst.opcode == "scatter") return {0, (num_operands - 1) / 2};
  return {0, 0};
}

/// Works out `out` from shapes that are there: `operands` in order, `roots` those of the called computations.
/// False for an opcode whose shape the text must say, and for shapes that the opcode cannot have. Operands and
/// attributes are as many as hlo_rules.hpp wants.
inline bool infer_shape(const HloInstruction& inst, ShapePointers operands, ShapePointers roots,
                        HloShape& out) {
  const std::string_view opcode = inst.opcode;
  if (opcode == "partition-id" || opcode == "replica-id")
    return out = array_of(hlo_element_type("u32"), {}), true;
  if (opcode == "after-all") return out = array_of(hlo_element_type("token"), {}), true;
  if (opcode == "get-dimension-size") return out = array_of(hlo_element_type("s32"), {}), true;
  if (opcode == "call" || opcode == "conditional") return !roots.empty() && (out = *roots[0], true);
  if (opcode == "tuple") {
    out.element_type = kTupleType;
    for (const HloShape* operand : operands) out.tuple_shapes.push_back(*operand);
    return true;
  }
  if (operands.empty()) return false;
  const HloShape& first = *operands[0];
  if (opcode == "map" && !roots.empty()) {
    out = first;
    out.element_type = roots[0]->element_type;
    return true;
  }
  if (keeps_first_shape(opcode)) return out = first_shape(inst, first), true;
  if (opcode == "get-tuple-element") {
    if (!in_range(inst.tuple_index, first.tuple_shapes.size())) return false;
    return out = first.tuple_shapes[as_size(inst.tuple_index)], true;
  }
  if (opcode == "transpose") return infer_transpose(inst, first, out);
  if (opcode == "concatenate") return infer_concatenate(inst, operands, out);
  if (opcode == "pad") return infer_pad(inst, first, out);
  if (opcode == "dot") return infer_dot(inst, operands, out);
  if (opcode == "convolution") return infer_convolution(inst, operands, out);
  if (opcode == "reduce" || opcode == "reduce-window") return infer_reduction(inst, operands, out);
  if (opcode == "gather") return infer_gather(inst, operands, out);
  if (opcode == "batch-norm-training" || opcode == "batch-norm-grad") {
    return out = one_or_tuple({first, *operands[1], *operands[1]}), true;
  }
  const auto [begin, count] = copied_operands(inst, operands.size());
  if (count == 0) return false;
  std::vector<HloShape> shapes;
  for (std::size_t i = begin; i < begin + count; ++i) shapes.push_back(*operands[i]);
  return out = one_or_tuple(std::move(shapes)), true;
}

/// Whether two shapes are one but for their layouts.
inline bool is_compatible(const HloShape& a, const HloShape& b) {
  if (a.element_type != b.element_type || a.dimensions != b.dimensions ||
      a.tuple_shapes.size() != b.tuple_shapes.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.tuple_shapes.size(); ++i) {
    if (!is_compatible(a.tuple_shapes[i], b.tuple_shapes[i])) return false;
  }
  return true;
}

/// What copies of a shape and of the tuples in it take, and how deep they nest.
inline void measure_shape(const HloShape& shape, std::uint64_t& bytes, int& depth) {
  bytes += sizeof(HloShape) + (shape.dimensions.size() + shape.minor_to_major.size()) * sizeof(std::int64_t);
  int inner = 0;
  for (const HloShape& each : shape.tuple_shapes) {
    int one = 0;
    measure_shape(each, bytes, one);
    inner = std::max(inner, one);
  }
  depth = inner + 1;
}

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_SHAPE_INFERENCE_HPP
