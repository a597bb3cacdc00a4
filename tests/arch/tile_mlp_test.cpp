// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/tile_mlp.hpp"

#include <doctest/doctest.h>

#include "arch/tile_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of TileMlpLate have these names and shapes") {
  CHECK(tensors_of_net<TileMlpLate>(net_options_of<TileMlpLate>()) ==
        std::vector<std::string>{"opcode.weight (4, 3)", "layers.0.weight (5, 6)", "layers.0.bias (5)",
                                 "layers.1.weight (5, 5)", "layers.1.bias (5)", "head.lins.0.weight (5, 7)",
                                 "head.lins.0.bias (5)", "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)",
                                 "head.lins.2.weight (1, 5)", "head.lins.2.bias (1)"});
}

TEST_CASE("TileMlp has the sizes of its authors") {
  const TileMlp::Options options;
  CHECK((options.opcode_channels == 32 && options.hidden_channels == 64 && options.num_layers == 3));
}

TEST_CASE("TileMlp's gradients are right for every join and encoding" * testing::kLong) {
  check_gradients<TileMlp>();
  check_gradients<TileMlpLate>();
}

TEST_CASE("TileMlp computes the documented formulas") {
  const auto layers = [](Dense h, const TileOptions& options, const NetGraph&, const Weights& w) {
    for (int k = 0; k < options.num_layers; ++k) {
      for (Row& row : h) row = leaky(w.linear("layers." + std::to_string(k), row), 0.2);
    }
    return h;
  };
  check_tile_formula<TileMlp, false>(layers);
  check_tile_formula<TileMlpLate, true>(layers);
}

TEST_CASE("TileMlp: configs together have the bits of each alone") {
  check_configs_alone<TileMlp>();
  check_configs_alone<TileMlpLate>();
}

TEST_CASE("TileMlp sees configs early and late, no edges, and drops in training alone") {
  check_joins<TileMlp, TileMlpLate>();
  check_sees_edges<TileMlp>(false);
  check_sees_edges<TileMlpLate>(false);
  check_tile_dropout<TileMlp>();
}

}  // namespace
}  // namespace mlgraph
