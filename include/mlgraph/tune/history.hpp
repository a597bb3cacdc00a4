// SPDX-License-Identifier: Apache-2.0
// TuneHistory: what was measured of a space, on which devices, and what it comes to: estimates that can be
// compared, and training data.
#ifndef MLGRAPH_TUNE_HISTORY_HPP
#define MLGRAPH_TUNE_HISTORY_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/tune/space.hpp"
#include "mlgraph/tune/time_statistics.hpp"
#include "mlgraph/tune/trial.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// How long a configuration takes, as far as it is known.
struct TuneEstimate {
  double time = std::numeric_limits<double>::quiet_NaN();  ///< as a multiple of the reference's; NaN: not known
  double noise = 0;                                        ///< of `time`, as a share of it
  std::int64_t runs = 0;

  [[nodiscard]] bool is_known() const { return !std::isnan(time); }
  /// What it hardly takes more than.
  [[nodiscard]] double upper() const { return time * (1 + noise); }
};

/// Measured configurations as a network is trained on them; owns its arrays.
struct TuneData {
  AlignedVector<float> configs;            // (C, rows_per_config, num_features)
  AlignedVector<std::int64_t> runtime;     // (C) ns; empty: not measured
  std::vector<std::int32_t> config_nodes;  // of the space
  std::int64_t num_configs = 0, rows_per_config = 1, num_features = 0;

  /// The program with these configurations; borrows from both.
  [[nodiscard]] ProgramView view(ProgramView program) const {
    program.graph.config_node = config_nodes;
    program.configs = {{}, configs, num_configs, rows_per_config, num_features};
    program.runtime = runtime;
    program.runtime_normalizer = {};
    return program;
  }
};

/// Room for configurations of a space.
[[nodiscard]] inline TuneData empty_data(const Space& space) {
  TuneData data;
  data.config_nodes.assign(space.config_nodes().begin(), space.config_nodes().end());
  data.rows_per_config = space.rows_per_config();
  data.num_features = space.num_features();
  return data;
}

/// Everything that was told of a space.
///
/// Times of different devices are never compared, but what they are as multiples of the reference's time on the
/// same device and about the same time: the median of the five measurements of the reference around them.
class TuneHistory {
 public:
  /// A configuration that was measured, or that failed.
  struct Item {
    struct Sample {
      std::size_t device = 0;
      std::size_t references = 0;  // of the device when it was told
      std::vector<double> ns;
    };
    TuneConfig config;
    TrialReason reason = TrialReason::kRandom;  // why it was asked for first
    std::vector<Sample> samples;
    TrialFailure failure = TrialFailure::kNone;  // where there is no sample
    std::string message;
  };
  /// Where configurations were measured.
  struct Device {
    std::string name;
    std::vector<double> reference_ns;    // each the median of a measurement
    std::int64_t since_reference = 0;    // measurements
    std::int64_t failed_references = 0;  // since one succeeded
    std::int64_t measurements = 0;
  };

  explicit TuneHistory(TuneConfig reference) : reference_(std::move(reference)) {}

