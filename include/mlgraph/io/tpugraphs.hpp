// SPDX-License-Identifier: Apache-2.0
// TpuGraphs' .npz files, read as Programs and written. Needs libzip.
#ifndef MLGRAPH_IO_TPUGRAPHS_HPP
#define MLGRAPH_IO_TPUGRAPHS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/npz.hpp"
#include "mlgraph/io/program_data.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// What a file must hold to be read. What it holds beyond that is read as well.
enum class Require : std::uint8_t {
  kGraph,     ///< nodes and edges: enough to look at
  kConfigs,   ///< and configurations: enough to rank them
  kRuntimes,  ///< and what was measured: enough to train and to evaluate
};

/// What a TpuGraphs file must have, and how large a program may be.
struct TpuGraphsOptions {
  Require require = Require::kRuntimes;
  /// The most bytes that the arrays of one program may have in memory, 4 GiB; checked before they are
  /// allocated.
  std::uint64_t max_bytes = std::uint64_t{4} << 30;
};

namespace detail {

/// TpuGraphs' edge_index as source and target. Its rows are [u, v]: u consumes the output of v, so that data
/// flows from v to u. No other place turns edges around.
inline void set_edges(Span<const std::int32_t> edge_index, Program& program) {
  const std::size_t num_edges = edge_index.size() / 2;
  program.edge_source.resize(num_edges);
  program.edge_target.resize(num_edges);
  for (std::size_t e = 0; e < num_edges; ++e) {
    program.edge_target[e] = edge_index[2 * e];
    program.edge_source[e] = edge_index[2 * e + 1];
  }
}

/// The inverse of set_edges; rows sorted as TpuGraphs has them.
[[nodiscard]] inline std::vector<std::int64_t> edge_index_of(const GraphView& graph) {
  std::vector<std::pair<std::int64_t, std::int64_t>> rows(graph.edge_source.size());
  for (std::size_t e = 0; e < rows.size(); ++e) rows[e] = {graph.edge_target[e], graph.edge_source[e]};
  std::sort(rows.begin(), rows.end());
  std::vector<std::int64_t> edge_index;
  edge_index.reserve(2 * rows.size());
  for (const auto& [u, v] : rows) {
    edge_index.push_back(u);
    edge_index.push_back(v);
  }
  return edge_index;
}

/// Reads the arrays of one archive; `where` is the file's name in messages.
class TpuGraphsReader {
 public:
  TpuGraphsReader(const NpzReader& npz, std::string where, const TpuGraphsOptions& options)
      : npz_(npz), where_(std::move(where)), options_(options), bytes_left_(options.max_bytes) {}

  Result<Program> read(std::string name) {
    program_.name = std::move(name);
    MLGRAPH_RETURN_IF_ERROR(read_graph());
    const bool layout = npz_.contains("node_config_feat");
    if (layout && npz_.contains("config_feat")) {
      return error("has both config_feat (a tile file) and node_config_feat (a layout file)");
    }
    if (layout) {
      MLGRAPH_RETURN_IF_ERROR(read_layouts());
    } else if (npz_.contains("config_feat")) {
      MLGRAPH_RETURN_IF_ERROR(read_tiles());
    } else if (options_.require != Require::kGraph) {
      return error("has neither config_feat (a tile file) nor node_config_feat (a layout file)");
    }
    MLGRAPH_RETURN_IF_ERROR(read_labels(layout));
    const Status checked = check_program(program_.view());
    if (!checked.ok()) return checked.annotate(str_cat("tpugraphs: ", where_));
    return std::move(program_);
  }

 private:
  using Shape = std::vector<std::int64_t>;

  [[nodiscard]] Status error(const std::string& what) const {
    return Status::invalid_argument(str_cat("tpugraphs: ", where_, " ", what));
  }
  [[nodiscard]] Status wrong_shape(std::string_view key, const Shape& shape, const std::string& wanted) const {
    return Status::invalid_argument(
        str_cat("tpugraphs: ", where_, ": ", key, " is ", shape_text(shape), "; should be ", wanted));
  }

