// SPDX-License-Identifier: Apache-2.0
// GraphModel: any network that computes rows from a batch of graphs, with its weights and what its outputs
// mean.
#ifndef MLGRAPH_TRAIN_GRAPH_MODEL_HPP
#define MLGRAPH_TRAIN_GRAPH_MODEL_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/autograd/context.hpp"
#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/fields.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/format/safetensors_writer.hpp"
#include "mlgraph/format/weights.hpp"
#include "mlgraph/graph/batch.hpp"
#include "mlgraph/graph/graph_dataset.hpp"
#include "mlgraph/train/target_loss.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// What the outputs of a network mean, as its training decided: what predict() undoes.
struct OutputMeaning {
  TargetLoss loss = TargetLoss::kMse;
  bool logarithms = false;
  TargetScaling scaling;

  /// Outputs of a row as predictions: in the units of the targets, or probabilities.
  /// Shapes: output, predicted (K).
  void predict(const float* output, std::int64_t num_outputs, double* predicted) const {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t k = 0; k < num_outputs; ++k) {
      const double s = static_cast<double>(output[k]);
      largest = std::max(largest, s);
      predicted[k] = s;
      if (loss == TargetLoss::kBinary) {
        predicted[k] = s >= 0 ? 1 / (1 + std::exp(-s)) : std::exp(s) / (1 + std::exp(s));
      } else if (loss != TargetLoss::kCrossEntropy) {
        const double z = scaling.z(static_cast<std::size_t>(k), s);
        predicted[k] = logarithms ? std::exp(z) : z;
      }
    }
    if (loss != TargetLoss::kCrossEntropy) return;
    for (std::int64_t k = 0; k < num_outputs; ++k) sum += predicted[k] = std::exp(predicted[k] - largest);
    for (std::int64_t k = 0; k < num_outputs; ++k) predicted[k] /= sum;
  }
};

namespace detail {

/// A network of any type.
class GraphNet {
 public:
  GraphNet() = default;
  GraphNet(const GraphNet&) = delete;
  GraphNet& operator=(const GraphNet&) = delete;
  virtual ~GraphNet() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::map<std::string, std::string> options() const = 0;
  virtual Var forward(Tape& tape, const BatchView& batch) const = 0;
  virtual Var forward(Eager& eager, const BatchView& batch) const = 0;
};

template <class N>
class GraphNetOf final : public GraphNet {
 public:
  GraphNetOf(ParamSpec& spec, const typename N::Options& options) : options_(options), net_(spec, options) {}

  [[nodiscard]] std::string_view name() const override { return N::kName; }
  [[nodiscard]] std::map<std::string, std::string> options() const override { return to_texts(options_); }
  Var forward(Tape& tape, const BatchView& batch) const override { return net_.forward(tape, batch); }
  Var forward(Eager& eager, const BatchView& batch) const override { return net_.forward(eager, batch); }

 private:
  typename N::Options options_;
  N net_;
};

}  // namespace detail

/// The memory of forward passes over graphs, kept from one call to the next: a training that validates after
/// every epoch allocates it once. Several threads may use it at a time.
class GraphScratch {
 public:
  /// The memory of one pass.
  struct Pass {
    explicit Pass(ThreadPool* p) : pool(p), eager(p) {}
    ThreadPool* pool;
    Batch batch;
    Eager eager;
  };

  /// One that nobody uses, on this pool.
  [[nodiscard]] std::unique_ptr<Pass> take(ThreadPool* pool) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find_if(free_.begin(), free_.end(), [&](const auto& p) { return p->pool == pool; });
    if (found == free_.end()) return std::make_unique<Pass>(pool);
    std::unique_ptr<Pass> pass = std::move(*found);
    free_.erase(found);
    return pass;
  }
  void give_back(std::unique_ptr<Pass> pass) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(pass));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pass>> free_;
};

/// A matrix of predictions, one row for each graph or node.
struct PredictionMatrix {
  std::vector<double> values;
  std::int64_t rows = 0, cols = 0;

  [[nodiscard]] MatrixView<const double> view() const { return {values.data(), rows, cols}; }
};

