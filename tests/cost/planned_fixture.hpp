// SPDX-License-Identifier: Apache-2.0
// Segments and configurations in which rows repeat, and what a network pools of them: every row computed, and
// every distinct row once.
#ifndef MLGRAPH_TESTS_COST_PLANNED_FIXTURE_HPP
#define MLGRAPH_TESTS_COST_PLANNED_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cost/net_fixture.hpp"
#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/cost/config_table.hpp"
#include "mlgraph/cost/flow_of_net.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_planned.hpp"
#include "mlgraph/cost/segments.hpp"

namespace mlgraph::testing {

/// What a RepeatedProgram has.
struct RepeatedSize {
  std::int32_t num_nodes = 12, num_halo = 0, num_config_nodes = 4, num_halo_config = 0;
  std::uint64_t node_kinds = 2, config_kinds = 3;
  std::int64_t num_configs = 6;
};

/// A segment whose nodes are of few kinds, in a random graph, and configurations of whole numbers, of few kinds
/// at each node, and of the graph.
struct RepeatedProgram {
  Segment segment;
  std::int64_t num_configs = 0, num_config_nodes = 0;
  std::vector<float> node_config;   // (C, K, G)
  std::vector<float> graph_config;  // (C, G)

  RepeatedProgram(Rng& rng, const RepeatedSize& size) {
    std::vector<float> x;
    std::vector<std::int32_t> opcode, source, target, config_node;
    const auto below = [&](std::uint64_t n) { return static_cast<std::int32_t>(rng.below(n)); };
    const Rng kinds(rng.below(1000));
    for (std::int32_t v = 0; v < size.num_nodes; ++v) {
      Rng kind = kinds;
      for (std::int32_t skip = 10 * below(size.node_kinds); skip > 0; --skip) (void)kind.below(2);
      opcode.push_back(static_cast<std::int32_t>(kind.below(kOpcodes)));
      for (std::int64_t j = 0; j < kNodeFeatures; ++j) x.push_back(static_cast<float>(kind.uniform(-1, 1)));
      for (std::int64_t j = 0; j < 6; ++j)
        segment.node_layout.push_back(static_cast<std::int32_t>(kind.below(kLayoutClasses)));
      segment.node.push_back(v);
      for (std::int32_t edges = below(3); v > 0 && edges > 0; --edges) {
        source.push_back(below(static_cast<std::uint64_t>(v)));
        target.push_back(v);
      }
      if (below(20) == 0) {
        source.push_back(v);
        target.push_back(below(static_cast<std::uint64_t>(v) + 1));
      }
    }
    add_config_nodes(rng, size, config_node);
    const GraphView view = {{x.data(), size.num_nodes, kNodeFeatures}, opcode, source, target, config_node};
    EdgeOptions options;
    options.both = true;
    options.duplicates = EdgeOptions::Duplicates::kKeep;
    segment.graph = Graph::from_view(view, options).value();
    num_configs = size.num_configs;
    num_config_nodes = static_cast<std::int64_t>(config_node.size());
    for (std::int64_t i = 0; i < num_configs * num_config_nodes; ++i) {
      const std::int32_t kind = below(size.config_kinds);
      for (std::int64_t j = 0; j < kConfigFeatures; ++j)
        node_config.push_back(static_cast<float>((kind * 5 + j * 3) % 7 - 1));
    }
    for (std::int64_t i = 0; i < num_configs * kConfigFeatures; ++i)
      graph_config.push_back(static_cast<float>(below(7) - 1));
  }

