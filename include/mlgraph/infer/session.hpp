// SPDX-License-Identifier: Apache-2.0
// Session: a model bound to one program, which scores any number of configurations, and changes of one.
#ifndef MLGRAPH_INFER_SESSION_HPP
#define MLGRAPH_INFER_SESSION_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/program_rows.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/current_config.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// None but `duplicates` decides results.
struct SessionOptions {
  ThreadPool* pool = nullptr;                          ///< borrowed; null computes on the calling thread
  std::int64_t rows_at_a_time = 1024;                  ///< about so many rows of a matrix are new in one go
  std::size_t memory_bytes = std::size_t{256} << 20;   ///< for rows that are kept from call to call
  RowsMade rows_made = RowsMade::kDistinct;            ///< which rows are computed; others for comparison
  DuplicateEdges duplicates = DuplicateEdges::kError;  ///< what edges mean that the program lists twice
};

/// Scores configurations of one program.
///
/// bind() does once what does not depend on the configuration: validation, normalisation, the packed weights,
/// and the rows that no configuration changes. After that every distinct row is computed once and kept
/// (ProgramRows), within SessionOptions::memory_bytes: whatever comes back, in the same or another
/// configuration, or at another node, is found, unless it came with many that had hardly a row in common.
/// Scores have the bits of Model::predict(), whatever is scored together, and whatever was scored before.
///
/// Search: start() makes a configuration the current one, update() changes it at some rows and gives the new
/// score; of networks that join configurations at nodes it computes only rows that the change can reach and
/// that nobody had before. commit() keeps the changes since the last commit, rollback() takes them back.
///
/// The model, the pool and the arrays behind the ProgramView are borrowed. A call that needs no new row
/// allocates nothing, but rank() and top_k() for more configurations than before. One thread uses a session at
/// a time; sessions share a model.
class Session {
 public:
  /// Errors: those of Model::prepare(); a model that compares configurations, or has several outputs.  Cost: an
  /// evaluation or two of the whole program.
  [[nodiscard]] static Result<Session> bind(const Model& model, const ProgramView& program,
                                            const SessionOptions& options = {}) {
    MLGRAPH_RETURN_IF_ERROR(check_has_scores(model, program));
    MLGRAPH_ASSIGN_OR_RETURN(PreparedProgram prepared, model.prepare(program, options.duplicates));
    Session session(model, std::move(prepared), options);
    MLGRAPH_RETURN_IF_ERROR(session.warm_up());
    return session;
  }

  /// Rows and entries of a configuration: (rows_per_config(), num_features()), one row for a tile.
  [[nodiscard]] std::int64_t rows_per_config() const { return program_.view.configs.rows_per_config; }
  [[nodiscard]] std::int64_t num_features() const { return program_.view.configs.num_features; }

  /// Scores; larger = slower.
  /// Shapes: configs (C) -> scores (C).
  /// Errors: configurations of another shape, an entry or a score that is not finite; names the program and the
  ///         config. Scores before it are written.
  [[nodiscard]] Status score(const ConfigView& configs, Span<float> scores) {
    MLGRAPH_RETURN_IF_ERROR(check(configs));
    if (signed_size(scores) != configs.num_configs) {
      return Status::invalid_argument(str_cat(program_.view.name, ": there is room for ", scores.size(),
                                              " scores; there are ", configs.num_configs, " configs"));
    }
    return score_checked(configs, scores.data());
  }

  /// The configurations from fast to slow; equal ones keep their order.  Shapes: configs (C) -> order (C).
  /// Errors: those of score(), room for another number; `order` is then as it was.
  [[nodiscard]] Status rank(const ConfigView& configs, Span<std::int32_t> order) {
    if (signed_size(order) != configs.num_configs) {
      return Status::invalid_argument(str_cat(program_.view.name, ": there is room for ", order.size(),
                                              " places; there are ", configs.num_configs, " configs"));
    }
    return top_k(configs, order);
  }

  /// The fastest configurations in order, as many as `best` has room for; equal ones keep their order.
  /// Shapes: configs (C) -> best (k), k <= C.
  /// Errors: those of score(), more room than configurations; `best` is then as it was.
  [[nodiscard]] Status top_k(const ConfigView& configs, Span<std::int32_t> best) {
    if (signed_size(best) > configs.num_configs) {
      return Status::invalid_argument(str_cat(program_.view.name, ": the best ", best.size(), " of ",
                                              configs.num_configs, " configs are asked for"));
    }
    MLGRAPH_RETURN_IF_ERROR(check(configs));  // before memory is taken for them
    scores_.resize(as_size(configs.num_configs));
    MLGRAPH_RETURN_IF_ERROR(score_checked(configs, scores_.data()));
    order_.resize(scores_.size());
    std::iota(order_.begin(), order_.end(), 0);
    const auto faster = [this](std::int32_t a, std::int32_t b) {
      const float x = scores_[at(a)];
      const float y = scores_[at(b)];
      return x != y ? x < y : a < b;
    };
    const auto k = static_cast<std::ptrdiff_t>(best.size());
    std::partial_sort(order_.begin(), order_.begin() + k, order_.end(), faster);
    std::copy_n(order_.begin(), k, best.data());
    return {};
  }

