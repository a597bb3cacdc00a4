// SPDX-License-Identifier: Apache-2.0
// NetSample: small random programs to check a network on.
#ifndef MLGRAPH_TRAIN_NET_SAMPLE_HPP
#define MLGRAPH_TRAIN_NET_SAMPLE_HPP

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "mlgraph/core/config.hpp"
#include "mlgraph/core/random.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/flow.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_plan.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/cost/prepare.hpp"
#include "mlgraph/cost/segments.hpp"
#include "mlgraph/graph/graph.hpp"
#include "mlgraph/graph/graph_view.hpp"
#include "mlgraph/graph/shared_rows.hpp"

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

/// One such graph with random features and configurations; T is the scalar of a context.
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
    const auto num_nodes = static_cast<std::size_t>(graph.num_nodes);
    std::vector<std::int32_t> opcode;
    for (std::size_t v = 0; v < num_nodes; ++v)
      opcode.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(options.num_opcodes))));
    GraphView view;
    view.x.rows = graph.num_nodes;
    view.opcode = opcode;
    view.edge_source = graph.source;
    view.edge_target = graph.target;
    if (plan.takes_nodes()) view.config_node = graph.config_node;
    EdgeOptions edges;
    edges.both = true;
    MLGRAPH_ASSIGN_OR_RETURN(sample.segment_.graph, Graph::from_view(view, edges));
    sample.segment_.num_halo = graph.num_halo;
    if (plan.takes_nodes()) sample.segment_.num_halo_config = graph.num_halo_config;
    sample.shared_ = make_shared_rows(plan, sample.segment_);
    const auto num_rows = static_cast<std::size_t>(sample.num_config_rows()) * kConfigs;
    sample.x_ = random_numbers(num_nodes * static_cast<std::size_t>(kWidths.num_node_features), rng);
    sample.config_ = random_numbers(num_rows * static_cast<std::size_t>(kWidths.num_config_features), rng);
    sample.graph_config_ =
        random_numbers(static_cast<std::size_t>(kConfigs * kWidths.num_config_features), rng);
    if (options.node_encoding.embed_layout) sample.layout_ = random_classes(6 * num_nodes, rng);
    if (options.config_encoding == ConfigEncoding::kEmbedding)
      sample.classes_ = random_classes(sample.config_.size(), rng);
    return sample;
  }

  /// Configurations [begin, begin + count), each with a copy of every node.
  [[nodiscard]] NetInput<T> input(std::int64_t begin = 0, std::int64_t count = kConfigs) const {
    const std::int64_t width = kWidths.num_config_features;
    NetInput<T> in;
    in.nodes.x = {x_.data(), segment_.graph.num_nodes(), kWidths.num_node_features};
    in.nodes.layout = layout_;
    in.nodes.opcode = segment_.graph.opcode();
    in.edges = segment_.graph.edges();
    in.config_node = segment_.graph.config_node();
    in.num_configs = count;
    in.num_halo = segment_.num_halo;
    in.num_halo_config = segment_.num_halo_config;
    if (plan_->takes_nodes()) {
      const std::int64_t rows = num_config_rows();
      in.config.num_rows = count * rows;
      if (classes_.empty()) {
        in.config.x = {config_.data() + begin * rows * width, count * rows, width};
      } else {
        in.config.classes = Span<const std::int32_t>(classes_).subspan(
            static_cast<std::size_t>(begin * rows * width), static_cast<std::size_t>(count * rows * width));
      }
    }
    if (plan_->takes_graph()) {
      in.graph_config.num_rows = count;
      in.graph_config.x = {graph_config_.data() + begin * width, count, width};
    }
    return in;
  }
  /// The rows that its configurations share; without layers where the plan shares none.
  [[nodiscard]] const SharedRows& shared() const { return shared_; }

 private:
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
    const auto all = static_cast<std::int64_t>(segment_.graph.config_node().size());
    return plan_->join == Join::kConfigurableOnly ? all - segment_.num_halo_config : all;
  }

  const NetPlan* plan_ = nullptr;
  Segment segment_;
  SharedRows shared_;
  std::vector<T> x_, config_, graph_config_;
  std::vector<std::int32_t> layout_, classes_;
};

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

#endif  // MLGRAPH_TRAIN_NET_SAMPLE_HPP
