// SPDX-License-Identifier: Apache-2.0
// Model files: what they say beyond the model, how the programs it was trained on were made of HLO; and several
// models that are asked together.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP

#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/ensemble.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/format/json_text.hpp"
#include "mlgraph/io/hlo_opcode.hpp"
#include "mlgraph/io/program_data.hpp"
#include "mlgraph/io/program_set.hpp"
#include "mlgraph/io/weights_file.hpp"
#include "report.hpp"

#ifdef MLGRAPH_CLI_HAS_METIS
#include "mlgraph/io/metis_partition.hpp"
#endif

namespace cli {

/// What a model ranks, in TpuGraphs' words: something of each configurable node, or of the whole graph alone.
[[nodiscard]] inline mlgraph::io::ConfigKind config_kind_of(const mlgraph::NetPlan& plan) {
  return plan.takes_nodes() ? mlgraph::io::ConfigKind::kLayout : mlgraph::io::ConfigKind::kTile;
}

/// A trained model and how to read programs for it.
struct TrainedModel {
  mlgraph::Model model;
  mlgraph::io::HloFeatureOptions features;  // of protobufs and HLO; what an npz holds is taken as it is

  [[nodiscard]] mlgraph::io::ConfigKind config_kind() const { return config_kind_of(model.plan()); }
};

/// Lets the model cut programs by METIS where it asks for that. Errors: this program was built without METIS.
[[nodiscard]] inline mlgraph::Status give_metis(mlgraph::Model& model) {
  if (model.inputs().segments.partitioner != mlgraph::Partitioner::kMetis) return {};
#ifdef MLGRAPH_CLI_HAS_METIS
  model.set_metis(&mlgraph::io::metis_partition);
  return {};
#else
  return mlgraph::Status::unavailable("segments are cut by METIS, and this mlgraph was built without it");
#endif
}

/// Metadata of a model file that says how HLO was featurized.
[[nodiscard]] inline std::map<std::string, std::string> features_metadata(
    const mlgraph::io::HloFeatureOptions& features) {
  return {{"hlo_padding", features.padding == 0 ? "0" : "-1"}, {"hlo_extra", features.extra ? "yes" : "no"}};
}

/// `nets`: the networks that it may be of.
[[nodiscard]] inline mlgraph::Result<TrainedModel> load_trained(const std::string& path,
                                                                mlgraph::NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const mlgraph::io::WeightsFile file, mlgraph::io::WeightsFile::read(path));
  mlgraph::Result<mlgraph::Model> model = mlgraph::model_from_tensors(file.tensors(), nets);
  if (!model.ok()) {
    return mlgraph::Status(model.status().code(), mlgraph::str_cat(path, ": ", model.status().message()));
  }
  MLGRAPH_RETURN_IF_ERROR(give_metis(*model));
  TrainedModel trained{std::move(*model), {}};
  for (const auto& [key, value] : file.tensors().metadata()) {
    if (key == "hlo_padding") trained.features.padding = value == "-1" ? -1.0f : 0.0f;
    if (key == "hlo_extra") trained.features.extra = value == "yes";
    if (key == "opcode_table" && value != mlgraph::io::kHloOpcodeTable) {
      return mlgraph::Status::invalid_argument(
          mlgraph::str_cat(path, ": its opcodes are those of the table ", mlgraph::in_quotes(value),
                           "; this program has ", mlgraph::in_quotes(mlgraph::io::kHloOpcodeTable)));
    }
  }
  return trained;
}

/// One model or several, whose scores are averaged.
class Ensemble {
 public:
  /// With `num_permutations` > 0, a model that compares configs is asked in so many random orders of them.
  /// Errors: those of the files; models for configs of different kinds, or trained on HLO that was read differently.
  [[nodiscard]] static mlgraph::Result<Ensemble> load(const std::vector<std::string>& paths,
                                                      std::int64_t num_permutations, mlgraph::NetTypes nets) {
    Ensemble ensemble;
    ensemble.num_permutations_ = num_permutations;
    for (const std::string& path : paths) {
      MLGRAPH_ASSIGN_OR_RETURN(TrainedModel model, load_trained(path, nets));
      ensemble.models_.push_back(std::move(model));
      const TrainedModel& first = ensemble.models_.front();
      const TrainedModel& last = ensemble.models_.back();
      if (last.config_kind() != first.config_kind()) {
        return mlgraph::Status::invalid_argument(
            mlgraph::str_cat(path, ": is for ", mlgraph::enum_name(last.config_kind()), " programs, ", paths[0],
                             " for ", mlgraph::enum_name(first.config_kind()), " programs"));
      }
      if (features_metadata(last.features) != features_metadata(first.features)) {
        return mlgraph::Status::invalid_argument(mlgraph::str_cat(
            path, ": was trained with other features of HLO (--pad, --extra) than ", paths[0]));
      }
    }
    return ensemble;
  }

  [[nodiscard]] const TrainedModel& first() const { return models_.front(); }

  /// The scores of some configs of a program.  Errors: those of Model::prepare and predict.
  [[nodiscard]] mlgraph::Result<std::vector<float>> score(const mlgraph::ProgramView& view,
                                                          mlgraph::Span<const std::int32_t> configs,
                                                          mlgraph::ThreadPool* pool) const {
    std::vector<std::vector<float>> scores;
    for (const TrainedModel& trained : models_) {
      MLGRAPH_ASSIGN_OR_RETURN(const mlgraph::PreparedProgram program, trained.model.prepare(view));
      MLGRAPH_ASSIGN_OR_RETURN(std::vector<float> of_model,
                               mlgraph::predict_permuted(trained.model, program, configs, num_permutations_,
                                                         /*seed=*/1, pool));
      scores.push_back(std::move(of_model));
    }
    return mlgraph::mean_scores(scores);
  }

 private:
  std::vector<TrainedModel> models_;
  std::int64_t num_permutations_ = 0;
};

/// All configs of a program, to ask an Ensemble for.
[[nodiscard]] inline std::vector<std::int32_t> all_configs(const mlgraph::ProgramView& view) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(view.configs.num_configs));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// `--json`'s name of the models: the path, or a list of several.
[[nodiscard]] inline Json model_json(const std::vector<std::string>& paths) {
  return paths.size() == 1 ? Json(paths[0]) : Json(paths);
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP
