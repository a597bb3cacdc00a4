// SPDX-License-Identifier: Apache-2.0
// GnnCostModel: an architecture, its weights and its normalisation in one value. What is trained, saved and
// asked.
#ifndef MLGRAPH_MODEL_GNN_COST_MODEL_HPP
#define MLGRAPH_MODEL_GNN_COST_MODEL_HPP

#include <algorithm>
#include <cstdint>
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
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/model/feature_encoder.hpp"
#include "mlgraph/model/layout_net.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/model/prune.hpp"
#include "mlgraph/model/segments.hpp"
#include "mlgraph/model/tile_net.hpp"
#include "mlgraph/model/winner_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A program as one model sees it: validated, pruned, its features normalised, its edges sorted, its graph in
/// the segments that the model's options ask for. Borrows the configs.
struct PreparedProgram {
  ProgramView view;                     // of the whole program
  std::vector<Segment> segments;        // one or more
  std::vector<std::int32_t> selection;  // the configs to use; all of them after GnnCostModel::prepare()

  /// Nodes that the model sees, without halos.
  [[nodiscard]] std::int64_t num_nodes() const {
    std::int64_t count = 0;
    for (const Segment& segment : segments) count += segment.graph.num_nodes() - segment.num_halo;
    return count;
  }
};

/// Rows that predict() computes at a time: few enough to stay in memory, enough to keep threads busy.
inline constexpr std::int64_t kPredictRows = 20000;

/// A cost model: options, feature encoder, weights. A const one is shared by any number of threads, each with a
/// context and a Scratch of its own.
class GnnCostModel {
 public:
  GnnCostModel() = default;

  /// A model with start weights. Errors: options out of range.
  [[nodiscard]] static Result<GnnCostModel> make(const ModelOptions& options, FeatureEncoder encoder,
                                                 std::uint64_t seed) {
    MLGRAPH_RETURN_IF_ERROR(validate(options));
    GnnCostModel model;
    model.options_ = options;
    model.encoder_ = std::move(encoder);
    const std::int64_t num_node = model.encoder_.node.num_outputs();
    const std::int64_t num_config = model.encoder_.num_config_outputs();
    if (options.is_winner()) {
      model.winner_ = WinnerNet(model.spec_, options, num_node, num_config);
    } else if (options.task() == Task::kTile) {
      model.tile_ = TileNet(model.spec_, options, num_node, num_config);
    } else {
      model.layout_ = LayoutNet(model.spec_, options, num_node, num_config);
    }
    model.parameters_ = Parameters<float>(model.spec_, seed);
    return model;
  }

  [[nodiscard]] const ModelOptions& options() const { return options_; }
  [[nodiscard]] const FeatureEncoder& encoder() const { return encoder_; }
  [[nodiscard]] const ParamSpec& spec() const { return spec_; }
  [[nodiscard]] Parameters<float>& parameters() { return parameters_; }
  [[nodiscard]] const Parameters<float>& parameters() const { return parameters_; }

  /// How Partitioner::kMetis cuts: io::metis_partition. Not in a model file: set it after loading, too.
  void set_metis(PartitionFunction partition) { metis_ = partition; }