  /// The shape of an array, of which each element will need `element_bytes`.
  Result<Shape> take(std::string_view key, std::size_t element_bytes) {
    MLGRAPH_ASSIGN_OR_RETURN(NpyInfo info, npz_.info(key));
    if (info.num_elements > bytes_left_ / element_bytes) {
      return Status::resource_exhausted(str_cat("tpugraphs: ", where_, ": ", key, " ", shape_text(info.shape),
                                                " goes beyond the limit of ", options_.max_bytes, " bytes"));
    }
    bytes_left_ -= info.num_elements * element_bytes;
    return std::move(info.shape);
  }

  template <class T>
  Status read_whole(std::string_view key, AlignedVector<T>& to) const {
    MLGRAPH_ASSIGN_OR_RETURN(const NpyArray<T> array, npz_.read<T>(key));
    to.assign(array.values.begin(), array.values.end());
    return {};
  }

  /// Row after row, so that the file's own type is never in memory as a whole.
  template <class T>
  Status read_by_rows(std::string_view key, std::int64_t num_values, AlignedVector<T>& to) const {
    to.resize(as_size(num_values));
    T* next = to.data();
    return npz_.read_rows<T>(
        key, [&](std::int64_t, Span<const T> row) { next = std::copy(row.begin(), row.end(), next); });
  }

  Status read_graph() {
    MLGRAPH_ASSIGN_OR_RETURN(const Shape opcode, take("node_opcode", sizeof(std::int32_t)));
    if (opcode.size() != 1) return wrong_shape("node_opcode", opcode, "(num_nodes,)");
    MLGRAPH_RETURN_IF_ERROR(read_whole("node_opcode", program_.opcode));
    num_nodes_ = opcode[0];

    MLGRAPH_ASSIGN_OR_RETURN(const Shape x, take("node_feat", sizeof(float)));
    if (x.size() != 2 || x[0] != num_nodes_) {
      return wrong_shape("node_feat", x, str_cat("(", num_nodes_, ", features), as node_opcode has"));
    }
    program_.num_features = x[1];
    MLGRAPH_RETURN_IF_ERROR(read_by_rows("node_feat", x[0] * x[1], program_.x));

    MLGRAPH_ASSIGN_OR_RETURN(const Shape edges, take("edge_index", sizeof(std::int32_t)));
    if (edges.size() != 2 || edges[1] != 2) return wrong_shape("edge_index", edges, "(num_edges, 2)");
    AlignedVector<std::int32_t> edge_index;
    MLGRAPH_RETURN_IF_ERROR(read_whole("edge_index", edge_index));
    set_edges(edge_index, program_);

    if (!npz_.contains("node_splits")) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const Shape splits, take("node_splits", sizeof(std::int32_t)));
    if (splits.size() != 1 && !(splits.size() == 2 && splits[0] == 1)) {
      return wrong_shape("node_splits", splits, "(num_splits,) or (1, num_splits)");
    }
    return read_whole("node_splits", program_.node_splits);
  }

  Status read_layouts() {
    MLGRAPH_ASSIGN_OR_RETURN(const Shape ids, take("node_config_ids", sizeof(std::int32_t)));
    if (ids.size() != 1 || ids[0] == 0) return wrong_shape("node_config_ids", ids, "(1 or more,)");
    MLGRAPH_RETURN_IF_ERROR(read_whole("node_config_ids", program_.config_node));

    MLGRAPH_ASSIGN_OR_RETURN(const Shape feat, take("node_config_feat", sizeof(std::int8_t)));
    if (feat.size() != 3 || feat[1] != ids[0]) {
      return wrong_shape("node_config_feat", feat,
                         str_cat("(configs, ", ids[0], ", features), as node_config_ids has"));
    }
    MLGRAPH_RETURN_IF_ERROR(set_num_configs("node_config_feat", feat));
    const std::int64_t num_values = feat[0] * feat[1] * feat[2];  // known to fit, as the file has them
    const Status narrow = read_by_rows("node_config_feat", num_values, program_.narrow_configs);
    if (narrow.code() != StatusCode::kOutOfRange) return narrow;
    program_.narrow_configs = {};  // a value is no int8
    MLGRAPH_RETURN_IF_ERROR(take("node_config_feat", sizeof(float) - sizeof(std::int8_t)).status());
    return read_by_rows("node_config_feat", num_values, program_.wide_configs);
  }

