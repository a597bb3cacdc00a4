// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/graph_net_fit.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "arch/graph_net_fixture.hpp"
#include "mlgraph/train/graph_model.hpp"

namespace mlgraph {
namespace {

TEST_CASE("data decide the sizes of a standard network") {
  const GraphDataset set = testing::learnable_graphs(30);
  const GraphNetOptions options = fit_graph_net({}, set).value();
  CHECK(options.num_features == 2);
  CHECK(options.num_opcodes == 4);
  CHECK(options.edge_dim == 1);
  CHECK(options.num_types == 2);
  GraphNetOptions other;
  other.edge_attr = "edge_type";  // of int32
  other.edge_type = "none";
  other = fit_graph_net(other, set).value();
  CHECK(other.edge_dim == 0);
  CHECK(other.num_types == 0);
  CHECK(graph_net_graphs_per_tape(other) == 16);
  other.norm = GraphNetNorm::kBatch;
  CHECK(graph_net_graphs_per_tape(other) == 0);
}

TEST_CASE("a standard network that the data cannot feed is refused") {
  const GraphDataset set = testing::learnable_graphs(3);
  GraphNetOptions options;
  const auto refusal = [&] { return std::string(fit_graph_net(options, set).status().message()); };
  options.edge_attr = options.edge_type = "none";
  options.conv = GraphConv::kGine;
  CHECK(refusal() == "graph-net: gine needs an array \"none\" of edges, of float");
  options.conv = GraphConv::kRgcn;
  CHECK(refusal() == "graph-net: rgcn needs an array \"none\" of edges, of one int32");
  options.conv = GraphConv::kGatv2;
  options.heads = 3;
  CHECK(refusal() == "graph-net: hidden_channels is 64; should be a multiple of its 3 heads");
  options.heads = 0;
  CHECK(refusal() == "graph-net: heads is 0; should be in [1, 64]");

  GraphDataset negative;
  const std::int32_t source[] = {0}, target[] = {0}, type[] = {-1};
  GraphView view;
  view.x = {nullptr, 1, 0};
  view.edge_source = source;
  view.edge_target = target;
  const NamedArray arrays[] = {edge_array("edge_type", Span<const std::int32_t>(type))};
  REQUIRE(negative.add(view, arrays).ok());
  CHECK(fit_graph_net({}, negative).status().message() ==
        "graph-net: graph 0 array \"edge_type\" has -1 at edge 0; should be 0 or more");
}

TEST_CASE("features are scaled by the graphs to train on") {
  GraphDataset set;
  const float x[][4] = {{1, 7, 3, 7},
                        {100, 7, 200, 8}};  // two nodes of two features; the last graph does not count
  for (const float* const rows : {x[0], x[1]}) {
    GraphView view;
    view.x = {rows, 2, 2};
    REQUIRE(set.add(view).ok());
  }
  const GraphNetOptions options = fit_graph_net({}, set).value();
  GraphModel model = GraphModel::make<GraphNet>(options).value();
  const std::size_t first = 0;
  fit_graph_net_scaling(options, set, Span<const std::size_t>(&first, 1), model.spec(),
                        model.parameters().value);
  const auto values_of = [&](const char* name) {
    return model.parameters().value.data() + model.spec().position(model.spec().find(name)->param);
  };
  CHECK(values_of("x.scale")[0] == 1.0F);  // mean 2, deviation 1
  CHECK(values_of("x.shift")[0] == -2.0F);
  CHECK(values_of("x.scale")[1] == 0.0F);  // always 7
  CHECK(values_of("x.shift")[1] == 0.0F);
}

}  // namespace
}  // namespace mlgraph
