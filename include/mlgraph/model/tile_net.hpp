// SPDX-License-Identifier: Apache-2.0
// TileNet: the dataset's cost models of a fused kernel, which rank tile sizes.
#ifndef MLGRAPH_MODEL_TILE_NET_HPP
#define MLGRAPH_MODEL_TILE_NET_HPP

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
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// InputEncoding of the nodes -> graph layers -> sum over nodes -> MLP -> score; larger = slower.
///
///   tile-sage:    x <- l2(leaky_relu(W [(A + A^T) x ; x] + b))
///   tile-resgcn:  x <- x + MLP(A y + A^T y + y),   y = leaky_relu(x)
///   tile-mlp:     x <- leaky_relu(W x + b),        the control: it sees no edges
///
/// A is the adjacency of tile-sage, row-normalised with self loops for tile-resgcn: D^-1 (A + I). Along one
/// direction only its term stays, A (forward) or A^T (reverse). The configuration joins every node before the
/// layers (early), or the pooled graph after them (late), which computes the graph once for all configurations.
///
/// A graph in segments: embed() gives each segment's sum (with SegmentReadout::kScalar its score), readout()
/// makes the score of the graph from their total.
///
/// Shapes: NetInput with config (C, G) -> (C, 1).
/// Source: arXiv:2308.13490, section 4.2. The residual network differs from the authors' in its input layer, a
///         linear map to hidden_channels; the MLPs have leaky_relu with slope 0.01, the graph layers with 0.2.
class TileNet {
 public:
  TileNet() = default;
  TileNet(ParamSpec& p, const ModelOptions& options, std::int64_t num_node_features,
          std::int64_t num_config_features)
      : options_(options), input_(p, options, num_node_features, num_config_features) {
    const std::int64_t hidden = options.hidden_channels;
    const bool early = options.join == Join::kEarly;
    std::int64_t width = input_.node_channels() + (early ? num_config_features : 0);
    if (options.arch == Arch::kTileResGcn) {
      encode_ = Linear(p, "encode", width, hidden);
      width = hidden;
    }
    for (std::int64_t k = 0; k < options.num_layers; ++k) {
      const std::string name = str_cat("layers.", k);
      switch (options.arch) {
        case Arch::kTileResGcn:
          mlps_.push_back(MLP(p, name, {hidden, hidden, hidden}, leaky()));
          break;
        case Arch::kTileMlp:
          linears_.emplace_back(p, name, width, hidden);
          break;
        default:
          convs_.emplace_back(p, name, width, hidden, sage());
          break;
      }
      width = hidden;
    }
    head_ = MLP(p, "head", {width + (early ? 0 : num_config_features), hidden, hidden, 1}, leaky());
  }

  template <class Ctx>
  Var forward(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return readout(ctx, embed(ctx, in), ReadoutInput<typename Ctx::Scalar>(in));
  }

  /// One segment -> (C, embedding_channels()), or (1, ...) in late join, where the configurations come later:
  /// what the segments of a graph are added up in.
  template <class Ctx>
  Var embed(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return embed(ctx, prefix(ctx, in), in);
  }
  /// What embed() computes once for all configurations; it reads none of them. Early join: the nodes' part of
  /// the first layer, (N, hidden), to which a configuration adds its own. Late join: the pooled graph, (1,
  /// hidden).
  template <class Ctx>
  Var prefix(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    if (options_.join == Join::kLate) return pool(ctx, late_nodes(ctx, in), in, 1);
    const Var h = input_.node(ctx, in);
    if (!ctx.expect(ctx.cols(h) == input_.node_channels(), [&] {
          return str_cat("tile: the nodes have ", ctx.cols(h), " columns; the model takes ",
                         input_.node_channels());
        })) {
      return {};
    }
    if (!convs_.empty()) return convs_[0].node_part(ctx, h, in.edges);
    return (linears_.empty() ? encode_ : linears_[0]).columns(ctx, h, 0, true);
  }
  /// The rest of it.
  template <class Ctx>
  Var embed(Ctx& ctx, Var prefix, const NetInput<typename Ctx::Scalar>& in) const {
    Var pooled = prefix;
    if (options_.join == Join::kEarly) pooled = pool(ctx, early_nodes(ctx, prefix, in), in, in.num_configs);
    return has_readout() ? pooled : readout_of(ctx, pooled, ReadoutInput<typename Ctx::Scalar>(in));
  }

  /// The sum of the segments' embeddings -> (C, 1).
  template <class Ctx>
  Var readout(Ctx& ctx, Var embedding, const ReadoutInput<typename Ctx::Scalar>& in) const {
    return has_readout() ? readout_of(ctx, embedding, in) : embedding;
  }

  // ---- what a score is the sum of; for infer/explain.hpp -----------------------------------------------

  /// The rows that embed() adds up, the nodes after all layers.  -> (C N, hidden), (N, hidden) in late join
  template <class Ctx>
  Var pooled_rows(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return options_.join == Join::kLate ? late_nodes(ctx, in) : early_nodes(ctx, prefix(ctx, in), in);
  }
  /// The pooled graph, and in late join behind it its configurations.
  template <class Ctx>
  Var head_input(Ctx& ctx, Var pooled, const ReadoutInput<typename Ctx::Scalar>& in) const {
    if (options_.join != Join::kLate) return pooled;
    return ctx.concat(ctx.repeat_rows(pooled, in.num_configs), ctx.input(in.config));
  }
  /// The rest of the read-out: linear in each of finitely many regions.  -> (C, 1)
  template <class Ctx>
  Var head(Ctx& ctx, Var z) const {
    return head_(ctx, z);
  }

