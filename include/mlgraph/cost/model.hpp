// SPDX-License-Identifier: Apache-2.0
// Model: a network, its weights and its features in one value. What is trained, saved and asked.
#ifndef MLGRAPH_COST_MODEL_HPP
#define MLGRAPH_COST_MODEL_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/call_rows.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/program_rows.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/cost/segment_input.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What predict() keeps of a program's rows.
inline constexpr std::size_t kPredictBytes = std::size_t{64} << 20;

/// A cost model: a network of any type, its options, feature encoder and weights. A const one is shared by any
/// number of threads, each with a context of its own; copies share the network, and have weights of their own.
class Model {
 public:
  Model() = default;

  /// A model with start weights; `options` say which network.
  /// Errors: options out of range, or that the network's plan contradicts; more weights than `max_weights`.
  [[nodiscard]] static Result<Model> make(const NetOptions& options, FeatureEncoder encoder, std::uint64_t seed,
                                          std::int64_t max_weights = kMaxWeights) {
    MLGRAPH_RETURN_IF_ERROR(options.check());
    Model model;
    model.options_ = options.clone();
    model.encoder_ = std::move(encoder);
    const InputWidths in{model.encoder_.node.num_outputs(), model.encoder_.num_config_outputs()};
    model.net_ = options.type().make(model.spec_, options, in);
    MLGRAPH_RETURN_IF_ERROR(check_plan(options.type().name, model.plan(), options.inputs()));
    if (model.spec_.size() > max_weights) {
      return Status::invalid_argument(
          str_cat("model: its options need ", model.spec_.size(), " weights; there are ", max_weights));
    }
    model.parameters_ = Parameters<float>(model.spec_, seed);
    return model;
  }

  /// The network's kName.
  [[nodiscard]] std::string_view name() const { return options_->type().name; }
  [[nodiscard]] const NetOptions& options() const { return *options_; }
  [[nodiscard]] const InputOptions& inputs() const { return options_->inputs(); }
  [[nodiscard]] const NetPlan& plan() const { return net_->plan(); }
  [[nodiscard]] const FeatureEncoder& encoder() const { return encoder_; }
  [[nodiscard]] const ParamSpec& spec() const { return spec_; }
  [[nodiscard]] Parameters<float>& parameters() { return parameters_; }
  [[nodiscard]] const Parameters<float>& parameters() const { return parameters_; }
  /// Whether a Tape can run it: it was made by train/, or loaded with trainable_nets<>().
  [[nodiscard]] bool is_trainable() const { return net_->trainable() != nullptr; }

  /// How Partitioner::kMetis cuts: io::metis_partition. Not in a model file: set it after loading, too.
  void set_metis(PartitionFunction partition) { metis_ = partition; }

  /// Validates a program, prunes it and normalises its nodes. The view's arrays must outlive the result.
  /// `duplicates`: what edges mean that the program lists twice.
  /// Errors: configurations of other nodes or widths than the model's; node features it lacks, where they have
  ///         names; opcodes the model does not know; features or config entries that are not finite; those of
  ///         Graph::from_view. Each names the program.
  [[nodiscard]] Result<PreparedProgram> prepare(const ProgramView& view,
                                                DuplicateEdges duplicates = DuplicateEdges::kError) const {
    MLGRAPH_RETURN_IF_ERROR(check_configs(view));
    MLGRAPH_RETURN_IF_ERROR(check_nodes(view, inputs().num_opcodes));
    MLGRAPH_ASSIGN_OR_RETURN(const NodeEncoder node, encoder_.node_of(view));
    return prepare_program(view, node, inputs(), plan(), metis_, duplicates);
  }

  /// An error when the configurations of a program are not what this model takes: of other nodes, other widths,
  /// entries that are not finite. Names the program and the config.
  [[nodiscard]] Status check_configs(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_joins(view, name(), plan()));
    const std::int64_t node_width = encoder_.is_by_name(view) ? view.graph.x.cols : encoder_.node.num_inputs();
    MLGRAPH_RETURN_IF_ERROR(FeatureEncoder::check(view, node_width, encoder_.num_config_inputs));
    return check_finite_configs(view);
  }

  /// The most rows that each configuration adds to a matrix of a segment, where none is equal to another.
  [[nodiscard]] std::int64_t rows_added_by_config(const Segment& segment) const {
    std::int64_t rows = segment.graph.num_nodes();
    if (plan().join == Join::kNone) rows = 1;
    if (plan().join == Join::kConfigurableOnly) rows = signed_size(segment.config_row);
    if (plan().join == Join::kConfigurable && segment.rows.is_made()) rows = segment.rows.most_reached();
    return std::max<std::int64_t>(1, rows);
  }
  /// Of the program's largest segment.
  [[nodiscard]] std::int64_t rows_added_by_config(const PreparedProgram& program) const {
    std::int64_t rows = 1;
    for (const Segment& segment : program.segments) rows = std::max(rows, rows_added_by_config(segment));
    return rows;
  }
  /// The most configurations of a segment that embed() takes at once: int32 counts their rows.
  [[nodiscard]] std::int64_t max_configs(const Segment& segment) const {
    const bool is_planned = plan().takes_nodes() && segment.rows.is_made();
    return is_planned ? segment.rows.max_configs() : kMaxNodes / rows_added_by_config(segment);
  }

  /// Whether the read-out comes after the total of the segments, and has weights; they are the last trainable
  /// ones, from spec().readout_begin() on.
  [[nodiscard]] bool has_readout() const {
    return !scores_segments() && spec_.readout_begin() < spec_.num_trainable();
  }
  /// Rows and columns of an embedding of `num_configs` configurations: one row for all where none joins before.
  [[nodiscard]] std::int64_t embedding_rows(std::int64_t num_configs) const {
    return scores_segments() ? num_configs : plan().num_copies(num_configs);
  }
  [[nodiscard]] std::int64_t embedding_channels() const {
    return scores_segments() ? plan().num_outputs : PoolSums(plan()).channels();
  }

  /// The network on a context.
  template <class C>
  [[nodiscard]] const NetOn<C>& net() const {
    if constexpr (std::is_same_v<C, Eager>) {
      return *net_;
    } else {
      const TrainableNet* const net = net_->trainable();
      MLGRAPH_ASSERT(net != nullptr, "this model was made for prediction alone: see trainable_nets()");
      return *net;
    }
  }

  /// What one segment of a program adds to the embedding of its graph under the configurations `ids`, which are
  /// not checked. `rows` is memory, and says which rows are made.
  ///
  /// Shapes: ids (C) -> (embedding_rows(C), embedding_channels()).
  /// Errors: in ctx.status(): a program prepared for another model; more configurations than max_configs().
  template <class C>
  Var embed(C& ctx, const PreparedProgram& program, const Segment& segment, Span<const std::int32_t> ids,
            CallRows& rows) const {
    const auto num_configs = signed_size(ids);
    const Status fits = check_prepared(program);
    if (!ctx.expect(fits.ok(), [&] { return fits.message(); }) ||
        !ctx.expect(num_configs <= max_configs(segment), [&] {
          return str_cat(num_configs, " configs of ", rows_added_by_config(segment),
                         " rows each are too many to score at once; the limit is ", max_configs(segment));
        })) {
      return {};
    }
    const Var sums = rows.pools(net<C>(), ctx, plan(), encoder_, segment, program.view.configs, ids);
    return embedding_of(ctx, sums, program, segment, ids);
  }
  /// The embedding of a segment from its sums (run_pools()): these, or with SegmentReadout::kScalar the scores.
  template <class C>
  Var embedding_of(C& ctx, Var sums, const PreparedProgram& program, const Segment& segment,
                   Span<const std::int32_t> ids) const {
    if (!scores_segments()) return sums;
    const NetInput<float> in = mlgraph::net_input(segment);
    return run_readout(net<C>(), ctx, plan(), sums, signed_size(ids), in.num_inner(), in.num_inner_config(),
                       graph_config(ctx.arena(), program, ids));
  }

  /// The scores of the configurations `ids` from the total of the segments' embeddings; larger = slower.
  /// Shapes: ids (C), embedding (embedding_rows(C), embedding_channels()) -> (C, plan().num_outputs).
  template <class C>
  Var readout(C& ctx, Var embedding, const PreparedProgram& program, Span<const std::int32_t> ids) const {
    if (scores_segments()) return embedding;
    return run_readout(net<C>(), ctx, plan(), embedding, signed_size(ids), program.num_nodes(),
                       program.num_config_nodes(), graph_config(ctx.arena(), program, ids));
  }

  /// embed() and readout() of a whole program in one context; its memory grows with the program. `rows` has a
  /// place for each segment.  Shapes: ids (C) -> (C, plan().num_outputs).
  template <class C>
  Var score(C& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
            std::vector<CallRows>& rows) const {
    rows.resize(std::max(rows.size(), program.segments.size()));
    Var total = embed(ctx, program, program.segments[0], ids, rows[0]);
    for (std::size_t j = 1; j < program.segments.size(); ++j)
      total = ctx.add(total, embed(ctx, program, program.segments[j], ids, rows[j]));
    return readout(ctx, total, program, ids);
  }

  /// Scores of the configurations `ids`, some at a time and one segment at a time: memory is bounded by the
  /// largest segment and what equal rows are kept in. The result does not depend on how many at a time, or on
  /// which rows are made.
  ///
  /// A model that compares configurations scores them in chunks of plan().config_chunk, in the order of `ids`.
  /// The last chunk is as large as the others: it begins with some of the chunk before, whose scores stay as
  /// they were. Fewer configurations than a chunk are one chunk.
  ///
  /// Shapes: ids (C) -> (C plan().num_outputs).
  /// Errors: an id that is no configuration; a score that is not finite. Each names the program and the config.
  [[nodiscard]] Result<std::vector<float>> predict(const PreparedProgram& program, Span<const std::int32_t> ids,
                                                   ThreadPool* pool = nullptr,
                                                   RowsMade made = RowsMade::kDistinct) const {
    MLGRAPH_RETURN_IF_ERROR(check_ids(program.view, ids));
    const Status fits = check_prepared(program);
    if (!fits.ok()) return fits.annotate(program.view.name);
    Eager ctx(pool);
    ctx.bind(spec_, Span<const float>(parameters_.value));
    ProgramRowsOptions options;
    options.memory_bytes = kPredictBytes;
    options.rows_at_a_time = pool == nullptr ? kRowsOfThread : kRowsOfPool;
    options.made = made;
    ProgramRows rows(*net_, plan(), encoder_, program.segments, program.view.configs, options);
    AlignedVector<float> total;
    std::vector<float> scores;
    scores.reserve(ids.size() * as_size(plan().num_outputs));
    for (std::size_t begin = 0; begin < ids.size();) {
      std::size_t again = 0;
      if (plan().compares_configs()) {
        const auto chunk = as_size(plan().config_chunk);
        again = std::min(chunk - std::min(chunk, ids.size() - begin), begin);
      }
      const Span<const std::int32_t> rest = ids.subspan(begin - again, ids.size() - (begin - again));
      const auto count = as_size(rows.plan(program.view.configs, rest));
      MLGRAPH_RETURN_IF_ERROR(predict_chunk(ctx, program, rest.subspan(0, count), again, rows, total, scores));
      begin += count - again;
    }
    return scores;
  }

  /// A segment under the configurations `ids` as the network takes it, in the memory of an arena.
  [[nodiscard]] NetInput<float> net_input(Arena& arena, const PreparedProgram& program, const Segment& segment,
                                          Span<const std::int32_t> ids) const {
    return mlgraph::net_input(arena, plan(), encoder_, segment, program.view.configs, ids);
  }
  /// The configurations of the graph.  (C, G)
  [[nodiscard]] ConfigRows<float> graph_config(Arena& arena, const PreparedProgram& program,
                                               Span<const std::int32_t> ids) const {
    return encode_graph_config(arena, plan(), encoder_, program.view.configs, ids);
  }

 private:
  /// Rows that predict() makes at a time: few enough for a cache, enough to keep threads busy.
  static constexpr std::int64_t kRowsOfThread = 1024, kRowsOfPool = 16384;
  /// The most weights of a model: 16 GiB.
  static constexpr std::int64_t kMaxWeights = std::int64_t{1} << 32;

  /// An error for a program that was prepared for another model.
  [[nodiscard]] Status check_prepared(const PreparedProgram& program) const {
    const std::int64_t columns = program.segments[0].graph.x().cols;
    if (columns != encoder_.node.num_outputs())
      return Status::invalid_argument(
          str_cat("the nodes have ", columns, " columns; the model takes ", encoder_.node.num_outputs()));
    const std::int64_t features = program.view.configs.num_features;
    if (features == encoder_.num_config_inputs) return {};
    return Status::invalid_argument(
        str_cat("the configs have ", features, " features; the model takes ", encoder_.num_config_inputs));
  }

  [[nodiscard]] bool scores_segments() const { return inputs().segments.readout == SegmentReadout::kScalar; }

  /// Appends the scores of all but the first `num_again` of ids.
  Status predict_chunk(Eager& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                       std::size_t num_again, ProgramRows& rows, AlignedVector<float>& total,
                       std::vector<float>& scores) const {
    Var s;
    for (std::size_t j = 0; j < program.segments.size(); ++j) {
      ctx.begin();
      s = embedding_of(ctx, rows.sums(ctx, j), program, program.segments[j], ids);
      if (j > 0) {
        const MatrixView<const float> value = ctx.value(s);
        s = ctx.add(ctx.input(MatrixView<const float>(total.data(), value.rows, value.cols)), s);
      }
      if (j + 1 == program.segments.size() || !ctx.status().ok()) break;
      const MatrixView<const float> value = ctx.value(s);
      total.assign(value.data, value.data + value.size());
    }
    s = readout(ctx, s, program, ids);
    if (!ctx.status().ok()) return ctx.status().annotate(program.view.name);
    const MatrixView<const float> values = ctx.value(s);
    MLGRAPH_RETURN_IF_ERROR(check_finite_scores(program.view, ids, values));
    const std::int64_t first = static_cast<std::int64_t>(num_again) * values.cols;
    scores.insert(scores.end(), values.data + first, values.data + values.size());
    return {};
  }

  std::shared_ptr<const NetOptions> options_;
  std::shared_ptr<const Net> net_;
  FeatureEncoder encoder_;
  ParamSpec spec_;
  Parameters<float> parameters_;
  PartitionFunction metis_ = nullptr;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_MODEL_HPP
