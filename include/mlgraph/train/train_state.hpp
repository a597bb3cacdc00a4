// SPDX-License-Identifier: Apache-2.0
// TrainState: all that a training carries from epoch to epoch, and its form in the bytes of a checkpoint.
#ifndef MLGRAPH_TRAIN_TRAIN_STATE_HPP
#define MLGRAPH_TRAIN_TRAIN_STATE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/model/safetensors.hpp"
#include "mlgraph/model/safetensors_writer.hpp"
#include "mlgraph/train/adam.hpp"
#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/evaluate.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the caller hears after each epoch.
struct EpochReport {
  int epoch = 0;  // from 1
  double train_loss = 0;
  double lr = 0;
  bool validated = false;
  RankingMetrics valid;  // of this epoch, when validated
  bool is_best = false;
};

struct TrainReport {
  std::vector<EpochReport> epochs;
  int best_epoch = 0;  // 0: the start weights, when no epoch was validated
  RankingMetrics best_valid;
  bool stopped_by_caller = false;
  // Memory: the most that the matrices of one slate took, and what the historical table holds.
  std::size_t activation_bytes = 0;
  std::size_t table_rows = 0;
  std::size_t table_bytes = 0;
};

/// All that a training carries from one epoch to the next.
struct TrainState {
  int epoch = 0;            // finished ones
  bool head_phase = false;  // only the head is trained (GstOptions::finetunes())
  Rng::State rng{};
  AlignedVector<float> value;  // the weights
  AlignedVector<float> best;   // those of the best validated epoch
  AdamState<float> adam;       // in the head phase of the head's weights only
  EmbeddingTable table;
  TrainReport report;
};

/// What a checkpoint's metadata says under "format".
inline constexpr std::string_view kCheckpointFormat = "mlgraph checkpoint 1";

namespace detail {

inline constexpr std::size_t kEpochNumbers = 7 + kSlowdownAt.size();

/// An epoch's report as a row of doubles.
inline void append_epoch(const EpochReport& epoch, std::vector<double>& to) {
  to.insert(to.end(),
            {static_cast<double>(epoch.epoch), epoch.train_loss, epoch.lr, epoch.validated ? 1.0 : 0.0,
             epoch.valid.kendall_tau, epoch.valid.ordered_pair_accuracy, epoch.is_best ? 1.0 : 0.0});
  to.insert(to.end(), epoch.valid.slowdown.begin(), epoch.valid.slowdown.end());
}
[[nodiscard]] inline EpochReport epoch_from(const double* row) {
  EpochReport epoch;
  epoch.epoch = static_cast<int>(row[0]);
  epoch.train_loss = row[1];
  epoch.lr = row[2];
  epoch.validated = row[3] != 0;
  epoch.valid.kendall_tau = row[4];
  epoch.valid.ordered_pair_accuracy = row[5];
  epoch.is_best = row[6] != 0;
  for (std::size_t i = 0; i < kSlowdownAt.size(); ++i) epoch.valid.slowdown[i] = row[7 + i];
  return epoch;
}

template <class Container>
[[nodiscard]] SafeTensor state_tensor(std::string name, Dtype dtype, const Container& values) {
  return {std::move(name),
          dtype,
          {static_cast<std::int64_t>(values.size())},
          {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(values[0])}};
}

/// Copies a vector out of a checkpoint; `size` is what it must have, or -1 for any.
template <class Container>
[[nodiscard]] Status read_state(const SafeTensors& file, const std::string& name, Dtype dtype,
                                std::int64_t size, Container& values) {
  const SafeTensor* const tensor = file.find(name);
  if (tensor == nullptr) return Status::invalid_argument(str_cat("checkpoint: has no tensor ", name));
  if (tensor->dtype != dtype || tensor->shape.size() != 1 || (size >= 0 && tensor->shape[0] != size)) {
    return Status::invalid_argument(str_cat(
        "checkpoint: ", name, " is ", dtype_name(tensor->dtype), " ", shape_text(tensor->shape), "; should be ",
        size >= 0 ? str_cat(size) : std::string("a vector"), " of ", dtype_name(dtype)));
  }
  values.resize(static_cast<std::size_t>(tensor->shape[0]));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return {};
}

}  // namespace detail

