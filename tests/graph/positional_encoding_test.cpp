// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/positional_encoding.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mlgraph/core/random.hpp"
#include "mlgraph/graph/csr.hpp"

using namespace mlgraph;

namespace {

Edges graph_of(std::int64_t num_nodes, const std::vector<std::int32_t>& source,
               const std::vector<std::int32_t>& target) {
  EdgeOptions options;
  options.duplicates = EdgeOptions::Duplicates::kKeep;
  return Edges::from_list(num_nodes, source, target, options).value();
}

std::vector<float> walks(const Edges& edges, std::int64_t steps) {
  const std::int64_t num_nodes = edges.view().num_nodes();
  std::vector<float> out(static_cast<std::size_t>(num_nodes * steps), -1);
  random_walk_encoding(edges.view(), {out.data(), num_nodes, steps});
  return out;
}

}  // namespace

TEST_CASE("random walks on small graphs are back as often as one counts by hand") {
  // A directed cycle of 3: back after 3 steps, and never else.
  CHECK(walks(graph_of(3, {0, 1, 2}, {1, 2, 0}), 4) == std::vector<float>{0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0});
  // Two nodes joined both ways, one of them with a loop; a node alone.
  CHECK(walks(graph_of(3, {0, 1, 0}, {1, 0, 0}), 3) ==
        std::vector<float>{0.5F, 0.75F, 0.625F, 0, 0.5F, 0.25F, 0, 0, 0});
  // Of two equal edges and one other, the walk takes the equal ones two times out of three.
  const std::vector<float> weighted = walks(graph_of(3, {0, 0, 0, 1, 2}, {1, 1, 2, 0, 2}), 2);
  CHECK(weighted[1] == doctest::Approx(2.0 / 3));
  CHECK(walks(graph_of(0, {}, {}), 3).empty());
}

TEST_CASE("random walks are the diagonals of the powers of the walk's matrix") {
  constexpr std::size_t kNodes = 17;
  constexpr std::int64_t kSteps = 6;
  Rng rng(5);
  std::vector<std::int32_t> source, target;
  std::vector<double> matrix(kNodes * kNodes), degree(kNodes);
  for (int e = 0; e < 60; ++e) {
    source.push_back(static_cast<std::int32_t>(rng.below(kNodes)));
    target.push_back(static_cast<std::int32_t>(rng.below(kNodes)));
    degree[static_cast<std::size_t>(source.back())] += 1;
  }
  for (std::size_t e = 0; e < source.size(); ++e) {
    const auto u = static_cast<std::size_t>(source[e]);
    matrix[u * kNodes + static_cast<std::size_t>(target[e])] += 1 / degree[u];
  }
  const std::vector<float> out = walks(graph_of(kNodes, source, target), kSteps);
  std::vector<double> power = matrix;
  for (std::size_t k = 0; k < kSteps; ++k) {
    for (std::size_t v = 0; v < kNodes; ++v)
      CHECK(out[v * kSteps + k] == doctest::Approx(power[v * kNodes + v]).epsilon(1e-6));
    std::vector<double> next(kNodes * kNodes);
    for (std::size_t i = 0; i < kNodes; ++i) {
      for (std::size_t j = 0; j < kNodes; ++j) {
        for (std::size_t l = 0; l < kNodes; ++l)
          next[i * kNodes + j] += power[i * kNodes + l] * matrix[l * kNodes + j];
      }
    }
    power = next;
  }
}

TEST_CASE("the depth of a node is that of its longest path") {
  CHECK(dag_depth(graph_of(5, {0, 0, 1, 3}, {1, 2, 2, 2}).view()).value() ==
        std::vector<std::int32_t>{0, 1, 2, 0, 0});
  // Ids that are in no topological order.
  CHECK(dag_depth(graph_of(3, {2, 1}, {1, 0}).view()).value() == std::vector<std::int32_t>{2, 1, 0});
  CHECK(dag_depth(graph_of(2, {0, 1}, {1, 0}).view()).status().message() ==
        "the edges have a cycle of length 2: 0 -> 1 -> 0");
}
