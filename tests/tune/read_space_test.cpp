// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/read_space.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace mlgraph {
namespace {

constexpr const char* kSpace = R"({
  "about": {"compiler": "of the test"},
  "decisions": [{"name": "tile", "choices": [8, 16, 32], "features": "numbers"},
                {"name": "layout", "nodes": [7, 3], "choices": ["nhwc", "nchw"]},
                {"name": "first layout", "node": 1, "kind": "layout", "choices": ["nchw", "any"]},
                {"name": "unroll", "node": 3, "choices": ["no", "4"], "features": [[1, 0], [4, 1.5]]}],
  "baselines": [{"name": "rule", "choices": {"tile": 16, "layout@3": "nchw"}}, {"choices": {}}],
  "forbid": [{"tile": [16, 32], "unroll": "4"}]})";

std::string read_error(const std::string& text) {
  const Result<Space> space = read_space(text);
  return space.ok() ? "" : space.status().message();
}
/// Of a space whose only decision has these members.
std::string decision_error(const std::string& members) {
  return read_error(R"({"decisions":[{)" + members + "}]}");
}

TEST_CASE("a space is read from JSON") {
  const Result<Space> read = read_space(kSpace);
  REQUIRE_MESSAGE(read.ok(), read.status().message());
  const Space& space = *read;
  REQUIRE(space.decisions().size() == 5);
  CHECK(space.decisions()[1].name == "layout@7");
  CHECK(space.decisions()[3].name == "first layout");
  CHECK(space.num_features() == 1 + 3 + 2);  // tile; nhwc, nchw, any; unroll
  CHECK(space.rows_per_config() == 3);
  CHECK(space.reference() == TuneConfig{1, 0, 1, 0, 0});
  CHECK(space.baselines()[1].name == "baseline 1");
  CHECK(space.baselines()[1].config == TuneConfig{0, 0, 0, 0, 0});
  AlignedVector<float> rows;
  space.append_rows(TuneConfig{2, 0, 1, 0, 1}, rows);
  CHECK(std::vector<float>(rows.begin(), rows.end()) ==
        std::vector<float>{32, 0, 1, 0, 0, 0, 32, 0, 1, 0, 4, 1.5, 32, 1, 0, 0, 0, 0});
  CHECK(space.allows(TuneConfig{0, 0, 0, 0, 1}));
  CHECK_FALSE(space.allows(TuneConfig{2, 0, 0, 0, 1}));
}

TEST_CASE("what a space cannot be is said with its place") {
  const std::pair<const char*, const char*> of_decision[] = {
      {R"("choices":[1])", "decisions[0]: name: is missing; should be a text"},
      {R"("name":"a")", "decisions[0]: \"a\": choices: is missing; should be a list"},
      {R"("name":"a","choices":[])", "decisions[0]: \"a\": choices: is empty; should have 1 or more"},
      {R"("name":"a","choices":[""])",
       "decisions[0]: \"a\": a choice is the text \"\"; should be a text that is not empty, or a number"},
      {R"("name":"a","choices":[1],"chioces":[2])",
       "decisions[0]: a decision has the key \"chioces\"; it may have: name, node, nodes, kind, choices, "
       "features"},
      {R"("name":"a","choices":["x","y"],"features":[[1,2],[3]])",
       "decisions[0]: \"a\": features of the choice \"y\": are 1; the choices before it have 2"},
      {R"("name":"a","choices":["x","y"],"features":[[1]])",
       "decisions[0]: \"a\": features: are of 1 choices; there are 2"},
      {R"("name":"a","choices":["x"],"features":"numbers")",
       "decisions[0]: \"a\": features of the choice \"x\": is the text \"x\"; should be a number"},
      {R"("name":"a","choices":["x"],"features":[[1e300]])",
       "decisions[0]: \"a\": features of the choice \"x\": is 1e300, which no float holds"},
      {R"("name":"a","choices":["x"],"features":7)",
       "decisions[0]: \"a\": features: is the number 7; should be \"one-hot\", \"numbers\" or a list for each "
       "choice"},
      {R"("name":"a","choices":["x"],"node":1.5)",
       "decisions[0]: \"a\": a node is the number 1.5; should be its number in the graph, from 0"},
      {R"("name":"a","choices":["x"],"nodes":[])",
       "decisions[0]: \"a\": nodes: should be a list of 1 node or more"},
      {R"("name":"a","choices":["x"],"node":1,"nodes":[2])",
       "decisions[0]: \"a\": has node and nodes; should have one of them"},
      {R"("name":"a","choices":["x","x"])", "decision \"a\": has the choice \"x\" twice"},
      {R"("name":"a","nodes":[2,2],"choices":["x"])", "two decisions are called \"a@2\""},
  };
  for (const auto& [members, message] : of_decision) CHECK(decision_error(members) == message);
  CHECK(read_error("[]") == "a space is a list; should be an object");
  CHECK(read_error("{}") == "decisions: is missing; should be a list");
  CHECK(read_error(R"({"decisions":[]})") == "there is no decision; a space has 1 or more");
  CHECK(read_error(R"({"decisions":[[[[[[[[[[1]]]]]]]]]]})") == "byte 20: is nested deeper than 8 levels");
  const std::string two = R"({"decisions":[{"name":"a","kind":"k","choices":[1,2],"features":"numbers"},)"
                          R"({"name":"b","kind":"k","choices":["x"]}]})";
  CHECK(read_error(two) ==
        "decisions[1]: \"b\": has one-hot features; \"a\", of the same kind \"k\", has 1 features");
}

TEST_CASE("a short text cannot ask for much memory") {
  std::string choices = "0", nodes = "0";
  for (int i = 1; i < 4000; ++i) choices += "," + std::to_string(i);
  CHECK(read_error(R"({"decisions":[{"name":"a","choices":[)" + choices + "]}]}") ==
        "all decisions together have 4000 choices or more, with 16000000 features; the limits are 1048576 and "
        "8388608");
  for (int i = 1; i < 300; ++i) nodes += "," + std::to_string(i);
  CHECK(read_error(R"({"decisions":[{"name":"a","features":"numbers","choices":[)" + choices +
                   R"(],"nodes":[)" + nodes + "]}]}") ==
        "decisions[0]: \"a\": all decisions together have 1052000 choices or more, with 1052000 features; the "
        "limits "
        "are 1048576 and 8388608");
}

TEST_CASE("baselines and rules are of what there is") {
  const std::string begin = R"({"decisions":[{"name":"a","choices":[1,2]}],)";
  CHECK(read_error(begin + R"("baselines":[{"choices":{"b":1}}]})") ==
        "baselines[0]: there is no decision \"b\"");
  CHECK(read_error(begin + R"("baselines":[{"choices":{"a":3}}]})") ==
        "baselines[0]: decision \"a\" has no choice \"3\"");
  CHECK(read_error(begin + R"("baselines":{}})") == "baselines: is an object; should be a list");
  CHECK(read_error(begin + R"("forbid":[{}]})") ==
        "forbid[0]: is empty; should be an object of decisions and choices");
  CHECK(read_error(begin + R"("forbid":[{"a":[1,7]}]})") == "forbid[0]: decision \"a\" has no choice \"7\"");
  CHECK(read_error(begin + R"("forbid":[{"a":1}]})") == "baseline \"first choices\" is a forbidden one");
}

TEST_CASE("nodes must be there") {
  const Space space = read_space(kSpace).value();
  CHECK(check_nodes(space, 8).ok());
  CHECK(check_nodes(space, 7).message() == "decision \"layout@7\" is of node 7; the program has 7 nodes");
}

}  // namespace
}  // namespace mlgraph
