// SPDX-License-Identifier: Apache-2.0
// Slate: some configurations of one program, scored together; its loss and gradient.
#ifndef MLGRAPH_TRAIN_SLATE_HPP
#define MLGRAPH_TRAIN_SLATE_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/train/drop_edge.hpp"
#include "mlgraph/train/evaluate.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/segment_training.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One slate of a step: what it is, and what came out.
struct Slate {
  std::size_t program = 0;  // its place among the training programs, and in the keys of the historical table
  std::vector<std::int32_t> configs;
  std::vector<double> label;
  SegmentPlan plan;
  std::uint64_t seed = 0;  // of dropout and of which edges are left out
  double drop_edge = 0;    // how likely an edge is
  // Results.
  AlignedVector<float> grad;  // (num_trainable)
  SegmentBuffers buffers;     // embeddings for the table
  double loss = 0;
  Status status;
};

/// What computes a slate: contexts and buffers of one thread, or of one pool.
class SlateWorker {
 public:
  explicit SlateWorker(ThreadPool* pool) : tape_(pool), eager_(pool) {}

  /// The loss of a slate and its gradient. `table` is only read.
  /// Errors, in slate.status: those of embed() and of the loss; a label or a score that is not finite, which is
  /// named by its config; a loss that is not.
  void run(const GnnCostModel& model, const PreparedProgram& program, const LossOptions& loss,
           const EmbeddingTable* table, Slate& slate) {
    const Span<const float> values(model.parameters().value);
    slate.grad.assign(model.parameters().grad.size(), 0.0F);
    tape_.bind(model.spec(), values, Span<float>(slate.grad));
    tape_.begin(slate.seed);
    eager_.bind(model.spec(), values);
    slate.status = forward_backward(model, program, loss, table, slate);
  }

  /// The most bytes that the matrices of one slate took.
  [[nodiscard]] std::size_t peak_bytes() const { return tape_.peak_bytes() + eager_.peak_bytes(); }

 private:
  Status forward_backward(const GnnCostModel& model, const PreparedProgram& program, const LossOptions& loss,
                          const EmbeddingTable* table, Slate& slate) {
    // Where the embeddings are the same for all configurations, they go by the first one's name.
    constexpr std::int32_t kAny[] = {0};
    const auto num_configs = static_cast<std::int64_t>(slate.configs.size());
    const bool one_for_all = model.embedding_rows(num_configs) == 1;
    const Span<const std::int32_t> ids = one_for_all ? Span<const std::int32_t>(kAny) : slate.configs;
    MLGRAPH_RETURN_IF_ERROR(drop(model, program, slate));
    const auto embed = [&](auto& ctx, std::int64_t j, Span<const std::int32_t> part) {
      const auto i = static_cast<std::size_t>(j);
      const bool drops = slate.drop_edge > 0 && std::decay_t<decltype(ctx)>::kRecords;
      return model.embed(ctx, program, drops ? dropped_[i] : program.segments[i], part, scratch_);
    };
    MLGRAPH_ASSIGN_OR_RETURN(
        const Var total,
        aggregate_segments(tape_, eager_, slate.plan, table, static_cast<std::uint32_t>(slate.program), ids,
                           model.embedding_channels(), embed, slate.buffers));
    const Var score = model.readout(tape_, total, program, slate.configs, scratch_);
    MLGRAPH_RETURN_IF_ERROR(tape_.status());
    const Span<const float> scores(tape_.value(score).data, slate.configs.size());
    MLGRAPH_RETURN_IF_ERROR(check_labels_and_scores(slate, scores));
    const std::int32_t ptr[] = {0, static_cast<std::int32_t>(num_configs)};
    const Var value = ranking_loss(tape_, score, slate.label, ptr, loss);
    MLGRAPH_RETURN_IF_ERROR(tape_.status());
    slate.loss = static_cast<double>(*tape_.value(value).data);
    MLGRAPH_RETURN_IF_ERROR(check_loss(slate, scores));
    return tape_.backward(value);
  }

  // A ranking loss can be finite without them: an infinite score may be in its right place.
  static Status check_labels_and_scores(const Slate& slate, Span<const float> scores) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      MLGRAPH_RETURN_IF_ERROR(check_finite_label(slate.configs[i], slate.label[i]));
      if (detail::is_finite(scores[i])) continue;
      return Status::invalid_argument(
          str_cat("the score of config ", slate.configs[i], " is ", detail::non_finite_name(scores[i])));
    }
    return {};
  }

  static Status check_loss(const Slate& slate, Span<const float> scores) {
    if (std::isfinite(slate.loss)) return {};
    const auto widest = std::max_element(scores.begin(), scores.end(),
                                         [](float a, float b) { return std::abs(a) < std::abs(b); });
    const auto i = static_cast<std::size_t>(widest - scores.begin());
    return Status::invalid_argument(str_cat(
        "the loss is ", detail::non_finite_name(static_cast<float>(slate.loss)), "; the widest score is ",
        scores[i], ", of config ", slate.configs[i], " with the label ", slate.label[i]));
  }

  /// Makes the segments of this step, of those with gradient.
  Status drop(const GnnCostModel& model, const PreparedProgram& program, const Slate& slate) {
    if (slate.drop_edge == 0) return {};
    dropped_.resize(program.segments.size());
    for (std::size_t j = 0; j < dropped_.size(); ++j) {
      if (slate.plan.role[j] != SegmentPlan::Role::kFresh) continue;
      MLGRAPH_ASSIGN_OR_RETURN(dropped_[j], drop_edges(model, program.segments[j], slate.drop_edge,
                                                       mix64(slate.seed ^ mix64(j + 1))));
    }
    return {};
  }

  Tape tape_;
  Eager eager_;
  std::vector<Segment> dropped_;
  GnnCostModel::Scratch scratch_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_SLATE_HPP
