// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/tuner.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tune/tuner_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TunerOptions random_options() {
  TunerOptions options;
  options.strategy = TuneStrategy::kRandom;
  options.lease_seconds = 10;
  return options;
}
Tuner make_tuner(const TunerOptions& options = random_options(), std::int32_t decisions = 4) {
  return Tuner::make(grid_space(decisions), options).value();
}

TEST_CASE("the reference comes first, then the baselines, then new configurations; each once") {
  Tuner tuner = make_tuner();
  const Trial first = ask_one(tuner), second = ask_one(tuner), third = ask_one(tuner);
  CHECK(first.reason == TrialReason::kReference);
  CHECK(first.config == TuneConfig{2, 2, 2, 2});
  CHECK(first.runs == 3);
  CHECK(second.reason == TrialReason::kBaseline);
  CHECK(second.config == TuneConfig{4, 4, 4, 4});
  CHECK(third.reason == TrialReason::kRandom);
  CHECK(tuner.counts().in_flight == 3);
  std::set<TuneConfig> seen = {first.config, second.config, third.config};
  for (int i = 0; i < 40; ++i) {
    const Trial trial = ask_one(tuner);
    CHECK(seen.insert(trial.config).second);
  }
}

TEST_CASE("answers come in any order; the second one to a trial does not count") {
  Tuner tuner = make_tuner();
  std::vector<Trial> trials = tuner.ask(5, "cpu", 0).value();
  REQUIRE(trials.size() == 5);
  CHECK(trials[4].lease_seconds == 50);  // they are measured one after the other
  for (const std::size_t i : {3u, 0u, 4u})
    CHECK(tuner.tell(trials[i].id, grid_measurement(trials[i])).value() == Told::kCounted);
  CHECK(tuner.tell(trials[3].id, grid_measurement(trials[3])).value() == Told::kRepeated);
  CHECK(tuner.counts().told == 3);
  CHECK(tuner.counts().repeated == 1);
  CHECK(tuner.counts().in_flight == 2);
  CHECK(tuner.history().items().size() == 3);
  CHECK(tuner.tell(999, grid_measurement(trials[1])).status().message() == "there is no trial 999");
  Measurement wrong = grid_measurement(trials[1]);
  wrong.ns[1] = -1;
  CHECK(tuner.tell(trials[1].id, wrong).status().message() ==
        "trial 2: a time is -1 ns; should be positive, and 1e18 or less");
  CHECK(tuner.counts().in_flight == 2);  // as if it had not been told
  CHECK(tuner.tell(trials[1].id, grid_measurement(trials[1])).value() == Told::kCounted);
}

TEST_CASE("an unanswered trial is asked for again, and a late answer counts once") {
  Tuner tuner = make_tuner();
  run_tuner(tuner, 2);
  const Trial lost = ask_one(tuner, "a", 100);  // the reference of device a
  CHECK(lost.reason == TrialReason::kReference);
  const Trial slow = ask_one(tuner, "a", 100);
  CHECK(ask_one(tuner, "cpu", 105).id != slow.id);
  const Trial again = ask_one(tuner, "cpu", 111);
  CHECK(again.id == slow.id);
  CHECK(again.config == slow.config);
  CHECK(again.device == "cpu");
  CHECK(tuner.counts().late == 1);
  // The first worker answers late, the second one, too.
  CHECK(tuner.tell(slow.id, grid_measurement(slow, "a")).value() == Told::kCounted);
  CHECK(tuner.tell(again.id, grid_measurement(again)).value() == Told::kRepeated);
  // The reference is measured on its own device only.
  const Trial reference = ask_one(tuner, "a", 112);
  CHECK(reference.reason == TrialReason::kReference);
  CHECK(reference.id != lost.id);
  CHECK(tuner.tell(lost.id, grid_measurement(lost, "a")).value() == Told::kCounted);
}

TEST_CASE("a trial that nobody answers several times is given up, until somebody does") {
  Tuner tuner = make_tuner();
  run_tuner(tuner, 2);
  const Trial trial = ask_one(tuner, "cpu", 0);
  for (const double now : {20, 40}) CHECK(ask_one(tuner, "cpu", now).id == trial.id);
  CHECK(ask_one(tuner, "cpu", 60).id != trial.id);
  CHECK(tuner.counts().lost == 1);
  REQUIRE(tuner.history().find(trial.config) != nullptr);
  CHECK(tuner.history().find(trial.config)->failure == TrialFailure::kLost);
  CHECK(tuner.history().find(trial.config)->message == "nobody answered 3 times");
  CHECK(tuner.tell(trial.id, grid_measurement(trial)).value() == Told::kCounted);
  CHECK(tuner.history().find(trial.config)->failure == TrialFailure::kNone);
  CHECK(tuner.tell(trial.id, grid_measurement(trial)).value() == Told::kRepeated);
}

