// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/nn/gine_conv.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "nn/layer_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

TEST_CASE("GINEConv's gradients are right, of nodes and of attributes of edges") {
  const Edges edges = hub_graph();
  ParamSpec spec;
  const GINEConv conv(spec, "g", 3, 5, 2, 0.5);
  Parameters<double> parameters(spec, 5);
  std::vector<double> x = random_matrix<double>(kNodes, 3), attributes = random_matrix<double>(9, 2, 4);
  const Status status = gradcheck(
      [&](DoubleTape& tape, const std::vector<Var>& v) {
        return tape.tanh(conv(tape, v[0], edges.view().forward, v[1]));
      },
      {MatrixView<double>(x.data(), kNodes, 3), MatrixView<double>(attributes.data(), 9, 2)}, spec, parameters);
  CHECK_MESSAGE(status.ok(), status.message());
}

TEST_CASE("GINEConv works on one node without edges, and refuses other attributes") {
  const Edges one = Edges::from_list(1, {}, {}).value();
  ParamSpec spec;
  const GINEConv conv(spec, "g", 3, 5, 2);
  const Parameters<float> parameters(spec, 5);
  Eager eager;
  eager.bind(spec, Span<const float>(parameters.value));
  const float x[] = {1, 2, 3};
  const Var nothing = eager.input(MatrixView<const float>(x, 0, 2));
  const Var y = conv(eager, eager.input({x, 1, 3}), one.view().forward, nothing);
  CHECK(eager.rows(y) == 1);
  CHECK(eager.cols(y) == 5);
  CHECK(conv(eager, eager.input({x, 1, 3}), one.view().forward, eager.input({x, 1, 2})).id == 0);
  CHECK(eager.status().message() == "GINEConv: there are attributes of 1 edges; the graph has 0");
}

}  // namespace
}  // namespace mlgraph
