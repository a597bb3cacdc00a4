// SPDX-License-Identifier: Apache-2.0
// The constant weights of a stage's edges.
#ifndef MLGRAPH_COST_EDGE_WEIGHTS_HPP
#define MLGRAPH_COST_EDGE_WEIGHTS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/nn/gcn_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// D^-1 (A + I) of EdgeWeights::kRowNorm along a direction; d_i counts the edges into i, and i itself.
///
///   forward: 1 / d_i,  reverse: its transpose, the edge i -> j weighs 1 / d_j at i,  both: their sum
template <class T>
[[nodiscard]] RowWeights<T> row_norm(Arena& arena, const EdgesView& edges, Direction direction) {
  const CsrView& forward = edges.forward.csr;
  const CsrView& reverse = edges.reverse.csr;
  const CsrView& csr = edges.along(direction).csr;
  const auto num_nodes = as_size(csr.num_rows());
  T* const edge = arena.allocate<T>(csr.col.size());
  T* const self = arena.allocate<T>(num_nodes);
  const auto weight = [&](std::size_t i) {
    return T(1) / static_cast<T>(1 + forward.degree(static_cast<std::int32_t>(i)));
  };
  T* to = edge;
  for (std::size_t i = 0; i < num_nodes; ++i) {
    self[i] = (direction == Direction::kBoth ? T(2) : T(1)) * weight(i);
    auto f = direction == Direction::kReverse ? forward.row_ptr[i + 1] : forward.row_ptr[i];
    auto r = direction == Direction::kForward ? reverse.row_ptr[i + 1] : reverse.row_ptr[i];
    while (f < forward.row_ptr[i + 1] || r < reverse.row_ptr[i + 1]) {  // as the rows of both are merged
      const bool is_source =
          r == reverse.row_ptr[i + 1] || (f < forward.row_ptr[i + 1] && forward.col[f] <= reverse.col[r]);
      *to++ = is_source ? weight(i) : weight(as_size(reverse.col[r]));
      ++(is_source ? f : r);
    }
  }
  return {{edge, csr.col.size()}, {self, num_nodes}};
}

/// The weights of each stage over one graph; stages of the same kind and direction have them in common.
template <class T>
class StageWeights {
 public:
  explicit StageWeights(const EdgesView& edges) : edges_(edges) {}

  /// Of the nodes of the graph, in the memory of `arena` until it is rewound.
  [[nodiscard]] RowWeights<T> of(Arena& arena, const Stage& stage) {
    if (stage.weights == EdgeWeights::kNone) return {};
    Known& known = known_[stage.weights == EdgeWeights::kGcn ? 0 : 1][as_size(stage.direction)];
    if (!known.is_made) {
      known.is_made = true;
      known.weights = stage.weights == EdgeWeights::kGcn ? gcn_norm<T>(arena, edges_.along(stage.direction))
                                                         : row_norm<T>(arena, edges_, stage.direction);
    }
    return known.weights;
  }

 private:
  struct Known {
    bool is_made = false;
    RowWeights<T> weights;
  };
  EdgesView edges_;
  Known known_[2][3];
};

/// The neighbours of each node along the direction of the stage before the join, as numbers.
template <class C>
[[nodiscard]] Span<const typename C::Scalar> degrees(C& ctx, const NetPlan& plan, const EdgesView& edges) {
  using T = typename C::Scalar;
  if (plan.join_stage == 0 || !plan.stages[as_size(plan.join_stage) - 1].reads_edges) return {};
  const CsrView& csr = edges.along(plan.stages[as_size(plan.join_stage) - 1].direction).csr;
  const auto num_nodes = as_size(csr.num_rows());
  T* const degree = ctx.arena().template allocate<T>(num_nodes);
  for (std::size_t i = 0; i < num_nodes; ++i)
    degree[i] = static_cast<T>(csr.degree(static_cast<std::int32_t>(i)));
  return {degree, num_nodes};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_EDGE_WEIGHTS_HPP
