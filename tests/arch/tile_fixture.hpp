// SPDX-License-Identifier: Apache-2.0
// What the tests of the tile networks share: every option, and what holds for each of them.
#ifndef MLGRAPH_TESTS_ARCH_TILE_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_TILE_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cost/net_fixture.hpp"

namespace mlgraph::testing {

/// Calls `f(options)` for every direction, as they are and with_encodings().
template <class N, class F>
void for_each_tile_options(std::int64_t hidden, F&& f) {
  for (const Direction direction : kAllDirections) {
    INFO(N::kName, ", direction ", static_cast<int>(direction));
    const auto options = net_options_of<N>(direction, hidden);
    f(options);
    INFO("with encodings");
    f(with_encodings(options, false));
  }
}

template <class N>
void check_tile_gradients() {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_tile_options<N>(4, [&](const auto& options) {
      const Status status = net_gradients<N>(options, graph);
      CHECK_MESSAGE(status.ok(), status.message());
    });
  }
}

/// `layers(h, options, graph, weights)` makes the nodes that are summed from their inputs.
template <class N, bool kLate, class Layers>
void check_tile_formula(const Layers& layers) {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_tile_options<N>(5, [&](const auto& options) {
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

template <class N>
void check_tile_configs_alone() {
  const NetData<float> data(hub_net_graph(), plan_of<N>(net_options_of<N>()), 11);
  for_each_tile_options<N>(19, [&](const auto& options) {
    const std::vector<float> together = run_net<N>(options, data, 0, 11);
    REQUIRE(together.size() == 11);
    for (const std::int64_t chunk : {1, 2, 3, 8}) {
      std::vector<float> parts;
      for (std::int64_t c = 0; c < 11; c += chunk) {
        const std::vector<float> part = run_net<N>(options, data, c, std::min<std::int64_t>(chunk, 11 - c));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      CHECK(parts == together);
    }
  });
}

/// The score depends on the config, early and late, and not in the same way.
template <class Early, class Late>
void check_tile_joins() {
  const std::vector<float> early = run_net<Early>(net_options_of<Early>(), hub_net_graph());
  const std::vector<float> late = run_net<Late>(net_options_of<Late>(), hub_net_graph());
  CHECK((early[0] != early[1] && early[1] != early[2]));
  CHECK((late[0] != late[1] && late[1] != late[2]));
  CHECK(early != late);
}

/// Whether the scores depend on the edges.
template <class N>
void check_tile_sees_edges(bool sees) {
  for_each_tile_options<N>(5, [&](const auto& options) {
    const bool same =
        run_net<N>(options, hub_net_graph()) == run_net<N>(options, hub_net_graph().without_edges());
    CHECK(same != sees);
  });
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
