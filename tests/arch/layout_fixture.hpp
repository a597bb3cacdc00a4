// SPDX-License-Identifier: Apache-2.0
// What the tests of the layout networks share: the graph layers in double.
#ifndef MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "arch/arch_fixture.hpp"
#include "cost/net_fixture.hpp"

namespace mlgraph::testing {

// ---- the formulas, on dense matrices, for one configuration ------------------------------------------------

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
    for_each_net_options<N>(5, [&](const auto& options) {
      CHECK(
          difference_to<N>(options, graph, [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
            return formula(options, graph, w, data, c);
          }) < 1e-12);
    });
  }
}

// ---- what holds for each -----------------------------------------------------------------------------------

/// Without configurable nodes all configs score the same; late it is 0.
template <class N>
void check_nothing_to_configure(bool is_zero) {
  const NetGraph graph = {3, {0, 1}, {1, 2}, {}};
  for_each_net_options<N>(5, [&](const auto& options) {
    const std::vector<float> scores = run_net<N>(options, graph);
    REQUIRE(scores.size() == 3);
    CHECK((scores[0] == scores[1] && scores[1] == scores[2]));
    CHECK((scores[0] == 0) == is_zero);
  });
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_LAYOUT_FIXTURE_HPP
