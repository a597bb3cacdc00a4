// SPDX-License-Identifier: Apache-2.0
// What one HLO instruction is in the tensor IR: the same operator, or several, with transposes and reshapes
// around those whose dimensions may have any order.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_CONVERT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_CONVERT_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hlo_append.hpp"
#include "hlo_details.hpp"
#include "ir.hpp"
#include "mlgraph/io/hlo_module.hpp"

namespace minicompiler::detail {

/// Appends what an HLO instruction is.
class HloConverter : private OperatorAppender {
 public:
  using Values = OperatorAppender::Values;

  explicit HloConverter(std::string name) : OperatorAppender(std::move(name)) {}

  using OperatorAppender::parameter;
  using OperatorAppender::program;
  using OperatorAppender::undo_to;

  /// `reduces_by`: the operation of the root of what it calls. Errors: what is not read; the caller says where.
  mg::Result<Values> convert(const mg::io::HloInstruction& inst, const HloDetails& details, const Values& in,
                             std::string_view reduces_by) {
    if (inst.opcode == "batch-norm-training") return batch_norm(inst, details, in);
    MLGRAPH_ASSIGN_OR_RETURN(const Value value, convert_one(inst, details, in, reduces_by));
    if (shape(value) != inst.shape.dimensions) {
      return refuse(mg::str_cat("has shape ", shape_text(inst.shape.dimensions), "; its operands give ",
                                shape_text(shape(value))));
    }
    return Values{value};
  }

 private:
  static mg::Status refuse(const std::string& what) { return mg::Status::invalid_argument(what); }

  /// 0 for what is not read, or takes any number of them.
  [[nodiscard]] static std::size_t num_operands(std::string_view opcode) {
    constexpr std::array<std::string_view, 6> kOne = {"convert", "bitcast",      "reverse",
                                                      "not",     "log-plus-one", "exponential-minus-one"};
    constexpr std::array<std::string_view, 6> kTwo = {"power", "and", "or", "pad", "reduce", "reduce-window"};
    if (std::find(kOne.begin(), kOne.end(), opcode) != kOne.end()) return 1;
    if (std::find(kTwo.begin(), kTwo.end(), opcode) != kTwo.end()) return 2;
    if (opcode == "clamp") return 3;
    const auto name = std::find(kOpNames.begin(), kOpNames.end(), opcode);
    if (name == kOpNames.end() || opcode == "concatenate") return 0;
    return arity(static_cast<Op>(name - kOpNames.begin()))[0];
  }

  mg::Result<Value> convert_one(const mg::io::HloInstruction& inst, const HloDetails& details, const Values& in,
                                std::string_view reduces_by) {
    const std::string& opcode = inst.opcode;
    const Dims& to = inst.shape.dimensions;
    if (opcode == "constant") {
      if (!details.literal || !to.empty()) return refuse("is a constant of more than one number");
      return filled(*details.literal, {});
    }
    const auto name = std::find(kOpNames.begin(), kOpNames.end(), opcode);
    const auto op = static_cast<Op>(name - kOpNames.begin());
    const std::size_t wanted = num_operands(opcode);
    if (wanted == 0 && opcode != "concatenate")
      return refuse(mg::str_cat("is a ", opcode, ", which is not read"));
    if (wanted != 0 && in.size() != wanted)
      return refuse(mg::str_cat("has ", in.size(), " operands; should have ", wanted));
    if (opcode == "copy" || opcode == "convert") return in[0];
    if (opcode == "reshape" || opcode == "bitcast") return reshaped(in[0], to);
    if (opcode == "broadcast") return broadcast(in[0], to, inst.dimensions);
    if (opcode == "transpose") return transposed(in[0], inst.dimensions);
    if (opcode == "slice") return slice(inst, in[0]);
    if (opcode == "pad") return pad(inst, in);
    if (opcode == "concatenate") {
      if (in.size() == 1) return in[0];
      return concatenated(in, inst.dimensions.empty() ? 0 : inst.dimensions[0]);
    }
    if (opcode == "reverse") return reverse(inst, in[0]);
    if (opcode == "reduce") return reduce(inst, in, reduces_by);
    if (opcode == "reduce-window") return reduce_window(inst, in, reduces_by);
    if (opcode == "dot") return dot(inst, in);
    if (opcode == "convolution") return convolution(inst, in);
    if (opcode == "power") return power(in);
    if (opcode == "clamp") return clamp(in);
    if (opcode == "compare") return compare(details, in);
    if (name != kOpNames.end()) return add(op, in);      // elementwise
    if (opcode == "and") return add(Op::kMultiply, in);  // of zeros and ones
    if (opcode == "or") return add(Op::kMaximum, in);
    return one_more(inst, in);
  }

