// SPDX-License-Identifier: Apache-2.0
// Batch: many graphs as one, block by block, in buffers that are used again.
#ifndef MLGRAPH_GRAPH_BATCH_HPP
#define MLGRAPH_GRAPH_BATCH_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {

/// Many graphs as one, borrowed: what a model's forward() takes. N and E are sums over the G graphs.
struct BatchView {
  MatrixView<const float> x;        // (N, F)
  Span<const std::int32_t> opcode;  // (N)
  EdgesView edges;                  // block-diagonal: no edge between two graphs
  Span<const std::int32_t> ptr;     // (G + 1) nodes of graph g: [ptr[g], ptr[g + 1])

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(opcode.size()); }
  [[nodiscard]] std::int32_t num_graphs() const {
    return ptr.empty() ? 0 : static_cast<std::int32_t>(ptr.size() - 1);
  }
};

MLGRAPH_BEGIN_ISA

/// Owns a batch. PyG's `Batch.from_data_list`, with buffers that the next assign() uses again.
class Batch {
 public:
  /// The batch of no graphs.
  Batch() = default;

  /// Copies the graphs into the memory this batch has: a second batch that is no larger allocates nothing.
  /// After an error the batch is empty.
  ///
  /// Errors: graphs of different widths, or with and without EdgeOptions::both (names the graph); totals beyond
  ///         int32.
  /// Cost:   O(N F + E).
  Status assign(Span<const Graph* const> graphs) {
    clear();
    for (std::size_t g = 0; g < graphs.size(); ++g) {
      MLGRAPH_ASSERT(graphs[g] != nullptr, "a batch is made of graphs, not of null pointers");
      if (graphs[g]->num_features() != graphs[0]->num_features()) {
        return Status::invalid_argument(str_cat("graph ", g, " has ", graphs[g]->num_features(),
                                                " features per node; graph 0 has ", graphs[0]->num_features()));
      }
      views_.push_back(graphs[g]->edges());
    }
    MLGRAPH_RETURN_IF_ERROR(edges_.assign_blocks(views_));
    if (!graphs.empty()) num_features_ = graphs[0]->num_features();
    for (const Graph* const graph : graphs) append(*graph);
    return {};
  }

  [[nodiscard]] BatchView view() const {
    const auto num_nodes = static_cast<std::int64_t>(opcode_.size());
    return {{x_.data(), num_nodes, num_features_}, opcode_, edges_.view(), ptr_};
  }

 private:
  void clear() {
    num_features_ = 0;
    x_.clear();
    opcode_.clear();
    ptr_.assign(1, 0);
    edges_.clear();
    views_.clear();
  }

  // Totals were checked by assign_blocks: every shift fits.
  void append(const Graph& graph) {
    const MatrixView<const float> x = graph.x();
    x_.insert(x_.end(), x.data, x.data + x.size());
    opcode_.insert(opcode_.end(), graph.opcode().begin(), graph.opcode().end());
    ptr_.push_back(ptr_.back() + graph.num_nodes());
  }

  std::int64_t num_features_ = 0;
  AlignedVector<float> x_;
  AlignedVector<std::int32_t> opcode_;
  AlignedVector<std::int32_t> ptr_ = {0};
  Edges edges_;
  std::vector<EdgesView> views_;  // scratch of assign()
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_BATCH_HPP
