// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/arch/builtin.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mlgraph/cost/net.hpp"
#include "mlgraph/train/trainable_net.hpp"

namespace mlgraph {
namespace {

TEST_CASE("the networks that come with the library, each found by its name, for prediction and for training") {
  const std::vector<std::string> names = {"tile-sage",        "tile-sage-late",     "tile-resgcn",
                                          "tile-resgcn-late", "tile-mlp",           "tile-mlp-late",
                                          "tile-winner",      "layout-sage",        "layout-sage-late",
                                          "layout-resgcn",    "layout-resgcn-late", "layout-winner"};
  for (const NetTypes& types : {predicting_nets<BuiltinNets>(), trainable_nets<BuiltinNets>()}) {
    std::vector<std::string> found;
    for (const NetType* const type : types) {
      found.emplace_back(type->name);
      CHECK(find_net(types, type->name).value() == type);
      CHECK(type->default_options()->check().ok());
    }
    CHECK(found == names);
  }
}

}  // namespace
}  // namespace mlgraph
