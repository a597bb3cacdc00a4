// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/message_flow.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "graph/graph_test_util.hpp"
#include "mlgraph/autograd/context.hpp"

namespace mlgraph {
namespace {

TEST_CASE("a flow of a whole graph makes each row of itself and its neighbours") {
  const Edges edges = testing::make_edges({3, {0, 1}, {1, 2}});
  const MessageFlow<float> flow(edges.view().forward);
  CHECK(flow.same_rows);
  CHECK(flow.edges.num_targets() == 3);
  CHECK((flow.edge_weight.empty() && flow.self_weight.empty()));
  Eager ctx;
  const std::vector<float> x = {1, 2, 3};
  const Var h = ctx.input(Span<const float>(x));
  CHECK(flow.roots(ctx, h).id == h.id);
}

TEST_CASE("a flow of other rows gathers what each was") {
  MessageFlow<float> flow;
  const std::vector<std::int32_t> root = {2, 0, 2, 1};
  flow.root = root;
  flow.same_rows = false;
  Eager ctx;
  const std::vector<float> x = {1, 2, 3};
  const Var y = flow.roots(ctx, ctx.input(Span<const float>(x)));
  CHECK(std::vector<float>(ctx.value(y).data, ctx.value(y).data + 4) == std::vector<float>{3, 1, 3, 2});
  CHECK(flow.edges.num_targets() == 0);
}

}  // namespace
}  // namespace mlgraph
