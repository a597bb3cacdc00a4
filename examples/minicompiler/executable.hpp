// SPDX-License-Identifier: Apache-2.0
// A compiled program: a list of kernel calls over one arena.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_EXECUTABLE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_EXECUTABLE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dataflow.hpp"
#include "reference.hpp"
#include "tasks.hpp"

namespace minicompiler {

/// A compiled program. It owns no memory: runs on an arena of arena_size() floats, which several executables
/// may share one after the other; those of one program have their parameters at the same places.
class Executable {
 public:
  /// Errors: not one choice for each instruction; more than kMaxTasks kernel calls.
  [[nodiscard]] static mg::Result<Executable> compile(const Dataflow& flow, const Schedule& schedule);

  static constexpr std::size_t kMaxTasks = 2'000'000;

  [[nodiscard]] std::size_t arena_size() const { return static_cast<std::size_t>(arena_size_); }
  /// Writes the parameters, row-major as interpret() takes them, and the constants into the arena. They stay
  /// there.
  void load(const std::vector<Tensor>& inputs, float* arena) const {
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      std::copy(inputs[i].begin(), inputs[i].end(), arena + parameters_[i]);
    for (const auto& [offset, value] : constants_) arena[offset] = value;
  }
  void run(float* arena) const {
    for (const Task& task : tasks_) run_task(task, arena);
  }
  /// The result, row-major.
  [[nodiscard]] Tensor result(const float* arena) const {
    Tensor values;
    values.reserve(static_cast<std::size_t>(count_of(result_size_)));
    for (std::int64_t i = 0; i < result_size_[0]; ++i)
      for (std::int64_t j = 0; j < result_size_[1]; ++j)
        for (std::int64_t k = 0; k < result_size_[2]; ++k)
          for (std::int64_t l = 0; l < result_size_[3]; ++l)
            values.push_back(arena[result_.offset + i * result_.stride[0] + j * result_.stride[1] +
                                   k * result_.stride[2] + l * result_.stride[3]]);
    return values;
  }
  [[nodiscard]] const std::vector<Task>& tasks() const { return tasks_; }
  [[nodiscard]] std::size_t num_tasks() const { return tasks_.size(); }

 private:
  friend class Lowering;
  std::vector<Task> tasks_;
  std::vector<std::int64_t> parameters_;                   // offsets
  std::vector<std::pair<std::int64_t, float>> constants_;  // offset and value
  Place result_;
  Extent result_size_ = {};
  std::int64_t arena_size_ = 0;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_EXECUTABLE_HPP
