// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/core/format.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

namespace mlgraph {
namespace {

TEST_CASE("str_cat joins text and numbers, numbers in their shortest exact form") {
  CHECK(str_cat() == "");
  CHECK(str_cat("edge ", 3, " is (", std::int64_t{-7}, ", ", std::size_t{8}, ")") == "edge 3 is (-7, 8)");
  CHECK(str_cat(0.1, " ", 0.1f, " ", 1e100, " ", -2.0) == "0.1 0.1 1e+100 -2");
  CHECK(str_cat(std::nan(""), " ", std::numeric_limits<double>::infinity()) == "nan inf");
  CHECK(str_cat(true, ' ', 'x', std::string("s"), std::string_view("v")) == "true xsv");
  CHECK(str_cat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}

}  // namespace
}  // namespace mlgraph
