// SPDX-License-Identifier: Apache-2.0
// LayoutNet: the dataset's cost models of a whole program, which rank the layouts of its tensors.
#ifndef MLGRAPH_MODEL_LAYOUT_NET_HPP
#define MLGRAPH_MODEL_LAYOUT_NET_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/model/input_encoding.hpp"
#include "mlgraph/model/model_options.hpp"
#include "mlgraph/model/net_input.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// InputEncoding of the nodes -> graph layers, told of the layouts at the configurable nodes -> score.
///
///   layout-resgcn:  x <- x + A^ leaky_relu(W [x ; config] + b),   A^ = D^-1/2 (A + A^T + I) D^-1/2
///   layout-sage:    x <- x + relu(W_l mean over neighbours + W_r x + b), the configuration in the first x
///
/// Early join: every configuration has its own copy of the nodes. Read-out:
/// [mean over nodes ; l2(sum over nodes) ; l2(sum over configurable nodes)] -> MLP -> score; larger = slower.
/// Late join: the graph is computed once for all configurations; then each configurable node is read out with
/// its configuration, and the score is the sum over these nodes of an MLP. With config_layers, nodes whose
/// layouts cost more together than each alone can tell: every layer tells each of the mean of all.
///
///   z_k <- relu(A h_k + B config_k [+ (A' h_k) * (B' config_k)])       the product with config_layers only
///   z_k <- z_k + relu(W_l z_k + b + W_r mean over configurable nodes j of z_j)            config_layers times
///
/// A graph in segments: embed() gives each segment's sums (with SegmentReadout::kScalar, and in late join, its
/// score), readout() makes the score of the graph from their total.
///
/// Shapes: NetInput with config (C K, G) -> (C, 1).
/// Source: arXiv:2308.13490, section 4.3 (resgcn). Late join and sage are not among the authors' layout models.
class LayoutNet {
 public:
  LayoutNet() = default;
  LayoutNet(ParamSpec& p, const ModelOptions& options, std::int64_t num_node_features,
            std::int64_t num_config_features)
      : options_(options), input_(p, options, num_node_features, num_config_features) {
    const std::int64_t hidden = options.hidden_channels;
    const bool early = options.join == Join::kEarly;
    encode_ = Linear(p, "encode", input_.node_channels(), hidden);
    if (early && options.arch == Arch::kLayoutSage)
      config_.emplace_back(p, "config", input_.config_channels(), hidden, false);
    for (std::int64_t k = 0; k < options.num_layers; ++k) {
      const std::string name = str_cat("layers.", k);
      if (options.arch == Arch::kLayoutSage) {
        convs_.emplace_back(p, name, hidden, hidden, sage());
      } else {
        linears_.emplace_back(p, str_cat(name, ".lin"), hidden, hidden);
        if (early) config_.emplace_back(p, str_cat(name, ".config"), input_.config_channels(), hidden, false);
      }
    }
    if (early) {
      MlpOptions plain;
      plain.activation = Activation::kLeakyRelu;
      plain.bias = false;  // a constant would not change a ranking
      head_ = MLP(p, "head", {3 * hidden, hidden, 1}, plain);
    } else {
      node_ = Linear(p, "node", hidden, hidden);
      config_.emplace_back(p, "config", input_.config_channels(), hidden, false);
      if (options.config_layers > 0) {
        gate_ = Linear(p, "gate", hidden, hidden);
        config_.emplace_back(p, "config_gate", input_.config_channels(), hidden, false);
      }
      for (std::int64_t k = 0; k < options.config_layers; ++k) {
        own_.emplace_back(p, str_cat("config_layers.", k, ".lin_l"), hidden, hidden);
        mean_.emplace_back(p, str_cat("config_layers.", k, ".lin_r"), hidden, hidden, false);
      }
      head_ = MLP(p, "head", {hidden, hidden, 1});
    }
  }

  template <class Ctx>
  Var forward(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return readout(ctx, embed(ctx, in), ReadoutInput<typename Ctx::Scalar>(in));
  }

  /// One segment -> (C, embedding_channels()): what the segments of a graph are added up in.
  template <class Ctx>
  Var embed(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    const Var h = encode_(ctx, input_.node(ctx, in), Activation::kLeakyRelu, kSlope);
    if (options_.join == Join::kLate) return late(ctx, h, in);
    const Var sums = early(ctx, h, in);
    return has_readout() ? sums : head(ctx, sums, in.num_inner());
  }

  /// The sum of the segments' embeddings -> (C, 1).
  template <class Ctx>
  Var readout(Ctx& ctx, Var embedding, const ReadoutInput<typename Ctx::Scalar>& in) const {
    return has_readout() ? head(ctx, embedding, in.num_nodes) : embedding;
  }

  /// Whether readout() has parameters of its own; without, an embedding is a score already.
  [[nodiscard]] bool has_readout() const {
    return options_.join == Join::kEarly && options_.segments.readout == SegmentReadout::kEmbedding;
  }
  [[nodiscard]] std::int64_t embedding_channels() const {
    return has_readout() ? 2 * options_.hidden_channels : 1;
  }

