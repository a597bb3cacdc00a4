// SPDX-License-Identifier: Apache-2.0
// Random flow graphs and configurations, and two slow ways to say which rows are equal.
#ifndef MLGRAPH_TESTS_GRAPH_FLOW_FIXTURE_HPP
#define MLGRAPH_TESTS_GRAPH_FLOW_FIXTURE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "graph/graph_test_util.hpp"
#include "mlgraph/core/arena.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/flow_graph.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/plan_configs.hpp"

namespace mlgraph::testing::flow {

/// How many rows there are beside those that no configuration changes, without those of sums.
inline std::int64_t num_added(const FlowPlan& plan) {
  FlowPlan::Counts counts;
  plan.count(counts);
  std::int64_t added = 0;
  for (std::size_t k = 0; k < plan.num_levels(); ++k) added += counts[k] - plan.num_free()[k];
  return added;
}

inline Ids random_kinds(Rng& rng, std::size_t count, std::uint64_t kinds) {
  Ids values(count);
  for (std::int32_t& v : values) v = static_cast<std::int32_t>(rng.below(kinds));
  return values;
}

/// A random flow graph of few inputs: up to three stages in any direction, without edges or with weights, a
/// join before any of them or none, a halo.
struct FlowCase {
  Edges edges;
  FlowGraph graph;

  FlowCase(const FlowCase&) = delete;
  FlowCase& operator=(const FlowCase&) = delete;
  FlowCase(Rng& rng, std::int32_t num_nodes) {
    const std::int64_t num_edges = num_nodes * static_cast<std::int64_t>(rng.below(3)) / 2;
    edges = make_edges(
        rng.below(2) == 0 ? random_edges(rng, num_nodes, num_edges) : random_dag(rng, num_nodes, num_edges),
        keep_all(true));
    const auto n = static_cast<std::size_t>(num_nodes);
    graph.num_nodes = num_nodes;
    graph.input_kind = random_kinds(rng, n, 1 + rng.below(3));
    graph.stages.resize(rng.below(4));
    for (FlowStage& stage : graph.stages) {
      if (rng.below(4) == 0) continue;
      stage.edges = edges.view().along(static_cast<Direction>(rng.below(3)));
      if (rng.below(2) == 0) continue;
      stage.edge_kind = random_kinds(rng, stage.edges.csr.col.size(), 1 + rng.below(2));
      stage.node_kind = random_kinds(rng, n, 1 + rng.below(2));
    }
    graph.join_stage = static_cast<std::int32_t>(rng.below(graph.stages.size() + 2)) - 1;
    graph.num_inner = num_nodes - static_cast<std::int32_t>(rng.below(3) == 0 ? n / 4 : 0);
    add_config_nodes(rng);
    graph.pools_config = graph.joins() && rng.below(2) == 0;
    graph.pools_all = !graph.pools_config || rng.below(2) == 0;
  }

  /// C configurations, each with one of `kinds` at every configurable node.
  [[nodiscard]] Ids random_configs(Rng& rng, std::size_t count, std::uint64_t kinds) const {
    return random_kinds(rng, count * graph.config_node.size(), kinds);
  }
  /// Configuration c, and those from it on.
  [[nodiscard]] Ids config_of(const Ids& config, std::size_t c, std::size_t count = 1) const {
    const std::size_t k = graph.config_node.size();
    const auto first = config.begin() + static_cast<std::ptrdiff_t>(c * k);
    return {first, first + static_cast<std::ptrdiff_t>(count * k)};
  }
  /// How many there are; three where there is nothing to configure.
  [[nodiscard]] std::size_t num_configs(const Ids& config) const {
    return graph.config_node.empty() ? 3 : config.size() / graph.config_node.size();
  }

