// SPDX-License-Identifier: Apache-2.0
// BatchNormNet: a network with statistics that training moves without a gradient.
#ifndef MLGRAPH_TESTS_TRAIN_BATCH_NORM_NET_HPP
#define MLGRAPH_TESTS_TRAIN_BATCH_NORM_NET_HPP

#include <cstdint>
#include <string_view>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_embedding.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/norm.hpp"

namespace mlgraph::testing {
MLGRAPH_BEGIN_ISA

/// x <- relu(BN(W x)) at each node; sum; MLP of BN([sum ; configuration of the graph]).
class BatchNormNet {
 public:
  static constexpr std::string_view kName = "batch-norm-net";
  struct Options : InputOptions {
    std::int64_t hidden_channels = 8;
    template <class V>
    void fields(V& v) {
      v("hidden_channels", "--hidden", hidden_channels, 1, kMaxChannels, "Width");
    }
  };

  BatchNormNet(ParamSpec& p, const Options& options, const InputWidths& in)
      : options_(options), input_(p, options, in) {
    const std::int64_t hidden = options.hidden_channels;
    encode_ = Linear(p, "encode", input_.node_channels(), hidden);
    node_norm_ = BatchNorm(p, "node_norm", hidden);
    p.begin_readout();
    config_norm_ = BatchNorm(p, "config_norm", hidden + in.num_config_features);
    head_ = MLP(p, "head", {hidden + in.num_config_features, hidden, 1});
  }

  [[nodiscard]] NetPlan plan() const {
    NetPlan plan;
    plan.stages.resize(1);
    plan.stages[0].reads_edges = false;
    plan.stages[0].mixes_nodes = true;
    plan.config_in_readout = true;
    plan.channels = options_.hidden_channels;
    return plan;
  }

  template <class C>
  Var nodes(C& ctx, const NodeRows<typename C::Scalar>& rows) const {
    return encode_(ctx, input_.node(ctx, rows));
  }
  template <class C>
  Var layer(C& ctx, std::int64_t, Var h, Var, const Flow<typename C::Scalar>&) const {
    return ctx.relu(node_norm_(ctx, h));
  }
  template <class C>
  Var readout(C& ctx, Var pooled, Var config) const {
    return head_(ctx, config_norm_(ctx, ctx.concat(ctx.repeat_rows(pooled, ctx.rows(config)), config)));
  }

 private:
  Options options_;
  InputEmbedding input_;
  Linear encode_;
  BatchNorm node_norm_, config_norm_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_BATCH_NORM_NET_HPP
