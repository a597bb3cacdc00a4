// SPDX-License-Identifier: Apache-2.0
// What is asked for and told in a tuning: a Trial, a Measurement of it, and both as an entry of the log.
#ifndef MLGRAPH_TUNE_TRIAL_HPP
#define MLGRAPH_TUNE_TRIAL_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/json_string.hpp"
#include "mlgraph/tune/space.hpp"

namespace mlgraph {

/// Why there is no time of a configuration.
enum class TrialFailure : std::uint8_t {
  kNone,
  kBuild,        ///< the compiler refused it
  kRun,          ///< it crashed
  kTimeout,      ///< it took longer than it may
  kWrongResult,  ///< it computed something else
  kLost,         ///< nobody answered, several times
};
template <>
struct EnumNames<TrialFailure> {
  static constexpr std::string_view kNames[] = {"none", "build", "run", "timeout", "wrong-result", "lost"};
};

/// Why a configuration is asked for.
enum class TrialReason : std::uint8_t {
  kReference,  ///< to compare devices, and a device with itself at another time
  kBaseline,   ///< a rule's answer
  kRandom,     ///< by chance
  kModel,      ///< the model takes it for fast
  kConfirm,    ///< it is one of the best two, which their noise does not tell apart
};
template <>
struct EnumNames<TrialReason> {
  static constexpr std::string_view kNames[] = {"reference", "baseline", "random", "model", "confirm"};
};

/// The most runs of one measurement.
inline constexpr std::size_t kMaxRuns = 100'000;

MLGRAPH_BEGIN_ISA

/// A configuration to measure.
struct Trial {
  std::int64_t id = 0;
  TuneConfig config;
  TrialReason reason = TrialReason::kRandom;
  std::int64_t runs = 1;       ///< the fidelity: how many times it should be run
  double timeout_seconds = 0;  ///< of building and of all runs together
  double lease_seconds = 0;    ///< unanswered for so long, it is asked for again
  std::string device;          ///< that asked for it
};

/// What came of a trial: the time of each run, or why there is none.
struct Measurement {
  std::string device;
  std::vector<double> ns;
  TrialFailure failure = TrialFailure::kNone;
  std::string message;  ///< of a failure, for people
};

/// One line of the log.
struct TuneEntry {
  std::int64_t id = 0;
  TuneConfig config;
  TrialReason reason = TrialReason::kRandom;
  Measurement measurement;
};

/// Errors: a name of a device that is empty, has more than 200 bytes or is not UTF-8.
[[nodiscard]] inline Status check_device(std::string_view name) {
  constexpr std::size_t kLongestName = 200;
  if (name.empty() || name.size() > kLongestName) {
    return Status::invalid_argument(
        str_cat("the device's name has ", name.size(), " bytes; should have 1 to ", kLongestName));
  }
  return is_utf8(name) ? Status() : Status::invalid_argument("the device's name is not valid UTF-8");
}

/// Errors: those of check_device(); a message that is not UTF-8; no time and no failure, both, or more than
///         kMaxRuns times; a time that is no positive number.
[[nodiscard]] inline Status check(const Measurement& m) {
  MLGRAPH_RETURN_IF_ERROR(check_device(m.device));
  if (!is_utf8(m.message)) return Status::invalid_argument("the message of a failure is not valid UTF-8");
  if (m.failure != TrialFailure::kNone) {
    if (m.ns.empty()) return {};
    return Status::invalid_argument(
        str_cat("a failure (", enum_name(m.failure), ") with ", m.ns.size(), " times; should have none"));
  }
  if (m.ns.empty() || m.ns.size() > kMaxRuns)
    return Status::invalid_argument(str_cat("there are ", m.ns.size(), " times; should be 1 to ", kMaxRuns));
  for (const double ns : m.ns) {
    if (ns > 0 && ns <= 1e18) continue;
    return Status::out_of_range(str_cat("a time is ", ns, " ns; should be positive, and 1e18 or less"));
  }
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_TRIAL_HPP
