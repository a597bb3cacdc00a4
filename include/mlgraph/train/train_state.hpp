// SPDX-License-Identifier: Apache-2.0
// TrainState: all that a training carries from epoch to epoch, and its form in the bytes of a checkpoint.
#ifndef MLGRAPH_TRAIN_TRAIN_STATE_HPP
#define MLGRAPH_TRAIN_TRAIN_STATE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/epoch_loop.hpp"
#include "mlgraph/train/evaluate.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the caller hears after each epoch.
struct EpochReport {
  std::int64_t epoch = 0;  // from 1
  double train_loss = 0;
  double lr = 0;
  bool validated = false;
  RankingMetrics valid;  // of this epoch, when validated
  bool is_best = false;
};

/// What a training did.
struct TrainReport {
  std::vector<EpochReport> epochs;
  std::int64_t best_epoch = 0;  // 0: the start weights, when no epoch was validated
  RankingMetrics best_valid;
  bool stopped_by_caller = false;
  // Memory: the most that the matrices of one slate took, and what the historical table holds.
  std::size_t activation_bytes = 0;
  std::size_t table_rows = 0;
  std::size_t table_bytes = 0;
};

/// All that a training carries from one epoch to the next.
struct TrainState : WeightState {
  std::int64_t epoch = 0;   // finished ones
  bool head_phase = false;  // only the read-out is trained (GstOptions::finetunes()), and stepped
  EmbeddingTable table;
  TrainReport report;
};

/// What a checkpoint's metadata says under "format".
inline constexpr std::string_view kCheckpointFormat = "mlgraph checkpoint 2";

/// Weights that a checkpoint has.
enum class CheckpointWeights : std::uint8_t {
  kBest,  ///< of the best validated epoch: what a training that ended there would give
  kLast,  ///< of the last step
};

namespace detail {

inline constexpr std::size_t kEpochNumbers = 9 + kSlowdownAt.size();

/// An epoch's report as a row of doubles.
inline void append_epoch(const EpochReport& epoch, std::vector<double>& to) {
  to.insert(to.end(), {static_cast<double>(epoch.epoch), epoch.train_loss, epoch.lr,
                       epoch.validated ? 1.0 : 0.0, epoch.valid.kendall_tau, epoch.valid.ordered_pair_accuracy,
                       epoch.is_best ? 1.0 : 0.0, epoch.valid.first_place, epoch.valid.loss});
  to.insert(to.end(), epoch.valid.slowdown.begin(), epoch.valid.slowdown.end());
}
[[nodiscard]] inline EpochReport epoch_from(const double* row) {
  EpochReport epoch;
  epoch.epoch = static_cast<std::int64_t>(row[0]);
  epoch.train_loss = row[1];
  epoch.lr = row[2];
  epoch.validated = row[3] != 0;
  epoch.valid.kendall_tau = row[4];
  epoch.valid.ordered_pair_accuracy = row[5];
  epoch.is_best = row[6] != 0;
  epoch.valid.first_place = row[7];
  epoch.valid.loss = row[8];
  for (std::size_t i = 0; i < kSlowdownAt.size(); ++i) epoch.valid.slowdown[i] = row[9 + i];
  return epoch;
}

[[nodiscard]] inline std::string checkpoint_format(const SafeTensors& file) {
  for (const auto& [key, text] : file.metadata()) {
    if (key == "format") return text;
  }
  return {};
}
inline constexpr std::string_view kCheckpointFormat1 = "mlgraph checkpoint 1";

}  // namespace detail

/// The bytes of a checkpoint: safetensors. `settings` is all that decides how the training goes on; the one who
/// resumes must have the same.
[[nodiscard]] inline Result<std::vector<std::byte>> checkpoint_to_bytes(
    const TrainState& state, const std::map<std::string, std::string>& settings) {
  std::vector<double> epochs;
  for (const EpochReport& epoch : state.report.epochs) detail::append_epoch(epoch, epochs);
  const std::vector<std::int64_t> numbers = {state.epoch,
                                             state.head_phase ? 1 : 0,
                                             state.optimizer.step,
                                             static_cast<std::int64_t>(state.table.next()),
                                             state.report.best_epoch,
                                             state.ema.num_updates};
  using detail::state_tensor;
  std::vector<SafeTensor> tensors = {
      state_tensor("numbers", Dtype::kI64, numbers),
      state_tensor("epochs", Dtype::kF64, epochs),
      state_tensor("table.keys", Dtype::kU64, state.table.keys()),
      state_tensor("table.f32", Dtype::kF32, state.table.f32()),
      state_tensor("table.bf16", Dtype::kBF16, state.table.bf16()),
  };
  detail::append_weight_state(state, tensors);
  SafeTensorsMetadata metadata(settings.begin(), settings.end());
  metadata.emplace_back("format", std::string(kCheckpointFormat));
  return write_safetensors(tensors, std::move(metadata));
}