  /// What is one or two elementwise operators with a constant.
  mg::Result<Value> one_more(const mg::io::HloInstruction& inst, const Values& in) {
    MLGRAPH_ASSIGN_OR_RETURN(const Value one, filled(1, inst.shape.dimensions));
    if (inst.opcode == "not") return add(Op::kSubtract, {one, in[0]});
    if (inst.opcode == "log-plus-one") {
      MLGRAPH_ASSIGN_OR_RETURN(const Value sum, add(Op::kAdd, {in[0], one}));
      return add(Op::kLog, {sum});
    }
    MLGRAPH_ASSIGN_OR_RETURN(const Value e, add(Op::kExponential, in));  // exponential-minus-one
    return add(Op::kSubtract, {e, one});
  }

  mg::Result<Value> compare(const HloDetails& details, const Values& in) {
    const auto found = std::find(kComparisonNames.begin(), kComparisonNames.end(), details.direction);
    if (found == kComparisonNames.end()) return refuse("has no known direction");
    Instruction inst;
    inst.comparison = static_cast<Comparison>(found - kComparisonNames.begin());
    return add(Op::kCompare, in, std::move(inst));
  }

  mg::Result<Value> power(const Values& in) {
    const std::optional<float> exponent = repeated_number(in[1]);
    const Value x = in[0];
    if (exponent == 1.0f) return x;
    if (exponent == 2.0f) return add(Op::kMultiply, {x, x});
    if (exponent == 0.5f) return add(Op::kSqrt, {x});
    if (exponent == -0.5f) return add(Op::kRsqrt, {x});
    if (exponent == 3.0f) {
      MLGRAPH_ASSIGN_OR_RETURN(const Value square, add(Op::kMultiply, {x, x}));
      return add(Op::kMultiply, {square, x});
    }
    if (exponent == -1.0f) {
      MLGRAPH_ASSIGN_OR_RETURN(const Value one, filled(1, shape(x)));
      return add(Op::kDivide, {one, x});
    }
    return refuse("is a power other than a constant 1, 2, 3, -1, 0.5 or -0.5");
  }

  mg::Result<Value> clamp(const Values& in) {  // (low, x, high)
    MLGRAPH_ASSIGN_OR_RETURN(const Value low, broadcast_scalar(in[0], shape(in[1])));
    MLGRAPH_ASSIGN_OR_RETURN(const Value above, add(Op::kMaximum, {in[1], low}));
    MLGRAPH_ASSIGN_OR_RETURN(const Value high, broadcast_scalar(in[2], shape(in[1])));
    return add(Op::kMinimum, {above, high});
  }

