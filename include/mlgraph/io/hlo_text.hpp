// SPDX-License-Identifier: Apache-2.0
// Reads HLO modules from the text that XLA dumps (`*.hlo`, `*.txt`), in its older and its newer dialect.
#ifndef MLGRAPH_IO_HLO_TEXT_HPP
#define MLGRAPH_IO_HLO_TEXT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_instructions.hpp"
#include "mlgraph/io/hlo_module.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// Parses modules and computations.
class HloTextParser : public HloInstructionParser {
 public:
  using HloInstructionParser::HloInstructionParser;

  /// `HloModule name, attributes...`, tables of source positions, computations; or computations without the
  /// first line; or one instruction.
  bool module(HloModule& out) {
    const bool has_header = eat_word("HloModule");
    if (has_header) {
      std::string_view name_text;
      if (!name(name_text, "the name of the module")) return false;
      out.name = name_text;
      if (!skip_attributes()) return false;
    } else if (at_end()) {
      return fail("'HloModule' or a computation");
    } else if (!peek_word("ENTRY") && is_single_instruction()) {
      if (!single_instruction(out)) return false;
    }
    while (!at_end()) {
      if (peek_word("FileNames") || peek_word("FunctionNames") || peek_word("FileLocations") ||
          peek_word("StackFrames")) {
        if (!skip_table()) return false;
      } else if (!computation(out)) {
        return false;
      }
    }
    if (out.computations.empty()) return fail("a computation");
    if (!has_entry_) set_entry(out);  // the last one
    if (!has_header) out.name = "module_" + out.entry_computation_name;
    return true;
  }

 private:
  static void set_entry(HloModule& module) {
    module.entry_computation_id = module.computations.back().id;
    module.entry_computation_name = module.computations.back().name;
  }

  /// True for `name = ...`, `shape opcode(...)` and `opcode(...)` without `->`: no computation begins so.
  bool is_single_instruction() {
    if (peek_shape() || peek_assignment()) return true;
    const std::size_t begin = position();
    std::string_view name_text;
    const bool is_operation = peek() != '%' && name(name_text, "") && peek() == '(' && skip_group() &&
                              !(peek() == '-' && peek_second() == '>');
    rewind(begin);
    return is_operation;
  }

  /// `, name=value` as often as it comes.
  bool skip_attributes() {
    std::string_view attribute_name;
    while (eat(',')) {
      if (!word(attribute_name, "an attribute") || !expect('=')) return false;
      const bool is_alias = attribute_name == "input_output_alias";
      if (!(is_alias || attribute_name == "buffer_donor" ? skip_aliases(is_alias) : skip_value())) return false;
    }
    return true;
  }

  /// `{ {1}: (0, {}, may-alias), ... }`, a place in the result and one in a parameter; or `{ (0, {}), ... }`.
  bool skip_aliases(bool has_result) {
    if (!expect('{')) return false;
    while (!eat('}')) {
      std::int64_t parameter = 0;
      if (has_result && !(skip_place() && expect(':'))) return false;
      if (!expect('(') || !integer(parameter, "a parameter number") || !expect(',') || !skip_place())
        return false;
      if (has_result && eat(',') && !eat_word("may-alias") && !eat_word("must-alias"))
        return fail("may-alias or must-alias");
      if (!expect(')')) return false;
      if (!eat(',')) return expect('}');
    }
    return true;
  }
  /// `{0,1}`: element 1 of element 0.
  bool skip_place() {
    std::int64_t index = 0;
    if (!expect('{')) return false;
    if (eat('}')) return true;
    do {
      if (!integer(index, "an index")) return false;
    } while (eat(','));
    return expect('}');
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
  bool computation(HloModule& out) {
    skip_space();
    const std::size_t begin = position();
    const bool is_entry = eat_word("ENTRY");
    skip_space();
    const std::size_t name_begin = position();
    std::string_view name_text;
    if (!name(name_text, "a computation")) return false;
    if (is_entry && has_entry_) {
      return fail_at(begin,
                     str_cat("one computation marked ENTRY, which is '", out.entry_computation_name, "'"),
                     str_cat("another, '", name_text, "'"), StatusCode::kDataLoss);
    }
    HloShape result;
    std::size_t result_begin = 0;
    const bool has_result = peek() == '(';
    if (has_result) {
      if (!skip_group() || !expect("->")) return false;
      skip_space();
      result_begin = position();
      if (!shape(result)) return false;
    }
    HloComputation current;
    current.name = name_text;
    if (!instructions(out, std::move(current))) return false;
    if (has_result && !is_compatible(result, last_root(out).shape)) {
      return fail_at(result_begin, str_cat("the shape of the root '", last_root(out).name, "'"), "another",
                     StatusCode::kDataLoss);
    }
    if (!skip_attributes()) return false;
    if (!computation_ids_.emplace(name_text, out.computations.back().id).second) {
      return fail_at(name_begin, "a new name for the computation");
    }
    if (is_entry) set_entry(out);
    has_entry_ |= is_entry;
    return true;
  }

  bool has_entry_ = false;
};

}  // namespace detail

/// Reads a module from HLO text, in any of the forms that XLA's own parser takes.
///
/// The text is a module; or computations without the `HloModule` line, the module's name then being `module_`
/// and that of the entry; or a single instruction, whose operands become parameters. The entry is the
/// computation marked ENTRY, or the last one. Computations and instructions keep the order of the text; what is
/// written inside an instruction stands in front of it: `to_apply={ ... }`, `add(negate(x), y)`, and `%p#1`,
/// which becomes a get-tuple-element. Ids are given out in that order. Literals, shardings, backend configs and
/// everything else that makes no feature is skipped. Where the text leaves something out, XLA's defaults hold:
/// layouts are major to minor, windows have stride and dilation 1 and no padding, groups are 1. A shape that is
/// left out is worked out as XLA does, but not for: broadcast, fft, topk, scan, ragged-dot, scaled-dot, whose
/// result does not follow from operands and the attributes read here, and those for which XLA asks for a shape.
/// `slice-start(...)` and the like become an async-start that calls a computation of its own, as in a protobuf;
/// HloModule::num_async_expanded counts the instructions that come from it. Operands that come later, by
/// `slice-update(...)`, are those of that computation, too.
///
/// Refused as by XLA: names that are not there or there twice, two entries, roots or parameters of one number,
/// shapes that are said twice and differ, `async-done` of what has not begun or of another thread; operands too
/// few or too many, attributes that are missing or there twice where they make a feature, an edge or a shape
/// (hlo_rules.hpp); constants of other sizes than their shape, or with numbers that its type does not hold
/// (hlo_literal.hpp); places in `input_output_alias` and `buffer_donor`; constraints of a custom call that are
/// not its operands' shapes.
///
/// Accepted other than by XLA, as no feature comes from it and newer versions write more of it: opcodes that
/// are not known, which have id 0; attributes that an opcode does not take; those that are missing and make no
/// feature, such as `direction`; the words inside `api_version`, `result_accuracy`, `debug_attributes`,
/// `replica_groups`, `sharding`, tiles of a layout, `literal` of a custom call, of which brackets and quotes
/// are looked at. `{...}` stands for the value of a constant of any shape, as XLA prints it but does not read
/// it. What XLA's verifier looks at is not checked: a shape that is said need not follow from the operands'.
///
/// Errors: kDataLoss with `file:line:column: expected ..., found ...`; kResourceExhausted beyond `limits`.
/// Cost:   one pass; memory is bounded by `limits`, the stack by their max_depth.
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

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_TEXT_HPP
