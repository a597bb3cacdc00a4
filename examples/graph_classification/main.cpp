// SPDX-License-Identifier: Apache-2.0
// A custom model, start to end: the graph isomorphism network (Xu et al., arXiv:1810.00826) classifies
// molecules and proteins, cross-validated on the ten folds its authors used.
//
//   graph_classification DATA_FOLDER [MUTAG | PROTEINS | ...] [--epochs N] [--hidden N] [--seed N] [--threads
//   N]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tu_dataset.hpp"

namespace {

namespace mg = mlgraph;

struct Options {
  std::string folder;
  std::string dataset = "MUTAG";
  int epochs = 100;
  std::int64_t hidden = 32;
  std::uint64_t seed = 1;
  int threads = 0;
  double lr = 0.01;
  double dropout = 0.5;
  std::size_t batch_size = 32;
};

/// h'_i = MLP(h_i + sum over neighbours j of h_j): a layer of one's own takes ten lines.
struct GinLayer {
  mg::Linear lin1, lin2;
  mg::BatchNorm norm1, norm2;

  GinLayer(mg::ParamSpec& p, const std::string& name, std::int64_t in, std::int64_t out)
      : lin1(p, name + ".lin1", in, out),
        lin2(p, name + ".lin2", out, out),
        norm1(p, name + ".norm1", out),
        norm2(p, name + ".norm2", out) {}

  template <class Ctx>
  mg::Var operator()(Ctx& ctx, mg::Var h, const mg::EdgesView& edges) const {
    h = ctx.add(h, ctx.spmm(mg::Reduce::kSum, edges.forward, h));
    h = ctx.relu(norm1(ctx, lin1(ctx, h)));
    return ctx.relu(norm2(ctx, lin2(ctx, h)));
  }
};

/// Four GIN layers; every layer's pooled nodes vote for the class.
struct Gin {
  static constexpr int kLayers = 4;
  mg::Embedding tag;
  std::vector<GinLayer> layers;
  std::vector<mg::Linear> heads;
  mg::Dropout dropout;

  Gin(mg::ParamSpec& p, std::int64_t num_tags, std::int64_t num_classes, const Options& options)
      : tag(p, "tag", num_tags, options.hidden), dropout(options.dropout) {
    heads.emplace_back(p, "head0", options.hidden, num_classes);
    for (int k = 1; k <= kLayers; ++k) {
      layers.emplace_back(p, "gin" + std::to_string(k), options.hidden, options.hidden);
      heads.emplace_back(p, "head" + std::to_string(k), options.hidden, num_classes);
    }
  }

  template <class Ctx>
  mg::Var forward(Ctx& ctx, const mg::BatchView& g) const {
    mg::Var h = tag(ctx, g.opcode);
    mg::Var logits = dropout(ctx, heads[0](ctx, mg::global_add_pool(ctx, h, g.ptr)));
    for (std::size_t k = 0; k < layers.size(); ++k) {
      h = layers[k](ctx, h, g.edges);
      logits = ctx.add(logits, dropout(ctx, heads[k + 1](ctx, mg::global_add_pool(ctx, h, g.ptr))));
    }
    return logits;  // (G, num_classes)
  }
};

/// Makes batches of some graphs of the set, in memory that is used again.
struct Batcher {
  const example::TuDataset& data;
  mg::Batch batch;
  std::vector<const mg::Graph*> graphs;
  std::vector<std::int32_t> labels;

  mg::Status assign(mg::Span<const std::size_t> indices) {
    graphs.clear();
    labels.clear();
    for (const std::size_t i : indices) {
      graphs.push_back(&data.graphs[i]);
      labels.push_back(data.labels[i]);
    }
    return batch.assign(mg::Span<const mg::Graph* const>(graphs));
  }
};

double accuracy(mg::MatrixView<const float> logits, const std::vector<std::int32_t>& labels) {
  std::int64_t right = 0;
  for (std::int64_t g = 0; g < logits.rows; ++g) {
    const float* const row = logits.row(g);
    right += std::max_element(row, row + logits.cols) - row == labels[static_cast<std::size_t>(g)];
  }
  return static_cast<double>(right) / static_cast<double>(logits.rows);
}

/// Trains on the other folds; the accuracy on the fold after each epoch.
mg::Result<std::vector<double>> run_fold(const example::TuDataset& data, std::size_t fold,
                                         const Options& options) {
  std::vector<bool> in_test(data.graphs.size(), false);
  for (const std::size_t i : data.test_fold[fold]) in_test[i] = true;
  std::vector<std::size_t> train;
  for (std::size_t i = 0; i < data.graphs.size(); ++i) {
    if (!in_test[i]) train.push_back(i);
  }

  mg::ParamSpec spec;
  const Gin model(spec, data.num_tags, static_cast<std::int64_t>(data.class_label.size()), options);
  mg::Parameters<float> parameters(spec, options.seed + fold);
  mg::Adam<float> optimizer(parameters.grad.size());
  mg::Tape tape;
  mg::Eager eager;
  Batcher batcher{data, {}, {}, {}};
  mg::Rng rng(options.seed * 1000 + fold);
  std::vector<double> curve;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    rng.shuffle(train);
    const double lr = options.lr * std::pow(0.5, epoch / 50);
    for (std::size_t begin = 0; begin + 1 < train.size(); begin += options.batch_size) {
      const std::size_t count = std::min(options.batch_size, train.size() - begin);
      MLGRAPH_RETURN_IF_ERROR(batcher.assign(mg::Span<const std::size_t>(train).subspan(begin, count)));
      parameters.zero_grad();
      tape.bind(spec, parameters);
      tape.begin(rng.next());
      const mg::Var loss = mg::cross_entropy(tape, model.forward(tape, batcher.batch.view()), batcher.labels);
      MLGRAPH_RETURN_IF_ERROR(tape.backward(loss));
      MLGRAPH_RETURN_IF_ERROR(optimizer.step(parameters.trainable(), parameters.grad, lr));
    }
    MLGRAPH_RETURN_IF_ERROR(batcher.assign(data.test_fold[fold]));
    eager.bind(spec, mg::Span<const float>(parameters.value));
    eager.begin();
    const mg::Var logits = model.forward(eager, batcher.batch.view());
    MLGRAPH_RETURN_IF_ERROR(eager.status());
    curve.push_back(accuracy(eager.value(logits), batcher.labels));
  }
  return curve;
}

