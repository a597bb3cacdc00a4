// SPDX-License-Identifier: Apache-2.0
// Rows of configurations as networks take them.
#ifndef MLGRAPH_COST_CONFIG_ROWS_HPP
#define MLGRAPH_COST_CONFIG_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Encoded `rows` of the configurations `ids`, in the memory of an arena: (ids rows, G).
[[nodiscard]] inline ConfigRows<float> encode_config_rows(Arena& arena, const FeatureEncoder& encoder,
                                                          const ConfigView& configs,
                                                          Span<const std::int32_t> ids,
                                                          Span<const std::int32_t> rows) {
  const std::int64_t width = encoder.num_config_outputs();
  ConfigRows<float> out;
  out.num_rows = static_cast<std::int64_t>(ids.size() * rows.size());
  const auto size = as_size(out.num_rows * width);
  auto* const row = arena.allocate<float>(encoder.num_config_inputs);
  if (encoder.config_encoding == ConfigEncoding::kEmbedding) {
    auto* const classes = arena.allocate<std::int32_t>(size);
    encoder.encode_config_classes(configs, ids, rows, row, classes);
    out.classes = {classes, size};
  } else {
    auto* const x = arena.allocate<float>(size);
    encoder.encode_configs(configs, ids, rows, row, x);
    out.x = {x, out.num_rows, width};
  }
  return out;
}
/// Those of the graph, which come after the rows of its configurable nodes.  (C, G)
[[nodiscard]] inline ConfigRows<float> encode_graph_config(Arena& arena, const NetPlan& plan,
                                                           const FeatureEncoder& encoder,
                                                           const ConfigView& configs,
                                                           Span<const std::int32_t> ids) {
  if (!plan.takes_graph()) return {};
  auto* const row = arena.allocate<std::int32_t>(1);
  row[0] = static_cast<std::int32_t>(configs.rows_per_config - 1);
  return encode_config_rows(arena, encoder, configs, ids, {row, 1});
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_CONFIG_ROWS_HPP
