// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/first_place.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "mlgraph/core/random.hpp"

using namespace mlgraph;

TEST_CASE("the first place loses what a choice by halves is expected to") {
  const std::vector<std::int64_t> label = {10, 20, 40};
  // Weights 4/7, 2/7 and 1/7 of slowdowns 0, 1 and 3.
  CHECK(first_place_loss(std::vector<float>{1, 2, 3}, label).value() == doctest::Approx(5.0 / 7));
  CHECK(first_place_loss(std::vector<float>{3, 2, 1}, label).value() == doctest::Approx((4 * 3 + 2) / 7.0));
  CHECK(first_place_loss(std::vector<float>{0, 0, 0}, label).value() ==
        doctest::Approx(5.0 / 7));  // their order
  CHECK(first_place_loss(std::vector<double>{9}, std::vector<double>{0.5}).value() == 0);
}

TEST_CASE("it is smooth where slowdown@1 jumps, and no order is better than the true one") {
  const std::vector<double> label = {1, 1.5, 1.6, 1.7, 1.8, 3};
  const double best = first_place_loss(label, label).value();
  const double near = first_place_loss(std::vector<double>{1, 2, 3, 4, 6, 5}, label).value();
  const double swap = first_place_loss(std::vector<double>{2, 1, 3, 4, 5, 6}, label).value();
  const double worst = first_place_loss(std::vector<double>{6, 5, 4, 3, 2, 1}, label).value();
  CHECK(best < near);  // which slowdown@1 to @4 do not see
  CHECK(near < swap);
  CHECK(swap < worst);
  Rng rng(3);
  for (int i = 0; i < 100; ++i) {
    std::vector<double> score;
    for (std::size_t j = 0; j < label.size(); ++j) score.push_back(rng.normal());
    CHECK(first_place_loss(score, label).value() >= best);
  }
}

TEST_CASE("places behind the 64th do not count") {
  std::vector<double> score, label;
  for (int i = 0; i < 100; ++i) {
    score.push_back(i);
    label.push_back(i < 64 ? 1 : 1e9);
  }
  CHECK(first_place_loss(score, label).value() == 0);
  label[63] = 1 + 0x1p60;  // its weight is 2^-64 against a sum of 2
  CHECK(first_place_loss(score, label).value() == doctest::Approx(0x1p60 * 0x1p-64));
}

TEST_CASE("the errors of the first place's loss") {
  const std::vector<float> score = {1, 2};
  const auto message = [&](const std::vector<double>& label) {
    return first_place_loss(score, label).status().message();
  };
  CHECK(message({1}) == "first_place_loss: there are 2 scores but 1 labels");
  CHECK(message({0, 1}) == "first_place_loss: the fastest label is 0; it should be positive and finite");
  CHECK(message({1, std::nan("")}) == "first_place_loss: label 1 is nan");
  CHECK(first_place_loss(std::vector<float>(), std::vector<double>()).status().message() ==
        "first_place_loss: there are 0 items; it needs at least 1");
}
