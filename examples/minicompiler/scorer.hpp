// SPDX-License-Identifier: Apache-2.0
// What ranks schedules without running them: a formula, a network, trees.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_SCORER_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_SCORER_HPP

#include <memory>
#include <vector>

#include "dataflow.hpp"
#include "mlgraph/core/status.hpp"

namespace minicompiler {

/// Ranks schedules of one program.
class Scorer {
 public:
  Scorer() = default;
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;
  virtual ~Scorer() = default;
  /// One score for each canonical schedule: lower is faster, and a difference of two is the logarithm of the
  /// ratio of their runtimes. A schedule has the same score in every call. Errors: those of the model.
  [[nodiscard]] virtual mg::Status score(const std::vector<Schedule>& schedules,
                                         std::vector<float>& scores) = 0;
};

/// Makes Scorers for programs.
class Ranker {
 public:
  Ranker() = default;
  Ranker(const Ranker&) = delete;
  Ranker& operator=(const Ranker&) = delete;
  virtual ~Ranker() = default;
  /// `flow`, and the ranker, must outlive the scorer. Errors: those of the model.
  [[nodiscard]] virtual mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow& flow) const = 0;
};

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_SCORER_HPP
