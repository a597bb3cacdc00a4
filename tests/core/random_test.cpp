// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("the numbers are the same on every platform") {
  // mix64 counts up from SplitMix64's state 0 and 1; the values are those of its published reference code.
  CHECK(mix64(0) == 0xe220a8397b1dcdafu);
  CHECK(mix64(0x9e3779b97f4a7c15u) == 0x6e789e6aa1b965f4u);
  Rng rng(42);
  const std::uint64_t first = rng.next();
  CHECK(Rng(42).next() == first);
  CHECK(Rng(43).next() != first);
}

TEST_CASE("uniform, below and normal have the right moments") {
  Rng rng(1);
  constexpr int kDraws = 200000;
  double sum = 0, normal_sum = 0, normal_squares = 0;
  std::vector<int> count(7);
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    CHECK_FALSE((u < 0 || u >= 1));
    sum += u;
    const double z = rng.normal();
    normal_sum += z;
    normal_squares += z * z;
    ++count[static_cast<std::size_t>(rng.below(7))];
  }
  CHECK(std::abs(sum / kDraws - 0.5) < 4 * std::sqrt(1 / 12.0 / kDraws));
  CHECK(std::abs(normal_sum / kDraws) < 4 / std::sqrt(kDraws));
  CHECK(std::abs(normal_squares / kDraws - 1) < 4 * std::sqrt(2.0 / kDraws));
  for (const int c : count) CHECK(std::abs(c - kDraws / 7.0) < 4 * std::sqrt(kDraws / 7.0));
  CHECK(rng.below(1) == 0);
}

TEST_CASE("shuffle makes every order") {
  std::vector<int> order_count(6);
  Rng rng(3);
  for (int i = 0; i < 6000; ++i) {
    std::vector<int> v = {0, 1, 2};
    rng.shuffle(v);
    ++order_count[static_cast<std::size_t>(v[0] * 2 + (v[1] > v[2] ? 1 : 0))];
  }
  for (const int c : order_count) CHECK(std::abs(c - 1000) < 120);
}

}  // namespace
}  // namespace mlgraph
