// SPDX-License-Identifier: Apache-2.0
// TrainerOptions: everything that decides how a training goes, and its text form in a checkpoint.
#ifndef MLGRAPH_TRAIN_TRAINER_OPTIONS_HPP
#define MLGRAPH_TRAIN_TRAINER_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/model/gnn_cost_model.hpp"
#include "mlgraph/train/loss.hpp"
#include "mlgraph/train/sampler.hpp"
#include "mlgraph/train/segment_training.hpp"

namespace mlgraph {

/// The most slates of a training step, and the most configurations of a slate.
inline constexpr std::int64_t kMaxGraphsPerStep = 1'000'000;
inline constexpr std::int64_t kMaxConfigsPerGraph = 1'000'000;

/// What the best epoch is judged by, on the validation programs.
enum class Selection : std::uint8_t {
  kKendallTau,    ///< highest mean tau: layout
  kTop5Slowdown,  ///< lowest mean slowdown@5: tile
};

MLGRAPH_BEGIN_ISA

struct TrainerOptions {
  int epochs = 100;
  int patience = 0;                  ///< stop after as many epochs without a better one; 0 = never
  std::int64_t graphs_per_step = 8;  ///< gradients are averaged over as many slates; kMaxGraphsPerStep at most
  std::int64_t configs_per_graph = 16;    ///< of a slate; kMaxConfigsPerGraph at most
  std::int64_t max_slates_per_graph = 1;  ///< slates of each graph in an epoch; fewer where it has few configs
  ConfigSampling sampling = ConfigSampling::kUniform;
  double lr = 1e-3;
  double min_lr = 0;  ///< the cosine schedule ends here; lr itself for a constant rate
  double warmup_fraction = 0.05;
  double weight_decay = 0;  ///< decoupled (AdamW)
  double clip_norm = 1;     ///< global; 0 = no clipping
  double drop_edge = 0;     ///< how likely each edge is left out of a step; see drop_edges()
  std::uint64_t seed = 1;
  int validate_every = 1;  ///< epochs
  GstOptions gst;
  /// A step whose slates all have fewer rows than this gives each thread slates of its own; in any other the
  /// slates follow each other, all threads in each. Decides time and memory; the weights have the same bits.
  std::int64_t large_slate_rows = 8192;
};

namespace detail {

/// A number that changes with what a program contributes to a training: its size, selection and labels.
[[nodiscard]] inline std::uint64_t data_hash(Span<const PreparedProgram> programs, std::uint64_t hash) {
  for (const PreparedProgram& program : programs) {
    hash = mix64(hash ^ static_cast<std::uint64_t>(program.view.graph.num_nodes()));
    hash = mix64(hash ^ program.segments.size());
    for (const std::int32_t c : program.selection) {
      const auto i = static_cast<std::size_t>(c);
      hash = mix64(hash ^ static_cast<std::uint64_t>(c));
      hash = mix64(hash ^ static_cast<std::uint64_t>(program.view.runtime[i]));
    }
    for (const Segment& segment : program.segments) {
      const MatrixView<const float> x = segment.graph.x();
      for (std::int64_t i = 0; i < x.size(); ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, x.data + i, sizeof(bits));
        hash = hash * 0x100000001b3u ^ bits;
      }
    }
  }
  return mix64(hash);
}

}  // namespace detail

/// Name and value of everything that decides how a training goes on: options, model, data. Two trainings with
/// the same settings and seed have the same bits.
[[nodiscard]] inline std::map<std::string, std::string> train_settings(const GnnCostModel& model,
                                                                       const TrainerOptions& options,
                                                                       const LossOptions& loss,
                                                                       Span<const PreparedProgram> train,
                                                                       Span<const PreparedProgram> valid) {
  std::map<std::string, std::string> settings = to_metadata(model.options());
  settings["epochs"] = str_cat(options.epochs);
  settings["patience"] = str_cat(options.patience);
  settings["graphs_per_step"] = str_cat(options.graphs_per_step);
  settings["configs_per_graph"] = str_cat(options.configs_per_graph);
  settings["max_slates_per_graph"] = str_cat(options.max_slates_per_graph);
  settings["sampling"] = options.sampling == ConfigSampling::kSkewed ? "skewed" : "uniform";
  settings["lr"] = str_cat(options.lr);
  settings["min_lr"] = str_cat(options.min_lr);
  settings["warmup_fraction"] = str_cat(options.warmup_fraction);
  settings["weight_decay"] = str_cat(options.weight_decay);
  settings["clip_norm"] = str_cat(options.clip_norm);
  settings["drop_edge"] = str_cat(options.drop_edge);
  settings["seed"] = str_cat(options.seed);
  settings["validate_every"] = str_cat(options.validate_every);
  settings["gst"] = std::string(gst_variant_name(options.gst.variant));
  settings["segments_per_step"] = str_cat(options.gst.segments_per_step);
  settings["sed_keep"] = str_cat(options.gst.sed_keep);
  settings["table_dtype"] = std::string(table_dtype_name(options.gst.table_dtype));
  settings["table_bytes"] = str_cat(options.gst.table_bytes);
  settings["finetune_epochs"] = str_cat(options.gst.finetune_epochs);
  settings["loss"] = str_cat(static_cast<int>(loss.kind));
  settings["loss_margin"] = str_cat(loss.margin);
  settings["loss_temperature"] = str_cat(loss.temperature);
  settings["loss_order"] = str_cat(static_cast<int>(loss.order));
  settings["loss_mse_weight"] = str_cat(loss.mse_weight);
  settings["data"] = str_cat(detail::data_hash(valid, detail::data_hash(train, 1)));
  return settings;
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_TRAINER_OPTIONS_HPP
