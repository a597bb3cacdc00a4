// SPDX-License-Identifier: Apache-2.0
// Measuring on a machine that others use, too: a pinned thread, warm-ups, rounds over all candidates in turn,
// medians, and an estimate of what is left of the noise.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

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
  std::int64_t ns = 0;  ///< median over the rounds
  double noise = 0;     ///< half of the middle half of the rounds, as a share of the median
};

struct MeasureOptions {
  int rounds = 5;
  int repeats = 2;  ///< of each visit, after one warm-up; the fastest counts
};

/// Measures `count` candidates: run(i) runs candidate i. Every round visits each of them, so that what slows
/// the machine for a while slows all alike.
template <class Run>
[[nodiscard]] std::vector<Measurement> measure(std::size_t count, const MeasureOptions& options, Run&& run) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<std::int64_t>> times(count);
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      run(i);
      std::int64_t fastest = 0;
      for (int repeat = 0; repeat < options.repeats; ++repeat) {
        const Clock::time_point start = Clock::now();
        run(i);
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
        fastest = repeat == 0 ? ns : std::min<std::int64_t>(fastest, ns);
      }
      times[i].push_back(std::max<std::int64_t>(1, fastest));
    }
  }
  std::vector<Measurement> measured;
  for (std::vector<std::int64_t>& t : times) {
    std::sort(t.begin(), t.end());
    const std::int64_t median = t[t.size() / 2];
    const auto spread = static_cast<double>(t[3 * t.size() / 4] - t[t.size() / 4]);
    measured.push_back({median, spread / 2 / static_cast<double>(median)});
  }
  return measured;
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_MEASURE_HPP
