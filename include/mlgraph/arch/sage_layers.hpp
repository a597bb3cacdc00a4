// SPDX-License-Identifier: Apache-2.0
// SageLayers: the graph layers of the layout-sage networks.
#ifndef MLGRAPH_ARCH_SAGE_LAYERS_HPP
#define MLGRAPH_ARCH_SAGE_LAYERS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// x <- x + relu(W_l mean over neighbours + W_r x + b)
class SageLayers {
 public:
  static constexpr bool kHasMessages = false;
  static constexpr EdgeWeights kWeights = EdgeWeights::kNone;

  SageLayers(ParamSpec& p, std::int64_t hidden, std::int64_t num_layers, Direction direction) {
    SAGEConvOptions sage;
    sage.direction = direction;
    for (std::int64_t k = 0; k < num_layers; ++k)
      convs_.emplace_back(p, str_cat("layers.", k), hidden, hidden, sage);
  }

  template <class C>
  Var message(C&, std::int64_t, Var h) const {
    return h;
  }
  template <class C>
  Var operator()(C& ctx, std::int64_t k, Var h, Var m, const Flow<typename C::Scalar>& flow) const {
    const Var root = flow.roots(ctx, h);
    const SAGEConv& conv = convs_[as_size(k)];
    return ctx.add(root, conv(ctx, m, root, flow.edges, Activation::kRelu));
  }

 private:
  std::vector<SAGEConv> convs_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_SAGE_LAYERS_HPP