  Status read_tiles() {
    MLGRAPH_ASSIGN_OR_RETURN(const Shape feat, take("config_feat", sizeof(float)));
    if (feat.size() != 2) return wrong_shape("config_feat", feat, "(configs, features)");
    MLGRAPH_RETURN_IF_ERROR(set_num_configs("config_feat", feat));
    return read_by_rows("config_feat", feat[0] * feat[1], program_.wide_configs);
  }

  Status set_num_configs(std::string_view key, const Shape& feat) {
    if (feat[0] == 0 || feat.back() == 0)
      return wrong_shape(key, feat, "1 config or more of 1 feature or more");
    program_.num_configs = feat[0];
    program_.config_features = feat.back();
    return {};
  }

  Status read_labels(bool layout) {
    const bool required = options_.require == Require::kRuntimes;
    if (program_.num_configs == 0) return {};  // nothing that could have been measured
    MLGRAPH_RETURN_IF_ERROR(read_label("config_runtime", required, program_.runtime));
    if (layout || program_.runtime.empty()) return {};
    return read_label("config_runtime_normalizers", required, program_.runtime_normalizer);
  }

  Status read_label(std::string_view key, bool required, AlignedVector<std::int64_t>& to) {
    if (!npz_.contains(key) && !required) return {};
    MLGRAPH_ASSIGN_OR_RETURN(const Shape shape, take(key, sizeof(std::int64_t)));
    if (shape.size() != 1 || shape[0] != program_.num_configs) {
      return wrong_shape(key, shape, str_cat("(", program_.num_configs, ",), a value per config"));
    }
    return read_whole(key, to);
  }

  const NpzReader& npz_;
  std::string where_;
  TpuGraphsOptions options_;
  std::uint64_t bytes_left_;
  std::int64_t num_nodes_ = 0;
  Program program_;
};

