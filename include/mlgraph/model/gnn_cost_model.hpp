// SPDX-License-Identifier: Apache-2.0
// GnnCostModel: an architecture, its weights and its normalisation in one value. What is trained, saved and
// asked.
#ifndef MLGRAPH_MODEL_GNN_COST_MODEL_HPP
#define MLGRAPH_MODEL_GNN_COST_MODEL_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
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
#include "mlgraph/model/layout_net.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/model/normalizer.hpp"
#include "mlgraph/model/tile_net.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A program as one model sees it: validated, its features normalised, its edges sorted. Borrows the configs.
struct PreparedProgram {
  ProgramView view;
  Graph graph;                          // x normalised, (N, F')
  std::vector<std::int32_t> selection;  // the configs to use; all of them after GnnCostModel::prepare()
};

/// How a model turns a program's numbers into its inputs; fitted on the training programs.
struct FeatureEncoder {
  static constexpr std::int64_t kClasses = 8;  // one-hot: -1 ... 6

  Normalizer node;
  Normalizer config;  // of ConfigEncoding::kScaled
  ConfigEncoding config_encoding = ConfigEncoding::kScaled;
  std::int64_t num_config_inputs = 0;

  /// Fits on every node, and on at most `max_configs` configurations of each program, evenly spread.
  /// Errors: no programs; programs of different widths.
  [[nodiscard]] static Result<FeatureEncoder> fit(Span<const ProgramView> programs, const ModelOptions& options,
                                                  std::int64_t max_configs = 1000) {
    if (programs.empty()) return Status::invalid_argument("there are no programs to fit the features on");
    FeatureEncoder encoder;
    encoder.config_encoding = options.config_encoding;
    encoder.num_config_inputs = programs[0].configs.num_features;
    NormalizerFit node(options.node_scaling, programs[0].graph.x.cols);
    NormalizerFit config(options.config_scaling, encoder.num_config_inputs);
    std::vector<float> row;
    for (const ProgramView& program : programs) {
      MLGRAPH_RETURN_IF_ERROR(check_widths(program, programs[0].graph.x.cols, encoder.num_config_inputs));
      for (std::int64_t r = 0; r < program.graph.x.rows; ++r) node.add(program.graph.x.row(r));
      const std::int64_t num_configs = program.configs.num_configs;
      const std::int64_t step = std::max<std::int64_t>(1, num_configs / std::max<std::int64_t>(1, max_configs));
      row.resize(static_cast<std::size_t>(program.configs.config_size()));
      for (std::int64_t c = 0; c < num_configs; c += step) {
        program.configs.copy_config(c, row.data());
        for (std::int64_t k = 0; k < program.configs.rows_per_config; ++k) {
          config.add(row.data() + k * encoder.num_config_inputs);
        }
      }
    }
    encoder.node = node.finish();
    encoder.config = config.finish();
    return encoder;
  }

  [[nodiscard]] static Status check_widths(const ProgramView& program, std::int64_t node_width,
                                           std::int64_t config_width) {
    if (program.graph.x.cols == node_width && program.configs.num_features == config_width) return {};
    return Status::invalid_argument(str_cat(program.name, ": has ", program.graph.x.cols, " node and ",
                                            program.configs.num_features, " config features; should have ",
                                            node_width, " and ", config_width));
  }

  [[nodiscard]] std::int64_t num_config_outputs() const {
    return config_encoding == ConfigEncoding::kOneHot ? kClasses * num_config_inputs : config.num_outputs();
  }

  /// Encodes configurations.  Shapes: `ids` (C) -> out (C * rows_per_config, num_config_outputs()).
  void encode_configs(const ConfigView& configs, Span<const std::int32_t> ids, AlignedVector<float>& row,
                      AlignedVector<float>& out) const {
    const std::int64_t width = num_config_outputs();
    row.resize(static_cast<std::size_t>(configs.config_size()));
    out.resize(ids.size() * static_cast<std::size_t>(configs.rows_per_config * width));
    float* to = out.data();
    for (const std::int32_t id : ids) {
      configs.copy_config(id, row.data());
      for (std::int64_t k = 0; k < configs.rows_per_config; ++k, to += width) {
        encode_row(row.data() + k * num_config_inputs, to);
      }
    }
  }

