// SPDX-License-Identifier: Apache-2.0
// TileResGcn: the dataset's residual network on a fused kernel, which ranks tile sizes.
#ifndef MLGRAPH_ARCH_TILE_RESGCN_HPP
#define MLGRAPH_ARCH_TILE_RESGCN_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/arch/tile_net.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- x + MLP(A y + A^T y + y),   y = leaky_relu(x),   A = D^-1 (A' + I), in a TileNet. Along one direction
/// only its term stays, A (forward) or A^T (reverse).
///
/// Source: arXiv:2308.13490, section 4.2; differs from the authors' in its input layer, a linear map to
/// hidden_channels.
class TileResGcnLayers {
 public:
  static constexpr std::string_view kName = "tile-resgcn", kLateName = "tile-resgcn-late";
  using Options = TileOptions;

  TileResGcnLayers(ParamSpec& p, const Options& options, std::int64_t node_channels,
                   std::int64_t config_channels, bool)
      : encode_(p, "encode", node_channels + config_channels, options.hidden_channels),
        node_channels_(node_channels) {
    const std::int64_t hidden = options.hidden_channels;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      mlps_.push_back(MLP(p, str_cat("layers.", k), {hidden, hidden, hidden}, tile_mlp()));
  }

  [[nodiscard]] static NetPlan plan(const Options& options, bool) {
    Stage stage;
    stage.direction = options.direction;
    stage.weights = EdgeWeights::kRowNorm;
    stage.has_messages = true;
    NetPlan plan;
    plan.stages.assign(as_size(options.num_layers), stage);
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, Var h) const {
    return encode_.columns(ctx, h, 0, true);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return ctx.config_affine(h, encode_.columns(ctx, flow.graph_config, node_channels_, false), Var{}, {});
  }
  template <class C>
  Var message(C& ctx, Var h) const {
    return ctx.leaky_relu(h, kTileSlope);
  }
  template <class C>
  Var layer(C& ctx, std::size_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var y = flow.roots(ctx, m);
    Var sum = ctx.add(y, ctx.scale_rows(y, flow.self_weight));
    sum = ctx.add(sum, ctx.spmm(Reduce::kSum, flow.edges, m, flow.edge_weight));
    const Var root = flow.roots(ctx, h);
    return ctx.add(root, mlps_[k](ctx, sum));
  }

 private:
  Linear encode_;
  std::vector<MLP> mlps_;
  std::int64_t node_channels_;
};

using TileResGcn = TileNet<TileResGcnLayers, false>;
using TileResGcnLate = TileNet<TileResGcnLayers, true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_TILE_RESGCN_HPP
