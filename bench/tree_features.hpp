// SPDX-License-Identifier: Apache-2.0
// TreeFeatures: what a good engineer tells boosted trees of a program and a configuration, as one row of
// numbers.
#ifndef MLGRAPH_BENCH_TREE_FEATURES_HPP
#define MLGRAPH_BENCH_TREE_FEATURES_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/io/hlo_feature_names.hpp"

namespace bench {

namespace mg = mlgraph;

/// Of the graph: how often each opcode occurs; sum and maximum of each node feature; nodes and edges.
///
/// Of a configuration of the whole graph (tiles): its entries. Of one with a row for each configurable node
/// (layouts), for each opcode that is configurable: the sum of each entry, the same weighted by the size
/// of the node's value, and their mean; and how many edges disagree, their share of all, and the size of what
/// is copied there. An edge is from a configurable node to the next one downstream that its value reaches
/// through others of its size; it disagrees where the layout of the first's output is that of neither input of
/// the second. Of a graph with at most 64 configurable nodes that is alone in its data, also each entry.
///
/// Letters: N nodes, F node features, K configurable nodes, D entries of a row, O opcodes.
class TreeFeatures {
 public:
  /// Knows the opcodes of these programs, with one kind of configs.
  explicit TreeFeatures(const std::vector<mg::ProgramView>& programs) {
    for (const mg::ProgramView& program : programs) {
      for (const std::int32_t op : program.graph.opcode) columns_.emplace(op, 0);
      for (const std::int32_t node : program.graph.config_node)
        config_columns_.emplace(program.graph.opcode[static_cast<std::size_t>(node)], 0);
      is_layout_ = !program.graph.config_node.empty();
      num_features_ = program.graph.x.cols;
      row_size_ = program.configs.num_features;
    }
    number(columns_);
    number(config_columns_);
    if (programs.size() == 1 && is_layout_ && programs[0].configs.rows_per_config <= 64)
      num_entries_ = programs[0].configs.config_size();
    size_ = static_cast<std::int64_t>(columns_.size()) + 2 * num_features_ + 2;
    size_ += is_layout_ ? 3 * static_cast<std::int64_t>(config_columns_.size()) * row_size_ + 3 : row_size_;
    size_ += num_entries_;
  }

  [[nodiscard]] std::int64_t size() const { return size_; }

  /// Appends (C, size()) for the C configurations of a program.
  void append(const mg::ProgramView& program, std::vector<float>& to) const {
    const std::vector<float> graph = graph_row(program);
    const std::vector<Edge> edges = is_layout_ ? copies(program) : std::vector<Edge>();
    std::vector<float> config(static_cast<std::size_t>(program.configs.config_size()));
    for (std::int64_t c = 0; c < program.configs.num_configs; ++c) {
      program.configs.copy_config(c, config.data());
      to.insert(to.end(), graph.begin(), graph.end());
      if (!is_layout_) {
        to.insert(to.end(), config.begin(), config.end());
      } else {
        append_layouts(program, config, edges, to);
      }
    }
  }

 private:
  struct Edge {
    std::size_t from, to;  // among the configurable nodes
    float size;
  };

  static void number(std::map<std::int32_t, std::size_t>& columns) {
    std::size_t next = 0;
    for (auto& [op, column] : columns) column = next++;
  }

  /// Elements of the value of a node, in thousands; 1 where the features do not say.
  [[nodiscard]] float size_of(const mg::ProgramView& program, std::size_t node) const {
    constexpr std::int64_t kProduct = 28;  // shape.dimensions.product
    if (mg::io::hlo_feature_names(num_features_).empty()) return 1;
    return 1e-3f * program.graph.x.row(static_cast<std::int64_t>(node))[kProduct];
  }

  [[nodiscard]] std::vector<float> graph_row(const mg::ProgramView& program) const {
    const mg::GraphView& graph = program.graph;
    std::vector<float> row(columns_.size() + 2 * static_cast<std::size_t>(num_features_));
    float* const sum = row.data() + columns_.size();
    float* const most = sum + num_features_;
    for (std::size_t i = 0; i < graph.opcode.size(); ++i) {
      const auto column = columns_.find(graph.opcode[i]);
      if (column != columns_.end()) row[column->second] += 1;
      const float* const x = graph.x.row(static_cast<std::int64_t>(i));
      for (std::int64_t f = 0; f < num_features_; ++f) {
        sum[f] += x[f];
        most[f] = std::max(most[f], x[f]);
      }
    }
    row.push_back(static_cast<float>(graph.opcode.size()));
    row.push_back(static_cast<float>(graph.edge_source.size()));
    return row;
  }

