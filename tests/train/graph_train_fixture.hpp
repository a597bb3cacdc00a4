// SPDX-License-Identifier: Apache-2.0
// Random graphs with targets that a small network can fit, for tests of trainings of graphs.
#ifndef MLGRAPH_TESTS_TRAIN_GRAPH_TRAIN_FIXTURE_HPP
#define MLGRAPH_TESTS_TRAIN_GRAPH_TRAIN_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/split.hpp"
#include "mlgraph/nn/dropout.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/nn/norm.hpp"
#include "mlgraph/nn/pool.hpp"
#include "mlgraph/nn/sage_conv.hpp"
#include "mlgraph/train/graph_model.hpp"

namespace mlgraph::testing {

/// One layer of neighbours, a pool, a read-out; `norm` adds batch norm, `nodes` gives a row of each node.
struct TinyGraphNet {
  static constexpr std::string_view kName = "tiny-graph-net";
  struct Options {
    std::int64_t in_channels = 2, hidden = 8, outputs = 1;
    bool norm = false, nodes = false;
    double dropout = 0;
    template <class V>
    void fields(V& v) {
      v("in_channels", "", in_channels, 1, 64, "Columns of x");
      v("hidden", "", hidden, 1, 64, "Width");
      v("outputs", "", outputs, 1, 64, "Of each row");
      v("norm", "", norm, "Batch norm");
      v("nodes", "", nodes, "A row of each node");
      v("dropout", "", dropout, 0.0, 1.0, "Of the hidden rows");
    }
  };
  Options options;
  Linear in, mixed, out;
  BatchNorm norm;
  Dropout dropout;

  TinyGraphNet(ParamSpec& p, const Options& o)
      : options(o),
        in(p, "in", o.in_channels, o.hidden),
        mixed(p, "mixed", o.hidden, o.hidden),
        out(p, "out", o.hidden, o.outputs),
        dropout(o.dropout) {
    if (o.norm) norm = BatchNorm(p, "norm", o.hidden);
  }

  template <class C>
  Var forward(C& ctx, const BatchView& g) const {
    Var h = ctx.relu(in(ctx, ctx.input(g.x)));
    const Var read = ctx.spmm(Reduce::kSum, g.edges.forward, h);
    h = ctx.add(mixed(ctx, h), read);
    if (options.norm) h = norm(ctx, h);
    h = dropout(ctx, ctx.relu(h));
    return out(ctx, options.nodes ? h : global_add_pool(ctx, h, g.ptr));
  }
};

/// Graphs whose targets depend on the features of nodes and of their neighbours:
///   y (2 float): positive, the second one missing (NaN) in every third graph; class: 0, 1 or 2; node_y and
///   node_class of each node; weight (1 float); known (2 int32): 0 where y is NaN; train and valid (1 int32 of
///   nodes).
inline GraphDataset random_targets(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  GraphDataset set(EdgeOptions{EdgeOptions::Duplicates::kMerge, EdgeOptions::SelfEdges::kKeep, false});
  for (std::size_t g = 0; g < count; ++g) {
    const std::size_t n = 2 + rng.below(8);
    std::vector<float> x, node_y;
    std::vector<std::int32_t> source, target, node_class, train, valid;
    for (std::size_t v = 0; v < n; ++v) {
      x.insert(x.end(), {static_cast<float>(rng.uniform()), static_cast<float>(rng.uniform())});
      if (v > 0) {
        source.push_back(static_cast<std::int32_t>(rng.below(v)));
        target.push_back(static_cast<std::int32_t>(v));
      }
      train.push_back(rng.below(2) == 0 ? 1 : 0);
      valid.push_back(1 - train.back());
    }
    std::vector<double> mixed(n);
    for (std::size_t v = 0; v < n; ++v) mixed[v] = static_cast<double>(x[2 * v]);
    for (std::size_t e = 0; e < source.size(); ++e)
      mixed[static_cast<std::size_t>(target[e])] +=
          static_cast<double>(x[2 * static_cast<std::size_t>(source[e]) + 1]);
    double sum = 0;
    for (const double m : mixed) {
      sum += m;
      node_y.push_back(static_cast<float>(m));
      node_class.push_back(m > 0.9 ? 1 : 0);
    }
    const std::vector<float> y = {
        static_cast<float>(10 * std::exp(0.2 * sum)),
        g % 3 == 2 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(1 + sum)};
    const std::vector<float> weight = {static_cast<float>(1 + g % 2)};
    const std::vector<std::int32_t> known = {1, g % 3 == 2 ? 0 : 1}, label = {sum < 3 ? 0 : sum < 6 ? 1 : 2};
    const NamedArray arrays[] = {graph_array("y", Span<const float>(y)),
                                 graph_array("class", Span<const std::int32_t>(label)),
                                 graph_array("weight", Span<const float>(weight)),
                                 graph_array("known", Span<const std::int32_t>(known)),
                                 node_array("node_y", Span<const float>(node_y)),
                                 node_array("node_class", Span<const std::int32_t>(node_class)),
                                 node_array("train", Span<const std::int32_t>(train)),
                                 node_array("valid", Span<const std::int32_t>(valid))};
    GraphView view;
    view.x = {x.data(), static_cast<std::int64_t>(n), 2};
    view.edge_source = source;
    view.edge_target = target;
    const Status status = set.add(view, arrays);
    REQUIRE_MESSAGE(status.ok(), status.message());
  }
  return set;
}

/// [begin, end).
inline std::vector<std::size_t> graphs_between(std::size_t begin, std::size_t end) {
  std::vector<std::size_t> graphs;
  for (std::size_t g = begin; g < end; ++g) graphs.push_back(g);
  return graphs;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_TRAIN_GRAPH_TRAIN_FIXTURE_HPP
