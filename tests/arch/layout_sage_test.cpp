// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/layout_sage.hpp"

#include <doctest/doctest.h>

#include "arch/layout_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/late_layout.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of LayoutSage have these names and shapes") {
  CHECK(tensors_of_net<LayoutSage>(net_options_of<LayoutSage>()) ==
        std::vector<std::string>{
            "opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)", "config.weight (5, 2)",
            "layers.0.lin_l.weight (5, 5)", "layers.0.lin_l.bias (5)", "layers.0.lin_r.weight (5, 5)",
            "layers.1.lin_l.weight (5, 5)", "layers.1.lin_l.bias (5)", "layers.1.lin_r.weight (5, 5)",
            "head.lins.0.weight (5, 15)", "head.lins.1.weight (1, 5)"});
}

TEST_CASE("the defaults of LayoutSage") {
  const LayoutSage::Options options;
  CHECK((options.opcode_channels == 32 && options.hidden_channels == 64 && options.num_layers == 3));
  CHECK(options.config_encoding == ConfigEncoding::kOneHot);
}

TEST_CASE("LayoutSage's gradients are right for every direction and encoding" * testing::kLong) {
  check_gradients<LayoutSage>();
}

TEST_CASE("LayoutSage computes the documented formulas") {
  check_layout_formula<LayoutSage>([](const LayoutSage::Options& options, const NetGraph& graph,
                                      const Weights& w, const NetData<double>& data, std::int64_t c) {
    Dense h = encoded(options, data, w);
    const Dense config = config_of_nodes(options, graph, w, data, c);
    for (std::size_t v = 0; v < h.size(); ++v)
      h[v] = leaky(config[v].empty() ? h[v] : h[v] + w.linear("config", config[v]), 0);
    return layout_readout(graph, w, sage_layers(options, options.num_layers, graph, w, h));
  });
}

TEST_CASE("LayoutSage: configs together have the bits of each alone") { check_configs_alone<LayoutSage>(); }

TEST_CASE("LayoutSage sees layouts, edges, and nothing where there is nothing to configure") {
  check_joins<LayoutSage, LayoutSageLate>();
  check_sees_edges<LayoutSage>(true);
  check_transposed<LayoutSage>();
  check_nothing_to_configure<LayoutSage>(false);
}

}  // namespace
}  // namespace mlgraph
