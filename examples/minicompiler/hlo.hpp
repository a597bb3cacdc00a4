// SPDX-License-Identifier: Apache-2.0
// Programs from XLA HLO text: whole dense f32 modules, or the largest dense part of any module.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder.hpp"
#include "hlo_convert.hpp"
#include "ir.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_text.hpp"

namespace minicompiler {

/// What is read of a module.
struct HloOptions {
  /// The largest connected set of instructions that are understood, with parameters in place of what is not;
  /// otherwise one that is not understood is an error.
  bool only_largest_region = false;
  /// Of a larger region that many operators in a row, those with the most arithmetic.
  std::size_t max_operators = std::numeric_limits<std::size_t>::max();
  bool bf16_as_f32 = false;
};

struct HloProgram {
  Program program;
  std::size_t num_read = 0;          // of the module's instructions
  std::size_t num_instructions = 0;  // that compute; of called computations as often as they are called
};

namespace detail {

/// Reads the entry computation, with what it calls in place of the calls.
class HloReading {
 public:
  HloReading(const mg::io::HloModule& module, const HloDetailsByName& details, const HloOptions& options)
      : module_(module), details_(details), options_(options), converter_(module.name) {}

  /// The values of the root; instructions() has all that was understood.
  mg::Result<std::vector<Value>> run() {
    const mg::io::HloComputation* const entry = computation(module_.entry_computation_id);
    if (entry == nullptr) return mg::Status::data_loss(mg::str_cat(module_.name, ": has no entry computation"));
    return read_computation(*entry, nullptr, 0);
  }

  [[nodiscard]] const Program& program() const { return converter_.program(); }
  /// Of each of the module's instructions that was understood what it became in the program.
  [[nodiscard]] const std::vector<std::size_t>& became() const { return became_; }
  [[nodiscard]] std::size_t num_instructions() const { return num_instructions_; }

 private:
  using Values = HloConverter::Values;
  static constexpr std::size_t kAbsent = std::numeric_limits<std::size_t>::max();
  static constexpr int kMaxDepth = 50;  // of calls in calls

  [[nodiscard]] const mg::io::HloComputation* computation(std::int64_t id) const {
    for (const mg::io::HloComputation& c : module_.computations) {
      if (c.id == id) return &c;
    }
    return nullptr;
  }
  [[nodiscard]] const mg::io::HloComputation* called(const mg::io::HloInstruction& inst) const {
    return inst.called_computation_ids.size() == 1 ? computation(inst.called_computation_ids[0]) : nullptr;
  }
  [[nodiscard]] mg::Status error(const mg::io::HloInstruction& inst, const std::string& what) const {
    return mg::Status::invalid_argument(mg::str_cat(module_.name, ": instruction '", inst.name, "' ", what));
  }

  /// The values of the root. `arguments`: of each operand of the call; null: of the entry.
  mg::Result<Values> read_computation(const mg::io::HloComputation& body, const std::vector<Values>* arguments,
                                      int depth) {
    std::map<std::int64_t, Values> values;
    std::map<std::int64_t, const mg::io::HloShape*> shapes;
    Values root;
    for (const mg::io::HloInstruction& inst : body.instructions) {
      std::vector<Values> in;
      bool is_row_major = true;
      for (const std::int64_t id : inst.operand_ids) {
        const auto found = values.find(id);
        if (found == values.end()) return error(inst, "has an operand that is not read before it");
        in.push_back(found->second);
        const Dims& order = shapes[id]->minor_to_major;
        is_row_major = is_row_major && std::is_sorted(order.rbegin(), order.rend());
      }
      Values& out = values[inst.id];
      shapes[inst.id] = &inst.shape;
      const mg::io::HloComputation* const callee = called(inst);
      if (inst.opcode == "tuple") {
        for (const Values& v : in) out.push_back(v.size() == 1 ? v[0] : Value{kAbsent});
      } else if (inst.opcode == "get-tuple-element") {
        const auto i = static_cast<std::size_t>(inst.tuple_index);
        const bool is_there = in.size() == 1 && i < in[0].size() && in[0][i].index != kAbsent;
        MLGRAPH_ASSIGN_OR_RETURN(out, is_there ? mg::Result<Values>(Values{in[0][i]})
                                               : unknown(inst, "reads no element that is known"));
      } else if ((inst.opcode == "call" || inst.opcode == "fusion") && callee != nullptr && depth < kMaxDepth) {
        MLGRAPH_ASSIGN_OR_RETURN(out, read_computation(*callee, &in, depth + 1));
      } else if (inst.opcode == "parameter" && arguments != nullptr) {
        const auto i = static_cast<std::size_t>(inst.parameter_number);
        if (i >= arguments->size()) return error(inst, "is of no operand of the call");
        out = (*arguments)[i];
      } else {
        MLGRAPH_ASSIGN_OR_RETURN(out, read(inst, in, is_row_major));
      }
      if (inst.id == body.root_id) root = out;
    }
    return root;
  }

