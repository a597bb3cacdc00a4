// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/model/layout_net.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "long_tests.hpp"
#include "model/net_fixture.hpp"
#include "model/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

constexpr Arch kLayoutArchs[] = {Arch::kLayoutResGcn, Arch::kLayoutSage};

/// Calls `f(options)` for every architecture, join and direction, as they are and with_encodings().
template <class F>
void for_each_layout_net(std::int64_t hidden, F&& f) {
  for (const Arch arch : kLayoutArchs) {
    for (const Join join : kJoins) {
      for (const Direction direction : kDirections) {
        INFO(arch_name(arch), ", join ", static_cast<int>(join), ", direction ", static_cast<int>(direction));
        const ModelOptions options = net_options(arch, join, direction, hidden);
        f(options);
        if (join == Join::kLate) {
          ModelOptions layers = options;
          layers.config_layers = 2;
          INFO("with config layers");
          f(layers);
        }
        INFO("with encodings");
        f(with_encodings(options));
      }
    }
  }
}

std::vector<std::string> layout_tensors(Arch arch, Join join) {
  ParamSpec spec;
  const LayoutNet net(spec, net_options(arch, join, Direction::kBoth), kNodeFeatures, kConfigFeatures);
  return tensor_list(spec);
}

TEST_CASE("the tensors of LayoutNet have these names and shapes") {
  using Names = std::vector<std::string>;
  CHECK(layout_tensors(Arch::kLayoutResGcn, Join::kEarly) ==
        Names{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)", "layers.0.lin.weight (5, 5)",
              "layers.0.lin.bias (5)", "layers.0.config.weight (5, 2)", "layers.1.lin.weight (5, 5)",
              "layers.1.lin.bias (5)", "layers.1.config.weight (5, 2)", "head.lins.0.weight (5, 15)",
              "head.lins.1.weight (1, 5)"});
  CHECK(layout_tensors(Arch::kLayoutSage, Join::kEarly) ==
        Names{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)", "config.weight (5, 2)",
              "layers.0.lin_l.weight (5, 5)", "layers.0.lin_l.bias (5)", "layers.0.lin_r.weight (5, 5)",
              "layers.1.lin_l.weight (5, 5)", "layers.1.lin_l.bias (5)", "layers.1.lin_r.weight (5, 5)",
              "head.lins.0.weight (5, 15)", "head.lins.1.weight (1, 5)"});
  CHECK(layout_tensors(Arch::kLayoutResGcn, Join::kLate) ==
        Names{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)", "layers.0.lin.weight (5, 5)",
              "layers.0.lin.bias (5)", "layers.1.lin.weight (5, 5)", "layers.1.lin.bias (5)",
              "node.weight (5, 5)", "node.bias (5)", "config.weight (5, 2)", "head.lins.0.weight (5, 5)",
              "head.lins.0.bias (5)", "head.lins.1.weight (1, 5)", "head.lins.1.bias (1)"});
}

TEST_CASE("LayoutNet's gradients are right for every architecture, join, direction and encoding" * testing::kLong) {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_layout_net(4, [&](const ModelOptions& options) {
      const Status status = check_net<LayoutNet>(options, graph);
      CHECK_MESSAGE(status.ok(), status.message());
    });
  }
}

/// D^-1/2 (B + I) D^-1/2 with D the row sums of B + I.
Dense gcn_matrix(const Dense& b) {
  Dense m = add(b, identity(b.size()));
  Row degree;
  for (const Row& row : m) degree.push_back(std::accumulate(row.begin(), row.end(), 0.0));
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < m.size(); ++j) m[i][j] /= std::sqrt(degree[i] * degree[j]);
  }
  return m;
}

/// The graph layers; `config[v]` is the config row of node v, empty where it has none.
Dense layers(const ModelOptions& options, const NetGraph& graph, const Weights& w, Dense h,
             const Dense& config) {
  const Dense b = along(adjacency(graph), options.direction);
  const bool sage = options.arch == Arch::kLayoutSage;
  for (std::size_t v = 0; sage && v < h.size(); ++v) {
    if (options.join == Join::kLate) break;
    h[v] = leaky(config[v].empty() ? h[v] : h[v] + w.linear("config", config[v]), 0);
  }
  for (int k = 0; k < options.num_layers; ++k) {
    const std::string name = "layers." + std::to_string(k);
    if (sage) {
      Dense mean = times(b, h);
      for (std::size_t v = 0; v < h.size(); ++v) {
        const double degree = std::accumulate(b[v].begin(), b[v].end(), 0.0);
        if (degree > 0) mean[v] = (1 / degree) * mean[v];
      }
      for (std::size_t v = 0; v < h.size(); ++v) {
        h[v] = h[v] + leaky(w.linear(name + ".lin_l", mean[v]) + w.linear(name + ".lin_r", h[v]), 0);
      }
    } else {
      Dense y;
      for (std::size_t v = 0; v < h.size(); ++v) {
        Row z = w.linear(name + ".lin", h[v]);
        if (!config[v].empty()) z = z + w.linear(name + ".config", config[v]);
        y.push_back(leaky(z, 0.2));
      }
      h = add(h, times(gcn_matrix(b), y));
    }
  }
  return h;
}

