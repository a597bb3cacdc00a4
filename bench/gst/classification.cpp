// SPDX-License-Identifier: Apache-2.0
// Graph segment training of a model of one's own: a classifier of whole graphs, on PROTEINS.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "mlgraph/graph/locality.hpp"
#include "mlgraph/graph/subgraph.hpp"
#include "mlgraph/mlgraph.hpp"
#include "tables.hpp"
#include "tu_dataset.hpp"

namespace gst {
namespace {

constexpr std::int64_t kHidden = 32;

/// Three SAGE layers, the sum over nodes, and a head.
struct Classifier {
  mg::Embedding tag;
  mg::SAGEConv conv1, conv2, conv3;
  mg::MLP head;

  Classifier(mg::ParamSpec& p, std::int64_t num_tags, std::int64_t num_classes)
      : tag(p, "tag", num_tags, kHidden),
        conv1(p, "conv1", kHidden, kHidden, sum()),
        conv2(p, "conv2", kHidden, kHidden, sum()),
        conv3(p, "conv3", kHidden, kHidden, sum()),
        head(p, "head", {2 * kHidden, kHidden, num_classes}) {}

  static mg::SAGEConvOptions sum() {
    mg::SAGEConvOptions options;
    options.reduce = mg::Reduce::kMean;
    return options;
  }

  /// One segment -> (1, hidden).
  template <class Ctx>
  mg::Var embed(Ctx& ctx, const mg::Graph& segment) const {
    const mg::EdgesView edges = segment.edges();
    mg::Var h = tag(ctx, segment.opcode());
    h = ctx.add(h, conv1(ctx, h, edges, mg::Activation::kRelu));
    h = ctx.add(h, conv2(ctx, h, edges, mg::Activation::kRelu));
    h = ctx.add(h, conv3(ctx, h, edges, mg::Activation::kRelu));
    return mg::global_add_pool(ctx, h, segment.ptr());
  }
  /// The total of the segments of a graph of `num_nodes` nodes -> (1, classes).
  template <class Ctx>
  mg::Var readout(Ctx& ctx, mg::Var total, std::int64_t num_nodes) const {
    const mg::Var mean = ctx.scale(total, 1.0F / static_cast<float>(num_nodes));
    return head(ctx, ctx.concat(mean, ctx.scale(total, 0.01F)));
  }
};

/// A graph in segments, with its class.
struct Item {
  std::vector<mg::Graph> segments;
  std::int64_t num_nodes = 0;
  std::int32_t label = 0;
};

mg::Result<mg::Graph> cut(const mg::Graph& graph, mg::Span<const std::int32_t> nodes) {
  mg::NodeMap scratch;
  MLGRAPH_ASSIGN_OR_RETURN(const mg::Subgraph part, mg::induced_subgraph(graph.edges(), nodes, scratch));
  std::vector<std::int32_t> opcode;
  for (const std::int32_t v : part.node) opcode.push_back(graph.opcode()[static_cast<std::size_t>(v)]);
  mg::GraphView view;
  view.x = {nullptr, static_cast<std::int64_t>(opcode.size()), 0};
  view.opcode = opcode;
  view.edge_source = part.source;
  view.edge_target = part.target;
  return mg::Graph::from_view(view);
}

/// Every graph in four segments or more; those of fewer than four nodes in as many as they have.
mg::Result<std::vector<Item>> make_items(const example::TuDataset& data, bool whole) {
  std::vector<Item> items(data.graphs.size());
  for (std::size_t g = 0; g < items.size(); ++g) {
    const mg::Graph& graph = data.graphs[g];
    items[g].num_nodes = graph.num_nodes();
    items[g].label = data.labels[g];
    if (whole) {
      items[g].segments.push_back(graph);
      continue;
    }
    const std::int32_t size = std::max(1, graph.num_nodes() / 4);
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Partition partition, mg::locality_partition(graph.edges(), size));
    for (std::int32_t j = 0; j < partition.num_segments(); ++j) {
      MLGRAPH_ASSIGN_OR_RETURN(mg::Graph segment, cut(graph, partition.segment(j)));
      items[g].segments.push_back(std::move(segment));
    }
  }
  return items;
}

/// One training on nine folds; the accuracy on the tenth after the last epoch.
class Training {
 public:
  Training(const example::TuDataset& data, const std::vector<Item>& items, mg::GstVariant variant,
           std::size_t fold)
      : items_(items),
        model_(spec_, data.num_tags, static_cast<std::int64_t>(data.class_label.size())),
        parameters_(spec_, 7 + fold),
        rng_(100 + fold) {
    options_.variant = variant;
    std::vector<bool> is_test(items.size(), false);
    for (const std::size_t i : data.test_fold[fold]) is_test[i] = true;
    for (std::size_t i = 0; i < items.size(); ++i) (is_test[i] ? test_ : train_).push_back(i);
  }