/// A network, its weights, and what its outputs mean. The network is any type N with
///
///   static constexpr std::string_view kName = "my-net";        // in model files
///   struct Options { template <class V> void fields(V& v); };  // they describe themselves: core/fields.hpp
///   N(mg::ParamSpec& p, const Options& options);
///   template <class C>
///   mg::Var forward(C& ctx, const mg::BatchView& g) const;     // (G, outputs), or (N, outputs)
///
/// A value that can be moved. Const functions may be called from several threads.
class GraphModel {
 public:
  /// A model with start weights.
  /// Errors: options out of their ranges; more than `most_weights` weights, padding included.
  template <class N>
  [[nodiscard]] static Result<GraphModel> make(
      const typename N::Options& options, std::uint64_t seed = 1,
      std::int64_t most_weights = std::numeric_limits<std::int64_t>::max()) {
    MLGRAPH_RETURN_IF_ERROR(check_ranges(N::kName, options));
    GraphModel model;
    model.spec_ = std::make_unique<ParamSpec>();
    model.net_ = std::make_unique<detail::GraphNetOf<N>>(*model.spec_, options);
    if (model.spec_->size() > most_weights) {
      return Status::invalid_argument(str_cat(N::kName, ": its options ask for ", model.spec_->size(),
                                              " weights; there are ", most_weights, " or fewer"));
    }
    model.parameters_ = Parameters<float>(*model.spec_, seed);
    return model;
  }

  [[nodiscard]] std::string_view name() const { return net_->name(); }
  [[nodiscard]] std::map<std::string, std::string> options() const { return net_->options(); }
  [[nodiscard]] const ParamSpec& spec() const { return *spec_; }
  [[nodiscard]] Parameters<float>& parameters() { return parameters_; }
  [[nodiscard]] const Parameters<float>& parameters() const { return parameters_; }
  [[nodiscard]] OutputMeaning& meaning() { return meaning_; }
  [[nodiscard]] const OutputMeaning& meaning() const { return meaning_; }

  /// The outputs of a batch, on a context to which the weights are bound: (G or N, outputs).
  template <class C>
  Var forward(C& ctx, const BatchView& batch) const {
    return net_->forward(ctx, batch);
  }

  /// Calls `use(part, batch, outputs)` for the graphs in their order, some at a time, in parallel: `part`
  /// counts from 0. Results do not depend on the number of threads. `scratch` is borrowed memory, or null.
  /// Errors: a graph that the set does not have; those of the network, with the first graph of the part.
  template <class Use>
  [[nodiscard]] Status for_each_output(const GraphDataset& dataset, Span<const std::size_t> graphs,
                                       ThreadPool* pool, const Use& use,
                                       GraphScratch* scratch = nullptr) const {
    GraphScratch own;
    GraphScratch& memory = scratch == nullptr ? own : *scratch;
    const std::size_t num_parts = num_output_parts(graphs.size());
    std::vector<Status> statuses(num_parts);
    const auto compute = [&](std::size_t part, Batch& batch, Eager& eager) -> Status {
      const std::size_t begin = part * kGraphsOfPart;
      MLGRAPH_RETURN_IF_ERROR(
          batch.assign(dataset, graphs.subspan(begin, std::min(kGraphsOfPart, graphs.size() - begin))));
      eager.bind(*spec_, Span<const float>(parameters_.value));
      eager.begin();
      const Var outputs = forward(eager, batch.view());
      if (!eager.status().ok()) return eager.status().annotate(str_cat("graphs from ", graphs[begin]));
      const std::size_t num_scaled = meaning_.scaling.mean.size();
      if (num_scaled > 0 && static_cast<std::int64_t>(num_scaled) != eager.cols(outputs)) {
        return Status::invalid_argument(
            str_cat(name(), " gives ", eager.cols(outputs), " outputs; its scaling is of ", num_scaled));
      }
      use(part, batch.view(), eager.value(outputs));
      return {};
    };
    const auto run = [&](std::size_t part, ThreadPool* inner) {
      std::unique_ptr<GraphScratch::Pass> pass = memory.take(inner);
      Status status = compute(part, pass->batch, pass->eager);
      memory.give_back(std::move(pass));
      return status;
    };
    if (pool == nullptr || num_parts < 2) {
      for (std::size_t part = 0; part < num_parts; ++part) MLGRAPH_RETURN_IF_ERROR(run(part, pool));
      return {};
    }
    pool->run(static_cast<std::int64_t>(num_parts), [&](std::int64_t i) {
      const auto part = static_cast<std::size_t>(i);
      statuses[part] = run(part, nullptr);
    });
    for (const Status& status : statuses) MLGRAPH_RETURN_IF_ERROR(status);
    return {};
  }
  /// The graphs of a part of for_each_output(); the last may have fewer.
  static constexpr std::size_t kGraphsOfPart = 64;
  /// How many parts for_each_output() has.
  [[nodiscard]] static std::size_t num_output_parts(std::size_t num_graphs) {
    return (num_graphs + kGraphsOfPart - 1) / kGraphsOfPart;
  }

