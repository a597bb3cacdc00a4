// SPDX-License-Identifier: Apache-2.0
// The tensor IR: a program is a list of instructions in static single assignment; every value is a dense f32
// array. Shape inference lives here, so that the builder, the parser and the HLO reader check alike.
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

/// Operations, by their HLO names where HLO has them.
enum class Op : std::uint8_t {
  kParameter,
  kDot,          ///< (B..., M, K) x (B..., K, N) -> (B..., M, N), at most one batch dimension
  kConvolution,  ///< (N, C, H, W) * (O, C / groups, KH, KW) -> (N, O, OH, OW); groups is 1, or C = O
                 ///< (depthwise)
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMaximum,
  kRelu,
  kExponential,
  kTanh,
  kLogistic,
  kBroadcast,  ///< dimension i of the operand becomes dimensions[i] of the result
  kReduce,     ///< sum or maximum over `dimensions`
  kTranspose,  ///< dimension i of the result is dimensions[i] of the operand
  kReshape,
  kSoftmax,    ///< over the last dimension
  kLayerNorm,  ///< (x, scale, offset) over the last dimension; scale and offset have its size
};

inline constexpr std::array<std::string_view, 18> kOpNames = {
    "parameter", "dot",     "convolution", "add",         "subtract", "multiply",
    "divide",    "maximum", "relu",        "exponential", "tanh",     "logistic",
    "broadcast", "reduce",  "transpose",   "reshape",     "softmax",  "layer-norm"};

