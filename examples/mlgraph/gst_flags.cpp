// SPDX-License-Identifier: Apache-2.0
#include "gst_flags.hpp"

#include <algorithm>
#include <cstdio>

#include "mlgraph/core/format.hpp"
#include "mlgraph/train/memory_plan.hpp"

namespace cli {

namespace mg = mlgraph;

void add_gst_options(CLI::App& command, GstFlags& flags) {
  command
      .add_option("--segment-size", flags.segment_size,
                  "Cut graphs into segments of at most so many nodes; 0 = never. Part of the model")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--partition", flags.partition,
                  "Where graphs are cut; locality and metis: where few edges are")
      ->check(CLI::IsMember({"topological", "computations", "locality", "metis"}))
      ->capture_default_str();
  command.add_flag("--halo", flags.halo, "Segments also read their neighbours in other segments");
  command
      .add_option("--segment-readout", flags.readout, "What segments are added up in; scalar: a score of each")
      ->check(CLI::IsMember({"embedding", "scalar"}))
      ->capture_default_str();
  command
      .add_option("--gst", flags.variant,
                  "Graph segment training: what stands in for the segments that a step does not sample.\n"
                  "full: all are sampled; one: nothing; plain: their embeddings, computed without gradient;\n"
                  "e: their last ones, from a table; d: with stale embedding dropout; f: the head is finetuned")
      ->check(CLI::IsMember({"full", "one", "plain", "e", "ef", "ed", "efd"}))
      ->capture_default_str();
  command.add_option("--segments-per-step", flags.segments_per_step, "Sampled of each graph")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--sed-keep", flags.sed_keep, "Of ed and efd: how likely a stale embedding is kept")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--table-dtype", flags.table_dtype, "Of the table of embeddings")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command.add_option("--table-memory", flags.table_memory, "Its budget, such as 512MB")
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--finetune-epochs", flags.finetune_epochs, "Of ef and efd. Default: a fifth of the epochs")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--max-memory", flags.max_memory,
                  "Pick segment size and configs per graph so that the process stays below, such as 2GB")
      ->transform(CLI::AsSizeValue(false));
}

void check_usage(const GstFlags& flags) {
  if (flags.variant != "full" && flags.segment_size == 0 && flags.max_memory == 0)
    throw CLI::ValidationError("--gst", mg::str_cat(flags.variant, " needs --segment-size or --max-memory"));
}

mg::Status apply(const GstFlags& flags, TrainSettings& settings) {
  mg::SegmentOptions& segments = settings.model.segments;
  segments.max_size = flags.segment_size;
  segments.partitioner = flags.partition == "computations" ? mg::Partitioner::kComputations
                         : flags.partition == "locality"   ? mg::Partitioner::kLocality
                         : flags.partition == "metis"      ? mg::Partitioner::kMetis
                                                           : mg::Partitioner::kTopological;
  segments.halo = flags.halo;
  segments.readout = flags.readout == "scalar" ? mg::SegmentReadout::kScalar : mg::SegmentReadout::kEmbedding;
  MLGRAPH_RETURN_IF_ERROR(mg::validate(settings.model));
  mg::GstOptions& gst = settings.trainer.gst;
  MLGRAPH_ASSIGN_OR_RETURN(gst.variant, mg::parse_gst_variant(flags.variant));
  gst.segments_per_step = flags.segments_per_step;
  gst.sed_keep = flags.sed_keep;
  gst.table_dtype = flags.table_dtype == "bf16" ? mg::TableDtype::kBf16 : mg::TableDtype::kF32;
  gst.table_bytes = static_cast<std::size_t>(flags.table_memory);
  gst.finetune_epochs = flags.finetune_epochs;
  return mg::validate(gst);
}

mg::Status limit_memory(const GstFlags& flags, const TrainData& data, TrainSettings& settings) {
  if (flags.max_memory == 0) return {};
  // What is there already stays, and an eighth is left for what nobody counts.
  MLGRAPH_ASSIGN_OR_RETURN(const std::uint64_t rest, memory_left(flags.max_memory));
  const auto left = static_cast<std::size_t>(rest - std::min(rest, flags.max_memory / 8));
  // The table takes at most half of it, whatever its own budget is.
  settings.trainer.gst.table_bytes = std::min(settings.trainer.gst.table_bytes, left / 2);
  MLGRAPH_ASSIGN_OR_RETURN(
      const mg::FeatureEncoder encoder,
      mg::FeatureEncoder::fit(mg::Span<const mg::ProgramView>(data.train), settings.model));
  mg::ModelOptions model = settings.model;
  model.num_opcodes = num_opcodes_of(data, model.num_opcodes);
  MLGRAPH_ASSIGN_OR_RETURN(const mg::MemoryPlan plan,
                           mg::plan_memory(data.train, model, encoder, settings.trainer, left));
  settings.model.segments.max_size = plan.segment_size;
  settings.trainer.configs_per_graph = plan.configs_per_graph;
  std::printf("for %zu MiB: segments of at most %lld nodes, %lld configs of each graph\n",
              static_cast<std::size_t>(flags.max_memory >> 20), static_cast<long long>(plan.segment_size),
              static_cast<long long>(plan.configs_per_graph));
  return {};
}

}  // namespace cli