  [[nodiscard]] bool is_understood(std::int32_t element_type) const {
    constexpr std::int32_t kPred = 1, kF32 = 11, kBf16 = 16;  // XLA's PrimitiveType
    return element_type == kF32 || element_type == kPred || (options_.bf16_as_f32 && element_type == kBf16);
  }

  mg::Result<Values> read(const mg::io::HloInstruction& inst, const std::vector<Values>& in,
                          bool is_row_major) {
    if (inst.opcode == "parameter") return unknown(inst, "");
    if (inst.opcode != "constant") ++num_instructions_;
    const std::size_t before = program().instructions.size();
    if (!is_understood(inst.shape.element_type) && inst.shape.tuple_shapes.empty())
      return unknown(inst, "is not of type f32");
    if (inst.opcode == "bitcast") {
      const Dims& order = inst.shape.minor_to_major;
      if (!is_row_major || !std::is_sorted(order.rbegin(), order.rend()))
        return unknown(inst, "moves elements by its layouts");
    }
    Values operands;
    for (const Values& v : in) {
      if (v.size() != 1 || v[0].index == kAbsent) return unknown(inst, "has an operand that is not read");
      operands.push_back(v[0]);
    }
    const auto found = details_.find(inst.name);
    mg::Result<Values> made = converter_.convert(inst, found == details_.end() ? HloDetails() : found->second,
                                                 operands, reduces_by(inst));
    if (!made.ok()) {
      converter_.undo_to(before);
      return unknown(inst, made.status().message());
    }
    if (inst.opcode != "constant") became_.push_back((*made)[0].index);
    return made;
  }

  /// A parameter in its place, where it is an array that a program may have; an error unless such are wanted.
  mg::Result<Values> unknown(const mg::io::HloInstruction& inst, const std::string& why) {
    const bool is_given = inst.opcode == "parameter" || inst.opcode == "constant";
    if (!options_.only_largest_region && !is_given) return error(inst, why);
    if (!is_understood(inst.shape.element_type) || !check_shape(inst.shape.dimensions).ok())
      return Values{Value{kAbsent}};
    MLGRAPH_ASSIGN_OR_RETURN(const Value value, converter_.parameter(inst.shape.dimensions));
    return Values{value};
  }

  /// The operation of the root of what an instruction calls.
  [[nodiscard]] std::string_view reduces_by(const mg::io::HloInstruction& inst) const {
    const mg::io::HloComputation* const region = called(inst);
    for (std::size_t i = 0; region != nullptr && i < region->instructions.size(); ++i) {
      if (region->instructions[i].id == region->root_id) return region->instructions[i].opcode;
    }
    return {};
  }

  const mg::io::HloModule& module_;
  const HloDetailsByName& details_;
  const HloOptions& options_;
  HloConverter converter_;
  std::vector<std::size_t> became_;
  std::size_t num_instructions_ = 0;
};

/// Chooses instructions of a program and makes a program of them.
class Region {
 public:
  explicit Region(const Program& from) : from_(from), chosen_(from.instructions.size(), true) {
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      const Instruction& inst = from.instructions[i];
      // A source or a view of one: made again wherever it is needed, and no connection between its users.
      const bool is_given =
          is_source(inst.op) || (is_view(inst.op) && inst.op != Op::kReshape && given_[inst.operands[0]]);
      given_.push_back(is_given || (inst.op == Op::kReshape && given_[inst.operands[0]]));
      chosen_[i] = !given_[i];
    }
  }

  /// Keeps what the values need.
  void keep_ancestors(const std::vector<Value>& of) {
    std::vector<bool> needed(chosen_.size());
    for (const Value v : of) {
      if (v.index < needed.size()) needed[v.index] = true;  // else nothing that a program may have
    }
    for (std::size_t i = needed.size(); i-- > 0;) {
      if (!needed[i]) continue;
      for (const std::size_t o : from_.instructions[i].operands) needed[o] = true;
    }
    for (std::size_t i = 0; i < needed.size(); ++i) chosen_[i] = chosen_[i] && needed[i];
  }

  /// Keeps the connected part with the most operators.
  void keep_largest_part() {
    std::vector<std::size_t> part(chosen_.size());
    std::iota(part.begin(), part.end(), std::size_t{0});
    const auto find = [&](std::size_t i) {
      while (part[i] != i) i = part[i] = part[part[i]];
      return i;
    };
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (!chosen_[i]) continue;
      for (const std::size_t o : from_.instructions[i].operands) {
        if (chosen_[o]) part[find(o)] = find(i);
      }
    }
    std::vector<std::size_t> size(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) size[find(i)] += chosen_[i] && is_operator(i) ? 1 : 0;
    const auto largest = static_cast<std::size_t>(std::max_element(size.begin(), size.end()) - size.begin());
    for (std::size_t i = 0; i < part.size(); ++i) chosen_[i] = chosen_[i] && find(i) == largest;
  }

