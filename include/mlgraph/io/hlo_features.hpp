// SPDX-License-Identifier: Apache-2.0
// The featurizer: an HLO module becomes the graph, the opcode ids and the 140 node features of TpuGraphs.
#ifndef MLGRAPH_IO_HLO_FEATURES_HPP
#define MLGRAPH_IO_HLO_FEATURES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/io/hlo_feature_row.hpp"
#include "mlgraph/io/hlo_module.hpp"
#include "mlgraph/io/hlo_opcode.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// How node features are made. The defaults give the published features, bit for bit.
struct HloFeatureOptions {
  /// Fills the unused columns of a list. 0 as published, where it collides with axis 0; -1 does not.
  float padding = 0;
  /// Appends the kHloExtraFeatures columns that strong solutions added; their unused columns are -1.
  bool extra = false;
};

/// A graph in the form of a TpuGraphs npz. Row i of everything is the i-th instruction of the file.
struct HloGraph {
  std::int64_t num_nodes = 0;
  std::int64_t num_edges = 0;
  std::int64_t num_features = 0;
  std::vector<float> node_feat;           // (num_nodes, num_features)
  std::vector<std::uint8_t> node_opcode;  // (num_nodes) see hlo_opcode.hpp
  std::vector<std::int64_t> edge_index;   // (num_edges, 2) rows [u, v], sorted: u consumes the output of v
  std::vector<std::int64_t> node_splits;  // first 0, last num_nodes
};

namespace detail {

/// Instructions by row, and rows by id.
class HloIndex {
 public:
  struct Row {
    const HloInstruction* instruction;
    bool is_root;
  };

  [[nodiscard]] static Result<HloIndex> make(const HloModule& module) {
    HloIndex index;
    const auto num_rows = as_size(module.num_instructions());
    index.rows_.reserve(num_rows);
    index.row_of_id_.reserve(num_rows);
    for (const HloComputation& computation : module.computations) {
      std::int64_t root = -1;
      for (const HloInstruction& inst : computation.instructions) {
        const auto row = signed_size(index.rows_);
        if (inst.id == computation.root_id) root = row;
        index.row_of_id_.emplace_back(inst.id, row);
        index.rows_.push_back({&inst, inst.id == computation.root_id});
      }
      if (root < 0) {
        return Status::data_loss(str_cat("hlo_features: the root of computation '", computation.name,
                                         "' is id ", computation.root_id,
                                         ", which none of its instructions has"));
      }
      index.root_of_computation_.emplace_back(computation.id, root);
    }
    MLGRAPH_RETURN_IF_ERROR(sort_unique(index.row_of_id_, "instructions"));
    MLGRAPH_RETURN_IF_ERROR(sort_unique(index.root_of_computation_, "computations"));
    return index;
  }

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  /// Row of the instruction with this id, or -1.
  [[nodiscard]] std::int64_t row_of(std::int64_t id) const { return find(row_of_id_, id); }
  /// Row of the root of the computation with this id, or -1.
  [[nodiscard]] std::int64_t root_of(std::int64_t computation_id) const {
    return find(root_of_computation_, computation_id);
  }

 private:
  using Table = std::vector<std::pair<std::int64_t, std::int64_t>>;  // (id, row), sorted

  static Status sort_unique(Table& table, std::string_view what) {
    std::sort(table.begin(), table.end());
    for (std::size_t i = 1; i < table.size(); ++i) {
      if (table[i].first == table[i - 1].first) {
        return Status::data_loss(
            str_cat("hlo_features: two ", what, " have id ", table[i].first, "; ids should be unique"));
      }
    }
    return {};
  }
  static std::int64_t find(const Table& table, std::int64_t id) {
    const auto at = std::lower_bound(table.begin(), table.end(), std::pair{id, std::int64_t{-1}});
    return at != table.end() && at->first == id ? at->second : -1;
  }

  std::vector<Row> rows_;
  Table row_of_id_;
  Table root_of_computation_;
};

inline Status edge_error(const HloInstruction& inst, std::size_t row, const std::string& what) {
  return Status::data_loss(str_cat("hlo_features: instruction '", inst.name, "' (row ", row, ") ", what));
}

/// Appends the edges of one row in ascending order; `sources` is scratch.
inline Status append_edges(const HloIndex& index, std::size_t row, std::vector<std::int64_t>& sources,
                           std::vector<std::int64_t>& edge_index) {
  const HloInstruction& inst = *index.rows()[row].instruction;
  sources.clear();
  for (const std::int64_t id : inst.operand_ids) {
    sources.push_back(index.row_of(id));
    if (sources.back() < 0)
      return edge_error(inst, row, str_cat("consumes id ", id, ", which no instruction has"));
  }
  for (const std::int64_t id : inst.called_computation_ids) {
    sources.push_back(index.root_of(id));
    if (sources.back() < 0)
      return edge_error(inst, row, str_cat("calls id ", id, ", which no computation has"));
  }
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());  // what is used twice is one edge
  for (const std::int64_t source : sources) {
    if (source == static_cast<std::int64_t>(row)) return edge_error(inst, row, "consumes its own output");
    edge_index.push_back(static_cast<std::int64_t>(row));
    edge_index.push_back(source);
  }
  return {};
}

