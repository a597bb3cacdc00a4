// SPDX-License-Identifier: Apache-2.0
// SharedRows: which nodes of each layer a configuration can change, and the smallest matrices that hold the
// layers' rows for many configurations at once.
#ifndef MLGRAPH_GRAPH_SHARED_ROWS_HPP
#define MLGRAPH_GRAPH_SHARED_ROWS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/transpose.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The rows of one level, borrowed: first those that all configurations share, then those that each one owns.
///
/// With C configurations the matrix of a level has num_shared + C num_own rows: the shared nodes ascending,
/// then for each configuration its own nodes ascending.
struct SharedLevel {
  Span<const std::int32_t> row;   // (N) node -> row, as for one configuration
  Span<const std::int32_t> node;  // (N) row -> node, as for one configuration
  std::int32_t num_shared = 0;

  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(node.size()); }
  [[nodiscard]] std::int32_t num_own() const { return num_nodes() - num_shared; }
  [[nodiscard]] std::int64_t num_rows(std::int64_t num_configs) const {
    return num_shared + num_configs * num_own();
  }
  /// The row, as for one configuration, among those of configuration c.
  [[nodiscard]] std::int32_t of_config(std::int32_t one, std::int64_t c) const {
    return one < num_shared ? one : one + static_cast<std::int32_t>(c * num_own());
  }
};

/// What one layer reads to make the rows of the next level, in the memory of an Arena.
struct SharedLayer {
  AdjacencyView adjacency;          // rows of the next level over rows of this one; neighbours keep their order
  Span<const std::int32_t> root;    // the row in this level of each node of the next
  Span<const std::int32_t> weight;  // the position in the graph's CSR of each edge of `adjacency`
};

/// A configuration that enters at a few nodes changes after k layers only what is within k hops of them; all
/// other rows are the same for all configurations. This is the plan that computes them once.
///
/// Level k holds the rows that enter layer k (level L those that leave the last one); own are the nodes within
/// k hops of a configurable node, along the way the values flow. A row is made of the same rows in the same
/// order as without sharing, so its bits are the same; gradients of a shared row sum over the configurations.
///
/// A value, const after make(): shared by any number of threads.
class SharedRows {
 public:
  SharedRows() = default;

  /// The plan of one layer after the other, for a graph of `num_nodes` nodes whose configurations enter at
  /// `config_node`. Each layer has the adjacency that it reads, square and with its transpose, or null where a
  /// row is made of itself alone.
  /// Cost: O(layers (N + E)) time and memory.
  [[nodiscard]] static SharedRows make(Span<const AdjacencyView* const> layers, std::int32_t num_nodes,
                                       Span<const std::int32_t> config_node) {
    SharedRows plan;
    plan.config_node_.assign(config_node.begin(), config_node.end());
    std::vector<char> own(at(num_nodes), 0);
    std::vector<std::int32_t> reached(config_node.begin(), config_node.end());
    for (const std::int32_t v : reached) own[at(v)] = 1;
    plan.add_level(own);
    for (const AdjacencyView* const adjacency : layers) {
      if (adjacency != nullptr) {
        const CsrView& users = adjacency->transposed;
        MLGRAPH_ASSERT(users.num_rows() == num_nodes, "a square adjacency with its transpose");
        const std::size_t end = reached.size();
        for (std::size_t i = 0; i < end; ++i) {
          const std::size_t v = at(reached[i]);
          for (std::int32_t p = users.row_ptr[v]; p < users.row_ptr[v + 1]; ++p) {
            const std::int32_t user = users.col[at(p)];
            if (own[at(user)] != 0) continue;
            own[at(user)] = 1;
            reached.push_back(user);
          }
        }
      }
      plan.add_level(own);
      plan.add_layer(adjacency == nullptr ? CsrView() : adjacency->csr);
    }
    return plan;
  }

  [[nodiscard]] std::int64_t num_layers() const { return static_cast<std::int64_t>(layers_.size()); }
  [[nodiscard]] std::int32_t num_nodes() const {
    return levels_.empty() ? 0 : static_cast<std::int32_t>(levels_[0].node.size());
  }
  [[nodiscard]] Span<const std::int32_t> config_node() const { return config_node_; }
  [[nodiscard]] SharedLevel level(std::int64_t k) const {
    const Level& level = levels_[static_cast<std::size_t>(k)];
    return {level.row, level.node, level.num_shared};
  }