  mg::Result<Value> slice(const mg::io::HloInstruction& inst, Value x) {
    Instruction made;
    for (const mg::io::HloSliceDimension& d : inst.slice) {
      if (d.stride != 1) return refuse("has a stride");
      made.starts.push_back(d.start);
      made.shape.push_back(d.limit - d.start);
    }
    if (made.shape == shape(x)) return x;
    return add(Op::kSlice, {x}, std::move(made));
  }
  /// Concatenations with what is padded, a dimension after the other.
  mg::Result<Value> pad(const mg::io::HloInstruction& inst, const Values& in) {
    Value x = in[0];
    if (inst.padding.size() != shape(x).size()) return refuse("has paddings of another rank");
    for (std::size_t d = 0; d < inst.padding.size(); ++d) {
      const mg::io::HloPaddingDimension& padding = inst.padding[d];
      if (padding.edge_padding_low < 0 || padding.edge_padding_high < 0 || padding.interior_padding != 0)
        return refuse("has a negative padding, or one between elements");
      const auto edge = [&](std::int64_t size) {
        Dims to = shape(x);
        to[d] = size;
        return broadcast(in[1], to, {});
      };
      Values pieces;
      if (padding.edge_padding_low > 0) {
        MLGRAPH_ASSIGN_OR_RETURN(const Value low, edge(padding.edge_padding_low));
        pieces.push_back(low);
      }
      pieces.push_back(x);
      if (padding.edge_padding_high > 0) {
        MLGRAPH_ASSIGN_OR_RETURN(const Value high, edge(padding.edge_padding_high));
        pieces.push_back(high);
      }
      if (pieces.size() == 1) continue;
      MLGRAPH_ASSIGN_OR_RETURN(x, concatenated(pieces, static_cast<std::int64_t>(d)));
    }
    return x;
  }
  mg::Result<Value> reverse(const mg::io::HloInstruction& inst, Value x) {
    for (const std::int64_t d : inst.dimensions) {
      if (d < 0 || d >= static_cast<std::int64_t>(shape(x).size()) ||
          shape(x)[static_cast<std::size_t>(d)] != 1)
        return refuse("reverses more than one element");
    }
    return x;
  }

  [[nodiscard]] mg::Result<ReduceKind> reduce_kind(std::string_view reduces_by, Value start) const {
    const std::optional<float> from = repeated_number(start);
    if (reduces_by == "add" && from == 0.0f) return ReduceKind::kSum;
    if (reduces_by == "maximum" && from && *from <= -std::numeric_limits<float>::max())
      return ReduceKind::kMaximum;
    return refuse(mg::str_cat("reduces by ", reduces_by.empty() ? "nothing" : reduces_by,
                              "; add from 0 and maximum from -inf are read"));
  }
  mg::Result<Value> reduce(const mg::io::HloInstruction& inst, const Values& in, std::string_view reduces_by) {
    MLGRAPH_ASSIGN_OR_RETURN(const ReduceKind kind, reduce_kind(reduces_by, in[1]));
    return reduced(in[0], inst.dimensions, kind);
  }
  mg::Result<Value> reduce_window(const mg::io::HloInstruction& inst, const Values& in,
                                  std::string_view reduces_by) {
    MLGRAPH_ASSIGN_OR_RETURN(const ReduceKind kind, reduce_kind(reduces_by, in[1]));
    if (inst.window.size() != 4 || shape(in[0]).size() != 4) return refuse("has other than four dimensions");
    Dims order;  // the two dimensions with a window come last
    for (const bool has_window : {false, true}) {
      for (std::size_t d = 0; d < 4; ++d) {
        const mg::io::HloWindowDimension& w = inst.window[d];
        const bool is_trivial = w.size == 1 && w.stride == 1 && w.padding_low == 0 && w.padding_high == 0;
        if (is_trivial != has_window) order.push_back(static_cast<std::int64_t>(d));
      }
    }
    Instruction made;
    made.reduce = kind;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto d = static_cast<std::size_t>(order[i]);
      const mg::io::HloWindowDimension& w = inst.window[d];
      if (i < 2 && (w.size != 1 || w.stride != 1 || w.padding_low != 0 || w.padding_high != 0))
        return refuse("has a window of more than two dimensions");
      if (i < 2) continue;
      made.window.size[i - 2] = w.size;
      MLGRAPH_RETURN_IF_ERROR(set_window(w, i - 2, made.window));
    }
    MLGRAPH_ASSIGN_OR_RETURN(const Value from, transposed(in[0], order));
    MLGRAPH_ASSIGN_OR_RETURN(const Value y, add(Op::kReduceWindow, {from}, std::move(made)));
    return transposed(y, inverse(order));
  }
  static mg::Status set_window(const mg::io::HloWindowDimension& w, std::size_t d, Window& window) {
    if (w.window_dilation != 1 || w.base_dilation != 1 || w.window_reversal)
      return refuse("has a dilated or reversed window");
    window.stride[d] = w.stride;
    window.padding_low[d] = w.padding_low;
    window.padding_high[d] = w.padding_high;
    return {};
  }
  static Dims inverse(const Dims& order) {
    Dims back(order.size(), -1);
    for (std::size_t d = 0; d < order.size(); ++d) {
      if (order[d] >= 0 && order[d] < static_cast<std::int64_t>(order.size()))
        back[static_cast<std::size_t>(order[d])] = static_cast<std::int64_t>(d);
    }
    return back;
  }

