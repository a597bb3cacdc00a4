// SPDX-License-Identifier: Apache-2.0
// A set of graphs as a file: an npz of named arrays, read into a GraphDataset and written from one.
#ifndef MLGRAPH_IO_GRAPH_FILE_HPP
#define MLGRAPH_IO_GRAPH_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <array>
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
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/named_array.hpp"
#include "mlgraph/io/npy.hpp"
#include "mlgraph/io/npz.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// The most letters of the name of an array of a set.
inline constexpr std::size_t kMaxArrayName = 255;

/// How a file of graphs is read.
struct GraphFileOptions {
  /// What edges may be. Duplicates are kept, as in PyG, which writes such files.
  EdgeOptions edges{DuplicateEdges::kKeep, EdgeOptions::SelfEdges::kKeep, false};
  /// The most bytes that the arrays and the set made of them may have together, 4 GiB; checked before they are
  /// allocated.
  std::uint64_t max_bytes = std::uint64_t{4} << 30;
};

namespace detail {

/// What the name of an array begins with, and whose rows it then has.
struct ArrayPrefix {
  std::string_view text;
  ArrayOf of;
};
inline constexpr ArrayPrefix kArrayPrefixes[] = {
    {"node.", ArrayOf::kNodes}, {"edge.", ArrayOf::kEdges}, {"graph.", ArrayOf::kGraphs}};

/// The prefix of a key; null where it has none, or no name behind it.
[[nodiscard]] inline const ArrayPrefix* prefix_of(std::string_view key) {
  for (const ArrayPrefix& prefix : kArrayPrefixes) {
    if (key.size() > prefix.text.size() && key.substr(0, prefix.text.size()) == prefix.text) return &prefix;
  }
  return nullptr;
}

/// Arrays are those of a file: an NpzReader, or what has the same keys(), contains(), info() and read().
template <class Arrays>
class GraphFileReader {
 public:
  GraphFileReader(const Arrays& file, std::string_view where, const GraphFileOptions& options)
      : file_(file), where_(where), options_(options), bytes_left_(options.max_bytes) {}

  Result<GraphDataset> read() {
    MLGRAPH_RETURN_IF_ERROR(check_keys());
    MLGRAPH_RETURN_IF_ERROR(read_ptr());
    MLGRAPH_RETURN_IF_ERROR(read_edges());
    if (file_.contains("x")) {
      MLGRAPH_ASSIGN_OR_RETURN(const Sizes sizes, take("x", num_nodes(), sizeof(float)));
      MLGRAPH_ASSIGN_OR_RETURN(x_.f32, read_as<float>("x"));
      x_.cols = sizes.cols;
    }
    if (file_.contains("opcode")) {
      MLGRAPH_ASSIGN_OR_RETURN(const Sizes sizes, take("opcode", num_nodes(), sizeof(std::int32_t)));
      if (sizes.cols != 1) return error(str_cat("opcode has ", sizes.cols, " columns; should have 1"));
      MLGRAPH_ASSIGN_OR_RETURN(opcode_, read_as<std::int32_t>("opcode"));
    }
    MLGRAPH_RETURN_IF_ERROR(read_arrays());
    GraphDataset set(options_.edges);
    for (std::size_t g = 0; g + 1 < ptr_.size(); ++g) {
      const Status status = add(g, set);
      if (!status.ok()) return status.annotate(str_cat("graphs: ", where_));
    }
    return set;
  }

 private:
  struct Sizes {
    std::int64_t rows, cols;
  };
  /// An array of the whole file, and its rows of one graph where those of its edges must be put together.
  struct Array {
    std::string name;
    ArrayOf of = ArrayOf::kNodes;
    bool is_int = false;
    std::int64_t cols = 0;
    std::vector<float> f32, f32_of_graph;
    std::vector<std::int32_t> i32, i32_of_graph;
  };