  mg::Result<double> run(int epochs) {
    epochs_ = epochs;
    recipe_.clip_norm = 0;
    MLGRAPH_ASSIGN_OR_RETURN(table_, mg::EmbeddingTable::make(kHidden, options_.table_dtype,
                                                              static_cast<std::size_t>(options_.table_bytes)));
    steps_.emplace(spec_, parameters_, recipe_, nullptr);
    bool stopped = false;
    const auto on_epoch = [](const Epoch&) { return true; };
    MLGRAPH_RETURN_IF_ERROR(mg::run_epochs(*this, on_epoch, stopped));
    return accuracy();
  }

  // What run_epochs() asks for.

  using Epoch = mg::GraphEpochReport;
  [[nodiscard]] bool next_epoch() const { return finished_ < epochs_; }
  [[nodiscard]] std::int64_t finished() const { return finished_; }
  [[nodiscard]] mg::Communicator* ranks() const { return nullptr; }
  [[nodiscard]] std::int64_t num_steps() const { return (mg::signed_size(train_) + kBatch - 1) / kBatch; }
  [[nodiscard]] double lr() const {
    return 3e-3 * (1 - static_cast<double>(finished_) / static_cast<double>(epochs_));
  }
  /// The last fifth of the epochs may train the head alone. Gradients of the backbone are 0 then, and so are
  /// the moments of a fresh optimizer: without weight decay it stays as it is.
  mg::Status begin_epoch(std::int64_t) {
    const std::int64_t num_main = options_.finetunes() ? epochs_ - epochs_ / 5 : epochs_;
    head_phase_ = finished_ >= num_main;
    if (finished_ == num_main) {
      table_.clear();
      steps_->begin();
    }
    rng_.shuffle(train_);
    return {};
  }
  mg::Result<mg::StepLoss> run_step(std::int64_t, std::int64_t step, double lr) {
    const auto begin = static_cast<std::size_t>(step * kBatch);
    const std::size_t end = std::min(begin + std::size_t{kBatch}, train_.size());
    parameters_.zero_grad();
    tape_.bind(spec_, parameters_);
    eager_.bind(spec_, mg::Span<const float>(parameters_.value));
    mg::StepLoss sum{0, static_cast<double>(end - begin), static_cast<double>(train_.size())};
    for (std::size_t i = begin; i < end; ++i) {
      MLGRAPH_ASSIGN_OR_RETURN(const double loss,
                               add_gradient(train_[i], 1.0F / static_cast<float>(end - begin)));
      sum.loss += loss / sum.weight;
    }
    MLGRAPH_RETURN_IF_ERROR(steps_->step(lr, [] { return "a graph"; }));
    return sum;
  }
  static mg::Status judge(const Epoch&) { return {}; }  // nothing is chosen: the last weights count
  void finish(const Epoch&) { ++finished_; }

 private:
  static constexpr std::int64_t kBatch = 32;

