// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/model/winner_net.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "long_tests.hpp"
#include "model/net_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

ModelOptions winner_net_options(Arch arch, std::int64_t config_chunk,
                                Direction direction = Direction::kReverse) {
  ModelOptions options =
      net_options(arch, arch == Arch::kTileWinner ? Join::kLate : Join::kEarly, direction, 6);
  options.node_encoding.embed_layout = true;
  options.layout_channels = 2;
  options.config_chunk = config_chunk;
  options.dropout = 0;
  return options;
}

/// Every kind of winner that there is.
std::vector<ModelOptions> all_options() {
  std::vector<ModelOptions> list;
  for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
    for (const std::int64_t chunk : {std::int64_t{0}, std::int64_t{64}})
      list.push_back(winner_net_options(Arch::kLayoutWinner, chunk, direction));
    list.push_back(winner_net_options(Arch::kTileWinner, 0, direction));
  }
  ModelOptions residual = winner_net_options(Arch::kLayoutWinner, 64);
  residual.initial_residual = true;
  list.push_back(residual);
  residual.node_scores = true;
  list.push_back(residual);
  ModelOptions scaled = winner_net_options(Arch::kLayoutWinner, 64);
  scaled.config_encoding = ConfigEncoding::kScaled;
  scaled.node_encoding.embed_layout = false;
  scaled.segments.readout = SegmentReadout::kScalar;
  list.push_back(scaled);
  ModelOptions tile = winner_net_options(Arch::kTileWinner, 0);
  tile.initial_residual = true;
  list.push_back(tile);
  return list;
}

std::vector<std::string> tensors(const ModelOptions& options) {
  ParamSpec spec;
  const WinnerNet net(spec, options, kNodeFeatures, kConfigFeatures);
  return tensor_list(spec);
}

TEST_CASE("the tensors of WinnerNet have these names and shapes") {
  using Names = std::vector<std::string>;
  ModelOptions options = winner_net_options(Arch::kLayoutWinner, 64);
  options.num_layers = 1;
  CHECK(tensors(options) == Names{"opcode.weight (4, 3)",
                                  "layout.weight (8, 2)",
                                  "encode.0.weight (3, 18)",
                                  "encode.0.bias (3)",
                                  "config.weight (3, 4)",
                                  "encode.0.squeeze.lin1.weight (1, 3)",
                                  "encode.0.squeeze.lin1.bias (1)",
                                  "encode.0.squeeze.lin2.weight (3, 1)",
                                  "encode.0.squeeze.lin2.bias (3)",
                                  "encode.0.attention.temperature (1)",
                                  "encode.1.weight (3, 6)",
                                  "encode.1.bias (3)",
                                  "encode.1.squeeze.lin1.weight (1, 3)",
                                  "encode.1.squeeze.lin1.bias (1)",
                                  "encode.1.squeeze.lin2.weight (3, 1)",
                                  "encode.1.squeeze.lin2.bias (3)",
                                  "encode.1.attention.temperature (1)",
                                  "layers.0.lin_l.weight (3, 6)",
                                  "layers.0.lin_l.bias (3)",
                                  "layers.0.lin_r.weight (3, 6)",
                                  "layers.0.squeeze.lin1.weight (1, 3)",
                                  "layers.0.squeeze.lin1.bias (1)",
                                  "layers.0.squeeze.lin2.weight (3, 1)",
                                  "layers.0.squeeze.lin2.bias (3)",
                                  "layers.0.attention.temperature (1)",
                                  "head.lins.0.weight (1, 6)",
                                  "head.lins.0.bias (1)"});
  // As the winners had it: 246 inputs of 128 channels, 134 features + 18 x 4 + 6 x 4 + 16.
  ModelOptions full = default_options(Arch::kLayoutWinner);
  ParamSpec spec;
  const WinnerNet net(spec, full, 134, 18);
  CHECK(spec.find("encode.0.weight")->param.cols + spec.find("config.weight")->param.cols == 246);
  CHECK(spec.find("encode.0.weight")->param.rows == 128);
  CHECK(spec.find("layers.1.lin_l.weight")->param.cols == 256);
  ParamSpec tile_spec;
  const WinnerNet tile(tile_spec, default_options(Arch::kTileWinner), 134, 24);
  CHECK(tile_spec.find("head.lins.0.weight")->param.cols == 768);
  CHECK(tile_spec.find("config.lins.1.weight")->param.rows == 256);
}

