// SPDX-License-Identifier: Apache-2.0
// GINConv and GINEConv: graph isomorphism convolutions, without and with rows of edges.
#ifndef MLGRAPH_NN_GIN_CONV_HPP
#define MLGRAPH_NN_GIN_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include <utility>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/message_edges.hpp"
#include "mlgraph/nn/neighbour_sum.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Of GINConv and GINEConv; names as in PyG.
struct GINConvOptions {
  double eps = 0;          ///< at the start, with train_eps
  bool train_eps = false;  ///< eps is a parameter
  Direction direction = Direction::kForward;
};

/// The sum over neighbours, in which a node itself counts 1 + eps times, through a network of the caller's,
/// such as an MLP.
///
///   x'_i = nn((1 + eps) x_i + sum_{j in N(i)} x_j)
///
/// Shapes: x (C N, F) for C configs of one graph -> what nn(ctx, .) makes of (C N, F); eps (1) with train_eps, as in
///         PyG.
/// Cost:   O(C (E + N) F) additions, and that of nn. A Linear or an MLP as nn, or any type with of_sum() as NeighbourSum
///         says, takes the sums as they are made, block by block; others get a matrix of them.
/// Source: Xu, Hu, Leskovec, Jegelka, arXiv:1810.00826, equation 4.1.
class GINConv {
 public:
  using Options = GINConvOptions;

  GINConv() = default;
  GINConv(ParamSpec& p, std::string_view name, const Options& options = {}) : options_(options) {
    if (options.train_eps) eps_ = p.vector(str_cat(name, ".eps"), 1, Init::constant(options.eps));
  }

  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Network&& nn) const {
    return (*this)(ctx, x, MessageFlow<typename Ctx::Scalar>(edges.along(options_.direction)), nn);
  }
  /// The same on a message flow.  Shapes: x (C M, F) -> what nn makes of (C R, F).
  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow, Network&& nn) const {
    return apply_to_sum(ctx, {x, flow.roots(ctx, x), own(), eps(ctx), flow.edges}, nn);
  }

  /// How often a node itself counts, but for what is trained of it.
  [[nodiscard]] double own() const { return options_.train_eps ? 1 : 1 + options_.eps; }
  /// What is trained of it, (1, 1), or Var{}.
  template <class Ctx>
  [[nodiscard]] Var eps(Ctx& ctx) const {
    return options_.train_eps ? ctx.param(eps_) : Var{};
  }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  Param eps_;
  Options options_;
};

/// GINConv whose messages see a row of their edge.
///
///   x'_i = nn((1 + eps) x_i + sum_{j in N(i)} relu(x_j + W e_ij + b))
///
/// Shapes: x (C N, F), edge_attr (E, edge_dim) in the order of the CSR that values flow along -> what nn makes of (C N,
///         F); lin (F, edge_dim) with bias, eps (1) with train_eps, as in PyG.
/// Errors: another number of rows of edges.
/// Cost:   O(E edge_dim F) multiply-adds, O(C (E + N) F) additions; scratch 3 C E F scalars.
/// Source: Hu et al., arXiv:1905.12265, Section 5.
class GINEConv {
 public:
  using Options = GINConvOptions;

  GINEConv() = default;
  GINEConv(ParamSpec& p, std::string_view name, std::int64_t channels, std::int64_t edge_dim,
           const Options& options = {})
      : sum_(p, name, options), lin_(p, str_cat(name, ".lin"), edge_dim, channels) {}

  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const EdgesView& edges, Var edge_attr, Network&& nn) const {
    return (*this)(ctx, x, MessageFlow<typename Ctx::Scalar>(edges.along(sum_.options().direction)), edge_attr,
                   nn);
  }
  /// The same on a message flow.  Shapes: x (C M, F) -> what nn makes of (C R, F).
  template <class Ctx, class Network>
  Var operator()(Ctx& ctx, Var x, const MessageFlow<typename Ctx::Scalar>& flow, Var edge_attr,
                 Network&& nn) const {
    const Var root = flow.roots(ctx, x);
    const MessageEdges edges = message_edges(ctx, "GINEConv", x, root, flow.edges);
    if (!ctx.status().ok()) return {};
    const Var row = rows_of_messages(ctx, "GINEConv", lin_(ctx, edge_attr), edges);
    if (!ctx.status().ok()) return {};
    const Var message = ctx.relu(ctx.add(ctx.gather_rows(x, edges.source), row));
    const Var sum = ctx.segment_reduce(Reduce::kSum, edges.ptr, message);
    return nn(ctx, ctx.add(NeighbourSum{{}, root, sum_.own(), sum_.eps(ctx), {}}.itself(ctx), sum));
  }

 private:
  GINConv sum_;
  Linear lin_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_GIN_CONV_HPP
