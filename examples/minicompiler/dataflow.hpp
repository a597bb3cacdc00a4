// SPDX-License-Identifier: Apache-2.0
// What the operators of a program read once broadcasts, transposes, reshapes and slices are seen through.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_DATAFLOW_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_DATAFLOW_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "choice.hpp"
#include "ir.hpp"
#include "regions.hpp"

namespace minicompiler {

/// What the operators of a program read once views are seen through. Made once for a program, which must
/// outlive it.
struct Dataflow {
  explicit Dataflow(const Program& of)
      : program(of),
        reads(of.instructions.size()),
        users(of.instructions.size()),
        computes(of.instructions.size()),
        stored(of.instructions.size()),
        row_major(of.instructions.size()) {
    const std::size_t count = of.instructions.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Instruction& inst = of.instructions[i];
      if (inst.op == Op::kReshape) {
        const std::size_t value = access_of(of, i).value;
        stored[value] = row_major[value] = 1;
      }
      if (is_source(inst.op) || is_view(inst.op)) continue;
      computes[i] = 1;
      values.push_back(i);
      for (const std::size_t operand : inst.operands) {
        reads[i].push_back(access_of(of, operand));
        std::vector<std::size_t>& readers = users[reads[i].back().value];
        if (readers.empty() || readers.back() != i) readers.push_back(i);
      }
    }
    result = access_of(of, count - 1);
    stored[result.value] = 1;
    for (const std::size_t i : values) {
      if (users[i].empty()) stored[i] = 1;
    }
  }

  const Program& program;
  std::vector<std::vector<Access>> reads;       // of each instruction that computes, one for each operand
  std::vector<std::vector<std::size_t>> users;  // the instructions that compute from a value, ascending
  std::vector<std::uint8_t> computes;
  std::vector<std::uint8_t>
      stored;  // materialised whatever the schedule says: the result, what a reshape reads
  std::vector<std::uint8_t> row_major;  // lies row-major whatever the schedule says
  std::vector<std::size_t> values;      // the instructions that compute, ascending
  Access result;

  [[nodiscard]] const Instruction& instruction(std::size_t i) const { return program.instructions[i]; }
  [[nodiscard]] Extent shape(std::size_t i) const { return extent_of(program.instructions[i].shape); }
  /// What a nest with this root loops over: a reduce, its operand; anything else, its result.
  [[nodiscard]] const Dims& domain(std::size_t root) const {
    const Instruction& inst = program.instructions[root];
    return inst.op == Op::kReduce ? program.operand(inst, 0).shape : inst.shape;
  }
  /// The order in which the loops over a reduce's operand should follow each other: that of the value that it
  /// is made from, as far as elementwise operators lead.
  [[nodiscard]] Order reduced_order(const Schedule& schedule, std::size_t reduce) const {
    const std::size_t rank = domain(reduce).size();
    for (std::size_t at = reduce; computes[at];) {
      const std::vector<Access>& from = reads[at];
      const auto whole = std::find_if(from.begin(), from.end(), [&](const Access& read) {
        return is_in_place(read) && program.instructions[read.value].shape.size() == rank;
      });
      if (whole == from.end()) break;
      at = whole->value;
      if (computes[at] && materialised(schedule, at))
        return row_major[at] ? Order::kRowMajor : schedule[at].order;
      if (!is_elementwise(program.instructions[at].op)) break;
    }
    return Order::kRowMajor;
  }
  /// How the loops of a nest follow each other.
  [[nodiscard]] Order loop_order(const Schedule& schedule, std::size_t root) const {
    if (program.instructions[root].op == Op::kReduce) return reduced_order(schedule, root);
    return row_major[root] ? Order::kRowMajor : schedule[root].order;
  }
  [[nodiscard]] bool materialised(const Schedule& schedule, std::size_t v) const {
    return !computes[v] || stored[v] || schedule[v].place == Placement::kMaterialise;
  }
  /// Whether a materialised value has more than one order to choose from.
  [[nodiscard]] bool has_orders(std::size_t i) const {
    const Dims& shape = program.instructions[i].shape;
    if (row_major[i] || shape.size() < 2) return false;
    const Extent e = extent_of(shape);
    return strides_differ(e, shape.size());
  }

  /// Whether each element is read at its own place.
  [[nodiscard]] static bool is_in_place(const Access& read) {
    for (std::size_t d = 0; d < kMaxRank; ++d) {
      if (read.shape[d] > 1 && (read.source[d] != static_cast<int>(d) || read.offset[d] != 0)) return false;
    }
    return !read.reshaped;
  }

 private:
  /// Whether the two orders are two: not where the dimensions that trade places have one element.
  [[nodiscard]] static bool strides_differ(const Extent& e, std::size_t rank) {
    const Extent a = strides_of(e, rank, Order::kRowMajor), b = strides_of(e, rank, Order::kSwapped);
    for (std::size_t d = 0; d < kMaxRank; ++d) {
      if (e[d] > 1 && a[d] != b[d]) return true;
    }
    return false;
  }
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_DATAFLOW_HPP
