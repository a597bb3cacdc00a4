// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/results.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/similar.hpp"

namespace {

using namespace minicompiler;

Program named(const std::string& name, Op op = Op::kTanh, std::int64_t size = 8) {
  Builder b(name);
  b.unary(op, b.parameter({size, size}));
  return b.build().value();
}

/// Rule 3 takes `rule`, rule 5 is the best one; one contestant.
Contest contest_of(const std::string& name, std::int64_t rule, std::int64_t best, std::int64_t first,
                   std::int64_t measured) {
  Contest contest;
  contest.program = named(name);
  contest.rules.assign(all_rules().size(), 4000);
  contest.rules[3] = rule;
  contest.rules[5] = best;
  contest.searched = {{"hill climbing from the rules", 35, best}, {"dynamic programming", 100, 2 * best}};
  Proposed proposed;
  proposed.first = first;
  proposed.measured = measured;
  contest.proposed.push_back(proposed);
  return contest;
}

Results two_programs() {
  Results results;
  results.rule = 3;
  results.contestants = {"network"};
  results.contests = {contest_of("norm_1", 2000, 1000, 1000, 500), contest_of("fan_2", 1000, 1000, 2000, 1000)};
  results.similar_rules = {5, 3};
  return results;
}

}  // namespace

TEST_CASE("speed-ups are geometric means, and tell the worst") {
  const SpeedUps s = speed_ups({2, 1, 1}, {1, 2, 1.25});
  CHECK(s.mean == doctest::Approx(std::cbrt(2 * 0.5 * 0.8)));
  CHECK(s.worst == doctest::Approx(0.5));
}

TEST_CASE("the rule is the one that is best over all programs and was measured for each") {
  CHECK(best_rule_of_all({{100, 50, 10}, {10, 15, 100}}) == 1);
  CHECK(best_rule_of_all({{100, 1, 10}, {10, 0, 100}}) == 0);  // 0: not measured
}

TEST_CASE("the line for scripts and the table say the same") {
  const Results results = two_programs();
  CHECK(summary_line(results) ==
        "summary: programs=2 rule_first=1.000 rule_five=2.000 best_rule_first=0.707 best_rule_five=1.414 "
        "worst_first=0.500\n");
  const std::string table = results_table(results);
  CHECK(table.find("network: first choice                         0  1.000   0.50      0.707   0.50 |  2.000  "
                   "0.500\n") != std::string::npos);
  CHECK(table.find("rule of the most similar program              0  1.414   1.00      1.000   1.00 |  2.000  "
                   "1.000\n") != std::string::npos);
  CHECK(table.find("hill climbing from the rules                 35") != std::string::npos);
  CHECK(table.find("dynamic programming                         100") != std::string::npos);
  CHECK(results_table(Results{}) == "no program\n");
}

TEST_CASE("ratios of pairs have an interval, which is none where all are equal") {
  const PairedRatio equal = paired_ratio({2, 4, 6}, {1, 2, 3});
  CHECK(equal.mean == doctest::Approx(2));
  CHECK(equal.low == doctest::Approx(2));
  CHECK(equal.high == doctest::Approx(2));
  const PairedRatio mixed = paired_ratio({1, 4, 1, 4}, {1, 1, 1, 1});
  CHECK(mixed.mean == doctest::Approx(2));
  CHECK(mixed.low >= 1);
  CHECK(mixed.low < 1.5);
  CHECK(mixed.high <= 4);
  CHECK(mixed.high > 2.5);
  CHECK(paired_ratio({}, {}).mean == 1);
}

TEST_CASE("the last contestant is set beside the others and the searches, program by program") {
  Results results = two_programs();
  const std::string text = paired_text(results);
  CHECK(text.find("network: 5 beside the rules / best rule of each program: ") != std::string::npos);
  CHECK(text.find("network: 5 beside the rules / hill climbing from the rules: 1.414 (") != std::string::npos);
  CHECK(text.find("faster on 1, slower on 0 of 2") != std::string::npos);
  CHECK(text.find("network: first choice below 0.95 of the rule on 1, below 0.85 on 1 of 2\n") !=
        std::string::npos);
  CHECK(paired_text(Results{}).empty());
}

TEST_CASE("one contest as lines") {
  const std::string text = contest_text(contest_of("norm_1", 2000, 1000, 1250, 500), {"network"});
  CHECK(text.find("best rule: " + rule_text(all_rules()[5])) != std::string::npos);
  CHECK(text.find("network: first choice                        1.2 us   0.800 x") != std::string::npos);
  CHECK(text.find("long search") == std::string::npos);
}

TEST_CASE("the most similar program has the same operators and about the same size") {
  SimilarPrograms similar;
  std::vector<std::int64_t> times(all_rules().size(), 100);
  const auto add = [&](const Program& program, std::size_t best) {
    times[best] = 10;
    similar.add(program, times);
    times[best] = 100;
  };
  add(named("a", Op::kTanh, 64), 2);
  add(named("b", Op::kAbs, 64), 4);
  add(named("c", Op::kTanh, 2048), 6);
  CHECK(similar.rule_for(named("x", Op::kTanh, 80)) == 2);
  CHECK(similar.rule_for(named("x", Op::kAbs, 100)) == 4);
  CHECK(similar.rule_for(named("x", Op::kTanh, 1800)) == 6);
  times.assign(times.size(), 0);
  times[7] = 5;  // the only one that was measured
  similar.add(named("d", Op::kLog, 64), times);
  CHECK(similar.rule_for(named("x", Op::kLog, 64)) == 7);
}
