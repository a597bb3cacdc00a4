// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/version.hpp"

#include <doctest/doctest.h>

namespace mlgraph {
namespace {

TEST_CASE("the version is three numbers") {
  CHECK(MLGRAPH_VERSION_MAJOR >= 0);
  CHECK(MLGRAPH_VERSION_MINOR >= 0);
  CHECK(MLGRAPH_VERSION_PATCH >= 0);
  CHECK(MLGRAPH_VERSION_MAJOR + MLGRAPH_VERSION_MINOR + MLGRAPH_VERSION_PATCH > 0);
}

}  // namespace
}  // namespace mlgraph
