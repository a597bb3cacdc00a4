// SPDX-License-Identifier: Apache-2.0
// EdgeConv: the maximum over messages that a network makes of both ends of an edge.
#ifndef MLGRAPH_NN_EDGE_CONV_HPP
#define MLGRAPH_NN_EDGE_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/message_edges.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Messages of a network of the caller's, such as an MLP, put together by their maximum (or sum, or mean).
///
///   x'_i = max_{j in N(i)} nn([x_i ; x_j - x_i])        (no neighbours: 0)
///
/// Shapes: x (C N, F) for C configs of one graph; nn(ctx, .) makes (C E, out) of (C E, 2 F) -> (C N, out). It has no
///         parameters but those of nn.
/// Cost:   O(C E F), and that of nn on C E rows; scratch 4 C E F scalars.
/// Source: Wang et al., arXiv:1801.07829, equation 8.
class EdgeConv {
 public:
  explicit EdgeConv(Reduce reduce = Reduce::kMax, Direction direction = Direction::kForward)
      : reduce_(reduce), direction_(direction) {}

  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Network&& nn) const {
    return (*this)(ctx, x, MessageFlow<typename Ctx::Scalar>(edges.along(direction_)), nn);
  }
  /// The same on a message flow.  Shapes: x (C M, F) -> (C R, out).
  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow, Network&& nn) const {
    const Var root = flow.roots(ctx, x);
    const MessageEdges edges = message_edges(ctx, "EdgeConv", x, root, flow.edges);
    if (!ctx.status().ok()) return {};
    const Var self = ctx.gather_rows(root, edges.target);
    const Var difference = ctx.sub(ctx.gather_rows(x, edges.source), self);
    return ctx.segment_reduce(reduce_, edges.ptr, nn(ctx, ctx.concat(self, difference)));
  }

 private:
  Reduce reduce_;
  Direction direction_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_EDGE_CONV_HPP
