// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/autograd/ops_graph.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "autograd/op_check.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the backward of each op on graphs agrees with central differences") {
  testing::check_ops(testing::graph_table());
}

TEST_CASE("each op on graphs says what is wrong with its shapes") {
  testing::ShapeErrors errors;
  const testing::TestGraph graph = testing::test_graphs()[4];  // 6 nodes, 7 edges
  const EdgesView edges = graph.edges.view();
  const std::vector<std::int32_t> bad_index = {0, 9};
  const std::vector<std::int32_t> ptr = {0, 3};
  const std::vector<float> weights = {1, 2};
  CHECK(errors.message([&] { return errors.ctx.gather_rows(errors.of(3, 2), bad_index); }) ==
        "gather_rows: index 1 is 9; there are 3 rows");
  CHECK(errors.message([&] { return errors.ctx.index_add(errors.of(3, 2), bad_index, errors.of(2, 2)); }) ==
        "index_add: index 1 is 9; there are 3 rows");
  CHECK(errors.message([&] { return errors.ctx.index_add(errors.of(3, 2), bad_index, errors.of(2, 3)); }) ==
        "index_add: delta is (2, 3); it should be (2, 2)");
  CHECK(errors.message([&] { return errors.ctx.repeat_rows(errors.of(3, 2), -1); }) ==
        "repeat_rows: -1 copies");
  CHECK(errors.message([&] { return errors.ctx.spmm(Reduce::kSum, edges.forward, errors.of(5, 2)); }) ==
        "spmm: x has 5 rows; the graph has 6 nodes");
  CHECK(errors.message([&] {
    return errors.ctx.spmm(Reduce::kSum, edges.forward, errors.of(6, 2), weights);
  }) == "spmm: 2 edge weights for 7 edges");
  CHECK(errors.message([&] {
    return errors.ctx.spmm_heads(edges.forward, errors.of(2, 2), errors.of(6, 2));
  }) == "spmm_heads: weight is (2, 2) and x is (6, 2); the graph has 7 edges and 6 nodes");
  CHECK(errors.message([&] { return errors.ctx.segment_reduce(Reduce::kSum, ptr, errors.of(4, 2)); }) ==
        "segment_reduce: the segments cover [0, 3); x has 4 rows");
  CHECK(errors.message([&] { return errors.ctx.broadcast(errors.of(4, 2), ptr); }) ==
        "broadcast: there are 1 segments from 0; x has 4 rows");
  const std::vector<std::int32_t> descending = {0, 3, 1}, late = {1, 3};
  CHECK(errors.message([&] { return errors.ctx.broadcast(errors.of(2, 2), descending); }) ==
        "broadcast: segment 1 is [3, 1)");
  CHECK(errors.message([&] { return errors.ctx.broadcast(errors.of(1, 2), late); }) ==
        "broadcast: there are 1 segments from 1; x has 1 rows");
  CHECK(errors.message([&] { return errors.ctx.broadcast(errors.of(1, 2), {}); }) ==
        "broadcast: there are 0 segments from 0; x has 1 rows");
  CHECK(errors.message([&] { return errors.ctx.segment_softmax(ptr, errors.of(4, 2)); }) ==
        "segment_softmax: the segments cover [0, 3); x has 4 rows");
  CHECK(errors.message([&] {
    return errors.ctx.cross_config_attention(errors.of(4, 2), 3, errors.of(1, 1));
  }) == "cross_config_attention: x has 4 rows, which is no multiple of 3 configs");
  const std::vector<float> zero = {0};
  CHECK(errors.message([&] {
    return errors.ctx.cross_config_attention(errors.of(4, 2), 2, errors.ctx.input(Span<const float>(zero)));
  }) == "cross_config_attention: the temperature must be one number above 0");
}

}  // namespace
}  // namespace mlgraph
