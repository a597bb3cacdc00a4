// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/split.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace mlgraph;

namespace {

/// Every item is in one part.
void check_parts(const SplitParts& parts, std::size_t n) {
  std::vector<int> seen(n, 0);
  for (const auto& part : parts) {
    CHECK(std::is_sorted(part.begin(), part.end()));
    for (const std::size_t i : part) ++seen.at(i);
  }
  CHECK(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
}

constexpr double kFractions[] = {0.7, 0.1, 0.2};

}  // namespace

TEST_CASE("a random split has its sizes, and the same seed gives the same parts") {
  for (const std::size_t n : {0u, 1u, 10u, 103u, 1000u}) {
    const Result<SplitParts> parts = random_split(n, kFractions, 5);
    REQUIRE(parts.ok());
    REQUIRE(parts->size() == 3);
    check_parts(*parts, n);
    for (std::size_t p = 0; p < 3; ++p)
      CHECK(std::abs(static_cast<double>((*parts)[p].size()) - kFractions[p] * static_cast<double>(n)) < 1);
    CHECK(*random_split(n, kFractions, 5) == *parts);
    if (n > 10) CHECK(*random_split(n, kFractions, 6) != *parts);
  }
}

TEST_CASE("in a stratified split every class has its share") {
  std::vector<std::int32_t> classes;
  for (std::int32_t i = 0; i < 300; ++i) classes.push_back(i < 200 ? 7 : i < 290 ? -1 : 3);
  const Result<SplitParts> parts = stratified_split(classes, kFractions, 1);
  REQUIRE(parts.ok());
  check_parts(*parts, classes.size());
  for (std::size_t p = 0; p < 3; ++p) {
    for (const std::int32_t label : {7, -1, 3}) {
      const auto count = std::count_if((*parts)[p].begin(), (*parts)[p].end(),
                                       [&](std::size_t i) { return classes[i] == label; });
      const auto all = std::count(classes.begin(), classes.end(), label);
      CHECK(std::abs(static_cast<double>(count) - kFractions[p] * static_cast<double>(all)) < 1.01);
    }
  }
  const Result<SplitParts> folds = stratified_folds(classes, 10, 1);
  REQUIRE(folds.ok());
  for (const auto& fold : *folds) {
    CHECK(fold.size() == 30);
    CHECK(std::count_if(fold.begin(), fold.end(), [&](std::size_t i) { return classes[i] == 3; }) == 1);
  }
}

TEST_CASE("a split by a key has no key in two parts") {
  Rng rng(3);
  std::vector<std::string> programs;
  for (int i = 0; i < 500; ++i) programs.push_back("p" + std::to_string(rng.below(60)));
  const Result<SplitParts> parts = split_by_key(programs, kFractions, 1);
  REQUIRE(parts.ok());
  check_parts(*parts, programs.size());
  std::set<std::string> all;
  std::size_t num_keys = 0;
  for (std::size_t p = 0; p < 3; ++p) {
    std::set<std::string> keys;
    for (const std::size_t i : (*parts)[p]) keys.insert(programs[i]);
    num_keys += keys.size();
    all.insert(keys.begin(), keys.end());
    CHECK(std::abs(static_cast<double>((*parts)[p].size()) - 500 * kFractions[p]) < 15);
  }
  CHECK(num_keys == all.size());
  const std::vector<std::int32_t> ids = {1, 1, 2, 2, 3, 3};
  const Result<SplitParts> folds = folds_by_key(ids, 3, 1);
  REQUIRE(folds.ok());
  check_parts(*folds, ids.size());
  for (const auto& fold : *folds) {
    REQUIRE(fold.size() == 2);
    CHECK(ids[fold[0]] == ids[fold[1]]);
  }
}

TEST_CASE("folds are of equal size; the complement of one is what it is trained on") {
  const Result<SplitParts> folds = random_folds(103, 10, 2);
  REQUIRE(folds.ok());
  check_parts(*folds, 103);
  for (const auto& fold : *folds) {
    CHECK((fold.size() == 10 || fold.size() == 11));
    check_parts({fold, complement(fold, 103)}, 103);
  }
  const std::size_t part[] = {1, 3};
  CHECK(mask_of(part, 5) == std::vector<std::int32_t>{0, 1, 0, 1, 0});
}

TEST_CASE("fractions and folds that cannot be are refused") {
  const double too_little[] = {0.5, 0.4}, negative[] = {1.5, -0.5};
  CHECK(random_split(10, too_little, 1).status().message() ==
        "split: the fractions add up to 0.9; should be 1");
  CHECK(random_split(10, negative, 1).status().message() ==
        "split: fraction 0 is 1.5; should be above 0 and at most 1");
  CHECK(random_split(10, {}, 1).status().message() == "split: the fractions add up to 0; should be 1");
  CHECK(random_folds(10, 1, 1).status().message() == "split: num_folds is 1; should be 2 or more");
}
