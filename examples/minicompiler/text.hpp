// SPDX-License-Identifier: Apache-2.0
// The text form of a program: printed, and parsed with errors that say file, line, column and what was
// expected.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_TEXT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_TEXT_HPP

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "builder.hpp"
#include "ir.hpp"

// program mlp {
//   x = parameter() f32[8,16]
//   w = parameter() f32[16,4]
//   y = dot(x, w) f32[8,4]
//   r = reduce(y) f32[8] dimensions={1} kind=sum
// }
//
// One instruction a line; `#` begins a comment. Every instruction states its shape, which is checked. The last
// one is the result. Attributes, in this order: value=x of constant; comparison=EQ|NE|GE|GT|LE|LT of compare;
// dimensions={...} of broadcast, transpose, concatenate and reduce; starts={...} of slice; kind=sum|maximum of
// reduce and reduce-window; size={h,w} of reduce-window; stride={h,w} and padding={low_high,low_high} of
// reduce-window and convolution; groups=n of convolution.

namespace minicompiler {

namespace detail {

[[nodiscard]] inline std::string list_text(const Dims& values) {
  std::string text = "{";
  for (std::size_t i = 0; i < values.size(); ++i) text += mg::str_cat(i == 0 ? "" : ",", values[i]);
  return text + "}";
}

[[nodiscard]] inline bool has_dimensions(Op op) {
  return op == Op::kBroadcast || op == Op::kReduce || op == Op::kTranspose || op == Op::kConcatenate;
}
[[nodiscard]] inline bool has_kind(Op op) { return op == Op::kReduce || op == Op::kReduceWindow; }
[[nodiscard]] inline bool has_window(Op op) { return op == Op::kConvolution || op == Op::kReduceWindow; }

/// The shortest decimal number that is read back as the same f32.
[[nodiscard]] inline std::string number_text(float value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

[[nodiscard]] inline std::string attributes_text(const Instruction& inst) {
  std::string text;
  if (inst.op == Op::kConstant) text += mg::str_cat(" value=", number_text(inst.value));
  if (inst.op == Op::kCompare)
    text += mg::str_cat(" comparison=", kComparisonNames[static_cast<std::size_t>(inst.comparison)]);
  if (has_dimensions(inst.op)) text += mg::str_cat(" dimensions=", list_text(inst.dimensions));
  if (inst.op == Op::kSlice) text += mg::str_cat(" starts=", list_text(inst.starts));
  if (has_kind(inst.op)) text += inst.reduce == ReduceKind::kSum ? " kind=sum" : " kind=maximum";
  const Window& w = inst.window;
  if (inst.op == Op::kReduceWindow) text += mg::str_cat(" size={", w.size[0], ",", w.size[1], "}");
  if (has_window(inst.op)) {
    text += mg::str_cat(" stride={", w.stride[0], ",", w.stride[1], "} padding={", w.padding_low[0], "_",
                        w.padding_high[0], ",", w.padding_low[1], "_", w.padding_high[1], "}");
  }
  if (inst.op == Op::kConvolution) text += mg::str_cat(" groups=", inst.groups);
  return text;
}

}  // namespace detail

/// The program as text, which parse_program() reads back.
[[nodiscard]] inline std::string to_text(const Program& program) {
  std::string text = mg::str_cat("program ", program.name, " {\n");
  for (const Instruction& inst : program.instructions) {
    text += mg::str_cat("  ", inst.name, " = ", op_name(inst.op), "(");
    for (std::size_t i = 0; i < inst.operands.size(); ++i)
      text += mg::str_cat(i == 0 ? "" : ", ", program.operand(inst, i).name);
    text += mg::str_cat(") ", shape_text(inst.shape));
    text += detail::attributes_text(inst);
    text += "\n";
  }
  return text + "}\n";
}

namespace detail {

class Parser {
 public:
  Parser(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  mg::Result<Program> program() {
    std::string name;
    MLGRAPH_RETURN_IF_ERROR(word("program"));
    MLGRAPH_RETURN_IF_ERROR(identifier("the program's name", name));
    MLGRAPH_RETURN_IF_ERROR(symbol('{'));
    Builder builder(std::move(name));
    while (peek() != '}') MLGRAPH_RETURN_IF_ERROR(instruction(builder));
    ++at_;
    if (peek() != '\0') return expected("nothing after the program");
    mg::Result<Program> program = builder.build();
    if (!program.ok()) return mg::Status::data_loss(mg::str_cat(file_, ": ", program.status().message()));
    return program;
  }

 private:
  /// The next character that is neither space nor comment; '\0' at the end.
  char peek() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return text_[at_];
      }
    }
    return '\0';
  }