  [[nodiscard]] Status error(std::string_view what) const {
    return Status::invalid_argument(str_cat("graphs: ", where_, ": ", what));
  }
  [[nodiscard]] std::int64_t num_nodes() const { return ptr_.back(); }
  [[nodiscard]] std::int64_t num_edges() const { return static_cast<std::int64_t>(edge_index_.size() / 2); }
  [[nodiscard]] std::int64_t num_graphs() const { return static_cast<std::int64_t>(ptr_.size()) - 1; }

  /// Takes bytes of what is left, or says that there are fewer.
  Status spend(std::uint64_t count, std::uint64_t bytes_of_each, std::string_view what) {
    if (count > bytes_left_ / bytes_of_each) {
      return Status::resource_exhausted(
          str_cat("graphs: ", where_, ": ", what, " goes beyond the limit of ", options_.max_bytes, " bytes"));
    }
    bytes_left_ -= count * bytes_of_each;
    return {};
  }
  /// Rows and columns of an array, whose memory, here and in the set, is taken of what is left.
  /// Errors: another number of rows; more than two axes.
  Result<Sizes> take(std::string_view key, std::int64_t num_rows, std::size_t element_bytes) {
    MLGRAPH_ASSIGN_OR_RETURN(const NpyInfo info, file_.info(key));
    const std::vector<std::int64_t>& shape = info.shape;
    if ((shape.size() != 1 && shape.size() != 2) || shape[0] != num_rows) {
      return error(
          str_cat(key, " is ", shape_text(shape), "; should be (", num_rows, ") or (", num_rows, ", columns)"));
    }
    MLGRAPH_RETURN_IF_ERROR(spend(info.num_elements, 2 * element_bytes, key));
    return Sizes{shape[0], shape.size() == 2 ? shape[1] : 1};
  }
  template <class T>
  Result<std::vector<T>> read_as(std::string_view key) const {
    MLGRAPH_ASSIGN_OR_RETURN(NpyArray<T> array, file_.template read<T>(key));
    return std::move(array.values);
  }

  [[nodiscard]] Status check_keys() const {
    constexpr std::string_view kKnown[] = {"ptr", "edge_index", "x", "opcode"};
    for (const std::string& key : file_.keys()) {
      if (key.size() > kMaxArrayName)
        return error(str_cat("an array's name has ", key.size(), " letters; the limit is ", kMaxArrayName));
      if (prefix_of(key) != nullptr || std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown))
        continue;
      return error(str_cat("array \"", key,
                           "\" is none of ptr, edge_index, x, opcode, node.NAME, edge.NAME and graph.NAME"));
    }
    for (const std::string_view key : {kKnown[0], kKnown[1]}) {
      if (!file_.contains(key))
        return Status::not_found(str_cat("graphs: ", where_, ": there is no array \"", key, "\""));
    }
    return {};
  }

  Status read_ptr() {
    MLGRAPH_ASSIGN_OR_RETURN(const NpyInfo info, file_.info("ptr"));
    if (info.shape.size() != 1 || info.shape[0] < 1)
      return error(str_cat("ptr is ", shape_text(info.shape), "; should be (graphs + 1)"));
    // Of each graph: its places here, two row pointers and a place in the set.
    MLGRAPH_RETURN_IF_ERROR(spend(info.num_elements, 3 * sizeof(std::int64_t) + 40, "ptr"));
    MLGRAPH_ASSIGN_OR_RETURN(ptr_, read_as<std::int64_t>("ptr"));
    if (ptr_[0] != 0) return error(str_cat("ptr[0] is ", ptr_[0], "; should be 0"));
    for (std::size_t g = 1; g < ptr_.size(); ++g) {
      if (ptr_[g] < ptr_[g - 1]) {
        return error(
            str_cat("ptr[", g, "] is ", ptr_[g], "; should not be below ptr[", g - 1, "], ", ptr_[g - 1]));
      }
    }
    return spend(static_cast<std::uint64_t>(num_nodes()),
                 sizeof(std::int32_t) * (options_.edges.both ? 3U : 2U), str_cat(num_nodes(), " nodes"));
  }