 private:
  void add_config_nodes(Rng& rng, const RepeatedSize& size, std::vector<std::int32_t>& config_node) {
    const std::int32_t inner = size.num_nodes - size.num_halo;
    for (const bool is_halo : {false, true}) {
      std::vector<std::int32_t> nodes;
      for (std::int32_t v = is_halo ? inner : 0; v < (is_halo ? size.num_nodes : inner); ++v)
        nodes.push_back(v);
      rng.shuffle(Span<std::int32_t>(nodes));
      const auto count = static_cast<std::size_t>(is_halo ? size.num_halo_config : size.num_config_nodes);
      nodes.resize(std::min(nodes.size(), count));
      config_node.insert(config_node.end(), nodes.begin(), nodes.end());
      if (is_halo) segment.num_halo_config = static_cast<std::int64_t>(nodes.size());
    }
    segment.num_halo = size.num_halo;
  }
};

/// Rows of whole numbers as config() takes them, in the context's memory; their classes are one more.
template <class C>
ConfigRows<typename C::Scalar> config_rows_of(C& ctx, const float* value, std::int64_t num_rows) {
  using T = typename C::Scalar;
  const auto size = static_cast<std::size_t>(num_rows * kConfigFeatures);
  T* const x = ctx.arena().template allocate<T>(size);
  auto* const classes = ctx.arena().template allocate<std::int32_t>(size);
  for (std::size_t i = 0; i < size; ++i) {
    x[i] = static_cast<T>(value[i]);
    classes[i] = static_cast<std::int32_t>(value[i]) + 1;
  }
  return {{x, num_rows, kConfigFeatures}, {classes, size}, num_rows};
}

/// The input of a network: every row of configurations [begin, begin + count).
template <class C>
NetInput<typename C::Scalar> repeated_input(C& ctx, const NetPlan& plan, const RepeatedProgram& program,
                                            std::int64_t begin, std::int64_t count) {
  using T = typename C::Scalar;
  const MatrixView<const float> features = program.segment.graph.x();
  T* const x = ctx.arena().template allocate<T>(static_cast<std::size_t>(features.size()));
  for (std::int64_t i = 0; i < features.size(); ++i) x[i] = static_cast<T>(features.data[i]);
  NetInput<T> in;
  in.nodes = {{x, features.rows, features.cols}, program.segment.node_layout, program.segment.graph.opcode()};
  in.edges = program.segment.graph.edges();
  in.num_halo = program.segment.num_halo;
  in.num_configs = count;
  if (plan.takes_nodes()) {
    in.config_node = program.segment.graph.config_node();
    in.num_halo_config = program.segment.num_halo_config;
    // Where only configurable nodes go on, those of a halo do not.
    const std::int64_t rows =
        program.num_config_nodes - (plan.join == Join::kConfigurableOnly ? program.segment.num_halo_config : 0);
    auto* const values =
        ctx.arena().template allocate<float>(static_cast<std::size_t>(count * rows * kConfigFeatures));
    for (std::int64_t c = 0; c < count; ++c) {
      const float* const from =
          program.node_config.data() + (begin + c) * program.num_config_nodes * kConfigFeatures;
      std::copy_n(from, rows * kConfigFeatures, values + c * rows * kConfigFeatures);
    }
    in.config = config_rows_of(ctx, values, count * rows);
  }
  if (plan.takes_graph())
    in.graph_config = config_rows_of(ctx, program.graph_config.data() + begin * kConfigFeatures, count);
  return in;
}

/// The plan of a segment under a network, the ids of its configurations, and a store where rows are kept.
struct PlannedProgram {
  const RepeatedProgram& program;
  NetPlan plan;
  FlowPlan rows;
  ConfigTable configs{kConfigFeatures};
  std::unique_ptr<RowStore> store;

  PlannedProgram(const NetPlan& net_plan, const RepeatedProgram& repeated, bool has_store)
      : program(repeated), plan(net_plan), rows(make_flow_graph(plan, program.segment)) {
    if (has_store) store = std::make_unique<RowStore>(rows.num_all_levels());
  }
  PlannedProgram(const PlannedProgram&) = delete;
  PlannedProgram& operator=(const PlannedProgram&) = delete;

  /// What run_planned() gives of configurations [begin, begin + count).
  template <class C>
  Var pools(const NetOn<C>& net, C& ctx, std::int64_t begin, std::int64_t count) {
    const NetInput<typename C::Scalar> in = repeated_input(ctx, plan, program, begin, count);
    PlannedConfigs<typename C::Scalar> given;
    given.num_configs = count;
    given.graph_config = in.graph_config;
    const auto num_rows = static_cast<std::int64_t>(rows.graph().config_node.size());
    const auto size = static_cast<std::size_t>(count * num_rows);
    auto* const ids = ctx.arena().template allocate<std::int32_t>(size);
    const ConfigView view = {
        {}, program.node_config, program.num_configs, program.num_config_nodes, kConfigFeatures};
    for (std::size_t i = 0; i < size; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      ids[i] = configs.find(view, begin + at / num_rows, at % num_rows);
    }
    given.ids = {ids, size};
    given.num_ids = configs.size();
    const auto encode = [&](C& context, Span<const std::int32_t> wanted) {
      float* const values = context.arena().template allocate<float>(wanted.size() * kConfigFeatures);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        configs.view().copy_row(wanted[i], 0, values + static_cast<std::int64_t>(i) * kConfigFeatures);
      return config_rows_of(context, values, static_cast<std::int64_t>(wanted.size()));
    };
    return run_planned(net, ctx, plan, rows, store.get(), in, given, encode);
  }
};

/// A network on one kind of context, with weights, bound.
template <class N, class C>
struct BoundNet {
  ParamSpec spec;
  NetOnContext<N, C> net;
  Parameters<typename C::Scalar> parameters;
  C ctx;

