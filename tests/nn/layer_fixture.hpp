// SPDX-License-Identifier: Apache-2.0
// What the tests of layers share: a small graph, random inputs, and the gradient check of a layer with its
// parameters.
#ifndef MLGRAPH_TESTS_NN_LAYER_FIXTURE_HPP
#define MLGRAPH_TESTS_NN_LAYER_FIXTURE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/autograd/gradcheck.hpp"
#include "mlgraph/graph/csr.hpp"
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