  mg::Result<Value> dot(const mg::io::HloInstruction& inst, const Values& in);
  mg::Result<Value> convolution(const mg::io::HloInstruction& inst, const Values& in);
  mg::Result<Values> batch_norm(const mg::io::HloInstruction& inst, const HloDetails& details,
                                const Values& in);
};

/// The dimensions of one side of a dot in the order batch, free, contracting (or contracting, free), and their
/// sizes.
struct DotSide {
  Dims order;
  std::int64_t batch = 1, rows = 1, depth = 1;
};
[[nodiscard]] inline mg::Result<DotSide> sort_dot_side(const Dims& shape, const Dims& batch,
                                                       const Dims& contracting, bool depth_last) {
  DotSide side;
  std::vector<bool> is_free(shape.size(), true);
  for (const Dims* list : {&batch, &contracting}) {
    for (const std::int64_t d : *list) {
      if (d < 0 || d >= static_cast<std::int64_t>(shape.size()))
        return mg::Status::invalid_argument(mg::str_cat("has no dimension ", d));
      is_free[static_cast<std::size_t>(d)] = false;
      (list == &batch ? side.batch : side.depth) *= shape[static_cast<std::size_t>(d)];
    }
  }
  side.order = batch;
  if (!depth_last) side.order.insert(side.order.end(), contracting.begin(), contracting.end());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!is_free[d]) continue;
    side.order.push_back(static_cast<std::int64_t>(d));
    side.rows *= shape[d];
  }
  if (depth_last) side.order.insert(side.order.end(), contracting.begin(), contracting.end());
  return side;
}

inline mg::Result<Value> HloConverter::dot(const mg::io::HloInstruction& inst, const Values& in) {
  if (!inst.dot) return refuse("has no dimensions");
  const mg::io::HloDotDimensions& d = *inst.dot;
  MLGRAPH_ASSIGN_OR_RETURN(const DotSide lhs,
                           sort_dot_side(shape(in[0]), d.lhs_batch, d.lhs_contracting, true));
  MLGRAPH_ASSIGN_OR_RETURN(const DotSide rhs,
                           sort_dot_side(shape(in[1]), d.rhs_batch, d.rhs_contracting, false));
  const bool batched = lhs.batch > 1;
  const Dims left = batched ? Dims{lhs.batch, lhs.rows, lhs.depth} : Dims{lhs.rows, lhs.depth};
  const Dims right = batched ? Dims{rhs.batch, rhs.depth, rhs.rows} : Dims{rhs.depth, rhs.rows};
  MLGRAPH_ASSIGN_OR_RETURN(const Value a, transposed(in[0], lhs.order));
  MLGRAPH_ASSIGN_OR_RETURN(const Value a_matrix, reshaped(a, left));
  MLGRAPH_ASSIGN_OR_RETURN(const Value b, transposed(in[1], rhs.order));
  MLGRAPH_ASSIGN_OR_RETURN(const Value b_matrix, reshaped(b, right));
  MLGRAPH_ASSIGN_OR_RETURN(const Value product, add(Op::kDot, {a_matrix, b_matrix}));
  return reshaped(product, inst.shape.dimensions);
}