  /// Whether readout() has parameters of its own; without, an embedding is a score already.
  [[nodiscard]] bool has_readout() const { return options_.segments.readout == SegmentReadout::kEmbedding; }
  [[nodiscard]] std::int64_t embedding_channels() const { return has_readout() ? options_.hidden_channels : 1; }

 private:
  static constexpr double kSlope = 0.2;  // of leaky relu, TensorFlow's default

  static MlpOptions leaky() {
    MlpOptions options;
    options.activation = Activation::kLeakyRelu;
    return options;
  }
  SAGEConvOptions sage() const {
    SAGEConvOptions options;
    options.reduce = Reduce::kSum;
    options.direction = options_.direction;
    options.one_matrix = true;
    options.normalize = true;
    return options;
  }

  template <class Ctx>
  Var readout_of(Ctx& ctx, Var pooled, const ReadoutInput<typename Ctx::Scalar>& in) const {
    return head(ctx, head_input(ctx, pooled, in));
  }

  template <class Ctx>
  Var late_nodes(Ctx& ctx, const NetInput<typename Ctx::Scalar>& in) const {
    return layers(ctx, first_layer(ctx, input_.node(ctx, in), in.edges), in.edges);
  }
  template <class Ctx>
  Var early_nodes(Ctx& ctx, Var prefix, const NetInput<typename Ctx::Scalar>& in) const {
    return layers(ctx, add_config(ctx, prefix, ctx.input(in.config), in.edges), in.edges);
  }

  template <class Ctx>
  Var pool(Ctx& ctx, Var h, const NetInput<typename Ctx::Scalar>& in, std::int64_t num_copies) const {
    return detail::pool_inner(ctx, ctx.dropout(h, options_.dropout), in, num_copies);
  }

  /// The layer that widths differ in: the first, or the one before all others.
  template <class Ctx>
  Var first_layer(Ctx& ctx, Var h, const EdgesView& edges) const {
    if (!convs_.empty()) return convs_[0](ctx, h, edges, Activation::kLeakyRelu, kSlope);
    return linears_.empty() ? encode_(ctx, h) : linears_[0](ctx, h, Activation::kLeakyRelu, kSlope);
  }
  /// first_layer() on [node ; config], from the nodes' part: every node of every configuration.
  template <class Ctx>
  Var add_config(Ctx& ctx, Var node_part, Var config, const EdgesView& edges) const {
    if (!convs_.empty())
      return convs_[0].add_config(ctx, node_part, config, edges, Activation::kLeakyRelu, kSlope);
    const Linear& linear = linears_.empty() ? encode_ : linears_[0];
    const Var shift = linear.columns(ctx, config, linear.in_channels() - ctx.cols(config), false);
    const Activation activation = linears_.empty() ? Activation::kNone : Activation::kLeakyRelu;
    return ctx.config_affine(node_part, shift, Var{}, {}, activation, kSlope);
  }

  /// The layers after the first.
  template <class Ctx>
  Var layers(Ctx& ctx, Var h, const EdgesView& edges) const {
    for (std::size_t k = 1; k < convs_.size(); ++k)
      h = convs_[k](ctx, h, edges, Activation::kLeakyRelu, kSlope);
    for (std::size_t k = 1; k < linears_.size(); ++k) h = linears_[k](ctx, h, Activation::kLeakyRelu, kSlope);
    if (mlps_.empty()) return h;
    const RowNorm<typename Ctx::Scalar> norm = row_norm(ctx, edges);
    for (const MLP& mlp : mlps_) {
      const Var y = ctx.leaky_relu(h, kSlope);
      Var sum = ctx.add(y, ctx.scale_rows(y, norm.self));
      if (options_.direction != Direction::kReverse)
        sum = ctx.add(sum, ctx.spmm(Reduce::kSum, edges.forward, y, norm.forward));
      if (options_.direction != Direction::kForward)
        sum = ctx.add(sum, ctx.spmm(Reduce::kSum, edges.reverse, y, norm.reverse));
      h = ctx.add(h, mlp(ctx, sum));
    }
    return h;
  }

  /// Of D^-1 (A + I): the weight of each edge in the order of both CSRs, and the diagonal, twice along both.
  template <class T>
  struct RowNorm {
    Span<const T> forward, reverse, self;
  };
  template <class Ctx>
  RowNorm<typename Ctx::Scalar> row_norm(Ctx& ctx, const EdgesView& edges) const {
    using T = typename Ctx::Scalar;
    const CsrView& csr = edges.forward.csr;
    const std::size_t num_edges = csr.col.size();
    const auto num_nodes = static_cast<std::size_t>(csr.num_rows());
    T* const forward = ctx.arena().template allocate<T>(num_edges);
    T* const reverse = ctx.arena().template allocate<T>(num_edges);
    T* const self = ctx.arena().template allocate<T>(num_nodes);
    const T diagonals = options_.direction == Direction::kBoth ? T(2) : T(1);
    for (std::size_t i = 0; i < num_nodes; ++i) {
      const T weight = T(1) / static_cast<T>(1 + csr.degree(static_cast<std::int32_t>(i)));
      self[i] = diagonals * weight;
      for (auto e = csr.row_ptr[i]; e < csr.row_ptr[i + 1]; ++e) forward[e] = weight;
    }
    const Span<const std::int32_t> map = edges.forward.transposed_to_csr;
    for (std::size_t e = 0; e < num_edges; ++e) reverse[e] = forward[map[e]];
    return {{forward, num_edges}, {reverse, num_edges}, {self, num_nodes}};
  }

  ModelOptions options_;
  InputEncoding input_;
  Linear encode_;
  std::vector<SAGEConv> convs_;
  std::vector<Linear> linears_;
  std::vector<MLP> mlps_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_MODEL_TILE_NET_HPP
