// SPDX-License-Identifier: Apache-2.0
// The tables of every op, one for each ops_*.hpp, over the shapes that break kernels: one row, odd widths,
// isolated nodes, empty segments. The tests of these headers run them; a new op gets its row here, or
// hygiene/ops.py fails.
#ifndef MLGRAPH_TESTS_AUTOGRAD_OP_TABLE_HPP
#define MLGRAPH_TESTS_AUTOGRAD_OP_TABLE_HPP

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/transpose.hpp"

namespace mlgraph::testing {

struct Shape {
  std::int64_t rows, cols;
};

/// One row of the table: random leaves of these shapes (values in [low, high)) go through `f`.
struct OpCase {
  std::string name;
  std::vector<Shape> inputs;
  std::function<Var(DoubleTape&, const std::vector<Var>&)> f;
  double low = -1.5;
  double high = 1.5;
};

/// Graphs with an isolated node, a self edge, a hub, and none at all.
struct TestGraph {
  std::string name;
  Edges edges;
};

inline std::vector<TestGraph> test_graphs() {
  std::vector<TestGraph> graphs;
  const auto add = [&](std::string name, std::int32_t num_nodes, std::vector<std::int32_t> source,
                       std::vector<std::int32_t> target) {
    EdgeOptions options;
    options.both = true;
    graphs.push_back({std::move(name), Edges::from_list(num_nodes, source, target, options).value()});
  };
  add("one node", 1, {}, {});
  add("one node with a self edge", 1, {0}, {0});
  add("no edges", 3, {}, {});
  add("isolated node and hub", 7, {0, 1, 2, 4, 5, 0, 6, 0, 1}, {3, 3, 3, 3, 3, 1, 0, 4, 5});
  add("chain with shortcuts", 6, {0, 1, 2, 3, 4, 0, 2}, {1, 2, 3, 4, 5, 5, 5});
  return graphs;
}

/// Numbers and indices the cases borrow; they live as long as the program.
struct OpTableData {
  std::vector<TestGraph> graphs = test_graphs();
  // Four rows made of six others: one of none, one of a row twice.
  std::vector<std::int32_t> flow_ptr = {0, 2, 2, 5, 6}, flow_col = {5, 0, 1, 1, 3, 2}, flow_root = {0, 5, 1, 5};

  [[nodiscard]] AdjacencyView flow(Arena& arena) const {
    AdjacencyView adjacency;
    adjacency.csr.row_ptr = flow_ptr;
    adjacency.csr.col = flow_col;
    adjacency.num_cols = 6;
    add_transpose(adjacency, arena);
    return adjacency;
  }
  std::vector<std::int32_t> index = {2, 0, 2, 2, 4, 1};
  std::vector<std::int32_t> distinct = {3, 0};
  std::vector<std::int32_t> with_empty = {0, 0, 2, 2, 5};
  std::vector<std::int32_t> one_segment = {0, 5};
  std::vector<std::int32_t> one_node = {0};
  std::vector<double> row_factor = {0.5, -2, 1.5};
  std::vector<std::vector<double>> edge_weight;
  ParamSpec state;  // of batch norm, for 17 columns; every case is bound to it
  Param mean = state.state_vector("mean", 17, Init::constant(0));
  Param var = state.state_vector("var", 17, Init::constant(1));
};

inline const OpTableData& op_table_data() {
  static const OpTableData data = [] {
    OpTableData d;
    for (const TestGraph& graph : d.graphs) {
      std::vector<double> weight;
      for (std::int64_t e = 0; e < graph.edges.num_edges(); ++e)
        weight.push_back(0.3 + 0.2 * static_cast<double>(e));
      d.edge_weight.push_back(weight);
    }
    return d;
  }();
  return data;
}

/// Rows of the table, in order.
struct OpTable : std::vector<OpCase> {
  void add(std::string name, std::vector<Shape> inputs, decltype(OpCase::f) f, double low = -1.5,
           double high = 1.5) {
    push_back({std::move(name), std::move(inputs), std::move(f), low, high});
  }
};

inline constexpr Shape kOpShapes[] = {{1, 1}, {3, 17}, {5, 8}};

inline std::string text_of(const Shape& s) {
  return "(" + std::to_string(s.rows) + ", " + std::to_string(s.cols) + ")";
}

inline std::string name_of(Reduce r) { return r == Reduce::kSum ? "sum" : r == Reduce::kMean ? "mean" : "max"; }

/// Calls f(adjacency, number of the graph, name) for each graph, seen along each direction.
template <class F>
void for_each_adjacency(const F& f) {
  const std::vector<TestGraph>& graphs = op_table_data().graphs;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    for (const Direction direction : {Direction::kForward, Direction::kReverse, Direction::kBoth}) {
      f(graphs[g].edges.view().along(direction), g,
        "along " + std::to_string(static_cast<int>(direction)) + " of " + graphs[g].name);
    }
  }
}

/// The ops of ops_arithmetic.hpp.
inline OpTable arithmetic_table() {
  using Vars = const std::vector<Var>&;
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    const auto away_from_0 = [](DoubleTape& t, Var x) {
      const Var smooth = t.softplus(x);  // in two statements: gradients are added in the reverse order of ops
      return t.add(smooth, t.exp(x));
    };
    table.add("add" + at, {s, s}, [](DoubleTape& t, Vars v) { return t.add(v[0], v[1]); });
    table.add("add, both operands the same" + at, {s}, [](DoubleTape& t, Vars v) { return t.add(v[0], v[0]); });
    table.add("mul" + at, {s, s}, [](DoubleTape& t, Vars v) { return t.mul(v[0], v[1]); });
    table.add("mul, both operands the same" + at, {s}, [](DoubleTape& t, Vars v) { return t.mul(v[0], v[0]); });
    table.add("sub" + at, {s, s}, [](DoubleTape& t, Vars v) { return t.sub(v[0], v[1]); });
    table.add("sub, both operands the same" + at, {s}, [](DoubleTape& t, Vars v) { return t.sub(v[0], v[0]); });
    table.add("sub from a constant" + at, {s}, [](DoubleTape& t, Vars v) {
      return t.sub(t.detach(t.scale(t.input(t.value(v[0])), 0.0)), v[0]);
    });
    table.add("div" + at, {s, s}, [=](DoubleTape& t, Vars v) { return t.div(v[0], away_from_0(t, v[1])); });
    table.add("div, both operands the same" + at, {s}, [=](DoubleTape& t, Vars v) {
      const Var x = away_from_0(t, v[0]);
      return t.div(x, x);
    });
    table.add("minimum" + at, {s, s}, [](DoubleTape& t, Vars v) { return t.minimum(v[0], v[1]); });
    table.add("minimum, both operands the same" + at, {s},
              [](DoubleTape& t, Vars v) { return t.minimum(v[0], v[0]); });
    table.add("maximum" + at, {s, s}, [](DoubleTape& t, Vars v) { return t.maximum(v[0], v[1]); });
    table.add("maximum, both operands the same" + at, {s},
              [](DoubleTape& t, Vars v) { return t.maximum(v[0], v[0]); });
    table.add("mul by a constant" + at, {s},
              [=](DoubleTape& t, Vars v) { return t.mul(v[0], t.full(t.rows(v[0]), t.cols(v[0]), 1.7)); });
    table.add("abs" + at, {s}, [](DoubleTape& t, Vars v) { return t.abs(v[0]); });
    table.add("clamp" + at, {s}, [](DoubleTape& t, Vars v) { return t.clamp(v[0], -0.5, 0.7); });
    table.add("clamp on one side" + at, {s}, [](DoubleTape& t, Vars v) {
      return t.clamp(v[0], 0.1, std::numeric_limits<double>::infinity());
    });
    table.add("scale" + at, {s}, [](DoubleTape& t, Vars v) { return t.scale(v[0], -0.7); });
    table.add("exp" + at, {s}, [](DoubleTape& t, Vars v) { return t.exp(v[0]); });
    table.add(
        "log" + at, {s}, [](DoubleTape& t, Vars v) { return t.log(v[0]); }, 0.2, 3);
  }
  return table;
}

/// The functions of ops_reduce.hpp.
inline OpTable reduce_table() {
  using Vars = const std::vector<Var>&;
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    table.add("sum" + at, {s}, [](DoubleTape& t, Vars v) { return sum(t, v[0]); });
    table.add("sum of a sum's operand used twice" + at, {s}, [](DoubleTape& t, Vars v) {
      const Var total = sum(t, v[0]);
      return t.add(total, sum(t, t.mul(v[0], v[0])));
    });
    table.add("mean" + at, {s}, [](DoubleTape& t, Vars v) { return mean(t, t.mul(v[0], v[0])); });
  }
  return table;
}

/// The ops of ops_elementwise.hpp.
inline OpTable elementwise_table() {
  using Vars = const std::vector<Var>&;
  const OpTableData& d = op_table_data();
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    table.add("relu" + at, {s}, [](DoubleTape& t, Vars v) { return t.relu(v[0]); });
    table.add("leaky_relu" + at, {s}, [](DoubleTape& t, Vars v) { return t.leaky_relu(v[0], 0.2); });
    table.add("gelu" + at, {s}, [](DoubleTape& t, Vars v) { return t.gelu(v[0]); });
    table.add("silu" + at, {s}, [](DoubleTape& t, Vars v) { return t.silu(v[0]); });
    table.add("sigmoid" + at, {s}, [](DoubleTape& t, Vars v) { return t.sigmoid(v[0]); });
    table.add("softplus" + at, {s}, [](DoubleTape& t, Vars v) { return t.softplus(v[0]); });
    table.add("tanh" + at, {s}, [](DoubleTape& t, Vars v) { return t.tanh(v[0]); });
    table.add("prelu, one slope" + at, {s, {1, 1}}, [](DoubleTape& t, Vars v) { return t.prelu(v[0], v[1]); });
    table.add("prelu, a slope per column" + at, {s, {1, s.cols}},
              [](DoubleTape& t, Vars v) { return t.prelu(v[0], v[1]); });
    table.add("dropout" + at, {s}, [](DoubleTape& t, Vars v) { return t.dropout(v[0], 0.4); });
    table.add("detach stops the gradient" + at, {s}, [](DoubleTape& t, Vars v) {
      return t.add(v[0], t.detach(t.scale(t.input(t.value(v[0])), 0.0)));
    });
    table.add("concat" + at, {s, {s.rows, 2}, s},
              [](DoubleTape& t, Vars v) { return t.concat(v[0], v[1], v[2]); });
    table.add("concat of the same" + at, {s}, [](DoubleTape& t, Vars v) { return t.concat(v[0], v[0]); });
    table.add("slice_cols" + at, {s},
              [s](DoubleTape& t, Vars v) { return t.slice_cols(v[0], s.cols / 2, s.cols - s.cols / 2); });
    table.add("slice_rows" + at, {s},
              [s](DoubleTape& t, Vars v) { return t.slice_rows(v[0], s.rows / 2, s.rows - s.rows / 2); });
    table.add("slice_rows, none" + at, {s, s},
              [](DoubleTape& t, Vars v) { return t.add(sum(t, t.slice_rows(v[0], 0, 0)), sum(t, v[1])); });
    table.add("activation" + at, {s},
              [](DoubleTape& t, Vars v) { return t.activation(Activation::kSilu, v[0]); });
    table.add("squeeze-excite gate" + at, {s},
              [](DoubleTape& t, Vars v) { return t.mul(v[0], t.sigmoid(v[0])); });
  }
  table.add("scale_rows", {{3, 17}}, [&d](DoubleTape& t, Vars v) { return t.scale_rows(v[0], d.row_factor); });
  table.add("scale_rows of copies", {{6, 5}},
            [&d](DoubleTape& t, Vars v) { return t.scale_rows(v[0], d.row_factor); });
  table.add("a chain of ops that share operands", {{5, 8}, {8, 8}}, [](DoubleTape& t, Vars v) {
    const Var h = t.tanh(t.matmul(v[0], v[1]));
    const Var k = t.add(h, v[0]);
    const Var product = t.mul(k, h);
    return t.add(product, t.relu(k));
  });
  return table;
}

/// The fused isomorphism layer: eps trained, given or -1; root another matrix; all but one of them constant.
inline void add_gin(OpTable& table) {
  using Vars = const std::vector<Var>&;
  const OpTableData& d = op_table_data();
  for_each_adjacency([&](const AdjacencyView& adjacency, std::size_t, const std::string& where) {
    const std::int64_t n = adjacency.num_targets();
    for (const Activation a : {Activation::kNone, Activation::kTanh, Activation::kGelu}) {
      table.add("gin, activation " + std::to_string(static_cast<int>(a)) + ", " + where,
                {{2 * n, 7}, {1, 1}, {5, 7}, {1, 5}}, [adjacency, a](DoubleTape& t, Vars v) {
                  return t.gin(adjacency, v[0], v[0], 1, v[1], v[2], v[3], a, 0.2);
                });
    }
    table.add("gin without eps and bias, " + where, {{n, 3}, {17, 3}}, [adjacency](DoubleTape& t, Vars v) {
      return t.gin(adjacency, v[0], v[0], 1.3, Var{}, v[1], Var{});
    });
    table.add(
        "gin in which a node itself does not count, " + where, {{n, 3}, {17, 3}},
        [adjacency](DoubleTape& t, Vars v) { return t.gin(adjacency, v[0], v[0], 0, Var{}, v[1], Var{}); });
    table.add("gin of constant neighbours, " + where, {{n, 3}, {1, 1}}, [adjacency](DoubleTape& t, Vars v) {
      const Var x = t.full(t.rows(v[0]), 3, 0.7);
      return t.gin(adjacency, x, v[0], 1, v[1], t.full(4, 3, 0.5), Var{});
    });
  });
  table.add("gin of other rows", {{6, 7}, {1, 1}, {5, 7}, {1, 5}}, [&d](DoubleTape& t, Vars v) {
    const Var root = t.gather_rows(v[0], d.flow_root);
    return t.gin(d.flow(t.arena()), v[0], root, 1, v[1], v[2], v[3], Activation::kTanh);
  });
}

/// The ops of ops_linear.hpp.
inline OpTable linear_table() {
  using Vars = const std::vector<Var>&;
  const OpTableData& d = op_table_data();
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    for (const std::int64_t out : {1, 5, 33}) {
      const std::string to = at + " to " + std::to_string(out);
      table.add("matmul" + to, {s, {s.cols, out}}, [](DoubleTape& t, Vars v) { return t.matmul(v[0], v[1]); });
      table.add("linear" + to, {s, {out, s.cols}, {1, out}},
                [](DoubleTape& t, Vars v) { return t.linear(v[0], v[1], v[2]); });
      table.add("linear_columns" + to, {s, {out, s.cols + 3}, {1, out}},
                [](DoubleTape& t, Vars v) { return t.linear_columns(v[0], v[1], 2, v[2], Activation::kTanh); });
      table.add("linear without bias" + to, {s, {out, s.cols}},
                [](DoubleTape& t, Vars v) { return t.linear(v[0], v[1], Var{}); });
      for (const Activation a : {Activation::kRelu, Activation::kLeakyRelu, Activation::kGelu,
                                 Activation::kSilu, Activation::kSigmoid, Activation::kTanh}) {
        table.add("linear with activation " + std::to_string(static_cast<int>(a)) + to,
                  {s, {out, s.cols}, {1, out}},
                  [a](DoubleTape& t, Vars v) { return t.linear(v[0], v[1], v[2], a, 0.2); });
      }
    }
  }
  for (const Activation a : {Activation::kNone, Activation::kLeakyRelu, Activation::kGelu}) {
    const std::string with = " with activation " + std::to_string(static_cast<int>(a));
    table.add("config_affine" + with, {{3, 17}, {4, 17}, {4, 17}}, [&d, a](DoubleTape& t, Vars v) {
      return t.config_affine(v[0], v[1], v[2], d.row_factor, a, 0.2);
    });
    table.add("config_affine without factors" + with, {{3, 5}, {2, 5}},
              [a](DoubleTape& t, Vars v) { return t.config_affine(v[0], v[1], Var{}, {}, a, 0.2); });
  }
  for (const Reduce r : {Reduce::kSum, Reduce::kMean}) {
    for_each_adjacency([&](const AdjacencyView& adjacency, std::size_t, const std::string& where) {
      const std::int64_t n = adjacency.num_targets();
      const std::string of = name_of(r) + " " + where;
      for (const Activation a : {Activation::kNone, Activation::kRelu, Activation::kGelu}) {
        const std::string with = "activation " + std::to_string(static_cast<int>(a)) + ", " + of;
        table.add("sage " + with, {{2 * n, 7}, {5, 7}, {5, 7}, {1, 5}},
                  [adjacency, r, a](DoubleTape& t, Vars v) {
                    return t.sage(r, adjacency, v[0], v[1], v[2], v[3], a);
                  });
        table.add("sage, one matrix, " + with, {{n, 7}, {5, 14}, {1, 5}},
                  [adjacency, r, a](DoubleTape& t, Vars v) {
                    return t.sage(r, adjacency, v[0], v[1], v[1], v[2], a);
                  });
      }
      table.add("sage without root weight, " + of, {{n, 3}, {17, 3}}, [adjacency, r](DoubleTape& t, Vars v) {
        return t.sage(r, adjacency, v[0], v[1], Var{}, Var{});
      });
    });
    table.add("sage " + name_of(r) + " of other rows", {{6, 7}, {5, 7}, {5, 7}, {1, 5}},
              [&d, r](DoubleTape& t, Vars v) {
                const Var root = t.gather_rows(v[0], d.flow_root);
                return t.sage(r, d.flow(t.arena()), v[0], root, v[1], v[2], v[3], Activation::kRelu, 0.0);
              });
  }
  add_gin(table);
  return table;
}

/// The ops of ops_norm.hpp.
inline OpTable norm_table() {
  using Vars = const std::vector<Var>&;
  const OpTableData& d = op_table_data();
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    table.add("softmax" + at, {s}, [](DoubleTape& t, Vars v) { return t.softmax(v[0]); });
    table.add("log_softmax" + at, {s}, [](DoubleTape& t, Vars v) { return t.log_softmax(v[0]); });
    table.add("column_affine" + at, {s, {1, s.cols}, {1, s.cols}},
              [](DoubleTape& t, Vars v) { return t.column_affine(v[0], v[1], v[2]); });
    table.add("column_affine, scale only" + at, {s, {1, s.cols}},
              [](DoubleTape& t, Vars v) { return t.column_affine(v[0], v[1], Var{}); });
    table.add("layer_norm" + at, {s, {1, s.cols}, {1, s.cols}},
              [](DoubleTape& t, Vars v) { return t.layer_norm(v[0], v[1], v[2]); });
    table.add("layer_norm, plain" + at, {s},
              [](DoubleTape& t, Vars v) { return t.layer_norm(v[0], Var{}, Var{}); });
    table.add("l2_normalize" + at, {s}, [](DoubleTape& t, Vars v) { return t.l2_normalize(v[0]); });
  }
  for (const std::int64_t rows : {2, 5}) {
    table.add("batch_norm of " + std::to_string(rows) + " rows", {{rows, 17}, {1, 17}, {1, 17}},
              [&d](DoubleTape& t, Vars v) { return t.batch_norm(v[0], v[1], v[2], d.mean, d.var); });
    table.add("batch_norm, plain, of " + std::to_string(rows) + " rows", {{rows, 17}},
              [&d](DoubleTape& t, Vars v) { return t.batch_norm(v[0], Var{}, Var{}, d.mean, d.var); });
    for (const Activation act : {Activation::kTanh, Activation::kSilu}) {
      table.add(
          "batch_norm and " + std::to_string(static_cast<int>(act)) + " of " + std::to_string(rows) + " rows",
          {{rows, 17}, {1, 17}, {1, 17}}, [&d, act](DoubleTape& t, Vars v) {
            return t.batch_norm(v[0], v[1], v[2], d.mean, d.var, 0.1, 1e-5, act);
          });
    }
    table.add("batch_norm in evaluation of " + std::to_string(rows) + " rows", {{rows, 17}, {1, 17}, {1, 17}},
              [&d](DoubleTape& t, Vars v) {
                t.set_training(false);
                const Var y = t.batch_norm(v[0], v[1], v[2], d.mean, d.var);
                t.set_training(true);
                return y;
              });
  }
  table.add("instance_norm with empty segments", {{5, 17}},
            [&d](DoubleTape& t, Vars v) { return t.instance_norm(d.with_empty, v[0]); });
  table.add("instance_norm of one segment", {{5, 3}},
            [&d](DoubleTape& t, Vars v) { return t.instance_norm(d.one_segment, v[0]); });
  return table;
}

/// The ops of ops_graph.hpp.
inline OpTable graph_table() {
  using Vars = const std::vector<Var>&;
  const OpTableData& d = op_table_data();
  OpTable table;
  for (const Shape s : kOpShapes) {
    const std::string at = " " + text_of(s);
    table.add("repeat_rows" + at, {s}, [](DoubleTape& t, Vars v) { return t.repeat_rows(v[0], 3); });
    for (const std::int64_t configs : {1, 4}) {
      table.add("cross_config_attention of " + std::to_string(configs) + at,
                {{s.rows * configs, s.cols}, {1, 1}}, [configs](DoubleTape& t, Vars v) {
                  // A temperature away from 0, however the leaf was drawn.
                  return t.cross_config_attention(v[0], configs, t.sigmoid(v[1]));
                });
    }
  }
  table.add("broadcast with empty segments", {{4, 17}},
            [&d](DoubleTape& t, Vars v) { return t.broadcast(v[0], d.with_empty); });
  table.add("broadcast of one segment, used twice", {{1, 3}}, [&d](DoubleTape& t, Vars v) {
    const Var first = t.broadcast(v[0], d.one_segment);
    return t.mul(first, t.broadcast(v[0], d.one_segment));
  });
  table.add("segment_softmax with empty segments", {{5, 17}},
            [&d](DoubleTape& t, Vars v) { return t.segment_softmax(d.with_empty, v[0]); });
  table.add("gather_rows", {{5, 17}}, [&d](DoubleTape& t, Vars v) { return t.gather_rows(v[0], d.index); });
  table.add("index_add", {{5, 17}, {2, 17}},
            [&d](DoubleTape& t, Vars v) { return t.index_add(v[0], d.distinct, v[1]); });
  for (const Reduce r : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
    table.add("segment_reduce " + name_of(r), {{5, 17}},
              [&d, r](DoubleTape& t, Vars v) { return t.segment_reduce(r, d.with_empty, v[0]); });
    for_each_adjacency([&](const AdjacencyView& adjacency, std::size_t g, const std::string& where) {
      const std::int64_t n = adjacency.num_targets();
      const std::string of = name_of(r) + " " + where;
      for (const std::int64_t width : {1, 17}) {
        table.add("spmm " + of, {{n, width}},
                  [adjacency, r](DoubleTape& t, Vars v) { return t.spmm(r, adjacency, v[0]); });
        table.add("spmm of 3 copies, " + of, {{3 * n, width}},
                  [adjacency, r](DoubleTape& t, Vars v) { return t.spmm(r, adjacency, v[0]); });
      }
      const Span<const double> weight(d.edge_weight[g]);
      if (static_cast<std::int64_t>(weight.size()) == adjacency.csr.num_edges()) {
        table.add("weighted spmm " + of, {{n, 5}},
                  [adjacency, r, weight](DoubleTape& t, Vars v) { return t.spmm(r, adjacency, v[0], weight); });
      }
    });
    table.add("spmm " + name_of(r) + " of other rows", {{6, 17}},
              [&d, r](DoubleTape& t, Vars v) { return t.spmm(r, d.flow(t.arena()), v[0]); });
  }
  for (const TestGraph& graph : d.graphs) {
    const AdjacencyView adjacency = graph.edges.view().forward;
    table.add("spmm_heads of " + graph.name, {{graph.edges.num_edges(), 3}, {graph.edges.num_nodes(), 15}},
              [adjacency](DoubleTape& t, Vars v) { return t.spmm_heads(adjacency, v[0], v[1]); });
  }
  return table;
}

/// All of them.
inline OpTable op_table() {
  OpTable all;
  for (const OpTable& table :
       {arithmetic_table(), reduce_table(), elementwise_table(), linear_table(), norm_table(), graph_table()})
    all.insert(all.end(), table.begin(), table.end());
  return all;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_AUTOGRAD_OP_TABLE_HPP