  // ---- the current configuration -----------------------------------------------------------------------

  /// Makes configuration `c` of `configs` the current one -> its score. What was current is forgotten.
  /// Errors: those of score(), c out of range; there is no current configuration then.
  [[nodiscard]] Result<float> start(const ConfigView& configs, std::int64_t c = 0) {
    has_current_ = false;
    MLGRAPH_RETURN_IF_ERROR(check(configs));
    if (c < 0 || c >= configs.num_configs) {
      return Status::out_of_range(
          str_cat(program_.view.name, ": there is no config ", c, "; there are ", configs.num_configs));
    }
    current_.assign(configs, c);
    if (rows_->follows_nodes()) rows_->start(current_.view(), 0);
    MLGRAPH_ASSIGN_OR_RETURN(const float score, score_current());
    commit();
    has_current_ = true;
    score_ = committed_score_ = score;
    return score;
  }

  /// The current configuration, (rows_per_config(), num_features()), and its score.
  [[nodiscard]] Span<const float> current() const { return current_.values(); }
  [[nodiscard]] float current_score() const { return score_; }

  /// Changes rows of the current configuration -> its score. Row k is that of the k-th configurable node.
  /// Shapes: rows (d), features (d, num_features()); of a row that is given twice the last counts.
  /// Errors: no current configuration; a row that the program does not have, features of another size or not
  ///         finite: nothing is changed. A score that is not finite: as after rollback().
  /// Cost:   a look for each row within num_layers hops of the changed nodes, and the rows that are new among
  ///         them. Where configurations do not join at nodes: a full evaluation.
  [[nodiscard]] Result<float> update(Span<const std::int32_t> rows, Span<const float> features) {
    if (!has_current_)
      return Status::invalid_argument(str_cat(program_.view.name, ": start() with a config before update()"));
    MLGRAPH_RETURN_IF_ERROR(current_.check(program_.view.name, rows, features));
    current_.change(rows, features);
    if (rows_->follows_nodes()) rows_->update(rows, features);
    Result<float> score = score_current();
    if (!score.ok()) {
      rollback();
      return score;
    }
    score_ = *score;
    return score;
  }
  [[nodiscard]] Result<float> update(std::int32_t row, Span<const float> features) {
    return update({&row, 1}, features);
  }

  /// What became of the rows that calls needed, and the memory that they take.
  [[nodiscard]] RowStats stats() const { return rows_->stats(); }

  /// Keeps the changes since the last commit() or start().
  void commit() {
    rows_->commit();
    current_.commit();
    committed_score_ = score_;
  }
  /// Takes them back.
  void rollback() {
    rows_->rollback();
    current_.rollback();
    score_ = committed_score_;
  }

 private:
  Session(const Model& model, PreparedProgram&& program, const SessionOptions& options)
      : model_(&model), program_(std::move(program)), ctx_(std::make_unique<Eager>(options.pool)) {
    ctx_->bind(model.spec(), Span<const float>(model.parameters().value));
    ctx_->keep_packed_weights();
    program_.view.configs = {{}, {}, 0, rows_per_config(), num_features()};
    ProgramRowsOptions rows;
    rows.memory_bytes = options.memory_bytes;
    rows.rows_at_a_time = std::max<std::int64_t>(1, options.rows_at_a_time);
    rows.made = options.rows_made;
    rows_ = std::make_unique<ProgramRows>(model.net<Eager>(), model.plan(), model.encoder(),
                                          Span<const Segment>(program_.segments), program_.view.configs, rows);
    current_.bind(rows_per_config(), num_features());
    embeddings_.resize(program_.segments.size() * at(model.embedding_channels()));
    ids_.reserve(at(rows_->most_configs()));
  }

  template <class Int>
  static std::size_t at(Int i) {
    return as_size(i);
  }

  // Whether each configuration has one number of its own.
  [[nodiscard]] static Status check_has_scores(const Model& model, const ProgramView& program) {
    if (model.plan().compares_configs()) {
      return Status::invalid_argument(str_cat(
          program.name, ": this ", model.name(), " model compares ", model.plan().config_chunk,
          " configs at a time, so that none has a score of its own; a session needs those: use predict()"));
    }
    if (model.plan().num_outputs == 1) return {};
    return Status::invalid_argument(str_cat(program.name, ": this ", model.name(), " model has ",
                                            model.plan().num_outputs,
                                            " outputs; a session ranks by one: use predict()"));
  }

