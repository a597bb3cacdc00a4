// SPDX-License-Identifier: Apache-2.0
// MemoryPlan: the segment size and the configs per step with which a training stays below a memory limit.
#ifndef MLGRAPH_TRAIN_MEMORY_PLAN_HPP
#define MLGRAPH_TRAIN_MEMORY_PLAN_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string_view>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/program_cache.hpp"
#include "mlgraph/train/slate.hpp"
#include "mlgraph/train/train_settings.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What keeps a training below a memory limit.
struct MemoryPlan {
  std::int64_t segment_size = 0;  ///< for SegmentOptions::max_size
  std::int64_t configs_per_graph = 0;
  std::size_t step_bytes = 0;  ///< expected: matrices of a step, the historical table, the programs, evaluation
  /// For ProgramCache: of the programs to train on, and of those to validate on. All of them where they fit;
  /// else the former have what is left beside one of the latter at a time.
  std::uint64_t train_bytes = ProgramCache::kAnyBytes, valid_bytes = ProgramCache::kAnyBytes;
};

namespace detail {

/// What memory a model needs, measured on a small part of the largest program.
struct MemoryModel {
  double node_bytes = 0;          // of a tape, for each node of a segment
  double row_bytes = 0;           // and for each node under each config
  double eager_bytes = 0;         // of an evaluation, for each row
  double fixed_bytes = 0;         // weights and their copies, what samplers know
  double program_node_bytes = 0;  // of a program as the model sees it, for each node
  std::int64_t config_chunk = 0;  // of NetPlan: so many configurations are evaluated together

  /// A step that records `num_segments` segments of `nodes` nodes under `configs` configs.
  [[nodiscard]] double step(double nodes, double configs, double num_segments) const {
    return num_segments * nodes * (node_bytes + row_bytes * configs);
  }
  /// A program as the model sees it.
  [[nodiscard]] double program(const ProgramView& view) const {
    return program_node_bytes * view.graph.num_nodes() + 4 * static_cast<double>(view.configs.num_configs);
  }
};

/// What programs take as a model sees them, by a MemoryModel.
struct ProgramNeeds {
  std::vector<double> train;  // of each, the largest first
  double train_sum = 0, valid_sum = 0, largest_valid = 0;

  ProgramNeeds(const MemoryModel& memory, Span<const ProgramView> train_views, Span<const ProgramView> valid) {
    for (const ProgramView& view : train_views) train.push_back(memory.program(view));
    std::sort(train.begin(), train.end(), std::greater<>());
    train_sum = std::accumulate(train.begin(), train.end(), 0.0);
    for (const ProgramView& view : valid) {
      valid_sum += memory.program(view);
      largest_valid = std::max(largest_valid, memory.program(view));
    }
  }
  [[nodiscard]] double all() const { return train_sum + valid_sum; }
  /// Where a step holds so many at once.
  [[nodiscard]] double least(std::int64_t held) const {
    const auto count = static_cast<std::ptrdiff_t>(std::min(as_size(held), train.size()));
    return std::accumulate(train.begin(), train.begin() + count, 0.0) + largest_valid;
  }
};

/// The sum of the scores: a loss of programs whose labels nobody looks at.
class SumObjective final : public Objective {
 public:
  [[nodiscard]] std::string_view name() const override { return "sum"; }
  [[nodiscard]] std::string_view wants() const override { return "configs"; }
  [[nodiscard]] Status check(const NetPlan&) const override { return {}; }
  [[nodiscard]] Status check(const PreparedProgram&) const override { return {}; }
  [[nodiscard]] bool can_fit(const PreparedProgram& program) const override {
    return !program.selection.empty();
  }
  Var loss(Tape& tape, Var scores, const PreparedProgram&, Span<const std::int32_t>) const override {
    return sum(tape, scores);
  }
};

[[nodiscard]] inline Result<MemoryModel> measure_memory(Span<const ProgramView> programs,
                                                        const NetOptions& options,
                                                        const FeatureEncoder& encoder) {
  const ProgramView* largest = &programs[0];
  MemoryModel memory;
  for (const ProgramView& program : programs) {
    if (program.graph.num_nodes() > largest->graph.num_nodes()) largest = &program;
    memory.fixed_bytes += 4 * static_cast<double>(program.configs.num_configs);
  }
  constexpr std::int64_t kProbeNodes = 512;
  const std::int64_t num_nodes = largest->graph.num_nodes();
  const std::unique_ptr<NetOptions> small = options.clone();
  SegmentOptions& segments = small->inputs().segments;
  segments.max_size = num_nodes > kProbeNodes ? kProbeNodes : 0;
  if (segments.partitioner == Partitioner::kMetis)
    segments.partitioner = Partitioner::kLocality;  // of the same sizes
  MLGRAPH_ASSIGN_OR_RETURN(const Model probe, Model::make(*small, encoder, 1));
  MLGRAPH_RETURN_IF_ERROR(check_trainable(probe));
  memory.fixed_bytes += 24 * static_cast<double>(probe.spec().size());
  MLGRAPH_ASSIGN_OR_RETURN(const PreparedProgram program, probe.prepare(*largest));
  memory.config_chunk = probe.plan().config_chunk;
  memory.program_node_bytes =
      static_cast<double>(program.bytes() - 4 * program.selection.size()) / static_cast<double>(num_nodes);
  if (program.selection.empty()) return Status::invalid_argument(str_cat(largest->name, ": has no configs"));
  double bytes[2], rows = 0;
  for (const std::int64_t i : {0, 1}) {
    SlateWorker worker(nullptr, RowsMade::kReached);  // the most that there can be
    Slate slate;
    const auto configs = as_size(i == 0 ? 2 : 6);
    for (std::size_t c = 0; c < configs; ++c)
      slate.configs.push_back(static_cast<std::int32_t>(c % program.selection.size()));
    slate.plan.role.assign(program.segments.size(), SegmentPlan::Role::kDropped);
    slate.plan.role[0] = SegmentPlan::Role::kFresh;
    worker.run(probe, program, SumObjective(), nullptr, slate);
    MLGRAPH_RETURN_IF_ERROR(slate.status);
    bytes[i] = static_cast<double>(worker.peak_bytes());
    rows = static_cast<double>(program.segments[0].graph.num_nodes());
  }
  memory.row_bytes = (bytes[1] - bytes[0]) / (4 * rows);
  memory.node_bytes = std::max(0.0, bytes[0] / rows - 2 * memory.row_bytes);
  memory.eager_bytes = memory.row_bytes;  // an evaluation keeps the values of a step, not its gradients
  return memory;
}

}  // namespace detail