[[nodiscard]] inline std::string_view op_name(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

[[nodiscard]] inline bool is_unary(Op op) {
  return op == Op::kRelu || op == Op::kExponential || op == Op::kTanh || op == Op::kLogistic;
}
[[nodiscard]] inline bool is_binary(Op op) {
  return op == Op::kAdd || op == Op::kSubtract || op == Op::kMultiply || op == Op::kDivide ||
         op == Op::kMaximum;
}
/// Whether the tile of its loop nest is a decision.
[[nodiscard]] inline bool is_heavy(Op op) { return op == Op::kDot || op == Op::kConvolution; }
/// Whether the layouts of its output and inputs are a decision: the configurable nodes of TpuGraphs.
[[nodiscard]] inline bool is_configurable(Op op) { return is_heavy(op) || op == Op::kReshape; }

enum class ReduceKind : std::uint8_t { kSum, kMaximum };

/// The two spatial dimensions (height, width) of a convolution's window.
struct Window {
  std::array<std::int64_t, 2> stride = {1, 1};
  std::array<std::int64_t, 2> padding_low = {0, 0};
  std::array<std::int64_t, 2> padding_high = {0, 0};

  friend bool operator==(const Window& a, const Window& b) {
    return a.stride == b.stride && a.padding_low == b.padding_low && a.padding_high == b.padding_high;
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
  Dims dimensions;                    // of broadcast, reduce, transpose
  ReduceKind reduce = ReduceKind::kSum;
  Window window;            // of a convolution
  std::int64_t groups = 1;  // of a convolution
};

/// Instructions in an order that computes operands first; the last one is the result.
struct Program {
  std::string name;
  std::vector<Instruction> instructions;

  [[nodiscard]] const Instruction& operand(const Instruction& of, std::size_t i) const {
    return instructions[of.operands[i]];
  }
  /// The indices of the instructions that `wanted` (is_heavy, is_configurable) picks, ascending.
  [[nodiscard]] std::vector<std::size_t> indices_of(bool (*wanted)(Op)) const {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < instructions.size(); ++i) {
      if (wanted(instructions[i].op)) indices.push_back(i);
    }
    return indices;
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

[[nodiscard]] inline mg::Result<Dims> convolution_shape(const Instruction& inst, const Dims& x, const Dims& w) {
  if (x.size() != 4 || w.size() != 4) {
    return wrong(inst, mg::str_cat("of ", shape_text(x), " and ", shape_text(w), "; both should have rank 4"));
  }
  const bool depthwise = inst.groups > 1 && inst.groups == x[1] && inst.groups == w[0];
  if ((inst.groups != 1 && !depthwise) || w[1] * inst.groups != x[1]) {
    return wrong(inst, mg::str_cat("of ", x[1], " channels by a kernel ", shape_text(w), " in ", inst.groups,
                                   " groups; should be one group, or one for each channel"));
  }
  Dims shape = {x[0], w[0], 0, 0};
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t low = inst.window.padding_low[d], high = inst.window.padding_high[d];
    const std::int64_t stride = inst.window.stride[d];
    // Beyond its own size a kernel would see nothing but padding.
    if (stride < 1 || stride > kMaxElements || low < 0 || high < 0 || low >= w[d + 2] || high >= w[d + 2]) {
      return wrong(inst, mg::str_cat("has stride ", stride, " and padding ", low, "_", high, " of a kernel of ",
                                     w[d + 2], "; strides are positive, paddings smaller than the kernel"));
    }
    const std::int64_t padded = x[d + 2] + low + high;
    if (padded < w[d + 2])
      return wrong(inst, mg::str_cat("has a kernel of ", w[d + 2], " on ", padded, " padded elements"));
    shape[d + 2] = (padded - w[d + 2]) / stride + 1;
  }
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

[[nodiscard]] inline std::size_t arity(Op op) {
  if (op == Op::kParameter) return 0;
  if (op == Op::kLayerNorm) return 3;
  return is_binary(op) || is_heavy(op) ? 2 : 1;
}

}  // namespace detail

/// The shape of an instruction from its operands. Of a parameter, broadcast or reshape its own, checked.
/// Errors: operands that do not exist or whose shapes do not fit; names the instruction.
[[nodiscard]] inline mg::Result<Dims> infer_shape(const Program& program, const Instruction& inst) {
  using detail::wrong;
  if (inst.operands.size() != detail::arity(inst.op)) {
    return wrong(inst,
                 mg::str_cat("has ", inst.operands.size(), " operands; should have ", detail::arity(inst.op)));
  }
  for (const std::size_t i : inst.operands) {
    if (i >= program.instructions.size()) return wrong(inst, "has an operand that does not exist");
  }
  MLGRAPH_RETURN_IF_ERROR(check_shape(inst.shape));
  if (inst.op == Op::kParameter) return inst.shape;
  const Dims& x = program.operand(inst, 0).shape;
  const Dims& y = inst.operands.size() > 1 ? program.operand(inst, 1).shape : x;
  Dims shape = x;
  switch (inst.op) {
    case Op::kDot: {
      MLGRAPH_ASSIGN_OR_RETURN(shape, detail::dot_shape(inst, x, y));
      break;
    }
    case Op::kConvolution: {
      MLGRAPH_ASSIGN_OR_RETURN(shape, detail::convolution_shape(inst, x, y));
      break;
    }
    case Op::kBroadcast:
      MLGRAPH_RETURN_IF_ERROR(detail::check_broadcast(inst, x));
      return inst.shape;
    case Op::kReshape:
      if (num_elements(inst.shape) != num_elements(x))
        return wrong(inst, mg::str_cat("of ", shape_text(x), " to ", shape_text(inst.shape),
                                       "; should have as many elements"));
      return inst.shape;
    case Op::kReduce:
      MLGRAPH_RETURN_IF_ERROR(detail::check_dimensions(inst, x.size()));
      shape.clear();
      for (std::size_t d = 0; d < x.size(); ++d) {
        const auto& gone = inst.dimensions;
        if (std::find(gone.begin(), gone.end(), static_cast<std::int64_t>(d)) == gone.end())
          shape.push_back(x[d]);
      }
      break;
    case Op::kTranspose:
      MLGRAPH_RETURN_IF_ERROR(detail::check_dimensions(inst, x.size()));
      if (inst.dimensions.size() != x.size())
        return wrong(inst, mg::str_cat("of rank ", x.size(), " has ", inst.dimensions.size(), " dimensions"));
      for (std::size_t d = 0; d < x.size(); ++d) shape[d] = x[static_cast<std::size_t>(inst.dimensions[d])];
      break;
    case Op::kSoftmax:
      if (x.empty()) return wrong(inst, "of a scalar; should have a last dimension");
      break;
    case Op::kLayerNorm:
      if (x.empty() || y != Dims{x.back()} || program.operand(inst, 2).shape != y) {
        return wrong(inst, mg::str_cat("of ", shape_text(x), " with ", shape_text(y), " and ",
                                       shape_text(program.operand(inst, 2).shape),
                                       "; scale and offset should have the last dimension's size"));
      }
      break;
    default:  // elementwise
      if (x != y)
        return wrong(inst, mg::str_cat("of ", shape_text(x), " and ", shape_text(y), "; should be equal"));
  }
  MLGRAPH_RETURN_IF_ERROR(check_shape(shape));
  return shape;
}

/// Two operations for each multiply-add of the dots and convolutions.
[[nodiscard]] inline std::int64_t num_flops(const Program& program) {
  std::int64_t flops = 0;
  for (const Instruction& inst : program.instructions) {
    if (!is_heavy(inst.op)) continue;
    const Dims& b = program.operand(inst, 1).shape;
    const std::int64_t depth = inst.op == Op::kDot ? b[b.size() - 2] : b[1] * b[2] * b[3];
    flops += 2 * num_elements(inst.shape) * depth;
  }
  return flops;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_IR_HPP