inline mg::Result<Value> HloConverter::convolution(const mg::io::HloInstruction& inst, const Values& in) {
  if (!inst.convolution || inst.window.size() != 2 || inst.convolution->input_spatial.size() != 2 ||
      inst.convolution->kernel_spatial.size() != 2 || inst.convolution->output_spatial.size() != 2) {
    return refuse("has other than two spatial dimensions");
  }
  if (inst.batch_group_count > 1) return refuse("has groups of its batch");
  Instruction made;
  made.groups = std::max<std::int64_t>(1, inst.feature_group_count);
  for (std::size_t d = 0; d < 2; ++d) MLGRAPH_RETURN_IF_ERROR(set_window(inst.window[d], d, made.window));
  const mg::io::HloConvolutionDimensions& c = *inst.convolution;
  MLGRAPH_ASSIGN_OR_RETURN(const Value x, transposed(in[0], {c.input_batch, c.input_feature, c.input_spatial[0],
                                                             c.input_spatial[1]}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value w, transposed(in[1], {c.kernel_output_feature, c.kernel_input_feature,
                                                             c.kernel_spatial[0], c.kernel_spatial[1]}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value y, add(Op::kConvolution, {x, w}, std::move(made)));
  return transposed(y, inverse({c.output_batch, c.output_feature, c.output_spatial[0], c.output_spatial[1]}));
}

/// (x, scale, offset) -> (normalized, mean, variance), of what every index of the feature dimension has.
inline mg::Result<HloConverter::Values> HloConverter::batch_norm(const mg::io::HloInstruction& inst,
                                                                 const HloDetails& details, const Values& in) {
  if (in.size() != 3 || inst.shape.tuple_shapes.size() != 3 || details.epsilon <= 0)
    return refuse("has other than three operands and results, or no epsilon");
  const Dims to = shape(in[0]), kept = {details.feature};
  Dims over;
  for (std::int64_t d = 0; d < static_cast<std::int64_t>(to.size()); ++d) {
    if (d != details.feature) over.push_back(d);
  }
  const Dims channels = shape(in[1]);
  const auto count = static_cast<float>(num_elements(to) / std::max<std::int64_t>(1, num_elements(channels)));
  MLGRAPH_ASSIGN_OR_RETURN(const Value part, filled(1 / count, channels));
  const auto mean_of = [&](Value v) -> mg::Result<Value> {
    MLGRAPH_ASSIGN_OR_RETURN(const Value sum, reduced(v, over, ReduceKind::kSum));
    return add(Op::kMultiply, {sum, part});
  };
  MLGRAPH_ASSIGN_OR_RETURN(const Value mean, mean_of(in[0]));
  MLGRAPH_ASSIGN_OR_RETURN(const Value means, broadcast(mean, to, kept));
  MLGRAPH_ASSIGN_OR_RETURN(const Value centered, add(Op::kSubtract, {in[0], means}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value squares, add(Op::kMultiply, {centered, centered}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value variance, mean_of(squares));
  MLGRAPH_ASSIGN_OR_RETURN(const Value epsilon, filled(details.epsilon, channels));
  MLGRAPH_ASSIGN_OR_RETURN(const Value shifted, add(Op::kAdd, {variance, epsilon}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value factor, add(Op::kRsqrt, {shifted}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value factors, broadcast(factor, to, kept));
  MLGRAPH_ASSIGN_OR_RETURN(const Value normal, add(Op::kMultiply, {centered, factors}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value scale, broadcast(in[1], to, kept));
  MLGRAPH_ASSIGN_OR_RETURN(const Value scaled, add(Op::kMultiply, {normal, scale}));
  MLGRAPH_ASSIGN_OR_RETURN(const Value offset, broadcast(in[2], to, kept));
  MLGRAPH_ASSIGN_OR_RETURN(const Value result, add(Op::kAdd, {scaled, offset}));
  return Values{result, mean, variance};
}

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_CONVERT_HPP
