// SPDX-License-Identifier: Apache-2.0
// GraphNet: one network for graphs and for nodes whose layers are options: what a user of PyG takes off the
// shelf.
#ifndef MLGRAPH_ARCH_GRAPH_NET_HPP
#define MLGRAPH_ARCH_GRAPH_NET_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/enum_names.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/activation.hpp"
#include "mlgraph/nn/dropout.hpp"
#include "mlgraph/nn/embedding.hpp"
#include "mlgraph/nn/gat_conv.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/gin_conv.hpp"
#include "mlgraph/nn/jumping_knowledge.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/mlp.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/rgcn_conv.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/nn/typed_edges.hpp"

namespace mlgraph {

/// The convolution of a GraphNet. kGine reads rows of edges, kRgcn types of edges, kGatv2 rows where there are
/// some.
enum class GraphConv : std::uint8_t { kGin, kGcn, kSage, kGatv2, kGine, kRgcn };
template <>
struct EnumNames<GraphConv> {
  static constexpr std::string_view kNames[] = {"gin", "gcn", "sage", "gatv2", "gine", "rgcn"};
};
/// What normalises the rows of a layer of a GraphNet.
enum class GraphNetNorm : std::uint8_t { kNone, kBatch, kGraph, kLayer };
template <>
struct EnumNames<GraphNetNorm> {
  static constexpr std::string_view kNames[] = {"none", "batch", "graph", "layer"};
};
/// What the read-out of a GraphNet sees: the last layer, or all beside each other, or their maximum.
enum class GraphNetJump : std::uint8_t { kNone, kConcat, kMax };
template <>
struct EnumNames<GraphNetJump> {
  static constexpr std::string_view kNames[] = {"none", "concat", "max"};
};
/// How rows of nodes become the row of their graph; kNone: outputs are of nodes.
enum class GraphNetPool : std::uint8_t { kAdd, kMean, kMax, kAttention, kNone };
template <>
struct EnumNames<GraphNetPool> {
  static constexpr std::string_view kNames[] = {"add", "mean", "max", "attention", "none"};
};

MLGRAPH_BEGIN_ISA

/// Of a GraphNet. What has no flag is decided by the data: fit_graph_net().
struct GraphNetOptions {
  GraphConv conv = GraphConv::kGin;
  Direction direction = Direction::kForward;  ///< along which edges values flow
  std::int64_t hidden_channels = 64;
  std::int64_t num_layers = 3;
  std::int64_t heads = 1;  ///< of kGatv2
  double dropout = 0;      ///< after each layer, and in the head
  GraphNetNorm norm = GraphNetNorm::kLayer;
  bool residual = true;  ///< a layer adds to its rows
  GraphNetJump jump = GraphNetJump::kNone;
  GraphNetPool pool = GraphNetPool::kAdd;
  std::int64_t opcode_channels = 32;
  std::string edge_attr = "edge_attr";  ///< array of edges, of float
  std::string edge_type = "edge_type";  ///< array of edges, of one int32
  std::int64_t num_features = 0;
  std::int64_t num_opcodes = 0;
  std::int64_t edge_dim = 0;
  std::int64_t num_types = 0;
  std::int64_t num_outputs = 1;

  template <class V>
  void fields(V& v) {
    v("conv", "--conv", conv,
      "Convolution; gine reads rows of edges, rgcn their types, gatv2 rows where there are some");
    v("direction", "--direction", direction, "Along which edges values flow; not of edges with rows or types");
    v("hidden_channels", "--hidden", hidden_channels, 1, 4096, "Width");
    v("num_layers", "--layers", num_layers, 1, 64, "Convolutions");
    v("heads", "--heads", heads, 1, 64, "Of gatv2, which share the width");
    v("dropout", "--dropout", dropout, 0.0, 1.0, "After each layer, in training");
    v("norm", "--norm", norm, "Normalises the rows of a layer: over a step, over a graph, or each by itself");
    v("residual", "--residual", residual, "A layer adds to the rows that it gets");
    v("jump", "--jump", jump, "What the read-out sees: the last layer, or all of them");
    v("pool", "--pool", pool, "How nodes become the row of a graph; none: outputs are of nodes");
    v("opcode_channels", "--opcode-channels", opcode_channels, 1, 4096, "Width of the row that opcodes have");
    v("edge_attr", "--edge-attr", edge_attr, print_name, parse_name,
      "Array of edges with rows for gine and gatv2");
    v("edge_type", "--edge-type", edge_type, print_name, parse_name, "Array of edges with types for rgcn");
    v("num_features", "", num_features, 0, 1 << 20, "Features of a node");
    v("num_opcodes", "", num_opcodes, 0, 65536, "Opcodes");
    v("edge_dim", "", edge_dim, 0, 1 << 20, "Columns of the rows of edges");
    v("num_types", "", num_types, 0, 4096, "Types of edges");
    v("num_outputs", "", num_outputs, 1, 65536, "Outputs");
  }
  static std::string print_name(const std::string& name) { return name; }
  static Result<std::string> parse_name(std::string_view text) {
    if (text.empty()) return Status::invalid_argument("the name of an array is empty");
    return std::string(text);
  }

