// SPDX-License-Identifier: Apache-2.0
// What the tests of the winners share: their layers in double, and what holds for each.
#ifndef MLGRAPH_TESTS_ARCH_WINNER_FIXTURE_HPP
#define MLGRAPH_TESTS_ARCH_WINNER_FIXTURE_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "cost/net_fixture.hpp"
#include "mlgraph/arch/winner_layers.hpp"

namespace mlgraph::testing {

template <class N>
typename N::Options winner_net_options(Direction direction = Direction::kReverse) {
  auto options = net_options_of<N>(direction, 6);
  options.node_encoding.embed_layout = true;
  options.layout_channels = 2;
  options.dropout = 0;
  return options;
}

// ---- the formula, written down once more --------------------------------------------------------------------

inline double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
inline Row gelu(Row row) {
  for (double& v : row) v = gelu(v);
  return row;
}

inline Dense instance_norm(const Dense& x) {
  Dense y = x;
  const auto n = static_cast<double>(x.size());
  for (std::size_t k = 0; k < x[0].size(); ++k) {
    double mean = 0, square = 0;
    for (const Row& row : x) mean += row[k] / n;
    for (const Row& row : x) square += (row[k] - mean) * (row[k] - mean) / n;
    for (Row& row : y) row[k] = (row[k] - mean) / std::sqrt(square + 1e-5);
  }
  return y;
}

inline Row squeeze(const Weights& w, const std::string& name, const Row& x) {
  const Row gate = w.linear(name + ".squeeze.lin2", leaky(w.linear(name + ".squeeze.lin1", x), 0));
  Row y = x;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= 1 / (1 + std::exp(-gate[i]));
  return y;
}

using PerConfig = std::vector<Dense>;

/// SE, and with CCA beside it.
inline PerConfig gate(bool compares, const Weights& w, const std::string& name, PerConfig z) {
  for (Dense& nodes : z) {
    for (Row& row : nodes) row = squeeze(w, name, row);
  }
  if (!compares) return z;
  const double temperature = w.row(name + ".attention.temperature", 0)[0];
  PerConfig y = z;
  for (std::size_t n = 0; n < z[0].size(); ++n) {
    for (std::size_t k = 0; k < z[0][0].size(); ++k) {
      double total = 0;
      for (const Dense& nodes : z) total += std::exp(nodes[n][k] / temperature);
      for (std::size_t c = 0; c < z.size(); ++c)
        y[c][n].push_back(z[c][n][k] * std::exp(z[c][n][k] / temperature) / total);
    }
  }
  return y;
}

/// x_i -> W_l mean of neighbours + b + W_r x_i.
inline Dense sage(const InputOptions& options, const NetGraph& graph, const Weights& w, const std::string& name,
                  const Dense& x) {
  const Dense a = along(adjacency(graph), options.direction);
  Dense y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Row mean(x[0].size(), 0.0);
    const double degree = std::accumulate(a[i].begin(), a[i].end(), 0.0);
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (degree > 0) mean = mean + (a[i][j] / degree) * x[j];
    }
    y.push_back(w.linear(name + ".lin_l", mean) + w.linear(name + ".lin_r", x[i]));
  }
  return y;
}

/// What the layers make of the rows W x + b [+ V config] of each configuration, or of the graph alone.
inline PerConfig winner_layers(const WinnerOptions& options, bool compares, const NetGraph& graph,
                               const Weights& w, PerConfig x) {
  const auto each = [&](auto&& f) {
    for (Dense& nodes : x) nodes = f(nodes);
  };
  const auto activate = [&] {
    each([](Dense nodes) {
      for (Row& row : nodes) row = gelu(row);
      return nodes;
    });
  };
  each([](const Dense& nodes) { return instance_norm(nodes); });
  x = gate(compares, w, "encode.0", x);
  activate();
  each([&](const Dense& nodes) {
    Dense z;
    for (const Row& row : nodes) z.push_back(w.linear("encode.1", row));
    return instance_norm(z);
  });
  x = gate(compares, w, "encode.1", x);
  activate();
  const PerConfig first = x;
  for (int layer = 0; layer < options.num_layers; ++layer) {
    const std::string name = "layers." + std::to_string(layer);
    PerConfig z;
    for (const Dense& nodes : x) z.push_back(sage(options, graph, w, name, instance_norm(nodes)));
    z = gate(compares, w, name, z);
    for (std::size_t c = 0; c < x.size(); ++c) {
      x[c] = add(z[c], x[c]);
      if (options.initial_residual) x[c] = add(x[c], first[c]);
    }
    activate();
  }
  return x;
}