  /// Keeps that many operators in a row, those with the most arithmetic, and what of them is connected.
  void keep_at_most(std::size_t max_operators) {
    std::vector<std::size_t> operators;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i] && is_operator(i)) operators.push_back(i);
    }
    if (operators.size() <= max_operators || max_operators == 0) return;
    std::int64_t flops = 0, most = -1;
    std::size_t last = 0;
    for (std::size_t k = 0; k < operators.size(); ++k) {
      flops += num_flops(from_, from_.instructions[operators[k]]);
      if (k >= max_operators) flops -= num_flops(from_, from_.instructions[operators[k - max_operators]]);
      if (k + 1 < max_operators || flops <= most) continue;
      most = flops;
      last = k;
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i)
      chosen_[i] = chosen_[i] && i >= operators[last + 1 - max_operators] && i <= operators[last];
    keep_largest_part();
  }

  /// The program of what was chosen. Its result: the values that nothing chosen reads, in a row where they are
  /// several. `made`: for each instruction that has a part in it what it is there.
  [[nodiscard]] mg::Result<Program> program(std::map<std::size_t, Value>& made) const {
    Builder b(from_.name);
    std::vector<bool> is_read(chosen_.size());
    for (std::size_t i = chosen_.size(); i-- > 0;) {
      if (!chosen_[i] && !(given_[i] && is_read[i])) continue;
      for (const std::size_t o : from_.instructions[i].operands) is_read[o] = true;
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i) {  // parameters stay in their order
      const bool is_input = from_.instructions[i].op == Op::kParameter || !given_[i];
      if (is_read[i] && !chosen_[i] && is_input) made.emplace(i, b.parameter(from_.instructions[i].shape));
    }
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i]) make(i, b, made);
    }
    std::vector<Value> results;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i] && !is_read[i]) results.push_back(made[i]);
    }
    if (results.empty())
      return mg::Status::invalid_argument(mg::str_cat(from_.name, ": has nothing to compute"));
    combine(b, std::move(results));
    return b.build();
  }

 private:
  [[nodiscard]] bool is_operator(std::size_t i) const { return !is_view(from_.instructions[i].op); }

  Value make(std::size_t i, Builder& b, std::map<std::size_t, Value>& made) const {
    const auto found = made.find(i);
    if (found != made.end()) return found->second;
    Instruction inst = from_.instructions[i];
    inst.name.clear();
    for (std::size_t& o : inst.operands) o = make(o, b, made).index;
    const Value value = b.add(std::move(inst));
    made.emplace(i, value);
    return value;
  }

  static void combine(Builder& b, std::vector<Value> results) {
    if (results.size() == 1) {
      if (is_view(b.program().instructions[results[0].index].op)) b.unary(Op::kCopy, results[0]);
      return;
    }
    for (Value& v : results) v = b.reshape(v, {num_elements(b.shape(v))});
    while (results.size() > 1) {  // a concatenation has at most 64 operands
      std::vector<Value> joined;
      for (std::size_t i = 0; i < results.size(); i += 64) {
        const auto begin = results.begin() + static_cast<std::ptrdiff_t>(i);
        const auto end = results.begin() + static_cast<std::ptrdiff_t>(std::min(results.size(), i + 64));
        joined.push_back(end - begin == 1 ? *begin : b.concatenate(std::vector<Value>(begin, end), 0));
      }
      results = std::move(joined);
    }
  }

  const Program& from_;
  std::vector<bool> given_;
  std::vector<bool> chosen_;
};

}  // namespace detail

/// A program from HLO text. Calls and fusions are read as what they call; dots and convolutions of any
/// dimension order get transposes and reshapes around them. Parameters that nothing reads are left out. What
/// several results have is one value in the end: their elements in a row. Errors: of
/// mlgraph::io::read_hlo_text(); an instruction that is not understood, by name; nothing is.
[[nodiscard]] inline mg::Result<HloProgram> from_hlo(std::string_view text, std::string_view file = "hlo",
                                                     const HloOptions& options = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const mg::io::HloModule module, mg::io::read_hlo_text(text, file));
  const detail::HloDetailsByName details = detail::hlo_details(text);
  detail::HloReading reading(module, details, options);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Value> root, reading.run());
  detail::Region region(reading.program());
  if (options.only_largest_region) {
    region.keep_largest_part();
    region.keep_at_most(options.max_operators);
  } else {
    region.keep_ancestors(root);
  }
  HloProgram read;
  std::map<std::size_t, Value> made;
  MLGRAPH_ASSIGN_OR_RETURN(read.program, region.program(made));
  const auto is_made = [&](std::size_t i) { return made.count(i) != 0; };
  read.num_read =
      static_cast<std::size_t>(std::count_if(reading.became().begin(), reading.became().end(), is_made));
  read.num_instructions = reading.num_instructions();
  return read;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_HPP
