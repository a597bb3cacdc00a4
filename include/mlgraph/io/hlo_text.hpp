// SPDX-License-Identifier: Apache-2.0
// Reads HLO modules from the text that XLA dumps (`*.hlo`, `*.txt`), in its older and its newer dialect.
#ifndef MLGRAPH_IO_HLO_TEXT_HPP
#define MLGRAPH_IO_HLO_TEXT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_attributes.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Parses modules, computations and instructions.
class HloTextParser : public HloAttributeParser {
 public:
  using HloAttributeParser::HloAttributeParser;

  /// `HloModule name, attributes...`, tables of source positions, computations.
  bool module(HloModule& out) {
    std::string_view name_text;
    if (!eat_word("HloModule")) return fail("'HloModule'");
    if (!name(name_text, "the name of the module")) return false;
    out.name = name_text;
    if (!skip_attributes()) return false;
    bool has_entry = false;
    while (!at_end()) {
      if (peek_word("FileNames") || peek_word("FunctionNames") || peek_word("FileLocations") ||
          peek_word("StackFrames")) {
        if (!skip_table()) return false;
      } else if (!computation(out, has_entry)) {
        return false;
      }
    }
    if (out.computations.empty()) return fail("a computation");
    if (!has_entry) {
      if (out.computations.size() > 1) return fail("a computation marked ENTRY");
      set_entry(out, out.computations.back());
    }
    return true;
  }

 private:
  using Names = std::unordered_map<std::string_view, std::int64_t>;  // name in the text -> id

  static void set_entry(HloModule& module, const HloComputation& entry) {
    module.entry_computation_id = entry.id;
    module.entry_computation_name = entry.name;
  }

  /// `, name=value` as often as it comes.
  bool skip_attributes() {
    std::string_view attribute_name;
    while (eat(',')) {
      if (!word(attribute_name, "an attribute") || !expect('=') || !skip_value()) return false;
    }
    return true;
  }

  /// `FileNames`, then lines of a number and a string or a group.
  bool skip_table() {
    std::string_view title;
    static_cast<void>(word(title, "the title of a table"));  // module() saw it
    while (peek() >= '0' && peek() <= '9') {
      std::int64_t row = 0;
      if (!integer(row, "a number") || !skip_value()) return false;
    }
    return true;
  }

  /// `ENTRY? %name (parameters) -> shape { instructions }`, the signature optional.
  bool computation(HloModule& out, bool& has_entry) {
    skip_space();
    const std::size_t begin = position();
    const bool is_entry = eat_word("ENTRY");
    if (is_entry && has_entry)
      return fail_at(begin, "one computation marked ENTRY", "another", StatusCode::kDataLoss);
    skip_space();
    const std::size_t name_begin = position();
    std::string_view name_text;
    if (!name(name_text, "a computation")) return false;
    HloComputation current;
    current.name = name_text;
    if (peek() == '(') {
      HloShape result;
      if (!skip_group() || !expect("->") || !shape(result)) return false;
    }
    instruction_ids_.clear();
    std::size_t root = kNoRoot;
    if (!expect('{')) return false;
    do {
      if (!instruction(out, current, root)) return false;
    } while (!eat('}'));
    current.root_id = root == kNoRoot ? current.instructions.back().id : current.instructions[root].id;
    current.id = ++last_computation_id_;
    if (!skip_attributes()) return false;
    if (!computation_ids_.emplace(name_text, current.id).second) {
      return fail_at(name_begin, "a new name for the computation");
    }
    if (!take(sizeof(HloComputation) + 2 * current.name.size())) return false;
    out.computations.push_back(std::move(current));
    if (is_entry) set_entry(out, out.computations.back());
    has_entry |= is_entry;
    return true;
  }

  /// `ROOT? %name = shape opcode(operands), attributes...`
  bool instruction(HloModule& module, HloComputation& current, std::size_t& root) {
    skip_space();
    const std::size_t begin = position();
    if (!take(sizeof(HloInstruction))) return false;
    HloInstruction inst;
    inst.id = ++last_instruction_id_;
    const bool is_root = eat_word("ROOT");
    if (is_root && root != kNoRoot) {
      return fail_at(begin, "one ROOT in a computation", "another", StatusCode::kDataLoss);
    }
    std::string_view name_text;
    std::string_view opcode;
    skip_space();
    const std::size_t name_begin = position();
    if (!name(name_text, "an instruction or '}'") || !expect('=') || !shape(inst.shape) ||
        !word(opcode, "an opcode")) {
      return false;
    }
    if (!take(name_text.size() + opcode.size())) return false;
    inst.name = name_text;
    inst.opcode = opcode;
    const std::string_view async_opcode = split_async_opcode(inst.opcode);
    if (inst.opcode == "convolution" || inst.opcode == "custom-call") {
      inst.feature_group_count = inst.batch_group_count = 1;  // printed only when they are not 1
    }
    if (inst.opcode == "dot") inst.dot.emplace();
    if (inst.opcode == "gather") inst.gather.emplace();
    if (!expect('(') || !operands(inst) || !expect(')') || !attributes(inst)) return false;
    if (!instruction_ids_.emplace(name_text, inst.id).second) {
      return fail_at(name_begin, "a new name for the instruction");
    }
    if (!async_opcode.empty() && !wrap_async(async_opcode, begin, module, current, inst)) return false;
    if (is_root) root = current.instructions.size();
    current.instructions.push_back(std::move(inst));
    return true;
  }