TEST_CASE("devices of different speed are compared by the reference") {
  TunerOptions options = random_options();
  options.reference_every = 5;
  Tuner tuner = make_tuner(options);
  int references = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string device = i % 3 == 0 ? "slow" : "fast";
    const Trial trial = ask_one(tuner, device);
    references += trial.reason == TrialReason::kReference ? 1 : 0;
    REQUIRE(tuner.tell(trial.id, grid_measurement(trial, device, device == "slow" ? 0.25 : 1)).ok());
  }
  CHECK(references >= 10);
  CHECK(references <= 14);
  const TuneHistory& history = tuner.history();
  CHECK(history.devices().size() == 2);
  for (const std::size_t i : history.ranking()) {
    const double wanted = grid_ns(history.items()[i].config) / grid_ns(TuneConfig{2, 2, 2, 2});
    CHECK(history.estimate(i).time == doctest::Approx(wanted).epsilon(0.01));
  }
}

TEST_CASE("a device on which the reference fails again and again is refused") {
  Tuner tuner = make_tuner();
  Measurement failed;
  failed.device = "broken";
  failed.failure = TrialFailure::kRun;
  failed.message = "exit code 3";
  for (int i = 0; i < 3; ++i) {
    const Trial trial = ask_one(tuner, "broken");
    CHECK(trial.reason == TrialReason::kReference);
    REQUIRE(tuner.tell(trial.id, failed).ok());
  }
  CHECK(tuner.ask(1, "broken", 0).status().message() ==
        "the reference failed 3 times in a row on broken: exit code 3");
  CHECK(ask_one(tuner, "good").reason == TrialReason::kReference);
}

TEST_CASE("failures are typed, are not asked for again and do not win") {
  Tuner tuner = make_tuner();
  run_tuner(tuner, 2);
  std::set<TuneConfig> failed;
  for (const TrialFailure failure :
       {TrialFailure::kBuild, TrialFailure::kRun, TrialFailure::kTimeout, TrialFailure::kWrongResult}) {
    const Trial trial = ask_one(tuner);
    Measurement m;
    m.device = "cpu";
    m.failure = failure;
    REQUIRE(tuner.tell(trial.id, m).ok());
    CHECK(tuner.history().find(trial.config)->failure == failure);
    failed.insert(trial.config);
  }
  CHECK(tuner.counts().failed == 4);
  CHECK(tuner.history().ranking().size() == 2);
  for (int i = 0; i < 50; ++i) CHECK(failed.count(ask_one(tuner).config) == 0);
  const TuneData data = tuner.history().data(tuner.space(), 2);
  CHECK(data.num_configs == 6);
  CHECK(data.runtime[5] == doctest::Approx(2.0 * static_cast<double>(data.runtime[1])).epsilon(0.01));
}

TEST_CASE("the best two are measured again until their noise tells them apart, or often enough") {
  TunerOptions options = random_options();
  options.max_trials = 30;
  options.max_runs = 12;
  Tuner tuner = Tuner::make(grid_space(1), options).value();  // five configurations
  // All alike, so that nothing can be told apart.
  std::int64_t confirms = 0, most_runs = 0;
  while (!tuner.is_done()) {
    const Trial trial = ask_one(tuner);
    confirms += trial.reason == TrialReason::kConfirm ? 1 : 0;
    Measurement m = grid_measurement(trial);
    for (std::size_t i = 0; i < m.ns.size(); ++i) m.ns[i] = 1000 + 20 * static_cast<double>(i % 3);
    REQUIRE(tuner.tell(trial.id, m).ok());
  }
  for (std::size_t i = 0; i < tuner.history().items().size(); ++i)
    most_runs = std::max(most_runs, tuner.history().estimate(i).runs);
  CHECK(confirms >= 2);
  CHECK(most_runs == 12);
  CHECK(tuner.counts().told < 30);  // nothing is left to try
}

TEST_CASE("a space that is measured whole is done, and max_trials is kept to") {
  Tuner tuner = make_tuner(random_options(), 2);  // 25 configurations
  for (int i = 0; i < 200; ++i) {
    const std::vector<Trial> trials = tuner.ask(1, "cpu", 0).value();
    for (const Trial& trial : trials) REQUIRE(tuner.tell(trial.id, grid_measurement(trial)).ok());
  }
  CHECK(tuner.is_done());
  CHECK(tuner.history().items().size() == 25);
  CHECK(tuner.ask(3, "cpu", 0).value().empty());
  CHECK(tuner.history().items()[tuner.history().ranking()[0]].config == TuneConfig{3, 4});
  TunerOptions options = random_options();
  options.max_trials = 7;
  Tuner few = make_tuner(options);
  std::vector<Trial> trials = few.ask(20, "cpu", 0).value();
  CHECK(trials.size() == 7);
  CHECK_FALSE(few.is_done());
  for (const Trial& trial : trials) REQUIRE(few.tell(trial.id, grid_measurement(trial)).ok());
  CHECK(few.is_done());
}

