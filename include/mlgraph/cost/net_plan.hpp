// SPDX-License-Identifier: Apache-2.0
// NetPlan: what the engine has to know of a network before it runs it: stages, where configurations join,
// pools.
#ifndef MLGRAPH_COST_NET_PLAN_HPP
#define MLGRAPH_COST_NET_PLAN_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/kernels/reduce.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA

/// The constant weights of a stage's edges, and of each row itself beside them.
enum class EdgeWeights : std::uint8_t {
  kNone,
  kGcn,      ///< D^-1/2 (A + I) D^-1/2 along the stage's direction: see gcn_norm()
  kRowNorm,  ///< D^-1 (A + I) along the edges, its transpose against them, the sum of both with kBoth
};

/// One step from rows to rows.
struct Stage {
  bool reads_edges = true;  ///< without, a row is made of itself alone
  Direction direction = Direction::kForward;
  EdgeWeights weights = EdgeWeights::kNone;
  bool has_messages = false;  ///< neighbours read what message() makes of a row, not the row
  bool mixes_nodes = false;   ///< a row depends on all nodes of its configuration (instance norm)
  /// Training draws random numbers in it (dropout), or takes statistics of its rows (batch norm). From the
  /// first such stage on, training makes a row for every node of every configuration, with the same bits: masks
  /// are drawn by (configuration, node, channel), and statistics count a row as often as it stands, in its
  /// order, which weights of distinct rows would not.
  bool draws = false;
};

/// Which rows a configuration enters at.
enum class Join : std::uint8_t {
  kNone,              ///< at none: the graph is computed once for all configurations
  kGraph,             ///< the configuration of the graph at every row
  kConfigurable,      ///< the configuration of each configurable node at its row; all rows go on
  kConfigurableOnly,  ///< the same, and only the rows of configurable nodes go on
};

/// What is summed over the nodes of a configuration; the read-out sees the pools beside each other.
struct Pool {
  enum class Rows : std::uint8_t { kAll, kConfigurable };
  Rows rows = Rows::kAll;
  kernels::Reduce reduce = kernels::Reduce::kSum;
  bool l2 = false;  ///< then divided by its norm
};

/// What a network is made of. Data: it is asked for once, and decides which rows the engine computes.
struct NetPlan {
  std::vector<Stage> stages;
  Join join = Join::kNone;
  std::int64_t join_stage = 0;      ///< stages before it see no configuration
  bool joins_every_stage = false;   ///< message(), or without messages layer(), reads the configuration again
  bool config_in_readout = false;   ///< readout() reads the configuration of the graph
  std::int64_t first_rows_of = -1;  ///< layer() reads what each row was before this stage (x_0); -1: none does
  std::int64_t config_chunk = 0;    ///< so many configurations are compared with each other; 0: none are
  bool node_out_draws = false;      ///< Stage::draws of node_out()
  std::int64_t channels = 0;        ///< columns of the rows that are pooled
  std::vector<Pool> pools = {Pool{}};
  std::int64_t num_outputs = 1;  ///< columns of a score

  [[nodiscard]] std::int64_t num_stages() const { return signed_size(stages); }
  [[nodiscard]] bool takes_nodes() const {
    return join == Join::kConfigurable || join == Join::kConfigurableOnly;
  }
  [[nodiscard]] bool takes_graph() const { return join == Join::kGraph || config_in_readout; }
  [[nodiscard]] bool compares_configs() const { return config_chunk > 0; }
  /// Whether a stage from the join on makes rows of all nodes of a configuration.
  [[nodiscard]] bool mixes_nodes() const {
    for (const Stage& stage : stages) {
      if (stage.mixes_nodes) return true;
    }
    return false;
  }
  [[nodiscard]] bool has_max_pool() const {
    for (const Pool& pool : pools) {
      if (pool.reduce == kernels::Reduce::kMax) return true;
    }
    return false;
  }
  /// Whether training draws random numbers before the rows are pooled.
  [[nodiscard]] bool draws() const { return node_out_draws || first_drawing() < num_stages(); }
  /// The first stage that does; num_stages() where none does, or node_out() alone.
  [[nodiscard]] std::int64_t first_drawing() const {
    std::int64_t k = 0;
    while (k < num_stages() && !stages[as_size(k)].draws) ++k;
    return k;
  }
  /// Whether a row is decided by the row it was and the rows it reads, so that equal ones are made once.
  [[nodiscard]] bool merges_rows() const { return !mixes_nodes() && !compares_configs(); }
  /// Rows that the configurations of one program have in the pools: one for all where none joins before them.
  [[nodiscard]] std::int64_t num_copies(std::int64_t num_configs) const {
    return join == Join::kNone ? 1 : num_configs;
  }
};

/// Errors: a plan that contradicts itself or the options, beginning with the network's name.
[[nodiscard]] inline Status check_plan(std::string_view name, const NetPlan& plan,
                                       const InputOptions& options) {
  const auto wrong = [&](const auto&... parts) {
    return Status::invalid_argument(str_cat("model: ", name, ": ", parts...));
  };
  if (plan.join_stage < 0 || plan.join_stage > plan.num_stages())
    return wrong("configurations join before stage ", plan.join_stage, "; there are ", plan.num_stages(),
                 " stages");
  if (plan.first_rows_of >= plan.num_stages())
    return wrong("rows before stage ", plan.first_rows_of, " are asked for; there are ", plan.num_stages());
  if (plan.first_rows_of >= 0 && plan.first_rows_of < plan.join_stage)
    return wrong("rows before stage ", plan.first_rows_of, " are asked for, and configurations join later");
  if (plan.pools.empty() || plan.num_outputs < 1 || plan.channels < 1)
    return wrong("its plan has ", plan.channels, " channels, ", plan.pools.size(), " pools and ",
                 plan.num_outputs, " outputs; should have some of each");
  for (const Pool& pool : plan.pools) {
    if (pool.rows == Pool::Rows::kConfigurable && plan.join != Join::kConfigurable)
      return wrong("pools configurable nodes, which are not among its rows or are all of them");
  }
  for (std::int64_t k = plan.join_stage; plan.join == Join::kConfigurableOnly && k < plan.num_stages(); ++k) {
    if (plan.stages[as_size(k)].reads_edges)
      return wrong("stage ", k, " reads edges after all rows but those of configurable nodes are gone");
  }
  if (options.config_encoding == ConfigEncoding::kEmbedding && plan.takes_graph())
    return wrong("config_encoding is embedding, which is of configurable nodes; its configs join at the graph");
  if (plan.has_max_pool() && options.segments.max_size != 0)
    return wrong("segment_size is ", options.segments.max_size,
                 "; it needs the largest of all nodes, so its graphs are whole");
  if (options.prune.kind == Prune::kNone) return {};
  const std::string what = str_cat("prune is ", prune_name(options.prune));
  if (!plan.takes_nodes()) return wrong(what, ", around configurable nodes; its programs have none");
  if (options.segments.max_size != 0 && options.segments.partitioner == Partitioner::kComputations)
    return wrong(what, "; segments by computations are of whole programs: choose another partition");
  return {};
}

MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_COST_NET_PLAN_HPP