  /// Predictions of graphs (or of all their nodes, one graph after the other), in the units of the targets;
  /// probabilities of a classification.
  /// Errors: those of for_each_output(); parts with different numbers of outputs.
  [[nodiscard]] Result<PredictionMatrix> predict(const GraphDataset& dataset, Span<const std::size_t> graphs,
                                                 ThreadPool* pool = nullptr) const {
    std::vector<PredictionMatrix> parts(num_output_parts(graphs.size()));
    MLGRAPH_RETURN_IF_ERROR(for_each_output(
        dataset, graphs, pool, [&](std::size_t part, const BatchView&, MatrixView<const float> out) {
          PredictionMatrix& to = parts[part];
          to.rows = out.rows;
          to.cols = out.cols;
          to.values.resize(static_cast<std::size_t>(out.size()));
          for (std::int64_t r = 0; r < out.rows; ++r)
            meaning_.predict(out.row(r), out.cols, to.values.data() + r * out.cols);
        }));
    PredictionMatrix all;
    for (const PredictionMatrix& part : parts) {
      all.cols = parts[0].cols;
      if (part.cols != all.cols)
        return Status::invalid_argument(str_cat(name(), " gives ", all.cols, " and ", part.cols, " outputs"));
      all.rows += part.rows;
      all.values.insert(all.values.end(), part.values.begin(), part.values.end());
    }
    return all;
  }

 private:
  GraphModel() = default;

  std::unique_ptr<ParamSpec> spec_;  // has an address of its own, which contexts and trainers borrow
  std::unique_ptr<detail::GraphNet> net_;
  Parameters<float> parameters_;
  OutputMeaning meaning_;
};

/// What the metadata key "format" of a file of a GraphModel says.
inline constexpr std::string_view kGraphModelFormat = "mlgraph graph model 1";

namespace detail {

/// Of the file only: no weight has this prefix.
inline constexpr std::string_view kScalingPrefix = "target_scaling.";

[[nodiscard]] inline Result<std::vector<double>> read_scaling(const SafeTensors& file, std::string_view name) {
  const SafeTensor* const tensor = file.find(str_cat(kScalingPrefix, name));
  if (tensor == nullptr) return std::vector<double>();
  if (tensor->dtype != Dtype::kF64 || tensor->shape.size() != 1) {
    return Status::invalid_argument(str_cat("graph model: ", tensor->name, " is ", dtype_name(tensor->dtype),
                                            " ", shape_text(tensor->shape), "; should be a vector of F64"));
  }
  std::vector<double> values(static_cast<std::size_t>(tensor->num_elements()));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return values;
}

}  // namespace detail

/// The bytes of a model file: safetensors with weights, options and what outputs mean. The same model gives the
/// same bytes. `extra` goes into the metadata; keys of the model win.
[[nodiscard]] inline Result<std::vector<std::byte>> graph_model_to_bytes(
    const GraphModel& model, std::map<std::string, std::string> extra = {}) {
  std::map<std::string, std::string> metadata = model.options();
  metadata["format"] = std::string(kGraphModelFormat);
  metadata["network"] = std::string(model.name());
  metadata["target_loss"] = std::string(enum_name(model.meaning().loss));
  metadata["target_logarithms"] = model.meaning().logarithms ? "yes" : "no";
  metadata.merge(extra);
  std::vector<SafeTensor> tensors = tensors_of(model.spec(), Span<const float>(model.parameters().value));
  const auto append = [&](std::string_view name, const std::vector<double>& values) {
    if (values.empty()) return;
    tensors.push_back({str_cat(detail::kScalingPrefix, name),
                       Dtype::kF64,
                       {static_cast<std::int64_t>(values.size())},
                       {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(double)}});
  };
  append("mean", model.meaning().scaling.mean);
  append("scale", model.meaning().scaling.scale);
  return write_safetensors(tensors, SafeTensorsMetadata(metadata.begin(), metadata.end()));
}

