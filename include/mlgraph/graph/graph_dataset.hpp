// SPDX-License-Identifier: Apache-2.0
// GraphDataset: many graphs with named arrays, checked once and packed into two buffers.
#ifndef MLGRAPH_GRAPH_GRAPH_DATASET_HPP
#define MLGRAPH_GRAPH_GRAPH_DATASET_HPP
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
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/named_array.hpp"

namespace mlgraph {

/// A graph of a GraphDataset, borrowed from it.
struct StoredGraph {
  std::int32_t num_nodes = 0;
  MatrixView<const float> x;        // (N, F)
  Span<const std::int32_t> opcode;  // (N), or none
  EdgesView edges;
};

MLGRAPH_BEGIN_ISA

/// Graphs that have the same kinds of things: as many features, opcodes or none, and the same named arrays,
/// which the first graph decides.
///
/// A graph takes the bytes of its numbers and of its CSR in both directions, and 24 more: 0.6 KB for a block of
/// 10 nodes with opcodes, 20 typed edges and three targets. A batch (Batch::assign()) is copies of these.
///
/// Neighbour sampling and the prediction of links are out of scope: a graph is always computed whole.
class GraphDataset {
 public:
  /// `options`: what the edges of every graph may contain, and whether they are wanted along Direction::kBoth.
  explicit GraphDataset(const EdgeOptions& options = {}) : options_(options) {}

  /// Checks a graph and copies it to the end. After an error the set is as before.
  ///
  /// Shapes: view.x (N, F); view.opcode (N), or empty: the graph has none, and N is the rows of x, which may have
  ///         no columns; view.edge_source, view.edge_target (E); arrays: see NamedArray.
  /// Errors: lengths that differ; a feature that is NaN or infinite (other arrays may be, where a target is
  ///         missing); a negative opcode; those of Edges::from_list(); arrays without a name or columns, two of
  ///         one name, another shape, kind or number of columns than the first graph's; configurable nodes,
  ///         which belong into an array. They name graph, array, and place.
  /// Cost:   O(N F + E + elements of arrays).
  Status add(const GraphView& view, Span<const NamedArray> arrays = {}) {
    const Status status = add_checked(view, arrays);
    return status.ok() ? status : status.annotate(str_cat("graph ", places_.size()));
  }

  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] std::int64_t num_features() const { return num_features_; }
  [[nodiscard]] bool has_opcodes() const { return opcodes_ == Opcodes::kAll; }
  [[nodiscard]] std::int64_t num_nodes(std::size_t graph) const { return places_[graph].num_nodes; }
  [[nodiscard]] std::int64_t num_edges(std::size_t graph) const { return places_[graph].num_edges; }

  /// The kinds of arrays: name, owner and number type of each. Their numbers are those of array().
  [[nodiscard]] std::size_t num_arrays() const { return kinds_.size(); }
  /// The number of an array by its name, or num_arrays() when there is none.
  [[nodiscard]] std::size_t find(std::string_view name) const {
    std::size_t a = 0;
    while (a < kinds_.size() && kinds_[a].name != name) ++a;
    return a;
  }

  /// A graph. Views are valid until the next add().
  [[nodiscard]] StoredGraph graph(std::size_t g) const {
    const Place& place = places_[g];
    StoredGraph graph;
    graph.num_nodes = place.num_nodes;
    graph.x = {floats_.data() + place.floats, place.num_nodes, num_features_};
    const auto nodes = static_cast<std::size_t>(place.num_nodes);
    const auto edges = static_cast<std::size_t>(place.num_edges);
    const std::int32_t* at = ints_.data() + place.ints;
    const auto take = [&at](std::size_t count) {
      const Span<const std::int32_t> span(at, count);
      at += count;
      return span;
    };
    const Span<const std::int32_t> target_ptr = take(nodes + 1), target_col = take(edges);
    const Span<const std::int32_t> source_ptr = take(nodes + 1), source_col = take(edges);
    const CsrView by_target{target_ptr, target_col}, by_source{source_ptr, source_col};
    const Span<const std::int32_t> to_by_target = take(edges), to_by_source = take(edges);
    graph.edges.forward = {by_target, by_source, to_by_target};
    graph.edges.reverse = {by_source, by_target, to_by_source};
    if (options_.both) {
      const Span<const std::int32_t> both_ptr = take(nodes + 1), both_col = take(2 * edges);
      const CsrView both{both_ptr, both_col};
      graph.edges.both = {both, both, take(2 * edges)};
    }
    if (has_opcodes()) graph.opcode = take(nodes);
    return graph;
  }

