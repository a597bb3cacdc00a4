// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/message_edges.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("the edges of copies of a graph follow each other, copy by copy") {
  const Edges edges =
      Edges::from_list(3, std::vector<std::int32_t>{2, 0, 1}, std::vector<std::int32_t>{0, 2, 2}).value();
  const ParamSpec none;
  const std::vector<float> x(6 * 2, 1.0F);
  (void)run_layer(none, x, 2, [&](auto& ctx, Var v) {
    const MessageEdges messages = message_edges(ctx, "layer", v, v, edges.view().forward);
    CHECK(messages.copies == 2);
    CHECK(std::vector<std::int32_t>(messages.ptr.begin(), messages.ptr.end()) ==
          std::vector<std::int32_t>{0, 1, 1, 3, 4, 4, 6});
    CHECK(std::vector<std::int32_t>(messages.source.begin(), messages.source.end()) ==
          std::vector<std::int32_t>{2, 0, 1, 5, 3, 4});
    CHECK(std::vector<std::int32_t>(messages.target.begin(), messages.target.end()) ==
          std::vector<std::int32_t>{0, 2, 2, 3, 5, 5});
    const std::vector<float> attr = {1, 2, 3};
    const Var rows = rows_of_messages(ctx, "layer", ctx.input(Span<const float>(attr)), messages);
    CHECK(ctx.rows(rows) == 6);
    CHECK(ctx.value(rows).data[4] == 2);
    return v;
  });
}

TEST_CASE("a layer on edges that were not made, or of another graph, says so") {
  const Edges edges = Edges::from_list(3, std::vector<std::int32_t>{2}, std::vector<std::int32_t>{0}).value();
  const ParamSpec none;
  const auto message = [&](std::int64_t rows, const AdjacencyView& adjacency) {
    return message_of(none, rows, 2, [&](auto& ctx, Var v) {
      CHECK(message_edges(ctx, "layer", v, v, adjacency).ptr.empty());
      return v;
    });
  };
  CHECK(message(3, edges.view().both) ==
        "layer: there are no edges along Direction::kBoth; make them with EdgeOptions::both");
  CHECK(message(4, edges.view().forward) == "layer: x has 4 rows; the graph has 3 nodes");
}

}  // namespace
}  // namespace mlgraph
