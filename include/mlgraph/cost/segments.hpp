// SPDX-License-Identifier: Apache-2.0
// Segments: a program's graph as a model computes it, cut where the model's options say, features normalised.
#ifndef MLGRAPH_COST_SEGMENTS_HPP
#define MLGRAPH_COST_SEGMENTS_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/locality.hpp"
#include "mlgraph/graph/partition.hpp"
#include "mlgraph/graph/positional_encoding.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/graph/subgraph.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// A part of a program's graph, or all of it. Inner nodes come first, then the halo.
struct Segment {
  Graph graph;  // x normalised, (n, F')
  /// (n 6) rows of the layout table; empty where layouts are not embedded.
  std::vector<std::int32_t> node_layout;
  std::vector<std::int32_t> node;        // (n) which node of the program each is
  std::int64_t num_halo = 0;             // nodes
  std::int64_t num_halo_config = 0;      // configurable nodes
  std::vector<std::int32_t> config_row;  // which rows of a configuration its configurable nodes have
  FlowPlan rows;  // those that no configuration changes; not made where NetPlan::merges_rows() is false

  /// Memory that it takes, about.
  [[nodiscard]] std::size_t bytes() const {
    const std::size_t nodes = as_size(graph.num_nodes()), edges = as_size(graph.num_edges());
    const std::size_t of_edges =
        7 * edges + 2 * nodes + (graph.edges().both.csr.num_rows() > 0 ? 4 * edges + nodes : 0);
    return 4 * (as_size(graph.x().size()) + nodes + graph.config_node().size() + of_edges + node_layout.size() +
                node.size() + config_row.size()) +
           rows.bytes() + rows.fixed_bytes();
  }

  // A plan of rows borrows the edges of the graph.
  Segment() = default;
  Segment(Segment&&) = default;
  Segment& operator=(Segment&&) = default;
};

/// Cuts a graph into segments of at most max_size nodes: the form of locality_partition() and of
/// io::metis_partition().
using PartitionFunction = Result<Partition> (*)(const EdgesView& edges, std::int32_t max_size);

/// The partition that the options ask for. `metis`: how kMetis cuts, as the engine itself has no METIS.
/// Errors: those of the partition: a cycle (kTopological), no or wrong node_splits (kComputations), no `metis`
///         (kMetis).
[[nodiscard]] inline Result<Partition> make_partition(const ProgramView& view, const EdgesView& edges,
                                                      const SegmentOptions& options,
                                                      PartitionFunction metis = nullptr) {
  const auto max_size = static_cast<std::int32_t>(options.max_size);
  switch (options.partitioner) {
    case Partitioner::kComputations:
      return split_partition(edges.num_nodes(), view.node_splits, max_size);
    case Partitioner::kLocality:
      return locality_partition(edges, max_size);
    case Partitioner::kMetis:
      if (metis != nullptr) return metis(edges, max_size);
      return Status::unavailable(
          "the model's segments are cut by METIS; give it io::metis_partition by set_metis() first");
    case Partitioner::kTopological:
      break;
  }
  return interval_partition(edges, max_size);
}

namespace detail {

/// Graph::from_view with normalised features and every adjacency.
[[nodiscard]] inline Result<Graph> normalized_graph(GraphView view, const AlignedVector<float>& x,
                                                    std::int64_t width, DuplicateEdges duplicates) {
  view.x = {x.data(), view.x.rows, width};
  EdgeOptions options;
  options.duplicates = duplicates;
  options.both = true;
  return Graph::from_view(view, options);
}

/// The positions of an encoder, of each node of a graph: returns of random walks, then the depth as a share of
/// the largest.  Shapes: -> (N, encoder.num_positions()).  Errors: those of dag_depth().
[[nodiscard]] inline Result<AlignedVector<float>> positions_of(const EdgesView& edges,
                                                               const NodeEncoder& encoder) {
  const std::int64_t width = encoder.num_positions(), num_nodes = edges.num_nodes();
  AlignedVector<float> positions(as_size(num_nodes * width));
  if (encoder.walk_steps() > 0) {
    MatrixView<float> walks(positions.data(), num_nodes, encoder.walk_steps());
    walks.stride = width;
    random_walk_encoding(edges, walks);
  }
  if (!encoder.dag_depth()) return positions;
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::int32_t> depth, dag_depth(edges));
  const std::int32_t deepest = depth.empty() ? 0 : *std::max_element(depth.begin(), depth.end());
  for (std::size_t v = 0; v < depth.size(); ++v) {
    positions[(v + 1) * as_size(width) - 1] =
        static_cast<float>(depth[v]) / static_cast<float>(std::max(1, deepest));
  }
  return positions;
}

/// Encodes single nodes of a graph.
class EncodedNodes {
 public:
  /// `positions`: of positions_of(), for each node.
  EncodedNodes(const GraphView& graph, const NodeEncoder& encoder, AlignedVector<float> positions)
      : graph_(graph), encoder_(encoder), positions_(std::move(positions)) {}

  /// Shapes: row (encoder.num_outputs()); `classes` as for NodeEncoder::apply().
  void encode(std::int32_t node, float* row, std::vector<std::int32_t>& classes) const {
    encoder_.apply(graph_.x.row(node), graph_.opcode[node], row, classes);
    const std::int64_t count = encoder_.num_positions();
    std::copy_n(positions_.data() + node * count, count, row + encoder_.num_outputs() - count);
  }
  [[nodiscard]] std::int64_t width() const { return encoder_.num_outputs(); }

