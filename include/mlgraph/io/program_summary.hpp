// SPDX-License-Identifier: Apache-2.0
// What a program is, and what is suspicious about it.
#ifndef MLGRAPH_IO_PROGRAM_SUMMARY_HPP
#define MLGRAPH_IO_PROGRAM_SUMMARY_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/config_groups.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// Graphs of the public dataset that strong teams report to be corrupt.
inline constexpr std::string_view kKnownCorruptPrograms[] = {"unet_3d.4x4.bf16", "mlperf_bert_batch_24_2x2",
                                                             "magenta_dynamic"};

[[nodiscard]] inline bool is_known_corrupt(std::string_view name) {
  return std::find(std::begin(kKnownCorruptPrograms), std::end(kKnownCorruptPrograms), name) !=
         std::end(kKnownCorruptPrograms);
}

/// True when there is more than one label and all are the same, as in the files of the test split: a metric of
/// them is an error, not a number.
[[nodiscard]] inline bool has_placeholder_labels(const ProgramView& program) {
  for (std::int64_t c = 1; c < signed_size(program.runtime); ++c) {
    if (program.label(c) != program.label(0)) return false;
  }
  return program.runtime.size() > 1 || (program.runtime.size() == 1 && program.runtime[0] == 0);
}

/// What keeps a program from being ranked or trusted, a sentence each. With `with_labels` false the labels are
/// not touched.
/// Cost:   O(C).
[[nodiscard]] inline std::vector<std::string> program_warnings(const ProgramView& program,
                                                               bool with_labels = true) {
  std::vector<std::string> warnings;
  if (is_known_corrupt(program.name)) warnings.emplace_back("is reported to be corrupt in the public dataset");
  if (program.configs.num_configs == 1) warnings.emplace_back("has one config, which carries no ranking");
  if (with_labels && has_placeholder_labels(program)) {
    warnings.push_back(
        str_cat("has placeholder labels: all ", program.runtime.size(), " are ", program.label(0)));
  }
  return warnings;
}

/// Figures about one program.
struct ProgramSummary {
  ConfigKind config_kind = ConfigKind::kTile;
  std::int64_t num_nodes = 0;
  std::int64_t num_edges = 0;
  std::int64_t num_node_features = 0;
  std::int64_t num_opcodes = 0;          // distinct ones
  std::int64_t num_unknown_opcodes = 0;  // nodes with opcode 0
  std::int64_t num_segments = 0;         // of node_splits; 0 = unknown
  std::int64_t num_isolated_nodes = 0;   // without an edge
  std::int64_t num_constant_node_features = 0;
  std::int64_t num_config_nodes = 0;
  std::int64_t num_configs = 0;
  std::int64_t num_distinct_configs = 0;
  std::int64_t num_config_features = 0;
  std::int64_t num_constant_config_features = 0;  // the same in every row of every config

  bool has_labels = false;
  bool placeholder_labels = false;
  bool known_corrupt = false;
  double min_label = 0;  // ns for a layout, multiples of the default for a tile
  double max_label = 0;
  double max_repeat_spread = 0;  // largest (max - min) / min of the labels of one config: the noise

  std::vector<std::string> warnings;  // sentences about what is suspicious; empty = nothing is

  [[nodiscard]] std::int64_t num_duplicates() const { return num_configs - num_distinct_configs; }
  /// (max - min) / min: how much there is to gain. 0 when there is no label above 0.
  [[nodiscard]] double label_spread() const { return min_label > 0 ? (max_label - min_label) / min_label : 0; }
};

namespace detail {

/// The number of columns in which all rows of a row-major (rows, cols) array are equal; 0 for no rows.
template <class T>
[[nodiscard]] std::int64_t count_constant_columns(const T* data, std::int64_t rows, std::int64_t cols,
                                                  std::int64_t stride) {
  if (rows == 0) return 0;
  std::vector<std::uint8_t> varies(as_size(cols), 0);
  for (std::int64_t r = 1; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      varies[as_size(c)] |= static_cast<std::uint8_t>(data[r * stride + c] != data[c]);
    }
  }
  return std::count(varies.begin(), varies.end(), std::uint8_t{0});
}