 private:
  /// Some inner nodes in any order, then some of the halo.
  void add_config_nodes(Rng& rng) {
    if (!graph.joins()) return;
    for (const bool is_halo : {false, true}) {
      Ids nodes;
      for (std::int32_t v = 0; v < graph.num_nodes; ++v) {
        if ((v >= graph.num_inner) == is_halo && rng.below(5) == 0) nodes.push_back(v);
      }
      rng.shuffle(Span<std::int32_t>(nodes));
      graph.config_node.insert(graph.config_node.end(), nodes.begin(), nodes.end());
      if (!is_halo) graph.num_inner_config = static_cast<std::int32_t>(nodes.size());
    }
  }
};

/// plan_configs() -> the totals, one after the other for each sum.
inline Ids totals_of(FlowPlan& plan, const Ids& config, std::size_t count) {
  Arena arena;
  Ids totals(plan.sums().size() * count);
  plan_configs(plan, config, static_cast<std::int64_t>(count), arena, Span<std::int32_t>(totals));
  return totals;
}
inline Ids totals_of(FlowPlan& plan, const Ids& config) {
  const std::size_t k = plan.graph().config_node.size();
  return totals_of(plan, config, k == 0 ? 3 : config.size() / k);
}

/// The rows of one configuration, by looking up every one of them in a plan.
struct HashedRows {
  Ids all;    // (levels N)
  Ids total;  // of each sum

  HashedRows(FlowPlan& plan, const Ids& config) {
    const FlowGraph& graph = plan.graph();
    const auto n = static_cast<std::size_t>(graph.num_nodes);
    const auto join = static_cast<std::size_t>(graph.join_level());
    Ids before, now(n);
    for (std::size_t k = 0; k < plan.num_levels(); ++k) {
      for (std::int32_t v = 0; v < graph.num_nodes; ++v) now[static_cast<std::size_t>(v)] = plan.free_row(k, v);
      for (std::size_t q = 0; graph.joins() && k == join && q < config.size(); ++q)
        now[static_cast<std::size_t>(graph.config_node[q])] = plan.find_joined(graph.config_node[q], config[q]);
      if (graph.joins() && k > join) {
        for (std::int32_t v = 0; v < graph.num_nodes; ++v) {
          now[static_cast<std::size_t>(v)] =
              plan.find_staged(static_cast<std::int32_t>(k) - 2, v,
                               [&](std::int32_t u) { return before[static_cast<std::size_t>(u)]; });
        }
      }
      all.insert(all.end(), now.begin(), now.end());
      before = now;
    }
    for (std::size_t s = 0; s < plan.sums().size(); ++s) {
      const SumTree& sum = plan.sums()[s];
      Ids parts;
      for (const std::int32_t v : sum.node) parts.push_back(before[static_cast<std::size_t>(v)]);
      for (std::size_t t = 0; t < sum.num_levels(); ++t) {
        Ids blocks;
        for (std::size_t b = 0; b < sum.num_blocks(t); ++b)
          blocks.push_back(plan.find_sum(s, t, b, [&](std::size_t i) { return parts[i]; }));
        parts = blocks;
      }
      total.push_back(parts[0]);
    }
  }
};

/// The same by colour refinement with maps, of all configurations: numbers of its own.
struct FlowClasses {
  std::vector<std::vector<Ids>> of;  // of[c][level][node]
  Ids count;                         // of each level

