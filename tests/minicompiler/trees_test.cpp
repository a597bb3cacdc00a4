// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/trees.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "../../examples/minicompiler/builder.hpp"
#include "../../examples/minicompiler/sampling.hpp"

namespace {

using namespace minicompiler;

/// Writes JSON and loads it.
mg::Result<std::unique_ptr<Trees>> trees_of(const std::string& json) {
  const std::string path = (std::filesystem::temp_directory_path() / "minicompiler_trees_test.json").string();
  std::ofstream(path) << json;
  mg::Result<std::unique_ptr<Trees>> trees = Trees::load(path, Machine{});
  std::filesystem::remove(path);
  return trees;
}

std::string leaf(double value) { return mg::str_cat(R"({"leaf_value":)", value, "}"); }
std::string split(std::size_t feature, double threshold, const std::string& left, const std::string& right) {
  return mg::str_cat(R"({"split_feature":)", feature, R"(,"threshold":)", threshold,
                     R"(,"decision_type":"<=","left_child":)", left, R"(,"right_child":)", right, "}");
}

}  // namespace

TEST_CASE("trees add up the leaves that features lead to") {
  Builder b("p");
  const Value x = b.unary(Op::kTanh, b.parameter({64, 48}));
  b.reduce(b.unary(Op::kAbs, x), {1});
  const Program program = b.build().value();
  const Dataflow flow(program);
  FeatureMaker features(flow, Machine{});
  const std::vector<Schedule> schedules = Sampler(flow).rules();
  std::vector<std::vector<float>> rows(schedules.size());
  for (std::size_t i = 0; i < schedules.size(); ++i) features.append_tree_features(schedules[i], rows[i]);
  // A feature that tells the first two schedules apart, and a threshold on the one's value.
  std::size_t feature = 0;
  while (feature + 1 < rows[0].size() && rows[0][feature] == rows[1][feature]) ++feature;
  REQUIRE(rows[0][feature] != rows[1][feature]);
  const auto least = static_cast<double>(std::min(rows[0][feature], rows[1][feature]));
  const std::string json = mg::str_cat(R"({"tree_info":[{"tree_structure":)",
                                       split(feature, least, split(0, 1e30, leaf(1), leaf(100)), leaf(2)),
                                       R"(},{"tree_structure":)", leaf(0.5), "}]}");
  const mg::Result<std::unique_ptr<Trees>> trees = trees_of(json);
  REQUIRE_MESSAGE(trees.ok(), trees.status().message());
  std::vector<float> scores;
  REQUIRE((*trees)->bind(flow).value()->score(schedules, scores).ok());
  REQUIRE(scores.size() == schedules.size());
  for (std::size_t i = 0; i < scores.size(); ++i)
    CHECK(scores[i] == (static_cast<double>(rows[i][feature]) <= least ? 1.5f : 2.5f));
}

TEST_CASE("what is no tree over these features is an error") {
  CHECK(!Trees::load("/nowhere/trees.json", Machine{}).ok());
  const auto error = [](const std::string& tree) {
    const std::string text =
        trees_of(mg::str_cat(R"({"tree_info":[{"tree_structure":)", tree, "}]}")).status().message();
    return text.substr(text.find(": ") + 2);
  };
  CHECK(error(split(1'000'000, 0, leaf(1), leaf(2))) == "there is no feature 1000000");
  CHECK(error(R"({"split_feature":0,"threshold":1,"decision_type":"==","left_child":{},"right_child":{}})") ==
        "a split is not numeric");
  CHECK(!trees_of("{}").ok());
  CHECK(!trees_of("no JSON").ok());
  std::string deep = leaf(1);
  for (int i = 0; i < 300; ++i) deep = split(0, 0, deep, leaf(2));
  CHECK(error(deep) == "a tree is too deep");
}
