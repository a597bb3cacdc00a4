// SPDX-License-Identifier: Apache-2.0
// NetSample: small random programs to check a network on.
#ifndef MLGRAPH_TRAIN_NET_SAMPLE_HPP
#define MLGRAPH_TRAIN_NET_SAMPLE_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/flow_of_net.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/cost/row_store.hpp"
#include "mlgraph/cost/run_planned.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/flow_plan.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// A graph as lists. Its last nodes and configurable nodes are a halo.
struct SampleGraph {
  std::int32_t num_nodes = 0;
  std::vector<std::int32_t> source, target, config_node;
  std::int64_t num_halo = 0, num_halo_config = 0;
};

/// A hub with a self edge and a node alone; a chain, longer than networks are deep in checks, with a halo;
/// random edges; nothing to configure; a single node.
[[nodiscard]] inline std::vector<SampleGraph> sample_graphs(Rng& rng) {
  std::vector<SampleGraph> graphs = {
      {8, {0, 1, 2, 4, 5, 0, 0, 1, 2}, {3, 3, 3, 3, 3, 1, 4, 5, 2}, {3, 7, 0}, 0, 0},
      {14, {}, {}, {5, 2, 12}, 3, 1},
      {9, {}, {}, {1, 6}, 0, 0},
      {3, {0, 1}, {1, 2}, {}, 0, 0},
      {1, {}, {}, {0}, 0, 0}};
  for (std::int32_t v = 1; v < 14; ++v) {
    graphs[1].source.push_back(v - 1);
    graphs[1].target.push_back(v);
  }
  for (std::int32_t v = 2; v < 9; ++v) {
    graphs[2].source.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(v) - 1)));
    graphs[2].target.push_back(v);
    graphs[2].source.push_back(v - 1);
    graphs[2].target.push_back(v);
  }
  return graphs;
}

/// One such graph with random features and configurations, of which some are equal; T is the scalar of a
/// context.
template <class T>
class NetSample {
 public:
  /// Node features and config features, as a network is made for.
  static constexpr InputWidths kWidths{3, 2};
  static constexpr std::int64_t kConfigs = 3;

  /// Errors: none; a graph that is not one would be.
  [[nodiscard]] static Result<NetSample> make(const SampleGraph& graph, const NetPlan& plan,
                                              const InputOptions& options, std::uint64_t seed) {
    NetSample sample;
    sample.plan_ = &plan;
    Rng rng(seed);
    sample.make_nodes(graph.num_nodes, options, rng);
    GraphView view;
    view.x = {sample.features_.data(), graph.num_nodes, kWidths.num_node_features};
    view.opcode = sample.opcode_;
    view.edge_source = graph.source;
    view.edge_target = graph.target;
    if (plan.takes_nodes()) view.config_node = graph.config_node;
    EdgeOptions edges;
    edges.both = true;
    MLGRAPH_ASSIGN_OR_RETURN(sample.segment_.graph, Graph::from_view(view, edges));
    sample.segment_.num_halo = graph.num_halo;
    if (plan.takes_nodes()) sample.segment_.num_halo_config = graph.num_halo_config;
    if (plan.merges_rows()) sample.segment_.rows = FlowPlan(make_flow_graph(plan, sample.segment_));
    const auto num_rows = as_size(sample.num_config_rows()) * kConfigs;
    for (std::size_t i = 0; i < num_rows; ++i)
      sample.config_id_.push_back(static_cast<std::int32_t>(rng.below(kConfigKinds)));
    const auto width = as_size(kWidths.num_config_features);
    sample.config_ = random_numbers(kConfigKinds * width, rng);
    sample.graph_config_ = random_numbers(kConfigs * width, rng);
    sample.embeds_config_ = options.config_encoding == ConfigEncoding::kEmbedding;
    sample.classes_ = random_classes(kConfigKinds * width, rng);
    return sample;
  }

  /// Configurations [begin, begin + count), each with a copy of every node.
  template <class C>
  [[nodiscard]] NetInput<T> input(C& ctx, std::int64_t begin = 0, std::int64_t count = kConfigs) const {
    NetInput<T> in = input_without_configs();
    in.num_configs = count;
    if (plan_->takes_nodes()) in.config = config(ctx, config_ids(begin, count));
    in.graph_config = graph_config(begin, count);
    return in;
  }
  /// What run_pools() gives of these configurations, from distinct rows: those that `rows` and `store` lack.
  template <class C>
  [[nodiscard]] Var pools_of_distinct(const NetOn<C>& net, C& ctx, FlowPlan& rows, RowStore* store,
                                      std::int64_t begin, std::int64_t count) const {
    PlannedConfigs<T> configs;
    configs.num_configs = count;
    configs.graph_config = graph_config(begin, count);
    if (plan_->takes_nodes()) configs.ids = config_ids(begin, count);
    configs.num_ids = kConfigKinds;
    const auto encode = [this](C& context, Span<const std::int32_t> ids) { return config(context, ids); };
    return run_planned(net, ctx, *plan_, rows, store, input_without_configs(), configs, encode);
  }
  /// The rows that no configuration changes; not made where the plan merges none.
  [[nodiscard]] const FlowPlan& rows() const { return segment_.rows; }

