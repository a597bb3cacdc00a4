// SPDX-License-Identifier: Apache-2.0
// A program to be tuned: one graph, its candidate configurations, and what was measured of them. Borrowed
// arrays.
#ifndef MLGRAPH_GRAPH_PROGRAM_HPP
#define MLGRAPH_GRAPH_PROGRAM_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdint>
#include <string_view>

#include "mlgraph/core/span.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {

/// The most configurations of one program: their numbers are int32.
inline constexpr std::int64_t kMaxConfigs = INT32_MAX;

/// C configurations of one graph, borrowed: as int8 or as float.
///
/// A configuration has a row of F features for each decision: one for each of the K configurable nodes (the
/// layouts of their tensors), and behind them one for the graph where there is a decision on it (the tile sizes
/// of a kernel).
///
/// Copying widens, which is arithmetic: always inlined, so that code of two instruction sets never shares it.
struct ConfigView {
  Span<const std::int8_t> narrow;    // (C, rows_per_config * F), or empty
  Span<const float> wide;            // (C, rows_per_config * F), or empty
  std::int64_t num_configs = 0;      // C
  std::int64_t rows_per_config = 1;  // K, 1 or K + 1
  std::int64_t num_features = 0;     // F: 18 for the layouts and 24 for the tiles of TpuGraphs

  [[nodiscard]] std::int64_t config_size() const { return rows_per_config * num_features; }
  /// Copies configuration c, widened to float, to `out` (config_size()).
  MLGRAPH_ALWAYS_INLINE void copy_config(std::int64_t c, float* out) const {
    MLGRAPH_ASSERT(c >= 0 && c < num_configs, "there is no such configuration");
    copy(c * config_size(), config_size(), out);
  }
  /// Copies row k of configuration c, widened to float, to `out` (num_features).
  MLGRAPH_ALWAYS_INLINE void copy_row(std::int64_t c, std::int64_t k, float* out) const {
    MLGRAPH_ASSERT(c >= 0 && c < num_configs && k >= 0 && k < rows_per_config, "there is no such row");
    copy((c * rows_per_config + k) * num_features, num_features, out);
  }
  /// Copies entries [begin, begin + count) of all configurations.
  MLGRAPH_ALWAYS_INLINE void copy(std::int64_t begin, std::int64_t count, float* out) const {
    if (!wide.empty()) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = wide.data()[begin + i];
    } else {
      for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(narrow.data()[begin + i]);
    }
  }
};

/// One measured program, borrowed and validated.
struct ProgramView {
  std::string_view name;                 // the stem of its file
  GraphView graph;                       // x as in the file, unnormalised
  Span<const std::int32_t> node_splits;  // starts of the HLO computations, first 0, last N; empty when unknown
  ConfigView configs;
  Span<const std::int64_t> runtime;             // (C) ns
  Span<const std::int64_t> runtime_normalizer;  // (C) ns of the default config in the same run; may be empty

  /// What is ranked: ns, or a multiple of the default configuration's time where that is known.
  [[nodiscard]] double label(std::int64_t c) const {
    const auto i = as_size(c);
    const auto ns = static_cast<double>(runtime[i]);
    return runtime_normalizer.empty() ? ns : ns / static_cast<double>(runtime_normalizer[i]);
  }
};

}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_GRAPH_PROGRAM_HPP
