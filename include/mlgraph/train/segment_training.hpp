// SPDX-License-Identifier: Apache-2.0
// Graph segment training: which segments of a graph a step computes, with which weights, and their total.
#ifndef MLGRAPH_TRAIN_SEGMENT_TRAINING_HPP
#define MLGRAPH_TRAIN_SEGMENT_TRAINING_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/dist/note.hpp"
#include "mlgraph/kernels/elementwise.hpp"
#include "mlgraph/train/embedding_table.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What one step does with each segment of one graph.
struct SegmentPlan {
  enum class Role : std::uint8_t {
    kFresh,    ///< computed with gradient
    kForward,  ///< computed without
    kTable,    ///< read from the historical table; computed without gradient where it is not there yet
    kDropped,  ///< left out
  };
  std::vector<Role> role;  // (J)
  float fresh_weight = 1;  // of a kFresh segment in the total; the others have weight 1
};

/// Draws the plan of a step: S of J segments with gradient, every S as likely as any other.
///
/// The expected weight of every segment in the total is 1 in all variants, so the total is unbiased but for the
/// age of table entries. With stale embedding dropout a stale segment stays with probability p, and
///   fresh_weight = p + (1 - p) J / S;
/// where only the sampled segments count (kOne) it is J / S.
/// Source: arXiv:2305.12322, equation 1 and section 3.3.
inline void draw_segment_plan(const GstOptions& options, std::int64_t num_segments, Rng& rng,
                              SegmentPlan& plan) {
  using Role = SegmentPlan::Role;
  const std::int64_t num_fresh =
      options.variant == GstVariant::kFull ? num_segments : std::min(options.segments_per_step, num_segments);
  plan.role.assign(as_size(num_segments), Role::kFresh);
  plan.fresh_weight = 1;
  if (num_fresh == num_segments) return;
  const double share = static_cast<double>(num_segments) / static_cast<double>(num_fresh);
  const Role others = options.uses_table()                    ? Role::kTable
                      : options.variant == GstVariant::kPlain ? Role::kForward
                                                              : Role::kDropped;
  // Selection sampling: each segment in turn, with the probability that fills the sample.
  std::int64_t left = num_fresh;
  for (std::int64_t j = 0; j < num_segments; ++j) {
    const bool fresh =
        rng.below(static_cast<std::uint64_t>(num_segments - j)) < static_cast<std::uint64_t>(left);
    if (fresh) {
      --left;
    } else {
      plan.role[as_size(j)] = others;
    }
  }
  if (options.drops()) {
    plan.fresh_weight = static_cast<float>(options.sed_keep + (1 - options.sed_keep) * share);
    for (Role& role : plan.role) {
      if (role == Role::kTable && rng.uniform() >= options.sed_keep) role = Role::kDropped;
    }
  } else if (options.variant == GstVariant::kOne) {
    plan.fresh_weight = static_cast<float>(share);
  }
}

/// Buffers of aggregate_segments(), and the embeddings that it computed: one per thread.
struct SegmentBuffers {
  /// Rows [begin, begin + count * channels) of `data` are the embedding of a segment for `count` of the
  /// configs.
  struct Computed {
    std::uint32_t segment = 0;
    std::size_t begin = 0;
    std::vector<std::int32_t> ids;
  };
  std::vector<Computed> computed;
  std::size_t num_computed = 0;
  AlignedVector<float> data;
  AlignedVector<float> stale;  // the total of what has no gradient
  std::vector<std::int32_t> missing;
  std::vector<std::size_t> missing_row;
  AlignedVector<float> row;

  /// Remembers embeddings of `segment` for `ids`.
  void add(std::int64_t segment, Span<const std::int32_t> ids, MatrixView<const float> value) {
    if (num_computed == computed.size()) computed.emplace_back();
    Computed& entry = computed[num_computed++];
    entry.segment = static_cast<std::uint32_t>(segment);
    entry.begin = data.size();
    entry.ids.assign(ids.begin(), ids.end());
    data.insert(data.end(), value.data, value.data + value.size());
  }
  void clear() {
    num_computed = 0;
    data.clear();
  }
  /// What was computed, for another rank.
  void write(NoteWriter& note) const {
    note.add(static_cast<std::uint64_t>(num_computed));
    for (std::size_t i = 0; i < num_computed; ++i) {
      note.add(computed[i].segment);
      note.add(static_cast<std::uint64_t>(computed[i].begin));
      note.add_array(Span<const std::int32_t>(computed[i].ids));
    }
    note.add_array(Span<const float>(data));
  }
  /// The inverse. Where the note is cut off, nothing is computed.
  void read(NoteReader& note) {
    clear();
    const auto count = note.take<std::uint64_t>();
    for (std::uint64_t i = 0; i < count && note.ok(); ++i) {
      if (num_computed == computed.size()) computed.emplace_back();
      Computed& entry = computed[num_computed++];
      entry.segment = note.take<std::uint32_t>();
      entry.begin = static_cast<std::size_t>(note.take<std::uint64_t>());
      entry.ids = note.take_array<std::int32_t>();
    }
    const std::vector<float> rows = note.take_array<float>();
    data.assign(rows.begin(), rows.end());
    if (!note.ok()) clear();
  }
  /// Brings what was computed for `graph` into the table.
  /// Errors: those of EmbeddingTable::write().
  [[nodiscard]] Status store(std::uint32_t graph, EmbeddingTable& table) const {
    const auto channels = as_size(table.channels());
    for (std::size_t i = 0; i < num_computed; ++i) {
      for (std::size_t r = 0; r < computed[i].ids.size(); ++r) {
        const EmbeddingTable::Key key{graph, static_cast<std::uint32_t>(computed[i].ids[r]),
                                      computed[i].segment};
        MLGRAPH_RETURN_IF_ERROR(table.write(key, data.data() + computed[i].begin + r * channels));
      }
    }
    return {};
  }
};

