// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/late_layout.hpp"

#include <doctest/doctest.h>

#include "arch/layout_fixture.hpp"
#include "long_tests.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixtures

TEST_CASE("the tensors of LayoutResGcnLate have these names and shapes") {
  CHECK(tensors_of_net<LayoutResGcnLate>(net_options_of<LayoutResGcnLate>()) ==
        std::vector<std::string>{"opcode.weight (4, 3)", "encode.weight (5, 6)", "encode.bias (5)",
                                 "layers.0.lin.weight (5, 5)", "layers.0.lin.bias (5)",
                                 "layers.1.lin.weight (5, 5)", "layers.1.lin.bias (5)", "node.weight (5, 5)",
                                 "node.bias (5)", "config.weight (5, 2)", "head.lins.0.weight (5, 5)",
                                 "head.lins.0.bias (5)", "head.lins.1.weight (1, 5)", "head.lins.1.bias (1)"});
}

TEST_CASE("the sizes of late layout networks are those of the early ones") {
  const LayoutSageLate::Options sage;
  CHECK((sage.opcode_channels == 32 && sage.hidden_channels == 64 && sage.num_layers == 3));
  CHECK((sage.config_encoding == ConfigEncoding::kOneHot && sage.config_layers == 0));
  const LayoutResGcnLate::Options gcn;
  CHECK((gcn.opcode_channels == 32 && gcn.hidden_channels == 32 && gcn.num_layers == 2));
}

TEST_CASE("late layout networks' gradients are right for every direction, encoding and config layer" *
          testing::kLong) {
  check_gradients<LayoutSageLate>();
  check_gradients<LayoutResGcnLate>();
}

/// The score from the nodes after the graph layers.
template <class Options>
double late_formula(const Options& options, const NetGraph& graph, const Weights& w,
                    const NetData<double>& data, std::int64_t c, const Dense& h) {
  const std::size_t width = h[0].size();
  Dense z;
  for (std::size_t k = 0; k < graph.config_node.size(); ++k) {
    const Row& node = h[static_cast<std::size_t>(graph.config_node[k])];
    const Row own = config_row(options, data, w, c, static_cast<std::int64_t>(k));
    Row sum = w.linear("node", node) + w.linear("config", own);
    if (options.config_layers > 0) {
      const Row gate = w.linear("gate", node), gated = w.linear("config_gate", own);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += gate[i] * gated[i];
    }
    z.push_back(leaky(sum, 0));
  }
  for (int layer = 0; layer < options.config_layers && !z.empty(); ++layer) {
    const std::string name = "config_layers." + std::to_string(layer);
    const Row mean = (1 / static_cast<double>(z.size())) * sum_of(z, width);
    for (Row& row : z) row = row + leaky(w.linear(name + ".lin_l", row) + w.linear(name + ".lin_r", mean), 0);
  }
  double score = 0;
  for (const Row& row : z) score += w.mlp("head", row, 2, 0)[0];
  return score;
}

TEST_CASE("late layout networks compute the documented formulas") {
  check_layout_formula<LayoutSageLate>([](const LayoutSageLate::Options& options, const NetGraph& graph,
                                          const Weights& w, const NetData<double>& data, std::int64_t c) {
    return late_formula(options, graph, w, data, c,
                        sage_layers(options, options.num_layers, graph, w, encoded(options, data, w)));
  });
  check_layout_formula<LayoutResGcnLate>([](const LayoutResGcnLate::Options& options, const NetGraph& graph,
                                            const Weights& w, const NetData<double>& data, std::int64_t c) {
    const Dense no_config(static_cast<std::size_t>(graph.num_nodes));
    return late_formula(
        options, graph, w, data, c,
        resgcn_layers(options, options.num_layers, graph, w, encoded(options, data, w), no_config));
  });
}

TEST_CASE("late layout networks: configs together have the bits of each alone") {
  check_configs_alone<LayoutSageLate>();
  check_configs_alone<LayoutResGcnLate>();
}

TEST_CASE("late layout networks see edges, and score 0 where there is nothing to configure") {
  check_sees_edges<LayoutSageLate>(true);
  check_transposed<LayoutSageLate>();
  check_sees_edges<LayoutResGcnLate>(true);
  check_transposed<LayoutResGcnLate>();
  check_nothing_to_configure<LayoutSageLate>(true);
  check_nothing_to_configure<LayoutResGcnLate>(true);
}

}  // namespace
}  // namespace mlgraph
