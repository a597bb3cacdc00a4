// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/space.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace mlgraph {
namespace {

/// Two nodes that decide `a`, one of which decides `b`, too, and a decision `p` of the program.
std::vector<Decision> some_decisions() {
  return {{"a@4", 4, {"x", "y"}, 0, 2, {1, 0, 0, 1}},
          {"a@1", 1, {"x", "y"}, 0, 2, {1, 0, 0, 1}},
          {"b", 4, {"1", "2", "3"}, 2, 1, {1, 2, 3}},
          {"p", -1, {"off", "on"}, 3, 2, {7, 8, 9, 10}}};
}

std::string space_error(std::vector<Decision> decisions, std::vector<Baseline> baselines = {},
                        std::vector<Forbidden> forbidden = {}) {
  const Result<Space> space = Space::make(std::move(decisions), std::move(baselines), std::move(forbidden));
  return space.ok() ? "" : space.status().message();
}

TEST_CASE("a configuration has a row for each node, with what is decided for it and for the program") {
  const Space space = Space::make(some_decisions()).value();
  CHECK(std::vector<std::int32_t>(space.config_nodes().begin(), space.config_nodes().end()) ==
        std::vector<std::int32_t>{1, 4});
  CHECK(space.rows_per_config() == 2);
  CHECK(space.num_features() == 5);
  CHECK(space.num_configs() == 24);
  AlignedVector<float> rows = {-1};  // appended to what is there
  space.append_rows(TuneConfig{1, 0, 2, 1}, rows);
  CHECK(std::vector<float>(rows.begin(), rows.end()) ==
        std::vector<float>{-1, /*node 1:*/ 1, 0, 0, 9, 10, /*node 4:*/ 0, 1, 3, 9, 10});
  CHECK(space.text(TuneConfig{1, 0, 2, 1}) == R"({"a@4":"y","a@1":"x","b":"3","p":"on"})");
  CHECK(space.reference() == TuneConfig{0, 0, 0, 0});
  CHECK(space.baselines()[0].name == "first choices");
}

TEST_CASE("a space of the program alone has configurations of one row") {
  const Space space = Space::make({{"p", -1, {"off", "on"}, 0, 1, {0, 1}}}).value();
  CHECK(space.config_nodes().empty());
  CHECK(space.config_size() == 1);
  AlignedVector<float> rows;
  space.append_rows(TuneConfig{1}, rows);
  CHECK(rows.size() == 1);
  CHECK(rows[0] == 1);
}

TEST_CASE("configurations by chance make every choice, and rules forbid some") {
  const Forbidden rule{{{0, {1}}, {2, {0, 1}}}};
  const Space space = Space::make(some_decisions(), {}, {rule}).value();
  Rng rng(3);
  int forbidden = 0;
  std::vector<int> seen(3);
  for (int i = 0; i < 600; ++i) {
    const TuneConfig config = space.random(rng);
    REQUIRE(space.check(config).ok());
    ++seen[static_cast<std::size_t>(config[2])];
    const bool meets = config[0] == 1 && config[2] < 2;
    CHECK(space.allows(config) == !meets);
    forbidden += meets ? 1 : 0;
  }
  CHECK(forbidden > 100);
  for (const int count : seen) CHECK(count > 100);
}

TEST_CASE("what is no space is refused, with what and where") {
  CHECK(space_error({}) == "there is no decision; a space has 1 or more");
  std::vector<Decision> d = some_decisions();
  d[1].name = "b";
  CHECK(space_error(d) == "two decisions are called \"b\"");
  d = some_decisions();
  d[2].choices.clear();
  d[2].features.clear();
  CHECK(space_error(d) == "decision \"b\": has no choice; should have 1 or more");
  d = some_decisions();
  d[2].choices[1] = "1";
  CHECK(space_error(d) == "decision \"b\": has the choice \"1\" twice");
  d = some_decisions();
  d[2].features.push_back(4);
  CHECK(space_error(d) == "decision \"b\": has 4 features for 3 choices of 1");
  d = some_decisions();
  d[2].column = 5000;
  CHECK(space_error(d) == "a row of a configuration has 5001 features; should be in [1, 4096]");
  CHECK(space_error(some_decisions(), {{"rule", {0, 0, 0}}}) ==
        "baseline \"rule\": a configuration of 3 choices; there are 4 decisions");
  CHECK(space_error(some_decisions(), {{"rule", {0, 0, 3, 0}}}) ==
        "baseline \"rule\": choice 3 of decision \"b\", which has 3");
  CHECK(space_error(some_decisions(), {{"rule", {0, 0, 1, 0}}}, {{{{2, {1}}}}}) ==
        "baseline \"rule\" is a forbidden one");
  CHECK(space_error(some_decisions(), {}, {{{{9, {1}}}}}) == "a rule is about decision 9, which is not there");
  CHECK(space_error(some_decisions(), {}, {{{{2, {5}}}}}) == "choice 5 of decision \"b\", which has 3");
}

TEST_CASE("two spaces are told apart") {
  const Space space = Space::make(some_decisions()).value();
  CHECK(difference(space, Space::make(some_decisions()).value()).empty());
  const auto changed = [&](auto change) {
    std::vector<Decision> d = some_decisions();
    change(d);
    return difference(space, Space::make(d).value());
  };
  CHECK(changed([](auto& d) { d.pop_back(); }) == "4 decisions, not 3");
  CHECK(changed([](auto& d) { d[2].name = "c"; }) == "decision 2, \"b\", is called \"c\"");
  CHECK(changed([](auto& d) { d[2].node = 1; }) == "decision 2, \"b\", is of node 4, not 1");
  CHECK(changed([](auto& d) { d[3].choices[1] = "yes"; }) ==
        "decision 3, \"p\", has the choice \"on\", not \"yes\"");
  CHECK(changed([](auto& d) { d[3].features[0] = 0; }) == "decision 3, \"p\", has other features");
  CHECK(
      difference(space, Space::make(some_decisions(), {{"r", {1, 0, 0, 0}}}).value()) ==
      R"(the reference {"a@4":"x","a@1":"x","b":"1","p":"off"}, not {"a@4":"y","a@1":"x","b":"1","p":"off"})");
}

}  // namespace
}  // namespace mlgraph
