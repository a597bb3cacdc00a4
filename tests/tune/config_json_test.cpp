// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/config_json.hpp"

#include <doctest/doctest.h>

#include <string>

#include "mlgraph/tune/read_space.hpp"

namespace mlgraph {
namespace {

TEST_CASE("configurations are read by names or places") {
  const Space space =
      read_space(R"({"decisions": [{"name": "tile", "choices": [8, 16, 32], "features": "numbers"},
      {"name": "layout", "nodes": [7, 3], "choices": ["nhwc", "nchw"]}]})")
          .value();
  const auto config = [&](const std::string& text) { return config_of_json(space, parse_json(text).value()); };
  const auto error = [&](const std::string& text) { return config(text).status().message(); };
  const TuneConfig wanted = {2, 1, 0};
  CHECK(config(space.text(wanted)).value() == wanted);
  CHECK(config("[2,1,0]").value() == wanted);
  CHECK(config(R"({"layout@7":"nchw","tile":"32","layout@3":"nhwc"})").value() == wanted);
  CHECK(error("[2,1]") == "a configuration of 2 choices; there are 3 decisions");
  CHECK(error("[2,1,2]") == "choice 2 of decision \"layout@3\", which has 2");
  CHECK(error("[2,1,-2]") == "a choice is the number -2; should be a place from 0");
  CHECK(error("7") == "a configuration is the number 7; should be an object or a list");
  CHECK(error(R"({"tile":"32"})") == "a configuration of 1 choices; there are 3 decisions");
  CHECK(error(R"({"tile":"31","layout@7":"nchw","layout@3":"nhwc"})") ==
        "decision \"tile\" has no choice \"31\"");
  CHECK(error(R"({"tile":"32","layout@7":"nchw","layout@4":"nhwc"})") == "decision \"layout@3\" has no choice");
}

}  // namespace
}  // namespace mlgraph
