// SPDX-License-Identifier: Apache-2.0
// Tuner: says which configurations of a program to measure next, and takes the measurements back, in any order,
// late, twice or failed.
#ifndef MLGRAPH_TUNE_TUNER_HPP
#define MLGRAPH_TUNE_TUNER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/tune/history.hpp"
#include "mlgraph/tune/proposals.hpp"
#include "mlgraph/tune/space.hpp"
#include "mlgraph/tune/trial.hpp"
#include "mlgraph/tune/tuner_options.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What became of a measurement that was told.
enum class Told : std::uint8_t {
  kCounted,
  kRepeated,  ///< its trial was answered before: it is not counted
};

/// What a tuning has come to, for people.
struct TuneCounts {
  std::int64_t told = 0;      ///< measurements and failures that count, of earlier runs, too
  std::int64_t failed = 0;    ///< of them
  std::int64_t lost = 0;      ///< trials that nobody answered
  std::int64_t repeated = 0;  ///< told again, which does not count
  std::int64_t late = 0;      ///< asked for again after their lease
  std::int64_t in_flight = 0;
};

/// Asks for configurations of a space and is told what they take.
///
/// A tuner has no thread, clock or file: the caller gives the seconds of a clock that never goes back, keeps
/// what the log sink is called with, and fits models:
///
///   while (!tuner.is_done()) {
///     const std::vector<Trial> trials = tuner.ask(1, "cpu", now()).value();
///     for (const Trial& trial : trials) tuner.tell(trial.id, measure(trial)).value();
///     if (tuner.wants_fit()) tuner.set_ranker(fit(tuner.begin_fit()));      // perhaps in another thread
///   }
///
/// What is asked for is a function of the space, the options and the sequence of calls. One thread uses a tuner
/// at a time.
class Tuner {
 public:
  /// Called with each measurement before it counts; with an error it does not.
  using LogSink = std::function<Status(const TuneEntry&)>;

  /// `first_id`: of the first trial, larger than all ids of earlier runs whose measurements may yet come.
  /// Errors: options out of their ranges.
  [[nodiscard]] static Result<Tuner> make(Space space, const TunerOptions& options, LogSink sink = nullptr,
                                          std::int64_t first_id = 1) {
    MLGRAPH_RETURN_IF_ERROR(check(options));
    return Tuner(std::make_unique<const Space>(std::move(space)), options, std::move(sink), first_id);
  }

  [[nodiscard]] const Space& space() const { return *space_; }
  [[nodiscard]] const TunerOptions& options() const { return options_; }
  [[nodiscard]] const TuneHistory& history() const { return history_; }
  [[nodiscard]] const TuneCounts& counts() const { return counts_; }

  /// Counts a measurement of an earlier run, as its log has it, without calling the sink. Before the first
  /// ask().
  /// Errors: an entry that is no configuration of the space or no measurement; an id that was there.
  [[nodiscard]] Status replay(const TuneEntry& entry) {
    MLGRAPH_RETURN_IF_ERROR(space_->check(entry.config));
    MLGRAPH_RETURN_IF_ERROR(check(entry.measurement));
    if (!answered_.insert(entry.id).second && entry.measurement.failure != TrialFailure::kLost) {
      const TuneHistory::Item* const item = history_.find(entry.config);
      if (item == nullptr || item->failure != TrialFailure::kLost)
        return Status::data_loss(str_cat("trial ", entry.id, " was answered twice"));
    }
    proposals_.forbid_again(entry.config);
    count(entry);
    ++num_asked_;
    history_.forget_time();
    return {};
  }

  /// Up to `count` trials for a device, to be measured one after the other: the lease of each begins when that
  /// of the one before ends. None: there is nothing to measure now; is_done() tells whether there will be.
  /// Errors: a count below 1; a device on which the reference failed three times in a row.
  [[nodiscard]] Result<std::vector<Trial>> ask(std::int64_t count, std::string_view device, double now) {
    if (count < 1)
      return Status::invalid_argument(str_cat(count, " trials are asked for; should be 1 or more"));
    MLGRAPH_RETURN_IF_ERROR(check_device(device));
    MLGRAPH_RETURN_IF_ERROR(expire(now));
    const std::size_t d = history_.device(device);
    if (history_.devices()[d].failed_references >= kMostFailedReferences) {
      return Status::unavailable(str_cat("the reference failed ", kMostFailedReferences, " times in a row on ",
                                         device, ": ", last_reference_failure_));
    }
    std::vector<Trial> trials;
    while (signed_size(trials) < count) {
      MLGRAPH_ASSIGN_OR_RETURN(std::optional<Trial> trial, next(d));
      if (!trial) break;
      trial->device = std::string(device);
      trial->lease_seconds = options_.lease_seconds * static_cast<double>(trials.size() + 1);
      trial->timeout_seconds = options_.timeout_seconds;
      Asked& asked = asked_[trial->id];
      asked.trial = *trial;
      asked.is_open = true;
      asked.ends = now + trial->lease_seconds;
      ++asked.leases;
      ++counts_.in_flight;
      trials.push_back(std::move(*trial));
    }
    return trials;
  }

