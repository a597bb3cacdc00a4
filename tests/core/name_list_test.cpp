// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/name_list.hpp"

#include <doctest/doctest.h>

namespace mlgraph {
namespace {

TEST_CASE("ten names are told, and how many more there are") {
  detail::NameList names;
  CHECK(names.empty());
  CHECK(names.text().empty());
  names.add("a");
  CHECK(names.text() == "a");
  for (int i = 1; i < 10; ++i) names.add("b");
  CHECK(names.text() == "a, b, b, b, b, b, b, b, b, b");
  names.add("c");
  names.add("d");
  CHECK(names.text() == "a, b, b, b, b, b, b, b, b, b and 2 more");
  CHECK_FALSE(names.empty());
}

}  // namespace
}  // namespace mlgraph
