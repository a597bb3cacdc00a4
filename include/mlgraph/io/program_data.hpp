// SPDX-License-Identifier: Apache-2.0
// Program: owns one measured program; check_program: whether a borrowed one is what ProgramView promises.
#ifndef MLGRAPH_IO_PROGRAM_DATA_HPP
#define MLGRAPH_IO_PROGRAM_DATA_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/partition.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/hlo_feature_names.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// The two kinds of collections of TpuGraphs, by what their configurations decide.
enum class ConfigKind : std::uint8_t {
  kTile,    ///< one row for each graph: the tile sizes of a kernel
  kLayout,  ///< one row for each configurable node: the layouts of its tensors
};

}  // namespace io
MLGRAPH_END_ISA
template <>
struct EnumNames<io::ConfigKind> {
  static constexpr std::string_view kNames[] = {"tile", "layout"};
};
MLGRAPH_BEGIN_ISA
namespace io {

/// Layouts where there are configurable nodes, else tile sizes.
[[nodiscard]] inline ConfigKind config_kind_of(const ProgramView& program) {
  return program.graph.config_node.empty() ? ConfigKind::kTile : ConfigKind::kLayout;
}

/// One measured program. A value: views are valid until the object is moved from, assigned to or destroyed.
///
/// Letters: N nodes, F features, E edges, C configs, K configurable nodes, D features of a config (row).
struct Program {
  std::string name;
  std::int64_t num_features = 0;                   // F
  AlignedVector<float> x;                          // (N, F)
  AlignedVector<std::int32_t> opcode;              // (N)
  AlignedVector<std::int32_t> edge_source;         // (E) producer
  AlignedVector<std::int32_t> edge_target;         // (E) consumer
  AlignedVector<std::int32_t> node_splits;         // (S), or empty
  AlignedVector<std::int32_t> config_node;         // (K), empty for a tile
  std::int64_t num_configs = 0;                    // C
  std::int64_t config_features = 0;                // D
  AlignedVector<std::int8_t> narrow_configs;       // (C, K, D): layouts of whole numbers in [-128, 127]
  AlignedVector<float> wide_configs;               // (C, D) or (C, K, D): everything else
  AlignedVector<std::int64_t> runtime;             // (C) ns; empty when not measured
  AlignedVector<std::int64_t> runtime_normalizer;  // (C) ns; tiles only

  [[nodiscard]] ProgramView view() const {
    const auto num_nodes = signed_size(opcode);
    ProgramView view;
    view.name = name;
    view.graph = {{x.data(), num_nodes, num_features}, opcode, edge_source, edge_target, config_node,
                  hlo_feature_names(num_features)};
    view.node_splits = node_splits;
    view.configs.narrow = narrow_configs;
    view.configs.wide = wide_configs;
    view.configs.num_configs = num_configs;
    view.configs.rows_per_config = config_node.empty() ? 1 : signed_size(config_node);
    view.configs.num_features = config_features;
    view.runtime = runtime;
    view.runtime_normalizer = runtime_normalizer;
    return view;
  }
};

/// Bytes of all arrays of a program.
[[nodiscard]] inline std::uint64_t program_bytes(const ProgramView& program) {
  const GraphView& graph = program.graph;
  const std::uint64_t bytes32 = static_cast<std::uint64_t>(graph.x.size()) + graph.opcode.size() +
                                graph.edge_source.size() + graph.edge_target.size() + graph.config_node.size() +
                                program.node_splits.size() + program.configs.wide.size();
  const std::uint64_t bytes64 = program.runtime.size() + program.runtime_normalizer.size();
  return 4 * bytes32 + 8 * bytes64 + program.configs.narrow.size();
}

namespace detail {

/// `to = a * b`; false when that is beyond 63 bits. Neither factor is negative.
[[nodiscard]] inline bool multiply(std::int64_t a, std::int64_t b, std::int64_t& to) {
  if (b != 0 && a > std::numeric_limits<std::int64_t>::max() / b) return false;
  to = a * b;
  return true;
}

inline Status check_program_edges(const GraphView& graph) {
  const Span<const std::int32_t> source = graph.edge_source, target = graph.edge_target;
  if (source.size() != target.size()) {
    return Status::invalid_argument(
        str_cat("edge_index has ", source.size(), " sources and ", target.size(), " targets"));
  }
  MLGRAPH_RETURN_IF_ERROR(check_counts(graph.num_nodes(), signed_size(source)));
  const auto row = [&](std::size_t e) {
    return str_cat("edge_index row ", e, " is (", target[e], ", ", source[e], ")");
  };
  const auto key = [&](std::size_t e) {
    return std::uint64_t{static_cast<std::uint32_t>(target[e])} << 32 | static_cast<std::uint32_t>(source[e]);
  };
  const auto limit =
      static_cast<std::uint32_t>(graph.num_nodes());  // as unsigned, a negative id is a large one
  bool ascending = true;
  for (std::size_t e = 0; e < source.size(); ++e) {
    if (static_cast<std::uint32_t>(source[e]) >= limit || static_cast<std::uint32_t>(target[e]) >= limit) {
      return Status::out_of_range(str_cat(row(e), "; num_nodes is ", limit));
    }
    if (source[e] == target[e]) return Status::invalid_argument(str_cat(row(e), ", a self edge"));
    ascending = ascending && (e == 0 || key(e - 1) < key(e));
  }
  if (ascending) return {};  // as TpuGraphs sorts them: nothing can be there twice
  std::vector<std::size_t> order(source.size());
  for (std::size_t e = 0; e < order.size(); ++e) order[e] = e;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return key(a) != key(b) ? key(a) < key(b) : a < b; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (key(order[i]) == key(order[i - 1])) {
      return Status::invalid_argument(str_cat(row(order[i]), " and so is row ", order[i - 1]));
    }
  }
  return {};
}

inline Status check_config_ids(Span<const std::int32_t> ids, std::int32_t num_nodes) {
  if (ids.empty()) return {};
  std::vector<bool> seen(as_size(num_nodes));
  for (std::size_t k = 0; k < ids.size(); ++k) {
    if (ids[k] < 0 || ids[k] >= num_nodes) {
      return Status::out_of_range(str_cat("node_config_ids ", k, " is ", ids[k], "; num_nodes is ", num_nodes));
    }
    if (seen[as_size(ids[k])]) {
      return Status::invalid_argument(str_cat("node_config_ids ", k, " is ", ids[k], ", as is one before it"));
    }
    seen[as_size(ids[k])] = true;
  }
  return {};
}

inline Status check_program_configs(const ProgramView& program) {
  const ConfigView& configs = program.configs;
  const std::int64_t num_rows = program.graph.config_node.empty() ? 1 : signed_size(program.graph.config_node);
  std::int64_t size = 0;
  if (configs.num_configs < 0 || configs.num_features < 0 || configs.rows_per_config != num_rows ||
      !multiply(num_rows, configs.num_features, size) || !multiply(size, configs.num_configs, size) ||
      configs.narrow.size() + configs.wide.size() != static_cast<std::uint64_t>(size) ||
      (!configs.narrow.empty() && !configs.wide.empty())) {
    return Status::invalid_argument(str_cat("configs are ", configs.num_configs, " of ",
                                            configs.rows_per_config, " x ", configs.num_features,
                                            " features; there are ", num_rows, " rows each and ",
                                            configs.narrow.size() + configs.wide.size(), " values"));
  }
  if (configs.num_configs > kMaxConfigs) {
    return Status::resource_exhausted(
        str_cat("num_configs is ", configs.num_configs, "; the limit is ", kMaxConfigs));
  }
  const auto check_labels = [&](Span<const std::int64_t> labels, std::string_view key,
                                std::int64_t least) -> Status {
    if (!labels.empty() && labels.size() != static_cast<std::uint64_t>(configs.num_configs)) {
      return Status::invalid_argument(
          str_cat(key, " has ", labels.size(), " values; there are ", configs.num_configs, " configs"));
    }
    for (std::size_t c = 0; c < labels.size(); ++c) {
      if (labels[c] < least) {
        return Status::out_of_range(str_cat(key, " ", c, " is ", labels[c], "; should be ", least, " or more"));
      }
    }
    return {};
  };
  MLGRAPH_RETURN_IF_ERROR(check_labels(program.runtime, "config_runtime", 0));  // 0 is a placeholder
  return check_labels(program.runtime_normalizer, "config_runtime_normalizers", 1);
}

inline Status check_finite_configs(const ConfigView& configs) {
  if (configs.wide.empty()) return {};
  const MatrixView<const float> rows(configs.wide.data(), configs.num_configs, configs.config_size());
  for (std::int64_t c = 0; c < rows.rows; ++c) {
    for (std::int64_t i = 0; i < rows.cols; ++i) {
      if (mlgraph::detail::is_finite(rows(c, i))) continue;
      return Status::invalid_argument(str_cat("config ", c, " value ", i, " is ",
                                              mlgraph::detail::non_finite_name(rows(c, i)),
                                              "; should be finite"));
    }
  }
  return {};
}

}  // namespace detail

/// The values of a matrix without gaps between its rows: in place where there are none, else copied to
/// `buffer`.
[[nodiscard]] inline Span<const float> packed_rows(MatrixView<const float> x, AlignedVector<float>& buffer) {
  if (x.is_contiguous()) return {x.data, as_size(x.size())};
  buffer.clear();
  buffer.reserve(as_size(x.size()));
  for (std::int64_t r = 0; r < x.rows; ++r) buffer.insert(buffer.end(), x.row(r), x.row(r) + x.cols);
  return buffer;
}

/// What check_program looks at.
enum class ProgramCheck : std::uint8_t {
  kStructure,  ///< counts, ids, edges, splits, labels
  kAll,        ///< and that every feature is finite
};

/// Whether a program is what ProgramView promises.
///
/// Errors: lengths that do not fit; no nodes; more than kMaxNodes, kMaxEdges or kMaxConfigs; negative opcodes;
///         edges out of range, to themselves or twice; node_splits that do not ascend from 0 to N; configurable
///         nodes out of range or twice; negative runtimes; normalizers below 1; (kAll) NaN or infinite
///         features. Names the key of a TpuGraphs file and the place in it; edges are named as there,
///         (consumer, producer).
/// Cost:   O(N + E + C), with kAll O(N F + E + all configs); E log E for edges that are not sorted.
[[nodiscard]] inline Status check_program(const ProgramView& program, ProgramCheck what = ProgramCheck::kAll) {
  const GraphView& graph = program.graph;
  if (graph.opcode.empty())
    return Status::invalid_argument("node_opcode is empty; a program has 1 node or more");
  MLGRAPH_RETURN_IF_ERROR(check_counts(signed_size(graph.opcode), 0));
  if (graph.x.rows != graph.num_nodes() || graph.x.cols < 0) {
    return Status::invalid_argument(str_cat("node_feat is (", graph.x.rows, ", ", graph.x.cols,
                                            "); node_opcode has ", graph.num_nodes(), " values"));
  }
  for (std::size_t v = 0; v < graph.opcode.size(); ++v) {
    if (graph.opcode[v] < 0) {
      return Status::out_of_range(str_cat("node_opcode ", v, " is ", graph.opcode[v], "; should be 0 or more"));
    }
  }
  MLGRAPH_RETURN_IF_ERROR(detail::check_program_edges(graph));
  MLGRAPH_RETURN_IF_ERROR(mlgraph::detail::check_node_splits(program.node_splits, graph.num_nodes()));
  MLGRAPH_RETURN_IF_ERROR(detail::check_config_ids(graph.config_node, graph.num_nodes()));
  MLGRAPH_RETURN_IF_ERROR(detail::check_program_configs(program));
  if (what == ProgramCheck::kStructure) return {};
  MLGRAPH_RETURN_IF_ERROR(mlgraph::detail::check_finite(graph.x));
  return detail::check_finite_configs(program.configs);
}

/// Copies a borrowed program.
[[nodiscard]] inline Program copy_program(const ProgramView& view) {
  Program program;
  program.name = std::string(view.name);
  program.num_features = view.graph.x.cols;
  const auto copy = [](auto from, auto& to) { to.assign(from.begin(), from.end()); };
  AlignedVector<float> gapless;
  copy(packed_rows(view.graph.x, gapless), program.x);
  copy(view.graph.opcode, program.opcode);
  copy(view.graph.edge_source, program.edge_source);
  copy(view.graph.edge_target, program.edge_target);
  copy(view.graph.config_node, program.config_node);
  copy(view.node_splits, program.node_splits);
  program.num_configs = view.configs.num_configs;
  program.config_features = view.configs.num_features;
  copy(view.configs.narrow, program.narrow_configs);
  copy(view.configs.wide, program.wide_configs);
  copy(view.runtime, program.runtime);
  copy(view.runtime_normalizer, program.runtime_normalizer);
  return program;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_PROGRAM_DATA_HPP
