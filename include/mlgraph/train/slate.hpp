// SPDX-License-Identifier: Apache-2.0
// Slate: some configurations of one program, scored together; its loss and gradient.
#ifndef MLGRAPH_TRAIN_SLATE_HPP
#define MLGRAPH_TRAIN_SLATE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/call_rows.hpp"
#include "mlgraph/cost/equal_segments.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/train/drop_edge.hpp"
#include "mlgraph/train/embedding_table.hpp"
#include "mlgraph/train/objective.hpp"
#include "mlgraph/train/segment_training.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One slate of a step: what it is, and what came out.
struct Slate {
  std::size_t program = 0;  // its place among the training programs, and in the keys of the historical table
  std::vector<std::int32_t> configs;
  SegmentPlan plan;
  std::uint64_t seed = 0;  // of dropout and of which edges are left out
  double drop_edge = 0;    // how likely an edge is
  // Results.
  AlignedVector<float> grad;   // (num_trainable)
  AlignedVector<float> state;  // by how much it moved the statistics of batch norm: the state part
  SegmentBuffers buffers;      // embeddings for the table
  double loss = 0;
  Status status;
};

/// What computes a slate: contexts and buffers of one thread, or of one pool.
class SlateWorker {
 public:
  explicit SlateWorker(ThreadPool* pool, RowsMade made = RowsMade::kDistinct)
      : made_(made), tape_(pool), eager_(pool), eager_rows_(made) {}

  /// The loss of a slate and its gradient. `table` is only read.
  /// Errors, in slate.status: those of embed() and of the objective; a score that is not finite, which is named
  /// by its config; a loss that is not.
  void run(const Model& model, const PreparedProgram& program, const Objective& objective,
           const EmbeddingTable* table, Slate& slate) {
    const Span<const float> values(model.parameters().value);
    const std::size_t num_grads = model.parameters().grad.size();
    const Span<const float> state = values.subspan(num_grads, values.size() - num_grads);
    slate.grad.assign(num_grads, 0.0F);
    slate.state.assign(state.begin(), state.end());
    tape_.bind(model.spec(), values, Span<float>(slate.grad), Span<float>(slate.state));
    tape_.begin(slate.seed);
    eager_.bind(model.spec(), values);
    slate.status = forward_backward(model, program, objective, table, slate);
    for (std::size_t i = 0; i < state.size(); ++i) slate.state[i] -= state[i];
  }

  /// The most bytes that the matrices of one slate took.
  [[nodiscard]] std::size_t peak_bytes() const { return tape_.peak_bytes() + eager_.peak_bytes(); }

 private:
  Status forward_backward(const Model& model, const PreparedProgram& program, const Objective& objective,
                          const EmbeddingTable* table, Slate& slate) {
    // Where the embeddings are the same for all configurations, they go by the first one's name.
    constexpr std::int32_t kAny[] = {0};
    const bool one_for_all = model.embedding_rows(signed_size(slate.configs)) == 1;
    const Span<const std::int32_t> ids = one_for_all ? Span<const std::int32_t>(kAny) : slate.configs;
    MLGRAPH_RETURN_IF_ERROR(drop(model, program, slate));
    const auto embed = [&](auto& ctx, std::int64_t j, Span<const std::int32_t> part) {
      return embed_segment(ctx, model, program, slate, as_size(j), part);
    };
    if (tape_rows_.size() < program.segments.size())
      tape_rows_.resize(program.segments.size(), CallRows(made_));
    fresh_.assign(program.segments.size(), Var{});
    MLGRAPH_ASSIGN_OR_RETURN(
        const Var total,
        aggregate_segments(tape_, eager_, slate.plan, table, static_cast<std::uint32_t>(slate.program), ids,
                           model.embedding_channels(), embed, slate.buffers));
    const Var scores = model.readout(tape_, total, program, slate.configs);
    MLGRAPH_RETURN_IF_ERROR(tape_.status());
    MLGRAPH_RETURN_IF_ERROR(check_scores(slate, tape_.value(scores)));
    const Var loss = objective.loss(tape_, scores, program, slate.configs);
    MLGRAPH_RETURN_IF_ERROR(tape_.status());
    slate.loss = static_cast<double>(*tape_.value(loss).data);
    MLGRAPH_RETURN_IF_ERROR(check_loss(program, slate, tape_.value(scores)));
    return tape_.backward(loss);
  }

  /// A fresh segment that is equal to one before has its embedding: only what draws random numbers differs.
  template <class C>
  Var embed_segment(C& ctx, const Model& model, const PreparedProgram& program, const Slate& slate,
                    std::size_t j, Span<const std::int32_t> ids) {
    const Segment& segment = program.segments[j];
    if constexpr (!C::kRecords) {
      return model.embed(ctx, program, segment, ids, eager_rows_);
    } else {
      const bool drops = slate.drop_edge > 0;
      for (std::size_t i = 0; i < j && !drops && !model.plan().draws(); ++i) {
        if (program.equal[i] != program.equal[j] || fresh_[i].id == 0) continue;
        if (have_equal_configs(program.segments[i], segment, program.view.configs, ids)) return fresh_[i];
      }
      // A tape reads the rows until it has been played back, so each segment has its own.
      return fresh_[j] = model.embed(ctx, program, drops ? dropped_[j] : segment, ids, tape_rows_[j]);
    }
  }

  // A loss can be finite without them: an infinite score may be in its right place.
  static Status check_scores(const Slate& slate, MatrixView<const float> scores) {
    for (std::int64_t i = 0; i < scores.size(); ++i) {
      if (detail::is_finite(scores.data[i])) continue;
      return Status::invalid_argument(str_cat("the score of config ", config_of(slate, scores, i), " is ",
                                              detail::non_finite_name(scores.data[i])));
    }
    return {};
  }

  static Status check_loss(const PreparedProgram& program, const Slate& slate, MatrixView<const float> scores) {
    if (detail::is_finite_value(slate.loss)) return {};
    const float* const widest = std::max_element(scores.data, scores.data + scores.size(),
                                                 [](float a, float b) { return std::abs(a) < std::abs(b); });
    const std::int32_t config = config_of(slate, scores, widest - scores.data);
    std::string message = str_cat("the loss is ", detail::non_finite_name(slate.loss), "; the widest score is ",
                                  *widest, ", of config ", config);
    if (!program.view.runtime.empty()) message += str_cat(" with the label ", program.view.label(config));
    return Status::invalid_argument(std::move(message));
  }
  /// Of element i of the scores.
  static std::int32_t config_of(const Slate& slate, MatrixView<const float> scores, std::int64_t i) {
    return slate.configs[as_size(i / scores.cols)];
  }

  /// Makes the segments of this step, of those with gradient.
  Status drop(const Model& model, const PreparedProgram& program, const Slate& slate) {
    if (slate.drop_edge == 0) return {};
    dropped_.resize(program.segments.size());
    for (std::size_t j = 0; j < dropped_.size(); ++j) {
      if (slate.plan.role[j] != SegmentPlan::Role::kFresh) continue;
      MLGRAPH_ASSIGN_OR_RETURN(dropped_[j], drop_edges(model.plan(), program.segments[j], slate.drop_edge,
                                                       mix64(slate.seed ^ mix64(j + 1))));
    }
    return {};
  }

  RowsMade made_;
  Tape tape_;
  Eager eager_;
  std::vector<CallRows> tape_rows_;  // of each segment
  CallRows eager_rows_;
  std::vector<Segment> dropped_;
  std::vector<Var> fresh_;  // embeddings of segments on the tape
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_SLATE_HPP
