// SPDX-License-Identifier: Apache-2.0
// The two models together: trained on a log of measurements, saved to a folder, read from it.
#ifndef MLGRAPH_EXAMPLES_MINICOMPILER_MODELS_HPP
#define MLGRAPH_EXAMPLES_MINICOMPILER_MODELS_HPP

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "../fusion/progress.hpp"
#include "learn.hpp"
#include "log.hpp"
#include "mlgraph/io/file.hpp"
#include "split.hpp"

namespace minicompiler {

/// Ready to rank.
struct Rankers {
  Ranker layout, tile;
};

struct Models {
  TrainedModel layout, tile;
};

namespace detail {

[[nodiscard]] inline mg::Result<TrainedModel> train_one(const std::vector<Record>& records, mg::io::Task task,
                                                        TrainSettings settings) {
  const Split split = split_records(records, task);
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::io::Program> train, to_problems(split.train));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<mg::io::Program> valid, to_problems(split.valid));
  Progress progress(task == mg::io::Task::kTile ? "training, tiles" : "training, layouts");
  EpochPoint last;
  settings.on_epoch = [&, on_epoch = settings.on_epoch, epochs = settings.epochs](const EpochPoint& point) {
    if (point.valid.kendall_tau != 0) last = point;
    progress.show(static_cast<double>(point.epoch) / epochs,
                  mg::str_cat("epoch ", point.epoch, ", tau ", std::round(1e3 * last.valid.kendall_tau) / 1e3));
    return !on_epoch || on_epoch(point);
  };
  mg::Result<TrainedModel> trained = train_model(train, valid, settings);
  progress.finish(mg::str_cat(train.size(), " programs to train on, ", valid.size(), " to validate, ",
                              trained.ok() ? "done" : "failed"));
  return trained;
}

}  // namespace detail

/// Trains both models on the training part of the records. `settings.epochs` is for each.
/// Errors: too few records.
[[nodiscard]] inline mg::Result<Models> train_models(const std::vector<Record>& records,
                                                     const TrainSettings& settings) {
  Models models;
  MLGRAPH_ASSIGN_OR_RETURN(models.layout, detail::train_one(records, mg::io::Task::kLayout, settings));
  MLGRAPH_ASSIGN_OR_RETURN(models.tile, detail::train_one(records, mg::io::Task::kTile, settings));
  return models;
}

[[nodiscard]] inline mg::Result<Rankers> load_rankers(mg::Span<const std::byte> layout,
                                                      mg::Span<const std::byte> tile) {
  MLGRAPH_ASSIGN_OR_RETURN(Ranker layout_ranker, Ranker::load(layout));
  MLGRAPH_ASSIGN_OR_RETURN(Ranker tile_ranker, Ranker::load(tile));
  return Rankers{std::move(layout_ranker), std::move(tile_ranker)};
}

/// Writes layout.safetensors and tile.safetensors. Errors: the system's, with the path.
[[nodiscard]] inline mg::Status save_models(const Models& models, const std::string& folder) {
  MLGRAPH_RETURN_IF_ERROR(mg::io::write_file(folder + "/layout.safetensors", models.layout.bytes));
  return mg::io::write_file(folder + "/tile.safetensors", models.tile.bytes);
}

/// Reads what save_models() wrote. Errors: no such files, or no models in them.
[[nodiscard]] inline mg::Result<Rankers> load_rankers(const std::string& folder) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> layout,
                           mg::io::read_file(folder + "/layout.safetensors"));
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> tile, mg::io::read_file(folder + "/tile.safetensors"));
  return load_rankers(layout, tile);
}

}  // namespace minicompiler

#endif  // MLGRAPH_EXAMPLES_MINICOMPILER_MODELS_HPP