/// The bytes of a checkpoint: safetensors. `settings` is all that decides how the training goes on; the one who
/// resumes must have the same.
[[nodiscard]] inline Result<std::vector<std::byte>> checkpoint_to_bytes(
    const TrainState& state, const std::map<std::string, std::string>& settings) {
  std::vector<double> epochs;
  for (const EpochReport& epoch : state.report.epochs) detail::append_epoch(epoch, epochs);
  const std::vector<std::uint64_t> rng(state.rng.words, state.rng.words + 4);
  const std::vector<std::int64_t> numbers = {state.epoch, state.head_phase ? 1 : 0, state.adam.step,
                                             static_cast<std::int64_t>(state.table.next()),
                                             state.report.best_epoch};
  using detail::state_tensor;
  const std::vector<SafeTensor> tensors = {
      state_tensor("numbers", Dtype::kI64, numbers),
      state_tensor("rng", Dtype::kU64, rng),
      state_tensor("value", Dtype::kF32, state.value),
      state_tensor("best", Dtype::kF32, state.best),
      state_tensor("adam.m", Dtype::kF32, state.adam.m),
      state_tensor("adam.v", Dtype::kF32, state.adam.v),
      state_tensor("epochs", Dtype::kF64, epochs),
      state_tensor("table.keys", Dtype::kU64, state.table.keys()),
      state_tensor("table.f32", Dtype::kF32, state.table.f32()),
      state_tensor("table.bf16", Dtype::kBF16, state.table.bf16()),
  };
  SafeTensorsMetadata metadata(settings.begin(), settings.end());
  metadata.emplace_back("format", std::string(kCheckpointFormat));
  return write_safetensors(tensors, std::move(metadata));
}

/// Reads a checkpoint into `state`, whose weights have the size of the model's and whose table is made for the
/// same budget.
///
/// Errors: bytes that are no checkpoint; settings other than those of the checkpoint, of which it names the
///         first; tensors that are missing or do not fit. `state` is then in an unspecified condition.
[[nodiscard]] inline Status checkpoint_from_bytes(Span<const std::byte> bytes,
                                                  const std::map<std::string, std::string>& settings,
                                                  std::int64_t num_head_weights, TrainState& state) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  std::map<std::string, std::string> theirs(file.metadata().begin(), file.metadata().end());
  if (theirs["format"] != kCheckpointFormat) {
    return Status::invalid_argument(
        str_cat("checkpoint: the format is \"", theirs["format"], "\"; should be \"", kCheckpointFormat, "\""));
  }
  for (const auto& [key, ours] : settings) {
    if (theirs[key] == ours) continue;
    return Status::invalid_argument(str_cat("checkpoint: ", key, " was \"", theirs[key], "\" and is \"", ours,
                                            "\" now; should be the same"));
  }
  std::vector<std::int64_t> numbers;
  std::vector<std::uint64_t> rng, keys;
  std::vector<double> epochs;
  std::vector<float> f32;
  std::vector<std::uint16_t> bf16;
  const auto num_values = static_cast<std::int64_t>(state.value.size());
  const auto num_trainable = static_cast<std::int64_t>(state.adam.m.size());
  using detail::read_state;
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "numbers", Dtype::kI64, 5, numbers));
  state.head_phase = numbers[1] != 0;
  const std::int64_t num_moments = state.head_phase ? num_head_weights : num_trainable;
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "rng", Dtype::kU64, 4, rng));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "value", Dtype::kF32, num_values, state.value));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "best", Dtype::kF32, num_values, state.best));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "adam.m", Dtype::kF32, num_moments, state.adam.m));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "adam.v", Dtype::kF32, num_moments, state.adam.v));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "epochs", Dtype::kF64, -1, epochs));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.keys", Dtype::kU64, -1, keys));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.f32", Dtype::kF32, -1, f32));
  MLGRAPH_RETURN_IF_ERROR(read_state(file, "table.bf16", Dtype::kBF16, -1, bf16));
  bool in_range = numbers[0] >= 0 && numbers[0] <= std::numeric_limits<int>::max() && numbers[2] >= 0 &&
                  numbers[3] >= 0 && numbers[4] >= 0 && numbers[4] <= numbers[0] &&
                  epochs.size() % detail::kEpochNumbers == 0;
  for (std::size_t i = 0; in_range && i < epochs.size(); i += detail::kEpochNumbers)
    in_range = epochs[i] >= 0 && epochs[i] <= static_cast<double>(numbers[0]);
  if (!in_range) return Status::invalid_argument("checkpoint: its numbers are out of range");
  std::copy(rng.begin(), rng.end(), state.rng.words);
  state.epoch = static_cast<int>(numbers[0]);
  state.adam.step = numbers[2];
  state.report.best_epoch = static_cast<int>(numbers[4]);
  for (std::size_t i = 0; i < epochs.size(); i += detail::kEpochNumbers) {
    state.report.epochs.push_back(detail::epoch_from(epochs.data() + i));
    const EpochReport& epoch = state.report.epochs.back();
    if (epoch.epoch == state.report.best_epoch) state.report.best_valid = epoch.valid;
  }
  return state.table.restore(std::move(keys), std::move(f32), std::move(bf16),
                             static_cast<std::size_t>(numbers[3]));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_TRAIN_STATE_HPP
