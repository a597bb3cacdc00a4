// SPDX-License-Identifier: Apache-2.0
#include "training.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

#include "mlgraph/core/format.hpp"
#include "model_files.hpp"
#include "report.hpp"

namespace cli {

namespace mg = mlgraph;

namespace {

volatile std::sig_atomic_t interrupt_came = 0;

void on_interrupt(int) { interrupt_came = 1; }

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string metric_text(const mg::RankingMetrics& m, mg::Task task) {
  return task == mg::Task::kTile ? mg::str_cat("slowdown@5 ", percent(m.slowdown[1]))
                                 : mg::str_cat("tau ", fixed(m.kendall_tau, 4));
}

/// Slates per graph so that an epoch has about 100 steps or sees every config once, whichever is less: a few
/// programs with many configs would otherwise have epochs of a single step.
std::int64_t automatic_slates(const mg::TrainerOptions& options, std::size_t num_programs) {
  constexpr std::int64_t kSteps = 100;
  return std::max<std::int64_t>(1, kSteps * options.graphs_per_step / static_cast<std::int64_t>(num_programs));
}

}  // namespace

void watch_for_interrupt() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // once: the next Ctrl-C ends the program
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return interrupt_came != 0; }

std::int64_t num_opcodes_of(const TrainData& data, std::int64_t at_least) {
  std::int32_t largest = -1;
  for (const mg::ProgramView& view : data.train) {
    for (const std::int32_t opcode : view.graph.opcode) largest = std::max(largest, opcode);
  }
  return std::max<std::int64_t>(at_least, std::int64_t{largest} + 1);
}

bool is_better(const mg::RankingMetrics& a, const mg::RankingMetrics& b, mg::Selection selection) {
  if (selection == mg::Selection::kKendallTau) return a.kendall_tau > b.kendall_tau;
  if (a.slowdown[1] != b.slowdown[1]) return a.slowdown[1] < b.slowdown[1];
  return a.slowdown[0] < b.slowdown[0];
}

Progress::Progress(std::string title, int epochs, mg::Task task)
    : title_(std::move(title)),
      epochs_(epochs),
      task_(task),
      terminal_(isatty(STDOUT_FILENO) != 0),
      start_(now()) {}

void Progress::show(const mg::EpochReport& epoch) {
  if (epoch.validated && epoch.is_best)
    best_ = mg::str_cat(metric_text(epoch.valid, task_), " at ", epoch.epoch);
  std::string line =
      mg::str_cat(title_, "epoch ", epoch.epoch, "/", epochs_, "  loss ", fixed(epoch.train_loss, 4));
  if (epoch.validated) line += mg::str_cat("  ", metric_text(epoch.valid, task_));
  if (!best_.empty()) line += mg::str_cat("  best ", best_);
  if (terminal_) {
    constexpr int kWidth = 24;
    const int done = kWidth * epoch.epoch / std::max(1, epochs_);
    const double left = (now() - start_) / epoch.epoch * (epochs_ - epoch.epoch);
    std::printf("\r\033[K[%s%s] %s  ETA %s", std::string(static_cast<std::size_t>(done), '#').c_str(),
                std::string(static_cast<std::size_t>(kWidth - done), '.').c_str(), line.c_str(),
                clock_text(left).c_str());
    line_is_open_ = true;
  } else {
    const int every = std::max(1, epochs_ / 20);
    if (epoch.epoch != 1 && epoch.epoch % every != 0 && epoch.epoch != epochs_) return;
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
}

void Progress::finish() {
  if (line_is_open_) std::printf("\n");
  line_is_open_ = false;
}

mg::Result<mg::PreparedProgram> prepare_valid(const mg::GnnCostModel& model, const TrainData& data,
                                              std::size_t index) {
  MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, model.prepare(data.valid[index]));
  if (!data.valid_configs[index].empty()) program.selection = data.valid_configs[index];
  return program;
}

mg::Result<std::vector<mg::PreparedProgram>> prepare_valid(const mg::GnnCostModel& model,
                                                           const TrainData& data) {
  std::vector<mg::PreparedProgram> valid;
  for (std::size_t i = 0; i < data.valid.size(); ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, prepare_valid(model, data, i));
    valid.push_back(std::move(program));
  }
  return valid;
}

mg::Result<Trained> train_one(const TrainSettings& settings, const TrainData& data, std::uint64_t seed,
                              const std::string& title, mg::Span<const std::byte> resume,
                              const SaveCheckpoint& save_checkpoint, mg::ThreadPool* pool) {
  const double begin = now();
  Trained trained;
  trained.seed = seed;
  mg::ModelOptions model = settings.model;
  model.num_opcodes = num_opcodes_of(data, model.num_opcodes);
  MLGRAPH_ASSIGN_OR_RETURN(mg::FeatureEncoder encoder,
                           mg::FeatureEncoder::fit(mg::Span<const mg::ProgramView>(data.train), model));
  MLGRAPH_ASSIGN_OR_RETURN(trained.model, mg::GnnCostModel::make(model, std::move(encoder), seed));
  MLGRAPH_RETURN_IF_ERROR(give_metis(trained.model));
  std::vector<mg::PreparedProgram> train;
  for (const mg::ProgramView& view : data.train) {
    MLGRAPH_ASSIGN_OR_RETURN(mg::PreparedProgram program, trained.model.prepare(view));
    trained.most_segments = std::max(trained.most_segments, program.segments.size());
    train.push_back(std::move(program));
  }
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::PreparedProgram> valid, prepare_valid(trained.model, data));

  mg::TrainerOptions options = settings.trainer;
  options.seed = seed;
  if (settings.automatic_slates) options.max_slates_per_graph = automatic_slates(options, train.size());
  double last_checkpoint = now();
  mg::Status checkpoint_status;
  Progress progress(title, options.epochs, settings.task);
  mg::Trainer trainer(trained.model, options, settings.loss, pool);
  const auto checkpoint = [&]() -> mg::Status {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, trainer.checkpoint());
    return save_checkpoint(bytes);
  };
  const auto on_epoch = [&](const mg::EpochReport& epoch) {
    progress.show(epoch);
    const bool is_time = now() - last_checkpoint >= settings.checkpoint_every;
    const bool stops = interrupted();
    if (save_checkpoint != nullptr && (is_time || stops)) {
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
  mg::Result<mg::TrainReport> report = trainer.run(train, valid, settings.selection(), on_epoch, resume);
  progress.finish();
  MLGRAPH_RETURN_IF_ERROR(report.status());
  MLGRAPH_RETURN_IF_ERROR(checkpoint_status);
  trained.report = std::move(*report);
  if (trained.report.best_epoch == 0 && !valid.empty()) {  // stopped before an epoch was validated
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Evaluation evaluation, mg::evaluate(trained.model, valid, pool));
    trained.report.best_valid = evaluation.mean;
  }
  trained.seconds = now() - begin;
  return trained;
}

}  // namespace cli
