// SPDX-License-Identifier: Apache-2.0
// Our side of the comparison with PyTorch Geometric's basic_gnn models, as TorchBench has them: GCN, GraphSAGE
// and GIN of three layers, 64 wide, on 10,000 nodes with 200,000 random edges, some of them repeated; forward,
// and forward and backward from the sum of all outputs.
//
// usage: basic_gnn_peers OUT.npz [--threads N]
//   OUT.npz   graph, rows, weights under PyTorch Geometric's names; our outputs, gradients and seconds
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/mlgraph.hpp"
#include "npz_arrays.hpp"
#include "peer_arguments.hpp"

namespace mlgraph {
namespace {

constexpr std::int64_t kNodes = 10000, kEdges = 200000, kWidth = 64, kLayers = 3;
constexpr int kRepeats = 30;

// A sum that relu sees next to 0 has the sign that its order gives it, and one element with another sign moves
// a gradient by a thousandth: of these weights no sum before a relu, of any of the networks, is nearer to 0 than
// 9e-7 of their mean.
constexpr std::uint64_t kWeightSeed = 4;

struct RandomGraph {
  std::vector<std::int32_t> source, target;
  AlignedVector<float> x;

  RandomGraph() : x(static_cast<std::size_t>(kNodes * kWidth)) {
    Rng rng(5);
    for (std::int64_t e = 0; e < kEdges; ++e) {
      source.push_back(static_cast<std::int32_t>(rng.below(kNodes)));
      const auto other = static_cast<std::int32_t>(rng.below(kNodes - 1));  // PyG counts an edge to itself once
      target.push_back(other < source.back() ? other : other + 1);
    }
    for (float& v : x) v = static_cast<float>(rng.uniform(-1, 1));
  }
  [[nodiscard]] Edges edges() const {
    EdgeOptions options;
    options.duplicates = EdgeOptions::Duplicates::kKeep;
    return Edges::from_list(kNodes, source, target, options).value();
  }
  [[nodiscard]] MatrixView<const float> rows() const { return {x.data(), kNodes, kWidth}; }
};

std::string layer_name(std::int64_t k) { return str_cat("convs.", k); }
Activation activation_after(std::int64_t k) { return k + 1 < kLayers ? Activation::kRelu : Activation::kNone; }

struct Gcn {
  static constexpr const char* kName = "gcn";
  std::vector<GCNConv> convs;
  explicit Gcn(ParamSpec& p) {
    for (std::int64_t k = 0; k < kLayers; ++k) convs.emplace_back(p, layer_name(k), kWidth, kWidth);
  }
  template <class Ctx>
  Var operator()(Ctx& ctx, Var h, const EdgesView& edges, const RowWeights<float>& norm) const {
    for (std::int64_t k = 0; k < kLayers; ++k)
      h = convs[static_cast<std::size_t>(k)](ctx, h, edges, norm, activation_after(k));
    return h;
  }
};

struct Sage {
  static constexpr const char* kName = "sage";
  std::vector<SAGEConv> convs;
  explicit Sage(ParamSpec& p) {
    for (std::int64_t k = 0; k < kLayers; ++k) convs.emplace_back(p, layer_name(k), kWidth, kWidth);
  }
  template <class Ctx>
  Var operator()(Ctx& ctx, Var h, const EdgesView& edges, const RowWeights<float>&) const {
    for (std::int64_t k = 0; k < kLayers; ++k)
      h = convs[static_cast<std::size_t>(k)](ctx, h, edges, activation_after(k));
    return h;
  }
};

struct Gin {
  static constexpr const char* kName = "gin";
  std::vector<GINConv> convs;
  std::vector<MLP> networks;
  explicit Gin(ParamSpec& p) {
    for (std::int64_t k = 0; k < kLayers; ++k) {
      MlpOptions options;
      convs.emplace_back(p, layer_name(k));
      networks.emplace_back(p, layer_name(k) + ".nn",
                            std::initializer_list<std::int64_t>{kWidth, kWidth, kWidth}, options);
    }
  }
  template <class Ctx>
  Var operator()(Ctx& ctx, Var h, const EdgesView& edges, const RowWeights<float>&) const {
    for (std::int64_t k = 0; k < kLayers; ++k) {
      const auto i = static_cast<std::size_t>(k);
      h = ctx.activation(activation_after(k), convs[i](ctx, h, edges, networks[i]));
    }
    return h;
  }
};

template <class Net>
Status compare(const RandomGraph& graph, const Edges& edges, const bench::PeerArguments& arguments,
               ThreadPool* pool, bench::NpzArrays& out) {
  const std::string name = Net::kName;
  ParamSpec spec;
  const Net net(spec);
  Parameters<float> parameters(spec, 1);
  Rng rng(kWeightSeed);
  for (float& v : parameters.value) v += static_cast<float>(rng.uniform(-0.02, 0.02));  // biases that are not 0
  Arena arena;
  const RowWeights<float> norm = gcn_norm<float>(arena, edges.view().forward);

  Eager eager(pool);
  eager.bind(spec, Span<const float>(parameters.value));
  eager.keep_packed_weights();
  Var y;
  const double forward = arguments.fastest(kRepeats, [&] {
    eager.begin();
    y = net(eager, eager.input(graph.rows()), edges.view(), norm);
  });
  MLGRAPH_RETURN_IF_ERROR(eager.status());
  out.add(name + ".y", {kNodes, kWidth}, eager.row(y));

  Tape tape(pool);
  tape.bind(spec, parameters);
  Status status;
  const double both = arguments.fastest(kRepeats, [&] {
    parameters.zero_grad();
    tape.begin();
    const Var loss = sum(tape, net(tape, tape.input(graph.rows()), edges.view(), norm));
    if (status.ok()) status = tape.backward(loss);
  });
  MLGRAPH_RETURN_IF_ERROR(status);
  out.add_tensors(spec, parameters.value, name + ".weight.");
  out.add_tensors(spec, parameters.grad, name + ".grad.");
  out.add(name + ".seconds_forward", {}, std::vector<double>{forward});
  out.add(name + ".seconds_both", {}, std::vector<double>{both});
  std::printf("%-5s forward %.2f ms, forward and backward %.2f ms\n", Net::kName, 1e3 * forward, 1e3 * both);
  return {};
}

Status run(const bench::PeerArguments& arguments) {
  const std::unique_ptr<ThreadPool> pool = arguments.pool();
  const RandomGraph graph;
  const Edges edges = graph.edges();
  bench::NpzArrays out;
  out.add("x", {kNodes, kWidth}, graph.x);
  out.add("source", {kEdges}, graph.source);
  out.add("target", {kEdges}, graph.target);
  MLGRAPH_RETURN_IF_ERROR(compare<Gcn>(graph, edges, arguments, pool.get(), out));
  MLGRAPH_RETURN_IF_ERROR(compare<Sage>(graph, edges, arguments, pool.get(), out));
  MLGRAPH_RETURN_IF_ERROR(compare<Gin>(graph, edges, arguments, pool.get(), out));
  return out.save(arguments.paths[0]);
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  const mlgraph::bench::PeerArguments arguments(argc, argv);
  if (arguments.paths.size() != 1) {
    std::fprintf(stderr, "usage: basic_gnn_peers OUT.npz [--threads N]\n");
    return 2;
  }
  const mlgraph::Status status = mlgraph::run(arguments);
  if (!status.ok()) std::fprintf(stderr, "basic_gnn_peers: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
