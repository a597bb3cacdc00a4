// SPDX-License-Identifier: Apache-2.0
// What a model file says beyond the model: how the programs it was trained on were made of HLO.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP

#include <map>
#include <string>
#include <utility>

#include "mlgraph/core/status.hpp"
#include "mlgraph/io/model_file.hpp"
#include "mlgraph/io/program_set.hpp"

#ifdef MLGRAPH_CLI_HAS_METIS
#include "mlgraph/io/metis_partition.hpp"
#endif

namespace cli {

/// A trained model and how to read programs for it.
struct TrainedModel {
  mlgraph::GnnCostModel model;
  mlgraph::io::HloFeatureOptions features;  // of protobufs and HLO; what an npz holds is taken as it is
};

/// Lets the model cut programs by METIS where it asks for that. Errors: this program was built without METIS.
[[nodiscard]] inline mlgraph::Status give_metis(mlgraph::GnnCostModel& model) {
  if (model.options().segments.partitioner != mlgraph::Partitioner::kMetis) return {};
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

[[nodiscard]] inline mlgraph::Result<TrainedModel> load_trained(const std::string& path) {
  MLGRAPH_ASSIGN_OR_RETURN(const mlgraph::io::WeightsFile file, mlgraph::io::WeightsFile::read(path));
  mlgraph::Result<mlgraph::GnnCostModel> model = mlgraph::model_from_tensors(file.tensors());
  if (!model.ok()) {
    return mlgraph::Status(model.status().code(), mlgraph::str_cat(path, ": ", model.status().message()));
  }
  MLGRAPH_RETURN_IF_ERROR(give_metis(*model));
  TrainedModel trained{std::move(*model), {}};
  for (const auto& [key, value] : file.tensors().metadata()) {
    if (key == "hlo_padding") trained.features.padding = value == "-1" ? -1.0f : 0.0f;
    if (key == "hlo_extra") trained.features.extra = value == "yes";
  }
  return trained;
}

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_MODEL_FILES_HPP
