// SPDX-License-Identifier: Apache-2.0
// The graph isomorphism network (arXiv:1810.00826) classifies molecules and proteins, cross-validated on the
// folds that its authors used: a network of one's own for GraphTrainer. See README.md.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tu_dataset.hpp"

namespace {

namespace mg = mlgraph;

/// h'_i = MLP((1 + epsilon) h_i + sum over neighbours j of h_j), epsilon = 0.
struct GinLayer {
  mg::GINConv conv;
  mg::Linear lin1, lin2;
  mg::BatchNorm norm1, norm2;

  GinLayer(mg::ParamSpec& p, const std::string& name, std::int64_t in, std::int64_t out)
      : conv(p, name),
        lin1(p, name + ".lin1", in, out),
        lin2(p, name + ".lin2", out, out),
        norm1(p, name + ".norm1", out),
        norm2(p, name + ".norm2", out) {}

  template <class Ctx>
  mg::Var operator()(Ctx& ctx, mg::Var h, const mg::EdgesView& edges) const {
    h = norm1(ctx, conv(ctx, h, edges, lin1), mg::Activation::kRelu);  // lin1 takes the sums as they are made
    return norm2(ctx, lin2(ctx, h), mg::Activation::kRelu);
  }
};

/// Four GIN layers; the pooled rows of every layer, tags included, vote for the class.
struct Gin {
  static constexpr std::string_view kName = "gin";
  struct Options {
    std::int64_t num_tags = 1, num_classes = 2, hidden = 32;
    template <class V>
    void fields(V& v) {
      v("num_tags", "", num_tags, 1, example::kMaxTuTags, "Tags of nodes");
      v("num_classes", "", num_classes, 2, example::kMaxTuClasses, "Classes of graphs");
      v("hidden", "--hidden", hidden, 1, 1024, "Width");
    }
  };
  mg::Embedding tag;
  std::vector<GinLayer> layers;
  std::vector<mg::Linear> heads;
  mg::Dropout dropout;

  Gin(mg::ParamSpec& p, const Options& o) : tag(p, "tag", o.num_tags, o.hidden), dropout(0.5) {
    for (std::int64_t k = 0; k <= 4; ++k) {
      if (k > 0) layers.emplace_back(p, mg::str_cat("gin", k), o.hidden, o.hidden);
      heads.emplace_back(p, mg::str_cat("head", k), o.hidden, o.num_classes);
    }
  }

  template <class Ctx>
  mg::Var forward(Ctx& ctx, const mg::BatchView& g) const {
    mg::Var h = tag(ctx, g.opcode);
    mg::Var logits = dropout(ctx, heads[0](ctx, mg::global_add_pool(ctx, h, g.ptr)));
    for (std::size_t k = 0; k < layers.size(); ++k) {
      h = layers[k](ctx, h, g.edges);
      const mg::Var vote = heads[k + 1](ctx, mg::global_add_pool(ctx, h, g.ptr));
      logits = ctx.add(logits, dropout(ctx, vote));
    }
    return logits;  // (G, num_classes)
  }
};

/// In the order of the command line, after folder and name. 0 steps: to use every graph once, 50 at most.
enum Setting { kEpochs, kHidden, kBatch, kSteps, kSeed, kThreads, kNumSettings };
using Settings = std::array<std::int64_t, kNumSettings>;

/// Trains on the other folds; the accuracy on the fold after each epoch.
mg::Result<std::vector<double>> run_fold(const example::TuDataset& data, std::size_t fold,
                                         const Settings& settings) {
  Gin::Options options;
  options.num_tags = data.num_tags;
  options.num_classes = static_cast<std::int64_t>(data.class_label.size());
  options.hidden = settings[kHidden];
  const auto seed = static_cast<std::uint64_t>(settings[kSeed]) + fold;
  MLGRAPH_ASSIGN_OR_RETURN(mg::GraphModel model, mg::GraphModel::make<Gin>(options, seed));
  mg::GraphTask task;
  task.target = "class";
  task.loss.loss = mg::TargetLoss::kCrossEntropy;
  mg::Recipe recipe;  // as in the paper: the learning rate halves every 50 epochs
  recipe.optimizer = mg::OptimizerKind::kAdam;
  recipe.lr = 0.01;
  recipe.schedule = mg::Schedule::kStep;
  recipe.lr_gamma = 0.5;
  recipe.lr_step_epochs = 50;
  recipe.warmup_fraction = 0;
  recipe.clip_norm = 0;
  recipe.epochs = settings[kEpochs];
  recipe.graphs_per_step = settings[kBatch];
  mg::GraphTrainOptions training;
  training.seed = seed;
  training.stop.metric = mg::StopMetric::kAccuracy;
  const std::vector<std::size_t> others = mg::complement(data.test_fold[fold], data.set.size());
  const std::int64_t once = 1 + (mg::signed_size(others) - 1) / std::max<std::int64_t>(1, settings[kBatch]);
  training.steps_per_epoch = settings[kSteps] > 0 ? settings[kSteps] : std::min<std::int64_t>(50, once);
  mg::GraphTrainer trainer(model, task, recipe, training);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::GraphTrainReport report,
                           trainer.run(data.set, others, data.test_fold[fold]));
  std::vector<double> curve;
  for (const mg::GraphEpochReport& epoch : report.epochs) curve.push_back(epoch.metric);
  return curve;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings = {350, 64, 32, 0, 1, 0};
  for (int i = 3; i < std::min(argc, 3 + static_cast<int>(kNumSettings)); ++i)
    settings[static_cast<std::size_t>(i - 3)] = std::max(0L, std::strtol(argv[i], nullptr, 10));
  const std::string folder = argc > 1 ? argv[1] : "", name = argc > 2 ? argv[2] : "MUTAG";
  const mg::Result<example::TuDataset> data = example::read_tu_dataset(folder, name);
  if (!data.ok()) return std::fprintf(stderr, "%s\n", data.status().message().c_str()), 1;
  // One fold to a thread: each is a training of its own, so the number of threads does not change the result.
  std::vector<mg::Result<std::vector<double>>> curves(data->test_fold.size(), mg::Status::not_found("no fold"));
  mg::ThreadPool pool(static_cast<int>(settings[kThreads]));
  pool.run(static_cast<std::int64_t>(curves.size()), [&](std::int64_t fold) {
    const auto f = static_cast<std::size_t>(fold);
    curves[f] = run_fold(*data, f, settings);
  });
  std::vector<std::vector<double>> by_epoch;
  for (const auto& curve : curves) {
    if (!curve.ok()) return std::fprintf(stderr, "%s\n", curve.status().message().c_str()), 1;
    by_epoch.resize(curve->size());
    for (std::size_t e = 0; e < curve->size(); ++e) by_epoch[e].push_back((*curve)[e]);
  }
  std::size_t best = 0;
  std::vector<mg::MeanStd> means;
  for (const auto& epoch : by_epoch) {
    means.push_back(mg::mean_and_std(epoch).value());
    if (means.back().mean > means[best].mean) best = means.size() - 1;
  }
  std::printf("%s: %zu graphs, %zu folds, %zu epochs\n", name.c_str(), data->set.size(), curves.size(),
              means.size());
  for (const std::size_t e : {best, means.size() - 1})
    std::printf("accuracy after epoch %3zu: %.1f %% +- %.1f\n", e + 1, 100 * means[e].mean, 100 * means[e].std);
  return 0;
}