  bool operands(HloInstruction& inst) {
    if (inst.opcode == "parameter") return integer(inst.parameter_number, "a parameter number");
    if (inst.opcode == "constant") return skip_literal();
    if (peek() == ')') return true;
    do {
      if (peek() == '(' || word_then('[')) {  // the older dialect prints the operand's shape
        HloShape operand;
        if (!shape(operand)) return false;
      }
      if (!id_of(instruction_ids_, "an earlier instruction of this computation", inst.operand_ids))
        return false;
    } while (eat(','));
    return true;
  }

  /// What stands between the parentheses of a constant.
  bool skip_literal() {
    while (peek() != ')') {
      if (!eat(',') && !skip_value()) return false;
    }
    return true;
  }

  bool attributes(HloInstruction& inst) {
    while (eat(',')) {
      std::string_view name_text;
      if (!word(name_text, "an attribute") || !expect('=')) return false;
      bool known = false;
      if (!attribute(name_text, inst, known)) return false;
      if (known) continue;
      if (!(names_computations(name_text) ? called(inst) : skip_value())) return false;
    }
    return true;
  }

  static bool names_computations(std::string_view attribute_name) {
    for (const std::string_view each :
         {"to_apply", "calls", "body", "condition", "branch_computations", "true_computation",
          "false_computation", "called_computations", "select", "scatter"}) {
      if (attribute_name == each) return true;
    }
    return false;
  }

  /// `%name` or `{%name, %name}`
  bool called(HloInstruction& inst) {
    constexpr std::string_view kExpected = "an earlier computation";
    if (!eat('{')) return id_of(computation_ids_, kExpected, inst.called_computation_ids);
    if (eat('}')) return true;
    do {
      if (!id_of(computation_ids_, kExpected, inst.called_computation_ids)) return false;
    } while (eat(','));
    return expect('}');
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

  /// Turns the wrapped operation in `inst` into a computation of its own and `inst` into what calls it.
  bool wrap_async(std::string_view role, std::size_t begin, HloModule& module, const HloComputation& current,
                  HloInstruction& inst) {
    HloInstruction outer;
    outer.name = inst.name;
    outer.opcode = role;
    outer.op_name = inst.op_name;
    outer.id = inst.id;
    outer.shape = inst.shape;
    outer.operand_ids = inst.operand_ids;
    if (role == "async-start") {
      if (inst.shape.tuple_shapes.size() < 2) {
        return fail_at(begin, "an asynchronous start of shape ((operands), result, ...)", "another shape",
                       StatusCode::kDataLoss);
      }
      if (!take((inst.operand_ids.size() + 1) * sizeof(HloInstruction) + sizeof(HloComputation))) return false;
      HloComputation wrapped;
      wrapped.name = "async_computation";
      wrapped.id = ++last_computation_id_;
      std::vector<std::int64_t> parameter_ids;
      for (const std::int64_t id : inst.operand_ids) {
        HloInstruction parameter;
        parameter.opcode = "parameter";
        parameter.id = ++last_instruction_id_;
        parameter.parameter_number = static_cast<std::int64_t>(parameter_ids.size());
        const auto by_id = [](const HloInstruction& earlier, std::int64_t wanted) {
          return earlier.id < wanted;
        };
        parameter.shape =
            std::lower_bound(current.instructions.begin(), current.instructions.end(), id, by_id)->shape;
        parameter_ids.push_back(parameter.id);
        wrapped.instructions.push_back(std::move(parameter));
      }
      HloShape result = inst.shape.tuple_shapes[1];
      inst.shape = std::move(result);
      inst.id = ++last_instruction_id_;
      inst.operand_ids = std::move(parameter_ids);
      wrapped.root_id = inst.id;
      wrapped.instructions.push_back(std::move(inst));
      outer.called_computation_ids.push_back(wrapped.id);
      module.computations.push_back(std::move(wrapped));
    }
    inst = std::move(outer);
    return true;
  }

  static constexpr std::size_t kNoRoot = static_cast<std::size_t>(-1);

  Names computation_ids_;
  Names instruction_ids_;  // of the computation being read
  std::int64_t last_computation_id_ = 0;
  std::int64_t last_instruction_id_ = 0;
};

}  // namespace detail

/// Reads a module from HLO text.
///
/// Computations and instructions keep the order of the text; ids are given out in that order. Literals,
/// shardings, backend configs and everything else that makes no feature is skipped. Where the text leaves
/// something out, XLA's defaults hold: layouts are major to minor, windows have stride and dilation 1 and no
/// padding, groups are 1. `slice-start(...)` and the like become an async-start that calls a computation of its
/// own, as in a protobuf.
///
/// Errors: kDataLoss with `file:line:column: expected ..., found ...`; kResourceExhausted beyond `limits`. Not
///         understood: computations written inside an attribute (XLA's "full bodies" print option).
/// Cost:   one pass; memory is bounded by `limits`.
[[nodiscard]] inline Result<HloModule> read_hlo_text(std::string_view text, std::string_view file_name = "hlo",
                                                     const HloLimits& limits = {}) {
  HloModule module;
  detail::HloTextParser parser(text, file_name, limits);
  if (!parser.module(module)) return parser.status();
  return module;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_IO_HLO_TEXT_HPP
