// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/tile_sage.hpp"

#include <doctest/doctest.h>

#include "arch/tile_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of TileSage have these names and shapes") {
  CHECK(tensors_of_net<TileSage>(net_options_of<TileSage>()) ==
        std::vector<std::string>{"opcode.weight (4, 3)", "layers.0.lin.weight (5, 16)", "layers.0.lin.bias (5)",
                                 "layers.1.lin.weight (5, 10)", "layers.1.lin.bias (5)",
                                 "head.lins.0.weight (5, 5)", "head.lins.0.bias (5)",
                                 "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)",
                                 "head.lins.2.weight (1, 5)", "head.lins.2.bias (1)"});
}

TEST_CASE("TileSage has the sizes and the recipe of its authors") {
  const TileSage::Options options;
  CHECK((options.opcode_channels == 64 && options.hidden_channels == 64 && options.num_layers == 3));
  CHECK(options.config_encoding == ConfigEncoding::kScaled);
  const Recipe recipe = TileSage::recipe(options);
  CHECK(
      (recipe.loss.kind == Loss::kListMle && recipe.loss.temperature == 10 && recipe.loss.mse_weight == 0.02));
  CHECK((recipe.graphs_per_step == 10 && recipe.configs_per_graph == 10));
  CHECK(recipe.selection == Selection::kFirst);
}

TEST_CASE("TileSage's gradients are right for every join, direction and encoding" * testing::kLong) {
  check_gradients<TileSage>();
  check_gradients<TileSageLate>();
}

TEST_CASE("TileSage computes the documented formulas") {
  const auto layers = [](Dense h, const TileOptions& options, const NetGraph& graph, const Weights& w) {
    for (int k = 0; k < options.num_layers; ++k) {
      const Dense mixed = times(along(adjacency(graph), options.direction), h);
      for (std::size_t i = 0; i < h.size(); ++i)
        h[i] = l2(leaky(w.linear("layers." + std::to_string(k) + ".lin", join(mixed[i], h[i])), 0.2));
    }
    return h;
  };
  check_tile_formula<TileSage, false>(layers);
  check_tile_formula<TileSageLate, true>(layers);
}

TEST_CASE("TileSage: configs together have the bits of each alone") {
  check_configs_alone<TileSage>();
  check_configs_alone<TileSageLate>();
}

TEST_CASE("TileSage sees configs early and late, edges, and drops in training alone") {
  check_joins<TileSage, TileSageLate>();
  check_sees_edges<TileSage>(true);
  check_sees_edges<TileSageLate>(true);
  check_tile_dropout<TileSage>();
}

TEST_CASE("along the reverse direction TileSage sees the transposed graph") {
  check_transposed<TileSage>();
  check_transposed<TileSageLate>();
}

}  // namespace
}  // namespace mlgraph