 private:
  void encode_row(const float* from, float* to) const {
    if (config_encoding == ConfigEncoding::kScaled) return config.apply(from, to);
    std::fill(to, to + kClasses * num_config_inputs, 0.0f);
    for (std::int64_t j = 0; j < num_config_inputs; ++j) {
      const auto entry = static_cast<std::int64_t>(from[j]) + 1;
      if (entry >= 0 && entry < kClasses) to[j * kClasses + entry] = 1;  // anything else is no class: all zero
    }
  }
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
  /// Errors: those of Graph::from_view; another task or other widths than the model's; opcodes it does not
  /// know.
  [[nodiscard]] Result<PreparedProgram> prepare(const ProgramView& view) const {
    const std::int64_t rows_per_config =
        options_.task() == Task::kTile ? 1 : static_cast<std::int64_t>(view.graph.config_node.size());
    if (view.configs.rows_per_config != rows_per_config) {
      return Status::invalid_argument(str_cat(view.name, ": a config has ", view.configs.rows_per_config,
                                              " rows; a ", arch_name(options_.arch), " model needs ",
                                              rows_per_config));
    }
    MLGRAPH_RETURN_IF_ERROR(
        FeatureEncoder::check_widths(view, encoder_.node.num_inputs(), encoder_.num_config_inputs));
    for (std::size_t i = 0; i < view.graph.opcode.size(); ++i) {
      if (view.graph.opcode[i] >= 0 && view.graph.opcode[i] < options_.num_opcodes) continue;
      return Status::out_of_range(str_cat(view.name, ": node ", i, " has opcode ", view.graph.opcode[i],
                                          "; the model knows ", options_.num_opcodes));
    }
    AlignedVector<float> x(static_cast<std::size_t>(view.graph.x.rows * encoder_.node.num_outputs()));
    for (std::int64_t r = 0; r < view.graph.x.rows; ++r) {
      encoder_.node.apply(view.graph.x.row(r), x.data() + r * encoder_.node.num_outputs());
    }
    GraphView normalized = view.graph;
    normalized.x = {x.data(), view.graph.x.rows, encoder_.node.num_outputs()};
    EdgeOptions edges;
    edges.both = true;
    Result<Graph> graph = Graph::from_view(normalized, edges);
    if (!graph.ok()) return Status(graph.status().code(), str_cat(view.name, ": ", graph.status().message()));
    PreparedProgram prepared{view, std::move(*graph), {}};
    prepared.selection.resize(static_cast<std::size_t>(view.configs.num_configs));
    for (std::size_t c = 0; c < prepared.selection.size(); ++c)
      prepared.selection[c] = static_cast<std::int32_t>(c);
    return prepared;
  }

  /// Buffers of score(); one per thread.
  struct Scratch {
    AlignedVector<float> row, config;
  };

  /// The scores of the configurations `ids` of a program; larger = slower.  Shapes: ids (C) -> (C, 1).
  template <class Ctx>
  Var score(Ctx& ctx, const PreparedProgram& program, Span<const std::int32_t> ids, Scratch& scratch) const {
    const ConfigView& configs = program.view.configs;
    encoder_.encode_configs(configs, ids, scratch.row, scratch.config);
    NetInput in;
    in.x = program.graph.x();
    in.opcode = program.graph.opcode();
    in.edges = program.graph.edges();
    in.config_node = program.graph.config_node();
    in.num_configs = static_cast<std::int64_t>(ids.size());
    in.config = {scratch.config.data(), in.num_configs * configs.rows_per_config,
                 encoder_.num_config_outputs()};
    return options_.task() == Task::kTile ? tile_.forward(ctx, in) : layout_.forward(ctx, in);
  }

  /// Scores of the configurations `ids`, some at a time; the result does not depend on how many.
  /// Shapes: ids (C) -> (C).  Errors: an id that is no configuration; scores that are not finite (names the
  /// config).
  [[nodiscard]] Result<std::vector<float>> predict(const PreparedProgram& program, Span<const std::int32_t> ids,
                                                   ThreadPool* pool = nullptr) const {
    for (const std::int32_t id : ids) {
      if (id >= 0 && id < program.view.configs.num_configs) continue;
      return Status::out_of_range(str_cat(program.view.name, ": there is no config ", id, "; there are ",
                                          program.view.configs.num_configs));
    }
    constexpr std::int64_t kRowsAtATime = 20000;  // few enough to stay in memory, enough to keep threads busy
    const std::int64_t num_nodes = std::max<std::int64_t>(1, program.graph.num_nodes());
    const auto chunk = static_cast<std::size_t>(std::max<std::int64_t>(1, kRowsAtATime / num_nodes));
    Eager ctx(pool);
    ctx.bind(spec_, Span<const float>(parameters_.value));
    Scratch scratch;
    std::vector<float> scores;
    scores.reserve(ids.size());
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
      const Span<const std::int32_t> part = ids.subspan(begin, std::min(chunk, ids.size() - begin));
      ctx.begin();
      const Var s = score(ctx, program, part, scratch);
      MLGRAPH_RETURN_IF_ERROR(ctx.status());
      const float* const values = ctx.value(s).data;
      for (std::size_t i = 0; i < part.size(); ++i) {
        if (!std::isfinite(values[i])) {
          return Status::invalid_argument(
              str_cat(program.view.name, ": the score of config ", part[i], " is ", values[i]));
        }
        scores.push_back(values[i]);
      }
    }
    return scores;
  }

 private:
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
