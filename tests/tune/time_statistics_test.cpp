// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/time_statistics.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("time_statistics: the median is one of the times, the faster of two in the middle") {
  CHECK(median_time(std::vector<std::int64_t>{7}) == 7);
  CHECK(median_time(std::vector<std::int64_t>{9, 1}) == 1);
  CHECK(median_time(std::vector<std::int64_t>{40, 10, 20, 30, 1000}) == 30);
  CHECK(median_time(std::vector<double>{0.5, 0.25, 2, 1}) == 0.5);
}

TEST_CASE("time_statistics: noise is half of the middle half, whatever one run was disturbed by") {
  CHECK(spread_of_times(std::vector<std::int64_t>{7}) == 0);
  CHECK(spread_of_times(std::vector<std::int64_t>{1000, 10, 20, 30, 40}) == doctest::Approx(10.0 / 30));
  CHECK(spread_of_times(std::vector<double>{1, 1, 1, 1, 50}) == 0);
  CHECK(spread_of_times(std::vector<double>{1, 2}) == 0.5);
}

}  // namespace
}  // namespace mlgraph