  [[nodiscard]] bool reads_edge_rows() const { return conv == GraphConv::kGine || conv == GraphConv::kGatv2; }
  [[nodiscard]] bool reads_edges() const {
    return conv == GraphConv::kRgcn || (reads_edge_rows() && edge_dim > 0);
  }
};

/// Errors: a width that heads cannot share; a convolution whose rows or types of edges there are not, or that
///         reads them and does not go along the edges.
[[nodiscard]] inline Status check_graph_net(const GraphNetOptions& options) {
  MLGRAPH_RETURN_IF_ERROR(check_ranges("graph-net", options));
  if (options.conv == GraphConv::kGatv2 && options.hidden_channels % options.heads != 0) {
    return Status::invalid_argument(str_cat("graph-net: hidden_channels is ", options.hidden_channels,
                                            "; should be a multiple of its ", options.heads, " heads"));
  }
  if (options.conv == GraphConv::kGine && options.edge_dim == 0) {
    return Status::invalid_argument(
        str_cat("graph-net: gine needs an array \"", options.edge_attr, "\" of edges, of float"));
  }
  if (options.conv == GraphConv::kRgcn && options.num_types == 0) {
    return Status::invalid_argument(
        str_cat("graph-net: rgcn needs an array \"", options.edge_type, "\" of edges, of one int32"));
  }
  if (options.reads_edges() && options.direction != Direction::kForward) {
    return Status::invalid_argument(str_cat("graph-net: direction is ", enum_name(options.direction), " and ",
                                            enum_name(options.conv),
                                            " reads rows or types of edges, which go forward; add the reverse "
                                            "edges to the data"));
  }
  return {};
}

/// Layers of one convolution with all that stands around them:
///
///   h_0 = relu(W [scaled x ; row of the opcode] + b)
///   h_k = h_{k-1} + dropout(relu(norm(conv(h_{k-1}))))         (without h_{k-1} where there is no residual)
///   y   = MLP(pool(jump(h_1, ..., h_L)))
///
/// Messages flow along edges: an undirected graph has each edge twice, or direction kBoth, which its set must
/// have been made for (EdgeOptions::both). Features of nodes and rows of edges are
/// scaled by fit_graph_net_scaling(). A batch of nodes with neither features nor opcodes sees a constant.
///
/// Shapes: x (N, num_features), opcode (N) below num_opcodes, edges with the arrays that the convolution reads ->
///         (G, num_outputs), or (N, num_outputs) with GraphNetPool::kNone.
/// Errors: a batch with other numbers of features, opcodes, columns or types of edges; those of the layers.
/// Cost:   that of the convolutions, + O(N hidden_channels^2).
class GraphNet {
 public:
  static constexpr std::string_view kName = "graph-net";
  using Options = GraphNetOptions;

  GraphNet(ParamSpec& p, const Options& options) : options_(options), dropout_(options.dropout) {
    const std::int64_t width = options.hidden_channels;
    if (options.num_features > 0) x_scaling_ = Scaling(p, "x", options.num_features);
    if (options.num_opcodes > 0) opcode_ = Embedding(p, "opcode", options.num_opcodes, options.opcode_channels);
    const std::int64_t of_opcode = options.num_opcodes > 0 ? options.opcode_channels : 0;
    input_ = Linear(p, "input", std::max<std::int64_t>(1, options.num_features + of_opcode), width);
    if (options.reads_edge_rows() && options.edge_dim > 0)
      edge_scaling_ = Scaling(p, "edge_attr", options.edge_dim);
    for (std::int64_t k = 0; k < options.num_layers; ++k) layers_.emplace_back(p, k, options);
    const std::int64_t jumped = options.jump == GraphNetJump::kConcat ? options.num_layers * width : width;
    if (options.pool == GraphNetPool::kAttention) attention_ = AttentionalAggregation(p, "pool", jumped);
    MlpOptions head;
    head.dropout = options.dropout;
    head_ = MLP(p, "head", {jumped, width, options.num_outputs}, head);
  }