  /// The rows that each configuration adds to those of all layers together.
  [[nodiscard]] std::int64_t own_rows() const {
    std::int64_t rows = 0;
    for (std::size_t k = 1; k < levels_.size(); ++k) rows += level(static_cast<std::int64_t>(k)).num_own();
    return rows;
  }
  /// Whether a fifth of the rows or more is shared. Less does not pay for following the indices.
  [[nodiscard]] bool pays() const {
    return 5 * own_rows() <= 4 * num_layers() * num_nodes() && num_layers() > 0;
  }

  /// The most configurations whose rows and edges int32 can count.
  [[nodiscard]] std::int64_t max_configs() const {
    std::int64_t shared = num_nodes();
    std::int64_t own = 1;
    for (std::size_t k = 0; k < layers_.size(); ++k) {
      const Layer& one = layers_[k];
      const std::int32_t own_begin = one.row_ptr[at(levels_[k + 1].num_shared)];
      own = std::max<std::int64_t>(
          {own, level(static_cast<std::int64_t>(k) + 1).num_own(), one.row_ptr.back() - own_begin});
      shared = std::max<std::int64_t>(shared, num_nodes() + one.row_ptr.back());
    }
    return (std::numeric_limits<std::int32_t>::max() - shared) / own;
  }

  /// The node of each row of level 0: what copies per-node rows into it.  (num_rows(C))
  [[nodiscard]] Span<const std::int32_t> first_nodes(std::int64_t num_configs, Arena& arena) const {
    const SharedLevel first = level(0);
    const auto num_shared = static_cast<std::size_t>(first.num_shared);
    const auto size = static_cast<std::size_t>(first.num_rows(num_configs));
    auto* const out = arena.allocate<std::int32_t>(size);
    std::int32_t* to = std::copy_n(first.node.data(), num_shared, out);
    for (std::int64_t c = 0; c < num_configs; ++c) {
      to = std::copy_n(first.node.data() + num_shared, first.num_own(), to);
    }
    return {out, size};
  }

  /// The rows in level k of the first `count` configurable nodes, in the order of config_node(), configuration
  /// by configuration.  (C count)
  [[nodiscard]] Span<const std::int32_t> config_rows(std::int64_t k, std::int64_t num_configs,
                                                     std::int64_t count, Arena& arena) const {
    const SharedLevel rows = level(k);
    const auto size = static_cast<std::size_t>(num_configs * count);
    auto* const out = arena.allocate<std::int32_t>(size);
    std::int32_t* to = out;
    for (std::int64_t c = 0; c < num_configs; ++c) {
      for (std::size_t i = 0; i < at(count); ++i) *to++ = rows.of_config(rows.row[at(config_node_[i])], c);
    }
    return {out, size};
  }

  /// The row in level `from` of each row of level `to`, which is not before it.  (num_rows(C) of `to`)
  [[nodiscard]] Span<const std::int32_t> rows_before(std::int64_t from, std::int64_t to,
                                                     std::int64_t num_configs, Arena& arena) const {
    const SharedLevel before = level(from);
    const SharedLevel after = level(to);
    const auto size = static_cast<std::size_t>(after.num_rows(num_configs));
    auto* const out = arena.allocate<std::int32_t>(size);
    std::int32_t* next = out;
    const auto append = [&](std::int32_t begin, std::int32_t end, std::int64_t c) {
      for (std::int32_t r = begin; r < end; ++r)
        *next++ = before.of_config(before.row[at(after.node[at(r)])], c);
    };
    append(0, after.num_shared, 0);
    for (std::int64_t c = 0; c < num_configs; ++c) append(after.num_shared, after.num_nodes(), c);
    return {out, size};
  }

