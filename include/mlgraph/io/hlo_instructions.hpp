// SPDX-License-Identifier: Apache-2.0
// HLO text: the instructions of a computation, and what they call.
#ifndef MLGRAPH_IO_HLO_INSTRUCTIONS_HPP
#define MLGRAPH_IO_HLO_INSTRUCTIONS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <map>
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
#include "mlgraph/io/hlo_builder.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_shape_inference.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Parses the instructions between the braces of a computation. Operands that are instructions themselves and
/// computations written in place are the only recursion, `max_depth` deep at most.
class HloInstructionParser : public HloBuilder {
 public:
  using HloBuilder::HloBuilder;

 protected:
  using Names = std::unordered_map<std::string_view, std::int64_t>;  // name in the text -> id

  /// `{ instructions }`: becomes the next computation of the module.
  bool instructions(HloModule& module, HloComputation&& current) {
    Names outer;
    outer.swap(instruction_ids_);  // and not clear(), which takes time for what the map once held
    std::unordered_set<std::int64_t> outer_parameters;
    outer_parameters.swap(parameter_numbers_);
    const bool makes_parameters = std::exchange(makes_parameters_, false);
    std::size_t root = kNoRoot;
    if (!expect('{')) return false;
    do {
      if (!instruction(module, current, root)) return false;
    } while (!eat('}'));
    outer.swap(instruction_ids_);
    outer_parameters.swap(parameter_numbers_);
    makes_parameters_ = makes_parameters;
    return add_computation(module, std::move(current), root);
  }

  /// The text is one instruction, with or without a name: operands that it names become parameters.
  bool single_instruction(HloModule& module) {
    HloComputation current;
    current.name = "entry";
    makes_parameters_ = true;
    Draft draft;
    std::string_view name_text;
    if (peek_assignment() && !(name(name_text, "an instruction") && expect('='))) return false;
    if (!right_side(module, current, draft, name_text)) return false;
    return at_end() ? add_computation(module, std::move(current), kNoRoot) : fail("one instruction");
  }

  /// The id of the computation of this name; not for computations written in place.
  Names computation_ids_;

 private:
  /// `ROOT? %name = shape opcode(operands), attributes...`
  bool instruction(HloModule& module, HloComputation& current, std::size_t& root) {
    skip_space();
    const std::size_t begin = position();
    const bool is_root = eat_word("ROOT");
    skip_space();
    const std::size_t name_begin = position();
    std::string_view name_text;
    Draft draft;
    if (!name(name_text, "an instruction or '}'") || !expect('=')) return false;
    if (!right_side(module, current, draft, name_text)) return false;
    if (!instruction_ids_.emplace(name_text, last_instruction_id_).second) {
      return fail_at(name_begin, "a new name for the instruction");
    }
    if (is_root && root != kNoRoot) {
      return fail_at(begin, "one ROOT in a computation", str_cat("another, '", name_text, "'"),
                     StatusCode::kDataLoss);
    }
    if (is_root) root = current.instructions.size() - 1;
    return true;
  }

  /// `shape? opcode(operands), attributes...`
  bool right_side(HloModule& module, HloComputation& current, Draft& draft, std::string_view name_text) {
    draft.has_shape = peek_shape();
    if (draft.has_shape && !shape(draft.inst.shape)) return false;
    skip_space();
    draft.opcode_at = position();
    std::string_view opcode;
    if (!word(opcode, draft.has_shape ? "an opcode" : "a shape or an opcode")) return false;
    draft.inst.name = name_text;
    return operation(module, current, draft, opcode) && attributes(module, current, draft) &&
           finish(module, current, draft);
  }

  /// `(operands)` after an opcode.
  bool operation(HloModule& module, HloComputation& current, Draft& draft, std::string_view opcode) {
    HloInstruction& inst = draft.inst;
    if (!take(sizeof(HloInstruction) + inst.name.size() + opcode.size())) return false;
    inst.opcode = opcode;
    if (is_no_opcode(opcode)) return fail_at(draft.opcode_at, "an opcode");
    draft.async_role = split_async_opcode(inst.opcode);
    const bool needs_shape = !draft.async_role.empty() || inst.opcode == "constant";
    if (needs_shape && !draft.has_shape) return fail_shape(draft);
    if (inst.opcode == "convolution" || inst.opcode == "custom-call") {
      inst.feature_group_count = inst.batch_group_count = 1;  // printed only when they are not 1
    }
    if (inst.opcode == "dot") inst.dot.emplace();
    if (inst.opcode == "gather") inst.gather.emplace();
    return expect('(') && operands(module, current, inst) && expect(')');
  }