  /// The edges at which layouts can disagree.
  [[nodiscard]] std::vector<Edge> copies(const mg::ProgramView& program) const {
    const mg::GraphView& graph = program.graph;
    std::vector<std::vector<std::size_t>> readers(graph.opcode.size());
    for (std::size_t e = 0; e < graph.edge_source.size(); ++e)
      readers[static_cast<std::size_t>(graph.edge_source[e])].push_back(
          static_cast<std::size_t>(graph.edge_target[e]));
    std::vector<std::ptrdiff_t> place(graph.opcode.size(), -1);
    for (std::size_t k = 0; k < graph.config_node.size(); ++k)
      place[static_cast<std::size_t>(graph.config_node[k])] = static_cast<std::ptrdiff_t>(k);
    std::vector<Edge> edges;
    for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
      const auto start = static_cast<std::size_t>(graph.config_node[k]);
      const float size = size_of(program, start);
      std::vector<std::size_t> open = {start};
      std::set<std::size_t> seen = {start};
      while (!open.empty()) {
        const std::size_t node = open.back();
        open.pop_back();
        for (const std::size_t reader : readers[node]) {
          if (!seen.insert(reader).second) continue;
          if (place[reader] >= 0) {
            edges.push_back({k, static_cast<std::size_t>(place[reader]), size});
          } else if (size_of(program, reader) == size) {
            open.push_back(reader);
          }
        }
      }
    }
    return edges;
  }

  [[nodiscard]] bool disagree(const float* from, const float* to) const {
    const std::int64_t slot = row_size_ / 3;  // output, first and second input
    return !std::equal(from, from + slot, to + slot) && !std::equal(from, from + slot, to + 2 * slot);
  }

  void append_layouts(const mg::ProgramView& program, const std::vector<float>& config,
                      const std::vector<Edge>& edges, std::vector<float>& to) const {
    const auto width = static_cast<std::size_t>(row_size_);
    const std::size_t columns = config_columns_.size();
    std::vector<float> sums(3 * columns * width), total(columns);
    const auto part = [&](std::size_t column, std::size_t which) {
      return sums.data() + (3 * column + which) * width;
    };
    for (std::size_t k = 0; k < program.graph.config_node.size(); ++k) {
      const auto node = static_cast<std::size_t>(program.graph.config_node[k]);
      const auto column = config_columns_.find(program.graph.opcode[node]);
      if (column == config_columns_.end()) continue;
      const float size = size_of(program, node);
      total[column->second] += size;
      for (std::size_t d = 0; d < width; ++d) {
        part(column->second, 0)[d] += config[k * width + d];
        part(column->second, 1)[d] += size * config[k * width + d];
      }
    }
    for (std::size_t column = 0; column < columns; ++column) {
      for (std::size_t d = 0; d < width; ++d)
        part(column, 2)[d] = part(column, 1)[d] / std::max(total[column], 1e-9f);
    }
    to.insert(to.end(), sums.begin(), sums.end());
    float count = 0, copied = 0;
    for (const Edge& edge : edges) {
      if (!disagree(config.data() + edge.from * width, config.data() + edge.to * width)) continue;
      count += 1;
      copied += edge.size;
    }
    to.push_back(count);
    to.push_back(count / std::max(1.0f, static_cast<float>(edges.size())));
    to.push_back(copied);
    if (num_entries_ > 0) to.insert(to.end(), config.begin(), config.end());
  }

  std::map<std::int32_t, std::size_t> columns_, config_columns_;  // of opcodes
  bool is_layout_ = false;
  std::int64_t num_features_ = 0, row_size_ = 0, num_entries_ = 0, size_ = 0;
};

}  // namespace bench

#endif  // MLGRAPH_BENCH_TREE_FEATURES_HPP
