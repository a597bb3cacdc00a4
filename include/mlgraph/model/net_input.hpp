// SPDX-License-Identifier: Apache-2.0
// NetInput: one graph and some of its configurations, normalised, as an architecture's forward() takes them.
#ifndef MLGRAPH_MODEL_NET_INPUT_HPP
#define MLGRAPH_MODEL_NET_INPUT_HPP

#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/nn/pool.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// One segment of a graph, or all of it. N nodes, C configurations, K configurable nodes (layout), F node
/// features, G config features. Borrowed. T is the context's scalar: float, or double in a gradient check.
///
/// The last `num_halo` nodes, and the last `num_halo_config` of the configurable ones, belong to other
/// segments: layers read them, pooling leaves them out.
template <class T>
struct NetInput {
  MatrixView<const T> x;                 // (N, F)
  Span<const std::int32_t> node_layout;  // (N 6) rows of the layout table; empty where layouts are not embedded
  Span<const std::int32_t> opcode;       // (N)
  EdgesView edges;
  Span<const std::int32_t> config_node;   // (K); empty for tile
  MatrixView<const T> config;             // (C, G) for tile, (C K, G) for layout, config-major
  Span<const std::int32_t> config_class;  // (C K G) rows of the layout table, instead of `config`
  std::int64_t num_configs = 0;           // C
  std::int64_t num_halo = 0;
  std::int64_t num_halo_config = 0;
  const SharedRows* shared =
      nullptr;  // rows that all configurations share; null: each has a copy of every node

  [[nodiscard]] std::int64_t num_nodes() const { return x.rows; }
  [[nodiscard]] std::int64_t num_inner() const { return x.rows - num_halo; }
  [[nodiscard]] std::int64_t num_config_nodes() const { return static_cast<std::int64_t>(config_node.size()); }
  [[nodiscard]] std::int64_t num_inner_config() const { return num_config_nodes() - num_halo_config; }
};

/// What the read-out of a graph needs beside the sum of its segments' embeddings.
template <class T>
struct ReadoutInput {
  MatrixView<const T> config;    // (C, G) for tile; unused for layout
  std::int64_t num_configs = 0;  // C
  std::int64_t num_nodes = 0;    // of all segments

  ReadoutInput() = default;
  ReadoutInput(MatrixView<const T> config_rows, std::int64_t configs, std::int64_t nodes)
      : config(config_rows), num_configs(configs), num_nodes(nodes) {}
  /// Of a graph that is one segment.
  explicit ReadoutInput(const NetInput<T>& in)
      : config(in.config), num_configs(in.num_configs), num_nodes(in.num_inner()) {}
};

namespace detail {

/// {0, n, 2 n, ..., count n} in the context's memory: the rows of each configuration.
template <class Ctx>
Span<const std::int32_t> equal_segments(Ctx& ctx, std::int64_t count, std::int64_t n) {
  const auto size = static_cast<std::size_t>(count) + 1;
  auto* const ptr = ctx.arena().template allocate<std::int32_t>(size);
  for (std::int64_t c = 0; c <= count; ++c) ptr[c] = static_cast<std::int32_t>(c * n);
  return {ptr, size};
}

/// {0, 0, ..., 1, 1, ...}: each number below `count`, n times.
template <class Ctx>
Span<const std::int32_t> segment_ids(Ctx& ctx, std::int64_t count, std::int64_t n) {
  const auto size = static_cast<std::size_t>(count * n);
  auto* const id = ctx.arena().template allocate<std::int32_t>(size);
  for (std::int64_t i = 0; i < count * n; ++i) id[i] = static_cast<std::int32_t>(i / n);
  return {id, size};
}

/// Rows of the first `count` configurable nodes in (C N) rows: c N + node.
template <class Ctx>
Span<const std::int32_t> config_rows(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in, std::int64_t count) {
  const auto k = static_cast<std::size_t>(count);
  const auto size = static_cast<std::size_t>(in.num_configs) * k;
  auto* const row = ctx.arena().template allocate<std::int32_t>(size);
  for (std::size_t i = 0; i < size; ++i) {
    row[i] =
        static_cast<std::int32_t>(static_cast<std::int64_t>(i / k) * in.num_nodes()) + in.config_node[i % k];
  }
  return {row, size};
}

/// The sum over the nodes of a segment, without its halo, in each of `num_copies` copies.
/// Shapes: h (num_copies N, F) -> (num_copies, F).
template <class Ctx>
Var pool_inner(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in, std::int64_t num_copies) {
  const std::int64_t inner = in.num_inner();
  if (in.num_halo > 0) {
    const auto size = static_cast<std::size_t>(num_copies * inner);
    auto* const row = ctx.arena().template allocate<std::int32_t>(size);
    for (std::size_t i = 0; i < size; ++i) {
      const auto n = static_cast<std::int64_t>(i);
      row[i] = static_cast<std::int32_t>(n / inner * in.num_nodes() + n % inner);
    }
    h = ctx.gather_rows(h, Span<const std::int32_t>(row, size));
  }
  return global_add_pool(ctx, h, equal_segments(ctx, num_copies, inner));
}

}  // namespace detail

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_NET_INPUT_HPP
