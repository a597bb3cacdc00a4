// SPDX-License-Identifier: Apache-2.0
// FeatureEncoder: turns a program's numbers into a model's inputs, as was fitted on the training programs.
#ifndef MLGRAPH_COST_FEATURE_ENCODER_HPP
#define MLGRAPH_COST_FEATURE_ENCODER_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/name_list.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/cost/normalizer.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {

/// The most features of a node, and of a row of a configuration, that a model is fitted to or read from a file
/// with.
inline constexpr std::int64_t kMaxFeatures = std::int64_t{1} << 20;

MLGRAPH_BEGIN_ISA

/// An error for numbers of features that no model has; `name` of whom.
[[nodiscard]] inline Status check_num_features(std::string_view name, std::int64_t num_node,
                                               std::int64_t num_config) {
  if (num_node >= 0 && num_node <= kMaxFeatures && num_config >= 0 && num_config <= kMaxFeatures) return {};
  return Status::out_of_range(str_cat(name, ": has ", num_node, " node and ", num_config,
                                      " config features; should be in [0, ", kMaxFeatures, "]"));
}

/// Encodes node features, and scales config features or makes classes of them: one-hot columns, or rows of the
/// layout table.
///
/// Node features have names where the training programs name them. A program that names its own is then read by
/// name: its columns may stand in another order, and there may be more of them.
struct FeatureEncoder {
  static constexpr std::int64_t kClasses = 8;  // one-hot: -1 ... 6

  NodeEncoder node;
  Normalizer config;  // of ConfigEncoding::kScaled
  ConfigEncoding config_encoding = ConfigEncoding::kScaled;
  std::int64_t num_config_inputs = 0;
  std::vector<std::string> node_names;  // (node.num_inputs()), or empty: known by their places

  /// Fits on every node, and on at most `max_configs` configurations of each program, evenly spread.
  /// Errors: no programs; programs that name their node features differently; those of check(), check_names(),
  ///         check_num_features() and NodeEncoder::fit().
  [[nodiscard]] static Result<FeatureEncoder> fit(Span<const ProgramView> programs, const InputOptions& options,
                                                  std::int64_t max_configs = 1000) {
    if (programs.empty()) return Status::invalid_argument("there are no programs to fit the features on");
    FeatureEncoder encoder;
    encoder.config_encoding = options.config_encoding;
    encoder.num_config_inputs = programs[0].configs.num_features;
    const std::int64_t node_width = programs[0].graph.x.cols;
    MLGRAPH_RETURN_IF_ERROR(check_num_features(programs[0].name, node_width, encoder.num_config_inputs));
    const Span<const std::string_view> names = programs[0].graph.feature_names;
    encoder.node_names.assign(names.begin(), names.end());
    MLGRAPH_RETURN_IF_ERROR(check_names(encoder.node_names));
    NormalizerFit node(options.node_scaling, node_width);
    NormalizerFit config(options.config_scaling, encoder.num_config_inputs);
    max_configs = std::max<std::int64_t>(1, max_configs);
    const bool pad = options.node_encoding.pad_lists;
    if (pad) MLGRAPH_RETURN_IF_ERROR(check_list_columns(node_width));
    std::vector<float> row;
    for (const ProgramView& program : programs) {
      MLGRAPH_RETURN_IF_ERROR(check(program, node_width, encoder.num_config_inputs));
      if (!encoder.has_names_of(program)) {
        return Status::invalid_argument(
            str_cat(program.name, ": names its node features differently than ", programs[0].name));
      }
      for (std::int64_t r = 0; r < program.graph.x.rows; ++r) {
        const float* const x = program.graph.x.row(r);
        if (!pad) {
          node.add(x);
          continue;
        }
        row.assign(x, x + node_width);
        pad_lists(row.data(), program.graph.opcode[r]);
        node.add(row.data());
      }
      const ConfigView& configs = program.configs;
      const std::int64_t step =
          std::max<std::int64_t>(1, (configs.num_configs + max_configs - 1) / max_configs);
      row.resize(as_size(configs.config_size()));
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

  /// Errors: more than kMaxNodes, kMaxEdges or kMaxConfigs; features of other widths, for another number of
  /// nodes than there are opcodes; arrays that do not have the sizes which the program states.
  [[nodiscard]] static Status check(const ProgramView& program, std::int64_t node_width,
                                    std::int64_t config_width) {
    const ConfigView& configs = program.configs;
    const MatrixView<const float>& x = program.graph.x;
    MLGRAPH_RETURN_IF_ERROR(check_sizes(program));
    if (x.cols != node_width || configs.num_features != config_width) {
      return Status::invalid_argument(str_cat(program.name, ": has ", x.cols, " node and ",
                                              configs.num_features, " config features; should have ",
                                              node_width, " and ", config_width));
    }
    const std::size_t num_names = program.graph.feature_names.size();
    if (num_names > 0 && static_cast<std::int64_t>(num_names) != x.cols) {
      return Status::invalid_argument(
          str_cat(program.name, ": has ", num_names, " names for ", x.cols, " node features"));
    }
    if (x.rows != program.graph.num_nodes()) {
      return Status::invalid_argument(
          str_cat(program.name, ": x has ", x.rows, " rows; opcode has ", program.graph.num_nodes()));
    }
    if (x.size() > 0 && x.data == nullptr) {
      return Status::invalid_argument(
          str_cat(program.name, ": x is (", x.rows, ", ", x.cols, ") but its data is null"));
    }
    const auto given =
        static_cast<std::int64_t>(configs.wide.empty() ? configs.narrow.size() : configs.wide.size());
    const std::int64_t size = configs.config_size();  // below 2^51
    const bool fits = size == 0 ? given == 0 : given % size == 0 && given / size == configs.num_configs;
    if (configs.num_configs < 0 || !fits) {
      return Status::invalid_argument(str_cat(program.name, ": has ", given, " config entries; should have ",
                                              configs.num_configs, " configs of ", configs.config_size()));
    }
    return {};
  }

  /// Errors: a name that is empty, of several lines, or there twice.
  [[nodiscard]] static Status check_names(const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty() || names[i].find('\n') != std::string::npos) {
        return Status::invalid_argument(
            str_cat("the name of node feature ", i, " is ", names[i].empty() ? "empty" : "of several lines"));
      }
    }
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return {};
    return Status::invalid_argument(str_cat("two node features have the name ", *twice));
  }

