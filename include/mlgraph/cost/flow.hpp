// SPDX-License-Identifier: Apache-2.0
// What the functions of a network are given beside the rows themselves: nodes, configurations, and their flow.
#ifndef MLGRAPH_COST_FLOW_HPP
#define MLGRAPH_COST_FLOW_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Columns of what nodes() and config() are given.
struct InputWidths {
  std::int64_t num_node_features = 0;    ///< of NodeRows::x
  std::int64_t num_config_features = 0;  ///< of ConfigRows::x, or classes of each row
};

/// N nodes of a program as the feature encoder made them, borrowed.
template <class T>
struct NodeRows {
  MatrixView<const T> x;            // (N, F) numbers
  Span<const std::int32_t> layout;  // (N 6) rows of the layout table; empty where layouts are not embedded
  Span<const std::int32_t> opcode;  // (N)
  [[nodiscard]] std::int64_t num_nodes() const { return x.rows; }
};

/// R rows of configurations as the feature encoder made them, borrowed: of configurable nodes or of the graph.
template <class T>
struct ConfigRows {
  MatrixView<const T> x;             // (R, G) numbers
  Span<const std::int32_t> classes;  // (R G) rows of the layout table, instead of numbers
  std::int64_t num_rows = 0;         // R
};

/// The rows that a function of a network makes, and what they are made of.
///
/// Of the rows after a stage in layer(); in join(), message() and node_out(), of the rows that they are given.
template <class T>
struct Flow : MessageFlow<T> {
  std::int64_t num_configs = 1;          ///< C
  Span<const std::int32_t> ptr;          ///< (C + 1) rows of each configuration, where they are not shared
  Span<const T> degree;                  ///< (N) in join(): neighbours along the first stage's direction
  Var config;                            ///< what config() made of the rows of configurable nodes
  Span<const std::int32_t> config_rows;  ///< rows here that have a configuration of their own
  Span<const std::int32_t> config_of;    ///< and which row of `config` each has, with num_config_rows
  std::int64_t num_config_rows = 0;      ///< in `config`; 0: row i of config_rows has row i of them
  Var graph_config;                      ///< what config() made of the configurations of the graph, (C, G')
  Var first;                             ///< what each row was before stage NetPlan::first_rows_of

  /// What the configurations of config_rows are in `v`, a map of `config`.
  template <class Ctx>
  [[nodiscard]] Var configs(Ctx& ctx, Var v) const {
    return num_config_rows == 0 ? v : ctx.gather_rows(v, config_of);
  }
  /// The configuration of each row, from ptr.
  [[nodiscard]] Span<const std::int32_t> config_of_rows(Arena& arena) const {
    const auto size = as_size(ptr.back());
    auto* const to = arena.allocate<std::int32_t>(size);
    for (std::size_t c = 0; c + 1 < ptr.size(); ++c)
      std::fill(to + ptr[c], to + ptr[c + 1], static_cast<std::int32_t>(c));
    return {to, size};
  }
};

/// h with `delta`, a linear map of flow.config, added: to each row of flow.config_rows that of its
/// configuration, and where delta has one row more than there are configurations, that one to every other row
/// of h.
template <class Ctx>
Var add_config(Ctx& ctx, Var h, Var delta, const Flow<typename Ctx::Scalar>& flow) {
  const Span<const std::int32_t> index = flow.config_rows;
  const bool in_order = flow.num_config_rows == 0;  // row i of the index has row i of delta
  const std::int64_t rest = in_order ? signed_size(index) : flow.num_config_rows;
  if (ctx.rows(delta) == rest) return ctx.index_add(h, index, flow.configs(ctx, delta));
  const auto size = as_size(ctx.rows(h));
  auto* const from = ctx.arena().template allocate<std::int32_t>(size);
  std::fill_n(from, size, static_cast<std::int32_t>(rest));
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (!ctx.expect(index[i] >= 0 && as_size(index[i]) < size, [&] {
          return str_cat("add_config: row ", index[i], " has a configuration; there are ", size, " rows");
        })) {
      return {};
    }
    from[index[i]] = in_order ? static_cast<std::int32_t>(i) : flow.config_of[i];
  }
  return ctx.add(h, ctx.gather_rows(delta, Span<const std::int32_t>(from, size)));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_FLOW_HPP