// ---- the formula, written down once more --------------------------------------------------------------------

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
Row gelu(Row row) {
  for (double& v : row) v = gelu(v);
  return row;
}

Dense instance_norm(const Dense& x) {
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

Row squeeze(const Weights& w, const std::string& name, const Row& x) {
  const Row gate = w.linear(name + ".squeeze.lin2", leaky(w.linear(name + ".squeeze.lin1", x), 0));
  Row y = x;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= 1 / (1 + std::exp(-gate[i]));
  return y;
}

using PerConfig = std::vector<Dense>;

/// SE, and with CCA beside it.
PerConfig gate(const ModelOptions& options, const Weights& w, const std::string& name, PerConfig z) {
  for (Dense& nodes : z) {
    for (Row& row : nodes) row = squeeze(w, name, row);
  }
  if (options.config_chunk == 0) return z;
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
Dense sage(const ModelOptions& options, const NetGraph& graph, const Weights& w, const std::string& name,
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

double winner_formula(const ModelOptions& options, const NetGraph& graph, const Weights& w,
                      const NetData<double>& data, std::int64_t config) {
  const bool layout = options.task() == Task::kLayout;
  const Dense inputs = node_inputs(options, data, w);
  PerConfig x;
  for (std::int64_t c = 0; c < (layout ? data.num_configs : 1); ++c) {
    Dense h;
    for (const Row& row : inputs) h.push_back(w.linear("encode.0", row));
    if (layout && options.config_encoding == ConfigEncoding::kEmbedding) {
      const std::vector<std::int32_t> none(kConfigFeatures, 0);
      const Row rest = w.linear("config", layout_rows(w, none.data(), kConfigFeatures));
      for (std::size_t v = 0; v < h.size(); ++v) {
        if (std::find(graph.config_node.begin(), graph.config_node.end(), static_cast<std::int32_t>(v)) ==
            graph.config_node.end())
          h[v] = h[v] + rest;
      }
    }
    for (std::size_t k = 0; layout && k < graph.config_node.size(); ++k) {
      Row& row = h[static_cast<std::size_t>(graph.config_node[k])];
      row = row + w.linear("config", config_row(options, data, w, c, static_cast<std::int64_t>(k)));
    }
    x.push_back(instance_norm(h));
  }
  const auto each = [&](auto&& f) {
    for (Dense& nodes : x) nodes = f(nodes);
  };
  const auto activate = [&] {
    each([](Dense nodes) {
      for (Row& row : nodes) row = gelu(row);
      return nodes;
    });
  };
  x = gate(options, w, "encode.0", x);
  activate();
  each([&](const Dense& nodes) {
    Dense z;
    for (const Row& row : nodes) z.push_back(w.linear("encode.1", row));
    return instance_norm(z);
  });
  x = gate(options, w, "encode.1", x);
  activate();
  const PerConfig first = x;
  for (int layer = 0; layer < options.num_layers; ++layer) {
    const std::string name = "layers." + std::to_string(layer);
    PerConfig z;
    for (const Dense& nodes : x) z.push_back(sage(options, graph, w, name, instance_norm(nodes)));
    z = gate(options, w, name, z);
    for (std::size_t c = 0; c < x.size(); ++c) {
      x[c] = add(z[c], x[c]);
      if (options.initial_residual) x[c] = add(x[c], first[c]);
    }
    activate();
  }
  const auto hidden = static_cast<std::size_t>(options.hidden_channels);
  const Dense& nodes = x[layout ? static_cast<std::size_t>(config) : 0];
  const Row mean = (1 / static_cast<double>(nodes.size())) * sum_of(nodes, hidden);
  if (layout && options.node_scores) {
    double sum = 0;
    for (const Row& row : nodes) sum += w.linear("head.lins.1", gelu(w.linear("head.lins.0", row)))[0];
    return sum;
  }
  if (layout) return w.linear("head.lins.0", mean)[0];
  Row largest = nodes[0];
  for (const Row& row : nodes) {
    for (std::size_t k = 0; k < hidden; ++k) largest[k] = std::max(largest[k], row[k]);
  }
  const Row own =
      w.linear("config.lins.1", gelu(w.linear("config.lins.0", config_row(options, data, w, config))));
  const Row h = gelu(w.linear("head.lins.0", join(own, join(largest, mean))));
  return w.linear("head.lins.2", gelu(w.linear("head.lins.1", h)))[0];
}

TEST_CASE("WinnerNet computes the documented formulas") {
  for (const ModelOptions& options : all_options()) {
    for (const NetGraph& graph : small_net_graphs()) {
      INFO(arch_name(options.arch), ", chunk ", options.config_chunk, ", ", graph.num_nodes, " nodes");
      CHECK(difference_to<WinnerNet>(options, graph,
                                     [&](const Weights& w, const NetData<double>& data, std::int64_t c) {
                                       return winner_formula(options, graph, w, data, c);
                                     }) < 1e-11);
    }
  }
}

TEST_CASE("the gradients of WinnerNet are those of central differences" * testing::kLong) {
  for (ModelOptions options : all_options()) {
    for (const double dropout : {0.0, 0.2}) {
      options.dropout = dropout;
      INFO(arch_name(options.arch), ", chunk ", options.config_chunk, ", dropout ", dropout);
      const Status status = check_net<WinnerNet>(options, hub_net_graph());
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}

/// Scores of the configurations in the order `ids`, which are scored together.
std::vector<double> scores_of(const ModelOptions& options, const std::vector<std::int32_t>& ids) {
  ParamSpec spec;
  const WinnerNet net(spec, options, kNodeFeatures, kConfigFeatures);
  Parameters<double> parameters = random_parameters(spec);
  const NetData<double> all(hub_net_graph(), options.task(), 9);
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
  const Var y = net.forward(tape, some.input());
  REQUIRE(tape.rows(y) == some.num_configs);
  return {tape.value(y).data, tape.value(y).data + ids.size()};
}

TEST_CASE("permuting the configs permutes the scores, and who is beside a config matters only with attention") {
  const std::vector<std::int32_t> in_order = {0, 1, 2, 3, 4, 5, 6, 7, 8},
                                  shuffled = {4, 8, 0, 2, 7, 1, 6, 3, 5}, some = {0, 1, 2, 3};
  for (const ModelOptions& options : all_options()) {
    INFO(arch_name(options.arch), ", chunk ", options.config_chunk);
    const std::vector<double> a = scores_of(options, in_order), b = scores_of(options, shuffled),
                              c = scores_of(options, some);
    for (std::size_t i = 0; i < shuffled.size(); ++i)
      CHECK(b[i] == doctest::Approx(a[static_cast<std::size_t>(shuffled[i])]).epsilon(1e-12));
    const bool alone = std::abs(c[0] - a[0]) < 1e-12;
    CHECK(alone == (options.config_chunk == 0));
    CHECK(std::abs(a[0] - a[1]) > 1e-9);
  }
}

TEST_CASE("a config's entries count at its own node, and edges matter along the chosen direction") {
  for (const Arch arch : {Arch::kLayoutWinner, Arch::kTileWinner}) {
    const std::int64_t chunk = arch == Arch::kLayoutWinner ? 8 : 0;
    const ModelOptions forward = winner_net_options(arch, chunk, Direction::kForward);
    const ModelOptions reverse = winner_net_options(arch, chunk, Direction::kReverse);
    const NetGraph graph = hub_net_graph();
    CHECK(run_net<WinnerNet>(reverse, graph) == run_net<WinnerNet>(forward, graph.transposed()));
    CHECK(run_net<WinnerNet>(reverse, graph) != run_net<WinnerNet>(forward, graph));
    CHECK(run_net<WinnerNet>(reverse, graph) != run_net<WinnerNet>(reverse, graph.without_edges()));
  }
}

TEST_CASE("a halo is read and not pooled") {
  const ModelOptions options = winner_net_options(Arch::kLayoutWinner, 4);
  const NetData<float> data(hub_net_graph(), Task::kLayout, 4);
  ParamSpec spec;
  const WinnerNet net(spec, options, kNodeFeatures, kConfigFeatures);
  const Parameters<float> parameters(spec, 5);
  Eager whole, part;
  whole.bind(spec, Span<const float>(parameters.value));
  part.bind(spec, Span<const float>(parameters.value));
  NetInput<float> in = data.input();
  const Var all = net.embed(whole, in);
  in.num_halo = 2;  // nodes 5 and 6, which is configurable
  in.num_halo_config = 1;
  const Var inner = net.embed(part, in);
  REQUIRE(part.status().ok());
  CHECK(part.rows(inner) == 4);
  CHECK(whole.value(all)(0, 0) != part.value(inner)(0, 0));
  CHECK(net.embedding_channels() == part.cols(inner));
}

}  // namespace
}  // namespace mlgraph
