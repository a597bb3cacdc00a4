// SPDX-License-Identifier: Apache-2.0
// Reads graph classification sets in the text format of GIN: MUTAG, PROTEINS, and others, with their 10 folds.
#ifndef MLGRAPH_EXAMPLES_TU_DATASET_HPP
#define MLGRAPH_EXAMPLES_TU_DATASET_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <istream>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "mlgraph/mlgraph.hpp"

namespace example {

namespace mg = mlgraph;

/// Classes and tags of a file are below these.
inline constexpr std::int32_t kMaxTuClasses = 1000;
inline constexpr std::int32_t kMaxTuTags = 10000;

/// Graphs with their classes, as single ones and as a set.
struct TuDataset {
  std::vector<mg::Graph> graphs;     // opcode = the tag of a node; x has no columns
  std::vector<std::int32_t> labels;  // class of each graph
  mg::GraphDataset set;              // the same graphs; array "class" of each
  std::int32_t num_tags = 0;
  std::vector<std::int32_t> class_label;            // the label in the file of each class
  std::vector<std::vector<std::size_t>> test_fold;  // graph indices
};

/// A number of the file, or an error that says where it should be.
class TuReader {
 public:
  /// `in` is borrowed; `path` is its name in errors.
  TuReader(std::istream& in, std::string path) : in_(in), path_(std::move(path)) {}

  mg::Result<std::int32_t> next(const char* what,
                                std::int32_t limit = std::numeric_limits<std::int32_t>::max()) {
    long long value = -1;
    if (!(in_ >> value) || value < 0 || value >= limit) {
      return mg::Status::data_loss(
          mg::str_cat(path_, ": number ", count_, " should be ", what, " in [0, ", limit, ")"));
    }
    ++count_;
    return static_cast<std::int32_t>(value);
  }

 private:
  std::istream& in_;
  std::string path_;
  std::int64_t count_ = 0;
};

/// One graph: `n label`, then per node `tag degree neighbour...`.
inline mg::Status read_tu_graph(TuReader& in, TuDataset& data) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t num_nodes, in.next("a number of nodes"));
  MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t label, in.next("a class", kMaxTuClasses));
  std::vector<std::int32_t> tags, source, target;
  for (std::int32_t i = 0; i < num_nodes; ++i) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t tag, in.next("a node tag", kMaxTuTags));
    MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t degree, in.next("a degree"));
    tags.push_back(tag);
    for (std::int32_t k = 0; k < degree; ++k) {
      MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t neighbour, in.next("a neighbour", num_nodes));
      source.push_back(neighbour);
      target.push_back(i);
    }
    data.num_tags = std::max(data.num_tags, tag + 1);
  }
  mg::GraphView view;
  view.x = {nullptr, num_nodes, 0};
  view.opcode = tags;
  view.edge_source = source;
  view.edge_target = target;
  MLGRAPH_ASSIGN_OR_RETURN(mg::Graph graph, mg::Graph::from_view(view));
  data.graphs.push_back(std::move(graph));
  // Classes are numbered in the order they appear in, as the files number them with gaps.
  const auto known = std::find(data.class_label.begin(), data.class_label.end(), label);
  data.labels.push_back(static_cast<std::int32_t>(known - data.class_label.begin()));
  if (known == data.class_label.end()) data.class_label.push_back(label);
  const mg::NamedArray classes[] = {
      mg::graph_array("class", mg::Span<const std::int32_t>(&data.labels.back(), 1))};
  return data.set.add(view, classes);
}

/// All graphs: their number, then each.
inline mg::Status read_tu_graphs(std::istream& stream, const std::string& path, TuDataset& data) {
  TuReader in(stream, path);
  MLGRAPH_ASSIGN_OR_RETURN(const std::int32_t num_graphs, in.next("a number of graphs"));
  for (std::int32_t g = 0; g < num_graphs; ++g) {
    const mg::Status status = read_tu_graph(in, data);
    if (!status.ok()) return mg::Status(status.code(), mg::str_cat(status.message(), ", in graph ", g));
  }
  return {};
}

/// The graphs that one fold tests on, by number.
inline mg::Result<std::vector<std::size_t>> read_tu_fold(std::istream& stream, const std::string& path,
                                                         std::size_t num_graphs) {
  std::vector<std::size_t> fold;
  std::string word;
  while (stream >> word) {
    std::size_t index = 0;
    const std::from_chars_result end = std::from_chars(word.data(), word.data() + word.size(), index);
    if (end.ec != std::errc() || end.ptr != word.data() + word.size() || index >= num_graphs) {
      return mg::Status::data_loss(
          mg::str_cat(path, ": number ", fold.size(), " should be a graph in [0, ", num_graphs, ")"));
    }
    fold.push_back(index);
  }
  return fold;
}

/// `folder/NAME/NAME.txt` and `folder/NAME/10fold_idx/test_idx-{1..10}.txt`.
inline mg::Result<TuDataset> read_tu_dataset(const std::string& folder, const std::string& name) {
  TuDataset data;
  const std::string root = folder + "/" + name;
  const std::string graphs_path = mg::str_cat(root, "/", name, ".txt");
  std::ifstream graphs(graphs_path);
  if (!graphs.is_open()) return mg::Status::not_found(graphs_path + " cannot be opened");
  MLGRAPH_RETURN_IF_ERROR(read_tu_graphs(graphs, graphs_path, data));
  for (int fold = 1; fold <= 10; ++fold) {
    const std::string path = mg::str_cat(root, "/10fold_idx/test_idx-", fold, ".txt");
    std::ifstream file(path);
    if (!file.is_open()) return mg::Status::not_found(path + " cannot be opened");
    MLGRAPH_ASSIGN_OR_RETURN(std::vector<std::size_t> indices, read_tu_fold(file, path, data.graphs.size()));
    data.test_fold.push_back(std::move(indices));
  }
  return data;
}

}  // namespace example

#endif  // MLGRAPH_EXAMPLES_TU_DATASET_HPP
