// SPDX-License-Identifier: Apache-2.0
// Session: a model bound to one program, which scores any number of configurations, and changes of one.
#ifndef MLGRAPH_INFER_SESSION_HPP
#define MLGRAPH_INFER_SESSION_HPP

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
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/current_config.hpp"
#include "mlgraph/infer/kept_embeddings.hpp"
#include "mlgraph/infer/row_matrix.hpp"
#include "mlgraph/infer/session_rows.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

struct SessionOptions {
  ThreadPool* pool = nullptr;          ///< borrowed; null computes on the calling thread
  std::int64_t rows_at_a_time = 1024;  ///< of the largest matrix; decides time and memory, not results
};

/// Scores configurations of one program.
///
/// bind() does once what does not depend on the configuration: validation, normalisation, the packed weights,
/// and where configurations share rows (NetPlan::shares_rows()) those of every layer that none changes. Scores
/// have the bits of Model::predict(), whatever is scored together.
///
/// Search: start() makes a configuration the current one, update() changes it at some rows and gives the new
/// score; where configurations share rows it computes only what the change can reach. commit() keeps the
/// changes since the last commit, rollback() takes them back.
///
/// The model, the pool and the arrays behind the ProgramView are borrowed. After bind() nothing is allocated
/// but by rank() and top_k() for more configurations than before. One thread uses a session at a time; sessions
/// share a model.
class Session {
 public:
  /// Errors: those of Model::prepare(); a model that compares configurations, or has several outputs.  Cost: an
  /// evaluation or two of the whole program.
  [[nodiscard]] static Result<Session> bind(const Model& model, const ProgramView& program,
                                            const SessionOptions& options = {}) {
    MLGRAPH_RETURN_IF_ERROR(check_has_scores(model, program));
    MLGRAPH_ASSIGN_OR_RETURN(PreparedProgram prepared, model.prepare(program));
    Session session(model, std::move(prepared), options);
    session.bind_segments();
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
    if (static_cast<std::int64_t>(scores.size()) != configs.num_configs) {
      return Status::invalid_argument(str_cat(program_.view.name, ": there is room for ", scores.size(),
                                              " scores; there are ", configs.num_configs, " configs"));
    }
    return score_checked(configs, scores.data());
  }

  /// The configurations from fast to slow; equal ones keep their order.  Shapes: configs (C) -> order (C).
  /// Errors: those of score(); `order` is then as it was.
  [[nodiscard]] Status rank(const ConfigView& configs, Span<std::int32_t> order) {
    return top_k(configs, order);
  }