  /// The graph that has a node.
  [[nodiscard]] std::size_t graph_of(std::int64_t node) const {
    return static_cast<std::size_t>(std::upper_bound(ptr_.begin(), ptr_.end(), node) - ptr_.begin()) - 1;
  }

  /// Sorts edges by graph: order_ has those of graph g from edge_begin_[g] on, in the order of the file.
  Status read_edges() {
    MLGRAPH_ASSIGN_OR_RETURN(const NpyInfo info, file_.info("edge_index"));
    if (info.shape.size() != 2 || info.shape[0] != 2)
      return error(str_cat("edge_index is ", shape_text(info.shape), "; should be (2, edges)"));
    // Of each edge: its ids, its place, and the rows of the set in two or three directions.
    const std::size_t bytes = 3 * sizeof(std::int64_t) + sizeof(std::int32_t) * (options_.edges.both ? 8U : 4U);
    MLGRAPH_RETURN_IF_ERROR(spend(info.num_elements / 2, bytes, "edge_index"));
    MLGRAPH_ASSIGN_OR_RETURN(edge_index_, read_as<std::int64_t>("edge_index"));
    const auto count = static_cast<std::size_t>(num_edges());
    edge_begin_.assign(ptr_.size(), 0);
    for (std::size_t e = 0; e < count; ++e) {
      const std::array<std::int64_t, 2> ends = {edge_index_[e], edge_index_[count + e]};
      for (const std::int64_t node : ends) {
        if (node >= 0 && node < num_nodes()) continue;
        return error(str_cat("edge_index: edge ", e, " is ", ends[0], " -> ", ends[1], "; there are ",
                             num_nodes(), " nodes"));
      }
      const std::size_t from = graph_of(ends[0]), to = graph_of(ends[1]);
      if (from != to) {
        return error(str_cat("edge_index: edge ", e, ", ", ends[0], " -> ", ends[1], ", runs from graph ", from,
                             " to graph ", to, "; should stay inside of one"));
      }
      ++edge_begin_[from + 1];
    }
    for (std::size_t g = 1; g < edge_begin_.size(); ++g) edge_begin_[g] += edge_begin_[g - 1];
    order_.resize(count);
    std::vector<std::int64_t> next(edge_begin_);
    for (std::size_t e = 0; e < count; ++e) {
      std::int64_t& place = next[graph_of(edge_index_[e])];
      order_[static_cast<std::size_t>(place++)] = static_cast<std::int64_t>(e);
    }
    return {};
  }

  Status read_arrays() {
    for (const std::string& key : file_.keys()) {
      const ArrayPrefix* const prefix = prefix_of(key);
      if (prefix == nullptr) continue;
      MLGRAPH_ASSIGN_OR_RETURN(const NpyInfo info, file_.info(key));
      const std::int64_t rows = prefix->of == ArrayOf::kNodes   ? num_nodes()
                                : prefix->of == ArrayOf::kEdges ? num_edges()
                                                                : num_graphs();
      MLGRAPH_ASSIGN_OR_RETURN(const Sizes sizes, take(key, rows, sizeof(float)));
      Array array;
      array.name = key.substr(prefix->text.size());
      array.of = prefix->of;
      array.is_int = info.type < NpyType::kFloat16;
      array.cols = sizes.cols;
      if (array.is_int) {
        MLGRAPH_ASSIGN_OR_RETURN(array.i32, read_as<std::int32_t>(key));
      } else {
        MLGRAPH_ASSIGN_OR_RETURN(array.f32, read_as<float>(key));
      }
      arrays_.push_back(std::move(array));
    }
    return {};
  }

  template <class T>
  MatrixView<const T> rows_of_graph(std::size_t g, const Array& array, const std::vector<T>& all,
                                    std::vector<T>& of_graph) const {
    const auto rows_from = [&](std::int64_t begin, std::int64_t end) {
      return MatrixView<const T>(all.data() + begin * array.cols, end - begin, array.cols);
    };
    if (array.of == ArrayOf::kNodes) return rows_from(ptr_[g], ptr_[g + 1]);
    if (array.of == ArrayOf::kGraphs)
      return rows_from(static_cast<std::int64_t>(g), static_cast<std::int64_t>(g) + 1);
    of_graph.clear();
    for (std::int64_t i = edge_begin_[g]; i < edge_begin_[g + 1]; ++i) {
      const auto row = all.begin() + order_[static_cast<std::size_t>(i)] * array.cols;
      of_graph.insert(of_graph.end(), row, row + array.cols);
    }
    return {of_graph.data(), edge_begin_[g + 1] - edge_begin_[g], array.cols};
  }

