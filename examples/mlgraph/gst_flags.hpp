// SPDX-License-Identifier: Apache-2.0
// Flags of `mlgraph train` for graphs larger than memory allows: segments, graph segment training, a memory
// limit.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_GST_FLAGS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_GST_FLAGS_HPP

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

#include "training.hpp"

namespace cli {

struct GstFlags {
  std::string variant = "full", partition = "topological", readout = "embedding", table_dtype = "f32";
  std::int64_t segment_size = 0, segments_per_step = 1;
  double sed_keep = 0.5;
  std::uint64_t table_memory = std::uint64_t{1} << 30;
  int finetune_epochs = -1;
  bool halo = false;
  std::uint64_t max_memory = 0;  // bytes of the whole process; 0 = any
};

void add_gst_options(CLI::App& command, GstFlags& flags);

/// Options that contradict each other.
void check_usage(const GstFlags& flags);

/// Brings the flags into the settings.
[[nodiscard]] mlgraph::Status apply(const GstFlags& flags, TrainSettings& settings);

/// Where --max-memory is given: segment size and configs per step with which the training of `data` stays below
/// it.
[[nodiscard]] mlgraph::Status limit_memory(const GstFlags& flags, const TrainData& data,
                                           TrainSettings& settings);

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_GST_FLAGS_HPP
