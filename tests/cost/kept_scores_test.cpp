// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/kept_scores.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("the score of the same totals is found, in their order and of their number") {
  using Totals = std::vector<std::int32_t>;
  KeptScores scores;
  CHECK(scores.find(Totals{3, 4}) == nullptr);
  scores.keep(1.5f);
  CHECK(scores.find(Totals{4, 3}) == nullptr);
  scores.keep(2.5f);
  CHECK(scores.find(Totals{3}) == nullptr);
  scores.keep(3.5f);
  REQUIRE(scores.find(Totals{3, 4}) != nullptr);
  CHECK(*scores.find(Totals{3, 4}) == 1.5f);
  CHECK(*scores.find(Totals{4, 3}) == 2.5f);
  CHECK(*scores.find(Totals{3}) == 3.5f);
  CHECK(scores.bytes() > 0);
}

TEST_CASE("totals that got no score are asked for again, and take the place of none") {
  using Totals = std::vector<std::int32_t>;
  KeptScores scores;
  CHECK(scores.find(Totals{1}) == nullptr);  // its score was not finite
  CHECK(scores.find(Totals{2}) == nullptr);
  scores.keep(7);
  CHECK(scores.find(Totals{1}) == nullptr);
  CHECK(*scores.find(Totals{2}) == 7);
  scores.clear();
  CHECK(scores.find(Totals{2}) == nullptr);
}

}  // namespace
}  // namespace mlgraph
