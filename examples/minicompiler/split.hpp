// SPDX-License-Identifier: Apache-2.0
// The split of what was measured: training, validation, and held-out programs of which no dot or convolution
// has a shape that training or validation has seen.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "families.hpp"
#include "log.hpp"

namespace minicompiler {

/// The part of a record: by the number of its program, so that a program and its kernels are on one side. Of
/// each run of six rounds over the families one is held out and one validates.
enum class Part { kTrain, kValid, kHeldOut };

/// Which part a program of that name is in; kernels are called after their program.
[[nodiscard]] inline Part part_of(const std::string& program_name) {
  const std::size_t digits = program_name.find('_');
  std::size_t number = 0;
  for (std::size_t i = digits == std::string::npos ? program_name.size() : digits + 1;
       i < program_name.size() && program_name[i] >= '0' && program_name[i] <= '9'; ++i) {
    number = 10 * number + static_cast<std::size_t>(program_name[i] - '0');
  }
  const std::size_t round = number / kNumFamilies % 6;
  return round == 1 ? Part::kHeldOut : round == 4 ? Part::kValid : Part::kTrain;
}

/// Records of one task in three parts.
struct Split {
  std::vector<Record> train, valid, held_out;
  std::size_t num_left_out = 0;  ///< records that share a shape with a held-out program
};

namespace detail {

/// The shapes of a program's dots and convolutions: `dot f32[2,3] f32[3,4]`.
[[nodiscard]] inline std::set<std::string> heavy_shapes(const Program& program) {
  std::set<std::string> shapes;
  for (const std::size_t i : program.indices_of(is_heavy)) {
    const Instruction& inst = program.instructions[i];
    shapes.insert(mg::str_cat(op_name(inst.op), " ", shape_text(program.operand(inst, 0).shape), " ",
                              shape_text(program.operand(inst, 1).shape), " ", shape_text(inst.shape)));
  }
  return shapes;
}

}  // namespace detail

/// Splits the records of one task; records without a ranking (one configuration) are left out.
[[nodiscard]] inline Split split_records(const std::vector<Record>& records, mg::io::Task task) {
  Split split;
  std::set<std::string> held_out_shapes;
  for (const Record& record : records) {
    if (part_of(record.program.name) != Part::kHeldOut) continue;
    held_out_shapes.merge(detail::heavy_shapes(record.program));
    if (record.task == task && record.measured.size() > 1) split.held_out.push_back(record);
  }
  for (const Record& record : records) {
    const Part part = part_of(record.program.name);
    if (record.task != task || record.measured.size() < 2 || part == Part::kHeldOut) continue;
    const std::set<std::string> shapes = detail::heavy_shapes(record.program);
    const bool seen = std::any_of(shapes.begin(), shapes.end(),
                                  [&](const std::string& s) { return held_out_shapes.count(s) != 0; });
    if (seen) {
      ++split.num_left_out;
    } else {
      (part == Part::kValid ? split.valid : split.train).push_back(record);
    }
  }
  return split;
}

/// The records as problems for a model.
[[nodiscard]] inline mg::Result<std::vector<mg::io::Program>> to_problems(const std::vector<Record>& records) {
  std::vector<mg::io::Program> problems;
  for (const Record& record : records) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::io::Program problem, to_problem(record));
    problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SPLIT_HPP
