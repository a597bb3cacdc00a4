// SPDX-License-Identifier: Apache-2.0
// Builder: makes a program instruction by instruction, with inferred and checked shapes.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_BUILDER_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_BUILDER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ir.hpp"

namespace minicompiler {

/// A value of the program that is being built.
struct Value {
  std::size_t index = 0;
};

/// Builds a program. The first error is kept and told by build(); what is added after it is ignored.
///
///   Builder b("mlp");
///   const Value x = b.parameter({8, 16});
///   b.unary(Op::kTanh, b.dot(x, b.parameter({16, 4})));
///   mg::Result<Program> program = b.build();
class Builder {
 public:
  explicit Builder(std::string name) { program_.name = std::move(name); }

  Value parameter(Dims shape) {
    Instruction inst = make(Op::kParameter, {});
    inst.shape = std::move(shape);
    return add(std::move(inst));
  }
  /// One number, of shape ().
  Value constant(float value) {
    Instruction inst = make(Op::kConstant, {});
    inst.value = value;
    return add(std::move(inst));
  }

  /// copy, negate, abs, exponential, log, tanh, logistic, sqrt, rsqrt.
  Value unary(Op op, Value x) { return add(make(op, {x})); }
  /// add, subtract, multiply, divide, maximum, minimum.
  Value binary(Op op, Value a, Value b) { return add(make(op, {a, b})); }
  Value add(Value a, Value b) { return binary(Op::kAdd, a, b); }
  Value subtract(Value a, Value b) { return binary(Op::kSubtract, a, b); }
  Value multiply(Value a, Value b) { return binary(Op::kMultiply, a, b); }
  Value compare(Comparison comparison, Value a, Value b) {
    Instruction inst = make(Op::kCompare, {a, b});
    inst.comparison = comparison;
    return add(std::move(inst));
  }
  Value select(Value condition, Value yes, Value no) { return add(make(Op::kSelect, {condition, yes, no})); }

  /// `dimensions`: where each of x's goes.
  Value broadcast(Value x, Dims shape, Dims dimensions) {
    Instruction inst = make(Op::kBroadcast, {x});
    inst.shape = std::move(shape);
    inst.dimensions = std::move(dimensions);
    return add(std::move(inst));
  }
  Value transpose(Value x, Dims dimensions) {
    Instruction inst = make(Op::kTranspose, {x});
    inst.dimensions = std::move(dimensions);
    return add(std::move(inst));
  }
  /// Of a broadcast, transpose or slice: a reshape of a copy of it, which is made here.
  Value reshape(Value x, Dims shape) {
    if (status_.ok() && x.index < program_.instructions.size()) {
      const Op op = program_.instructions[x.index].op;
      if (is_view(op) && op != Op::kReshape) x = unary(Op::kCopy, x);
    }
    Instruction inst = make(Op::kReshape, {x});
    inst.shape = std::move(shape);
    return add(std::move(inst));
  }
  Value slice(Value x, Dims starts, Dims shape) {
    Instruction inst = make(Op::kSlice, {x});
    inst.starts = std::move(starts);
    inst.shape = std::move(shape);
    return add(std::move(inst));
  }
  Value concatenate(const std::vector<Value>& pieces, std::int64_t dimension) {
    Instruction inst = make(Op::kConcatenate, pieces);
    inst.dimensions = {dimension};
    return add(std::move(inst));
  }

  Value reduce(Value x, Dims dimensions, ReduceKind kind = ReduceKind::kSum) {
    Instruction inst = make(Op::kReduce, {x});
    inst.dimensions = std::move(dimensions);
    inst.reduce = kind;
    return add(std::move(inst));
  }
  Value reduce_window(Value x, const Window& window, ReduceKind kind = ReduceKind::kSum) {
    Instruction inst = make(Op::kReduceWindow, {x});
    inst.window = window;
    inst.reduce = kind;
    return add(std::move(inst));
  }
  Value dot(Value lhs, Value rhs) { return add(make(Op::kDot, {lhs, rhs})); }
  Value convolution(Value x, Value kernel, const Window& window, std::int64_t groups = 1) {
    Instruction inst = make(Op::kConvolution, {x, kernel});
    inst.window = window;
    inst.groups = groups;
    return add(std::move(inst));
  }

  /// Appends any instruction; its name is made where it has none, its shape where the operands decide it.
  Value add(Instruction inst) {
    if (!status_.ok()) return {};
    const std::size_t index = program_.instructions.size();
    if (inst.name.empty()) inst.name = mg::str_cat(op_name(inst.op), ".", index);
    mg::Result<Dims> shape = infer_shape(program_, inst);
    if (!shape.ok()) {
      status_ = shape.status();
      return {};
    }
    inst.shape = std::move(*shape);
    program_.instructions.push_back(std::move(inst));
    return {index};
  }

  /// The shape of a value; () after an error.
  [[nodiscard]] Dims shape(Value v) const {
    return v.index < program_.instructions.size() ? program_.instructions[v.index].shape : Dims();
  }
  [[nodiscard]] const mg::Status& status() const { return status_; }
  [[nodiscard]] const Program& program() const { return program_; }

  /// The program, whose result is the last value. Errors: the first one that was met; no instruction.
  [[nodiscard]] mg::Result<Program> build() {
    MLGRAPH_RETURN_IF_ERROR(status_);
    if (program_.instructions.empty())
      return mg::Status::invalid_argument(mg::str_cat(program_.name, ": has no instruction"));
    return std::move(program_);
  }

 private:
  static Instruction make(Op op, const std::vector<Value>& operands) {
    Instruction inst;
    inst.op = op;
    for (const Value v : operands) inst.operands.push_back(v.index);
    return inst;
  }

  Program program_;
  mg::Status status_;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_BUILDER_HPP