/// Fails when a row needs its own output through others. `edge_index`: rows [u, v], sorted. O(N + E).
inline Status check_no_cycle(const HloIndex& index, const std::vector<std::int64_t>& edge_index) {
  const std::size_t num_edges = edge_index.size() / 2;
  bool ascends = true;  // then there is no cycle, as in every module that XLA writes
  for (std::size_t e = 0; e < num_edges; ++e) ascends &= edge_index[2 * e + 1] < edge_index[2 * e];
  if (ascends) return {};
  const std::size_t num_rows = index.rows().size();
  std::vector<std::size_t> next(num_rows, num_edges);  // the edge that the walk takes next out of each row
  for (std::size_t e = num_edges; e-- > 0;) next[as_size(edge_index[2 * e])] = e;
  enum : std::uint8_t { kNew, kOpen, kDone };
  std::vector<std::uint8_t> state(num_rows, kNew);
  std::vector<std::size_t> path;
  for (std::size_t start = 0; start < num_rows; ++start) {
    if (state[start] == kNew) path.push_back(start);
    while (!path.empty()) {
      const std::size_t row = path.back();
      state[row] = kOpen;
      const std::size_t e = next[row];
      if (e == num_edges || as_size(edge_index[2 * e]) != row) {
        state[row] = kDone;
        path.pop_back();
        continue;
      }
      ++next[row];
      const auto source = as_size(edge_index[2 * e + 1]);
      if (state[source] == kOpen) {
        return edge_error(*index.rows()[source].instruction, source, "needs its own output, through others");
      }
      if (state[source] == kNew) path.push_back(source);
    }
  }
  return {};
}

/// TpuGraphs starts a new segment after computations with these names.
inline bool ends_segment(std::string_view computation_name) {
  for (const std::string_view part : {"cluster", "while", "cond"}) {
    if (computation_name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace detail

/// The columns that HloFeatureOptions make.
[[nodiscard]] constexpr std::int64_t num_hlo_features(const HloFeatureOptions& options) {
  return kNumHloFeatures + (options.extra ? kNumHloExtraFeatures : 0);
}

/// The graph and the node features of a module.
///
/// Nodes are all instructions of all computations in file order; an edge [u, v] says that u consumes the output
/// of v, either as an operand or as the root of a computation that u calls; what u uses twice is one edge.
/// Which column is which: hlo_feature_row.hpp.
///
/// Shapes: node_feat (N, num_hlo_features(options)); see HloGraph.
/// Errors: kDataLoss when ids are not unique, refer to nothing, or make a cycle.
/// Cost:   O(N log N + E log E); memory 4 bytes per feature and 16 per edge.
/// Source: Phothilimthana et al., arXiv:2308.13490, and its published feature list.
[[nodiscard]] inline Result<HloGraph> featurize(const HloModule& module,
                                                const HloFeatureOptions& options = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const detail::HloIndex index, detail::HloIndex::make(module));
  const std::vector<detail::HloIndex::Row>& rows = index.rows();
  const auto num_features = as_size(num_hlo_features(options));

  HloGraph graph;
  graph.num_nodes = signed_size(rows);
  graph.num_features = num_hlo_features(options);
  graph.node_feat.resize(rows.size() * num_features);
  graph.node_opcode.reserve(rows.size());
  std::vector<std::int64_t> sources;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const HloInstruction& inst = *rows[row].instruction;
    graph.node_opcode.push_back(hlo_opcode_id(inst.opcode));
    MLGRAPH_RETURN_IF_ERROR(detail::append_edges(index, row, sources, graph.edge_index));

    detail::FeatureWriter writer(graph.node_feat.data() + row * num_features, options.padding);
    detail::write_features(inst, rows[row].is_root, writer);
    if (options.extra) {
      const HloShape* operands[2] = {nullptr, nullptr};
      for (std::size_t i = 0; i < 2 && i < inst.operand_ids.size(); ++i) {
        operands[i] = &rows[as_size(index.row_of(inst.operand_ids[i]))].instruction->shape;
      }
      detail::FeatureWriter extra(writer.next(), -1.0f);
      detail::write_extra_features(inst, rows[row].is_root, operands[0], operands[1], extra);
    }
  }
  graph.num_edges = static_cast<std::int64_t>(graph.edge_index.size() / 2);
  MLGRAPH_RETURN_IF_ERROR(detail::check_no_cycle(index, graph.edge_index));

  graph.node_splits.push_back(0);
  std::int64_t count = 0;
  for (const HloComputation& computation : module.computations) {
    count += signed_size(computation.instructions);
    if (detail::ends_segment(computation.name)) graph.node_splits.push_back(count);
  }
  if (graph.node_splits.back() != count) graph.node_splits.push_back(count);
  return graph;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_HLO_FEATURES_HPP
