// SPDX-License-Identifier: Apache-2.0
// GINEConv: the graph isomorphism layer with rows of attributes on edges.
#ifndef MLGRAPH_NN_GINE_CONV_HPP
#define MLGRAPH_NN_GINE_CONV_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Graph isomorphism layer of Hu et al., in which an edge says what passes along it.
///
///   x'_i = MLP((1 + epsilon) x_i + sum over edges e from j to i of relu(x_j + W_e a_e + b_e))
///
/// Shapes: x (N, in_channels); edge_attr (E, edge_channels) in the order of edges.csr, as the arrays of edges of a
///         batch are for `edges.forward` -> (N, out_channels). lin.weight (in, edge_channels), lin.bias (in);
///         nn.lins.0 (out, in) and nn.lins.1 (out, out) with weight and bias: names as in PyG with its MLP as
///         nn.
/// Errors: another number of rows of attributes than of edges.
/// Cost:   O(E (edge_channels + 2) in + N (in + out) out) multiply-adds; scratch 3 E in scalars.
/// Source: arXiv:1905.12265, with the epsilon of arXiv:1810.00826, which is a constant here.
class GINEConv {
 public:
  GINEConv() = default;
  GINEConv(ParamSpec& p, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
           std::int64_t edge_channels, double epsilon = 0)
      : nn_(p, str_cat(name, ".nn"), {in_channels, out_channels, out_channels}),
        lin_(p, str_cat(name, ".lin"), edge_channels, in_channels),
        epsilon_(epsilon) {}

  template <class Ctx>
  Var operator()(Ctx& ctx, Var x, const AdjacencyView& edges, Var edge_attr) const {
    if (!ctx.expect(ctx.rows(edge_attr) == edges.csr.num_edges(), [&] {
          return str_cat("GINEConv: there are attributes of ", ctx.rows(edge_attr), " edges; the graph has ",
                         edges.csr.num_edges());
        })) {
      return {};
    }
    const Var sources = ctx.gather_rows(x, edges.csr.col);
    const Var attributes = lin_(ctx, edge_attr);
    const Var messages = ctx.relu(ctx.add(sources, attributes));
    const Var sum = ctx.segment_reduce(Reduce::kSum, edges.csr.row_ptr, messages);
    const Var own = epsilon_ == 0 ? x : ctx.scale(x, static_cast<typename Ctx::Scalar>(1 + epsilon_));
    return nn_(ctx, ctx.add(own, sum));
  }

 private:
  MLP nn_;
  Linear lin_;
  double epsilon_ = 0;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_NN_GINE_CONV_HPP
