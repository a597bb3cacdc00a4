// SPDX-License-Identifier: Apache-2.0
// TileSage: the dataset's GraphSAGE on a fused kernel, which ranks tile sizes.
#ifndef MLGRAPH_ARCH_TILE_SAGE_HPP
#define MLGRAPH_ARCH_TILE_SAGE_HPP
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
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- l2(leaky_relu(W [(A + A^T) x ; x] + b)), in a TileNet. Along one direction only its term stays, A
/// (forward) or A^T (reverse).
///
/// The first layer on [x_i ; z] is computed as P_i + degree_i U z + V z, of which P is made once for all
/// configurations.
/// Source: arXiv:2308.13490, section 4.2.
class TileSageLayers {
 public:
  static constexpr std::string_view kName = "tile-sage", kLateName = "tile-sage-late";
  struct Options : TileOptions {
    Options() { opcode_channels = 64; }
  };

  TileSageLayers(ParamSpec& p, const Options& options, std::int64_t node_channels, std::int64_t config_channels,
                 bool late)
      : late_(late) {
    SAGEConvOptions sage;
    sage.reduce = Reduce::kSum;
    sage.direction = options.direction;
    sage.one_matrix = true;
    sage.normalize = true;
    const std::int64_t hidden = options.hidden_channels;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      convs_.emplace_back(p, str_cat("layers.", k), k == 0 ? node_channels + config_channels : hidden, hidden,
                          sage);
  }

  [[nodiscard]] static NetPlan plan(const Options& options, bool late) {
    Stage stage;
    stage.direction = options.direction;
    NetPlan plan;
    plan.stages.assign(as_size(options.num_layers), stage);
    if (!late) plan.join_stage = 1;
    return plan;
  }

  template <class C>
  Var nodes(C&, Var h) const {
    return h;
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return convs_[0].add_config(ctx, h, flow.graph_config, flow.degree, Activation::kLeakyRelu, kTileSlope);
  }
  template <class C>
  Var message(C&, Var h) const {
    return h;
  }
  template <class C>
  Var layer(C& ctx, std::size_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    if (k == 0 && !late_) return convs_[0].node_part(ctx, h, flow);
    return convs_[k](ctx, h, flow, Activation::kLeakyRelu, kTileSlope);
  }

 private:
  std::vector<SAGEConv> convs_;
  bool late_;
};

using TileSage = TileNet<TileSageLayers, false>;
using TileSageLate = TileNet<TileSageLayers, true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_TILE_SAGE_HPP
