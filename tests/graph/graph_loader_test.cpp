// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/graph_loader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "allocation_counter.hpp"

using namespace mlgraph;

namespace {

/// Graphs of 1, 2, 3 ... nodes, whose target is their number.
GraphDataset numbered_set(std::size_t count) {
  GraphDataset set;
  for (std::size_t g = 0; g < count; ++g) {
    const std::vector<float> x(g + 1, static_cast<float>(g));
    const float y = static_cast<float>(g);
    GraphView view;
    view.x = {x.data(), static_cast<std::int64_t>(x.size()), 1};
    const NamedArray arrays[] = {graph_array("y", Span<const float>(&y, 1))};
    REQUIRE(set.add(view, arrays).ok());
  }
  return set;
}

/// The targets of the batches of an epoch, batch by batch.
template <class Epoch>
std::vector<std::vector<float>> targets_of(const Epoch& epoch) {
  std::vector<std::vector<float>> batches;
  for (const Batch& batch : epoch) {
    const MatrixView<const float> y = batch.view().f32("y");
    batches.emplace_back(y.data, y.data + y.rows);
    for (std::int32_t g = 0; g < batch.view().num_graphs(); ++g) {
      const auto i = static_cast<std::size_t>(g);
      const std::int32_t begin = batch.view().ptr[i];
      REQUIRE(batch.view().ptr[i + 1] - begin == static_cast<std::int32_t>(y(g, 0)) + 1);
      REQUIRE(batch.view().x(begin, 0) == y(g, 0));
    }
  }
  return batches;
}

}  // namespace

TEST_CASE("an epoch has every graph once, in another order each time") {
  const GraphDataset set = numbered_set(11);
  const std::size_t graphs[] = {1, 2, 3, 4, 5, 6, 9};
  Result<GraphLoader> loader = GraphLoader::make(set, graphs, 3);
  REQUIRE(loader.ok());
  CHECK(loader->num_batches() == 3);
  CHECK(targets_of(loader->in_order()) == std::vector<std::vector<float>>{{1, 2, 3}, {4, 5, 6}, {9}});
  Rng rng(1);
  std::vector<std::vector<float>> before;
  for (int epoch = 0; epoch < 5; ++epoch) {
    const std::vector<std::vector<float>> batches = targets_of(loader->epoch(rng));
    CHECK(batches != before);
    before = batches;
    std::vector<float> all;
    for (const auto& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
    std::sort(all.begin(), all.end());
    CHECK(all == std::vector<float>{1, 2, 3, 4, 5, 6, 9});
  }
  Rng again(1);
  CHECK(targets_of(loader->epoch(again)) != before);
  std::size_t round = 0;
  for (const Batch& batch : loader->in_order()) {
    const Span<const std::size_t> now = loader->graphs_of_batch();
    REQUIRE(static_cast<std::int32_t>(now.size()) == batch.view().num_graphs());
    CHECK(now[0] == graphs[3 * round++]);
  }
}

TEST_CASE("the last graphs can be left out, and there may be none") {
  const GraphDataset set = numbered_set(5);
  const std::size_t graphs[] = {0, 1, 2, 3, 4};
  Result<GraphLoader> loader = GraphLoader::make(set, graphs, 2, true);
  REQUIRE(loader.ok());
  CHECK(targets_of(loader->in_order()) == std::vector<std::vector<float>>{{0, 1}, {2, 3}});
  Result<GraphLoader> none = GraphLoader::make(set, {}, 2);
  REQUIRE(none.ok());
  CHECK(targets_of(none->in_order()).empty());
}

TEST_CASE("a loader of what the set does not have is refused") {
  const GraphDataset set = numbered_set(3);
  const std::size_t graphs[] = {0, 3};
  CHECK(GraphLoader::make(set, graphs, 2).status().message() == "loader: item 1 is graph 3; the set has 3");
  CHECK(GraphLoader::make(set, {}, 0).status().message() == "loader: batch_size is 0; should be 1 or more");
}

TEST_CASE("a second epoch in the same order allocates nothing") {
  const GraphDataset set = numbered_set(20);
  const std::size_t graphs[] = {19, 3, 7, 18, 2, 5, 11};
  Result<GraphLoader> loader = GraphLoader::make(set, graphs, 2);
  REQUIRE(loader.ok());
  std::int64_t nodes[2] = {0, 0};
  std::size_t before = 0;
  for (std::int64_t& count : nodes) {
    before = testing::num_allocations();
    for (const Batch& batch : loader->in_order()) count += batch.view().num_nodes();
  }
  CHECK(testing::num_allocations() == before);
  CHECK(nodes[0] == nodes[1]);
}
