// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/families.hpp"

namespace {

using namespace minicompiler;

/// Knows the best schedule: the score is how many values are decided otherwise.
class Distance : public Scorer {
 public:
  Distance(const Dataflow& flow, Schedule target) : flow_(flow), target_(std::move(target)) {}

  mg::Status score(const std::vector<Schedule>& schedules, std::vector<float>& scores) override {
    if (fails) return mg::Status::invalid_argument("no such program");
    scores.clear();
    for (const Schedule& schedule : schedules) {
      CHECK(canonical(flow_, schedule) == schedule);
      CHECK(shown.insert(schedule_text(flow_, schedule)).second);  // nothing twice
      float score = 0;
      for (const std::size_t v : flow_.values) score += schedule[v] == target_[v] ? 0.0f : 1.0f;
      scores.push_back(score);
    }
    return {};
  }

  std::set<std::string> shown;
  bool fails = false;

 private:
  const Dataflow& flow_;
  Schedule target_;
};

/// A chain of elementwise operators behind a sum of rows, small enough to be run often.
Program small_norm() {
  Builder b("small_norm");
  const Dims shape = {48, 40};
  const Value y = b.unary(Op::kTanh, b.parameter(shape));
  const Value e = b.unary(Op::kExponential, b.multiply(y, y));
  b.binary(Op::kDivide, e, b.broadcast(b.reduce(e, {1}), shape, {0}));
  return b.build().value();
}

}  // namespace

TEST_CASE("samples are canonical, and most are different") {
  mg::Rng rng(1);
  for (std::uint32_t number = 0; number < kNumFamilies; ++number) {
    const Program program = make_program(number).value();
    CAPTURE(program.name);
    const Dataflow flow(program);
    const Sampler sampler(flow);
    std::set<std::string> random, near, crossed;
    std::size_t outer = 0, swapped = 0, stored = 0;
    for (int i = 0; i < 100; ++i) {
      const Schedule schedule = sampler.random(rng);
      CHECK(canonical(flow, schedule) == schedule);
      random.insert(schedule_text(flow, schedule));
      near.insert(schedule_text(flow, sampler.neighbour(sampler.rules()[0], rng)));
      const Schedule mixed = sampler.cross(sampler.rules().front(), sampler.rules().back(), rng);
      CHECK(canonical(flow, mixed) == mixed);
      crossed.insert(schedule_text(flow, mixed));
      for (const std::size_t v : flow.values) {
        outer += schedule[v].place == Placement::kOuter ? 1 : 0;
        stored += schedule[v].place == Placement::kMaterialise ? 1 : 0;
        swapped += schedule[v].order == Order::kSwapped ? 1 : 0;
      }
    }
    CHECK(random.size() > 80);
    CHECK(near.size() > 50);
    CHECK(crossed.size() > 5);
    const std::size_t all = 100 * flow.values.size();
    CHECK(outer > 0);
    CHECK(swapped > 0);
    CHECK(stored > all / 10);
    CHECK(stored < all - all / 10);
  }
}

TEST_CASE("a region that is crossed is as in the second schedule, and the rest as in the first") {
  const Program program = make_program(4).value();
  const Dataflow flow(program);
  const Sampler sampler(flow);
  mg::Rng rng(2);
  const Schedule all_stored = schedule_by(flow, {Fuse::kNothing, Order::kRowMajor, 0});
  const Schedule all_fused = schedule_by(flow, {Fuse::kAll, Order::kRowMajor, 0});
  for (int i = 0; i < 20; ++i) {
    const Schedule mixed = sampler.cross(all_fused, all_stored, rng);
    std::size_t stored = 0;
    for (const std::size_t v : flow.values) {
      CHECK((mixed[v] == all_stored[v] || mixed[v] == all_fused[v]));
      stored += mixed[v].place == Placement::kMaterialise ? 1 : 0;
    }
    CHECK(stored >= 1);
  }
}

TEST_CASE("the search finds what its scorer likes best, among no more schedules than it may score") {
  for (const std::uint32_t number : {3u, 6u}) {
    const Program program = make_program(number).value();
    CAPTURE(program.name);
    const Dataflow flow(program);
    mg::Rng rng(4);
    const Sampler sampler(flow);
    const Schedule target = sampler.random(rng);
    Distance scorer(flow, target);
    SearchOptions options;
    options.evaluations = 3000;
    options.proposals = 7;
    const std::vector<Proposal> found = search(flow, scorer, options).value();
    REQUIRE(found.size() == 7);
    CHECK(found[0].score <= 1);
    CHECK(scorer.shown.size() == 3000);
    std::set<std::string> different;
    for (std::size_t i = 0; i < found.size(); ++i) {
      different.insert(schedule_text(flow, found[i].schedule));
      if (i > 0) CHECK(found[i - 1].score <= found[i].score);
    }
    CHECK(different.size() == 7);

    // The same again; and from the answer itself.
    Distance again(flow, target);
    const std::vector<Proposal> repeated = search(flow, again, options).value();
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(repeated[i].schedule == found[i].schedule);
    Distance knowing(flow, target);
    options.evaluations = 200;
    CHECK(search(flow, knowing, options, {target}).value()[0].schedule == target);
  }
}

