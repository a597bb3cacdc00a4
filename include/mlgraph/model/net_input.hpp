// SPDX-License-Identifier: Apache-2.0
// NetInput: one graph and some of its configurations, normalised, as an architecture's forward() takes them.
#ifndef MLGRAPH_MODEL_NET_INPUT_HPP
#define MLGRAPH_MODEL_NET_INPUT_HPP

#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// N nodes, C configurations, K configurable nodes (layout), F node features, G config features. Borrowed.
/// T is the context's scalar: float, or double in a gradient check.
template <class T>
struct NetInput {
  MatrixView<const T> x;            // (N, F)
  Span<const std::int32_t> opcode;  // (N)
  EdgesView edges;
  Span<const std::int32_t> config_node;  // (K); empty for tile
  MatrixView<const T> config;            // (C, G) for tile, (C K, G) for layout, config-major
  std::int64_t num_configs = 0;          // C

  [[nodiscard]] std::int64_t num_nodes() const { return x.rows; }
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

/// Rows of the configurable nodes in (C N) rows: c N + node.
template <class Ctx>
Span<const std::int32_t> config_rows(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) {
  const std::size_t k = in.config_node.size();
  const auto size = static_cast<std::size_t>(in.num_configs) * k;
  auto* const row = ctx.arena().template allocate<std::int32_t>(size);
  for (std::size_t i = 0; i < size; ++i) {
    row[i] =
        static_cast<std::int32_t>(static_cast<std::int64_t>(i / k) * in.num_nodes()) + in.config_node[i % k];
  }
  return {row, size};
}

}  // namespace detail

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_NET_INPUT_HPP