  /// An array of a graph: the rows of its nodes, its edges in the order of `edges.forward.csr`, or its one row.
  [[nodiscard]] NamedArray array(std::size_t g, std::size_t a) const {
    const Place& place = places_[g];
    const Kind& kind = kinds_[a];
    std::size_t skipped = kind.is_int ? header_ints(place) : header_floats(place);
    for (std::size_t i = 0; i < a; ++i) {
      if (kinds_[i].is_int == kind.is_int) skipped += elements(place, kinds_[i]);
    }
    const std::int64_t rows = rows_of(place, kind.of);
    NamedArray array{kind.name, kind.of, kind.is_int, {}, {}};
    if (kind.is_int) {
      array.i32 = {ints_.data() + place.ints + skipped, rows, kind.cols};
    } else {
      array.f32 = {floats_.data() + place.floats + skipped, rows, kind.cols};
    }
    return array;
  }

  /// The int32 that an array has of each graph, such as its class or the key of a split.
  /// Errors: no such array; one that is not (1, 1) int32 of a graph.
  [[nodiscard]] Result<std::vector<std::int32_t>> ints_of_graphs(std::string_view name) const {
    const std::size_t a = find(name);
    if (a == kinds_.size()) return Status::not_found(str_cat("there is no array \"", name, "\""));
    if (kinds_[a].of != ArrayOf::kGraphs || !kinds_[a].is_int || kinds_[a].cols != 1) {
      return Status::invalid_argument(
          str_cat("array \"", name, "\" is ", kind_text(kinds_[a]), "; should be one int32 of graphs"));
    }
    std::vector<std::int32_t> values;
    for (std::size_t g = 0; g < size(); ++g) values.push_back(*array(g, a).i32.data);
    return values;
  }

  /// Bytes of all graphs.
  [[nodiscard]] std::size_t used_bytes() const {
    return ints_.size() * sizeof(std::int32_t) + floats_.size() * sizeof(float) +
           places_.size() * sizeof(Place);
  }

 private:
  struct Kind {
    std::string name;
    ArrayOf of;
    bool is_int;
    std::int64_t cols;
  };
  struct Place {
    std::size_t ints, floats;  // where it begins
    std::int32_t num_nodes, num_edges;
  };
  enum class Opcodes : std::uint8_t { kUnknown, kNone, kAll };  // unknown while no graph has nodes

  static std::string kind_text(const Kind& kind) {
    return str_cat(kind.cols, " ", kind.is_int ? "int32" : "float", " of ", array_of_name(kind.of));
  }
  static std::int64_t rows_of(const Place& place, ArrayOf of) {
    return of == ArrayOf::kNodes ? place.num_nodes : of == ArrayOf::kEdges ? place.num_edges : 1;
  }
  static std::size_t elements(const Place& place, const Kind& kind) {
    return static_cast<std::size_t>(rows_of(place, kind.of) * kind.cols);
  }
  [[nodiscard]] std::size_t header_ints(const Place& place) const {
    const auto nodes = static_cast<std::size_t>(place.num_nodes);
    const auto edges = static_cast<std::size_t>(place.num_edges);
    const std::size_t both = options_.both ? nodes + 1 + 4 * edges : 0;
    return 2 * (nodes + 1) + 4 * edges + both + (has_opcodes() ? nodes : 0);
  }
  [[nodiscard]] std::size_t header_floats(const Place& place) const {
    return static_cast<std::size_t>(place.num_nodes * num_features_);
  }

