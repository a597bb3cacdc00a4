// SPDX-License-Identifier: Apache-2.0
// FeatureEncoder: turns a program's numbers into a model's inputs, as was fitted on the training programs.
#ifndef MLGRAPH_MODEL_FEATURE_ENCODER_HPP
#define MLGRAPH_MODEL_FEATURE_ENCODER_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/node_encoder.hpp"
#include "mlgraph/model/normalizer.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Encodes node features, and scales config features or makes classes of them: one-hot columns, or rows of the
/// layout table.
struct FeatureEncoder {
  static constexpr std::int64_t kClasses = 8;  // one-hot: -1 ... 6

  NodeEncoder node;
  Normalizer config;  // of ConfigEncoding::kScaled
  ConfigEncoding config_encoding = ConfigEncoding::kScaled;
  std::int64_t num_config_inputs = 0;

  /// Fits on every node, and on at most `max_configs` configurations of each program, evenly spread.
  /// Errors: no programs; those of check() and NodeEncoder::fit().
  [[nodiscard]] static Result<FeatureEncoder> fit(Span<const ProgramView> programs, const ModelOptions& options,
                                                  std::int64_t max_configs = 1000) {
    if (programs.empty()) return Status::invalid_argument("there are no programs to fit the features on");
    FeatureEncoder encoder;
    encoder.config_encoding = options.config_encoding;
    encoder.num_config_inputs = programs[0].configs.num_features;
    const std::int64_t node_width = programs[0].graph.x.cols;
    NormalizerFit node(options.node_scaling, node_width);
    NormalizerFit config(options.config_scaling, encoder.num_config_inputs);
    max_configs = std::max<std::int64_t>(1, max_configs);
    const bool pad = options.node_encoding.pad_lists;
    if (pad) MLGRAPH_RETURN_IF_ERROR(check_list_columns(node_width));
    std::vector<float> row;
    for (const ProgramView& program : programs) {
      MLGRAPH_RETURN_IF_ERROR(check(program, node_width, encoder.num_config_inputs));
      for (std::int64_t r = 0; r < program.graph.x.rows; ++r) {
        const float* const x = program.graph.x.row(r);
        if (!pad) {
          node.add(x);
          continue;
        }
        row.assign(x, x + node_width);
        pad_lists(row.data(), program.graph.opcode[static_cast<std::size_t>(r)]);
        node.add(row.data());
      }
      const ConfigView& configs = program.configs;
      const std::int64_t step =
          std::max<std::int64_t>(1, (configs.num_configs + max_configs - 1) / max_configs);
      row.resize(static_cast<std::size_t>(configs.config_size()));
      for (std::int64_t c = 0; c < configs.num_configs; c += step) {
        configs.copy_config(c, row.data());
        for (std::int64_t k = 0; k < configs.rows_per_config; ++k) {
          config.add(row.data() + k * encoder.num_config_inputs);
        }
      }
    }
    MLGRAPH_ASSIGN_OR_RETURN(encoder.node, NodeEncoder::fit(node.finish(), options.node_encoding));
    encoder.config = config.finish();
    return encoder;
  }

  /// Errors: features of other widths, for another number of nodes than there are opcodes; arrays that do not
  /// have the sizes which the program states.
  [[nodiscard]] static Status check(const ProgramView& program, std::int64_t node_width,
                                    std::int64_t config_width) {
    const ConfigView& configs = program.configs;
    const MatrixView<const float>& x = program.graph.x;
    if (x.cols != node_width || configs.num_features != config_width) {
      return Status::invalid_argument(str_cat(program.name, ": has ", x.cols, " node and ",
                                              configs.num_features, " config features; should have ",
                                              node_width, " and ", config_width));
    }
    if (x.size() > 0 && x.data == nullptr) {
      return Status::invalid_argument(
          str_cat(program.name, ": x is (", x.rows, ", ", x.cols, ") but its data is null"));
    }
    if (x.rows != program.graph.num_nodes()) {
      return Status::invalid_argument(
          str_cat(program.name, ": x has ", x.rows, " rows; opcode has ", program.graph.num_nodes()));
    }
    const auto given =
        static_cast<std::int64_t>(configs.wide.empty() ? configs.narrow.size() : configs.wide.size());
    if (configs.num_configs < 0 || given != configs.num_configs * configs.config_size()) {
      return Status::invalid_argument(str_cat(program.name, ": has ", given, " config entries; should have ",
                                              configs.num_configs, " configs of ", configs.config_size()));
    }
    return {};
  }

  /// Numbers of each config row, or its layout classes where they are embedded.
  [[nodiscard]] std::int64_t num_config_outputs() const {
    switch (config_encoding) {
      case ConfigEncoding::kOneHot:
        return kClasses * num_config_inputs;
      case ConfigEncoding::kEmbedding:
        return num_config_inputs;
      case ConfigEncoding::kScaled:
        break;
    }
    return config.num_outputs();
  }

  /// Encodes some rows of configurations as numbers; `row` is scratch.
  /// Shapes: `ids` (C), `rows` (K') of each -> out (C * K', num_config_outputs()).
  void encode_configs(const ConfigView& configs, Span<const std::int32_t> ids, Span<const std::int32_t> rows,
                      AlignedVector<float>& row, float* out) const {
    row.resize(static_cast<std::size_t>(num_config_inputs));
    for (const std::int32_t id : ids) {
      for (const std::int32_t k : rows) {
        configs.copy_row(id, k, row.data());
        encode_row(row.data(), out);
        out += num_config_outputs();
      }
    }
  }

  /// The same as rows of the layout table, of ConfigEncoding::kEmbedding.  Shapes: out (C * K' *
  /// num_config_outputs()).
  void encode_config_classes(const ConfigView& configs, Span<const std::int32_t> ids,
                             Span<const std::int32_t> rows, AlignedVector<float>& row,
                             std::int32_t* out) const {
    row.resize(static_cast<std::size_t>(num_config_inputs));
    for (const std::int32_t id : ids) {
      for (const std::int32_t k : rows) {
        configs.copy_row(id, k, row.data());
        out = std::transform(row.begin(), row.end(), out, layout_class);
      }
    }
  }

 private:
  void encode_row(const float* from, float* to) const {
    if (config_encoding == ConfigEncoding::kScaled) return config.apply(from, to);
    for (std::int64_t j = 0; j < num_config_inputs; ++j, to += kClasses) {
      for (std::int64_t k = 0; k < kClasses; ++k) {  // a number that is no class: all zero
        to[k] = from[j] == static_cast<float>(k - 1) ? 1.0f : 0.0f;
      }
    }
  }
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_FEATURE_ENCODER_HPP