  /// The fastest configurations in order, as many as `best` has room for; equal ones keep their order.
  /// Shapes: configs (C) -> best (k), k <= C.
  /// Errors: those of score(), more room than configurations; `best` is then as it was.
  [[nodiscard]] Status top_k(const ConfigView& configs, Span<std::int32_t> best) {
    if (static_cast<std::int64_t>(best.size()) > configs.num_configs) {
      return Status::invalid_argument(str_cat(program_.view.name, ": the best ", best.size(), " of ",
                                              configs.num_configs, " configs are asked for"));
    }
    MLGRAPH_RETURN_IF_ERROR(check(configs));  // before memory is taken for them
    scores_.resize(static_cast<std::size_t>(configs.num_configs));
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
    MLGRAPH_ASSIGN_OR_RETURN(const float score, start_current());
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
  /// Cost:   the rows within num_layers hops of the changed nodes, and a sum over up to 256 rows for each part
  ///         of the program that has some of them. Other models: a full evaluation.
  [[nodiscard]] Result<float> update(Span<const std::int32_t> rows, Span<const float> features) {
    if (!has_current_)
      return Status::invalid_argument(str_cat(program_.view.name, ": start() with a config before update()"));
    MLGRAPH_RETURN_IF_ERROR(current_.check(program_.view.name, rows, features));
    current_.change(rows, features);
    Result<float> score = segments_.empty() ? start_current() : update_segments();
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

  /// Keeps the changes since the last commit() or start().
  void commit() {
    for (SessionRows& segment : segments_) segment.commit();
    embeddings_.commit();
    current_.commit();
    committed_score_ = score_;
  }
  /// Takes them back.
  void rollback() {
    for (SessionRows& segment : segments_) segment.rollback();
    embeddings_.rollback();
    current_.rollback();
    score_ = committed_score_;
  }

 private:
  Session(const Model& model, PreparedProgram&& program, const SessionOptions& options)
      : model_(&model), program_(std::move(program)), ctx_(std::make_unique<Eager>(options.pool)) {
    ctx_->bind(model.spec(), Span<const float>(model.parameters().value));
    ctx_->keep_packed_weights();
    rows_at_a_time_ = std::max<std::int64_t>(1, options.rows_at_a_time);
  }

  template <class Int>
  static std::size_t at(Int i) {
    return static_cast<std::size_t>(i);
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

  void bind_segments() {
    // A configuration of zeros stands in until there is one.
    const std::vector<float> zeros(at(rows_per_config() * num_features()), 0.0f);
    program_.view.configs = {{}, zeros, 1, rows_per_config(), num_features()};
    std::int64_t rows = model_->rows_per_config(program_);
    if (model_->plan().shares_rows()) {
      std::vector<SharedRows> shared;
      rows = 1;
      for (const Segment& segment : program_.segments) {
        shared.push_back(make_shared_rows(model_->plan(), segment));
        rows = std::max<std::int64_t>(rows, shared.back().level(shared.back().num_layers()).num_own());
      }
      set_chunk(rows);
      segments_.resize(shared.size());
      for (std::size_t j = 0; j < shared.size(); ++j) {
        ctx_->begin();
        ids_[0] = 0;
        const Segment& segment = program_.segments[j];
        segments_[j].bind(*ctx_, model_->net<Eager>(), model_->plan(), model_->net_input(segment),
                          std::move(shared[j]), chunk_, encode(segment.config_row, 1));
      }
    }
    set_chunk(rows);
    if (segments_.empty()) bind_prefixes();
    program_.view.configs = {{}, {}, 0, rows_per_config(), num_features()};
    current_.bind(rows_per_config(), num_features());
    local_rows_.reserve(at(rows_per_config()));
    local_.reserve(at(rows_per_config()));
    embeddings_.bind(segments_.size(), model_->embedding_channels());
  }

  void bind_prefixes() {
    prefix_.resize(program_.segments.size());
    for (std::size_t j = 0; j < prefix_.size(); ++j) {
      ctx_->begin();
      const MatrixView<const float> value = ctx_->value(model_->prefix(*ctx_, program_.segments[j]));
      prefix_[j].resize(value.rows, value.cols);
      std::copy_n(value.data, value.size(), prefix_[j].value.data());
    }
  }

  void set_chunk(std::int64_t rows) {
    constexpr std::int64_t kMost = 256;
    chunk_ = std::clamp<std::int64_t>(rows_at_a_time_ / rows, 1, kMost);
    ids_.resize(at(chunk_));
  }

  // The largest calls: what they allocated is there for all others.
  Status warm_up() {
    const AlignedVector<float> zeros(at(chunk_) * current_.values().size(), 0.0f);
    AlignedVector<float> scores(at(chunk_));
    ConfigView configs = program_.view.configs;
    configs.narrow = {};
    configs.wide = zeros;
    configs.num_configs = chunk_;
    Status status = score(configs, Span<float>(scores));
    if (status.ok()) status = start(configs).status();
    if (status.ok()) {
      std::vector<std::int32_t> rows(at(rows_per_config()));
      std::iota(rows.begin(), rows.end(), 0);
      status = update(rows, Span<const float>(zeros).subspan(0, current_.values().size())).status();
    }
    rollback();
    has_current_ = false;
    program_.view.configs = ConfigView{{}, {}, 0, rows_per_config(), num_features()};
    return status;
  }

  [[nodiscard]] Status check(const ConfigView& configs) const {
    ProgramView view = program_.view;
    view.configs = configs;
    return model_->check_configs(view);
  }

  Status score_checked(const ConfigView& configs, float* scores) {
    program_.view.configs = configs;
    for (std::int64_t begin = 0; begin < configs.num_configs; begin += chunk_) {
      const std::int64_t count = std::min(chunk_, configs.num_configs - begin);
      MLGRAPH_RETURN_IF_ERROR(score_chunk(begin, count, scores + begin));
    }
    return {};
  }

  // Rows of the configurations ids_[0 ... count) of the program's configs, as the network made them.
  Var encode(Span<const std::int32_t> rows, std::int64_t count) {
    const Span<const std::int32_t> ids = Span<const std::int32_t>(ids_).subspan(0, at(count));
    return model_->net<Eager>().config(*ctx_, model_->config_rows(*ctx_, program_, ids, rows));
  }

  Status score_chunk(std::int64_t begin, std::int64_t count, float* out) {
    Eager& ctx = *ctx_;
    std::iota(ids_.begin(), ids_.begin() + count, static_cast<std::int32_t>(begin));
    const Span<const std::int32_t> ids = Span<const std::int32_t>(ids_).subspan(0, at(count));
    Var total;
    for (std::size_t j = 0; j < program_.segments.size(); ++j) {
      ctx.begin();
      const Segment& segment = program_.segments[j];
      total = segments_.empty()
                  ? model_->embed(ctx, program_, segment, ctx.input(prefix_[j].view()), ids)
                  : model_->embedding_of(ctx, segments_[j].score(ctx, encode(segment.config_row, count), count),
                                         program_, segment, ids);
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
    if (!ctx_->status().ok()) return named(program_.view, ctx_->status());
    const MatrixView<const float> values = ctx_->value(s);
    for (std::int64_t i = 0; i < values.rows; ++i) {
      if (!detail::is_finite(values.data[i])) return check_finite_scores(program_.view, ids, values);
      out[i] = values.data[i];
    }
    return {};
  }

  void see_current() {
    program_.view.configs = current_.view();
    ids_[0] = 0;
  }

  // Everything that the current configuration decides, from the beginning.
  Result<float> start_current() {
    see_current();
    float score = 0;
    if (segments_.empty()) {
      MLGRAPH_RETURN_IF_ERROR(score_chunk(0, 1, &score));
      return score;
    }
    for (std::size_t j = 0; j < segments_.size(); ++j) {
      ctx_->begin();
      keep_sums(j, segments_[j].start(*ctx_, encode(program_.segments[j].config_row, 1)));
    }
    embeddings_.commit();
    MLGRAPH_RETURN_IF_ERROR(total_score(score));
    return score;
  }

  Result<float> update_segments() {
    see_current();
    for (std::size_t j = 0; j < segments_.size(); ++j) {
      const std::vector<std::int32_t>& config_row = program_.segments[j].config_row;
      local_.clear();
      for (std::size_t q = 0; q < config_row.size(); ++q) {
        if (current_.is_new(config_row[q])) local_.push_back(static_cast<std::int32_t>(q));
      }
      if (local_.empty()) continue;
      ctx_->begin();
      keep_sums(j, segments_[j].update(*ctx_, local_, [&](Span<const std::int32_t> positions) {
        local_rows_.clear();
        for (const std::int32_t q : positions) local_rows_.push_back(config_row[at(q)]);
        return encode(local_rows_, 1);
      }));
    }
    current_.seen();
    float score = 0;
    MLGRAPH_RETURN_IF_ERROR(total_score(score));
    return score;
  }

  void keep_sums(std::size_t j, Var sums) {
    const Span<const std::int32_t> ids = Span<const std::int32_t>(ids_).subspan(0, 1);
    embeddings_.set(j,
                    ctx_->value(model_->embedding_of(*ctx_, sums, program_, program_.segments[j], ids)).data);
  }

  Status total_score(float& score) {
    ctx_->begin();
    Var total = ctx_->input(embeddings_.of(0));
    for (std::size_t j = 1; j < segments_.size(); ++j) total = ctx_->add(total, ctx_->input(embeddings_.of(j)));
    return finish(total, Span<const std::int32_t>(ids_).subspan(0, 1), &score);
  }

  const Model* model_;
  PreparedProgram program_;
  std::unique_ptr<Eager> ctx_;
  std::vector<SessionRows> segments_;  // where configurations share rows
  std::vector<RowMatrix> prefix_;      // of all others, which are evaluated as a whole from there
  std::int64_t rows_at_a_time_ = 1;
  std::int64_t chunk_ = 1;  // configurations that are scored together
  std::vector<std::int32_t> ids_;
  AlignedVector<float> total_;

  std::vector<float> scores_;  // of top_k()
  std::vector<std::int32_t> order_;
  bool has_current_ = false;
  CurrentConfig current_;
  float score_ = 0;
  float committed_score_ = 0;
  KeptEmbeddings embeddings_;
  std::vector<std::int32_t> local_, local_rows_;  // configurable nodes of a segment, and their rows
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_SESSION_HPP
