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
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_literal.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/hlo_rules.hpp"
#include "mlgraph/io/hlo_shape_inference.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Adds instructions to a computation and computations to a module. Everything returns false after a mistake,
/// see HloScanner.
class HloBuilder : public HloLiteralParser {
 public:
  using HloLiteralParser::HloLiteralParser;

 protected:
  static constexpr std::size_t kNoRoot = std::numeric_limits<std::size_t>::max();

  /// An instruction of which a part is read.
  struct Draft {
    HloInstruction inst;
    std::size_t opcode_at = 0;  // position in the text
    bool has_shape = false;
    std::string_view async_role;  // "async-start" for `slice-start`, which has opcode "slice"; or nothing
    std::uint64_t said = 0;       // attributes, as bits of kHloAttributes
    std::string_view thread;      // async_execution_thread as it stands in the text, or nothing
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

  /// Of the computation that was added last.
  [[nodiscard]] const HloInstruction& last_root(const HloModule& module) const {
    return module.computations.back().instructions[roots_.back()];
  }

  /// Works out a shape that is left out, expands the short form, and adds the instruction.
  bool finish(HloModule& module, HloComputation& current, Draft& draft) {
    if (!obeys_rules(current, draft)) return false;
    if (!draft.has_shape && !infer(module, current, draft)) return false;
    constexpr std::string_view kAsync[] = {"async-start", "async-update", "async-done"};
    const std::string_view role = draft.async_role.empty() ? draft.inst.opcode : draft.async_role;
    if (!is_one_of(role, kAsync)) return push(current, std::move(draft.inst)), true;
    Async what;
    if (!(role == kAsync[0] ? begin_async(module, draft, what) : go_on_async(module, current, draft, what))) {
      return false;
    }
    push(current, std::move(draft.inst));
    return take(4 * sizeof(what)) && (async_.emplace(last_instruction_id_, what), true);
  }
  void push(HloComputation& current, HloInstruction&& inst) {
    inst.id = ++last_instruction_id_;
    current.instructions.push_back(std::move(inst));
  }
  /// Ids ascend inside a computation.
  static const HloInstruction& instruction_of(const HloComputation& current, std::int64_t id) {
    const auto by_id = [](const HloInstruction& earlier, std::int64_t wanted) { return earlier.id < wanted; };
    return *std::lower_bound(current.instructions.begin(), current.instructions.end(), id, by_id);
  }
  static const HloShape& shape_of(const HloComputation& current, std::int64_t id) {
    return instruction_of(current, id).shape;
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
    if (is_hlo_opcode(opcode)) return {};
    for (const std::string_view role : {"async-start", "async-update", "async-done"}) {
      const std::string_view suffix = role.substr(5);
      if (opcode.size() <= suffix.size()) continue;
      const std::string_view wrapped = std::string_view(opcode).substr(0, opcode.size() - suffix.size());
      if (std::string_view(opcode).substr(wrapped.size()) == suffix && is_hlo_opcode(wrapped) &&
          !is_one_of(wrapped, kNeverShort)) {
        opcode.resize(wrapped.size());
        return role;
      }
    }
    return {};
  }
  /// `copy-update` and the like: what would be short, were it not for kNeverShort.
  static bool is_no_opcode(std::string_view opcode) {
    if (is_hlo_opcode(opcode)) return false;
    return std::any_of(std::begin(kNeverShort), std::end(kNeverShort), [&](std::string_view never) {
      if (opcode.substr(0, never.size()) != never) return false;
      const std::string_view suffix = opcode.substr(never.size());
      return suffix == "-start" || suffix == "-update" || suffix == "-done";
    });
  }

  std::int64_t last_instruction_id_ = 0;

 private:
  // Their asynchronous forms are opcodes of their own, or none.
  static constexpr std::string_view kNeverShort[] = {"all-gather", "all-reduce", "collective-permute",
                                                     "copy",       "recv",       "send"};

  /// Operands and attributes that XLA wants. An asynchronous start may get its operands later; what follows
  /// it has them all from there.
  bool obeys_rules(const HloComputation& current, const Draft& draft) {
    const HloInstruction& inst = draft.inst;
    HloFault fault;
    if (draft.async_role.empty() || draft.async_role == "async-start")
      fault = attribute_fault(inst, draft.said);
    if (draft.async_role.empty() && fault.expected.empty()) fault = operand_fault(inst);
    if (draft.async_role.empty() && fault.expected.empty()) {
      fault = shape_fault(inst, draft.has_shape, draft.said, [&](std::size_t i) -> const HloShape& {
        return shape_of(current, inst.operand_ids[i]);
      });
    }
    return fault.expected.empty() ||
           fail_at(draft.opcode_at, fault.expected, fault.found, StatusCode::kDataLoss);
  }

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
    const bool is_element =
        inst.opcode == "get-tuple-element" && in_range(inst.tuple_index, operands[0]->tuple_shapes.size());
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

