// SPDX-License-Identifier: Apache-2.0
// load_cost_model(): the bytes of a model file become a CostModel that runs by the code of this file's flags.
#ifndef MLGRAPH_INFER_COST_MODEL_HPP
#define MLGRAPH_INFER_COST_MODEL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost_model.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/session.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/model/model_bytes.hpp"
#include "mlgraph/model/safetensors.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

class CostSessionOfIsa final : public interface::CostSessionCode {
 public:
  /// What a session borrows.
  struct Base {
    std::shared_ptr<const GnnCostModel> model;
    std::unique_ptr<ThreadPool> pool;         // null: the calling thread
    std::unique_ptr<const std::string> name;  // of the program; at one address also when it is short
  };

  CostSessionOfIsa(Base&& base, Session&& session) : base_(std::move(base)), session_(std::move(session)) {}

  [[nodiscard]] std::int64_t rows_per_config() const override { return session_.rows_per_config(); }
  [[nodiscard]] std::int64_t num_features() const override { return session_.num_features(); }
  Status score(const ConfigView& configs, Span<float> scores) override {
    return session_.score(configs, scores);
  }
  Status top_k(const ConfigView& configs, Span<std::int32_t> best) override {
    return session_.top_k(configs, best);
  }
  Result<float> start(const ConfigView& configs, std::int64_t c) override { return session_.start(configs, c); }
  Result<float> update(Span<const std::int32_t> rows, Span<const float> features) override {
    return session_.update(rows, features);
  }
  void commit() override { session_.commit(); }
  void rollback() override { session_.rollback(); }
  [[nodiscard]] Span<const float> current() const override { return session_.current(); }
  [[nodiscard]] float current_score() const override { return session_.current_score(); }

 private:
  Base base_;
  Session session_;
};

class CostModelOfIsa final : public interface::CostModelCode {
 public:
  CostModelOfIsa(GnnCostModel&& model, SafeTensorsMetadata metadata)
      : model_(std::make_shared<const GnnCostModel>(std::move(model))), metadata_(std::move(metadata)) {}

  [[nodiscard]] CostModelInputs inputs() const override {
    CostModelInputs inputs;
    inputs.task = model_->options().task();
    inputs.num_opcodes = model_->options().num_opcodes;
    inputs.num_node_features = model_->encoder().node.num_inputs();
    inputs.num_config_features = model_->encoder().num_config_inputs;
    inputs.node_feature_names = model_->encoder().node_names;
    return inputs;
  }
  [[nodiscard]] std::string_view metadata(std::string_view key) const override {
    for (const auto& pair : metadata_) {
      if (pair.first == key) return pair.second;
    }
    return {};
  }
  [[nodiscard]] Result<CostSession> bind(const ProgramView& program,
                                         const BindOptions& options) const override {
    const bool is_tile = model_->options().task() == Task::kTile;
    if (!is_tile && program.graph.config_node.empty()) {
      return Status::invalid_argument(str_cat(program.name, ": has no configurable node; a ",
                                              arch_name(model_->options().arch), " model ranks their layouts"));
    }
    ProgramView view = program;
    view.configs = {};
    view.configs.rows_per_config =
        is_tile ? std::int64_t{1} : static_cast<std::int64_t>(program.graph.config_node.size());
    view.configs.num_features = model_->encoder().num_config_inputs;
    view.runtime = {};
    view.runtime_normalizer = {};
    CostSessionOfIsa::Base base{model_, nullptr, std::make_unique<const std::string>(program.name)};
    view.name = *base.name;
    if (options.num_threads != 1) base.pool = std::make_unique<ThreadPool>(options.num_threads);
    MLGRAPH_ASSIGN_OR_RETURN(Session session,
                             Session::bind(*model_, view, {base.pool.get(), options.rows_at_a_time}));
    return CostSession(interface::Owned<interface::CostSessionCode>(
        new CostSessionOfIsa(std::move(base), std::move(session))));
  }

 private:
  std::shared_ptr<const GnnCostModel> model_;
  SafeTensorsMetadata metadata_;
};

}  // namespace detail

/// A model from the bytes of a model file, which may lie in `.rodata`, in a mapping or on the heap, aligned or
/// not. Nothing of them is borrowed.
///
/// Errors: those of model_from_bytes(): every tensor is checked before the model exists.
/// Cost:   reads the bytes twice and copies the weights.
[[nodiscard]] inline Result<CostModel> load_cost_model(Span<const std::byte> bytes) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  MLGRAPH_ASSIGN_OR_RETURN(GnnCostModel model, model_from_tensors(file));
  return CostModel(interface::Owned<interface::CostModelCode>(
      new detail::CostModelOfIsa(std::move(model), file.metadata())));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_INFER_COST_MODEL_HPP
