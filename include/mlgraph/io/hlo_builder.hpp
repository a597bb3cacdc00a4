// SPDX-License-Identifier: Apache-2.0
// HLO text: computations as they grow, and what the text leaves out of them: shapes and the inside of async
// sugar.
#ifndef MLGRAPH_IO_HLO_BUILDER_HPP
#define MLGRAPH_IO_HLO_BUILDER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_attributes.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/hlo_shape_inference.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Adds instructions to a computation and computations to a module. Everything returns false after a mistake,
/// see HloScanner.
class HloBuilder : public HloAttributeParser {
 public:
  using HloAttributeParser::HloAttributeParser;

 protected:
  static constexpr std::size_t kNoRoot = std::numeric_limits<std::size_t>::max();

  /// An instruction of which a part is read.
  struct Draft {
    HloInstruction inst;
    std::size_t opcode_at = 0;  // position in the text
    bool has_shape = false;
    std::string_view async_role;  // "async-start" for `slice-start`, which has opcode "slice"; or nothing
  };

  /// `root` is an index, or kNoRoot for the last instruction.
  bool add_computation(HloModule& module, HloComputation&& current, std::size_t root) {
    if (!take(sizeof(HloComputation) + 2 * current.name.size())) return false;
    roots_.push_back(root == kNoRoot ? current.instructions.size() - 1 : root);
    current.root_id = current.instructions[roots_.back()].id;
    module.computations.push_back(std::move(current));
    module.computations.back().id = signed_size(module.computations);
    return true;
  }

  /// Works out a shape that is left out, expands the short form, and adds the instruction.
  bool finish(HloModule& module, HloComputation& current, Draft& draft) {
    if (!draft.has_shape && !infer(module, current, draft)) return false;
    if (!draft.async_role.empty() && !wrap_async(module, current, draft)) return false;
    push(current, std::move(draft.inst));
    return true;
  }
  void push(HloComputation& current, HloInstruction&& inst) {
    inst.id = ++last_instruction_id_;
    current.instructions.push_back(std::move(inst));
  }
  /// Ids ascend inside a computation.
  static const HloShape& shape_of(const HloComputation& current, std::int64_t id) {
    const auto by_id = [](const HloInstruction& earlier, std::int64_t wanted) { return earlier.id < wanted; };
    return std::lower_bound(current.instructions.begin(), current.instructions.end(), id, by_id)->shape;
  }

  /// Counts the memory of a copy.
  bool take_copy(const HloShape& shape) {
    std::uint64_t bytes = 0;
    int depth = 0;
    measure_shape(shape, bytes, depth);
    return take(bytes);
  }
  bool fail_shape(const Draft& draft) {
    return fail_at(
        draft.opcode_at,
        "a shape, which only some opcodes on proper operands can do without, in front of the opcode");
  }
  /// `slice-start` is short for an async-start that calls a computation of one slice: returns `async-start` and
  /// leaves `slice` in `opcode`. Returns nothing for every other opcode.
  static std::string_view split_async_opcode(std::string& opcode) {
    if (hlo_opcode_id(opcode) != 0) return {};
    for (const std::string_view role : {"async-start", "async-update", "async-done"}) {
      const std::string_view suffix = role.substr(5);
      if (opcode.size() <= suffix.size()) continue;
      const std::string_view wrapped = std::string_view(opcode).substr(0, opcode.size() - suffix.size());
      if (std::string_view(opcode).substr(wrapped.size()) == suffix && hlo_opcode_id(wrapped) != 0) {
        opcode.resize(wrapped.size());
        return role;
      }
    }
    return {};
  }

  std::int64_t last_instruction_id_ = 0;

 private:
  bool infer(const HloModule& module, const HloComputation& current, Draft& draft) {
    HloInstruction& inst = draft.inst;
    std::vector<const HloShape*> operands, roots;
    for (const std::int64_t id : inst.operand_ids) operands.push_back(&shape_of(current, id));
    for (const std::int64_t id : inst.called_computation_ids) {
      const auto index = as_size(id - 1);
      roots.push_back(&module.computations[index].instructions[roots_[index]].shape);
    }
    // No result is larger than what it is a copy of.
    std::uint64_t bytes = sizeof(HloShape);
    int depth = 0;
    const bool is_root = !roots.empty() && (inst.opcode == "call" || inst.opcode == "conditional");
    const bool is_element = inst.opcode == "get-tuple-element" && operands.size() == 1 &&
                            in_range(inst.tuple_index, operands[0]->tuple_shapes.size());
    if (is_root) {
      measure_shape(*roots[0], bytes, depth);
    } else if (is_element) {
      measure_shape(operands[0]->tuple_shapes[as_size(inst.tuple_index)], bytes, depth);
    } else {
      for (const HloShape* operand : operands) {
        int one = 0;
        measure_shape(*operand, bytes, one);
        depth = std::max(depth, one);
      }
    }
    if (depth >= max_depth_) {
      return fail_at(draft.opcode_at, str_cat("tuples at most ", max_depth_, " deep"), "more",
                     StatusCode::kResourceExhausted);
    }
    return take(bytes) &&
           (infer_shape(inst, {operands.data(), operands.size()}, {roots.data(), roots.size()}, inst.shape) ||
            fail_shape(draft));
  }

  /// Turns the wrapped operation in `inst` into a computation of its own and `inst` into what calls it.
  bool wrap_async(HloModule& module, const HloComputation& current, Draft& draft) {
    HloInstruction& inst = draft.inst;
    HloInstruction outer;
    outer.name = inst.name;
    outer.opcode = draft.async_role;
    outer.op_name = inst.op_name;
    outer.shape = inst.shape;
    outer.operand_ids = inst.operand_ids;
    if (draft.async_role == "async-start") {
      if (!take_copy(inst.shape)) return false;
      if (inst.shape.tuple_shapes.size() < 2) {
        return fail_at(draft.opcode_at, "an asynchronous start of shape ((operands), result, ...)",
                       "another shape", StatusCode::kDataLoss);
      }
      // Operands that an async-update brings later stand in the shape only.
      const std::vector<HloShape>& all = inst.shape.tuple_shapes[0].tuple_shapes;
      const std::size_t num_given = inst.operand_ids.size();
      const std::size_t num_parameters = std::max(num_given, all.size());
      if (!take((num_parameters + 1) * sizeof(HloInstruction))) return false;
      HloComputation wrapped;
      wrapped.name = "async_wrapped";
      inst.name = "async_op";
      inst.operand_ids.clear();
      for (std::size_t i = 0; i < num_parameters; ++i) {
        HloInstruction parameter;
        parameter.name = "async_param";
        parameter.opcode = "parameter";
        parameter.parameter_number = static_cast<std::int64_t>(i);
        parameter.shape = i < num_given ? shape_of(current, outer.operand_ids[i]) : all[i];
        if (!take_copy(parameter.shape)) return false;
        push(wrapped, std::move(parameter));
        inst.operand_ids.push_back(last_instruction_id_);
      }
      module.num_async_expanded += static_cast<std::int64_t>(num_parameters) + 1;
      HloShape result = inst.shape.tuple_shapes[1];
      inst.shape = std::move(result);
      push(wrapped, std::move(inst));
      if (!add_computation(module, std::move(wrapped), kNoRoot)) return false;
      outer.called_computation_ids.push_back(module.computations.back().id);
    }
    inst = std::move(outer);
    return true;
  }

  std::vector<std::size_t> roots_;  // by computation, the index of its root
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_BUILDER_HPP
