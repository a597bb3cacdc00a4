// SPDX-License-Identifier: Apache-2.0
// The picture of a program's layouts for the report: its operations and the copies that a configuration needs.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_PICTURE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_PICTURE_HPP

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compile.hpp"
#include "report.hpp"

namespace minicompiler {

/// Operations but parameters and broadcasts, and copies in front of who needs them. Errors: the compiler's.
[[nodiscard]] inline mg::Result<Picture> picture_of(const Program& program, const Decisions& decisions,
                                                    std::string title) {
  MLGRAPH_ASSIGN_OR_RETURN(const Executable exe, Executable::compile(program, decisions));
  Picture picture;
  picture.title = std::move(title);
  std::map<std::size_t, std::size_t> node_of;  // of an instruction
  const auto source = [&](std::size_t value) {
    while (program.instructions[value].op == Op::kBroadcast) value = program.instructions[value].operands[0];
    return node_of.find(value);
  };
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction& inst = program.instructions[i];
    if (inst.op == Op::kParameter || inst.op == Op::kBroadcast) continue;
    std::map<std::size_t, std::size_t> copied;  // values that this instruction reads from a copy
    for (const InsertedCopy& copy : exe.copies()) {
      if (copy.consumer != i) continue;
      PictureNode node;
      node.label = mg::str_cat("copy of ", program.instructions[copy.producer].name);
      node.layout = mg::str_cat(layout_text(copy.from), " to ", layout_text(copy.to));
      node.is_copy = true;
      if (const auto from = source(copy.producer); from != node_of.end()) node.operands.push_back(from->second);
      copied[copy.producer] = picture.nodes.size();
      picture.nodes.push_back(std::move(node));
    }
    PictureNode node;
    node.label = mg::str_cat(inst.name, "  ", shape_text(inst.shape));
    node.layout = layout_text(exe.layouts()[i]);
    for (const std::size_t operand : inst.operands) {
      if (const auto copy = copied.find(operand); copy != copied.end()) {
        node.operands.push_back(copy->second);
      } else if (const auto from = source(operand); from != node_of.end()) {
        node.operands.push_back(from->second);
      }
    }
    node_of[i] = picture.nodes.size();
    picture.nodes.push_back(std::move(node));
  }
  return picture;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_PICTURE_HPP
