// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/layout_winner.hpp"

#include <doctest/doctest.h>

#include "arch/winner_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

LayoutWinner::Options layout_options(std::int64_t config_chunk, Direction direction = Direction::kReverse) {
  LayoutWinner::Options options = winner_net_options<LayoutWinner>(direction);
  options.config_chunk = config_chunk;
  return options;
}

/// Every kind of layout winner that there is.
std::vector<LayoutWinner::Options> all_options() {
  std::vector<LayoutWinner::Options> list;
  for (const Direction direction : kAllDirections) {
    for (const std::int64_t chunk : {std::int64_t{0}, std::int64_t{64}})
      list.push_back(layout_options(chunk, direction));
  }
  LayoutWinner::Options residual = layout_options(64);
  residual.initial_residual = true;
  list.push_back(residual);
  residual.node_scores = true;
  list.push_back(residual);
  LayoutWinner::Options scaled = layout_options(64);
  scaled.config_encoding = ConfigEncoding::kScaled;
  scaled.node_encoding.embed_layout = false;
  scaled.segments.readout = SegmentReadout::kScalar;
  list.push_back(scaled);
  return list;
}

TEST_CASE("the tensors of LayoutWinner have these names and shapes") {
  LayoutWinner::Options options = layout_options(64);
  options.num_layers = 1;
  CHECK(tensors_of_net<LayoutWinner>(options) == std::vector<std::string>{"opcode.weight (4, 3)",
                                                                          "layout.weight (8, 2)",
                                                                          "encode.0.weight (3, 18)",
                                                                          "encode.0.bias (3)",
                                                                          "config.weight (3, 4)",
                                                                          "encode.0.squeeze.lin1.weight (1, 3)",
                                                                          "encode.0.squeeze.lin1.bias (1)",
                                                                          "encode.0.squeeze.lin2.weight (3, 1)",
                                                                          "encode.0.squeeze.lin2.bias (3)",
                                                                          "encode.0.attention.temperature (1)",
                                                                          "encode.1.weight (3, 6)",
                                                                          "encode.1.bias (3)",
                                                                          "encode.1.squeeze.lin1.weight (1, 3)",
                                                                          "encode.1.squeeze.lin1.bias (1)",
                                                                          "encode.1.squeeze.lin2.weight (3, 1)",
                                                                          "encode.1.squeeze.lin2.bias (3)",
                                                                          "encode.1.attention.temperature (1)",
                                                                          "layers.0.lin_l.weight (3, 6)",
                                                                          "layers.0.lin_l.bias (3)",
                                                                          "layers.0.lin_r.weight (3, 6)",
                                                                          "layers.0.squeeze.lin1.weight (1, 3)",
                                                                          "layers.0.squeeze.lin1.bias (1)",
                                                                          "layers.0.squeeze.lin2.weight (3, 1)",
                                                                          "layers.0.squeeze.lin2.bias (3)",
                                                                          "layers.0.attention.temperature (1)",
                                                                          "head.lins.0.weight (1, 6)",
                                                                          "head.lins.0.bias (1)"});
  // As the winners had it: 246 inputs of 128 channels, 134 features + 18 x 4 + 6 x 4 + 16.
  ParamSpec spec;
  const LayoutWinner net(spec, LayoutWinner::Options(), {134, 18});
  CHECK(spec.find("encode.0.weight")->param.cols + spec.find("config.weight")->param.cols == 246);
  CHECK(spec.find("encode.0.weight")->param.rows == 128);
  CHECK(spec.find("layers.1.lin_l.weight")->param.cols == 256);
}

TEST_CASE("LayoutWinner has the settings of the winning solution") {
  const LayoutWinner::Options options;
  check_winner_defaults(options);
  CHECK(options.config_encoding == ConfigEncoding::kEmbedding);
  CHECK(options.config_chunk == 64);
  CHECK(prune_name(options.prune) == "edge");
  const Recipe recipe = LayoutWinner::recipe(options);
  CHECK((recipe.loss.kind == Loss::kPairwiseHinge && recipe.selection == Selection::kTau));
  CHECK((recipe.graphs_per_step == 1 && recipe.configs_per_graph == 64 && recipe.weight_decay == 1e-5));
  LayoutWinner::Options odd;
  odd.hidden_channels = 7;
  CHECK(odd.check().message() == "model: hidden_channels is 7; should be even in a winner");
}

