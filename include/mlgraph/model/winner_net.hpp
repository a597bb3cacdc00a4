// SPDX-License-Identifier: Apache-2.0
// WinnerNet: the network that won the competition on TpuGraphs, for layouts and for tiles.
#ifndef MLGRAPH_MODEL_WINNER_NET_HPP
#define MLGRAPH_MODEL_WINNER_NET_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/model/input_encoding.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/nn/cross_config_attention.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/nn/squeeze_excite.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// InputEncoding of nodes and configurations -> two linear and num_layers graph layers -> pooled nodes ->
/// score.
///
///   linear:  z = SE(IN(W x + b));       x <- gelu([z ; CCA(z)])
///   graph:   z = SE(SAGE(IN(x)));       x <- dropout(gelu([z ; CCA(z)] + x [+ x_0]))
///
/// IN normalises each channel over the nodes of a segment (without affine), SE is the squeeze-excite gate with
/// reduction 8, CCA cross-config attention with a learned temperature, 0.5 at the start; SAGE takes the mean
/// over neighbours, which are the consumers along Direction::kReverse. z is half as wide as x. x_0, what the
/// linear layers made, is there with initial_residual.
///
/// layout-winner: the configuration is part of every node (entries of its own, or row 0 of the layout table at
/// nodes without any), each configuration has a copy of the nodes, and config_chunk > 0 lets them see each
/// other: then a score depends on which configurations are scored together, and permuting these permutes the
/// scores. With config_chunk = 0 there is no CCA and z is as wide as x. Read-out: mean over nodes -> linear ->
/// score; with node_scores an MLP at every node and the sum of the nodes' scores.
/// tile-winner: the graph is computed once, without CCA, as there is nothing to compare; read-out
/// [MLP(config) ; max over nodes ; mean over nodes] -> MLP -> score.
///
/// Shapes: NetInput with C configs -> (C, 1); larger = slower.
/// Cost:   layout: every node of every configuration; no rows are shared, as IN mixes all nodes.
/// Source: first place of "Fast or Slow? Predict AI Model Runtime" (Kaggle, 2023). The first linear layer of
///         the concatenation [node ; config] is computed as the sum of its two parts, of which the node's is
///         the same for all configurations.
class WinnerNet {
 public:
  WinnerNet() = default;
  WinnerNet(ParamSpec& p, const ModelOptions& options, std::int64_t num_node_features,
            std::int64_t num_config_features)
      : options_(options), input_(p, options, num_node_features, num_config_features) {
    const std::int64_t hidden = options.hidden_channels;
    const std::int64_t width = compares() ? hidden / 2 : hidden;
    encode_.emplace_back(p, "encode.0", input_.node_channels(), width);
    if (is_layout()) config_ = Linear(p, "config", input_.config_channels(), width, false);
    gates_.emplace_back(p, "encode.0", width, compares());
    encode_.emplace_back(p, "encode.1", hidden, width);
    gates_.emplace_back(p, "encode.1", width, compares());
    SAGEConvOptions sage;
    sage.direction = options.direction;
    for (std::int64_t k = 0; k < options.num_layers; ++k) {
      const std::string name = str_cat("layers.", k);
      convs_.emplace_back(p, name, hidden, width, sage);
      gates_.emplace_back(p, name, width, compares());
    }
    MlpOptions gelu;
    gelu.activation = Activation::kGelu;
    if (!is_layout()) {
      config_mlp_ = MLP(p, "config", {num_config_features, hidden, hidden}, gelu);
      head_ = MLP(p, "head", {3 * hidden, hidden, hidden, 1}, gelu);
    } else if (options.node_scores) {
      head_ = MLP(p, "head", {hidden, hidden, 1}, gelu);
    } else {
      head_ = MLP(p, "head", {hidden, 1});
    }
  }

  template <class Ctx>
  Var forward(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return readout(ctx, embed(ctx, in), ReadoutInput<typename Ctx::Scalar>(in));
  }

  /// One segment -> (C, embedding_channels()), or (1, ...) for tiles: what the segments of a graph are added up
  /// in.
  template <class Ctx>
  Var embed(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return embed(ctx, prefix(ctx, in), in);
  }
  /// What embed() computes once for all configurations. Layout: the nodes' part of the first linear layer, (N,
  /// width of z). Tile: [max ; mean] over the nodes, (1, 2 hidden).
  template <class Ctx>
  Var prefix(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    const Var h = encode_[0](ctx, input_.node(ctx, in));
    if (is_layout()) return h;
    const Var x = layers(ctx, h, in, 1);
    const Span<const std::int32_t> all = detail::equal_segments(ctx, 1, in.num_nodes());
    const Var mean = global_mean_pool(ctx, x, all);
    return ctx.concat(global_max_pool(ctx, x, all), mean);
  }
  /// The rest of it.
  template <class Ctx>
  Var embed(Ctx& ctx, Var prefix, const NetInput<typename Ctx::Scalar>& in) const {
    if (!is_layout()) return prefix;
    const Var pooled = detail::pool_inner(ctx, layout_rows(ctx, prefix, in), in, in.num_configs);
    return has_readout() || options_.node_scores ? pooled : head_of_mean(ctx, pooled, in.num_inner());
  }