struct MeanStd {
  double mean, std;
};

MeanStd at_epoch(const std::vector<std::vector<double>>& curves, std::size_t epoch) {
  double sum = 0, squares = 0;
  for (const std::vector<double>& curve : curves) sum += curve[epoch];
  const double mean = sum / static_cast<double>(curves.size());
  for (const std::vector<double>& curve : curves) squares += (curve[epoch] - mean) * (curve[epoch] - mean);
  return {mean, std::sqrt(squares / static_cast<double>(curves.size()))};
}

int usage() {
  std::fprintf(
      stderr,
      "usage: graph_classification DATA_FOLDER [NAME] [--epochs N] [--hidden N] [--seed N] [--threads N]\n"
      "  DATA_FOLDER/NAME/NAME.txt in GIN's text format, with DATA_FOLDER/NAME/10fold_idx/\n");
  return 2;
}

bool parse(int argc, char** argv, Options& options) {
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.rfind("--", 0) != 0) {
      names.push_back(arg);
      continue;
    }
    if (i + 1 == argc) return false;
    const long value = std::strtol(argv[++i], nullptr, 10);
    if (value < 1) return false;
    if (arg == "--epochs") {
      options.epochs = static_cast<int>(value);
    } else if (arg == "--hidden") {
      options.hidden = value;
    } else if (arg == "--seed") {
      options.seed = static_cast<std::uint64_t>(value);
    } else if (arg == "--threads") {
      options.threads = static_cast<int>(value);
    } else {
      return false;
    }
  }
  if (names.empty() || names.size() > 2) return false;
  options.folder = names[0];
  if (names.size() == 2) options.dataset = names[1];
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return usage();
  mg::Result<example::TuDataset> data = example::read_tu_dataset(options.folder, options.dataset);
  if (!data.ok()) {
    std::fprintf(stderr, "%s\n", data.status().message().c_str());
    return 1;
  }
  // One fold to a thread: each is a training of its own, so the result does not depend on the number of
  // threads.
  std::vector<std::vector<double>> curves(data->test_fold.size());
  std::vector<mg::Status> failures(curves.size());
  mg::ThreadPool pool(options.threads);
  pool.run(static_cast<std::int64_t>(curves.size()), [&](std::int64_t fold) {
    const auto f = static_cast<std::size_t>(fold);
    mg::Result<std::vector<double>> curve = run_fold(*data, f, options);
    if (curve.ok()) {
      curves[f] = std::move(*curve);
    } else {
      failures[f] = curve.status();
    }
  });
  for (const mg::Status& failure : failures) {
    if (failure.ok()) continue;
    std::fprintf(stderr, "%s\n", failure.message().c_str());
    return 1;
  }
  std::size_t best = 0;
  for (std::size_t epoch = 1; epoch < curves[0].size(); ++epoch) {
    if (at_epoch(curves, epoch).mean > at_epoch(curves, best).mean) best = epoch;
  }
  const MeanStd at_best = at_epoch(curves, best);
  const MeanStd at_last = at_epoch(curves, curves[0].size() - 1);
  std::printf("%s: %zu graphs, %zu classes, 10 folds, %d epochs\n", options.dataset.c_str(),
              data->graphs.size(), data->class_label.size(), options.epochs);
  std::printf("accuracy at the epoch that is best on average (GIN's protocol), epoch %zu: %.1f %% +- %.1f\n",
              best + 1, 100 * at_best.mean, 100 * at_best.std);
  std::printf("accuracy after the last epoch:                                          %.1f %% +- %.1f\n",
              100 * at_last.mean, 100 * at_last.std);
  return 0;
}