TEST_CASE("a ranker decides what is measured, beside a share of chance") {
  TunerOptions options = random_options();
  options.strategy = TuneStrategy::kModel;
  options.first_fit = 8;
  options.refit_every = 10;
  Tuner tuner = Tuner::make(grid_space(6), options).value();
  run_tuner(tuner, 7);
  CHECK_FALSE(tuner.wants_fit());
  run_tuner(tuner, 4);
  REQUIRE(tuner.wants_fit());
  const TuneData data = tuner.begin_fit();
  CHECK(data.num_configs >= 8);
  CHECK(data.configs.size() == static_cast<std::size_t>(data.num_configs) * 6);
  run_tuner(tuner, 15);
  CHECK_FALSE(tuner.wants_fit());  // one is under way
  tuner.set_ranker(std::make_unique<GridRanker>());
  CHECK(tuner.wants_fit());
  int by_model = 0, by_chance = 0;
  for (int i = 0; i < 60; ++i) {
    const Trial trial = ask_one(tuner);
    by_model += trial.reason == TrialReason::kModel ? 1 : 0;
    by_chance += trial.reason == TrialReason::kRandom ? 1 : 0;
    REQUIRE(tuner.tell(trial.id, grid_measurement(trial)).ok());
  }
  CHECK(by_model >= 40);
  CHECK(by_chance >= 1);
  const TuneHistory& history = tuner.history();
  CHECK(history.items()[history.ranking()[0]].config == TuneConfig{3, 4, 0, 1, 2, 3});  // of 15,625
}

TEST_CASE("the same calls ask for the same configurations") {
  std::vector<TuneConfig> asked[2];
  for (std::vector<TuneConfig>& configs : asked) {
    TunerOptions options = random_options();
    options.strategy = TuneStrategy::kModel;
    Tuner tuner = make_tuner(options);
    for (int i = 0; i < 50; ++i) {
      if (tuner.wants_fit()) {
        (void)tuner.begin_fit();
        tuner.set_ranker(std::make_unique<GridRanker>());
      }
      const Trial trial = ask_one(tuner);
      configs.push_back(trial.config);
      REQUIRE(tuner.tell(trial.id, grid_measurement(trial)).ok());
    }
  }
  CHECK(asked[0] == asked[1]);
}

TEST_CASE("a log that is replayed loses nothing and repeats nothing") {
  std::vector<TuneEntry> log;
  const auto keep = [&](const TuneEntry& entry) -> Status {
    log.push_back(entry);
    return {};
  };
  Tuner before = Tuner::make(grid_space(2), random_options(), keep).value();
  run_tuner(before, 10);
  const Trial in_flight = ask_one(before);
  CHECK(log.size() == 10);

  Tuner after = Tuner::make(grid_space(2), random_options(), keep, 1000).value();
  for (const TuneEntry& entry : std::vector<TuneEntry>(log)) REQUIRE(after.replay(entry).ok());
  CHECK(log.size() == 10);
  CHECK(after.counts().told == 10);
  std::set<TuneConfig> measured;
  for (const TuneEntry& entry : log) measured.insert(entry.config);
  const Trial first = ask_one(after);
  CHECK(first.id == 1000);
  CHECK(first.reason == TrialReason::kReference);  // time has passed
  // A worker of the earlier run answers: once.
  CHECK(after.tell(in_flight.id, grid_measurement(in_flight)).status().code() == StatusCode::kNotFound);
  CHECK(after.tell(in_flight.id, in_flight.config, grid_measurement(in_flight)).value() == Told::kCounted);
  CHECK(after.tell(in_flight.id, in_flight.config, grid_measurement(in_flight)).value() == Told::kRepeated);
  CHECK(after.tell(log[3].id, log[3].config, log[3].measurement).value() == Told::kRepeated);
  measured.insert(in_flight.config);
  for (int i = 0; i < 10; ++i) {
    const Trial trial = ask_one(after);
    CHECK(trial.config != in_flight.config);
    if (trial.reason != TrialReason::kConfirm) CHECK(measured.insert(trial.config).second);
  }
  CHECK(after.replay(log[3]).message() == "trial 4 was answered twice");
}

TEST_CASE("what the log does not take does not count") {
  bool full = false;
  const auto sink = [&](const TuneEntry&) { return full ? Status::unavailable("no space left") : Status(); };
  Tuner tuner = Tuner::make(grid_space(), random_options(), sink).value();
  const Trial trial = ask_one(tuner);
  full = true;
  CHECK(tuner.tell(trial.id, grid_measurement(trial)).status().message() == "no space left");
  CHECK(tuner.counts().told == 0);
  CHECK(tuner.history().items().empty());
  full = false;
  CHECK(tuner.tell(trial.id, grid_measurement(trial)).value() == Told::kCounted);
}

TEST_CASE("what cannot be asked is refused") {
  Tuner tuner = make_tuner();
  CHECK(tuner.ask(0, "cpu", 0).status().message() == "0 trials are asked for; should be 1 or more");
  CHECK(tuner.ask(1, "", 0).status().message() == "the device's name has 0 bytes; should have 1 to 200");
  TunerOptions options;
  options.runs = 0;
  CHECK(Tuner::make(grid_space(), options).status().message() == "tuner: runs is 0; should be in [1, 24]");
}

}  // namespace
}  // namespace mlgraph
