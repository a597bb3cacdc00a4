// SPDX-License-Identifier: Apache-2.0
// Graph: owns a validated graph. What is inside one never needs to be checked again.
#ifndef MLGRAPH_GRAPH_GRAPH_HPP
#define MLGRAPH_GRAPH_GRAPH_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/finite.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

inline Status check_finite(MatrixView<const float> x) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const float* const row = x.row(r);
    int num_bad = 0;
    for (std::int64_t c = 0; c < x.cols; ++c) num_bad += is_finite(row[c]) ? 0 : 1;  // no branch: vectorises
    if (num_bad == 0) continue;
    std::int64_t c = 0;
    while (is_finite(row[c])) ++c;
    return Status::invalid_argument(str_cat("node ", r, " feature ", c, " is ", non_finite_name(row[c])));
  }
  return {};
}

}  // namespace detail

/// A validated graph with its node features, opcodes, configurable nodes, and edges as CSR.
///
/// A value: copy, move and store it. Views are valid until the object is moved from, assigned to or destroyed.
class Graph {
 public:
  /// The graph of no nodes.
  Graph() = default;

  /// Copies and validates a borrowed graph. The number of nodes is the length of `opcode`.
  ///
  /// Shapes: view.x (N, F) with any stride; view.opcode (N); view.edge_source, view.edge_target (E);
  ///         view.config_node (K), distinct, in any order.
  /// Errors: lengths that differ, NaN or infinite features, negative opcodes, configurable nodes out of range
  ///         or repeated, and those of Edges::from_list; names the node, feature or edge.
  /// Cost:   O(N F + E).
  [[nodiscard]] static Result<Graph> from_view(const GraphView& view, const EdgeOptions& options = {}) {
    MLGRAPH_RETURN_IF_ERROR(check_nodes(view));
    Graph graph;
    MLGRAPH_RETURN_IF_ERROR(
        graph.edges_.assign(signed_size(view.opcode), view.edge_source, view.edge_target, options));
    MLGRAPH_RETURN_IF_ERROR(check_config_nodes(view));
    graph.num_features_ = view.x.cols;
    graph.x_.resize(as_size(view.x.size()));
    if (!graph.x_.empty()) {
      const auto row_size = as_size(view.x.cols);
      for (std::int64_t r = 0; r < view.x.rows; ++r) {
        std::memcpy(graph.x_.data() + r * view.x.cols, view.x.row(r), row_size * sizeof(float));
      }
    }
    graph.opcode_.assign(view.opcode.begin(), view.opcode.end());
    graph.config_node_.assign(view.config_node.begin(), view.config_node.end());
    graph.ptr_.assign({0, graph.num_nodes()});
    return graph;
  }

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(opcode_.size()); }
  [[nodiscard]] std::int64_t num_edges() const { return edges_.num_edges(); }
  [[nodiscard]] std::int64_t num_features() const { return num_features_; }

  [[nodiscard]] MatrixView<const float> x() const { return {x_.data(), num_nodes(), num_features_}; }  // (N, F)
  [[nodiscard]] Span<const std::int32_t> opcode() const { return opcode_; }                            // (N)
  [[nodiscard]] Span<const std::int32_t> config_node() const { return config_node_; }                  // (K)
  [[nodiscard]] EdgesView edges() const { return edges_.view(); }
  /// {0, N}: the nodes of this graph as those of a batch of one.
  [[nodiscard]] Span<const std::int32_t> ptr() const { return ptr_; }

 private:
  static Status check_nodes(const GraphView& view) {
    MLGRAPH_RETURN_IF_ERROR(check_counts(signed_size(view.opcode), 0));
    const std::int32_t num_nodes = view.num_nodes();
    if (view.x.rows != num_nodes) {
      return Status::invalid_argument(str_cat("x has ", view.x.rows, " rows; opcode has ", num_nodes));
    }
    if (view.x.cols < 0 || (view.x.rows > 1 && view.x.stride < view.x.cols)) {
      return Status::invalid_argument(str_cat("x has ", view.x.cols, " columns and stride ", view.x.stride,
                                              "; should be 0 <= columns <= stride"));
    }
    if (view.x.size() > 0 && view.x.data == nullptr) {
      return Status::invalid_argument(
          str_cat("x is (", view.x.rows, ", ", view.x.cols, ") but its data is null"));
    }
    MLGRAPH_RETURN_IF_ERROR(detail::check_finite(view.x));
    for (std::size_t v = 0; v < view.opcode.size(); ++v) {
      if (view.opcode[v] < 0) {
        return Status::out_of_range(
            str_cat("node ", v, " opcode is ", view.opcode[v], "; should be 0 or more"));
      }
    }
    return {};
  }

  static Status check_config_nodes(const GraphView& view) {
    if (view.config_node.empty()) return {};
    const std::int32_t num_nodes = view.num_nodes();
    AlignedVector<std::int32_t> position(view.opcode.size(), -1);
    for (std::size_t k = 0; k < view.config_node.size(); ++k) {
      const std::int32_t v = view.config_node[k];
      if (v < 0 || v >= num_nodes) {
        return Status::out_of_range(str_cat("config_node ", k, " is ", v, "; num_nodes is ", num_nodes));
      }
      std::int32_t& first = position[as_size(v)];
      if (first >= 0) {
        return Status::invalid_argument(
            str_cat("config_node ", k, " is ", v, " and so is config_node ", first));
      }
      first = static_cast<std::int32_t>(k);
    }
    return {};
  }

  std::int64_t num_features_ = 0;
  AlignedVector<float> x_;                    // (N, F)
  AlignedVector<std::int32_t> opcode_;        // (N)
  AlignedVector<std::int32_t> config_node_;   // (K)
  AlignedVector<std::int32_t> ptr_ = {0, 0};  // (2)
  Edges edges_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_GRAPH_HPP