  [[nodiscard]] mg::Status error_at(std::size_t place, const std::string& what) const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < place; ++i) {
      ++column;
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      }
    }
    return mg::Status::data_loss(mg::str_cat(file_, ":", line, ":", column, ": ", what));
  }
  mg::Status expected(std::string_view what) {
    const char c = peek();
    std::string found = "the end";
    if (c != '\0') {
      std::size_t end = at_;
      while (end < text_.size() && is_name(text_[end])) ++end;
      found = mg::str_cat("'", text_.substr(at_, std::max<std::size_t>(end - at_, 1)), "'");
    }
    return error_at(at_, mg::str_cat("expected ", what, ", found ", found));
  }

  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
  }
  mg::Status identifier(std::string_view what, std::string& name) {
    peek();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == begin) return expected(what);
    name = std::string(text_.substr(begin, at_ - begin));
    return {};
  }
  mg::Status word(std::string_view wanted) {
    peek();
    const std::size_t begin = at_;
    std::string name;
    const mg::Status status = identifier(wanted, name);
    if (status.ok() && name == wanted) return {};
    at_ = begin;
    return expected(mg::str_cat("'", wanted, "'"));
  }
  mg::Status symbol(char wanted) {
    if (peek() != wanted) return expected(mg::str_cat("'", wanted, "'"));
    ++at_;
    return {};
  }
  bool next_is(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  template <class T>
  mg::Status number(T& value) {
    peek();
    const std::from_chars_result end = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (end.ec != std::errc()) return expected("a number");
    at_ = static_cast<std::size_t>(end.ptr - text_.data());
    return {};
  }
  /// Numbers between `open` and `close`.
  mg::Status list(char open, char close, Dims& values) {
    values.clear();
    MLGRAPH_RETURN_IF_ERROR(symbol(open));
    if (next_is(close)) return {};
    do {
      MLGRAPH_RETURN_IF_ERROR(number(values.emplace_back()));
    } while (next_is(','));
    return symbol(close);
  }

  mg::Status instruction(Builder& builder) {
    Instruction inst;
    peek();
    const std::size_t begin = at_;
    MLGRAPH_RETURN_IF_ERROR(identifier("an instruction or '}'", inst.name));
    if (values_.count(inst.name) != 0)
      return error_at(begin, mg::str_cat("'", inst.name, "' was defined before"));
    MLGRAPH_RETURN_IF_ERROR(symbol('='));
    MLGRAPH_RETURN_IF_ERROR(opcode(inst.op));
    MLGRAPH_RETURN_IF_ERROR(operands(inst));
    MLGRAPH_RETURN_IF_ERROR(word("f32"));
    MLGRAPH_RETURN_IF_ERROR(list('[', ']', inst.shape));
    MLGRAPH_RETURN_IF_ERROR(attributes(inst));

    const Dims stated = inst.shape;
    const std::string name = inst.name;
    values_[name] = builder.add(std::move(inst));
    if (!builder.status().ok()) return error_at(begin, builder.status().message());
    const Dims made = builder.program().instructions.back().shape;
    if (made == stated) return {};
    return error_at(begin,
                    mg::str_cat("expected the shape ", shape_text(made), ", found ", shape_text(stated)));
  }

  mg::Status opcode(Op& op) {
    peek();
    const std::size_t begin = at_;
    std::string name;
    MLGRAPH_RETURN_IF_ERROR(identifier("an operation", name));
    const auto found = std::find(kOpNames.begin(), kOpNames.end(), name);
    if (found == kOpNames.end()) {
      at_ = begin;
      return expected("an operation such as dot or add");
    }
    op = static_cast<Op>(found - kOpNames.begin());
    return {};
  }
  mg::Status operands(Instruction& inst) {
    MLGRAPH_RETURN_IF_ERROR(symbol('('));
    if (next_is(')')) return {};
    do {
      peek();
      const std::size_t begin = at_;
      std::string name;
      MLGRAPH_RETURN_IF_ERROR(identifier("an operand", name));
      const auto found = values_.find(name);
      if (found == values_.end()) {
        at_ = begin;
        return expected("an operand that was defined before");
      }
      inst.operands.push_back(found->second.index);
    } while (next_is(','));
    return symbol(')');
  }
  mg::Status attribute(std::string_view name) {
    MLGRAPH_RETURN_IF_ERROR(word(name));
    return symbol('=');
  }
  mg::Status attributes(Instruction& inst) {
    if (inst.op == Op::kConstant) {
      MLGRAPH_RETURN_IF_ERROR(attribute("value"));
      MLGRAPH_RETURN_IF_ERROR(number(inst.value));
    }
    if (inst.op == Op::kCompare)
      MLGRAPH_RETURN_IF_ERROR(
          choice("comparison", "EQ, NE, GE, GT, LE or LT", kComparisonNames, inst.comparison));
    if (has_dimensions(inst.op)) {
      MLGRAPH_RETURN_IF_ERROR(attribute("dimensions"));
      MLGRAPH_RETURN_IF_ERROR(list('{', '}', inst.dimensions));
    }
    if (inst.op == Op::kSlice) {
      MLGRAPH_RETURN_IF_ERROR(attribute("starts"));
      MLGRAPH_RETURN_IF_ERROR(list('{', '}', inst.starts));
    }
    if (has_kind(inst.op)) {
      constexpr std::array<std::string_view, 2> kKinds = {"sum", "maximum"};
      MLGRAPH_RETURN_IF_ERROR(choice("kind", "sum or maximum", kKinds, inst.reduce));
    }
    if (inst.op == Op::kReduceWindow) MLGRAPH_RETURN_IF_ERROR(pair("size", inst.window.size));
    if (has_window(inst.op)) {
      MLGRAPH_RETURN_IF_ERROR(pair("stride", inst.window.stride));
      MLGRAPH_RETURN_IF_ERROR(padding(inst.window));
    }
    if (inst.op == Op::kConvolution) {
      MLGRAPH_RETURN_IF_ERROR(attribute("groups"));
      MLGRAPH_RETURN_IF_ERROR(number(inst.groups));
    }
    return {};
  }
  /// One of some names, in the order of the enumerators of E.
  template <class E, std::size_t N>
  mg::Status choice(std::string_view name, std::string_view what, const std::array<std::string_view, N>& names,
                    E& value) {
    MLGRAPH_RETURN_IF_ERROR(attribute(name));
    peek();
    const std::size_t begin = at_;
    std::string found;
    MLGRAPH_RETURN_IF_ERROR(identifier(what, found));
    const auto place = std::find(names.begin(), names.end(), found);
    if (place == names.end()) {
      at_ = begin;
      return expected(what);
    }
    value = static_cast<E>(place - names.begin());
    return {};
  }
  mg::Status pair(std::string_view name, std::array<std::int64_t, 2>& values) {
    Dims list_of_two;
    MLGRAPH_RETURN_IF_ERROR(attribute(name));
    const std::size_t begin = at_;
    MLGRAPH_RETURN_IF_ERROR(list('{', '}', list_of_two));
    if (list_of_two.size() != 2) return error_at(begin, "expected two numbers: {height,width}");
    values = {list_of_two[0], list_of_two[1]};
    return {};
  }
  mg::Status padding(Window& window) {
    MLGRAPH_RETURN_IF_ERROR(attribute("padding"));
    MLGRAPH_RETURN_IF_ERROR(symbol('{'));
    for (std::size_t d = 0; d < 2; ++d) {
      if (d > 0) MLGRAPH_RETURN_IF_ERROR(symbol(','));
      MLGRAPH_RETURN_IF_ERROR(number(window.padding_low[d]));
      MLGRAPH_RETURN_IF_ERROR(symbol('_'));
      MLGRAPH_RETURN_IF_ERROR(number(window.padding_high[d]));
    }
    return symbol('}');
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t at_ = 0;
  std::map<std::string, Value> values_;
};

}  // namespace detail

/// Reads a program. Errors: kDataLoss, `file:line:column: expected ..., found ...`, or what is wrong with an
/// instruction's operands or shape.
[[nodiscard]] inline mg::Result<Program> parse_program(std::string_view text,
                                                       std::string_view file = "program") {
  return detail::Parser(text, file).program();
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_TEXT_HPP
