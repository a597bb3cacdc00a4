// SPDX-License-Identifier: Apache-2.0
// A set of graphs from tables: CSV files of nodes, of edges, and of graphs.
#ifndef MLGRAPH_IO_GRAPH_TABLES_HPP
#define MLGRAPH_IO_GRAPH_TABLES_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parse_number.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/named_array.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/graph_file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {
namespace detail {

/// The numbers of a CSV file, column by column.
struct NumberTable {
  struct Column {
    std::string name;
    bool is_int = true;
    std::vector<double> values;
  };
  std::string where;
  std::size_t num_rows = 0;
  std::vector<Column> columns;

  [[nodiscard]] const Column* find(std::string_view name) const {
    for (const Column& column : columns) {
      if (column.name == name) return &column;
    }
    return nullptr;
  }
  [[nodiscard]] Status error(std::size_t row, std::string_view what) const {
    return Status::invalid_argument(str_cat(where, ":", row + 2, ": ", what));
  }
};

/// Calls `use(i, field)` for the fields of a line; `use` returns a Status.
template <class Use>
[[nodiscard]] Status for_each_field(std::string_view line, const Use& use) {
  for (std::size_t i = 0;; ++i) {
    const std::size_t comma = line.find(',');
    MLGRAPH_RETURN_IF_ERROR(use(i, line.substr(0, comma)));
    if (comma == std::string_view::npos) return {};
    line.remove_prefix(comma + 1);
  }
}

/// A field as a number; empty is NaN. Integers are exact up to 2^53.
/// Errors: another text.
[[nodiscard]] inline Status read_number(std::string_view text, NumberTable::Column& column) {
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  const std::from_chars_result as_int = std::from_chars(text.data(), end, whole);
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (!text.empty() && as_int.ec == std::errc() && as_int.ptr == end && whole <= kExact && whole >= -kExact) {
    column.values.push_back(static_cast<double>(whole));
    return {};
  }
  double value = std::numeric_limits<double>::quiet_NaN();
  column.is_int = false;
  if (!text.empty()) {
    const std::from_chars_result as_real = mlgraph::detail::parse_number(text.data(), end, value);
    const bool too_large = std::abs(value) > static_cast<double>(std::numeric_limits<float>::max());
    if (as_real.ec != std::errc() || as_real.ptr != end || too_large) {
      return Status::invalid_argument(str_cat(column.name, " is \"", text.substr(0, 40),
                                              "\"; should be a number that float can hold, or empty"));
    }
  }
  column.values.push_back(value);
  return {};
}

/// Reads numbers that commas separate, below a line of names.
/// Errors: no names, or one twice; a line with more or fewer fields; what is no number. They name file and line.
[[nodiscard]] inline Result<NumberTable> read_number_table(std::string_view text, std::string_view where) {
  NumberTable table;
  table.where = std::string(where);
  const auto next_line = [&text] {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  };
  MLGRAPH_RETURN_IF_ERROR(for_each_field(next_line(), [&](std::size_t, std::string_view name) -> Status {
    if (name.empty() || name.size() > kMaxArrayName || table.find(name) != nullptr) {
      return Status::invalid_argument(str_cat(where, ":1: the name of column ", table.columns.size() + 1,
                                              name.empty()                  ? " is empty"
                                              : name.size() > kMaxArrayName ? " is too long"
                                                                            : " was there before"));
    }
    table.columns.push_back({std::string(name), true, {}});
    return {};
  }));
  while (!text.empty()) {
    std::size_t count = 0;
    const Status status = for_each_field(next_line(), [&](std::size_t i, std::string_view field) -> Status {
      count = i + 1;
      return i < table.columns.size() ? read_number(field, table.columns[i]) : Status();
    });
    if (!status.ok()) return table.error(table.num_rows, status.message());
    if (count != table.columns.size()) {
      return table.error(table.num_rows,
                         str_cat("there are ", count, " fields; should be ", table.columns.size()));
    }
    ++table.num_rows;
  }
  return table;
}

/// Columns of a table that are one array: `y`, or `y.0`, `y.1`, ... in their order.
struct TableArray {
  std::string name;
  ArrayOf of;
  bool is_int = true;
  std::vector<const NumberTable::Column*> columns;
  std::vector<float> f32;  // of the graph that is put together
  std::vector<std::int32_t> i32;