  /// Adds the gradient of one graph, times `share`. -> its loss.
  mg::Result<double> add_gradient(std::size_t number, float share) {
    constexpr std::int32_t kOne[] = {0};
    const Item& item = items_[number];
    if (head_phase_) {
      plan_.role.assign(item.segments.size(), mg::SegmentPlan::Role::kTable);
    } else {
      mg::draw_segment_plan(options_, static_cast<std::int64_t>(item.segments.size()), rng_, plan_);
    }
    tape_.begin();
    const auto embed = [&](auto& ctx, std::int64_t j, mg::Span<const std::int32_t>) {
      return model_.embed(ctx, item.segments[static_cast<std::size_t>(j)]);
    };
    const mg::EmbeddingTable* const table = options_.uses_table() ? &table_ : nullptr;
    MLGRAPH_ASSIGN_OR_RETURN(const mg::Var total, mg::aggregate_segments(tape_, eager_, plan_, table,
                                                                         static_cast<std::uint32_t>(number),
                                                                         kOne, kHidden, embed, buffers_));
    if (table != nullptr) MLGRAPH_RETURN_IF_ERROR(buffers_.store(static_cast<std::uint32_t>(number), table_));
    const std::int32_t label[] = {item.label};
    const mg::Var loss = mg::cross_entropy(tape_, model_.readout(tape_, total, item.num_nodes), label);
    MLGRAPH_RETURN_IF_ERROR(tape_.backward(tape_.scale(loss, share)));
    return static_cast<double>(*tape_.value(loss).data);
  }

  mg::Result<double> accuracy() {
    std::size_t right = 0;
    eager_.bind(spec_, mg::Span<const float>(parameters_.value));
    for (const std::size_t i : test_) {
      const Item& item = items_[i];
      eager_.begin();
      mg::Var total = model_.embed(eager_, item.segments[0]);
      for (std::size_t j = 1; j < item.segments.size(); ++j)
        total = eager_.add(total, model_.embed(eager_, item.segments[j]));
      const mg::MatrixView<const float> logits = eager_.value(model_.readout(eager_, total, item.num_nodes));
      MLGRAPH_RETURN_IF_ERROR(eager_.status());
      right += std::max_element(logits.data, logits.data + logits.cols) - logits.data == item.label ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(test_.size());
  }

  const std::vector<Item>& items_;
  mg::ParamSpec spec_;
  Classifier model_;
  mg::Parameters<float> parameters_;
  mg::Rng rng_;
  mg::GstOptions options_;
  mg::Recipe recipe_;
  std::optional<mg::WeightSteps> steps_;
  std::int64_t epochs_ = 0, finished_ = 0;
  std::vector<std::size_t> train_, test_;
  mg::EmbeddingTable table_;
  mg::Tape tape_;
  mg::Eager eager_;
  mg::SegmentPlan plan_;
  mg::SegmentBuffers buffers_;
  bool head_phase_ = false;
};

}  // namespace

mg::Status print_classification(const Options& options) {
  const mg::Result<example::TuDataset> data = example::read_tu_dataset(options.data + "/tu", "PROTEINS");
  if (!data.ok()) {
    std::printf("(left out: %s)\n", data.status().message().c_str());
    return {};
  }
  const int epochs = options.epochs > 0 ? options.epochs : 30;
  std::printf("Accuracy on PROTEINS, graphs in four segments or more, 10 folds, after the last of %d epochs\n",
              epochs);
  for (const mg::GstVariant variant : kVariants) {
    MLGRAPH_ASSIGN_OR_RETURN(const std::vector<Item> items,
                             make_items(*data, variant == mg::GstVariant::kFull));
    const double start = now();
    std::vector<mg::Result<double>> folds(data->test_fold.size(), mg::Result<double>(0.0));
    options.pool->run(static_cast<std::int64_t>(folds.size()), [&](std::int64_t fold) {
      const auto f = static_cast<std::size_t>(fold);
      folds[f] = Training(*data, items, variant, f).run(epochs);
    });
    std::vector<double> accuracy;
    for (const mg::Result<double>& fold : folds) {
      MLGRAPH_RETURN_IF_ERROR(fold.status());
      accuracy.push_back(*fold);
    }
    const mg::Result<mg::MeanStd> m = mg::mean_and_std(accuracy);
    MLGRAPH_RETURN_IF_ERROR(m.status());
    std::printf("%-9s %5.1f +- %4.1f %%  (%.0f s)\n", title(variant), 100 * m->mean, 100 * m->std,
                now() - start);
    std::fflush(stdout);
  }
  return {};
}

}  // namespace gst
