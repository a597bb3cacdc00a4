// SPDX-License-Identifier: Apache-2.0
// TileResGcn: the dataset's residual network on a fused kernel, which ranks tile sizes.
#ifndef MLGRAPH_ARCH_TILE_RESGCN_HPP
#define MLGRAPH_ARCH_TILE_RESGCN_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/arch/tile_readout.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_encoding.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/recipe.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- x + MLP(A y + A^T y + y),   y = leaky_relu(x),   A = D^-1 (A' + I); sum over nodes; TileReadout. Along
/// one direction only its term stays, A (forward) or A^T (reverse).
///
/// The configuration joins every node before the layers, or with kLate the pooled graph after them.
/// Source: arXiv:2308.13490, section 4.2; differs from the authors' in its input layer, a linear map to
/// hidden_channels.
template <bool kLate>
class TileResGcnNet {
 public:
  static constexpr std::string_view kName = kLate ? "tile-resgcn-late" : "tile-resgcn";
  using Options = TileOptions;
  [[nodiscard]] static Recipe recipe(const Options&) { return tile_recipe(); }

  TileResGcnNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        encode_(p, "encode", input_.node_channels() + (kLate ? 0 : in.num_config_features),
                options.hidden_channels),
        mlps_(make_mlps(p, options)),
        readout_(p, options.hidden_channels, kLate ? in.num_config_features : 0) {}

  [[nodiscard]] NetPlan plan() const {
    Stage stage;
    stage.direction = options_.direction;
    stage.weights = EdgeWeights::kRowNorm;
    stage.has_messages = true;
    return tile_plan(options_, options_.num_layers, stage, kLate);
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return encode_.columns(ctx, input_.node(ctx, rows), 0, true);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    const Var shift = encode_.columns(ctx, flow.graph_config, input_.node_channels(), false);
    return ctx.config_affine(h, shift, Var{}, {});
  }
  template <class C>
  Var message(C& ctx, std::int64_t, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.leaky_relu(h, kTileSlope);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var y = flow.roots(ctx, m);
    Var sum = ctx.add(y, ctx.scale_rows(y, flow.self_weight));
    sum = ctx.add(sum, ctx.spmm(Reduce::kSum, flow.edges, m, flow.edge_weight));
    const Var root = flow.roots(ctx, h);
    return ctx.add(root, mlps_[static_cast<std::size_t>(k)](ctx, sum));
  }
  template <class C>
  Var node_out(C& ctx, Var h, const Flow<typename C::Scalar>&) const {
    return ctx.dropout(h, options_.dropout);
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var config) const {
    return readout_(ctx, pooled, config);
  }

 private:
  static std::vector<MLP> make_mlps(ParamSpec& p, const Options& options) {
    const std::int64_t hidden = options.hidden_channels;
    std::vector<MLP> mlps;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      mlps.push_back(MLP(p, str_cat("layers.", k), {hidden, hidden, hidden}, tile_mlp()));
    return mlps;
  }

  Options options_;
  InputEncoding input_;
  Linear encode_;
  std::vector<MLP> mlps_;
  TileReadout readout_;
};

using TileResGcn = TileResGcnNet<false>;
using TileResGcnLate = TileResGcnNet<true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_ARCH_TILE_RESGCN_HPP
