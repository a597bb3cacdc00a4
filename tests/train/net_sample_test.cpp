// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/net_sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "mlgraph/autograd/context.hpp"

namespace mlgraph {
namespace {

using detail::NetSample;

TEST_CASE("the graphs of checks have a hub, a halo, random edges, nothing to configure and a single node") {
  Rng rng(3);
  const std::vector<detail::SampleGraph> graphs = detail::sample_graphs(rng);
  REQUIRE(graphs.size() == 5);
  CHECK(std::count(graphs[0].target.begin(), graphs[0].target.end(), 3) == 5);
  CHECK(graphs[1].source.size() == 13);
  CHECK((graphs[1].num_halo == 3 && graphs[1].num_halo_config == 1));
  CHECK(graphs[3].config_node.empty());
  CHECK((graphs[4].num_nodes == 1 && graphs[4].source.empty()));
  for (const detail::SampleGraph& graph : graphs) {
    REQUIRE(graph.source.size() == graph.target.size());
    for (std::size_t e = 0; e < graph.source.size(); ++e) {
      CHECK((graph.source[e] >= 0 && graph.source[e] < graph.num_nodes));
      CHECK((graph.target[e] >= 0 && graph.target[e] < graph.num_nodes));
    }
  }
}

TEST_CASE("a sample is a function of its seed; every second node is like one before it, and configs repeat") {
  Rng rng(3);
  const detail::SampleGraph graph = detail::sample_graphs(rng)[1];
  NetPlan plan;
  plan.join = Join::kConfigurable;
  InputOptions options;
  options.num_opcodes = 50;
  const NetSample<float> sample = NetSample<float>::make(graph, plan, options, 9).value();
  const NetSample<double> same = NetSample<double>::make(graph, plan, options, 9).value();
  Eager ctx;
  Context<double, Mode::kEager> ctx64;
  const NetInput<float> in = sample.input(ctx);
  const NetInput<double> in64 = same.input(ctx64);
  CHECK((in.num_nodes() == 14 && in.num_inner() == 11 && in.num_config_nodes() == 3 &&
         in.num_inner_config() == 2));
  CHECK((in.num_configs == 3 && in.config.num_rows == 9));
  for (std::int64_t i = 0; i < in.nodes.x.size(); ++i)
    CHECK(in.nodes.x.data[i] == static_cast<float>(in64.nodes.x.data[i]));
  std::set<std::vector<float>> distinct, configs;
  for (std::int64_t v = 0; v < 14; ++v)
    distinct.emplace(in.nodes.x.row(v), in.nodes.x.row(v) + in.nodes.x.cols);
  CHECK(distinct.size() == 7);
  for (std::int64_t r = 0; r < 9; ++r)
    configs.emplace(in.config.x.row(r), in.config.x.row(r) + in.config.x.cols);
  CHECK(configs.size() <= 3);
  CHECK(sample.rows().is_made());
  const NetInput<float> last = sample.input(ctx, 2, 1);
  CHECK((last.num_configs == 1 && last.config.num_rows == 3));
  for (std::int64_t i = 0; i < last.config.x.size(); ++i)
    CHECK(last.config.x.data[i] == in.config.x.data[6 * in.config.x.cols + i]);
}

TEST_CASE(
    "a sample has what the plan takes: configs of the graph, classes, embedded layouts, or no rows that "
    "merge") {
  Rng rng(3);
  const detail::SampleGraph graph = detail::sample_graphs(rng)[0];
  NetPlan plan;
  plan.join = Join::kGraph;
  InputOptions options;
  options.num_opcodes = 4;
  Eager ctx;
  const NetInput<float> of_graph = NetSample<float>::make(graph, plan, options, 1).value().input(ctx);
  CHECK((of_graph.graph_config.num_rows == 3 && of_graph.config.num_rows == 0 && of_graph.config_node.empty()));
  plan.join = Join::kConfigurable;
  options.config_encoding = ConfigEncoding::kEmbedding;
  options.node_encoding.embed_layout = true;
  plan.stages.resize(1);
  plan.stages[0].mixes_nodes = true;
  const NetSample<float> embedded = NetSample<float>::make(graph, plan, options, 1).value();
  const NetInput<float> in = embedded.input(ctx);
  CHECK((in.config.classes.size() == 3 * 3 * 2 && in.config.x.size() == 0 && in.nodes.layout.size() == 8 * 6));
  CHECK_FALSE(embedded.rows().is_made());
}

}  // namespace
}  // namespace mlgraph
