// SPDX-License-Identifier: Apache-2.0
// What the tests of networks share: inputs on small graphs, runs and gradient checks of a network, and dense
// matrices in double to write its formula down a second time.
#ifndef MLGRAPH_TESTS_COST_NET_FIXTURE_HPP
#define MLGRAPH_TESTS_COST_NET_FIXTURE_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/cost/input_options.hpp"
#include "mlgraph/cost/net_input.hpp"
#include "mlgraph/cost/net_of.hpp"
#include "mlgraph/cost/node_encoder.hpp"
#include "mlgraph/cost/pools.hpp"
#include "mlgraph/cost/run_net.hpp"
#include "mlgraph/graph/csr.hpp"

namespace mlgraph::testing {

inline constexpr std::int64_t kNodeFeatures = 3;
inline constexpr std::int64_t kConfigFeatures = 2;
inline constexpr std::int32_t kOpcodes = 4;
inline constexpr Direction kAllDirections[] = {Direction::kForward, Direction::kReverse, Direction::kBoth};

/// A graph, as lists and as edges, with its configurable nodes.
struct NetGraph {
  std::int32_t num_nodes = 0;
  std::vector<std::int32_t> source, target;
  std::vector<std::int32_t> config_node;

  [[nodiscard]] Edges edges() const {
    EdgeOptions options;
    options.both = true;
    return Edges::from_list(num_nodes, source, target, options).value();
  }
  [[nodiscard]] NetGraph transposed() const { return {num_nodes, target, source, config_node}; }
  [[nodiscard]] NetGraph without_edges() const { return {num_nodes, {}, {}, config_node}; }
};

/// Seven nodes: a hub with five sources, a self edge, node 6 alone; configurable are the hub, a leaf and
/// node 6.
inline NetGraph hub_net_graph() {
  return {7, {0, 1, 2, 4, 5, 0, 0, 1, 2}, {3, 3, 3, 3, 3, 1, 4, 5, 2}, {3, 6, 0}};
}
/// The smallest cases: one of the nodes configurable, none, a single node.
inline std::vector<NetGraph> small_net_graphs() {
  return {
      hub_net_graph(), {3, {0, 1}, {1, 2}, {1}}, {3, {0, 1}, {1, 2}, {}}, {1, {}, {}, {0}}, {1, {}, {}, {}}};
}

/// Random inputs of a network. Config entries do not depend on how many configs there are.
template <class T>
struct NetData {
  Edges edges;
  std::vector<std::int32_t> opcode, config_node;
  std::vector<T> x, config;
  std::vector<std::int32_t> node_layout, config_class;  // of networks that embed them
  std::int64_t num_configs;
  std::int64_t rows_per_config;

  NetData(const NetGraph& graph, const NetPlan& plan, std::int64_t count)
      : edges(graph.edges()),
        num_configs(count),
        rows_per_config(plan.takes_nodes() ? static_cast<std::int64_t>(graph.config_node.size()) : 1) {
    Rng rng(11);
    if (plan.takes_nodes()) config_node = graph.config_node;
    takes_nodes_ = plan.takes_nodes();
    for (std::int32_t v = 0; v < graph.num_nodes; ++v) {
      opcode.push_back(static_cast<std::int32_t>(rng.below(kOpcodes)));
      for (std::int64_t k = 0; k < kNodeFeatures; ++k) x.push_back(static_cast<T>(rng.uniform(-1, 1)));
    }
    for (std::int64_t i = 0; i < count * rows_per_config * kConfigFeatures; ++i) {
      config.push_back(static_cast<T>(rng.uniform(-1, 1)));
      config_class.push_back(static_cast<std::int32_t>(rng.below(kLayoutClasses)));
    }
    for (std::int64_t i = 0; i < 6 * graph.num_nodes; ++i)
      node_layout.push_back(static_cast<std::int32_t>(rng.below(kLayoutClasses)));
  }

