// SPDX-License-Identifier: Apache-2.0
// LayoutReadout: the pools and the head of the layout networks with early join; options that all of them have.
#ifndef MLGRAPH_ARCH_LAYOUT_READOUT_HPP
#define MLGRAPH_ARCH_LAYOUT_READOUT_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
#include "mlgraph/nn/mlp.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Options of the layout networks.
struct LayoutOptions : InputOptions {
  std::int64_t hidden_channels = 64;
  std::int64_t num_layers = 3;
  double dropout = 0;
  LayoutOptions() { config_encoding = ConfigEncoding::kOneHot; }
  template <class V>
  void fields(V& v) {
    v("hidden_channels", "--hidden", hidden_channels, 1, kMaxChannels, "Width");
    v("num_layers", "--layers", num_layers, 1, kMaxLayers, "Graph layers");
    v("dropout", "--dropout", dropout, 0.0, 1.0, "In the read-out");
  }
};

/// [mean over nodes ; l2(sum over nodes) ; l2(sum over configurable nodes)] -> MLP -> score.
/// Source: arXiv:2308.13490, section 4.3.
class LayoutReadout {
 public:
  LayoutReadout(ParamSpec& p, std::int64_t hidden, double dropout) : dropout_(dropout) {
    MlpOptions plain;
    plain.activation = Activation::kLeakyRelu;
    plain.bias = false;  // a constant would not change a ranking
    p.begin_readout();
    head_ = MLP(p, "head", {3 * hidden, hidden, 1}, plain);
  }

  [[nodiscard]] static std::vector<Pool> pools() {
    using kernels::Reduce;
    return {{Pool::Rows::kAll, Reduce::kMean, false},
            {Pool::Rows::kAll, Reduce::kSum, true},
            {Pool::Rows::kConfigurable, Reduce::kSum, true}};
  }
  template <class C>
  Var operator()(C& ctx, Var pooled) const {
    return head_(ctx, ctx.dropout(pooled, dropout_));
  }

 private:
  MLP head_;
  double dropout_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_LAYOUT_READOUT_HPP