  /// What an asynchronous instruction runs.
  struct Async {
    std::size_t computation = 0;  // its index
    std::string_view thread;      // as it stands in the text
    bool is_implied = false;      // the text has the short form
    bool is_behind = false;       // behind its operands, as the text has the long form of an update
    bool is_done = false;
  };

  bool has_async_shape(const Draft& draft) {
    const std::vector<HloShape>& parts = draft.inst.shape.tuple_shapes;
    return (parts.size() >= 2 && parts[0].element_type == kTupleType) ||
           fail_at(draft.opcode_at, "an asynchronous start of shape ((operands), result, ...)", "another shape",
                   StatusCode::kDataLoss);
  }

  bool begin_async(HloModule& module, Draft& draft, Async& what) {
    what.is_implied = !draft.async_role.empty();
    what.thread = draft.thread.empty() ? "\"main\"" : draft.thread;
    if (!has_async_shape(draft) || (what.is_implied && !wrap_async(module, draft))) return false;
    if (draft.inst.called_computation_ids.empty()) {
      return fail_at(draft.opcode_at, "an async-start with calls=", "none", StatusCode::kDataLoss);
    }
    what.computation = static_cast<std::size_t>(draft.inst.called_computation_ids[0] - 1);
    if (!take(4 * sizeof(what))) return false;
    return begun_.insert(what.computation).second ||
           fail_at(draft.opcode_at,
                   str_cat("an async-start with a computation of its own, and not '",
                           module.computations[what.computation].name, "'"),
                   "another that has it", StatusCode::kDataLoss);
  }

  /// An async-update or async-done: continues what its first operand runs.
  bool go_on_async(HloModule& module, const HloComputation& current, Draft& draft, Async& what) {
    HloInstruction& inst = draft.inst;
    const bool is_short = !draft.async_role.empty();
    const bool is_done = (is_short ? draft.async_role : inst.opcode) == "async-done";
    const auto begun = inst.operand_ids.empty() ? async_.end() : async_.find(inst.operand_ids[0]);
    if (begun == async_.end() || begun->second.is_done) {
      return fail_at(draft.opcode_at, "a first operand that is an async-start or an async-update", "another",
                     StatusCode::kDataLoss);
    }
    if (!is_done && !has_async_shape(draft)) return false;
    what = begun->second;
    what.is_done = is_done;
    if (!draft.thread.empty() && draft.thread != what.thread) {
      return fail_at(draft.opcode_at, str_cat("the thread that began, ", what.thread), draft.thread,
                     StatusCode::kDataLoss);
    }
    const std::vector<std::int64_t>& called = inst.called_computation_ids;
    if (!called.empty() && called[0] != static_cast<std::int64_t>(what.computation) + 1) {
      return fail_at(draft.opcode_at,
                     str_cat("the computation that began, '", module.computations[what.computation].name, "'"),
                     "another", StatusCode::kDataLoss);
    }
    if (!is_short) return what.is_behind = true, true;
    const HloComputation& wrapped = module.computations[what.computation];
    const std::string& opcode = wrapped.instructions[roots_[what.computation]].opcode;
    if (opcode != inst.opcode) {
      return fail_at(draft.opcode_at, str_cat("the '", opcode, "' that began"), str_cat("'", inst.opcode, "'"),
                     StatusCode::kDataLoss);
    }
    inst.opcode = draft.async_role;
    if (!what.is_implied) return true;
    std::vector<const HloShape*> operands;
    if (!is_done || std::exchange(what.is_behind, false)) {
      const HloShape& shape = is_done ? shape_of(current, inst.operand_ids[0]) : inst.shape;
      for (const HloShape& each : shape.tuple_shapes[0].tuple_shapes) operands.push_back(&each);
    }
    return bind_async(module, what.computation, operands, is_done ? inst.shape : inst.shape.tuple_shapes[1]);
  }

  bool replace(HloShape& old, const HloShape& shape) {
    return is_compatible(old, shape) || (take_copy(shape) && (old = shape, true));
  }

