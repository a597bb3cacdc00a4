// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/lr_schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>

using namespace mlgraph;

namespace {

LrSchedule constant(double lr) {
  LrSchedule schedule;
  schedule.lr = lr;
  return schedule;
}

LrSchedule staircase(double lr, std::int64_t step_size, double gamma) {
  LrSchedule schedule = constant(lr);
  schedule.kind = Schedule::kStep;
  schedule.step_size = step_size;
  schedule.gamma = gamma;
  return schedule;
}

}  // namespace

TEST_CASE("a constant schedule is constant, after its warm-up") {
  LrSchedule schedule = constant(0.2);
  CHECK(schedule.at(0) == 0.2);
  CHECK(schedule.at(1000000) == 0.2);
  schedule.warmup_steps = 3;
  CHECK(schedule.at(0) == doctest::Approx(0.05).epsilon(1e-15));
  CHECK(schedule.at(1) == doctest::Approx(0.10).epsilon(1e-15));
  CHECK(schedule.at(2) == doctest::Approx(0.15).epsilon(1e-15));
  CHECK(schedule.at(3) == 0.2);
}

TEST_CASE("the staircase is torch's StepLR") {
  // torch 1.13: StepLR(SGD(lr=0.2), step_size=3, gamma=0.5)
  const double expected[] = {0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05};
  const LrSchedule schedule = staircase(0.2, 3, 0.5);
  for (int t = 0; t < 8; ++t) CHECK(schedule.at(t) == doctest::Approx(expected[t]).epsilon(1e-15));
}

TEST_CASE("cosine with warm-up is torch's LinearLR followed by CosineAnnealingLR") {
  // torch 1.13: SequentialLR(LinearLR(start_factor=1/3, total_iters=2), CosineAnnealingLR(T_max=8,
  // eta_min=0.01))
  const double expected[] = {0.06666666666666667, 0.13333333333333333, 0.2,   0.19276855558857225,
                             0.172175144212722,   0.14135492607468356, 0.105, 0.06864507392531648,
                             0.03782485578727799, 0.01723144441142776, 0.01};
  const LrSchedule schedule = LrSchedule::cosine(0.2, 10, 0.2, 0.01);
  CHECK(schedule.warmup_steps == 2);
  REQUIRE(schedule.validate().ok());
  for (int t = 0; t <= 10; ++t) CHECK(schedule.at(t) == doctest::Approx(expected[t]).epsilon(1e-14));
  CHECK(schedule.at(11) == doctest::Approx(0.01).epsilon(1e-15));
  CHECK(schedule.at(1000) == doctest::Approx(0.01).epsilon(1e-15));
}

TEST_CASE("a warm-up fraction is rounded to the nearest step") {
  CHECK(LrSchedule::cosine(1, 100, 0.07).warmup_steps == 7);  // 0.07 * 100 is a little more than 7
  CHECK(LrSchedule::cosine(1, 1000, 0.05).warmup_steps == 50);
  CHECK(LrSchedule::cosine(1, 10, 0).warmup_steps == 0);
}

TEST_CASE("a schedule that cannot be used says why") {
  CHECK(constant(-1).validate().message() == "schedule: lr is -1; it should be finite and at least 0");
  CHECK(staircase(1, 0, 0.1).validate().message() == "schedule: step_size is 0; it should be at least 1");
  CHECK(staircase(1, 1, -2).validate().message() == "schedule: gamma is -2; it should be at least 0");
  CHECK(LrSchedule::cosine(1, 0).validate().message() ==
        "schedule: total_steps is 0; it should be more than warmup_steps, 0");
  CHECK(LrSchedule::cosine(1, 10, 1.0).validate().message() ==
        "schedule: total_steps is 10; it should be more than warmup_steps, 10");
  CHECK(LrSchedule::cosine(1, 10, 0, 2).validate().message() ==
        "schedule: min_lr is 2; it should be in [0, 1]");
  LrSchedule schedule;
  schedule.warmup_steps = -1;
  CHECK(schedule.validate().message() == "schedule: warmup_steps is -1; it should be at least 0");
}

TEST_CASE("a plateau lowers the rate as torch's ReduceLROnPlateau") {
  // torch 2.13: ReduceLROnPlateau(SGD(lr=0.8), factor=0.5, patience=2, threshold=0, min_lr=0.15)
  const double metric[] = {5, 4, 6, 6, 6, 6, 6, 3, 3, 3, 3, 3, 9, 9, 9, 9};
  const double expected[] = {0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.15, 0.15, 0.15};
  LrSchedule schedule = constant(0.8);
  schedule.kind = Schedule::kPlateau;
  schedule.gamma = 0.5;
  schedule.min_lr = 0.15;
  schedule.warmup_steps = 4;
  REQUIRE(schedule.validate().ok());
  Plateau plateau(2);
  double best = 100;
  for (int epoch = 0; epoch < 16; ++epoch) {
    plateau.see(metric[epoch] < best);
    best = std::min(best, metric[epoch]);
    CHECK(schedule.at(100, plateau.reductions()) == expected[epoch]);
  }
  CHECK(schedule.at(0, 0) == doctest::Approx(0.16));  // the warm-up
  schedule.min_lr = 1;
  CHECK(schedule.validate().message() == "schedule: min_lr is 1; it should be in [0, 0.8]");
  schedule.min_lr = 0;
  schedule.gamma = -1;
  CHECK(schedule.validate().message() == "schedule: gamma is -1; it should be at least 0");
}