/// Reads a checkpoint into `state`, whose weights have the size of the model's and whose table is made for the
/// same budget. What the optimizer and the average had is not compared with anything here.
///
/// Errors: bytes that are no checkpoint, or one of an earlier version; settings other than those of the
/// checkpoint,
///         of which it names the first; tensors that are missing or do not fit. `state` is then in an
///         unspecified condition.
[[nodiscard]] inline Status checkpoint_from_bytes(Span<const std::byte> bytes,
                                                  const std::map<std::string, std::string>& settings,
                                                  TrainState& state) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  const std::string format = detail::checkpoint_format(file);
  if (format != kCheckpointFormat) {
    const bool is_old = format == detail::kCheckpointFormat1;
    return Status::invalid_argument(str_cat(
        "checkpoint: the format is \"", format, "\"; should be \"", kCheckpointFormat, "\"",
        is_old ? ": a training of that version cannot be resumed, but its weights can be exported" : ""));
  }
  std::map<std::string, std::string> theirs =
      with_later_options({file.metadata().begin(), file.metadata().end()});
  for (const auto& [key, ours] : settings) {
    if (theirs[key] == ours) continue;
    return Status::invalid_argument(str_cat("checkpoint: ", key, " was \"", theirs[key], "\" and is \"", ours,
                                            "\" now; should be the same"));
  }
  std::vector<std::int64_t> numbers;
  std::vector<std::uint64_t> keys;
  std::vector<double> epochs;
  std::vector<float> f32;
  std::vector<std::uint16_t> bf16;
  using detail::read_state;
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "numbers", Dtype::kI64, 6, numbers));
  MLGRAPH_RETURN_IF_ERROR(detail::read_weight_state(file, state));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "epochs", Dtype::kF64, -1, epochs));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.keys", Dtype::kU64, -1, keys));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.f32", Dtype::kF32, -1, f32));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.bf16", Dtype::kBF16, -1, bf16));
  bool in_range = numbers[0] >= 0 && numbers[2] >= 0 && numbers[3] >= 0 && numbers[4] >= 0 &&
                  numbers[4] <= numbers[0] && numbers[5] >= 0 && epochs.size() % detail::kEpochNumbers == 0;
  for (std::size_t i = 0; in_range && i < epochs.size(); i += detail::kEpochNumbers)
    in_range = epochs[i] >= 0 && epochs[i] <= static_cast<double>(numbers[0]) && epochs[i] < 0x1p62;
  if (!in_range) return Status::invalid_argument("checkpoint: its numbers are out of range");
  state.epoch = numbers[0];
  state.head_phase = numbers[1] != 0;
  state.optimizer.step = numbers[2];
  state.report.best_epoch = numbers[4];
  state.ema.num_updates = numbers[5];
  for (std::size_t i = 0; i < epochs.size(); i += detail::kEpochNumbers) {
    state.report.epochs.push_back(detail::epoch_from(epochs.data() + i));
    const EpochReport& epoch = state.report.epochs.back();
    if (epoch.epoch == state.report.best_epoch) state.report.best_valid = epoch.valid;
  }
  return state.table.restore(std::move(keys), std::move(f32), std::move(bf16), as_size(numbers[3]));
}

/// The weights in a checkpoint of this version or of an earlier one, to be a model's parameters().value: `spec`
/// is that model's, which has the options of the training.
/// Errors: bytes that are no checkpoint; weights of another number than the model's.
[[nodiscard]] inline Result<AlignedVector<float>> weights_of_checkpoint(
    Span<const std::byte> bytes, const ParamSpec& spec, CheckpointWeights which = CheckpointWeights::kBest) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  const std::string format = detail::checkpoint_format(file);
  if (format != kCheckpointFormat && format != detail::kCheckpointFormat1) {
    return Status::invalid_argument(str_cat("checkpoint: the format is \"", format, "\"; should be \"",
                                            kCheckpointFormat, "\" or \"", detail::kCheckpointFormat1, "\""));
  }
  AlignedVector<float> weights;
  const char* const name = which == CheckpointWeights::kBest ? "best" : "value";
  MLGRAPH_RETURN_IF_ERROR(detail::read_state(file, name, Dtype::kF32, spec.size(), weights));
  return weights;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_TRAIN_STATE_HPP