 private:
  const GraphView& graph_;
  const NodeEncoder& encoder_;
  AlignedVector<float> positions_;
};

/// Cuts a validated graph along a partition.
class SegmentCutter {
 public:
  SegmentCutter(const ProgramView& view, const EdgesView& edges, const EncodedNodes& rows)
      : view_(view), edges_(edges), rows_(rows), config_row_(view.graph.opcode.size(), -1) {
    for (std::size_t k = 0; k < view.graph.config_node.size(); ++k)
      config_row_[as_size(view.graph.config_node[k])] = static_cast<std::int32_t>(k);
  }

  [[nodiscard]] Result<Segment> cut(Span<const std::int32_t> nodes, bool halo) {
    MLGRAPH_ASSIGN_OR_RETURN(Subgraph part, halo ? halo_subgraph(edges_, nodes, scratch_)
                                                 : induced_subgraph(edges_, nodes, scratch_));
    Segment segment;
    segment.node = part.node;
    segment.num_halo = signed_size(part.node) - part.num_inner;
    const std::int64_t width = rows_.width();
    x_.resize(part.node.size() * as_size(width));
    std::vector<std::int32_t> opcode, config_node;
    for (std::size_t i = 0; i < part.node.size(); ++i) {
      const std::int32_t v = part.node[i];
      opcode.push_back(view_.graph.opcode[v]);
      rows_.encode(v, x_.data() + static_cast<std::int64_t>(i) * width, segment.node_layout);
      const auto local = static_cast<std::int32_t>(i);
      const std::int32_t row = config_row_[as_size(v)];
      if (row < 0) continue;
      config_node.push_back(local);
      segment.config_row.push_back(row);
      if (local >= part.num_inner) ++segment.num_halo_config;
    }
    GraphView local_view;
    local_view.x.rows = signed_size(part.node);
    local_view.opcode = opcode;
    local_view.edge_source = part.source;
    local_view.edge_target = part.target;
    local_view.config_node = config_node;
    MLGRAPH_ASSIGN_OR_RETURN(segment.graph, normalized_graph(local_view, x_, width, DuplicateEdges::kKeep));
    return segment;
  }

 private:
  const ProgramView& view_;
  const EdgesView& edges_;
  const EncodedNodes& rows_;
  std::vector<std::int32_t> config_row_;  // (N) of a configuration, or -1
  NodeMap scratch_;
  AlignedVector<float> x_;
};

}  // namespace detail

/// Validates a program's graph, normalises its features and cuts it.
///
/// Errors: those of Graph::from_view and make_partition(); a cycle, where the encoder asks for depths.
/// Cost:   O(N F + E), that of random_walk_encoding() where it is asked for, and that of the partition; beside
///         the result, memory for one segment and the edges.
[[nodiscard]] inline Result<std::vector<Segment>> make_segments(
    const ProgramView& view, const NodeEncoder& encoder, const SegmentOptions& options,
    PartitionFunction metis = nullptr, DuplicateEdges duplicates = DuplicateEdges::kError) {
  std::vector<Segment> segments(1);
  const std::int64_t width = encoder.num_outputs();
  const std::int64_t num_nodes = view.graph.x.rows;
  const bool is_whole = options.max_size == 0 || num_nodes <= options.max_size;
  Graph whole;
  AlignedVector<float> positions;
  if (!is_whole || encoder.num_positions() > 0) {
    const AlignedVector<float> no_features;
    MLGRAPH_ASSIGN_OR_RETURN(whole, detail::normalized_graph(view.graph, no_features, 0, duplicates));
    MLGRAPH_ASSIGN_OR_RETURN(positions, detail::positions_of(whole.edges(), encoder));
  }
  const detail::EncodedNodes rows(view.graph, encoder, std::move(positions));
  if (is_whole) {
    AlignedVector<float> x(as_size(num_nodes * width));
    for (std::int64_t r = 0; r < num_nodes; ++r)
      rows.encode(static_cast<std::int32_t>(r), x.data() + r * width, segments[0].node_layout);
    MLGRAPH_ASSIGN_OR_RETURN(segments[0].graph, detail::normalized_graph(view.graph, x, width, duplicates));
    segments[0].config_row.resize(view.graph.config_node.size());
    std::iota(segments[0].config_row.begin(), segments[0].config_row.end(), 0);
    segments[0].node.resize(as_size(num_nodes));
    std::iota(segments[0].node.begin(), segments[0].node.end(), 0);
    return segments;
  }
  const EdgesView edges = whole.edges();
  MLGRAPH_ASSIGN_OR_RETURN(const Partition partition, make_partition(view, edges, options, metis));
  detail::SegmentCutter cutter(view, edges, rows);
  segments.resize(as_size(partition.num_segments()));
  for (std::int32_t j = 0; j < partition.num_segments(); ++j) {
    MLGRAPH_ASSIGN_OR_RETURN(segments[as_size(j)], cutter.cut(partition.segment(j), options.halo));
  }
  return segments;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_SEGMENTS_HPP
