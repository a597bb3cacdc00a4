// SPDX-License-Identifier: Apache-2.0
// TunerOptions: how a tuning goes.
#ifndef MLGRAPH_TUNE_TUNER_OPTIONS_HPP
#define MLGRAPH_TUNE_TUNER_OPTIONS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/tune/proposals.hpp"
#include "mlgraph/tune/trial.hpp"

namespace mlgraph {

/// Where configurations beyond the baselines come from.
enum class TuneStrategy : std::uint8_t {
  kRandom,  ///< chance
  kModel,   ///< the best by a model among some by chance and changes of the best; a share of them by chance
  kSearch,  ///< the same, and where the session's searches end: needs choices of nodes
};
template <>
struct EnumNames<TuneStrategy> {
  static constexpr std::string_view kNames[] = {"random", "model", "search"};
};

MLGRAPH_BEGIN_ISA

/// How a tuning goes.
struct TunerOptions {
  TuneStrategy strategy = TuneStrategy::kModel;
  std::uint64_t seed = 1;
  std::int64_t max_trials = 0;  ///< with those of earlier runs; 0 = any number
  std::int64_t runs = 3;        ///< of a measurement; more where the best two are not told apart
  std::int64_t max_runs = 24;   ///< of a configuration, in all its measurements
  double timeout_seconds = 60;  ///< of a measurement
  double lease_seconds = 150;   ///< unanswered for so long, a trial is asked for again
  std::int64_t max_leases = 3;  ///< so many times; then it counts as failed
  std::int64_t reference_every =
      20;                         ///< so many measurements on a device, the reference is measured there again
  std::int64_t first_fit = 16;    ///< measured configurations before the first fit
  std::int64_t refit_every = 16;  ///< measurements between two fits
  double explore = 0.1;           ///< share of configurations by chance beside those of the model
  double confirm = 0.15;          ///< share of trials, at most, that measure the best two again
  double failure_penalty = 2;     ///< in training: a failure takes so many times as long as the slowest
  ProposalOptions proposals;
};

/// Errors: an option out of its range, with its name.
[[nodiscard]] inline Status check(const TunerOptions& o) {
  Status status;
  const auto in = [&status](const char* name, auto value, auto least, auto most) {
    if (!status.ok() || (value >= least && value <= most)) return;
    status = Status::invalid_argument(
        str_cat("tuner: ", name, " is ", value, "; should be in [", least, ", ", most, "]"));
  };
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  constexpr double kLeastSeconds = 1e-6, kMostSeconds = 1e9;
  const std::int64_t one = 1, none = 0;
  in("max_trials", o.max_trials, none, kMany);
  in("max_runs", o.max_runs, one, static_cast<std::int64_t>(kMaxRuns));
  in("runs", o.runs, one, o.max_runs);
  in("timeout_seconds", o.timeout_seconds, kLeastSeconds, kMostSeconds);
  in("lease_seconds", o.lease_seconds, kLeastSeconds, kMostSeconds);
  in("max_leases", o.max_leases, one, kMany);
  in("reference_every", o.reference_every, one, kMany);
  in("first_fit", o.first_fit, one, kMany);
  in("refit_every", o.refit_every, one, kMany);
  in("explore", o.explore, 0.0, 1.0);
  in("confirm", o.confirm, 0.0, 1.0);
  in("failure_penalty", o.failure_penalty, 1.0, 1e6);
  in("proposals.evaluations", o.proposals.evaluations, one, kMany);
  in("proposals.batch", o.proposals.batch, one, kMany);
  in("proposals.num_proposals", o.proposals.num_proposals, one, kMany);
  in("proposals.population", o.proposals.population, o.proposals.num_proposals, kMany);
  in("proposals.num_searches", o.proposals.num_searches, none, kMany);
  return status;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_TUNER_OPTIONS_HPP