  /// Validates a program, prunes it and normalises its nodes. The view's arrays must outlive the result.
  /// Errors: another task or other widths than the model's; node features it lacks, where they have names;
  ///         opcodes the model does not know; features or config entries that are not finite; those of
  ///         Graph::from_view. Each names the program.
  [[nodiscard]] Result<PreparedProgram> prepare(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_configs(view));
    MLGRAPH_RETURN_IF_ERROR(check_nodes(view));
    MLGRAPH_ASSIGN_OR_RETURN(const NodeEncoder node, encoder_.node_of(view));
    Result<std::vector<Segment>> segments = options_.prune.kind == Prune::kNone
                                                ? make_segments(view, node, options_.segments, metis_)
                                                : prune_and_cut(view, node);
    if (!segments.ok())
      return Status(segments.status().code(), str_cat(view.name, ": ", segments.status().message()));
    PreparedProgram prepared{view, std::move(*segments), {}};
    for (Segment& segment : prepared.segments) {
      SharedRows shared = shared_rows(segment);
      if (shared.pays()) segment.shared = std::move(shared);
    }
    prepared.selection.resize(static_cast<std::size_t>(view.configs.num_configs));
    std::iota(prepared.selection.begin(), prepared.selection.end(), 0);
    return prepared;
  }

  /// The rows that the configurations of a segment have in common; no layers where the model has no rows per
  /// configuration, or shares them all.
  [[nodiscard]] SharedRows shared_rows(const Segment& segment) const {
    if (!shares_rows()) return {};
    return SharedRows::make(segment.graph.edges().along(options_.direction), segment.graph.config_node(),
                            options_.num_layers);
  }

  /// Whether the layers of this model can share rows: a layout model with early join that is no winner, whose
  /// norms mix all nodes.
  [[nodiscard]] bool shares_rows() const {
    return options_.task() == Task::kLayout && options_.join == Join::kEarly && !options_.is_winner();
  }

  /// A buffer of embed() and readout(); one per thread.
  struct Scratch {
    AlignedVector<float> row;
  };

  /// Rows that each configuration adds to the largest matrices of a segment: what a config costs, in short.
  [[nodiscard]] std::int64_t rows_per_config(const Segment& segment) const {
    const SharedRows& shared = segment.shared;
    const std::int64_t rows = options_.join == Join::kLate
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

  /// Rows of an embedding of `num_configs` configurations: one for all where the configurations join late.
  [[nodiscard]] std::int64_t embedding_rows(std::int64_t num_configs) const {
    return options_.task() == Task::kTile && options_.join == Join::kLate && has_readout() ? 1 : num_configs;
  }
  [[nodiscard]] std::int64_t embedding_channels() const {
    return with_net([](const auto& net) { return net.embedding_channels(); });
  }
  /// Whether readout() has parameters; they are the last trainable ones, from the tensor head.lins.0.weight on.
  [[nodiscard]] bool has_readout() const {
    return with_net([](const auto& net) { return net.has_readout(); });
  }

  /// Calls `f` with the network: a WinnerNet, a TileNet or a LayoutNet.
  template <class F>
  std::invoke_result_t<F, const WinnerNet&> with_net(F&& f) const {
    if (options_.is_winner()) return f(winner_);
    return options_.task() == Task::kTile ? f(tile_) : f(layout_);
  }
  /// The network, where shares_rows(): for who runs its steps one by one.
  [[nodiscard]] const LayoutNet& layout_net() const { return layout_; }

  /// A segment as the networks take it, without configurations.
  [[nodiscard]] NetInput<float> net_input(const Segment& segment) const {
    NetInput<float> in;
    in.x = segment.graph.x();
    in.node_layout = segment.node_layout;
    in.opcode = segment.graph.opcode();
    in.edges = segment.graph.edges();
    in.config_node = segment.graph.config_node();
    in.num_halo = segment.num_halo;
    in.num_halo_config = segment.num_halo_config;
    in.shared = segment.shared.num_layers() > 0 ? &segment.shared : nullptr;
    if (options_.task() == Task::kLayout && options_.join == Join::kLate) {  // only inner nodes are read out
      in.config_node = in.config_node.subspan(0, static_cast<std::size_t>(in.num_inner_config()));
      in.num_halo_config = 0;
    }
    return in;
  }

  /// What embed() computes once for all configurations of a segment.
  template <class Ctx>
  Var prefix(Ctx& ctx, const Segment& segment) const {
    const NetInput<float> in = net_input(segment);
    return with_net([&](const auto& net) { return net.prefix(ctx, in); });
  }

  /// What one segment of a program adds to the embedding of its graph under the configurations `ids`, which are
  /// not checked.
  ///
  /// Shapes: ids (C) -> (embedding_rows(C), embedding_channels()).
  /// Errors: in ctx.status(): a program prepared for another model; more configurations than max_configs().
  template <class Ctx>
  Var embed(Ctx& ctx, const PreparedProgram& program, const Segment& segment, Span<const std::int32_t> ids,
            Scratch& scratch) const {
    return embed(ctx, program, segment, prefix(ctx, segment), ids, scratch);
  }
  /// The same from the segment's prefix().
  template <class Ctx>
  Var embed(Ctx& ctx, const PreparedProgram& program, const Segment& segment, Var prefix,
            Span<const std::int32_t> ids, Scratch& scratch) const {
    const auto num_configs = static_cast<std::int64_t>(ids.size());
    if (!ctx.expect(num_configs <= max_configs(segment), [&] {
          return str_cat(num_configs, " configs of ", rows_per_config(segment),
                         " rows each are too many to score at once; the limit is ", max_configs(segment));
        })) {
      return {};
    }
    const NetInput<float> in = net_input(ctx, program, segment, ids, scratch);
    return with_net([&](const auto& net) { return net.embed(ctx, prefix, in); });
  }

  /// The scores of the configurations `ids` from the total of the segments' embeddings; larger = slower.
  /// Shapes: ids (C), embedding (embedding_rows(C), embedding_channels()) -> (C, 1).
  template <class Ctx>
  Var readout(Ctx& ctx, Var embedding, const PreparedProgram& program, Span<const std::int32_t> ids,
              Scratch& scratch) const {
    ReadoutInput<float> in;
    in.num_configs = static_cast<std::int64_t>(ids.size());
    in.num_nodes = program.num_nodes();
    constexpr std::int32_t kRow[] = {0};
    if (options_.task() == Task::kTile) in.config = encode_configs(ctx, program, ids, kRow, scratch);
    return with_net([&](const auto& net) { return net.readout(ctx, embedding, in); });
  }

  /// embed() and readout() of a whole program in one context; its memory grows with the program.
  /// Shapes: ids (C) -> (C, 1).
  template <class Ctx>
  Var score(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids, Scratch& scratch) const {
    Var total = embed(ctx, program, program.segments[0], ids, scratch);
    for (std::size_t j = 1; j < program.segments.size(); ++j)
      total = ctx.add(total, embed(ctx, program, program.segments[j], ids, scratch));
    return readout(ctx, total, program, ids, scratch);
  }

  /// Scores of the configurations `ids`, some at a time and one segment at a time: memory is bounded by the
  /// largest segment. The result does not depend on how many at a time.
  ///
  /// A model that compares configurations scores them in chunks of options().config_chunk, in the order of
  /// `ids`. The last chunk is as large as the others: it begins with some of the chunk before, whose scores
  /// stay as they were. Fewer configurations than a chunk are one chunk.
  ///
  /// Shapes: ids (C) -> (C).
  /// Errors: an id that is no configuration; a score that is not finite. Each names the program and the config.
  [[nodiscard]] Result<std::vector<float>> predict(const PreparedProgram& program, Span<const std::int32_t> ids,
                                                   ThreadPool* pool = nullptr) const {
    MLGRAPH_RETURN_IF_ERROR(check_ids(program.view, ids));
    const std::int64_t at_a_time =
        options_.config_chunk > 0 ? options_.config_chunk : kPredictRows / rows_per_config(program);
    const auto chunk = static_cast<std::size_t>(std::max<std::int64_t>(1, at_a_time));
    Eager ctx(pool);
    ctx.bind(spec_, Span<const float>(parameters_.value));
    Scratch scratch;
    AlignedVector<float> total;
    std::vector<float> scores;
    scores.reserve(ids.size());
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
      const std::size_t count = std::min(chunk, ids.size() - begin);
      const std::size_t again = options_.config_chunk > 0 ? std::min(chunk - count, begin) : 0;
      MLGRAPH_RETURN_IF_ERROR(predict_chunk(ctx, program, ids.subspan(begin - again, again + count), again,
                                            scratch, total, scores));
    }
    return scores;
  }

  /// An error when the configurations of a program are not what this model takes: another task, other widths,
  /// entries that are not finite. Names the program and the config.
  [[nodiscard]] Status check_configs(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_task(view));
    const std::int64_t node_width = encoder_.is_by_name(view) ? view.graph.x.cols : encoder_.node.num_inputs();
    MLGRAPH_RETURN_IF_ERROR(FeatureEncoder::check(view, node_width, encoder_.num_config_inputs));
    for (std::size_t i = 0; i < view.configs.wide.size(); ++i) {
      if (detail::is_finite(view.configs.wide[i])) continue;
      const auto size = static_cast<std::size_t>(view.configs.config_size());
      return Status::invalid_argument(str_cat(view.name, ": config ", i / size, " entry ", i % size, " is ",
                                              detail::non_finite_name(view.configs.wide[i])));
    }
    return {};
  }

  /// An error for the first of `ids` that is no configuration of the program.
  [[nodiscard]] static Status check_ids(const ProgramView& program, Span<const std::int32_t> ids) {
    for (const std::int32_t id : ids) {
      if (id >= 0 && id < program.configs.num_configs) continue;
      return Status::out_of_range(
          str_cat(program.name, ": there is no config ", id, "; there are ", program.configs.num_configs));
    }
    return {};
  }

  /// net_input() with the configurations `ids`.
  template <class Ctx>
  NetInput<float> net_input(Ctx& ctx, const PreparedProgram& program, const Segment& segment,
                            Span<const std::int32_t> ids, Scratch& scratch) const {
    NetInput<float> in = net_input(segment);
    in.num_configs = static_cast<std::int64_t>(ids.size());
    Span<const std::int32_t> config_row = segment.config_row;
    if (options_.task() == Task::kLayout)
      config_row = config_row.subspan(0, static_cast<std::size_t>(in.num_config_nodes()));
    set_config(ctx, program, ids, config_row, scratch, in);
    return in;
  }

  /// What the layers of a layout model with early join are told of some rows of configurations.
  /// Shapes: ids (C), rows (K') -> (C K' or one row more, G), as LayoutNet::config().
  template <class Ctx>
  Var layout_config(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                    Span<const std::int32_t> rows, Scratch& scratch) const {
    NetInput<float> in;
    in.num_configs = static_cast<std::int64_t>(ids.size());
    in.config_node = rows;  // only their number is looked at
    set_config(ctx, program, ids, rows, scratch, in);
    return layout_.config(ctx, in);
  }

 private:
  [[nodiscard]] Result<std::vector<Segment>> prune_and_cut(const ProgramView& view,
                                                           const NodeEncoder& node) const {
    MLGRAPH_ASSIGN_OR_RETURN(const PrunedGraph pruned, PrunedGraph::make(view.graph, options_.prune));
    ProgramView rest = view;
    rest.graph = pruned.view();
    rest.node_splits = {};
    Result<std::vector<Segment>> segments = make_segments(rest, node, options_.segments, metis_);
    if (!segments.ok()) return segments;
    for (Segment& segment : *segments) {
      for (std::int32_t& v : segment.node) v = pruned.new_to_old()[static_cast<std::size_t>(v)];
    }
    return segments;
  }

  /// Encoded rows of configurations, in the context's memory, as its backward reads them: (ids rows, G).
  template <class Ctx>
  MatrixView<const float> encode_configs(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                                         Span<const std::int32_t> rows, Scratch& scratch) const {
    const std::int64_t width = encoder_.num_config_outputs();
    const auto count = static_cast<std::int64_t>(ids.size() * rows.size());
    float* const config = ctx.arena().template allocate<float>(static_cast<std::size_t>(count * width));
    encoder_.encode_configs(program.view.configs, ids, rows, scratch.row, config);
    return {config, count, width};
  }

  /// The same as the net takes them: numbers, or the classes of their entries.
  template <class Ctx>
  void set_config(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                  Span<const std::int32_t> rows, Scratch& scratch, NetInput<float>& in) const {
    if (options_.config_encoding != ConfigEncoding::kEmbedding) {
      in.config = encode_configs(ctx, program, ids, rows, scratch);
      return;
    }
    const std::size_t size = ids.size() * rows.size() * static_cast<std::size_t>(encoder_.num_config_outputs());
    auto* const classes = ctx.arena().template allocate<std::int32_t>(size);
    encoder_.encode_config_classes(program.view.configs, ids, rows, scratch.row, classes);
    in.config_class = {classes, size};
  }

  /// Appends the scores of all but the first `num_again` of ids.
  Status predict_chunk(Eager& ctx, const PreparedProgram& program, Span<const std::int32_t> ids,
                       std::size_t num_again, Scratch& scratch, AlignedVector<float>& total,
                       std::vector<float>& scores) const {
    Var s;
    for (std::size_t j = 0; j < program.segments.size(); ++j) {
      ctx.begin();
      s = embed(ctx, program, program.segments[j], ids, scratch);
      if (j > 0) {
        const MatrixView<const float> value = ctx.value(s);
        s = ctx.add(ctx.input(MatrixView<const float>(total.data(), value.rows, value.cols)), s);
      }
      if (j + 1 == program.segments.size() || !ctx.status().ok()) break;
      const MatrixView<const float> value = ctx.value(s);
      total.assign(value.data, value.data + value.size());
    }
    s = readout(ctx, s, program, ids, scratch);
    if (!ctx.status().ok())
      return Status(ctx.status().code(), str_cat(program.view.name, ": ", ctx.status().message()));
    const float* const values = ctx.value(s).data;
    for (std::size_t i = num_again; i < ids.size(); ++i) {
      if (!detail::is_finite(values[i])) {
        return Status::invalid_argument(str_cat(program.view.name, ": the score of config ", ids[i], " is ",
                                                detail::non_finite_name(values[i])));
      }
      scores.push_back(values[i]);
    }
    return {};
  }

  [[nodiscard]] Status check_task(const ProgramView& view) const {
    const auto num_config_nodes = static_cast<std::int64_t>(view.graph.config_node.size());
    if (options_.task() == Task::kTile && (num_config_nodes > 0 || view.configs.rows_per_config != 1)) {
      return Status::invalid_argument(
          str_cat(view.name, ": has ", num_config_nodes, " configurable nodes and configs of ",
                  view.configs.rows_per_config, " rows; a ", arch_name(options_.arch),
                  " model ranks tile sizes, one row for the whole graph"));
    }
    if (options_.task() == Task::kLayout && view.configs.rows_per_config != num_config_nodes) {
      return Status::invalid_argument(
          str_cat(view.name, ": has ", num_config_nodes, " configurable nodes but configs of ",
                  view.configs.rows_per_config, " rows; a ", arch_name(options_.arch),
                  " model ranks layouts, one row for each configurable node"));
    }
    return {};
  }

  /// What only this model or the unnormalised numbers can tell; the rest is Graph::from_view's.
  [[nodiscard]] Status check_nodes(const ProgramView& view) const {
    if (view.graph.x.rows != view.graph.num_nodes()) {
      return Status::invalid_argument(
          str_cat(view.name, ": x has ", view.graph.x.rows, " rows; opcode has ", view.graph.num_nodes()));
    }
    for (std::size_t i = 0; i < view.graph.opcode.size(); ++i) {
      if (view.graph.opcode[i] >= 0 && view.graph.opcode[i] < options_.num_opcodes) continue;
      return Status::out_of_range(str_cat(view.name, ": node ", i, " has opcode ", view.graph.opcode[i],
                                          "; the model knows [0, ", options_.num_opcodes, ")"));
    }
    const Status finite = detail::check_finite(view.graph.x);
    if (!finite.ok()) return Status(finite.code(), str_cat(view.name, ": ", finite.message()));
    return {};
  }

  ModelOptions options_;
  FeatureEncoder encoder_;
  ParamSpec spec_;
  Parameters<float> parameters_;
  TileNet tile_;  // one of the three is set, by options_.arch
  LayoutNet layout_;
  WinnerNet winner_;
  PartitionFunction metis_ = nullptr;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_GNN_COST_MODEL_HPP