  void take(Span<const std::size_t> rows) {
    f32.clear();
    i32.clear();
    for (const std::size_t row : rows) {
      for (const NumberTable::Column* const column : columns) {
        if (is_int) i32.push_back(static_cast<std::int32_t>(column->values[row]));
        if (!is_int) f32.push_back(static_cast<float>(column->values[row]));
      }
    }
  }
  [[nodiscard]] NamedArray view(std::size_t rows) const {
    const auto num_rows = static_cast<std::int64_t>(rows), cols = static_cast<std::int64_t>(columns.size());
    NamedArray array{name, of, is_int, {}, {}};
    if (is_int) array.i32 = {i32.data(), num_rows, cols};
    if (!is_int) array.f32 = {f32.data(), num_rows, cols};
    return array;
  }
};

/// Joins tables of nodes, edges and, where there is one, of graphs.
class GraphTables {
 public:
  GraphTables(const NumberTable& nodes, const NumberTable& edges, const NumberTable* graphs,
              const EdgeOptions& options)
      : nodes_(nodes), edges_(edges), graphs_(graphs), set_(options) {}

  Result<GraphDataset> join() {
    MLGRAPH_RETURN_IF_ERROR(number_nodes());
    MLGRAPH_RETURN_IF_ERROR(number_edges());
    if (graphs_ != nullptr) MLGRAPH_RETURN_IF_ERROR(number_graphs());
    MLGRAPH_RETURN_IF_ERROR(list_arrays(nodes_, ArrayOf::kNodes, {"graph", "node"}));
    MLGRAPH_RETURN_IF_ERROR(list_arrays(edges_, ArrayOf::kEdges, {"graph", "source", "target"}));
    if (graphs_ != nullptr) MLGRAPH_RETURN_IF_ERROR(list_arrays(*graphs_, ArrayOf::kGraphs, {"graph"}));
    for (std::size_t g = 0; g < node_rows_.size(); ++g) {
      const Status status = add(g);
      if (!status.ok()) return status.annotate(nodes_.where);
    }
    return std::move(set_);
  }

 private:
  /// A column of ids.
  static Result<const NumberTable::Column*> ids(const NumberTable& table, std::string_view name) {
    const NumberTable::Column* const column = table.find(name);
    if (column == nullptr) return Status::not_found(str_cat(table.where, ": there is no column ", name));
    if (!column->is_int)
      return Status::invalid_argument(str_cat(table.where, ": column ", name, " should have integers"));
    return column;
  }

  /// Numbers graphs as they appear; sorts (graph, node, place in its graph).
  Status number_nodes() {
    MLGRAPH_ASSIGN_OR_RETURN(const NumberTable::Column* const graph, ids(nodes_, "graph"));
    const NumberTable::Column* node = nullptr;
    if (nodes_.find("node") != nullptr) {
      MLGRAPH_ASSIGN_OR_RETURN(node, ids(nodes_, "node"));
    }
    for (std::size_t row = 0; row < nodes_.num_rows; ++row) {
      const auto [found, is_new] = number_of_.emplace(graph->values[row], node_rows_.size());
      if (is_new) node_rows_.emplace_back();
      std::vector<std::size_t>& rows = node_rows_[found->second];
      const double id = node == nullptr ? static_cast<double>(rows.size()) : node->values[row];
      places_.emplace_back(found->second, id, static_cast<std::int32_t>(rows.size()));
      rows.push_back(row);
    }
    std::sort(places_.begin(), places_.end());
    for (std::size_t i = 1; i < places_.size(); ++i) {
      const auto [g, id, place] = places_[i];
      if (g == std::get<0>(places_[i - 1]) && id == std::get<1>(places_[i - 1]))
        return nodes_.error(node_rows_[g][static_cast<std::size_t>(place)],
                            str_cat("node ", id, " of the graph was there before"));
    }
    return {};
  }