  Status add(std::size_t g, GraphDataset& set) {
    const std::int64_t first = ptr_[g], count = ptr_[g + 1] - first;
    const Status fits = check_counts(count, edge_begin_[g + 1] - edge_begin_[g]);
    if (!fits.ok()) return fits.annotate(str_cat("graph ", g));
    source_.clear();
    target_.clear();
    for (std::int64_t i = edge_begin_[g]; i < edge_begin_[g + 1]; ++i) {
      const auto e = static_cast<std::size_t>(order_[static_cast<std::size_t>(i)]);
      source_.push_back(static_cast<std::int32_t>(edge_index_[e] - first));
      target_.push_back(static_cast<std::int32_t>(edge_index_[order_.size() + e] - first));
    }
    GraphView view;
    view.x = {x_.f32.data() + first * x_.cols, count, x_.cols};
    if (!opcode_.empty()) view.opcode = {opcode_.data() + first, static_cast<std::size_t>(count)};
    view.edge_source = source_;
    view.edge_target = target_;
    views_.clear();
    for (Array& array : arrays_) {
      NamedArray named{array.name, array.of, array.is_int, {}, {}};
      if (array.is_int) {
        named.i32 = rows_of_graph(g, array, array.i32, array.i32_of_graph);
      } else {
        named.f32 = rows_of_graph(g, array, array.f32, array.f32_of_graph);
      }
      views_.push_back(named);
    }
    return set.add(view, views_);
  }

  const Arrays& file_;
  std::string where_;
  GraphFileOptions options_;
  std::uint64_t bytes_left_;
  std::vector<std::int64_t> ptr_, edge_index_, edge_begin_, order_;
  Array x_;
  std::vector<std::int32_t> opcode_;
  std::vector<Array> arrays_;
  std::vector<std::int32_t> source_, target_;  // of a graph, as are views_
  std::vector<NamedArray> views_;
};

/// The rows that all graphs have of an array, one graph after the other.
template <class T, class Writer>
[[nodiscard]] Status add_rows(const GraphDataset& set, std::size_t a, MatrixView<const T> NamedArray::*member,
                              const std::string& key, Writer& file) {
  std::vector<T> values;
  std::int64_t rows = 0;
  for (std::size_t g = 0; g < set.size(); ++g) {
    const MatrixView<const T> of_graph = set.array(g, a).*member;
    if (of_graph.size() > 0) values.insert(values.end(), of_graph.data, of_graph.data + of_graph.size());
    rows += of_graph.rows;
  }
  std::vector<std::int64_t> shape = {rows};
  const std::int64_t cols = set.array(0, a).cols();
  if (cols != 1) shape.push_back(cols);
  return file.add(key, shape, values);
}

