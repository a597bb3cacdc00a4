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
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/shared_rows.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/kernels/reduce.hpp"
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
    return embed(ctx, prefix(ctx, in), in);
  }
  /// What embed() computes once for all configurations; it reads none of them. Early join: the encoded nodes,
  /// (N, hidden). Late join: the configurable nodes after all layers, (K, hidden).
  template <class Ctx>
  Var prefix(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    const Var h = encode(ctx, in);
    return options_.join == Join::kLate ? late_nodes(ctx, h, in) : h;
  }
  /// The rest of it.
  template <class Ctx>
  Var embed(Ctx& ctx, Var prefix, const NetInput<typename Ctx::Scalar>& in) const {
    return options_.join == Join::kLate ? late(ctx, prefix, in) : early(ctx, prefix, in);
  }

  /// The sum of the segments' embeddings -> (C, 1).
  template <class Ctx>
  Var readout(Ctx& ctx, Var embedding, const ReadoutInput<typename Ctx::Scalar>& in) const {
    return has_readout() ? head(ctx, head_input(ctx, embedding, in.num_nodes)) : embedding;
  }

  // ---- what a score is the sum of; for infer/explain.hpp -----------------------------------------------

  /// The rows that embed() adds up.  Early join: the nodes after all layers, (C N, hidden), of configurations
  /// that share none. Late join: what each configurable node costs, (C K, 1).
  template <class Ctx>
  Var pooled_rows(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    const Var h = prefix(ctx, in);
    return options_.join == Join::kLate ? late_costs(ctx, h, in) : layers(ctx, h, in);
  }
  /// Early join: [sum over nodes ; sum over configurable nodes] -> [mean ; l2 ; l2], (C, 3 hidden).
  template <class Ctx>
  Var head_input(Ctx& ctx, Var sums, std::int64_t num_nodes) const {
    using T = typename Ctx::Scalar;
    const std::int64_t hidden = options_.hidden_channels;
    const Var nodes = ctx.slice_cols(sums, 0, hidden);
    const Var mean = ctx.scale(nodes, T(1) / static_cast<T>(num_nodes > 0 ? num_nodes : 1));
    const Var configurable = ctx.slice_cols(sums, hidden, hidden);
    return ctx.concat(mean, ctx.l2_normalize(nodes), ctx.l2_normalize(configurable));
  }
  /// The rest of the read-out: linear in each of finitely many regions.  -> (C, 1)
  template <class Ctx>
  Var head(Ctx& ctx, Var z) const {
    return head_(ctx, ctx.dropout(z, options_.dropout));
  }

  /// Whether readout() has parameters of its own; without, an embedding is a score already.
  [[nodiscard]] bool has_readout() const {
    return options_.join == Join::kEarly && options_.segments.readout == SegmentReadout::kEmbedding;
  }
  [[nodiscard]] std::int64_t embedding_channels() const {
    return has_readout() ? 2 * options_.hidden_channels : 1;
  }

  // ---- the steps of embed() with early join; infer/session.hpp takes them for some rows at a time ------

  /// What the nodes are before any configuration.  -> (N, hidden)
  template <class Ctx>
  Var encode(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return encode_(ctx, input_.node(ctx, in), Activation::kLeakyRelu, kSlope);
  }
  /// What the configurable nodes are told, and where configurations are embedded a row for all other nodes.
  template <class Ctx>
  Var config(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return input_.config_of_all_nodes(ctx, in);
  }
  /// The rows that enter the layers. `rows` are those of configurable nodes, `config` of config() for them; so
  /// in message().
  template <class Ctx>
  Var enter(Ctx& ctx, Var h, Var config, Span<const std::int32_t> rows) const {
    if (options_.arch != Arch::kLayoutSage) return h;
    return ctx.relu(detail::add_config(ctx, h, rows, config_[0](ctx, config)));
  }
  /// What layer k aggregates of each row of h; Var{} as `config` where it joins late.
  template <class Ctx>
  Var message(Ctx& ctx, std::int64_t k, Var h, Var config, Span<const std::int32_t> rows) const {
    if (options_.arch == Arch::kLayoutSage) return h;
    const auto i = static_cast<std::size_t>(k);
    Var z = linears_[i](ctx, h);
    if (config.id != 0) z = detail::add_config(ctx, z, rows, config_[i](ctx, config));
    return ctx.leaky_relu(z, kSlope);
  }
  /// How the rows after a layer follow from those before it.
  template <class T>
  struct LayerRows {
    AdjacencyView adjacency;
    const Span<const std::int32_t>* root = nullptr;  // the row before of each row after; null: the same ones
    GcnNorm<T> norm;  // resgcn: of the edges of `adjacency`, and of the rows after
  };
  /// The rows after layer k from those before it and their messages.
  template <class Ctx>
  Var update(Ctx& ctx, std::int64_t k, Var h, Var messages, const LayerRows<typename Ctx::Scalar>& rows) const {
    const auto i = static_cast<std::size_t>(k);
    const auto root = [&](Var v) { return rows.root == nullptr ? v : ctx.gather_rows(v, *rows.root); };
    const Var root_h = root(h);
    if (options_.arch == Arch::kLayoutSage)
      return ctx.add(root_h, convs_[i](ctx, messages, root_h, rows.adjacency, Activation::kRelu));
    const Var neighbours = ctx.spmm(Reduce::kSum, rows.adjacency, messages, rows.norm.edge_weight);
    const Var self = ctx.scale_rows(root(messages), rows.norm.self_weight);
    return ctx.add(root_h, ctx.add(neighbours, self));
  }
  /// [sum over nodes ; sum over configurable nodes] -> what embed() gives.
  template <class Ctx>
  Var finish(Ctx& ctx, Var nodes, Var configurable, std::int64_t num_nodes) const {
    const Var sums = ctx.concat(nodes, configurable);
    return has_readout() ? sums : head(ctx, head_input(ctx, sums, num_nodes));
  }
  /// The normalisation of update() for the whole graph; nothing where the layers have none.
  template <class Ctx>
  GcnNorm<typename Ctx::Scalar> norm(Ctx& ctx, const AdjacencyView& adjacency) const {
    if (options_.arch == Arch::kLayoutSage) return {};
    return gcn_norm(ctx, adjacency);
  }
  /// The same for the edges of a shared layer and the rows of the level after it, in the memory of `arena`.
  template <class T>
  static GcnNorm<T> shared_norm(const GcnNorm<T>& whole, const SharedLayer& layer, const SharedLevel& level,
                                std::int64_t num_configs, Arena& arena) {
    if (whole.self_weight.empty()) return {};
    T* const edge_weight = arena.allocate<T>(layer.weight.size());
    T* const self_weight = arena.allocate<T>(layer.root.size());
    for (std::size_t e = 0; e < layer.weight.size(); ++e)
      edge_weight[e] = whole.edge_weight[static_cast<std::size_t>(layer.weight[e])];
    T* to = self_weight;
    const auto append = [&](std::int32_t begin, std::int32_t end) {
      for (std::int32_t r = begin; r < end; ++r)
        *to++ = whole.self_weight[static_cast<std::size_t>(level.node[static_cast<std::size_t>(r)])];
    };
    append(0, level.num_shared);
    for (std::int64_t c = 0; c < num_configs; ++c) append(level.num_shared, level.num_nodes());
    return {{edge_weight, layer.weight.size()}, {self_weight, layer.root.size()}};
  }
  [[nodiscard]] Direction direction() const { return options_.direction; }
  /// Whether message() is more than the rows themselves.
  [[nodiscard]] bool has_messages() const { return options_.arch != Arch::kLayoutSage; }

 private:
  static constexpr double kSlope = 0.2;

  SAGEConvOptions sage() const {
    SAGEConvOptions options;
    options.direction = options_.direction;
    return options;
  }

  template <class Ctx>
  static bool shares(const NetInput<typename Ctx::Scalar>& in) {
    return in.shared != nullptr && in.num_configs > 1;
  }

  /// Every configuration has its own copy of the nodes; of those that it cannot change, all have one copy.
  /// Shapes: h (N, hidden) -> (C N, hidden), fewer rows where they are shared.
  template <class Ctx>
  Var layers(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in) const {
    const bool shares = this->shares<Ctx>(in);
    const Var config = this->config(ctx, in);
    const Span<const std::int32_t> copies =
        shares ? Span<const std::int32_t>() : detail::config_rows(ctx, in, in.num_config_nodes());
    const auto config_rows = [&](std::int64_t k) {
      return shares ? in.shared->config_rows(k, in.num_configs, in.num_config_nodes(), ctx.arena()) : copies;
    };
    LayerRows<typename Ctx::Scalar> rows;
    rows.adjacency = in.edges.along(options_.direction);
    const auto whole = norm(ctx, rows.adjacency);
    rows.norm = whole;
    h = shares ? ctx.gather_rows(h, in.shared->first_nodes(in.num_configs, ctx.arena()))
               : ctx.repeat_rows(h, in.num_configs);
    h = enter(ctx, h, config, config_rows(0));
    for (std::int64_t k = 0; k < options_.num_layers; ++k) {
      const Var messages = message(ctx, k, h, config, config_rows(k));
      SharedLayer layer;
      if (shares) {
        layer = in.shared->layer(k, in.num_configs, Ctx::kRecords, ctx.arena());
        rows = {layer.adjacency, &layer.root,
                shared_norm(whole, layer, in.shared->level(k + 1), in.num_configs, ctx.arena())};
      }
      h = update(ctx, k, h, messages, rows);
    }
    return h;
  }

  template <class Ctx>
  Var early(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in) const {
    h = layers(ctx, h, in);
    if (!shares<Ctx>(in)) {
      const Span<const std::int32_t> inner = detail::config_rows(ctx, in, in.num_inner_config());
      const Var configurable = pool_configurable(ctx, h, in, inner);
      return finish(ctx, detail::pool_inner(ctx, h, in, in.num_configs), configurable, in.num_inner());
    }
    const std::int64_t last = options_.num_layers;
    const Var nodes = ctx.shared_pool(Reduce::kSum, in.shared->level(last), in.num_configs, in.num_inner(), h);
    const Span<const std::int32_t> inner =
        in.shared->config_rows(last, in.num_configs, in.num_inner_config(), ctx.arena());
    return finish(ctx, nodes, pool_configurable(ctx, h, in, inner), in.num_inner());
  }

  /// The sum over the configurable nodes of a segment, which are in `rows` of h.  -> (C, hidden)
  template <class Ctx>
  Var pool_configurable(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in,
                        Span<const std::int32_t> rows) const {
    return global_add_pool(ctx, ctx.gather_rows(h, rows),
                           detail::equal_segments(ctx, in.num_configs, in.num_inner_config()));
  }

  /// One copy of the nodes through all layers, the configurable ones prepared for the read-out. A halo has no
  /// configurable nodes here: nothing would read their configurations.
  template <class Ctx>
  Var late_nodes(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in) const {
    LayerRows<typename Ctx::Scalar> rows;
    rows.adjacency = in.edges.along(options_.direction);
    rows.norm = norm(ctx, rows.adjacency);
    for (std::int64_t k = 0; k < options_.num_layers; ++k)
      h = update(ctx, k, h, message(ctx, k, h, Var{}, {}), rows);
    return ctx.gather_rows(h, in.config_node);
  }
  template <class Ctx>
  Var late(Ctx& ctx, Var nodes, const NetInput<typename Ctx::Scalar>& in) const {
    return global_add_pool(ctx, late_costs(ctx, nodes, in),
                           detail::equal_segments(ctx, in.num_configs, in.num_config_nodes()));
  }
  /// Each configurable node's share of the cost is computed with its configuration.  -> (C K, 1)
  template <class Ctx>
  Var late_costs(Ctx& ctx, Var nodes, const NetInput<typename Ctx::Scalar>& in) const {
    const Var config = input_.config(ctx, in);
    Var z = ctx.add(ctx.repeat_rows(node_(ctx, nodes), in.num_configs), config_[0](ctx, config));
    if (options_.config_layers > 0) {
      const Var gate = ctx.repeat_rows(gate_(ctx, nodes), in.num_configs);
      z = ctx.add(z, ctx.mul(gate, config_[1](ctx, config)));
    }
    return head(ctx, config_layers(ctx, ctx.relu(z), in));
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
