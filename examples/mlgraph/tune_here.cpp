// SPDX-License-Identifier: Apache-2.0
// Measuring on this machine, by a command of the user's.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "measuring.hpp"
#include "mlgraph/core/format.hpp"
#include "tune_run.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

/// Runs the command in all places at once, each with one trial.
class Measuring {
 public:
  explicit Measuring(TuneRun& run) : run_(run), places_(measuring_places(run.flags().jobs)) {
    processes_.resize(places_.size());
  }

  mg::Status loop() {
    for (;;) {
      MLGRAPH_RETURN_IF_ERROR(collect());
      if (run_.is_over() || (num_running() == 0 && run_.tuner().is_done())) break;
      // A fit would disturb what is measured beside it: first the one, then the other.
      if (run_.tuner().wants_fit()) {
        if (num_running() == 0) run_.fit_now();
      } else {
        MLGRAPH_ASSIGN_OR_RETURN(const bool started, start_all());
        if (!started && num_running() == 0 && run_.tuner().is_done()) break;
      }
      run_.show();
      std::vector<MeasuringProcess*> running;
      for (const auto& process : processes_) {
        if (process != nullptr) running.push_back(process.get());
      }
      if (!running.empty()) MeasuringProcess::wait(running, 0.1);
    }
    return {};
  }

 private:
  [[nodiscard]] std::ptrdiff_t num_running() const {
    return std::count_if(processes_.begin(), processes_.end(), [](const auto& p) { return p != nullptr; });
  }

  /// Fills the places that are free -> whether there was something to measure.
  mg::Result<bool> start_all() {
    bool started = false;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (processes_[i] != nullptr) continue;
      MLGRAPH_ASSIGN_OR_RETURN(std::vector<mg::Trial> trials,
                               run_.tuner().ask(1, places_[i].device, run_.seconds()));
      if (trials.empty()) break;
      const mg::Space& space = run_.tuner().space();
      MeasuringTask task;
      task.command = run_.flags().measure;
      task.program = run_.flags().file;
      task.config = space.text(trials[0].config);
      for (std::size_t d = 0; d < space.decisions().size(); ++d) {
        const mg::Decision& decision = space.decisions()[d];
        task.choices.emplace_back(decision.name,
                                  decision.choices[static_cast<std::size_t>(trials[0].config[d])]);
      }
      task.trial = std::move(trials[0]);
      MLGRAPH_ASSIGN_OR_RETURN(processes_[i], MeasuringProcess::start(task, places_[i]));
      started = true;
    }
    return started;
  }

  /// Tells what has ended.
  mg::Status collect() {
    for (std::unique_ptr<MeasuringProcess>& process : processes_) {
      if (process == nullptr || !process->poll()) continue;
      mg::Result<mg::Measurement> result = process->result(run_.flags().unit);
      if (result.ok() && result->failure == mg::TrialFailure::kNone) {
        const mg::Status usable = mg::check(*result);
        if (!usable.ok()) result = usable.annotate("--measure");
      }
      mg::Measurement measured;
      if (result.ok()) {
        measured = std::move(*result);
        has_measured_ |= measured.failure == mg::TrialFailure::kNone;
      } else if (has_measured_) {  // it has worked before: this configuration's fault
        measured.device = process->trial().device;
        measured.failure = mg::TrialFailure::kRun;
        measured.message = result.status().message();
      } else {
        return result.status();
      }
      MLGRAPH_RETURN_IF_ERROR(run_.tuner().tell(process->trial().id, measured).status());
      process.reset();
      run_.notice();
    }
    return {};
  }

  TuneRun& run_;
  std::vector<MeasuringPlace> places_;
  std::vector<std::unique_ptr<MeasuringProcess>> processes_;  // of each place; null: free
  bool has_measured_ = false;
};

}  // namespace

mg::Status tune_here(TuneRun& run) { return Measuring(run).loop(); }

}  // namespace cli