  Status number_edges() {
    MLGRAPH_ASSIGN_OR_RETURN(const NumberTable::Column* const graph, ids(edges_, "graph"));
    MLGRAPH_ASSIGN_OR_RETURN(const NumberTable::Column* const source, ids(edges_, "source"));
    MLGRAPH_ASSIGN_OR_RETURN(const NumberTable::Column* const target, ids(edges_, "target"));
    edge_rows_.resize(node_rows_.size());
    for (std::size_t row = 0; row < edges_.num_rows; ++row) {
      const auto found = number_of_.find(graph->values[row]);
      if (found == number_of_.end())
        return edges_.error(row, str_cat("there is no graph ", graph->values[row], " in ", nodes_.where));
      std::array<std::int32_t, 2> ends{};
      for (std::size_t k = 0; k < 2; ++k) {
        const double id = (k == 0 ? source : target)->values[row];
        const auto at = std::lower_bound(places_.begin(), places_.end(), std::make_tuple(found->second, id, 0));
        if (at == places_.end() || std::get<0>(*at) != found->second || std::get<1>(*at) != id)
          return edges_.error(row, str_cat("graph ", graph->values[row], " has no node ", id));
        ends[k] = std::get<2>(*at);
      }
      edge_rows_[found->second].push_back(row);
      ends_.push_back(ends);
    }
    return {};
  }

  Status number_graphs() {
    MLGRAPH_ASSIGN_OR_RETURN(const NumberTable::Column* const graph, ids(*graphs_, "graph"));
    graph_row_.assign(node_rows_.size(), graphs_->num_rows);
    for (std::size_t row = 0; row < graphs_->num_rows; ++row) {
      const auto found = number_of_.find(graph->values[row]);
      if (found == number_of_.end())
        return graphs_->error(row, str_cat("graph ", graph->values[row], " has no nodes in ", nodes_.where));
      if (graph_row_[found->second] != graphs_->num_rows)
        return graphs_->error(row, str_cat("graph ", graph->values[row], " was there before"));
      graph_row_[found->second] = row;
    }
    for (const auto& [id, number] : number_of_) {
      if (graph_row_[number] == graphs_->num_rows)
        return Status::not_found(str_cat(graphs_->where, ": there is no graph ", id));
    }
    return {};
  }

  /// Errors: an integer that int32 cannot hold.
  Status list_arrays(const NumberTable& table, ArrayOf of, std::initializer_list<std::string_view> ids) {
    const std::size_t first = arrays_.size();
    for (const NumberTable::Column& column : table.columns) {
      if (std::find(ids.begin(), ids.end(), column.name) != ids.end()) continue;
      const std::string name = column.name.substr(0, column.name.find('.'));
      const auto same = std::find_if(arrays_.begin() + static_cast<std::ptrdiff_t>(first), arrays_.end(),
                                     [&](const TableArray& array) { return array.name == name; });
      TableArray& array =
          same == arrays_.end() ? arrays_.emplace_back(TableArray{name, of, true, {}, {}, {}}) : *same;
      array.is_int = array.is_int && column.is_int;
      array.columns.push_back(&column);
      for (std::size_t row = 0; column.is_int && row < table.num_rows; ++row) {
        if (column.values[row] < -2147483648.0 || column.values[row] > 2147483647.0)
          return table.error(row, str_cat(column.name, " is beyond int32"));
      }
    }
    for (std::size_t a = first; a < arrays_.size(); ++a) {
      if (of == ArrayOf::kNodes && arrays_[a].name == "x") arrays_[a].is_int = false;
      if (of == ArrayOf::kNodes && arrays_[a].name == "opcode" &&
          (!arrays_[a].is_int || arrays_[a].columns.size() > 1))
        return Status::invalid_argument(str_cat(table.where, ": opcode should be one column of integers"));
    }
    return {};
  }

