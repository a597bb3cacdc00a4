// SPDX-License-Identifier: Apache-2.0
// Our side of the comparison of graph trainings with PyTorch Geometric: one epoch of two networks on many small
// graphs, and of the second one on molecules, and all that bench/peers/pytorch_graphs.py needs to do the same
// (graphs, start weights), with our losses and times.
//
// usage: graph_peers OUT.npz        molecules where MLGRAPH_DATA names a folder with tu/NCI1
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../examples/graph_classification/tu_dataset.hpp"

#include "machine.hpp"
#include "mlgraph/mlgraph.hpp"
#include "npz_arrays.hpp"

namespace mlgraph {
namespace {

constexpr std::int64_t kTokens = 40, kWidth = 32, kLayers = 4, kTypes = 8, kTargets = 3, kBatch = 32;
constexpr std::size_t kGraphs = 1024;
constexpr int kRepeats = 5;

/// Made-up blocks: 6 to 20 nodes, and twice as many edges of eight types.
GraphDataset make_graphs() {
  EdgeOptions options;
  options.duplicates = EdgeOptions::Duplicates::kKeep;
  GraphDataset set(options);
  Rng rng(1);
  for (std::size_t g = 0; g < kGraphs; ++g) {
    const std::uint64_t num_nodes = 6 + rng.below(15);
    std::vector<std::int32_t> token, source, target, type;
    for (std::uint64_t v = 0; v < num_nodes; ++v)
      token.push_back(static_cast<std::int32_t>(rng.below(kTokens)));
    for (std::uint64_t e = 0; e < 2 * num_nodes; ++e) {
      source.push_back(static_cast<std::int32_t>(rng.below(num_nodes)));
      target.push_back(static_cast<std::int32_t>(rng.below(num_nodes)));
      type.push_back(static_cast<std::int32_t>(rng.below(kTypes)));
    }
    std::vector<float> y;
    for (std::int64_t k = 0; k < kTargets; ++k) y.push_back(static_cast<float>(rng.uniform()));
    GraphView view;
    view.x = {nullptr, static_cast<std::int64_t>(num_nodes), 0};
    view.opcode = token;
    view.edge_source = source;
    view.edge_target = target;
    const NamedArray arrays[] = {edge_array("type", Span<const std::int32_t>(type)),
                                 graph_array("y", Span<const float>(y))};
    set.add(view, arrays).or_throw();
  }
  return set;
}

/// examples/block_throughput's: relational convolutions, sum and maximum over the graph.
struct RgcnNet {
  Embedding token;
  std::vector<RGCNConv> convs;
  MLP head;

  explicit RgcnNet(ParamSpec& p)
      : token(p, "token", kTokens, kWidth), head(p, "head", {2 * kWidth, kWidth, kTargets}) {
    for (std::int64_t k = 0; k < kLayers; ++k)
      convs.emplace_back(p, str_cat("conv", k), kWidth, kWidth, kTypes);
  }
  Var operator()(Tape& ctx, const BatchView& g) const {
    const TypedEdges edges = typed_edges(ctx, g.edges.forward, g.ids("type"), kTypes);
    Var h = token(ctx, g.opcode);
    for (const RGCNConv& conv : convs) h = ctx.add(h, conv(ctx, h, edges, Activation::kRelu));
    return head(ctx, ctx.concat(global_add_pool(ctx, h, g.ptr), global_max_pool(ctx, h, g.ptr)));
  }
};

/// examples/graph_classification's, without dropout: isomorphism layers with batch norm, read out at the last.
struct GinNet {
  Embedding token;
  std::vector<GINConv> convs;
  std::vector<Linear> lin1, lin2;
  std::vector<BatchNorm> norm1, norm2;
  Linear head;

