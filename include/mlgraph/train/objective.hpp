// SPDX-License-Identifier: Apache-2.0
// Objective: what a training fits the scores of a sample to. The trainer knows no other thing of it.
#ifndef MLGRAPH_TRAIN_OBJECTIVE_HPP
#define MLGRAPH_TRAIN_OBJECTIVE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/loss.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A loss between the scores of some configurations of a program and what was measured of them. Const, shared
/// by any number of threads.
class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  virtual ~Objective() = default;

  /// In checkpoints: two trainings of one name and recipe have the same objective.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// What a program must have to be fitted, in messages: `no training program has <wants>`.
  [[nodiscard]] virtual std::string_view wants() const = 0;
  /// Errors: scores of another kind than this objective compares.
  [[nodiscard]] virtual Status check(const NetPlan& plan) const = 0;
  /// Errors: measurements that are missing, do not fit the selection or are not finite. They name the program.
  [[nodiscard]] virtual Status check(const PreparedProgram& program) const = 0;
  /// Whether the selection of a checked program has something to fit; others are left out.
  [[nodiscard]] virtual bool can_fit(const PreparedProgram& program) const = 0;
  /// Shapes: scores (C, num_outputs), ids (C) of the program's configurations -> (1, 1).
  /// Errors: in tape.status().
  virtual Var loss(Tape& tape, Var scores, const PreparedProgram& program,
                   Span<const std::int32_t> ids) const = 0;
};

/// Ranks the configurations of each program by their labels: ranking_loss() of each slate.
class RankingObjective final : public Objective {
 public:
  explicit RankingObjective(const LossOptions& loss) : loss_(loss) {}

  [[nodiscard]] std::string_view name() const override { return "ranking"; }
  [[nodiscard]] std::string_view wants() const override { return "two configs with different labels to rank"; }
  [[nodiscard]] Status check(const NetPlan& plan) const override {
    if (plan.num_outputs == 1) return {};
    return Status::invalid_argument(
        str_cat("trainer: configs are ranked by one score; the network gives ", plan.num_outputs));
  }
  [[nodiscard]] Status check(const PreparedProgram& program) const override {
    MLGRAPH_RETURN_IF_ERROR(check_labels(program));
    for (const std::int32_t c : program.selection) {
      const Status status = check_finite_label(c, program.view.label(c));
      if (!status.ok()) return status.annotate(program.view.name);
    }
    return {};
  }
  [[nodiscard]] bool can_fit(const PreparedProgram& program) const override {
    for (const std::int32_t c : program.selection) {
      if (program.view.label(c) != program.view.label(program.selection[0])) return true;
    }
    return false;
  }
  Var loss(Tape& tape, Var scores, const PreparedProgram& program,
           Span<const std::int32_t> ids) const override {
    std::vector<double> labels;
    labels.reserve(ids.size());
    for (const std::int32_t c : ids) {
      labels.push_back(program.view.label(c));
      const Status status = check_finite_label(c, labels.back());  // a ranking loss can be finite without it
      if (!tape.expect(status.ok(), [&] { return status.message(); })) return {};
    }
    const std::int32_t ptr[] = {0, static_cast<std::int32_t>(ids.size())};
    return ranking_loss(tape, scores, Span<const double>(labels), ptr, loss_);
  }

 private:
  LossOptions loss_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_OBJECTIVE_HPP