/// What model files say that were written before there were some options: those as they were without them.
[[nodiscard]] inline std::map<std::string, std::string> with_later_graph_options(
    std::map<std::string, std::string> texts) {
  for (const auto& [key, value] :
       {std::pair("direction", "forward"), {"task.output_weight", ""}, {"task.positive_weight", ""}}) {
    texts.emplace(key, value);
  }
  return texts;
}

/// A model of network N from the bytes of a file.
/// Errors: another format or network; options, scaling or weights that are missing or do not fit. Every tensor is
///         checked before the model exists.
template <class N>
[[nodiscard]] Result<GraphModel> graph_model_from_bytes(Span<const std::byte> bytes) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  const std::map<std::string, std::string> metadata =
      with_later_graph_options({file.metadata().begin(), file.metadata().end()});
  detail::FieldReader in("graph model", metadata);
  const std::string_view format = in.text("format"), network = in.text("network"),
                         loss = in.text("target_loss");
  const std::string_view logarithms = in.text("target_logarithms");
  MLGRAPH_RETURN_IF_ERROR(in.status());
  if (format != kGraphModelFormat || network != N::kName) {
    return Status::invalid_argument(str_cat("graph model: the file is a \"", network, "\" of \"", format,
                                            "\"; should be a \"", N::kName, "\" of \"", kGraphModelFormat,
                                            "\""));
  }
  typename N::Options options;
  options.fields(static_cast<FieldVisitor&>(in));
  MLGRAPH_RETURN_IF_ERROR(in.status());
  // Options can ask for a model of many gigabytes; the file's own data must be as large before anything is
  // allocated.
  std::int64_t most_weights = 0;
  for (const SafeTensor& tensor : file.tensors())
    most_weights += static_cast<std::int64_t>(tensor.data.size() / 2) + ParamSpec::kPadding;
  MLGRAPH_ASSIGN_OR_RETURN(GraphModel model, GraphModel::make<N>(options, 0, most_weights));
  OutputMeaning& meaning = model.meaning();
  const Span<const std::string_view> names = enum_names<TargetLoss>();
  const auto found = std::find(names.begin(), names.end(), loss);
  if (found == names.end() || (logarithms != "yes" && logarithms != "no")) {
    return Status::invalid_argument(str_cat("graph model: target_loss is \"", loss,
                                            "\" and target_logarithms \"", logarithms,
                                            "\", which this version does not know"));
  }
  meaning.loss = static_cast<TargetLoss>(found - names.begin());
  meaning.logarithms = logarithms == "yes";
  MLGRAPH_ASSIGN_OR_RETURN(meaning.scaling.mean, detail::read_scaling(file, "mean"));
  MLGRAPH_ASSIGN_OR_RETURN(meaning.scaling.scale, detail::read_scaling(file, "scale"));
  if (meaning.scaling.mean.size() != meaning.scaling.scale.size()) {
    return Status::invalid_argument(str_cat("graph model: its scaling has ", meaning.scaling.mean.size(),
                                            " means and ", meaning.scaling.scale.size(), " scales"));
  }
  for (const SafeTensor& tensor : file.tensors()) {
    const bool of_scaling = tensor.name.rfind(detail::kScalingPrefix, 0) == 0;
    if (!of_scaling && model.spec().find(tensor.name) == nullptr)
      return Status::invalid_argument(str_cat("graph model: ", tensor.name, " is no tensor of a ", N::kName));
  }
  WeightsOptions weights;
  weights.allow_extra = true;
  MLGRAPH_RETURN_IF_ERROR(load_weights(file, model.spec(), Span<float>(model.parameters().value), {}, weights));
  return model;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_GRAPH_MODEL_HPP