  /// Layer k for at most max_configs() configurations; `transpose` also makes what the gradients gather from.
  /// Cost: O(rows and edges of the layer), no multiplication in it; allocates from `arena` alone.
  [[nodiscard]] SharedLayer layer(std::int64_t k, std::int64_t num_configs, bool transpose,
                                  Arena& arena) const {
    const Layer& one = layers_[static_cast<std::size_t>(k)];
    const SharedLevel from = level(k);
    const SharedLevel to = level(k + 1);
    const std::size_t num_shared = at(to.num_shared);
    const std::size_t num_own = at(to.num_own());
    const std::int32_t own_begin = one.row_ptr[num_shared];  // the first edge of the rows that are own
    const std::int32_t own_edges = one.row_ptr.back() - own_begin;
    const auto num_rows = static_cast<std::size_t>(to.num_rows(num_configs));
    const auto num_edges = static_cast<std::size_t>(own_begin + num_configs * own_edges);

    auto* const row_ptr = arena.allocate<std::int32_t>(num_rows + 1);
    auto* const col = arena.allocate<std::int32_t>(num_edges);
    auto* const weight = arena.allocate<std::int32_t>(num_edges);
    auto* const root = arena.allocate<std::int32_t>(num_rows);
    std::copy_n(one.row_ptr.data(), num_shared + 1, row_ptr);
    std::copy_n(one.col.data(), own_begin, col);
    std::copy_n(one.position.data(), own_begin, weight);
    std::copy_n(one.root.data(), num_shared, root);
    for (std::int64_t c = 0; c < num_configs; ++c) {
      const auto first_edge = static_cast<std::int32_t>(c * own_edges);
      const std::size_t first_row = num_shared + static_cast<std::size_t>(c) * num_own;
      for (std::size_t j = 0; j < num_own; ++j) {
        row_ptr[first_row + j + 1] = one.row_ptr[num_shared + j + 1] + first_edge;
        root[first_row + j] = from.of_config(one.root[num_shared + j], c);
      }
      for (std::int32_t e = own_begin; e < one.row_ptr.back(); ++e) {
        col[first_edge + e] = from.of_config(one.col[at(e)], c);
        weight[first_edge + e] = one.position[at(e)];
      }
    }
    SharedLayer layer;
    layer.adjacency.csr = {{row_ptr, num_rows + 1}, {col, num_edges}};
    layer.adjacency.num_cols = static_cast<std::int32_t>(from.num_rows(num_configs));
    layer.root = {root, num_rows};
    layer.weight = {weight, num_edges};
    if (transpose) add_transpose(layer.adjacency, arena);
    return layer;
  }

 private:
  using Ids = AlignedVector<std::int32_t>;
  struct Level {
    Ids row, node;
    std::int32_t num_shared = 0;
  };
  struct Layer {       // for one configuration
    Ids row_ptr, col;  // rows of the next level over rows of this one
    Ids position;      // (E) of each edge in the graph's CSR
    Ids root;          // (N) the row in this level of each row of the next
  };

  template <class Int>
  static std::size_t at(Int i) {
    return static_cast<std::size_t>(i);
  }

  void add_level(const std::vector<char>& own) {
    Level level;
    level.node.reserve(own.size());
    level.row.resize(own.size());
    for (const bool wanted : {false, true}) {
      if (wanted) level.num_shared = static_cast<std::int32_t>(level.node.size());
      for (std::size_t v = 0; v < own.size(); ++v) {
        if ((own[v] != 0) != wanted) continue;
        level.row[v] = static_cast<std::int32_t>(level.node.size());
        level.node.push_back(static_cast<std::int32_t>(v));
      }
    }
    levels_.push_back(std::move(level));
  }

  // The layer between the last two levels.
  void add_layer(const CsrView& csr) {
    const Level& from = levels_[levels_.size() - 2];
    const Level& to = levels_.back();
    Layer layer;
    layer.col.reserve(csr.col.size());
    layer.position.reserve(csr.col.size());
    layer.row_ptr.push_back(0);
    const bool reads_edges = csr.num_rows() > 0;
    for (const std::int32_t v : to.node) {
      const std::int32_t end = reads_edges ? csr.row_ptr[at(v) + 1] : 0;
      for (std::int32_t e = reads_edges ? csr.row_ptr[at(v)] : 0; e < end; ++e) {
        layer.col.push_back(from.row[at(csr.col[at(e)])]);
        layer.position.push_back(e);
      }
      layer.row_ptr.push_back(static_cast<std::int32_t>(layer.col.size()));
      layer.root.push_back(from.row[at(v)]);
    }
    layers_.push_back(std::move(layer));
  }

  Ids config_node_;
  std::vector<Level> levels_;  // L + 1
  std::vector<Layer> layers_;  // L
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_GRAPH_SHARED_ROWS_HPP