  /// The sum of the segments' embeddings -> (C, 1).
  template <class Ctx>
  Var readout(Ctx& ctx, Var embedding, const ReadoutInput<typename Ctx::Scalar>& in) const {
    if (!has_readout()) return embedding;
    if (is_layout()) return head_of_mean(ctx, embedding, in.num_nodes);
    const Var config = config_mlp_(ctx, ctx.input(in.config));
    return head_(ctx, ctx.concat(config, ctx.repeat_rows(embedding, in.num_configs)));
  }

  /// The rows that embed() adds up for layouts: the nodes after all layers, (C N, hidden), or with node_scores
  /// what each costs, (C N, 1). For infer/explain.hpp.
  template <class Ctx>
  Var pooled_rows(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return layout_rows(ctx, prefix(ctx, in), in);
  }
  /// The mean over nodes, of a layout model without node_scores.
  template <class Ctx>
  Var head_input(Ctx& ctx, Var sums, std::int64_t num_nodes) const {
    using T = typename Ctx::Scalar;
    return ctx.scale(sums, T(1) / static_cast<T>(num_nodes > 0 ? num_nodes : 1));
  }
  /// The rest of the read-out: linear.  -> (C, 1)
  template <class Ctx>
  Var head(Ctx& ctx, Var z) const {
    return head_(ctx, z);
  }

  /// Whether readout() has parameters of its own; without, an embedding is a score already.
  [[nodiscard]] bool has_readout() const {
    return !is_layout() || (!options_.node_scores && options_.segments.readout == SegmentReadout::kEmbedding);
  }
  [[nodiscard]] std::int64_t embedding_channels() const {
    if (!has_readout()) return 1;
    return (is_layout() ? 1 : 2) * options_.hidden_channels;
  }

 private:
  /// What every layer does with its normalised z: z -> [SE(z) ; CCA(SE(z))].
  class Gate {
   public:
    Gate(ParamSpec& p, const std::string& name, std::int64_t channels, bool compares)
        : squeeze_(p, str_cat(name, ".squeeze"), channels), compares_(compares) {
      if (compares) attention_ = CrossConfigAttention(p, str_cat(name, ".attention"));
    }
    template <class Ctx>
    Var operator()(Ctx& ctx, Var z, std::int64_t num_configs) const {
      z = squeeze_(ctx, z);
      return compares_ ? ctx.concat(z, attention_(ctx, z, num_configs)) : z;
    }

   private:
    SqueezeExcite squeeze_;
    CrossConfigAttention attention_;
    bool compares_;
  };

  [[nodiscard]] bool is_layout() const { return options_.task() == Task::kLayout; }
  [[nodiscard]] bool compares() const { return options_.config_chunk > 0; }

  /// All layers, from what the first linear one made.  Shapes: h (copies N, width of z) -> (copies N, hidden).
  template <class Ctx>
  Var layers(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in, std::int64_t num_copies) const {
    const InstanceNorm norm;
    const Span<const std::int32_t> nodes = detail::equal_segments(ctx, num_copies, in.num_nodes());
    Var x = ctx.gelu(gates_[0](ctx, norm(ctx, h, nodes), num_copies));
    x = ctx.gelu(gates_[1](ctx, norm(ctx, encode_[1](ctx, x), nodes), num_copies));
    const Var first = x;
    for (std::size_t k = 0; k < convs_.size(); ++k) {
      const Var z = convs_[k](ctx, norm(ctx, x, nodes), in.edges);
      Var sum = ctx.add(gates_[k + 2](ctx, z, num_copies), x);
      if (options_.initial_residual) sum = ctx.add(sum, first);
      x = ctx.dropout(ctx.gelu(sum), options_.dropout);
    }
    return x;
  }

  template <class Ctx>
  Var layout_rows(Ctx& ctx, Var prefix, const NetInput<typename Ctx::Scalar>& in) const {
    const Var config = config_(ctx, input_.config_of_all_nodes(ctx, in));
    const Span<const std::int32_t> rows = detail::config_rows(ctx, in, in.num_config_nodes());
    const Var h = detail::add_config(ctx, ctx.repeat_rows(prefix, in.num_configs), rows, config);
    const Var x = layers(ctx, h, in, in.num_configs);
    return options_.node_scores ? head_(ctx, x) : x;
  }
  template <class Ctx>
  Var head_of_mean(Ctx& ctx, Var sums, std::int64_t num_nodes) const {
    return head(ctx, head_input(ctx, sums, num_nodes));
  }

  ModelOptions options_;
  InputEncoding input_;
  std::vector<Linear> encode_;  // two
  Linear config_;               // of layouts: the configuration's part of the first linear layer
  std::vector<SAGEConv> convs_;
  std::vector<Gate> gates_;  // of the linear layers, then of the graph layers
  MLP config_mlp_, head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_WINNER_NET_HPP
