// SPDX-License-Identifier: Apache-2.0
// The tensor IR: a program is a list of instructions in static single assignment; every value is a dense f32
// array. The operators are those of HLO, decomposed: a softmax is a reduce, a subtract, an exponential, another
// reduce and a divide. Shape inference lives here, so that the builder, the parser and the HLO reader check
// alike.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_IR_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_IR_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"

namespace minicompiler {

namespace mg = mlgraph;

using Dims = std::vector<std::int64_t>;

/// Operations, by their HLO names.
enum class Op : std::uint8_t {
  kParameter,
  kConstant,  ///< one number, `value`; of shape ()
  // One operand.
  kCopy,  ///< the same elements, somewhere of their own
  kNegate,
  kAbs,
  kExponential,
  kLog,
  kTanh,
  kLogistic,
  kSqrt,
  kRsqrt,
  // Two operands of equal shapes.
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,
  kMinimum,
  kCompare,  ///< 1 where `comparison` holds, else 0
  // Three operands of equal shapes.
  kSelect,  ///< the second where the first is not 0, else the third
  // Where the elements of the operand are read; no arithmetic.
  kBroadcast,    ///< dimension i of the operand becomes dimensions[i] of the result
  kTranspose,    ///< dimension i of the result is dimensions[i] of the operand
  kReshape,      ///< the same elements in row-major order; of no broadcast, transpose or slice (a copy of it)
  kSlice,        ///< elements [starts[d], starts[d] + shape[d]) of each dimension
  kConcatenate,  ///< of two or more operands along dimensions[0]
  // Reading more than one element of an operand for each of the result.
  kReduce,        ///< sum or maximum over `dimensions`
  kReduceWindow,  ///< sum or maximum over windows of the last two dimensions of a value of rank 4
  kDot,           ///< (B..., M, K) x (B..., K, N) -> (B..., M, N), at most one batch dimension
  kConvolution,   ///< (N, C, H, W) * (O, C / groups, KH, KW) -> (N, O, OH, OW); groups is 1, or C = O
                  ///< (depthwise)
};

inline constexpr std::array<std::string_view, 28> kOpNames = {
    "parameter", "constant", "copy",        "negate",  "abs",           "exponential", "log",
    "tanh",      "logistic", "sqrt",        "rsqrt",   "add",           "subtract",    "multiply",
    "divide",    "maximum",  "minimum",     "compare", "select",        "broadcast",   "transpose",
    "reshape",   "slice",    "concatenate", "reduce",  "reduce-window", "dot",         "convolution"};

[[nodiscard]] inline std::string_view op_name(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

[[nodiscard]] inline bool is_unary(Op op) { return op >= Op::kCopy && op <= Op::kRsqrt; }
[[nodiscard]] inline bool is_binary(Op op) { return op >= Op::kAdd && op <= Op::kCompare; }
/// One element of each operand for each of the result, all at the same place.
[[nodiscard]] inline bool is_elementwise(Op op) { return op >= Op::kCopy && op <= Op::kSelect; }
/// No arithmetic and no memory of its own: whoever reads it reads its operand, elsewhere.
[[nodiscard]] inline bool is_view(Op op) { return op >= Op::kBroadcast && op <= Op::kSlice; }
/// Given from outside: nothing is computed.
[[nodiscard]] inline bool is_source(Op op) { return op <= Op::kConstant; }
/// A multiply and an add for each of the operand's elements that an element of the result reads.
[[nodiscard]] inline bool is_heavy(Op op) { return op == Op::kDot || op == Op::kConvolution; }

enum class ReduceKind : std::uint8_t { kSum, kMaximum };
enum class Comparison : std::uint8_t { kEQ, kNE, kGE, kGT, kLE, kLT };
inline constexpr std::array<std::string_view, 6> kComparisonNames = {"EQ", "NE", "GE", "GT", "LE", "LT"};

/// The two spatial dimensions (height, width) of the window of a convolution or a reduce-window.
struct Window {
  std::array<std::int64_t, 2> size = {1, 1};  // of a reduce-window; a convolution's is its kernel's
  std::array<std::int64_t, 2> stride = {1, 1};
  std::array<std::int64_t, 2> padding_low = {0, 0};
  std::array<std::int64_t, 2> padding_high = {0, 0};

  friend bool operator==(const Window& a, const Window& b) {
    return a.size == b.size && a.stride == b.stride && a.padding_low == b.padding_low &&
           a.padding_high == b.padding_high;
  }
};

/// The largest rank of a value.
inline constexpr std::size_t kMaxRank = 4;
/// The most elements of a value: 256 MB.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 26;

struct Instruction {
  std::string name;
  Op op = Op::kParameter;
  Dims shape;
  std::vector<std::size_t> operands;  // indices of earlier instructions
  Dims dimensions;                    // of broadcast, reduce, transpose, concatenate
  Dims starts;                        // of slice
  ReduceKind reduce = ReduceKind::kSum;
  Comparison comparison = Comparison::kGT;
  Window window;            // of convolution, reduce-window
  std::int64_t groups = 1;  // of a convolution
  float value = 0;          // of a constant
};

/// Instructions in an order that computes operands first; the last one is the result.
struct Program {
  std::string name;
  std::vector<Instruction> instructions;

  [[nodiscard]] const Instruction& operand(const Instruction& of, std::size_t i) const {
    return instructions[of.operands[i]];
  }
};

[[nodiscard]] inline std::int64_t num_elements(const Dims& shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  return count;
}

/// `f32[2,3]`.
[[nodiscard]] inline std::string shape_text(const Dims& shape) {
  std::string text = "f32[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += mg::str_cat(i == 0 ? "" : ",", shape[i]);
  return text + "]";
}

/// An error for a shape no value may have.
[[nodiscard]] inline mg::Status check_shape(const Dims& shape) {
  if (shape.size() > kMaxRank) {
    return mg::Status::invalid_argument(
        mg::str_cat(shape_text(shape), " has rank ", shape.size(), "; should be at most ", kMaxRank));
  }
  std::int64_t count = 1;
  for (const std::int64_t d : shape) {
    if (d < 1 || d > kMaxElements / count) {
      return mg::Status::invalid_argument(mg::str_cat(
          shape_text(shape), " should have positive dimensions and at most ", kMaxElements, " elements"));
    }
    count *= d;
  }
  return {};
}

namespace detail {

[[nodiscard]] inline mg::Status wrong(const Instruction& inst, const std::string& what) {
  return mg::Status::invalid_argument(mg::str_cat(inst.name, ": ", op_name(inst.op), " ", what));
}

[[nodiscard]] inline mg::Result<Dims> dot_shape(const Instruction& inst, const Dims& lhs, const Dims& rhs) {
  const std::size_t rank = lhs.size();
  if (rank < 2 || rank > 3 || rhs.size() != rank || (rank == 3 && lhs[0] != rhs[0]) ||
      lhs[rank - 1] != rhs[rank - 2]) {
    return wrong(inst, mg::str_cat("of ", shape_text(lhs), " and ", shape_text(rhs),
                                   "; should be (M, K) and (K, N), or (B, M, K) and (B, K, N)"));
  }
  Dims shape = lhs;
  shape.back() = rhs.back();
  return shape;
}

/// The last two dimensions of what a window of this size makes of x.
[[nodiscard]] inline mg::Result<Dims> windowed_shape(const Instruction& inst, const Dims& x,
                                                     std::array<std::int64_t, 2> size) {
  Dims shape = x;
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t low = inst.window.padding_low[d], high = inst.window.padding_high[d];
    const std::int64_t stride = inst.window.stride[d];
    // Beyond its own size a window would see nothing but padding.
    if (size[d] < 1 || stride < 1 || stride > kMaxElements || low < 0 || high < 0 || low >= size[d] ||
        high >= size[d]) {
      return wrong(inst, mg::str_cat("has stride ", stride, " and padding ", low, "_", high, " of a window of ",
                                     size[d], "; strides are positive, paddings smaller than the window"));
    }
    const std::int64_t padded = x[d + 2] + low + high;
    if (padded < size[d])
      return wrong(inst, mg::str_cat("has a window of ", size[d], " on ", padded, " padded elements"));
    shape[d + 2] = (padded - size[d]) / stride + 1;
  }
  return shape;
}

[[nodiscard]] inline mg::Result<Dims> convolution_shape(const Instruction& inst, const Dims& x, const Dims& w) {
  if (x.size() != 4 || w.size() != 4) {
    return wrong(inst, mg::str_cat("of ", shape_text(x), " and ", shape_text(w), "; both should have rank 4"));
  }
  const bool depthwise = inst.groups > 1 && inst.groups == x[1] && inst.groups == w[0];
  if ((inst.groups != 1 && !depthwise) || w[1] * inst.groups != x[1]) {
    return wrong(inst, mg::str_cat("of ", x[1], " channels by a kernel ", shape_text(w), " in ", inst.groups,
                                   " groups; should be one group, or one for each channel"));
  }
  MLGRAPH_ASSIGN_OR_RETURN(Dims shape, windowed_shape(inst, x, {w[2], w[3]}));
  shape[1] = w[0];
  return shape;
}

/// An error unless `dimensions` are different dimensions of a value of this rank.
[[nodiscard]] inline mg::Status check_dimensions(const Instruction& inst, std::size_t rank) {
  std::vector<bool> seen(rank);
  for (const std::int64_t d : inst.dimensions) {
    if (d < 0 || d >= static_cast<std::int64_t>(rank) || seen[static_cast<std::size_t>(d)]) {
      return wrong(inst, mg::str_cat("has dimension ", d, "; should be different ones in [0, ", rank, ")"));
    }
    seen[static_cast<std::size_t>(d)] = true;
  }
  return {};
}

[[nodiscard]] inline mg::Status check_broadcast(const Instruction& inst, const Dims& x) {
  MLGRAPH_RETURN_IF_ERROR(check_dimensions(inst, inst.shape.size()));
  bool fits = inst.dimensions.size() == x.size();
  for (std::size_t i = 0; fits && i < x.size(); ++i)
    fits = inst.shape[static_cast<std::size_t>(inst.dimensions[i])] == x[i];
  if (fits) return {};
  return wrong(inst, mg::str_cat("of ", shape_text(x), " to ", shape_text(inst.shape),
                                 "; should keep the size of each dimension"));
}

[[nodiscard]] inline mg::Status check_slice(const Instruction& inst, const Dims& x) {
  bool fits = inst.starts.size() == x.size() && inst.shape.size() == x.size();
  for (std::size_t d = 0; fits && d < x.size(); ++d)
    fits = inst.starts[d] >= 0 && inst.starts[d] <= x[d] - inst.shape[d];
  if (fits) return {};
  return wrong(
      inst, mg::str_cat("of ", shape_text(x), " to ", shape_text(inst.shape), " reaches beyond its operand"));
}

[[nodiscard]] inline mg::Result<Dims> reduced_shape(const Instruction& inst, const Dims& x) {
  MLGRAPH_RETURN_IF_ERROR(check_dimensions(inst, x.size()));
  Dims shape;
  for (std::size_t d = 0; d < x.size(); ++d) {
    const auto& gone = inst.dimensions;
    if (std::find(gone.begin(), gone.end(), static_cast<std::int64_t>(d)) == gone.end()) shape.push_back(x[d]);
  }
  return shape;
}

[[nodiscard]] inline mg::Result<Dims> transposed_shape(const Instruction& inst, const Dims& x) {
  MLGRAPH_RETURN_IF_ERROR(check_dimensions(inst, x.size()));
  if (inst.dimensions.size() != x.size())
    return wrong(inst, mg::str_cat("of rank ", x.size(), " has ", inst.dimensions.size(), " dimensions"));
  Dims shape = x;
  for (std::size_t d = 0; d < x.size(); ++d) shape[d] = x[static_cast<std::size_t>(inst.dimensions[d])];
  return shape;
}

[[nodiscard]] inline mg::Result<Dims> concatenated_shape(const Program& program, const Instruction& inst) {
  Dims shape = program.operand(inst, 0).shape;
  MLGRAPH_RETURN_IF_ERROR(check_dimensions(inst, shape.size()));
  if (inst.dimensions.size() != 1) return wrong(inst, "should have one dimension");
  const auto along = static_cast<std::size_t>(inst.dimensions[0]);
  shape[along] = 0;
  for (const std::size_t i : inst.operands) {
    Dims piece = program.instructions[i].shape;
    const std::int64_t size = piece.size() == shape.size() ? piece[along] : 0;
    if (size > 0) piece[along] = shape[along];
    if (size == 0 || piece != shape)
      return wrong(inst, mg::str_cat("has an operand ", shape_text(program.instructions[i].shape),
                                     " that differs in another dimension"));
    shape[along] += size;
  }
  return shape;
}

/// {least, most} operands.
[[nodiscard]] inline std::array<std::size_t, 2> arity(Op op) {
  if (is_source(op)) return {0, 0};
  if (op == Op::kConcatenate) return {2, 64};
  if (op == Op::kSelect) return {3, 3};
  if (is_binary(op) || is_heavy(op)) return {2, 2};
  return {1, 1};
}

/// What infer_shape() comes to where there are operands.
[[nodiscard]] inline mg::Result<Dims> computed_shape(const Program& program, const Instruction& inst) {
  const Dims& x = program.operand(inst, 0).shape;
  switch (inst.op) {
    case Op::kDot:
      return dot_shape(inst, x, program.operand(inst, 1).shape);
    case Op::kConvolution:
      return convolution_shape(inst, x, program.operand(inst, 1).shape);
    case Op::kReduceWindow:
      if (x.size() != 4) return wrong(inst, mg::str_cat("of ", shape_text(x), "; should have rank 4"));
      return windowed_shape(inst, x, inst.window.size);
    case Op::kReduce:
      return reduced_shape(inst, x);
    case Op::kTranspose:
      return transposed_shape(inst, x);
    case Op::kConcatenate:
      return concatenated_shape(program, inst);
    case Op::kBroadcast:
      MLGRAPH_RETURN_IF_ERROR(check_broadcast(inst, x));
      return inst.shape;
    case Op::kSlice:
      MLGRAPH_RETURN_IF_ERROR(check_slice(inst, x));
      return inst.shape;
    case Op::kReshape:
      if (is_view(program.operand(inst, 0).op) && program.operand(inst, 0).op != Op::kReshape)
        return wrong(inst, mg::str_cat("reads ", program.operand(inst, 0).name, "; should read a copy of it"));
      if (num_elements(inst.shape) != num_elements(x))
        return wrong(inst, mg::str_cat("of ", shape_text(x), " to ", shape_text(inst.shape),
                                       "; should have as many elements"));
      return inst.shape;
    default:  // elementwise
      for (const std::size_t i : inst.operands) {
        const Dims& y = program.instructions[i].shape;
        if (x != y)
          return wrong(inst, mg::str_cat("of ", shape_text(x), " and ", shape_text(y), "; should be equal"));
      }
      return x;
  }
}

}  // namespace detail

/// The shape of an instruction from its operands. Of a parameter, broadcast, reshape or slice its own, checked.
/// Errors: operands that do not exist or whose shapes do not fit; names the instruction.
[[nodiscard]] inline mg::Result<Dims> infer_shape(const Program& program, const Instruction& inst) {
  using detail::wrong;
  const std::array<std::size_t, 2> arity = detail::arity(inst.op);
  if (inst.operands.size() < arity[0] || inst.operands.size() > arity[1]) {
    return wrong(inst, mg::str_cat("has ", inst.operands.size(), " operands; should have ", arity[0]));
  }
  for (const std::size_t i : inst.operands) {
    if (i >= program.instructions.size()) return wrong(inst, "has an operand that does not exist");
  }
  MLGRAPH_RETURN_IF_ERROR(check_shape(inst.shape));
  if (inst.op == Op::kConstant && !inst.shape.empty()) return wrong(inst, "should be one number");
  if (is_source(inst.op)) return inst.shape;
  MLGRAPH_ASSIGN_OR_RETURN(const Dims shape, detail::computed_shape(program, inst));
  MLGRAPH_RETURN_IF_ERROR(check_shape(shape));
  return shape;
}

/// Two operations for each multiply-add of a dot or a convolution; one for each element that anything else
/// reads to compute; none for what only moves elements.
[[nodiscard]] inline std::int64_t num_flops(const Program& program, const Instruction& inst) {
  if (is_source(inst.op) || is_view(inst.op) || inst.op == Op::kConcatenate) return 0;
  const std::int64_t elements = num_elements(inst.shape);
  if (inst.op == Op::kReduce) return num_elements(program.operand(inst, 0).shape);
  if (inst.op == Op::kReduceWindow) return elements * inst.window.size[0] * inst.window.size[1];
  if (!is_heavy(inst.op)) return elements;
  const Dims& b = program.operand(inst, 1).shape;
  return 2 * elements * (inst.op == Op::kDot ? b[b.size() - 2] : b[1] * b[2] * b[3]);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_IR_HPP