  /// Configurations [begin, begin + count).
  [[nodiscard]] NetInput<T> input(std::int64_t begin, std::int64_t count) const {
    NetInput<T> in;
    in.nodes.x = {x.data(), static_cast<std::int64_t>(opcode.size()), kNodeFeatures};
    in.nodes.layout = node_layout;
    in.nodes.opcode = opcode;
    in.edges = edges.view();
    in.config_node = config_node;
    ConfigRows<T>& rows = takes_nodes_ ? in.config : in.graph_config;
    rows.num_rows = count * rows_per_config;
    rows.x = {config.data() + begin * rows_per_config * kConfigFeatures, rows.num_rows, kConfigFeatures};
    rows.classes = Span<const std::int32_t>(config_class)
                       .subspan(static_cast<std::size_t>(begin * rows_per_config * kConfigFeatures),
                                static_cast<std::size_t>(rows.num_rows * kConfigFeatures));
    in.num_configs = count;
    return in;
  }
  [[nodiscard]] NetInput<T> input() const { return input(0, num_configs); }

 private:
  bool takes_nodes_ = false;
};

/// The options of a network, small.
template <class N>
typename N::Options net_options_of(Direction direction = Direction::kBoth, std::int64_t hidden = 5) {
  typename N::Options options;
  options.direction = direction;
  options.num_opcodes = kOpcodes;
  options.opcode_channels = 3;
  options.hidden_channels = hidden;
  options.num_layers = 2;
  return options;
}

/// The same with every class learned or one-hot that can be: opcodes, layouts of nodes, configs of nodes.
template <class Options>
Options with_encodings(Options options, bool takes_nodes) {
  options.opcode_encoding = OpcodeEncoding::kOneHot;
  options.node_encoding.embed_layout = true;
  options.layout_channels = 2;
  if (takes_nodes) options.config_encoding = ConfigEncoding::kEmbedding;
  return options;
}

/// A network on one kind of context, and its plan.
template <class C>
class PlannedNet : public NetOn<C> {
 public:
  [[nodiscard]] const NetPlan& plan() const { return plan_; }

 protected:
  NetPlan plan_;
};
template <class N, class C>
using NetOnContext = detail::NetFunctions<N, C, detail::NetHolder<N, PlannedNet<C>>>;

inline constexpr InputWidths kNetWidths{kNodeFeatures, kConfigFeatures};

template <class N>
NetPlan plan_of(const typename N::Options& options) {
  ParamSpec spec;
  return N(spec, options, kNetWidths).plan();
}

/// What is pooled, and the scores.
template <class C>
Var embed_net(const NetOn<C>& net, C& ctx, const NetPlan& plan, const NetInput<typename C::Scalar>& in) {
  return run_pools(ctx, plan, run_configs(net, ctx, plan, run_prefix(net, ctx, plan, in), in), in);
}
template <class C>
Var score_net(const NetOn<C>& net, C& ctx, const NetPlan& plan, const NetInput<typename C::Scalar>& in) {
  const Var sums = embed_net(net, ctx, plan, in);
  return run_readout(net, ctx, plan, sums, in.num_configs, in.num_inner(), in.num_inner_config(),
                     in.graph_config);
}

/// Scores of configurations [begin, begin + count) of `data`.
template <class N>
std::vector<float> run_net(const typename N::Options& options, const NetData<float>& data, std::int64_t begin,
                           std::int64_t count) {
  ParamSpec spec;
  const NetOnContext<N, Eager> net(spec, options, kNetWidths);
  const Parameters<float> parameters(spec, 5);
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const NetInput<float> in = data.input(begin, count);
  const Var y = score_net<Eager>(net, eager, net.plan(), in);
  const MatrixView<const float> scores = eager.value(y);
  if (!eager.status().ok() || scores.rows != count || scores.cols != 1) return {};
  return {scores.data, scores.data + count};
}
template <class N>
std::vector<float> run_net(const typename N::Options& options, const NetGraph& graph,
                           std::int64_t num_configs = 3) {
  return run_net<N>(options, NetData<float>(graph, plan_of<N>(options), num_configs), 0, num_configs);
}

/// Parameters away from where ReLUs of zeros have their kink.
inline Parameters<double> random_parameters(const ParamSpec& spec) {
  Parameters<double> parameters(spec, 5);
  Rng rng(9);
  for (double& p : parameters.trainable()) p += rng.uniform(-0.3, 0.3);
  return parameters;
}

template <class N>
Status net_gradients(const typename N::Options& options, const NetGraph& graph) {
  ParamSpec spec;
  const NetOnContext<N, DoubleTape> net(spec, options, kNetWidths);
  Parameters<double> parameters = random_parameters(spec);
  const NetData<double> data(graph, net.plan(), 2);
  return gradcheck(
      [&](DoubleTape& tape, const std::vector<Var>&) {
        return score_net<DoubleTape>(net, tape, net.plan(), data.input());
      },
      {}, spec, parameters);
}

/// Names and shapes, as "name (rows, cols)" or "name (n)".
inline std::vector<std::string> tensor_list(const ParamSpec& spec) {
  std::vector<std::string> names;
  for (const ParamSpec::Entry& entry : spec.entries()) {
    names.push_back(entry.is_vector ? str_cat(entry.name, " (", entry.param.cols, ")")
                                    : str_cat(entry.name, " (", entry.param.rows, ", ", entry.param.cols, ")"));
  }
  return names;
}

// ---- dense matrices ----------------------------------------------------------------------------------------

using Row = std::vector<double>;
using Dense = std::vector<Row>;  // a row per node

inline Row operator+(Row a, const Row& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
inline Row operator*(double s, Row a) {
  for (double& v : a) v *= s;
  return a;
}
inline Row join(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Row leaky(Row a, double slope) {
  for (double& v : a) v = v > 0 ? v : slope * v;
  return a;
}
inline Row l2(Row a) {
  double sum = 0;
  for (const double v : a) sum += v * v;
  return sum > 0 ? (1 / std::sqrt(sum)) * std::move(a) : a;
}
inline Row sum_of(const Dense& a, std::size_t width) {
  Row sum(width, 0.0);
  for (const Row& row : a) sum = sum + row;
  return sum;
}

/// a x for square a.
inline Dense times(const Dense& a, const Dense& x) {
  Dense y;
  for (const Row& row : a) {
    Row sum(x[0].size(), 0.0);
    for (std::size_t j = 0; j < x.size(); ++j) sum = sum + row[j] * x[j];
    y.push_back(sum);
  }
  return y;
}
inline Dense transpose(const Dense& a) {
  Dense t = a;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) t[j][i] = a[i][j];
  }
  return t;
}
inline Dense add(Dense a, const Dense& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] + b[i];
  return a;
}
/// A: the number of edges j -> i at (i, j).
inline Dense adjacency(const NetGraph& graph) {
  const auto n = static_cast<std::size_t>(graph.num_nodes);
  Dense a(n, Row(n, 0.0));
  for (std::size_t e = 0; e < graph.source.size(); ++e) {
    a[static_cast<std::size_t>(graph.target[e])][static_cast<std::size_t>(graph.source[e])] += 1;
  }
  return a;
}
/// A, A^T or A + A^T of any matrix.
inline Dense along(const Dense& a, Direction direction) {
  if (direction == Direction::kForward) return a;
  return direction == Direction::kReverse ? transpose(a) : add(a, transpose(a));
}
inline Dense identity(std::size_t n) {
  Dense a(n, Row(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) a[i][i] = 1;
  return a;
}

/// The tensors of a network by name.
class Weights {
 public:
  Weights(const ParamSpec& spec, const Parameters<double>& parameters) : spec_(spec), parameters_(parameters) {}

  [[nodiscard]] Row row(const std::string& name, std::int64_t r) const {
    const Param p = spec_.find(name)->param;
    const double* const first = parameters_.value.data() + spec_.position(p) + r * p.cols;
    return {first, first + p.cols};
  }
  /// W x + b, b where there is one.
  [[nodiscard]] Row linear(const std::string& name, const Row& x, const std::string& weight = ".weight") const {
    const std::string matrix = name + weight;
    Row y;
    for (std::int64_t r = 0; r < spec_.find(matrix)->param.rows; ++r) {
      const Row w = row(matrix, r);
      double sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) sum += w[i] * x[i];
      y.push_back(sum);
    }
    return spec_.find(name + ".bias") == nullptr ? y : y + row(name + ".bias", 0);
  }
  /// The MLP `name` of so many layers.
  [[nodiscard]] Row mlp(const std::string& name, Row x, int layers, double slope) const {
    for (int k = 0; k < layers; ++k) {
      x = linear(name + ".lins." + std::to_string(k), x);
      if (k + 1 < layers) x = leaky(x, slope);
    }
    return x;
  }

 private:
  const ParamSpec& spec_;
  const Parameters<double>& parameters_;
};

/// Rows of the layout table beside each other.
inline Row layout_rows(const Weights& w, const std::int32_t* classes, std::int64_t count) {
  Row y;
  for (std::int64_t i = 0; i < count; ++i) y = join(y, w.row("layout.weight", classes[i]));
  return y;
}

/// [opcode embedding or one-hot ; embedded layout ; x] of each node.
inline Dense node_inputs(const InputOptions& options, const NetData<double>& data, const Weights& w) {
  Dense h;
  for (std::size_t v = 0; v < data.opcode.size(); ++v) {
    const double* const x = data.x.data() + v * kNodeFeatures;
    Row row(kOpcodes, 0.0);
    row[static_cast<std::size_t>(data.opcode[v])] = 1;
    if (options.opcode_encoding == OpcodeEncoding::kEmbedding) row = w.row("opcode.weight", data.opcode[v]);
    if (options.node_encoding.embed_layout) row = join(row, layout_rows(w, data.node_layout.data() + 6 * v, 6));
    h.push_back(join(row, Row(x, x + kNodeFeatures)));
  }
  return h;
}
/// Row k of configuration c.
inline Row config_row(const InputOptions& options, const NetData<double>& data, const Weights& w,
                      std::int64_t c, std::int64_t k = 0) {
  const std::int64_t place = (c * data.rows_per_config + k) * kConfigFeatures;
  if (options.config_encoding == ConfigEncoding::kEmbedding)
    return layout_rows(w, data.config_class.data() + place, kConfigFeatures);
  const double* const first = data.config.data() + place;
  return {first, first + kConfigFeatures};
}

/// The largest difference between a network's scores and `formula(weights, data, c)`.
template <class N, class Formula>
double difference_to(const typename N::Options& options, const NetGraph& graph, Formula&& formula) {
  ParamSpec spec;
  const NetOnContext<N, DoubleTape> net(spec, options, kNetWidths);
  Parameters<double> parameters = random_parameters(spec);
  const NetData<double> data(graph, net.plan(), 3);
  DoubleTape tape;
  tape.bind(spec, parameters);
  const Var y = score_net<DoubleTape>(net, tape, net.plan(), data.input());
  if (tape.rows(y) != 3) return 1e9;
  const Weights weights(spec, parameters);
  double worst = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    worst = std::max(worst, std::abs(tape.value(y)(c, 0) - formula(weights, data, c)));
  }
  return worst;
}

/// Names and shapes of a network's tensors.
template <class N>
std::vector<std::string> tensors_of_net(const typename N::Options& options) {
  ParamSpec spec;
  const N net(spec, options, kNetWidths);
  return tensor_list(spec);
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_COST_NET_FIXTURE_HPP