  explicit GinNet(ParamSpec& p, std::int64_t width = kWidth, std::int64_t num_targets = kTargets)
      : token(p, "token", kTokens, width), head(p, "head", width, num_targets) {
    for (std::int64_t k = 0; k < kLayers; ++k) {
      convs.emplace_back(p, str_cat("conv", k));
      lin1.emplace_back(p, str_cat("lin1_", k), width, width);
      lin2.emplace_back(p, str_cat("lin2_", k), width, width);
      norm1.emplace_back(p, str_cat("norm1_", k), width);
      norm2.emplace_back(p, str_cat("norm2_", k), width);
    }
  }
  Var operator()(Tape& ctx, const BatchView& g) const {
    Var h = token(ctx, g.opcode);
    for (std::size_t k = 0; k < convs.size(); ++k) {
      h = norm1[k](ctx, convs[k](ctx, h, g.edges, lin1[k]), Activation::kRelu);
      h = norm2[k](ctx, lin2[k](ctx, h), Activation::kRelu);
    }
    return head(ctx, global_add_pool(ctx, h, g.ptr));
  }
};

/// An epoch of Adam on the squared error, batches in the order of the set. -> the loss of each batch.
template <class Net>
std::vector<float> train_epoch(const Net& net, const ParamSpec& spec, GraphLoader& loader,
                               Parameters<float>& parameters, Tape& tape) {
  Adam<float> optimizer(parameters.grad.size());
  std::vector<float> losses;
  for (const Batch& batch : loader.in_order()) {
    const BatchView view = batch.view();
    parameters.zero_grad();
    tape.bind(spec, parameters);
    tape.begin();
    const Var error = tape.sub(net(tape, view), tape.input(view.f32("y")));
    const Var loss = mean(tape, tape.mul(error, error));
    tape.backward(loss).or_throw();
    losses.push_back(*tape.value(loss).data);
    optimizer.step(parameters.trainable(), parameters.grad, 1e-3).or_throw();
  }
  return losses;
}

template <class Net, class... Args>
void compare(const std::string& name, const GraphDataset& set, bench::NpzArrays& out, Args... args) {
  ParamSpec spec;
  const Net net(spec, args...);
  const Parameters<float> start(spec, 1);
  out.add_tensors(spec, start.value, name + ".");
  std::vector<std::size_t> graphs(set.size());
  for (std::size_t g = 0; g < graphs.size(); ++g) graphs[g] = g;
  GraphLoader loader = GraphLoader::make(set, graphs, kBatch).value();
  Tape tape;
  tape.set_training(true);
  std::vector<float> losses;
  const double seconds = bench::fastest_seconds(kRepeats, [&] {
    Parameters<float> parameters = start;
    losses = train_epoch(net, spec, loader, parameters, tape);
  });
  std::printf("%-9s an epoch of %zu graphs in batches of %d: %.1f ms, loss %.4f -> %.4f\n", name.c_str(),
              set.size(), static_cast<int>(kBatch), 1e3 * seconds, static_cast<double>(losses.front()),
              static_cast<double>(losses.back()));
  out.add(name + ".losses", {static_cast<std::int64_t>(losses.size())}, losses);
  out.add(name + ".seconds", {1}, std::vector<double>{seconds});
}

/// The graphs of a set as arrays `prefix`ptr, token, source, target, type (where there are some), y.
void add_graphs(const std::string& prefix, const GraphDataset& set, bench::NpzArrays& out) {
  std::vector<std::int32_t> ptr = {0}, token, source, target, type;
  std::vector<float> y;
  for (std::size_t g = 0; g < set.size(); ++g) {
    const StoredGraph graph = set.graph(g);
    const CsrView& csr = graph.edges.forward.csr;
    token.insert(token.end(), graph.opcode.begin(), graph.opcode.end());
    for (std::int32_t v = 0; v < csr.num_rows(); ++v) {
      for (std::int32_t e = csr.row_ptr[v]; e < csr.row_ptr[v + 1]; ++e) {
        source.push_back(ptr.back() + csr.col[e]);
        target.push_back(ptr.back() + v);
      }
    }
    if (set.find("type") < set.num_arrays()) {
      const MatrixView<const std::int32_t> types = set.array(g, set.find("type")).i32;
      type.insert(type.end(), types.data, types.data + types.size());
    }
    const MatrixView<const float> targets = set.array(g, set.find("y")).f32;
    y.insert(y.end(), targets.data, targets.data + targets.size());
    ptr.push_back(ptr.back() + graph.num_nodes);
  }
  out.add(prefix + "ptr", {signed_size(ptr)}, ptr);
  out.add(prefix + "token", {signed_size(token)}, token);
  out.add(prefix + "source", {signed_size(source)}, source);
  out.add(prefix + "target", {signed_size(target)}, target);
  if (!type.empty()) out.add(prefix + "type", {signed_size(type)}, type);
  out.add(prefix + "y", {signed_size(ptr) - 1, signed_size(y) / (signed_size(ptr) - 1)}, y);
}

/// The molecules of NCI1, their class as the target; without any where the folder is not there.
GraphDataset read_molecules() {
  GraphDataset set;
  const char* const data = std::getenv("MLGRAPH_DATA");
  const auto read = example::read_tu_dataset(str_cat(data == nullptr ? "" : data, "/tu"), "NCI1");
  if (!read.ok()) return set;
  std::vector<std::int32_t> source, target;
  for (std::size_t g = 0; g < read->graphs.size(); ++g) {
    const Graph& graph = read->graphs[g];
    const CsrView& csr = graph.edges().forward.csr;
    source.clear();
    target.clear();
    for (std::int32_t v = 0; v < csr.num_rows(); ++v) {
      for (std::int32_t e = csr.row_ptr[v]; e < csr.row_ptr[v + 1]; ++e) {
        source.push_back(csr.col[e]);
        target.push_back(v);
      }
    }
    GraphView view;
    view.x = {nullptr, graph.num_nodes(), 0};
    view.opcode = graph.opcode();
    view.edge_source = source;
    view.edge_target = target;
    const float y[] = {static_cast<float>(read->labels[g])};
    const NamedArray arrays[] = {graph_array("y", Span<const float>(y))};
    set.add(view, arrays).or_throw();
  }
  return set;
}

}  // namespace
}  // namespace mlgraph

int main(int argc, char** argv) {
  using namespace mlgraph;  // NOLINT: the program is a benchmark of it
  if (argc != 2) {
    std::fprintf(stderr, "usage: graph_peers OUT.npz\n");
    return 2;
  }
  bench::NpzArrays out;
  const GraphDataset set = make_graphs();
  add_graphs("", set, out);
  compare<RgcnNet>("rgcn", set, out);
  compare<GinNet>("gin", set, out);
  const GraphDataset molecules = read_molecules();
  if (molecules.size() > 0) {
    add_graphs("nci1_graphs.", molecules, out);
    compare<GinNet>("nci1", molecules, out, kWidth, 1);
    compare<GinNet>("nci1_wide", molecules, out, 2 * kWidth, 1);  // as the example trains it
  }
  const Status saved = out.save(argv[1]);
  if (!saved.ok()) std::fprintf(stderr, "%s\n", saved.message().c_str());
  return saved.ok() ? 0 : 1;
}