  /// What the head reads: an embedding of each graph, or of each node.
  /// Shapes: -> (G or N, hidden_channels), num_layers times as wide with GraphNetJump::kConcat.
  template <class C>
  Var embed(C& ctx, const BatchView& g) const {
    Var h = embed_nodes(ctx, g);
    EdgeInputs edges;
    if (!ctx.status().ok() || !read_edges(ctx, g, edges)) return {};
    std::vector<Var> all;
    for (const Layer& layer : layers_) {
      const Var message = dropout_(ctx, layer(ctx, h, g, edges, options_));
      if (!ctx.status().ok()) return {};
      h = options_.residual ? ctx.add(h, message) : message;
      all.push_back(h);
    }
    if (options_.jump != GraphNetJump::kNone)
      h = jumping_knowledge(ctx, options_.jump == GraphNetJump::kMax ? Jump::kMax : Jump::kConcat,
                            Span<const Var>(all));
    switch (options_.pool) {
      case GraphNetPool::kAdd:
        return global_add_pool(ctx, h, g.ptr);
      case GraphNetPool::kMean:
        return global_mean_pool(ctx, h, g.ptr);
      case GraphNetPool::kMax:
        return global_max_pool(ctx, h, g.ptr);
      case GraphNetPool::kAttention:
        return attention_(ctx, h, g.ptr);
      default:
        return h;
    }
  }

  template <class C>
  Var forward(C& ctx, const BatchView& g) const {
    const Var rows = embed(ctx, g);
    return ctx.status().ok() ? head_(ctx, rows) : Var{};
  }

 private:
  /// Columns times `scale` plus `shift`, which data decide and training leaves alone.
  struct Scaling {
    Param scale, shift;
    Scaling() = default;
    Scaling(ParamSpec& p, std::string_view name, std::int64_t channels)
        : scale(p.state_vector(str_cat(name, ".scale"), channels, Init::constant(1))),
          shift(p.state_vector(str_cat(name, ".shift"), channels, Init::constant(0))) {}
    template <class C>
    Var operator()(C& ctx, Var x) const {
      return ctx.column_affine(x, ctx.param(scale), ctx.param(shift));
    }
  };
  /// What layers read of the edges of a batch, beside the edges.
  struct EdgeInputs {
    Var rows;
    TypedEdges types;
  };

  /// A convolution of any kind with its norm; what is not asked for has no parameters.
  struct Layer {
    GINConv gin;
    GINEConv gine;
    MLP mlp;
    GCNConv gcn;
    SAGEConv sage;
    GATv2Conv gatv2;
    RGCNConv rgcn;
    BatchNorm batch;
    GraphNorm graph;
    LayerNorm layer;

    Layer(ParamSpec& p, std::int64_t number, const Options& o) {
      const std::string conv = str_cat("convs.", number), norm = str_cat("norms.", number);
      const std::int64_t width = o.hidden_channels;
      GINConvOptions isomorphism;
      isomorphism.train_eps = true;
      isomorphism.direction = o.direction;
      SAGEConvOptions neighbours;
      neighbours.direction = o.direction;
      GATv2ConvOptions attention;
      attention.direction = o.direction;
      attention.heads = o.heads;
      attention.edge_dim = o.edge_dim;
      if (o.conv == GraphConv::kGin) gin = GINConv(p, conv, isomorphism);
      if (o.conv == GraphConv::kGine) gine = GINEConv(p, conv, width, o.edge_dim, isomorphism);
      if (o.conv == GraphConv::kGin || o.conv == GraphConv::kGine)
        mlp = MLP(p, str_cat(conv, ".nn"), {width, width, width});
      if (o.conv == GraphConv::kGcn) gcn = GCNConv(p, conv, width, width, o.direction);
      if (o.conv == GraphConv::kSage) sage = SAGEConv(p, conv, width, width, neighbours);
      if (o.conv == GraphConv::kGatv2) gatv2 = GATv2Conv(p, conv, width, width / o.heads, attention);
      if (o.conv == GraphConv::kRgcn) rgcn = RGCNConv(p, conv, width, width, o.num_types);
      if (o.norm == GraphNetNorm::kBatch) batch = BatchNorm(p, norm, width);
      if (o.norm == GraphNetNorm::kGraph) graph = GraphNorm(p, norm, width);
      if (o.norm == GraphNetNorm::kLayer) layer = LayerNorm(p, norm, width);
    }

