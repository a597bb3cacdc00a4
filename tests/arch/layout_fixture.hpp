// SPDX-License-Identifier: Apache-2.0
// What the tests of the layout networks share: every option, the graph layers in double, what holds for each.
#ifndef MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
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
void for_each_layout_options(std::int64_t hidden, F&& f) {
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
    f(with_encodings(options, true));
  }
}

template <class N>
void check_layout_gradients() {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_layout_options<N>(4, [&](const auto& options) {
      const Status status = net_gradients<N>(options, graph);
      CHECK_MESSAGE(status.ok(), status.message());
    });
  }
}

// ---- the formulas, on dense matrices, for one configuration
// -----------------------------------------------------

/// D^-1/2 (B + I) D^-1/2 with D the row sums of B + I.
inline Dense gcn_matrix(const Dense& b) {
  Dense m = add(b, identity(b.size()));
  Row degree;
  for (const Row& row : m) degree.push_back(std::accumulate(row.begin(), row.end(), 0.0));
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < m.size(); ++j) m[i][j] /= std::sqrt(degree[i] * degree[j]);
  }
  return m;
}

/// h after encoding.
inline Dense encoded(const InputOptions& options, const NetData<double>& data, const Weights& w) {
  Dense h = node_inputs(options, data, w);
  for (Row& row : h) row = leaky(w.linear("encode", row), 0.2);
  return h;
}

/// The config row of each node, empty where it has none: what cannot be configured is class 0.
inline Dense config_of_nodes(const InputOptions& options, const NetGraph& graph, const Weights& w,
                             const NetData<double>& data, std::int64_t c) {
  Dense config(static_cast<std::size_t>(graph.num_nodes));
  if (options.config_encoding == ConfigEncoding::kEmbedding) {
    const std::vector<std::int32_t> none(kConfigFeatures, 0);
    config.assign(config.size(), layout_rows(w, none.data(), kConfigFeatures));
  }
  for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
    config[static_cast<std::size_t>(graph.config_node[k])] =
        config_row(options, data, w, c, static_cast<std::int64_t>(k));
  }
  return config;
}

/// The layers of GraphSAGE.
inline Dense sage_layers(const InputOptions& options, std::int64_t num_layers, const NetGraph& graph,
                         const Weights& w, Dense h) {
  const Dense b = along(adjacency(graph), options.direction);
  for (int k = 0; k < num_layers; ++k) {
    const std::string name = "layers." + std::to_string(k);
    Dense mean = times(b, h);
    for (std::size_t v = 0; v < h.size(); ++v) {
      const double degree = std::accumulate(b[v].begin(), b[v].end(), 0.0);
      if (degree > 0) mean[v] = (1 / degree) * mean[v];
    }
    for (std::size_t v = 0; v < h.size(); ++v)
      h[v] = h[v] + leaky(w.linear(name + ".lin_l", mean[v]) + w.linear(name + ".lin_r", h[v]), 0);
  }
  return h;
}

/// Those of the residual GCN; `config[v]` is the config row of node v, empty where it has none.
inline Dense resgcn_layers(const InputOptions& options, std::int64_t num_layers, const NetGraph& graph,
                           const Weights& w, Dense h, const Dense& config) {
  const Dense matrix = gcn_matrix(along(adjacency(graph), options.direction));
  for (int k = 0; k < num_layers; ++k) {
    const std::string name = "layers." + std::to_string(k);
    Dense y;
    for (std::size_t v = 0; v < h.size(); ++v) {
      Row z = w.linear(name + ".lin", h[v]);
      if (!config[v].empty()) z = z + w.linear(name + ".config", config[v]);
      y.push_back(leaky(z, 0.2));
    }
    h = add(h, times(matrix, y));
  }
  return h;
}

/// The read-out of the networks that join early.
inline double layout_readout(const NetGraph& graph, const Weights& w, const Dense& h) {
  const std::size_t width = h[0].size();
  Dense configurable;
  for (const std::int32_t v : graph.config_node) configurable.push_back(h[static_cast<std::size_t>(v)]);
  const Row sum = sum_of(h, width);
  const Row mean = (1 / static_cast<double>(h.size())) * sum;
  return w.mlp("head", join(join(mean, l2(sum)), l2(sum_of(configurable, width))), 2, 0.01)[0];
}

/// `formula(options, graph, weights, data, c)` is the score.
template <class N, class Formula>
void check_layout_formula(const Formula& formula) {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_layout_options<N>(5, [&](const auto& options) {
      CHECK(
          difference_to<N>(options, graph, [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
            return formula(options, graph, w, data, c);
          }) < 1e-12);
    });
  }
}

// ---- what holds for each
// ----------------------------------------------------------------------------------------

template <class N>
void check_layout_configs_alone() {
  const NetData<float> data(hub_net_graph(), plan_of<N>(net_options_of<N>()), 11);
  for_each_layout_options<N>(19, [&](const auto& options) {
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

/// The score depends on the layouts, early and late, and not in the same way.
template <class Early, class Late>
void check_layout_joins() {
  const std::vector<float> early = run_net<Early>(net_options_of<Early>(), hub_net_graph());
  const std::vector<float> late = run_net<Late>(net_options_of<Late>(), hub_net_graph());
  CHECK((early[0] != early[1] && early[1] != early[2]));
  CHECK((late[0] != late[1] && late[1] != late[2]));
  CHECK(early != late);
}

/// Without configurable nodes all configs score the same; late it is 0.
template <class N>
void check_nothing_to_configure(bool is_zero) {
  const NetGraph graph = {3, {0, 1}, {1, 2}, {}};
  for_each_layout_options<N>(5, [&](const auto& options) {
    const std::vector<float> scores = run_net<N>(options, graph);
    REQUIRE(scores.size() == 3);
    CHECK((scores[0] == scores[1] && scores[1] == scores[2]));
    CHECK((scores[0] == 0) == is_zero);
  });
}

/// The edges matter, and along the reverse direction the transposed graph is seen.
template <class N>
void check_layout_edges() {
  const auto forward = net_options_of<N>(Direction::kForward), reverse = net_options_of<N>(Direction::kReverse);
  const NetGraph graph = hub_net_graph();
  CHECK(run_net<N>(reverse, graph) == run_net<N>(forward, graph.transposed()));
  CHECK(run_net<N>(reverse, graph) != run_net<N>(forward, graph));
  CHECK(run_net<N>(forward, graph) != run_net<N>(forward, graph.without_edges()));
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP
