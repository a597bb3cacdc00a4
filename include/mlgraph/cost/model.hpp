// SPDX-License-Identifier: Apache-2.0
// Model: a network, its weights and its features in one value. What is trained, saved and asked.
#ifndef MLGRAPH_COST_MODEL_HPP
#define MLGRAPH_COST_MODEL_HPP

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/graph/shared_rows.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Rows that predict() computes at a time: few enough to stay in memory, enough to keep threads busy.
inline constexpr std::int64_t kPredictRows = 20000;

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
  /// Errors: configurations of other nodes or widths than the model's; node features it lacks, where they have
  ///         names; opcodes the model does not know; features or config entries that are not finite; those of
  ///         Graph::from_view. Each names the program.
  [[nodiscard]] Result<PreparedProgram> prepare(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_configs(view));
    MLGRAPH_RETURN_IF_ERROR(check_nodes(view, inputs().num_opcodes));
    MLGRAPH_ASSIGN_OR_RETURN(const NodeEncoder node, encoder_.node_of(view));
    return prepare_program(view, node, inputs(), plan(), metis_);
  }

  /// An error when the configurations of a program are not what this model takes: of other nodes, other widths,
  /// entries that are not finite. Names the program and the config.
  [[nodiscard]] Status check_configs(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_joins(view, name(), plan()));
    const std::int64_t node_width = encoder_.is_by_name(view) ? view.graph.x.cols : encoder_.node.num_inputs();
    MLGRAPH_RETURN_IF_ERROR(FeatureEncoder::check(view, node_width, encoder_.num_config_inputs));
    return check_finite_configs(view);
  }

  /// Rows that each configuration adds to the largest matrices of a segment: what a config costs, in short.
  [[nodiscard]] std::int64_t rows_per_config(const Segment& segment) const {
    const SharedRows& shared = segment.shared;
    const std::int64_t rows = plan().join == Join::kNone ? 1
                              : plan().join == Join::kConfigurableOnly
                                  ? static_cast<std::int64_t>(segment.config_row.size())
                              : shared.num_layers() > 0 ? shared.level(shared.num_layers()).num_own()
                                                        : segment.graph.num_nodes();
    return std::max<std::int64_t>(1, rows);
  }
  /// Of the program's largest segment.
  [[nodiscard]] std::int64_t rows_per_config(const PreparedProgram& program) const {
    std::int64_t rows = 1;
    for (const Segment& segment : program.segments) rows = std::max(rows, rows_per_config(segment));
    return rows;
  }
  /// The most configurations of a segment that embed() takes at once: int32 counts their rows.
  [[nodiscard]] std::int64_t max_configs(const Segment& segment) const {
    const SharedRows& shared = segment.shared;
    return shared.num_layers() > 0 ? shared.max_configs() : kMaxNodes / rows_per_config(segment);
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

  /// What embed() computes once for all configurations of a segment: rows of nodes, or where no configuration
  /// joins before the read-out what is pooled.
  template <class C>
  Var prefix(C& ctx, const Segment& segment) const {
    const NetInput<float> in = net_input(segment);
    const std::int64_t width = encoder_.node.num_outputs();
    if (!ctx.expect(in.nodes.x.cols == width, [&] {
          return str_cat("the nodes have ", in.nodes.x.cols, " columns; the model takes ", width);
        })) {
      return {};
    }
    const Var rows = run_prefix(net<C>(), ctx, plan(), in);
    return plan().join == Join::kNone ? run_pools(ctx, plan(), rows, in) : rows;
  }

  /// What one segment of a program adds to the embedding of its graph under the configurations `ids`, which are
  /// not checked.
  ///
  /// Shapes: ids (C) -> (embedding_rows(C), embedding_channels()).
  /// Errors: in ctx.status(): a program prepared for another model; more configurations than max_configs().
  template <class C>
  Var embed(C& ctx, const PreparedProgram& program, const Segment& segment,
            Span<const std::int32_t> ids) const {
    return embed(ctx, program, segment, prefix(ctx, segment), ids);
  }
  /// The same from the segment's prefix().
  template <class C>
  Var embed(C& ctx, const PreparedProgram& program, const Segment& segment, Var prefix,
            Span<const std::int32_t> ids) const {
    const auto num_configs = static_cast<std::int64_t>(ids.size());
    const std::int64_t features = program.view.configs.num_features;
    if (!ctx.expect(features == encoder_.num_config_inputs, [&] {
          return str_cat("the configs have ", features, " features; the model takes ",
                         encoder_.num_config_inputs);
        })) {
      return {};
    }
    if (!ctx.expect(num_configs <= max_configs(segment), [&] {
          return str_cat(num_configs, " configs of ", rows_per_config(segment),
                         " rows each are too many to score at once; the limit is ", max_configs(segment));
        })) {
      return {};
    }
    const NetInput<float> in = net_input(ctx, program, segment, ids);
    Var sums = prefix;
    if (plan().join != Join::kNone)
      sums = run_pools(ctx, plan(), run_configs(net<C>(), ctx, plan(), prefix, in), in);
    return embedding_of(ctx, sums, program, segment, ids);
  }
  /// The embedding of a segment from its sums (run_pools()): these, or with SegmentReadout::kScalar the scores.
  template <class C>
  Var embedding_of(C& ctx, Var sums, const PreparedProgram& program, const Segment& segment,
                   Span<const std::int32_t> ids) const {
    if (!scores_segments()) return sums;
    const NetInput<float> in = net_input(segment);
    return run_readout(net<C>(), ctx, plan(), sums, static_cast<std::int64_t>(ids.size()), in.num_inner(),
                       in.num_inner_config(), graph_config(ctx, program, ids));
  }

  /// The scores of the configurations `ids` from the total of the segments' embeddings; larger = slower.
  /// Shapes: ids (C), embedding (embedding_rows(C), embedding_channels()) -> (C, plan().num_outputs).
  template <class C>
  Var readout(C& ctx, Var embedding, const PreparedProgram& program, Span<const std::int32_t> ids) const {
    if (scores_segments()) return embedding;
    return run_readout(net<C>(), ctx, plan(), embedding, static_cast<std::int64_t>(ids.size()),
                       program.num_nodes(), program.num_config_nodes(), graph_config(ctx, program, ids));
  }

  /// embed() and readout() of a whole program in one context; its memory grows with the program.
  /// Shapes: ids (C) -> (C, plan().num_outputs).
  template <class C>
  Var score(C& ctx, const PreparedProgram& program, Span<const std::int32_t> ids) const {
    Var total = embed(ctx, program, program.segments[0], ids);
    for (std::size_t j = 1; j < program.segments.size(); ++j)
      total = ctx.add(total, embed(ctx, program, program.segments[j], ids));
    return readout(ctx, total, program, ids);
  }

  /// Scores of the configurations `ids`, some at a time and one segment at a time: memory is bounded by the
  /// largest segment. The result does not depend on how many at a time.
  ///
  /// A model that compares configurations scores them in chunks of plan().config_chunk, in the order of `ids`.
  /// The last chunk is as large as the others: it begins with some of the chunk before, whose scores stay as
  /// they were. Fewer configurations than a chunk are one chunk.
  ///
  /// Shapes: ids (C) -> (C plan().num_outputs).
  /// Errors: an id that is no configuration; a score that is not finite. Each names the program and the config.
  [[nodiscard]] Result<std::vector<float>> predict(const PreparedProgram& program, Span<const std::int32_t> ids,
                                                   ThreadPool* pool = nullptr) const {
    MLGRAPH_RETURN_IF_ERROR(check_ids(program.view, ids));
    const std::int64_t at_a_time =
        plan().compares_configs() ? plan().config_chunk : kPredictRows / rows_per_config(program);
    const auto chunk = static_cast<std::size_t>(std::max<std::int64_t>(1, at_a_time));
    Eager ctx(pool);
    ctx.bind(spec_, Span<const float>(parameters_.value));
    AlignedVector<float> total;
    std::vector<float> scores;
    scores.reserve(ids.size() * static_cast<std::size_t>(plan().num_outputs));
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
      const std::size_t count = std::min(chunk, ids.size() - begin);
      const std::size_t again = plan().compares_configs() ? std::min(chunk - count, begin) : 0;
      MLGRAPH_RETURN_IF_ERROR(
          predict_chunk(ctx, program, ids.subspan(begin - again, again + count), again, total, scores));
    }
    return scores;
  }

  /// A segment as the network takes it, without configurations.
  [[nodiscard]] NetInput<float> net_input(const Segment& segment) const {
    NetInput<float> in;
    in.nodes = {segment.graph.x(), segment.node_layout, segment.graph.opcode()};
    in.edges = segment.graph.edges();
    in.config_node = segment.graph.config_node();
    in.num_halo = segment.num_halo;
    in.num_halo_config = segment.num_halo_config;
    in.shared = segment.shared.num_layers() > 0 ? &segment.shared : nullptr;
    return in;
  }
  /// The same with the configurations `ids`. Where only configurable nodes go on, those of a halo do not.
  template <class C>
  NetInput<float> net_input(C& ctx, const PreparedProgram& program, const Segment& segment,
                            Span<const std::int32_t> ids) const {
    NetInput<float> in = net_input(segment);
    in.num_configs = static_cast<std::int64_t>(ids.size());
    Span<const std::int32_t> rows = segment.config_row;
    if (plan().join == Join::kConfigurableOnly)
      rows = rows.subspan(0, static_cast<std::size_t>(in.num_inner_config()));
    if (plan().takes_nodes()) in.config = config_rows(ctx, program, ids, rows);
    if (plan().join == Join::kGraph) in.graph_config = graph_config(ctx, program, ids);
    return in;
  }
  /// Encoded rows of configurations, in the context's memory, as its backward reads them: (ids rows, G).
  template <class C>
  ConfigRows<float> config_rows(C& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                                Span<const std::int32_t> rows) const {
    const std::int64_t width = encoder_.num_config_outputs();
    ConfigRows<float> out;
    out.num_rows = static_cast<std::int64_t>(ids.size() * rows.size());
    const auto size = static_cast<std::size_t>(out.num_rows * width);
    auto* const row =
        ctx.arena().template allocate<float>(static_cast<std::size_t>(encoder_.num_config_inputs));
    if (encoder_.config_encoding == ConfigEncoding::kEmbedding) {
      auto* const classes = ctx.arena().template allocate<std::int32_t>(size);
      encoder_.encode_config_classes(program.view.configs, ids, rows, row, classes);
      out.classes = {classes, size};
    } else {
      auto* const x = ctx.arena().template allocate<float>(size);
      encoder_.encode_configs(program.view.configs, ids, rows, row, x);
      out.x = {x, out.num_rows, width};
    }
    return out;
  }
  /// Those of the graph, which come after the rows of its configurable nodes.  (C, G)
  template <class C>
  ConfigRows<float> graph_config(C& ctx, const PreparedProgram& program, Span<const std::int32_t> ids) const {
    if (!plan().takes_graph()) return {};
    const std::int32_t row[] = {static_cast<std::int32_t>(program.view.configs.rows_per_config - 1)};
    return config_rows(ctx, program, ids, row);
  }

 private:
  /// The most weights of a model: 16 GiB.
  static constexpr std::int64_t kMaxWeights = std::int64_t{1} << 32;

  [[nodiscard]] bool scores_segments() const { return inputs().segments.readout == SegmentReadout::kScalar; }

  /// Appends the scores of all but the first `num_again` of ids.
  Status predict_chunk(Eager& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                       std::size_t num_again, AlignedVector<float>& total, std::vector<float>& scores) const {
    Var s;
    for (std::size_t j = 0; j < program.segments.size(); ++j) {
      ctx.begin();
      s = embed(ctx, program, program.segments[j], ids);
      if (j > 0) {
        const MatrixView<const float> value = ctx.value(s);
        s = ctx.add(ctx.input(MatrixView<const float>(total.data(), value.rows, value.cols)), s);
      }
      if (j + 1 == program.segments.size() || !ctx.status().ok()) break;
      const MatrixView<const float> value = ctx.value(s);
      total.assign(value.data, value.data + value.size());
    }
    s = readout(ctx, s, program, ids);
    if (!ctx.status().ok()) return named(program.view, ctx.status());
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

#endif  // MLGRAPH_COST_MODEL_HPP