    template <class C>
    Var operator()(C& ctx, Var h, const BatchView& g, const EdgeInputs& edges, const Options& o) const {
      h = convolved(ctx, h, g, edges, o);
      if (!ctx.status().ok()) return {};
      if (o.norm == GraphNetNorm::kBatch) return batch(ctx, h, Activation::kRelu);
      if (o.norm == GraphNetNorm::kGraph) h = graph(ctx, h, g.ptr);
      if (o.norm == GraphNetNorm::kLayer) h = layer(ctx, h);
      return ctx.status().ok() ? ctx.relu(h) : Var{};
    }
    template <class C>
    Var convolved(C& ctx, Var h, const BatchView& g, const EdgeInputs& edges, const Options& o) const {
      switch (o.conv) {
        case GraphConv::kGcn:
          return gcn(ctx, h, g.edges);
        case GraphConv::kSage:
          return sage(ctx, h, g.edges);
        case GraphConv::kGatv2:
          return gatv2(ctx, h, g.edges, edges.rows);
        case GraphConv::kGine:
          return gine(ctx, h, g.edges, edges.rows, mlp);
        case GraphConv::kRgcn:
          return rgcn(ctx, h, edges.types);
        default:
          return gin(ctx, h, g.edges, mlp);
      }
    }
  };

  /// h_0.
  template <class C>
  Var embed_nodes(C& ctx, const BatchView& g) const {
    const auto with_opcodes = static_cast<std::size_t>(options_.num_opcodes > 0 ? g.num_nodes() : 0);
    if (!ctx.expect(g.x.cols == options_.num_features && g.opcode.size() == with_opcodes, [&] {
          return str_cat("graph-net: the batch has ", g.x.cols, " features and ", g.opcode.size(),
                         " opcodes for ", g.num_nodes(), " nodes; the network is of ", options_.num_features,
                         " features and ", options_.num_opcodes, " opcodes");
        })) {
      return {};
    }
    std::vector<Var> parts;
    if (options_.num_features > 0) parts.push_back(x_scaling_(ctx, ctx.input(g.x)));
    if (options_.num_opcodes > 0) parts.push_back(opcode_(ctx, g.opcode));
    if (parts.empty()) parts.push_back(ctx.full(g.num_nodes(), 1, 1));
    if (!ctx.status().ok()) return {};
    return input_(ctx, parts.size() == 1 ? parts[0] : ctx.concat(Span<const Var>(parts)), Activation::kRelu);
  }

  template <class C>
  bool read_edges(C& ctx, const BatchView& g, EdgeInputs& edges) const {
    if (options_.reads_edge_rows() && options_.edge_dim > 0) {
      const MatrixView<const float> rows = g.f32(options_.edge_attr);
      if (!ctx.expect(rows.cols == options_.edge_dim, [&] {
            return str_cat("graph-net: the array \"", options_.edge_attr, "\" of the batch has ", rows.cols,
                           " columns of float; the network is of ", options_.edge_dim);
          })) {
        return false;
      }
      edges.rows = edge_scaling_(ctx, ctx.input(rows));
    }
    if (options_.conv == GraphConv::kRgcn)
      edges.types = typed_edges(ctx, g.edges.forward, g.ids(options_.edge_type), options_.num_types);
    return ctx.status().ok();
  }

  Options options_;
  Scaling x_scaling_, edge_scaling_;
  Embedding opcode_;
  Linear input_;
  std::vector<Layer> layers_;
  Dropout dropout_;
  AttentionalAggregation attention_;
  MLP head_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_ARCH_GRAPH_NET_HPP
