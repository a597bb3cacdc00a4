// SPDX-License-Identifier: Apache-2.0
#include "../../examples/minicompiler/net.hpp"

#include <doctest/doctest.h>

#include "mlgraph/train/check_net.hpp"

using namespace minicompiler;

TEST_CASE("the network of runtimes keeps what its plan says") {
  for (const std::int64_t layers : {0, 1, 2}) {
    for (const bool from_formula : {true, false}) {
      RuntimeNet::Options options;
      options.hidden_channels = 8;
      options.num_layers = layers;
      options.from_formula = from_formula;
      const mg::Status status = mg::check_net<RuntimeNet>(options);
      CHECK_MESSAGE(status.ok(), status.message());
    }
  }
}
