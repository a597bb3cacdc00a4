// SPDX-License-Identifier: Apache-2.0
// CallRows: which rows of a segment one call makes, and keeps for no other.
#ifndef MLGRAPH_COST_CALL_ROWS_HPP
#define MLGRAPH_COST_CALL_ROWS_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>

#include "mlgraph/autograd/var.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/cost/config_table.hpp"
#include "mlgraph/cost/feature_encoder.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/cost/run_planned.hpp"
#include "mlgraph/cost/segment_input.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/program.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// Which rows are made of a graph under several configurations. Results have the same bits.
enum class RowsMade : std::uint8_t {
  kDistinct,  ///< equal rows once
  kReached,   ///< once for all configurations what none of them reaches, and the others for each of them
  kEvery,     ///< all nodes for each configuration: the specification, for tests and benchmarks
};

/// The rows of one segment and one call. What a Tape records of them is read until its backward() is over, so
/// each segment on a tape has one of its own; it is memory for the next call.
class CallRows {
 public:
  explicit CallRows(RowsMade made = RowsMade::kDistinct) : made_(made) {}

  /// The pools of a segment under the configurations `ids`: run_pools() of every row.
  /// Shapes: ids (C) -> (copies, PoolSums::channels()).
  template <class C>
  Var pools(const NetOn<C>& net, C& ctx, const NetPlan& plan, const FeatureEncoder& encoder,
            const Segment& segment, const ConfigView& configs, Span<const std::int32_t> ids) {
    Arena& arena = ctx.arena();
    if (made_ == RowsMade::kEvery || !plan.merges_rows()) {
      const NetInput<float> in = net_input(arena, plan, encoder, segment, configs, ids);
      return run_pools(ctx, plan, run_configs(net, ctx, plan, run_prefix(net, ctx, plan, in), in), in);
    }
    begin(segment);
    PlannedConfigs<float> given;
    given.num_configs = signed_size(ids);
    if (plan.join == Join::kGraph) given.graph_config = encode_graph_config(arena, plan, encoder, configs, ids);
    if (plan.takes_nodes()) {
      configs_.reset(configs.num_features);
      const std::size_t num_rows = rows_.graph().config_node.size();
      auto* const config = arena.allocate<std::int32_t>(ids.size() * num_rows);
      std::int32_t* to = config;
      for (const std::int32_t id : ids) {
        for (std::size_t q = 0; q < num_rows; ++q) *to++ = configs_.find(configs, id, segment.config_row[q]);
      }
      given.ids = {config, ids.size() * num_rows};
      given.num_ids = configs_.size();
    }
    const auto encode = [&](C& context, Span<const std::int32_t> wanted) {
      return configs_.encode(context.arena(), encoder, wanted);
    };
    return run_planned(net, ctx, plan, rows_, nullptr, net_input(segment), given, encode);
  }

 private:
  /// The plan of the segment as it is without configurations.
  void begin(const Segment& segment) {
    if (rows_.is_of(segment.rows)) return rows_.truncate();
    rows_ = made_ == RowsMade::kDistinct ? segment.rows : segment.rows.unmerged();
  }

  RowsMade made_;
  FlowPlan rows_;
  ConfigTable configs_;
};

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_CALL_ROWS_HPP