 private:
  static constexpr std::int32_t kConfigKinds = 3;

  /// Every second node is like one before it.
  void make_nodes(std::int32_t num_nodes, const InputOptions& options, Rng& rng) {
    const auto width = as_size(kWidths.num_node_features);
    const bool embeds = options.node_encoding.embed_layout;
    for (std::int32_t v = 0; v < num_nodes; ++v) {
      std::vector<float> x;
      for (std::size_t f = 0; f < width; ++f) x.push_back(static_cast<float>(rng.uniform(-1, 1)));
      auto opcode = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(options.num_opcodes)));
      std::vector<std::int32_t> layout = random_classes(embeds ? 6 : 0, rng);
      if (v % 2 == 1) {
        const auto like = static_cast<std::ptrdiff_t>(rng.below(static_cast<std::uint64_t>(v)));
        const auto from = features_.begin() + like * static_cast<std::ptrdiff_t>(width);
        x.assign(from, from + static_cast<std::ptrdiff_t>(width));
        opcode = opcode_[as_size(like)];
        const auto entries = segment_.node_layout.begin() + like * static_cast<std::ptrdiff_t>(layout.size());
        layout.assign(entries, entries + static_cast<std::ptrdiff_t>(layout.size()));
      }
      features_.insert(features_.end(), x.begin(), x.end());
      opcode_.push_back(opcode);
      segment_.node_layout.insert(segment_.node_layout.end(), layout.begin(), layout.end());
      segment_.node.push_back(v);
    }
    x_.assign(features_.begin(), features_.end());
  }
  static std::vector<T> random_numbers(std::size_t count, Rng& rng) {
    std::vector<T> numbers(count);
    for (T& number : numbers) number = static_cast<T>(rng.uniform(-1, 1));
    return numbers;
  }
  static std::vector<std::int32_t> random_classes(std::size_t count, Rng& rng) {
    std::vector<std::int32_t> classes(count);
    for (std::int32_t& c : classes) c = static_cast<std::int32_t>(rng.below(kLayoutClasses));
    return classes;
  }

  /// Rows of configurable nodes in one configuration.
  [[nodiscard]] std::int64_t num_config_rows() const {
    const auto all = signed_size(segment_.graph.config_node());
    return plan_->join == Join::kConfigurableOnly ? all - segment_.num_halo_config : all;
  }
  [[nodiscard]] NetInput<T> input_without_configs() const {
    NetInput<T> in;
    in.nodes = {{x_.data(), segment_.graph.num_nodes(), kWidths.num_node_features},
                segment_.node_layout,
                segment_.graph.opcode()};
    in.edges = segment_.graph.edges();
    in.config_node = segment_.graph.config_node();
    in.num_halo = segment_.num_halo;
    in.num_halo_config = segment_.num_halo_config;
    return in;
  }
  [[nodiscard]] Span<const std::int32_t> config_ids(std::int64_t begin, std::int64_t count) const {
    const std::int64_t rows = num_config_rows();
    return Span<const std::int32_t>(config_id_).subspan(begin * rows, count * rows);
  }
  template <class C>
  [[nodiscard]] ConfigRows<T> config(C& ctx, Span<const std::int32_t> ids) const {
    const auto width = as_size(kWidths.num_config_features);
    T* const x = ctx.arena().template allocate<T>(ids.size() * width);
    auto* const classes = ctx.arena().template allocate<std::int32_t>(ids.size() * width);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::size_t from = as_size(ids[i]) * width;
      std::copy_n(config_.data() + from, width, x + i * width);
      std::copy_n(classes_.data() + from, width, classes + i * width);
    }
    ConfigRows<T> rows;
    rows.num_rows = signed_size(ids);
    if (embeds_config_) {
      rows.classes = {classes, ids.size() * width};
    } else {
      rows.x = {x, rows.num_rows, kWidths.num_config_features};
    }
    return rows;
  }
  [[nodiscard]] ConfigRows<T> graph_config(std::int64_t begin, std::int64_t count) const {
    if (!plan_->takes_graph()) return {};
    const std::int64_t width = kWidths.num_config_features;
    return {{graph_config_.data() + begin * width, count, width}, {}, count};
  }

  const NetPlan* plan_ = nullptr;
  Segment segment_;
  std::vector<float> features_;
  std::vector<std::int32_t> opcode_;
  std::vector<T> x_;
  std::vector<std::int32_t> config_id_;  // (C rows) which of the kinds each is
  std::vector<T> config_, graph_config_;
  std::vector<std::int32_t> classes_;
  bool embeds_config_ = false;
};

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_TRAIN_NET_SAMPLE_HPP