/// A writer, such as an NpzWriter, with the arrays of a set.
template <class Writer>
[[nodiscard]] Result<Writer> graph_arrays(const GraphDataset& set) {
  std::vector<std::int64_t> ptr = {0}, source, target;
  std::vector<float> x;
  std::vector<std::int32_t> opcode;
  for (std::size_t g = 0; g < set.size(); ++g) {
    const StoredGraph graph = set.graph(g);
    const CsrView& csr = graph.edges.forward.csr;
    for (std::int32_t node = 0; node < graph.num_nodes; ++node) {
      const auto row = static_cast<std::size_t>(node);
      for (auto e = static_cast<std::size_t>(csr.row_ptr[row]);
           e < static_cast<std::size_t>(csr.row_ptr[row + 1]); ++e) {
        source.push_back(ptr.back() + csr.col[e]);
        target.push_back(ptr.back() + node);
      }
    }
    if (graph.x.size() > 0) x.insert(x.end(), graph.x.data, graph.x.data + graph.x.size());
    opcode.insert(opcode.end(), graph.opcode.begin(), graph.opcode.end());
    ptr.push_back(ptr.back() + graph.num_nodes);
  }
  Writer file;
  const auto num_edges = static_cast<std::int64_t>(source.size());
  source.insert(source.end(), target.begin(), target.end());
  MLGRAPH_RETURN_IF_ERROR(
      file.add("ptr", std::vector<std::int64_t>{static_cast<std::int64_t>(ptr.size())}, ptr));
  MLGRAPH_RETURN_IF_ERROR(file.add("edge_index", std::vector<std::int64_t>{2, num_edges}, source));
  if (set.num_features() > 0)
    MLGRAPH_RETURN_IF_ERROR(file.add("x", std::vector<std::int64_t>{ptr.back(), set.num_features()}, x));
  if (set.has_opcodes())
    MLGRAPH_RETURN_IF_ERROR(file.add("opcode", std::vector<std::int64_t>{ptr.back()}, opcode));
  for (std::size_t a = 0; set.size() > 0 && a < set.num_arrays(); ++a) {
    const NamedArray array = set.array(0, a);
    const std::string key = str_cat(kArrayPrefixes[static_cast<std::size_t>(array.of)].text, array.name);
    MLGRAPH_RETURN_IF_ERROR(array.is_int ? add_rows(set, a, &NamedArray::i32, key, file)
                                         : add_rows(set, a, &NamedArray::f32, key, file));
  }
  return file;
}

}  // namespace detail

/// Reads a set of graphs. The arrays of the npz, for G graphs of N nodes and E edges in all:
///
///   ptr (G + 1)            the nodes of graph g are [ptr[g], ptr[g + 1])
///   edge_index (2, E)      source and target of each edge in any order, numbered over all graphs as in PyG
///   x (N, F)               features; may be missing
///   opcode (N)             may be missing
///   node.NAME, edge.NAME, graph.NAME     what each has, (rows) or (rows, columns): arrays of the set
///
/// Numbers with a point become float, integers and bool int32. An edge belongs to the graph of its nodes.
///
/// Errors: those of NpzReader; arrays that are missing, that have another name than these, or another shape; a
///         number that int32 or float cannot hold; ptr that does not begin with 0 or descends; an edge from one
///         graph to another; those of GraphDataset::add(); what is beyond options.max_bytes. They name file,
///         array and place.
/// Cost:   O(bytes of the file + E log G); the arrays are in memory twice.
[[nodiscard]] inline Result<GraphDataset> read_graphs_npz(const std::string& path,
                                                          const GraphFileOptions& options = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzReader npz, NpzReader::open(path, {as_size(options.max_bytes)}));
  return detail::GraphFileReader(npz, path, options).read();
}
/// The same from memory; `name` is for messages.
[[nodiscard]] inline Result<GraphDataset> read_graphs_npz(Span<const std::byte> bytes, std::string_view name,
                                                          const GraphFileOptions& options = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzReader npz, NpzReader::from_memory(bytes, {as_size(options.max_bytes)}));
  return detail::GraphFileReader(npz, name, options).read();
}

/// Writes a set as read_graphs_npz() reads it, edges by target. The file is replaced when all is written.
/// Errors: those of NpzWriter.
/// Cost:   the arrays are in memory as float or int32 and compressed.
[[nodiscard]] inline Status to_npz(const GraphDataset& set, const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzWriter npz, detail::graph_arrays<NpzWriter>(set));
  return npz.save(path);
}
/// The bytes of that file.
[[nodiscard]] inline Result<std::vector<std::byte>> to_npz(const GraphDataset& set) {
  MLGRAPH_ASSIGN_OR_RETURN(const NpzWriter npz, detail::graph_arrays<NpzWriter>(set));
  return npz.to_bytes();
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_GRAPH_FILE_HPP
