// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/model/tile_net.hpp"

#include <doctest/doctest.h>

#include <numeric>

#include "long_tests.hpp"
#include "model/net_fixture.hpp"
#include "model/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

constexpr Arch kTileArchs[] = {Arch::kTileSage, Arch::kTileResGcn, Arch::kTileMlp};

/// Calls `f(options)` for every architecture, join and direction, as they are and with_encodings().
template <class F>
void for_each_tile_net(std::int64_t hidden, F&& f) {
  for (const Arch arch : kTileArchs) {
    for (const Join join : kJoins) {
      for (const Direction direction : kDirections) {
        INFO(arch_name(arch), ", join ", static_cast<int>(join), ", direction ", static_cast<int>(direction));
        const ModelOptions options = net_options(arch, join, direction, hidden);
        f(options);
        INFO("with encodings");
        f(with_encodings(options));
      }
    }
  }
}

std::vector<std::string> tile_tensors(Arch arch, Join join) {
  ParamSpec spec;
  const TileNet net(spec, net_options(arch, join, Direction::kBoth), kNodeFeatures, kConfigFeatures);
  return tensor_list(spec);
}

TEST_CASE("the tensors of TileNet have these names and shapes") {
  using Names = std::vector<std::string>;
  CHECK(tile_tensors(Arch::kTileSage, Join::kEarly) ==
        Names{"opcode.weight (4, 3)", "layers.0.lin.weight (5, 16)", "layers.0.lin.bias (5)",
              "layers.1.lin.weight (5, 10)", "layers.1.lin.bias (5)", "head.lins.0.weight (5, 5)",
              "head.lins.0.bias (5)", "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)",
              "head.lins.2.weight (1, 5)", "head.lins.2.bias (1)"});
  CHECK(tile_tensors(Arch::kTileResGcn, Join::kLate) ==
        Names{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)",
              "layers.0.lins.0.weight (5, 5)", "layers.0.lins.0.bias (5)", "layers.0.lins.1.weight (5, 5)",
              "layers.0.lins.1.bias (5)", "layers.1.lins.0.weight (5, 5)", "layers.1.lins.0.bias (5)",
              "layers.1.lins.1.weight (5, 5)", "layers.1.lins.1.bias (5)", "head.lins.0.weight (5, 7)",
              "head.lins.0.bias (5)", "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)",
              "head.lins.2.weight (1, 5)", "head.lins.2.bias (1)"});
  CHECK(tile_tensors(Arch::kTileMlp, Join::kLate) ==
        Names{"opcode.weight (4, 3)", "layers.0.weight (5, 6)", "layers.0.bias (5)", "layers.1.weight (5, 5)",
              "layers.1.bias (5)", "head.lins.0.weight (5, 7)", "head.lins.0.bias (5)",
              "head.lins.1.weight (5, 5)", "head.lins.1.bias (5)", "head.lins.2.weight (1, 5)",
              "head.lins.2.bias (1)"});
}

TEST_CASE("TileNet's gradients are right for every architecture, join, direction and encoding" * testing::kLong) {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_tile_net(4, [&](const ModelOptions& options) {
      const Status status = check_net<TileNet>(options, graph);
      CHECK_MESSAGE(status.ok(), status.message());
    });
  }
}

/// The documented formulas, on dense matrices, for one configuration.
double tile_formula(const ModelOptions& options, const NetGraph& graph, const Weights& w,
                    const NetData<double>& data, std::int64_t c) {
  Dense h = node_inputs(options, data, w);
  const Row config = config_row(options, data, w, c);
  if (options.join == Join::kEarly) {
    for (Row& row : h) row = join(row, config);
  }
  const Dense a = adjacency(graph);
  const std::size_t n = h.size();
  if (options.arch == Arch::kTileResGcn) {
    for (Row& row : h) row = w.linear("encode", row);
  }
  for (int k = 0; k < options.num_layers; ++k) {
    const std::string name = "layers." + std::to_string(k);
    if (options.arch == Arch::kTileMlp) {
      for (Row& row : h) row = leaky(w.linear(name, row), 0.2);
    } else if (options.arch == Arch::kTileSage) {
      const Dense mixed = times(along(a, options.direction), h);
      for (std::size_t i = 0; i < n; ++i) h[i] = l2(leaky(w.linear(name + ".lin", join(mixed[i], h[i])), 0.2));
    } else {
      Dense normalized = add(a, identity(n));
      for (Row& row : normalized) row = (1 / std::accumulate(row.begin(), row.end(), 0.0)) * row;
      Dense y = h;
      for (Row& row : y) row = leaky(row, 0.2);
      const Dense mixed = add(times(along(normalized, options.direction), y), y);
      for (std::size_t i = 0; i < n; ++i) h[i] = h[i] + w.mlp(name, mixed[i], 2, 0.01);
    }
  }
  Row pooled = sum_of(h, h[0].size());
  if (options.join == Join::kLate) pooled = join(pooled, config);
  return w.mlp("head", pooled, 3, 0.01)[0];
}