inline void summarize_graph(const GraphView& graph, ProgramSummary& summary) {
  summary.num_nodes = graph.num_nodes();
  summary.num_edges = signed_size(graph.edge_source);
  summary.num_node_features = graph.x.cols;
  std::vector<std::int32_t> opcodes(graph.opcode.begin(), graph.opcode.end());
  std::sort(opcodes.begin(), opcodes.end());
  summary.num_unknown_opcodes = std::count(opcodes.begin(), opcodes.end(), 0);
  summary.num_opcodes = std::unique(opcodes.begin(), opcodes.end()) - opcodes.begin();
  std::vector<bool> touched(graph.opcode.size());
  for (std::size_t e = 0; e < graph.edge_source.size(); ++e) {
    touched[as_size(graph.edge_source[e])] = true;
    touched[as_size(graph.edge_target[e])] = true;
  }
  summary.num_isolated_nodes = std::count(touched.begin(), touched.end(), false);
  summary.num_constant_node_features =
      count_constant_columns(graph.x.data, graph.x.rows, graph.x.cols, graph.x.stride);
}

inline void summarize_labels(const ProgramView& program, const ConfigGroups& groups, ProgramSummary& summary) {
  summary.has_labels = !program.runtime.empty();
  if (!summary.has_labels) return;
  summary.placeholder_labels = has_placeholder_labels(program);
  std::vector<double> least, most;
  for (const std::int64_t c : groups.first) least.push_back(program.label(c));
  most = least;
  for (std::size_t c = 0; c < groups.group.size(); ++c) {
    const auto g = as_size(groups.group[c]);
    const double label = program.label(static_cast<std::int64_t>(c));
    least[g] = std::min(least[g], label);
    most[g] = std::max(most[g], label);
  }
  summary.min_label = *std::min_element(least.begin(), least.end());
  summary.max_label = *std::max_element(most.begin(), most.end());
  for (std::size_t g = 0; g < least.size(); ++g) {
    if (least[g] > 0)
      summary.max_repeat_spread = std::max(summary.max_repeat_spread, (most[g] - least[g]) / least[g]);
  }
}

/// Beyond program_warnings(): what should be known before a model is blamed.
inline void add_warnings(const ProgramView& program, ProgramSummary& summary) {
  summary.warnings = program_warnings(program);
  const auto warn = [&](const std::string& text) { summary.warnings.push_back(text); };
  const std::int64_t repeats = summary.num_duplicates();
  if (repeats > 0) {
    warn(str_cat("has ", repeats, " configs that repeat another of its ", summary.num_configs, " configs"));
  }
  if (summary.num_configs > 1 && summary.num_distinct_configs == 1) {
    warn("has configs whose features are all the same: no model can rank them");
  }
  if (summary.num_isolated_nodes > 0) {
    warn(str_cat("has ", summary.num_isolated_nodes, " nodes without an edge"));
  }
  if (summary.num_unknown_opcodes > 0) {
    warn(str_cat("has ", summary.num_unknown_opcodes, " nodes of unknown opcode"));
  }
  const auto zeros = std::count(program.runtime.begin(), program.runtime.end(), std::int64_t{0});
  if (zeros > 0 && !summary.placeholder_labels) warn(str_cat("has ", zeros, " runtimes of 0"));
}

}  // namespace detail

/// Figures about a program that passed check_program.
///
/// Cost: O(N F + E + C * config_size).
[[nodiscard]] inline ProgramSummary summarize(const ProgramView& program) {
  const ConfigView& configs = program.configs;
  ProgramSummary summary;
  summary.config_kind = config_kind_of(program);
  summary.known_corrupt = is_known_corrupt(program.name);
  detail::summarize_graph(program.graph, summary);
  if (!program.node_splits.empty()) summary.num_segments = signed_size(program.node_splits) - 1;
  summary.num_config_nodes = signed_size(program.graph.config_node);
  summary.num_configs = configs.num_configs;
  summary.num_config_features = configs.num_features;
  const std::int64_t rows = configs.num_configs * configs.rows_per_config, cols = configs.num_features;
  summary.num_constant_config_features =
      configs.wide.empty() ? detail::count_constant_columns(configs.narrow.data(), rows, cols, cols)
                           : detail::count_constant_columns(configs.wide.data(), rows, cols, cols);
  const ConfigGroups groups = group_configs(configs);
  summary.num_distinct_configs = groups.num_groups();
  detail::summarize_labels(program, groups, summary);
  detail::add_warnings(program, summary);
  return summary;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PROGRAM_SUMMARY_HPP