  explicit BoundNet(const typename N::Options& options) : net(spec, options, kNetWidths), parameters(spec, 5) {
    if constexpr (C::kRecords) {
      ctx.bind(spec, parameters);
    } else {
      ctx.bind(spec, Span<const typename C::Scalar>(parameters.value));
    }
  }
  BoundNet(const BoundNet&) = delete;
  BoundNet& operator=(const BoundNet&) = delete;
  [[nodiscard]] const NetPlan& plan() const { return net.plan(); }

  [[nodiscard]] std::vector<typename C::Scalar> values(Var v) const {
    REQUIRE_MESSAGE(ctx.status().ok(), ctx.status().message());
    return {ctx.value(v).data, ctx.value(v).data + ctx.value(v).size()};
  }
  /// The rows that are pooled, every one: (copies, N).
  Var every_row(const RepeatedProgram& program, std::int64_t begin, std::int64_t count) {
    const auto in = repeated_input(ctx, plan(), program, begin, count);
    return run_configs<C>(net, ctx, plan(), run_prefix<C>(net, ctx, plan(), in), in);
  }
  Var pools_of_every_row(const RepeatedProgram& program, std::int64_t begin, std::int64_t count) {
    const auto in = repeated_input(ctx, plan(), program, begin, count);
    return run_pools(ctx, plan(), every_row(program, begin, count), in);
  }
};

/// The pools of every row by the tree of sums, written down: blocks of 16 in order, and so on.
template <class T>
std::vector<T> tree_pools(const NetPlan& plan, const RepeatedProgram& program, const std::vector<T>& rows,
                          std::int64_t copies) {
  const Segment& segment = program.segment;
  const bool only_config = plan.join == Join::kConfigurableOnly;
  const std::int64_t width = plan.channels;
  const std::int64_t num_inner_config = program.num_config_nodes - segment.num_halo_config;
  const std::int64_t num_rows = only_config ? num_inner_config : segment.graph.num_nodes();
  const std::int64_t num_inner = only_config ? num_rows : num_rows - segment.num_halo;
  const PoolSums sums(plan);
  std::vector<T> pools;
  for (std::int64_t c = 0; c < copies; ++c) {
    for (const PoolSums::Source& source : sums.sources()) {
      std::vector<std::int32_t> nodes = {segment.graph.config_node().begin(),
                                         segment.graph.config_node().end() - segment.num_halo_config};
      if (source.rows == Pool::Rows::kAll) {
        nodes.clear();
        for (std::int32_t v = 0; v < num_inner; ++v) nodes.push_back(v);
      }
      for (std::int64_t j = 0; j < width; ++j) {
        std::vector<T> parts;
        for (const std::int32_t v : nodes)
          parts.push_back(rows[static_cast<std::size_t>((c * num_rows + v) * width + j)]);
        do {
          std::vector<T> blocks;
          for (std::size_t i = 0; i == 0 || i < parts.size(); i += 16) {
            T sum = 0;
            for (std::size_t p = i; p < std::min(i + 16, parts.size()); ++p) sum += parts[p];
            blocks.push_back(sum);
          }
          parts = blocks;
        } while (parts.size() > 1);
        pools.push_back(parts[0]);
      }
    }
  }
  return pools;
}

/// Calls f(options) for every direction, as they are and with_encodings().
template <class N, class F>
void for_each_planned_options(F&& f) {
  for (const Direction direction : kAllDirections) {
    INFO(N::kName, ", direction ", static_cast<int>(direction));
    const auto options = net_options_of<N>(direction, 6);
    f(options);
    INFO("with encodings");
    f(with_encodings(options, plan_of<N>(options).takes_nodes()));
  }
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_PLANNED_FIXTURE_HPP
