// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/trial.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

namespace mlgraph {
namespace {

TEST_CASE("a measurement has times or a failure, and a device") {
  const auto error = [](Measurement m) { return check(m).message(); };
  CHECK(check(Measurement{"cpu", {1, 2.5}, TrialFailure::kNone, {}}).ok());
  CHECK(check(Measurement{"cpu", {}, TrialFailure::kBuild, "no such tile"}).ok());
  CHECK(error({"", {1}, TrialFailure::kNone, {}}) == "the device's name has 0 bytes; should have 1 to 200");
  CHECK(error({std::string(201, 'x'), {1}, TrialFailure::kNone, {}}) ==
        "the device's name has 201 bytes; should have 1 to 200");
  CHECK(error({"\xff", {1}, TrialFailure::kNone, {}}) == "the device's name is not valid UTF-8");
  CHECK(error({"cpu", {}, TrialFailure::kRun, "\xff"}) == "the message of a failure is not valid UTF-8");
  CHECK(error({"cpu", {}, TrialFailure::kNone, {}}) == "there are 0 times; should be 1 to 100000");
  CHECK(error({"cpu", {1, 2}, TrialFailure::kTimeout, {}}) ==
        "a failure (timeout) with 2 times; should have none");
  CHECK(error({"cpu", {0}, TrialFailure::kNone, {}}) == "a time is 0 ns; should be positive, and 1e18 or less");
  CHECK(error({"cpu", {std::numeric_limits<double>::quiet_NaN()}, TrialFailure::kNone, {}}) ==
        "a time is nan ns; should be positive, and 1e18 or less");
  CHECK(error({"cpu", {1e19}, TrialFailure::kNone, {}}) ==
        "a time is 1e+19 ns; should be positive, and 1e18 or less");
}

}  // namespace
}  // namespace mlgraph