namespace detail {

/// Adds the embeddings of one segment without gradient to buffers.stale.
template <class Embed>
Status add_without_gradient(Eager& eager, const EmbeddingTable* table, std::uint32_t graph,
                            std::int64_t segment, Span<const std::int32_t> ids, std::int64_t channels,
                            const Embed& embed, SegmentBuffers& buffers) {
  const auto width = as_size(channels);
  buffers.missing.clear();
  buffers.missing_row.clear();
  buffers.row.resize(width);
  for (std::size_t r = 0; r < ids.size(); ++r) {
    const EmbeddingTable::Key key{graph, static_cast<std::uint32_t>(ids[r]),
                                  static_cast<std::uint32_t>(segment)};
    if (table != nullptr && table->read(key, buffers.row.data())) {
      kernels::axpy(1.0F, buffers.row.data(), buffers.stale.data() + r * width, channels, nullptr);
    } else {
      buffers.missing.push_back(ids[r]);
      buffers.missing_row.push_back(r);
    }
  }
  if (buffers.missing.empty()) return {};
  eager.begin();
  const Var e = embed(eager, segment, Span<const std::int32_t>(buffers.missing));
  MLGRAPH_RETURN_IF_ERROR(eager.status());
  const MatrixView<const float> value = eager.value(e);
  for (std::size_t i = 0; i < buffers.missing_row.size(); ++i) {
    kernels::axpy(1.0F, value.data + i * width, buffers.stale.data() + buffers.missing_row[i] * width, channels,
                  nullptr);
  }
  if (table != nullptr) buffers.add(segment, buffers.missing, value);
  return {};
}

}  // namespace detail

/// The total of a graph's segment embeddings on a tape, as the plan says, for the configs `ids`.
///
///   total = sum of stale e_j, ascending in j, + fresh_weight * e_j for fresh j, ascending
///
/// `embed(ctx, j, ids)` returns the embedding of segment j for some of the configs, (count, channels), on
/// either context; both are bound to the same parameters, and `tape` has begun its step. `table` is only read;
/// what was computed is in `buffers`, to be stored when no other thread reads the table.
///
/// Shapes: ids (R) -> (R, channels).
/// Errors: those of embed(), as the status.
/// Cost:   S segments forward and backward; forward those that the plan or an empty place in the table asks
/// for.
template <class Embed>
[[nodiscard]] Result<Var> aggregate_segments(Tape& tape, Eager& eager, const SegmentPlan& plan,
                                             const EmbeddingTable* table, std::uint32_t graph,
                                             Span<const std::int32_t> ids, std::int64_t channels,
                                             const Embed& embed, SegmentBuffers& buffers) {
  using Role = SegmentPlan::Role;
  buffers.clear();
  Var total;
  const auto num_segments = signed_size(plan.role);
  bool any_stale = false;
  for (std::int64_t j = 0; j < num_segments; ++j) {
    const Role role = plan.role[as_size(j)];
    if (role != Role::kTable && role != Role::kForward) continue;
    if (!any_stale) buffers.stale.assign(ids.size() * as_size(channels), 0.0F);
    any_stale = true;
    MLGRAPH_RETURN_IF_ERROR(detail::add_without_gradient(eager, role == Role::kTable ? table : nullptr, graph,
                                                         j, ids, channels, embed, buffers));
  }
  if (any_stale) total = tape.input(MatrixView<const float>(buffers.stale.data(), signed_size(ids), channels));
  for (std::int64_t j = 0; j < num_segments; ++j) {
    if (plan.role[as_size(j)] != Role::kFresh) continue;
    Var e = embed(tape, j, ids);
    MLGRAPH_RETURN_IF_ERROR(tape.status());
    if (table != nullptr) buffers.add(j, ids, tape.value(e));
    if (plan.fresh_weight != 1) e = tape.scale(e, plan.fresh_weight);
    total = total.id == 0 ? e : tape.add(total, e);
  }
  MLGRAPH_RETURN_IF_ERROR(tape.status());
  return total;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_SEGMENT_TRAINING_HPP