  FlowClasses(const FlowGraph& graph, const Ids& config, std::size_t num_configs) : of(num_configs) {
    const auto n = static_cast<std::size_t>(graph.num_nodes);
    const std::size_t k = graph.config_node.size();
    const auto refine = [&](const auto& key_of) {
      std::map<Ids, std::int32_t> number;
      for (std::size_t c = 0; c < num_configs; ++c) {
        Ids now(n);
        for (std::size_t v = 0; v < n; ++v)
          now[v] = number.emplace(key_of(c, v), static_cast<std::int32_t>(number.size())).first->second;
        of[c].push_back(now);
      }
      count.push_back(static_cast<std::int32_t>(number.size()));
    };
    const auto join = [&] {
      refine([&](std::size_t c, std::size_t v) {
        const auto at = std::find(graph.config_node.begin(), graph.config_node.end(), static_cast<int>(v));
        const auto q = static_cast<std::size_t>(at - graph.config_node.begin());
        return Ids{of[c].back()[v], q == k ? -1 : config[c * k + q]};
      });
    };
    refine([&](std::size_t, std::size_t v) { return Ids{graph.input_kind[v]}; });
    for (std::size_t stage = 0; stage < graph.stages.size(); ++stage) {
      if (static_cast<int>(stage) == graph.join_stage) join();
      const FlowStage& s = graph.stages[stage];
      // of[c] grows as its configuration is refined, so the rows before are those of this level.
      const std::size_t level = count.size() - 1;
      refine([&](std::size_t c, std::size_t v) {
        const Ids& before = of[c][level];
        Ids key = {before[v], s.node_kind.empty() ? 0 : s.node_kind[v]};
        if (!s.reads_edges()) return key;
        for (auto p = static_cast<std::size_t>(s.edges.csr.row_ptr[v]);
             p < static_cast<std::size_t>(s.edges.csr.row_ptr[v + 1]); ++p) {
          key.push_back(before[static_cast<std::size_t>(s.edges.csr.col[p])]);
          key.push_back(s.edge_kind.empty() ? 0 : s.edge_kind[p]);
        }
        return key;
      });
    }
    if (graph.joins() && graph.join_stage == graph.num_stages()) join();
  }

  /// What a sum adds up, in order.
  [[nodiscard]] Ids parts(const SumTree& sum, std::size_t c) const {
    Ids parts;
    for (const std::int32_t v : sum.node) parts.push_back(of[c].back()[static_cast<std::size_t>(v)]);
    return parts;
  }
  /// Of each level of a sum, all that its blocks add up.
  [[nodiscard]] std::vector<std::set<Ids>> blocks(const SumTree& sum) const {
    std::vector<std::set<Ids>> levels(sum.num_levels());
    for (std::size_t c = 0; c < of.size(); ++c) {
      const Ids all = parts(sum, c);
      std::size_t width = 1;
      for (std::set<Ids>& level : levels) {
        width *= static_cast<std::size_t>(kTreeFanIn);
        for (std::size_t begin = 0; begin == 0 || begin < all.size(); begin += width) {
          const std::size_t end = std::min(all.size(), begin + width);
          level.emplace(all.begin() + static_cast<std::ptrdiff_t>(begin),
                        all.begin() + static_cast<std::ptrdiff_t>(end));
        }
      }
    }
    return levels;
  }
  /// A number for the total of each configuration.
  [[nodiscard]] Ids totals(const SumTree& sum) const {
    std::map<Ids, std::int32_t> number;
    Ids totals;
    for (std::size_t c = 0; c < of.size(); ++c)
      totals.push_back(number.emplace(parts(sum, c), static_cast<std::int32_t>(number.size())).first->second);
    return totals;
  }
};

/// Equal in one exactly where equal in the other.
inline bool same_partition(Span<const std::int32_t> a, Span<const std::int32_t> b) {
  std::map<std::int32_t, std::int32_t> to, from;
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to.emplace(a[i], b[i]).first->second != b[i] || from.emplace(b[i], a[i]).first->second != a[i])
      return false;
  }
  return true;
}

/// Rows of each level, and of the levels of each sum.
inline Ids plan_sizes(const FlowPlan& plan) {
  Ids sizes;
  plan.count(sizes);
  return sizes;
}

/// N nodes without edges, of the given inputs, and one stage.
inline FlowGraph flow_without_edges(const Ids& input_kind) {
  FlowGraph graph;
  graph.num_nodes = static_cast<std::int32_t>(input_kind.size());
  graph.input_kind = input_kind;
  graph.stages.resize(1);
  graph.num_inner = graph.num_nodes;
  return graph;
}

}  // namespace mlgraph::testing::flow

#endif  // MLGRAPH_TESTS_GRAPH_FLOW_FIXTURE_HPP
