// SPDX-License-Identifier: Apache-2.0
// GnnCostModel: an architecture, its weights and its normalisation in one value. What is trained, saved and
// asked.
#ifndef MLGRAPH_MODEL_GNN_COST_MODEL_HPP
#define MLGRAPH_MODEL_GNN_COST_MODEL_HPP

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/model/feature_encoder.hpp"
#include "mlgraph/model/layout_net.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/model/tile_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A program as one model sees it: validated, its features normalised, its edges sorted. Borrows the configs.
struct PreparedProgram {
  ProgramView view;
  Graph graph;                          // x normalised, (N, F')
  std::vector<std::int32_t> selection;  // the configs to use; all of them after GnnCostModel::prepare()
};

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
    if (options.task() == Task::kTile) {
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

  /// Validates a program and normalises its nodes. The view's arrays must outlive the result.
  /// Errors: another task or other widths than the model's; opcodes it does not know; features or config
  /// entries
  ///         that are not finite; those of Graph::from_view. Each names the program.
  [[nodiscard]] Result<PreparedProgram> prepare(const ProgramView& view) const {
    MLGRAPH_RETURN_IF_ERROR(check_task(view));
    MLGRAPH_RETURN_IF_ERROR(
        FeatureEncoder::check(view, encoder_.node.num_inputs(), encoder_.num_config_inputs));
    MLGRAPH_RETURN_IF_ERROR(check_values(view));
    const std::int64_t width = encoder_.node.num_outputs();
    AlignedVector<float> x(static_cast<std::size_t>(view.graph.x.rows * width));
    for (std::int64_t r = 0; r < view.graph.x.rows; ++r) {
      encoder_.node.apply(view.graph.x.row(r), x.data() + r * width);
    }
    GraphView normalized = view.graph;
    normalized.x = {x.data(), view.graph.x.rows, width};
    EdgeOptions edges;
    edges.both = true;
    Result<Graph> graph = Graph::from_view(normalized, edges);
    if (!graph.ok()) return Status(graph.status().code(), str_cat(view.name, ": ", graph.status().message()));
    PreparedProgram prepared{view, std::move(*graph), {}};
    prepared.selection.resize(static_cast<std::size_t>(view.configs.num_configs));
    std::iota(prepared.selection.begin(), prepared.selection.end(), 0);
    return prepared;
  }

  /// Buffers of score(); one per thread.
  struct Scratch {
    AlignedVector<float> row, config;
  };

  /// Rows that each configuration adds to the largest matrices of score(): what a config costs, in short.
  [[nodiscard]] std::int64_t rows_per_config(const PreparedProgram& program) const {
    const std::int64_t rows =
        options_.join == Join::kEarly ? program.graph.num_nodes() : program.view.configs.rows_per_config;
    return std::max<std::int64_t>(1, rows);
  }

  /// The scores of the configurations `ids` of a program; larger = slower. `ids` are not checked.
  /// Shapes: ids (C) -> (C, 1).  Errors: in ctx.status(): a program prepared for another model; too many rows.
  template <class Ctx>
  Var score(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids, Scratch& scratch) const {
    const ConfigView& configs = program.view.configs;
    NetInput<float> in;
    in.num_configs = static_cast<std::int64_t>(ids.size());
    const std::int64_t rows = rows_per_config(program);
    if (!ctx.expect(in.num_configs <= std::numeric_limits<std::int32_t>::max() / rows, [&] {
          return str_cat(in.num_configs, " configs of ", rows, " rows each are too many to score at once");
        })) {
      return {};
    }
    encoder_.encode_configs(configs, ids, scratch.row, scratch.config);
    in.x = program.graph.x();
    in.opcode = program.graph.opcode();
    in.edges = program.graph.edges();
    in.config_node = program.graph.config_node();
    in.config = {scratch.config.data(), in.num_configs * configs.rows_per_config,
                 encoder_.num_config_outputs()};
    return options_.task() == Task::kTile ? tile_.forward(ctx, in) : layout_.forward(ctx, in);
  }

  /// Scores of the configurations `ids`, some at a time; the result does not depend on how many.
  /// Shapes: ids (C) -> (C).  Errors: an id that is no configuration; a score that is not finite. Each names
  /// the program and the config.
  [[nodiscard]] Result<std::vector<float>> predict(const PreparedProgram& program, Span<const std::int32_t> ids,
                                                   ThreadPool* pool = nullptr) const {
    MLGRAPH_RETURN_IF_ERROR(check_ids(program.view, ids));
    constexpr std::int64_t kRowsAtATime = 20000;  // few enough to stay in memory, enough to keep threads busy
    const auto chunk =
        static_cast<std::size_t>(std::max<std::int64_t>(1, kRowsAtATime / rows_per_config(program)));
    Eager ctx(pool);
    ctx.bind(spec_, Span<const float>(parameters_.value));
    Scratch scratch;
    std::vector<float> scores;
    scores.reserve(ids.size());
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
      const Span<const std::int32_t> part = ids.subspan(begin, std::min(chunk, ids.size() - begin));
      ctx.begin();
      const Var s = score(ctx, program, part, scratch);
      if (!ctx.status().ok()) {
        return Status(ctx.status().code(), str_cat(program.view.name, ": ", ctx.status().message()));
      }
      const float* const values = ctx.value(s).data;
      for (std::size_t i = 0; i < part.size(); ++i) {
        if (!detail::is_finite(values[i])) {
          return Status::invalid_argument(
              str_cat(program.view.name, ": the score of config ", part[i], " is ", values[i]));
        }
        scores.push_back(values[i]);
      }
    }
    return scores;
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

 private:
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
  [[nodiscard]] Status check_values(const ProgramView& view) const {
    for (std::size_t i = 0; i < view.graph.opcode.size(); ++i) {
      if (view.graph.opcode[i] >= 0 && view.graph.opcode[i] < options_.num_opcodes) continue;
      return Status::out_of_range(str_cat(view.name, ": node ", i, " has opcode ", view.graph.opcode[i],
                                          "; the model knows [0, ", options_.num_opcodes, ")"));
    }
    const Status finite = detail::check_finite(view.graph.x);
    if (!finite.ok()) return Status(finite.code(), str_cat(view.name, ": ", finite.message()));
    for (std::size_t i = 0; i < view.configs.wide.size(); ++i) {
      if (detail::is_finite(view.configs.wide[i])) continue;
      const auto size = static_cast<std::size_t>(view.configs.config_size());
      return Status::invalid_argument(str_cat(view.name, ": config ", i / size, " entry ", i % size, " is ",
                                              detail::non_finite_name(view.configs.wide[i])));
    }
    return {};
  }

  ModelOptions options_;
  FeatureEncoder encoder_;
  ParamSpec spec_;
  Parameters<float> parameters_;
  TileNet tile_;  // one of the two is set, by options_.task()
  LayoutNet layout_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_GNN_COST_MODEL_HPP
