// SPDX-License-Identifier: Apache-2.0
// MyNet: a network of one's own, for programs whose configurable nodes each have a decision. What a network may
// say stands in mlgraph/cost/net.hpp.
#pragma once
#include "mlgraph/mlgraph.hpp"

namespace mg = mlgraph;

// [custom]
struct MyNet {
  static constexpr std::string_view kName = "my-net";  // in model files, and of --arch
  struct Options : mg::InputOptions {
    std::int64_t hidden_channels = 32, num_layers = 2;
    template <class V>
    void fields(V& v) {  // said once: for files, the command line, its --help and errors
      v("hidden_channels", "--hidden", hidden_channels, 1, mg::kMaxChannels, "Width");
      v("num_layers", "--layers", num_layers, 1, mg::kMaxLayers, "Times that values go along the edges");
    }
  };

  mg::InputEmbedding input;
  mg::Linear encode, head;
  mg::SAGEConv mix;     // one for all layers
  mg::NetPlan planned;  // data: by it the engine shares rows, and knows what a changed decision reaches

  MyNet(mg::ParamSpec& p, const Options& o, const mg::InputWidths& in)  // names as in a model file
      : input(p, o, in),
        encode(p, "encode", input.node_channels() + input.config_channels(), o.hidden_channels),
        mix(p, "mix", o.hidden_channels, o.hidden_channels, {mg::Reduce::kMean, o.direction}) {
    p.begin_readout();
    head = mg::Linear(p, "head", o.hidden_channels, 1);
    planned.stages.assign(static_cast<std::size_t>(o.num_layers), mg::Stage{true, o.direction});
    planned.join = mg::Join::kConfigurable;  // before the first layer; the pool is a sum over all nodes
    planned.channels = o.hidden_channels;
  }
  mg::NetPlan plan() const { return planned; }

  template <class C>  // a Tape in training, an Eager context in the compiler: the same bits
  mg::Var nodes(C& ctx, const mg::NodeRows<typename C::Scalar>& rows) const {
    return encode.columns(ctx, input.node(ctx, rows), 0, true);
  }
  template <class C>
  mg::Var config(C& ctx, const mg::ConfigRows<typename C::Scalar>& rows) const {  // W [node; config], in parts
    return encode.columns(ctx, input.config_of_all_nodes(ctx, rows), input.node_channels(), false);
  }
  template <class C>
  mg::Var join(C& ctx, mg::Var h, const mg::Flow<typename C::Scalar>& flow) const {
    return ctx.relu(mg::add_config(ctx, h, flow.config, flow));
  }
  template <class C>
  mg::Var layer(C& ctx, std::int64_t, mg::Var h, mg::Var m, const mg::Flow<typename C::Scalar>& flow) const {
    return ctx.add(flow.roots(ctx, h), mix(ctx, m, flow, mg::Activation::kRelu));
  }
  template <class C>
  mg::Var readout(C& ctx, mg::Var pooled, mg::Var) const {
    return head(ctx, pooled);
  }
};
// [custom]
