// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/layout_resgcn.hpp"

#include <doctest/doctest.h>

#include "arch/layout_fixture.hpp"
#include "long_tests.hpp"
#include "mlgraph/arch/late_layout.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of LayoutResGcn have these names and shapes") {
  CHECK(tensors_of_net<LayoutResGcn>(net_options_of<LayoutResGcn>()) ==
        std::vector<std::string>{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)",
                                 "layers.0.lin.weight (5, 5)", "layers.0.lin.bias (5)",
                                 "layers.0.config.weight (5, 2)", "layers.1.lin.weight (5, 5)",
                                 "layers.1.lin.bias (5)", "layers.1.config.weight (5, 2)",
                                 "head.lins.0.weight (5, 15)", "head.lins.1.weight (1, 5)"});
}

TEST_CASE("LayoutResGcn has the sizes of its authors") {
  const LayoutResGcn::Options options;
  CHECK((options.opcode_channels == 32 && options.hidden_channels == 32 && options.num_layers == 2));
  CHECK(options.config_encoding == ConfigEncoding::kOneHot);
}

TEST_CASE("LayoutResGcn's gradients are right for every direction and encoding" * testing::kLong) {
  check_gradients<LayoutResGcn>();
}

TEST_CASE("LayoutResGcn computes the documented formulas") {
  check_layout_formula<LayoutResGcn>([](const LayoutResGcn::Options& options, const NetGraph& graph,
                                        const Weights& w, const NetData<double>& data, std::int64_t c) {
    const Dense config = config_of_nodes(options, graph, w, data, c);
    return layout_readout(
        graph, w, resgcn_layers(options, options.num_layers, graph, w, encoded(options, data, w), config));
  });
}

TEST_CASE("LayoutResGcn: configs together have the bits of each alone") { check_configs_alone<LayoutResGcn>(); }

TEST_CASE("LayoutResGcn sees layouts, edges, and nothing where there is nothing to configure") {
  check_joins<LayoutResGcn, LayoutResGcnLate>();
  check_sees_edges<LayoutResGcn>(true);
  check_transposed<LayoutResGcn>();
  check_nothing_to_configure<LayoutResGcn>(false);
}

}  // namespace
}  // namespace mlgraph