/// Scores of the configurations in the order `ids`, which are scored together.
template <class N>
std::vector<double> scores_together(const typename N::Options& options, const std::vector<std::int32_t>& ids) {
  ParamSpec spec;
  const NetOnContext<N, DoubleTape> net(spec, options, kNetWidths);
  Parameters<double> parameters = random_parameters(spec);
  const NetData<double> all(hub_net_graph(), net.plan(), 9);
  NetData<double> some = all;
  some.config.clear();
  some.config_class.clear();
  const std::int64_t size = all.rows_per_config * kConfigFeatures;
  for (const std::int32_t id : ids) {
    const std::ptrdiff_t begin = id * size;
    some.config.insert(some.config.end(), all.config.begin() + begin, all.config.begin() + begin + size);
    some.config_class.insert(some.config_class.end(), all.config_class.begin() + begin,
                             all.config_class.begin() + begin + size);
  }
  some.num_configs = static_cast<std::int64_t>(ids.size());
  DoubleTape tape;
  tape.bind(spec, parameters);
  tape.set_training(false);
  const Var y = score_net<DoubleTape>(net, tape, net.plan(), some.input());
  REQUIRE(tape.rows(y) == some.num_configs);
  return {tape.value(y).data, tape.value(y).data + ids.size()};
}

/// Permuting the configs permutes the scores, and who is beside a config matters only where they are compared.
template <class N>
void check_permuted(const typename N::Options& options) {
  const std::vector<std::int32_t> in_order = {0, 1, 2, 3, 4, 5, 6, 7, 8},
                                  shuffled = {4, 8, 0, 2, 7, 1, 6, 3, 5}, some = {0, 1, 2, 3};
  const std::vector<double> a = scores_together<N>(options, in_order),
                            b = scores_together<N>(options, shuffled), c = scores_together<N>(options, some);
  for (std::size_t i = 0; i < shuffled.size(); ++i)
    CHECK(b[i] == doctest::Approx(a[static_cast<std::size_t>(shuffled[i])]).epsilon(1e-12));
  const bool alone = std::abs(c[0] - a[0]) < 1e-12;
  CHECK(alone == !plan_of<N>(options).compares_configs());
  CHECK(std::abs(a[0] - a[1]) > 1e-9);
}

/// Edges matter along the chosen direction.
template <class N>
void check_winner_edges(typename N::Options forward, typename N::Options reverse) {
  forward.direction = Direction::kForward;
  reverse.direction = Direction::kReverse;
  const NetGraph graph = hub_net_graph();
  CHECK(run_net<N>(reverse, graph) == run_net<N>(forward, graph.transposed()));
  CHECK(run_net<N>(reverse, graph) != run_net<N>(forward, graph));
  CHECK(run_net<N>(reverse, graph) != run_net<N>(reverse, graph.without_edges()));
}

/// The settings of the winning solution.
inline void check_winner_defaults(const WinnerOptions& options) {
  CHECK(options.direction == Direction::kReverse);
  CHECK((options.hidden_channels == 256 && options.num_layers == 2 && options.opcode_channels == 16));
  CHECK(options.dropout == 0.2);
  CHECK(options.node_scaling == Scaling::kStandard);
  CHECK((options.node_encoding.embed_layout && options.layout_channels == 4));
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_ARCH_WINNER_FIXTURE_HPP