[[nodiscard]] inline Result<NpzWriter> npz_writer_of(const ProgramView& program) {
  const Status checked = check_program(program);
  if (!checked.ok()) return checked.annotate(str_cat("tpugraphs: program '", program.name, "'"));
  NpzWriter npz;
  const auto add = [&npz](const char* key, const std::vector<std::int64_t>& shape, const auto& values) {
    return npz.add(key, shape, Span<const typename std::decay_t<decltype(values)>::value_type>(values));
  };
  const auto count = [](const auto& values) { return signed_size(values); };
  const auto widened = [](Span<const std::int32_t> from) {
    return std::vector<std::int64_t>(from.begin(), from.end());
  };
  const GraphView& graph = program.graph;

  AlignedVector<float> gapless;
  MLGRAPH_RETURN_IF_ERROR(add("node_feat", {graph.x.rows, graph.x.cols}, packed_rows(graph.x, gapless)));
  if (*std::max_element(graph.opcode.begin(), graph.opcode.end()) <= 255) {
    const std::vector<std::uint8_t> opcode(graph.opcode.begin(), graph.opcode.end());
    MLGRAPH_RETURN_IF_ERROR(add("node_opcode", {count(opcode)}, opcode));
  } else {
    MLGRAPH_RETURN_IF_ERROR(add("node_opcode", {count(graph.opcode)}, graph.opcode));
  }
  MLGRAPH_RETURN_IF_ERROR(add("edge_index", {count(graph.edge_source), 2}, edge_index_of(graph)));
  if (!program.node_splits.empty()) {
    MLGRAPH_RETURN_IF_ERROR(add("node_splits", {1, count(program.node_splits)}, widened(program.node_splits)));
  }

  const ConfigView& configs = program.configs;
  if (configs.num_configs > 0) {
    const std::vector<float> feat(configs.narrow.begin(), configs.narrow.end());
    const Span<const float> values = configs.wide.empty() ? Span<const float>(feat) : configs.wide;
    if (config_kind_of(program) == ConfigKind::kTile) {
      MLGRAPH_RETURN_IF_ERROR(add("config_feat", {configs.num_configs, configs.num_features}, values));
    } else {
      MLGRAPH_RETURN_IF_ERROR(add(
          "node_config_feat", {configs.num_configs, configs.rows_per_config, configs.num_features}, values));
    }
  }
  if (!graph.config_node.empty()) {
    MLGRAPH_RETURN_IF_ERROR(add("node_config_ids", {count(graph.config_node)}, widened(graph.config_node)));
  }
  if (!program.runtime.empty()) {
    MLGRAPH_RETURN_IF_ERROR(add("config_runtime", {count(program.runtime)}, program.runtime));
  }
  if (!program.runtime_normalizer.empty()) {
    MLGRAPH_RETURN_IF_ERROR(
        add("config_runtime_normalizers", {count(program.runtime_normalizer)}, program.runtime_normalizer));
  }
  return npz;
}

}  // namespace detail

/// The stem of a path: what a program of that file is called.
[[nodiscard]] inline std::string program_name_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

/// Reads the program in a TpuGraphs .npz. Which kind of configs it has, is told by its keys; any number of node
/// and config features will do. Layouts are narrowed to int8 while they are inflated: 2.6 GB of float32 never
/// exist at once.
///
/// Errors: those of NpzReader; keys that are missing (see TpuGraphsOptions::require) or contradict each other,
///         shapes that do not fit, and those of check_program; all name the file, the key and the place in it.
/// Cost:   the memory of the Program (options.max_bytes at most), a block of 64 KB and one row of configs.
[[nodiscard]] inline Result<Program> read_tpugraphs_npz(const std::string& path,
                                                        const TpuGraphsOptions& options = {}) {
  NpzOptions npz_options;
  npz_options.max_bytes = as_size(options.max_bytes);
  MLGRAPH_ASSIGN_OR_RETURN(const NpzReader npz, NpzReader::open(path, npz_options));
  return detail::TpuGraphsReader(npz, path, options).read(program_name_of(path));
}
/// The same from memory; the program gets the name given.
[[nodiscard]] inline Result<Program> read_tpugraphs_npz(Span<const std::byte> bytes, std::string name,
                                                        const TpuGraphsOptions& options = {}) {
  NpzOptions npz_options;
  npz_options.max_bytes = as_size(options.max_bytes);
  MLGRAPH_ASSIGN_OR_RETURN(const NpzReader npz, NpzReader::from_memory(bytes, npz_options));
  return detail::TpuGraphsReader(npz, name, options).read(name);
}

/// Writes a program as a TpuGraphs .npz: keys, types and order of edges as the published files have them.
/// Whatever the program lacks (configs, runtimes, splits) is left out. The file is replaced only when all is
/// written.
///
/// Errors: those of check_program and of NpzWriter.
/// Cost:   configs are in memory as float32, twice.
[[nodiscard]] inline Status to_npz(const ProgramView& program, const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzWriter npz, detail::npz_writer_of(program));
  return npz.save(path);
}
/// The bytes of that file.
[[nodiscard]] inline Result<std::vector<std::byte>> to_npz(const ProgramView& program) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzWriter npz, detail::npz_writer_of(program));
  return npz.to_bytes();
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_TPUGRAPHS_HPP
