// SPDX-License-Identifier: Apache-2.0
// TileSage: the dataset's GraphSAGE on a fused kernel, which ranks tile sizes.
#ifndef MLGRAPH_ARCH_TILE_SAGE_HPP
#define MLGRAPH_ARCH_TILE_SAGE_HPP

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
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- l2(leaky_relu(W [(A + A^T) x ; x] + b)); sum over nodes; TileReadout. Along one direction only its term
/// stays, A (forward) or A^T (reverse).
///
/// The configuration joins every node before the layers, or with kLate the pooled graph after them. The first
/// layer on [x_i ; z] is computed as P_i + degree_i U z + V z, of which P is made once for all configurations.
/// Source: arXiv:2308.13490, section 4.2.
template <bool kLate>
class TileSageNet {
 public:
  static constexpr std::string_view kName = kLate ? "tile-sage-late" : "tile-sage";
  struct Options : TileOptions {
    Options() { opcode_channels = 64; }
  };
  [[nodiscard]] static Recipe recipe(const Options&) { return tile_recipe(); }

  TileSageNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        convs_(make_convs(p, options, input_.node_channels() + (kLate ? 0 : in.num_config_features))),
        readout_(p, options.hidden_channels, kLate ? in.num_config_features : 0) {}

  [[nodiscard]] NetPlan plan() const {
    Stage stage;
    stage.direction = options_.direction;
    NetPlan plan = tile_plan(options_, options_.num_layers, stage, kLate);
    if (!kLate) plan.join_stage = 1;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return input_.node(ctx, rows);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    return convs_[0].add_config(ctx, h, flow.graph_config, flow.degree, Activation::kLeakyRelu, kTileSlope);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    if (k == 0 && !kLate) return convs_[0].node_part(ctx, h, flow);
    return convs_[static_cast<std::size_t>(k)](ctx, h, flow, Activation::kLeakyRelu, kTileSlope);
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
  static std::vector<SAGEConv> make_convs(ParamSpec& p, const Options& options, std::int64_t width) {
    SAGEConvOptions sage;
    sage.reduce = Reduce::kSum;
    sage.direction = options.direction;
    sage.one_matrix = true;
    sage.normalize = true;
    std::vector<SAGEConv> convs;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      convs.emplace_back(p, str_cat("layers.", k), k == 0 ? width : options.hidden_channels,
                         options.hidden_channels, sage);
    return convs;
  }

  Options options_;
  InputEncoding input_;
  std::vector<SAGEConv> convs_;
  TileReadout readout_;
};

using TileSage = TileSageNet<false>;
using TileSageLate = TileSageNet<true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_ARCH_TILE_SAGE_HPP
