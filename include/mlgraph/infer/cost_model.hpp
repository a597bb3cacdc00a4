// SPDX-License-Identifier: Apache-2.0
// load_cost_model(): the bytes of a model file become a CostModel that runs by the code of this file's flags.
#ifndef MLGRAPH_INFER_COST_MODEL_HPP
#define MLGRAPH_INFER_COST_MODEL_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/parallel.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost_model.hpp"
#include "mlgraph/format/safetensors.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/session.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

class CostSessionOfIsa final : public interface::CostSessionCode {
 public:
  /// What a session borrows.
  struct Base {
    std::shared_ptr<const Model> model;
    std::unique_ptr<ThreadPool> pool;         // null: the calling thread
    std::unique_ptr<const std::string> name;  // of the program; at one address also when it is short
  };

  CostSessionOfIsa(Base&& base, Session&& session) : base_(std::move(base)), session_(std::move(session)) {}

  [[nodiscard]] std::int64_t rows_per_config() const override { return session_.rows_per_config(); }
  [[nodiscard]] std::int64_t num_features() const override { return session_.num_features(); }
  Status score(const ConfigView& configs, Span<float> scores) override {
    return session_.score(configs, scores);
  }
  Status rank(const ConfigView& configs, Span<std::int32_t> order) override {
    return session_.rank(configs, order);
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
  [[nodiscard]] RowStats stats() const override { return session_.stats(); }

 private:
  Base base_;
  Session session_;
};

class CostModelOfIsa final : public interface::CostModelCode {
 public:
  CostModelOfIsa(Model&& model, SafeTensorsMetadata metadata)
      : model_(std::make_shared<const Model>(std::move(model))), metadata_(std::move(metadata)) {}

  [[nodiscard]] CostModelInputs inputs() const override {
    CostModelInputs inputs;
    inputs.takes_nodes = model_->plan().takes_nodes();
    inputs.takes_graph = model_->plan().takes_graph();
    inputs.num_opcodes = model_->inputs().num_opcodes;
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
    const NetPlan& plan = model_->plan();
    const auto num_config_nodes = signed_size(program.graph.config_node);
    if (plan.takes_nodes() && !plan.takes_graph() && num_config_nodes == 0) {
      return Status::invalid_argument(str_cat(program.name, ": has no configurable node; a ", model_->name(),
                                              " model ranks configs of them"));
    }
    ProgramView view = program;
    view.configs = {};
    view.configs.rows_per_config = (plan.takes_nodes() ? num_config_nodes : 0) + (plan.takes_graph() ? 1 : 0);
    view.configs.num_features = model_->encoder().num_config_inputs;
    view.runtime = {};
    view.runtime_normalizer = {};
    CostSessionOfIsa::Base base{model_, nullptr, std::make_unique<const std::string>(program.name)};
    view.name = *base.name;
    if (options.num_threads != 1) base.pool = std::make_unique<ThreadPool>(options.num_threads);
    MLGRAPH_ASSIGN_OR_RETURN(Session session,
                             Session::bind(*model_, view,
                                           {base.pool.get(), options.rows_at_a_time, options.memory_bytes,
                                            RowsMade::kDistinct, options.duplicates}));
    return CostSession(interface::Owned<interface::CostSessionCode>(
        new CostSessionOfIsa(std::move(base), std::move(session))));
  }

 private:
  std::shared_ptr<const Model> model_;
  SafeTensorsMetadata metadata_;
};

[[nodiscard]] inline CostModel make_cost_model(Model&& model, SafeTensorsMetadata metadata) {
  return CostModel(
      interface::Owned<interface::CostModelCode>(new CostModelOfIsa(std::move(model), std::move(metadata))));
}
[[nodiscard]] inline Result<CostModel> load_cost_model(Span<const std::byte> bytes, NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const SafeTensors file, SafeTensors::parse(bytes));
  MLGRAPH_ASSIGN_OR_RETURN(Model model, model_from_tensors(file, nets));
  return make_cost_model(std::move(model), file.metadata());
}

}  // namespace detail

/// A model from the bytes of a model file, which may lie in `.rodata`, in a mapping or on the heap, aligned or
/// not. Nothing of them is borrowed. The networks that it may be of, and lists of them, are named, and no
/// others become part of the program:
///
///   load_cost_model<TileSage>(bytes)      load_cost_model<BuiltinNets, MyNet>(bytes)
///
/// Errors: those of model_from_bytes(): every tensor is checked before the model exists.
/// Cost:   reads the bytes twice and copies the weights.
template <class... NetsOrLists>
[[nodiscard]] Result<CostModel> load_cost_model(Span<const std::byte> bytes) {
  static_assert(sizeof...(NetsOrLists) > 0,
                "say which networks the file may hold: load_cost_model<TileSage>(bytes), or "
                "load_cost_model<BuiltinNets>(bytes) with mlgraph/arch/builtin.hpp");
  return detail::load_cost_model(bytes, predicting_nets<NetsOrLists...>());
}

/// A model that is there already, of any network. Its metadata() are its options, and `extra` beside them, as
/// if it came from a file.
[[nodiscard]] inline CostModel cost_model_of(Model model, const SafeTensorsMetadata& extra = {}) {
  const std::map<std::string, std::string> options = to_metadata(model.options());
  SafeTensorsMetadata metadata(options.begin(), options.end());
  metadata.insert(metadata.end(), extra.begin(), extra.end());
  return detail::make_cost_model(std::move(model), std::move(metadata));
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_COST_MODEL_HPP