/// Picks the largest segments (at most those of `options`, where they are bounded there), and then as many
/// configs as asked for or fewer, with which a training of these programs stays below `max_bytes`.
///
/// The need is measured on one segment of 512 nodes of the largest program: the tape's memory is linear in
/// nodes and in nodes times configs. Shares of it go to the historical table, to evaluation, and to the
/// programs of a step as the model sees them; what is left, to other programs of `programs` and `valid`: three
/// quarters of it, since programs that come and go leave gaps in the allocator's memory.
/// Errors: no programs; a limit below what segments of 64 nodes with two configs need, which it names.
/// Cost:   two steps on one segment, and prepare() of the largest program.
[[nodiscard]] inline Result<MemoryPlan> plan_memory(Span<const ProgramView> programs, const NetOptions& options,
                                                    const FeatureEncoder& encoder, const Recipe& recipe,
                                                    std::size_t max_bytes, const TrainOptions& train = {},
                                                    Span<const ProgramView> valid = {}) {
  if (programs.empty()) return Status::invalid_argument("there are no programs to plan the memory for");
  MLGRAPH_ASSIGN_OR_RETURN(const detail::MemoryModel memory,
                           detail::measure_memory(programs, options, encoder));
  constexpr std::int64_t kLeastNodes = 64;
  constexpr std::int64_t kEvaluatedRows = 20000;  // about so many are made at a time
  std::int64_t most_nodes = kLeastNodes;
  for (const ProgramView& program : programs)
    most_nodes = std::max<std::int64_t>(most_nodes, program.graph.num_nodes());
  const std::int64_t largest = most_nodes;
  if (options.inputs().segments.max_size > 0)
    most_nodes = std::min(most_nodes, options.inputs().segments.max_size);
  const double table = recipe.gst.uses_table() ? static_cast<double>(recipe.gst.table_bytes) : 0;
  const detail::ProgramNeeds needs(memory, programs, valid);
  // Small slates of a step are computed side by side, each with a tape and a program of its own.
  const auto at_once = [&](std::int64_t nodes, std::int64_t configs) {
    return nodes * configs < train.large_slate_rows ? recipe.graphs_per_step : 1;
  };
  const auto need = [&](std::int64_t nodes, std::int64_t configs) {
    const std::int64_t together = nodes * std::max<std::int64_t>(1, memory.config_chunk);
    const double evaluation = memory.eager_bytes * static_cast<double>(std::max(kEvaluatedRows, together)) +
                              static_cast<double>(kPredictBytes);
    const std::int64_t num_segments = (largest + nodes - 1) / nodes;
    const std::int64_t recorded = recipe.gst.variant == GstVariant::kFull
                                      ? num_segments
                                      : std::min(num_segments, recipe.gst.segments_per_step);
    const double step =
        static_cast<double>(at_once(nodes, configs)) *
        memory.step(static_cast<double>(nodes), static_cast<double>(configs), static_cast<double>(recorded));
    return memory.fixed_bytes + table + std::max(step, 0.0) + evaluation;
  };
  const auto bytes_of = [&](std::int64_t nodes, std::int64_t configs) {
    return static_cast<std::size_t>(std::ceil(need(nodes, configs) + needs.least(at_once(nodes, configs))));
  };
  for (std::int64_t configs = recipe.configs_per_graph;; configs = std::max<std::int64_t>(2, configs / 2)) {
    for (std::int64_t nodes = most_nodes;; nodes = std::max(kLeastNodes, nodes * 3 / 4)) {
      const std::size_t bytes = bytes_of(nodes, configs);
      MemoryPlan plan{nodes, configs, bytes};
      const double others = need(nodes, configs), left = static_cast<double>(max_bytes) - others;
      if (left >= needs.all()) {
        plan.step_bytes = static_cast<std::size_t>(std::ceil(others + needs.all()));
        return plan;
      }
      if (bytes <= max_bytes) {
        plan.step_bytes = max_bytes;
        plan.train_bytes = static_cast<std::uint64_t>(0.75 * (left - needs.largest_valid));
        plan.valid_bytes = 0;
        return plan;
      }
      if (nodes <= kLeastNodes) break;
    }
    if (configs <= 2) break;
  }
  return Status::resource_exhausted(
      str_cat("a memory limit of ", max_bytes >> 20, " MiB is too low: segments of ", kLeastNodes,
              " nodes with 2 configs need ", (bytes_of(kLeastNodes, 2) >> 20) + 1, " MiB"));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_MEMORY_PLAN_HPP
