// SPDX-License-Identifier: Apache-2.0
// Programs as XLA HLO text, for the engine's featurizer and for other tools.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_WRITE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_WRITE_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ir.hpp"
#include "text.hpp"

namespace minicompiler {
namespace detail {

/// `f32[2,3]{1,0}`.
[[nodiscard]] inline std::string hlo_shape(const Dims& shape, std::string_view type = "f32") {
  std::string text = mg::str_cat(type, shape_text(shape).substr(3));
  if (shape.empty()) return text;
  text += "{";
  for (std::size_t d = shape.size(); d-- > 0;) text += mg::str_cat(d, d == 0 ? "}" : ",");
  return text;
}

class HloWriting {
 public:
  explicit HloWriting(const Program& program) : program_(program) {}

  std::string run() {
    text_ = mg::str_cat("HloModule ", program_.name, "\n\n");
    for (const ReduceKind kind : {ReduceKind::kSum, ReduceKind::kMaximum}) region(kind);
    text_ += "ENTRY main {\n";
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) instruction(i);
    return text_ + "}\n";
  }

 private:
  static std::string_view region_of(ReduceKind kind) { return kind == ReduceKind::kSum ? "add" : "maximum"; }

  /// What a reduction calls: two scalars become one.
  void region(ReduceKind kind) {
    const auto uses = [&](const Instruction& inst) { return has_kind(inst.op) && inst.reduce == kind; };
    const auto& all = program_.instructions;
    if (std::none_of(all.begin(), all.end(), uses)) return;
    const std::string_view op = region_of(kind);
    text_ += mg::str_cat("region_", op, " {\n  ", op, "_a = f32[] parameter(0)\n  ", op,
                         "_b = f32[] parameter(1)\n  ROOT ", op, "_c = f32[] ", op, "(", op, "_a, ", op,
                         "_b)\n}\n\n");
  }

  void line(std::string_view name, const std::string& shape, const std::string& what) {
    text_ += mg::str_cat("  ", name, " = ", shape, " ", what, "\n");
  }

  void instruction(std::size_t i) {
    const Instruction& inst = program_.instructions[i];
    const bool is_root = i + 1 == program_.instructions.size();
    std::string operands;
    for (std::size_t o = 0; o < inst.operands.size(); ++o)
      operands += mg::str_cat(o == 0 ? "" : ", ", program_.operand(inst, o).name);
    const std::string shape = hlo_shape(inst.shape), name = (is_root ? "ROOT " : "") + inst.name;
    const auto call = [&](const std::string& of) { return mg::str_cat(op_name(inst.op), "(", of, ")"); };
    switch (inst.op) {
      case Op::kParameter:
        return line(name, shape, call(mg::str_cat(num_parameters_++)));
      case Op::kConstant:
        return line(name, shape, call(number_text(inst.value)));
      case Op::kCompare: {  // of type pred
        const std::string_view direction = kComparisonNames[static_cast<std::size_t>(inst.comparison)];
        line(inst.name + ".pred", hlo_shape(inst.shape, "pred"),
             mg::str_cat(call(operands), ", direction=", direction));
        return line(name, shape, mg::str_cat("convert(", inst.name, ".pred)"));
      }
      case Op::kSelect:
        return select(inst, name);
      case Op::kReduce:
      case Op::kReduceWindow:
        line(inst.name + ".start", "f32[]",
             mg::str_cat("constant(", inst.reduce == ReduceKind::kSum ? "0" : "-inf", ")"));
        return line(name, shape,
                    mg::str_cat(call(mg::str_cat(operands, ", ", inst.name, ".start")), attributes(inst),
                                ", to_apply=region_", region_of(inst.reduce)));
      default:
        return line(name, shape, call(operands) + attributes(inst));
    }
  }

  void select(const Instruction& inst, const std::string& name) {
    const Instruction& condition = program_.operand(inst, 0);
    std::string pred = condition.name + ".pred";
    if (condition.op != Op::kCompare) {
      pred = inst.name + ".pred";
      line(inst.name + ".zero", "f32[]", "constant(0)");
      line(inst.name + ".zeros", hlo_shape(inst.shape),
           mg::str_cat("broadcast(", inst.name, ".zero), dimensions={}"));
      line(pred, hlo_shape(inst.shape, "pred"),
           mg::str_cat("compare(", condition.name, ", ", inst.name, ".zeros), direction=NE"));
    }
    line(name, hlo_shape(inst.shape),
         mg::str_cat("select(", pred, ", ", program_.operand(inst, 1).name, ", ",
                     program_.operand(inst, 2).name, ")"));
  }

  [[nodiscard]] std::string attributes(const Instruction& inst) const {
    if (has_dimensions(inst.op)) return mg::str_cat(", dimensions=", list_text(inst.dimensions));
    switch (inst.op) {
      case Op::kSlice: {
        std::string text = ", slice={";
        for (std::size_t d = 0; d < inst.starts.size(); ++d)
          text += mg::str_cat(d == 0 ? "[" : ", [", inst.starts[d], ":", inst.starts[d] + inst.shape[d], "]");
        return text + "}";
      }
      case Op::kDot: {
        const std::size_t rank = inst.shape.size();
        std::string text =
            mg::str_cat(", lhs_contracting_dims={", rank - 1, "}, rhs_contracting_dims={", rank - 2, "}");
        return rank == 3 ? ", lhs_batch_dims={0}, rhs_batch_dims={0}" + text : text;
      }
      case Op::kReduceWindow:
        return window(inst, inst.window.size, true);
      case Op::kConvolution: {
        const Dims& kernel = program_.operand(inst, 1).shape;
        return mg::str_cat(window(inst, {kernel[2], kernel[3]}, false),
                           ", dim_labels=bf01_oi01->bf01, feature_group_count=", inst.groups);
      }
      default:
        return {};
    }
  }
  [[nodiscard]] static std::string window(const Instruction& inst, std::array<std::int64_t, 2> size,
                                          bool of_four) {
    const Window& w = inst.window;
    return mg::str_cat(", window={size=", of_four ? "1x1x" : "", size[0], "x", size[1],
                       " stride=", of_four ? "1x1x" : "", w.stride[0], "x", w.stride[1],
                       " pad=", of_four ? "0_0x0_0x" : "", w.padding_low[0], "_", w.padding_high[0], "x",
                       w.padding_low[1], "_", w.padding_high[1], "}");
  }

  const Program& program_;
  std::string text_;
  std::size_t num_parameters_ = 0;
};

}  // namespace detail

/// The program as an HLO module, row-major. Every instruction keeps its name; a compare is of type pred there,
/// and its name is that of its conversion to f32.
[[nodiscard]] inline std::string to_hlo_text(const Program& program) {
  return detail::HloWriting(program).run();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_WRITE_HPP
