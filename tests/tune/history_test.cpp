// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/history.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tune/tuner_fixture.hpp"

namespace mlgraph {
namespace {

const TuneConfig kMiddle = {2, 2};  // the reference of grid_space(2)

void add_times(TuneHistory& history, const TuneConfig& config, std::vector<double> ns,
               const std::string& device = "cpu") {
  history.add({0, config, TrialReason::kRandom, {device, std::move(ns), TrialFailure::kNone, {}}});
}

TEST_CASE(
    "an estimate is a median of multiples of the reference's time, and its noise shrinks with measurements") {
  TuneHistory history(kMiddle);
  add_times(history, {0, 0}, {300, 100, 200});
  CHECK_FALSE(history.estimate(0).is_known());  // nothing to compare with
  CHECK(std::isnan(history.reference_ns()));
  add_times(history, kMiddle, {100, 90, 110});
  CHECK(history.estimate(0).time == 2);
  CHECK(history.estimate(0).runs == 3);
  CHECK(history.estimate(0).noise == 0.5);  // of its own runs
  CHECK(history.estimate(1).time == 1);
  CHECK(history.reference_ns() == 100);
  CHECK(history.estimate(1).noise == doctest::Approx(0.1));
  for (int i = 0; i < 3; ++i) add_times(history, kMiddle, {100, 90, 110});
  CHECK(history.estimate(1).noise == doctest::Approx(0.1 / 2));
  add_times(history, {1, 1}, {150, 130});
  CHECK(history.estimate(2).time == doctest::Approx(1.3));  // of two the faster
  CHECK(history.ranking() == std::vector<std::size_t>{1, 2, 0});
}

TEST_CASE("how far measurements of the reference differ is the noise of a device") {
  TuneHistory history(kMiddle);
  add_times(history, kMiddle, {100, 100, 100});
  add_times(history, {0, 0}, {70, 70, 70});
  CHECK(history.estimate(1).noise == 0.05);  // nobody knows
  for (const double ns : {120.0, 80.0, 100.0}) add_times(history, kMiddle, {ns, ns, ns});
  CHECK(history.estimate(1).noise == doctest::Approx(0.1));
  add_times(history, {0, 0}, {70, 70, 70});
  CHECK(history.estimate(1).noise == doctest::Approx(0.1 / std::sqrt(2.0)));
  // What was measured once and is a little faster does not come before what is sure.
  for (int i = 0; i < 6; ++i) add_times(history, {0, 0}, {70, 70, 70});
  add_times(history, {1, 0}, {69, 69, 69});
  CHECK(history.ranking()[0] == 1);
  add_times(history, {1, 1}, {40, 40, 40});
  CHECK(history.ranking()[0] == 3);
}

TEST_CASE("two are told apart when they differ by more than their noise") {
  TuneHistory history(kMiddle);
  CHECK(history.is_settled());
  add_times(history, kMiddle, {100, 100, 100});
  CHECK(history.is_settled());
  add_times(history, {0, 0}, {98, 98, 98});
  CHECK_FALSE(history.is_settled());
  for (int i = 0; i < 20; ++i) add_times(history, {0, 0}, {98, 98, 98});
  CHECK_FALSE(history.is_settled());
  for (int i = 0; i < 20; ++i) add_times(history, kMiddle, {100, 100, 100});
  CHECK(history.is_settled());
}

TEST_CASE("a device that becomes slower is compared with itself at that time") {
  TuneHistory history(kMiddle);
  for (int i = 0; i < 10; ++i) {
    const double slow = i < 5 ? 1 : 2;
    add_times(history, kMiddle, {100 * slow});
    add_times(history, {0, i % 5}, {150 * slow});
  }
  for (std::size_t i = 1; i < history.items().size(); ++i)
    CHECK(history.estimate(i).time == doctest::Approx(1.5));
}

TEST_CASE("devices count what they measured") {
  TuneHistory history(kMiddle);
  CHECK(history.needs_reference(history.device("a"), 3));
  add_times(history, kMiddle, {10}, "a");
  CHECK_FALSE(history.needs_reference(0, 3));
  for (int i = 0; i < 3; ++i) add_times(history, {0, i}, {10}, "a");
  CHECK(history.needs_reference(0, 3));
  CHECK_FALSE(history.needs_reference(0, 4));
  CHECK(history.device("b") == 1);
  CHECK(history.device("a") == 0);
  add_times(history, kMiddle, {20}, "b");
  CHECK(history.reference_ns() == 10);
  history.forget_time();
  CHECK(history.needs_reference(1, 1000));
  history.add({0, kMiddle, TrialReason::kReference, {"b", {}, TrialFailure::kRun, {}}});
  CHECK(history.devices()[1].failed_references == 1);
  add_times(history, kMiddle, {20}, "b");
  CHECK(history.devices()[1].failed_references == 0);
  CHECK(history.devices()[0].measurements == 4);
}

TEST_CASE("training data has what is known, and failures as slow ones; lost trials say nothing") {
  const Space space = testing::grid_space(2, true);
  TuneHistory history(kMiddle);
  CHECK(history.data(space, 2).num_configs == 0);
  add_times(history, kMiddle, {100});
  add_times(history, {0, 4}, {300});
  add_times(history, {1, 1}, {70}, "never compared");
  history.add({0, {3, 3}, TrialReason::kRandom, {"cpu", {}, TrialFailure::kBuild, "no"}});
  history.add({0, {4, 4}, TrialReason::kRandom, {"cpu", {}, TrialFailure::kLost, {}}});
  const TuneData data = history.data(space, 2);
  CHECK(data.num_configs == 3);
  CHECK(std::vector<std::int64_t>(data.runtime.begin(), data.runtime.end()) ==
        std::vector<std::int64_t>{100, 300, 600});
  CHECK(std::vector<float>(data.configs.begin(), data.configs.end()) == std::vector<float>{2, 2, 0, 4, 3, 3});
  CHECK(data.config_nodes == std::vector<std::int32_t>{0, 1});
  CHECK(data.view({}).configs.rows_per_config == 2);
  // A time that comes after a failure counts, and a failure after a time does not.
  add_times(history, {3, 3}, {200});
  history.add({0, {0, 4}, TrialReason::kRandom, {"cpu", {}, TrialFailure::kRun, {}}});
  CHECK(history.data(space, 2).runtime[2] == 200);
  CHECK(history.find({0, 4})->failure == TrialFailure::kNone);
  CHECK(history.find({0, 1}) == nullptr);
}

}  // namespace
}  // namespace mlgraph