/// The documented formulas, on dense matrices, for one configuration.
double layout_formula(const ModelOptions& options, const NetGraph& graph, const Weights& w,
                      const NetData<double>& data, std::int64_t c) {
  Dense h = node_inputs(options, data, w);
  for (Row& row : h) row = leaky(w.linear("encode", row), 0.2);
  const std::size_t width = h[0].size();
  Dense config(h.size());
  if (options.join == Join::kEarly) {
    if (options.config_encoding == ConfigEncoding::kEmbedding) {  // what cannot be configured is class 0
      const std::vector<std::int32_t> none(kConfigFeatures, 0);
      config.assign(h.size(), layout_rows(w, none.data(), kConfigFeatures));
    }
    for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
      config[static_cast<std::size_t>(graph.config_node[k])] =
          config_row(options, data, w, c, static_cast<std::int64_t>(k));
    }
    h = layers(options, graph, w, h, config);
    Dense configurable;
    for (const std::int32_t v : graph.config_node) configurable.push_back(h[static_cast<std::size_t>(v)]);
    const Row sum = sum_of(h, width);
    const Row mean = (1 / static_cast<double>(h.size())) * sum;
    return w.mlp("head", join(join(mean, l2(sum)), l2(sum_of(configurable, width))), 2, 0.01)[0];
  }
  h = layers(options, graph, w, h, config);
  Dense z;
  for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
    const Row& node = h[static_cast<std::size_t>(graph.config_node[k])];
    const Row own = config_row(options, data, w, c, static_cast<std::int64_t>(k));
    Row sum = w.linear("node", node) + w.linear("config", own);
    if (options.config_layers > 0) {
      const Row gate = w.linear("gate", node), gated = w.linear("config_gate", own);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += gate[i] * gated[i];
    }
    z.push_back(leaky(sum, 0));
  }
  for (int layer = 0; layer < options.config_layers && !z.empty(); ++layer) {
    const std::string name = "config_layers." + std::to_string(layer);
    const Row mean = (1 / static_cast<double>(z.size())) * sum_of(z, width);
    for (Row& row : z) row = row + leaky(w.linear(name + ".lin_l", row) + w.linear(name + ".lin_r", mean), 0);
  }
  double score = 0;
  for (const Row& row : z) score += w.mlp("head", row, 2, 0)[0];
  return score;
}

TEST_CASE("LayoutNet computes the documented formulas") {
  for (const NetGraph& graph : small_net_graphs()) {
    for_each_layout_net(5, [&](const ModelOptions& options) {
      CHECK(difference_to<LayoutNet>(options, graph,
                                     [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
                                       return layout_formula(options, graph, w, data, c);
                                     }) < 1e-12);
    });
  }
}

