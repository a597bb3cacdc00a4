// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/contest.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "storage_ranker.hpp"

namespace {

using namespace minicompiler;

class Broken final : public Ranker {
 public:
  mg::Result<std::unique_ptr<Scorer>> bind(const Dataflow&) const override {
    return mg::Status::data_loss("no score today");
  }
};

Program tiny_norm() {
  Builder b("tiny_norm");
  const Value x = b.unary(Op::kTanh, b.parameter({40, 32}));
  const Value sums = b.reduce(b.multiply(x, x), {1});
  b.multiply(x, b.broadcast(b.unary(Op::kRsqrt, sums), {40, 32}, {0}));
  return b.build().value();
}

}  // namespace

TEST_CASE("a contest times rules, choices and searches of one program") {
  const StorageRanker storing(-1), fusing(1);
  ContestOptions options;
  options.search.evaluations = 60;
  options.quick = {2, 1, 1};
  options.last = {1e9, 1, 1};
  const Program program = tiny_norm();
  const mg::Result<Contest> contest =
      hold_contest(program, {{"storing", &storing}, {"fusing", &fusing}}, options);
  REQUIRE_MESSAGE(contest.ok(), contest.status().message());
  REQUIRE(contest->rules.size() == all_rules().size());
  CHECK(contest->rules[contest->best_rule()] ==
        *std::min_element(contest->rules.begin(), contest->rules.end()));
  REQUIRE(contest->proposed.size() == 2);
  const Dataflow flow(program);
  for (const Proposed& proposed : contest->proposed) {
    CHECK(proposed.first > 0);
    CHECK(proposed.measured > 0);
    CHECK(canonical(flow, proposed.schedule) == proposed.schedule);
  }
  REQUIRE(contest->searched.size() == 2);
  CHECK(contest->searched[0].num_measured <= all_rules().size() + options.search.proposals);
  CHECK(contest->searched[1].ns > 0);
  CHECK(contest->climbed_long == 0);
  // The rules of one schedule have one time.
  for (std::size_t r = 1; r < contest->rules.size(); ++r) {
    if (contest->by_rules[r] == contest->by_rules[0]) CHECK(contest->rules[r] == contest->rules[0]);
  }
}

TEST_CASE("after a long search the fastest of all is told") {
  const StorageRanker storing(-1);
  ContestOptions options;
  options.search.evaluations = 40;
  options.climbing_seconds = 1e-3;
  options.quick = {2, 1, 1};
  options.last = {1e9, 1, 1};
  const Contest contest = hold_contest(tiny_norm(), {{"storing", &storing}}, options).value();
  CHECK(contest.climbed_long > 0);
  CHECK(contest.climbed_long <= contest.rules[contest.best_rule()]);
  CHECK(contest.climbed_long <= contest.proposed[0].first);
}

TEST_CASE("searches by measuring for a time, and groups, where they are asked for") {
  const StorageRanker storing(-1);
  ContestOptions options;
  options.search.evaluations = 40;
  options.same_seconds = 1e-3;
  options.grouping = true;
  options.quick = {2, 1, 1};
  options.last = {1e9, 1, 1};
  const Contest contest = hold_contest(tiny_norm(), {{"storing", &storing}}, options).value();
  REQUIRE(contest.searched.size() == 5);
  CHECK(contest.searched[2].name == "0.001 s of random search");
  CHECK(contest.searched[3].name == "0.001 s of hill climbing");
  CHECK(contest.searched[4].name == "dynamic programming over groups");
  for (const Found& found : contest.searched) CHECK(found.ns > 0);
  // Two layouts, and no nest more than groups of ten of five values have.
  CHECK(contest.searched[4].num_measured >= 2 * 5);
  CHECK(contest.searched[4].num_measured <= 2 * 5 * 6 / 2);
}

TEST_CASE("a ranker that fails ends the contest") {
  const Broken broken;
  CHECK(hold_contest(tiny_norm(), {{"broken", &broken}}).status().message() == "no score today");
}
