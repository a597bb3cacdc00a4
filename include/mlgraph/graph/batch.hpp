// SPDX-License-Identifier: Apache-2.0
// Batch: many graphs as one, block by block, in buffers that are used again.
#ifndef MLGRAPH_GRAPH_BATCH_HPP
#define MLGRAPH_GRAPH_BATCH_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/named_array.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Many graphs as one, borrowed: what a model's forward() takes. N and E are sums over the G graphs.
struct BatchView {
  MatrixView<const float> x;            // (N, F)
  Span<const std::int32_t> opcode;      // (N), or none
  EdgesView edges;                      // block-diagonal: no edge between two graphs
  Span<const std::int32_t> ptr;         // (G + 1) nodes of graph g: [ptr[g], ptr[g + 1])
  Span<const std::int32_t> batch = {};  // (N) the graph of each node
  Span<const NamedArray> arrays = {};   // of the graphs of a GraphDataset; ids in them are as they were

  [[nodiscard]] std::int32_t num_nodes() const { return ptr.empty() ? 0 : ptr.back(); }
  [[nodiscard]] std::int32_t num_graphs() const {
    return ptr.empty() ? 0 : static_cast<std::int32_t>(ptr.size() - 1);
  }
  /// An array by its name: (N, E or G; cols). (0, 0) where there is none of this name and number type; an op
  /// that reads it says what it expected.
  [[nodiscard]] MatrixView<const float> f32(std::string_view name) const {
    const NamedArray* const array = find_array(arrays, name);
    return array == nullptr ? MatrixView<const float>() : array->f32;
  }
  [[nodiscard]] MatrixView<const std::int32_t> i32(std::string_view name) const {
    const NamedArray* const array = find_array(arrays, name);
    return array == nullptr ? MatrixView<const std::int32_t>() : array->i32;
  }
  /// The same of an array with one column, as a list.
  [[nodiscard]] Span<const std::int32_t> ids(std::string_view name) const {
    const MatrixView<const std::int32_t> array = i32(name);
    if (array.cols != 1) return {};
    return {array.data, as_size(array.rows)};
  }
};

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
    for (const Graph* const graph : graphs) append(graph->num_nodes(), graph->x(), graph->opcode());
    return {};
  }

  /// The same of some graphs of a set, with its arrays. The batch borrows their names from the set.
  ///
  /// Errors: a graph that the set does not have; totals beyond int32.
  /// Cost:   O(N F + E + elements of arrays).
  Status assign(const GraphDataset& dataset, Span<const std::size_t> graphs) {
    clear();
    for (std::size_t g = 0; g < graphs.size(); ++g) {
      if (graphs[g] >= dataset.size()) {
        clear();
        return Status::out_of_range(
            str_cat("graph ", g, " of the batch is graph ", graphs[g], "; the set has ", dataset.size()));
      }
      views_.push_back(dataset.graph(graphs[g]).edges);
    }
    const Status status = edges_.assign_blocks(views_);
    if (!status.ok()) {
      clear();
      return status;
    }
    num_features_ = dataset.num_features();
    for (const std::size_t g : graphs) {
      const StoredGraph graph = dataset.graph(g);
      append(graph.num_nodes, graph.x, graph.opcode);
    }
    assign_arrays(dataset, graphs);
    return {};
  }

  [[nodiscard]] BatchView view() const {
    return {{x_.data(), ptr_.back(), num_features_}, opcode_, edges_.view(), ptr_, batch_, arrays_};
  }

 private:
  void clear() {
    num_features_ = 0;
    x_.clear();
    opcode_.clear();
    ptr_.assign(1, 0);
    batch_.clear();
    arrays_.clear();
    edges_.clear();
    views_.clear();
  }

  // Totals were checked by assign_blocks: every shift fits.
  void append(std::int32_t num_nodes, MatrixView<const float> x, Span<const std::int32_t> opcode) {
    if (x.size() > 0) x_.insert(x_.end(), x.data, x.data + x.size());
    opcode_.insert(opcode_.end(), opcode.begin(), opcode.end());
    batch_.resize(batch_.size() + as_size(num_nodes), static_cast<std::int32_t>(ptr_.size() - 1));
    ptr_.push_back(ptr_.back() + num_nodes);
  }

  void assign_arrays(const GraphDataset& dataset, Span<const std::size_t> graphs) {
    if (graphs.empty()) return;
    floats_.resize(std::max(floats_.size(), dataset.num_arrays()));
    ints_.resize(floats_.size());
    for (std::size_t a = 0; a < dataset.num_arrays(); ++a) {
      NamedArray array = dataset.array(graphs[0], a);
      if (array.is_int) {
        concatenate(dataset, graphs, a, &NamedArray::i32, ints_[a], array);
      } else {
        concatenate(dataset, graphs, a, &NamedArray::f32, floats_[a], array);
      }
      arrays_.push_back(array);
    }
  }
  template <class T>
  static void concatenate(const GraphDataset& dataset, Span<const std::size_t> graphs, std::size_t a,
                          MatrixView<const T> NamedArray::*member, AlignedVector<T>& to, NamedArray& array) {
    to.clear();
    std::int64_t rows = 0;
    for (const std::size_t g : graphs) {
      const NamedArray part = dataset.array(g, a);
      const MatrixView<const T> values = part.*member;
      to.insert(to.end(), values.data, values.data + values.size());
      rows += values.rows;
    }
    array.*member = {to.data(), rows, array.cols()};
  }

  std::int64_t num_features_ = 0;
  AlignedVector<float> x_;
  AlignedVector<std::int32_t> opcode_;
  AlignedVector<std::int32_t> ptr_ = {0};
  AlignedVector<std::int32_t> batch_;
  std::vector<NamedArray> arrays_;
  std::vector<AlignedVector<float>> floats_;       // of array a, where it is of float
  std::vector<AlignedVector<std::int32_t>> ints_;  // likewise
  Edges edges_;
  std::vector<EdgesView> views_;  // scratch of assign()
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_BATCH_HPP
