// SPDX-License-Identifier: Apache-2.0
// What several times of one thing say: the median, and how far they differ.
#ifndef MLGRAPH_TUNE_TIME_STATISTICS_HPP
#define MLGRAPH_TUNE_TIME_STATISTICS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "mlgraph/core/config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The middle one; of an even number the smaller one of two: what disturbs, slows. At least one time.
template <class Time>
[[nodiscard]] Time median_time(std::vector<Time> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

/// Half of the middle half of some times, as a share of their median: their noise. At least one time.
template <class Time>
[[nodiscard]] double spread_of_times(std::vector<Time> times) {
  std::sort(times.begin(), times.end());
  const std::size_t n = times.size();
  return static_cast<double>(times[3 * n / 4] - times[n / 4]) / 2 / static_cast<double>(times[(n - 1) / 2]);
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_TIME_STATISTICS_HPP