 private:
  static constexpr double kSlope = 0.2;

  SAGEConvOptions sage() const {
    SAGEConvOptions options;
    options.direction = options_.direction;
    return options;
  }

  /// Every configuration has its own copy of the nodes -> (C, 2 hidden): the sums of head().
  template <class Ctx>
  Var early(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in) const {
    const Span<const std::int32_t> rows = detail::config_rows(ctx, in, in.num_config_nodes());
    const Var config = input_.config_of_all_nodes(ctx, in);
    h = ctx.repeat_rows(h, in.num_configs);
    if (options_.arch == Arch::kLayoutSage)
      h = ctx.relu(detail::add_config(ctx, h, rows, config_[0](ctx, config)));
    h = layers(ctx, h, in, &config, rows);

    const Span<const std::int32_t> inner =
        in.num_halo_config == 0 ? rows : detail::config_rows(ctx, in, in.num_inner_config());
    const Var configurable = global_add_pool(
        ctx, ctx.gather_rows(h, inner), detail::equal_segments(ctx, in.num_configs, in.num_inner_config()));
    return ctx.concat(detail::pool_inner(ctx, h, in, in.num_configs), configurable);
  }

  /// [sum over nodes ; sum over configurable nodes] -> score.
  template <class Ctx>
  Var head(Ctx& ctx, Var sums, std::int64_t num_nodes) const {
    using T = typename Ctx::Scalar;
    const std::int64_t hidden = options_.hidden_channels;
    const Var nodes = ctx.slice_cols(sums, 0, hidden);
    const Var mean = ctx.scale(nodes, T(1) / static_cast<T>(num_nodes > 0 ? num_nodes : 1));
    const Var configurable = ctx.slice_cols(sums, hidden, hidden);
    const Var z = ctx.concat(mean, ctx.l2_normalize(nodes), ctx.l2_normalize(configurable));
    return head_(ctx, ctx.dropout(z, options_.dropout));
  }

  /// One copy of the nodes; each configurable node's share of the cost is computed with its configuration. A
  /// halo has no configurable nodes here: nothing would read their configurations.
  template <class Ctx>
  Var late(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in) const {
    h = layers(ctx, h, in, nullptr, {});
    const Var nodes = ctx.gather_rows(h, in.config_node);  // (K, hidden)
    const Var config = input_.config(ctx, in);
    Var z = ctx.add(ctx.repeat_rows(node_(ctx, nodes), in.num_configs), config_[0](ctx, config));
    if (options_.config_layers > 0) {
      const Var gate = ctx.repeat_rows(gate_(ctx, nodes), in.num_configs);
      z = ctx.add(z, ctx.mul(gate, config_[1](ctx, config)));
    }
    z = config_layers(ctx, ctx.relu(z), in);                        // (C K, hidden)
    const Var cost = head_(ctx, ctx.dropout(z, options_.dropout));  // (C K, 1)
    return global_add_pool(ctx, cost, detail::equal_segments(ctx, in.num_configs, in.num_config_nodes()));
  }

  /// Tells each configurable node of the others under the same configuration.
  template <class Ctx>
  Var config_layers(Ctx& ctx, Var z, const NetInput<typename Ctx::Scalar>& in) const {
    if (own_.empty()) return z;
    const Span<const std::int32_t> rows = detail::equal_segments(ctx, in.num_configs, in.num_config_nodes());
    const Span<const std::int32_t> config_of = detail::segment_ids(ctx, in.num_configs, in.num_config_nodes());
    for (std::size_t k = 0; k < own_.size(); ++k) {
      const Var mean = mean_[k](ctx, global_mean_pool(ctx, z, rows));
      z = ctx.add(z, ctx.relu(ctx.add(own_[k](ctx, z), ctx.gather_rows(mean, config_of))));
    }
    return z;
  }

  template <class Ctx>
  Var layers(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in, const Var* config,
             Span<const std::int32_t> rows) const {
    for (const SAGEConv& conv : convs_) h = ctx.add(h, conv(ctx, h, in.edges, Activation::kRelu));
    if (linears_.empty()) return h;
    const AdjacencyView& adjacency = in.edges.along(options_.direction);
    const auto norm = gcn_norm(ctx, adjacency);
    for (std::size_t k = 0; k < linears_.size(); ++k) {
      Var z = linears_[k](ctx, h);
      if (config != nullptr) z = detail::add_config(ctx, z, rows, config_[k](ctx, *config));
      const Var y = ctx.leaky_relu(z, kSlope);
      const Var mixed =
          ctx.add(ctx.spmm(Reduce::kSum, adjacency, y, norm.edge_weight), ctx.scale_rows(y, norm.self_weight));
      h = ctx.add(h, mixed);
    }
    return h;
  }

  ModelOptions options_;
  InputEncoding input_;
  Linear encode_, node_, gate_;
  std::vector<Linear> config_;  // of the config features: one for all (sage, late) or per layer (resgcn)
  std::vector<Linear> linears_;
  std::vector<Linear> own_, mean_;  // of the config layers
  std::vector<SAGEConv> convs_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_LAYOUT_NET_HPP