  /// Adds what check() takes.
  void add(const TuneEntry& entry) {
    const auto [at, is_new] = place_.emplace(entry.config, items_.size());
    if (is_new) items_.push_back({entry.config, entry.reason, {}, TrialFailure::kNone, {}});
    Item& item = items_[at->second];
    const Measurement& m = entry.measurement;
    const std::size_t d = device(m.device);
    Device& on = devices_[d];
    const bool is_reference = entry.config == reference_;
    ++on.measurements;
    ++on.since_reference;
    if (m.failure != TrialFailure::kNone) {
      if (is_reference) ++on.failed_references;
      if (item.samples.empty()) {
        item.failure = m.failure;
        item.message = m.message;
      }
    } else {
      if (is_reference) {
        on.reference_ns.push_back(median_time(m.ns));
        on.since_reference = on.failed_references = 0;
      }
      item.failure = TrialFailure::kNone;
      item.message.clear();
      item.samples.push_back({d, on.reference_ns.size(), m.ns});
    }
    is_ranked_ = false;
  }

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  [[nodiscard]] const Item* find(const TuneConfig& config) const {
    const auto at = place_.find(config);
    return at == place_.end() ? nullptr : &items_[at->second];
  }
  [[nodiscard]] const std::vector<Device>& devices() const { return devices_; }
  /// The place of a device, which is there afterwards.
  std::size_t device(std::string_view name) {
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      if (devices_[d].name == name) return d;
    }
    devices_.push_back({std::string(name), {}, 0, 0, 0});
    return devices_.size() - 1;
  }
  /// Whether a device should measure the reference: never yet, or not for so many measurements.
  [[nodiscard]] bool needs_reference(std::size_t device, std::int64_t every) const {
    return devices_[device].reference_ns.empty() || devices_[device].since_reference >= every;
  }
  /// All devices should, at the next opportunity: time has passed.
  void forget_time() {
    for (Device& device : devices_) device.since_reference = std::numeric_limits<std::int64_t>::max() / 2;
  }
  /// What the reference takes on the device that was the first to measure it, in ns; NaN where none has.
  [[nodiscard]] double reference_ns() const {
    for (const Device& device : devices_) {
      if (!device.reference_ns.empty()) return median_time(device.reference_ns);
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

  /// Of items()[i].
  [[nodiscard]] const TuneEstimate& estimate(std::size_t i) const {
    rank();
    return estimates_[i];
  }
  /// The items whose time is known, from fast to slow by what they hardly take more than, so that what was
  /// measured once and by luck is not the best; equal ones in the order in which they were told.
  [[nodiscard]] const std::vector<std::size_t>& ranking() const {
    rank();
    return ranking_;
  }
  /// Whether the best two differ by more than their noise, or there are none.
  [[nodiscard]] bool is_settled() const {
    if (ranking().size() < 2) return true;
    const TuneEstimate &best = estimates_[ranking_[0]], &next = estimates_[ranking_[1]];
    return std::abs(next.time - best.time) > best.time * best.noise + next.time * next.noise;
  }

  /// What is known, for training; a configuration that failed counts as so many times the slowest, and is left
  /// out where that is 0.
  [[nodiscard]] TuneData data(const Space& space, double failure_penalty) const {
    TuneData data = empty_data(space);
    if (ranking().empty()) return data;
    const double slowest = estimates_[ranking_.back()].time;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const bool failed = failure_penalty > 0 && items_[i].failure != TrialFailure::kNone &&
                          items_[i].failure != TrialFailure::kLost;
      if (!failed && !estimates_[i].is_known()) continue;
      const double ns = (failed ? slowest * failure_penalty : estimates_[i].time) * reference_ns();
      space.append_rows(items_[i].config, data.configs);
      data.runtime.push_back(std::llround(std::clamp(ns, 1.0, 1e18)));
      ++data.num_configs;
    }
    return data;
  }

 private:
  /// The reference's time around a sample; NaN where the device has none.
  [[nodiscard]] double reference_of(const Item::Sample& sample) const {
    const std::vector<double>& all = devices_[sample.device].reference_ns;
    if (all.empty()) return std::numeric_limits<double>::quiet_NaN();
    const std::size_t end = std::min(all.size(), std::max<std::size_t>(sample.references + 2, 3));
    const std::size_t begin = end > 5 ? end - 5 : 0;
    return median_time<double>(
        {all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)});
  }
  [[nodiscard]] TuneEstimate estimate_of(const Item& item) const {
    std::vector<double> times;
    TuneEstimate estimate;
    double noise = 0;
    for (const Item::Sample& sample : item.samples) {
      const double reference = reference_of(sample);
      if (std::isnan(reference)) continue;
      times.push_back(median_time(sample.ns) / reference);
      estimate.runs += signed_size(sample.ns);
      noise = std::max({noise, spread_of_times(sample.ns), noise_of(devices_[sample.device])});
    }
    if (times.empty()) return estimate;
    std::sort(times.begin(), times.end());
    const std::size_t n = times.size();
    estimate.time = (times[(n - 1) / 2] + times[n / 2]) / 2;
    estimate.noise = std::max(noise, n < 3 ? 0 : spread_of_times(times)) / std::sqrt(static_cast<double>(n));
    return estimate;
  }
  /// Of a single measurement on a device: how far those of the reference differ from each other. Runs that
  /// follow each other do not tell it: what disturbs one disturbs them all.
  [[nodiscard]] static double noise_of(const Device& device) {
    constexpr double kUnknownNoise = 0.05;  // of fewer than three
    return device.reference_ns.size() < 3 ? kUnknownNoise : spread_of_times(device.reference_ns);
  }
  void rank() const {
    if (is_ranked_) return;
    is_ranked_ = true;
    estimates_.clear();
    ranking_.clear();
    for (const Item& item : items_) {
      estimates_.push_back(estimate_of(item));
      if (estimates_.back().is_known()) ranking_.push_back(estimates_.size() - 1);
    }
    std::stable_sort(ranking_.begin(), ranking_.end(), [this](std::size_t a, std::size_t b) {
      return estimates_[a].upper() < estimates_[b].upper();
    });
  }

  TuneConfig reference_;
  std::vector<Item> items_;
  std::map<TuneConfig, std::size_t> place_;
  std::vector<Device> devices_;
  mutable bool is_ranked_ = false;
  mutable std::vector<TuneEstimate> estimates_;
  mutable std::vector<std::size_t> ranking_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_HISTORY_HPP