TEST_CASE("TileNet computes the documented formulas") {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_tile_net(5, [&](const ModelOptions& options) {
      CHECK(difference_to<TileNet>(options, graph,
                                   [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
                                     return tile_formula(options, graph, w, data, c);
                                   }) < 1e-12);
    });
  }
}

TEST_CASE("configs together have the bits of each alone") {
  const NetData<float> data(hub_net_graph(), Task::kTile, 11);
  for_each_tile_net(19, [&](const ModelOptions& options) {
    const std::vector<float> together = run_net<TileNet>(options, data, 0, 11);
    REQUIRE(together.size() == 11);
    for (const std::int64_t chunk : {1, 2, 3, 8}) {
      std::vector<float> parts;
      for (std::int64_t c = 0; c < 11; c += chunk) {
        const std::vector<float> part =
            run_net<TileNet>(options, data, c, std::min<std::int64_t>(chunk, 11 - c));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      CHECK(parts == together);
    }
  });
}

TEST_CASE("the score depends on the config, early and late, and not in the same way") {
  for (const Arch arch : kTileArchs) {
    const std::vector<float> early =
        run_net<TileNet>(net_options(arch, Join::kEarly, Direction::kBoth), hub_net_graph());
    const std::vector<float> late =
        run_net<TileNet>(net_options(arch, Join::kLate, Direction::kBoth), hub_net_graph());
    CHECK((early[0] != early[1] && early[1] != early[2]));
    CHECK((late[0] != late[1] && late[1] != late[2]));
    CHECK(early != late);
  }
}

TEST_CASE("tile-mlp sees no edges, the others do") {
  for_each_tile_net(5, [&](const ModelOptions& options) {
    const bool same = run_net<TileNet>(options, hub_net_graph()) ==
                      run_net<TileNet>(options, hub_net_graph().without_edges());
    CHECK(same == (options.arch == Arch::kTileMlp));
  });
}

TEST_CASE("along the reverse direction tile-sage sees the transposed graph") {
  for (const Join join : kJoins) {
    const ModelOptions forward = net_options(Arch::kTileSage, join, Direction::kForward);
    const ModelOptions reverse = net_options(Arch::kTileSage, join, Direction::kReverse);
    const NetGraph graph = hub_net_graph();
    CHECK(run_net<TileNet>(reverse, graph) == run_net<TileNet>(forward, graph.transposed()));
    CHECK(run_net<TileNet>(reverse, graph) != run_net<TileNet>(forward, graph));
  }
}

TEST_CASE("dropout changes a training pass and no other") {
  for (const Arch arch : kTileArchs) {
    ModelOptions options = net_options(arch, Join::kEarly, Direction::kBoth);
    const std::vector<float> without = run_net<TileNet>(options, hub_net_graph());
    options.dropout = 0.5;
    CHECK(run_net<TileNet>(options, hub_net_graph()) == without);
    ParamSpec spec;
    const TileNet net(spec, options, kNodeFeatures, kConfigFeatures);
    Parameters<float> parameters(spec, 5);
    const NetData<float> data(hub_net_graph(), Task::kTile, 3);
    Tape tape;
    tape.bind(spec, parameters);
    CHECK(tape.value(net.forward(tape, data.input()))(0, 0) != without[0]);
  }
}

}  // namespace
}  // namespace mlgraph