TEST_CASE("configs together have the bits of each alone") {
  const NetData<float> data(hub_net_graph(), Task::kLayout, 11);
  for_each_layout_net(19, [&](const ModelOptions& options) {
    const std::vector<float> together = run_net<LayoutNet>(options, data, 0, 11);
    REQUIRE(together.size() == 11);
    for (const std::int64_t chunk : {1, 2, 3, 8}) {
      std::vector<float> parts;
      for (std::int64_t c = 0; c < 11; c += chunk) {
        const std::vector<float> part =
            run_net<LayoutNet>(options, data, c, std::min<std::int64_t>(chunk, 11 - c));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      CHECK(parts == together);
    }
  });
}

TEST_CASE("the score depends on the layouts, early and late, and not in the same way") {
  for (const Arch arch : kLayoutArchs) {
    const std::vector<float> early =
        run_net<LayoutNet>(net_options(arch, Join::kEarly, Direction::kBoth), hub_net_graph());
    const std::vector<float> late =
        run_net<LayoutNet>(net_options(arch, Join::kLate, Direction::kBoth), hub_net_graph());
    CHECK((early[0] != early[1] && early[1] != early[2]));
    CHECK((late[0] != late[1] && late[1] != late[2]));
    CHECK(early != late);
  }
}

TEST_CASE("without configurable nodes all configs score the same") {
  const NetGraph graph = {3, {0, 1}, {1, 2}, {}};
  for_each_layout_net(5, [&](const ModelOptions& options) {
    const std::vector<float> scores = run_net<LayoutNet>(options, graph);
    REQUIRE(scores.size() == 3);
    CHECK((scores[0] == scores[1] && scores[1] == scores[2]));
    CHECK((scores[0] == 0) == (options.join == Join::kLate));
  });
}

TEST_CASE("the edges matter, and along the reverse direction the transposed graph is seen") {
  for (const Arch arch : kLayoutArchs) {
    for (const Join join : kJoins) {
      const ModelOptions forward = net_options(arch, join, Direction::kForward);
      const ModelOptions reverse = net_options(arch, join, Direction::kReverse);
      const NetGraph graph = hub_net_graph();
      CHECK(run_net<LayoutNet>(reverse, graph) == run_net<LayoutNet>(forward, graph.transposed()));
      CHECK(run_net<LayoutNet>(reverse, graph) != run_net<LayoutNet>(forward, graph));
      CHECK(run_net<LayoutNet>(forward, graph) != run_net<LayoutNet>(forward, graph.without_edges()));
    }
  }
}

/// A program of 40 nodes: most operands are recent, some are far; a halo of the last five.
NetGraph shared_net_graph() {
  NetGraph graph{40, {}, {}, {33, 4, 17, 38}};
  Rng rng(21);
  for (std::int32_t v = 1; v < 40; ++v) {
    for (std::uint64_t i = rng.below(3); i > 0; --i) {
      graph.source.push_back(v - 1 -
                             static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(std::min(v, 9)))) *
                                 static_cast<std::int32_t>(i > 1));
      graph.target.push_back(v);
      if (graph.source.back() == v - 1) break;
    }
  }
  return graph;
}

/// Scores, and the gradient of a random function of them, with the rows shared or not.
template <class T>
struct NetRun {
  std::vector<T> score, grad;
  std::size_t bytes = 0;

  NetRun(const ModelOptions& options, const NetGraph& graph, std::int64_t configs, bool shared, bool halo) {
    ParamSpec spec;
    const LayoutNet net(spec, options, kNodeFeatures, kConfigFeatures);
    Parameters<T> parameters(spec, 5);
    const NetData<T> data(graph, Task::kLayout, configs);
    NetInput<T> in = data.input();
    if (halo) {
      in.num_halo = 5;  // node 38, configurable, is one of them
      in.num_halo_config = 1;
    }
    const SharedRows plan =
        SharedRows::make(in.edges.along(options.direction), in.config_node, options.num_layers);
    if (shared) in.shared = &plan;
    Context<T, Mode::kRecord> tape;
    tape.bind(spec, parameters);
    const Var y = net.forward(tape, in);
    Rng rng(3);
    std::vector<T> factor(static_cast<std::size_t>(configs));
    for (T& f : factor) f = static_cast<T>(rng.uniform(-1, 1));
    const Status status = tape.backward(tape.sum(tape.scale_rows(y, factor)));
    REQUIRE_MESSAGE(status.ok(), status.message());
    score.assign(tape.value(y).data, tape.value(y).data + configs);
    grad.assign(parameters.grad.begin(), parameters.grad.end());
    bytes = tape.peak_bytes();
  }
};

TEST_CASE("sharing rows leaves every bit of the scores, and the gradients") {
  const NetGraph graph = shared_net_graph();
  for_each_layout_net(7, [&](const ModelOptions& options) {
    if (options.join == Join::kLate) return;
    for (const bool halo : {false, true}) {
      for (const std::int64_t configs : {1, 2, 9}) {
        const NetRun<float> own(options, graph, configs, false, halo);
        const NetRun<float> shared(options, graph, configs, true, halo);
        CHECK(shared.score == own.score);
        CHECK((own.score[0] != own.score.back() || configs == 1));

        const NetRun<double> right(options, graph, configs, false, halo);
        const NetRun<double> near(options, graph, configs, true, halo);
        CHECK(near.score == right.score);
        double largest = 0;
        double worst = 0;
        for (std::size_t i = 0; i < right.grad.size(); ++i) {
          largest = std::max(largest, std::abs(right.grad[i]));
          worst = std::max(worst, std::abs(right.grad[i] - near.grad[i]));
        }
        CHECK(largest > 0);
        CHECK(worst <= 1e-12 * largest);
      }
    }
  });
}

TEST_CASE("shared rows take less memory") {
  const NetGraph graph = shared_net_graph();
  const ModelOptions options = net_options(Arch::kLayoutSage, Join::kEarly, Direction::kForward, 8);
  const NetRun<float> own(options, graph, 32, false, false);
  const NetRun<float> shared(options, graph, 32, true, false);
  CHECK(shared.bytes < own.bytes);
}

}  // namespace
}  // namespace mlgraph
