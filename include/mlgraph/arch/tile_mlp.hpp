// SPDX-License-Identifier: Apache-2.0
// TileMlp: the control among the tile networks: it sees no edges.
#ifndef MLGRAPH_ARCH_TILE_MLP_HPP
#define MLGRAPH_ARCH_TILE_MLP_HPP

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
#include "mlgraph/nn/linear.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- leaky_relu(W x + b) at every node; sum over nodes; TileReadout. The configuration joins every node
/// before the layers, or with kLate the pooled graph after them.
template <bool kLate>
class TileMlpNet {
 public:
  static constexpr std::string_view kName = kLate ? "tile-mlp-late" : "tile-mlp";
  using Options = TileOptions;
  [[nodiscard]] static Recipe recipe(const Options&) { return tile_recipe(); }

  TileMlpNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options),
        input_(p, options, in),
        linears_(make_linears(p, options, input_.node_channels() + (kLate ? 0 : in.num_config_features))),
        readout_(p, options.hidden_channels, kLate ? in.num_config_features : 0) {}

  [[nodiscard]] NetPlan plan() const {
    Stage stage;
    stage.reads_edges = false;
    return tile_plan(options_, options_.num_layers - 1, stage, kLate);
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    const Var h = input_.node(ctx, rows);
    return kLate ? linears_[0](ctx, h, Activation::kLeakyRelu, kTileSlope)
                 : linears_[0].columns(ctx, h, 0, true);
  }
  template <class C>
  Var join(C& ctx, Var h, const Flow<typename C::Scalar>& flow) const {
    const Var shift = linears_[0].columns(ctx, flow.graph_config, input_.node_channels(), false);
    return ctx.config_affine(h, shift, Var{}, {}, Activation::kLeakyRelu, kTileSlope);
  }
  template <class C>
  Var layer(C& ctx, std::int64_t k, Var h, Var, const Flow<typename C::Scalar>& flow) const {
    return linears_[static_cast<std::size_t>(k) + 1](ctx, flow.roots(ctx, h), Activation::kLeakyRelu,
                                                     kTileSlope);
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
  static std::vector<Linear> make_linears(ParamSpec& p, const Options& options, std::int64_t width) {
    std::vector<Linear> linears;
    for (std::int64_t k = 0; k < options.num_layers; ++k)
      linears.emplace_back(p, str_cat("layers.", k), k == 0 ? width : options.hidden_channels,
                           options.hidden_channels);
    return linears;
  }

  Options options_;
  InputEncoding input_;
  std::vector<Linear> linears_;
  TileReadout readout_;
};

using TileMlp = TileMlpNet<false>;
using TileMlpLate = TileMlpNet<true>;

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_ARCH_TILE_MLP_HPP
