// SPDX-License-Identifier: Apache-2.0
#include "training.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <numeric>
#include <utility>

#include "mlgraph/core/format.hpp"
#include "mlgraph/io/checkpoint_file.hpp"
#include "mlgraph/train/trainable_net.hpp"
#include "model_files.hpp"
#include "ranks.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

volatile std::sig_atomic_t interrupt_came = 0;  // the signal
bool asked_to_stop = false;                     // by the file, or on another rank
std::string stop_file;

void on_interrupt(int signal) { interrupt_came = signal; }

bool has_stop_file() { return !stop_file.empty() && access(stop_file.c_str(), F_OK) == 0; }

std::string metric_text(const mg::RankingMetrics& m, mg::Selection selection) {
  if (selection == mg::Selection::kLoss) return mg::str_cat("validation loss ", fixed(m.loss, 4));
  if (selection == mg::Selection::kFirst) return mg::str_cat("first place ", percent(m.first_place));
  return mg::str_cat("tau ", fixed(m.kendall_tau, 4));
}

}  // namespace

mg::Status watch_for_interrupt(const std::string& file) {
  stop_file = file;
  if (has_stop_file()) return mg::Status::invalid_argument(mg::str_cat("--stop-file: there is a file ", file));
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // once: the next Ctrl-C ends the program
  sigaction(SIGINT, &action, nullptr);
  action.sa_flags = static_cast<int>(SA_RESTART);
  sigaction(SIGUSR1, &action, nullptr);
  return {};
}

bool interrupted() { return interrupt_came != 0 || asked_to_stop; }

bool stops_after_epoch() {
  const mg::Result<bool> any = mg::any_of_ranks(ranks(), interrupted() || has_stop_file());
  asked_to_stop = asked_to_stop || !any.ok() || *any;
  return interrupted();
}

mg::Status stopped_by_user(const std::string& what) {
  const std::string by = interrupt_came == SIGINT    ? "Ctrl-C"
                         : interrupt_came == SIGUSR1 ? "SIGUSR1"
                         : has_stop_file()           ? "the file " + stop_file
                                                     : "another rank";
  return mg::Status::unavailable(mg::str_cat("stopped by ", by, "; ", what));
}

Progress::Progress(std::string title, const mg::Recipe& recipe)
    : title_(std::move(title)),
      epochs_(recipe.epochs),
      selection_(recipe.selection),
      terminal_(isatty(STDOUT_FILENO) != 0),
      start_(now()) {}

void Progress::show(const mg::EpochReport& epoch) {
  if (epoch.validated && epoch.is_best)
    best_ = mg::str_cat(metric_text(epoch.valid, selection_), " at ", epoch.epoch);
  std::string line =
      mg::str_cat(title_, "epoch ", epoch.epoch, "/", epochs_, "  loss ", fixed(epoch.train_loss, 4));
  if (epoch.validated) line += mg::str_cat("  ", metric_text(epoch.valid, selection_));
  if (!best_.empty()) line += mg::str_cat("  best ", best_);
  if (terminal_) {
    constexpr std::int64_t kWidth = 24;
    const auto done = static_cast<std::size_t>(kWidth * epoch.epoch / epochs_);
    const double left =
        (now() - start_) / static_cast<double>(epoch.epoch) * static_cast<double>(epochs_ - epoch.epoch);
    std::printf("\r\033[K[%s%s] %s  ETA %s", std::string(done, '#').c_str(),
                std::string(kWidth - done, '.').c_str(), line.c_str(), clock_text(left).c_str());
    line_is_open_ = true;
  } else {
    const std::int64_t every = std::max<std::int64_t>(1, epochs_ / 20);
    if (epoch.epoch != 1 && epoch.epoch % every != 0 && epoch.epoch != epochs_) return;
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
}

void Progress::finish() {
  if (line_is_open_) std::printf("\n");
  line_is_open_ = false;
}

mg::Result<std::vector<std::byte>> load_resume(const std::string& path) {
  std::vector<std::byte> bytes;
  if (path.empty()) return bytes;
  MLGRAPH_RETURN_IF_ERROR(on_first_rank([&]() -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(bytes, mg::io::load_checkpoint(path));
    return {};
  }));
  if (mg::has_ranks(ranks())) MLGRAPH_RETURN_IF_ERROR(mg::broadcast(*ranks(), bytes));
  return bytes;
}

std::vector<std::int32_t> valid_selection(const TrainData& data, std::size_t index) {
  std::vector<std::int32_t> selection = data.valid_configs[index];
  if (selection.empty()) {
    selection.resize(static_cast<std::size_t>(data.valid[index].configs.num_configs));
    std::iota(selection.begin(), selection.end(), 0);
  }
  return selection;
}

mg::ProgramCache valid_programs(const mg::Model& model, const TrainSettings& settings, const TrainData& data) {
  return {model, data.valid, settings.valid_bytes, data.valid_configs};
}

mg::Result<Trained> train_one(const TrainSettings& settings, const TrainData& data, std::uint64_t seed,
                              const std::string& title, mg::Span<const std::byte> resume,
                              const SaveCheckpoint& save_checkpoint, mg::ThreadPool* pool) {
  const double begin = now();
  Trained trained;
  trained.seed = seed;
  MLGRAPH_ASSIGN_OR_RETURN(trained.model, mg::fit_model(*settings.net, data.train, seed));
  MLGRAPH_RETURN_IF_ERROR(give_metis(trained.model));
  const mg::ProgramCache train(trained.model, data.train, settings.train_bytes);
  const mg::ProgramCache valid = valid_programs(trained.model, settings, data);

  mg::TrainOptions options;
  options.seed = seed;
  options.pool = pool;
  options.ranks = ranks();
  double last_checkpoint = now();
  mg::Status checkpoint_status;
  Progress progress(title, settings.recipe);
  mg::Trainer trainer(trained.model, settings.recipe, options);
  const auto checkpoint = [&]() -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, trainer.checkpoint());
    return save_checkpoint(bytes);
  };
  const auto on_epoch = [&](const mg::EpochReport& epoch) {
    progress.show(epoch);
    const bool is_time = now() - last_checkpoint >= settings.checkpoint_every;
    const bool stops = stops_after_epoch();
    if (mg::is_first_rank(ranks()) && save_checkpoint != nullptr && (is_time || stops)) {
      mg::Status status = checkpoint();
      last_checkpoint = now();
      if (stops) {
        checkpoint_status = std::move(status);
      } else if (!status.ok()) {
        progress.finish();
        note(mg::str_cat(status.message(), "; the training goes on"));
      }
    }
    return !stops;
  };
  mg::Result<mg::TrainReport> report = trainer.run(train, valid, on_epoch, resume);
  progress.finish();
  MLGRAPH_RETURN_IF_ERROR(report.status());
  MLGRAPH_RETURN_IF_ERROR(checkpoint_status);
  trained.report = std::move(*report);
  trained.most_segments = trainer.most_segments();
  if (trained.report.best_epoch == 0 && !valid.empty()) {  // stopped before an epoch was validated
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Evaluation evaluation,
                             mg::evaluate(trained.model, valid, pool, ranks()));
    trained.report.best_valid = evaluation.mean;
  }
  trained.train = train.counts();
  trained.valid = valid.counts();
  trained.seconds = now() - begin;
  return trained;
}

}  // namespace cli
