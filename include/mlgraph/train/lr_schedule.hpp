// SPDX-License-Identifier: Apache-2.0
// Learning rate as a function of the step: constant, staircase, cosine, or lower after each plateau; after a
// warm-up.
#ifndef MLGRAPH_TRAIN_LR_SCHEDULE_HPP
#define MLGRAPH_TRAIN_LR_SCHEDULE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A small value; at(step) is a pure function of the step, so a resumed training continues where it was.
///
/// With w = warmup_steps, t = step - w and n = total_steps - w:
///
///   step < w:   lr * (step + 1) / (w + 1)                               (no step is lost to a rate of 0)
///   kConstant:  lr
///   kStep:      lr * gamma^floor(t / step_size)                          (torch StepLR)
///   kCosine:    min_lr + (lr - min_lr) * (1 + cos(pi * min(t / n, 1))) / 2   (torch CosineAnnealingLR, T_max =
///   n)
///   kPlateau:   max(min_lr, lr * gamma^reductions), the reductions that a Plateau counts
struct LrSchedule {
  using Kind = Schedule;

  Kind kind = Kind::kConstant;
  double lr = 1e-3;
  std::int64_t warmup_steps = 0;
  std::int64_t step_size = 1;    ///< kStep: steps between two decays
  double gamma = 0.1;            ///< kStep, kPlateau: factor of a decay
  std::int64_t total_steps = 0;  ///< kCosine: the step from which on the rate is min_lr
  double min_lr = 0;             ///< kCosine, kPlateau

  /// The warm-up takes `warmup_fraction` of `total_steps`, rounded to the nearest step.
  [[nodiscard]] static LrSchedule cosine(double lr, std::int64_t total_steps, double warmup_fraction = 0,
                                         double min_lr = 0) {
    LrSchedule schedule;
    schedule.kind = Kind::kCosine;
    schedule.lr = lr;
    schedule.total_steps = total_steps;
    schedule.warmup_steps = std::llround(warmup_fraction * static_cast<double>(total_steps));
    schedule.min_lr = min_lr;
    return schedule;
  }

  /// An error when a field cannot be used. at() expects that there is none.
  [[nodiscard]] Status validate() const {
    if (!detail::is_finite_value(lr) || lr < 0) {
      return Status::invalid_argument(str_cat("schedule: lr is ", lr, "; it should be finite and at least 0"));
    }
    if (warmup_steps < 0) {
      return Status::invalid_argument(
          str_cat("schedule: warmup_steps is ", warmup_steps, "; it should be at least 0"));
    }
    if (kind == Kind::kStep && step_size < 1) {
      return Status::invalid_argument(
          str_cat("schedule: step_size is ", step_size, "; it should be at least 1"));
    }
    if ((kind == Kind::kStep || kind == Kind::kPlateau) && !(gamma >= 0)) {
      return Status::invalid_argument(str_cat("schedule: gamma is ", gamma, "; it should be at least 0"));
    }
    if (kind == Kind::kCosine && total_steps <= warmup_steps) {
      return Status::invalid_argument(str_cat("schedule: total_steps is ", total_steps,
                                              "; it should be more than warmup_steps, ", warmup_steps));
    }
    if ((kind == Kind::kCosine || kind == Kind::kPlateau) && !(min_lr >= 0 && min_lr <= lr)) {
      return Status::invalid_argument(
          str_cat("schedule: min_lr is ", min_lr, "; it should be in [0, ", lr, "]"));
    }
    return {};
  }

  /// The learning rate of the optimizer's step number `step`, from 0, after so many plateaus.
  [[nodiscard]] double at(std::int64_t step, std::int64_t reductions = 0) const {
    if (step < warmup_steps) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
    const std::int64_t t = step - warmup_steps;
    switch (kind) {
      case Kind::kConstant:
        break;
      case Kind::kStep:
        return lr * std::pow(gamma, static_cast<double>(t / step_size));
      case Kind::kCosine: {
        constexpr double kPi = 3.14159265358979323846;
        const double progress = static_cast<double>(t) / static_cast<double>(total_steps - warmup_steps);
        return min_lr + (lr - min_lr) * (1 + std::cos(kPi * std::min(progress, 1.0))) / 2;
      }
      case Kind::kPlateau:
        return std::max(min_lr, lr * std::pow(gamma, static_cast<double>(reductions)));
    }
    return lr;
  }
};

/// Counts plateaus: a reduction each time that more than `patience` epochs in a row were not better than the
/// best one. (torch ReduceLROnPlateau with threshold 0.)
class Plateau {
 public:
  explicit Plateau(std::int64_t patience) : patience_(patience) {}

  /// An epoch was validated.
  void see(bool is_better) {
    num_bad_ = is_better ? 0 : num_bad_ + 1;
    if (num_bad_ <= patience_) return;
    ++reductions_;
    num_bad_ = 0;
  }
  [[nodiscard]] std::int64_t reductions() const { return reductions_; }

 private:
  std::int64_t patience_;
  std::int64_t num_bad_ = 0;
  std::int64_t reductions_ = 0;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_LR_SCHEDULE_HPP
