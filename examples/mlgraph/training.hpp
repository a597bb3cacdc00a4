// SPDX-License-Identifier: Apache-2.0
// What `mlgraph train` does between its options and its report: data, settings, one training.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_TRAINING_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_TRAINING_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/train/program_cache.hpp"
#include "mlgraph/train/trainer.hpp"

namespace cli {

/// Seconds of a clock that never goes back.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Set when the user presses Ctrl-C for the first time; the second time ends the program. SIGUSR1 sets it, too,
/// and after an epoch a file of the name `stop_file`, where it is not empty.
/// Errors: there is such a file already.
[[nodiscard]] mlgraph::Status watch_for_interrupt(const std::string& stop_file);
[[nodiscard]] bool interrupted();
/// After an epoch: whether the training should stop, which is so on all ranks where it is on one.
[[nodiscard]] bool stops_after_epoch();
/// `stopped by Ctrl-C; ...`
[[nodiscard]] mlgraph::Status stopped_by_user(const std::string& what);

/// Everything that decides a training but data and seed.
struct TrainSettings {
  std::unique_ptr<mlgraph::NetOptions> net;
  mlgraph::Recipe recipe;
  double checkpoint_every = 30;  // seconds; checkpoints are made after epochs
  /// What programs may take as the model sees them, in bytes.
  std::uint64_t train_bytes = mlgraph::ProgramCache::kAnyBytes;
  std::uint64_t valid_bytes = mlgraph::ProgramCache::kAnyBytes;

  /// What compares scores with labels needs a scale of these that is the same for all programs.
  [[nodiscard]] bool needs_scaled_labels() const {
    return recipe.loss.kind == mlgraph::Loss::kMse || recipe.loss.kind == mlgraph::Loss::kMape ||
           recipe.loss.mse_weight != 0;
  }
};

/// Programs to train on and programs to validate on. Views borrow from the sets and copies beside them.
struct TrainData {
  mlgraph::io::ConfigKind config_kind = mlgraph::io::ConfigKind::kTile;
  std::vector<mlgraph::ProgramView> train, valid;
  /// (valid.size()) the configs to validate on; empty = all.
  std::vector<std::vector<std::int32_t>> valid_configs;
  std::vector<std::string> notes;

  std::vector<mlgraph::io::ProgramSet> sets;
  std::vector<std::unique_ptr<mlgraph::io::Program>> copies;
};

struct DataOptions {
  std::string train, valid;
  std::optional<mlgraph::io::ConfigKind> config_kind;  // what the programs should be for
  double split = 0;                                    // share of the configs of each program that is held out
  bool leave_one_out = false;  // each program is trained on and validated on, never at once
  std::uint64_t split_seed = 1;
  std::int64_t max_valid_configs = 0;  // of each program, chosen by chance; 0 = all
  mlgraph::io::Duplicates duplicates = mlgraph::io::Duplicates::kMin;
  std::uint64_t max_memory = 0;  // bytes of the whole process, which bound what is read; 0 = any
  mlgraph::io::LoadOptions load;
};

/// What a limit for the whole process, in bytes, leaves for more. Errors: nothing.
[[nodiscard]] mlgraph::Result<std::uint64_t> memory_left(std::uint64_t max_memory);

/// Reads the programs. Of a split, all measurements of a config are on one side; the training side never sees
/// the other. For leave-one-out, train[i] and valid[i] are the same program, valid[i] with every measurement.
[[nodiscard]] mlgraph::Result<TrainData> load_train_data(const DataOptions& options);

/// Segment size, configs per step and budgets of programs with which the training of `data` keeps the process
/// below `max_memory` bytes; 0 = any.
[[nodiscard]] mlgraph::Status limit_memory(std::uint64_t max_memory, const TrainData& data,
                                           TrainSettings& settings);

/// Labels in ns as multiples of the program's fastest config, for the losses that need it.
void scale_labels(TrainData& data);

/// Labels as the share of the program's configs that are faster, 0 ... 1; equal ones get their mean.
void rank_labels(TrainData& data);

/// Shows the epochs: a bar with the time that is left on a terminal, else lines.
class Progress {
 public:
  Progress(std::string title, const mlgraph::Recipe& recipe);
  void show(const mlgraph::EpochReport& epoch);
  void finish();

 private:
  std::string title_;
  std::int64_t epochs_;
  mlgraph::Selection selection_;
  bool terminal_;
  double start_;
  bool line_is_open_ = false;
  std::string best_;
};

/// One trained model.
struct Trained {
  mlgraph::Model model;
  mlgraph::TrainReport report;
  std::uint64_t seed = 0;
  double seconds = 0;
  std::size_t most_segments = 0;             // of a training program
  mlgraph::ProgramCacheCounts train, valid;  // of the programs
};

/// What to do with a checkpoint when a while has passed or Ctrl-C came; may be null.
using SaveCheckpoint = std::function<mlgraph::Status(mlgraph::Span<const std::byte>)>;

/// Trains one model and keeps the best validated weights. `resume`: a checkpoint of the same training, or
/// empty. A checkpoint that cannot be saved is a note, and the training goes on, unless it is the last one
/// after Ctrl-C.
[[nodiscard]] mlgraph::Result<Trained> train_one(const TrainSettings& settings, const TrainData& data,
                                                 std::uint64_t seed, const std::string& title,
                                                 mlgraph::Span<const std::byte> resume,
                                                 const SaveCheckpoint& save_checkpoint,
                                                 mlgraph::ThreadPool* pool);

/// The checkpoint to resume from, which the first rank reads for all; nothing for no path.
[[nodiscard]] mlgraph::Result<std::vector<std::byte>> load_resume(const std::string& path);

/// The configs to validate on of a program.
[[nodiscard]] std::vector<std::int32_t> valid_selection(const TrainData& data, std::size_t index);
/// The programs to validate on, as a model sees them.
[[nodiscard]] mlgraph::ProgramCache valid_programs(const mlgraph::Model& model, const TrainSettings& settings,
                                                   const TrainData& data);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_TRAINING_HPP