TEST_CASE("errors of the scorer, and programs without much to decide") {
  const Program program = small_norm();
  const Dataflow flow(program);
  Distance scorer(flow, Schedule(program.instructions.size()));
  scorer.fails = true;
  CHECK(search(flow, scorer).status().message() == "no such program");

  Builder b("nothing");
  b.transpose(b.parameter({3, 5}), {1, 0});
  const Program nothing = b.build().value();
  const Dataflow empty(nothing);
  Distance only(empty, Schedule(nothing.instructions.size()));
  const std::vector<Proposal> found = search(empty, only).value();
  REQUIRE(found.size() == 1);
  CHECK(found[0].schedule == Schedule(2));
}

TEST_CASE("searches by measuring keep to their budgets and never give up the best rule") {
  const Program program = small_norm();
  const Dataflow flow(program);
  const Sampler sampler(flow);
  Bench bench(flow);
  MeasuringBudget budget;
  budget.measurements = 30;
  for (const bool climbs : {true, false}) {
    const mg::Result<Searched> found =
        climbs ? climb(bench, sampler.rules(), budget) : search_at_random(bench, sampler.rules(), budget);
    REQUIRE_MESSAGE(found.ok(), found.status().message());
    CHECK(found->measurements == 30);
    const std::vector<Schedule>& rules = sampler.rules();
    CHECK(std::find(rules.begin(), rules.end(), found->steps[0].schedule) != rules.end());
    CHECK(found->steps[0].measurements == 0);
    for (std::size_t i = 1; i < found->steps.size(); ++i)
      CHECK(found->steps[i - 1].measurements < found->steps[i].measurements);
    CHECK(bench.check(found->best()).ok());
  }
  budget.measurements = 0;
  CHECK(climb(bench, sampler.rules(), budget).value().steps.size() == 1);
  budget.measurements = 1'000'000;
  budget.seconds = 0;  // spent by the starts
  CHECK(climb(bench, sampler.rules(), budget).value().measurements == 0);

  Builder b("single");  // one value in one block: nothing else to try
  b.unary(Op::kTanh, b.parameter({8}));
  const Program single = b.build().value();
  const Dataflow single_flow(single);
  Bench single_bench(single_flow);
  const Searched stuck = climb(single_bench, {Schedule(2)}, {}).value();
  CHECK(stuck.measurements == 0);
  CHECK(stuck.best() == Schedule(2));
}

TEST_CASE("in a race the fastest is visited as often as asked for, and nothing more often") {
  const Program program = small_norm();
  const Dataflow flow(program);
  const Sampler sampler(flow);
  Bench bench(flow);
  RaceOptions options;
  options.visits = 4;
  const std::vector<Measurement> measured = race(bench, sampler.rules(), options).value();
  REQUIRE(measured.size() == sampler.rules().size());
  int most = 0;
  for (const Measurement& m : measured) {
    CHECK(m.ns >= 1);
    CHECK(m.visits >= 1);
    CHECK(m.visits <= 4);
    CHECK(m.noise >= 0);
    most = std::max(most, m.visits);
  }
  CHECK(most == 4);
  CHECK(bench.seconds_running() > 0);
  options.drop = 1e9;  // nobody is out
  const std::vector<Measurement> all = race(bench, sampler.rules(), options).value();
  for (const Measurement& m : all) CHECK(m.visits == 4);
  CHECK(race(bench, {}, options).value().empty());
}

TEST_CASE("medians, noise and order of measurements") {
  const Measurement m = measurement_of({40, 10, 20, 30, 1000});
  CHECK(m.ns == 30);
  CHECK(m.visits == 5);
  CHECK(m.noise == doctest::Approx(10.0 / 30));
  CHECK(measurement_of({7}).noise == 0);
  const std::vector<Measurement> all = {{30, 0, 1}, {10, 0, 1}, {20, 0, 1}, {10, 0, 1}};
  CHECK(fastest_of(all, 3) == std::vector<std::size_t>{1, 3, 2});
  CHECK(fastest_of(all, 9).size() == 4);
}