  /// Takes the answer to a trial. A first answer counts, also after its lease, and also when the trial was
  /// given up as lost.
  /// Errors: no such trial; those of check(); those of the sink. Nothing is counted then.
  [[nodiscard]] Result<Told> tell(std::int64_t id, const Measurement& measurement) {
    const auto at = asked_.find(id);
    if (at == asked_.end()) {
      if (answered_.count(id) == 0) return Status::not_found(str_cat("there is no trial ", id));
      ++counts_.repeated;
      return Told::kRepeated;
    }
    MLGRAPH_RETURN_IF_ERROR(check(measurement).annotate(str_cat("trial ", id)));
    MLGRAPH_RETURN_IF_ERROR(log({id, at->second.trial.config, at->second.trial.reason, measurement}));
    close(at->second);
    asked_.erase(at);
    again_.erase(std::remove(again_.begin(), again_.end(), id), again_.end());
    return Told::kCounted;
  }
  /// The same of a trial that an earlier run asked for, which this one does not know, with its configuration.
  /// Errors: those of Space::check(), too.
  [[nodiscard]] Result<Told> tell(std::int64_t id, const TuneConfig& config, const Measurement& measurement) {
    if (asked_.count(id) == 0 && answered_.count(id) == 0) {
      MLGRAPH_RETURN_IF_ERROR(space_->check(config));
      MLGRAPH_RETURN_IF_ERROR(check(measurement));
      proposals_.forbid_again(config);
      Asked& asked = asked_[id];
      asked.trial.id = id;
      asked.trial.config = config;
      ++num_asked_;
    }
    return tell(id, measurement);
  }

  /// Whether a model should be fitted to what is there now.
  [[nodiscard]] bool wants_fit() const {
    if (options_.strategy == TuneStrategy::kRandom || is_fitting_) return false;
    if (signed_size(history_.ranking()) < std::max<std::int64_t>(2, options_.first_fit)) return false;
    return fitted_at_ < 0 || counts_.told - fitted_at_ >= options_.refit_every;
  }
  /// What to fit it to. wants_fit() is false until set_ranker().
  [[nodiscard]] TuneData begin_fit() {
    is_fitting_ = true;
    fitted_at_ = counts_.told;
    return history_.data(*space_, options_.failure_penalty);
  }
  /// Goes on by another ranker; by the last one where it is null, as when a fit failed.
  void set_ranker(std::unique_ptr<TuneRanker> ranker) {
    is_fitting_ = false;
    if (ranker == nullptr) return;
    ranker_ = std::move(ranker);
    ready_.clear();
  }

  /// Whether everything was measured that there is or may be, as far as is known now, and nothing is in flight.
  [[nodiscard]] bool is_done() const {
    if (counts_.in_flight > 0 || !again_.empty()) return false;
    return is_full() || (is_exhausted_ && ready_.empty() && !confirmable().has_value());
  }
  /// Whether max_trials were asked for.
  [[nodiscard]] bool is_full() const { return options_.max_trials > 0 && num_asked_ >= options_.max_trials; }

 private:
  static constexpr std::int64_t kMostFailedReferences = 3;

  struct Asked {
    Trial trial;
    bool is_open = false;  // in flight
    std::int64_t leases = 0;
    double ends = 0;  // of the lease
  };

  Tuner(std::unique_ptr<const Space> space, const TunerOptions& options, LogSink sink, std::int64_t first_id)
      : space_(std::move(space)),
        options_(options),
        sink_(std::move(sink)),
        next_id_(first_id),
        history_(space_->reference()),
        proposals_(*space_, mix64(options.seed) ^ static_cast<std::uint64_t>(first_id)) {}

  /// Trials whose lease is over are asked for again, or given up.
  Status expire(double now) {
    for (auto& [id, asked] : asked_) {
      if (!asked.is_open || now < asked.ends) continue;
      close(asked);
      if (asked.trial.reason == TrialReason::kReference) continue;  // its device gets a new one when it asks
      ++counts_.late;
      if (asked.leases < options_.max_leases) {
        again_.push_back(id);
        continue;
      }
      Measurement lost;
      lost.device = asked.trial.device;
      lost.failure = TrialFailure::kLost;
      lost.message = str_cat("nobody answered ", asked.leases, " times");
      const Status status = log({id, asked.trial.config, asked.trial.reason, std::move(lost)});
      if (status.ok()) continue;
      again_.push_back(id);
      return status;
    }
    return {};
  }
  void close(Asked& asked) {
    if (asked.is_open) --counts_.in_flight;
    asked.is_open = false;
  }
  Status log(const TuneEntry& entry) {
    if (sink_) MLGRAPH_RETURN_IF_ERROR(sink_(entry));
    answered_.insert(entry.id);
    count(entry);
    return {};
  }
  void count(const TuneEntry& entry) {
    history_.add(entry);
    const bool failed = entry.measurement.failure != TrialFailure::kNone;
    if (entry.measurement.failure == TrialFailure::kLost) {
      ++counts_.lost;
      return;
    }
    ++counts_.told;
    if (failed) ++counts_.failed;
    if (failed && entry.config == space_->reference()) last_reference_failure_ = entry.measurement.message;
  }