  Status add_checked(const GraphView& view, Span<const NamedArray> arrays) {
    const std::int64_t num_nodes =
        view.opcode.empty() ? view.x.rows : static_cast<std::int64_t>(view.opcode.size());
    MLGRAPH_RETURN_IF_ERROR(check_features(view, num_nodes));
    MLGRAPH_RETURN_IF_ERROR(check_opcodes(view, num_nodes));
    MLGRAPH_RETURN_IF_ERROR(edges_.assign(num_nodes, view.edge_source, view.edge_target, options_));
    std::vector<Kind> kinds;
    MLGRAPH_RETURN_IF_ERROR(
        check_arrays(arrays, num_nodes, static_cast<std::int64_t>(view.edge_source.size()), kinds));
    if (places_.empty()) {
      kinds_ = std::move(kinds);
      num_features_ = view.x.cols;
    }
    if (opcodes_ == Opcodes::kUnknown && num_nodes > 0)
      opcodes_ = view.opcode.empty() ? Opcodes::kNone : Opcodes::kAll;
    append(view, arrays, static_cast<std::int32_t>(num_nodes));
    return {};
  }

  [[nodiscard]] Status check_features(const GraphView& view, std::int64_t num_nodes) const {
    const MatrixView<const float>& x = view.x;
    if (x.rows != num_nodes) {
      return Status::invalid_argument(str_cat("x has ", x.rows, " rows; opcode has ", num_nodes));
    }
    MLGRAPH_RETURN_IF_ERROR(check_counts(num_nodes, 0));
    if (x.cols < 0 || (x.rows > 1 && x.stride < x.cols) || (x.size() > 0 && x.data == nullptr)) {
      return Status::invalid_argument(str_cat("x has ", x.cols, " columns and stride ", x.stride, " at ",
                                              x.data == nullptr ? "null" : "its data",
                                              "; should be 0 <= columns <= stride"));
    }
    if (!places_.empty() && x.cols != num_features_) {
      return Status::invalid_argument(
          str_cat("x has ", x.cols, " features per node; graph 0 has ", num_features_));
    }
    if (!view.config_node.empty()) {
      return Status::invalid_argument(str_cat("it has ", view.config_node.size(),
                                              " config_node; a dataset keeps such ids as a named array"));
    }
    return detail::check_finite(x);
  }

  [[nodiscard]] Status check_opcodes(const GraphView& view, std::int64_t num_nodes) const {
    if (num_nodes == 0) return {};
    if (opcodes_ != Opcodes::kUnknown && view.opcode.empty() == has_opcodes()) {
      return Status::invalid_argument(has_opcodes() ? "it has no opcodes; the graphs before it do"
                                                    : "it has opcodes; the graphs before it do not");
    }
    for (std::size_t v = 0; v < view.opcode.size(); ++v) {
      if (view.opcode[v] >= 0) continue;
      return Status::out_of_range(str_cat("node ", v, " opcode is ", view.opcode[v], "; should be 0 or more"));
    }
    return {};
  }

