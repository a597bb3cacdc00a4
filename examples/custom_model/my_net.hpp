// SPDX-License-Identifier: Apache-2.0
// MyNet: a network of one's own, for programs whose configurable nodes each have a decision. What a network may
// say stands in mlgraph/cost/net.hpp.
#ifndef MLGRAPH_EXAMPLES_CUSTOM_MODEL_MY_NET_HPP
#define MLGRAPH_EXAMPLES_CUSTOM_MODEL_MY_NET_HPP

#include <cstdint>
#include <string_view>
#include <vector>

#include "mlgraph/cost/input_encoding.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mg = mlgraph;

// [custom]
struct MyNet {
  static constexpr std::string_view kName = "my-net";  // in model files, and of --arch
  struct Options : mg::InputOptions {
    std::int64_t hidden_channels = 32, num_layers = 2;
    template <class V>
    void fields(V& v) {  // said once: for files, the command line, its --help and errors
      v("hidden_channels", "--hidden", hidden_channels, 1, mg::kMaxChannels, "Width");
      v("num_layers", "--layers", num_layers, 1, mg::kMaxLayers, "Graph layers");
    }
  };

  Options options;
  mg::InputEncoding input;
  mg::Linear encode, decide, head;
  std::vector<mg::SAGEConv> convs;

  MyNet(mg::ParamSpec& p, const Options& o, const mg::InputWidths& in)  // names as in a model file
      : options(o),
        input(p, o, in),
        encode(p, "encode", input.node_channels(), o.hidden_channels),
        decide(p, "decide", input.config_channels(), o.hidden_channels) {
    const mg::SAGEConvOptions sage{mg::Reduce::kMean, o.direction};
    for (std::int64_t k = 0; k < o.num_layers; ++k)
      convs.emplace_back(p, mg::str_cat("convs.", k), o.hidden_channels, o.hidden_channels, sage);
    p.begin_readout();
    head = mg::Linear(p, "head", o.hidden_channels, 1);
  }

  mg::NetPlan plan() const {  // data: by it the engine shares rows, and knows what a changed decision reaches
    mg::NetPlan plan;
    plan.stages.assign(convs.size(), mg::Stage{true, options.direction});
    plan.join = mg::Join::kConfigurable;  // before the first layer; the pool is a sum over all nodes
    plan.channels = options.hidden_channels;
    return plan;
  }

  template <class C>  // a Tape in training, an Eager context in the compiler: the same bits
  mg::Var nodes(C& ctx, const mg::NodeRows<typename C::Scalar>& rows) const {
    return encode(ctx, input.node(ctx, rows), mg::Activation::kRelu);
  }
  template <class C>
  mg::Var config(C& ctx, const mg::ConfigRows<typename C::Scalar>& rows) const {
    return input.config_of_all_nodes(ctx, rows);
  }
  template <class C>
  mg::Var join(C& ctx, mg::Var h, const mg::Flow<typename C::Scalar>& flow) const {
    return mg::add_config(ctx, h, decide(ctx, flow.config), flow);
  }
  template <class C>
  mg::Var layer(C& ctx, std::int64_t k, mg::Var h, mg::Var m, const mg::Flow<typename C::Scalar>& flow) const {
    const mg::SAGEConv& conv = convs[static_cast<std::size_t>(k)];
    return ctx.add(flow.roots(ctx, h), conv(ctx, m, flow, mg::Activation::kRelu));
  }
  template <class C>
  mg::Var readout(C& ctx, mg::Var pooled, mg::Var) const {
    return head(ctx, pooled);
  }
};
// [custom]

#endif  // MLGRAPH_EXAMPLES_CUSTOM_MODEL_MY_NET_HPP