  /// What a device should measure now.
  Result<std::optional<Trial>> next(std::size_t device) {
    const std::string& name = history_.devices()[device].name;
    const bool waits = std::any_of(asked_.begin(), asked_.end(), [&](const auto& a) {
      return a.second.is_open && a.second.trial.device == name && a.second.trial.config == space_->reference();
    });
    if (!waits && !is_full() && history_.needs_reference(device, options_.reference_every))
      return fresh(space_->reference(), TrialReason::kReference, options_.runs);
    if (!again_.empty()) {
      const std::int64_t id = again_.front();
      again_.pop_front();
      return std::optional<Trial>(asked_[id].trial);
    }
    if (is_full()) return std::optional<Trial>();
    while (next_baseline_ < space_->baselines().size()) {
      const TuneConfig& config = space_->baselines()[next_baseline_++].config;
      if (proposals_.forbid_again(config)) return fresh(config, TrialReason::kBaseline, options_.runs);
    }
    if (static_cast<double>(num_confirms_) < options_.confirm * static_cast<double>(num_asked_)) {
      if (std::optional<Trial> again = confirm()) return again;
    }
    MLGRAPH_ASSIGN_OR_RETURN(std::optional<Trial> proposed, propose());
    return proposed.has_value() ? std::move(proposed) : confirm();
  }
  /// One of the best two again, where that may tell them apart.
  std::optional<Trial> confirm() {
    const std::optional<std::size_t> item = confirmable();
    if (!item.has_value()) return std::nullopt;
    ++num_confirms_;
    const std::int64_t left = options_.max_runs - history_.estimate(*item).runs;
    return fresh(history_.items()[*item].config, TrialReason::kConfirm, std::min(options_.runs, left));
  }
  std::optional<Trial> fresh(TuneConfig config, TrialReason reason, std::int64_t runs) {
    Trial trial;
    trial.id = next_id_++;
    trial.config = std::move(config);
    trial.reason = reason;
    trial.runs = runs;
    ++num_asked_;
    if (reason == TrialReason::kReference) proposals_.forbid_again(trial.config);
    return trial;
  }

  /// The one of the best two that has fewer runs, where their noise does not tell them apart and neither is in
  /// flight.
  [[nodiscard]] std::optional<std::size_t> confirmable() const {
    if (history_.is_settled()) return std::nullopt;
    std::size_t best = history_.ranking()[0], other = history_.ranking()[1];
    for (const auto& [id, asked] : asked_) {
      if (!asked.is_open) continue;
      const TuneConfig& config = asked.trial.config;
      if (config == history_.items()[best].config || config == history_.items()[other].config)
        return std::nullopt;
    }
    if (history_.estimate(best).runs > history_.estimate(other).runs) std::swap(best, other);
    if (history_.estimate(best).runs >= options_.max_runs) return std::nullopt;
    return best;
  }

  Result<std::optional<Trial>> propose() {
    const bool by_chance = options_.strategy == TuneStrategy::kRandom || ranker_ == nullptr ||
                           proposals_.rng().uniform() < options_.explore;
    if (!by_chance) {
      if (ready_.empty()) {
        ProposalOptions how = options_.proposals;
        if (options_.strategy != TuneStrategy::kSearch) how.num_searches = 0;
        MLGRAPH_ASSIGN_OR_RETURN(const std::vector<TuneConfig> best, proposals_.best(*ranker_, history_, how));
        ready_.assign(best.begin(), best.end());
      }
      while (!ready_.empty()) {
        TuneConfig config = std::move(ready_.front());
        ready_.pop_front();
        if (proposals_.forbid_again(config))
          return fresh(std::move(config), TrialReason::kModel, options_.runs);
      }
    }
    std::optional<TuneConfig> config = proposals_.random();
    is_exhausted_ = !config.has_value();
    if (is_exhausted_) return std::optional<Trial>();
    return fresh(std::move(*config), TrialReason::kRandom, options_.runs);
  }

  std::unique_ptr<const Space> space_;
  TunerOptions options_;
  LogSink sink_;
  std::int64_t next_id_;
  TuneHistory history_;
  Proposals proposals_;
  TuneCounts counts_;
  std::map<std::int64_t, Asked> asked_;  // by this run, or told by a worker of an earlier one
  std::set<std::int64_t> answered_;
  std::deque<std::int64_t> again_;  // trials whose lease is over
  std::size_t next_baseline_ = 0;
  std::int64_t num_asked_ = 0, num_confirms_ = 0;
  std::string last_reference_failure_;
  std::unique_ptr<TuneRanker> ranker_;
  std::deque<TuneConfig> ready_;  // proposals by it
  bool is_fitting_ = false;
  std::int64_t fitted_at_ = -1;
  bool is_exhausted_ = false;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TUNE_TUNER_HPP