  bool operands(HloModule& module, HloComputation& current, HloInstruction& inst) {
    if (inst.opcode == "parameter") {
      skip_space();
      const std::size_t begin = position();
      if (!integer(inst.parameter_number, "a parameter number")) return false;
      if (inst.parameter_number < 0) return fail_at(begin, "a parameter number of at least 0");
      return parameter_numbers_.insert(inst.parameter_number).second ||
             fail_at(begin, "a new parameter number", str_cat("a second ", inst.parameter_number),
                     StatusCode::kDataLoss);
    }
    if (inst.opcode == "constant") return literal(inst.shape);
    if (peek() == ')') return true;
    do {
      if (!operand(module, current, inst)) return false;
    } while (eat(','));
    return true;
  }

  /// `shape? %name`, `%name#1` (an element of a tuple; `#1#0` one of that), or `shape? opcode(operands)`, an
  /// instruction of its own.
  bool operand(HloModule& module, HloComputation& current, HloInstruction& inst) {
    HloShape declared;  // the older dialect prints the operand's shape
    skip_space();
    const std::size_t shape_begin = position();
    const bool has_shape = peek_shape();
    if (has_shape && !shape(declared)) return false;
    const bool has_percent = peek() == '%';
    const std::size_t begin = position();
    if (makes_parameters_ && has_shape && (peek() == ',' || peek() == ')')) {
      return make_parameter(current, inst, {}, std::move(declared));
    }
    std::string_view name_text;
    if (!name(name_text, kEarlierInstruction)) return false;
    if (!has_percent && peek() == '(') {
      Draft nested;
      nested.inst.shape = std::move(declared);
      nested.opcode_at = begin;
      nested.has_shape = has_shape;
      return nested_operand(module, current, inst, name_text, nested);
    }
    const auto found = instruction_ids_.find(name_text);
    if (found == instruction_ids_.end()) {
      if (!makes_parameters_) return fail_at(begin, kEarlierInstruction);
      if (has_shape) return make_parameter(current, inst, name_text, std::move(declared));
      return fail_at(begin, "the shape of an operand in front of its name");
    }
    std::int64_t id = found->second;
    while (peek_here() == '#') {
      if (!element(current, id)) return false;
    }
    if (has_shape && !is_compatible(declared, shape_of(current, id))) {
      return fail_at(shape_begin, str_cat("the shape of '", text_since(begin), "'"), "another",
                     StatusCode::kDataLoss);
    }
    return append(inst.operand_ids, id);
  }

  bool make_parameter(HloComputation& current, HloInstruction& inst, std::string_view name_text,
                      HloShape&& shape) {
    if (!take(sizeof(HloInstruction) + name_text.size())) return false;
    HloInstruction parameter;
    parameter.name = name_text;
    parameter.opcode = "parameter";
    parameter.parameter_number = num_parameters_++;
    parameter.shape = std::move(shape);
    push(current, std::move(parameter));
    if (!name_text.empty()) instruction_ids_.emplace(name_text, last_instruction_id_);
    return append(inst.operand_ids, last_instruction_id_);
  }

  /// The opcode is read, and the shape where the draft has one.
  bool nested_operand(HloModule& module, HloComputation& current, HloInstruction& inst, std::string_view opcode,
                      Draft& nested) {
    if (!enter(nested.opcode_at)) return false;
    nested.inst.name = str_cat(opcode, ".anon");
    if (!operation(module, current, nested, opcode) || !finish(module, current, nested)) return false;
    --nest_;
    return append(inst.operand_ids, last_instruction_id_);
  }

  /// `#1` after the name of a tuple, whose id becomes the element's: a get-tuple-element, one for all uses.
  bool element(HloComputation& current, std::int64_t& id) {
    static_cast<void>(eat('#'));  // operand() saw it
    skip_space();
    const std::size_t index_begin = position();
    std::int64_t index = 0;
    if (!integer(index, "a tuple index")) return false;
    const auto [found, is_new] = elements_.try_emplace({id, index}, last_instruction_id_ + 1);
    if (!is_new) return id = found->second, true;
    const HloInstruction& tuple = instruction_of(current, id);
    if (!in_range(index, tuple.shape.tuple_shapes.size())) {
      return fail_at(index_begin,
                     str_cat("an index below ", tuple.shape.tuple_shapes.size(), ", the size of the tuple"));
    }
    const HloShape& shape = tuple.shape.tuple_shapes[as_size(index)];
    HloInstruction part;
    part.name = str_cat(tuple.name, "#", index);
    if (!take_copy(shape) || !take(sizeof(HloInstruction) + 2 * sizeof(*found) + part.name.size()))
      return false;
    part.opcode = "get-tuple-element";
    part.tuple_index = index;
    part.shape = shape;
    part.operand_ids.push_back(id);
    push(current, std::move(part));
    return id = last_instruction_id_, true;
  }