  /// Whether the node features of a program are found by name: it and the encoder have names.
  [[nodiscard]] bool is_by_name(const ProgramView& program) const {
    return !node_names.empty() && !program.graph.feature_names.empty();
  }

  /// The node encoder for the columns of a program. Those that it does not read need not be there.
  /// Errors: a program that is read by name and lacks some; all of them in one message. Names that are there
  /// twice.
  [[nodiscard]] Result<NodeEncoder> node_of(const ProgramView& program) const {
    if (!is_by_name(program) || has_names_of(program)) return node;
    using Place = std::pair<std::string_view, std::int32_t>;
    std::vector<Place> places;
    for (const std::string_view name : program.graph.feature_names)
      places.emplace_back(name, static_cast<std::int32_t>(places.size()));
    std::sort(places.begin(), places.end());
    const auto same = [](const Place& a, const Place& b) { return a.first == b.first; };
    const auto twice = std::adjacent_find(places.begin(), places.end(), same);
    if (twice != places.end()) {
      return Status::invalid_argument(str_cat(program.name, ": node features ", twice->second, " and ",
                                              (twice + 1)->second, " have the name ", twice->first));
    }
    detail::NameList missing;
    std::vector<std::int32_t> place(node_names.size(), 0);
    for (const std::int32_t c : node.columns()) {
      const std::string_view name = node_names[as_size(c)];
      const auto at = std::lower_bound(places.begin(), places.end(), Place(name, 0));
      if (at == places.end() || at->first != name) {
        missing.add(name);
      } else {
        place[as_size(c)] = at->second;
      }
    }
    if (missing.empty()) return node.reordered(place, program.graph.x.cols);
    return Status::invalid_argument(
        str_cat(program.name, ": lacks node features that the model needs: ", missing.text()));
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

  /// Encodes some rows of configurations as numbers; `row` (num_config_inputs) is scratch.
  /// Shapes: `ids` (C), `rows` (K') of each -> out (C * K', num_config_outputs()).
  void encode_configs(const ConfigView& configs, Span<const std::int32_t> ids, Span<const std::int32_t> rows,
                      float* row, float* out) const {
    for (const std::int32_t id : ids) {
      for (const std::int32_t k : rows) {
        configs.copy_row(id, k, row);
        encode_row(row, out);
        out += num_config_outputs();
      }
    }
  }

  /// The same as rows of the layout table, of ConfigEncoding::kEmbedding.  Shapes: out (C * K' *
  /// num_config_outputs()).
  void encode_config_classes(const ConfigView& configs, Span<const std::int32_t> ids,
                             Span<const std::int32_t> rows, float* row, std::int32_t* out) const {
    for (const std::int32_t id : ids) {
      for (const std::int32_t k : rows) {
        configs.copy_row(id, k, row);
        out = std::transform(row, row + num_config_inputs, out, layout_class);
      }
    }
  }

 private:
  // Counts that int32 ids cannot have, or that would overflow a product of them.
  [[nodiscard]] static Status check_sizes(const ProgramView& program) {
    const Status counts =
        check_counts(signed_size(program.graph.opcode), signed_size(program.graph.edge_source));
    MLGRAPH_RETURN_IF_ERROR(counts.annotate(program.name));
    const ConfigView& configs = program.configs;
    if (configs.num_configs > kMaxConfigs) {
      return Status::resource_exhausted(
          str_cat(program.name, ": num_configs is ", configs.num_configs, "; the limit is ", kMaxConfigs));
    }
    if (configs.rows_per_config >= 0 && configs.rows_per_config <= kMaxNodes) return {};
    return Status::out_of_range(str_cat(program.name, ": rows_per_config is ", configs.rows_per_config,
                                        "; should be in [0, ", kMaxNodes, "]"));
  }

  [[nodiscard]] bool has_names_of(const ProgramView& program) const {
    const Span<const std::string_view> names = program.graph.feature_names;
    return std::equal(names.begin(), names.end(), node_names.begin(), node_names.end());
  }

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

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_FEATURE_ENCODER_HPP
