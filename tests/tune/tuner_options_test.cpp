// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/tune/tuner_options.hpp"

#include <doctest/doctest.h>

#include <string>

namespace mlgraph {
namespace {

TEST_CASE("options of a tuner are in their ranges") {
  CHECK(check(TunerOptions()).ok());
  const auto error = [](auto change) {
    TunerOptions options;
    change(options);
    return check(options).message();
  };
  CHECK(error([](TunerOptions& o) { o.runs = 0; }) == "tuner: runs is 0; should be in [1, 24]");
  CHECK(error([](TunerOptions& o) { o.runs = 50; }) == "tuner: runs is 50; should be in [1, 24]");
  CHECK(error([](TunerOptions& o) { o.max_runs = 100'001; }) ==
        "tuner: max_runs is 100001; should be in [1, 100000]");
  CHECK(error([](TunerOptions& o) { o.explore = 1.5; }) == "tuner: explore is 1.5; should be in [0, 1]");
  CHECK(error([](TunerOptions& o) { o.lease_seconds = 0; }) ==
        "tuner: lease_seconds is 0; should be in [1e-06, 1e+09]");
  CHECK(error([](TunerOptions& o) { o.failure_penalty = 0.5; }) ==
        "tuner: failure_penalty is 0.5; should be in [1, 1e+06]");
  CHECK(error([](TunerOptions& o) { o.proposals.population = 1; }) ==
        "tuner: proposals.population is 1; should be in [8, 1099511627776]");
}

}  // namespace
}  // namespace mlgraph