  bool add_async_parameter(HloComputation& wrapped, std::size_t at, const HloShape& shape) {
    if (!take(sizeof(HloInstruction)) || !take_copy(shape)) return false;
    HloInstruction parameter;
    parameter.name = "async_param";
    parameter.opcode = "parameter";
    parameter.parameter_number = static_cast<std::int64_t>(at);
    parameter.shape = shape;
    parameter.id = ++last_instruction_id_;
    wrapped.instructions.insert(wrapped.instructions.begin() + static_cast<std::ptrdiff_t>(at),
                                std::move(parameter));
    return true;
  }

  /// An implied computation gets these operands, of which it may have some, and this result.
  bool bind_async(HloModule& module, std::size_t computation, const std::vector<const HloShape*>& operands,
                  const HloShape& result) {
    HloComputation& wrapped = module.computations[computation];
    std::size_t& root = roots_[computation];  // behind its parameters
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (i < root) {
        if (!replace(wrapped.instructions[i].shape, *operands[i])) return false;
        continue;
      }
      if (!add_async_parameter(wrapped, root, *operands[i])) return false;
      ++module.num_async_expanded;
      if (!append(wrapped.instructions[++root].operand_ids, last_instruction_id_)) return false;
    }
    return replace(wrapped.instructions[root].shape, result);
  }

  /// Turns the wrapped operation in the draft into a computation of its own, and the draft into what calls it.
  bool wrap_async(HloModule& module, Draft& draft) {
    HloInstruction& inst = draft.inst;
    HloInstruction outer;
    outer.name = inst.name;
    outer.opcode = draft.async_role;
    outer.op_name = inst.op_name;
    outer.operand_ids = std::move(inst.operand_ids);
    outer.shape = std::move(inst.shape);
    // Operands that an async-update brings later may stand in the shape, or nowhere yet.
    const std::vector<HloShape>& all = outer.shape.tuple_shapes[0].tuple_shapes;
    const std::size_t num_parameters = std::max(hlo_num_operands(inst.opcode), all.size());
    HloComputation wrapped;
    wrapped.name = "async_wrapped";
    inst.name = "async_op";
    inst.operand_ids.clear();
    const HloShape unknown = array_of(hlo_element_type("f32"), {1});
    for (std::size_t i = 0; i < num_parameters; ++i) {
      if (!add_async_parameter(wrapped, i, i < all.size() ? all[i] : unknown) ||
          !append(inst.operand_ids, last_instruction_id_)) {
        return false;
      }
    }
    if (!take(sizeof(HloInstruction)) || !take_copy(outer.shape.tuple_shapes[1])) return false;
    module.num_async_expanded += static_cast<std::int64_t>(num_parameters) + 1;
    inst.shape = outer.shape.tuple_shapes[1];
    const bool is_call = inst.opcode == "call" || inst.opcode == "fusion";
    const std::int64_t called =
        is_call && !inst.called_computation_ids.empty() ? inst.called_computation_ids[0] : 0;
    push(wrapped, std::move(inst));
    if (!add_computation(module, std::move(wrapped), kNoRoot)) return false;
    outer.called_computation_ids.push_back(signed_size(module.computations));
    inst = std::move(outer);
    return called == 0 || bind_to_called(module, static_cast<std::size_t>(called - 1));
  }

  /// The last computation, which runs a call, takes what is called takes.
  bool bind_to_called(HloModule& module, std::size_t called) {
    const HloComputation& inner = module.computations[called];
    const auto [found, is_new] = parameters_.try_emplace(called);
    std::vector<std::size_t>& places = found->second;
    if (is_new) {
      for (std::size_t i = 0; i < inner.instructions.size(); ++i) {
        if (inner.instructions[i].opcode == "parameter" && !append(places, i)) return false;
      }
    }
    std::vector<const HloShape*> operands(places.size(), &inner.instructions[roots_[called]].shape);
    for (const std::size_t place : places) {
      const HloInstruction& inst = inner.instructions[place];
      if (in_range(inst.parameter_number, operands.size()))
        operands[as_size(inst.parameter_number)] = &inst.shape;
    }
    return bind_async(module, module.computations.size() - 1, operands,
                      inner.instructions[roots_[called]].shape);
  }

  std::unordered_set<std::size_t> begun_;          // computations that an async-start has
  std::unordered_map<std::int64_t, Async> async_;  // by the id of an instruction
  std::unordered_map<std::size_t, std::vector<std::size_t>> parameters_;  // where a called computation has them
  std::vector<std::size_t> roots_;  // by computation, the index of its root
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_BUILDER_HPP
