// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/net_input.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace mlgraph {
namespace {

TEST_CASE("nodes and configurable nodes of a segment, with its halo and without") {
  NetInput<double> in;
  CHECK((in.num_nodes() == 0 && in.num_inner() == 0 && in.num_config_nodes() == 0));
  const std::vector<double> x(10);
  const std::vector<std::int32_t> config_node = {0, 2, 4};
  in.nodes.x = {x.data(), 5, 2};
  in.config_node = config_node;
  CHECK((in.num_nodes() == 5 && in.num_inner() == 5));
  CHECK((in.num_config_nodes() == 3 && in.num_inner_config() == 3));
  in.num_halo = 2;
  in.num_halo_config = 1;
  CHECK((in.num_nodes() == 5 && in.num_inner() == 3));
  CHECK((in.num_config_nodes() == 3 && in.num_inner_config() == 2));
}

}  // namespace
}  // namespace mlgraph
