// SPDX-License-Identifier: Apache-2.0
// A small space with known times, devices of different speeds, and a tuning of it with a clock of the test.
#ifndef MLGRAPH_TESTS_TUNE_TUNER_FIXTURE_HPP
#define MLGRAPH_TESTS_TUNE_TUNER_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/tune/tuner.hpp"

namespace mlgraph::testing {

/// `count` decisions of five choices each, of nodes 0, 1, ... or of the program; the first baseline is in the
/// middle.
inline Space grid_space(std::int32_t count = 4, bool of_nodes = false) {
  std::vector<Decision> decisions;
  for (std::int32_t d = 0; d < count; ++d) {
    decisions.push_back(
        {str_cat("d", d), of_nodes ? d : -1, {"a", "b", "c", "d", "e"}, of_nodes ? 0 : d, 1, {0, 1, 2, 3, 4}});
  }
  const auto size = static_cast<std::size_t>(count);
  return Space::make(std::move(decisions), {{"middle", TuneConfig(size, 2)}, {"last", TuneConfig(size, 4)}})
      .value();
}

/// The time of a configuration of grid_space() on a device of speed 1: the best choice of decision d is
/// (d + 3) % 5, and each is worth more than the one before.
inline double grid_ns(const TuneConfig& config) {
  double ns = 1000;
  for (std::size_t d = 0; d < config.size(); ++d) {
    const auto best = static_cast<std::int32_t>((d + 3) % 5);
    const double off = config[d] > best ? config[d] - best : best - config[d];
    ns += 100 * static_cast<double>(d + 1) * off;
  }
  return ns;
}

/// A measurement as a device of this speed makes it, a little off each time.
inline Measurement grid_measurement(const Trial& trial, const std::string& device = "cpu", double speed = 1) {
  Measurement m;
  m.device = device;
  for (std::int64_t run = 0; run < trial.runs; ++run) {
    const double noise = 1 + 1e-3 * static_cast<double>((trial.id * 7 + run * 3) % 5 - 2);
    m.ns.push_back(grid_ns(trial.config) / speed * noise);
  }
  return m;
}

/// Ranks by the true times: what a model would be that has learned all.
class GridRanker final : public TuneRanker {
 public:
  Status score(Span<const TuneConfig> configs, std::vector<double>& scores) override {
    scores.clear();
    for (const TuneConfig& config : configs) scores.push_back(grid_ns(config));
    return {};
  }
};

/// Asks for one trial, which must be there.
inline Trial ask_one(Tuner& tuner, const std::string& device = "cpu", double now = 0) {
  const Result<std::vector<Trial>> trials = tuner.ask(1, device, now);
  REQUIRE_MESSAGE(trials.ok(), trials.status().message());
  REQUIRE(trials->size() == 1);
  return (*trials)[0];
}

/// Asks and tells `count` times.
inline void run_tuner(Tuner& tuner, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Trial trial = ask_one(tuner);
    REQUIRE(tuner.tell(trial.id, grid_measurement(trial)).value() == Told::kCounted);
  }
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TUNE_TUNER_FIXTURE_HPP