  bool attributes(HloModule& module, const HloComputation& current, Draft& draft) {
    while (eat(',')) {
      skip_space();
      const std::size_t begin = position();
      std::string_view name_text;
      if (!word(name_text, "an attribute")) return false;
      const std::uint64_t bit = hlo_attribute_bit(name_text);
      if ((draft.said & bit) != 0) return fail_at(begin, "a new attribute");
      draft.said |= bit;
      if (!expect('=') || !attribute_value(module, current, draft, name_text)) return false;
    }
    return true;
  }
  bool attribute_value(HloModule& module, const HloComputation& current, Draft& draft,
                       std::string_view name_text) {
    HloInstruction& inst = draft.inst;
    bool known = false;
    if (!attribute(name_text, inst, known)) return false;
    if (known) return true;
    if (name_text == "control-predecessors" && !makes_parameters_) {
      std::vector<std::int64_t> checked;
      return expect('{') && ids_of(instruction_ids_, kEarlierInstruction, checked);
    }
    if (name_text == "async_execution_thread") return thread(draft);
    if (name_text == "operand_layout_constraints" && draft.async_role.empty())
      return constraints(current, inst);
    return names_computations(name_text) ? called(module, inst) : skip_values();
  }

  bool thread(Draft& draft) {
    skip_space();
    const std::size_t begin = position();
    std::string unescaped;
    if (!string(unescaped)) return false;
    draft.thread = text_since(begin);
    return true;
  }

  /// `{shape, shape}`, one for each operand.
  bool constraints(const HloComputation& current, const HloInstruction& inst) {
    if (!expect('{')) return false;
    for (std::size_t i = 0; i < inst.operand_ids.size(); ++i) {
      if (i > 0 && !expect(',')) return false;
      skip_space();
      const std::size_t begin = position();
      HloShape constraint;
      if (!shape(constraint)) return false;
      if (!is_compatible(constraint, shape_of(current, inst.operand_ids[i]))) {
        return fail_at(begin, str_cat("the shape of operand ", i), "another", StatusCode::kDataLoss);
      }
    }
    return expect('}');
  }

  static bool names_computations(std::string_view attribute_name) {
    constexpr std::string_view kNames[] = {"to_apply",
                                           "calls",
                                           "body",
                                           "condition",
                                           "branch_computations",
                                           "true_computation",
                                           "false_computation",
                                           "called_computations",
                                           "select",
                                           "scatter"};
    return is_one_of(attribute_name, kNames);
  }

  /// `%name`, `{%name, %name}`, `{ instructions }` or `{ { instructions }, { instructions } }`
  bool called(HloModule& module, HloInstruction& inst) {
    if (peek() != '{' || peek_instructions()) return called_one(module, inst);
    static_cast<void>(eat('{'));
    if (peek() != '{') return ids_of(computation_ids_, kEarlierComputation, inst.called_computation_ids);
    do {
      if (!called_one(module, inst)) return false;
    } while (eat(','));
    return expect('}');
  }
  bool called_one(HloModule& module, HloInstruction& inst) {
    if (peek() != '{') return id_of(computation_ids_, kEarlierComputation, inst.called_computation_ids);
    if (!enter(position())) return false;
    HloComputation in_place;
    in_place.name = "_";
    if (!instructions(module, std::move(in_place))) return false;
    --nest_;
    return append(inst.called_computation_ids, module.computations.back().id);
  }

  bool enter(std::size_t begin) {
    return ++nest_ <= max_depth_ ||
           fail_at(begin, str_cat("instructions inside instructions at most ", max_depth_, " deep"), "more",
                   StatusCode::kResourceExhausted);
  }

  /// Appends the id of the name that stands next.
  bool id_of(const Names& names, std::string_view expected, std::vector<std::int64_t>& ids) {
    skip_space();
    const std::size_t begin = position();
    std::string_view name_text;
    if (!name(name_text, expected)) return false;
    const auto found = names.find(name_text);
    return found != names.end() ? append(ids, found->second) : fail_at(begin, expected);
  }
  /// `%name, %name}`
  bool ids_of(const Names& names, std::string_view expected, std::vector<std::int64_t>& ids) {
    if (eat('}')) return true;
    do {
      if (!id_of(names, expected, ids)) return false;
    } while (eat(','));
    return expect('}');
  }

  static constexpr std::string_view kEarlierInstruction = "an earlier instruction of this computation";
  static constexpr std::string_view kEarlierComputation = "an earlier computation";

  Names instruction_ids_;                                                   // of the computation being read
  std::unordered_set<std::int64_t> parameter_numbers_;                      // of that one, too
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> elements_;  // of a tuple's id and an index
  bool makes_parameters_ = false;  // of operands that have no instruction
  std::int64_t num_parameters_ = 0;
  int nest_ = 0;
};

}  // namespace detail
}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_INSTRUCTIONS_HPP
