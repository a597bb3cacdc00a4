// SPDX-License-Identifier: Apache-2.0
// Measuring on a machine that others use, too: a pinned thread, medians, and an estimate of what is left of the
// noise.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "mlgraph/tune/time_statistics.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace minicompiler {

/// Seconds of a clock that only moves forward.
[[nodiscard]] inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Keeps the calling thread on the processor it runs on, while it lives. Nothing where the system cannot.
class PinnedThread {
 public:
#if defined(__linux__)
  PinnedThread() : pinned_(sched_getaffinity(0, sizeof(before_), &before_) == 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    const int processor = sched_getcpu();
    if (processor >= 0) CPU_SET(static_cast<std::size_t>(processor), &one);
    pinned_ = pinned_ && processor >= 0 && sched_setaffinity(0, sizeof(one), &one) == 0;
  }
  ~PinnedThread() {
    if (pinned_) sched_setaffinity(0, sizeof(before_), &before_);
  }
#else
  PinnedThread() = default;
#endif
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;

 private:
#if defined(__linux__)
  cpu_set_t before_;
  bool pinned_;
#endif
};

/// What was measured of one candidate.
struct Measurement {
  std::int64_t ns = 0;  ///< median over the visits
  double noise = 0;     ///< half of the middle half of the visits, as a share of the median
  int visits = 0;
};

/// Of the times of each visit; at least one. By the same statistics as `mlgraph tune`.
[[nodiscard]] inline Measurement measurement_of(const std::vector<std::int64_t>& times) {
  return {mlgraph::median_time(times), mlgraph::spread_of_times(times), static_cast<int>(times.size())};
}

/// The positions of the `count` fastest, the fastest first; of all where there are fewer.
[[nodiscard]] inline std::vector<std::size_t> fastest_of(const std::vector<Measurement>& measured,
                                                         std::size_t count) {
  std::vector<std::size_t> order(measured.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return measured[a].ns < measured[b].ns; });
  order.resize(std::min(count, order.size()));
  return order;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP
