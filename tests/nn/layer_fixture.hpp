// SPDX-License-Identifier: Apache-2.0
// What the tests of layers share: a small graph, random inputs, and the gradient check of a layer with its
// parameters.
#ifndef MLGRAPH_TESTS_NN_LAYER_FIXTURE_HPP
#define MLGRAPH_TESTS_NN_LAYER_FIXTURE_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/graph/csr.hpp"
#include "mlgraph/graph/message_flow.hpp"
#include "mlgraph/infer.hpp"

namespace mlgraph::testing {

inline constexpr std::int32_t kNodes = 7;

/// Seven nodes: a hub with five sources, a self edge, and node 6 alone.
inline Edges hub_graph(bool transposed = false) {
  const std::vector<std::int32_t> source = {0, 1, 2, 4, 5, 0, 0, 1, 2};
  const std::vector<std::int32_t> target = {3, 3, 3, 3, 3, 1, 4, 5, 2};
  EdgeOptions options;
  options.both = true;
  return (transposed ? Edges::from_list(kNodes, target, source, options)
                     : Edges::from_list(kNodes, source, target, options))
      .value();
}

template <class T>
std::vector<T> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed = 3) {
  Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(rows * cols));
  for (T& v : values) v = static_cast<T>(rng.uniform(-1.5, 1.5));
  return values;
}

/// Checks the gradients of a layer, `f(tape, x)`, with respect to its input of this shape and all its
/// parameters.
template <class F>
Status check_layer(const ParamSpec& spec, std::int64_t rows, std::int64_t cols, F&& f) {
  std::vector<double> x = random_matrix<double>(rows, cols);
  const std::vector<MatrixView<double>> inputs = {{x.data(), rows, cols}};
  Parameters<double> parameters(spec, 5);
  Rng rng(9);  // away from the ones and zeros that norms start with
  for (double& p : parameters.trainable()) p += rng.uniform(-0.3, 0.3);
  return gradcheck([&](DoubleTape& tape, const std::vector<Var>& v) { return f(tape, v[0]); }, inputs, spec,
                   parameters);
}

/// The output of `f(eager, x)` for a random x of this shape, with the start values of `spec`.
template <class F>
std::vector<float> run_layer(const ParamSpec& spec, const std::vector<float>& x, std::int64_t cols, F&& f) {
  const Parameters<float> parameters(spec, 5);
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const Var y = f(eager, eager.input({x.data(), static_cast<std::int64_t>(x.size()) / cols, cols}));
  const MatrixView<const float> out = eager.value(y);
  return {out.data, out.data + out.size()};
}

/// Some rows of a graph as a flow: a row for each of `made`, over no more rows than those need, in another
/// order.
struct BipartiteRows {
  std::vector<std::int32_t> made, read;  // nodes; `read` is what x is gathered by
  std::vector<std::int32_t> row_ptr = {0}, col, root, transposed_ptr, transposed_col, to_csr;
  std::vector<std::int32_t> position;  // of each edge in the graph's CSR

  BipartiteRows(const CsrView& csr, std::vector<std::int32_t> nodes) : made(std::move(nodes)) {
    const auto place = [&](std::int32_t node) {
      for (std::size_t i = 0; i < read.size(); ++i) {
        if (read[i] == node) return static_cast<std::int32_t>(i);
      }
      read.push_back(node);
      return static_cast<std::int32_t>(read.size()) - 1;
    };
    read.push_back(6);  // which nobody reads
    for (const std::int32_t node : made) {
      const auto r = static_cast<std::size_t>(node);
      for (std::int32_t e = csr.row_ptr[r]; e < csr.row_ptr[r + 1]; ++e) {
        col.push_back(place(csr.col[static_cast<std::size_t>(e)]));
        position.push_back(e);
      }
      row_ptr.push_back(static_cast<std::int32_t>(col.size()));
      root.push_back(place(node));
    }
    transposed_ptr.push_back(0);
    for (std::int32_t j = 0; j < static_cast<std::int32_t>(read.size()); ++j) {
      for (std::size_t i = 0; i < made.size(); ++i) {
        for (std::int32_t e = row_ptr[i]; e < row_ptr[i + 1]; ++e) {
          if (col[static_cast<std::size_t>(e)] != j) continue;
          transposed_col.push_back(static_cast<std::int32_t>(i));
          to_csr.push_back(e);
        }
      }
      transposed_ptr.push_back(static_cast<std::int32_t>(transposed_col.size()));
    }
  }

  template <class T>
  [[nodiscard]] MessageFlow<T> flow() const {
    MessageFlow<T> flow;
    flow.edges.csr = {row_ptr, col};
    flow.edges.transposed = {transposed_ptr, transposed_col};
    flow.edges.transposed_to_csr = to_csr;
    flow.edges.num_cols = static_cast<std::int32_t>(read.size());
    flow.root = root;
    flow.same_rows = false;
    return flow;
  }
};

/// Nodes of hub_graph(): the hub, one with one source, one alone.
inline std::vector<std::int32_t> some_nodes() { return {3, 6, 1, 4}; }

/// Checks that `layer(ctx, x, flow)` makes some_nodes() from no more rows than they need with the bits that it
/// gives them as `layer(ctx, x, all)` on all rows, where `all` is the flow of the graph.
template <class Layer>
bool makes_some_rows(const ParamSpec& spec, const BipartiteRows& rows, const MessageFlow<float>& all,
                     const MessageFlow<float>& some, std::int64_t cols, const Layer& layer) {
  const std::vector<float> x = random_matrix<float>(kNodes, cols);
  const auto whole = run_layer(spec, x, cols, [&](auto& ctx, Var v) {
    return ctx.gather_rows(layer(ctx, v, all), Span<const std::int32_t>(rows.made));
  });
  const auto part = run_layer(spec, x, cols, [&](auto& ctx, Var v) {
    return layer(ctx, ctx.gather_rows(v, Span<const std::int32_t>(rows.read)), some);
  });
  return !part.empty() && part == whole;
}

/// The status message after `f(eager, x)`, for errors.
template <class F>
std::string message_of(const ParamSpec& spec, std::int64_t rows, std::int64_t cols, F&& f) {
  const std::vector<float> x = random_matrix<float>(rows, cols);
  const Parameters<float> parameters(spec, 5);
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  (void)f(eager, eager.input({x.data(), rows, cols}));
  return eager.status().message();
}

/// Names and shapes, as "name (rows, cols)" or "name (n)".
inline std::vector<std::string> tensors_of(const ParamSpec& spec) {
  std::vector<std::string> names;
  for (const ParamSpec::Entry& entry : spec.entries()) {
    names.push_back(entry.is_vector ? str_cat(entry.name, " (", entry.param.cols, ")")
                                    : str_cat(entry.name, " (", entry.param.rows, ", ", entry.param.cols, ")"));
  }
  return names;
}

}  // namespace mlgraph::testing

#endif  // MLGRAPH_TESTS_NN_LAYER_FIXTURE_HPP
