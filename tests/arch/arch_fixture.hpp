// SPDX-License-Identifier: Apache-2.0
// What the tests of the dataset's networks share: every option, and what holds for each network.
#ifndef MLGRAPH_TESTS_ARCH_ARCH_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_ARCH_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "cost/net_fixture.hpp"

namespace mlgraph::testing {

template <class Options, class = void>
struct HasConfigLayers : std::false_type {};
template <class Options>
struct HasConfigLayers<Options, std::void_t<decltype(Options::config_layers)>> : std::true_type {};

/// Calls `f(options)` for every direction, as they are, where there are such with config layers, and
/// with_encodings().
template <class N, class F>
void for_each_net_options(std::int64_t hidden, F&& f) {
  for (const Direction direction : kAllDirections) {
    INFO(N::kName, ", direction ", static_cast<int>(direction));
    const auto options = net_options_of<N>(direction, hidden);
    f(options);
    if constexpr (HasConfigLayers<typename N::Options>::value) {
      auto layers = options;
      layers.config_layers = 2;
      INFO("with config layers");
      f(layers);
    }
    INFO("with encodings");
    f(with_encodings(options, plan_of<N>(options).takes_nodes()));
  }
}

template <class N>
void check_gradients() {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_net_options<N>(4, [&](const auto& options) {
      const Status status = net_gradients<N>(options, graph);
      CHECK_MESSAGE(status.ok(), status.message());
    });
  }
}

template <class N>
void check_configs_alone() {
  const NetData<float> data(hub_net_graph(), plan_of<N>(net_options_of<N>()), 11);
  for_each_net_options<N>(19, [&](const auto& options) {
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

/// The score depends on the configuration, early and late, and not in the same way.
template <class Early, class Late>
void check_joins() {
  const std::vector<float> early = run_net<Early>(net_options_of<Early>(), hub_net_graph());
  const std::vector<float> late = run_net<Late>(net_options_of<Late>(), hub_net_graph());
  CHECK((early[0] != early[1] && early[1] != early[2]));
  CHECK((late[0] != late[1] && late[1] != late[2]));
  CHECK(early != late);
}

/// Whether the scores depend on the edges.
template <class N>
void check_sees_edges(bool sees) {
  for_each_net_options<N>(5, [&](const auto& options) {
    const bool same =
        run_net<N>(options, hub_net_graph()) == run_net<N>(options, hub_net_graph().without_edges());
    CHECK(same != sees);
  });
}

/// Along the reverse direction the transposed graph is seen.
template <class N>
void check_transposed() {
  const auto forward = net_options_of<N>(Direction::kForward), reverse = net_options_of<N>(Direction::kReverse);
  const NetGraph graph = hub_net_graph();
  CHECK(run_net<N>(reverse, graph) == run_net<N>(forward, graph.transposed()));
  CHECK(run_net<N>(reverse, graph) != run_net<N>(forward, graph));
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_ARCH_FIXTURE_HPP