  Status add(std::size_t g) {
    const std::vector<std::size_t>& nodes = node_rows_[g];
    std::vector<std::int32_t> source, target;
    for (const std::size_t row : edge_rows_[g]) {
      source.push_back(ends_[row][0]);
      target.push_back(ends_[row][1]);
    }
    GraphView view;
    view.x = {nullptr, static_cast<std::int64_t>(nodes.size()), 0};
    view.edge_source = source;
    view.edge_target = target;
    std::vector<NamedArray> named;
    for (TableArray& array : arrays_) {
      const std::size_t one = array.of == ArrayOf::kGraphs ? graph_row_[g] : 0;
      const Span<const std::size_t> rows = array.of == ArrayOf::kNodes ? Span<const std::size_t>(nodes)
                                           : array.of == ArrayOf::kEdges
                                               ? Span<const std::size_t>(edge_rows_[g])
                                               : Span<const std::size_t>(&one, 1);
      array.take(rows);
      if (array.of == ArrayOf::kNodes && array.name == "x") {
        view.x = array.view(rows.size()).f32;
      } else if (array.of == ArrayOf::kNodes && array.name == "opcode") {
        view.opcode = array.i32;
      } else {
        named.push_back(array.view(rows.size()));
      }
    }
    return set_.add(view, named);
  }

  const NumberTable& nodes_;
  const NumberTable& edges_;
  const NumberTable* graphs_;
  GraphDataset set_;
  std::map<double, std::size_t> number_of_;                      // of a graph, by its id
  std::vector<std::vector<std::size_t>> node_rows_, edge_rows_;  // of each graph
  std::vector<std::size_t> graph_row_;                           // of each graph
  std::vector<std::tuple<std::size_t, double, std::int32_t>>
      places_;                                     // (graph, node, place in the graph), sorted
  std::vector<std::array<std::int32_t, 2>> ends_;  // of each row of edges
  std::vector<TableArray> arrays_;
};

}  // namespace detail

/// The texts of tables, and the names that messages call them by.
struct GraphTableTexts {
  std::string_view nodes, edges, graphs;  // graphs may be empty: there is no such table
  std::string_view nodes_name = "nodes.csv", edges_name = "edges.csv", graphs_name = "graphs.csv";
};

/// A set of graphs from tables with a line of names, then numbers that commas separate:
///
///   nodes   graph, and node where edges call nodes otherwise than 0, 1, ... in the order of their lines
///   edges   graph, source, target
///   graphs  graph; a line for each
///
/// Graphs come in the order in which nodes name them. All other columns are arrays of the set: float, or int32
/// where every number is written as an integer; `y.0, y.1` are one array y of two columns. Of nodes, `x.` are
/// the features and `opcode` the opcodes. An empty field is NaN.
///
/// Errors: what is no such table; ids that do not fit each other; those of GraphDataset::add(). They name file and line,
///         or graph and array.
/// Cost:   O(E log N); 8 bytes for each field, 24 for each node and edge, and the set.
[[nodiscard]] inline Result<GraphDataset> parse_graph_tables(
    const GraphTableTexts& texts, const EdgeOptions& edges = GraphFileOptions().edges) {
  MLGRAPH_ASSIGN_OR_RETURN(const detail::NumberTable of_nodes,
                           detail::read_number_table(texts.nodes, texts.nodes_name));
  MLGRAPH_ASSIGN_OR_RETURN(const detail::NumberTable of_edges,
                           detail::read_number_table(texts.edges, texts.edges_name));
  if (texts.graphs.empty()) return detail::GraphTables(of_nodes, of_edges, nullptr, edges).join();
  MLGRAPH_ASSIGN_OR_RETURN(const detail::NumberTable of_graphs,
                           detail::read_number_table(texts.graphs, texts.graphs_name));
  return detail::GraphTables(of_nodes, of_edges, &of_graphs, edges).join();
}

/// The same from files; an empty path of graphs: there is no such table.
/// Errors: those of read_file(), and of parse_graph_tables().
[[nodiscard]] inline Result<GraphDataset> read_graph_tables(
    const std::string& nodes, const std::string& edges, const std::string& graphs = "",
    const EdgeOptions& options = GraphFileOptions().edges) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> of_nodes, read_file(nodes, kMaxFileBytes));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> of_edges, read_file(edges, kMaxFileBytes));
  std::vector<std::byte> of_graphs;
  if (!graphs.empty()) {
    MLGRAPH_ASSIGN_OR_RETURN(of_graphs, read_file(graphs, kMaxFileBytes));
  }
  return parse_graph_tables({as_text(of_nodes), as_text(of_edges), as_text(of_graphs), nodes, edges, graphs},
                            options);
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_GRAPH_TABLES_HPP
