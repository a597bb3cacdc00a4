// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/tile_resgcn.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "arch/tile_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of TileResGcnLate have these names and shapes") {
  CHECK(tensors_of_net<TileResGcnLate>(net_options_of<TileResGcnLate>()) ==
        std::vector<std::string>{
            "opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)", "layers.0.lins.0.weight (5, 5)",
            "layers.0.lins.0.bias (5)", "layers.0.lins.1.weight (5, 5)", "layers.0.lins.1.bias (5)",
            "layers.1.lins.0.weight (5, 5)", "layers.1.lins.0.bias (5)", "layers.1.lins.1.weight (5, 5)",
            "layers.1.lins.1.bias (5)", "head.lins.0.weight (5, 7)", "head.lins.0.bias (5)",
            "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)", "head.lins.2.weight (1, 5)",
            "head.lins.2.bias (1)"});
}

TEST_CASE("TileResGcn has the sizes of its authors") {
  const TileResGcn::Options options;
  CHECK((options.opcode_channels == 32 && options.hidden_channels == 64 && options.num_layers == 3));
}

TEST_CASE("TileResGcn's gradients are right for every join, direction and encoding" * testing::kLong) {
  check_gradients<TileResGcn>();
  check_gradients<TileResGcnLate>();
}

TEST_CASE("TileResGcn computes the documented formulas") {
  const auto layers = [](Dense h, const TileOptions& options, const NetGraph& graph, const Weights& w) {
    for (Row& row : h) row = w.linear("encode", row);
    for (int k = 0; k < options.num_layers; ++k) {
      Dense normalized = add(adjacency(graph), identity(h.size()));
      for (Row& row : normalized) row = (1 / std::accumulate(row.begin(), row.end(), 0.0)) * row;
      Dense y = h;
      for (Row& row : y) row = leaky(row, 0.2);
      const Dense mixed = add(times(along(normalized, options.direction), y), y);
      for (std::size_t i = 0; i < h.size(); ++i)
        h[i] = h[i] + w.mlp("layers." + std::to_string(k), mixed[i], 2, 0.01);
    }
    return h;
  };
  check_tile_formula<TileResGcn, false>(layers);
  check_tile_formula<TileResGcnLate, true>(layers);
}

TEST_CASE("TileResGcn: configs together have the bits of each alone") {
  check_configs_alone<TileResGcn>();
  check_configs_alone<TileResGcnLate>();
}

TEST_CASE("TileResGcn sees configs early and late, edges, and drops in training alone") {
  check_joins<TileResGcn, TileResGcnLate>();
  check_sees_edges<TileResGcn>(true);
  check_sees_edges<TileResGcnLate>(true);
  check_tile_dropout<TileResGcn>();
}

}  // namespace
}  // namespace mlgraph