double layout_winner_formula(const LayoutWinner::Options& options, const NetGraph& graph, const Weights& w,
                             const NetData<double>& data, std::int64_t config) {
  const Dense inputs = node_inputs(options, data, w);
  PerConfig x;
  for (std::int64_t c = 0; c < data.num_configs; ++c) {
    Dense h;
    for (const Row& row : inputs) h.push_back(w.linear("encode.0", row));
    if (options.config_encoding == ConfigEncoding::kEmbedding) {
      const std::vector<std::int32_t> none(kConfigFeatures, 0);
      const Row rest = w.linear("config", layout_rows(w, none.data(), kConfigFeatures));
      for (std::size_t v = 0; v < h.size(); ++v) {
        if (std::find(graph.config_node.begin(), graph.config_node.end(), static_cast<std::int32_t>(v)) ==
            graph.config_node.end())
          h[v] = h[v] + rest;
      }
    }
    for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
      Row& row = h[static_cast<std::size_t>(graph.config_node[k])];
      row = row + w.linear("config", config_row(options, data, w, c, static_cast<std::int64_t>(k)));
    }
    x.push_back(h);
  }
  x = winner_layers(options, options.config_chunk > 0, graph, w, x);
  const auto hidden = static_cast<std::size_t>(options.hidden_channels);
  const Dense& nodes = x[static_cast<std::size_t>(config)];
  if (!options.node_scores)
    return w.linear("head.lins.0", (1 / static_cast<double>(nodes.size())) * sum_of(nodes, hidden))[0];
  double sum = 0;
  for (const Row& row : nodes) sum += w.linear("head.lins.1", gelu(w.linear("head.lins.0", row)))[0];
  return sum;
}

TEST_CASE("LayoutWinner computes the documented formulas") {
  for (const LayoutWinner::Options& options : all_options()) {
    for (const NetGraph& graph : small_net_graphs()) {
      INFO("chunk ", options.config_chunk, ", ", graph.num_nodes, " nodes");
      CHECK(difference_to<LayoutWinner>(options, graph,
                                        [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
                                          return layout_winner_formula(options, graph, w, data, c);
                                        }) < 1e-11);
    }
  }
}

TEST_CASE("the gradients of LayoutWinner are those of central differences" * testing::kLong) {
  for (LayoutWinner::Options options : all_options()) {
    for (const double dropout : {0.0, 0.2}) {
      options.dropout = dropout;
      INFO("chunk ", options.config_chunk, ", dropout ", dropout);
      const Status status = net_gradients<LayoutWinner>(options, hub_net_graph());
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE("LayoutWinner: permuting the configs permutes the scores") {
  for (const LayoutWinner::Options& options : all_options()) {
    INFO("chunk ", options.config_chunk);
    check_permuted<LayoutWinner>(options);
  }
}

TEST_CASE("LayoutWinner: edges matter along the chosen direction") {
  check_winner_edges<LayoutWinner>(layout_options(8), layout_options(8));
}

TEST_CASE("a halo is read and not pooled") {
  const LayoutWinner::Options options = layout_options(4);
  ParamSpec spec;
  const NetOnContext<LayoutWinner, Eager> net(spec, options, kNetWidths);
  const NetData<float> data(hub_net_graph(), net.plan(), 4);
  const Parameters<float> parameters(spec, 5);
  Eager whole, part;
  whole.bind(spec, Span<const float>(parameters.value));
  part.bind(spec, Span<const float>(parameters.value));
  NetInput<float> in = data.input();
  const Var all = embed_net<Eager>(net, whole, net.plan(), in);
  in.num_halo = 2;  // nodes 5 and 6, which is configurable
  in.num_halo_config = 1;
  const Var inner = embed_net<Eager>(net, part, net.plan(), in);
  REQUIRE(part.status().ok());
  CHECK(part.rows(inner) == 4);
  CHECK(whole.value(all)(0, 0) != part.value(inner)(0, 0));
  CHECK(PoolSums(net.plan()).channels() == part.cols(inner));
}

}  // namespace
}  // namespace mlgraph
