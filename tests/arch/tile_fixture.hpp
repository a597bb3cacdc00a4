// SPDX-License-Identifier: Apache-2.0
// What the tests of the tile networks share: their formula, and dropout.
#ifndef MLGRAPH_TESTS_ARCH_TILE_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_TILE_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "arch/arch_fixture.hpp"
#include "cost/net_fixture.hpp"

namespace mlgraph::testing {

/// `layers(h, options, graph, weights)` makes the nodes that are summed from their inputs.
template <class N, bool kLate, class Layers>
void check_tile_formula(const Layers& layers) {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_net_options<N>(5, [&](const auto& options) {
      const auto formula = [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
        Dense h = node_inputs(options, data, w);
        const Row config = config_row(options, data, w, c);
        for (Row& row : h) {
          if (!kLate) row = join(row, config);
        }
        h = layers(h, options, graph, w);
        Row pooled = sum_of(h, h[0].size());
        if (kLate) pooled = join(pooled, config);
        return w.mlp("head", pooled, 3, 0.01)[0];
      };
      CHECK(difference_to<N>(options, graph, formula) < 1e-12);
    });
  }
}

/// Dropout changes a training pass and no other.
template <class N>
void check_tile_dropout() {
  auto options = net_options_of<N>();
  const std::vector<float> without = run_net<N>(options, hub_net_graph());
  options.dropout = 0.5;
  CHECK(run_net<N>(options, hub_net_graph()) == without);
  ParamSpec spec;
  const NetOnContext<N, Tape> net(spec, options, kNetWidths);
  Parameters<float> parameters(spec, 5);
  const NetData<float> data(hub_net_graph(), net.plan(), 3);
  Tape tape;
  tape.bind(spec, parameters);
  CHECK(tape.value(score_net<Tape>(net, tape, net.plan(), data.input()))(0, 0) != without[0]);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_TILE_FIXTURE_HPP
