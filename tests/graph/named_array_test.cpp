// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/graph/named_array.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using namespace mlgraph;

TEST_CASE("an array has a row for each node, edge or graph, and one of two number types") {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> ids = {7, 8, 9};
  const NamedArray arrays[] = {node_array("z", MatrixView<const float>(values.data(), 3, 2)),
                               edge_array("type", Span<const std::int32_t>(ids)),
                               graph_array("y", Span<const float>(values))};
  CHECK(arrays[0].rows() == 3);
  CHECK(arrays[0].cols() == 2);
  CHECK(arrays[0].of == ArrayOf::kNodes);
  CHECK_FALSE(arrays[0].is_int);
  CHECK(arrays[1].rows() == 3);
  CHECK(arrays[1].cols() == 1);
  CHECK(arrays[1].is_int);
  CHECK(arrays[1].i32(2, 0) == 9);
  CHECK(arrays[2].rows() == 1);
  CHECK(arrays[2].cols() == 6);
  CHECK(find_array(arrays, "type") == &arrays[1]);
  CHECK(find_array(arrays, "types") == nullptr);
  CHECK(array_of_name(ArrayOf::kEdges) == "edges");
}