  // The rows that no configuration changes; and memory for the largest calls, which is measured by a call of
  // many configurations, and in a small program by one: there it would take longer than what follows.
  Status warm_up() {
    constexpr std::int64_t kSmall = 64;  // nodes
    const std::int64_t most = program_.view.graph.num_nodes() < kSmall ? 1 : 64;
    const std::int64_t count = std::min<std::int64_t>(rows_->most_configs(), most);
    const AlignedVector<float> zeros(at(count) * current_.values().size(), 0.0f);
    AlignedVector<float> scores(at(count));
    ConfigView configs = program_.view.configs;
    configs.wide = zeros;
    configs.num_configs = count;
    Status status = score(configs, Span<float>(scores));
    if (status.ok()) status = score(configs, Span<float>(scores));  // which makes no new row
    const std::size_t bytes = ctx_->used_bytes() * at((rows_->most_configs() + count - 1) / count);
    ctx_->begin();
    (void)ctx_->arena().allocate<std::byte>(2 * bytes);
    ctx_->begin();
    if (status.ok()) status = start(configs).status();
    if (status.ok()) {
      std::vector<std::int32_t> rows(at(rows_per_config()));
      std::iota(rows.begin(), rows.end(), 0);
      status = update(rows, Span<const float>(zeros).subspan(0, current_.values().size())).status();
    }
    rollback();
    has_current_ = false;
    rows_->restart_chunks();
    program_.view.configs = {{}, {}, 0, rows_per_config(), num_features()};
    return status;
  }

  [[nodiscard]] Status check(const ConfigView& configs) const {
    ProgramView view = program_.view;
    view.configs = configs;
    return model_->check_configs(view);
  }

  Status score_checked(const ConfigView& configs, float* scores) {
    program_.view.configs = configs;
    for (std::int64_t begin = 0; begin < configs.num_configs;) {
      ids_.resize(at(std::min(rows_->most_configs(), configs.num_configs - begin)));
      std::iota(ids_.begin(), ids_.end(), static_cast<std::int32_t>(begin));
      const std::int64_t count = rows_->plan(configs, ids_);
      MLGRAPH_RETURN_IF_ERROR(
          score_planned(Span<const std::int32_t>(ids_).subspan(0, at(count)), scores + begin));
      begin += count;
    }
    return {};
  }

  Status score_planned(Span<const std::int32_t> ids, float* out) {
    Eager& ctx = *ctx_;
    Var total;
    for (std::size_t j = 0; j < program_.segments.size(); ++j) {
      ctx.begin();
      total = model_->embedding_of(ctx, rows_->sums(ctx, j), program_, program_.segments[j], ids);
      const MatrixView<const float> value = ctx.value(total);
      if (j > 0)
        total = ctx.add(ctx.input(MatrixView<const float>(total_.data(), value.rows, value.cols)), total);
      if (j + 1 == program_.segments.size() || !ctx.status().ok()) break;
      total_.resize(at(value.size()));
      std::copy_n(ctx.value(total).data, value.size(), total_.data());
    }
    return finish(total, ids, out);
  }

  // The scores of some configurations from the sum of their segments' embeddings.
  Status finish(Var total, Span<const std::int32_t> ids, float* out) {
    const Var s = model_->readout(*ctx_, total, program_, ids);
    if (!ctx_->status().ok()) return ctx_->status().annotate(program_.view.name);
    const MatrixView<const float> values = ctx_->value(s);
    for (std::int64_t i = 0; i < values.rows; ++i) {
      if (!detail::is_finite(values.data[i])) return check_finite_scores(program_.view, ids, values);
      out[i] = values.data[i];
    }
    return {};
  }

  // Of the current configuration: of each segment that changed, or where rows are not followed all of it.
  Result<float> score_current() {
    program_.view.configs = current_.view();
    ids_.assign(1, 0);
    float score = 0;
    if (!rows_->follows_nodes()) {
      (void)rows_->plan(program_.view.configs, ids_);
      MLGRAPH_RETURN_IF_ERROR(score_planned(ids_, &score));
      return score;
    }
    if (const float* const known = rows_->find_score()) return *known;
    Eager& ctx = *ctx_;
    const std::int64_t channels = model_->embedding_channels();
    for (std::size_t j = 0; j < program_.segments.size(); ++j) {
      if (!rows_->is_changed(j)) continue;
      ctx.begin();
      const Var sums = rows_->current_sums(ctx, j);
      const Var embedding = model_->embedding_of(ctx, sums, program_, program_.segments[j], ids_);
      if (!ctx.status().ok()) return ctx.status().annotate(program_.view.name);
      std::copy_n(ctx.value(embedding).data, channels,
                  embeddings_.data() + static_cast<std::int64_t>(j) * channels);
    }
    ctx.begin();
    const auto embedding_of = [&](std::size_t j) {
      return ctx.input({embeddings_.data() + static_cast<std::int64_t>(j) * channels, 1, channels});
    };
    Var total = embedding_of(0);
    for (std::size_t j = 1; j < program_.segments.size(); ++j) total = ctx.add(total, embedding_of(j));
    MLGRAPH_RETURN_IF_ERROR(finish(total, ids_, &score));
    rows_->keep_score(score);
    return score;
  }

  const Model* model_;
  PreparedProgram program_;
  std::unique_ptr<Eager> ctx_;
  std::unique_ptr<ProgramRows> rows_;
  std::vector<std::int32_t> ids_;
  AlignedVector<float> total_;

  std::vector<float> scores_;  // of top_k()
  std::vector<std::int32_t> order_;
  bool has_current_ = false;
  CurrentConfig current_;
  float score_ = 0;
  float committed_score_ = 0;
  AlignedVector<float> embeddings_;  // (segments, channels) of what each was last computed for
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_SESSION_HPP
