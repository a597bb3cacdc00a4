// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/tile_winner.hpp"

#include <doctest/doctest.h>

#include "arch/winner_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

/// Every kind of tile winner that there is.
std::vector<TileWinner::Options> all_tile_winners() {
  std::vector<TileWinner::Options> list;
  for (const Direction direction : kAllDirections) list.push_back(winner_net_options<TileWinner>(direction));
  TileWinner::Options residual = winner_net_options<TileWinner>();
  residual.initial_residual = true;
  list.push_back(residual);
  return list;
}

TEST_CASE("the tensors of TileWinner have the shapes of the winning solution") {
  ParamSpec spec;
  const TileWinner net(spec, TileWinner::Options(), {134, 24});
  CHECK(spec.find("head.lins.0.weight")->param.cols == 768);
  CHECK(spec.find("config.lins.1.weight")->param.rows == 256);
}

TEST_CASE("TileWinner has the settings of the winning solution") {
  const TileWinner::Options options;
  check_winner_defaults(options);
  CHECK(options.config_encoding == ConfigEncoding::kScaled);
  CHECK(prune_name(options.prune) == "none");
  const Recipe recipe = TileWinner::recipe(options);
  CHECK((recipe.loss.kind == Loss::kPairwiseHinge && recipe.selection == Selection::kFirst));
  CHECK((recipe.graphs_per_step == 1 && recipe.configs_per_graph == 128 && recipe.weight_decay == 1e-5));
}

double tile_winner_formula(const TileWinner::Options& options, const NetGraph& graph, const Weights& w,
                           const NetData<double>& data, std::int64_t config) {
  Dense h;
  for (const Row& row : node_inputs(options, data, w)) h.push_back(w.linear("encode.0", row));
  const Dense nodes = winner_layers(options, false, graph, w, {h})[0];
  const auto hidden = static_cast<std::size_t>(options.hidden_channels);
  const Row mean = (1 / static_cast<double>(nodes.size())) * sum_of(nodes, hidden);
  Row largest = nodes[0];
  for (const Row& row : nodes) {
    for (std::size_t k = 0; k < hidden; ++k) largest[k] = std::max(largest[k], row[k]);
  }
  const Row own =
      w.linear("config.lins.1", gelu(w.linear("config.lins.0", config_row(options, data, w, config))));
  const Row y = gelu(w.linear("head.lins.0", join(own, join(largest, mean))));
  return w.linear("head.lins.2", gelu(w.linear("head.lins.1", y)))[0];
}

TEST_CASE("TileWinner computes the documented formulas") {
  for (const TileWinner::Options& options : all_tile_winners()) {
    for (const NetGraph& graph : small_net_graphs()) {
      INFO(graph.num_nodes, " nodes");
      CHECK(difference_to<TileWinner>(options, graph,
                                      [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
                                        return tile_winner_formula(options, graph, w, data, c);
                                      }) < 1e-11);
    }
  }
}

TEST_CASE("the gradients of TileWinner are those of central differences" * testing::kLong) {
  for (TileWinner::Options options : all_tile_winners()) {
    for (const double dropout : {0.0, 0.2}) {
      options.dropout = dropout;
      INFO("dropout ", dropout);
      const Status status = net_gradients<TileWinner>(options, hub_net_graph());
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

TEST_CASE(
    "TileWinner: permuting the configs permutes the scores, and edges matter along the chosen direction") {
  for (const TileWinner::Options& options : all_tile_winners()) check_permuted<TileWinner>(options);
  check_winner_edges<TileWinner>(winner_net_options<TileWinner>(), winner_net_options<TileWinner>());
}

}  // namespace
}  // namespace mlgraph
