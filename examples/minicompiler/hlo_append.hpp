// SPDX-License-Identifier: Apache-2.0
// OperatorAppender: appends operators to a program that is read from another form, and undoes what came to
// nothing.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_HLO_APPEND_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_HLO_APPEND_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builder.hpp"
#include "ir.hpp"

namespace minicompiler::detail {

/// A Builder whose errors are returned, and undone by the caller. What would change nothing (a transpose by the
/// identity, a reshape to the same shape) is not appended.
class OperatorAppender {
 public:
  using Values = std::vector<Value>;  // of a tuple several

  explicit OperatorAppender(std::string name) { program_.name = std::move(name); }

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] const Dims& shape(Value v) const { return program_.instructions[v.index].shape; }
  /// Forgets the instructions from `size` on.
  void undo_to(std::size_t size) { program_.instructions.resize(size); }

  mg::Result<Value> add(Op op, const Values& operands, Instruction inst = {}) {
    inst.op = op;
    for (const Value v : operands) inst.operands.push_back(v.index);
    inst.name = mg::str_cat(op_name(op), ".", program_.instructions.size());
    MLGRAPH_ASSIGN_OR_RETURN(inst.shape, infer_shape(program_, inst));
    program_.instructions.push_back(std::move(inst));
    return Value{program_.instructions.size() - 1};
  }
  mg::Result<Value> parameter(const Dims& to) {
    Instruction inst;
    inst.shape = to;
    return add(Op::kParameter, {}, std::move(inst));
  }
  /// One number, repeated.
  mg::Result<Value> filled(float value, const Dims& to) {
    Instruction constant;
    constant.value = value;
    MLGRAPH_ASSIGN_OR_RETURN(const Value number, add(Op::kConstant, {}, std::move(constant)));
    return broadcast(number, to, {});
  }
  mg::Result<Value> broadcast(Value x, const Dims& to, const Dims& dimensions) {
    if (shape(x) == to && std::is_sorted(dimensions.begin(), dimensions.end())) return x;
    Instruction inst;
    inst.shape = to;
    inst.dimensions = dimensions;
    return add(Op::kBroadcast, {x}, std::move(inst));
  }
  /// The same for a value of shape (); any other stays.
  mg::Result<Value> broadcast_scalar(Value x, const Dims& to) {
    return shape(x).empty() ? broadcast(x, to, {}) : mg::Result<Value>(x);
  }
  mg::Result<Value> transposed(Value x, const Dims& dimensions) {
    Dims identity(dimensions.size());
    std::iota(identity.begin(), identity.end(), 0);
    if (dimensions == identity) return x;
    Instruction inst;
    inst.dimensions = dimensions;
    return add(Op::kTranspose, {x}, std::move(inst));
  }
  mg::Result<Value> reshaped(Value x, const Dims& to) {
    if (shape(x) == to) return x;
    const Op op = program_.instructions[x.index].op;
    if (is_view(op) && op != Op::kReshape) {
      MLGRAPH_ASSIGN_OR_RETURN(x, add(Op::kCopy, {x}));
    }
    Instruction inst;
    inst.shape = to;
    return add(Op::kReshape, {x}, std::move(inst));
  }
  mg::Result<Value> reduced(Value x, const Dims& dimensions, ReduceKind kind) {
    Instruction inst;
    inst.dimensions = dimensions;
    inst.reduce = kind;
    return add(Op::kReduce, {x}, std::move(inst));
  }
  mg::Result<Value> concatenated(const Values& pieces, std::int64_t dimension) {
    Instruction inst;
    inst.dimensions = {dimension};
    return add(Op::kConcatenate, pieces, std::move(inst));
  }
  /// The number that a value repeats, where it does and it is known.
  [[nodiscard]] std::optional<float> repeated_number(Value v) const {
    const Instruction* inst = &program_.instructions[v.index];
    while (inst->op == Op::kBroadcast || inst->op == Op::kReshape || inst->op == Op::kCopy)
      inst = &program_.operand(*inst, 0);
    return inst->op == Op::kConstant ? std::optional<float>(inst->value) : std::nullopt;
  }

 private:
  Program program_;
};

}  // namespace minicompiler::detail

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_HLO_APPEND_HPP
