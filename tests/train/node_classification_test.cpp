// SPDX-License-Identifier: Apache-2.0
// Targets and masks of nodes, end to end: a GCN on one planted-partition graph against a logistic regression.
#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "long_tests.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/graph/split.hpp"
#include "mlgraph/nn/gcn_conv.hpp"
#include "mlgraph/nn/linear.hpp"
#include "mlgraph/train/graph_trainer.hpp"

using namespace mlgraph;

namespace {

constexpr std::int32_t kNumNodes = 600, kNumGroups = 3;
constexpr std::int64_t kNumFeatures = 8;

/// Two layers of GCN, or, without layers, a linear map of the features: a logistic regression.
struct NodeNet {
  static constexpr std::string_view kName = "node-net";
  struct Options {
    bool has_layers = true;
    template <class V>
    void fields(V& v) {
      v("has_layers", "", has_layers, "Or a logistic regression");
    }
  };
  Options options;
  GCNConv first, second;
  Linear linear;

  NodeNet(ParamSpec& p, const Options& o) : options(o) {
    if (o.has_layers) {
      first = GCNConv(p, "first", kNumFeatures, 16);
      second = GCNConv(p, "second", 16, kNumGroups);
    } else {
      linear = Linear(p, "linear", kNumFeatures, kNumGroups);
    }
  }
  template <class C>
  Var forward(C& ctx, const BatchView& g) const {
    const Var x = ctx.input(g.x);
    if (!options.has_layers) return linear(ctx, x);
    const auto norm = gcn_norm(ctx, g.edges.forward);
    const Var h = first(ctx, x, g.edges, norm, Activation::kRelu);
    return second(ctx, h, g.edges, norm);
  }
};

/// Nodes of three groups, whose features say little of their group; neighbours are of the same group five times
/// as often as of each other one. A tenth of the nodes are to train on, a tenth to validate, the others to
/// test.
GraphDataset planted_partition() {
  Rng rng(1);
  std::vector<std::int32_t> group, source, target;
  std::vector<float> x;
  for (std::int32_t v = 0; v < kNumNodes; ++v) {
    group.push_back(v % kNumGroups);
    for (std::int64_t f = 0; f < kNumFeatures; ++f)
      x.push_back(static_cast<float>(rng.normal() + (f == group.back() ? 0.6 : 0)));
    for (std::int32_t u = 0; u < v; ++u) {
      if (rng.uniform() >= (group[static_cast<std::size_t>(u)] == group.back() ? 0.05 : 0.01)) continue;
      source.insert(source.end(), {u, v});
      target.insert(target.end(), {v, u});
    }
  }
  const double fractions[] = {0.1, 0.1, 0.8};
  const SplitParts parts = stratified_split(group, fractions, 2).value();
  const std::vector<std::int32_t> train = mask_of(parts[0], kNumNodes), valid = mask_of(parts[1], kNumNodes),
                                  test = mask_of(parts[2], kNumNodes);
  const NamedArray arrays[] = {node_array("group", Span<const std::int32_t>(group)),
                               node_array("train", Span<const std::int32_t>(train)),
                               node_array("valid", Span<const std::int32_t>(valid)),
                               node_array("test", Span<const std::int32_t>(test))};
  GraphView view;
  view.x = {x.data(), kNumNodes, kNumFeatures};
  view.edge_source = source;
  view.edge_target = target;
  GraphDataset set;
  const Status status = set.add(view, arrays);
  REQUIRE_MESSAGE(status.ok(), status.message());
  return set;
}

/// The accuracy on the nodes of the test mask.
double test_accuracy(const GraphDataset& set, bool has_layers, std::int64_t epochs = 100) {
  GraphTask task;
  task.target = "group";
  task.loss.loss = TargetLoss::kCrossEntropy;
  task.mask = "train";
  task.valid_mask = "valid";
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.lr = 0.02;
  recipe.weight_decay = 0.01;
  GraphTrainOptions options;
  options.stop.metric = StopMetric::kAccuracy;
  NodeNet::Options net;
  net.has_layers = has_layers;
  GraphModel model = GraphModel::make<NodeNet>(net, 3).value();
  const std::size_t one[] = {0};
  const Result<GraphTrainReport> report = GraphTrainer(model, task, recipe, options).run(set, one, one);
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  task.valid_mask = "test";
  const GraphEvaluationResult of = evaluate(model, task, set, one).value();
  CHECK(of.predicted.rows == kNumNodes);
  return *of.metrics.accuracy;
}

}  // namespace

TEST_CASE("a GCN finds the groups of a planted partition that features alone do not tell" * testing::kLong) {
  const GraphDataset set = planted_partition();
  const double gcn = test_accuracy(set, true), regression = test_accuracy(set, false);
  CHECK_MESSAGE(gcn > 0.85, gcn);
  CHECK_MESSAGE(regression > 0.4, regression);
  CHECK_MESSAGE(regression < 0.65, regression);
}

TEST_CASE("a few epochs are better than chance among three groups, and the same again") {
  const GraphDataset set = planted_partition();
  const double accuracy = test_accuracy(set, true, 3);
  CHECK_MESSAGE(accuracy > 0.5, accuracy);
  CHECK(test_accuracy(set, true, 3) == accuracy);
}