  Status check_arrays(Span<const NamedArray> arrays, std::int64_t num_nodes, std::int64_t num_edges,
                      std::vector<Kind>& kinds) const {
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const NamedArray& array = arrays[i];
      if (array.name.empty()) return Status::invalid_argument(str_cat("array ", i, " has no name"));
      if (find_array(arrays, array.name) != &array)
        return Status::invalid_argument(str_cat("two arrays have the name \"", array.name, "\""));
      const std::int64_t rows = array.of == ArrayOf::kNodes   ? num_nodes
                                : array.of == ArrayOf::kEdges ? num_edges
                                                              : 1;
      const bool has_data = (array.is_int ? array.i32.data != nullptr : array.f32.data != nullptr) || rows == 0;
      if (array.rows() != rows || array.cols() < 1 || array.cols() > std::numeric_limits<std::int32_t>::max() ||
          !has_data) {
        return Status::invalid_argument(str_cat(
            "array \"", array.name, "\" of ", array_of_name(array.of), " is (", array.rows(), ", ",
            array.cols(), ")", has_data ? "" : " and its data is null", "; should be (", rows, ", 1 or more)"));
      }
      kinds.push_back({std::string(array.name), array.of, array.is_int, array.cols()});
    }
    if (places_.empty()) return {};
    for (const Kind& kind : kinds) {
      const std::size_t a = find(kind.name);
      if (a == kinds_.size())
        return Status::invalid_argument(str_cat("it has an array \"", kind.name, "\"; graph 0 has none"));
      const Kind& first = kinds_[a];
      if (kind.of != first.of || kind.is_int != first.is_int || kind.cols != first.cols) {
        return Status::invalid_argument(str_cat("array \"", kind.name, "\" is ", kind_text(kind),
                                                "; that of graph 0 is ", kind_text(first)));
      }
    }
    for (const Kind& kind : kinds_) {
      if (find_array(arrays, kind.name) == nullptr)
        return Status::invalid_argument(str_cat("it has no array \"", kind.name, "\"; graph 0 has one"));
    }
    return {};
  }

  // Nothing can fail from here on.
  void append(const GraphView& view, Span<const NamedArray> arrays, std::int32_t num_nodes) {
    places_.push_back({ints_.size(), floats_.size(), num_nodes, static_cast<std::int32_t>(edges_.num_edges())});
    const EdgesView edges = edges_.view();
    const auto append_ints = [this](Span<const std::int32_t> ids) {
      ints_.insert(ints_.end(), ids.begin(), ids.end());
    };
    append_ints(edges.forward.csr.row_ptr);
    append_ints(edges.forward.csr.col);
    append_ints(edges.reverse.csr.row_ptr);
    append_ints(edges.reverse.csr.col);
    append_ints(edges.forward.transposed_to_csr);
    append_ints(edges.reverse.transposed_to_csr);
    if (options_.both) {
      append_ints(edges.both.csr.row_ptr);
      append_ints(edges.both.csr.col);
      append_ints(edges.both.transposed_to_csr);
    }
    append_ints(view.opcode);
    append_rows(view.x, floats_);
    for (const Kind& kind : kinds_) {
      const NamedArray& array = *find_array(arrays, kind.name);
      if (kind.is_int) {
        append_array(array.i32, kind.of, ints_);
      } else {
        append_array(array.f32, kind.of, floats_);
      }
    }
  }

  /// The rows one after the other; those of edges as the CSR has them, which may have dropped some.
  template <class T>
  void append_array(MatrixView<const T> rows, ArrayOf of, AlignedVector<T>& to) const {
    if (of != ArrayOf::kEdges) return append_rows(rows, to);
    for (const std::int32_t e : edges_.list_position())
      to.insert(to.end(), rows.row(e), rows.row(e) + rows.cols);
  }
  template <class T>
  static void append_rows(MatrixView<const T> rows, AlignedVector<T>& to) {
    for (std::int64_t r = 0; r < rows.rows && rows.cols > 0; ++r)
      to.insert(to.end(), rows.row(r), rows.row(r) + rows.cols);
  }

  EdgeOptions options_;
  std::int64_t num_features_ = 0;
  Opcodes opcodes_ = Opcodes::kUnknown;
  std::vector<Kind> kinds_;
  std::vector<Place> places_;
  AlignedVector<std::int32_t> ints_;  // of each graph: CSR by target and by source, their maps, opcodes, arrays
  AlignedVector<float> floats_;       // of each graph: x, arrays
  Edges edges_;                       // of the graph that is added
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_GRAPH_DATASET_HPP
