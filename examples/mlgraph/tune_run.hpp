// SPDX-License-Identifier: Apache-2.0
// A tuning of one program: its tuner, log and models, the time that is left, and what is shown of it.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_TUNE_RUN_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_TUNE_RUN_HPP

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/tuning_log.hpp"
#include "mlgraph/tune/net_ranker.hpp"
#include "mlgraph/tune/tuner.hpp"
#include "report.hpp"
#include "training.hpp"

namespace cli {

/// What the flags of `mlgraph tune` say, but for the network's.
struct TuneFlags {
  std::string file, program, space, log;
  std::string measure;  // a command of the shell
  bool serve = false;
  double budget = 600;  // seconds
  double unit = 1e9;    // ns of a number that the command prints
  int jobs = 0;         // at a time; 0: one per socket
  int threads = 0;      // of fits
  std::optional<mlgraph::TuneStrategy> strategy;
  mlgraph::TunerOptions tuner;
  mlgraph::TuneModelOptions model;
  std::string report, json, best;  // files
  std::string command_line;
};

/// The best so far after so many seconds and measurements.
struct TunePoint {
  double seconds = 0;
  std::int64_t measurements = 0;
  double time = 0;  // as a multiple of the reference's
};

/// Everything of a tuning but how configurations come to be measured.
class TuneRun {
 public:
  /// Reads program and space, opens the log and goes on from what it has.
  /// `settings`: of the network; null for a search by chance.
  /// Errors: those of the readers and of TuningLog::open(); a space of other nodes than the program's.
  [[nodiscard]] static mlgraph::Result<std::unique_ptr<TuneRun>> open(const TuneFlags& flags);
  ~TuneRun();

  /// What the network is made of; before the first fit.
  void use_network(TrainSettings settings);

  [[nodiscard]] mlgraph::Tuner& tuner() { return *tuner_; }
  [[nodiscard]] const TuneFlags& flags() const { return flags_; }
  [[nodiscard]] const mlgraph::io::TuningLog& log() const { return *log_; }
  [[nodiscard]] const std::string& program() const { return name_; }
  [[nodiscard]] mlgraph::io::ConfigKind config_kind() const;

  /// Seconds since the start, and until the budget is spent (0 or more).
  [[nodiscard]] double seconds() const { return now() - start_; }
  [[nodiscard]] double seconds_left() const;
  /// Whether no more should be asked for: time is up, Ctrl-C came, or stop() was called.
  [[nodiscard]] bool is_over() const { return stopped_ || interrupted() || seconds_left() <= 0; }
  void stop() { stopped_ = true; }
  [[nodiscard]] bool is_stopped() const { return stopped_; }

  /// Notes an improvement, if there is one, after a measurement was told.
  void notice();
  /// Fits where it is time, and waits for it. What cannot be fitted is a note, and the last model is kept.
  void fit_now();
  /// Begins a fit in a thread of its own where it is time, and takes one over that has ended.
  void fit_beside();
  [[nodiscard]] bool is_fitting() const { return fit_.valid(); }
  [[nodiscard]] std::int64_t num_fits() const { return model_ == nullptr ? 0 : model_->num_fits(); }

  /// Shows the line of progress, not more often than ten times a second; on standard error where serving.
  void show();
  /// Ends fits, prints what came out, writes what the flags ask for. Errors: files that cannot be written;
  /// Ctrl-C came.
  [[nodiscard]] mlgraph::Status finish();

  [[nodiscard]] const std::vector<TunePoint>& points() const { return points_; }
  /// All figures, as `--json` has them and a server's status.
  [[nodiscard]] Json to_json() const;

 private:
  struct Fit {
    std::shared_ptr<const mlgraph::TuneModel> model;
    std::unique_ptr<mlgraph::TuneRanker> ranker;
  };

  TuneRun(const TuneFlags& flags, mlgraph::io::ProgramSet&& set)
      : flags_(flags), set_(std::move(set)), pool_(flags.threads), start_(now()) {}
  [[nodiscard]] mlgraph::Status choose_program();
  [[nodiscard]] mlgraph::Status start(const std::string& space_text);
  [[nodiscard]] mlgraph::Result<Fit> fit(const mlgraph::TuneData& data) const;
  void take(mlgraph::Result<Fit> fit);
  [[nodiscard]] std::string progress_text() const;

  TuneFlags flags_;
  mlgraph::io::ProgramSet set_;
  mlgraph::ProgramView view_;
  std::string name_;
  mutable mlgraph::ThreadPool pool_;  // of fits alone
  double start_;
  std::optional<mlgraph::io::TuningLog> log_;
  std::optional<mlgraph::Tuner> tuner_;
  std::shared_ptr<const mlgraph::TuneModel> model_;
  std::future<mlgraph::Result<Fit>> fit_;
  std::atomic<bool> stop_fit_{false};
  bool stopped_ = false;
  std::vector<TunePoint> points_;
  std::int64_t told_before_ = 0;  // by earlier runs
  double shown_ = -1;
  double said_ = 0;  // share of the budget at the last line, where there is no terminal
};

/// `1.234 ms, 1.53 times as fast as the reference`.
[[nodiscard]] std::string time_of_estimate(const mlgraph::TuneHistory& history,
                                           const mlgraph::TuneEstimate& estimate);

/// The page that --report writes.
[[nodiscard]] std::string to_html(const TuneRun& run, const mlgraph::Tuner& tuner);

/// Measures here by --measure until the time is over. Errors: a command that is not there or prints no number.
[[nodiscard]] mlgraph::Status tune_here(TuneRun& run);
/// Answers on the standard streams until the other side stops or the time is over.
[[nodiscard]] mlgraph::Status tune_for_others(TuneRun& run);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_TUNE_RUN_HPP
